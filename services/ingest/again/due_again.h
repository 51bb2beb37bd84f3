/* services/ingest/again/due_again.h - vehicles whose facts are to be looked at again now.  One
 * connection, one thread. */
#ifndef INGEST_DUE_AGAIN_H
#define INGEST_DUE_AGAIN_H

#include <stdbool.h>

#include "lib/store/postgres.h"
#include "proto/vin.h"

struct due_again {
    char vin[VIN_LEN + 1];
    bool late;   /* samples came too late: none for settle_ms, or the first twice that long ago */
    bool waited; /* the gap is closed, or was waited for long enough */
    int64_t passed_seq; /* gaps up to here are given up with that */
    int64_t settle_ms;
    bool lost; /* once it was begun: how the car stood has to be found out first */
};

/* At most `max`, *n of them, by VIN and after the VIN `after` ("": from the first); `vin` NULL: of
 * all. */
enum status due_again_list(struct pg *db, const char *vin, const char *after, int64_t settle_ms,
                           struct due_again *due, size_t max, size_t *n,
                           struct fault *fault) MUST_CHECK;

#endif
