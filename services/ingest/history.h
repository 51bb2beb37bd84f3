/* services/ingest/history.h - samples into InfluxDB: one request per group, bisected when it
 * refuses. One thread. */
#ifndef INGEST_HISTORY_H
#define INGEST_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "blame.h"
#include "lib/store/influx.h"
#include "lib/text.h"
#include "record/record.h"

struct history { /* all zero: closed */
    struct influx *db;
    struct text lines; /* memory kept between groups */
    bool prepared;     /* the database is there */
    bool unanswered;   /* the last one: the next is sent in one piece, so that a 413 is heard */
    struct blame blame;
    struct refusal *refused; /* of the group in hand; memory kept */
    size_t refused_count, refused_room, turn;
};

enum status history_open(struct history *h, const char *url, struct fault *fault) MUST_CHECK;

/* Store the samples of `n` records (those that are not dead).  A record InfluxDB refuses becomes a
 * dead letter (reason "store"); the others are stored. `fault` is not NULL.
 *   ST_RETRY  no answer, or everybody is refused: call again with the same records
 *   ST_FATAL  credentials or database are wrong: as ST_RETRY, but somebody should look */
enum status history_store(struct history *h, struct record *const *records, size_t n,
                          struct fault *fault) MUST_CHECK;

/* Does it answer, with our database in it? */
enum status history_check(struct history *h, struct fault *fault) MUST_CHECK;

void history_done(struct history *h);

#endif
