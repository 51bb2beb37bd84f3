/* Any bytes as an outbox's database and write-ahead log (the first byte says where one ends and the
 * other begins): opening ends, reading ends, and afterwards records can be written. */
#include "tests/fuzz/require.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vehicle/outbox.h"

static char folder[64];

static void path_of(char out[160], const char *name)
{
    snprintf(out, 160, "%s/%s", folder, name);
}

static void forget(bool all)
{
    static const char *const names[] = {"outbox.db",         "outbox.db-wal",   "outbox.db-shm",
                                        "outbox.db.damaged", "outbox.db.given", "outbox.db.lock",
                                        "outbox.db.reserve"};
    char path[160];

    for (size_t i = 0; i < sizeof names / sizeof names[0] - (all ? 0 : 2); i++) {
        path_of(path, names[i]);
        (void)unlink(path);
    }
}

static void clean(void)
{
    forget(true);
    (void)rmdir(folder);
}

static void spill(const char *name, const uint8_t *data, size_t len)
{
    char path[160];
    FILE *file;

    path_of(path, name);
    file = fopen(path, "w");
    REQUIRE(file != NULL);
    REQUIRE(fwrite(data, 1, len, file) == len);
    fclose(file);
}

static void write_one(struct outbox *o)
{
    struct fault fault;
    int64_t given = outbox_given(o, STREAM_BULK);
    enum status st = outbox_begin(o, &fault);

    if (st == ST_OK)
        st = outbox_put(o, STREAM_BULK, LEAF_EVENT, 1, "{}", 2, &fault);
    if (st == ST_OK)
        st = outbox_end(o, &fault);
    if (st != ST_OK)
        outbox_undo(o);
    REQUIRE(st == ST_OK || st == ST_FATAL); /* a large file is not looked at closely at first */
    REQUIRE(outbox_given(o, STREAM_BULK) == given + (st == ST_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outbox_record record;
    static const char *const parts[] = {"", "-wal", "-shm"};
    struct outbox *o;
    struct outbox_found found;
    struct fault fault;
    size_t first;
    enum status st;

    if (folder[0] == '\0') {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/vigie-fuzz-XXXXXX"
                                                     : "/tmp/vigie-fuzz-XXXXXX");
        REQUIRE(mkdtemp(folder) != NULL && atexit(clean) == 0);
    }
    if (size < 1)
        return 0;
    forget(false);
    first = (size - 1) * data[0] / 255;
    spill("outbox.db", data + 1, first);
    if (first < size - 1)
        spill("outbox.db-wal", data + 1 + first, size - 1 - first);
    st = outbox_open(&o, folder, &found, &fault);
    if (st != ST_OK) {
        REQUIRE(st == ST_FATAL && strstr(fault.text, "newer") != NULL);
        return 0;
    }
    for (int64_t seq = 1; outbox_read(o, STREAM_BULK, seq, &record, &fault) == ST_OK;
         seq = record.seq + 1)
        REQUIRE(record.len <= sizeof record.payload && record.seq >= seq);
    write_one(o);
    outbox_close(o);
    for (size_t i = 0; found.damaged && i < 3; i++) {
        char path[800];

        snprintf(path, sizeof path, "%s%s", found.moved_to, parts[i]);
        (void)unlink(path);
    }
    return 0;
}
