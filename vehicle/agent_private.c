/* vehicle/agent_private.c - private mode: the button looked at, switching kept and told, places
 * dropped before anything keeps them.  See agent_inside.h. */
#include "agent_inside.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define PRIVATE_PATH_MAX 600
#define PRIVATE_MAX 4096

bool agent_time_known(const struct agent *a)
{
    return a->clock_is != CLOCK_NONE;
}

static bool agent_private_path(const struct agent *a, char out[PRIVATE_PATH_MAX])
{
    return snprintf(out, PRIVATE_PATH_MAX, "%s/private.json", a->set->outbox) < PRIVATE_PATH_MAX;
}

enum status agent_load_privacy(struct agent *a, struct fault *fault)
{
    char path[PRIVATE_PATH_MAX];
    struct fault why = {""};
    struct text text;
    enum status st;

    text_init(&text);
    st = outbox_get(a->outbox, "privacy", &text, fault);
    if (st == ST_NONE && agent_private_path(a, path)) /* perhaps the outbox was moved aside */
        st = text_read_file(&text, path, PRIVATE_MAX, &why) == ST_OK ? ST_OK : ST_NONE;
    if (st == ST_OK && privacy_load(&a->privacy, text.bytes, text.len, &why) != ST_OK)
        log_warn("privacy.unreadable", "reason=\"%s\"", why.text);
    text_done(&text);
    return st == ST_NONE ? ST_OK : st;
}

/* In the outbox, and beside it: a driver who asked for it is private without an outbox too. */
void agent_keep_privacy(struct agent *a)
{
    char path[PRIVATE_PATH_MAX];
    struct fault fault = {""};
    struct text text;

    text_init(&text);
    privacy_write(&a->privacy, &text);
    if (!text.failed) {
        journal_note(a->journal, "privacy", text.bytes, text.len);
        if (agent_private_path(a, path) &&
            text_write_file(path, text.bytes, text.len, 0600, &fault) != ST_OK)
            log_warn("privacy.unwritable", "reason=\"%s\"", fault.text);
    }
    text_done(&text);
}

void agent_look_private(struct agent *a)
{
    struct privacy *p = &a->privacy;
    int64_t now_ms = agent_date(a, clock_boot_ms());
    enum privacy_cause before = p->cause, by;
    bool is;
    char data[96];

    p->button = a->set->private_file[0] != '\0' && access(a->set->private_file, F_OK) == 0;
    if (privacy_step(p, now_ms, agent_time_known(a))) {
        is = p->cause != PRIVACY_NONE;
        by = is ? p->cause : before; /* what it is by, or was: that has ended */
        snprintf(data, sizeof data, "{\"on\":%s,\"by\":\"%s\"}", is ? "true" : "false",
                 privacy_cause_word(by));
        journal_event(a->journal, "private_mode", now_ms, data); /* the very time of up/state */
        a->urgent = true;
        agent_keep_privacy(a);
        if (is != (before != PRIVACY_NONE))
            log_info("private.switched", "on=%d by=%s", is, privacy_cause_word(by));
    }
    herald_set_private(&a->herald, p->since_ms);
    watcher_private(a->watcher, p);
    metric_set(a->is_private, NULL, p->cause != PRIVACY_NONE);
}

void agent_command_privacy(struct agent *a, bool on, int64_t until_ms)
{
    privacy_command(&a->privacy, on, until_ms);
    agent_keep_privacy(a);
    agent_look_private(a);
}

void agent_hide_place(struct agent *a, struct fix *fix)
{
    agent_look_private(a);
    if (!privacy_covers(&a->privacy, fix->received_ms, sampler_fix_time(fix)))
        return;
    fix->lat = fix->lon = fix->altitude_m = fix->heading_deg = NAN;
    fix->accuracy_m = fix->vertical_accuracy_m = NAN;
    metric_add(a->hidden, NULL, 1);
}
