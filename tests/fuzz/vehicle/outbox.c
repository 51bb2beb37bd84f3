/* A good outbox with some of its bytes changed or its end cut off: opening it ends, with the
 * records as they were, or with the damaged file moved aside; whatever it says, new records can be
 * written. */
#include "tests/fuzz/require.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vehicle/outbox.h"

#define RECORDS 40

static char folder[64], path[128];
static char *good;
static size_t good_len;

static void write_some(struct outbox *o, int n)
{
    struct fault fault;
    char payload[200];

    for (int i = 0; i < n; i++) {
        snprintf(payload, sizeof payload, "%0190d", i);
        REQUIRE(outbox_begin(o, &fault) == ST_OK);
        REQUIRE(outbox_put(o, STREAM_BULK, LEAF_EVENT, i, payload, strlen(payload), &fault) ==
                ST_OK);
        REQUIRE(outbox_end(o, &fault) == ST_OK);
    }
}

static void forget(void)
{
    char command[160];

    snprintf(command, sizeof command, "%s/outbox.db", folder);
    (void)unlink(command);
    snprintf(command, sizeof command, "%s/outbox.db-wal", folder);
    (void)unlink(command);
    snprintf(command, sizeof command, "%s/outbox.db-shm", folder);
    (void)unlink(command);
    snprintf(command, sizeof command, "%s/outbox.db.damaged", folder);
    (void)unlink(command);
    snprintf(command, sizeof command, "%s/outbox.db.given", folder);
    (void)unlink(command);
}

static void clean(void)
{
    char lock[160];

    forget();
    snprintf(lock, sizeof lock, "%s/outbox.db.lock", folder);
    (void)unlink(lock);
    snprintf(lock, sizeof lock, "%s/outbox.db.reserve", folder);
    (void)unlink(lock);
    (void)rmdir(folder);
}

static void prepare(void)
{
    struct outbox *o;
    struct outbox_found found;
    struct fault fault;
    struct stat info;
    FILE *file;

    strcpy(folder,
           access("/dev/shm", W_OK) == 0 ? "/dev/shm/vigie-fuzz-XXXXXX" : "/tmp/vigie-fuzz-XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL && atexit(clean) == 0);
    snprintf(path, sizeof path, "%s/outbox.db", folder);
    REQUIRE(outbox_open(&o, folder, &found, &fault) == ST_OK);
    write_some(o, RECORDS);
    outbox_close(o);
    REQUIRE(stat(path, &info) == 0);
    good_len = (size_t)info.st_size;
    good = malloc(good_len);
    REQUIRE(good != NULL && (file = fopen(path, "r")) != NULL);
    REQUIRE(fread(good, 1, good_len, file) == good_len);
    fclose(file);
}

/* Three bytes: place and value; the first byte of all says whether the end is cut off at the first
 * place. */
static void spoil(const uint8_t *data, size_t size)
{
    size_t len = good_len;
    char *bad = malloc(good_len);
    FILE *file = fopen(path, "w");

    REQUIRE(bad != NULL && file != NULL);
    memcpy(bad, good, good_len);
    if (size >= 3 && data[0] % 4 == 0)
        len = ((size_t)data[1] << 8 | data[2]) % good_len;
    for (size_t i = 1; i + 2 < size; i += 3)
        bad[((size_t)data[i] << 8 | data[i + 1]) % good_len] = (char)data[i + 2];
    REQUIRE(fwrite(bad, 1, len, file) == len);
    fclose(file);
    free(bad);
}

/* What is read is what was written; what is not is passed over or costs the file. */
static void read_all(struct outbox *o, struct outbox_found *found)
{
    static struct outbox_record record;
    struct fault fault;
    char payload[200];
    enum status st;
    int64_t seq = 1;

    while ((st = outbox_read(o, STREAM_BULK, seq, &record, &fault)) == ST_OK) {
        snprintf(payload, sizeof payload, "%0190d", (int)record.seq - 1);
        REQUIRE(record.seq >= seq && record.seq <= outbox_given(o, STREAM_BULK));
        REQUIRE(record.len == strlen(payload) && memcmp(record.payload, payload, record.len) == 0);
        seq = record.seq + 1;
    }
    REQUIRE(st == ST_NONE || st == ST_FATAL);
    if (st == ST_FATAL)
        REQUIRE(outbox_reopen(o, found, &fault) == ST_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outbox *o;
    struct outbox_found found;
    struct fault fault;
    enum status st;

    if (good == NULL)
        prepare();
    if (size > 300)
        return 0;
    forget();
    spoil(data, size);
    st = outbox_open(&o, folder, &found, &fault);
    if (st != ST_OK) { /* of a newer version, say two places of its header */
        REQUIRE(st == ST_FATAL && strstr(fault.text, "newer") != NULL);
        return 0;
    }
    if (!found.damaged)
        read_all(o, &found);
    if (found.damaged) {
        REQUIRE(found.created && access(found.moved_to, F_OK) == 0);
        (void)unlink(found.moved_to);
    }
    if (found.created)
        write_some(o, 2);
    outbox_close(o);
    return 0;
}
