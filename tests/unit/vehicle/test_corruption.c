/* A byte of the outbox changes, or its end is missing, wherever: opening ends, what is read is what
 * was written, what is not is told, and no number is given twice.  Every byte that holds anything
 * is changed in one of four ways, the file's own header in all; VIGIE_THOROUGH=1: every byte in
 * all. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <sys/stat.h>

#define RECORDS 16
#define FILE_MAX (256 * 1024)
#define HEADER 100 /* bytes that say what the file is, SQLite's first */
#define CONFIG "{\"schema\":\"config/1\",\"revision\":3}"

enum { DB, WAL, FILES };

static const char *const names[FILES] = {"outbox.db", "outbox.db-wal"};
static unsigned char good[FILES][FILE_MAX], bad[FILES][FILE_MAX];
static size_t good_len[FILES];
static char witness[256];
static size_t witness_len;
static char id[UUID_TEXT + 1];
static struct {
    int images, intact, reset, spoiled, passed_over;
} seen;

/* ---- a good one */

static size_t payload_of(char *out, int64_t seq)
{
    size_t len = seq == 5 ? 6000 : 40 + (size_t)(seq * 31 % 150); /* one has overflow pages */

    for (size_t i = 0; i < len; i++)
        out[i] = (char)('a' + (seq * 7 + (int64_t)i) % 26);
    return len;
}

static void put_one(void)
{
    static char payload[8000];
    size_t len = payload_of(payload, outbox_given(box, STREAM_BULK) + 1);

    if (outbox_begin(box, &fault) != ST_OK ||
        outbox_put(box, STREAM_BULK, LEAF_EVENT, T0, payload, len, &fault) != ST_OK ||
        outbox_end(box, &fault) != ST_OK)
        fail_msg("%s", fault.text);
}

static size_t slurp(const char *name, void *out, size_t room)
{
    char path[200];
    FILE *file;
    size_t n;

    path_of(path, name);
    if ((file = fopen(path, "r")) == NULL)
        return 0;
    n = fread(out, 1, room, file);
    assert_true(n < room);
    fclose(file);
    return n;
}

/* Copied while it is open: as a process that was killed leaves it. */
static void make_good(bool with_wal)
{
    memset(&seen, 0, sizeof seen);
    open_box();
    snprintf(id, sizeof id, "%s", outbox_stream_id(box, STREAM_BULK));
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "config", CONFIG, strlen(CONFIG), &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    if (with_wal)
        outbox_relieve(box, false);
    while (outbox_given(box, STREAM_BULK) < RECORDS)
        put_one();
    if (!with_wal)
        outbox_close(box);
    for (int f = 0; f < FILES; f++)
        good_len[f] = slurp(names[f], good[f], FILE_MAX);
    witness_len = slurp("outbox.db.given", witness, sizeof witness);
    assert_true(good_len[DB] > 8192 && witness_len > 100);
    assert_int_equal(good_len[WAL] > 0, with_wal);
    if (with_wal)
        outbox_close(box);
    box = NULL;
}

/* ---- a bad one */

static void spill(const char *name, const void *bytes, size_t len)
{
    char path[200];
    FILE *file;

    path_of(path, name);
    (void)unlink(path);
    if (len == 0)
        return;
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void place(const size_t len[FILES])
{
    for (int f = 0; f < FILES; f++)
        spill(names[f], bad[f], len[f]);
    spill("outbox.db-shm", NULL, 0);
    spill("outbox.db.damaged", NULL, 0);
    spill("outbox.db.given", witness, witness_len);
}

static void take_away_damaged(void)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char path[800];
    struct stat info;
    size_t whole = strlen(found.moved_to);

    assert_int_equal(stat(found.moved_to, &info), 0);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%.*s%s", (int)whole, found.moved_to, parts[i]);
        (void)unlink(path);
    }
}

/* Begun anew, and told why. */
static void assert_reset(const char *what)
{
    if (!found.created || found.reason[0] == '\0' ||
        strcmp(outbox_stream_id(box, STREAM_BULK), id) == 0 || outbox_given(box, STREAM_BULK) != 0)
        fail_msg("%s: damaged, but not begun anew (%s)", what, found.reason);
    take_away_damaged();
    seen.reset++;
}

/* All records there are right; returns how many.  Damage that only reading finds resets it: -1. */
static int64_t read_all(const char *what)
{
    static char payload[8000];
    int64_t n = 0, seq = 1;
    enum status st;

    while ((st = outbox_read(box, STREAM_BULK, seq, &record, &fault)) == ST_OK) {
        if (record.len != payload_of(payload, record.seq) ||
            memcmp(record.payload, payload, record.len) != 0 || record.leaf != LEAF_EVENT)
            fail_msg("%s: record %lld is not what was written", what, (long long)record.seq);
        n++;
        seq = record.seq + 1;
    }
    if (st == ST_NONE)
        return n;
    if (st != ST_FATAL || outbox_reopen(box, &found, &fault) != ST_OK)
        fail_msg("%s: %s", what, fault.text);
    if (found.damaged) {
        assert_reset(what);
        return -1;
    }
    fail_msg("%s: reading said it was damaged, looking that it was not", what);
    return -1;
}

static void assert_whole_or_told(const char *what)
{
    int64_t n = read_all(what), spoiled = 0;
    struct text text;

    if (n < 0)
        return;
    while (outbox_spoiled(box, STREAM_BULK, (size_t)spoiled) > 0)
        spoiled++;
    if (strcmp(outbox_stream_id(box, STREAM_BULK), id) != 0 ||
        outbox_given(box, STREAM_BULK) != RECORDS ||
        n + spoiled + found.passed_over[STREAM_BULK] != RECORDS)
        fail_msg("%s: %lld records, %lld spoiled, %lld passed over, %lld given", what, (long long)n,
                 (long long)spoiled, (long long)found.passed_over[STREAM_BULK],
                 (long long)outbox_given(box, STREAM_BULK));
    text_init(&text);
    if (outbox_get(box, "config", &text, &fault) == ST_OK && strcmp(text.bytes, CONFIG) != 0)
        fail_msg("%s: a note is not what was written", what);
    text_done(&text);
    seen.spoiled += spoiled > 0;
    seen.passed_over += found.passed_over[STREAM_BULK] > 0;
    seen.intact += n == RECORDS;
}

static void check(const size_t len[FILES], const char *file, size_t at, const char *how)
{
    char what[120];
    int64_t before;

    snprintf(what, sizeof what, "%s, byte %zu %s", file, at, how);
    place(len);
    if (outbox_open(&box, folder, &found, &fault) != ST_OK)
        fail_msg("%s: %s", what, fault.text);
    seen.images++;
    if (found.damaged)
        assert_reset(what);
    else if (found.created && len[DB] < 4096) /* less than a page: there was none */
        seen.reset++;
    else
        assert_whole_or_told(what);
    before = outbox_given(box, STREAM_BULK);
    put_one();
    assert_int_equal(outbox_given(box, STREAM_BULK), before + 1);
    outbox_close(box);
    box = NULL;
}

static void change(int file, size_t at, int kind)
{
    static const char *const kinds[] = {"with its lowest bit changed",
                                        "with its highest bit changed", "zeroed", "all ones"};

    memcpy(bad, good, sizeof good);
    switch (kind) {
    case 0:
        bad[file][at] ^= 1;
        break;
    case 1:
        bad[file][at] ^= 0x80;
        break;
    case 2:
        bad[file][at] = 0;
        break;
    default:
        bad[file][at] = 0xFF;
    }
    if (bad[file][at] != good[file][at])
        check(good_len, names[file], at, kinds[kind]);
}

/* Heads of pages, and of frames in the log, every byte; of the rest every third, in the log every
 * 61st, as of zeros among zeros, which hold nothing. */
static bool is_worth_it(int file, size_t at)
{
    if (file == WAL && (at < 32 || (at - 32) % 4120 < 40))
        return true;
    if (file == WAL || (at % 4096 >= 120 && at % 3 != 0))
        return at % 61 == 0;
    for (size_t i = at < 8 ? 0 : at - 8; i < at + 8 && i < good_len[file]; i++)
        if (good[file][i] != 0)
            return true;
    return at % 61 == 0;
}

static void change_every_byte(int file)
{
    bool thorough = getenv("VIGIE_THOROUGH") != NULL;

    for (size_t at = 0; at < good_len[file]; at++)
        for (int kind = 0; kind < 4; kind++)
            if (thorough || at < HEADER ||
                ((at * 7 + at / 61) % 4 == (size_t)kind && is_worth_it(file, at)))
                change(file, at, kind);
}

static void cut_everywhere(int file, size_t step)
{
    size_t len[FILES];

    memcpy(bad, good, sizeof good);
    for (size_t at = 1; at < good_len[file]; at += at % 4096 < 128 ? step / 8 : step) {
        memcpy(len, good_len, sizeof len);
        len[file] = at;
        check(len, names[file], at, "is the first that is missing");
    }
}

/* ---- the tests */

static void say(void)
{
    print_message("%d images: %d intact, %d begun anew, %d with spoiled records, %d passed over\n",
                  seen.images, seen.intact, seen.reset, seen.spoiled, seen.passed_over);
}

static void a_changed_byte_of_a_closed_file_is_seen(void **state)
{
    (void)state;
    make_good(false);
    change_every_byte(DB);
    say();
    assert_true(seen.reset > 100 && seen.spoiled > 100 && seen.intact > 0);
}

static void a_closed_file_may_end_anywhere(void **state)
{
    (void)state;
    make_good(false);
    cut_everywhere(DB, 200);
    say();
    assert_true(seen.reset > 20);
}

static void a_changed_byte_of_the_log_is_seen(void **state)
{
    (void)state;
    make_good(true);
    change_every_byte(WAL);
    say();
    assert_true(seen.passed_over > 100);
}

static void the_log_may_end_anywhere(void **state)
{
    (void)state;
    make_good(true);
    cut_everywhere(WAL, 400);
    say();
    assert_true(seen.passed_over > 20);
}

static void a_changed_byte_of_the_file_under_a_log_is_seen(void **state)
{
    (void)state;
    make_good(true);
    change_every_byte(DB);
    say();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_changed_byte_of_a_closed_file_is_seen, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_closed_file_may_end_anywhere, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_of_the_log_is_seen, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(the_log_may_end_anywhere, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_of_the_file_under_a_log_is_seen, bench_setup,
                                        bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
