/* The outbox: numbers, power cuts, damage. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int begin(void **state)
{
    (void)state;
    return bench_begin();
}

static int end(void **state)
{
    (void)state;
    return bench_end();
}

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

/* The child writes until it is killed, telling each committed number; then the parent looks. */
static void write_for_ever(int tell)
{
    open_box();
    for (;;) {
        int64_t given;
        char payload[600];

        snprintf(payload, sizeof payload, "%0590lld",
                 (long long)outbox_given(box, STREAM_BULK) + 1);
        if (put(STREAM_BULK, payload) != ST_OK)
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

static void a_kill_in_the_middle_of_writing_loses_nothing_committed(void **state)
{
    char payload[600];

    (void)state;
    srand(1);
    for (int round = 0; round < 12; round++) {
        int64_t told = write_and_kill(5 + rand() % 60);

        open_box();
        assert_false(found.damaged);
        assert_true(outbox_given(box, STREAM_BULK) >= told);
        assert_int_equal(outbox_count(box, STREAM_BULK),
                         outbox_given(box, STREAM_BULK)); /* no hole */
        for (int64_t seq = 1; seq <= outbox_given(box, STREAM_BULK); seq++) {
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
        cmocka_unit_test_setup_teardown(a_new_outbox_has_two_streams_that_begin_at_one, begin, end),
        cmocka_unit_test_setup_teardown(a_restart_keeps_ids_numbers_and_records, begin, end),
        cmocka_unit_test_setup_teardown(numbers_are_not_used_again_when_the_table_is_empty, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_was_undone_has_not_happened, begin, end),
        cmocka_unit_test_setup_teardown(a_second_agent_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(notes_are_kept_by_name, begin, end),
        cmocka_unit_test_setup_teardown(a_kill_in_the_middle_of_writing_loses_nothing_committed,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_moved_aside_and_new_streams_begin, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_moved_aside, begin, end),
        cmocka_unit_test_setup_teardown(a_counter_behind_its_records_is_damage, begin, end),
        cmocka_unit_test_setup_teardown(a_newer_file_is_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_version_1_gets_checksums_and_keeps_everything,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_spoiled_record_is_passed_over_until_it_is_set_aside,
                                        begin, end),
        cmocka_unit_test_setup_teardown(too_many_spoiled_records_cost_the_file, begin, end),
        cmocka_unit_test_setup_teardown(a_changed_note_is_absent_and_a_changed_counter_is_damage,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_old_copy_put_there_gives_no_number_twice, begin, end),
        cmocka_unit_test_setup_teardown(somebody_elses_outbox_can_be_looked_at, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
