/* services/ingest/edge.c */
#include "edge.h"

#include <time.h>

#include "drain.h"
#include "lib/backoff.h"
#include "lib/log.h"
#include "lib/stop.h"

#define CHECK_MS 2000
#define BUSY_MS 5000
#define ENDING_MS 100 /* between two tries when we are to stop */

void edge_note(struct edge *e, enum status st, const struct fault *fault)
{
    bool away = st == ST_RETRY || st == ST_FATAL, was = e->away;

    e->away = away;
    if (!e->health)
        return;
    if (away && !was)
        log_warn("store.away", "store=%s reason=\"%s\"", e->name, fault->text);
    if (!away && was)
        log_info("store.back", "store=%s", e->name);
    health_set(e->health, e->name, !away);
}

void edge_begin(struct edge *e)
{
    health_begin(e->health, e->name, BUSY_MS);
}

void edge_end(struct edge *e)
{
    health_end(e->health, e->name);
}

static enum status try(struct edge *e, const struct attempt *attempt, struct record *const *records,
                       size_t n, struct fault *fault)
{
    enum status st;

    edge_begin(e);
    st = attempt->store(attempt->self, records, n, fault);
    edge_end(e);
    return st;
}

bool edge_is_due(struct edge *e, int64_t now_ms)
{
    if ((e->checked_ms != 0 && now_ms - e->checked_ms < CHECK_MS) || stop_asked())
        return false;
    e->checked_ms = now_ms;
    return true;
}

/* Stop was asked for, so nothing waits any more; what is in hand may still get through. */
static bool pause_to_the_end(void)
{
    if (drain_is_over())
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 1000000 * ENDING_MS}, NULL);
    return true;
}

enum status edge_persist(struct edge *e, const struct attempt *attempt,
                         struct record *const *records, size_t n, struct fault *fault)
{
    struct backoff pause = {100, 2000, 0};
    enum status st;

    while ((st = try(e, attempt, records, n, fault)) == ST_RETRY || st == ST_FATAL) {
        edge_note(e, st, fault);
        attempt->meanwhile(attempt->self);
        if (!backoff_wait(&pause) && !pause_to_the_end())
            return ST_RETRY;
    }
    edge_note(e, st, fault);
    return st;
}
