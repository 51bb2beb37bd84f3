/* vehicle/outbox.h - every record the car has made, on disk until it may be forgotten.  SQLite,
 * WAL, synchronous=FULL. Two streams, each with its own UUID and its own numbers from 1, +1, taken
 * from a counter row in the transaction that stores the record.  The tables are described in
 * vehicle/README.md.  Main thread only. */
#ifndef VEHICLE_OUTBOX_H
#define VEHICLE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/envelope.h"
#include "proto/json.h"
#include "proto/topic.h"

struct outbox;

enum outbox_stream { STREAM_BULK, STREAM_URGENT, STREAMS };

const char *outbox_stream_name(enum outbox_stream stream); /* "bulk" "urgent": label and column */

/* How it was found. */
struct outbox_found {
    bool created; /* there was none, or only a damaged one */
    bool damaged;
    char moved_to[704]; /* where the damaged one is now */
};

struct outbox_record {
    int64_t seq;
    enum leaf leaf;
    size_t len;
    char payload[JSON_MAX_BYTES];
};

/* Open or create <folder>/outbox.db; the folder is made (0700).  A damaged one is moved aside and
 * new streams begin. ST_REJECT  another agent has it open    ST_FATAL  cannot be created, or is of
 * a newer version */
enum status outbox_open(struct outbox **out, const char *folder, struct outbox_found *found,
                        struct fault *fault) MUST_CHECK;
void outbox_close(struct outbox *o); /* NULL is fine */

const char *outbox_stream_id(const struct outbox *o, enum outbox_stream stream); /* its UUID */
int64_t outbox_given(const struct outbox *o,
                     enum outbox_stream stream); /* highest number committed, 0 none */

/* ---- writing: begin, put ..., end.  On failure of any: outbox_undo, and nothing of it has
 * happened. ST_RETRY  disk full or unwritable: keep it in memory, try later    ST_FATAL  the file
 * is damaged: exit */
enum status outbox_begin(struct outbox *o, struct fault *fault) MUST_CHECK;
int64_t outbox_number(struct outbox *o,
                      enum outbox_stream stream); /* the number the next put of it will have */
enum status outbox_put(struct outbox *o, enum outbox_stream stream, enum leaf leaf, int64_t now_ms,
                       const char *payload, size_t len, struct fault *fault) MUST_CHECK;
enum status outbox_end(struct outbox *o, struct fault *fault) MUST_CHECK;
void outbox_undo(struct outbox *o);

/* Delete at most `max` records of first .. last made before `before_ms`, oldest first.  *n: how
 * many; *last_seq: the highest of them.  Within a transaction. */
enum status outbox_delete(struct outbox *o, enum outbox_stream stream, int64_t first, int64_t last,
                          int64_t before_ms, int64_t max, int64_t *n, int64_t *last_seq,
                          struct fault *fault) MUST_CHECK;

/* Small named texts kept beside the records: configuration, acks, last sample time.  set: within a
 * transaction. */
enum status outbox_set(struct outbox *o, const char *name, const char *bytes, size_t len,
                       struct fault *fault) MUST_CHECK;
enum status outbox_get(struct outbox *o, const char *name, struct text *out,
                       struct fault *fault) MUST_CHECK;
/* Calls `take` for each whose name begins with `prefix`. */
enum status outbox_each(struct outbox *o, const char *prefix,
                        void (*take)(void *self, const char *name, const char *bytes, size_t len),
                        void *self, struct fault *fault) MUST_CHECK;

/* ---- reading */

/* The first record at or above `seq`.  ST_NONE: there is none. */
enum status outbox_read(struct outbox *o, enum outbox_stream stream, int64_t seq,
                        struct outbox_record *out, struct fault *fault) MUST_CHECK;
int64_t outbox_count(const struct outbox *o, enum outbox_stream stream);
int64_t outbox_used_bytes(const struct outbox *o); /* of the file, free pages not counted */

#endif
