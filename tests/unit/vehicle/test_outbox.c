/* The outbox: streams, numbers, notes, kill -9. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <signal.h>
#include <sys/wait.h>

static void reopen_box(void)
{
    outbox_close(box);
    box = NULL;
    open_box();
}

static enum status put(enum outbox_stream stream, const char *payload)
{
    enum status st = outbox_begin(box, &fault);

    if (st == ST_OK)
        st = outbox_put(box, stream, LEAF_EVENT, T0, payload, strlen(payload), &fault);
    if (st == ST_OK)
        st = outbox_end(box, &fault);
    if (st != ST_OK)
        outbox_undo(box);
    return st;
}

static void a_new_outbox_has_two_streams_that_begin_at_one(void **state)
{
    (void)state;
    open_box();
    assert_true(found.created);
    assert_false(found.damaged);
    assert_true(uuid_is_valid(outbox_stream_id(box, STREAM_BULK), UUID_TEXT));
    assert_string_not_equal(outbox_stream_id(box, STREAM_BULK),
                            outbox_stream_id(box, STREAM_URGENT));
    assert_int_equal(put(STREAM_BULK, "a"), ST_OK);
    assert_int_equal(put(STREAM_URGENT, "b"), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(outbox_given(box, STREAM_URGENT), 1);
    assert_int_equal(outbox_read(box, STREAM_URGENT, 1, &record, &fault), ST_OK);
    assert_int_equal(record.len, 1);
    assert_int_equal(record.payload[0], 'b');
    assert_int_equal(record.leaf, LEAF_EVENT);
}

static void a_restart_keeps_ids_numbers_and_records(void **state)
{
    char id[UUID_TEXT + 1];

    (void)state;
    open_box();
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    for (int i = 0; i < 5; i++)
        assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    reopen_box();
    assert_false(found.created);
    assert_string_equal(outbox_stream_id(box, STREAM_BULK), id);
    assert_int_equal(outbox_given(box, STREAM_BULK), 5);
    assert_int_equal(outbox_count(box, STREAM_BULK), 5);
    assert_int_equal(put(STREAM_BULK, "y"), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 6);
}

static void numbers_are_not_used_again_when_the_table_is_empty(void **state)
{
    int64_t n, last;

    (void)state;
    open_box();
    for (int i = 0; i < 5; i++)
        assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_delete(box, STREAM_BULK, 1, 5, INT64_MAX, 100, &n, &last, &fault),
                     ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    assert_int_equal(n, 5);
    assert_int_equal(last, 5);
    assert_int_equal(outbox_count(box, STREAM_BULK), 0);
    reopen_box();
    assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 6);
}

static void what_was_undone_has_not_happened(void **state)
{
    (void)state;
    open_box();
    assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_put(box, STREAM_BULK, LEAF_EVENT, T0, "y", 1, &fault), ST_OK);
    assert_int_equal(outbox_number(box, STREAM_BULK), 3);
    outbox_undo(box);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(outbox_count(box, STREAM_BULK), 1);
    assert_int_equal(outbox_read(box, STREAM_BULK, 2, &record, &fault), ST_NONE);
    assert_int_equal(put(STREAM_BULK, "z"), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 2, &record, &fault), ST_OK);
    assert_int_equal(record.payload[0], 'z');
}

static void a_second_agent_is_refused(void **state)
{
    struct outbox *other = NULL;

    (void)state;
    open_box();
    assert_int_equal(outbox_open(&other, folder, &found, &fault), ST_REJECT);
    assert_null(other);
}

static void notes_are_kept_by_name(void **state)
{
    struct text text;

    (void)state;
    text_init(&text);
    open_box();
    assert_int_equal(outbox_get(box, "config", &text, &fault), ST_NONE);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "config", "one", 3, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "config", "three", 5, &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    reopen_box();
    assert_int_equal(outbox_get(box, "config", &text, &fault), ST_OK);
    assert_string_equal(text.bytes, "three");
    text_done(&text);
}

/* The older half goes with every 50th record. */
static enum status put_and_delete(const char *payload)
{
    int64_t given = outbox_given(box, STREAM_BULK), n, last;
    enum status st = outbox_begin(box, &fault);

    if (st == ST_OK)
        st = outbox_put(box, STREAM_BULK, LEAF_EVENT, T0, payload, strlen(payload), &fault);
    if (st == ST_OK && given % 50 == 49)
        st = outbox_delete(box, STREAM_BULK, 1, given / 2, INT64_MAX, 1000, &n, &last, &fault);
    return st == ST_OK ? outbox_end(box, &fault) : st;
}

/* The child writes until it is killed, telling each committed number; then the parent looks. */
static void write_for_ever(int tell)
{
    open_box();
    for (;;) {
        int64_t given;
        char payload[600];

        snprintf(payload, sizeof payload, "%0590lld",
                 (long long)outbox_given(box, STREAM_BULK) + 1);
        if (put_and_delete(payload) != ST_OK)
            _exit(1);
        given = outbox_given(box, STREAM_BULK);
        if (write(tell, &given, sizeof given) != sizeof given)
            _exit(1);
    }
}

static int64_t write_and_kill(int after_ms)
{
    int64_t told = 0, given;
    int pipe_fds[2], status;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_fds[0]);
        write_for_ever(pipe_fds[1]);
    }
    close(pipe_fds[1]);
    usleep((useconds_t)after_ms * 1000);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    while (read(pipe_fds[0], &given, sizeof given) == sizeof given)
        told = given;
    close(pipe_fds[0]);
    return told;
}

static void a_kill_in_the_middle_of_writing_and_deleting_loses_nothing_committed(void **state)
{
    char payload[600];
    int64_t gone;

    (void)state;
    srand(1);
    for (int round = 0; round < 12; round++) {
        int64_t told = write_and_kill(5 + rand() % 60);

        open_box();
        assert_false(found.damaged);
        assert_true(outbox_given(box, STREAM_BULK) >= told);
        assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 0);
        gone = outbox_given(box, STREAM_BULK) / 50 * 50; /* the last delete came with this one */
        gone = gone == 0 ? 0 : (gone - 1) / 2;
        assert_int_equal(outbox_count(box, STREAM_BULK),
                         outbox_given(box, STREAM_BULK) - gone); /* no hole */
        for (int64_t seq = gone + 1; seq <= outbox_given(box, STREAM_BULK); seq++) {
            assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
            assert_int_equal(record.seq, seq);
            snprintf(payload, sizeof payload, "%0590lld", (long long)seq);
            assert_int_equal(record.len, strlen(payload));
            assert_memory_equal(record.payload, payload, record.len);
        }
        outbox_close(box);
        box = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_outbox_has_two_streams_that_begin_at_one, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_restart_keeps_ids_numbers_and_records, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(numbers_are_not_used_again_when_the_table_is_empty,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(what_was_undone_has_not_happened, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_second_agent_is_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(notes_are_kept_by_name, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(
            a_kill_in_the_middle_of_writing_and_deleting_loses_nothing_committed, bench_setup,
            bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
