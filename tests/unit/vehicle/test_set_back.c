/* An old copy of the outbox is put back: how an ack shows it, and how new streams begin. */
#include "tests/unit/vehicle/journal_bench.h"

#include "proto/columnar.h"
#include "proto/fact.h"
#include "proto/telemetry.h"
#include "vehicle/sender.h"
#include "vehicle/stamp.h"

#define OTHER "0197f3c2-5f0e-7abc-8def-0123456789ab"

static struct sender *sender;
static int64_t unsent[STREAMS];

static int end_all(void **state)
{
    sender_close(sender);
    sender = NULL;
    return end(state);
}

static void record_rounds(int from, int n)
{
    for (int i = from; i < from + n; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
}

static void start(bool online)
{
    open_journal(1 << 30, 86400000);
    require_illkirch();
    journal_online(journal, online);
    assert_int_equal(sender_open(&sender, "WVWZZZ1KZAW000001", box, ledgers, 50, 0, &fault), ST_OK);
}

static void stop(void)
{
    sender_close(sender);
    sender = NULL;
    journal_close(journal);
    journal = NULL;
    outbox_close(box);
    box = NULL;
}

static bool set_back(int64_t upto, int64_t first, int64_t last)
{
    struct watermark mark = {.upto = upto};

    if (first > 0)
        mark.gaps[mark.gap_count++] = (struct seq_range){first, last};
    return sender_was_set_back(sender, STREAM_BULK, &mark);
}

static void numbers_that_were_never_given_show_an_old_copy(void **state)
{
    (void)state;
    start(true);
    record_rounds(0, 5);
    stop();
    start(true);
    assert_false(set_back(5, 0, 0));
    assert_false(set_back(3, 0, 0));
    assert_true(set_back(6, 0, 0));
}

/* Connected until 5, then in a tunnel until 12, and started again in it. */
static void numbers_that_were_given_but_never_sent_show_it_too(void **state)
{
    (void)state;
    start(true);
    record_rounds(0, 5);
    stop();
    start(false);
    record_rounds(5, 7);
    stop();
    start(false);
    assert_int_equal(outbox_given(box, STREAM_BULK), 12);
    assert_false(set_back(5, 0, 0));
    assert_true(set_back(6, 0, 0));
    assert_true(set_back(12, 6, 9));
    assert_false(set_back(12, 6, 12));
    journal_online(journal, true);
    assert_int_equal(commit(T0 + 60000), ST_OK); /* connected: from now on they may be sent */
    stop();
    start(true);
    assert_false(set_back(12, 0, 0));
}

/* What had to go was told as lost: the site counts it as known although it never came. */
static void a_loss_that_was_told_shows_nothing(void **state)
{
    int64_t n, last;

    (void)state;
    start(false);
    record_rounds(0, 1);
    journal_online(journal, true);
    record_rounds(1, 1);
    journal_online(journal, false);
    record_rounds(2, 8);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_delete(box, STREAM_BULK, 1, 6, INT64_MAX, 10, &n, &last, &fault),
                     ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    stop();
    start(true);
    assert_false(set_back(6, 0, 0));
    assert_true(set_back(7, 0, 0));
}

static void a_stream_that_began_in_this_process_is_never_set_back(void **state)
{
    (void)state;
    start(true);
    sender_streams_are_new(sender);
    record_rounds(0, 2);
    assert_false(set_back(1000, 0, 0));
}

static void begin_anew(void)
{
    int64_t from[STREAMS];

    for (int i = 0; i < STREAMS; i++)
        from[i] = sender_first_in_doubt(sender, (enum outbox_stream)i);
    assert_int_equal(outbox_begin_anew(box, from, unsent, &fault), ST_OK);
}

static void read_as(int64_t seq, const char *stream)
{
    struct envelope head;

    assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
    assert_int_equal(record.seq, seq);
    envelope_salvage(&head, record.payload, record.len);
    assert_string_equal(head.stream, stream);
    assert_int_equal(head.seq, seq);
}

/* What it made and sent before it was found out has numbers that the original had given too. */
static void an_ack_of_what_this_run_made_settles_nothing(void **state)
{
    (void)state;
    start(true);
    record_rounds(0, 5);
    stop();
    start(true);
    record_rounds(5, 3);
    acknowledge(3);
    assert_int_equal(sender_first_in_doubt(sender, STREAM_BULK), 4);
    acknowledge(8);
    assert_int_equal(sender_first_in_doubt(sender, STREAM_BULK), 6);
}

static void new_streams_keep_the_numbers_of_what_is_unsent(void **state)
{
    char id[UUID_TEXT + 1], urgent[UUID_TEXT + 1];

    (void)state;
    start(true);
    record_rounds(0, 10);
    stop();
    start(true);
    acknowledge(4);
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    snprintf(urgent, sizeof urgent, "%s", outbox_stream_id(box, STREAM_URGENT));
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    begin_anew();
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    assert_int_equal(unsent[STREAM_BULK], 6);
    assert_int_equal(unsent[STREAM_URGENT], 0);
    assert_string_not_equal(outbox_stream_id(box, STREAM_BULK), id);
    assert_string_not_equal(outbox_stream_id(box, STREAM_URGENT), urgent);
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    read_as(7, id);
    stop();
    start(true);
    assert_false(found.created);
    assert_string_equal(outbox_stream_id(box, STREAM_BULK), id);
    assert_int_equal(outbox_given(box, STREAM_BULK), 10);
    read_as(10, id);
}

static void a_new_stream_that_was_undone_has_not_begun(void **state)
{
    char id[UUID_TEXT + 1];

    (void)state;
    start(true);
    record_rounds(0, 3);
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    begin_anew();
    outbox_undo(box);
    assert_string_equal(outbox_stream_id(box, STREAM_BULK), id);
    read_as(2, id);
    record_rounds(3, 1);
    stop();
    start(true);
    assert_string_equal(outbox_stream_id(box, STREAM_BULK), id);
    assert_int_equal(outbox_given(box, STREAM_BULK), 4);
}

static void note_is(const char *name, const char *expected)
{
    struct text text;

    text_init(&text);
    assert_int_equal(outbox_get(box, name, &text, &fault), ST_OK);
    assert_string_equal(text.bytes, expected);
    text_done(&text);
}

static void what_will_never_come_in_the_new_stream_is_to_be_told(void **state)
{
    char id[UUID_TEXT + 1], expected[200];
    int64_t n, last;

    (void)state;
    start(true);
    record_rounds(0, 20);
    stop();
    start(true);
    acknowledge(3);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_delete(box, STREAM_BULK, 8, 10, INT64_MAX, 10, &n, &last, &fault),
                     ST_OK);
    assert_int_equal(outbox_delete(box, STREAM_BULK, 19, 20, INT64_MAX, 10, &n, &last, &fault),
                     ST_OK);
    begin_anew();
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    assert_int_equal(unsent[STREAM_BULK], 20 - 3 - 5);
    note_is("lost/bulk/1", "3");
    note_is("lost/bulk/8", "10");
    note_is("lost/bulk/19", "20");
    journal_renew(journal);
    ledger_init(&ledgers[STREAM_BULK]);
    assert_int_equal(commit(T0 + 60000), ST_OK);
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    for (int64_t seq = 21; seq <= 23; seq++)
        read_as(seq, id);
    snprintf(expected, sizeof expected, "\"data\":{\"stream\":\"%s\",\"first\":8,\"last\":10}", id);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, expected)); /* by name: 1, 19, 8 */
}

static void a_record_of_columns_tells_the_new_stream_and_is_else_the_same(void **state)
{
    static const unsigned char written[] = {0xc1, 0x01, 0x07, 1,  2,  3,  4,  5,  6,    7,   8,
                                            9,    10,   11,   12, 13, 14, 15, 16, 0x2a, 0x03};
    unsigned char bytes[sizeof written];
    struct envelope head;

    (void)state;
    memcpy(bytes, written, sizeof written);
    stamp_stream((char *)bytes, sizeof bytes, OTHER);
    assert_int_equal(columnar_head(&head, (char *)bytes, sizeof bytes, &fault), ST_OK);
    assert_string_equal(head.stream, OTHER);
    assert_int_equal(head.seq, 42);
    memcpy(bytes + 3, written + 3, 16);
    assert_memory_equal(bytes, written, sizeof written);
}

static void only_the_stream_of_the_head_is_another(void **state)
{
    static const char *const odd[] = {"", "a", "\xc1\x01\x07", "{\"schema\":\"event/1\"}",
                                      "{\"schema\":\"event/1\",\"stream\":\"short\",\"seq\":1}"};
    char bytes[300], before[300];

    (void)state;
    snprintf(
        bytes, sizeof bytes,
        "{\"schema\":\"event/1\",\"stream\":\"11111111-1111-7111-8111-111111111111\",\"seq\":9,"
        "\"data\":{\"stream\":\"22222222-2222-7222-8222-222222222222\"}}");
    stamp_stream(bytes, strlen(bytes), OTHER);
    assert_string_equal(bytes, "{\"schema\":\"event/1\",\"stream\":\"" OTHER "\",\"seq\":9,"
                               "\"data\":{\"stream\":\"22222222-2222-7222-8222-222222222222\"}}");
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(bytes, sizeof bytes, "%s", odd[i]);
        memcpy(before, bytes, sizeof before);
        stamp_stream(bytes, strlen(bytes), OTHER);
        assert_string_equal(bytes, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_that_were_never_given_show_an_old_copy, begin,
                                        end_all),
        cmocka_unit_test_setup_teardown(numbers_that_were_given_but_never_sent_show_it_too, begin,
                                        end_all),
        cmocka_unit_test_setup_teardown(a_loss_that_was_told_shows_nothing, begin, end_all),
        cmocka_unit_test_setup_teardown(a_stream_that_began_in_this_process_is_never_set_back,
                                        begin, end_all),
        cmocka_unit_test_setup_teardown(an_ack_of_what_this_run_made_settles_nothing, begin,
                                        end_all),
        cmocka_unit_test_setup_teardown(new_streams_keep_the_numbers_of_what_is_unsent, begin,
                                        end_all),
        cmocka_unit_test_setup_teardown(a_new_stream_that_was_undone_has_not_begun, begin, end_all),
        cmocka_unit_test_setup_teardown(what_will_never_come_in_the_new_stream_is_to_be_told, begin,
                                        end_all),
        cmocka_unit_test(a_record_of_columns_tells_the_new_stream_and_is_else_the_same),
        cmocka_unit_test(only_the_stream_of_the_head_is_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
