/* tests/unit/lib/test_text.c - the buffer that never overflows, hex, base64url, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/text.h"

static char folder[] = "/tmp/test_text.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(in_folder("a"));
    return rmdir(folder);
}

static void an_empty_text_is_terminated(void **state)
{
    struct text t;

    (void)state;
    text_init(&t);
    assert_string_equal(t.bytes, "");
    text_clear(&t);
    text_add(&t, "", 0);
    assert_string_equal(t.bytes, "");
    text_done(&t);
    assert_string_equal(t.bytes, "");
    text_done(&t);
}

static void a_text_grows_and_stays_terminated(void **state)
{
    struct text t;

    (void)state;
    text_init(&t);
    for (int i = 0; i < 10000; i++) {
        text_print(&t, "%d,", i % 10);
        text_add(&t, "x", 1);
        assert_int_equal(t.bytes[t.len], 0);
        assert_int_equal(t.len, 3 * (i + 1));
    }
    assert_memory_equal(t.bytes + 27, "9,x0,x", 6);
    assert_false(t.failed);
    text_done(&t);
}

static void bytes_may_hold_zeros(void **state)
{
    struct text t;

    (void)state;
    text_init(&t);
    text_add(&t, "a\0b", 3);
    assert_int_equal(t.len, 3);
    assert_memory_equal(t.bytes, "a\0b", 4);
    text_done(&t);
}

static void a_cleared_text_keeps_its_memory(void **state)
{
    struct text t;
    size_t room;

    (void)state;
    text_init(&t);
    text_print(&t, "%0500d", 7);
    room = t.room;
    text_clear(&t);
    assert_string_equal(t.bytes, "");
    assert_int_equal(t.room, room);
    text_print(&t, "new");
    assert_string_equal(t.bytes, "new");
    text_done(&t);
}

static void what_cannot_be_allocated_is_marked_and_adds_nothing(void **state)
{
    struct text t;

    (void)state;
    text_init(&t);
    text_print(&t, "kept");
    text_add(&t, "x", SIZE_MAX / 2); /* refused before a byte is read */
    assert_true(t.failed);
    text_print(&t, "later");
    assert_string_equal(t.bytes, "kept");
    text_clear(&t);
    assert_false(t.failed);
    text_done(&t);
}

static void a_copy_is_cut_and_terminated(void **state)
{
    char out[4];

    (void)state;
    assert_true(text_copy(out, sizeof out, "abc"));
    assert_string_equal(out, "abc");
    assert_false(text_copy(out, sizeof out, "abcd"));
    assert_string_equal(out, "abc");
    assert_false(text_copy(out, 0, "a"));
    assert_string_equal(out, "abc");
}

static void hex_reads_back(void **state)
{
    unsigned char bytes[256], back[256];
    char hex[513];

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    text_hex(hex, bytes, 256);
    assert_memory_equal(hex, "000102", 6);
    assert_string_equal(hex + 506, "fdfeff");
    assert_true(text_unhex(back, hex, 512));
    assert_memory_equal(back, bytes, 256);
    assert_true(text_unhex(back, "AbCd", 4));
    assert_memory_equal(back, "\xab\xcd", 2);
}

static void bad_hex_is_refused_and_writes_nothing(void **state)
{
    unsigned char out[4] = "zzz";

    (void)state;
    assert_false(text_unhex(out, "abc", 3));
    assert_false(text_unhex(out, "ab0g", 4));
    assert_false(text_unhex(out, "0x", 2));
    assert_string_equal((char *)out, "zzz");
}

/* RFC 4648 section 10, without padding; and the two letters that differ from plain base64. */
static void base64url_matches_the_standard(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t n = text_base64url(out, (const unsigned char *)pairs[i][0], strlen(pairs[i][0]));

        assert_string_equal(out, pairs[i][1]);
        assert_int_equal(n, strlen(pairs[i][1]));
    }
    text_base64url(out, (const unsigned char *)"\xfb\xff\xfe", 3);
    assert_string_equal(out, "-__-");
}

static void random_bytes_differ(void **state)
{
    unsigned char a[32] = {0}, b[32] = {0};

    (void)state;
    text_random(a, sizeof a);
    text_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void a_file_is_written_with_its_mode_and_read_back(void **state)
{
    struct fault fault = {""};
    struct stat info;
    struct text t;

    (void)state;
    text_init(&t);
    umask(077);
    assert_int_equal(text_write_file(in_folder("a"), "one\0two", 7, 0644, &fault), ST_OK);
    assert_int_equal(stat(in_folder("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    text_print(&t, "old");
    assert_int_equal(text_read_file(&t, in_folder("a"), 7, &fault), ST_OK);
    assert_int_equal(t.len, 7);
    assert_memory_equal(t.bytes, "one\0two", 8);
    assert_int_equal(text_write_file(in_folder("a"), "", 0, 0600, &fault), ST_OK);
    assert_int_equal(text_read_file(&t, in_folder("a"), 0, &fault), ST_OK);
    assert_int_equal(t.len, 0);
    text_done(&t);
}

static void a_file_that_is_too_long_missing_or_a_folder_is_told_apart(void **state)
{
    struct fault fault = {""};
    struct text t;

    (void)state;
    text_init(&t);
    assert_int_equal(text_write_file(in_folder("a"), "123456", 6, 0600, &fault), ST_OK);
    assert_int_equal(text_read_file(&t, in_folder("a"), 5, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "longer than 5 bytes"));
    assert_int_equal(t.len, 0);
    assert_int_equal(text_read_file(&t, in_folder("missing"), 5, &fault), ST_NONE);
    assert_int_equal(text_read_file(&t, folder, 5, &fault), ST_REJECT);
    text_done(&t);
}

static int entries_in_folder(void)
{
    DIR *dir = opendir(folder);
    int n = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void a_file_that_cannot_be_replaced_stays_and_leaves_no_temporary(void **state)
{
    struct fault fault = {""};
    char inner[300];
    int before;

    (void)state;
    snprintf(inner, sizeof inner, "%s/sub", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    before = entries_in_folder();
    assert_int_equal(text_write_file(inner, "x", 1, 0600, &fault),
                     ST_FATAL); /* a folder is there */
    assert_int_equal(entries_in_folder(), before);
    assert_int_equal(rmdir(inner), 0);
    snprintf(inner, sizeof inner, "%s/no/such/file", folder);
    assert_int_equal(text_write_file(inner, "x", 1, 0600, &fault), ST_FATAL);
    assert_non_null(strstr(fault.text, "no/such/file"));
}

static void a_file_of_the_working_folder_needs_no_slash(void **state)
{
    struct fault fault = {""};
    char before[4096];

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(text_write_file("a", "x", 1, 0600, &fault), ST_OK);
    assert_int_equal(chdir(before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_text_is_terminated),
        cmocka_unit_test(a_text_grows_and_stays_terminated),
        cmocka_unit_test(bytes_may_hold_zeros),
        cmocka_unit_test(a_cleared_text_keeps_its_memory),
        cmocka_unit_test(what_cannot_be_allocated_is_marked_and_adds_nothing),
        cmocka_unit_test(a_copy_is_cut_and_terminated),
        cmocka_unit_test(hex_reads_back),
        cmocka_unit_test(bad_hex_is_refused_and_writes_nothing),
        cmocka_unit_test(base64url_matches_the_standard),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(a_file_is_written_with_its_mode_and_read_back),
        cmocka_unit_test(a_file_that_is_too_long_missing_or_a_folder_is_told_apart),
        cmocka_unit_test(a_file_that_cannot_be_replaced_stays_and_leaves_no_temporary),
        cmocka_unit_test(a_file_of_the_working_folder_needs_no_slash),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
