/* tests/unit/vehicle/disk_shim.h - an SQLite VFS over the real one that can fail the n-th write,
 * sync or truncate, be full, and remember all that was written, so that what a power cut would have
 * left can be built.  disk_shim_use() makes it the default. */
#ifndef DISK_SHIM_H
#define DISK_SHIM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum disk_op { DISK_WRITE, DISK_SYNC, DISK_TRUNCATE, DISK_DELETE, DISK_OPS };
enum disk_file { DISK_DB, DISK_WAL, DISK_JOURNAL, DISK_FILES };

struct disk_entry {
    enum disk_op op;
    enum disk_file file;
    int64_t at; /* write: offset; truncate: size */
    int len;
    unsigned char *bytes;
    int64_t mark; /* what the test had been promised when this began */
};

static struct {
    sqlite3_vfs vfs, *real;
    int64_t count[DISK_OPS]; /* since disk_shim_clear */
    enum disk_op fail_op;
    int64_t fail_at, fail_until; /* the n-th .. of it fail; 0 none */
    int fail_code;
    int64_t capacity;         /* bytes of all files; 0: no end */
    const char *reserve;      /* a file that counts too while it is there; NULL none */
    int64_t size[DISK_FILES]; /* as far as written */
    bool record;
    int64_t mark;
    struct disk_entry *log;
    size_t logged, room;
} disk;

struct disk_handle {
    sqlite3_file base;
    enum disk_file file;
    sqlite3_file *real; /* behind this struct */
};

static inline struct disk_handle *disk_handle(sqlite3_file *file)
{
    return (struct disk_handle *)(void *)file;
}

static inline void disk_shim_clear(void)
{
    memset(disk.count, 0, sizeof disk.count);
    disk.fail_at = disk.fail_until = 0;
    disk.capacity = 0;
    disk.reserve = NULL;
    disk.record = false;
    for (size_t i = 0; i < disk.logged; i++)
        free(disk.log[i].bytes);
    disk.logged = 0;
    disk.mark = 0;
}

static inline bool disk_fails(enum disk_op op)
{
    int64_t n = ++disk.count[op];

    return op == disk.fail_op && disk.fail_at > 0 && n >= disk.fail_at && n <= disk.fail_until;
}

static inline void disk_log(enum disk_op op, enum disk_file file, int64_t at, const void *bytes,
                            int len)
{
    struct disk_entry *e;

    if (!disk.record)
        return;
    if (disk.logged == disk.room) {
        disk.room = disk.room == 0 ? 256 : disk.room * 2;
        disk.log = realloc(disk.log, disk.room * sizeof *disk.log);
        assert_non_null(disk.log);
    }
    e = &disk.log[disk.logged++];
    *e = (struct disk_entry){op, file, at, len, NULL, disk.mark};
    if (len > 0) {
        e->bytes = malloc((size_t)len);
        assert_non_null(e->bytes);
        memcpy(e->bytes, bytes, (size_t)len);
    }
}

/* ---- one file */

static inline int64_t disk_reserve_bytes(void)
{
    struct stat info;

    return disk.reserve != NULL && stat(disk.reserve, &info) == 0 ? info.st_size : 0;
}

static int disk_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct disk_handle *h = disk_handle(file);
    int64_t total = disk_reserve_bytes();

    for (int i = 0; i < DISK_FILES; i++)
        total += disk.size[i];
    if (disk.capacity > 0 && at + len > disk.size[h->file] &&
        total + at + len - disk.size[h->file] > disk.capacity)
        return SQLITE_FULL;
    if (disk_fails(DISK_WRITE))
        return disk.fail_code;
    disk_log(DISK_WRITE, h->file, at, bytes, len);
    if (at + len > disk.size[h->file])
        disk.size[h->file] = at + len;
    return h->real->pMethods->xWrite(h->real, bytes, len, at);
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct disk_handle *h = disk_handle(file);

    if (disk_fails(DISK_TRUNCATE))
        return disk.fail_code;
    disk_log(DISK_TRUNCATE, h->file, size, NULL, 0);
    disk.size[h->file] = size;
    return h->real->pMethods->xTruncate(h->real, size);
}

static int disk_sync(sqlite3_file *file, int flags)
{
    struct disk_handle *h = disk_handle(file);

    (void)flags;
    if (disk_fails(DISK_SYNC))
        return disk.fail_code;
    disk_log(DISK_SYNC, h->file, 0, NULL, 0);
    return SQLITE_OK; /* the page cache outlives the process: nothing real is needed */
}

static int disk_close(sqlite3_file *file)
{
    return disk_handle(file)->real->pMethods->xClose(disk_handle(file)->real);
}

static int disk_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
    return disk_handle(file)->real->pMethods->xRead(disk_handle(file)->real, bytes, len, at);
}

static int disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return disk_handle(file)->real->pMethods->xFileSize(disk_handle(file)->real, size);
}

static int disk_lock(sqlite3_file *file, int level)
{
    return disk_handle(file)->real->pMethods->xLock(disk_handle(file)->real, level);
}

static int disk_unlock(sqlite3_file *file, int level)
{
    return disk_handle(file)->real->pMethods->xUnlock(disk_handle(file)->real, level);
}

static int disk_reserved(sqlite3_file *file, int *out)
{
    return disk_handle(file)->real->pMethods->xCheckReservedLock(disk_handle(file)->real, out);
}

static int disk_control(sqlite3_file *file, int op, void *argument)
{
    return disk_handle(file)->real->pMethods->xFileControl(disk_handle(file)->real, op, argument);
}

static int disk_sector(sqlite3_file *file)
{
    return disk_handle(file)->real->pMethods->xSectorSize(disk_handle(file)->real);
}

/* A disk that promises nothing: no atomic writes, no order. */
static int disk_promises(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return disk_handle(file)->real->pMethods->xShmMap(disk_handle(file)->real, page, size, extend,
                                                      out);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return disk_handle(file)->real->pMethods->xShmLock(disk_handle(file)->real, offset, n, flags);
}

static void disk_shm_barrier(sqlite3_file *file)
{
    disk_handle(file)->real->pMethods->xShmBarrier(disk_handle(file)->real);
}

static int disk_shm_unmap(sqlite3_file *file, int remove)
{
    return disk_handle(file)->real->pMethods->xShmUnmap(disk_handle(file)->real, remove);
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_promises,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

/* ---- all files */

static enum disk_file disk_file_of(const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);

    if (len > 4 && strcmp(name + len - 4, "-wal") == 0)
        return DISK_WAL;
    return len > 8 && strcmp(name + len - 8, "-journal") == 0 ? DISK_JOURNAL : DISK_DB;
}

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct disk_handle *h = disk_handle(file);
    sqlite3_int64 size = 0;
    int rc;

    (void)vfs;
    memset(h, 0, sizeof *h);
    h->real = (sqlite3_file *)(void *)(h + 1);
    h->file = disk_file_of(name);
    rc = disk.real->xOpen(disk.real, name, h->real, flags, out_flags);
    if (rc != SQLITE_OK)
        return rc;
    h->base.pMethods = &disk_methods;
    if (h->real->pMethods->xFileSize(h->real, &size) == SQLITE_OK)
        disk.size[h->file] = size;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    if (disk_fails(DISK_DELETE))
        return disk.fail_code;
    disk_log(DISK_DELETE, disk_file_of(name), 0, NULL, 0);
    disk.size[disk_file_of(name)] = 0;
    return disk.real->xDelete(disk.real, name, sync_folder);
}

static inline void disk_shim_use(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs =
        *disk.real; /* what is not replaced takes its own pData from the vfs it is called with */
    disk.vfs.zName = "disk-shim";
    disk.vfs.szOsFile = (int)sizeof(struct disk_handle) + disk.real->szOsFile;
    disk.vfs.xOpen = disk_open;
    disk.vfs.xDelete = disk_delete;
    assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

#endif
