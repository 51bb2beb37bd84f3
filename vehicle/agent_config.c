/* vehicle/agent_config.c - config/1: kept, applied, told; and the connection to the brokers it
 * names.  See agent_inside.h. */
#include "agent_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "lib/clock.h"
#include "lib/log.h"

/* One that names no brokers leaves us those we have: without any, no other could ever come. */
void agent_apply(struct agent *a, const struct config *config)
{
    struct config next = *config;
    bool moved;

    if (next.brokers[0] == '\0')
        (void)text_copy(next.brokers, sizeof next.brokers, a->config.brokers);
    moved = a->set->brokers[0] == '\0' && strcmp(a->config.brokers, next.brokers) != 0;
    a->reconnect = a->reconnect || (moved && a->uplink.mqtt != NULL);
    a->config = next;
    herald_set_config(&a->herald, config->revision);
    watcher_detect(a->watcher, !config->detects_elsewhere);
    a->privacy.rules = config->privacy;
    for (int i = 0; i < STREAMS; i++)
        ledger_require(&a->ledgers[i], a->config.sites, config->site_count);
}

/* Told once: what is retained comes again with every connection. */
void agent_refuse_config(struct agent *a, int64_t revision, const char *reason)
{
    json_t *data = json_pack("{s:s}", "reason", reason);
    char *text;

    agent_configured(a, revision, reason);
    log_warn("config.refused", "revision=%lld reason=\"%s\"", (long long)revision, reason);
    if (data != NULL && revision != 0)
        json_object_set_new(data, "revision", json_integer(revision));
    if (data != NULL && (revision == 0 || revision != a->refused_revision)) {
        text = json_dumps(data, JSON_COMPACT);
        agent_event(a, "config_refused", text != NULL ? text : "{}");
        free(text);
    }
    a->refused_revision = revision;
    json_decref(data);
}

void agent_good_config(const struct agent *a, const struct config **config,
                       const struct text **text)
{
    bool tried = a->trial.state == TRIAL_NEW;

    *config = tried ? &a->good : &a->config;
    *text = tried ? &a->good_text : &a->config_text;
}

void agent_keep_config(struct agent *a)
{
    const struct config *config;
    const struct text *text;

    agent_good_config(a, &config, &text);
    if (text->len > 0 && !text->failed)
        journal_note(a->journal, "config", text->bytes, text->len);
    if (config->brokers[0] != '\0')
        journal_note(a->journal, "brokers", config->brokers, strlen(config->brokers));
    if (a->trial.state != TRIAL_NONE && !a->tried_text.failed)
        journal_note(a->journal, "config_trial", a->tried_text.bytes, a->tried_text.len);
    a->known_due = true;
}

void agent_told_config(struct agent *a)
{
    char data[64];

    snprintf(data, sizeof data, "{\"revision\":%lld}", (long long)a->config.revision);
    agent_event(a, "config_applied", data);
    log_info("config.applied", "revision=%lld", (long long)a->config.revision);
    agent_configured(a, a->config.revision, NULL);
}

void agent_config(struct agent *a, const char *bytes, size_t len)
{
    struct config config;
    struct fault fault = {""};
    bool looked_at;

    if (config_read(&config, bytes, len, &fault) != ST_OK) {
        agent_refuse_config(a, config.revision, fault.text);
        return;
    }
    if (config.revision <= a->config.revision || agent_left(a, config.revision))
        return; /* retained: it comes with every connection */
    if (agent_needs_trial(a, &config)) {
        agent_begin_trial(a, &config, bytes, len);
        return;
    }
    /* somebody opened a page: not worth an event each minute */
    looked_at = a->trial.state == TRIAL_NONE &&
                config_only_watch_differs(a->config_text.bytes, a->config_text.len, bytes, len);
    if (a->trial.state != TRIAL_NONE)
        agent_end_trial(a); /* the old brokers are right after all */
    agent_apply(a, &config);
    text_clear(&a->config_text);
    text_add(&a->config_text, bytes, len);
    agent_keep_config(a);
    if (looked_at)
        agent_configured(a, a->config.revision, NULL);
    else
        agent_told_config(a);
}

/* The newer of two tells what is required. */
static void agent_load_text(struct agent *a, const struct text *text)
{
    struct config config;

    if (text->len == 0 || config_read(&config, text->bytes, text->len, NULL) != ST_OK ||
        config.revision <= a->config.revision)
        return;
    agent_apply(a, &config);
    text_clear(&a->config_text);
    text_add(&a->config_text, text->bytes, text->len);
}

/* The outbox knows best; what it lacks its second home has, and the other way round. */
enum status agent_load_config(struct agent *a, struct fault *fault)
{
    char brokers[CONFIG_BROKERS_MAX] = "";
    int64_t revision;
    struct text text;
    enum status st;

    text_init(&text);
    st = outbox_get(a->outbox, "brokers", &text, fault);
    if (st == ST_OK)
        (void)text_copy(a->config.brokers, sizeof a->config.brokers, text.bytes);
    if (st == ST_OK || st == ST_NONE)
        st = outbox_get(a->outbox, "config", &text, fault);
    if (st == ST_OK)
        agent_load_text(a, &text);
    if (st == ST_OK || st == ST_NONE) {
        revision = a->config.revision;
        text_clear(&text);
        st = known_read(a->set->outbox, brokers, &text, fault);
        if (st == ST_REJECT || st == ST_FATAL)
            log_warn("known.unreadable", "reason=\"%s\"", fault->text);
        if (st == ST_OK && a->config.brokers[0] == '\0')
            (void)text_copy(a->config.brokers, sizeof a->config.brokers, brokers);
        if (st == ST_OK)
            agent_load_text(a, &text);
        if (a->config.revision != revision || (st != ST_OK && a->config.brokers[0] != '\0'))
            agent_keep_config(a); /* one of the two is behind */
        st = ST_OK;
    }
    text_done(&text);
    return st == ST_OK ? agent_load_trial(a, fault) : st;
}

enum status agent_open_uplink(struct agent *a, struct fault *fault)
{
    struct uplink_options options = {
        .brokers = a->set->brokers, .ca = a->set->ca, .cert = a->set->cert, .key = a->set->key};

    if (options.brokers[0] == '\0')
        options.brokers = a->config.brokers;
    if (options.brokers[0] == '\0')
        return fault_set(fault, ST_REJECT,
                         "no brokers: --brokers, or an enrolment that names them");
    return uplink_open(&a->uplink, a->vin, a->inbox, &options, &a->herald, fault);
}

enum status agent_reopen_uplink(struct agent *a, struct fault *fault)
{
    enum status st;

    a->reconnect = false;
    if (a->uplink.mqtt == NULL)
        return ST_OK; /* deep quiet: they are asked when it is over */
    uplink_close(&a->uplink);
    a->connected = false;
    metric_set(a->link, NULL, 0);
    st = agent_open_uplink(a, fault);
    return st == ST_OK ? ST_OK : ST_FATAL;
}
