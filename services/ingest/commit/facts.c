/* services/ingest/commit/facts.c - vehicle by vehicle, record by record, sample by sample. */
#include "facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dtcs.h"
#include "fact_states.h"
#include "garage.h"
#include "meter_rows.h"
#include "proto/unfilled.h"
#include "segments.h"
#include "services/ingest/facts/finding.h"
#include "services/ingest/record/at.h"
#include "services/ingest/record/meters.h"
#include "tell.h"
#include "told.h"

#define AT_ONCE 128 /* vehicles */

struct facts {
    struct pg *db;
    struct garage *garage;
    struct fact_states *states;
    struct segments *segments;
    struct dtcs *dtcs;
    struct tell *tell;
    struct meter_rows meters;
    struct moment_map map;
    struct car_out out;
    const struct record **taken; /* sorted by vehicle, stream, seq */
    const char **vins;           /* of them, each once */
    size_t taken_n, vins_n, room;
    size_t next; /* of those taken, while stepping */
};

enum status facts_open(struct facts **out, struct pg *db, struct fault *fault)
{
    struct facts *f = calloc(1, sizeof *f);
    enum status st;

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    f->db = db;
    moment_map_init(&f->map);
    if ((st = garage_open(&f->garage, db, fault)) != ST_OK ||
        (st = fact_states_open(&f->states, db, fault)) != ST_OK ||
        (st = segments_open(&f->segments, db, fault)) != ST_OK ||
        (st = dtcs_open(&f->dtcs, db, fault)) != ST_OK ||
        (st = tell_open(&f->tell, db, fault)) != ST_OK) {
        facts_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void facts_close(struct facts *f)
{
    if (!f)
        return;
    garage_close(f->garage);
    fact_states_close(f->states);
    segments_close(f->segments);
    dtcs_close(f->dtcs);
    tell_close(f->tell);
    meter_rows_done(&f->meters);
    car_out_done(&f->out);
    free(f->taken);
    free(f->vins);
    free(f);
}

/* ---- who has news */
static int in_order(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a;
    const struct record *y = *(const struct record *const *)b;
    int by = strcmp(x->from.topic.vin, y->from.topic.vin);

    if (by == 0)
        by = strcmp(x->head.stream, y->head.stream);
    return by ? by : (x->head.seq > y->head.seq) - (x->head.seq < y->head.seq);
}

static enum status make_room(struct facts *f, size_t n, struct fault *fault)
{
    void *taken, *vins;

    if (n <= f->room)
        return ST_OK;
    if ((taken = realloc(f->taken, n * sizeof *f->taken)) != NULL)
        f->taken = taken;
    if ((vins = realloc(f->vins, n * sizeof *f->vins)) != NULL)
        f->vins = vins;
    if (!taken || !vins)
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    f->room = n;
    return ST_OK;
}

static bool is_fact(const struct record *r)
{
    enum leaf leaf = r->from.topic.leaf;

    return !r->dead && ((leaf == LEAF_TELEMETRY && r->telemetry.sample_count > 0) ||
                        (leaf >= LEAF_EVENT && leaf <= LEAF_DIAGNOSTICS));
}

static void collect(struct facts *f, struct record *const *records, const bool *fresh, size_t n)
{
    f->taken_n = f->vins_n = 0;
    for (size_t i = 0; i < n; i++)
        if (fresh[i] && is_fact(records[i]))
            f->taken[f->taken_n++] = records[i];
    qsort(f->taken, f->taken_n, sizeof *f->taken, in_order);
    for (size_t i = 0; i < f->taken_n; i++) {
        const char *vin = f->taken[i]->from.topic.vin;

        if (f->vins_n == 0 || strcmp(f->vins[f->vins_n - 1], vin) != 0)
            f->vins[f->vins_n++] = vin;
    }
}

/* ---- now, later, or too late */
static bool is_beyond_a_gap(struct car *car, const struct record *r, const struct marks *marks)
{
    const struct stream_mark *own = marks_find(marks, r->from.topic.vin, r->head.stream);
    unsigned char stream[16] = {0};

    if (uuid_scan(stream, r->head.stream) && memcmp(stream, car->stream, sizeof stream) != 0) {
        memcpy(car->stream, stream, sizeof stream);
        car->passed_seq = 0;
    }
    for (size_t i = 0; own && i < own->facts.gap_count; i++)
        if (own->facts.gaps[i].first < r->head.seq && own->facts.gaps[i].last > car->passed_seq)
            return true;
    return false;
}

static void wait_with(struct fact_row *row, int64_t t_ms)
{
    if (row->wait_ms == 0)
        row->waits_anew = true;
    row->waits++;
    if (t_ms > row->wait_ms)
        row->wait_ms = t_ms;
    if (row->car.wait_from_ms == 0 || t_ms < row->car.wait_from_ms)
        row->car.wait_from_ms = t_ms;
}

static void too_late(struct fact_row *row, int64_t t_ms)
{
    if (row->late_from_ms == 0)
        row->late_anew = true;
    if (row->late_from_ms == 0 || t_ms < row->late_from_ms)
        row->late_from_ms = t_ms;
    if (t_ms > row->late_until_ms)
        row->late_until_ms = t_ms;
    row->late_now = true;
}

static void take_telemetry(struct facts *f, struct fact_row *row, const struct car_settings *set,
                           const struct record *r, const struct marks *marks)
{
    const struct telemetry *t = &r->telemetry;
    bool beyond = is_beyond_a_gap(&row->car, r, marks);
    bool alike = t->alike && t->samples[0].count <= MOMENT_PLACES_MAX;
    struct moment_places places UNFILLED;
    struct moment m UNFILLED;

    if (alike) {
        moment_init(&m, 0);
        moment_places_init(&places, &f->map, t->readings + t->samples[0].first,
                           t->samples[0].count);
    }
    for (size_t i = 0; i < t->sample_count; i++) {
        const struct sample *s = &t->samples[i];
        const struct reading *readings = t->readings + s->first;
        int64_t from_ms = row->car.wait_from_ms;

        if (s->t_ms <= car_t_ms(&row->car) ||
            (row->car.lost_ms > 0 && s->t_ms <= row->wait_ms)) { /* that is being read already */
            too_late(row, s->t_ms);
        } else if (beyond || (from_ms > 0 && s->t_ms >= from_ms)) {
            wait_with(row, s->t_ms);
        } else {
            row->waits_anew = true; /* progress */
            if (!alike) {
                car_step(&row->car, set, &f->map, s->t_ms, readings, s->count, &f->out);
                continue;
            }
            moment_take_alike(&m, &places, s->t_ms, readings);
            car_step_moment(&row->car, set, &m, readings, s->count, &f->out);
        }
    }
}

/* A switch that is older than what was stepped, or than another switch, is read from the events
 * again, with the samples since. */
static void take_switch(struct fact_row *row, const struct record *r)
{
    bool on;

    if (told_switch(r, &on) && (!privacy_switch(&row->car.trip.privacy, r->fact.t_ms, on) ||
                                r->fact.t_ms < car_t_ms(&row->car)))
        too_late(row, r->fact.t_ms);
}

static void place_told(struct fact_row *row, const struct record *r, double *lat, double *lon)
{
    unsigned char id[16];

    *lat = *lon = (double)NAN;
    if (told_where(r, lat, lon) == TOLD_THEN && r->fact.t_ms > 0 && uuid_scan(id, r->fact.id))
        (void)car_ask(&row->car, id, r->fact.t_ms, lat, lon);
}

/* Codes are no matter of samples, so the samples have to be asked where they came up. */
static void place_codes(struct facts *f, struct fact_row *row, size_t from)
{
    for (size_t i = from; i < f->out.found_n; i++) {
        struct found *found = &f->out.found[i];
        struct finding event;
        unsigned char id[16];

        if (!(found->parts & FOUND_EVENT) || isfinite(found->lat))
            continue;
        finding_init(&event, row->vin, found->type, found->subject, found->occurred_ms, 0);
        if (uuid_scan(id, event.id))
            (void)car_ask(&row->car, id, found->occurred_ms, &found->lat, &found->lon);
    }
}

static enum status take_diagnosis(struct facts *f, struct fact_row *row,
                                  const struct car_settings *set, const struct record *r,
                                  struct fault *fault)
{
    size_t from = f->out.found_n;
    enum status st = dtcs_take(f->dtcs, r, set->detect.here, &f->out, fault);

    place_codes(f, row, from);
    return st;
}

/* Once all of the vehicle are taken. */
static enum status settle_codes(struct facts *f, struct fact_row *row, struct fault *fault)
{
    size_t from = f->out.found_n, gone_n;
    struct found *gone;
    enum status st = dtcs_settle(f->dtcs, row->vin, &f->out, &gone, &gone_n, fault);

    if (st != ST_OK)
        return st;
    place_codes(f, row, from);
    tell_gone(f->tell, row->vin, gone, gone_n);
    return ST_OK;
}

static enum status take_record(struct facts *f, struct fact_row *row,
                               const struct car_settings *set, const struct record *r,
                               const struct marks *marks, int64_t now_ms, struct fault *fault)
{
    char subject[ALERT_SUBJECT_MAX + 1];
    double lat, lon;

    if (r->from.topic.leaf == LEAF_TELEMETRY) {
        take_telemetry(f, row, set, r, marks);
        return ST_OK;
    }
    if (r->from.topic.leaf == LEAF_DIAGNOSTICS)
        return take_diagnosis(f, row, set, r, fault);
    place_told(row, r, &lat, &lon);
    tell_told(f->tell, r, lat, lon, now_ms, subject);
    take_switch(row, r);
    if (r->from.topic.leaf == LEAF_ALERT)
        detect_told(&row->car.detect, r->fact.type, subject, r->fact.t_ms);
    return ST_OK;
}

/* ---- rows */
static void add_rows(struct facts *f, struct fact_row *row, const struct car_settings *set,
                     int64_t now_ms)
{
    struct segment open[TRIP_OUT_MAX];
    size_t n;

    if (!car_shows(&row->car, now_ms) && f->out.rows_n == 0)
        return;
    n = trip_view(&row->car.trip, &set->trip, 0, open);
    meter_rows_add(&f->meters, row->vin, &row->car);
    segments_add(f->segments, row->vin, &set->trip.fuel, f->out.rows, f->out.rows_n, open, n,
                 INT64_MAX, INT64_MAX);
}

/* The i-th of those that are locked. */
static enum status step_vehicle(struct facts *f, size_t i, const char *vin,
                                const struct marks *marks, int64_t now_ms, struct fault *fault)
{
    struct car_settings set;
    struct fact_row row UNFILLED; /* thirteen KB, filled by fact_states_get */
    enum status st;
    int64_t crowded;

    if (!garage_settings(f->garage, vin, &set))
        return fault_set(fault, ST_REJECT, "vehicle %s is gone", vin);
    fact_states_get(f->states, i, &row);
    crowded = row.car.fences.crowded;
    car_out_clear(&f->out);
    dtcs_begin(f->dtcs, &row.car.cleared);
    for (; f->next < f->taken_n && !strcmp(f->taken[f->next]->from.topic.vin, vin); f->next++) {
        at_record(f->taken[f->next]);
        st = take_record(f, &row, &set, f->taken[f->next], marks, now_ms, fault);
        at_record(NULL);
        if (st != ST_OK)
            return st;
    }
    if ((st = settle_codes(f, &row, fault)) != ST_OK)
        return st;
    if (f->out.failed)
        return fault_set(fault, ST_RETRY, "out of memory for what was found");
    if (row.car.fences.crowded > crowded)
        metric_add(meters.fences_crowded, NULL, (double)(row.car.fences.crowded - crowded));
    add_rows(f, &row, &set, now_ms);
    tell_found(f->tell, row.vin, f->out.found, f->out.found_n, now_ms);
    tell_places(f->tell, row.vin, f->out.places, f->out.places_n);
    fact_states_put(f->states, &row);
    return ST_OK;
}

/* Some at a time: where thousands stand takes megabytes. */
static size_t some(const struct facts *f, size_t at)
{
    return f->vins_n - at < AT_ONCE ? f->vins_n - at : AT_ONCE;
}

/* Those that are locked. */
static enum status step_some(struct facts *f, size_t at, const struct marks *marks, int64_t now_ms,
                             struct fault *fault)
{
    size_t n = some(f, at);
    enum status st = fact_states_take(f->states, f->vins + at, n, fault);

    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = step_vehicle(f, i, f->vins[at + i], marks, now_ms, fault);
    if (st != ST_OK || (st = fact_states_write(f->states, fault)) != ST_OK ||
        (st = segments_write(f->segments, fault)) != ST_OK)
        return st;
    return meter_rows_write(&f->meters, f->db, fault);
}

enum status facts_ask(struct facts *f, struct record *const *records, const bool *fresh, size_t n,
                      int64_t now_ms, struct fault *fault)
{
    enum status st = make_room(f, n, fault);

    tell_forget(f->tell); /* of a transaction that failed */
    segments_forget(f->segments);
    meter_rows_forget(&f->meters);
    if (st != ST_OK)
        return st;
    collect(f, records, fresh, n);
    if (f->vins_n == 0)
        return ST_OK;
    if ((st = garage_ask(f->garage, f->vins, f->vins_n, now_ms, fault)) != ST_OK)
        return st;
    return fact_states_ask(f->states, f->vins, some(f, 0), fault);
}

enum status facts_write(struct facts *f, const struct marks *marks, int64_t now_ms,
                        struct fault *fault)
{
    enum status st;

    if (f->vins_n == 0)
        return ST_OK;
    f->next = 0;
    st = garage_take(f->garage, now_ms, fault);
    for (size_t at = 0; at < f->vins_n && st == ST_OK; at += AT_ONCE) {
        if (at > 0)
            st = fact_states_ask(f->states, f->vins + at, some(f, at), fault);
        if (at > 0 && st == ST_OK)
            st = pg_settle(f->db, fault);
        if (st == ST_OK)
            st = step_some(f, at, marks, now_ms, fault);
    }
    return st == ST_OK ? tell_write(f->tell, now_ms, fault) : st;
}

enum status facts_rehearse(struct facts *f, struct fault *fault)
{
    enum status st = garage_fetch(f->garage, NULL, 0, 0, fault);

    if (st != ST_OK || (st = fact_states_lock(f->states, NULL, 0, fault)) != ST_OK)
        return st;
    return fact_states_write(f->states, fault);
}

const struct alert_change_message *facts_changes(const struct facts *f, size_t *n)
{
    return tell_changes(f->tell, n);
}
