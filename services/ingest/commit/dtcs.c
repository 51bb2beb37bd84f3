/* services/ingest/commit/dtcs.c - one report at a time: a car sends few. */
#include <stdlib.h>
#include <string.h>

#include "dtcs_inside.h"
#include "lib/text.h"
#include "proto/json.h"
#include "services/ingest/record/meters.h"

/* Codes that are remembered of one car: all that are there, and of those that went the latest. */
#define KNOWN_MAX "8192"
#define KNOWN_MAX_N 8192

enum status dtcs_open(struct dtcs **out, struct pg *db, struct fault *fault)
{
    struct dtcs *d = calloc(1, sizeof *d);

    if (!d)
        return fault_set(fault, ST_FATAL, "out of memory");
    d->db = db;
    *out = d;
    return ST_OK;
}

void dtcs_close(struct dtcs *d)
{
    if (!d)
        return;
    columns_done(&d->c);
    dtc_life_done(&d->life);
    dtc_life_done(&d->end);
    slots_done(&d->by_key);
    slots_done(&d->waiting);
    free(d->codes);
    free(d->gone);
    free(d->kept);
    free(d);
}

void dtcs_begin(struct dtcs *d, const struct cleared *cleared)
{
    d->cleared = cleared;
    d->late_ms = 0;
}

/* ---- what was known */
struct dtc dtcs_read_dtc(const PGresult *rows, int row)
{
    int list = dtc_list_of(PQgetvalue(rows, row, 2));
    struct dtc dtc = {.list = list < 0 ? DTC_STORED : (enum dtc_list)list};

    text_copy(dtc.code, sizeof dtc.code, PQgetvalue(rows, row, 0));
    text_copy(dtc.ecu, sizeof dtc.ecu, PQgetvalue(rows, row, 1));
    return dtc;
}

void dtcs_read_code(struct dtc_life *life, struct dtc_known known, const PGresult *rows, int row)
{
    known.dtc = dtcs_read_dtc(rows, row);
    dtc_life_add(life, &known);
}

/* All of them: one that was left out would be new once more, or never go.  keep_newest bounds how
 * many there are. */
static enum status read_codes(struct dtcs *d, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st =
        pg_run(d->db,
               "SELECT code, ecu, list, there, ms(first_at), ms(last_at), ms(gone_at), count "
               "FROM dtc WHERE vin = $1",
               1, params, &rows, fault);

    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        dtcs_read_code(&d->life,
                       (struct dtc_known){.there = *PQgetvalue(rows, i, 3) == 't',
                                          .first_ms = pg_text_int8(rows, i, 4),
                                          .last_ms = pg_text_int8(rows, i, 5),
                                          .gone_ms = pg_text_int8(rows, i, 6),
                                          .count = (int)pg_text_int8(rows, i, 7)},
                       rows, i);
    PQclear(rows);
    return st;
}

/* The row is locked: two reports of one vehicle never pass each other.  *told is PID 31 as the
 * newest sample that tells it has it. */
static enum status read_status(struct dtcs *d, const char *vin, struct cleared_value *told,
                               struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(d->db,
                "INSERT INTO dtc_status (vin, at) VALUES ($1, 'epoch') ON CONFLICT DO NOTHING", 1,
                params, NULL, fault);
    if (st == ST_OK)
        st = pg_run(d->db,
                    "SELECT ms(d.at), d.mil, d.readiness_known, d.supported, d.incomplete, "
                    "d.cleared_km, s.signals #>> '{Vehicle.OBD.DistanceSinceDTCClear,0}', "
                    "s.signals #>> '{Vehicle.OBD.DistanceSinceDTCClear,1}' "
                    "FROM dtc_status d LEFT JOIN vehicle_state s ON s.vin = d.vin "
                    "WHERE d.vin = $1 FOR UPDATE OF d",
                    1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    d->life.t_ms = pg_text_int8(rows, 0, 0);
    d->life.mil = *PQgetvalue(rows, 0, 1) == 't';
    d->life.readiness_known = *PQgetvalue(rows, 0, 2) == 't';
    d->life.supported = (uint32_t)pg_text_int8(rows, 0, 3);
    d->life.incomplete = (uint32_t)pg_text_int8(rows, 0, 4);
    d->life.cleared_known = !PQgetisnull(rows, 0, 5);
    d->life.cleared_km = strtod(PQgetvalue(rows, 0, 5), NULL);
    *told = (struct cleared_value){pg_text_int8(rows, 0, 7), strtod(PQgetvalue(rows, 0, 6), NULL)};
    PQclear(rows);
    return ST_OK;
}

/* PID 31 when the report was made.  The newest sample may be from after it, where a backlog comes;
 * those before may not be stepped yet. */
static double cleared_then(const struct dtcs *d, struct cleared_value told, int64_t t_ms)
{
    if (told.t_ms > cleared_at(d->cleared, t_ms).t_ms && told.t_ms <= t_ms)
        return told.km;
    return cleared_km(d->cleared, t_ms);
}

/* ---- the report */
static const char *const monitors[] = {"misfire",
                                       "fuel_system",
                                       "components",
                                       "catalyst",
                                       "heated_catalyst",
                                       "evaporative",
                                       "secondary_air",
                                       "ac_refrigerant",
                                       "oxygen_sensor",
                                       "oxygen_sensor_heater",
                                       "egr_vvt",
                                       "nmhc_catalyst",
                                       "nox_aftertreatment",
                                       "boost_pressure",
                                       "exhaust_gas_sensor",
                                       "particulate_filter"};

static void read_readiness(const json_t *message, struct dtc_report *report)
{
    const json_t *all = json_object_get(message, "readiness");

    report->readiness_known = json_is_object(all);
    for (size_t i = 0; i < sizeof monitors / sizeof *monitors; i++) {
        const char *word = json_string_value(json_object_get(all, monitors[i]));

        if (!word)
            continue;
        report->supported |= UINT32_C(1) << i;
        if (!strcmp(word, "incomplete"))
            report->incomplete |= UINT32_C(1) << i;
    }
}

/* A control unit's name goes into texts of ours. */
static void copy_plain(char *out, size_t size, const char *text)
{
    text_copy(out, size, text);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\')
            *c = '?';
}

static bool room_for_codes(struct dtcs *d, size_t n)
{
    struct dtc *more = n > d->codes_room ? realloc(d->codes, n * sizeof *more) : d->codes;

    if (n <= d->codes_room)
        return true;
    if (more) {
        d->codes = more;
        d->codes_room = n;
    }
    return more;
}

static void read_list(struct dtcs *d, const json_t *dtcs, struct dtc_report *report)
{
    const json_t *code;
    size_t i;

    json_array_foreach(dtcs, i, code)
    {
        const char *name = json_string_value(json_object_get(code, "code"));
        const char *ecu = json_string_value(json_object_get(code, "ecu"));
        const char *state = json_string_value(json_object_get(code, "state"));
        int list = state ? dtc_list_of(state) : -1;
        struct dtc *to = &d->codes[report->n];

        if (!name || list < 0)
            continue;
        text_copy(to->code, sizeof to->code, name);
        copy_plain(to->ecu, sizeof to->ecu, ecu ? ecu : "");
        to->list = (enum dtc_list)list;
        report->n++;
    }
}

enum status dtcs_read_report(struct dtcs *d, const json_t *message, struct dtc_report *report,
                             struct fault *fault)
{
    const json_t *lists = json_object_get(message, "lists"), *mil = json_object_get(message, "mil");
    const json_t *dtcs = json_object_get(message, "dtcs");

    if (!room_for_codes(d, json_array_size(dtcs)))
        return fault_set(fault, ST_RETRY, "out of memory for trouble codes");
    for (int list = 0; list < DTC_LISTS; list++) {
        const char *word =
            json_string_value(json_object_get(lists, dtc_list_word((enum dtc_list)list)));

        report->extent[list] = word ? dtc_extent_of(word) : DTC_ABSENT;
    }
    report->mil = json_is_boolean(mil) ? json_is_true(mil) : -1;
    read_readiness(message, report);
    report->codes = d->codes;
    read_list(d, dtcs, report);
    return ST_OK;
}

/* ---- what it means */
static enum alert_severity severity_of(enum dtc_severity s)
{
    static const enum alert_severity severity[] = {ALERT_INFO, ALERT_WARNING, ALERT_MINOR,
                                                   ALERT_MAJOR};

    return severity[s];
}

static void describe(struct found *f, const struct dtc_fact *fact)
{
    const struct dtc *dtc = &fact->dtc;
    const char *fell = fact->fell ? ",\"distance_fell\":true" : "";

    if (fact->kind == DTC_ERASED) {
        (void)snprintf(f->data, sizeof f->data, "{\"erased\":true%s}", fell);
        return;
    }
    (void)snprintf(f->subject, sizeof f->subject, "%s %s %s", dtc->code, dtc->ecu,
                   dtc_list_word(dtc->list));
    (void)snprintf(f->data, sizeof f->data,
                   "{\"code\":\"%s\",\"ecu\":\"%s\",\"state\":\"%s\",\"first\":%lld,\"count\":%d,"
                   "\"erased\":%s%s}",
                   dtc->code, dtc->ecu, dtc_list_word(dtc->list), (long long)fact->first_ms,
                   fact->count, fact->erased ? "true" : "false", fell);
}

void dtcs_tell(const struct dtc_fact *fact, int64_t t_ms, struct car_out *out)
{
    unsigned both = fact->crowded ? FOUND_EVENT : FOUND_EVENT | FOUND_ALERT;
    struct found *f, *end;

    switch (fact->kind) {
    case DTC_NEW:
    case DTC_BACK:
        if ((f = car_out_add(out, both, "dtc_new", t_ms, 0)) != NULL) {
            describe(f, fact);
            f->severity = severity_of(dtc_severity(&fact->dtc));
        }
        return;
    case DTC_GONE:
    case DTC_ERASED:
        if ((f = car_out_add(out, both, "dtc_cleared", t_ms, 0)) == NULL)
            return;
        describe(f, fact);
        f->severity = fact->erased ? ALERT_WARNING : ALERT_INFO;
        if (fact->kind == DTC_GONE &&
            (end = car_out_add(out, FOUND_END, "dtc_new", t_ms, 0)) != NULL) {
            f = end - 1; /* the list may have moved */
            memcpy(end->subject, f->subject, sizeof end->subject);
        }
        return;
    case DTC_MIL_ON:
        if ((f = car_out_add(out, both, "mil_on", t_ms, 0)) != NULL)
            f->severity = ALERT_MAJOR;
        return;
    case DTC_MIL_OFF:
        (void)car_out_add(out, FOUND_END, "mil_on", t_ms, 0);
        return;
    }
}

/* ---- rows */
/* What went longest ago is forgotten: should it come once more, it is new.  Rows by where they lie:
 * dtc_status is locked, so nobody moves them, and joined to themselves they were read n times n. */
static enum status keep_newest(struct dtcs *d, const char *vin, struct fault *fault)
{
    const char *params[] = {vin, KNOWN_MAX};

    if (d->life.n <= KNOWN_MAX_N)
        return ST_OK;
    return pg_run(d->db,
                  "DELETE FROM dtc WHERE ctid = ANY (ARRAY (SELECT ctid FROM dtc WHERE vin = $1 "
                  "ORDER BY there DESC, gone_at DESC, code, ecu, list OFFSET $2::bigint)) "
                  "AND NOT there",
                  2, params, NULL, fault);
}

enum status dtcs_write_codes(struct dtcs *d, const char *vin, bool all, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT2,
                                PG_INT8, PG_INT8, PG_INT8, PG_INT8};
    struct pg_array *at = d->c.column;
    enum status st;

    columns_begin(&d->c, 9, types);
    for (size_t i = 0; i < d->life.n; i++) {
        const struct dtc_known *k = &d->life.known[i];
        const char *list = dtc_list_word(k->dtc.list);

        if (!all && k->last_ms != d->life.t_ms && k->gone_ms != d->life.t_ms)
            continue;
        pg_array_text(&at[0], vin, strlen(vin));
        pg_array_text(&at[1], k->dtc.code, strlen(k->dtc.code));
        pg_array_text(&at[2], k->dtc.ecu, strlen(k->dtc.ecu));
        pg_array_text(&at[3], list, strlen(list));
        pg_array_int2(&at[4], k->there);
        pg_array_int8(&at[5], k->first_ms);
        pg_array_int8(&at[6], k->last_ms);
        pg_array_int8(&at[7], k->gone_ms);
        pg_array_int8(&at[8], k->count);
    }
    st = columns_queue(
        &d->c, d->db, 9,
        "INSERT INTO dtc (vin, code, ecu, list, there, first_at, last_at, gone_at, count) "
        "SELECT DISTINCT ON (v, c, e, l) v, c, e, l, t <> 0, to_timestamp(f / 1000.0), "
        "to_timestamp(la / 1000.0), to_timestamp(nullif(g, 0) / 1000.0), n "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS x (v, c, e, l, t, f, la, g, n) "
        "ON CONFLICT (vin, code, ecu, list) DO UPDATE SET there = excluded.there, "
        "first_at = excluded.first_at, last_at = excluded.last_at, gone_at = excluded.gone_at, "
        "count = excluded.count",
        NULL, fault);
    return st == ST_OK ? keep_newest(d, vin, fault) : st;
}

enum status dtcs_write_status(struct dtcs *d, const char *vin, int mil, struct fault *fault)
{
    char at[24], supported[16], incomplete[16], km[40];
    const char *params[] = {vin,
                            at,
                            NULL,
                            d->life.readiness_known ? "t" : "f",
                            supported,
                            incomplete,
                            d->life.cleared_known ? km : NULL};

    if (mil >= 0)
        params[2] = mil ? "t" : "f";
    (void)snprintf(at, sizeof at, "%lld", (long long)d->life.t_ms);
    (void)snprintf(supported, sizeof supported, "%u", (unsigned)d->life.supported);
    (void)snprintf(incomplete, sizeof incomplete, "%u", (unsigned)d->life.incomplete);
    (void)snprintf(km, sizeof km, "%.17g", d->life.cleared_km);
    return pg_run(d->db,
                  "UPDATE dtc_status SET at = to_timestamp($2::bigint / 1000.0), "
                  "mil = coalesce($3::boolean, mil), readiness_known = $4::boolean, "
                  "supported = $5::bigint, incomplete = $6::bigint, "
                  "cleared_km = $7::double precision WHERE vin = $1",
                  7, params, NULL, fault);
}

/* The newest report there is, stepped over what was known. */
static enum status take_newest(struct dtcs *d, const char *vin, const json_t *message,
                               struct dtc_report *report, struct car_out *found,
                               struct fault *fault)
{
    enum status st = dtcs_read_report(d, message, report, fault);
    size_t n;

    if (st != ST_OK)
        return st;
    n = dtc_life_step(&d->life, report);
    for (size_t i = 0; i < n; i++)
        dtcs_tell(&d->life.facts[i], report->t_ms, found);
    if (d->life.caseless)
        metric_add(meters.codes_caseless, NULL, (double)d->life.caseless);
    if (d->life.forgotten)
        metric_add(meters.codes_crowded, NULL, (double)d->life.forgotten);
    if ((st = dtcs_write_codes(d, vin, false, fault)) == ST_OK)
        st = dtcs_write_status(d, vin, report->mil < 0 ? -1 : d->life.mil, fault);
    return st;
}

/* Reports of one time have the order that stepping anew gives them.  ST_NONE: one that is known
 * comes after this. */
static enum status is_last_of_its_time(struct dtcs *d, const struct record *r, struct fault *fault)
{
    char at[24], seq[24];
    const char *params[] = {r->from.topic.vin, at, seq, r->fact.id};
    PGresult *rows = NULL;
    enum status st;

    (void)snprintf(at, sizeof at, "%lld", (long long)r->fact.t_ms);
    (void)snprintf(seq, sizeof seq, "%lld", (long long)r->head.seq);
    st = pg_run(d->db,
                "SELECT FROM fact WHERE vin = $1 AND kind = 'diagnostics' AND "
                "occurred_at = to_timestamp($2::bigint / 1000.0) AND "
                "(seq, id) > ($3::bigint, $4::uuid) LIMIT 1",
                4, params, &rows, fault);
    if (st == ST_OK && PQntuples(rows) > 0)
        st = ST_NONE;
    PQclear(rows);
    return st;
}

/* ST_NONE: it is to be stepped with those there are, in their order. */
static enum status is_newest(struct dtcs *d, const struct record *r, struct fault *fault)
{
    int64_t t_ms = r->fact.t_ms;

    if (t_ms != d->life.t_ms)
        return t_ms > d->life.t_ms ? ST_OK : ST_NONE;
    return is_last_of_its_time(d, r, fault);
}

/* One that has a time. */
static enum status take_report(struct dtcs *d, const struct record *r, const json_t *message,
                               struct dtc_report *report, struct car_out *found,
                               struct fault *fault)
{
    enum status st = is_newest(d, r, fault);

    if (st == ST_OK)
        return take_newest(d, r->from.topic.vin, message, report, found, fault);
    if (st == ST_NONE && (d->late_ms == 0 || report->t_ms < d->late_ms))
        d->late_ms = report->t_ms;
    return st == ST_NONE ? ST_OK : st;
}

enum status dtcs_take(struct dtcs *d, const struct record *r, bool detects, struct car_out *found,
                      struct fault *fault)
{
    const char *vin = r->from.topic.vin;
    struct dtc_report report = {.t_ms = r->fact.t_ms};
    struct cleared_value told = {0};
    json_t *message = NULL;
    enum status st = json_read(&message, r->payload, r->len, JSON_MAX_BYTES, fault);

    if (st != ST_OK)
        return st == ST_REJECT ? ST_OK : st; /* it was read before: it is none of ours */
    dtc_life_clear(&d->life);
    if ((st = read_status(d, vin, &told, fault)) == ST_OK)
        st = read_codes(d, vin, fault);
    report.cleared_km = cleared_then(d, told, report.t_ms);
    if (st == ST_OK)
        st = dtcs_see_vin(d, r, message, detects, found, fault);
    if (st == ST_OK && report.t_ms > 0)
        st = take_report(d, r, message, &report, found, fault);
    if (st == ST_OK && d->life.failed)
        st = fault_set(fault, ST_RETRY, "out of memory for trouble codes");
    json_decref(message);
    return st;
}
