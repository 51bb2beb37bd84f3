/* The outbox and what is written into it: numbers, power cuts, damage, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/fact.h"
#include "vehicle/journal.h"

#define T0 1795248000000

static char folder[128];
static struct outbox *box;
static struct outbox_found found;
static struct fault fault;
static struct outbox_record record;
static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/vigie-outbox-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(folder) == NULL;
}

static int end(void **state)
{
    char command[200];

    (void)state;
    journal_close(journal);
    outbox_close(box);
    journal = NULL;
    box = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void path_of(char out[200], const char *name)
{
    snprintf(out, 200, "%s/%s", folder, name);
}

static void open_box(void)
{
    if (outbox_open(&box, folder, &found, &fault) != ST_OK)
        fail_msg("%s", fault.text);
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
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    assert_int_equal(outbox_open(&box, folder, &found, &fault), ST_FATAL);
    box = NULL;
}

/* ---- the journal */

static void open_journal(int64_t limit_bytes, int64_t keep_ms)
{
    struct journal_options options = {limit_bytes, keep_ms};

    open_box();
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&ledgers[i]);
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
}

static void add_rounds(int64_t from_ms, int n)
{
    struct round round = {.answering = true, .count = 20};

    for (int i = 0; i < n; i++) {
        round.t_ms = from_ms + i * 1000;
        for (uint16_t k = 0; k < round.count; k++)
            round.readings[k] = (struct reading){(uint16_t)(20 + k), i + k * 0.1};
        sampler_round(&sampler, &round);
    }
}

static enum status commit(int64_t now_ms)
{
    return journal_commit(journal, now_ms, CLOCK_NTP, true, &fault);
}

static void require_illkirch(void)
{
    char sites[1][LEDGER_SITE_TEXT] = {"illkirch"};

    ledger_require(&ledgers[STREAM_BULK], sites, 1);
}

static void acknowledge(int64_t upto)
{
    struct ack ack;

    memset(&ack, 0, sizeof ack);
    strcpy(ack.site, "illkirch");
    strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
    ack.mark.upto = upto;
    assert_int_equal(ledger_take(&ledgers[STREAM_BULK], &ack, outbox_given(box, STREAM_BULK)),
                     ST_OK);
}

static void a_commit_is_one_record_of_its_samples(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 3);
    assert_int_equal(commit(T0 + 5000), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(telemetry_read(&t, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(t.sample_count, 3);
    assert_int_equal(t.head.seq, 1);
    assert_int_equal(t.head.clock, CLOCK_NTP);
    assert_string_equal(t.head.stream, outbox_stream_id(box, STREAM_BULK));
    assert_int_equal(commit(T0 + 6000), ST_OK); /* nothing waits: no record */
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    telemetry_done(&t);
}

static void a_long_silence_of_the_disk_is_split_into_records_that_fit(void **state)
{
    struct telemetry t;
    size_t samples = 0;

    (void)state;
    telemetry_init(&t);
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 500);
    assert_int_equal(commit(T0 + 600000), ST_OK);
    assert_true(outbox_given(box, STREAM_BULK) > 3);
    for (int64_t seq = 1; seq <= outbox_given(box, STREAM_BULK); seq++) {
        assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
        assert_true(record.len <= 32768);
        assert_int_equal(telemetry_read(&t, record.payload, record.len, &fault), ST_OK);
        samples += t.sample_count;
    }
    assert_int_equal(samples, 500);
    telemetry_done(&t);
}

static void events_carry_their_head_and_data(void **state)
{
    struct fact fact;

    (void)state;
    open_journal(1 << 30, 86400000);
    journal_event(journal, "adapter_unplugged", T0, "{}");
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(
        fact_read(&fact, "WVWZZZ1KZAW000001", LEAF_EVENT, record.payload, record.len, &fault),
        ST_OK);
    assert_string_equal(fact.type, "adapter_unplugged");
    assert_int_equal(fact.head.seq, 1);
}

static void a_diagnosis_is_one_the_reader_accepts(void **state)
{
    struct diagnosis d = {.t_ms = T0, .vin = "WVWZZZ1KZAW000001", .protocol = '6'};
    struct fact fact;

    (void)state;
    d.dtcs.count = 2;
    d.dtcs.codes[0] = (struct dtc){"P0301", DTC_STORED, 0x7E8};
    d.dtcs.codes[1] = (struct dtc){"U0100", DTC_PENDING, 0x18DAF110};
    d.dtcs.lists[DTC_STORED] = DTC_LIST_FULL;
    readiness_take(&d.readiness, (const uint8_t[]){0x82, 0x07, 0xE5, 0x21});
    d.supported[0x0C] = true;
    open_journal(1 << 30, 86400000);
    journal_diagnosis(journal, &d);
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    if (fact_read(&fact, "WVWZZZ1KZAW000001", LEAF_DIAGNOSTICS, record.payload, record.len,
                  &fault) != ST_OK)
        fail_msg("%s", fault.text);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"ecu\":\"18DAF110\""));
    assert_non_null(strstr(record.payload, "\"permanent\":\"absent\""));
    assert_non_null(strstr(record.payload, "\"catalyst\":\"incomplete\""));
}

static void the_last_sample_time_survives_a_restart(void **state)
{
    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 3);
    assert_int_equal(commit(T0 + 5000), ST_OK);
    journal_close(journal);
    outbox_close(box);
    open_journal(1 << 30, 86400000);
    assert_int_equal(sampler.last_ms, T0 + 2000);
}

static void nothing_is_forgotten_without_an_ack_of_every_required_site(void **state)
{
    (void)state;
    open_journal(1 << 30, 0); /* kept for no time at all */
    for (int i = 0; i < 10; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    acknowledge(8);
    add_rounds(T0 + 20000, 1);
    assert_int_equal(commit(T0 + 20000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK),
                     11); /* no site is required yet: forget nothing */
    require_illkirch();
    add_rounds(T0 + 21000, 1);
    assert_int_equal(commit(T0 + 21000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 4); /* 9 .. 12 */
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 9);
}

static void acknowledged_records_are_kept_a_while(void **state)
{
    (void)state;
    open_journal(1 << 30, 86400000);
    require_illkirch();
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    acknowledge(1);
    add_rounds(T0 + 86400000, 1);
    assert_int_equal(commit(T0 + 86400000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 2);
    add_rounds(T0 + 86402000, 1);
    assert_int_equal(commit(T0 + 86402000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 2);
}

static void a_restart_remembers_the_acks(void **state)
{
    char bytes[512];
    struct ack ack;
    size_t len;

    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    memset(&ack, 0, sizeof ack);
    strcpy(ack.site, "illkirch");
    strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
    ack.mark.upto = 1;
    assert_int_equal(ack_write(&ack, bytes, sizeof bytes, &len, &fault), ST_OK);
    journal_ack(journal, STREAM_BULK, "illkirch", bytes, len);
    assert_int_equal(commit(T0 + 1000), ST_OK);
    journal_close(journal);
    outbox_close(box);
    open_journal(1 << 30, 86400000);
    assert_true(ledger_is_settled(&ledgers[STREAM_BULK], 1));
    assert_int_equal(ledgers[STREAM_URGENT].site_count, 0);
}

/* All outbox_lost events there are: fills ranges, returns how many. */
static size_t lost_ranges(struct seq_range *ranges, size_t room)
{
    size_t n = 0;

    for (int64_t seq = 1; outbox_read(box, STREAM_BULK, seq, &record, &fault) == ST_OK;
         seq = record.seq + 1) {
        char *data;
        long long first, last;

        record.payload[record.len] = '\0';
        if (record.leaf != LEAF_EVENT || strstr(record.payload, "outbox_lost") == NULL)
            continue;
        data = strstr(record.payload, "\"first\":");
        assert_non_null(data);
        assert_int_equal(sscanf(data, "\"first\":%lld,\"last\":%lld", &first, &last), 2);
        assert_true(n < room);
        ranges[n++] = (struct seq_range){first, last};
    }
    return n;
}

static void a_full_outbox_loses_the_oldest_and_says_which(void **state)
{
    static struct seq_range ranges[4000];
    const int64_t limit = 1 << 20;
    int64_t highest = 0;
    size_t n;

    (void)state;
    open_journal(limit, 86400000);
    require_illkirch();
    for (int i = 0; i < 3000; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
        assert_true(outbox_used_bytes(box) <= limit + 65536);
    }
    n = lost_ranges(ranges, 4000);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ranges[i].first,
                         1); /* nothing was ever acknowledged: all before is lost too */
        assert_true(ranges[i].last > highest);
        highest = ranges[i].last;
    }
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(record.seq, highest + 1); /* exactly what is missing was announced */
}

static void a_full_outbox_gives_up_acknowledged_records_first(void **state)
{
    static struct seq_range ranges[4000];

    (void)state;
    open_journal(1 << 20, 86400000);
    require_illkirch();
    for (int i = 0; i < 2000; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
        if (i % 10 == 9)
            acknowledge(outbox_given(box, STREAM_BULK));
    }
    assert_int_equal(lost_ranges(ranges, 4000), 0);
    assert_true(outbox_used_bytes(box) <= (1 << 20) + 65536);
}

static void a_disk_that_takes_nothing_loses_nothing_from_memory(void **state)
{
    sqlite3 *other;
    char path[200];

    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    path_of(path, "outbox.db");
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK); /* somebody holds it */
    add_rounds(T0 + 1000, 2);
    journal_event(journal, "adapter_back", T0, "{}");
    assert_int_equal(commit(T0 + 3000), ST_RETRY);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(commit(T0 + 4000), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK),
                     3); /* the event, and one record of two samples */
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
        cmocka_unit_test_setup_teardown(a_commit_is_one_record_of_its_samples, begin, end),
        cmocka_unit_test_setup_teardown(a_long_silence_of_the_disk_is_split_into_records_that_fit,
                                        begin, end),
        cmocka_unit_test_setup_teardown(events_carry_their_head_and_data, begin, end),
        cmocka_unit_test_setup_teardown(a_diagnosis_is_one_the_reader_accepts, begin, end),
        cmocka_unit_test_setup_teardown(the_last_sample_time_survives_a_restart, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_forgotten_without_an_ack_of_every_required_site,
                                        begin, end),
        cmocka_unit_test_setup_teardown(acknowledged_records_are_kept_a_while, begin, end),
        cmocka_unit_test_setup_teardown(a_restart_remembers_the_acks, begin, end),
        cmocka_unit_test_setup_teardown(a_full_outbox_loses_the_oldest_and_says_which, begin, end),
        cmocka_unit_test_setup_teardown(a_full_outbox_gives_up_acknowledged_records_first, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_disk_that_takes_nothing_loses_nothing_from_memory, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
