/* services/ingest/commit/dtcs_again.c - reports that came late: all of them once more, in order of
 * time.  Twice: what is an alert is known in the end alone. */
#include <stdlib.h>
#include <string.h>

#include "dtcs_inside.h"
#include "lib/text.h"
#include "proto/hash.h"
#include "proto/json.h"

#define AGAIN_MAX "1000"
#define AGAIN_MAX_N 1000
#define AGAIN_BYTES                                                                                \
    ((size_t)2 << 20)          /* a car that tells thousands of codes gets less of its past */
#define CORRECTED_AT_ONCE 1000 /* events of those reports: a hundred thousand may be */
#define KEY_BYTES (sizeof((struct found *)0)->type + sizeof((struct found *)0)->subject)
#define SAID_BYTES 64

/* Columns of past.events. */
enum { EVENT_KEY = 0, EVENT_MS, EVENT_SAID, EVENT_FELL, EVENT_AT };

struct past {
    const char *vin;
    PGresult *reports, *events; /* newest first; those there are, since from_ms */
    PGresult *waiting;          /* codes whose case waits for an end */
    PGresult *codes;            /* of before the reports; NULL: there are none older */
    int n;                      /* reports */
    bool older;                 /* there are older ones than those */
    int64_t from_ms;            /* the earliest late one */
    int64_t mil_ms;             /* when the lamp changed last */
    int mil;                    /* as it was read last; -1: never */
    struct car_out *found;
    size_t found_before; /* entries of it that are not of this */
};

/* ---- what is stored */
/* Those that are stepped again: at least one. */
static int count_reports(const PGresult *reports)
{
    size_t bytes = 0;
    int n = 0;

    while (n < PQntuples(reports) && n < AGAIN_MAX_N && (n == 0 || bytes < AGAIN_BYTES))
        bytes += (size_t)PQgetlength(reports, n++, 1);
    return n;
}

static enum status read_reports(struct dtcs *d, struct past *p, struct fault *fault)
{
    const char *params[] = {p->vin};
    enum status st;

    st = pg_run(d->db,
                "SELECT ms(occurred_at), jsonb_build_object('dtcs', body -> 'dtcs', 'lists', "
                "body -> 'lists', 'mil', body -> 'mil', 'readiness', body -> 'readiness') "
                "FROM fact WHERE vin = $1 AND kind = 'diagnostics' AND occurred_at IS NOT NULL "
                "ORDER BY occurred_at DESC, seq DESC, id DESC LIMIT " AGAIN_MAX " + 1",
                1, params, &p->reports, fault);
    if (st != ST_OK)
        return st;
    p->n = count_reports(p->reports);
    p->older = p->n < PQntuples(p->reports);
    if (p->older && p->from_ms <= pg_text_int8(p->reports, p->n - 1, 0))
        p->from_ms = pg_text_int8(p->reports, p->n - 1, 0) + 1;
    return ST_OK;
}

/* What an event says is compared here: of a hundred thousand that are told once more nearly all say
 * the same. */
static enum status read_events(struct dtcs *d, struct past *p, struct fault *fault)
{
    char from[24];
    const char *params[] = {p->vin, from};

    (void)snprintf(from, sizeof from, "%lld", (long long)p->from_ms);
    return pg_run(
        d->db,
        "SELECT type || ' ' || subject, ms(occurred_at), concat_ws(' ', data ->> 'count', "
        "data ->> 'first', data ->> 'erased', data ->> 'distance_fell'), "
        "coalesce(data -> 'distance_fell' = 'true', false), ctid "
        "FROM event WHERE vin = $1 AND occurred_at >= to_timestamp($2::bigint / 1000.0) "
        "AND source = 'ingest' AND NOT withdrawn AND type IN ('dtc_new', 'dtc_cleared', "
        "'mil_on') ORDER BY 4 DESC FOR UPDATE",
        2, params, &p->events, fault);
}

static enum status read_waiting(struct dtcs *d, struct past *p, struct fault *fault)
{
    const char *params[] = {p->vin};

    return pg_run(d->db,
                  "SELECT subject FROM alert WHERE vin = $1 AND type = 'dtc_new' AND "
                  "(state <> 'cleared' OR held_down)",
                  1, params, &p->waiting, fault);
}

/* $3: what this group's own reports have brought, which stands in no row of event yet. */
static void add_brought(struct dtcs *d, const struct past *p)
{
    static const Oid types[] = {PG_TEXT};

    columns_begin(&d->c, 1, types);
    for (size_t i = 0; i < p->found->found_n; i++) {
        const struct found *f = &p->found->found[i];

        if ((f->parts & FOUND_EVENT) && f->occurred_ms >= p->from_ms && !strcmp(f->type, "dtc_new"))
            pg_array_text(&d->c.column[0], f->subject, strlen(f->subject));
    }
    pg_array_end(&d->c.column[0]);
}

/* Codes that were known before the late one, and how often they had come then.  A join would
 * compare each code with each event. */
static enum status read_older(struct dtcs *d, struct past *p, struct fault *fault)
{
    struct pg_array *brought = &d->c.column[0];
    const int formats[] = {0, 0, 1};
    char at[24];

    (void)snprintf(at, sizeof at, "%lld", (long long)p->from_ms - 1);
    add_brought(d, p);
    if (brought->failed)
        return fault_set(fault, ST_RETRY, "out of memory for trouble codes");
    return pg_run_typed(
        d->db,
        "SELECT min(code), min(ecu), min(list), ms(min(first_at)), greatest(1, min(count) - "
        "count(*) FILTER (WHERE code IS NULL)), bool_or(there) FROM (SELECT concat_ws(' ', code, "
        "ecu, list) AS subject, code, ecu, list, first_at, count, there OR gone_at > "
        "to_timestamp($2::bigint / 1000.0) AS there FROM dtc WHERE vin = $1 AND first_at <= "
        "to_timestamp($2::bigint / 1000.0) UNION ALL SELECT subject, NULL, NULL, NULL, NULL, NULL, "
        "NULL FROM event WHERE vin = $1 AND type = 'dtc_new' AND NOT withdrawn AND occurred_at > "
        "to_timestamp($2::bigint / 1000.0) UNION ALL SELECT s, NULL, NULL, NULL, NULL, NULL, NULL "
        "FROM unnest($3) AS b (s)) x GROUP BY subject HAVING count(code) > 0",
        3, (const Oid[]){PG_TEXT, PG_TEXT, pg_array_type(brought)},
        (const char *const[]){p->vin, at, brought->bytes}, (const int[]){0, 0, (int)brought->len},
        formats, &p->codes, fault);
}

/* d->life as it was before the first of the reports. */
static void begin_anew(struct dtcs *d, const struct past *p)
{
    dtc_life_clear(&d->life);
    for (int i = 0; i < PQntuples(p->codes); i++)
        dtcs_read_code(&d->life,
                       (struct dtc_known){.first_ms = pg_text_int8(p->codes, i, 3),
                                          .count = (int)pg_text_int8(p->codes, i, 4),
                                          .there = *PQgetvalue(p->codes, i, 5) == 't'},
                       p->codes, i);
}

/* What came between the first of the reports and the late one was counted when it came. */
static void recount(struct dtcs *d, const struct past *p)
{
    for (int i = 0; i < PQntuples(p->codes); i++) {
        struct dtc code = dtcs_read_dtc(p->codes, i);

        dtc_life_recount(&d->life, &code, (int)pg_text_int8(p->codes, i, 4));
    }
}

/* ---- once more */
/* Samples may have told it too long ago to be remembered: who saw it fall then said so. */
static bool distance_fell(const struct past *p, int64_t t_ms)
{
    for (int i = 0; i < PQntuples(p->events) && *PQgetvalue(p->events, i, EVENT_FELL) == 't'; i++)
        if (pg_text_int8(p->events, i, EVENT_MS) == t_ms)
            return true;
    for (size_t i = 0; i < p->found_before; i++) {
        const struct found *f = &p->found->found[i];

        if (f->occurred_ms == t_ms && !strcmp(f->type, "dtc_cleared") &&
            strstr(f->data, "\"distance_fell\":true"))
            return true;
    }
    return false;
}

/* The i-th of them, the oldest first.  ST_REJECT: it is none. */
static enum status read_report(struct dtcs *d, const struct past *p, int i,
                               struct dtc_report *report, struct fault *fault)
{
    int row = p->n - 1 - i;
    size_t len = (size_t)PQgetlength(p->reports, row, 1); /* more than came: jsonb adds spaces */
    json_t *message = NULL;
    enum status st;

    *report = (struct dtc_report){.t_ms = pg_text_int8(p->reports, row, 0)};
    report->cleared_km = cleared_km(d->cleared, report->t_ms);
    if ((st = json_read(&message, PQgetvalue(p->reports, row, 1), len, len, fault)) != ST_OK)
        return st;
    st = dtcs_read_report(d, message, report, fault);
    json_decref(message);
    report->fell = report->t_ms >= p->from_ms && distance_fell(p, report->t_ms);
    return st;
}

/* The place of an event in d->by_key, or where it would be. */
static uint32_t *place_of(struct dtcs *d, const struct past *p, int64_t t_ms, const char *key)
{
    uint32_t *at = slots_first(&d->by_key, hash_bytes((uint64_t)t_ms, key, strlen(key)));

    for (; *at; at = slots_next(&d->by_key, at)) {
        int row = (int)*at - 1;

        if (pg_text_int8(p->events, row, EVENT_MS) == t_ms &&
            !strcmp(PQgetvalue(p->events, row, EVENT_KEY), key))
            break;
    }
    return at;
}

/* The same in d->waiting. */
static uint32_t *place_waiting(struct dtcs *d, const struct past *p, const char *subject)
{
    uint32_t *at = slots_first(&d->waiting, hash_bytes(0, subject, strlen(subject)));

    while (*at && strcmp(PQgetvalue(p->waiting, (int)*at - 1, 0), subject) != 0)
        at = slots_next(&d->waiting, at);
    return at;
}

/* A code that comes and goes leaves thousands of them. */
static bool sort_rows(struct dtcs *d, const struct past *p)
{
    int n = PQntuples(p->events), waiting_n = PQntuples(p->waiting);

    if (!slots_begin(&d->by_key, (size_t)n) || !slots_begin(&d->waiting, (size_t)waiting_n))
        return false;
    for (int i = 0; i < n; i++)
        *place_of(d, p, pg_text_int8(p->events, i, EVENT_MS), PQgetvalue(p->events, i, EVENT_KEY)) =
            (uint32_t)i + 1;
    for (int i = 0; i < waiting_n; i++)
        *place_waiting(d, p, PQgetvalue(p->waiting, i, 0)) = (uint32_t)i + 1;
    return true;
}

/* Rows that are locked are written where they lie, some at a time. */
static enum status write_corrected(struct dtcs *d, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_JSONB};
    enum status st = columns_run(&d->c, d->db, 2,
                                 "UPDATE event e SET data = g.data FROM unnest($1, $2) "
                                 "AS g (at, data) WHERE e.ctid = g.at::tid",
                                 NULL, fault);

    columns_begin(&d->c, 2, types);
    return st;
}

/* Exactly as read_events has it. */
static void print_said(char *out, size_t size, const struct dtc_fact *fact)
{
    const char *fell = fact->fell ? " true" : "";

    out[0] = '\0';
    if (fact->kind == DTC_ERASED)
        (void)snprintf(out, size, "true%s", fell);
    else if (fact->kind != DTC_MIL_ON && fact->kind != DTC_MIL_OFF)
        (void)snprintf(out, size, "%d %lld %s%s", fact->count, (long long)fact->first_ms,
                       fact->erased ? "true" : "false", fell);
}

/* An event there is already is told no more, and stays where it was; only what it says of the code
 * may be otherwise now. */
static void match(struct dtcs *d, const struct past *p, const struct dtc_fact *fact,
                  struct found *f)
{
    char key[KEY_BYTES], said[SAID_BYTES];
    const char *at;
    uint32_t place;

    (void)snprintf(key, sizeof key, "%s %s", f->type, f->subject);
    place = *place_of(d, p, f->occurred_ms, key);
    if (!place)
        return;
    f->parts &= ~(unsigned)(FOUND_ALERT | FOUND_EVENT);
    print_said(said, sizeof said, fact);
    if (d->kept[place - 1] || !strcmp(PQgetvalue(p->events, (int)place - 1, EVENT_SAID), said)) {
        d->kept[place - 1] = true;
        return;
    }
    d->kept[place - 1] = true;
    at = PQgetvalue(p->events, (int)place - 1, EVENT_AT);
    pg_array_text(&d->c.column[0], at, strlen(at));
    pg_array_jsonb(&d->c.column[1], f->data, strlen(f->data));
}

/* What is left of it to be told. */
static unsigned sift(struct dtcs *d, const struct past *p, const struct dtc_fact *fact, bool last,
                     struct found *f)
{
    if (!last)
        f->parts &= FOUND_EVENT;
    if (f->parts & FOUND_EVENT)
        match(d, p, fact, f);
    if ((f->parts & FOUND_END) && *f->subject && !*place_waiting(d, p, f->subject))
        f->parts &= ~(unsigned)FOUND_END;
    return f->parts;
}

static enum status tell(struct dtcs *d, const struct past *p, size_t n, int64_t t_ms,
                        struct fault *fault)
{
    struct car_out *out = p->found;

    for (size_t i = 0; i < n; i++) {
        const struct dtc_fact *fact = &d->life.facts[i];
        bool lamp = fact->kind == DTC_MIL_ON || fact->kind == DTC_MIL_OFF;
        bool last = lamp ? t_ms == p->mil_ms : dtc_life_is_last(&d->end, fact);
        size_t from = out->found_n, to = from;

        dtcs_tell(fact, t_ms, out);
        for (size_t at = from; at < out->found_n; at++) {
            if (sift(d, p, fact, last, &out->found[at]) == 0)
                continue;
            if (to != at)
                out->found[to] = out->found[at];
            to++;
        }
        out->found_n = to;
    }
    return d->c.column[0].count < CORRECTED_AT_ONCE ? ST_OK : write_corrected(d, fault);
}

static void note_lamp(struct past *p, const struct dtc_report *report, const struct dtc_life *life)
{
    if (report->mil >= 0)
        p->mil = life->mil;
    for (size_t i = 0; i < life->facts_n; i++)
        if (life->facts[i].kind == DTC_MIL_ON || life->facts[i].kind == DTC_MIL_OFF)
            p->mil_ms = report->t_ms;
}

/* d->life steps; with d->end known it tells. */
static enum status step_all(struct dtcs *d, struct past *p, bool tells, struct fault *fault)
{
    struct dtc_report report;
    bool counted = !p->older;
    enum status st;

    for (int i = 0; i < p->n; i++) {
        size_t n;

        if ((st = read_report(d, p, i, &report, fault)) == ST_REJECT)
            continue;
        if (st != ST_OK)
            return st;
        if (i == 0 && p->older)
            dtc_life_ground(&d->life, &report);
        if (!counted && report.t_ms >= p->from_ms) {
            recount(d, p);
            counted = true;
        }
        n = dtc_life_step(&d->life, &report);
        if (!tells)
            note_lamp(p, &report, &d->life);
        else if (report.t_ms >= p->from_ms && (st = tell(d, p, n, report.t_ms, fault)) != ST_OK)
            return st;
    }
    return d->life.failed ? fault_set(fault, ST_RETRY, "out of memory for trouble codes") : ST_OK;
}

/* What this group's own reports said stands in no row yet, and is said again. */
static void take_back(struct past *p)
{
    for (size_t i = 0; i < p->found->found_n; i++) {
        struct found *f = &p->found->found[i];

        if (!strncmp(f->type, "dtc_", 4) || !strcmp(f->type, "mil_on"))
            f->parts = 0;
    }
    p->found_before = p->found->found_n;
}

static enum status step_twice(struct dtcs *d, struct past *p, struct fault *fault)
{
    struct dtc_life before = d->life, spare = d->end; /* their memory goes to and fro */
    bool cleared_known = before.cleared_known;
    double cleared_km = before.cleared_km;
    static const Oid types[] = {PG_TEXT, PG_JSONB};
    enum status st;

    if (p->older && (st = read_older(d, p, fault)) != ST_OK)
        return st;
    d->life = spare;
    d->end = before;
    begin_anew(d, p);
    if ((st = step_all(d, p, false, fault)) != ST_OK)
        return st;
    if (d->life.t_ms < before.t_ms) { /* that one is not stored any more */
        p->n = 0;
        return ST_OK;
    }
    before = d->end;
    d->end = d->life;
    d->life = before;
    take_back(p);
    begin_anew(d, p);
    columns_begin(&d->c, 2, types);
    if ((st = step_all(d, p, true, fault)) == ST_OK)
        st = write_corrected(d, fault);
    d->life.cleared_known = cleared_known;
    d->life.cleared_km = cleared_km;
    return st;
}

/* ---- rows */
static bool make_room(struct dtcs *d, size_t n)
{
    bool *kept = n > d->kept_room ? realloc(d->kept, n * sizeof *kept) : d->kept;

    if (n > d->kept_room) {
        if (!kept)
            return false;
        d->kept = kept;
        d->kept_room = n;
    }
    if (n)
        memset(d->kept, 0, n * sizeof *d->kept);
    return true;
}

static bool add_gone(struct dtcs *d, size_t n, int64_t t_ms, const char *type, const char *subject)
{
    size_t room = d->gone_room ? 2 * d->gone_room : 16;
    struct found *more = n < d->gone_room ? d->gone : realloc(d->gone, room * sizeof *more);

    if (!more)
        return false;
    if (n == d->gone_room)
        d->gone_room = room;
    d->gone = more;
    more[n] = (struct found){.occurred_ms = t_ms};
    text_copy(more[n].type, sizeof more[n].type, type);
    text_copy(more[n].subject, sizeof more[n].subject, subject);
    return true;
}

/* The case of a code that is there goes on, whenever it came: what was a moment of its own never
 * was.  The rows are locked since they were read, so they lie where they did: no index has to be
 * chosen for them. */
static enum status withdraw(struct dtcs *d, const struct past *p, size_t *gone_n,
                            struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};
    static const char cleared[] = "dtc_cleared";
    static const size_t len = sizeof cleared - 1;

    columns_begin(&d->c, 1, types);
    for (int i = 0; i < PQntuples(p->events); i++) {
        const char *key = PQgetvalue(p->events, i, EVENT_KEY);
        const char *at = PQgetvalue(p->events, i, EVENT_AT);

        if (d->kept[i])
            continue;
        pg_array_text(&d->c.column[0], at, strlen(at));
        if (strncmp(key, cleared, len) != 0) /* and a space behind it */
            continue;
        if (!add_gone(d, *gone_n, pg_text_int8(p->events, i, EVENT_MS), cleared, key + len + 1))
            return fault_set(fault, ST_RETRY, "out of memory for trouble codes");
        (*gone_n)++;
    }
    return columns_queue(&d->c, d->db, 1,
                         "UPDATE event e SET withdrawn = true FROM unnest($1) AS g (at) "
                         "WHERE e.ctid = g.at::tid",
                         NULL, fault);
}

enum status dtcs_settle(struct dtcs *d, const char *vin, struct car_out *found, struct found **gone,
                        size_t *gone_n, struct fault *fault)
{
    struct past p = {.vin = vin, .from_ms = d->late_ms, .mil = -1, .found = found};
    enum status st;

    *gone_n = 0;
    if (d->late_ms == 0)
        return ST_OK;
    d->late_ms = 0;
    if ((st = read_reports(d, &p, fault)) == ST_OK && (st = read_events(d, &p, fault)) == ST_OK &&
        (st = read_waiting(d, &p, fault)) == ST_OK &&
        (!make_room(d, (size_t)PQntuples(p.events)) || !sort_rows(d, &p)))
        st = fault_set(fault, ST_RETRY, "out of memory for trouble codes");
    if (st == ST_OK)
        st = step_twice(d, &p, fault);
    if (st == ST_OK && p.n > 0 && (st = withdraw(d, &p, gone_n, fault)) == ST_OK &&
        (st = dtcs_write_codes(d, vin, true, fault)) == ST_OK)
        st = dtcs_write_status(d, vin, p.mil, fault);
    PQclear(p.reports);
    PQclear(p.events);
    PQclear(p.waiting);
    PQclear(p.codes);
    *gone = d->gone;
    return st;
}
