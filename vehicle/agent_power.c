/* vehicle/agent_power.c - awake, parked, beating, deep quiet: lib/drive/power and rates.h decide,
 * here it is done.  See agent_inside.h. */
#include "agent_inside.h"

#include <string.h>
#include <sys/wait.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "rates.h"

static const char *const modes[] = {"awake", "draining", "beating", "grace", "down"};

static bool agent_is_drained(const struct agent *a)
{
    for (int i = 0; i < STREAMS; i++)
        if (ledger_next_unsettled(&a->ledgers[i], 1) <=
            outbox_given(a->outbox, (enum outbox_stream)i))
            return false;
    return true;
}

static int64_t agent_heartbeat_ms(const struct agent *a)
{
    int64_t own_ms = a->config.heartbeat_ms > 0 ? a->config.heartbeat_ms : a->set->heartbeat_ms;

    return watcher_heartbeat_ms(a->watcher, own_ms);
}

/* ---- presence, as the server judges silence by it */

static void agent_presence(struct agent *a, int64_t off_for_ms, int64_t heartbeat_ms)
{
    switch (a->power.mode) {
    case POWER_AWAKE:
    case POWER_DRAINING:
        herald_rest(&a->herald, PRESENCE_ONLINE, heartbeat_ms, 0);
        break;
    case POWER_BEATING: /* not for a stop of a minute */
        if (off_for_ms >= RATES_ANCHOR_MS)
            herald_rest(&a->herald, PRESENCE_SLEEPING, heartbeat_ms, heartbeat_ms);
        break;
    case POWER_GRACE:
    case POWER_DOWN: /* nobody is to expect it */
        herald_rest(&a->herald, PRESENCE_SLEEPING, 0, 0);
        break;
    }
}

/* ---- deep quiet */

void agent_mark(struct agent *a, bool running)
{
    char boot[SUPPLY_MARK_MAX], mark[SUPPLY_MARK_MAX];

    supply_boot(boot);
    supply_mark(mark, boot, running);
    journal_note(a->journal, SUPPLY_NOTE, mark, strlen(mark));
    a->urgent = true;
}

static enum status agent_go_down(struct agent *a, struct fault *fault)
{
    enum status st;

    agent_mark(a, false);
    if ((st = agent_commit(a, true, fault)) != ST_OK || (st = agent_send(a, fault)) != ST_OK)
        return st;
    uplink_close(&a->uplink);
    a->connected = false;
    metric_set(a->link, NULL, 0);
    if (a->set->power_off[0] == '\0')
        return ST_OK;
    a->switching_off = supply_off(a->set->power_off);
    log_line(a->switching_off > 0 ? LEVEL_INFO : LEVEL_ERROR, "power.off", "command=\"%s\"",
             a->set->power_off);
    return ST_OK;
}

static enum status agent_come_up(struct agent *a, struct fault *fault)
{
    agent_mark(a, true);
    return a->uplink.mqtt == NULL ? agent_open_uplink(a, fault) : ST_OK;
}

static void agent_reap(struct agent *a)
{
    int how;

    if (a->switching_off <= 0 || waitpid(a->switching_off, &how, WNOHANG) != a->switching_off)
        return;
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        log_error("power.off.failed", "status=%d", WIFEXITED(how) ? WEXITSTATUS(how) : -1);
    a->switching_off = 0;
}

/* ---- each tick */

static enum status agent_mode_changed(struct agent *a, enum power_mode before, struct fault *fault)
{
    log_info("power.mode", "mode=%s was=%s", modes[a->power.mode], modes[before]);
    metric_set(a->mode, NULL, a->power.mode);
    if (a->power.mode == POWER_GRACE)
        a->urgent = true;
    if (a->power.mode == POWER_DOWN)
        return agent_go_down(a, fault);
    return before == POWER_DOWN ? agent_come_up(a, fault) : ST_OK;
}

enum status agent_power(struct agent *a, struct fault *fault)
{
    int64_t boot_ms = clock_boot_ms(), heartbeat_ms = agent_heartbeat_ms(a), off_for_ms;
    enum power_mode before = a->power.mode;
    enum known ignition = watcher_ignition(a->watcher);
    struct power_input in = {.t_ms = boot_ms,
                             .ignition = ignition,
                             .outbox_empty = agent_is_drained(a),
                             .battery_empty = watcher_battery_empty(a->watcher),
                             .heartbeat_ms = heartbeat_ms};
    struct rates_input rates = {.now_ms = clock_now_ms(),
                                .record_ms = a->set->record_ms,
                                .heartbeat_ms = heartbeat_ms,
                                .config = &a->config};

    a->off_ms = ignition != KNOWN_NO ? 0 : a->off_ms > 0 ? a->off_ms : boot_ms;
    off_for_ms = a->off_ms > 0 ? boot_ms - a->off_ms : -1;
    if (power_step(&a->power, &power_defaults, &in))
        sampler_beat(&a->sampler);
    rates.mode = a->power.mode;
    rates.off_for_ms = off_for_ms;
    a->rates = rates_of(&rates);
    a->heartbeat_ms = heartbeat_ms;
    sampler_pace(&a->sampler, a->rates.fix_ms);
    reader_rest(a->reader, a->rates.voltage_ms);
    agent_presence(a, off_for_ms, heartbeat_ms);
    agent_reap(a);
    if (supply_lost(&a->line)) {
        log_warn("power.lost", "file=%s", a->line.path);
        stop_ask(); /* the last commit, the last words */
    }
    return a->power.mode == before ? ST_OK : agent_mode_changed(a, before, fault);
}

/* ---- at start */

enum status agent_tell_cut(struct agent *a, struct fault *fault)
{
    char boot[SUPPLY_MARK_MAX];
    struct text text;
    int64_t commit_ms = 0;
    enum status st;

    supply_boot(boot);
    text_init(&text);
    if ((st = outbox_get(a->outbox, JOURNAL_COMMIT_NOTE, &text, fault)) == ST_OK)
        commit_ms = strtoll(text.bytes, NULL, 10);
    text_clear(&text);
    if (st == ST_OK || st == ST_NONE)
        st = outbox_get(a->outbox, SUPPLY_NOTE, &text, fault);
    if (st == ST_OK && supply_was_cut(text.bytes, boot) && commit_ms > 0) {
        journal_alert_dated(a->journal, "power_cut", "major", commit_ms, "{}");
        log_warn("power.cut", "last_commit=%lld", (long long)commit_ms);
    }
    text_done(&text);
    agent_mark(a, true);
    return st == ST_NONE ? ST_OK : st;
}
