/* PostgreSQL's binary arrays, byte for byte; that the server reads them is for test_postgres.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "lib/store/postgres.h"

static void holds(const struct pg_array *a, const char *expected, size_t len)
{
    assert_false(a->failed);
    assert_int_equal(a->len, len);
    assert_memory_equal(a->bytes, expected, len);
}

static void numbers_go_in_network_order(void **state)
{
    static const char expected[] = "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1"
                                   "\0\0\0\x08\1\2\3\4\5\6\7\x08"
                                   "\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xfe";
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_INT8);
    pg_array_int8(&a, 0x0102030405060708);
    pg_array_int8(&a, -2);
    pg_array_end(&a);
    holds(&a, expected, sizeof expected - 1);
    pg_array_done(&a);
}

static void an_empty_array_has_no_dimension(void **state)
{
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_TEXT);
    pg_array_end(&a);
    holds(&a, "\0\0\0\0\0\0\0\0\0\0\0\x19", 12);
    pg_array_done(&a);
}

static void a_null_sets_the_flag_and_has_no_bytes(void **state)
{
    static const char expected[] = "\0\0\0\1\0\0\0\1\0\0\0\x15\0\0\0\2\0\0\0\1"
                                   "\xff\xff\xff\xff"
                                   "\0\0\0\2\xff\xfe";
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_INT2);
    pg_array_null(&a);
    pg_array_int2(&a, -2);
    pg_array_end(&a);
    holds(&a, expected, sizeof expected - 1);
    pg_array_done(&a);
}

static void begun_again_it_holds_the_new_only(void **state)
{
    static const char expected[] =
        "\0\0\0\1\0\0\0\0\0\0\x0b\x86\0\0\0\1\0\0\0\1"
        "\0\0\0\x10\x01\x97\xf3\xc2\x5f\x0e\x7a\xbc\x8d\xef\x01\x23\x45\x67\x89\xab";
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_TEXT);
    pg_array_null(&a);
    pg_array_text(&a, "left over", 9);
    pg_array_end(&a);
    pg_array_begin(&a, PG_UUID);
    pg_array_uuid(&a, "0197f3c2-5f0e-7abc-8def-0123456789ab");
    pg_array_end(&a);
    holds(&a, expected, sizeof expected - 1);
    pg_array_done(&a);
}

static void jsonb_begins_with_its_version(void **state)
{
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_JSONB);
    pg_array_jsonb(&a, "{}", 2);
    pg_array_end(&a);
    assert_memory_equal(a.bytes + 20, "\0\0\0\3\1{}", 7);
    pg_array_done(&a);
}

static void what_is_no_uuid_fails_the_array(void **state)
{
    static const char *const bad[] = {"",
                                      "0197f3c2-5f0e-7abc-8def-0123456789a",
                                      "0197f3c25f0e7abc8def0123456789ab",
                                      "0197f3c2-5f0e-7abc-8def-0123456789ag",
                                      "0197f3c2-5f0e-7abc-8def-0123456789abc",
                                      "0197f3c2-5f0e-7abc-8def0-123456789ab"};
    struct pg_array a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pg_array_begin(&a, PG_UUID);
        pg_array_uuid(&a, bad[i]);
        pg_array_end(&a);
        if (!a.failed)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    pg_array_done(&a);
}

static void it_grows_as_needed(void **state)
{
    struct pg_array a = {0};

    (void)state;
    pg_array_begin(&a, PG_FLOAT8);
    for (int i = 0; i < 100000; i++)
        pg_array_float8(&a, i);
    pg_array_end(&a);
    assert_false(a.failed);
    assert_int_equal(a.len, 20 + 100000 * 12);
    assert_memory_equal(a.bytes + 20 + 12, "\0\0\0\x08\x3f\xf0\0\0\0\0\0\0", 12); /* 1.0 */
    pg_array_done(&a);
}

static void every_element_type_has_its_array_type(void **state)
{
    static const Oid types[] = {PG_INT2, PG_INT8, PG_TEXT, PG_FLOAT8, PG_BYTEA, PG_UUID, PG_JSONB};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct pg_array a = {.element = types[i]};

        assert_true(pg_array_type(&a) > 0);
    }
}

static void numbers_of_a_row_that_came_as_text_are_read_and_its_nulls_told_apart(void **state)
{
    PGresAttDesc columns[3] = {
        {.name = (char[]){"n"}}, {.name = (char[]){"x"}}, {.name = (char[]){"y"}}};
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    (void)state;
    assert_int_equal(PQsetResultAttrs(rows, 3, columns), 1);
    assert_int_equal(PQsetvalue(rows, 0, 0, (char[]){"-9007199254740993"}, 17), 1);
    assert_int_equal(PQsetvalue(rows, 0, 1, (char[]){"48.25"}, 5), 1);
    assert_int_equal(PQsetvalue(rows, 0, 2, NULL, -1), 1);
    assert_int_equal(pg_text_int8(rows, 0, 0), -9007199254740993);
    assert_int_equal(pg_text_int8(rows, 0, 2), 0);
    assert_true(pg_text_float8(rows, 0, 1) == 48.25);
    assert_true(isnan(pg_text_float8(rows, 0, 2)));
    PQclear(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_go_in_network_order),
        cmocka_unit_test(an_empty_array_has_no_dimension),
        cmocka_unit_test(a_null_sets_the_flag_and_has_no_bytes),
        cmocka_unit_test(begun_again_it_holds_the_new_only),
        cmocka_unit_test(jsonb_begins_with_its_version),
        cmocka_unit_test(what_is_no_uuid_fails_the_array),
        cmocka_unit_test(it_grows_as_needed),
        cmocka_unit_test(every_element_type_has_its_array_type),
        cmocka_unit_test(numbers_of_a_row_that_came_as_text_are_read_and_its_nulls_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
