/* services/ingest/commit/recast_inside.h - what cases_recast.c and cases_recast_write.c share;
 * nobody else includes it. */
#ifndef INGEST_RECAST_INSIDE_H
#define INGEST_RECAST_INSIDE_H

#include "cases_inside.h"
#include "services/ingest/facts/recast.h"

enum { EVENT_TYPE, EVENT_SUBJECT, EVENT_AT, EVENT_SEVERITY, EVENT_TOLD, EVENT_OURS, EVENT_GONE };
enum { EVENT_DATA = EVENT_GONE + 1, EVENT_LAT, EVENT_LON };

struct key_now {
    struct alert_key key;
    int64_t since_ms; /* its facts from here on are looked at */
    int64_t case_ms;  /* the first of its cases since began then; 0: there is none */
    bool as_ever;     /* people had their say in it, or not all of it is known */
};

struct recasting {
    struct cases *c;
    const struct case_again *again;
    int64_t now_ms;
    PGresult *rows, *events;
    struct key_now *keys;
    size_t keys_n, keys_room;
    struct case_now *before; /* the newest case of each key before `since_ms` */
    PGresult *handled;       /* what people did with those, by id */
    /* ---- of the key in hand */
    struct case_now *stored; /* its cases */
    struct recast_row *row;
    size_t stored_n;
    struct recast_step *steps;
    size_t steps_n;
    struct recast_case *cases;
    size_t *row_of, cases_n;
    size_t *new_at;        /* of a case that no row was, its place in c->now + 1; 0: it is none */
    struct columns merged; /* ids of cases that are part of others, and of those */
    bool merges;
    enum status st;
    struct fault *fault;
};

/* Since when an event could be known; 0: it is not late. */
int64_t recast_told_ms(const struct recasting *r, int event);

/* Write what the key in hand has become, and who is told; `begin` and `raise` as recast() had them.
 */
enum status recast_write_key(struct recasting *r, const struct alert *begin,
                             const struct alert_raise *raise, struct fault *fault) MUST_CHECK;
/* Once the cases are written: what people said and did of those that are part of others. */
enum status recast_write_merged(struct recasting *r, struct fault *fault) MUST_CHECK;

#endif
