/* vehicle/salvage.c - see salvage.h. */
#include "salvage.h"

#include <sqlite3.h>
#include <string.h>

#include "checksum.h"
#include "ledger.h"
#include "lib/clock.h"
#include "outbox.h"

#define SALVAGE_STEPS 1000 /* of SQLite's machine between two looks at the clock */

struct salvage {
    sqlite3 *db;
    int64_t until_ms;                 /* boot time */
    char ids[STREAMS][UUID_TEXT + 1]; /* "": could not be read */
    struct ledger ledgers[STREAMS];
};

const char *salvage_reach_name(enum salvage_reach reach)
{
    static const char *const names[] = {"none", "partial", "full"};

    return names[reach];
}

static int salvage_is_late(void *self)
{
    const struct salvage *s = self;

    return clock_boot_ms() >= s->until_ms;
}

static enum outbox_stream salvage_stream(const unsigned char *name)
{
    for (int i = 0; i < STREAMS; i++)
        if (name != NULL &&
            strcmp((const char *)name, outbox_stream_name((enum outbox_stream)i)) == 0)
            return (enum outbox_stream)i;
    return STREAMS;
}

/* Calls `take` with each row there is; true: the last one was reached. */
static bool salvage_each(struct salvage *s, const char *sql, void *self,
                         void (*take)(struct salvage *s, sqlite3_stmt *row, void *self))
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);

    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
            take(s, statement, self);
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE;
}

static void salvage_take_id(struct salvage *s, sqlite3_stmt *row, void *self)
{
    enum outbox_stream stream = salvage_stream(sqlite3_column_text(row, 0));
    const char *id = (const char *)sqlite3_column_text(row, 1);

    (void)self;
    if (stream != STREAMS && id != NULL && uuid_is_valid(id, strlen(id)))
        (void)text_copy(s->ids[stream], sizeof s->ids[stream], id);
}

static void salvage_take_ack(struct salvage *s, sqlite3_stmt *row, void *self)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const char *bytes = (const char *)sqlite3_column_text(row, 1);
    size_t len = (size_t)sqlite3_column_bytes(row, 1);
    struct ack ack;

    (void)self;
    if (name == NULL || bytes == NULL ||
        sqlite3_column_int64(row, 2) != checksum_note(name, bytes, len) ||
        ack_read(&ack, bytes, len, NULL) != ST_OK)
        return;
    for (int i = 0; i < STREAMS; i++)
        if (strcmp(ack.stream, s->ids[i]) == 0 &&
            ledger_take(&s->ledgers[i], &ack, INT64_MAX) == ST_REJECT)
            continue; /* a site too many: its records count as unsent */
}

static void salvage_take_record(struct salvage *s, sqlite3_stmt *row, void *self)
{
    enum outbox_stream stream = salvage_stream(sqlite3_column_text(row, 0));
    int64_t seq = sqlite3_column_int64(row, 1), *n = self;

    if (stream != STREAMS && seq > 0 && !ledger_is_heard(&s->ledgers[stream], seq))
        ++*n;
}

int64_t salvage_count(const char *path, int64_t budget_ms, enum salvage_reach *reach)
{
    /* the index alone is enough; when it is damaged the table may not be */
    static const char *const ways[] = {"SELECT stream, seq FROM record ORDER BY stream, seq",
                                       "SELECT stream, seq FROM record NOT INDEXED"};
    struct salvage s = {.until_ms = clock_boot_ms() + budget_ms};
    int64_t most = 0;
    bool whole = false;

    *reach = SALVAGE_NONE;
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&s.ledgers[i]);
    if (sqlite3_open_v2(path, &s.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ==
        SQLITE_OK) {
        sqlite3_progress_handler(s.db, SALVAGE_STEPS, salvage_is_late, &s);
        bool acks = salvage_each(&s, "SELECT name, id FROM stream", NULL, salvage_take_id) &&
                    salvage_each(&s, "SELECT name, value, crc FROM note WHERE name GLOB 'ack/*'",
                                 NULL, salvage_take_ack);

        for (size_t i = 0; acks && i < sizeof ways / sizeof ways[0] && !whole; i++) {
            int64_t n = 0;

            whole = salvage_each(&s, ways[i], &n, salvage_take_record);
            most = whole || n > most ? n : most;
        }
    }
    if (whole || most > 0)
        *reach = whole ? SALVAGE_FULL : SALVAGE_PARTIAL;
    sqlite3_close(s.db);
    return most;
}
