/* services/ingest/group.h - records that are stored together: gathered from a queue, by one thread,
 * and handed on with all that belongs to them. */
#ifndef INGEST_GROUP_H
#define INGEST_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "inflight.h"
#include "inhand.h"
#include "lib/queue.h"
#include "record/record.h"

#define GROUP_RECORDS INFLIGHT_GROUP_MAX

struct group {
    struct record *records[GROUP_RECORDS];
    size_t count;
};

struct gatherer {
    struct queue *from; /* of struct record * */
    struct inflight *inflight;
    enum inflight_lane lane;
    int64_t batch_wait_ms;
    struct record *held; /* taken out of the queue, but for the next group */
    int64_t closed_ms;   /* the last group, of clock_boot_ms */
};

/* Until when a group whose first record came at `now_ms` waits for others: after a quiet moment not
 * at all, for nothing says that others come.  Pure. */
int64_t group_until_ms(int64_t now_ms, int64_t closed_ms, int64_t batch_wait_ms);

/* What has arrived, up to 5,000 samples (or trouble codes) or batch_wait_ms after the first; what
 * comes after a quiet moment or is urgent waits for nothing else, and a record that may have ended
 * us has a group of its own.  Waits for the first at most wait_ms; then the group is empty.  False:
 * shut and empty.
 */
bool group_gather(struct gatherer *g, struct group *out, int wait_ms);

/* It comes from another thread, of another lane, which has let go of it. */
void group_arrive(const struct group *g, struct inflight *f, enum inflight_lane lane);

/* Nothing more is to be done about it: its records are freed. */
void group_drop(struct group *g, struct inflight *f, enum inflight_lane lane, bool stored,
                struct inhand *inhand);

#endif
