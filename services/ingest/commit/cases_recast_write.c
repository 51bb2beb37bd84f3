/* services/ingest/commit/cases_recast_write.c - which rows the cases of a key are now, what people
 * hear of that, and what they did with those that are no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recast_inside.h"

static void data_of(const struct recasting *r, const struct recast_case *from, struct case_now *now)
{
    const char *data = "{}";

    if (from->began || from->raised)
        data = PQgetvalue(r->events, (int)from->last, EVENT_DATA);
    else
        return;
    if (strcmp(data, "{}") != 0 && !cases_same_data(data, now->data) &&
        strlen(data) < sizeof now->data) {
        text_copy(now->data, sizeof now->data, data);
        now->changed = true;
    }
}

static bool same_life(const struct alert *a, const struct alert *b)
{
    return a->state == b->state && a->severity == b->severity && a->reason == b->reason &&
           a->occurred_ms == b->occurred_ms && a->last_ms == b->last_ms &&
           a->ended_ms == b->ended_ms && a->cleared_ms == b->cleared_ms && a->count == b->count &&
           a->held_down == b->held_down && a->ends == b->ends &&
           !memcmp(a->ends_ms, b->ends_ms, (size_t)a->ends * sizeof *a->ends_ms);
}

static struct case_now *push(struct recasting *r, const struct case_now *from)
{
    struct case_now *now = cases_add(r->c, &from->key);

    if (now) {
        *now = *from;
        now->next = 0;
    }
    return now;
}

static enum status write_gone(struct recasting *r, size_t j, struct fault *fault)
{
    struct case_now *now;
    struct alert a = r->row[j].alert;
    enum alert_change change = alert_correct(&a, r->now_ms);

    if (change == ALERT_SAME)
        return ST_OK;
    if (!(now = push(r, &r->stored[j])))
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    now->alert = a;
    return cases_note(r->c, now, change, a.occurred_ms, r->now_ms, fault);
}

/* Its comments, who has it and that somebody knew of it go on with the other. */
static void merge(struct recasting *r, size_t j, size_t into)
{
    r->merges = true;
    r->row[into].joined |= recast_is_known(&r->row[j], &r->cases[r->row[j].of].alert);
    pg_array_uuid(&r->merged.column[0], r->stored[j].alert.id);
    pg_array_uuid(&r->merged.column[1], r->stored[into].alert.id);
}

static int64_t newest_told_ms(const struct recasting *r, const struct recast_case *from)
{
    return from->raised ? recast_told_ms(r, (int)from->last) : from->alert.last_ms;
}

/* What people hear of a case that goes on as another than it was. */
static enum status tell_change(struct recasting *r, const struct recast_case *from,
                               struct case_now *now, const struct alert *old, struct fault *fault)
{
    bool was_open = old->state != ALERT_CLEARED, open = now->alert.state != ALERT_CLEARED;
    bool back = old->reason == ALERT_CORRECTED;
    int64_t told_ms = newest_told_ms(r, from);
    enum status st = ST_OK;

    if (back || (!was_open && now->alert.state == ALERT_OPEN)) {
        alert_note(&now->alert, r->now_ms);
        st = cases_note(r->c, now, ALERT_REOPENED, told_ms, r->now_ms, fault);
    } else if (now->alert.severity > old->severity) {
        st = cases_note(r->c, now, ALERT_WORSENED, told_ms, r->now_ms, fault);
    }
    if (st == ST_OK && !open && (was_open || back)) {
        alert_note(&now->alert, now->alert.cleared_ms);
        st = cases_note(r->c, now, ALERT_CLOSED, now->alert.cleared_ms, r->now_ms, fault);
    }
    return st == ST_OK ? cases_note(r->c, now, ALERT_REPEATED, 0, r->now_ms, fault) : st;
}

static enum status write_moved(struct recasting *r, size_t i, struct fault *fault)
{
    size_t j = r->row_of[i];
    const struct alert old = r->row[j].alert;
    struct alert a = r->cases[i].alert;
    struct case_now *now;

    memcpy(a.id, old.id, sizeof a.id);
    memcpy(a.changes_ms, old.changes_ms, sizeof a.changes_ms);
    a.changes = old.changes;
    a.detected_ms = old.detected_ms;
    a.messaged_ms = old.messaged_ms;
    if (a.state == ALERT_OPEN && (r->row[j].joined || recast_is_known(&r->row[j], &a)))
        a.state = ALERT_ACKNOWLEDGED;
    if (!(now = push(r, &r->stored[j])))
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    data_of(r, &r->cases[i], now);
    if (same_life(&a, &old) && !now->changed) {
        r->c->now_n--;
        return ST_OK;
    }
    now->alert = a;
    return tell_change(r, &r->cases[i], now, &old, fault);
}

/* ---- new ones */
static void tell_new(void *self, size_t which, enum alert_change change, const struct alert *a,
                     const struct recast_step *step)
{
    struct recasting *r = self;
    struct case_now *now;
    int64_t messaged_ms;

    if (r->new_at[which] == 0 || r->st != ST_OK)
        return;
    now = &r->c->now[r->new_at[which] - 1];
    messaged_ms = now->alert.messaged_ms;
    now->alert = *a;
    now->alert.messaged_ms = messaged_ms;
    r->st =
        cases_note(r->c, now, change, step->ends ? step->t_ms : step->told_ms, r->now_ms, r->fault);
}

static enum status add_new(struct recasting *r, size_t i, const struct alert_key *key,
                           struct fault *fault)
{
    const struct recast_case *from = &r->cases[i];
    struct case_now *now = cases_add(r->c, key);
    int event = (int)from->first;

    if (!now)
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    text_copy(now->data, sizeof now->data, "{}");
    if (!PQgetisnull(r->events, event, EVENT_LAT) && !PQgetisnull(r->events, event, EVENT_LON)) {
        now->lat = strtod(PQgetvalue(r->events, event, EVENT_LAT), NULL);
        now->lon = strtod(PQgetvalue(r->events, event, EVENT_LON), NULL);
    }
    data_of(r, from, now);
    r->new_at[i] = r->c->now_n;
    return ST_OK;
}

static void name_found(const struct recasting *r, struct alert *a)
{
    char text[2 * ALERT_SUBJECT_MAX + 64];

    (void)snprintf(text, sizeof text, "alert %s %s %s %lld found %lld", a->key.vin, a->key.type,
                   a->key.subject, (long long)a->occurred_ms, (long long)r->now_ms);
    uuid_of_text(a->id, text);
}

/* An id may be that of a case that has moved away from there. */
static enum status name_new(struct recasting *r, struct fault *fault)
{
    static const Oid types[] = {PG_UUID};
    PGresult *taken = NULL;
    enum status st;

    columns_begin(&r->c->c, 1, types);
    for (size_t i = 0; i < r->cases_n; i++)
        if (r->new_at[i])
            pg_array_uuid(&r->c->c.column[0], r->c->now[r->new_at[i] - 1].alert.id);
    st = columns_run(&r->c->c, r->c->db, 1,
                     "SELECT a.id FROM unnest($1) AS k (i) JOIN alert a ON a.id = k.i ORDER BY 1",
                     &taken, fault);
    for (size_t i = 0; st == ST_OK && i < r->cases_n; i++) {
        struct alert *a = r->new_at[i] ? &r->c->now[r->new_at[i] - 1].alert : NULL;

        if (a && case_rows_find(taken, a->id) >= 0)
            name_found(r, a);
    }
    PQclear(taken);
    return st;
}

/* All of them in one go. */
static enum status write_new(struct recasting *r, const struct alert *begin,
                             const struct alert_raise *raise, struct fault *fault)
{
    bool any = false;
    enum status st = ST_OK;

    for (size_t i = 0; i < r->cases_n && st == ST_OK; i++) {
        r->new_at[i] = 0;
        if (r->row_of[i] != RECAST_NONE)
            continue;
        st = add_new(r, i, &raise->key, fault);
        any = true;
    }
    if (st != ST_OK || !any)
        return st;
    r->st = ST_OK;
    r->fault = fault;
    (void)recast(begin, raise, r->steps, r->steps_n, r->cases, tell_new, r);
    return r->st == ST_OK ? name_new(r, fault) : r->st;
}

enum status recast_write_key(struct recasting *r, const struct alert *begin,
                             const struct alert_raise *raise, struct fault *fault)
{
    enum status st = ST_OK;

    for (size_t j = 0; j < r->stored_n && st == ST_OK; j++) {
        size_t i = r->row[j].of;

        if (i != RECAST_NONE && r->row_of[i] == j)
            continue;
        if (i != RECAST_NONE)
            merge(r, j, r->row_of[i]);
        st = write_gone(r, j, fault);
    }
    for (size_t i = 0; i < r->cases_n && st == ST_OK; i++)
        if (r->row_of[i] != RECAST_NONE)
            st = write_moved(r, i, fault);
    return st == ST_OK ? write_new(r, begin, raise, fault) : st;
}

enum status recast_write_merged(struct recasting *r, struct fault *fault)
{
    if (!r->merges)
        return ST_OK;
    return columns_run(
        &r->merged, r->c->db, 2,
        "WITH m AS (SELECT * FROM unnest($1, $2) AS m (part, whole)), said AS (UPDATE "
        "alert_comment t SET alert_id = m.whole FROM m WHERE t.alert_id = m.part), best AS (SELECT "
        "DISTINCT ON (m.whole) m.whole, p.* FROM m JOIN alert p ON p.id = m.part ORDER BY m.whole, "
        "p.acknowledged_at, p.assigned_to) UPDATE alert a SET "
        "acknowledged_by = CASE WHEN a.acknowledged_at IS NULL THEN b.acknowledged_by ELSE "
        "a.acknowledged_by END, acknowledged_at = coalesce(a.acknowledged_at, b.acknowledged_at), "
        "assigned_to = coalesce(a.assigned_to, b.assigned_to) FROM best b WHERE a.id = b.whole",
        NULL, fault);
}
