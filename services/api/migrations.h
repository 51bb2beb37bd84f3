/* services/api/migrations.h - the SQL of proto/sql, compiled in, and the table that says which of
 * it was applied. */
#ifndef API_MIGRATIONS_H
#define API_MIGRATIONS_H

#include <stddef.h>

#include "lib/store/postgres.h"
#include "lib/text.h"

struct migration {
    const char *name; /* "001_init" */
    const unsigned char *sql;
    size_t len;
};
extern const struct migration migrations[]; /* in order */
extern const size_t migration_count;

/* Apply what is missing, each file in one transaction, under an advisory lock: two at once do it
 * once. The names applied go to `done`, one per line.  ST_REJECT: an applied file was changed
 * since, or is unknown here (this program is older than the database). */
enum status migrations_apply(struct pg *pg, struct text *done, struct fault *fault) MUST_CHECK;

#endif
