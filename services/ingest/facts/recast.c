/* services/ingest/facts/recast.c - steps in order, and who goes on as what. */
#include "recast.h"

#include <stdlib.h>

#define LAG_MS 60000 /* an end may be told so long after it */

/* ---- in order */
static int in_time(const void *a, const void *b)
{
    const struct recast_step *x = a, *y = b;

    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    if (x->ends != y->ends)
        return x->ends ? -1 : 1; /* what begins with the end of another */
    return (x->about > y->about) - (x->about < y->about);
}

/* The ends from `at` on that have no raise between them; is one of them new? */
static size_t run_of(const struct recast_step *steps, size_t n, size_t at, bool *any)
{
    size_t to = at;

    *any = false;
    for (; to < n && steps[to].ends; to++)
        *any |= !steps[to].kept;
    return to;
}

size_t recast_sort(struct recast_step *steps, size_t n, int64_t after_ms)
{
    size_t left = 0;

    qsort(steps, n, sizeof *steps, in_time);
    for (size_t at = 0; at < n;) {
        bool found;
        size_t to = run_of(steps, n, at, &found);

        if (to == at) {
            steps[left++] = steps[at++];
            continue;
        }
        for (; at < to; at++)
            if (!steps[at].kept || !found || steps[at].t_ms <= after_ms - LAG_MS)
                steps[left++] = steps[at];
    }
    return left;
}

/* ---- the cases */
static enum alert_change take(struct alert *a, const struct alert_raise *like,
                              const struct recast_step *step)
{
    struct alert_raise raise = *like;

    if (step->ends)
        return alert_end(a, step->t_ms);
    raise.severity = step->severity;
    raise.occurred_ms = step->t_ms;
    raise.told_ms = step->told_ms;
    return alert_raise(a, &alert_defaults, &raise);
}

struct recasting_cases {
    struct recast_case *out;
    size_t n;
    recast_told *told;
    void *self;
};

static void take_one(struct recasting_cases *r, const struct alert_raise *like,
                     const struct recast_step *step)
{
    struct alert a = r->n ? r->out[r->n - 1].alert : (struct alert){.state = ALERT_NONE};
    enum alert_change change = take(&a, like, step);

    if (change == ALERT_OPENED)
        r->out[r->n++] = (struct recast_case){.began = true, .first = step->about};
    if (r->n == 0)
        return;
    r->out[r->n - 1].alert = a;
    if (!step->ends && change != ALERT_SAME) {
        r->out[r->n - 1].raised = true;
        r->out[r->n - 1].last = step->about;
    }
    if (r->told && change != ALERT_SAME)
        r->told(r->self, r->n - 1, change, &a, step);
}

static bool goes_on(const struct alert *a)
{
    return a->state != ALERT_NONE && a->state != ALERT_CLEARED && a->ended_ms == 0;
}

/* Steps of one time, of which the ends stand first: they end what goes on.  Where nothing does,
 * they end what begins then: a stay that was over as soon as it was long enough. */
static void take_moment(struct recasting_cases *r, const struct alert_raise *like,
                        const struct recast_step *steps, size_t n)
{
    size_t ends = 0, first;

    while (ends < n && steps[ends].ends)
        ends++;
    first = r->n && goes_on(&r->out[r->n - 1].alert) ? 0 : ends;
    for (size_t i = 0; i < n; i++)
        take_one(r, like, &steps[(first + i) % n]);
}

size_t recast(const struct alert *begin, const struct alert_raise *like,
              const struct recast_step *steps, size_t n, struct recast_case *out, recast_told *told,
              void *self)
{
    struct recasting_cases r = {.out = out, .told = told, .self = self};
    size_t to;

    if (begin->state != ALERT_NONE)
        out[r.n++] = (struct recast_case){.alert = *begin};
    for (size_t from = 0; from < n; from = to) {
        for (to = from + 1; to < n && steps[to].t_ms == steps[from].t_ms;)
            to++;
        take_moment(&r, like, steps + from, to - from);
    }
    return r.n;
}

/* ---- which is which */
static bool is_over(const struct alert *a)
{
    return a->state == ALERT_CLEARED;
}

static int64_t until(const struct alert *a)
{
    if (!is_over(a))
        return INT64_MAX;
    return a->ended_ms > a->last_ms ? a->ended_ms : a->last_ms;
}

/* The first of those that are not over before `row` began.  Cases are one after the other. */
static size_t first_of(const struct recast_case *cases, size_t n, const struct recast_row *row)
{
    size_t from = 0, to = n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (until(&cases[middle].alert) < row->alert.occurred_ms)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static size_t case_of(const struct recast_case *cases, size_t n, const struct recast_row *row)
{
    int64_t until_ms = until(&row->alert);
    size_t best = RECAST_NONE;

    for (size_t i = first_of(cases, n, row); i < n && cases[i].alert.occurred_ms <= until_ms; i++) {
        const struct alert *a = &cases[i].alert;

        if (row->handled && !is_over(&row->alert) && !is_over(a))
            return i;
        if (best == RECAST_NONE || a->occurred_ms == row->alert.occurred_ms)
            best = i;
    }
    return best;
}

/* The one that began with `row`; RECAST_NONE: none did. */
static size_t case_at(const struct recast_case *cases, size_t n, const struct recast_row *row)
{
    size_t from = 0, to = n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (cases[middle].alert.occurred_ms < row->alert.occurred_ms)
            from = middle + 1;
        else
            to = middle;
    }
    return from < n && cases[from].alert.occurred_ms == row->alert.occurred_ms ? from : RECAST_NONE;
}

/* Does row `a` rather go on than row `b`? */
static bool goes_before(const struct recast_row *a, const struct recast_row *b)
{
    if (is_over(&a->alert) != is_over(&b->alert))
        return !is_over(&a->alert);
    if (a->handled != b->handled)
        return a->handled > b->handled;
    return a->alert.occurred_ms < b->alert.occurred_ms;
}

static bool was_withdrawn(const struct recast_row *row)
{
    return row->alert.reason == ALERT_CORRECTED;
}

void recast_match(const struct recast_case *cases, size_t n, struct recast_row *rows, size_t rows_n,
                  size_t *row_of)
{
    for (size_t i = 0; i < n; i++)
        row_of[i] = RECAST_NONE;
    for (size_t j = 0; j < rows_n; j++) {
        size_t i = rows[j].of = was_withdrawn(&rows[j]) ? RECAST_NONE : case_of(cases, n, &rows[j]);

        if (i != RECAST_NONE &&
            (row_of[i] == RECAST_NONE || goes_before(&rows[j], &rows[row_of[i]])))
            row_of[i] = j;
    }
    for (size_t j = 0; j < rows_n; j++) {
        size_t i = was_withdrawn(&rows[j]) ? case_at(cases, n, &rows[j]) : RECAST_NONE;

        if (i == RECAST_NONE || row_of[i] != RECAST_NONE)
            continue;
        rows[j].of = i;
        row_of[i] = j;
    }
}

bool recast_is_known(const struct recast_row *row, const struct alert *a)
{
    const struct alert *old = &row->alert;
    bool over_since = is_over(old) && old->ended_ms > 0 && a->ends > 0 &&
                      a->ends_ms[a->ends - 1] >= old->ended_ms;

    return row->handled >= 2 && old->state != ALERT_OPEN && !over_since;
}
