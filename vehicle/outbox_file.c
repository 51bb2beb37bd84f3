/* vehicle/outbox_file.c - opening an outbox: the connection and its statements, and what becomes of
 * a file that is damaged. */
#include "outbox_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTBOX_APPLICATION 0x5669676f /* "Vigo" and the version: what a newer file says too */
#define OUTBOX_SALVAGE_MS 2000        /* to count what a damaged one held; alerts wait meanwhile */
#define OUTBOX_PASS_MAX 1000000000    /* more numbers than any car makes: not a witness */

static const char *const outbox_sql[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_PUT] =
        "INSERT INTO record(stream, seq, leaf, made_ms, payload, crc) VALUES(?, ?, ?, ?, ?, ?)",
    [SQL_COUNTER] = "UPDATE stream SET next_seq = ?, crc = ? WHERE name = ?",
    [SQL_DELETE] =
        ("DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE stream = ? AND"
         " seq BETWEEN ? AND ? AND made_ms < ? ORDER BY seq LIMIT ?) RETURNING seq"),
    [SQL_READ] = "SELECT seq, leaf, made_ms, payload, crc FROM record WHERE stream = ? AND seq >= ?"
                 " ORDER BY seq LIMIT 1",
    [SQL_SET] = "INSERT INTO note(name, value, crc) VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE "
                "SET value = excluded.value, crc = excluded.crc",
    [SQL_GET] = "SELECT value, crc FROM note WHERE name = ?",
    [SQL_UNSET] = "DELETE FROM note WHERE name = ?",
    [SQL_EACH] = "SELECT name, value, crc FROM note WHERE name GLOB ? || '*' ORDER BY name",
    [SQL_SPOIL] = "INSERT INTO spoiled SELECT ?, stream, seq, leaf, made_ms, payload, crc FROM "
                  "record WHERE stream = ? AND seq = ?",
    [SQL_SPOIL_TRIM] = "DELETE FROM spoiled WHERE rowid <= (SELECT max(rowid) - 200 FROM spoiled)",
    [SQL_OLDEST] = "SELECT made_ms FROM record WHERE stream = ? ORDER BY seq LIMIT 1",
    [SQL_NEWEST] = "SELECT seq FROM record WHERE stream = ? AND leaf = ? AND seq > ? ORDER BY seq"
                   " DESC LIMIT 1",
    [SQL_PAGE_COUNT] = "PRAGMA page_count",
    [SQL_FREE_COUNT] = "PRAGMA freelist_count",
};

/* ---- one try to open */

static enum status outbox_prepare(struct outbox *o, struct fault *fault)
{
    for (int i = 0; i < SQL_STATEMENTS; i++)
        if (sqlite3_prepare_v3(o->db, outbox_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &o->statements[i], NULL) != SQLITE_OK)
            return fault_set(fault, ST_REJECT, "%s: %s", outbox_sql[i], sqlite3_errmsg(o->db));
    return ST_OK;
}

/* Numbers that were given out, says the witness, although this file knows nothing of it: they are
 * passed over, and a note says so until it has been announced. */
static enum status outbox_pass_over(struct outbox *o, struct outbox_found *found,
                                    struct fault *fault)
{
    enum status st = outbox_begin(o, fault);

    for (int i = 0; i < STREAMS && st == ST_OK; i++) {
        int64_t given = o->streams[i].given, last = outbox_witnessed(o, o->streams[i].id);
        char name[64], number[24];
        int n;

        found->passed_over[i] = 0;
        if (last <= given || last - given > OUTBOX_PASS_MAX)
            continue;
        snprintf(name, sizeof name, "lost/%s/%lld", outbox_stream_name((enum outbox_stream)i),
                 (long long)given + 1);
        n = snprintf(number, sizeof number, "%lld", (long long)last);
        st = outbox_set(o, name, number, (size_t)n, fault);
        o->streams[i].next = last + 1;
        found->passed_over[i] = last - given;
    }
    if (st == ST_OK && found->passed_over[STREAM_BULK] + found->passed_over[STREAM_URGENT] > 0)
        st = outbox_end(o, fault);
    outbox_undo(o);
    return st;
}

/* Is it really of a newer version, or has a byte changed? */
static enum status outbox_check_version(struct outbox *o, int64_t *version, struct fault *fault)
{
    int64_t application = 0;
    enum status st = outbox_ask(o, "PRAGMA user_version", version, NULL, 0, fault);

    if (st != ST_OK || *version <= OUTBOX_VERSION)
        return st;
    if ((st = outbox_ask(o, "PRAGMA application_id", &application, NULL, 0, fault)) != ST_OK)
        return st;
    if (application != OUTBOX_APPLICATION + *version)
        return fault_set(fault, ST_REJECT, "%s: no outbox has version %lld", o->path,
                         (long long)*version);
    return fault_set(fault, ST_FATAL, "%s was written by a newer agent (version %lld)", o->path,
                     (long long)*version);
}

/* A byte of the header says how a file may be written.  Where it says that this one may only be
 * read and the disk says otherwise, it is the byte that is wrong, and no disk to wait for. */
static enum status outbox_check_writable(struct outbox *o, struct fault *fault)
{
    if (sqlite3_db_readonly(o->db, "main") == 1 && access(o->path, W_OK) == 0)
        return fault_set(fault, ST_REJECT, "%s: says of itself that it may only be read", o->path);
    return ST_OK;
}

/* ST_REJECT: damaged; ST_RETRY: this try failed for another reason (disk full, unreadable). */
static enum status outbox_try(struct outbox *o, struct outbox_found *found, struct fault *fault)
{
    int64_t version = 0;
    enum status st;

    if (sqlite3_open_v2(o->path, &o->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fault_set(fault, ST_RETRY, "%s: %s", o->path, sqlite3_errmsg(o->db));
    sqlite3_busy_timeout(o->db, 2000);
    sqlite3_db_config(o->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(o->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if ((st = outbox_add_functions(o, fault)) != ST_OK ||
        (st = outbox_exec(
             o,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304;"
             "PRAGMA cell_size_check=1;",
             fault)) != ST_OK ||
        (st = outbox_check_version(o, &version, fault)) != ST_OK ||
        (st = outbox_check_writable(o, fault)) != ST_OK ||
        (st = outbox_ask(o, "PRAGMA page_size", &o->page_bytes, NULL, 0, fault)) != ST_OK)
        return st;
    found->created = version == 0;
    st = found->created ? outbox_create(o, fault) : outbox_look(o, version, fault);
    if (st != ST_OK || (st = outbox_prepare(o, fault)) != ST_OK)
        return st;
    return outbox_pass_over(o, found, fault);
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

/* ---- opening */

/* On a full disk once more, with what was reserved for that. */
static enum status outbox_try_twice(struct outbox *o, struct outbox_found *found,
                                    struct fault *fault)
{
    enum status st = outbox_try(o, found, fault);

    if (st != ST_RETRY)
        return st;
    outbox_shut(o);
    outbox_give_reserve(o);
    return outbox_try(o, found, fault);
}

static enum status outbox_settle(struct outbox *o, struct outbox_found *found, struct fault *fault)
{
    struct outbox_found how = {.created = false};
    struct fault why = {""};
    enum status st = outbox_try_twice(o, &how, &why);

    if (st == ST_REJECT) {
        how.damaged = true;
        (void)text_copy(how.reason, sizeof how.reason, why.text);
        outbox_shut(o);
        if ((st = outbox_move_aside(o, how.moved_to, sizeof how.moved_to, fault)) != ST_OK)
            return st;
        how.unsent = salvage_count(how.moved_to, OUTBOX_SALVAGE_MS, &how.counted);
        st = outbox_try_twice(o, &how, &why);
    }
    if (st != ST_OK) {
        outbox_shut(o);
        st = fault_set(fault, st == ST_REJECT ? ST_FATAL : st, "%s", why.text);
        return outbox_say_why(o, st, fault);
    }
    outbox_unmark(o); /* looked at, and found well */
    o->trouble = OUTBOX_WELL;
    outbox_reserve(o);
    outbox_witness(o);
    *found = how;
    return ST_OK;
}

static struct outbox *outbox_new(void)
{
    struct outbox *o = calloc(1, sizeof *o);

    if (o != NULL)
        o->lock = o->witness = -1;
    return o;
}

enum status outbox_open(struct outbox **out, const char *folder, struct outbox_found *found,
                        struct fault *fault)
{
    struct outbox *o = outbox_new();
    enum status st;

    if (o == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = outbox_lock(o, folder, fault)) != ST_OK ||
        (st = outbox_settle(o, found, fault)) != ST_OK) {
        outbox_close(o);
        return st;
    }
    *out = o;
    return ST_OK;
}

enum status outbox_reopen(struct outbox *o, struct outbox_found *found, struct fault *fault)
{
    outbox_shut(o);
    return outbox_settle(o, found, fault);
}

enum status outbox_look_in(struct outbox **out, const char *folder, struct fault *fault)
{
    struct outbox *o = outbox_new();
    int64_t version = 0;
    enum status st = ST_OK;

    if (o == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(o->path, sizeof o->path, "%s/outbox.db", folder);
    if (access(o->path, F_OK) != 0)
        st = fault_set(fault, ST_NONE, "%s: there is none", o->path);
    else if (sqlite3_open_v2(o->path, &o->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
             SQLITE_OK)
        st = fault_set(fault, ST_RETRY, "%s: %s", o->path, sqlite3_errmsg(o->db));
    if (st == ST_OK)
        sqlite3_busy_timeout(o->db, 2000);
    if (st == ST_OK && (st = outbox_add_functions(o, fault)) == ST_OK &&
        (st = outbox_check_version(o, &version, fault)) == ST_OK && version < OUTBOX_VERSION)
        st = fault_set(fault, ST_REJECT, "%s: of an older agent (version %lld)", o->path,
                       (long long)version);
    for (int i = 0; i < STREAMS && st == ST_OK; i++)
        st = outbox_look_at_stream(o, (enum outbox_stream)i, fault);
    if (st == ST_OK &&
        (st = outbox_ask(o, "PRAGMA page_size", &o->page_bytes, NULL, 0, fault)) == ST_OK)
        st = outbox_prepare(o, fault);
    if (st != ST_OK) {
        outbox_close(o);
        return st;
    }
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
    if (o->witness >= 0)
        close(o->witness);
    free(o);
}
