/* vehicle/outbox_tables.c - the tables of an outbox: making them, giving an older file what it
 * lacks, and looking whether they hold what they must. */
#include "outbox_file.h"

#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "lib/clock.h"

#define OUTBOX_LOOK_BYTES                                                                          \
    (32 * 1024 * 1024) /* up to here every page is looked at on each start                         \
                        */

static const char outbox_schema[] =
    "CREATE TABLE stream(name TEXT PRIMARY KEY, id TEXT NOT NULL, next_seq INTEGER NOT NULL,"
    " crc INTEGER) WITHOUT ROWID;"
    "CREATE TABLE record(stream TEXT NOT NULL, seq INTEGER NOT NULL, leaf TEXT NOT NULL, made_ms "
    "INTEGER NOT NULL,"
    " payload BLOB NOT NULL, crc INTEGER, UNIQUE(stream, seq));"
    "CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER) WITHOUT ROWID;";

/* Version 2: a checksum in each row, and a place for the rows that fail it. */
static const char outbox_columns[] = "ALTER TABLE record ADD COLUMN crc INTEGER;"
                                     "ALTER TABLE stream ADD COLUMN crc INTEGER;"
                                     "ALTER TABLE note ADD COLUMN crc INTEGER;";
static const char outbox_version_2[] =
    "CREATE TABLE spoiled(found_ms INTEGER NOT NULL, stream, seq, leaf, made_ms, payload, crc);"
    "PRAGMA application_id=1449748337;" /* OUTBOX_APPLICATION + 2 */
    "PRAGMA user_version=2;";

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

enum status outbox_exec(struct outbox *o, const char *sql, struct fault *fault)
{
    return sqlite3_exec(o->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ST_OK : outbox_judge(o, fault);
}

/* One integer or text of a query; ST_REJECT when it gives no row. */
enum status outbox_ask(struct outbox *o, const char *sql, int64_t *number, char *text, size_t size,
                       struct fault *fault)
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

/* ---- checksums in SQL: note_crc(name, value), stream_crc(name, id, next_seq) */

static const char *sql_text(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);

    return text == NULL ? "" : text;
}

static void sql_note_crc(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char *value = sql_text(values[1]);

    (void)n;
    sqlite3_result_int64(
        context, checksum_note(sql_text(values[0]), value, (size_t)sqlite3_value_bytes(values[1])));
}

static void sql_stream_crc(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    sqlite3_result_int64(context, checksum_stream(sql_text(values[0]), sql_text(values[1]),
                                                  sqlite3_value_int64(values[2])));
}

enum status outbox_add_functions(struct outbox *o, struct fault *fault)
{
    if (sqlite3_create_function(o->db, "note_crc", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sql_note_crc, NULL, NULL) == SQLITE_OK &&
        sqlite3_create_function(o->db, "stream_crc", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sql_stream_crc, NULL, NULL) == SQLITE_OK)
        return ST_OK;
    return fault_set(fault, ST_RETRY, "%s: %s", o->path, sqlite3_errmsg(o->db));
}

/* ---- making the tables */

enum status outbox_create(struct outbox *o, struct fault *fault)
{
    enum status st = outbox_exec(o, "BEGIN IMMEDIATE", fault);

    if (st != ST_OK || (st = outbox_exec(o, outbox_schema, fault)) != ST_OK ||
        (st = outbox_exec(o, outbox_version_2, fault)) != ST_OK)
        return st;
    for (int i = 0; i < STREAMS; i++) {
        const char *name = outbox_stream_name((enum outbox_stream)i);
        char sql[200], *id = o->streams[i].id;
        unsigned char random[10];

        text_random(random, sizeof random);
        uuid_v7(id, clock_now_ms(), random);
        snprintf(sql, sizeof sql,
                 "INSERT INTO stream VALUES('%s', '%s', 1, stream_crc('%s', '%s', 1))", name, id,
                 name, id);
        if ((st = outbox_exec(o, sql, fault)) != ST_OK)
            return st;
    }
    return outbox_exec(o, "COMMIT", fault);
}

/* What an older agent wrote stays as it is: up to where it had come, records need no checksum. */
static enum status outbox_migrate(struct outbox *o, struct fault *fault)
{
    enum status st = outbox_exec(o, "BEGIN IMMEDIATE", fault);

    if (st != ST_OK || (st = outbox_exec(o, outbox_columns, fault)) != ST_OK ||
        (st = outbox_exec(o, outbox_version_2, fault)) != ST_OK ||
        (st = outbox_exec(o,
                          "INSERT INTO note(name, value) SELECT 'unchecked/' || name,"
                          " CAST(next_seq - 1 AS TEXT) FROM stream;"
                          "UPDATE note SET crc = note_crc(name, value);"
                          "UPDATE stream SET crc = stream_crc(name, id, next_seq);",
                          fault)) != ST_OK)
        return st;
    return outbox_exec(o, "COMMIT", fault);
}

/* ---- looking */

/* Every page and every index entry.  What stands in a record its checksum tells, when it is read.
 */
static enum status outbox_look_closely(struct outbox *o, struct fault *fault)
{
    char text[160];
    int64_t wrong = 0;
    enum status st;

    if ((st = outbox_ask(o, "PRAGMA integrity_check(1)", NULL, text, sizeof text, fault)) != ST_OK)
        return st;
    if (strcmp(text, "ok") != 0)
        return fault_set(fault, ST_REJECT, "%s: %s", o->path, text);
    st = outbox_ask(o,
                    "SELECT count(*) FROM record WHERE seq < 1 OR"
                    " stream NOT IN ('bulk', 'urgent')",
                    &wrong, NULL, 0, fault);
    if (st == ST_OK && wrong > 0)
        st =
            fault_set(fault, ST_REJECT, "%s: %lld records are not ours", o->path, (long long)wrong);
    return st;
}

enum status outbox_look_at_stream(struct outbox *o, enum outbox_stream stream, struct fault *fault)
{
    const char *name = outbox_stream_name(stream);
    char sql[200], *id = o->streams[stream].id;
    int64_t highest = 0, next = 0, whole = 0;
    enum status st;

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM stream WHERE name = '%s' AND crc = stream_crc(name, id,"
             " next_seq)",
             name);
    if ((st = outbox_ask(o, sql, &whole, NULL, 0, fault)) != ST_OK)
        return st;
    if (whole != 1)
        return fault_set(fault, ST_REJECT, "stream %s is not as it was written", name);
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
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM note WHERE name ="
             " 'unchecked/%s' AND crc = note_crc(name, value)",
             name);
    if ((st = outbox_ask(o, sql, &o->streams[stream].unchecked, NULL, 0, fault)) != ST_OK)
        return st;
    if (!uuid_is_valid(id, strlen(id)) || next < 1 || next <= highest)
        return fault_set(fault, ST_REJECT, "stream %s: its id or counter is wrong", name);
    o->streams[stream].given = next - 1;
    return ST_OK;
}

/* Does the file hold what it must?  ST_REJECT: damaged.  A large one is looked at closely only when
 * it gave trouble. */
enum status outbox_look(struct outbox *o, int64_t version, struct fault *fault)
{
    int64_t pages = 0;
    enum status st;

    if ((st = outbox_ask(o, "PRAGMA page_count", &pages, NULL, 0, fault)) != ST_OK)
        return st;
    if ((pages * o->page_bytes <= OUTBOX_LOOK_BYTES || outbox_is_marked(o)) &&
        (st = outbox_look_closely(o, fault)) != ST_OK)
        return st;
    if (version < OUTBOX_VERSION && (st = outbox_migrate(o, fault)) != ST_OK)
        return st;
    for (int i = 0; i < STREAMS && st == ST_OK; i++)
        st = outbox_look_at_stream(o, (enum outbox_stream)i, fault);
    return st;
}
