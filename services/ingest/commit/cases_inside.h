/* services/ingest/commit/cases_inside.h - what cases.c and cases_rows.c share; nobody else includes
 * it. */
#ifndef INGEST_CASES_INSIDE_H
#define INGEST_CASES_INSIDE_H

#include "cases.h"
#include "columns.h"
#include "lib/text.h"

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
    struct alert_key key; /* asked for; alert.state NONE: there is none */
    int64_t correct_ms;   /* the one that began then; 0: the newest */
    int openings;
    double lat, lon;
    char data[CASE_DATA_MAX + 1];
    const char *transition; /* a message to be sent: "opened" "worsened" "cleared", NULL none */
    bool changed, late;
};

/* Read the case of each key, with its lock; `now[i].key` and correct_ms are set. */
enum status case_rows_read(struct columns *c, struct pg *db, struct case_now *now, size_t n,
                           struct fault *fault) MUST_CHECK;

/* Write cases as they are now; *rows tells id, version and cursor of those that were written. */
void case_rows_begin(struct columns *c);
void case_rows_add(struct columns *c, struct text *text, const struct case_now *now);
enum status case_rows_write(struct columns *c, struct pg *db, PGresult **rows,
                            struct fault *fault) MUST_CHECK;

/* The messages of cases, one for each recipient. */
void case_messages_begin(struct columns *c);
void case_messages_add(struct columns *c, const struct case_now *now);
enum status case_messages_write(struct columns *c, struct pg *db, struct fault *fault) MUST_CHECK;

#endif
