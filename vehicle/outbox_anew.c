/* vehicle/outbox_anew.c - new streams for the records that are there: see outbox_begin_anew. */
#include "outbox_file.h"

#include <stdio.h>

#include "lib/clock.h"

static enum status anew_do(struct outbox *o, const char *sql, struct fault *fault)
{
    return sqlite3_exec(o->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ST_OK
               : outbox_failed(o, "begin anew", fault);
}

static enum status anew_ask(struct outbox *o, const char *sql, int64_t *out, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    enum status st = ST_OK;

    if (sqlite3_prepare_v2(o->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        st = outbox_failed(o, "begin anew", fault);
    sqlite3_finalize(statement);
    return st;
}

static enum status anew_id(struct outbox *o, enum outbox_stream stream, struct fault *fault)
{
    char sql[300], id[UUID_TEXT + 1];
    unsigned char random[10];
    const char *name = outbox_stream_name(stream);

    text_random(random, sizeof random);
    uuid_v7(id, clock_now_ms(), random);
    (void)text_copy(o->streams[stream].was, sizeof o->streams[stream].was, o->streams[stream].id);
    (void)text_copy(o->streams[stream].id, sizeof o->streams[stream].id, id);
    snprintf(
        sql, sizeof sql,
        "UPDATE stream SET id = '%s', crc = stream_crc(name, '%s', next_seq) WHERE name = '%s';"
        "DELETE FROM note WHERE name GLOB 'ack/%s/*' OR name = 'sent/%s';",
        id, id, name, name, name);
    return anew_do(o, sql, fault);
}

/* The numbers below the first that counts, and every hole between those that are held. */
static enum status anew_tell_holes(struct outbox *o, enum outbox_stream stream, int64_t from,
                                   struct fault *fault)
{
    const char *name = outbox_stream_name(stream);
    char sql[700], text[64], number[24];
    int64_t highest = 0;
    enum status st;
    int n;

    snprintf(sql, sizeof sql,
             "INSERT INTO note(name, value, crc) SELECT name, value, note_crc(name, value) FROM"
             " (SELECT 'lost/%s/' || first AS name, CAST(last AS TEXT) AS value FROM"
             " (SELECT lag(seq, 1, 0) OVER (ORDER BY seq) + 1 AS first, seq - 1 AS last FROM record"
             " WHERE stream = '%s' AND seq >= %lld) WHERE first <= last) WHERE true"
             " ON CONFLICT(name) DO UPDATE SET value = excluded.value, crc = excluded.crc",
             name, name, (long long)from);
    if ((st = anew_do(o, sql, fault)) != ST_OK)
        return st;
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(seq), 0) FROM record WHERE stream = '%s' AND seq >= %lld", name,
             (long long)from);
    if ((st = anew_ask(o, sql, &highest, fault)) != ST_OK || highest >= o->streams[stream].given)
        return st;
    snprintf(text, sizeof text, "lost/%s/%lld", name, (long long)highest + 1);
    n = snprintf(number, sizeof number, "%lld", (long long)o->streams[stream].given);
    return outbox_set(o, text, number, (size_t)n, fault);
}

enum status outbox_begin_anew(struct outbox *o, const int64_t from[STREAMS],
                              int64_t unsent[STREAMS], struct fault *fault)
{
    char sql[160];
    enum status st = ST_OK;

    for (int i = 0; i < STREAMS && st == ST_OK; i++) {
        enum outbox_stream stream = (enum outbox_stream)i;

        snprintf(sql, sizeof sql, "SELECT count(*) FROM record WHERE stream = '%s' AND seq >= %lld",
                 outbox_stream_name(stream), (long long)from[i]);
        if ((st = anew_ask(o, sql, &unsent[i], fault)) == ST_OK &&
            (st = anew_id(o, stream, fault)) == ST_OK)
            st = anew_tell_holes(o, stream, from[i], fault);
    }
    return st;
}
