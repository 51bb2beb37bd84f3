/* services/ingest/again/again.c - a look every second. */
#include "again.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "dues.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "lib/store/influx.h"
#include "lib/store/postgres.h"
#include "lib/text.h"
#include "recompute.h"
#include "scores.h"
#include "services/ingest/record/meters.h"
#include "services/ingest/record/session.h"
#include "services/ingest/wire/announce.h"
#include "setbacks.h"
#include "silence.h"
#include "upkeep.h"

#define LOOK_MS 500
#define SILENT_MS 5000
#define SILENT_ROUNDS 8 /* of RECOMPUTE_SILENT_MAX vehicles */
#define UPKEEP_MS 60000
#define DUE_MAX 512
#define FAILED_MAX 8 /* vehicles in one look: something else is wrong then */
#define ANSWER_MS 20000
#define NICE 10

/* Of a round, each less often than the one before. */
enum part { PART_DUE = 0, PART_SILENCE, PART_UPKEEP };

struct again {
    struct again_options set;
    struct due_again_settings how; /* when facts are looked at again */
    struct pg *db;
    struct influx *influx;
    struct recompute *recompute;
    struct silence *silence;
    struct dues *dues;
    struct setbacks *late, *waited; /* vehicles of which that does not go */
    struct due_again due[DUE_MAX];
    char after[VIN_LEN + 1];      /* whom the last look got to; "": to all */
    int64_t silent_ms, upkeep_ms; /* when to look next who has fallen silent, what is old */
    enum part failed;             /* what did not go when a store went away */
    bool away;
    pthread_t thread;
    bool running;
};

struct round {
    enum part reached, failed; /* the last of each */
    enum status st;            /* of the first that failed */
    struct fault fault;
};

static bool is_ours(void *self, const char *vin)
{
    struct again *a = self;

    return duty_has(&a->set.duty->facts, vin);
}

/* Said once per change; it is back when what failed goes again. */
static void note(struct again *a, const struct round *r)
{
    bool away = r->st != ST_OK;

    if (away && !a->away && !stop_asked())
        log_warn("again.away", "reason=\"%s\"", r->fault.text);
    if (away)
        a->failed = r->failed;
    else if (a->away && r->reached < a->failed)
        return;
    if (!away && a->away)
        log_info("again.back", "");
    a->away = away;
}

/* Is it this vehicle that does not go, or a store that is away? */
static enum status ask_stores(struct again *a, struct fault *fault)
{
    enum status st = pg_ready(a->db, fault);

    return st == ST_OK ? influx_ping(a->influx, fault) : st;
}

/* Of a lost one nothing late is computed before what waits. */
static bool is_held(const struct due_again *due)
{
    return due->lost && !due->waited && due->waited_rests;
}

/* ST_OK: done, or its own fault: it waits. */
static enum status look_at(struct again *a, struct due_again *due, int *failed, struct fault *fault)
{
    const struct alert_change_message *changes;
    size_t changed;
    enum status st = recompute_vehicle(a->recompute, due, clock_now_ms(), fault);
    struct setbacks *of = due->waited ? a->waited : a->late;
    struct fault away;

    if (st == ST_NONE && is_held(due))
        (void)setbacks_add(of, due->vin, false, clock_boot_ms());
    else if (st == ST_OK || st == ST_NONE)
        setbacks_end(of, due->vin);
    if (st == ST_NONE)
        return ST_OK;
    if (st == ST_OK) {
        metric_add(meters.recomputed, due->lost ? "layout" : due->late ? "late" : "gap", 1);
        changes = recompute_changes(a->recompute, &changed);
        announce_alerts(a->set.alerts, changes, changed);
        return ST_OK;
    }
    if (stop_asked() || (st == ST_RETRY && ask_stores(a, &away) != ST_OK))
        return st;
    ++*failed;
    metric_add(meters.recomputes_failed, NULL, 1);
    if (setbacks_add(of, due->vin, st == ST_REJECT, clock_boot_ms()) == 1)
        log_warn(st == ST_REJECT ? "again.refused" : "again.later", "vehicle=%s reason=\"%s\"",
                 due->vin, fault->text);
    return ST_OK;
}

/* One whose history takes long does not have this thread for itself. */
static enum status take_turn(struct again *a, struct due_again *due, int *failed,
                             struct fault *fault)
{
    int64_t from_ms = clock_boot_ms();
    enum status st = look_at(a, due, failed, fault);

    setbacks_rest(a->late, due->vin, clock_boot_ms() - from_ms, clock_boot_ms());
    setbacks_rest(a->waited, due->vin, clock_boot_ms() - from_ms, clock_boot_ms());
    return st;
}

static bool is_mine(struct again *a, struct due_again *due)
{
    due->owner = is_ours(a, due->vin);
    due->stores = atomic_load(&a->set.duty->others) && duty_has(&a->set.duty->history, due->vin);
    due->late_rests = !setbacks_allow(a->late, due->vin, clock_boot_ms());
    due->waited_rests = !setbacks_allow(a->waited, due->vin, clock_boot_ms());
    return due_again_take(due);
}

/* Some of those that are due, by VIN, and the next ones with the next look. */
static enum status look(struct again *a, struct fault *fault)
{
    size_t n = 0, i;
    int failed = 0;
    enum status st = due_again_list(a->db, &a->how, NULL, a->after, a->due, DUE_MAX, &n, fault);

    for (i = 0; i < n && st == ST_OK; i++) {
        if (i > 0 &&
            (stop_asked() || failed == FAILED_MAX || clock_boot_ms() > a->silent_ms + SILENT_MS))
            break;
        if (is_mine(a, &a->due[i]))
            st = take_turn(a, &a->due[i], &failed, fault);
    }
    text_copy(a->after, sizeof a->after, i == n && n < DUE_MAX ? "" : a->due[i - 1].vin);
    return st;
}

/* A few in a transaction, and not all at a time where a whole fleet stops. */
static enum status show_silent(struct again *a, int64_t now_ms, struct fault *fault)
{
    const struct alert_change_message *changes;
    size_t n = RECOMPUTE_SILENT_MAX, changed;
    enum status st;

    for (int i = 0; i < SILENT_ROUNDS && n == RECOMPUTE_SILENT_MAX; i++) {
        if ((st = recompute_silent(a->recompute, is_ours, a, now_ms, &n, fault)) != ST_OK)
            return st;
        changes = recompute_changes(a->recompute, &changed);
        announce_alerts(a->set.alerts, changes, changed);
    }
    return ST_OK;
}

static enum status look_for_silence(struct again *a, struct fault *fault)
{
    struct silence_look how = {.is_ours = is_ours, .self = a, .now_ms = clock_now_ms()};
    const struct alert_change_message *changes;
    struct fault away;
    size_t changed;
    bool alarm = false;
    enum status st = show_silent(a, how.now_ms, fault);

    if (st != ST_OK)
        return st;
    how.broken = !atomic_load(a->set.broker) || influx_ping(a->influx, &away) != ST_OK;
    if ((st = silence_step(a->silence, &how, &alarm, fault)) != ST_OK)
        return st;
    changes = silence_changes(a->silence, &changed);
    announce_alerts(a->set.alerts, changes, changed);
    if (alarm) {
        metric_add(meters.own_silences, NULL, 1);
        log_error("silence.ours", "reason=\"%s\"",
                  how.broken ? "broker or history away" : "many vehicles fell silent at once");
    }
    return ST_OK;
}

static enum status look_for_dues(struct again *a, struct fault *fault)
{
    const struct alert_change_message *changes;
    size_t changed;
    enum status st = dues_step(a->dues, is_ours, a, clock_now_ms(), fault);

    if (st == ST_OK) {
        changes = dues_changes(a->dues, &changed);
        announce_alerts(a->set.alerts, changes, changed);
    }
    return st;
}

/* `step` clears alerts.  What was cleared is told even where a later work failed. */
static enum status look_after_rows(struct again *a,
                                   enum status (*step)(struct pg *db,
                                                       struct alert_change_message *cleared,
                                                       size_t *n, struct fault *fault),
                                   struct fault *fault)
{
    struct alert_change_message *cleared = calloc(UPKEEP_ALERTS, sizeof *cleared);
    size_t n = 0;
    enum status st;

    if (!cleared)
        return fault_set(fault, ST_RETRY, "out of memory for alerts that expire");
    st = step(a->db, cleared, &n, fault);
    announce_alerts(a->set.alerts, cleared, n);
    free(cleared);
    return st;
}

/* The first failure is the one to tell of. */
static void did(struct round *r, enum part part, enum status st, const struct fault *why)
{
    r->reached = part;
    if (st == ST_OK || st == ST_NONE)
        return;
    r->failed = part;
    if (r->st != ST_OK)
        return;
    r->st = st;
    r->fault = *why;
}

/* One that fails holds up none of the others. */
static void look_round(struct again *a, struct round *r)
{
    struct fault why = {""};

    did(r, PART_DUE, look(a, &why), &why);
    if (clock_boot_ms() < a->silent_ms)
        return;
    a->silent_ms = clock_boot_ms() + SILENT_MS;
    did(r, PART_SILENCE, look_for_silence(a, &why), &why);
    did(r, PART_SILENCE, look_for_dues(a, &why), &why);
    did(r, PART_SILENCE, look_after_rows(a, upkeep_retired, &why), &why);
    did(r, PART_SILENCE, scores_step(a->db, &why), &why);
    if (clock_boot_ms() < a->upkeep_ms)
        return;
    a->upkeep_ms = clock_boot_ms() + UPKEEP_MS;
    did(r, PART_UPKEEP, look_after_rows(a, upkeep_step, &why), &why);
}

static void *again_run(void *self)
{
    struct again *a = self;

    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
    while (stop_pause(LOOK_MS)) {
        struct round round = {.st = ST_OK};
        struct fault why = {""};
        enum status st = pg_ready(a->db, &why);

        did(&round, PART_DUE, st, &why);
        if (st == ST_OK)
            look_round(a, &round);
        note(a, &round);
    }
    return NULL;
}

enum status again_start(struct again **out, const struct again_options *options,
                        struct fault *fault)
{
    struct again *a = calloc(1, sizeof *a);
    enum status st;

    if (!a)
        return fault_set(fault, ST_FATAL, "out of memory");
    a->set = *options;
    a->how = due_again_defaults;
    a->how.site = options->site;
    a->how.settle_ms = options->late_wait_ms;
    if ((st = session_open(&a->db, options->pg, "again", fault)) == ST_OK &&
        (st = influx_open(&a->influx, options->influx, "fleet", fault)) == ST_OK &&
        (st = recompute_open(&a->recompute, a->db, a->influx, &a->how, fault)) == ST_OK &&
        (st = silence_open(&a->silence, a->db, clock_now_ms(), options->start_quiet_ms, fault)) ==
            ST_OK &&
        (st = dues_open(&a->dues, a->db, fault)) == ST_OK &&
        (st = setbacks_open(&a->late, fault)) == ST_OK &&
        (st = setbacks_open(&a->waited, fault)) == ST_OK) {
        pg_set_patience(a->db, ANSWER_MS);
        a->running = pthread_create(&a->thread, NULL, again_run, a) == 0;
        if (!a->running)
            st = fault_set(fault, ST_FATAL, "cannot start the thread that looks again");
    }
    if (st != ST_OK) {
        again_join(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void again_join(struct again *a)
{
    if (!a)
        return;
    if (a->running)
        pthread_join(a->thread, NULL);
    recompute_close(a->recompute);
    silence_close(a->silence);
    dues_close(a->dues);
    setbacks_close(a->late);
    setbacks_close(a->waited);
    influx_close(a->influx);
    pg_close(a->db);
    free(a);
}
