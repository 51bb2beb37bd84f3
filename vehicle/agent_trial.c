/* vehicle/agent_trial.c - a configuration whose brokers are others is tried before it is kept, and
 * left again when none of them takes us while one of the old ones does.  What is in force is kept
 * as before; the one on trial beside it, in the note `config_trial`.  See trial.h. */
#include "agent_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"

static void agent_copy(struct text *to, const struct text *from)
{
    text_clear(to);
    if (from->len > 0)
        text_add(to, from->bytes, from->len);
}

bool agent_needs_trial(const struct agent *a, const struct config *next)
{
    const struct config *good = a->trial.state != TRIAL_NONE ? &a->good : &a->config;

    return a->set->brokers[0] == '\0' && good->brokers[0] != '\0' && next->brokers[0] != '\0' &&
           strcmp(good->brokers, next->brokers) != 0;
}

bool agent_left(const struct agent *a, int64_t revision)
{
    return revision == a->left_revision ||
           (a->trial.state == TRIAL_OLD && revision == a->tried.revision);
}

static void agent_seek_tried(struct agent *a)
{
    agent_apply(a, &a->tried);
    agent_copy(&a->config_text, &a->tried_text);
}

static void agent_seek_good(struct agent *a)
{
    agent_apply(a, &a->good);
    agent_copy(&a->config_text, &a->good_text);
}

void agent_begin_trial(struct agent *a, const struct config *next, const char *bytes, size_t len)
{
    if (a->trial.state == TRIAL_NONE) {
        a->good = a->config;
        agent_copy(&a->good_text, &a->config_text);
    }
    a->tried = *next;
    text_clear(&a->tried_text);
    text_add(&a->tried_text, bytes, len);
    journal_note(a->journal, "config_trial", bytes, len);
    trial_begin(&a->trial, clock_boot_ms(), a->set->config_trial_ms);
    agent_seek_tried(a);
    log_info("config.tried", "revision=%lld brokers=%s", (long long)next->revision, next->brokers);
}

void agent_end_trial(struct agent *a)
{
    a->trial.state = TRIAL_NONE;
    text_clear(&a->tried_text);
    text_clear(&a->good_text);
    journal_note(a->journal, "config_trial", "", 0);
}

static void agent_leave(struct agent *a)
{
    char reason[96], number[24];
    int n = snprintf(number, sizeof number, "%lld", (long long)a->tried.revision);

    snprintf(reason, sizeof reason, "none of its brokers answered within %lld s",
             (long long)(a->set->config_trial_ms / 1000));
    a->left_revision = a->tried.revision;
    journal_note(a->journal, "config_left", number, (size_t)n);
    agent_end_trial(a);
    agent_refuse_config(a, a->left_revision, reason);
}

void agent_pass_trial(struct agent *a)
{
    enum trial_link link = a->uplink.mqtt == NULL              ? TRIAL_CLOSED
                           : mqtt_is_connected(a->uplink.mqtt) ? TRIAL_UP
                                                               : TRIAL_SEEKING;

    if (a->reconnect)
        return; /* the connection is still the one before */
    switch (trial_look(&a->trial, clock_boot_ms(), link)) {
    case TRIAL_KEEP:
        agent_end_trial(a);
        agent_keep_config(a);
        agent_told_config(a);
        break;
    case TRIAL_GO_BACK:
        log_warn("config.untried", "revision=%lld", (long long)a->tried.revision);
        agent_seek_good(a);
        break;
    case TRIAL_TRY_AGAIN:
        agent_seek_tried(a);
        break;
    case TRIAL_REFUSE:
        agent_leave(a);
        break;
    case TRIAL_GO_ON:
        break;
    }
}

/* A restart in the middle of it: once more from the beginning. */
enum status agent_load_trial(struct agent *a, struct fault *fault)
{
    struct config tried;
    struct text text;
    enum status st;

    text_init(&text);
    if ((st = outbox_get(a->outbox, "config_left", &text, fault)) == ST_OK)
        a->left_revision = strtoll(text.bytes, NULL, 10);
    if (st == ST_OK || st == ST_NONE) {
        text_clear(&text);
        st = outbox_get(a->outbox, "config_trial", &text, fault);
    }
    if (st == ST_OK && text.len > 0 && config_read(&tried, text.bytes, text.len, NULL) == ST_OK &&
        tried.revision > a->config.revision && agent_needs_trial(a, &tried))
        agent_begin_trial(a, &tried, text.bytes, text.len);
    text_done(&text);
    return st == ST_NONE ? ST_OK : st;
}
