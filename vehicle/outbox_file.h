/* vehicle/outbox_file.h - the inside of an outbox, for outbox.c (records) and outbox_file.c
 * (opening, repairing). */
#ifndef VEHICLE_OUTBOX_FILE_H
#define VEHICLE_OUTBOX_FILE_H

#include <sqlite3.h>

#include "outbox.h"

#define OUTBOX_PATH_MAX 600

enum outbox_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_PUT,
    SQL_COUNTER,
    SQL_DELETE,
    SQL_READ,
    SQL_SET,
    SQL_GET,
    SQL_EACH,
    SQL_PAGE_COUNT,
    SQL_FREE_COUNT,
    SQL_STATEMENTS
};

struct outbox {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENTS];
    int lock; /* descriptor of the lock file */
    int64_t page_bytes;
    char path[OUTBOX_PATH_MAX];
    struct {
        char id[UUID_TEXT + 1];
        int64_t given; /* committed */
        int64_t next;  /* in this transaction */
        int64_t records, pending;
    } streams[STREAMS];
};

/* The fault of the last SQLite call and what to do about it. */
enum status outbox_failed(struct outbox *o, const char *what, struct fault *fault) MUST_CHECK;

void outbox_mark_damaged(struct outbox *o); /* leaves a file beside it */

#endif
