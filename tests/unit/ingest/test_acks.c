/* When an ack goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "services/ingest/acks.h"

#define VIN "WVWZZZ1KZAW000001"
#define BULK "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define URGENT "0197f3c2-5f0e-7abc-8def-0123456789ac"

struct outbox {
    struct acks *acks;
    int sent;
    char stream[UUID_TEXT + 1];
    int64_t upto; /* of the last one */
    bool broken;
};

static bool send(void *self, const char *vin, const char *stream, const struct watermark *mark)
{
    struct outbox *o = self;

    assert_string_equal(vin, VIN);
    if (o->broken)
        return false;
    o->sent++;
    snprintf(o->stream, sizeof o->stream, "%s", stream);
    o->upto = mark->upto;
    return true;
}

static void note(struct outbox *o, const char *stream, int64_t upto, size_t bytes, bool at_once)
{
    struct watermark mark = {.upto = upto};

    acks_note(o->acks, VIN, stream, &mark, bytes, at_once);
}

/* How many go out at `now_ms`. */
static int due(struct outbox *o, int64_t now_ms)
{
    o->sent = 0;
    acks_due(o->acks, now_ms, send, o);
    return o->sent;
}

static int setup(void **state)
{
    static struct outbox o;

    o = (struct outbox){0};
    *state = &o;
    return acks_open(&o.acks, NULL) != ST_OK;
}

static int teardown(void **state)
{
    acks_close(((struct outbox *)*state)->acks);
    return 0;
}

static void the_first_goes_out_at_once(void **state)
{
    struct outbox *o = *state;

    assert_int_equal(due(o, 100000), 0);
    note(o, BULK, 1, 100, false);
    assert_int_equal(due(o, 100000), 1);
    assert_int_equal(o->upto, 1);
    assert_string_equal(o->stream, BULK);
    assert_int_equal(due(o, 200000), 0); /* said once */
}

static void bulk_is_told_once_a_second_with_the_newest_mark(void **state)
{
    struct outbox *o = *state;

    note(o, BULK, 1, 100, false);
    assert_int_equal(due(o, 100000), 1);
    for (int64_t i = 2; i <= 20; i++) {
        note(o, BULK, i, 100, false);
        assert_int_equal(due(o, 100000 + i), 0);
    }
    assert_int_equal(due(o, 100999), 0);
    assert_int_equal(due(o, 101000), 1);
    assert_int_equal(o->upto, 20);
}

static void urgent_goes_out_at_once(void **state)
{
    struct outbox *o = *state;

    for (int64_t i = 1; i <= 5; i++) {
        note(o, URGENT, i, 10, true);
        assert_int_equal(due(o, 100000 + i), 1);
    }
    note(o, BULK, 1, 10, false);
    assert_int_equal(due(o, 100010), 1);
    note(o, BULK, 2, 10, false);
    note(o, URGENT, 6, 10, true);
    assert_int_equal(due(o, 100011), 1); /* and does not take bulk along */
    assert_string_equal(o->stream, URGENT);
}

static void sixteen_kilobytes_freed_go_out_at_once(void **state)
{
    struct outbox *o = *state;

    note(o, BULK, 1, 1, false);
    assert_int_equal(due(o, 100000), 1);
    note(o, BULK, 2, 16383, false);
    assert_int_equal(due(o, 100001), 0);
    note(o, BULK, 3, 1, false);
    assert_int_equal(due(o, 100002), 1);
    note(o, BULK, 4, 16383, false); /* counted from the last ack */
    assert_int_equal(due(o, 100003), 0);
}

static void what_could_not_be_sent_stays_due(void **state)
{
    struct outbox *o = *state;

    note(o, BULK, 1, 1, false);
    o->broken = true;
    assert_int_equal(due(o, 100000), 0);
    note(o, BULK, 2, 1, false);
    assert_int_equal(due(o, 900000), 0);
    o->broken = false;
    assert_int_equal(due(o, 900001), 1);
    assert_int_equal(o->upto, 2);
}

static void at_the_end_all_of_them_go_out(void **state)
{
    struct outbox *o = *state;

    note(o, BULK, 1, 1, false);
    note(o, URGENT, 1, 1, false);
    assert_int_equal(due(o, 100000), 2);
    note(o, BULK, 2, 1, false);
    note(o, URGENT, 2, 1, false);
    assert_int_equal(due(o, 100001), 0);
    assert_int_equal(due(o, INT64_MAX), 2);
}

static void a_stream_with_nothing_waiting_is_forgotten(void **state)
{
    struct outbox *o = *state;

    note(o, BULK, 1, 1, false);
    assert_int_equal(due(o, 100000), 1);
    due(o, 100500);
    assert_int_equal(acks_waiting(o->acks), 1); /* its second is not over */
    due(o, 101000);
    assert_int_equal(acks_waiting(o->acks), 0);
}

static void many_streams_are_told_in_the_order_their_seconds_end(void **state)
{
    struct outbox *o = *state;
    char stream[UUID_TEXT + 1];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(stream, sizeof stream, "0197f3c2-5f0e-7abc-8def-%012d", i);
            note(o, stream, round + 1, 1, false);
            assert_int_equal(due(o, 100000 + 1000 * round + i), 1);
            assert_string_equal(o->stream, stream);
        }
    }
    assert_int_equal(acks_waiting(o->acks), 100);
    assert_int_equal(due(o, 103050), 0);
    assert_int_equal(acks_waiting(o->acks), 49); /* 0 .. 50 have had their second */
    o->broken = true;
    for (int i = 0; i < 3; i++) {
        snprintf(stream, sizeof stream, "0197f3c2-5f0e-7abc-8def-%012d", i);
        note(o, stream, 9, 1, true);
    }
    assert_int_equal(due(o, 103060), 0);
    o->broken = false;
    assert_int_equal(due(o, 103061), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_goes_out_at_once),
        TEST(bulk_is_told_once_a_second_with_the_newest_mark),
        TEST(urgent_goes_out_at_once),
        TEST(sixteen_kilobytes_freed_go_out_at_once),
        TEST(what_could_not_be_sent_stays_due),
        TEST(at_the_end_all_of_them_go_out),
        TEST(a_stream_with_nothing_waiting_is_forgotten),
        TEST(many_streams_are_told_in_the_order_their_seconds_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
