/* What a damaged outbox still says of how much had not reached anybody. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "vehicle/salvage.h"

static char path[200];
static enum salvage_reach reach;

static void set_note(const char *name, const char *value)
{
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set(box, name, value, strlen(value), &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
}

/* `n` records of telemetry and two alerts; of the telemetry a site has 1 .. 20 without 5 and 6,
 * another 1 .. 10. */
static void fill(int n)
{
    char payload[1000], ack[300];

    memset(payload, 'x', sizeof payload);
    open_box();
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(
            outbox_put(box, STREAM_BULK, LEAF_TELEMETRY, T0, payload, sizeof payload, &fault),
            ST_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            outbox_put(box, STREAM_URGENT, LEAF_ALERT, T0, payload, sizeof payload, &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    snprintf(ack, sizeof ack,
             "{\"schema\":\"ack/1\",\"site\":\"illkirch\",\"stream\":\"%s\",\"upto\":20,"
             "\"gaps\":[[5,6]]}",
             outbox_stream_id(box, STREAM_BULK));
    set_note("ack/bulk/illkirch", ack);
    snprintf(ack, sizeof ack,
             "{\"schema\":\"ack/1\",\"site\":\"esplanade\",\"stream\":\"%s\",\"upto\":5,"
             "\"gaps\":[]}",
             outbox_stream_id(box, STREAM_BULK));
    set_note("ack/bulk/esplanade", ack);
    path_of(path, "outbox.db");
}

static void shut(void)
{
    outbox_close(box); /* the last connection writes the log back */
    box = NULL;
}

static void spoil(long from, long count)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, from, SEEK_SET);
    for (long i = 0; i < count; i++)
        fputc(0x5A, file);
    fclose(file);
}

static void what_no_site_has_is_counted(void **state)
{
    (void)state;
    fill(60);
    shut();
    assert_int_equal(salvage_count(path, 60000, &reach), 60 - 20 + 1 + 2); /* 6 alone is missing */
    assert_int_equal(reach, SALVAGE_FULL);
}

static void what_still_lies_in_the_log_is_counted_too(void **state)
{
    (void)state;
    fill(60);
    assert_int_equal(salvage_count(path, 60000, &reach), 43); /* open, nothing was written back */
    assert_int_equal(reach, SALVAGE_FULL);
}

/* A page of the index costs nothing, the table is read; nor one of the table, while the index is.
 */
static void one_page_that_rotted_costs_no_count(void **state)
{
    char command[1000];
    struct stat info;
    int full = 0, tried = 0;

    (void)state;
    fill(400);
    shut();
    assert_int_equal(stat(path, &info), 0);
    for (long page = 5; page < info.st_size / 4096; page += 7) {
        int64_t n;

        snprintf(command, sizeof command, "cp '%s' '%s.kept'", path, path);
        assert_int_equal(system(command), 0);
        spoil(page * 4096, 4096);
        n = salvage_count(path, 60000, &reach);
        tried++;
        if (reach == SALVAGE_FULL) {
            full++;
            assert_int_equal(n, 400 - 20 + 1 + 2);
        }
        snprintf(command, sizeof command, "mv '%s.kept' '%s'; rm -f '%s-wal' '%s-shm'", path, path,
                 path, path);
        assert_int_equal(system(command), 0);
    }
    assert_true(tried > 10);
    assert_true(full > tried * 3 / 4);
}

static void of_a_half_that_rotted_the_other_half_is_counted(void **state)
{
    struct stat info;
    int64_t n;

    (void)state;
    fill(400);
    shut();
    assert_int_equal(stat(path, &info), 0);
    spoil(info.st_size / 8192 * 4096, info.st_size / 2);
    n = salvage_count(path, 60000, &reach);
    assert_int_equal(reach, SALVAGE_PARTIAL);
    assert_true(n > 0 && n < 383);
}

static void a_file_without_a_head_tells_nothing(void **state)
{
    (void)state;
    fill(60);
    shut();
    spoil(0, 3000);
    assert_int_equal(salvage_count(path, 60000, &reach), 0);
    assert_int_equal(reach, SALVAGE_NONE);
    path_of(path, "nothing.db");
    assert_int_equal(salvage_count(path, 60000, &reach), 0);
    assert_int_equal(reach, SALVAGE_NONE);
}

static void a_count_that_takes_too_long_is_no_count(void **state)
{
    (void)state;
    fill(20000);
    shut();
    assert_true(salvage_count(path, 0, &reach) < 20000);
    assert_int_not_equal(reach, SALVAGE_FULL);
}

static void the_outbox_that_begins_anew_says_what_the_old_one_held(void **state)
{
    sqlite3 *db = NULL;

    (void)state;
    fill(60);
    shut();
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE stream SET crc = 1 WHERE name = 'urgent'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    open_box();
    assert_true(found.damaged);
    assert_int_equal(found.counted, SALVAGE_FULL);
    assert_int_equal(found.unsent, 43);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_no_site_has_is_counted, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(what_still_lies_in_the_log_is_counted_too, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(one_page_that_rotted_costs_no_count, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(of_a_half_that_rotted_the_other_half_is_counted,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_head_tells_nothing, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_count_that_takes_too_long_is_no_count, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(the_outbox_that_begins_anew_says_what_the_old_one_held,
                                        bench_setup, bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
