/* vehicle/outbox.c - see outbox.h.  Opening and repairing is outbox_file.c. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "outbox_file.h"
#include "stamp.h"

#include <errno.h>

const char *outbox_stream_name(enum outbox_stream stream)
{
    return stream == STREAM_URGENT ? "urgent" : "bulk";
}

const char *outbox_stream_id(const struct outbox *o, enum outbox_stream stream)
{
    return o->streams[stream].id;
}

int64_t outbox_given(const struct outbox *o, enum outbox_stream stream)
{
    return o->streams[stream].given;
}

int64_t outbox_count(const struct outbox *o, enum outbox_stream stream)
{
    return o->streams[stream].records;
}

const char *outbox_trouble_name(enum outbox_trouble trouble)
{
    static const char *const names[] = {"ok", "full", "failing", "read_only", "busy", "damaged"};

    return names[trouble];
}

enum outbox_trouble outbox_trouble(const struct outbox *o)
{
    return o->trouble;
}

bool outbox_is_open(const struct outbox *o)
{
    return o->db != NULL;
}

/* ---- statements */

/* errno of the last system call that failed on the database or its write-ahead log. */
static int trouble_errno(sqlite3 *db)
{
    sqlite3_file *wal = NULL;
    int error = 0;

    if (db == NULL)
        return 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
        wal != NULL && wal->pMethods != NULL)
        (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &error);
    if (error == 0)
        (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    return error != 0 ? error : sqlite3_system_errno(db);
}

static enum outbox_trouble trouble_of(sqlite3 *db)
{
    int error = trouble_errno(db);

    switch (sqlite3_errcode(db) & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return OUTBOX_DAMAGED;
    case SQLITE_FULL:
        return OUTBOX_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return OUTBOX_BUSY;
    case SQLITE_READONLY:
        return OUTBOX_READ_ONLY;
    default:
        if (error == ENOSPC || error == EDQUOT || error == EFBIG)
            return OUTBOX_FULL;
        return error == EROFS ? OUTBOX_READ_ONLY : OUTBOX_FAILING;
    }
}

enum status outbox_failed(struct outbox *o, const char *what, struct fault *fault)
{
    o->trouble = trouble_of(o->db);
    if (o->trouble == OUTBOX_DAMAGED)
        outbox_mark_damaged(o);
    return fault_set(fault, o->trouble == OUTBOX_DAMAGED ? ST_FATAL : ST_RETRY, "outbox: %s: %s",
                     what, sqlite3_errmsg(o->db));
}

/* Run a bound statement that gives no rows. */
static enum status outbox_run(struct outbox *o, sqlite3_stmt *statement, const char *what,
                              struct fault *fault)
{
    int rc = sqlite3_step(statement);
    enum status st = rc == SQLITE_DONE || rc == SQLITE_ROW ? ST_OK : outbox_failed(o, what, fault);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return st;
}

enum status outbox_begin(struct outbox *o, struct fault *fault)
{
    for (int i = 0; i < STREAMS; i++) {
        o->streams[i].next = o->streams[i].given + 1;
        o->streams[i].pending = 0;
    }
    return outbox_run(o, o->statements[SQL_BEGIN], "begin", fault);
}

int64_t outbox_number(struct outbox *o, enum outbox_stream stream)
{
    return o->streams[stream].next;
}

enum status outbox_put(struct outbox *o, enum outbox_stream stream, enum leaf leaf, int64_t now_ms,
                       const char *payload, size_t len, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_PUT];
    enum status st;

    sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, o->streams[stream].next);
    sqlite3_bind_text(statement, 3, topic_leaf_name(leaf), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, now_ms);
    sqlite3_bind_blob64(statement, 5, payload, len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6,
                       checksum_record(outbox_stream_name(stream), o->streams[stream].next,
                                       topic_leaf_name(leaf), now_ms, payload, len));
    if ((st = outbox_run(o, statement, "put", fault)) != ST_OK)
        return st;
    o->streams[stream].next++;
    o->streams[stream].pending++;
    return ST_OK;
}

static enum status outbox_write_counter(struct outbox *o, enum outbox_stream stream,
                                        struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_COUNTER];

    if (o->streams[stream].next == o->streams[stream].given + 1)
        return ST_OK;
    sqlite3_bind_int64(statement, 1, o->streams[stream].next);
    sqlite3_bind_int64(statement, 2,
                       checksum_stream(outbox_stream_name(stream), o->streams[stream].id,
                                       o->streams[stream].next));
    sqlite3_bind_text(statement, 3, outbox_stream_name(stream), -1, SQLITE_STATIC);
    return outbox_run(o, statement, "counter", fault);
}

/* What was set aside in the transaction that has just been committed. */
static void outbox_forget_spoiled(struct outbox *o, enum outbox_stream stream)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->streams[stream].spoiled_count; i++)
        if (!o->streams[stream].spoiled[i].aside)
            o->streams[stream].spoiled[kept++] = o->streams[stream].spoiled[i];
    o->streams[stream].spoiled_count = kept;
}

enum status outbox_end(struct outbox *o, struct fault *fault)
{
    enum status st;

    for (int i = 0; i < STREAMS; i++)
        if ((st = outbox_write_counter(o, (enum outbox_stream)i, fault)) != ST_OK)
            return st;
    if ((st = outbox_run(o, o->statements[SQL_COMMIT], "commit", fault)) != ST_OK)
        return st;
    for (int i = 0; i < STREAMS; i++) {
        o->streams[i].given = o->streams[i].next - 1;
        o->streams[i].records += o->streams[i].pending;
        o->streams[i].pending = 0;
        o->streams[i].was[0] = '\0';
        outbox_forget_spoiled(o, (enum outbox_stream)i);
    }
    o->trouble = OUTBOX_WELL;
    outbox_witness(o);
    return ST_OK;
}

void outbox_undo(struct outbox *o)
{
    if (o->db != NULL && !sqlite3_get_autocommit(o->db))
        (void)sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
    for (int i = 0; i < STREAMS; i++) {
        o->streams[i].pending = 0;
        if (o->streams[i].was[0] != '\0')
            memcpy(o->streams[i].id, o->streams[i].was, sizeof o->streams[i].id);
        o->streams[i].was[0] = '\0';
        for (size_t k = 0; k < o->streams[i].spoiled_count; k++)
            o->streams[i].spoiled[k].aside = false;
    }
}

enum status outbox_delete(struct outbox *o, enum outbox_stream stream, int64_t first, int64_t last,
                          int64_t before_ms, int64_t max, int64_t *n, int64_t *last_seq,
                          struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_DELETE];
    enum status st = ST_OK;
    int rc;

    *n = 0;
    *last_seq = 0;
    sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, first);
    sqlite3_bind_int64(statement, 3, last);
    sqlite3_bind_int64(statement, 4, before_ms);
    sqlite3_bind_int64(statement, 5, max);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) { /* RETURNING seq */
        ++*n;
        if (sqlite3_column_int64(statement, 0) > *last_seq)
            *last_seq = sqlite3_column_int64(statement, 0);
    }
    if (rc != SQLITE_DONE)
        st = outbox_failed(o, "delete", fault);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (st == ST_OK)
        o->streams[stream].pending -= *n;
    return st;
}

/* ---- names */

enum status outbox_set(struct outbox *o, const char *name, const char *bytes, size_t len,
                       struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_SET];

    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, bytes, (int)len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, checksum_note(name, bytes, len));
    return outbox_run(o, statement, "set", fault);
}

enum status outbox_unset(struct outbox *o, const char *name, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_UNSET];

    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    return outbox_run(o, statement, "unset", fault);
}

/* Columns `value` and `crc` of a note are those that were written. */
static bool note_is_whole(const char *name, sqlite3_stmt *statement, int value)
{
    const void *bytes = sqlite3_column_blob(statement, value);
    size_t len = (size_t)sqlite3_column_bytes(statement, value);

    return sqlite3_column_type(statement, value + 1) == SQLITE_INTEGER &&
           sqlite3_column_int64(statement, value + 1) == checksum_note(name, bytes, len);
}

enum status outbox_get(struct outbox *o, const char *name, struct text *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_GET];
    enum status st = ST_NONE;
    int rc;

    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW && note_is_whole(name, statement, 0)) {
        const char *bytes = sqlite3_column_blob(statement, 0);

        text_clear(out);
        text_add(out, bytes == NULL ? "" : bytes, (size_t)sqlite3_column_bytes(statement, 0));
        st = ST_OK;
    } else if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        st = outbox_failed(o, "get", fault);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return st;
}

enum status outbox_each(struct outbox *o, const char *prefix,
                        void (*take)(void *self, const char *name, const char *bytes, size_t len),
                        void *self, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_EACH];
    enum status st = ST_OK;
    int rc;

    sqlite3_bind_text(statement, 1, prefix, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *bytes = sqlite3_column_blob(statement, 1);

        if (name != NULL && bytes != NULL && note_is_whole(name, statement, 1))
            take(self, name, bytes, (size_t)sqlite3_column_bytes(statement, 1));
    }
    if (rc != SQLITE_DONE)
        st = outbox_failed(o, "each", fault);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return st;
}

/* ---- reading */

static bool outbox_leaf(const char *name, enum leaf *out)
{
    for (int leaf = 0; leaf < LEAF_COUNT; leaf++)
        if (strcmp(topic_leaf_name((enum leaf)leaf), name) == 0) {
            *out = (enum leaf)leaf;
            return true;
        }
    return false;
}

/* The row the statement stands on: is it what was written? */
static bool record_is_whole(const struct outbox *o, enum outbox_stream stream,
                            sqlite3_stmt *statement)
{
    int64_t seq = sqlite3_column_int64(statement, 0);
    const char *leaf = (const char *)sqlite3_column_text(statement, 1);
    int64_t made_ms = sqlite3_column_int64(statement, 2);
    const void *payload = sqlite3_column_blob(statement, 3);
    size_t len = (size_t)sqlite3_column_bytes(statement, 3);

    if (leaf == NULL || payload == NULL || len == 0 || len > JSON_MAX_BYTES)
        return false;
    if (sqlite3_column_type(statement, 4) == SQLITE_NULL)
        return seq <= o->streams[stream].unchecked;
    return sqlite3_column_type(statement, 4) == SQLITE_INTEGER &&
           sqlite3_column_int64(statement, 4) ==
               checksum_record(outbox_stream_name(stream), seq, leaf, made_ms, payload, len);
}

/* ST_RETRY: remembered, the next one is looked for.  ST_FATAL: there are too many of them. */
static enum status outbox_note_spoiled(struct outbox *o, enum outbox_stream stream, int64_t seq,
                                       struct fault *fault)
{
    size_t n = o->streams[stream].spoiled_count;

    for (size_t i = 0; i < n; i++)
        if (o->streams[stream].spoiled[i].seq == seq)
            return ST_RETRY;
    if (n == OUTBOX_SPOILED_MAX) {
        outbox_mark_damaged(o);
        return fault_set(fault, ST_FATAL,
                         "outbox: more than %d records are not as they were written",
                         OUTBOX_SPOILED_MAX);
    }
    o->streams[stream].spoiled[n].seq = seq;
    o->streams[stream].spoiled[n].aside = false;
    o->streams[stream].spoiled_count++;
    return ST_RETRY;
}

/* ST_RETRY here: this one is spoiled. */
static enum status outbox_take_row(struct outbox *o, enum outbox_stream stream, int64_t seq,
                                   struct outbox_record *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_READ];
    int64_t found = sqlite3_column_int64(statement, 0);

    out->seq = found;
    if (found < seq || found > o->streams[stream].given) {
        outbox_mark_damaged(o);
        return fault_set(fault, ST_FATAL, "outbox: record %lld was never given out",
                         (long long)found);
    }
    if (!record_is_whole(o, stream, statement) ||
        !outbox_leaf((const char *)sqlite3_column_text(statement, 1), &out->leaf))
        return outbox_note_spoiled(o, stream, found, fault);
    out->len = (size_t)sqlite3_column_bytes(statement, 3);
    memcpy(out->payload, sqlite3_column_blob(statement, 3), out->len);
    stamp_stream(out->payload, out->len, outbox_stream_id(o, stream));
    return ST_OK;
}

enum status outbox_read(struct outbox *o, enum outbox_stream stream, int64_t seq,
                        struct outbox_record *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_READ];
    enum status st;
    int rc;

    do {
        sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, seq);
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            st = outbox_take_row(o, stream, seq, out, fault);
            seq = out->seq + 1;
        } else {
            st = rc == SQLITE_DONE ? ST_NONE : outbox_failed(o, "read", fault);
        }
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    } while (rc == SQLITE_ROW && st == ST_RETRY);
    return st;
}

int64_t outbox_spoiled(const struct outbox *o, enum outbox_stream stream, size_t i)
{
    return i < o->streams[stream].spoiled_count ? o->streams[stream].spoiled[i].seq : 0;
}

enum status outbox_set_aside(struct outbox *o, enum outbox_stream stream, int64_t seq,
                             int64_t now_ms, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_SPOIL];
    int64_t n, last;
    enum status st;

    sqlite3_bind_int64(statement, 1, now_ms);
    sqlite3_bind_text(statement, 2, outbox_stream_name(stream), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, seq);
    if ((st = outbox_run(o, statement, "set aside", fault)) != ST_OK ||
        (st = outbox_run(o, o->statements[SQL_SPOIL_TRIM], "set aside", fault)) != ST_OK ||
        (st = outbox_delete(o, stream, seq, seq, INT64_MAX, 1, &n, &last, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < o->streams[stream].spoiled_count; i++)
        if (o->streams[stream].spoiled[i].seq == seq)
            o->streams[stream].spoiled[i].aside = true;
    return ST_OK;
}

int64_t outbox_oldest_ms(struct outbox *o, enum outbox_stream stream)
{
    sqlite3_stmt *statement = o->statements[SQL_OLDEST];
    int64_t value;

    sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
    value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return value;
}

/* ---- a full disk */

#define ROOM_SPARE_PAGES 128 /* what a commit may need before older records go */

static int64_t outbox_pragma(const struct outbox *o, enum outbox_sql which)
{
    sqlite3_stmt *statement = o->statements[which];
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;

    sqlite3_reset(statement);
    return value;
}

int64_t outbox_used_bytes(const struct outbox *o)
{
    return (outbox_pragma(o, SQL_PAGE_COUNT) - outbox_pragma(o, SQL_FREE_COUNT)) * o->page_bytes;
}

int64_t outbox_room_bytes(const struct outbox *o)
{
    return o->reserved || o->room_bytes == 0 ? INT64_MAX : o->room_bytes;
}

void outbox_relieve(struct outbox *o, bool all)
{
    int64_t pages;

    if (o->db == NULL)
        return;
    if (all)
        outbox_give_reserve(o);
    (void)sqlite3_wal_checkpoint_v2(o->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    pages = outbox_pragma(o, SQL_PAGE_COUNT);
    if (all && pages > 2 * ROOM_SPARE_PAGES)
        o->room_bytes = (pages - ROOM_SPARE_PAGES) * o->page_bytes;
}

enum status outbox_newest(struct outbox *o, enum outbox_stream stream, enum leaf leaf,
                          struct outbox_record *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_NEWEST];
    int64_t seq = 0;
    enum status st;

    sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, topic_leaf_name(leaf), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, o->streams[stream].given - 20000);
    if (sqlite3_step(statement) == SQLITE_ROW)
        seq = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (seq == 0)
        return ST_NONE;
    st = outbox_read(o, stream, seq, out, fault);
    return st == ST_OK && out->seq != seq ? ST_NONE : st;
}
