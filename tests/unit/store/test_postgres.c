/* The PostgreSQL edge, against a real server (tests/integration/test_edges.py). */
#include "tests/unit/store/pg_served.h"

#include <poll.h>

static void parameters_are_values_and_null_is_null(void **state)
{
    struct pg *db = open_ready();
    const char *const params[] = {"'; DROP TABLE x; --", NULL};
    PGresult *r = NULL;

    (void)state;
    assert_int_equal(pg_run(db, "SELECT $1::text, $2::text IS NULL", 2, params, &r, NULL), ST_OK);
    assert_string_equal(PQgetvalue(r, 0, 0), params[0]);
    assert_string_equal(PQgetvalue(r, 0, 1), "t");
    PQclear(r);
    expect_answer(db, "SELECT current_setting('application_name')", "vigie-test");
    expect_answer(db, "SELECT current_setting('client_encoding')", "UTF8");
    pg_close(db);
}

static void a_server_misses_us_within_seconds_over_tcp_whenever_we_connect(void **state)
{
    static const char settings[] =
        "SELECT concat_ws(' ', current_setting('tcp_keepalives_idle'), "
        "current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'), "
        "replace(current_setting('tcp_user_timeout', true), '4s', '4000'))"; /* by release */
    struct pg *tcp = open_to(served("VIGIE_TEST_PG_LOCKED")), *local = open_ready();

    (void)state;
    assert_int_equal(pg_ready(tcp, NULL), ST_OK);
    expect_answer(tcp, settings, "1 1 3 4000");
    expect(tcp, "SELECT pg_terminate_backend(pg_backend_pid())", ST_RETRY);
    assert_int_equal(pg_ready(tcp, NULL), ST_OK);
    expect_answer(tcp, settings, "1 1 3 4000");
    expect_answer(local, settings, "0 0 0 0");
    pg_close(tcp);
    pg_close(local);
}

static void what_is_committed_is_on_disk_whatever_the_server_is_set_to(void **state)
{
    static const char *const set[] = {"off", "on", "local", "remote_apply"};
    char conninfo[512];

    (void)state;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        struct pg *db;

        snprintf(conninfo, sizeof conninfo, "%s options='-c synchronous_commit=%s'",
                 served("VIGIE_TEST_PG"), set[i]);
        db = open_to(conninfo);
        assert_int_equal(pg_ready(db, NULL), ST_OK);
        expect_answer(db, "SHOW synchronous_commit", i == 0 ? "on" : set[i]);
        pg_close(db);
    }
}

static void a_failure_says_what_to_do_by_its_sqlstate(void **state)
{
    static const struct {
        const char *state;
        enum status st;
    } cases[] = {{"40001", ST_RETRY},  {"40P01", ST_RETRY},  {"53100", ST_RETRY},
                 {"53300", ST_RETRY},  {"57P01", ST_RETRY},  {"57P03", ST_RETRY},
                 {"57014", ST_RETRY},  {"55P03", ST_RETRY},  {"08006", ST_RETRY},
                 {"22P02", ST_REJECT}, {"22021", ST_REJECT}, {"23505", ST_REJECT},
                 {"23503", ST_REJECT}, {"42P01", ST_FATAL},  {"42501", ST_FATAL},
                 {"P0001", ST_FATAL},  {"XX000", ST_FATAL}};
    struct pg *db = open_ready();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = {""};
        char sql[128];

        snprintf(sql, sizeof sql, "DO $$ BEGIN RAISE 'so it is' USING ERRCODE = '%s'; END $$",
                 cases[i].state);
        assert_int_equal(pg_run(db, sql, 0, NULL, NULL, &fault), cases[i].st);
        assert_string_equal(pg_state(db), cases[i].state);
        assert_memory_equal(fault.text, cases[i].state, 5);
        assert_non_null(strstr(fault.text, "so it is"));
    }
    expect(db, "SELECT 1", ST_OK);
    assert_string_equal(pg_state(db), "");
    pg_close(db);
}

static void real_mistakes_are_told_apart(void **state)
{
    struct pg *db = open_ready();
    const char *const word[] = {"twelve"};

    (void)state;
    expect(db, "CREATE TEMPORARY TABLE one (k int PRIMARY KEY, v jsonb)", ST_OK);
    expect(db, "INSERT INTO one VALUES (1, '{}')", ST_OK);
    expect(db, "INSERT INTO one VALUES (1, '{}')", ST_REJECT);
    assert_string_equal(pg_state(db), "23505");
    expect(db, "INSERT INTO one VALUES (2, '{')", ST_REJECT);
    assert_int_equal(pg_run(db, "SELECT $1::int", 1, word, NULL, NULL), ST_REJECT);
    expect(db, "SELECT * FROM nowhere", ST_FATAL);
    expect(db, "SELEKT", ST_FATAL);
    expect(db, "", ST_FATAL);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect(db, "SELECT 1", ST_OK);
    pg_close(db);
}

static void arrays_go_in_and_come_back_the_same(void **state)
{
    enum { N = 1000, COLUMNS = 7 };
    struct pg_array a[COLUMNS] = {0};
    static const Oid elements[COLUMNS] = {PG_INT8,  PG_INT2, PG_FLOAT8, PG_TEXT,
                                          PG_BYTEA, PG_UUID, PG_JSONB};
    const char *params[COLUMNS];
    int lengths[COLUMNS], formats[COLUMNS];
    Oid types[COLUMNS];
    struct pg *db = open_ready();
    struct fault fault = {""};

    (void)state;
    expect(
        db,
        "CREATE TEMPORARY TABLE many (i int8, s int2, d float8, t text, b bytea, u uuid, j jsonb)",
        ST_OK);
    for (int c = 0; c < COLUMNS; c++)
        pg_array_begin(&a[c], elements[c]);
    for (int i = 0; i < N; i++) {
        char text[64];

        pg_array_int8(&a[0], i * INT64_C(-1000000007));
        pg_array_int2(&a[1], (int16_t)(i - 500));
        pg_array_float8(&a[2], i / 7.0);
        if (i % 10 == 3)
            pg_array_null(&a[3]);
        else
            pg_array_text(&a[3], text, (size_t)snprintf(text, sizeof text, "Größe %d, \"{}\\", i));
        pg_array_text(&a[4], "\0\xff\xc1", 3);
        snprintf(text, sizeof text, "0197f3c2-5f0e-7abc-8def-%012d", i);
        pg_array_uuid(&a[5], text);
        pg_array_jsonb(&a[6], text, (size_t)snprintf(text, sizeof text, "{\"i\": %d}", i));
    }
    for (int c = 0; c < COLUMNS; c++) {
        pg_array_end(&a[c]);
        assert_false(a[c].failed);
        params[c] = a[c].bytes;
        lengths[c] = (int)a[c].len;
        formats[c] = 1;
        types[c] = pg_array_type(&a[c]);
    }
    if (pg_run_typed(db, "INSERT INTO many SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)",
                     COLUMNS, types, params, lengths, formats, NULL, &fault) != ST_OK)
        fail_msg("%s", fault.text);
    expect_answer(
        db,
        "SELECT count(*) FROM many, LATERAL (SELECT (j->>'i')::int AS n) AS x WHERE i = n "
        "* -1000000007::int8 "
        "AND s = n - 500 AND d = n / 7.0::float8 AND b = '\\x00ffc1' "
        "AND u::text = '0197f3c2-5f0e-7abc-8def-' || lpad(n::text, 12, '0') "
        "AND t IS NOT DISTINCT FROM CASE WHEN n % 10 = 3 THEN NULL ELSE 'Größe ' || n || "
        "', \"{}\\' END",
        "1000");
    for (int c = 0; c < COLUMNS; c++)
        pg_array_done(&a[c]);
    pg_close(db);
}

static void an_empty_array_is_an_empty_set(void **state)
{
    struct pg *db = open_ready();
    struct pg_array a = {0};
    const char *params[1];
    const int formats[] = {1};
    PGresult *r = NULL;
    Oid types[1];
    int lengths[1];

    (void)state;
    pg_array_begin(&a, PG_TEXT);
    pg_array_end(&a);
    params[0] = a.bytes;
    lengths[0] = (int)a.len;
    types[0] = pg_array_type(&a);
    assert_int_equal(
        pg_run_typed(db, "SELECT * FROM unnest($1)", 1, types, params, lengths, formats, &r, NULL),
        ST_OK);
    assert_int_equal(PQntuples(r), 0);
    PQclear(r);
    pg_array_done(&a);
    pg_close(db);
}

static void a_commit_after_a_failed_statement_is_not_called_a_success(void **state)
{
    struct pg *db = open_ready();

    (void)state;
    expect(db, "CREATE TEMPORARY TABLE kept (v int)", ST_OK);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "INSERT INTO kept VALUES (1)", ST_OK);
    expect(db, "SELECT 1/0", ST_REJECT);
    assert_int_equal(pg_commit(db, NULL), ST_FATAL);
    expect_answer(db, "SELECT count(*) FROM kept", "0");
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "INSERT INTO kept VALUES (1)", ST_OK);
    assert_int_equal(pg_commit(db, NULL), ST_OK);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "INSERT INTO kept VALUES (2)", ST_OK);
    pg_rollback(db);
    pg_rollback(db);
    expect_answer(db, "SELECT count(*) FROM kept", "1");
    pg_close(db);
}

static void a_transaction_left_open_is_rolled_back_before_work_goes_on(void **state)
{
    struct pg *db = open_ready();

    (void)state;
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "SELECT 1/0", ST_REJECT);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect(db, "SELECT 1", ST_OK);
    pg_close(db);
}

static void a_server_killed_in_a_transaction_is_a_reason_to_do_it_again(void **state)
{
    struct pg *db = open_ready();
    struct fault fault = {""};

    (void)state;
    expect(db, "CREATE TABLE IF NOT EXISTS survivors (v int)", ST_OK);
    expect(db, "TRUNCATE survivors", ST_OK);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "INSERT INTO survivors VALUES (1)", ST_OK);
    ask("kill postgres");
    WAIT_FOR(pg_run(db, "INSERT INTO survivors VALUES (2)", 0, NULL, NULL, &fault) == ST_RETRY);
    assert_true(fault.text[0] != '\0');
    pg_rollback(db);
    assert_int_equal(pg_socket(db), -1);
    assert_int_equal(pg_commit(db, NULL), ST_RETRY);
    assert_int_equal(pg_ready(db, &fault), ST_RETRY);
    ask("start postgres");
    WAIT_FOR(pg_ready(db, NULL) == ST_OK);
    expect_answer(db, "SELECT count(*) FROM survivors", "0");
    pg_close(db);
}

static void a_connection_cut_while_idle_is_replaced_by_pg_ready(void **state)
{
    struct pg *db = open_ready(), *other = open_ready();
    char sql[64];

    (void)state;
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(pg_raw(db)));
    expect(other, sql, ST_OK);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect(db, "SELECT 1", ST_OK);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(pg_raw(db)));
    expect(other, sql, ST_OK);
    expect(db, "SELECT 1", ST_RETRY); /* nobody looked */
    expect(db, "SELECT 1", ST_RETRY); /* and nobody asked to connect again */
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    expect(db, "SELECT 1", ST_OK);
    pg_close(other);
    pg_close(db);
}

static void a_read_only_server_is_left_for_a_better_one(void **state)
{
    struct pg *db = open_ready();

    (void)state;
    expect(db, "SET default_transaction_read_only = on", ST_OK);
    expect(db, "CREATE TABLE refused (v int)", ST_RETRY);
    assert_string_equal(pg_state(db), "25006");
    assert_int_equal(pg_socket(db), -1);
    pg_close(db);
}

static void a_server_that_takes_us_in_but_never_answers_costs_five_seconds(void **state)
{
    struct pg *db = open_to(served("VIGIE_TEST_PG"));
    struct fault fault = {""};

    (void)state;
    ask("freeze postgres");
    assert_int_equal(pg_ready(db, &fault), ST_RETRY);
    ask("thaw postgres");
    assert_string_equal(pg_state(db), "");
    WAIT_FOR(pg_ready(db, NULL) == ST_OK);
    pg_close(db);
}

static void an_answer_beyond_our_patience_ends_the_connection(void **state)
{
    struct pg *db = open_ready();
    unsigned before = pg_connections(db);

    (void)state;
    pg_set_patience(db, 300);
    expect(db, "SELECT 1", ST_OK);
    expect_answer(db, "SELECT repeat('x', 10)", "xxxxxxxxxx");
    expect(db, "SELECT pg_sleep(20)", ST_RETRY);
    assert_int_equal(pg_socket(db), -1);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    assert_int_equal(pg_connections(db), before + 1);
    ask("freeze postgres"); /* the postmaster: who is in already is still served */
    expect(db, "SELECT 1", ST_OK);
    ask("thaw postgres");
    pg_set_patience(db, 0);
    expect(db, "SELECT pg_sleep(0.5)", ST_OK);
    pg_close(db);
}

static void patience_takes_long_statements_and_long_answers_whole(void **state)
{
    static char big[4000000];
    struct pg *db = open_ready();
    const char *const params[] = {big};
    PGresult *r = NULL;

    (void)state;
    memset(big, 'x', sizeof big - 1);
    pg_set_patience(db, 20000);
    assert_int_equal(pg_run(db, "SELECT $1 || $1", 1, params, &r, NULL), ST_OK);
    assert_int_equal(PQgetlength(r, 0, 0), 2 * (int)(sizeof big - 1));
    PQclear(r);
    expect(db, "SELECT 1/0", ST_REJECT);
    expect(db, "SELECT 1; SELECT 2", ST_FATAL);
    expect(db, "COPY pg_class TO STDOUT", ST_FATAL);
    assert_int_equal(pg_ready(db, NULL), ST_OK);
    assert_int_equal(pg_begin(db, NULL), ST_OK);
    expect(db, "SELECT 1/0", ST_REJECT);
    pg_rollback(db);
    assert_string_equal(pg_state(db), "22012"); /* still that of the failure */
    expect(db, "SELECT 1", ST_OK);
    pg_close(db);
}

static void expect_refusal(const char *variable, enum status st, const char *state)
{
    struct pg *db = open_to(served(variable));
    struct fault fault = {""};
    enum status got = pg_ready(db, &fault);

    if (got != st || strcmp(pg_state(db), state) != 0)
        fail_msg("%s: %s, \"%s\" (%s)", variable, status_name(got), pg_state(db), fault.text);
    assert_null(strstr(fault.text, "hidden")); /* the password */
    pg_close(db);
}

static void who_is_refused_for_good_is_told_so(void **state)
{
    (void)state;
    expect_refusal("VIGIE_TEST_PG_LOCKED", ST_OK, "");
    expect_refusal("VIGIE_TEST_PG_WRONG_PASSWORD", ST_FATAL, "28P01");
    expect_refusal("VIGIE_TEST_PG_NO_PASSWORD", ST_FATAL, "");
    expect_refusal("VIGIE_TEST_PG_NO_ROLE", ST_FATAL, "28000");
    expect_refusal("VIGIE_TEST_PG_NO_DATABASE", ST_FATAL, "3D000");
    expect_refusal("VIGIE_TEST_PG_NOBODY", ST_RETRY, "");
}

static void a_notify_arrives_once_and_is_cut_to_size(void **state)
{
    struct pg *db = open_ready(), *other = open_ready();
    char channel[8], payload[8];
    struct pollfd one = {.events = POLLIN};

    (void)state;
    assert_int_equal(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL),
                     ST_NONE);
    expect(db, "LISTEN vehicle", ST_OK);
    expect(other, "SELECT pg_notify('vehicle', 'WVWZZZ1KZAW000001')", ST_OK);
    expect(other, "SELECT pg_notify('vehicle', 'short')", ST_OK);
    one.fd = pg_socket(db);
    assert_int_equal(poll(&one, 1, 10000), 1);
    WAIT_FOR(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL) == ST_OK);
    assert_string_equal(channel, "vehicle");
    assert_string_equal(payload, "WVWZZZ1");
    WAIT_FOR(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL) == ST_OK);
    assert_string_equal(payload, "short");
    assert_int_equal(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL),
                     ST_NONE);
    pg_close(other);
    pg_close(db);
}

static void a_listener_hears_that_its_server_is_gone(void **state)
{
    struct pg *db = open_ready();
    char channel[64], payload[64];

    (void)state;
    expect(db, "LISTEN vehicle", ST_OK);
    ask("kill postgres");
    WAIT_FOR(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL) ==
             ST_RETRY);
    assert_int_equal(pg_socket(db), -1);
    assert_int_equal(pg_take_notify(db, channel, sizeof channel, payload, sizeof payload, NULL),
                     ST_RETRY);
    ask("start postgres");
    WAIT_FOR(pg_ready(db, NULL) == ST_OK);
    pg_close(db);
}

static void what_is_no_connection_string_is_refused_and_not_quoted(void **state)
{
    static const char *const bad[] = {"host", "hidden=1", "postgresql://[hidden",
                                      "password='hidden"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault fault = {""};
        struct pg *db = NULL;

        assert_int_equal(pg_open(&db, bad[i], "x", &fault), ST_REJECT);
        assert_null(strstr(fault.text, "hidden"));
        assert_null(db);
    }
}

static void without_a_connection_everything_waits(void **state)
{
    struct pg *db = open_to("host=/nowhere");
    char text[8];

    (void)state;
    assert_int_equal(pg_ready(db, NULL), ST_RETRY);
    assert_int_equal(pg_run(db, "SELECT 1", 0, NULL, NULL, NULL), ST_RETRY);
    assert_int_equal(pg_begin(db, NULL), ST_RETRY);
    assert_int_equal(pg_commit(db, NULL), ST_RETRY);
    assert_int_equal(pg_take_notify(db, text, sizeof text, text, sizeof text, NULL), ST_RETRY);
    pg_rollback(db);
    assert_int_equal(pg_socket(db), -1);
    pg_close(db);
    pg_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(parameters_are_values_and_null_is_null),
        cmocka_unit_test(a_server_misses_us_within_seconds_over_tcp_whenever_we_connect),
        cmocka_unit_test(what_is_committed_is_on_disk_whatever_the_server_is_set_to),
        cmocka_unit_test(a_failure_says_what_to_do_by_its_sqlstate),
        cmocka_unit_test(real_mistakes_are_told_apart),
        cmocka_unit_test(arrays_go_in_and_come_back_the_same),
        cmocka_unit_test(an_empty_array_is_an_empty_set),
        cmocka_unit_test(a_commit_after_a_failed_statement_is_not_called_a_success),
        cmocka_unit_test(a_transaction_left_open_is_rolled_back_before_work_goes_on),
        cmocka_unit_test(a_server_killed_in_a_transaction_is_a_reason_to_do_it_again),
        cmocka_unit_test(a_connection_cut_while_idle_is_replaced_by_pg_ready),
        cmocka_unit_test(a_read_only_server_is_left_for_a_better_one),
        cmocka_unit_test(a_server_that_takes_us_in_but_never_answers_costs_five_seconds),
        cmocka_unit_test(an_answer_beyond_our_patience_ends_the_connection),
        cmocka_unit_test(patience_takes_long_statements_and_long_answers_whole),
        cmocka_unit_test(who_is_refused_for_good_is_told_so),
        cmocka_unit_test(a_notify_arrives_once_and_is_cut_to_size),
        cmocka_unit_test(a_listener_hears_that_its_server_is_gone),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(what_is_no_connection_string_is_refused_and_not_quoted),
        cmocka_unit_test(without_a_connection_everything_waits),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_PG", with_server, alone);
}
