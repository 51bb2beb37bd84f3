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
#include "salvage.h"

struct outbox;

#define OUTBOX_SENT_NOTE "sent/" /* and a stream's name: up to here it may have been sent */

enum outbox_stream { STREAM_BULK, STREAM_URGENT, STREAMS };

const char *outbox_stream_name(enum outbox_stream stream); /* "bulk" "urgent": label and column */

/* How it was found. */
struct outbox_found {
    bool created; /* there was none, or only a damaged one */
    bool damaged;
    char moved_to[704]; /* where the damaged one is now */
    char reason[160];   /* what was wrong with it */
    int64_t unsent;     /* records in it that no site has, as far as could be counted: */
    enum salvage_reach counted;
    /* The write-ahead log could not be read to its end: so many numbers, which a lost commit may
     * have given out, are passed over (and told: outbox_each "lost/"). */
    int64_t passed_over[STREAMS];
};

/* What the disk did with the last write. */
enum outbox_trouble {
    OUTBOX_WELL,
    OUTBOX_FULL,      /* no room */
    OUTBOX_FAILING,   /* EIO and the like */
    OUTBOX_READ_ONLY, /* mounted or switched so */
    OUTBOX_BUSY,      /* somebody else holds the file */
    OUTBOX_DAMAGED    /* what was read cannot be: outbox_reopen */
};

const char *outbox_trouble_name(enum outbox_trouble trouble); /* "ok" "full" "failing" ... */

struct outbox_record {
    int64_t seq;
    enum leaf leaf;
    size_t len;
    char payload[JSON_MAX_BYTES];
};

/* Open or create <folder>/outbox.db; the folder is made (0700).  A damaged one is moved aside and
 * new streams begin; one of an older version gets what it lacks.
 *   ST_REJECT  another agent has it open
 *   ST_RETRY   the disk takes nothing, or gives nothing: try again
 *   ST_FATAL   cannot be created, or is of a newer version */
enum status outbox_open(struct outbox **out, const char *folder, struct outbox_found *found,
                        struct fault *fault) MUST_CHECK;
void outbox_close(struct outbox *o); /* NULL is fine */

/* After ST_FATAL: close the file, look at it closely, go on with it if it is well, else move it
 * aside and begin new streams.  Not within a transaction.  As outbox_open otherwise. */
enum status outbox_reopen(struct outbox *o, struct outbox_found *found,
                          struct fault *fault) MUST_CHECK;

/* Another's outbox, to look at: no lock, nothing is written or moved.  Only reading functions may
 * be called.  ST_NONE: there is none. */
enum status outbox_look_in(struct outbox **out, const char *folder, struct fault *fault) MUST_CHECK;

enum outbox_trouble outbox_trouble(const struct outbox *o);
bool outbox_is_open(const struct outbox *o); /* false after outbox_reopen failed: do it again */

const char *outbox_stream_id(const struct outbox *o, enum outbox_stream stream); /* its UUID */
int64_t outbox_given(const struct outbox *o,
                     enum outbox_stream stream); /* highest number committed, 0 none */

/* ---- writing: begin, put ..., end.  On failure of any: outbox_undo, and nothing of it has
 * happened. ST_RETRY  disk full or unwritable: keep it in memory, try later    ST_FATAL  the file
 * is damaged: outbox_reopen */
enum status outbox_begin(struct outbox *o, struct fault *fault) MUST_CHECK;
int64_t outbox_number(struct outbox *o,
                      enum outbox_stream stream); /* the number the next put of it will have */
enum status outbox_put(struct outbox *o, enum outbox_stream stream, enum leaf leaf, int64_t now_ms,
                       const char *payload, size_t len, struct fault *fault) MUST_CHECK;
enum status outbox_end(struct outbox *o, struct fault *fault) MUST_CHECK;
void outbox_undo(struct outbox *o);

/* The disk is full: let the write-ahead log be written from its beginning again, and, `all`, give
 * the disk back what was reserved for this moment; from then on outbox_room_bytes says how much may
 * be used.  Not within a transaction. */
void outbox_relieve(struct outbox *o, bool all);
/* Reserve again, if the disk has room to spare.  Cheap when there is nothing to do. */
void outbox_reserve(struct outbox *o);

/* Delete at most `max` records of first .. last made before `before_ms`, oldest first.  *n: how
 * many; *last_seq: the highest of them.  Within a transaction. */
enum status outbox_delete(struct outbox *o, enum outbox_stream stream, int64_t first, int64_t last,
                          int64_t before_ms, int64_t max, int64_t *n, int64_t *last_seq,
                          struct fault *fault) MUST_CHECK;

/* Small named texts kept beside the records: configuration, acks, last sample time; "lost/<stream>/
 * <first>": the last of a range of numbers that is still to be announced.  One that is not as it
 * was written counts as absent.  set, unset: within a transaction. */
enum status outbox_set(struct outbox *o, const char *name, const char *bytes, size_t len,
                       struct fault *fault) MUST_CHECK;
enum status outbox_get(struct outbox *o, const char *name, struct text *out,
                       struct fault *fault) MUST_CHECK;
enum status outbox_unset(struct outbox *o, const char *name, struct fault *fault) MUST_CHECK;
/* Calls `take` for each whose name begins with `prefix`. */
enum status outbox_each(struct outbox *o, const char *prefix,
                        void (*take)(void *self, const char *name, const char *bytes, size_t len),
                        void *self, struct fault *fault) MUST_CHECK;

/* Within a transaction: new streams for what is there.  Another id for each; the numbers
 * go on, records keep theirs and say the new id from now on (stamp.h).  What lies below from[i] and
 * every hole above it is written down to be announced ("lost/"); acks kept are forgotten.
 * unsent[i]: how many records of a stream count in the new one. */
enum status outbox_begin_anew(struct outbox *o, const int64_t from[STREAMS],
                              int64_t unsent[STREAMS], struct fault *fault) MUST_CHECK;

/* ---- reading */

/* The first record at or above `seq` that is as it was written, stamped with the stream's id of
 * now.  ST_NONE: there is none.
 * Those that are not are passed over and remembered until they are set aside. */
enum status outbox_read(struct outbox *o, enum outbox_stream stream, int64_t seq,
                        struct outbox_record *out, struct fault *fault) MUST_CHECK;
/* The i-th spoiled record's number; 0: no more. */
int64_t outbox_spoiled(const struct outbox *o, enum outbox_stream stream, size_t i);
/* Move it to the table `spoiled`, where the newest 200 stay.  Within a transaction. */
enum status outbox_set_aside(struct outbox *o, enum outbox_stream stream, int64_t seq,
                             int64_t now_ms, struct fault *fault) MUST_CHECK;
/* When the oldest record of a stream was made; 0: there is none. */
int64_t outbox_oldest_ms(struct outbox *o, enum outbox_stream stream);
/* The newest whole record of this leaf among the last 20,000.  ST_NONE: there is none. */
enum status outbox_newest(struct outbox *o, enum outbox_stream stream, enum leaf leaf,
                          struct outbox_record *out, struct fault *fault) MUST_CHECK;
int64_t outbox_count(const struct outbox *o, enum outbox_stream stream);
int64_t outbox_used_bytes(const struct outbox *o); /* of the file, free pages not counted */
/* What the file may use on a disk that was found full: not to be passed, for what lies beyond its
 * end could not be written back from the write-ahead log.  INT64_MAX: the disk has room. */
int64_t outbox_room_bytes(const struct outbox *o);

#endif
