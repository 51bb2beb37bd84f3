/* services/ingest/commit/cases_inside.h - what cases.c, cases_write.c and cases_rows.c share;
 * nobody else includes it. */
#ifndef INGEST_CASES_INSIDE_H
#define INGEST_CASES_INSIDE_H

#include "cases.h"
#include "columns.h"
#include "lib/room.h"
#include "lib/text.h"
#include "slots.h"

#define CASE_DATA_MAX 399
#define CASE_STORED_MAX 799       /* the database puts blanks in it */
#define CASE_DATA_KEPT "\"kept\"" /* too long to take along: it stays as it is stored */

enum case_verb { CASE_RAISE = 0, CASE_END, CASE_CORRECT };

/* What came late has its cases found again from all that is known of their key. */
enum case_way { CASE_IN_ORDER = 0, CASE_LATE, CASE_TAKEN, CASE_AS_EVER };

struct case_step {
    enum case_verb verb;
    enum case_way way;
    bool found;               /* by us, not told by the car */
    struct alert_raise raise; /* its id, where it has one, is in `id` */
    char id[UUID_TEXT + 1];
    double lat, lon;
    char data[CASE_DATA_MAX + 1];
};

/* One case while its steps are taken. */
struct case_now {
    struct alert alert;
    struct alert_key key;        /* asked for; alert.state NONE: there is none */
    char told_id[UUID_TEXT + 1]; /* a point that came with one: the key's case of that id */
    int64_t correct_ms;          /* the one that began then; 0: the newest ... */
    int64_t until_ms;            /* ... of those that began until then; 0: of all */
    uint32_t next;               /* another case of the key, its place + 1; 0: there is none */
    int openings;
    int64_t newest_ms; /* of its raises, with those of this group that are looked at */
    bool late;         /* its cases are found again */
    double lat, lon;
    char data[CASE_STORED_MAX + 1];
    uint32_t first_message, last_message; /* place + 1 in `messages`; 0: none */
    bool changed;
    enum { CASE_TO_WRITE = 0, CASE_WRITTEN, CASE_TO_NAME } writing;
};

/* What people are told of one change of a case. */
struct case_message {
    const char *transition; /* "opened" "worsened" "cleared" */
    enum alert_severity severity;
    int opening;
    bool late;
    uint32_t next; /* of that case, its place + 1; 0: it was the last */
};

#define CASE_TYPES_MAX 12
/* Of which cases all is looked at again: those of a vehicle and of these types, after a time. */
struct case_again {
    char vin[18]; /* "": of none */
    const char *types[CASE_TYPES_MAX];
    size_t types_n;
    const char *subject; /* NULL: of all */
    int64_t after_ms;
    bool told; /* all ends are known; else those after after_ms are among the steps */
};

struct cases {
    struct pg *db;
    struct columns c, told, cleared;
    struct text text;
    struct case_step *steps;
    size_t steps_n, steps_room;
    struct case_now *now; /* of points and corrections one per id or time, else a chain per key */
    size_t now_n, now_room;
    struct slots by_key; /* of now: the first of each chain; then, by id, of what is written */
    struct case_message *messages;
    size_t messages_n, messages_room;
    struct alert_change_message *changes;
    size_t changes_n, changes_room;
    PGresult *cursors; /* of them, once they are committed */
    struct case_again again;
    bool failed;
};

/* ---- which cases the steps are about (cases_chain.c) */
bool case_same_key(const struct alert_key *a, const struct alert_key *b);
bool case_is_point(const struct case_step *step);
int64_t case_time(const struct case_step *step); /* of what is a case of its own; 0: it is not */
bool case_is_one(const struct case_now *now);    /* there is one */
bool case_is_open(const struct case_now *now);
/* Of what never was, nothing follows but that it may come back. */
bool case_was(const struct case_now *now);
struct case_now *cases_add(struct cases *c, const struct alert_key *key); /* NULL: no memory */
/* The first of its chain; NULL: no memory.  There is room in by_key for one of each step. */
struct case_now *case_of_step(struct cases *c, const struct case_step *step);
struct case_now *case_next(const struct cases *c, const struct case_now *now);
/* The next that began after t_ms, and was; NULL: none did. */
struct case_now *case_after(const struct cases *c, struct case_now *first, int64_t t_ms);
/* The case a step of a condition is about; NULL: there is none yet.  What a newer case of its key
 * has followed is a case of its own, unless one that nobody sees end waits for a person anyway. */
struct case_now *case_subject(const struct cases *c, struct case_now *first,
                              const struct case_step *step);

/* ---- what becomes of them */
/* A case that was changed so, and what is told of it; `told_ms`: since when it could be known. */
enum status cases_note(struct cases *c, struct case_now *now, enum alert_change change,
                       int64_t told_ms, int64_t now_ms, struct fault *fault) MUST_CHECK;
bool cases_same_data(const char *a, const char *b);
/* Steps that `again` is about are CASE_TAKEN then, but of keys that people's doing leaves as ever.
 */
enum status cases_recast(struct cases *c, const struct case_again *again, int64_t now_ms,
                         struct fault *fault) MUST_CHECK;

/* Write what was changed, and who is told; then ask for the cursors of that. */
enum status cases_write_changed(struct cases *c, struct fault *fault) MUST_CHECK;
enum status cases_ask_cursors(struct cases *c, struct fault *fault) MUST_CHECK;

/* The columns of `alert a` that case_rows_scan reads from number 1 on. */
#define CASE_COLUMNS                                                                               \
    "a.id, a.ending, a.state, a.severity, a.reason, ms(a.occurred_at), ms(a.detected_at), "        \
    "ms(a.last_at), ms(a.ended_at), ms(a.cleared_at), a.count, a.held_down, a.changes, "           \
    "ms(a.messaged_at), a.lat, a.lon, a.data, a.openings, a.ends"
void case_rows_scan(const PGresult *rows, int row, struct case_now *now); /* its key is set */

/* Read the case of each key, with its lock; `now[i].key` and its times are set. */
enum status case_rows_read(struct columns *c, struct pg *db, struct case_now *now, size_t n,
                           struct fault *fault) MUST_CHECK;

/* Write cases as they are now, each id once; *rows tells the ids of those that were written.  Not
 * written is a point that is there already, and what would be somebody else's row. */
void case_rows_begin(struct columns *c);
void case_rows_add(struct columns *c, struct text *text, const struct case_now *now);
enum status case_rows_write(struct columns *c, struct pg *db, PGresult **rows,
                            struct fault *fault) MUST_CHECK;

/* Of rows that are in the order of their first column, an id; -1: it is in none. */
int case_rows_find(const PGresult *rows, const char *id);

/* Of cases that were not written those whose id is taken: *rows tells their numbers, and since when
 * there is a vehicle, in us, which no other vehicle knows. */
void case_taken_begin(struct columns *c);
void case_taken_add(struct columns *c, size_t number, const struct case_now *now);
enum status case_taken_read(struct columns *c, struct pg *db, PGresult **rows,
                            struct fault *fault) MUST_CHECK;

#endif
