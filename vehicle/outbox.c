/* vehicle/outbox.c - see outbox.h.  Opening and repairing is outbox_file.c. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "outbox_file.h"

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

/* ---- statements */

enum status outbox_failed(struct outbox *o, const char *what, struct fault *fault)
{
    switch (sqlite3_errcode(o->db) & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        outbox_mark_damaged(o); /* looked at closely on the next start */
        return fault_set(fault, ST_FATAL, "outbox: %s: %s", what, sqlite3_errmsg(o->db));
    default:
        return fault_set(fault, ST_RETRY, "outbox: %s: %s", what, sqlite3_errmsg(o->db));
    }
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
    sqlite3_bind_text(statement, 2, outbox_stream_name(stream), -1, SQLITE_STATIC);
    return outbox_run(o, statement, "counter", fault);
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
    }
    return ST_OK;
}

void outbox_undo(struct outbox *o)
{
    if (!sqlite3_get_autocommit(o->db))
        (void)sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
    for (int i = 0; i < STREAMS; i++)
        o->streams[i].pending = 0;
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
    return outbox_run(o, statement, "set", fault);
}

enum status outbox_get(struct outbox *o, const char *name, struct text *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_GET];
    enum status st = ST_NONE;
    int rc;

    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const char *bytes = sqlite3_column_blob(statement, 0);

        text_clear(out);
        text_add(out, bytes == NULL ? "" : bytes, (size_t)sqlite3_column_bytes(statement, 0));
        st = ST_OK;
    } else if (rc != SQLITE_DONE) {
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

        if (name != NULL && bytes != NULL)
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

enum status outbox_read(struct outbox *o, enum outbox_stream stream, int64_t seq,
                        struct outbox_record *out, struct fault *fault)
{
    sqlite3_stmt *statement = o->statements[SQL_READ];
    enum status st = ST_NONE;
    int rc;

    sqlite3_bind_text(statement, 1, outbox_stream_name(stream), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, seq);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const char *leaf = (const char *)sqlite3_column_text(statement, 1);
        const void *payload = sqlite3_column_blob(statement, 2);
        int len = sqlite3_column_bytes(statement, 2);

        int64_t found = sqlite3_column_int64(statement, 0);

        if (leaf == NULL || payload == NULL || len <= 0 || (size_t)len > sizeof out->payload ||
            found < seq || found > o->streams[stream].given || !outbox_leaf(leaf, &out->leaf)) {
            outbox_mark_damaged(o);
            st = fault_set(fault, ST_FATAL, "outbox: record %lld is not one of ours",
                           (long long)seq);
        } else {
            out->seq = found;
            out->len = (size_t)len;
            memcpy(out->payload, payload, out->len);
            st = ST_OK;
        }
    } else if (rc != SQLITE_DONE) {
        st = outbox_failed(o, "read", fault);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return st;
}

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
