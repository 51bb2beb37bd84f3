/* services/ingest/commit/cases.c - the steps of a group, case by case. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases_inside.h"
#include "proto/hash.h"
#include "slots.h"

struct cases {
    struct pg *db;
    struct columns c, messages;
    struct text text;
    struct case_step *steps;
    size_t steps_n, steps_room;
    struct case_now *now; /* one per key and, of corrections, time */
    size_t now_n, now_room;
    struct slots by_key;      /* of now */
    struct case_now *written; /* as they were written, in order */
    size_t written_n, written_room;
    struct alert_change_message *changes;
    size_t changes_n, changes_room;
    PGresult *cursors; /* of them, once they are committed */
    bool failed;
};

enum status cases_open(struct cases **out, struct pg *db, struct fault *fault)
{
    struct cases *c = calloc(1, sizeof *c);

    if (!c)
        return fault_set(fault, ST_FATAL, "out of memory");
    c->db = db;
    text_init(&c->text);
    *out = c;
    return ST_OK;
}

void cases_close(struct cases *c)
{
    if (!c)
        return;
    columns_done(&c->c);
    columns_done(&c->messages);
    text_done(&c->text);
    PQclear(c->cursors);
    slots_done(&c->by_key);
    free(c->steps);
    free(c->now);
    free(c->written);
    free(c->changes);
    free(c);
}

static bool grow(void **items, size_t size, size_t wanted, size_t *room)
{
    void *more;

    if (wanted <= *room)
        return true;
    wanted += wanted / 2 + 8;
    more = realloc(*items, wanted * size);
    if (!more)
        return false;
    *items = more;
    *room = wanted;
    return true;
}

/* ---- steps */
static struct case_step *add_step(struct cases *c, enum case_verb verb)
{
    struct case_step *step;

    if (!grow((void **)&c->steps, sizeof *c->steps, c->steps_n + 1, &c->steps_room)) {
        c->failed = true;
        return NULL;
    }
    step = &c->steps[c->steps_n++];
    *step = (struct case_step){.verb = verb, .lat = NAN, .lon = NAN, .data = "{}"};
    return step;
}

void cases_raise(struct cases *c, const struct alert_raise *raise, const struct case_about *about)
{
    struct case_step *step = add_step(c, CASE_RAISE);

    if (!step)
        return;
    step->raise = *raise;
    if (raise->id)
        text_copy(step->id, sizeof step->id, raise->id);
    step->raise.id = NULL;
    step->lat = about->lat;
    step->lon = about->lon;
    if (strlen(about->data) < sizeof step->data) /* the event has what is too long for the case */
        text_copy(step->data, sizeof step->data, about->data);
}

void cases_end(struct cases *c, const struct alert_key *key, int64_t t_ms)
{
    struct case_step *step = add_step(c, CASE_END);

    if (!step)
        return;
    step->raise.key = *key;
    step->raise.occurred_ms = t_ms;
}

void cases_correct(struct cases *c, const struct alert_key *key, int64_t occurred_ms)
{
    struct case_step *step = add_step(c, CASE_CORRECT);

    if (!step)
        return;
    step->raise.key = *key;
    step->raise.occurred_ms = occurred_ms;
}

/* ---- the cases they are about */
static bool same_key(const struct alert_key *a, const struct alert_key *b)
{
    return !strcmp(a->vin, b->vin) && !strcmp(a->type, b->type) && !strcmp(a->subject, b->subject);
}

/* A point is a case of its own, and so is what is corrected. */
static int64_t time_of(const struct case_step *step)
{
    bool own = step->verb == CASE_CORRECT ||
               (step->verb == CASE_RAISE && step->raise.ending == ALERT_POINT);

    return own ? step->raise.occurred_ms : 0;
}

static uint64_t hash_of(const struct alert_key *key, int64_t at_ms)
{
    uint64_t hash = hash_bytes((uint64_t)at_ms, key->vin, strlen(key->vin));

    hash = hash_bytes(hash, key->type, strlen(key->type));
    return hash_bytes(hash, key->subject, strlen(key->subject));
}

/* There is room in by_key for one of each step. */
static struct case_now *case_of(struct cases *c, const struct case_step *step)
{
    const struct alert_key *key = &step->raise.key;
    int64_t at_ms = time_of(step);
    uint32_t *at = slots_first(&c->by_key, hash_of(key, at_ms));

    for (; *at; at = slots_next(&c->by_key, at))
        if (same_key(&c->now[*at - 1].key, key) && c->now[*at - 1].correct_ms == at_ms)
            return &c->now[*at - 1];
    if (!grow((void **)&c->now, sizeof *c->now, c->now_n + 1, &c->now_room))
        return NULL;
    c->now[c->now_n] = (struct case_now){.key = *key, .correct_ms = at_ms, .lat = NAN, .lon = NAN};
    *at = (uint32_t)++c->now_n;
    return &c->now[c->now_n - 1];
}

/* ---- a step */
static enum status put_aside(struct cases *c, const struct case_now *now, struct fault *fault)
{
    if (!grow((void **)&c->written, sizeof *c->written, c->written_n + 1, &c->written_room))
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    c->written[c->written_n++] = *now;
    return ST_OK;
}

/* Which message a change is worth. */
static const char *transition_of(enum alert_change change)
{
    switch (change) {
    case ALERT_OPENED:
    case ALERT_REOPENED:
        return "opened";
    case ALERT_WORSENED:
        return "worsened";
    case ALERT_CLOSED:
        return "cleared";
    default:
        return NULL;
    }
}

static void note_change(struct case_now *now, const struct case_step *step,
                        enum alert_change change, int64_t now_ms)
{
    const char *transition = transition_of(change);

    now->changed = true;
    if (change == ALERT_OPENED || change == ALERT_REOPENED)
        now->openings++;
    if (step->verb == CASE_RAISE && strcmp(step->data, "{}") != 0)
        text_copy(now->data, sizeof now->data, step->data);
    if (transition && alert_message(&now->alert, &alert_defaults, now_ms)) {
        now->transition = transition;
        now->late = now->alert.detected_ms - now->alert.occurred_ms > alert_defaults.late_ms;
    }
}

static enum status take_step(struct cases *c, struct case_step *step, int64_t now_ms,
                             struct fault *fault)
{
    struct case_now *now = case_of(c, step), before;
    enum alert_change change = ALERT_SAME;

    if (!now)
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    before = *now;
    if (step->verb == CASE_RAISE) {
        step->raise.id = step->id[0] ? step->id : NULL;
        change = alert_raise(&now->alert, &alert_defaults, &step->raise);
    } else if (step->verb == CASE_END) {
        change = alert_end(&now->alert, step->raise.occurred_ms);
    } else {
        change = alert_correct(&now->alert, now_ms);
    }
    if (change == ALERT_SAME) { /* held_down may have been let go */
        now->changed |= now->alert.held_down != before.alert.held_down;
        return ST_OK;
    }
    if (change == ALERT_OPENED) {
        enum status st = before.changed ? put_aside(c, &before, fault) : ST_OK;

        if (st != ST_OK)
            return st;
        now->openings = 0;
        now->transition = NULL;
        now->lat = step->lat;
        now->lon = step->lon;
        text_copy(now->data, sizeof now->data, "{}");
    }
    note_change(now, step, change, now_ms);
    return ST_OK;
}

/* ---- rows */
/* Of rows that are in the order of their first column, an id; -1: it is in none. */
static int row_of(const PGresult *rows, const char *id)
{
    int low = 0, high = PQntuples(rows);

    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(PQgetvalue(rows, middle, 0), id);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static void note_change_of(struct cases *c, const struct case_now *now)
{
    struct alert_change_message *m = &c->changes[c->changes_n++];

    *m = (struct alert_change_message){.occurred_ms = now->alert.occurred_ms,
                                       .detected_ms = now->alert.detected_ms,
                                       .count = now->alert.count};
    text_copy(m->id, sizeof m->id, now->alert.id);
    text_copy(m->vin, sizeof m->vin, now->key.vin);
    text_copy(m->type, sizeof m->type, now->key.type);
    text_copy(m->severity, sizeof m->severity, alert_severity_word(now->alert.severity));
    text_copy(m->state, sizeof m->state, alert_state_word(now->alert.state));
    if (now->transition)
        case_messages_add(&c->messages, now);
}

static enum status note_written(struct cases *c, const PGresult *rows, struct fault *fault)
{
    if (!grow((void **)&c->changes, sizeof *c->changes, c->changes_n + (size_t)PQntuples(rows),
              &c->changes_room))
        return fault_set(fault, ST_RETRY, "out of memory for changes");
    for (size_t k = 0; k < c->written_n; k++)
        if (row_of(rows, c->written[k].alert.id) >= 0)
            note_change_of(c, &c->written[k]);
    return ST_OK;
}

/* The cursor of each, as the log of changes has it in this transaction: there once that is
 * committed. */
static enum status ask_cursors(struct cases *c, struct fault *fault)
{
    static const struct pg_statement ask = {
        .sql = "SELECT DISTINCT ON (ref) ref, change_cursor(c) FROM change c "
               "WHERE xid = pg_current_xact_id() AND kind = 'alert' ORDER BY ref, id DESC",
        .often = true};

    return c->changes_n ? pg_queue(c->db, &ask, &c->cursors, fault) : ST_OK;
}

static void take_cursors(struct cases *c)
{
    for (size_t k = 0; k < c->changes_n; k++) {
        int row = row_of(c->cursors, c->changes[k].id);

        if (row >= 0)
            text_copy(c->changes[k].cursor, sizeof c->changes[k].cursor,
                      PQgetvalue(c->cursors, row, 1));
    }
    PQclear(c->cursors);
    c->cursors = NULL;
}

static enum status write_all(struct cases *c, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = ST_OK;

    for (size_t i = 0; i < c->now_n && st == ST_OK; i++)
        if (c->now[i].changed)
            st = put_aside(c, &c->now[i], fault);
    case_rows_begin(&c->c);
    case_messages_begin(&c->messages);
    for (size_t i = 0; i < c->written_n; i++)
        case_rows_add(&c->c, &c->text, &c->written[i]);
    if (st != ST_OK || (st = case_rows_write(&c->c, c->db, &rows, fault)) != ST_OK)
        return st;
    st = note_written(c, rows, fault);
    PQclear(rows);
    return st == ST_OK ? case_messages_write(&c->messages, c->db, fault) : st;
}

/* Corrections apart from the others: both may be about one row, which is written once at a time. */
static enum status take_all(struct cases *c, bool corrections, int64_t now_ms, struct fault *fault)
{
    enum status st;

    c->now_n = c->written_n = 0;
    if (!slots_begin(&c->by_key, c->steps_n))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < c->steps_n; i++)
        if ((c->steps[i].verb == CASE_CORRECT) == corrections && !case_of(c, &c->steps[i]))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
    if ((st = case_rows_read(&c->c, c->db, c->now, c->now_n, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < c->steps_n; i++)
        if ((c->steps[i].verb == CASE_CORRECT) == corrections &&
            (st = take_step(c, &c->steps[i], now_ms, fault)) != ST_OK)
            return st;
    return write_all(c, fault);
}

enum status cases_write(struct cases *c, int64_t now_ms, struct fault *fault)
{
    enum status st = ST_OK;

    c->changes_n = 0;
    PQclear(c->cursors);
    c->cursors = NULL;
    if (c->failed)
        st = fault_set(fault, ST_RETRY, "out of memory for alerts");
    if (st == ST_OK && c->steps_n)
        st = take_all(c, true, now_ms, fault);
    if (st == ST_OK && c->steps_n)
        st = take_all(c, false, now_ms, fault);
    if (st == ST_OK)
        st = ask_cursors(c, fault);
    c->steps_n = 0;
    c->failed = false;
    return st;
}

void cases_forget(struct cases *c)
{
    c->steps_n = c->changes_n = 0;
    c->failed = false;
}

const struct alert_change_message *cases_changes(struct cases *c, size_t *n)
{
    take_cursors(c);
    *n = c->changes_n;
    return c->changes;
}
