/* services/api/workers.c - two lanes of threads between the loop and the databases. */
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/queue.h"

#define QUICK_THREADS 6
#define HASH_THREADS 2
#define QUICK_SLOTS 256
#define HASH_SLOTS 16
#define ANSWER_MS 6000 /* a statement ends itself after 5 s: a server silent for longer hangs */
#define THREADS (QUICK_THREADS + HASH_THREADS)

struct member {
    pthread_t thread;
    bool started;
    struct worker worker;
    struct workers *of;
    struct queue *from;
};

struct workers {
    struct queue *lanes[2];
    struct queue *done;
    struct member members[THREADS];
    void (*wake)(void *self);
    void *self;
};

/* No answer came: tell the client what to do, tell the log what happened. */
static void no_answer(struct answer *a, const struct request *r, const struct route *route,
                      enum status st, const struct fault *fault)
{
    answer_reset(a);
    if (st == ST_RETRY) {
        log_warn("request.unavailable", "route=%s id=%s reason=\"%s\"", route->name, r->id_text,
                 fault->text);
        answer_problem(a, r, 503, "unavailable", "A database is away. Try again in a moment.");
        answer_retry_after(a, 2);
        return;
    }
    log_error("request.failed", "route=%s id=%s reason=\"%s\"", route->name, r->id_text,
              fault->text);
    answer_problem(a, r, 500, "internal", "Something failed on our side; the log knows this id.");
}

static void answer_task(struct worker *w, const struct task *t, struct answer *a)
{
    struct fault fault = {""};
    enum status st;

    st = t->route->run(w, t->request, a, &fault);
    if (st == ST_RETRY) { /* a lost connection is noticed by using it: once more on a new one */
        pg_rollback(w->pg);
        answer_reset(a);
        st = t->route->run(w, t->request, a, &fault);
    }
    if ((st != ST_OK && st != ST_NONE) || !a->code) {
        pg_rollback(w->pg);
        no_answer(a, t->request, t->route, st, &fault);
    }
}

static void *member_run(void *self)
{
    struct member *m = self;
    struct task task;
    enum status st;
    size_t n;

    while ((st = queue_pop(m->from, &task, 1, -1, &n)) != ST_NONE) {
        struct result result = {.id = task.id};

        if (st != ST_OK || !n)
            continue;
        result.answer = calloc(1, sizeof *result.answer);
        if (!result.answer)
            abort(); /* 4 KiB cannot be had: nothing can be answered any more */
        answer_init(result.answer);
        answer_task(&m->worker, &task, result.answer);
        request_free(task.request);
        if (queue_push(m->of->done, &result, -1) != ST_OK) {
            answer_done(result.answer);
            free(result.answer);
        }
        m->of->wake(m->of->self);
    }
    return NULL;
}

static enum status member_start(struct workers *w, struct member *m, enum lane lane,
                                const struct shared *shared, struct fault *fault)
{
    enum status st;

    m->of = w;
    m->from = w->lanes[lane];
    m->worker.shared = shared;
    if ((st = pg_open(&m->worker.pg, shared->set->pg, "vigie-api", fault)) != ST_OK ||
        (st = influx_open(&m->worker.influx, shared->set->influx, "fleet", fault)) != ST_OK)
        return st;
    pg_set_patience(m->worker.pg, ANSWER_MS);
    if (pthread_create(&m->thread, NULL, member_run, m) != 0)
        return fault_set(fault, ST_FATAL, "a thread cannot be started");
    m->started = true;
    return ST_OK;
}

enum status workers_start(struct workers **out, const struct shared *shared, size_t answers_max,
                          void (*wake)(void *self), void *self, struct fault *fault)
{
    struct workers *w = calloc(1, sizeof *w);
    enum status st;

    if (!w)
        return fault_set(fault, ST_FATAL, "out of memory");
    w->wake = wake;
    w->self = self;
    if ((st = queue_open(&w->lanes[LANE_QUICK], QUICK_SLOTS, sizeof(struct task), fault)) !=
            ST_OK ||
        (st = queue_open(&w->lanes[LANE_HASH], HASH_SLOTS, sizeof(struct task), fault)) != ST_OK ||
        (st = queue_open(&w->done, answers_max, sizeof(struct result), fault)) != ST_OK)
        goto out;
    for (int i = 0; i < THREADS && st == ST_OK; i++)
        st = member_start(w, &w->members[i], i < QUICK_THREADS ? LANE_QUICK : LANE_HASH, shared,
                          fault);
out:
    if (st == ST_OK)
        *out = w;
    else
        workers_join(w);
    return st;
}

enum status workers_push(struct workers *w, const struct task *task)
{
    return queue_push(w->lanes[task->route->lane], task, 0);
}

enum status workers_pop(struct workers *w, struct result *out)
{
    size_t n = 0;
    enum status st = queue_pop(w->done, out, 1, 0, &n);

    return st == ST_OK && n == 1 ? ST_OK : ST_RETRY;
}

void workers_join(struct workers *w)
{
    struct result left;

    if (!w)
        return;
    for (int lane = 0; lane < 2; lane++)
        if (w->lanes[lane])
            queue_shut(w->lanes[lane]);
    for (int i = 0; i < THREADS; i++) {
        if (w->members[i].started)
            pthread_join(w->members[i].thread, NULL);
        influx_close(w->members[i].worker.influx);
        pg_close(w->members[i].worker.pg);
    }
    while (w->done && workers_pop(w, &left) == ST_OK) {
        answer_done(left.answer);
        free(left.answer);
    }
    queue_close(w->lanes[LANE_QUICK]);
    queue_close(w->lanes[LANE_HASH]);
    queue_close(w->done);
    free(w);
}
