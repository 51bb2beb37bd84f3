/* lib/brokers.h - which broker of an ordered list is tried next, and when.  Decides, connects
 * nothing.  One that cannot be reached, or whose connection lasted under 10 s, hands over to the
 * next of the list (after the last the first again); a connection that was steady is first sought
 * where it was.  The pauses between tries are those of lib/backoff.  One thread, or a lock. */
#ifndef LIB_BROKERS_H
#define LIB_BROKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/backoff.h"
#include "proto/status.h"

#define BROKERS_MAX 16
#define BROKERS_REASON_MAX 160

struct brokers {
    char *url[BROKERS_MAX]; /* ours */
    size_t count, at;       /* `at` is in use or tried next */
    struct backoff backoff;
    char told[BROKERS_REASON_MAX]; /* the failure the owner has heard of ... */
    size_t told_at;                /* ... and whose it was; SIZE_MAX: none */
};

/* Is it mqtts://host:port? */
bool broker_is_url(const char *url);

/* Copy "mqtts://a:1,mqtts://b:2".  ST_REJECT: none, over 16, or one that is not such a URL;
 * ST_FATAL: out of memory.  brokers_free after either. */
enum status brokers_take(struct brokers *b, const char *list, struct fault *fault) MUST_CHECK;
void brokers_free(struct brokers *b);

const char *brokers_now(const struct brokers *b);

/* All three: what happened to the one in use.  Failed and lost return the pause before the next
 * try, ms.  `*news`: this broker has not failed for this reason just before. */
void brokers_connected(struct brokers *b);
int64_t brokers_failed(struct brokers *b, const char *reason, bool *news);
int64_t brokers_lost(struct brokers *b, int64_t lived_ms);

#endif
