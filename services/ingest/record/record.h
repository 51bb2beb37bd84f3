/* services/ingest/record/record.h - one message on its way through ingest: as received, then
 * decoded. Plain values; the queue between accept and writer passes ownership of a `struct record
 * *`. */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fact.h"
#include "proto/state.h"
#include "proto/telemetry.h"
#include "proto/topic.h"

/* What the broker callback puts before the payload in the ring. */
struct arrival {
    struct topic topic;
    int64_t received_ms;
    bool retained;
};

/* Why a record, or part of it, goes to the dead letters; "" = it does not. */
#define REASON_MAX 16

/* A group has thousands of them and goes over all of them time and again: what is looked at of each
 * stands in front, the rest is not even fetched into the cache. */
struct record {
    struct arrival from;
    bool dead;   /* nothing of it can be stored but the dead letter */
    bool again;  /* stored before, as far as we know: only its head was read */
    bool missed; /* ... but the database does not have it: to be read after all */
    size_t len;
    uint64_t flight;            /* its inflight_id */
    uint64_t hand;              /* its inhand_key, 0 none */
    char reason[REASON_MAX];    /* dead letter: "json", "time", "store", ... */
    char letter[UUID_TEXT + 1]; /* the dead letter it was and is decoded from once more; "" none:
                                 * it takes no number, whatever the watermark says */
    char lost_stream[UUID_TEXT +
                     1];  /* an outbox_lost event: first .. last of this stream will never come */
    struct envelope head; /* of a journalled message; stream "" or seq 0: unreadable */
    struct telemetry telemetry; /* LEAF_TELEMETRY; nothing can be added to it */
    size_t line_bytes;          /* of all its samples as lines, at most; 0: not known */
    char *payload;              /* `len` bytes and a terminator, behind the record */
    void *rows;                 /* of the telemetry, where they do not stand behind it too */
    size_t held;                /* bytes it takes, all in all */
    int64_t lost_first, lost_last;
    struct fact fact;           /* LEAF_EVENT .. LEAF_RESULT */
    struct vehicle_state state; /* LEAF_STATE */
    char detail[200];           /* where there is a `reason` */
};

/* Decode `payload` of `len` bytes.  Never NULL but when out of memory: a record that cannot be
 * decoded is `dead`, with its reason.  `now_ms` bounds sample times: 60 days back, 10 minutes
 * ahead; samples outside are taken out.  `desk`: what telemetry is taken apart on, to be used again
 * and again by one thread; telemetry_init before, telemetry_done in the end. */
struct record *record_decode(const struct arrival *from, const char *payload, size_t len,
                             int64_t now_ms, struct telemetry *desk);

/* One that seems to be stored already: its `head` was read, nothing else is.  NULL: no memory. */
struct record *record_again(const struct arrival *from, const struct envelope *head,
                            const char *payload, size_t len);
/* Read what record_again left unread.  ST_FATAL: no memory; the record is as before. */
enum status record_read(struct record *r, int64_t now_ms, struct telemetry *desk) MUST_CHECK;

/* Read stream and seq alone, without taking the rest apart.  False: that takes more. */
bool record_peek(struct envelope *head, const struct arrival *from, const char *payload,
                 size_t len);

/* One that is not to be decoded, for it ended this program before: a dead letter, reason "poison".
 * `with_head`: stream and seq are read, so that it can be acknowledged.  NULL: no memory. */
struct record *record_poison(const struct arrival *from, const char *payload, size_t len,
                             bool with_head);

/* Nothing of it can be stored: it becomes a dead letter.  `detail` may hold any bytes; it is kept
 * as plain ASCII. */
void record_condemn(struct record *r, const char *reason, const char *detail);

/* It is kept, but its bytes become a dead letter too.  The first reason stays. */
void record_put_aside(struct record *r, const char *reason, const char *detail);

/* Journalled messages carry a stream and a seq and are acknowledged; up/state is neither. */
bool record_is_journalled(const struct record *r);
/* Can it be acknowledged at all? */
bool record_has_seq(const struct record *r);
/* Does it belong to the urgent stream (alerts, results)? */
bool record_is_urgent(const struct record *r);

void record_free(struct record *r); /* NULL is fine */

/* Bytes of all records that were decoded and not freed yet.  Any thread. */
size_t records_held_bytes(void);

#endif
