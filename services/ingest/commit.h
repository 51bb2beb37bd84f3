/* services/ingest/commit.h - one PostgreSQL transaction per group: facts, dead letters, newest
 * state, watermark. What it returns as taken may be acknowledged.  One thread. */
#ifndef INGEST_COMMIT_H
#define INGEST_COMMIT_H

#include <stddef.h>

#include "proto/ack.h"
#include "record.h"

struct commit;

/* What became of each stream touched by a group, or asked for by a vehicle that connected. */
struct stream_mark {
    char vin[VIN_LEN + 1];
    char stream[UUID_TEXT + 1];
    struct watermark mark;
    size_t bytes; /* of the records it newly covers, or covered before */
    bool at_once; /* urgent, or the vehicle has just connected */
    bool changed; /* by this group */
};

enum status commit_open(struct commit **out, const char *conninfo, const char *site,
                        struct fault *fault) MUST_CHECK;

/* Commit `n` records; those only seen `again` write nothing, and become `missed` where the database
 * does not know them.  *marks (yours until the next call, *mark_count of them) tell what is stored
 * now. ST_RETRY   the database is away: nothing is stored, call again with the same records
 *   ST_REJECT  it refuses something in this group: nothing is stored, try the records one by one
 *   ST_FATAL   schema or rights are wrong: nothing is stored */
enum status commit_group(struct commit *c, struct record *const *records, size_t n,
                         struct stream_mark **marks, size_t *mark_count,
                         struct fault *fault) MUST_CHECK;

/* Does the database answer, with our tables in it? */
enum status commit_check(struct commit *c, struct fault *fault) MUST_CHECK;

void commit_close(struct commit *c);

#endif
