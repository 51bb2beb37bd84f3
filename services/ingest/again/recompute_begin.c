/* services/ingest/again/recompute_begin.c - from where a vehicle's history is stepped over again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gone.h"
#include "recompute_inside.h"
#include "reread.h"
#include "services/ingest/facts/late.h"

#define KEPT_ROOM 32 /* checkpoints; half a megabyte */

/* Checkpoints of one that was begun far back are many, and each is kilobytes. */
static void forget_kept(struct recompute *r)
{
    r->kept_n = 0;
    if (r->kept_room <= KEPT_ROOM)
        return;
    free(r->kept);
    r->kept = NULL;
    r->kept_room = 0;
}

/* Under the lock: a new gap may have opened below what waits, another site may have stepped. */
static enum status is_still_due(struct recompute *r, struct due_again *due, struct fault *fault)
{
    struct due_again now = {.vin = ""};
    size_t n;
    enum status st = due_again_list(r->db, r->due, due->vin, "", &now, 1, &n, fault);

    now.owner = due->owner;
    now.stores = due->stores;
    now.late_rests = due->late_rests;
    now.waited_rests = due->waited_rests;
    if (st != ST_OK || n == 0 || !due_again_take(&now))
        return st == ST_OK ? ST_NONE : st;
    *due = now;
    return ST_OK;
}

/* What was open there began before it. */
static void find_rows_again(struct recompute *r, int64_t from_ms)
{
    struct segment open[TRIP_OUT_MAX];
    size_t n = trip_view(&r->car.trip, &r->set.trip, 0, open);

    r->again_ms = from_ms;
    for (size_t i = 0; i < n; i++)
        if (open[i].start_ms < r->again_ms)
            r->again_ms = open[i].start_ms;
}

/* Of private mode it may know what was to come: told_list has the span before it, too. */
static void forget_switches(struct recompute *r)
{
    r->car.trip.privacy = (struct privacy){0};
}

static void begin_with_state(struct recompute *r, int64_t *after_ms)
{
    *after_ms = car_t_ms(&r->car);
    r->steps_count = true;
    forget_switches(r);
    find_rows_again(r, *after_ms);
}

static void begin_with_nothing(struct recompute *r, int64_t from_ms, int64_t *after_ms)
{
    memset(&r->car, 0, sizeof r->car);
    *after_ms = from_ms - 1;
    r->again_ms = from_ms;
}

/* What is kept of a vehicle, and what of that a purge deleted when less was kept of it. */
static enum status find_oldest(struct recompute *r, const char *vin, int64_t now_ms,
                               struct fault *fault)
{
    int64_t gone_ms;
    enum status st = gone_until(r->db, vin, &gone_ms, fault);

    r->oldest_ms = now_ms - r->set.history_ms;
    if (st == ST_OK && gone_ms > r->oldest_ms)
        r->oldest_ms = gone_ms;
    return st;
}

/* What is there of a vehicle is all there ever was. */
static bool is_young(const struct recompute *r, const struct segment *rows, size_t n)
{
    return n > 0 && rows[0].start_ms >= r->oldest_ms;
}

/* From nothing, far enough before `until_ms`: how it stood then is as good as a checkpoint. */
static void begin_with_run_up(struct recompute *r, const struct segment *rows, size_t n,
                              int64_t until_ms, int64_t *after_ms)
{
    int64_t from_ms = late_run_up(rows, n, until_ms, rules_reach_ms(&r->set.rules));

    begin_with_nothing(r, from_ms > r->oldest_ms ? from_ms : r->oldest_ms, after_ms);
    r->steps_count = from_ms == 0 && is_young(r, rows, n);
    r->run_up_ms = until_ms;
}

/* Samples before `oldest_ms` may be gone, and are not stepped over: where it drove before, the
 * first state since is the first to begin with.  ST_NONE: late samples change nothing. */
static enum status begin_at_checkpoint(struct recompute *r, const struct fact_row *row,
                                       int64_t now_ms, int64_t *after_ms, struct fault *fault)
{
    struct late late = {row->late_from_ms, row->late_until_ms};
    int64_t oldest_ms = r->oldest_ms;
    struct late_settings set = {late_defaults.patience_ms, now_ms - oldest_ms};
    int64_t since_ms = row->late_from_ms > oldest_ms ? row->late_from_ms : oldest_ms;
    int64_t from_ms, to_ms;
    struct segment *rows;
    size_t n;
    enum status st;

    st =
        segments_read(r->segments, row->vin, since_ms - late_defaults.longest_ms, &rows, &n, fault);
    if (st != ST_OK)
        return st;
    if (!late_window(&late, &set, rows, n, now_ms, &from_ms, &to_ms))
        return ST_NONE;
    st = fact_states_before(r->states, row->vin, from_ms, &r->car, fault);
    if (st == ST_NONE && (from_ms > oldest_ms || n == 0 || rows[0].start_ms >= oldest_ms)) {
        if (n == 0 || rows[0].start_ms >= from_ms) {
            begin_with_nothing(r, oldest_ms < from_ms ? oldest_ms : from_ms, after_ms);
            r->steps_count = is_young(r, rows, n);
        } else {
            begin_with_run_up(r, rows, n, from_ms, after_ms);
        }
        return ST_OK;
    }
    if (st == ST_NONE || (st == ST_OK && car_t_ms(&r->car) < oldest_ms))
        st = fact_states_after(r->states, row->vin, oldest_ms, &r->car, fault);
    if (st == ST_OK && car_t_ms(&r->car) >= row->late_until_ms)
        return ST_NONE;
    if (st == ST_OK)
        begin_with_state(r, after_ms);
    return st;
}

/* Nobody will look at them; what came meanwhile has its own time to wait. */
enum status recompute_forget_late(struct recompute *r, const struct fact_row *row,
                                  struct fault *fault)
{
    char at[24];
    const char *params[] = {row->vin, at};

    (void)snprintf(at, sizeof at, "%lld", (long long)row->late_at_ms);
    return pg_run(r->db,
                  "UPDATE fact_state SET late_since = now(), "
                  "late_from_ms = CASE WHEN ms(late_at) = $2::bigint THEN 0 ELSE late_from_ms END, "
                  "late_until_ms = CASE WHEN ms(late_at) = $2::bigint THEN 0 ELSE late_until_ms "
                  "END WHERE vin = $1",
                  2, params, NULL, fault);
}

static enum status begin_with_late(struct recompute *r, struct due_again *due,
                                   const struct fact_row *row, int64_t now_ms, int64_t *after_ms,
                                   struct fault *fault)
{
    enum status st = find_oldest(r, row->vin, now_ms, fault);

    if (st != ST_OK || (st = begin_at_checkpoint(r, row, now_ms, after_ms, fault)) != ST_NONE)
        return st;
    due->late = false;
    r->again_ms = INT64_MAX;
    r->car = row->car;
    *after_ms = car_t_ms(&r->car);
    return recompute_forget_late(r, row, fault);
}

/* Its state could not be read, a checkpoint may be. */
static enum status begin_lost(struct recompute *r, const struct fact_row *row, int64_t now_ms,
                              int64_t *after_ms, struct fault *fault)
{
    struct segment *rows;
    size_t n;
    enum status st = find_oldest(r, row->vin, now_ms, fault);

    if (st == ST_OK)
        st = fact_states_before(r->states, row->vin, row->car.lost_ms, &r->car, fault);
    if (st == ST_OK && car_t_ms(&r->car) >= r->oldest_ms) {
        begin_with_state(r, after_ms);
        r->run_up_ms = row->car.lost_ms;
        return ST_OK;
    }
    if (st == ST_OK || st == ST_NONE)
        st = segments_read(r->segments, row->vin, r->oldest_ms, &rows, &n, fault);
    if (st == ST_OK)
        begin_with_run_up(r, rows, n, row->car.lost_ms, after_ms);
    return st;
}

static enum status store_lost(struct recompute *r, const struct fact_row *row, struct fault *fault)
{
    fact_states_put(r->states, row);
    return fact_states_write(r->states, fault);
}

/* What was read may be older than what the writer stepped by. */
static enum status read_settings(struct recompute *r, const struct fact_row *row, int64_t now_ms,
                                 struct fault *fault)
{
    const char *vins[] = {row->vin};
    enum status st = garage_fetch(r->garage, vins, 1, now_ms, fault);
    bool known = st == ST_OK && garage_settings(r->garage, row->vin, &r->set);

    if (known && !judged_so(&row->car.judged, r->set.stamp)) {
        garage_forget(r->garage, row->vin);
        st = garage_fetch(r->garage, vins, 1, now_ms, fault);
        known = st == ST_OK && garage_settings(r->garage, row->vin, &r->set);
    }
    return st == ST_OK && !known ? fault_set(fault, ST_REJECT, "vehicle %s is gone", row->vin) : st;
}

enum status recompute_begin(struct recompute *r, struct due_again *due, int64_t now_ms,
                            struct fact_row *row, int64_t *after_ms, struct fault *fault)
{
    const char *vins[] = {due->vin};
    enum status st;

    if ((st = fact_states_lock(r->states, vins, 1, fault)) != ST_OK ||
        (st = is_still_due(r, due, fault)) != ST_OK)
        return st;
    fact_states_get(r->states, 0, row);
    if ((st = read_settings(r, row, now_ms, fault)) != ST_OK)
        return st;
    due_again_choose(due, row->car.lost_ms > 0);
    r->known = row->car.odometer;
    r->run_up_ms = 0;
    r->left = REREAD_MOST;
    r->steps_count = r->hopeless = false;
    r->forsaken = false;
    car_out_clear(&r->out);
    forget_kept(r);
    r->failed = false;
    r->again_ms = r->oldest_ms = INT64_MAX;
    r->car = row->car;
    *after_ms = car_t_ms(&r->car);
    if (due->lost && row->waits_anew) /* it turned out just now, and is due with that */
        st = store_lost(r, row, fault);
    else if (due->lost && due->waited)
        st = begin_lost(r, row, now_ms, after_ms, fault);
    else if (due->late && row->late_from_ms > 0)
        st = begin_with_late(r, due, row, now_ms, after_ms, fault);
    else if (due->waited)
        forget_switches(r);
    r->base_ms = *after_ms;
    free(r->told);
    r->told = NULL;
    r->told_n = r->told_next = 0;
    if (st == ST_OK)
        st = told_list(r->db, due->vin, r->base_ms, &r->told, &r->told_n, fault);
    r->kept_ms = due->late ? car_t_ms(&r->car) : row->checkpoint_ms;
    return st;
}

/* Up to where its meter was shown, and from there on with that. */
static enum status run_up_to_meter(struct recompute *r, const struct fact_row *row,
                                   int64_t *after_ms, struct fault *fault)
{
    const struct odometer *shown = &row->car.odometer;
    int64_t at_ms = shown->t_ms < r->run_up_ms ? shown->t_ms : r->run_up_ms;
    enum status st = ST_OK;

    if (at_ms > *after_ms) {
        st = recompute_step_until(r, row->vin, *after_ms, at_ms, fault);
        *after_ms = at_ms;
    }
    if (st == ST_OK && shown->t_ms > 0)
        odometer_go_on(&r->car.odometer, shown);
    return st;
}

/* What its samples do not tell. */
static void remember(struct recompute *r, const struct fact_row *row)
{
    if (car_t_ms(&r->car) < row->car.lost_ms) { /* the history lacks them */
        r->forsaken = true;
        r->car = row->car;
        r->car.lost_ms = r->car.wait_from_ms = 0;
        return;
    }
    detect_remember(&r->car.detect, &row->car.detect);
}

enum status recompute_run_up(struct recompute *r, const struct due_again *due,
                             const struct fact_row *row, int64_t *after_ms, struct fault *fault)
{
    enum status st = due->lost ? run_up_to_meter(r, row, after_ms, fault) : ST_OK;

    if (st == ST_OK)
        st = recompute_step_until(r, row->vin, *after_ms, r->run_up_ms, fault);
    if (st != ST_OK)
        return st;
    car_out_clear(&r->out);
    if (due->lost)
        remember(r, row);
    *after_ms = r->base_ms = r->run_up_ms;
    find_rows_again(r, r->base_ms);
    r->kept_n = 0;
    recompute_keep(r);
    return ST_OK;
}
