/* services/ingest/commit/cases.c - the steps of a group, case by case. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases_inside.h"
#include "proto/hash.h"

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
    columns_done(&c->told);
    columns_done(&c->cleared);
    text_done(&c->text);
    PQclear(c->cursors);
    slots_done(&c->by_key);
    free(c->steps);
    free(c->now);
    free(c->messages);
    free(c->changes);
    free(c);
}

bool cases_grow(void **items, size_t size, size_t wanted, size_t *room)
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

    if (!cases_grow((void **)&c->steps, sizeof *c->steps, c->steps_n + 1, &c->steps_room)) {
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

static bool is_point(const struct case_step *step)
{
    return step->verb == CASE_RAISE && step->raise.ending == ALERT_POINT;
}

/* A point is a case of its own, and so is what is corrected. */
static int64_t time_of(const struct case_step *step)
{
    return step->verb == CASE_CORRECT || is_point(step) ? step->raise.occurred_ms : 0;
}

static const char *id_of(const struct case_step *step)
{
    return is_point(step) ? step->id : "";
}

static uint64_t hash_of(const struct case_step *step)
{
    const struct alert_key *key = &step->raise.key;
    const char *id = id_of(step);
    uint64_t hash = hash_bytes(*id ? 0 : (uint64_t)time_of(step), key->vin, strlen(key->vin));

    if (*id) /* a vehicle says it once, of whatever type and time */
        return hash_bytes(hash, id, strlen(id));
    hash = hash_bytes(hash, key->type, strlen(key->type));
    return hash_bytes(hash, key->subject, strlen(key->subject));
}

static bool is_about(const struct case_now *now, const struct case_step *step)
{
    const char *id = id_of(step);

    if (*id)
        return !strcmp(now->told_id, id) && !strcmp(now->key.vin, step->raise.key.vin);
    return !now->told_id[0] && now->correct_ms == time_of(step) &&
           same_key(&now->key, &step->raise.key);
}

static struct case_now *add_case(struct cases *c, const struct alert_key *key)
{
    if (!cases_grow((void **)&c->now, sizeof *c->now, c->now_n + 1, &c->now_room))
        return NULL;
    c->now[c->now_n] = (struct case_now){.key = *key, .lat = NAN, .lon = NAN};
    return &c->now[c->now_n++];
}

/* The first of its chain.  There is room in by_key for one of each step. */
static struct case_now *case_of(struct cases *c, const struct case_step *step)
{
    uint32_t *at = slots_first(&c->by_key, hash_of(step));
    struct case_now *now;

    for (; *at; at = slots_next(&c->by_key, at))
        if (is_about(&c->now[*at - 1], step))
            return &c->now[*at - 1];
    if (!(now = add_case(c, &step->raise.key)))
        return NULL;
    now->correct_ms = time_of(step);
    text_copy(now->told_id, sizeof now->told_id, id_of(step));
    *at = (uint32_t)c->now_n;
    return now;
}

/* ---- the cases of one key */
static struct case_now *next_of(const struct cases *c, const struct case_now *now)
{
    return now->next ? &c->now[now->next - 1] : NULL;
}

static bool is_case(const struct case_now *now)
{
    return now->alert.state != ALERT_NONE;
}

static bool is_open(const struct case_now *now)
{
    return is_case(now) && now->alert.state != ALERT_CLEARED;
}

/* Of what never was, nothing follows but that it may come back. */
static bool was(const struct case_now *now)
{
    return is_open(now) || (is_case(now) && now->alert.reason != ALERT_CORRECTED);
}

/* The newest that began until t_ms; NULL: none did. */
static struct case_now *until(const struct cases *c, struct case_now *first, int64_t t_ms)
{
    struct case_now *best = NULL;

    for (struct case_now *n = first; n; n = next_of(c, n))
        if (is_case(n) && n->alert.occurred_ms <= t_ms &&
            (!best || was(n) > was(best) ||
             (was(n) == was(best) && n->alert.occurred_ms > best->alert.occurred_ms)))
            best = n;
    return best;
}

/* The next that began after t_ms, and was; NULL: none did. */
static struct case_now *after(const struct cases *c, struct case_now *first, int64_t t_ms)
{
    struct case_now *best = NULL;

    for (struct case_now *n = first; n; n = next_of(c, n))
        if (was(n) && n->alert.occurred_ms > t_ms &&
            (!best || n->alert.occurred_ms < best->alert.occurred_ms))
            best = n;
    return best;
}

/* The case a step of a condition is about; NULL: there is none yet.  What a newer case of its key
 * has followed is a case of its own, unless one that nobody sees end waits for a person anyway. */
static struct case_now *subject_of(const struct cases *c, struct case_now *first,
                                   const struct case_step *step)
{
    if (step->verb == CASE_RAISE && !step->raise.ends)
        for (struct case_now *n = first; n; n = next_of(c, n))
            if (is_open(n))
                return n;
    return until(c, first, step->raise.occurred_ms);
}

/* What came late may belong to a case before the newest: read those, too. */
static enum status read_earlier(struct cases *c, struct fault *fault)
{
    size_t from = c->now_n;
    enum status st;

    for (size_t i = 0; i < c->steps_n; i++) {
        const struct case_step *step = &c->steps[i];
        struct case_now *first, *earlier;

        if (step->verb != CASE_RAISE || is_point(step))
            continue;
        first = case_of(c, step); /* there since before */
        if (!was(first) || step->raise.occurred_ms >= first->alert.occurred_ms)
            continue;
        if (!(earlier = add_case(c, &step->raise.key)))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
        earlier->until_ms = step->raise.occurred_ms;
    }
    st = case_rows_read(&c->c, c->db, c->now + from, c->now_n - from, fault);
    for (size_t i = from; st == ST_OK && i < c->now_n; i++) {
        struct case_step of = {.verb = CASE_RAISE, .raise.key = c->now[i].key};
        struct case_now *first, *n;

        of.raise.ending = ALERT_CONDITION;
        first = n = case_of(c, &of);
        while (n && strcmp(n->alert.id, c->now[i].alert.id) != 0)
            n = next_of(c, n);
        if (n) { /* it is in the chain already */
            c->now[i].alert.state = ALERT_NONE;
        } else {
            c->now[i].next = first->next;
            first->next = (uint32_t)i + 1;
        }
    }
    return st;
}

/* ---- a step */
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

static enum status add_message(struct cases *c, struct case_now *now, const char *transition,
                               bool late, struct fault *fault)
{
    if (!cases_grow((void **)&c->messages, sizeof *c->messages, c->messages_n + 1,
                    &c->messages_room))
        return fault_set(fault, ST_RETRY, "out of memory for messages");
    c->messages[c->messages_n++] = (struct case_message){.transition = transition,
                                                         .severity = now->alert.severity,
                                                         .opening = now->openings,
                                                         .late = late};
    if (now->last_message)
        c->messages[now->last_message - 1].next = (uint32_t)c->messages_n;
    else
        now->first_message = (uint32_t)c->messages_n;
    now->last_message = (uint32_t)c->messages_n;
    return ST_OK;
}

/* `told_ms`: since when it could be known. */
static enum status note_change(struct cases *c, struct case_now *now, enum alert_change change,
                               int64_t told_ms, int64_t now_ms, struct fault *fault)
{
    const char *transition = transition_of(change);
    bool late = alert_is_late(&alert_defaults, told_ms, now_ms);

    now->changed = true;
    if (change == ALERT_OPENED || change == ALERT_REOPENED)
        now->openings++;
    if (!transition ||
        !alert_message(&now->alert, &alert_defaults, late && change != ALERT_CLOSED, now_ms))
        return ST_OK;
    return add_message(c, now, transition, late, fault);
}

static enum alert_change change_by(struct alert *a, struct case_step *step, int64_t now_ms)
{
    if (step->verb == CASE_CORRECT)
        return alert_correct(a, now_ms);
    if (step->verb == CASE_END)
        return alert_end(a, step->raise.occurred_ms);
    step->raise.id = step->id[0] ? step->id : NULL;
    return alert_raise(a, &alert_defaults, &step->raise);
}

/* Where the case goes that a step left in `alert`. */
static struct case_now *place_of(struct cases *c, struct case_now *first, struct case_now *about,
                                 const struct case_step *step, enum alert_change change)
{
    size_t head = (size_t)(first - c->now);
    struct case_now *now;

    if (change != ALERT_OPENED)
        return about;
    if (!is_case(first))
        return first;
    if (!(now = add_case(c, &step->raise.key)))
        return NULL;
    now->next = c->now[head].next;
    c->now[head].next = (uint32_t)c->now_n;
    return now;
}

static enum status take_step(struct cases *c, struct case_step *step, int64_t now_ms,
                             struct fault *fault)
{
    struct case_now *first = case_of(c, step), *now;
    struct alert alert = {0};
    enum alert_change change;
    bool held;

    if (!first)
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    now = time_of(step) ? first : subject_of(c, first, step);
    if (now)
        alert = now->alert;
    held = alert.held_down;
    change = change_by(&alert, step, now_ms);
    if (change == ALERT_SAME) { /* held_down may have been let go */
        if (now && alert.held_down != held) {
            now->alert = alert;
            now->changed = true;
        }
        return ST_OK;
    }
    if (!(now = place_of(c, first, now, step, change)))
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    now->alert = alert;
    if (change == ALERT_OPENED) {
        now->openings = 0;
        now->lat = step->lat;
        now->lon = step->lon;
        text_copy(now->data, sizeof now->data, "{}");
    }
    if (step->verb == CASE_RAISE && strcmp(step->data, "{}") != 0)
        text_copy(now->data, sizeof now->data, step->data);
    return note_change(c, now, change,
                       step->verb == CASE_RAISE ? step->raise.told_ms : step->raise.occurred_ms,
                       now_ms, fault);
}

/* What a newer case has followed was over before that: of one key one case is open at most. */
static enum status end_overtaken(struct cases *c, int64_t now_ms, struct fault *fault)
{
    enum status st = ST_OK;

    for (size_t i = 0; i < c->now_n && st == ST_OK; i++) {
        struct case_now *first = &c->now[i], *n, *newer;

        for (n = first->next ? first : NULL; n && st == ST_OK; n = next_of(c, n)) {
            enum alert_change change;

            if (!is_open(n) || !(newer = after(c, first, n->alert.occurred_ms)))
                continue;
            change = is_open(newer) ? alert_overtake(&n->alert, newer->alert.occurred_ms)
                     : n->alert.ending == ALERT_CONDITION
                         ? alert_end(&n->alert, newer->alert.occurred_ms)
                         : ALERT_SAME;
            if (change != ALERT_SAME)
                st = note_change(c, n, change, newer->alert.occurred_ms, now_ms, fault);
        }
    }
    return st;
}

/* ---- a group */
/* Corrections apart from the others: both may be about one row, which is written once at a time. */
static enum status take_all(struct cases *c, bool corrections, int64_t now_ms, struct fault *fault)
{
    enum status st;

    c->now_n = c->messages_n = 0;
    if (!slots_begin(&c->by_key, c->steps_n))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < c->steps_n; i++)
        if ((c->steps[i].verb == CASE_CORRECT) == corrections && !case_of(c, &c->steps[i]))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
    if ((st = case_rows_read(&c->c, c->db, c->now, c->now_n, fault)) != ST_OK ||
        (!corrections && (st = read_earlier(c, fault)) != ST_OK))
        return st;
    for (size_t i = 0; i < c->steps_n; i++)
        if ((c->steps[i].verb == CASE_CORRECT) == corrections &&
            (st = take_step(c, &c->steps[i], now_ms, fault)) != ST_OK)
            return st;
    if ((st = end_overtaken(c, now_ms, fault)) != ST_OK)
        return st;
    return cases_write_changed(c, fault);
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
        st = cases_ask_cursors(c, fault);
    c->steps_n = 0;
    c->failed = false;
    return st;
}

void cases_forget(struct cases *c)
{
    c->steps_n = c->changes_n = 0;
    c->failed = false;
}
