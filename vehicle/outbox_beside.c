/* vehicle/outbox_beside.c - the files beside an outbox: the lock, the mark of damage, the reserve,
 * and the damaged one that is moved aside. */
#include "outbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checksum.h"
#include "lib/clock.h"

#define DAMAGED_KEPT 2
#define RESERVE_BYTES (4 * 1024 * 1024) /* a write-ahead log that the file has no room for */
#define RESERVE_SPARE 3                 /* taken when the disk has so many times more to give, */
#define RESERVE_AGAIN_MS 60000          /* and not asked for again before so long */

void outbox_beside(char out[OUTBOX_BESIDE_MAX], const struct outbox *o, const char *suffix)
{
    snprintf(out, OUTBOX_BESIDE_MAX, "%s%s", o->path, suffix);
}

/* ---- what keeps it from being opened */

enum status outbox_hindered(const char *folder, int error, struct fault *fault)
{
    static const struct {
        int error;
        const char *cure;
    } cures[] = {
        {EROFS, "its file system is read-only: look for the cause (dmesg), then mount it rw again"},
        {EACCES, "give it to the user the agent runs as (chown -R), or name another with --outbox"},
        {EPERM, "give it to the user the agent runs as (chown -R, chattr -i), or name another"},
        {ENOSPC, "make room on its disk"},
        {EDQUOT, "make room within the quota"},
        {EIO, "its disk fails: look for the cause (dmesg), change the card"},
    };
    const char *cure = "see that it is a folder the agent may write in";

    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++)
        if (cures[i].error == error)
            cure = cures[i].cure;
    return fault_set(fault, ST_RETRY, "outbox folder %.90s: %s; %s", folder, strerror(error), cure);
}

/* May the folder and each file in it that there is be written? errno if not. */
static int outbox_refusal(const struct outbox *o, const char *folder)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char path[OUTBOX_BESIDE_MAX];

    if (access(folder, W_OK | X_OK) != 0)
        return errno;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        outbox_beside(path, o, parts[i]);
        if (access(path, R_OK | W_OK) != 0 && errno != ENOENT)
            return errno;
    }
    return 0;
}

enum status outbox_say_why(const struct outbox *o, enum status st, struct fault *fault)
{
    char folder[OUTBOX_PATH_MAX];
    int error;

    (void)text_copy(folder, sizeof folder, o->path);
    *strrchr(folder, '/') = '\0';
    error = st == ST_RETRY ? outbox_refusal(o, folder) : 0;
    return error == 0 ? st : outbox_hindered(folder, error, fault);
}

static bool outbox_may_get_better(int error)
{
    return error == EROFS || error == EACCES || error == EPERM || error == ENOSPC ||
           error == EDQUOT || error == EIO;
}

enum status outbox_lock(struct outbox *o, const char *folder, struct fault *fault)
{
    char path[OUTBOX_BESIDE_MAX];
    int error;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        error = errno;
        return outbox_may_get_better(error)
                   ? outbox_hindered(folder, error, fault)
                   : fault_set(fault, ST_FATAL, "outbox folder %s: %s", folder, strerror(error));
    }
    if ((size_t)snprintf(o->path, sizeof o->path, "%s/outbox.db", folder) >= sizeof o->path)
        return fault_set(fault, ST_REJECT, "outbox folder %s: too long a name", folder);
    outbox_beside(path, o, ".lock");
    o->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    error = errno;
    if (o->lock < 0 && error == EROFS)
        o->lock = open(path, O_RDONLY | O_CLOEXEC);
    if (o->lock < 0) /* no room, no access, a failing disk: it may get better */
        return outbox_hindered(folder, error, fault);
    if (flock(o->lock, LOCK_EX | LOCK_NB) != 0)
        return fault_set(fault, ST_REJECT, "outbox folder %s: another agent is using it", folder);
    return ST_OK;
}

/* ---- damage */

void outbox_mark_damaged(struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];
    int fd;

    o->trouble = OUTBOX_DAMAGED;
    outbox_beside(path, o, ".damaged");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

bool outbox_is_marked(const struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];

    outbox_beside(path, o, ".damaged");
    return o->trouble == OUTBOX_DAMAGED || access(path, F_OK) == 0;
}

void outbox_unmark(const struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];

    outbox_beside(path, o, ".damaged");
    (void)unlink(path);
}

/* Of those that were moved aside, all but the newest DAMAGED_KEPT go: a card that rots does not
 * fill itself up with them.  Their names end in the time they were made. */
static void outbox_trim_damaged(const struct outbox *o)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    char pattern[OUTBOX_BESIDE_MAX], path[OUTBOX_BESIDE_MAX + 8];
    glob_t found;

    outbox_beside(pattern, o, ".damaged-*[0-9]");
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i + DAMAGED_KEPT < found.gl_pathc; i++)
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            snprintf(path, sizeof path, "%s%s", found.gl_pathv[i], parts[k]);
            (void)unlink(path);
        }
    globfree(&found);
}

enum status outbox_move_aside(struct outbox *o, char *moved_to, size_t size, struct fault *fault)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    char from[OUTBOX_BESIDE_MAX], to[OUTBOX_BESIDE_MAX], suffix[48];
    int64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(suffix, sizeof suffix, ".damaged-%lld%s", (long long)now_ms, parts[i]);
        outbox_beside(from, o, parts[i]);
        outbox_beside(to, o, suffix);
        if (rename(from, to) != 0 && errno != ENOENT)
            return fault_set(fault, ST_RETRY, "%s: cannot be moved aside: %s", from,
                             strerror(errno));
    }
    (void)text_copy(moved_to, size, to);
    outbox_trim_damaged(o);
    outbox_unmark(o);
    return ST_OK;
}

/* ---- the reserve: freeing records takes room too (the write-ahead log, the shared memory) */

void outbox_reserve(struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];
    struct statvfs disk;
    struct stat info;
    int fd;

    int64_t boot_ms = clock_boot_ms();

    if (o->reserved || (o->reserve_ms != 0 && boot_ms - o->reserve_ms < RESERVE_AGAIN_MS))
        return;
    o->reserve_ms = boot_ms;
    outbox_beside(path, o, ".reserve");
    if (stat(path, &info) == 0 && info.st_size == RESERVE_BYTES) {
        o->reserved = true;
        return;
    }
    if (statvfs(o->path, &disk) != 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize < (uint64_t)RESERVE_SPARE * RESERVE_BYTES)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    o->reserved = posix_fallocate(fd, 0, RESERVE_BYTES) == 0;
    close(fd);
    if (!o->reserved)
        (void)unlink(path);
}

void outbox_give_reserve(struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];

    outbox_beside(path, o, ".reserve");
    (void)unlink(path);
    o->reserved = false;
    o->reserve_ms = clock_boot_ms();
}

/* ---- the witness: "<id> <given>" for each stream and a checksum, in one block written in place.
 * It is not synced: after a power cut it may be late, never ahead of what was committed. */

#define WITNESS_BYTES 160

static void witness_open(struct outbox *o)
{
    char path[OUTBOX_BESIDE_MAX];

    if (o->witness >= 0)
        return;
    outbox_beside(path, o, ".given");
    o->witness = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

void outbox_witness(struct outbox *o)
{
    char text[WITNESS_BYTES + 1];
    int n;

    witness_open(o);
    if (o->witness < 0)
        return;
    n = snprintf(text, sizeof text, "%s %20lld\n%s %20lld\n", o->streams[STREAM_BULK].id,
                 (long long)o->streams[STREAM_BULK].given, o->streams[STREAM_URGENT].id,
                 (long long)o->streams[STREAM_URGENT].given);
    n += snprintf(text + n, sizeof text - (size_t)n, "%08x\n",
                  (unsigned)checksum_note("given", text, (size_t)n));
    if (pwrite(o->witness, text, (size_t)n, 0) != n) {
        close(o->witness); /* tried again after the next commit */
        o->witness = -1;
    }
}

int64_t outbox_witnessed(struct outbox *o, const char *id)
{
    char text[WITNESS_BYTES + 1], *line, *end;
    ssize_t n;
    size_t body;

    witness_open(o);
    n = o->witness < 0 ? 0 : pread(o->witness, text, WITNESS_BYTES, 0);
    if (n < 9)
        return 0;
    text[n] = '\0';
    body = strlen(text) < 9 ? 0 : strlen(text) - 9;
    if (strtoul(text + body, &end, 16) != checksum_note("given", text, body) || *end != '\n')
        return 0;
    line = strstr(text, id);
    return line == NULL ? 0 : strtoll(line + UUID_TEXT, NULL, 10);
}
