/* vehicle/agent_disk.c - the agent and its disk: commits, what is told when the disk takes nothing,
 * and going on when the outbox turns out damaged.  See agent_inside.h. */
#include "agent_inside.h"

#include <stdio.h>
#include <string.h>

#include "announce.h"
#include "known.h"
#include "lib/clock.h"
#include "lib/log.h"

#define AGENT_RECOVER_MS 60000 /* damaged again so soon: not the file alone is ill, start anew */

void agent_count(struct agent *a)
{
    for (int i = 0; i < STREAMS; i++)
        metric_set(a->records, outbox_stream_name((enum outbox_stream)i),
                   (double)outbox_count(a->outbox, (enum outbox_stream)i));
    if (outbox_is_open(a->outbox))
        metric_set(a->bytes, NULL, (double)outbox_used_bytes(a->outbox));
}

void agent_tell_found(struct agent *a, const struct outbox_found *found)
{
    char data[120];

    for (int i = 0; i < STREAMS; i++)
        if (found->passed_over[i] > 0)
            log_error("outbox.went_back", "stream=%s numbers=%lld",
                      outbox_stream_name((enum outbox_stream)i), (long long)found->passed_over[i]);
    if (!found->created)
        return;
    if (!found->damaged) {
        agent_event(a, "outbox_reset", "{\"reason\":\"missing\"}");
        return;
    }
    snprintf(data, sizeof data, "{\"reason\":\"damaged\",\"counted\":\"%s\"",
             salvage_reach_name(found->counted));
    if (found->counted != SALVAGE_NONE)
        snprintf(data + strlen(data), sizeof data - strlen(data), ",\"unsent\":%lld",
                 (long long)found->unsent);
    strcat(data, "}");
    agent_event(a, "outbox_reset", data);
    log_error("outbox.damaged", "moved_to=%s unsent=%lld counted=%s reason=\"%s\"", found->moved_to,
              (long long)found->unsent, salvage_reach_name(found->counted), found->reason);
}

/* Once per change, and the reason with it. */
static void agent_tell_disk(struct agent *a, enum outbox_trouble trouble, const char *reason)
{
    bool takes = trouble == OUTBOX_WELL;

    if (trouble == a->disk)
        return;
    log_line(takes ? LEVEL_INFO : LEVEL_ERROR, takes ? "outbox.writable" : "outbox.unwritable",
             "disk=%s reason=\"%s\"", outbox_trouble_name(trouble), takes ? "" : reason);
    a->disk = trouble;
    metric_set(a->writable, NULL, takes);
    health_set(a->health, "outbox", takes);
    herald_set_outbox(&a->herald, takes ? "" : outbox_trouble_name(trouble));
}

/* Their second home; a disk that takes it not now may take it after another commit. */
static void agent_keep_known(struct agent *a)
{
    const struct config *config;
    const struct text *text;
    struct fault fault = {""};
    enum status st;

    if (!a->known_due)
        return;
    agent_good_config(a, &config, &text);
    st = known_write(a->set->outbox, config->brokers, text->bytes != NULL ? text->bytes : "",
                     text->len, &fault);
    a->known_due = st == ST_RETRY;
    if (st == ST_FATAL)
        log_warn("known.unwritable", "reason=\"%s\"", fault.text);
}

/* The streams are others: nobody has acknowledged anything of them. */
static void agent_forget_acks(struct agent *a)
{
    a->set_back = false;
    sender_streams_are_new(a->sender);
    for (int i = 0; i < STREAMS; i++) {
        ledger_init(&a->ledgers[i]);
        ledger_require(&a->ledgers[i], a->config.sites, a->config.site_count);
    }
}

/* An ack has shown that the outbox is an old copy: others have records with the numbers that were
 * given since.  What no required site had acknowledged before this start goes again, in new
 * streams. */
static enum status agent_begin_anew(struct agent *a, int64_t now_ms, enum clock_source clock,
                                    struct fault *fault)
{
    int64_t from[STREAMS], unsent[STREAMS] = {0};
    char data[96];
    enum status st = outbox_begin(a->outbox, fault);

    for (int i = 0; i < STREAMS; i++)
        from[i] = sender_first_in_doubt(a->sender, (enum outbox_stream)i);
    if (st == ST_OK)
        st = outbox_begin_anew(a->outbox, from, unsent, fault);
    snprintf(data, sizeof data, "{\"reason\":\"set_back\",\"unsent\":%lld}",
             (long long)(unsent[STREAM_BULK] + unsent[STREAM_URGENT]));
    if (st == ST_OK &&
        (st = announce(a->outbox, "outbox_reset", data, now_ms, clock, fault)) == ST_OK)
        st = outbox_end(a->outbox, fault);
    if (st != ST_OK) {
        outbox_undo(a->outbox);
        return st;
    }
    log_error("outbox.set_back",
              "unsent=%lld reason=\"a site has numbers that we never sent: an old "
              "copy of the outbox was put back\"",
              (long long)(unsent[STREAM_BULK] + unsent[STREAM_URGENT]));
    agent_forget_acks(a);
    journal_renew(a->journal);
    sender_connected(a->sender, clock_boot_ms());
    return ST_OK;
}

enum status agent_recover(struct agent *a, struct fault *fault)
{
    struct outbox_found found;
    int64_t boot_ms = clock_boot_ms();
    enum status st;

    if (outbox_trouble(a->outbox) != OUTBOX_DAMAGED)
        return ST_FATAL;
    if (outbox_is_open(a->outbox)) { /* the first try */
        if (a->recovered_ms != 0 && boot_ms - a->recovered_ms < AGENT_RECOVER_MS)
            return ST_FATAL;
        a->recovered_ms = boot_ms;
        log_error("outbox.failed", "reason=\"%s\"", fault->text);
    }
    agent_tell_disk(a, OUTBOX_DAMAGED, fault->text);
    if ((st = outbox_reopen(a->outbox, &found, fault)) != ST_OK)
        return st == ST_RETRY ? ST_OK : ST_FATAL;
    if (found.created) {
        agent_forget_acks(a);
        agent_keep_config(a);
        agent_keep_commands(a);
        agent_keep_privacy(a);
        agent_mark(a, true);
    }
    agent_tell_found(a, &found);
    journal_renew(a->journal);
    sender_connected(a->sender, boot_ms);
    agent_tell_disk(a, OUTBOX_WELL, "");
    return ST_OK;
}

enum status agent_commit(struct agent *a, bool all, struct fault *fault)
{
    int64_t boot_ms = clock_boot_ms(), now_ms = agent_date(a, boot_ms);
    enum clock_source clock = a->clock_is; /* of the times that are to be written */
    enum status st = outbox_is_open(a->outbox) ? ST_OK : agent_recover(a, fault);

    metric_set(a->clock, NULL, clock);
    a->commit_ms = boot_ms + a->rates.record_ms;
    a->urgent = false;
    if (st != ST_OK || !outbox_is_open(a->outbox))
        return st;
    journal_online(a->journal, a->connected);
    st = a->set_back ? agent_begin_anew(a, now_ms, clock, fault) : ST_OK;
    if (st == ST_RETRY && outbox_trouble(a->outbox) == OUTBOX_FULL) {
        outbox_relieve(a->outbox, true); /* new streams with the next commit */
        st = ST_OK;                      /* ... for which this one may make room */
    }
    if (st == ST_OK)
        st = journal_commit(a->journal, now_ms, clock, all, fault);
    if (st == ST_FATAL)
        return agent_recover(a, fault);
    if (st == ST_RETRY)
        metric_add(a->failures, outbox_trouble_name(outbox_trouble(a->outbox)), 1);
    else
        agent_keep_known(a);
    agent_tell_disk(a, st == ST_RETRY ? outbox_trouble(a->outbox) : OUTBOX_WELL, fault->text);
    agent_count(a);
    return ST_OK; /* what was not written is kept in memory */
}
