/* Statements a connection keeps, against a real server (tests/integration/test_edges.py). */
#include "tests/unit/store/pg_served.h"

static void run_often(struct pg *db, const char *sql, const char *param, const char *expected)
{
    static const Oid types[] = {PG_TEXT};
    struct fault fault = {""};
    PGresult *r = NULL;

    if (pg_run_often(db, sql, 1, types, &param, NULL, NULL, &r, &fault) != ST_OK)
        fail_msg("%s: %s", sql, fault.text);
    assert_string_equal(PQgetvalue(r, 0, 0), expected);
    PQclear(r);
}

static void a_statement_run_often_is_prepared_once_a_connection(void **state)
{
    const char *const sql = "SELECT $1 || '!'", *const count =
                                                    "SELECT count(*) FROM pg_prepared_statements";
    char text[64], expected[16];

    (void)state;
    for (int patience = 0; patience <= 5000; patience += 5000) {
        struct pg *db = open_ready();

        pg_set_patience(db, patience);
        run_often(db, sql, "a", "a!");
        run_often(db, sql, "b", "b!");
        expect_answer(db, count, "1");
        for (int i = 0; i < 100; i++) { /* more than are kept */
            snprintf(text, sizeof text, "SELECT $1 || '%d'", i);
            snprintf(expected, sizeof expected, "n%d", i);
            run_often(db, text, "n", expected);
            if (i == 9)
                expect_answer(db, count, "11");
        }
        pg_close(db);
    }
}

static void what_is_prepared_does_not_outlive_its_connection(void **state)
{
    struct pg *db = open_ready();
    struct fault fault;

    (void)state;
    run_often(db, "SELECT $1 || '!'", "a", "a!");
    expect(db, "SELECT pg_terminate_backend(pg_backend_pid())", ST_RETRY);
    assert_int_equal(pg_ready(db, &fault), ST_OK);
    run_often(db, "SELECT $1 || '!'", "b", "b!");
    pg_close(db);
}

static void a_statement_whose_schema_has_changed_is_prepared_anew(void **state)
{
    static const Oid types[] = {PG_TEXT};
    const char *const sql = "SELECT v FROM moved WHERE v::text <> $1", *const params[] = {"none"};
    struct pg *db = open_ready(), *other = open_ready();
    struct fault fault = {""};

    (void)state;
    expect(other, "DROP TABLE IF EXISTS moved", ST_OK);
    expect(other, "CREATE TABLE moved AS SELECT 1 AS v", ST_OK);
    run_often(db, sql, "none", "1");
    expect(other, "ALTER TABLE moved ALTER v TYPE text USING 'one'", ST_OK);
    assert_int_equal(pg_run_often(db, sql, 1, types, params, NULL, NULL, NULL, &fault), ST_RETRY);
    assert_int_equal(pg_ready(db, &fault), ST_OK);
    run_often(db, sql, "none", "one");
    expect(other, "DROP TABLE moved", ST_OK);
    pg_close(other);
    pg_close(db);
}

static void without_a_connection_nothing_is_prepared(void **state)
{
    struct fault fault = {""};
    struct pg *db = NULL;

    (void)state;
    assert_int_equal(pg_open(&db, "host=/nowhere", "vigie-test", &fault), ST_OK);
    assert_int_equal(pg_run_often(db, "SELECT 1", 0, NULL, NULL, NULL, NULL, NULL, &fault),
                     ST_RETRY);
    pg_close(db);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(a_statement_run_often_is_prepared_once_a_connection),
        cmocka_unit_test(what_is_prepared_does_not_outlive_its_connection),
        cmocka_unit_test(a_statement_whose_schema_has_changed_is_prepared_anew),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(without_a_connection_nothing_is_prepared),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_PG", with_server, alone);
}
