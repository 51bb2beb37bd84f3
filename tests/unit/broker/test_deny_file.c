/* tests/unit/broker/test_deny_file.c - the file is read again when, and only when, it is another
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "services/broker/deny_file.h"

static char folder[64], path[96], aside[96];
static struct deny_list *list;
static size_t ignored;
static struct fault fault;

static void write_file(const char *to, const char *text)
{
    FILE *file = fopen(to, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* As `vigie-api revoke` does. */
static void replace(const char *text)
{
    write_file(aside, text);
    assert_int_equal(rename(aside, path), 0);
}

static int setup(void **state)
{
    struct deny_file *file;

    snprintf(folder, sizeof folder, "/tmp/vigie-deny-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/revoked.vins", folder);
    snprintf(aside, sizeof aside, "%s/aside", folder);
    if (deny_file_open(&file, path, NULL) != ST_OK)
        return -1;
    *state = file;
    list = NULL;
    fault.text[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    deny_list_close(list);
    deny_file_close(*state);
    unlink(path);
    rmdir(path);
    unlink(aside);
    return rmdir(folder);
}

static void a_file_is_read_once_and_again_after_each_rename(void **state)
{
    replace("WVWZZZ1KZAW000001\nhello\n");
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_OK);
    assert_int_equal(deny_list_count(list), 1);
    assert_int_equal(ignored, 1);
    deny_list_close(list);
    list = NULL;
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_NONE);
    assert_null(list);
    replace("WVWZZZ1KZAW000002\nhello\n"); /* same size, within the same second */
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_OK);
    assert_true(deny_list_has(list, "WVWZZZ1KZAW000002"));
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_NONE);
}

static void an_edit_in_place_is_seen_as_well(void **state)
{
    replace("");
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_OK);
    deny_list_close(list);
    list = NULL;
    write_file(path, "WVWZZZ1KZAW000001\n");
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_OK);
    assert_int_equal(deny_list_count(list), 1);
}

static void a_missing_file_gives_no_list_and_one_that_comes_later_does(void **state)
{
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_RETRY);
    assert_null(list);
    assert_string_not_equal(fault.text, "");
    replace("WVWZZZ1KZAW000001");
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_OK);
    unlink(path);
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_RETRY);
    assert_true(deny_list_has(list, "WVWZZZ1KZAW000001")); /* the caller's, untouched */
}

static void what_is_no_regular_file_is_refused_and_never_waited_for(void **state)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_RETRY);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_RETRY);
    assert_null(list);
}

static void a_file_beyond_the_limit_is_refused(void **state)
{
    write_file(path, "WVWZZZ1KZAW000001\n");
    assert_int_equal(truncate(path, (off_t)DENY_FILE_MAX + 1), 0);
    assert_int_equal(deny_file_read(*state, &list, &ignored, &fault), ST_RETRY);
    assert_null(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_once_and_again_after_each_rename, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_edit_in_place_is_seen_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_gives_no_list_and_one_that_comes_later_does,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused_and_never_waited_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_beyond_the_limit_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
