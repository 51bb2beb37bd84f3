/* services/ingest/history.h - samples into InfluxDB: one request per group, bisected when it
 * refuses. One thread. */
#ifndef INGEST_HISTORY_H
#define INGEST_HISTORY_H

#include <stddef.h>

#include "lib/store/influx.h"
#include "lib/text.h"
#include "record.h"

struct history {
    struct influx *db; /* borrowed */
    struct text lines; /* memory kept between groups */
};

/* Store the samples of `n` records (those that are not dead).  A record InfluxDB refuses becomes a
 * dead letter (reason "store"); the others are stored. `fault` is not NULL. ST_RETRY  no answer:
 * call again with the same records    ST_FATAL  credentials or database are wrong: as ST_RETRY, but
 * somebody should look */
enum status history_store(struct history *h, struct record *const *records, size_t n,
                          struct fault *fault) MUST_CHECK;

void history_done(struct history *h);

#endif
