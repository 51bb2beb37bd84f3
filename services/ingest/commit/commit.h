/* services/ingest/commit/commit.h - one PostgreSQL transaction per group: facts, dead letters,
 * newest state, watermarks. What it returns as told may be acknowledged.  One thread. */
#ifndef INGEST_COMMIT_H
#define INGEST_COMMIT_H

#include <stddef.h>

#include "proto/ack.h"
#include "proto/alert_change.h"
#include "services/ingest/record/duty.h"
#include "services/ingest/record/record.h"

struct commit;

/* One stream touched by a group, or asked for by a vehicle that connected, or whose facts another
 * site has written.  What may be acknowledged here is what both its history at this site and its
 * facts, of which there is one set for all sites, are stored of. */
struct stream_mark {
    char vin[VIN_LEN + 1];
    char stream[UUID_TEXT + 1];
    struct watermark history, facts;
    struct watermark mark;               /* both of them: what may be acknowledged */
    size_t bytes;                        /* of the records of the group it covers, new or not */
    bool told;                           /* there is something to acknowledge */
    bool at_once;                        /* urgent, or the vehicle has just connected */
    bool history_changed, facts_changed; /* by this group */
    bool facts_ours; /* this group writes its facts: their row is to be locked */
    bool facts_locked;
    int64_t missing_before; /* numbers of its history that were missing before this group */
    int64_t lost;           /* and those of it this group announces as lost */
    int64_t facts_age_ms;   /* since their row changed, where it is another's */
};

struct commit_waits {
    int64_t count_ms;  /* tally.h */
    int64_t minute_ms; /* touched.h */
};

/* `duty` tells which shards are ours; borrowed. */
enum status commit_open(struct commit **out, const char *conninfo, const char *site,
                        struct duty *duty, const struct commit_waits *waits,
                        struct fault *fault) MUST_CHECK;

/* Commit `n` records; those only seen `again` write nothing, and become `missed` where the database
 * does not know them.  *marks (yours until the next call, *mark_count of them) tell what is stored
 * now. ST_RETRY   the database is away: nothing is stored, call again with the same records
 *   ST_REJECT  it refuses something in this group: nothing is stored, try the records one by one
 *   ST_FATAL   schema or rights are wrong: nothing is stored */
enum status commit_group(struct commit *c, struct record *const *records, size_t n,
                         struct stream_mark **marks, size_t *mark_count,
                         struct fault *fault) MUST_CHECK;

/* What the other sites have understood since: the streams of our shards of which we may now
 * acknowledge more.  Does not wait.  What is missed here comes again from the vehicle. */
enum status commit_hear(struct commit *c, struct stream_mark **marks, size_t *mark_count,
                        struct fault *fault) MUST_CHECK;

/* Alerts the newest commit_group changed, to be told now; yours until the next. */
const struct alert_change_message *commit_alerts(const struct commit *c, size_t *n);

/* Write down what was counted of each vehicle (tally.h), between groups; `all`: before the end. */
enum status commit_tallies(struct commit *c, bool all, struct fault *fault) MUST_CHECK;

/* Does the database answer, with our tables in it? */
enum status commit_check(struct commit *c, struct fault *fault) MUST_CHECK;

/* Connect, and let the database read and plan part of what a group of telemetry asks of it: the
 * first one shall not wait for that.  Without rows, so it leaves nothing behind.  `step` from 0 on;
 * ST_NONE: there is no such step.  Else as commit_check. */
enum status commit_rehearse(struct commit *c, unsigned step, struct fault *fault) MUST_CHECK;

void commit_close(struct commit *c);

#endif
