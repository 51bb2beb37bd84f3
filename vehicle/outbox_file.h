/* vehicle/outbox_file.h - the inside of an outbox, for outbox.c (records), outbox_file.c (opening),
 * outbox_tables.c (making and looking at the tables), outbox_anew.c (new streams) and
 * outbox_beside.c (the files beside it). */
#ifndef VEHICLE_OUTBOX_FILE_H
#define VEHICLE_OUTBOX_FILE_H

#include <sqlite3.h>

#include "outbox.h"

#define OUTBOX_PATH_MAX 600
#define OUTBOX_BESIDE_MAX (OUTBOX_PATH_MAX + 64)
#define OUTBOX_SPOILED_MAX 64 /* more than this is not a byte here and there */

enum outbox_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_PUT,
    SQL_COUNTER,
    SQL_DELETE,
    SQL_READ,
    SQL_SET,
    SQL_GET,
    SQL_UNSET,
    SQL_EACH,
    SQL_SPOIL,
    SQL_SPOIL_TRIM,
    SQL_OLDEST,
    SQL_NEWEST,
    SQL_PAGE_COUNT,
    SQL_FREE_COUNT,
    SQL_STATEMENTS
};

struct outbox {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENTS];
    int lock;    /* descriptor of the lock file */
    int witness; /* and of the file that says what was given; -1 none */
    int64_t page_bytes;
    enum outbox_trouble trouble;
    bool reserved;      /* the reserve is there */
    int64_t reserve_ms; /* boot time when it was last given or asked for */
    int64_t room_bytes; /* the disk has no more for the file than this; 0: not known */
    char path[OUTBOX_PATH_MAX];
    struct {
        char id[UUID_TEXT + 1];
        char was[UUID_TEXT + 1]; /* before this transaction, if it gives another; else "" */
        int64_t given;           /* committed */
        int64_t next;            /* in this transaction */
        int64_t records, pending;
        int64_t unchecked; /* up to here records may lack a checksum: an older agent made them */
        size_t spoiled_count;
        struct {
            int64_t seq;
            bool aside; /* set aside in this transaction */
        } spoiled[OUTBOX_SPOILED_MAX];
    } streams[STREAMS];
};

/* The fault of the last SQLite call and what to do about it. */
enum status outbox_failed(struct outbox *o, const char *what, struct fault *fault) MUST_CHECK;

/* ---- the tables (outbox_tables.c).  ST_REJECT: the file is damaged; ST_RETRY: it is the disk, a
 * lock, the memory */

#define OUTBOX_VERSION 2

enum status outbox_exec(struct outbox *o, const char *sql, struct fault *fault) MUST_CHECK;
/* One integer or text (either may be NULL) of a query; ST_REJECT when it gives no row. */
enum status outbox_ask(struct outbox *o, const char *sql, int64_t *number, char *text, size_t size,
                       struct fault *fault) MUST_CHECK;
enum status outbox_add_functions(struct outbox *o, struct fault *fault) MUST_CHECK;
enum status outbox_create(struct outbox *o, struct fault *fault) MUST_CHECK;
/* Does it hold what it must?  One of an older version gets what it lacks. */
enum status outbox_look(struct outbox *o, int64_t version, struct fault *fault) MUST_CHECK;
enum status outbox_look_at_stream(struct outbox *o, enum outbox_stream stream,
                                  struct fault *fault) MUST_CHECK;

/* ---- the files beside it: outbox.db + suffix */

void outbox_beside(char out[OUTBOX_BESIDE_MAX], const struct outbox *o, const char *suffix);
/* ST_RETRY, and in the fault what is wrong with the folder and what to do about it. */
enum status outbox_hindered(const char *folder, int error, struct fault *fault);
/* An opening ended with `st`: the same, and for ST_RETRY in those words where they are known. */
enum status outbox_say_why(const struct outbox *o, enum status st, struct fault *fault);
enum status outbox_lock(struct outbox *o, const char *folder, struct fault *fault) MUST_CHECK;
void outbox_mark_damaged(struct outbox *o); /* look closely next time */
bool outbox_is_marked(const struct outbox *o);
void outbox_unmark(const struct outbox *o);
/* Move database, write-ahead log and shared memory aside; moved_to: where the database is then. */
enum status outbox_move_aside(struct outbox *o, char *moved_to, size_t size,
                              struct fault *fault) MUST_CHECK;
void outbox_give_reserve(struct outbox *o);
/* The numbers given out by now, told to a file that the database cannot take back: if the end of
 * the write-ahead log is lost, or somebody puts an old copy there, they are not given again. */
void outbox_witness(struct outbox *o);
/* What it says of a stream with this id; 0: nothing. */
int64_t outbox_witnessed(struct outbox *o, const char *id);

#endif
