/* services/ingest/historian.c - the order stays: what is gathered first is committed first. */
#include "historian.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "drain.h"
#include "edge.h"
#include "history.h"
#include "lib/clock.h"
#include "record/at.h"
#include "record/meters.h"

#define GROUPS 3
#define IDLE_MS 200
#define HAND_OVER_MS 100 /* between two looks at whether we are to stop */

struct historian {
    struct historian_options set;
    struct history history;
    struct gatherer gatherer;
    struct edge influx;
    struct group *groups[GROUPS];
    struct queue *full, *spare;        /* of struct group * */
    _Atomic int64_t here_ms, there_ms; /* when the oldest record of each group arrived; 0: none */
    atomic_bool ending;                /* nobody takes its groups any more */
    pthread_t thread;
    bool running;
};

static int64_t oldest(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a ? a : b;
    return a < b ? a : b;
}

static void tell(struct historian *h)
{
    int64_t since_ms = oldest(atomic_load(&h->here_ms), atomic_load(&h->there_ms));

    metric_set(meters.unacked_age_seconds, NULL,
               since_ms ? (double)(clock_now_ms() - since_ms) / 1000 : 0);
    metric_set(meters.queue_depth, NULL, (double)queue_depth(h->set.from));
}

static int64_t arrived(const struct group *g)
{
    return g && g->count ? g->records[0]->from.received_ms : 0;
}

void historian_tell_age(struct historian *h, const struct group *there)
{
    atomic_store(&h->there_ms, arrived(there));
    tell(h);
}

static void tell_here(struct historian *h, const struct group *here)
{
    atomic_store(&h->here_ms, arrived(here));
    tell(h);
}

/* ---- storing */
static enum status store(void *self, struct record *const *records, size_t n, struct fault *fault)
{
    struct historian *h = self;

    return history_store(&h->history, records, n, fault);
}

static void meanwhile(void *self)
{
    tell(self);
}

/* /readyz shall be true before the first car drives. */
static void check(struct historian *h)
{
    struct fault fault = {""};

    if (edge_is_due(&h->influx, clock_boot_ms()))
        edge_note(&h->influx, history_check(&h->history, &fault), &fault);
}

/* ST_RETRY until there is room, ST_OK, or ST_NONE: we are to stop and there is none. */
static enum status wait_for(enum status st)
{
    return st == ST_RETRY && drain_is_over() ? ST_NONE : st;
}

static bool take_spare(struct historian *h, struct group **out)
{
    enum status st;
    size_t n;

    while ((st = wait_for(queue_pop(h->spare, out, 1, HAND_OVER_MS, &n))) == ST_RETRY)
        tell(h);
    return st == ST_OK;
}

static bool hand_over(struct historian *h, struct group *g)
{
    enum status st;

    inflight_stored(h->set.inflight, LANE_HISTORY, false); /* it is the writer's now */
    while ((st = wait_for(queue_push(h->full, &g, HAND_OVER_MS))) == ST_RETRY)
        tell(h);
    return st == ST_OK;
}

/* False: nothing more will come, or we are to stop; what is left in it was never acknowledged. */
static bool fill(struct historian *h, struct group *g)
{
    const struct attempt attempt = {store, meanwhile, h};
    struct fault fault = {""};

    while (g->count == 0) {
        if (atomic_load(&h->ending) || drain_is_over() || !group_gather(&h->gatherer, g, IDLE_MS))
            return false;
        if (g->count == 0)
            check(h);
    }
    tell_here(h, g);
    return edge_persist(&h->influx, &attempt, g->records, g->count, &fault) == ST_OK;
}

static void *historian_run(void *self)
{
    struct historian *h = self;
    struct group *g;

    inflight_i_store(h->set.inflight, LANE_HISTORY);
    at_place = inflight_place(h->set.inflight, LANE_HISTORY);
    check(h);
    while (take_spare(h, &g)) {
        bool stored = fill(h, g);

        if (!stored || !hand_over(h, g)) {
            group_drop(g, h->set.inflight, LANE_HISTORY, false, h->set.inhand);
            break;
        }
        tell_here(h, NULL);
    }
    tell_here(h, NULL);
    queue_shut(h->full);
    return NULL;
}

/* ---- the other side */
enum status historian_take(struct historian *h, struct group **out, int wait_ms)
{
    size_t n;

    return queue_pop(h->full, out, 1, wait_ms, &n);
}

void historian_give_back(struct historian *h, struct group *g)
{
    (void)!queue_push(h->spare, &g, 0); /* there is room for all there are */
}

bool historian_is_idle(struct historian *h)
{
    return atomic_load(&h->here_ms) == 0 && queue_depth(h->full) == 0 &&
           queue_depth(h->set.from) == 0;
}

/* ---- life */
static enum status make_groups(struct historian *h, struct fault *fault)
{
    enum status st;

    if ((st = queue_open(&h->full, 1, sizeof(struct group *), fault)) != ST_OK ||
        (st = queue_open(&h->spare, GROUPS, sizeof(struct group *), fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < GROUPS; i++) {
        if (!(h->groups[i] = calloc(1, sizeof *h->groups[i])))
            return fault_set(fault, ST_FATAL, "out of memory");
        historian_give_back(h, h->groups[i]);
    }
    return ST_OK;
}

enum status historian_start(struct historian **out, const struct historian_options *options,
                            struct fault *fault)
{
    struct historian *h = calloc(1, sizeof *h);
    enum status st;

    if (!h)
        return fault_set(fault, ST_FATAL, "out of memory");
    h->set = *options;
    h->influx = (struct edge){.name = "influx", .health = options->health};
    h->gatherer = (struct gatherer){.from = options->from,
                                    .inflight = options->inflight,
                                    .lane = LANE_HISTORY,
                                    .batch_wait_ms = options->batch_wait_ms};
    if ((st = history_open(&h->history, options->influx, fault)) == ST_OK &&
        (st = make_groups(h, fault)) == ST_OK) {
        h->running = pthread_create(&h->thread, NULL, historian_run, h) == 0;
        if (!h->running)
            st = fault_set(fault, ST_FATAL, "cannot start the historian thread");
    }
    if (st != ST_OK) {
        historian_join(h);
        return st;
    }
    *out = h;
    return ST_OK;
}

void historian_join(struct historian *h)
{
    if (!h)
        return;
    atomic_store(&h->ending, true);
    if (h->full)
        queue_shut(h->full);
    if (h->running)
        pthread_join(h->thread, NULL);
    record_free(h->gatherer.held);
    for (size_t i = 0; i < GROUPS; i++) {
        for (size_t k = 0; h->groups[i] && k < h->groups[i]->count; k++)
            record_free(h->groups[i]->records[k]); /* on the way when nobody took it any more */
        free(h->groups[i]);
    }
    queue_close(h->full);
    queue_close(h->spare);
    history_done(&h->history);
    free(h);
}
