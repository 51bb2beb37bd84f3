/* vehicle/outbox_file.c - opening an outbox: lock, look for damage, move a damaged one aside, make
 * tables. */
#include "outbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"

#define OUTBOX_VERSION 1
#define OUTBOX_LOOK_BYTES                                                                          \
    (32 * 1024 * 1024) /* up to here every page is looked at on each start                         \
                        */

static const char outbox_schema[] =
    "CREATE TABLE stream(name TEXT PRIMARY KEY, id TEXT NOT NULL, next_seq INTEGER NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE record(stream TEXT NOT NULL, seq INTEGER NOT NULL, leaf TEXT NOT NULL, made_ms "
    "INTEGER NOT NULL,"
    " payload BLOB NOT NULL, UNIQUE(stream, seq));"
    "CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

static const char *const outbox_sql[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_PUT] = "INSERT INTO record(stream, seq, leaf, made_ms, payload) VALUES(?, ?, ?, ?, ?)",
    [SQL_COUNTER] = "UPDATE stream SET next_seq = ? WHERE name = ?",
    [SQL_DELETE] =
        ("DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE stream = ? AND"
         " seq BETWEEN ? AND ? AND made_ms < ? ORDER BY seq LIMIT ?) RETURNING seq"),
    [SQL_READ] =
        "SELECT seq, leaf, payload FROM record WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT 1",
    [SQL_SET] = "INSERT INTO note(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value "
                "= excluded.value",
    [SQL_GET] = "SELECT value FROM note WHERE name = ?",
    [SQL_EACH] = "SELECT name, value FROM note WHERE name GLOB ? || '*' ORDER BY name",
    [SQL_PAGE_COUNT] = "PRAGMA page_count",
    [SQL_FREE_COUNT] = "PRAGMA freelist_count",
};

/* ---- files beside it */

#define BESIDE_MAX (OUTBOX_PATH_MAX + 64)

static void outbox_beside(char out[BESIDE_MAX], const struct outbox *o, const char *suffix)
{
    snprintf(out, BESIDE_MAX, "%s%s", o->path, suffix);
}

void outbox_mark_damaged(struct outbox *o)
{
    char path[BESIDE_MAX];
    int fd;

    outbox_beside(path, o, ".damaged");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static bool outbox_is_marked(const struct outbox *o)
{
    char path[BESIDE_MAX];

    outbox_beside(path, o, ".damaged");
    return access(path, F_OK) == 0;
}

static enum status outbox_lock(struct outbox *o, const char *folder, struct fault *fault)
{
    char path[BESIDE_MAX];

    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fault_set(fault, ST_FATAL, "outbox folder %s: %s", folder, strerror(errno));
    if ((size_t)snprintf(o->path, sizeof o->path, "%s/outbox.db", folder) >= sizeof o->path)
        return fault_set(fault, ST_REJECT, "outbox folder %s: too long a name", folder);
    outbox_beside(path, o, ".lock");
    o->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (o->lock < 0)
        return fault_set(fault, ST_FATAL, "%s: %s", path, strerror(errno));
    if (flock(o->lock, LOCK_EX | LOCK_NB) != 0)
        return fault_set(fault, ST_REJECT, "outbox folder %s: another agent is using it", folder);
    return ST_OK;
}

/* ---- one try to open */

/* Is the file wrong (ST_REJECT), or is it the disk, a lock, the memory (ST_RETRY)? */
static enum status outbox_judge(struct outbox *o, struct fault *fault)
{
    switch (sqlite3_errcode(o->db) & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return fault_set(fault, ST_RETRY, "%s: %s", o->path, sqlite3_errmsg(o->db));
    default: /* damaged pages, or tables, columns and rows that are not there */
        return fault_set(fault, ST_REJECT, "%s: %s", o->path, sqlite3_errmsg(o->db));
    }
}

static enum status outbox_exec(struct outbox *o, const char *sql, struct fault *fault)
{
    return sqlite3_exec(o->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ST_OK : outbox_judge(o, fault);
}

/* One integer or text of a query; ST_REJECT when it gives no row. */
static enum status outbox_ask(struct outbox *o, const char *sql, int64_t *number, char *text,
                              size_t size, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    enum status st;
    const char *found;

    if (sqlite3_prepare_v2(o->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        found = (const char *)sqlite3_column_text(statement, 0);
        if (number != NULL)
            *number = sqlite3_column_int64(statement, 0);
        if (text != NULL)
            snprintf(text, size, "%s", found == NULL ? "" : found);
        st = ST_OK;
    } else {
        st = outbox_judge(o, fault);
    }
    sqlite3_finalize(statement);
    return st;
}

static enum status outbox_create(struct outbox *o, struct fault *fault)
{
    enum status st = outbox_exec(o, "BEGIN IMMEDIATE", fault);

    if (st != ST_OK || (st = outbox_exec(o, outbox_schema, fault)) != ST_OK)
        return st;
    for (int i = 0; i < STREAMS; i++) {
        char sql[160];
        unsigned char random[10];

        text_random(random, sizeof random);
        uuid_v7(o->streams[i].id, clock_now_ms(), random);
        snprintf(sql, sizeof sql, "INSERT INTO stream VALUES('%s', '%s', 1)",
                 outbox_stream_name((enum outbox_stream)i), o->streams[i].id);
        if ((st = outbox_exec(o, sql, fault)) != ST_OK)
            return st;
    }
    return outbox_exec(o, "COMMIT", fault);
}

/* Every page, every index entry, every record: what outbox_read relies on. */
static enum status outbox_look_closely(struct outbox *o, struct fault *fault)
{
    char text[160];
    int64_t wrong = 0;
    enum status st;

    if ((st = outbox_ask(o, "PRAGMA integrity_check(1)", NULL, text, sizeof text, fault)) != ST_OK)
        return st;
    if (strcmp(text, "ok") != 0)
        return fault_set(fault, ST_REJECT, "%s: %s", o->path, text);
    st = outbox_ask(
        o,
        "SELECT count(*) FROM record WHERE seq < 1 OR stream NOT IN ('bulk', 'urgent') OR"
        " typeof(payload) <> 'blob' OR length(payload) NOT BETWEEN 1 AND 32768 OR"
        " leaf NOT IN ('up/telemetry', 'up/event', 'up/alert', 'up/diagnostics', 'up/media',"
        " 'up/result')",
        &wrong, NULL, 0, fault);
    if (st == ST_OK && wrong > 0)
        st =
            fault_set(fault, ST_REJECT, "%s: %lld records are not ours", o->path, (long long)wrong);
    return st;
}

static enum status outbox_look_at_stream(struct outbox *o, enum outbox_stream stream,
                                         struct fault *fault)
{
    const char *name = outbox_stream_name(stream);
    char sql[200], *id = o->streams[stream].id;
    int64_t highest = 0, next = 0;
    enum status st;

    snprintf(sql, sizeof sql, "SELECT id FROM stream WHERE name = '%s'", name);
    if ((st = outbox_ask(o, sql, NULL, id, sizeof o->streams[stream].id, fault)) != ST_OK)
        return st;
    snprintf(sql, sizeof sql, "SELECT next_seq FROM stream WHERE name = '%s'", name);
    if ((st = outbox_ask(o, sql, &next, NULL, 0, fault)) != ST_OK)
        return st;
    snprintf(sql, sizeof sql, "SELECT coalesce(max(seq), 0) FROM record WHERE stream = '%s'", name);
    if ((st = outbox_ask(o, sql, &highest, NULL, 0, fault)) != ST_OK)
        return st;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM record WHERE stream = '%s'", name);
    if ((st = outbox_ask(o, sql, &o->streams[stream].records, NULL, 0, fault)) != ST_OK)
        return st;
    if (!uuid_is_valid(id, strlen(id)) || next < 1 || next <= highest)
        return fault_set(fault, ST_REJECT, "stream %s: its id or counter is wrong", name);
    o->streams[stream].given = next - 1;
    return ST_OK;
}

/* Does the file hold what it must?  ST_REJECT: damaged.  A large one is looked at closely only when
 * it gave trouble. */
static enum status outbox_look(struct outbox *o, struct fault *fault)
{
    int64_t pages = 0;
    enum status st;

    if ((st = outbox_ask(o, "PRAGMA page_count", &pages, NULL, 0, fault)) != ST_OK)
        return st;
    if ((pages * o->page_bytes <= OUTBOX_LOOK_BYTES || outbox_is_marked(o)) &&
        (st = outbox_look_closely(o, fault)) != ST_OK)
        return st;
    for (int i = 0; i < STREAMS && st == ST_OK; i++)
        st = outbox_look_at_stream(o, (enum outbox_stream)i, fault);
    return st;
}

static enum status outbox_prepare(struct outbox *o, struct fault *fault)
{
    for (int i = 0; i < SQL_STATEMENTS; i++)
        if (sqlite3_prepare_v3(o->db, outbox_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &o->statements[i], NULL) != SQLITE_OK)
            return fault_set(fault, ST_REJECT, "%s: %s", outbox_sql[i], sqlite3_errmsg(o->db));
    return ST_OK;
}

/* ST_REJECT: damaged; ST_RETRY: this try failed for another reason (disk full, unreadable). */
static enum status outbox_try(struct outbox *o, bool *created, struct fault *fault)
{
    int64_t version = 0;
    enum status st;

    if (sqlite3_open_v2(o->path, &o->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fault_set(fault, ST_RETRY, "%s: %s", o->path, sqlite3_errmsg(o->db));
    sqlite3_extended_result_codes(o->db, 0);
    sqlite3_busy_timeout(o->db, 2000);
    sqlite3_db_config(o->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(o->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    st = outbox_exec(
        o,
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304;"
        "PRAGMA cell_size_check=1;",
        fault);
    if (st != ST_OK ||
        (st = outbox_ask(o, "PRAGMA user_version", &version, NULL, 0, fault)) != ST_OK ||
        (st = outbox_ask(o, "PRAGMA page_size", &o->page_bytes, NULL, 0, fault)) != ST_OK)
        return st;
    if (version > OUTBOX_VERSION)
        return fault_set(fault, ST_FATAL, "%s was written by a newer agent (version %lld)", o->path,
                         (long long)version);
    *created = version == 0;
    st = *created ? outbox_create(o, fault) : outbox_look(o, fault);
    return st == ST_OK ? outbox_prepare(o, fault) : st;
}

static void outbox_shut(struct outbox *o)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        sqlite3_finalize(o->statements[i]);
        o->statements[i] = NULL;
    }
    sqlite3_close(o->db);
    o->db = NULL;
    memset(o->streams, 0, sizeof o->streams);
}

/* ---- damage */

/* Move the file and what belongs to it aside. */
static enum status outbox_move_aside(struct outbox *o, char *moved_to, size_t size,
                                     struct fault *fault)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    char from[BESIDE_MAX], to[BESIDE_MAX], suffix[48];

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(suffix, sizeof suffix, ".damaged-%lld%s", (long long)clock_now_ms(), parts[i]);
        outbox_beside(from, o, parts[i]);
        outbox_beside(to, o, suffix);
        if (rename(from, to) != 0 && errno != ENOENT)
            return fault_set(fault, ST_FATAL, "%s: cannot be moved aside: %s", from,
                             strerror(errno));
    }
    (void)text_copy(moved_to, size, to);
    outbox_beside(from, o, ".damaged");
    (void)unlink(from);
    return ST_OK;
}

enum status outbox_open(struct outbox **out, const char *folder, struct outbox_found *found,
                        struct fault *fault)
{
    struct outbox *o = calloc(1, sizeof *o);
    struct outbox_found how = {.created = false};
    char path[BESIDE_MAX];
    enum status st;

    if (o == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    o->lock = -1;
    if ((st = outbox_lock(o, folder, fault)) != ST_OK)
        goto out;
    st = outbox_try(o, &how.created, fault);
    if (st == ST_REJECT) {
        how.damaged = true;
        outbox_shut(o);
        if ((st = outbox_move_aside(o, how.moved_to, sizeof how.moved_to, fault)) != ST_OK)
            goto out;
        st = outbox_try(o, &how.created, fault);
    }
    if (st == ST_RETRY || st == ST_REJECT)
        st = ST_FATAL;
out:
    if (st != ST_OK) {
        outbox_close(o);
        return st;
    }
    outbox_beside(path, o, ".damaged");
    (void)unlink(path); /* looked at, and found well */
    *found = how;
    *out = o;
    return ST_OK;
}

void outbox_close(struct outbox *o)
{
    if (o == NULL)
        return;
    outbox_shut(o);
    if (o->lock >= 0)
        close(o->lock);
    free(o);
}
