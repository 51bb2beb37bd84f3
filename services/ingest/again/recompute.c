/* services/ingest/again/recompute.c - read the state, step over the history without any lock, then
 * write under the lock, if nobody stepped in between. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gone.h"
#include "recompute_inside.h"
#include "reread.h"

#define TRIES 5 /* to catch up with a car that goes on sending */
/* Facts of the time in question, found before or now: to write them takes seconds under the lock,
 * and whoever's record is in one group with that vehicle's waits. */
#define FACTS_MOST 20000
#define FACTS_LIMIT "20001"

enum status recompute_open(struct recompute **out, struct pg *db, struct influx *influx,
                           const struct due_again_settings *due, struct fault *fault)
{
    struct recompute *r = calloc(1, sizeof *r);
    enum status st;

    if (!r)
        return fault_set(fault, ST_FATAL, "out of memory");
    r->db = db;
    r->influx = influx;
    r->due = due;
    moment_map_init(&r->map);
    if ((st = garage_open(&r->garage, db, fault)) != ST_OK ||
        (st = fact_states_open(&r->states, db, fault)) != ST_OK ||
        (st = segments_open(&r->segments, db, fault)) != ST_OK ||
        (st = tell_open(&r->tell, db, fault)) != ST_OK) {
        recompute_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void recompute_close(struct recompute *r)
{
    if (!r)
        return;
    garage_close(r->garage);
    fact_states_close(r->states);
    segments_close(r->segments);
    tell_close(r->tell);
    meter_rows_done(&r->meters);
    car_out_done(&r->out);
    free(r->kept);
    free(r->told);
    free(r);
}

const struct alert_change_message *recompute_changes(const struct recompute *r, size_t *n)
{
    return tell_changes(r->tell, n);
}

/* ---- stepping */
void recompute_keep(struct recompute *r)
{
    if (r->kept_n == r->kept_room) {
        size_t room = r->kept_room ? 2 * r->kept_room : 8;
        struct car *more = realloc(r->kept, room * sizeof *more);

        if (!more) {
            r->failed = true;
            return;
        }
        r->kept = more;
        r->kept_room = room;
    }
    r->kept[r->kept_n++] = r->car;
    r->kept_ms = car_t_ms(&r->car);
}

static void step(void *self, int64_t t_ms, const struct reading *readings, size_t n)
{
    struct recompute *r = self;

    if (car_t_ms(&r->car) == 0 && r->again_ms != INT64_MAX)
        r->again_ms = t_ms;
    for (; r->told_next < r->told_n && r->told[r->told_next].t_ms <= t_ms; r->told_next++) {
        const struct told *told = &r->told[r->told_next];

        if (told->is_switch)
            (void)privacy_switch(&r->car.trip.privacy, told->t_ms, told->on);
        else
            trail_ask(&r->car.trail, told->id, told->t_ms);
    }
    odometer_enter_again(&r->car.odometer, &r->known, t_ms);
    car_step(&r->car, &r->set, &r->map, t_ms, readings, n, &r->out);
    if (fact_states_is_due(car_t_ms(&r->car), r->kept_ms))
        recompute_keep(r);
}

enum status recompute_step_until(struct recompute *r, const char *vin, int64_t after_ms,
                                 int64_t until_ms, struct fault *fault)
{
    enum status st = reread_each(r->influx, vin, after_ms, until_ms, &r->left, step, r, fault);

    r->hopeless |= st == ST_REJECT && r->left <= 0;
    if (st == ST_OK && (r->failed || r->out.failed))
        st = fault_set(fault, ST_RETRY, "out of memory for what was found");
    return st;
}

/* ---- what was found becomes rows */
/* What waited was gone on with although this history lacks some of it: should that come, or should
 * another site have it, it is looked at as what came late is. */
static void note_lacking(const struct recompute *r, struct fact_row *row)
{
    if (row->late_from_ms == 0)
        row->late_anew = true;
    if (row->late_from_ms == 0 || r->base_ms < row->late_from_ms)
        row->late_from_ms = r->base_ms + 1;
    if (row->wait_ms > row->late_until_ms)
        row->late_until_ms = row->wait_ms;
    row->late_now = true;
}

/* Where all samples that were counted were seen, what they say is so, though it is less than was
 * shown: of a hole it was guessed. */
static bool knows_meters(const struct recompute *r, const struct car *now)
{
    bool saw_all = r->steps_count && now->lost_ms == 0 && r->car.steps >= now->steps;

    return saw_all ? odometer_same_entries(&r->car.odometer, &now->odometer)
                   : odometer_knows_more(&r->car.odometer, &now->odometer);
}

/* What is no matter of samples stays as the writer has it. */
static void keep_order(struct recompute *r, const struct due_again *due, struct fact_row *row)
{
    struct car *car = &r->car;
    const struct car *now = &row->car;

    for (int i = 0; i < TRAIL_ASKS; i++) /* of what came meanwhile */
        if (now->trail.asks[i].t_ms > car_t_ms(car))
            trail_ask(&car->trail, now->trail.asks[i].id, now->trail.asks[i].t_ms);
    if (privacy_is_newer(&now->trip.privacy, &car->trip.privacy))
        car->trip.privacy = now->trip.privacy;
    memcpy(car->stream, now->stream, sizeof car->stream);
    car->passed_seq = now->passed_seq;
    car->wait_from_ms = now->wait_from_ms;
    car->judged = r->judged;
    if (now->overspeed.t_ms == car->overspeed.t_ms && car->overspeed.now.start_ms > 0 &&
        car->overspeed.now.start_ms <= r->judged.since_ms[JUDGED_LIMITS])
        car->overspeed = now->overspeed; /* begun by limits that were others */
    fences_remember(&car->fences, &r->set.fences, &now->fences, car_t_ms(car), &r->out);
    if (r->set.detect.here)
        detect_remember(&car->detect, &now->detect);
    else
        car->detect = now->detect;
    if (!knows_meters(r, now))
        car->odometer = now->odometer;
    if (due->waited) {
        if (!due->lost && (due_again_lacks(due) || car_t_ms(car) < row->wait_ms))
            note_lacking(r, row);
        if (due->passed_seq > car->passed_seq)
            car->passed_seq = due->passed_seq;
        car->wait_from_ms = row->wait_ms > r->until_ms ? r->until_ms + 1 : 0;
        if (car->wait_from_ms == 0)
            row->wait_ms = 0;
    }
    row->car = *car;
}

/* Its cases are found again, but those of settings that were others in that time, and those the car
 * tells itself. */
static void find_cases_again(struct recompute *r, const char *vin, const struct judged_past *past,
                             int64_t after_ms)
{
    static const char *const found[] = {"overspeed", "rule",        "geofence_dwell",
                                        "fuel_drop", "crash",       "low_battery",
                                        "tow",       "overheating", "gps_lost"};
    const char *types[sizeof found / sizeof *found];
    size_t n = 0;

    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!judged_is_past(past, found[i], after_ms + 1) && (i < 4 || r->set.detect.here))
            types[n++] = found[i];
    tell_again(r->tell, vin, types, n, after_ms);
}

/* Facts are found again after this: from the first sample on. */
static int64_t found_after_ms(const struct recompute *r)
{
    return r->base_ms >= r->again_ms ? r->base_ms : r->again_ms - 1;
}

static enum status write_found(struct recompute *r, const char *vin, int64_t now_ms,
                               struct fault *fault)
{
    struct judged_past past = {.found = r->out.found, .n = r->out.found_n};
    struct found *gone;
    size_t gone_n;
    int64_t after_ms = found_after_ms(r);
    enum status st = ST_OK;

    if (r->again_ms != INT64_MAX) {
        memcpy(past.since_ms, r->judged.since_ms, sizeof past.since_ms);
        st = events_withdraw(tell_events(r->tell), vin, &past, after_ms, car_t_ms(&r->car), &gone,
                             &gone_n, fault);
        if (st != ST_OK)
            return st;
        tell_gone(r->tell, vin, gone, gone_n);
        find_cases_again(r, vin, &past, after_ms);
    }
    for (size_t i = 0; i < r->out.found_n; i++) {
        const struct found *f = &r->out.found[i];

        if ((f->parts & FOUND_GONE) || !judged_is_past(&past, f->type, f->occurred_ms))
            tell_found(r->tell, vin, f, 1, now_ms);
    }
    tell_found_places(r->tell, vin, r->out.found, r->out.found_n);
    tell_places(r->tell, vin, r->out.places, r->out.places_n);
    return tell_write(r->tell, now_ms, fault);
}

static enum status write_checkpoints(struct recompute *r, struct fact_row *row, struct fault *fault)
{
    enum status st = ST_OK;

    if (r->again_ms != INT64_MAX) {
        st = fact_states_forget(r->states, row->vin, r->base_ms, fault);
        row->checkpoint_ms = 0;
    }
    for (size_t i = 0; i < r->kept_n; i++)
        fact_states_keep(r->states, row->vin, &r->kept[i]);
    if (r->kept_ms > row->checkpoint_ms)
        row->checkpoint_ms = r->kept_ms;
    return st;
}

/* Trips and stops that nothing tells the end of. */
static enum status end_rows(struct recompute *r, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};

    return pg_run(r->db,
                  "UPDATE segment SET settled = true, version = version + 1, updated_at = now(), "
                  "state = CASE state WHEN 'open' THEN 'closed' ELSE state END "
                  "WHERE vin = $1 AND NOT settled AND state <> 'superseded'",
                  1, params, NULL, fault);
}

static enum status write_all(struct recompute *r, const struct due_again *due, struct fact_row *row,
                             int64_t now_ms, struct fault *fault)
{
    struct segment open[TRIP_OUT_MAX];
    size_t n;
    enum status st;

    r->judged = row->car.judged;
    judged_step(&r->judged, r->set.stamp, car_t_ms(&row->car));
    keep_order(r, due, row);
    (void)car_shows(&row->car, now_ms);
    row->car.shown_ms = car_t_ms(&row->car);
    n = trip_view(&row->car.trip, &r->set.trip, 0, open);
    segments_add(r->segments, row->vin, &r->set.trip.fuel, r->out.rows, r->out.rows_n, open, n,
                 r->again_ms, r->base_ms);
    if ((st = write_checkpoints(r, row, fault)) != ST_OK ||
        (r->forsaken && (st = end_rows(r, row->vin, fault)) != ST_OK))
        return st;
    fact_states_put(r->states, row);
    meter_rows_forget(&r->meters);
    meter_rows_add(&r->meters, row->vin, &row->car);
    if ((st = fact_states_write(r->states, fault)) != ST_OK ||
        (st = segments_write(r->segments, fault)) != ST_OK ||
        (st = meter_rows_write(&r->meters, r->db, fault)) != ST_OK)
        return st;
    return write_found(r, row->vin, now_ms, fault);
}

/* ---- one vehicle */
/* Under the lock: is what was stepped still what is to be written?  ST_NONE: it is not, and cannot
 * be mended; ST_RETRY with *tail_ms: step on up to there first. */
static enum status compare(const struct recompute *r, const struct due_again *due,
                           const struct fact_row *before, struct fact_row *now, int64_t *tail_ms)
{
    int64_t t_ms = car_t_ms(&now->car);

    *tail_ms = 0;
    if (judged_anew(&now->car.judged, &before->car.judged, r->set.stamp))
        return ST_NONE; /* what the writer found by them would be taken back */
    if (due->lost) {    /* its samples come in order, else they are late (take_telemetry) */
        if (now->car.lost_ms != before->car.lost_ms)
            return ST_NONE;
        *tail_ms = now->wait_ms > r->until_ms ? now->wait_ms : 0;
        return *tail_ms > 0 ? ST_RETRY : ST_OK;
    }
    if (due->late && now->late_from_ms > 0 && now->late_at_ms == before->late_at_ms)
        now->late_from_ms = now->late_until_ms = 0;
    else if (due->late)
        now->late_anew = true; /* what came meanwhile has its own time to wait */
    if (due->waited && now->waits != before->waits)
        return ST_NONE;
    if (!due->late && t_ms != car_t_ms(&before->car))
        return ST_NONE;
    if (t_ms <= car_t_ms(&r->car))
        return ST_OK;
    *tail_ms = t_ms;
    return ST_RETRY;
}

/* A purge that began meanwhile took what was being stepped over. ST_NONE: it did. */
static enum status is_still_there(struct recompute *r, const struct due_again *due,
                                  struct fault *fault)
{
    int64_t gone_ms;
    bool reads = due->late || due->lost;
    enum status st = reads ? gone_until(r->db, due->vin, &gone_ms, fault) : ST_OK;

    return st == ST_OK && reads && gone_ms > r->oldest_ms ? ST_NONE : st;
}

static enum status finish(struct recompute *r, const struct due_again *due,
                          const struct fact_row *before, int64_t now_ms, struct fault *fault)
{
    const char *vins[] = {due->vin};
    enum status st = ST_RETRY;

    for (int i = 0; i < TRIES && st == ST_RETRY; i++) {
        struct fact_row now;
        int64_t tail_ms = 0;

        tell_forget(r->tell);
        segments_forget(r->segments);
        if ((st = pg_begin(r->db, fault)) != ST_OK)
            return st;
        if ((st = fact_states_lock(r->states, vins, 1, fault)) != ST_OK ||
            (st = is_still_there(r, due, fault)) != ST_OK)
            break;
        fact_states_get(r->states, 0, &now);
        st = compare(r, due, before, &now, &tail_ms);
        if (st == ST_OK && (st = write_all(r, due, &now, now_ms, fault)) == ST_OK)
            return pg_commit(r->db, fault);
        pg_rollback(r->db);
        if (tail_ms == 0)
            return st;
        r->until_ms = due->lost ? tail_ms : r->until_ms;
        if ((st = recompute_step_until(r, due->vin, car_t_ms(&r->car), tail_ms, fault)) == ST_OK)
            st = fault_set(fault, ST_RETRY, "the car is faster than we are");
        else
            return st;
    }
    pg_rollback(r->db);
    return st;
}

/* What was stepped was in the history once.  Where its newest sample is not any more, or fewer are
 * than were counted, the history was lost or is being restored, and what is known of the past shall
 * not be taken from it. */
static bool lacks(const struct recompute *r, const struct fact_row *row)
{
    return car_t_ms(&r->car) < car_t_ms(&row->car) ||
           (r->steps_count && r->car.steps < row->car.steps);
}

static enum status refuse_crowd(struct recompute *r, const char *vin, struct fault *fault)
{
    char after[24];
    const char *params[] = {vin, after};
    PGresult *rows = NULL;
    bool crowd;
    enum status st;

    (void)snprintf(after, sizeof after, "%lld", (long long)found_after_ms(r));
    st = pg_run(r->db,
                "SELECT FROM event WHERE vin = $1 AND source = 'ingest' AND NOT withdrawn AND "
                "told_ms > $2 LIMIT " FACTS_LIMIT,
                2, params, &rows, fault);
    crowd = st == ST_OK && (PQntuples(rows) > FACTS_MOST || r->out.found_n > FACTS_MOST);
    PQclear(rows);
    if (!crowd)
        return st;
    r->hopeless = true;
    return fault_set(fault, ST_REJECT,
                     "too many facts to be found again: late ones change nothing");
}

static enum status step_over(struct recompute *r, const struct due_again *due,
                             const struct fact_row *row, int64_t after_ms, struct fault *fault)
{
    int64_t stood_ms = car_t_ms(&row->car);
    enum status st = ST_OK;

    if (r->run_up_ms > 0)
        st = recompute_run_up(r, due, row, &after_ms, fault);
    if (st == ST_OK)
        st = recompute_step_until(r, due->vin, after_ms, stood_ms, fault);
    if (st != ST_OK)
        return st;
    if (due->late && lacks(r, row)) {
        r->hopeless = true;
        return fault_set(fault, ST_REJECT,
                         "the history lacks samples that were stepped over: late ones change "
                         "nothing");
    }
    if (due->late && (st = refuse_crowd(r, due->vin, fault)) != ST_OK)
        return st;
    if (after_ms < stood_ms)
        after_ms = stood_ms;
    return recompute_step_until(r, due->vin, after_ms, r->until_ms, fault);
}

enum status recompute_vehicle(struct recompute *r, struct due_again *due, int64_t now_ms,
                              struct fault *fault)
{
    struct fact_row row;
    struct fault later;
    int64_t after_ms = 0;
    enum status st;

    if ((st = pg_ready(r->db, fault)) != ST_OK || (st = pg_begin(r->db, fault)) != ST_OK)
        return st;
    st = recompute_begin(r, due, now_ms, &row, &after_ms, fault);
    if (st != ST_OK) {
        pg_rollback(r->db);
        return st;
    }
    if ((st = pg_commit(r->db, fault)) != ST_OK)
        return st;
    if (!due->late && !due->waited)
        return ST_NONE;
    r->until_ms = car_t_ms(&row.car);
    if (due->waited && row.wait_ms > r->until_ms)
        r->until_ms = row.wait_ms;
    st = step_over(r, due, &row, after_ms, fault);
    if (st == ST_REJECT && due->late && r->hopeless &&
        recompute_forget_late(r, &row, &later) != ST_OK)
        return fault_set(fault, ST_RETRY, "%s", later.text);
    if (st != ST_OK)
        return st;
    return finish(r, due, &row, now_ms, fault);
}
