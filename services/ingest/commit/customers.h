/* services/ingest/commit/customers.h - what customers set up for facts: zones, rules, limits.  One
 * connection, one thread; kept in memory while their vehicles speak, asked again every few seconds.
 */
#ifndef INGEST_CUSTOMERS_H
#define INGEST_CUSTOMERS_H

#include "lib/store/postgres.h"
#include "services/ingest/car/fences.h"
#include "services/ingest/car/rules.h"

struct customers;

struct customer {
    char id[UUID_TEXT + 1];
    int64_t asked_ms;     /* when it was last compared with the database */
    int64_t wanted_ms;    /* when it was last asked for */
    char fingerprint[80]; /* of its zones and rules */
    uint64_t stamp;       /* of the same */
    double limit_kmh;     /* NaN: none */
    char zone[64];        /* of its clocks, IANA */
    int keep_days;        /* its samples; 0: as long as everybody's */
    struct fence *fences;
    char (*fence_groups)[RULE_GROUP_MAX + 1]; /* "": all vehicles */
    size_t fences_n;
    struct rule_entry *rules;
    size_t rules_n;
};

enum status customers_open(struct customers **out, struct pg *db, struct fault *fault) MUST_CHECK;
/* Have this one at hand; its address stays while it is wanted at least every ten minutes. */
enum status customers_fetch(struct customers *c, const char *id, int64_t now_ms,
                            struct customer **out, struct fault *fault) MUST_CHECK;
void customers_close(struct customers *c); /* NULL is fine */

#endif
