/* services/api/fields.h - members of a request's body that become columns of one row.  Names are
 * both, and come from compiled tables only; types, ranges and words are checked here, member by
 * member, so that the database has nothing left to refuse.  Pure. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "proto/json.h"
#include "respond.h"

enum field_kind {
    FIELD_TEXT,    /* at most `high` characters, none a control character; "" or something to see */
    FIELD_WORD,    /* one of `words` */
    FIELD_NUMBER,  /* low .. high */
    FIELD_INTEGER, /* low .. high */
    FIELD_FLAG,    /* true, false */
    FIELD_TIME,    /* RFC 3339 */
    FIELD_DATE,    /* 2026-01-31 */
    FIELD_ID,      /* UUID of a row of `refers` */
    FIELD_VIN,     /* of one of our vehicles */
    FIELD_SIGNAL,  /* a path of the signal table */
    FIELD_ZONE,    /* a name of a time zone as in the IANA table: Europe/Paris */
    FIELD_POINTS,  /* shapes.h */
    FIELD_PRIVACY, /* hours.h */
    FIELD_SCHEDULE, /* hours.h */
};

enum {
    FIELD_NEEDED = 1,   /* when the row is made */
    FIELD_NULLABLE = 2, /* null takes it away */
    FIELD_FIXED = 4,    /* cannot be changed later */
    FIELD_FILLED = 8,   /* a text of one character at least */
    FIELD_CENTS = 16,   /* a number of at most two decimals, as money is kept */
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_kind kind;
    unsigned flags;
    double low, high;
    const char *const *words; /* NULL-terminated */
    const char *refers;       /* a table of ours whose key is id */
};

#define FIELDS_MOST 24

/* Read the body: one object, every member in the table and as it says.  `making`: needed ones must
 * be there; else those that are fixed must not.  ST_NONE: the answer is set, pointing at the
 * member.
 */
enum status fields_read(const struct request *r, const struct field *fields, bool making,
                        json_t **body, struct answer *a) MUST_CHECK;

/* The one of that name; NULL: none. */
const struct field *fields_find(const struct field *fields, const char *name);

/* One column of each member of `body`, as SQL: ", " before each, and `format` with the name in it
 * ("%s = p.%s"). */
void fields_print(struct text *sql, const struct field *fields, const json_t *body,
                  const char *before, const char *between, const char *after);

/* As ISO 4217 writes one: three capital letters. */
bool is_currency(const char *text);

#endif
