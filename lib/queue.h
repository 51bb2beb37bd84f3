/* lib/queue.h - a bounded queue between threads: the only place where two threads meet.
 * Two shapes: fixed-size values (queue) and byte records (ring).  Both copy; nobody shares memory.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

struct queue;

/* At most `slots` values of `size` bytes. */
enum status queue_open(struct queue **out, size_t slots, size_t size,
                       struct fault *fault) MUST_CHECK;
/* Copy one value in.  Waits while full, at most wait_ms (-1 for ever, 0 not at all).
 *   ST_RETRY full for that long    ST_NONE the queue is shut */
enum status queue_push(struct queue *q, const void *value, int wait_ms) MUST_CHECK;
/* The same, but it comes out after all that was pushed the common way, and has room of its own. */
enum status queue_push_patient(struct queue *q, const void *value, int wait_ms) MUST_CHECK;
/* Take at most `max` values, the patient last, each the oldest first; waits for the first at most
 * wait_ms.  *n = taken. ST_RETRY nothing came    ST_NONE shut and empty */
enum status queue_pop(struct queue *q, void *values, size_t max, int wait_ms, size_t *n) MUST_CHECK;
void queue_shut(struct queue *q); /* no more push; what is in can still be popped; wakes everyone */
size_t queue_depth(struct queue *q);
void queue_close(struct queue *q); /* NULL is fine; nobody may be inside */

struct ring; /* byte records of any length up to its size */

enum status ring_open(struct ring **out, size_t bytes, size_t max_record,
                      struct fault *fault) MUST_CHECK;
/* Copy one record in, made of two parts (either may be empty).  Never waits: ST_RETRY full, ST_NONE
 * shut, ST_REJECT longer than max_record. */
enum status ring_push(struct ring *r, const void *head, size_t head_len, const void *body,
                      size_t body_len) MUST_CHECK;
/* Copy the oldest record out (`size` >= max_record).  ST_RETRY nothing within wait_ms, ST_NONE shut
 * and empty. */
enum status ring_pop(struct ring *r, void *out, size_t size, size_t *len, int wait_ms) MUST_CHECK;
#define RING_PREFIX sizeof(uint32_t)
/* Copy out as many of the oldest records as fit whole into `size` (>= RING_PREFIX + max_record),
 * each behind its length as a uint32_t, not aligned.  *len = bytes of all of them, *left = bytes
 * that stay in the ring.  Statuses of ring_pop; without ST_OK *len is 0. */
enum status ring_take(struct ring *r, void *out, size_t size, size_t *len, size_t *left,
                      int wait_ms) MUST_CHECK;
void ring_shut(struct ring *r);
size_t ring_depth(struct ring *r); /* records in it */
size_t ring_used_bytes(struct ring *r);
void ring_close(struct ring *r);

#endif
