/* lib/queue.c - a bounded queue of values and a bounded ring of byte records: one mutex, two
 * conditions. */
#include "lib/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- waiting */

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t came, left; /* something came in, room was made */
    bool shut;
};

static enum status gate_init(struct gate *g, struct fault *fault)
{
    pthread_condattr_t attr;
    int error = pthread_condattr_init(&attr);

    /* The clock on the wall jumps when a car gets its first GPS fix; deadlines must not. */
    if (!error)
        error = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_mutex_init(&g->mutex, NULL);
    if (!error)
        error = pthread_cond_init(&g->came, &attr);
    if (!error)
        error = pthread_cond_init(&g->left, &attr);
    if (error)
        return fault_set(fault, ST_FATAL, "queue: %s", strerror(error));
    pthread_condattr_destroy(&attr);
    g->shut = false;
    return ST_OK;
}

static void gate_done(struct gate *g)
{
    pthread_cond_destroy(&g->left);
    pthread_cond_destroy(&g->came);
    pthread_mutex_destroy(&g->mutex);
}

static void gate_shut(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->shut = true;
    pthread_cond_broadcast(&g->came);
    pthread_cond_broadcast(&g->left);
    pthread_mutex_unlock(&g->mutex);
}

static struct timespec deadline_in(int wait_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ms / 1000;
    t.tv_nsec += wait_ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

/* Wait on `what` while *count is `unwanted` and the gate is open; with the mutex held.  False: time
 * is up. */
static bool gate_wait(struct gate *g, pthread_cond_t *what, const size_t *count, size_t unwanted,
                      int wait_ms)
{
    struct timespec end;

    if (*count != unwanted || g->shut)
        return true;
    if (wait_ms == 0)
        return false;
    if (wait_ms > 0)
        end = deadline_in(wait_ms);
    while (*count == unwanted && !g->shut) {
        int error = wait_ms < 0 ? pthread_cond_wait(what, &g->mutex)
                                : pthread_cond_timedwait(what, &g->mutex, &end);

        if (error == ETIMEDOUT)
            return *count != unwanted || g->shut;
        assert(!error);
    }
    return true;
}

/* A place behind the end is one at the beginning; it is never two rounds ahead. */
static size_t wrapped(size_t at, size_t room)
{
    return at < room ? at : at - room;
}

/* ---- values */

enum { COMMON, PATIENT, LANES };

struct lane {
    size_t slots, first, count; /* the oldest and how many */
    unsigned char *values;
};

struct queue {
    struct gate gate;
    size_t size, count; /* of a value; in all lanes */
    struct lane lanes[LANES];
};

enum status queue_open(struct queue **out, size_t slots, size_t size, struct fault *fault)
{
    struct queue *q;
    enum status st;

    if (slots == 0 || size == 0 || slots > SIZE_MAX / 2 / size)
        return fault_set(fault, ST_REJECT, "queue of %zu x %zu bytes is not possible", slots, size);
    q = calloc(1, sizeof *q);
    if (q)
        q->lanes[COMMON].values = malloc(slots * size);
    if (!q || !q->lanes[COMMON].values) {
        free(q);
        return fault_set(fault, ST_FATAL, "queue of %zu x %zu bytes: out of memory", slots, size);
    }
    st = gate_init(&q->gate, fault);
    if (st != ST_OK) {
        free(q->lanes[COMMON].values);
        free(q);
        return st;
    }
    q->lanes[COMMON].slots = slots;
    q->lanes[PATIENT].slots = slots;
    q->size = size;
    *out = q;
    return ST_OK;
}

/* Nobody may need the lane: its memory comes with the first value.  With the mutex held. */
static bool lane_is_there(const struct queue *q, struct lane *lane)
{
    if (!lane->values)
        lane->values = malloc(lane->slots * q->size);
    return lane->values;
}

static enum status push(struct queue *q, struct lane *lane, const void *value, int wait_ms)
{
    enum status st = ST_OK;

    pthread_mutex_lock(&q->gate.mutex);
    if (!lane_is_there(q, lane) ||
        !gate_wait(&q->gate, &q->gate.left, &lane->count, lane->slots, wait_ms)) {
        st = ST_RETRY;
    } else if (q->gate.shut) {
        st = ST_NONE;
    } else {
        size_t at = wrapped(lane->first + lane->count, lane->slots);

        memcpy(lane->values + at * q->size, value, q->size);
        lane->count++;
        q->count++;
        pthread_cond_signal(&q->gate.came);
    }
    pthread_mutex_unlock(&q->gate.mutex);
    return st;
}

enum status queue_push(struct queue *q, const void *value, int wait_ms)
{
    return push(q, &q->lanes[COMMON], value, wait_ms);
}

enum status queue_push_patient(struct queue *q, const void *value, int wait_ms)
{
    return push(q, &q->lanes[PATIENT], value, wait_ms);
}

/* Up to `max` of one lane; returns how many. */
static size_t take(struct queue *q, struct lane *lane, unsigned char *values, size_t max)
{
    size_t taken = lane->count < max ? lane->count : max;
    size_t before_end = lane->slots - lane->first < taken ? lane->slots - lane->first : taken;

    if (taken == 0)
        return 0;
    memcpy(values, lane->values + lane->first * q->size, before_end * q->size);
    memcpy(values + before_end * q->size, lane->values, (taken - before_end) * q->size);
    lane->first = wrapped(lane->first + taken, lane->slots);
    lane->count -= taken;
    q->count -= taken;
    return taken;
}

enum status queue_pop(struct queue *q, void *values, size_t max, int wait_ms, size_t *n)
{
    enum status st = ST_OK;
    size_t taken = 0;

    assert(max > 0);
    pthread_mutex_lock(&q->gate.mutex);
    if (!gate_wait(&q->gate, &q->gate.came, &q->count, 0, wait_ms)) {
        st = ST_RETRY;
    } else if (q->count == 0) {
        st = ST_NONE;
    }
    for (size_t i = 0; i < LANES && taken < max; i++)
        taken += take(q, &q->lanes[i], (unsigned char *)values + taken * q->size, max - taken);
    if (taken)
        pthread_cond_broadcast(&q->gate.left);
    pthread_mutex_unlock(&q->gate.mutex);
    *n = taken;
    return st;
}

void queue_shut(struct queue *q)
{
    gate_shut(&q->gate);
}

size_t queue_depth(struct queue *q)
{
    size_t depth;

    pthread_mutex_lock(&q->gate.mutex);
    depth = q->count;
    pthread_mutex_unlock(&q->gate.mutex);
    return depth;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    gate_done(&q->gate);
    for (size_t i = 0; i < LANES; i++)
        free(q->lanes[i].values);
    free(q);
}

/* ---- records: a 4-byte length, then the bytes; both may wrap around the end */

struct ring {
    struct gate gate;
    size_t room, max_record;
    size_t first, used, records;
    unsigned char *bytes;
};

#define PREFIX RING_PREFIX

enum status ring_open(struct ring **out, size_t bytes, size_t max_record, struct fault *fault)
{
    struct ring *r;
    enum status st;

    if (max_record > UINT32_MAX || bytes > SIZE_MAX / 2 || bytes < PREFIX ||
        max_record > bytes - PREFIX)
        return fault_set(fault, ST_REJECT, "a ring of %zu bytes does not hold a record of %zu",
                         bytes, max_record);
    r = calloc(1, sizeof *r);
    if (r)
        r->bytes = malloc(bytes);
    if (!r || !r->bytes) {
        free(r);
        return fault_set(fault, ST_FATAL, "ring of %zu bytes: out of memory", bytes);
    }
    st = gate_init(&r->gate, fault);
    if (st != ST_OK) {
        free(r->bytes);
        free(r);
        return st;
    }
    r->room = bytes;
    r->max_record = max_record;
    *out = r;
    return ST_OK;
}

/* Append `len` bytes behind what is used; the caller has checked that they fit. */
static void ring_put(struct ring *r, const void *bytes, size_t len)
{
    size_t at = wrapped(r->first + r->used, r->room);
    size_t before_end = r->room - at < len ? r->room - at : len;

    if (len == 0)
        return;
    memcpy(r->bytes + at, bytes, before_end);
    memcpy(r->bytes, (const unsigned char *)bytes + before_end, len - before_end);
    r->used += len;
}

static void ring_get(struct ring *r, void *out, size_t len)
{
    size_t before_end = r->room - r->first < len ? r->room - r->first : len;

    if (len == 0)
        return;
    memcpy(out, r->bytes + r->first, before_end);
    memcpy((unsigned char *)out + before_end, r->bytes, len - before_end);
    r->used -= len;
    /* empty: back to the beginning, so that only what was ever needed is touched and resident */
    r->first = r->used ? wrapped(r->first + len, r->room) : 0;
}

/* The oldest record's length, which stays there. */
static size_t ring_peek(const struct ring *r)
{
    unsigned char prefix[PREFIX];
    uint32_t len;

    for (size_t i = 0; i < PREFIX; i++)
        prefix[i] = r->bytes[wrapped(r->first + i, r->room)];
    memcpy(&len, prefix, PREFIX);
    return len;
}

enum status ring_push(struct ring *r, const void *head, size_t head_len, const void *body,
                      size_t body_len)
{
    enum status st = ST_OK;
    uint32_t len;

    if (head_len > r->max_record || body_len > r->max_record - head_len)
        return ST_REJECT;
    len = (uint32_t)(head_len + body_len);
    pthread_mutex_lock(&r->gate.mutex);
    if (r->gate.shut) {
        st = ST_NONE;
    } else if (PREFIX + len > r->room - r->used) {
        st = ST_RETRY;
    } else {
        ring_put(r, &len, PREFIX);
        ring_put(r, head, head_len);
        ring_put(r, body, body_len);
        r->records++;
        pthread_cond_signal(&r->gate.came);
    }
    pthread_mutex_unlock(&r->gate.mutex);
    return st;
}

enum status ring_pop(struct ring *r, void *out, size_t size, size_t *len, int wait_ms)
{
    enum status st = ST_OK;
    uint32_t record;

    assert(size >= r->max_record);
    pthread_mutex_lock(&r->gate.mutex);
    if (!gate_wait(&r->gate, &r->gate.came, &r->records, 0, wait_ms)) {
        st = ST_RETRY;
    } else if (r->records == 0) {
        st = ST_NONE;
    } else {
        ring_get(r, &record, PREFIX);
        ring_get(r, out, record);
        r->records--;
        *len = record;
    }
    pthread_mutex_unlock(&r->gate.mutex);
    return st;
}

enum status ring_take(struct ring *r, void *out, size_t size, size_t *len, size_t *left,
                      int wait_ms)
{
    enum status st = ST_OK;
    size_t taken = 0;

    assert(size >= RING_PREFIX + r->max_record);
    pthread_mutex_lock(&r->gate.mutex);
    if (!gate_wait(&r->gate, &r->gate.came, &r->records, 0, wait_ms))
        st = ST_RETRY;
    else if (r->records == 0)
        st = ST_NONE;
    for (size_t next; r->records > 0 && (next = PREFIX + ring_peek(r)) <= size - taken;) {
        ring_get(r, (unsigned char *)out + taken, next);
        taken += next;
        r->records--;
    }
    *left = r->used;
    pthread_mutex_unlock(&r->gate.mutex);
    *len = taken;
    return st;
}

void ring_shut(struct ring *r)
{
    gate_shut(&r->gate);
}

static size_t read_count(struct ring *r, const size_t *count)
{
    size_t value;

    pthread_mutex_lock(&r->gate.mutex);
    value = *count;
    pthread_mutex_unlock(&r->gate.mutex);
    return value;
}

size_t ring_depth(struct ring *r)
{
    return read_count(r, &r->records);
}

size_t ring_used_bytes(struct ring *r)
{
    return read_count(r, &r->used);
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    gate_done(&r->gate);
    free(r->bytes);
    free(r);
}
