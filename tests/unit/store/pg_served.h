/* tests/unit/store/pg_served.h - a connection to the real server, and what it answers. */
#ifndef TESTS_UNIT_STORE_PG_SERVED_H
#define TESTS_UNIT_STORE_PG_SERVED_H

#include "tests/unit/served.h"

#include "lib/store/postgres.h"

static inline struct pg *open_to(const char *conninfo)
{
    struct fault fault = {""};
    struct pg *db = NULL;

    if (pg_open(&db, conninfo, "vigie-test", &fault) != ST_OK)
        fail_msg("pg_open: %s", fault.text);
    return db;
}

static inline struct pg *open_ready(void)
{
    struct pg *db = open_to(served("VIGIE_TEST_PG"));
    struct fault fault = {""};

    if (pg_ready(db, &fault) != ST_OK)
        fail_msg("pg_ready: %s", fault.text);
    return db;
}

static inline void expect(struct pg *db, const char *sql, enum status st)
{
    struct fault fault = {""};
    enum status got = pg_run(db, sql, 0, NULL, NULL, &fault);

    if (got != st)
        fail_msg("%s: %s (%s), not %s", sql, status_name(got), fault.text, status_name(st));
}

/* The only value of the only row. */
static inline void expect_answer(struct pg *db, const char *sql, const char *value)
{
    PGresult *r = NULL;
    struct fault fault = {""};

    if (pg_run(db, sql, 0, NULL, &r, &fault) != ST_OK)
        fail_msg("%s: %s", sql, fault.text);
    assert_string_equal(PQgetvalue(r, 0, 0), value);
    PQclear(r);
}

#endif
