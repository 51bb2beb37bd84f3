/* services/ingest/commit/cases_recast.c - cases once more, where their facts came late: read them
 * and the events they are made of, let recast.h say what they are, and write what that changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recast_inside.h"

enum { ROW_TYPE = 20, ROW_SUBJECT, ROW_HANDLED }; /* after CASE_COLUMNS */
/* Of what a car tells itself: others' records wait for that, and it may come each time. */
#define TOLD_MOST 1000
#define TOLD_LIMIT "1001"
#define HANDLED                                                                                    \
    "CASE WHEN a.state = 'acknowledged' THEN 3 WHEN a.acknowledged_at IS NOT NULL THEN 2 "         \
    "WHEN a.assigned_to IS NOT NULL OR EXISTS (SELECT FROM alert_comment t WHERE "                 \
    "t.alert_id = a.id) THEN 1 ELSE 0 END"
#define TYPES_TEXT (CASE_TYPES_MAX * 33 + 3)
/* ---- what there is */
static bool is_about(const struct case_again *again, const struct case_step *step)
{
    const struct alert_key *key = &step->raise.key;
    bool listed = false;

    for (size_t i = 0; i < again->types_n; i++)
        listed |= !strcmp(again->types[i], key->type);
    return listed && step->way == (again->told ? CASE_LATE : CASE_IN_ORDER) &&
           !strcmp(again->vin, key->vin) &&
           (!again->subject || !strcmp(again->subject, key->subject));
}

/* What was told, or taken back, after after_ms may have begun before. */
static int64_t begins_after(const struct recasting *r)
{
    int64_t after_ms = r->again->after_ms;

    for (size_t i = 0; i < r->c->steps_n; i++) {
        const struct case_step *step = &r->c->steps[i];

        if (step->verb != CASE_END && is_about(r->again, step) &&
            step->raise.occurred_ms <= after_ms)
            after_ms = step->raise.occurred_ms - 1;
    }
    return after_ms;
}

static void list_types(const struct case_again *again, char *out, size_t size)
{
    text_copy(out, size, "{");
    for (size_t i = 0; i < again->types_n; i++)
        (void)snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? "," : "",
                       again->types[i]);
    (void)snprintf(out + strlen(out), size - strlen(out), "}");
}

static enum status read_rows(struct recasting *r, struct fault *fault)
{
    char after[24], types[TYPES_TEXT];
    const char *params[] = {r->again->vin, types, r->again->subject, after,
                            r->again->told ? TOLD_LIMIT : NULL};

    list_types(r->again, types, sizeof types);
    (void)snprintf(after, sizeof after, "%lld", (long long)begins_after(r));
    return pg_run(
        r->c->db,
        "SELECT 0, " CASE_COLUMNS ", a.type, a.subject, " HANDLED
        " FROM alert a WHERE a.vin = $1 AND "
        "a.ending <> 'point' AND a.type = ANY ($2::text[]) AND a.subject = coalesce($3, "
        "a.subject) AND greatest(a.occurred_at, a.last_at, a.ended_at) > "
        "to_timestamp($4::bigint / 1000.0) ORDER BY a.occurred_at, a.id LIMIT $5::bigint FOR "
        "UPDATE OF a",
        5, params, &r->rows, fault);
}

/* A car tells no subject of an event; of its case it is the kind (tell_told). */
static enum status read_events(struct recasting *r, int64_t since_ms, struct fault *fault)
{
    char since[24], types[TYPES_TEXT];
    const char *params[] = {r->again->vin, since, types, r->again->subject,
                            r->again->told ? TOLD_LIMIT : NULL};

    list_types(r->again, types, sizeof types);
    (void)snprintf(since, sizeof since, "%lld", (long long)since_ms);
    return pg_run(r->c->db,
                  "SELECT type, about, ms(occurred_at), severity, told_ms, source = 'ingest', "
                  "withdrawn, data, lat, lon FROM event e, LATERAL (SELECT CASE WHEN source = "
                  "'ingest' THEN subject WHEN type = 'low_battery' THEN left(coalesce(data ->> "
                  "'kind', ''), 79) ELSE '' END AS about) x "
                  "WHERE vin = $1 AND severity IS NOT NULL AND occurred_at >= "
                  "to_timestamp($2::bigint / 1000.0) AND type = ANY ($3::text[]) AND "
                  "about = coalesce($4, about) ORDER BY occurred_at, id LIMIT $5::bigint",
                  5, params, &r->events, fault);
}

static bool same_key(const struct alert_key *a, const char *type, const char *subject)
{
    return !strcmp(a->type, type) && !strcmp(a->subject, subject);
}

static struct key_now *key_of(struct recasting *r, const char *type, const char *subject)
{
    struct key_now *k;

    for (size_t i = 0; i < r->keys_n; i++)
        if (same_key(&r->keys[i].key, type, subject))
            return &r->keys[i];
    if (!room_grow((void **)&r->keys, sizeof *r->keys, r->keys_n + 1, &r->keys_room))
        return NULL;
    k = &r->keys[r->keys_n++];
    *k = (struct key_now){.since_ms = r->again->after_ms + 1};
    text_copy(k->key.vin, sizeof k->key.vin, r->again->vin);
    text_copy(k->key.type, sizeof k->key.type, type);
    text_copy(k->key.subject, sizeof k->key.subject, subject);
    return k;
}

static void look_since(struct key_now *k, int64_t t_ms)
{
    k->since_ms = t_ms < k->since_ms ? t_ms : k->since_ms;
}

static bool find_keys(struct recasting *r)
{
    for (int i = 0; i < PQntuples(r->rows); i++) {
        const char *reason = PQgetvalue(r->rows, i, 5);
        struct key_now *k =
            key_of(r, PQgetvalue(r->rows, i, ROW_TYPE), PQgetvalue(r->rows, i, ROW_SUBJECT));

        if (!k)
            return false;
        k->as_ever |= !strcmp(reason, "person") || !strcmp(reason, "retired");
        if (!strcmp(reason, "corrected"))
            continue;
        look_since(k, pg_text_int8(r->rows, i, 6));
        if (k->case_ms == 0) /* they are in order */
            k->case_ms = pg_text_int8(r->rows, i, 6);
    }
    for (size_t i = 0; i < r->c->steps_n; i++) {
        const struct case_step *step = &r->c->steps[i];
        struct key_now *k;

        if (!is_about(r->again, step))
            continue;
        if (!(k = key_of(r, step->raise.key.type, step->raise.key.subject)))
            return false;
        if (step->verb != CASE_END)
            look_since(k, step->raise.occurred_ms);
    }
    return true;
}

/* How much of people's work is in those before. */
static enum status read_handled(struct recasting *r, struct fault *fault)
{
    static const Oid types[] = {PG_UUID};

    columns_begin(&r->c->c, 1, types);
    for (size_t i = 0; i < r->keys_n; i++)
        if (case_was(&r->before[i]))
            pg_array_uuid(&r->c->c.column[0], r->before[i].alert.id);
    return columns_run(&r->c->c, r->c->db, 1,
                       "SELECT a.id, " HANDLED
                       " FROM unnest($1) AS k (i) JOIN alert a ON a.id = k.i "
                       "ORDER BY 1",
                       &r->handled, fault);
}

static enum status read_before(struct recasting *r, struct fault *fault)
{
    enum status st;

    r->before = calloc(r->keys_n + 1, sizeof *r->before);
    if (!r->before)
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < r->keys_n; i++) {
        r->before[i].key = r->keys[i].key;
        r->before[i].until_ms = r->keys[i].since_ms - 1;
    }
    st = case_rows_read(&r->c->c, r->c->db, r->before, r->keys_n, fault);
    return st == ST_OK ? read_handled(r, fault) : st;
}

/* ---- a key: what is stored, and what happened */
static void take_stored(struct recasting *r, const struct key_now *k, struct case_now *before)
{
    r->stored_n = 0;
    if (case_was(before)) {
        int row = case_rows_find(r->handled, before->alert.id);

        r->stored[r->stored_n] = *before;
        r->row[r->stored_n++] = (struct recast_row){
            .alert = before->alert, .handled = row < 0 ? 0 : (int)pg_text_int8(r->handled, row, 1)};
    }
    for (int i = 0; i < PQntuples(r->rows); i++) {
        struct case_now *now = &r->stored[r->stored_n];

        if (!same_key(&k->key, PQgetvalue(r->rows, i, ROW_TYPE),
                      PQgetvalue(r->rows, i, ROW_SUBJECT)))
            continue;
        *now = (struct case_now){.key = k->key};
        case_rows_scan(r->rows, i, now);
        r->row[r->stored_n++] = (struct recast_row){
            .alert = now->alert, .handled = (int)pg_text_int8(r->rows, i, ROW_HANDLED)};
    }
}

static struct recast_step *add_step(struct recasting *r, int64_t t_ms, bool ends, bool kept)
{
    struct recast_step *s = &r->steps[r->steps_n++];

    *s = (struct recast_step){.t_ms = t_ms, .ends = ends, .kept = kept};
    return s;
}

static enum alert_severity severity_of(const char *word)
{
    int s = ALERT_INFO;

    while (s < ALERT_CRITICAL && strcmp(word, alert_severity_word((enum alert_severity)s)) != 0)
        s++;
    return (enum alert_severity)s;
}

/* Nobody is late for a stay that time alone told. */
int64_t recast_told_ms(const struct recasting *r, int event)
{
    int64_t told = pg_text_int8(r->events, event, EVENT_TOLD);

    if (told > 0 || !strcmp(PQgetvalue(r->events, event, EVENT_TYPE), "geofence_dwell"))
        return told;
    return pg_text_int8(r->events, event, EVENT_AT);
}

/* Events are in the order of time, and of the steps there are only raises as yet. */
static bool has_raise(const struct recasting *r, int64_t t_ms)
{
    size_t from = 0, to = r->steps_n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (r->steps[middle].t_ms < t_ms)
            from = middle + 1;
        else
            to = middle;
    }
    return from < r->steps_n && r->steps[from].t_ms == t_ms;
}

/* A car may tell something by an id that an event of it has already, and then it is none. */
static bool are_events(const struct recasting *r, const struct key_now *k)
{
    for (size_t i = 0; i < r->c->steps_n; i++) {
        const struct case_step *step = &r->c->steps[i];

        if (step->verb == CASE_RAISE && is_about(r->again, step) &&
            same_key(&k->key, step->raise.key.type, step->raise.key.subject) &&
            !has_raise(r, step->raise.occurred_ms))
            return false;
    }
    return true;
}

static void take_raises(struct recasting *r, struct key_now *k)
{
    bool began = k->case_ms == 0;

    for (int i = 0; i < PQntuples(r->events); i++) {
        int64_t at_ms = pg_text_int8(r->events, i, EVENT_AT);
        struct recast_step *s;

        if (at_ms < k->since_ms || !same_key(&k->key, PQgetvalue(r->events, i, EVENT_TYPE),
                                             PQgetvalue(r->events, i, EVENT_SUBJECT)))
            continue;
        began |= at_ms == k->case_ms;
        k->as_ever |= !r->again->told && *PQgetvalue(r->events, i, EVENT_OURS) == 'f';
        if (*PQgetvalue(r->events, i, EVENT_GONE) == 't')
            continue;
        s = add_step(r, at_ms, false, false);
        s->severity = severity_of(PQgetvalue(r->events, i, EVENT_SEVERITY));
        s->told_ms = recast_told_ms(r, i);
        s->about = (size_t)i;
    }
    k->as_ever |= !began; /* its events are not kept any more */
    k->as_ever |= !are_events(r, k);
}

static void take_ends(struct recasting *r, const struct key_now *k)
{
    for (size_t j = 0; j < r->stored_n; j++) {
        const struct alert *a = &r->row[j].alert;
        bool before = a->occurred_ms < k->since_ms;

        if (a->reason == ALERT_CORRECTED || before)
            continue;
        for (int e = 0; e < a->ends; e++)
            if (r->again->told || a->ends_ms[e] <= r->again->after_ms)
                (void)add_step(r, a->ends_ms[e], true, true);
        if (a->ends == 0 && a->ended_ms > 0 &&
            (r->again->told || a->ended_ms <= r->again->after_ms))
            (void)add_step(r, a->ended_ms, true, true); /* from before ends were kept */
    }
    for (size_t i = 0; i < r->c->steps_n; i++) {
        const struct case_step *step = &r->c->steps[i];

        if (step->verb == CASE_END && is_about(r->again, step) &&
            same_key(&k->key, step->raise.key.type, step->raise.key.subject))
            (void)add_step(r, step->raise.occurred_ms, true, false);
    }
}

static struct alert_raise like(const struct recasting *r, const struct key_now *k)
{
    struct alert_raise raise = {.key = k->key, .detected_ms = r->now_ms};
    enum alert_severity usual;

    raise.ending = ALERT_CONDITION;
    (void)alert_type(k->key.type, &raise.ending, &usual);
    raise.ends = raise.ending == ALERT_CONDITION;
    for (size_t i = 0; r->again->told && i < r->c->steps_n; i++)
        if (is_about(r->again, &r->c->steps[i]) && r->c->steps[i].verb == CASE_RAISE)
            raise.ends = r->c->steps[i].raise.ends;
    return raise;
}

/* ---- a key */
/* Room for all that any key may have. */
static bool make_room(struct recasting *r)
{
    size_t rows = (size_t)PQntuples(r->rows) + 1, cases = (size_t)PQntuples(r->events) + 1;
    size_t steps = cases + rows * (ALERT_ENDS + 1) + r->c->steps_n;

    r->stored = calloc(rows, sizeof *r->stored);
    r->row = calloc(rows, sizeof *r->row);
    r->steps = calloc(steps, sizeof *r->steps);
    r->cases = calloc(cases, sizeof *r->cases);
    r->row_of = calloc(cases, sizeof *r->row_of);
    r->new_at = calloc(cases, sizeof *r->new_at);
    return r->stored && r->row && r->steps && r->cases && r->row_of && r->new_at;
}

static void mark_steps(struct recasting *r, const struct key_now *k)
{
    for (size_t i = 0; i < r->c->steps_n; i++) {
        struct case_step *step = &r->c->steps[i];

        if (!is_about(r->again, step) ||
            !same_key(&k->key, step->raise.key.type, step->raise.key.subject))
            continue;
        if (!k->as_ever)
            step->way = CASE_TAKEN;
        else if (r->again->told)
            step->way = CASE_AS_EVER;
    }
}

static enum status recast_key(struct recasting *r, struct key_now *k, struct case_now *before,
                              struct fault *fault)
{
    const struct alert_raise raise = like(r, k);
    struct alert begin = {.state = ALERT_NONE};

    take_stored(r, k, before);
    r->steps_n = 0;
    take_raises(r, k);
    if (k->as_ever)
        return ST_OK;
    take_ends(r, k);
    r->steps_n = recast_sort(r->steps, r->steps_n, r->again->told ? INT64_MAX : r->again->after_ms);
    if (case_was(before))
        begin = before->alert;
    r->cases_n = recast(&begin, &raise, r->steps, r->steps_n, r->cases, NULL, NULL);
    recast_match(r->cases, r->cases_n, r->row, r->stored_n, r->row_of);
    return recast_write_key(r, &begin, &raise, fault);
}

/* ---- all of them */
/* Then its keys are as ever. */
static void leave_crowds(struct recasting *r)
{
    bool crowd = PQntuples(r->rows) > TOLD_MOST || PQntuples(r->events) > TOLD_MOST;

    for (size_t i = 0; i < r->keys_n; i++)
        r->keys[i].as_ever |= r->again->told && crowd;
}

static int open_last(const void *a, const void *b)
{
    const struct case_now *x = a, *y = b;

    return (x->alert.state != ALERT_CLEARED) - (y->alert.state != ALERT_CLEARED);
}

static enum status recast_all(struct recasting *r, struct fault *fault)
{
    static const Oid ids[] = {PG_UUID, PG_UUID};
    int64_t since_ms = INT64_MAX;
    enum status st;

    if ((st = read_rows(r, fault)) != ST_OK)
        return st;
    if (!find_keys(r))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < r->keys_n; i++)
        if (r->keys[i].since_ms < since_ms)
            since_ms = r->keys[i].since_ms;
    if (r->keys_n == 0)
        return ST_OK;
    if ((st = read_before(r, fault)) != ST_OK || (st = read_events(r, since_ms, fault)) != ST_OK)
        return st;
    leave_crowds(r);
    if (!make_room(r))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    columns_begin(&r->merged, 2, ids);
    for (size_t i = 0; i < r->keys_n && st == ST_OK; i++) {
        if (!r->keys[i].as_ever)
            st = recast_key(r, &r->keys[i], &r->before[i], fault);
        mark_steps(r, &r->keys[i]);
    }
    if (st != ST_OK)
        return st;
    if (r->c->now_n > 0) /* of a key one is open at most */
        qsort(r->c->now, r->c->now_n, sizeof *r->c->now, open_last);
    return (st = cases_write_changed(r->c, fault)) == ST_OK ? recast_write_merged(r, fault) : st;
}

enum status cases_recast(struct cases *c, const struct case_again *again, int64_t now_ms,
                         struct fault *fault)
{
    struct recasting r = {.c = c, .again = again, .now_ms = now_ms};
    enum status st;

    c->now_n = c->messages_n = 0;
    st = recast_all(&r, fault);
    PQclear(r.rows);
    PQclear(r.events);
    PQclear(r.handled);
    columns_done(&r.merged);
    free(r.keys);
    free(r.before);
    free(r.stored);
    free(r.row);
    free(r.steps);
    free(r.cases);
    free(r.row_of);
    free(r.new_at);
    return st;
}
