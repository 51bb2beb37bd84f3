/* The supply goes away in the middle of a write: whatever of it had reached the disk, nothing
 * committed is lost and no number is given twice. */
#include "tests/unit/vehicle/outbox_bench.h"

#include "tests/unit/vehicle/disk_shim.h"

#define COMMITS 26
#define FILE_MAX (512 * 1024)

/* What had been promised at a moment: `given` committed, `gone` deleted.  One more of each may be
 * under way. */
struct promise {
    int64_t given, gone, next_given, next_gone;
    char id[UUID_TEXT + 1];
};

static struct promise promises[COMMITS + 2];
static char image_folder[140];

/* ---- what is written */

static size_t payload_of(char *out, int64_t seq)
{
    size_t len = 60 + (size_t)(seq * 397 % 1700);

    for (size_t i = 0; i < len; i++)
        out[i] = (char)('a' + (seq * 7 + (int64_t)i) % 26);
    return len;
}

static void commit_some(int64_t records, int64_t forget_upto, struct promise *p)
{
    static char payload[4096];
    int64_t n = 0, last;

    p->next_given = outbox_given(box, STREAM_BULK) + records;
    p->next_gone = forget_upto > 0 ? forget_upto : p->gone;
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    for (int64_t i = 0; i < records; i++) {
        size_t len = payload_of(payload, outbox_number(box, STREAM_BULK));

        assert_int_equal(outbox_put(box, STREAM_BULK, LEAF_EVENT, T0, payload, len, &fault), ST_OK);
    }
    if (forget_upto > 0)
        assert_int_equal(
            outbox_delete(box, STREAM_BULK, 1, forget_upto, INT64_MAX, 100, &n, &last, &fault),
            ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
}

/* Records come, some go, the log is written back twice and begins again; the file is closed. */
static void write_all(void)
{
    disk_shim_clear();
    disk.record = true;
    open_box();
    for (int i = 0; i < COMMITS; i++) {
        struct promise *p = &promises[i];

        *p = (struct promise){.given = outbox_given(box, STREAM_BULK),
                              .gone = i > 0 ? promises[i - 1].next_gone : 0};
        snprintf(p->id, sizeof p->id, "%s", outbox_stream_id(box, STREAM_BULK));
        disk.mark = i + 1;
        commit_some(1 + i % 4, i % 9 == 8 ? p->given / 2 : 0, p);
        if (i % 10 == 9)
            outbox_relieve(box, false);
    }
    promises[COMMITS] = (struct promise){.given = outbox_given(box, STREAM_BULK),
                                         .gone = promises[COMMITS - 1].next_gone};
    promises[COMMITS].next_given = promises[COMMITS].given;
    promises[COMMITS].next_gone = promises[COMMITS].gone;
    snprintf(promises[COMMITS].id, UUID_TEXT + 1, "%s", outbox_stream_id(box, STREAM_BULK));
    disk.mark = COMMITS + 1;
    outbox_close(box);
    box = NULL;
    disk.record = false;
}

/* ---- what is left of it */

enum fate { ALL, NONE_AT_ALL, TORN, FIRST_MISSING, LAST_ALONE, FATES };

struct image {
    unsigned char bytes[DISK_FILES][FILE_MAX];
    int64_t size[DISK_FILES];
    bool there[DISK_FILES];
};

static struct image image;

static void image_apply(struct image *to, const struct disk_entry *e, int len)
{
    int64_t end = e->at + len;

    if (e->op == DISK_DELETE) {
        to->there[e->file] = false;
        to->size[e->file] = 0;
    } else if (e->op == DISK_TRUNCATE) {
        if (e->at < to->size[e->file])
            to->size[e->file] = e->at;
    } else if (e->op == DISK_WRITE && len > 0) {
        assert_true(end <= FILE_MAX);
        to->there[e->file] = true;
        if (e->at > to->size[e->file])
            memset(to->bytes[e->file] + to->size[e->file], 0, (size_t)(e->at - to->size[e->file]));
        memcpy(to->bytes[e->file] + e->at, e->bytes, (size_t)len);
        if (end > to->size[e->file])
            to->size[e->file] = end;
    }
}

/* What of the log's first `n` entries is safe: all before the last sync of their file. */
static size_t safe_of(enum disk_file file, size_t n)
{
    while (n > 0 && !(disk.log[n - 1].op == DISK_SYNC && disk.log[n - 1].file == file))
        n--;
    return n;
}

/* After the first n operations; what no sync covers meets `fate`, of a torn write `torn` bytes
 * arrived. */
static void image_build(size_t n, enum fate fate, int torn, int spared)
{
    size_t safe[DISK_FILES], first[DISK_FILES], last = n;

    memset(image.size, 0, sizeof image.size);
    memset(image.there, 0, sizeof image.there);
    for (int f = 0; f < DISK_FILES; f++) {
        safe[f] = f == spared ? n : safe_of((enum disk_file)f, n);
        first[f] = n;
    }
    for (size_t i = 0; i < n; i++)
        if (i >= safe[disk.log[i].file] && disk.log[i].op != DISK_SYNC) {
            last = i;
            if (first[disk.log[i].file] == n)
                first[disk.log[i].file] = i;
        }
    for (size_t i = 0; i < n; i++) {
        const struct disk_entry *e = &disk.log[i];
        bool sure = i < safe[e->file] || e->op == DISK_DELETE;

        if (!sure && (fate == NONE_AT_ALL || (fate == FIRST_MISSING && i == first[e->file]) ||
                      (fate == LAST_ALONE && i != last)))
            continue;
        image_apply(&image, e, !sure && fate == TORN && i == last && torn < e->len ? torn : e->len);
    }
}

static void image_write(void)
{
    static const char *const names[DISK_FILES] = {"outbox.db", "outbox.db-wal",
                                                  "outbox.db-journal"};
    char path[200];

    for (int f = 0; f < DISK_FILES; f++) {
        FILE *file;

        snprintf(path, sizeof path, "%s/%s", image_folder, names[f]);
        (void)unlink(path);
        if (!image.there[f])
            continue;
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(image.bytes[f], 1, (size_t)image.size[f], file), image.size[f]);
        fclose(file);
    }
    snprintf(path, sizeof path, "%s/outbox.db-shm", image_folder);
    (void)unlink(path);
    snprintf(path, sizeof path, "%s/outbox.db.given", image_folder);
    (void)unlink(path); /* the worst case: the witness knows nothing yet */
}

static void assert_record(int64_t seq)
{
    static char payload[4096];
    size_t len = payload_of(payload, seq);

    assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
    assert_int_equal(record.seq, seq);
    assert_int_equal(record.len, len);
    assert_memory_equal(record.payload, payload, len);
}

static void assert_kept(size_t n, enum fate fate, int torn)
{
    int64_t mark = n > 0 ? disk.log[n - 1].mark : 0, gone;
    const struct promise *p = mark > 0 ? &promises[mark - 1] : NULL;
    struct promise p0 = {0};

    image_write();
    if (outbox_open(&box, image_folder, &found, &fault) != ST_OK)
        fail_msg("cut after %zu operations, fate %d, torn %d: %s", n, fate, torn, fault.text);
    if (p == NULL || (p->given == 0 && found.created))
        p = &p0; /* nothing had been promised */
    else if (found.created || found.damaged ||
             strcmp(outbox_stream_id(box, STREAM_BULK), p->id) != 0)
        fail_msg("cut after %zu operations, fate %d, torn %d: begun anew, %s", n, fate, torn,
                 found.reason);
    if (p != &p0) {
        int64_t given = outbox_given(box, STREAM_BULK);

        assert_true(given == p->given || given == p->next_given);
        gone = given == p->given && given != p->next_given ? p->gone : p->next_gone;
        assert_int_equal(outbox_count(box, STREAM_BULK), given - gone);
        for (int64_t seq = gone + 1; seq <= given; seq++)
            assert_record(seq);
    }
    outbox_close(box);
    box = NULL;
}

static void every_cut(enum fate fate, int torn, int spared)
{
    for (size_t n = 0; n <= disk.logged; n++) {
        image_build(n, fate, torn, spared);
        assert_kept(n, fate, torn);
    }
}

/* ---- the tests */

static int begin(void **state)
{
    (void)state;
    if (disk.real == NULL)
        disk_shim_use();
    if (bench_begin() != 0)
        return 1;
    snprintf(image_folder, sizeof image_folder, "%s/image", folder);
    write_all();
    assert_true(disk.logged > 150);
    return 0;
}

static int end(void **state)
{
    (void)state;
    disk_shim_clear();
    return bench_end();
}

static void all_that_was_written_had_arrived(void **state)
{
    (void)state;
    every_cut(ALL, 0, -1);
}

static void nothing_that_was_not_synced_had_arrived(void **state)
{
    (void)state;
    every_cut(NONE_AT_ALL, 0, -1);
    every_cut(NONE_AT_ALL, 0, DISK_WAL); /* but the log */
    every_cut(NONE_AT_ALL, 0, DISK_DB);  /* but the database */
}

static void the_last_write_had_arrived_in_part(void **state)
{
    static const int torn[] = {1, 8, 23, 512, 2048, 4095};

    (void)state;
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++)
        every_cut(TORN, torn[i], -1);
}

static void writes_had_arrived_out_of_order(void **state)
{
    (void)state;
    every_cut(FIRST_MISSING, 0, -1);
    every_cut(LAST_ALONE, 0, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_that_was_written_had_arrived, begin, end),
        cmocka_unit_test_setup_teardown(nothing_that_was_not_synced_had_arrived, begin, end),
        cmocka_unit_test_setup_teardown(the_last_write_had_arrived_in_part, begin, end),
        cmocka_unit_test_setup_teardown(writes_had_arrived_out_of_order, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
