/* services/ingest/commit/cases_inside.h - what cases.c, cases_write.c and cases_rows.c share;
 * nobody else includes it. */
#ifndef INGEST_CASES_INSIDE_H
#define INGEST_CASES_INSIDE_H

#include "cases.h"
#include "columns.h"
#include "lib/text.h"
#include "slots.h"

#define CASE_DATA_MAX 399

enum case_verb { CASE_RAISE = 0, CASE_END, CASE_CORRECT };

struct case_step {
    enum case_verb verb;
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
    double lat, lon;
    char data[CASE_DATA_MAX + 1];
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
    bool failed;
};

/* Room for `wanted` items; false: no memory. */
bool cases_grow(void **items, size_t size, size_t wanted, size_t *room);
/* Write what was changed, and who is told; then ask for the cursors of that. */
enum status cases_write_changed(struct cases *c, struct fault *fault) MUST_CHECK;
enum status cases_ask_cursors(struct cases *c, struct fault *fault) MUST_CHECK;

/* Read the case of each key, with its lock; `now[i].key` and its times are set. */
enum status case_rows_read(struct columns *c, struct pg *db, struct case_now *now, size_t n,
                           struct fault *fault) MUST_CHECK;

/* Write cases as they are now, each id once; *rows tells the ids of those that were written.  Not
 * written is a point that is there already, and what would be somebody else's row. */
void case_rows_begin(struct columns *c);
void case_rows_add(struct columns *c, struct text *text, const struct case_now *now);
enum status case_rows_write(struct columns *c, struct pg *db, PGresult **rows,
                            struct fault *fault) MUST_CHECK;

/* Of cases that were not written those whose id is taken: *rows tells their numbers, and since when
 * there is a vehicle, in us, which no other vehicle knows. */
void case_taken_begin(struct columns *c);
void case_taken_add(struct columns *c, size_t number, const struct case_now *now);
enum status case_taken_read(struct columns *c, struct pg *db, PGresult **rows,
                            struct fault *fault) MUST_CHECK;

#endif
