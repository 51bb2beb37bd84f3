/* tests/unit/lib/test_queue.c - values and records between threads: all of them, once, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/queue.h"

/* ---- values */

static struct queue *open_queue(size_t slots)
{
    struct queue *q = NULL;

    assert_int_equal(queue_open(&q, slots, sizeof(int), NULL), ST_OK);
    return q;
}

static void values_come_out_in_order_around_the_end(void **state)
{
    struct queue *q = open_queue(5);
    int in = 0, next = 0, out[5];
    size_t n;

    (void)state;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 1 + round % 5; i++, in++)
            assert_int_equal(queue_push(q, &in, 0), ST_OK);
        while (queue_depth(q)) {
            assert_int_equal(queue_pop(q, out, 1 + (size_t)round % 3, 0, &n), ST_OK);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(out[i], next++);
        }
    }
    assert_int_equal(next, in);
    queue_close(q);
}

static void a_full_queue_says_retry_and_an_empty_one_too(void **state)
{
    struct queue *q = open_queue(2);
    int value = 1;
    size_t n = 7;

    (void)state;
    assert_int_equal(queue_pop(q, &value, 1, 0, &n), ST_RETRY);
    assert_int_equal(n, 0);
    assert_int_equal(queue_pop(q, &value, 1, 5, &n), ST_RETRY);
    assert_int_equal(queue_push(q, &value, 0), ST_OK);
    assert_int_equal(queue_push(q, &value, 0), ST_OK);
    assert_int_equal(queue_push(q, &value, 0), ST_RETRY);
    assert_int_equal(queue_push(q, &value, 5), ST_RETRY);
    assert_int_equal(queue_depth(q), 2);
    queue_close(q);
}

static void the_patient_come_last_and_find_room_of_their_own(void **state)
{
    static const int wanted[] = {1, 2, 20, 21};
    struct queue *q = open_queue(2);
    int out[4];
    size_t n;

    (void)state;
    for (int round = 0; round < 5; round++) {
        for (int i = 20; i <= 21; i++)
            assert_int_equal(queue_push_patient(q, &i, 0), ST_OK);
        assert_int_equal(queue_push_patient(q, &(int){22}, 0), ST_RETRY);
        for (int i = 1; i <= 2; i++)
            assert_int_equal(queue_push(q, &i, 0), ST_OK);
        assert_int_equal(queue_push(q, &(int){3}, 0), ST_RETRY);
        assert_int_equal(queue_depth(q), 4);
        assert_int_equal(queue_pop(q, out, 1, 0, &n), ST_OK);
        assert_int_equal(queue_pop(q, out + 1, 3, 0, &n), ST_OK);
        assert_int_equal(n, 3);
        assert_memory_equal(out, wanted, sizeof wanted);
        assert_int_equal(queue_depth(q), 0);
    }
    queue_close(q);
}

static void a_shut_queue_gives_what_is_in_and_then_none(void **state)
{
    struct queue *q = open_queue(4);
    int value = 1, out[4];
    size_t n;

    (void)state;
    assert_int_equal(queue_push(q, &value, 0), ST_OK);
    assert_int_equal(queue_push(q, &value, 0), ST_OK);
    queue_shut(q);
    assert_int_equal(queue_push(q, &value, 0), ST_NONE);
    assert_int_equal(queue_pop(q, out, 1, -1, &n), ST_OK);
    assert_int_equal(queue_pop(q, out, 4, -1, &n), ST_OK);
    assert_int_equal(n, 1);
    assert_int_equal(queue_pop(q, out, 4, -1, &n), ST_NONE);
    assert_int_equal(n, 0);
    queue_close(q);
}

static void impossible_sizes_are_refused(void **state)
{
    struct fault fault = {""};
    struct queue *q = NULL;
    struct ring *r = NULL;

    (void)state;
    assert_int_equal(queue_open(&q, 0, 4, &fault), ST_REJECT);
    assert_int_equal(queue_open(&q, 4, 0, &fault), ST_REJECT);
    assert_int_equal(queue_open(&q, SIZE_MAX / 4, 8, &fault), ST_REJECT);
    assert_null(q);
    assert_int_equal(ring_open(&r, 0, 0, &fault), ST_REJECT);
    assert_int_equal(ring_open(&r, 103, 100, &fault), ST_REJECT);
    assert_int_equal(ring_open(&r, 1 << 20, SIZE_MAX, &fault), ST_REJECT);
    assert_string_not_equal(fault.text, "");
    assert_null(r);
    queue_close(NULL);
    ring_close(NULL);
}

enum { PRODUCERS = 3, CONSUMERS = 2, EACH = 20000 };

struct work {
    struct queue *q;
    int id;
    long long sum; /* of what a consumer took */
    int count, last[PRODUCERS];
    bool in_order;
};

static void *produce(void *self)
{
    struct work *w = self;

    for (int i = 0; i < EACH; i++) {
        int value = w->id * EACH + i;

        if (queue_push(w->q, &value, -1) != ST_OK)
            break;
    }
    return NULL;
}

static void *consume(void *self)
{
    struct work *w = self;
    int values[7];
    size_t n;

    w->in_order = true;
    memset(w->last, -1, sizeof w->last);
    while (queue_pop(w->q, values, 7, -1, &n) != ST_NONE)
        for (size_t i = 0; i < n; i++) {
            int *last = &w->last[values[i] / EACH];

            w->in_order = w->in_order && values[i] > *last;
            *last = values[i];
            w->sum += values[i];
            w->count++;
        }
    return NULL;
}

static void many_threads_lose_and_repeat_nothing(void **state)
{
    struct queue *q = open_queue(16);
    struct work work[PRODUCERS + CONSUMERS] = {{0}};
    pthread_t threads[PRODUCERS + CONSUMERS];
    long long sum = 0, all = (long long)PRODUCERS * EACH;
    int count = 0;

    (void)state;
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        work[i].q = q;
        work[i].id = i;
        pthread_create(&threads[i], NULL, i < PRODUCERS ? produce : consume, &work[i]);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_shut(q);
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) {
        pthread_join(threads[i], NULL);
        sum += work[i].sum;
        count += work[i].count;
        assert_true(work[i].in_order);
    }
    assert_int_equal(count, all);
    assert_true(sum == all * (all - 1) / 2);
    queue_close(q);
}

static void *push_until_shut(void *self)
{
    int value = 0;

    while (queue_push(self, &value, -1) == ST_OK)
        continue;
    return NULL;
}

static void *pop_until_shut(void *self)
{
    int value;
    size_t n;

    while (queue_pop(self, &value, 1, -1, &n) != ST_NONE)
        continue;
    return NULL;
}

static void shutting_wakes_who_waits_for_ever(void **state)
{
    struct queue *full = open_queue(1), *empty = open_queue(1);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i % 2 ? push_until_shut : pop_until_shut,
                       i % 2 ? full : empty);
    while (queue_depth(full) == 0)
        continue;
    queue_shut(full);
    queue_shut(empty);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    queue_close(full);
    queue_close(empty);
}

/* ---- records */

static struct ring *open_ring(size_t bytes, size_t max_record)
{
    struct ring *r = NULL;

    assert_int_equal(ring_open(&r, bytes, max_record, NULL), ST_OK);
    return r;
}

static void a_record_of_two_parts_comes_out_whole(void **state)
{
    struct ring *r = open_ring(64, 32);
    char out[32];
    size_t len = 0;

    (void)state;
    assert_int_equal(ring_push(r, "head", 4, "body!", 5), ST_OK);
    assert_int_equal(ring_push(r, NULL, 0, "b", 1), ST_OK);
    assert_int_equal(ring_push(r, "h", 1, NULL, 0), ST_OK);
    assert_int_equal(ring_push(r, NULL, 0, NULL, 0), ST_OK);
    assert_int_equal(ring_depth(r), 4);
    assert_int_equal(ring_used_bytes(r), 4 * 4 + 11);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_int_equal(len, 9);
    assert_memory_equal(out, "headbody!", 9);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_int_equal(len, 0);
    assert_int_equal(ring_used_bytes(r), 0);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_RETRY);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 5), ST_RETRY);
    ring_close(r);
}

/* Every length at every place of a small ring: prefix and bytes both get cut by its end. */
static void records_wrap_around_the_end(void **state)
{
    char in[40], out[40];
    size_t len;

    (void)state;
    for (size_t room = 44; room < 60; room++) {
        struct ring *r = open_ring(room, 40);

        for (size_t i = 0; i < 500; i++) {
            size_t size = i * 7 % 41, head = size * (i % 3) / 2;

            for (size_t j = 0; j < size; j++)
                in[j] = (char)(i + j);
            assert_int_equal(ring_push(r, in, head, in + head, size - head), ST_OK);
            assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
            assert_int_equal(len, size);
            assert_memory_equal(out, in, size);
        }
        ring_close(r);
    }
}

static void a_full_ring_drops_the_new_and_keeps_the_old(void **state)
{
    struct ring *r = open_ring(24, 20);
    char out[20];
    size_t len;

    (void)state;
    assert_int_equal(ring_push(r, "12345678", 8, "", 0), ST_OK);
    assert_int_equal(ring_push(r, "abcdefghi", 9, "", 0), ST_RETRY);
    assert_int_equal(ring_push(r, "abcdefgh", 8, "", 0), ST_OK); /* to the last byte */
    assert_int_equal(ring_used_bytes(r), 24);
    assert_int_equal(ring_push(r, "", 0, "", 0), ST_RETRY);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_memory_equal(out, "12345678", 8);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, 0), ST_OK);
    assert_memory_equal(out, "abcdefgh", 8);
    ring_close(r);
}

static void a_record_that_is_too_long_is_refused(void **state)
{
    struct ring *r = open_ring(64, 10);
    char bytes[64] = "";

    (void)state;
    assert_int_equal(ring_push(r, bytes, 5, bytes, 6), ST_REJECT);
    assert_int_equal(ring_push(r, bytes, 11, NULL, 0), ST_REJECT);
    assert_int_equal(ring_push(r, bytes, 2, bytes, SIZE_MAX), ST_REJECT);
    assert_int_equal(ring_push(r, bytes, 5, bytes, 5), ST_OK);
    ring_close(r);
}

static void a_shut_ring_gives_what_is_in_and_then_none(void **state)
{
    struct ring *r = open_ring(64, 10);
    char out[10];
    size_t len;

    (void)state;
    assert_int_equal(ring_push(r, "a", 1, "", 0), ST_OK);
    ring_shut(r);
    assert_int_equal(ring_push(r, "b", 1, "", 0), ST_NONE);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, -1), ST_OK);
    assert_int_equal(ring_pop(r, out, sizeof out, &len, -1), ST_NONE);
    ring_close(r);
}

enum { RECORDS = 50000 };

/* Records of changing length that say who they are; a full ring is tried again. */
static void *push_records(void *self)
{
    char body[64];

    for (uint32_t i = 0; i < RECORDS;) {
        size_t len = i % 61;

        memset(body, (char)i, len);
        if (ring_push(self, &i, sizeof i, body, len) == ST_OK)
            i++;
    }
    ring_shut(self);
    return NULL;
}

static void records_cross_a_thread_whole_and_in_order(void **state)
{
    struct ring *r = open_ring(1021, 64);
    unsigned char out[64];
    pthread_t producer;
    uint32_t next = 0, id;
    size_t len;

    (void)state;
    pthread_create(&producer, NULL, push_records, r);
    while (ring_pop(r, out, sizeof out, &len, -1) == ST_OK) {
        memcpy(&id, out, sizeof id);
        assert_int_equal(id, next);
        assert_int_equal(len, sizeof id + next % 61);
        for (size_t i = sizeof id; i < len; i++)
            assert_int_equal(out[i], next & 255);
        next++;
    }
    pthread_join(producer, NULL);
    assert_int_equal(next, RECORDS);
    ring_close(r);
}

/* What fits whole comes out at once, each behind its length, wherever the ring ends. */
static void many_records_are_taken_together(void **state)
{
    struct ring *r = open_ring(53, 9);
    unsigned char out[32];
    size_t len, left, in = 0, done = 0;
    enum status st;

    (void)state;
    while (done < 1000) {
        for (size_t size = in % 10; in < 1000; size = ++in % 10) {
            char bytes[9];

            memset(bytes, (char)in, size);
            if (ring_push(r, bytes, size, NULL, 0) != ST_OK)
                break;
        }
        st = ring_take(r, out, sizeof out, &len, &left, 0);
        assert_int_equal(st, ST_OK);
        assert_int_equal(left, ring_used_bytes(r));
        assert_true(left == 0 || len > sizeof out - RING_PREFIX - 9); /* one more did not fit */
        for (size_t at = 0; at < len; done++) {
            uint32_t size;

            memcpy(&size, out + at, sizeof size);
            assert_int_equal(size, done % 10);
            for (at += sizeof size; size > 0; size--)
                assert_int_equal(out[at++], done & 255);
            assert_true(at <= len);
        }
    }
    assert_int_equal(ring_take(r, out, sizeof out, &len, &left, 0), ST_RETRY);
    assert_int_equal(len, 0);
    assert_int_equal(ring_push(r, "last", 4, NULL, 0), ST_OK);
    ring_shut(r);
    assert_int_equal(ring_take(r, out, sizeof out, &len, &left, -1), ST_OK);
    assert_int_equal(len, RING_PREFIX + 4);
    assert_int_equal(ring_take(r, out, sizeof out, &len, &left, -1), ST_NONE);
    ring_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_out_in_order_around_the_end),
        cmocka_unit_test(a_full_queue_says_retry_and_an_empty_one_too),
        cmocka_unit_test(the_patient_come_last_and_find_room_of_their_own),
        cmocka_unit_test(a_shut_queue_gives_what_is_in_and_then_none),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(many_threads_lose_and_repeat_nothing),
        cmocka_unit_test(shutting_wakes_who_waits_for_ever),
        cmocka_unit_test(a_record_of_two_parts_comes_out_whole),
        cmocka_unit_test(records_wrap_around_the_end),
        cmocka_unit_test(a_full_ring_drops_the_new_and_keeps_the_old),
        cmocka_unit_test(a_record_that_is_too_long_is_refused),
        cmocka_unit_test(a_shut_ring_gives_what_is_in_and_then_none),
        cmocka_unit_test(many_records_are_taken_together),
        cmocka_unit_test(records_cross_a_thread_whole_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
