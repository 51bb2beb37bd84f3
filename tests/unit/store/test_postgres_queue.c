/* Statements that go out together, against a real server (tests/integration/test_edges.py). */
#include "tests/unit/store/pg_served.h"

static enum status queue_for(struct pg *db, const char *sql, PGresult **rows)
{
    const struct pg_statement s = {.sql = sql};

    return pg_queue(db, &s, rows, NULL);
}

static void queue(struct pg *db, const char *sql)
{
    assert_int_equal(queue_for(db, sql, NULL), ST_OK);
}

static void queue_text(struct pg *db, const char *sql, const char *param, PGresult **rows)
{
    static const Oid types[] = {PG_TEXT};
    const struct pg_statement s = {
        .sql = sql, .n = 1, .types = types, .params = &param, .often = true};

    assert_int_equal(pg_queue(db, &s, rows, NULL), ST_OK);
}

static void fresh_table(struct pg *db)
{
    expect(db, "CREATE TEMPORARY TABLE kept (v int PRIMARY KEY)", ST_OK);
}

static void what_is_queued_runs_in_its_order_before_what_waits(void **state)
{
    (void)state;
    for (int patience = 0; patience <= 20000; patience += 20000) {
        struct pg *db = open_ready();
        PGresult *first = NULL, *third = NULL;

        pg_set_patience(db, patience);
        fresh_table(db);
        assert_int_equal(pg_begin(db, NULL), ST_OK);
        queue(db, "INSERT INTO kept VALUES (1)");
        assert_int_equal(queue_for(db, "SELECT count(*) FROM kept", &first), ST_OK);
        queue_text(db, "INSERT INTO kept VALUES ($1::int)", "2", NULL);
        queue_text(db, "INSERT INTO kept VALUES ($1::int)", "3", NULL);
        assert_int_equal(queue_for(db, "SELECT count(*) FROM kept", &third), ST_OK);
        assert_null(first); /* nobody has waited */
        expect_answer(db, "SELECT sum(v) FROM kept", "6");
        assert_string_equal(PQgetvalue(first, 0, 0), "1");
        assert_string_equal(PQgetvalue(third, 0, 0), "3");
        PQclear(first);
        PQclear(third);
        queue(db, "DELETE FROM kept WHERE v = 2");
        assert_int_equal(pg_commit(db, NULL), ST_OK);
        assert_int_equal(pg_settle(db, NULL), ST_OK); /* nothing is left */
        expect_answer(db, "SELECT sum(v) FROM kept", "4");
        pg_close(db);
    }
}

static void the_first_failure_is_what_the_next_that_waits_returns(void **state)
{
    struct pg *db = open_ready();
    PGresult *rows = NULL;
    struct fault fault = {""};

    (void)state;
    fresh_table(db);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "INSERT INTO kept VALUES (1)");
    assert_int_equal(queue_for(db, "SELECT v FROM kept", &rows), ST_OK);
    queue_text(db, "INSERT INTO kept VALUES ($1::int)", "1", NULL); /* is there already */
    queue(db, "SELECT * FROM nowhere");
    queue_text(db, "DELETE FROM kept WHERE v = $1::int", "1", &rows);
    assert_int_equal(pg_run(db, "SELECT 1", 0, NULL, &rows, &fault), ST_REJECT);
    assert_string_equal(pg_state(db), "23505");
    assert_memory_equal(fault.text, "23505", 5);
    assert_null(rows);
    pg_rollback(db);
    assert_string_equal(pg_state(db), "23505"); /* still that of the failure */
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    /* what was prepared before the failure is kept, what stood behind it was not */
    expect_answer(db, "SELECT count(*) FROM pg_prepared_statements", "1");
    queue_text(db, "DELETE FROM kept WHERE v = $1::int", "1", NULL);
    queue_text(db, "INSERT INTO kept VALUES ($1::int)", "7", NULL);
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    expect_answer(db, "SELECT v FROM kept", "7");
    expect_answer(db, "SELECT count(*) FROM pg_prepared_statements", "2");
    pg_close(db);
}

static void a_commit_tells_what_was_queued_before_it_and_stores_nothing(void **state)
{
    struct pg *db = open_ready();

    (void)state;
    fresh_table(db);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "INSERT INTO kept VALUES (1)");
    queue(db, "SELECT 1/0");
    queue(db, "INSERT INTO kept VALUES (2)");
    assert_int_equal(pg_commit(db, NULL), ST_REJECT);
    assert_string_equal(pg_state(db), "22012");
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    pg_close(db);
}

static void what_is_queued_and_rolled_back_never_was(void **state)
{
    struct pg *db = open_ready();
    PGresult *rows = NULL;

    (void)state;
    fresh_table(db);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "INSERT INTO kept VALUES (1)");
    assert_int_equal(queue_for(db, "SELECT 1", &rows), ST_OK);
    pg_rollback(db);
    assert_null(rows);
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "INSERT INTO kept VALUES (1)");
    queue(db, "SELECT 1/0"); /* the ROLLBACK behind it is skipped */
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    assert_int_equal(pg_connections(db), 1);
    pg_close(db);
}

static void outside_a_transaction_all_that_is_queued_is_one(void **state)
{
    struct pg *db = open_ready();

    (void)state;
    fresh_table(db);
    queue(db, "INSERT INTO kept VALUES (1)");
    queue(db, "INSERT INTO kept VALUES (1)");
    expect(db, "INSERT INTO kept VALUES (2)", ST_REJECT);
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    queue(db, "INSERT INTO kept VALUES (1)");
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    expect_answer(db, "SELECT count(*) FROM kept", "1");
    pg_close(db);
}

static void more_than_the_queue_and_the_socket_hold_goes_through(void **state)
{
    enum { STATEMENTS = 200, BYTES = 200000 };
    static char big[BYTES];
    PGresult *rows[STATEMENTS] = {NULL};

    (void)state;
    memset(big, 'x', sizeof big - 1);
    for (int patience = 0; patience <= 60000; patience += 60000) {
        struct pg *db = open_ready();

        pg_set_patience(db, patience);
        for (size_t i = 0; i < STATEMENTS; i++) /* as much comes back while it goes out */
            queue_text(db, "SELECT $1", big, &rows[i]);
        assert_int_equal(pg_settle(db, NULL), ST_OK);
        for (size_t i = 0; i < STATEMENTS; i++) {
            assert_int_equal(PQgetlength(rows[i], 0, 0), BYTES - 1);
            PQclear(rows[i]);
        }
        pg_close(db);
    }
}

static void a_backend_that_dies_with_the_queue_is_a_reason_to_do_it_again(void **state)
{
    struct pg *db = open_ready();
    PGresult *rows = NULL;

    (void)state;
    expect(db, "CREATE TABLE IF NOT EXISTS queued (v int)", ST_OK);
    expect(db, "TRUNCATE queued", ST_OK);
    for (int patience = 0; patience <= 20000; patience += 20000) {
        pg_set_patience(db, patience);
        assert_int_equal(pg_begin(db, NULL), ST_OK);
        queue(db, "INSERT INTO queued VALUES (1)");
        assert_int_equal(queue_for(db, "SELECT 1", &rows), ST_OK);
        queue(db, "SELECT pg_terminate_backend(pg_backend_pid())");
        queue(db, "INSERT INTO queued VALUES (2)");
        assert_int_equal(pg_commit(db, NULL), ST_RETRY);
        assert_null(rows);
        assert_int_equal(pg_socket(db), -1);
        assert_int_equal(queue_for(db, "SELECT 1", NULL), ST_RETRY); /* nobody connects again */
        assert_int_equal(pg_settle(db, NULL), ST_RETRY);
        assert_int_equal(pg_ready(db, NULL), ST_OK);
        expect_answer(db, "SELECT count(*) FROM queued", "0");
    }
    expect(db, "DROP TABLE queued", ST_OK);
    pg_close(db);
}

static void what_only_the_end_finds_wrong_is_refused_with_its_reason(void **state)
{
    struct pg *db = open_ready();
    struct fault fault = {""};

    (void)state;
    expect(db, "DROP TABLE IF EXISTS late_refusal", ST_OK);
    expect(db, "CREATE TABLE late_refusal (v int UNIQUE DEFERRABLE INITIALLY DEFERRED)", ST_OK);
    expect(db, "INSERT INTO late_refusal VALUES (1)", ST_OK);
    assert_int_equal(pg_run(db, "INSERT INTO late_refusal VALUES (1)", 0, NULL, NULL, &fault),
                     ST_REJECT);
    assert_string_equal(pg_state(db), "23505");
    expect(db, "SELECT 1", ST_OK);
    expect(db, "DROP TABLE late_refusal", ST_OK);
    pg_close(db);
}

static void patience_is_that_of_the_whole_queue(void **state)
{
    struct pg *db = open_ready();
    struct fault fault = {""};

    (void)state;
    pg_set_patience(db, 300);
    queue(db, "SELECT 1");
    queue(db, "SELECT pg_sleep(20)");
    assert_int_equal(pg_run(db, "SELECT 1", 0, NULL, NULL, &fault), ST_RETRY);
    assert_non_null(strstr(fault.text, "300 ms"));
    assert_int_equal(pg_socket(db), -1);
    pg_set_patience(db, 0);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect(db, "SELECT 1", ST_OK);
    pg_close(db);
}

static void a_schema_that_changes_under_what_is_queued_is_a_reason_to_do_it_again(void **state)
{
    const char *const sql = "SELECT v FROM shifted WHERE v::text <> $1";
    struct pg *db = open_ready(), *other = open_ready();
    PGresult *rows = NULL;

    (void)state;
    expect(other, "DROP TABLE IF EXISTS shifted", ST_OK);
    expect(other, "CREATE TABLE shifted AS SELECT 1 AS v", ST_OK);
    queue_text(db, sql, "none", NULL);
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    expect(other, "ALTER TABLE shifted ALTER v TYPE text USING 'one'", ST_OK);
    queue_text(db, sql, "none", &rows);
    expect(db, "SELECT 1", ST_RETRY);
    assert_null(rows);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    queue_text(db, sql, "none", &rows);
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    assert_string_equal(PQgetvalue(rows, 0, 0), "one");
    PQclear(rows);
    expect(other, "DROP TABLE shifted", ST_OK);
    pg_close(other);
    pg_close(db);
}

static void a_copy_in_the_queue_is_refused(void **state)
{
    static const char *const copies[] = {"COPY pg_class TO STDOUT", "COPY kept FROM STDIN"};
    struct pg *db = open_ready();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fresh_table(db);
        queue(db, copies[i]);
        expect(db, "SELECT 1", ST_FATAL);
        assert_int_equal(pg_ready(db, NULL), ST_OK);
        expect(db, "SELECT 1", ST_OK);
    }
    pg_close(db);
}

static void who_takes_the_connection_itself_finds_the_queue_done(void **state)
{
    struct pg *db = open_ready();
    PGresult *r;

    (void)state;
    fresh_table(db);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "INSERT INTO kept VALUES (1)");
    r = PQexec(pg_raw(db), "INSERT INTO kept VALUES (2); SELECT count(*) FROM kept");
    assert_string_equal(PQgetvalue(r, 0, 0), "2");
    PQclear(r);
    assert_int_equal(pg_commit(db, NULL), ST_OK);
    expect_answer(db, "SELECT count(*) FROM kept", "2");
    pg_close(db);
}

static void a_notify_comes_through_between_answers(void **state)
{
    struct pg *db = open_ready();
    char channel[16], payload[16];
    PGresult *rows = NULL;

    (void)state;
    expect(db, "LISTEN queue_news", ST_OK);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    queue(db, "SELECT pg_notify('queue_news', 'from ourselves')");
    assert_int_equal(queue_for(db, "SELECT 1", &rows), ST_OK);
    assert_int_equal(pg_commit(db, NULL), ST_OK);
    PQclear(rows);
    WAIT_FOR(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL) == ST_OK);
    assert_string_equal(payload, "from ourselves");
    pg_close(db);
}

static void rows_may_come_in_binary(void **state)
{
    const struct pg_statement s = {.sql = "SELECT '\\x00ff'::bytea, -258::int8, NULL::int8",
                                   .binary = true};
    struct pg *db = open_ready();
    PGresult *rows = NULL;

    (void)state;
    assert_int_equal(pg_queue(db, &s, &rows, NULL), ST_OK);
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    assert_int_equal(PQgetlength(rows, 0, 0), 2);
    assert_memory_equal(PQgetvalue(rows, 0, 0), "\0\xff", 2);
    assert_int_equal(pg_get_int8(rows, 0, 1), -258);
    assert_int_equal(pg_get_int8(rows, 0, 2), 0);
    PQclear(rows);
    pg_close(db);
}

/* By the server's own numbers: (extract(epoch FROM at) * 1000)::bigint is what the schema's ms()
 * is. */
static void a_time_in_binary_is_what_the_server_rounds_it_to(void **state)
{
    const struct pg_statement s = {
        .sql = "SELECT at, (extract(epoch FROM at) * 1000)::bigint FROM unnest(ARRAY['epoch', "
               "'epoch'::timestamptz + '499 us', '1999-12-31 23:59:59.9994+00', "
               "'1999-12-31 23:59:59.9995+00', '1999-12-31 23:59:59.9996+00', '2000-01-01+00', "
               "'2026-11-26 12:00:00.000499+00', '2026-11-26 12:00:00.0005+00', NULL, "
               "'9999-12-31 23:59:59.999999+00'] :: timestamptz[]) at",
        .binary = true};
    struct pg *db = open_ready();
    PGresult *rows = NULL;

    (void)state;
    assert_int_equal(pg_queue(db, &s, &rows, NULL), ST_OK);
    assert_int_equal(pg_settle(db, NULL), ST_OK);
    assert_int_equal(PQntuples(rows), 10);
    for (int i = 0; i < PQntuples(rows); i++)
        assert_int_equal(pg_get_time_ms(rows, i, 0), pg_get_int8(rows, i, 1));
    PQclear(rows);
    pg_close(db);
}

static void without_a_connection_nothing_is_queued(void **state)
{
    struct pg *db = open_to("host=/nowhere");

    (void)state;
    assert_int_equal(queue_for(db, "SELECT 1", NULL), ST_RETRY);
    assert_int_equal(pg_settle(db, NULL), ST_RETRY);
    assert_null(pg_raw(db));
    pg_close(db);
}

static bool is_there(struct pg *db, const char *const *pid)
{
    PGresult *r = NULL;
    bool there;

    assert_int_equal(
        pg_run(db, "SELECT FROM pg_stat_activity WHERE pid = $1::int", 1, pid, &r, NULL), ST_OK);
    there = PQntuples(r) > 0;
    PQclear(r);
    return there;
}

static void a_statement_nobody_waits_for_any_more_ends_at_the_server(void **state)
{
    struct pg *db = open_ready(), *other = open_ready();
    const char *pid[1];
    PGresult *r = NULL;

    (void)state;
    assert_int_equal(pg_run(db, "SELECT pg_backend_pid()", 0, NULL, &r, NULL), ST_OK);
    pid[0] = PQgetvalue(r, 0, 0);
    assert_true(is_there(other, pid));
    pg_set_patience(db, 300);
    assert_int_equal(queue_for(db, "SELECT pg_sleep(600)", NULL), ST_OK);
    assert_int_equal(pg_settle(db, NULL), ST_RETRY);
    WAIT_FOR(!is_there(other, pid));
    PQclear(r);
    pg_close(db);
    pg_close(other);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(what_is_queued_runs_in_its_order_before_what_waits),
        cmocka_unit_test(the_first_failure_is_what_the_next_that_waits_returns),
        cmocka_unit_test(a_commit_tells_what_was_queued_before_it_and_stores_nothing),
        cmocka_unit_test(what_is_queued_and_rolled_back_never_was),
        cmocka_unit_test(outside_a_transaction_all_that_is_queued_is_one),
        cmocka_unit_test(more_than_the_queue_and_the_socket_hold_goes_through),
        cmocka_unit_test(a_backend_that_dies_with_the_queue_is_a_reason_to_do_it_again),
        cmocka_unit_test(what_only_the_end_finds_wrong_is_refused_with_its_reason),
        cmocka_unit_test(patience_is_that_of_the_whole_queue),
        cmocka_unit_test(a_schema_that_changes_under_what_is_queued_is_a_reason_to_do_it_again),
        cmocka_unit_test(a_copy_in_the_queue_is_refused),
        cmocka_unit_test(who_takes_the_connection_itself_finds_the_queue_done),
        cmocka_unit_test(a_notify_comes_through_between_answers),
        cmocka_unit_test(rows_may_come_in_binary),
        cmocka_unit_test(a_time_in_binary_is_what_the_server_rounds_it_to),
        cmocka_unit_test(a_statement_nobody_waits_for_any_more_ends_at_the_server),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(without_a_connection_nothing_is_queued),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_PG", with_server, alone);
}
