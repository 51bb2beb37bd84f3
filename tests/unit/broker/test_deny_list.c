/* tests/unit/broker/test_deny_list.c - the revoked VINs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/broker/deny_list.h"

static size_t ignored;

static struct deny_list *list_of(const char *text)
{
    struct deny_list *list = NULL;
    size_t len = strlen(text);
    char *exact = malloc(len ? len : 1); /* no terminator: reading past the end shows under ASan */

    assert_non_null(exact);
    memcpy(exact, text, len);
    assert_int_equal(deny_list_parse(&list, exact, len, &ignored, NULL), ST_OK);
    free(exact);
    return list;
}

static void vins_are_found_whatever_their_order(void **state)
{
    struct deny_list *list = list_of("ZZZZZZZZZZZZZZZZ9\nWVWZZZ1KZAW000001\n11111111111111111");

    (void)state;
    assert_int_equal(ignored, 0);
    assert_int_equal(deny_list_count(list), 3);
    assert_string_equal(deny_list_at(list, 0), "11111111111111111");
    assert_string_equal(deny_list_at(list, 2), "ZZZZZZZZZZZZZZZZ9");
    assert_true(deny_list_has(list, "WVWZZZ1KZAW000001"));
    assert_false(deny_list_has(list, "WVWZZZ1KZAW000002"));
    deny_list_close(list);
}

static void spaces_comments_and_line_ends_do_not_matter(void **state)
{
    struct deny_list *list = list_of("# revoked\r\n\n  WVWZZZ1KZAW000001\t\r\n   \n  # more\n");

    (void)state;
    assert_int_equal(ignored, 0);
    assert_int_equal(deny_list_count(list), 1);
    assert_true(deny_list_has(list, "WVWZZZ1KZAW000001"));
    deny_list_close(list);
}

static void a_line_that_is_no_vin_is_counted_and_costs_only_itself(void **state)
{
    struct deny_list *list = list_of("nonsense\nWVWZZZ1KZAW000001\nWVWZZZ1KZAW00000I\n"
                                     "WVWZZZ1KZAW000001 # stolen\nWVWZZZ1KZAW0000011\n");

    (void)state;
    assert_int_equal(ignored, 4);
    assert_int_equal(deny_list_count(list), 1);
    deny_list_close(list);
}

static void a_vin_that_comes_twice_counts_once(void **state)
{
    struct deny_list *list =
        list_of("WVWZZZ1KZAW000001\nWVWZZZ1KZAW000002\nWVWZZZ1KZAW000001\nWVWZZZ1KZAW000001\n");

    (void)state;
    assert_int_equal(deny_list_count(list), 2);
    assert_string_equal(deny_list_at(list, 1), "WVWZZZ1KZAW000002");
    deny_list_close(list);
}

static void an_empty_file_revokes_nobody(void **state)
{
    struct deny_list *list = list_of("");

    (void)state;
    assert_int_equal(deny_list_count(list), 0);
    assert_false(deny_list_has(list, "WVWZZZ1KZAW000001"));
    assert_false(deny_list_has(NULL, "WVWZZZ1KZAW000001"));
    assert_int_equal(deny_list_count(NULL), 0);
    deny_list_close(list);
    deny_list_close(NULL);
}

static void ten_thousand_vins_are_all_found(void **state)
{
    enum { N = 10000 };
    char *text = malloc(N * 18 + 1), vin[18];
    struct deny_list *list;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < N; i++)
        snprintf(text + i * 18, 19, "ZZ%015d\n", (i * 7919) % N);
    list = list_of(text);
    assert_int_equal(deny_list_count(list), N);
    for (int i = 0; i < N; i++) {
        snprintf(vin, sizeof vin, "ZZ%015d", i);
        assert_true(deny_list_has(list, vin));
        vin[0] = 'A';
        assert_false(deny_list_has(list, vin));
    }
    deny_list_close(list);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vins_are_found_whatever_their_order),
        cmocka_unit_test(spaces_comments_and_line_ends_do_not_matter),
        cmocka_unit_test(a_line_that_is_no_vin_is_counted_and_costs_only_itself),
        cmocka_unit_test(a_vin_that_comes_twice_counts_once),
        cmocka_unit_test(an_empty_file_revokes_nobody),
        cmocka_unit_test(ten_thousand_vins_are_all_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
