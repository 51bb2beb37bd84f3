/* services/ingest/commit/cases.c - the steps of a group, case by case. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases_inside.h"
#include "proto/json.h"

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

/* ---- steps */
static struct case_step *add_step(struct cases *c, enum case_verb verb)
{
    struct case_step *step;

    if (!room_grow((void **)&c->steps, sizeof *c->steps, c->steps_n + 1, &c->steps_room)) {
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
    step->found = about->found;
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

void cases_again(struct cases *c, const char *vin, const char *const *types, size_t n,
                 int64_t after_ms)
{
    c->again = (struct case_again){.after_ms = after_ms};
    text_copy(c->again.vin, sizeof c->again.vin, vin);
    while (c->again.types_n < n && c->again.types_n < CASE_TYPES_MAX) {
        c->again.types[c->again.types_n] = types[c->again.types_n];
        c->again.types_n++;
    }
}

/* ---- which steps are taken */
/* Corrections apart from the others: both may be about one row, which is written once at a time. */
enum pass { CORRECTIONS, IN_ORDER, AS_EVER };

static bool is_of(const struct case_step *step, enum pass pass)
{
    return (step->verb == CASE_CORRECT) == (pass == CORRECTIONS) &&
           step->way == (pass == AS_EVER ? CASE_AS_EVER : CASE_IN_ORDER);
}

/* What a car tells after something later of the same key: where did it belong? */
static void put_off_late(struct cases *c)
{
    for (size_t i = 0; i < c->steps_n; i++) {
        const struct case_step *step = &c->steps[i];
        struct case_now *first;

        if (!is_of(step, IN_ORDER) || step->verb != CASE_RAISE || case_is_point(step))
            continue;
        first = case_of_step(c, step); /* there since before */
        if (first->newest_ms == 0 && case_was(first))
            first->newest_ms = first->alert.last_ms;
        first->late |= !step->found && step->raise.occurred_ms < first->newest_ms;
        if (step->raise.occurred_ms > first->newest_ms)
            first->newest_ms = step->raise.occurred_ms;
    }
    for (size_t i = 0; i < c->steps_n; i++)
        if (is_of(&c->steps[i], IN_ORDER) && case_of_step(c, &c->steps[i])->late)
            c->steps[i].way = CASE_LATE;
}

/* What came late may belong to a case before the newest: read those, too. */
static enum status read_earlier(struct cases *c, enum pass pass, struct fault *fault)
{
    size_t from = c->now_n;
    enum status st;

    for (size_t i = 0; i < c->steps_n; i++) {
        const struct case_step *step = &c->steps[i];
        struct case_now *first, *earlier;

        if (!is_of(step, pass) || step->verb != CASE_RAISE || case_is_point(step))
            continue;
        first = case_of_step(c, step); /* there since before */
        if (!case_was(first) || step->raise.occurred_ms >= first->alert.occurred_ms)
            continue;
        if (!(earlier = cases_add(c, &step->raise.key)))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
        earlier->until_ms = step->raise.occurred_ms;
    }
    st = case_rows_read(&c->c, c->db, c->now + from, c->now_n - from, fault);
    for (size_t i = from; st == ST_OK && i < c->now_n; i++) {
        struct case_step of = {.verb = CASE_RAISE, .raise.key = c->now[i].key};
        struct case_now *first, *n;

        of.raise.ending = ALERT_CONDITION;
        if (!(first = n = case_of_step(c, &of)))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
        while (n && strcmp(n->alert.id, c->now[i].alert.id) != 0)
            n = case_next(c, n);
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
    if (!room_grow((void **)&c->messages, sizeof *c->messages, c->messages_n + 1,
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

enum status cases_note(struct cases *c, struct case_now *now, enum alert_change change,
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
    if (!case_is_one(first))
        return first;
    if (!(now = cases_add(c, &step->raise.key)))
        return NULL;
    now->next = c->now[head].next;
    c->now[head].next = (uint32_t)c->now_n;
    return now;
}

bool cases_same_data(const char *a, const char *b)
{
    json_t *x = json_loads(a, JSON_ALLOW_NUL, NULL), *y = json_loads(b, JSON_ALLOW_NUL, NULL);
    bool same = x && y && json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return same;
}

/* Found again, it is the same; but more may be known of it by now. */
static enum alert_change learn_more(struct case_now *now, const struct case_step *step)
{
    enum alert_severity before = now->alert.severity;
    bool point = case_is_point(step);

    if (!step->found || step->verb != CASE_RAISE || !case_was(now) ||
        (!point && step->raise.occurred_ms != now->alert.last_ms) ||
        ((!point || step->raise.severity == before) && cases_same_data(now->data, step->data)))
        return ALERT_SAME;
    if (strcmp(step->data, "{}") != 0)
        text_copy(now->data, sizeof now->data, step->data);
    if (point)
        now->alert.severity = step->raise.severity;
    return case_is_open(now) && now->alert.severity > before ? ALERT_WORSENED : ALERT_REPEATED;
}

static enum status take_step(struct cases *c, struct case_step *step, int64_t now_ms,
                             struct fault *fault)
{
    struct case_now *first = case_of_step(c, step), *now;
    struct alert alert = {0};
    enum alert_change change;
    bool held;

    if (!first)
        return fault_set(fault, ST_RETRY, "out of memory for an alert");
    now = case_time(step) ? first : case_subject(c, first, step);
    if (now)
        alert = now->alert;
    held = alert.held_down;
    change = change_by(&alert, step, now_ms);
    if (change == ALERT_SAME) { /* held_down may have been let go */
        if (now && alert.held_down != held) {
            now->alert = alert;
            now->changed = true;
        }
        if (!now || (change = learn_more(now, step)) == ALERT_SAME)
            return ST_OK;
        return cases_note(c, now, change, step->raise.told_ms, now_ms, fault);
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
    return cases_note(c, now, change,
                      step->verb == CASE_RAISE ? step->raise.told_ms : step->raise.occurred_ms,
                      now_ms, fault);
}

/* What a newer case has followed was over before that: of one key one case is open at most. */
static enum status end_overtaken(struct cases *c, int64_t now_ms, struct fault *fault)
{
    enum status st = ST_OK;

    for (size_t i = 0; i < c->now_n && st == ST_OK; i++) {
        struct case_now *first = &c->now[i], *n, *newer;

        for (n = first->next ? first : NULL; n && st == ST_OK; n = case_next(c, n)) {
            enum alert_change change;

            if (!case_is_open(n) || !(newer = case_after(c, first, n->alert.occurred_ms)))
                continue;
            change = case_is_open(newer) ? alert_overtake(&n->alert, newer->alert.occurred_ms)
                     : n->alert.ending == ALERT_CONDITION
                         ? alert_end(&n->alert, newer->alert.occurred_ms)
                         : ALERT_SAME;
            if (change != ALERT_SAME)
                st = cases_note(c, n, change, newer->alert.occurred_ms, now_ms, fault);
        }
    }
    return st;
}

/* ---- a group */
static enum status take_all(struct cases *c, enum pass pass, int64_t now_ms, struct fault *fault)
{
    enum status st;

    c->now_n = c->messages_n = 0;
    if (!slots_begin(&c->by_key, c->steps_n))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < c->steps_n; i++)
        if (is_of(&c->steps[i], pass) && !case_of_step(c, &c->steps[i]))
            return fault_set(fault, ST_RETRY, "out of memory for alerts");
    if ((st = case_rows_read(&c->c, c->db, c->now, c->now_n, fault)) != ST_OK)
        return st;
    if (pass == IN_ORDER)
        put_off_late(c);
    if (pass != CORRECTIONS && (st = read_earlier(c, pass, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < c->steps_n; i++)
        if (is_of(&c->steps[i], pass) && (st = take_step(c, &c->steps[i], now_ms, fault)) != ST_OK)
            return st;
    if ((st = end_overtaken(c, now_ms, fault)) != ST_OK)
        return st;
    return cases_write_changed(c, fault);
}

/* What was put off, key by key. */
static enum status take_late(struct cases *c, int64_t now_ms, struct fault *fault)
{
    enum status st = ST_OK;
    bool any = false;

    for (size_t i = 0; i < c->steps_n && st == ST_OK; i++) {
        const struct alert_key key = c->steps[i].raise.key;
        struct case_again again = {
            .types = {key.type}, .types_n = 1, .subject = key.subject, .told = true};

        if (c->steps[i].way != CASE_LATE)
            continue;
        text_copy(again.vin, sizeof again.vin, key.vin);
        again.after_ms = INT64_MAX;
        for (size_t k = i; k < c->steps_n; k++)
            if (c->steps[k].way == CASE_LATE && c->steps[k].verb == CASE_RAISE &&
                case_same_key(&c->steps[k].raise.key, &key) &&
                c->steps[k].raise.occurred_ms <= again.after_ms)
                again.after_ms = c->steps[k].raise.occurred_ms - 1;
        st = cases_recast(c, &again, now_ms, fault);
        any = true;
    }
    return st == ST_OK && any ? take_all(c, AS_EVER, now_ms, fault) : st;
}

static void clear(struct cases *c)
{
    c->steps_n = 0;
    c->again.vin[0] = '\0';
    c->failed = false;
}

enum status cases_write(struct cases *c, int64_t now_ms, struct fault *fault)
{
    enum status st = ST_OK;

    c->changes_n = 0;
    PQclear(c->cursors);
    c->cursors = NULL;
    if (c->failed)
        st = fault_set(fault, ST_RETRY, "out of memory for alerts");
    if (st == ST_OK && c->again.vin[0])
        st = cases_recast(c, &c->again, now_ms, fault);
    if (st == ST_OK && c->steps_n)
        st = take_all(c, CORRECTIONS, now_ms, fault);
    if (st == ST_OK && c->steps_n)
        st = take_all(c, IN_ORDER, now_ms, fault);
    if (st == ST_OK)
        st = take_late(c, now_ms, fault);
    if (st == ST_OK)
        st = cases_ask_cursors(c, fault);
    clear(c);
    return st;
}

void cases_forget(struct cases *c)
{
    c->changes_n = 0;
    clear(c);
}
