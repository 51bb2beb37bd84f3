/* services/ingest/again/recompute_silent.c - those who have fallen silent: their open rows as they
 * stand, and what time alone brings about. */

#include "lib/text.h"
#include "recompute_inside.h"

#define LISTED "256"
#define LISTED_N 256

/* In the order of their VINs, and after the last one looked at: some of them nothing can be said of
 * for hours, and they shall not stand before all others. */
static enum status list_silent(struct recompute *r, PGresult **rows, struct fault *fault)
{
    const char *params[] = {r->silent_after};

    return pg_run(
        r->db,
        "SELECT f.vin, ms(now()) - ms(s.last_seen), v.status = 'retired' FROM fact_state f "
        "JOIN vehicle_state s ON s.vin = f.vin JOIN vehicle v ON v.vin = f.vin "
        "WHERE s.last_seen < now() - interval '5 s' AND f.vin > $1 AND (f.t_ms > f.shown_ms OR "
        "((s.last_seen < now() - interval '1 h' OR v.status = 'retired') AND EXISTS (SELECT FROM "
        "segment g WHERE g.vin = f.vin AND NOT g.settled AND g.kind = 'trip' AND g.state = "
        "'open')) OR f.vin IN (SELECT e.vin FROM event e JOIN geofence g ON g.id::text = "
        "e.subject "
        "WHERE e.type = 'geofence_enter' AND NOT e.withdrawn AND g.dwell_s > 0 AND e.occurred_at > "
        "now() - interval '2 h' AND e.occurred_at + g.dwell_s * interval '1 s' < now() AND NOT "
        "EXISTS (SELECT FROM event d WHERE d.vin = e.vin AND d.subject = e.subject AND d.type IN "
        "('geofence_dwell', 'geofence_exit') AND NOT d.withdrawn AND d.occurred_at >= "
        "e.occurred_at))) "
        "ORDER BY f.vin LIMIT " LISTED,
        1, params, rows, fault);
}

struct silent {
    const char *vin;
    int64_t unfed_ms;
    bool retired; /* what it began is over: nobody waits for it */
};

/* The i-th of those that are locked. */
static enum status add_silent(struct recompute *r, size_t i, const struct silent *who,
                              int64_t now_ms, struct fault *fault)
{
    const char *vin = who->vin;
    struct segment open[TRIP_OUT_MAX];
    struct fact_row row;
    int64_t t_ms;
    size_t n;

    if (!garage_settings(r->garage, vin, &r->set))
        return fault_set(fault, ST_REJECT, "vehicle %s is gone", vin);
    fact_states_get(r->states, i, &row);
    if (row.car.lost_ms > 0) { /* nothing can be said of it yet */
        fact_states_put(r->states, &row);
        return ST_OK;
    }
    car_out_clear(&r->out);
    t_ms = car_t_ms(&row.car) + who->unfed_ms;
    if (row.wait_ms == 0 && !privacy_is_on(&row.car.trip.privacy) && !who->retired)
        fences_tick(&row.car.fences, &r->set.fences, r->set.wall, t_ms, &r->out);
    tell_found(r->tell, vin, r->out.found, r->out.found_n, now_ms);
    row.car.shown_ms = car_t_ms(&row.car);
    row.car.shown_wall_ms = now_ms;
    n = trip_view(&row.car.trip, &r->set.trip, who->retired ? INT64_MAX : t_ms, open);
    segments_add(r->segments, vin, &r->set.trip.fuel, NULL, 0, open, n, INT64_MAX, INT64_MAX);
    fact_states_put(r->states, &row);
    meter_rows_add(&r->meters, vin, &row.car);
    return ST_OK;
}

static enum status write_silent(struct recompute *r, const struct silent *who, size_t n,
                                int64_t now_ms, struct fault *fault)
{
    const char *vins[RECOMPUTE_SILENT_MAX];
    enum status st;

    for (size_t i = 0; i < n; i++)
        vins[i] = who[i].vin;
    segments_forget(r->segments);
    meter_rows_forget(&r->meters);
    tell_forget(r->tell);
    if ((st = garage_fetch(r->garage, vins, n, now_ms, fault)) != ST_OK ||
        (st = fact_states_lock(r->states, vins, n, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = add_silent(r, i, &who[i], now_ms, fault);
    if (st != ST_OK || (st = fact_states_write(r->states, fault)) != ST_OK ||
        (st = meter_rows_write(&r->meters, r->db, fault)) != ST_OK ||
        (st = segments_write(r->segments, fault)) != ST_OK)
        return st;
    return tell_write(r->tell, now_ms, fault);
}

/* `n` of the rows were looked at; after the last silent one comes the first again. */
static void go_on_after(struct recompute *r, const PGresult *rows, int n)
{
    bool all = n == PQntuples(rows) && n < LISTED_N;

    text_copy(r->silent_after, sizeof r->silent_after, all ? "" : PQgetvalue(rows, n - 1, 0));
}

enum status recompute_silent(struct recompute *r, bool (*is_ours)(void *self, const char *vin),
                             void *self, int64_t now_ms, size_t *count, struct fault *fault)
{
    struct silent who[RECOMPUTE_SILENT_MAX];
    PGresult *rows = NULL;
    size_t n = 0;
    int i;
    enum status st;

    *count = 0;
    if ((st = pg_ready(r->db, fault)) != ST_OK || (st = list_silent(r, &rows, fault)) != ST_OK)
        return st;
    for (i = 0; i < PQntuples(rows) && n < RECOMPUTE_SILENT_MAX; i++) {
        if (!is_ours(self, PQgetvalue(rows, i, 0)))
            continue;
        who[n++] = (struct silent){.vin = PQgetvalue(rows, i, 0),
                                   .unfed_ms = pg_text_int8(rows, i, 1),
                                   .retired = *PQgetvalue(rows, i, 2) == 't'};
    }
    go_on_after(r, rows, i);
    tell_forget(r->tell);
    if (n > 0 && (st = pg_begin(r->db, fault)) == ST_OK) {
        st = write_silent(r, who, n, now_ms, fault);
        if (st == ST_OK)
            st = pg_commit(r->db, fault);
        else
            pg_rollback(r->db);
    }
    PQclear(rows);
    *count = n;
    return st;
}
