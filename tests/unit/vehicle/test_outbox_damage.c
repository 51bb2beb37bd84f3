/* The outbox: files that are damaged, old, or of another version. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <sqlite3.h>
#include <sys/stat.h>

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

/* ---- damage */

static void spoil(const char *name, long from, long count)
{
    char path[200];
    FILE *file;

    path_of(path, name);
    file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, from, SEEK_SET);
    for (long i = 0; i < count; i++)
        fputc(0x5A, file);
    fclose(file);
}

static void fill(int records)
{
    char payload[1000];

    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    for (int i = 0; i < records; i++)
        assert_int_equal(put(STREAM_BULK, payload), ST_OK);
}

static void assert_begun_anew(const char *old_id)
{
    struct stat info;

    open_box();
    assert_true(found.created);
    assert_true(found.damaged);
    assert_int_equal(stat(found.moved_to, &info), 0); /* for who can read it */
    assert_string_not_equal(outbox_stream_id(box, STREAM_BULK), old_id);
    assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
}

static void a_damaged_file_is_moved_aside_and_new_streams_begin(void **state)
{
    static const struct {
        long from, count;
    } spots[] = {{0, 100}, {40, 8}, {4096, 200}, {100, 3900}, {8192, 4096}};
    char id[UUID_TEXT + 1];

    (void)state;
    for (size_t i = 0; i < sizeof spots / sizeof spots[0]; i++) {
        open_box();
        fill(60);
        snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
        outbox_close(box); /* the last connection checkpoints the WAL */
        spoil("outbox.db", spots[i].from, spots[i].count);
        assert_begun_anew(id);
        outbox_close(box);
        box = NULL;
    }
}

static void of_damaged_files_the_newest_two_are_kept(void **state)
{
    char paths[5][sizeof found.moved_to];
    struct stat info;

    (void)state;
    for (int i = 0; i < 5; i++) {
        open_box();
        fill(20);
        outbox_close(box);
        spoil("outbox.db", 4096, 200);
        usleep(2000); /* names are times, in ms */
        open_box();
        assert_true(found.damaged);
        snprintf(paths[i], sizeof paths[i], "%s", found.moved_to);
        outbox_close(box);
        box = NULL;
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(stat(paths[i], &info) == 0, i >= 3);
}

static void a_file_that_is_no_database_is_moved_aside(void **state)
{
    char path[200];
    FILE *file;

    (void)state;
    path_of(path, "outbox.db");
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 5000; i++)
        fputs("not a database ", file);
    fclose(file);
    assert_begun_anew("");
}

static void a_counter_behind_its_records_is_damage(void **state)
{
    sqlite3 *db;
    char path[200];

    (void)state;
    open_box();
    fill(5);
    outbox_close(box);
    box = NULL;
    path_of(path, "outbox.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE stream SET next_seq = 3 WHERE name = 'bulk'", NULL, NULL, NULL),
        0);
    sqlite3_close(db);
    assert_begun_anew("");
}

static void a_newer_file_is_left_alone(void **state)
{
    sqlite3 *db;
    char path[200];

    (void)state;
    open_box();
    outbox_close(box);
    box = NULL;
    path_of(path, "outbox.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9; PRAGMA application_id = 1449748344",
                                  NULL, NULL, NULL),
                     0);
    sqlite3_close(db);
    assert_int_equal(outbox_open(&box, folder, &found, &fault), ST_FATAL);
    box = NULL;
}

/* ---- an older file */

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char path[200], *error = NULL;

    path_of(path, "outbox.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
}

static void a_file_of_version_1_gets_checksums_and_keeps_everything(void **state)
{
    struct text text;

    (void)state;
    text_init(&text);
    run_sql("CREATE TABLE stream(name TEXT PRIMARY KEY, id TEXT NOT NULL, next_seq INTEGER NOT "
            "NULL) WITHOUT ROWID;"
            "CREATE TABLE record(stream TEXT NOT NULL, seq INTEGER NOT NULL, leaf TEXT NOT NULL,"
            " made_ms INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE(stream, seq));"
            "CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
            "INSERT INTO stream VALUES('bulk', '0197f3c2-5f0e-7abc-8def-0123456789ab', 4);"
            "INSERT INTO stream VALUES('urgent', '0197f3c2-5f0e-7abc-8def-0123456789ac', 1);"
            "INSERT INTO record VALUES('bulk', 2, 'up/event', 5, x'6162');"
            "INSERT INTO record VALUES('bulk', 3, 'up/event', 6, x'6364');"
            "INSERT INTO note VALUES('config', 'kept'); PRAGMA user_version=1;");
    for (int i = 0; i < 2; i++) { /* and again the next time */
        open_box();
        assert_false(found.created);
        assert_string_equal(outbox_stream_id(box, STREAM_BULK),
                            "0197f3c2-5f0e-7abc-8def-0123456789ab");
        assert_int_equal(outbox_given(box, STREAM_BULK), 3 + i);
        assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
        assert_int_equal(record.seq, 2);
        assert_memory_equal(record.payload, "ab", 2);
        assert_int_equal(outbox_get(box, "config", &text, &fault), ST_OK);
        assert_string_equal(text.bytes, "kept");
        assert_int_equal(put(STREAM_BULK, "new"), ST_OK);
        outbox_close(box);
        box = NULL;
    }
    text_done(&text);
    run_sql("UPDATE record SET crc = NULL WHERE seq = 4"); /* only old ones may lack it */
    open_box();
    assert_int_equal(outbox_read(box, STREAM_BULK, 4, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 5);
    assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 4);
}

/* ---- rows that are not what was written */

static void a_spoiled_record_is_passed_over_until_it_is_set_aside(void **state)
{
    (void)state;
    open_box();
    for (int i = 0; i < 5; i++)
        assert_int_equal(put(STREAM_BULK, "as written"), ST_OK);
    outbox_close(box);
    run_sql("UPDATE record SET payload = CAST('as writteN' AS BLOB) WHERE seq = 3");
    open_box();
    assert_int_equal(outbox_read(box, STREAM_BULK, 3, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 4);
    assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 3);
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set_aside(box, STREAM_BULK, 3, T0, &fault), ST_OK);
    outbox_undo(box);
    assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 3); /* not yet */
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set_aside(box, STREAM_BULK, 3, T0, &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 0);
    assert_int_equal(outbox_count(box, STREAM_BULK), 4);
}

static void too_many_spoiled_records_cost_the_file(void **state)
{
    (void)state;
    open_box();
    for (int i = 0; i < 100; i++)
        assert_int_equal(put(STREAM_BULK, "as written"), ST_OK);
    outbox_close(box);
    run_sql("UPDATE record SET made_ms = made_ms + 1");
    open_box();
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_FATAL);
    assert_int_equal(outbox_trouble(box), OUTBOX_DAMAGED);
}

static void a_changed_note_is_absent_and_a_changed_counter_is_damage(void **state)
{
    struct text text;

    (void)state;
    text_init(&text);
    open_box();
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "ack/bulk/illkirch", "{\"upto\":42}", 11, &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    outbox_close(box);
    run_sql("UPDATE note SET value = '{\"upto\":92}'");
    open_box();
    assert_int_equal(outbox_get(box, "ack/bulk/illkirch", &text, &fault), ST_NONE);
    text_done(&text);
    outbox_close(box);
    box = NULL;
    run_sql("UPDATE stream SET next_seq = 7 WHERE name = 'bulk'");
    assert_begun_anew("");
}

/* ---- numbers */

static void an_old_copy_put_there_gives_no_number_twice(void **state)
{
    char command[600], lost[64];
    struct text text;

    (void)state;
    text_init(&text);
    open_box();
    assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    outbox_close(box);
    snprintf(command, sizeof command, "cp %s/outbox.db %s/copy", folder, folder);
    assert_int_equal(system(command), 0);
    open_box();
    for (int i = 0; i < 6; i++)
        assert_int_equal(put(STREAM_BULK, "sent long ago"), ST_OK);
    outbox_close(box);
    snprintf(command, sizeof command, "cp %s/copy %s/outbox.db", folder, folder);
    assert_int_equal(system(command), 0);
    open_box();
    assert_false(found.created);
    assert_int_equal(found.passed_over[STREAM_BULK], 6);
    assert_int_equal(outbox_given(box, STREAM_BULK), 7);
    snprintf(lost, sizeof lost, "lost/bulk/2");
    assert_int_equal(outbox_get(box, lost, &text, &fault), ST_OK); /* still to be announced */
    assert_string_equal(text.bytes, "7");
    text_done(&text);
    assert_int_equal(put(STREAM_BULK, "new"), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 8);
}

static void somebody_elses_outbox_can_be_looked_at(void **state)
{
    struct outbox *other = NULL;

    (void)state;
    assert_int_equal(outbox_look_in(&other, folder, &fault), ST_NONE);
    open_box();
    for (int i = 0; i < 3; i++)
        assert_int_equal(put(STREAM_BULK, "x"), ST_OK);
    assert_int_equal(outbox_look_in(&other, folder, &fault), ST_OK); /* while it runs */
    assert_int_equal(outbox_count(other, STREAM_BULK), 3);
    assert_int_equal(outbox_oldest_ms(other, STREAM_BULK), T0);
    assert_int_equal(outbox_begin(other, &fault), ST_OK);
    assert_int_equal(outbox_set(other, "x", "y", 1, &fault), ST_RETRY); /* to look at only */
    assert_int_equal(outbox_trouble(other), OUTBOX_READ_ONLY);
    outbox_undo(other);
    outbox_close(other);
    outbox_close(box);
    box = NULL;
    assert_int_equal(outbox_look_in(&other, folder, &fault), ST_OK); /* and when it does not */
    assert_int_equal(outbox_given(other, STREAM_BULK), 3);
    outbox_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_damaged_file_is_moved_aside_and_new_streams_begin,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(of_damaged_files_the_newest_two_are_kept, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_moved_aside, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_counter_behind_its_records_is_damage, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_newer_file_is_left_alone, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_file_of_version_1_gets_checksums_and_keeps_everything,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_spoiled_record_is_passed_over_until_it_is_set_aside,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(too_many_spoiled_records_cost_the_file, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_changed_note_is_absent_and_a_changed_counter_is_damage,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(an_old_copy_put_there_gives_no_number_twice, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(somebody_elses_outbox_can_be_looked_at, bench_setup,
                                        bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
