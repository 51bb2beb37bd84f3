/* services/api/migrations.c - forward only. */
#include "migrations.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define LOCK "7305809155030213221" /* any constant will do; this one is ours */

#include "migrations.inc" /* made by the Makefile from proto/sql */

static void hash_of(const struct migration *m, char out[67])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256(m->sql, m->len, hash);
    out[0] = '\\';
    out[1] = 'x';
    text_hex(out + 2, hash, sizeof hash);
}

static const struct migration *find(const char *name)
{
    for (size_t i = 0; i < migration_count; i++)
        if (!strcmp(migrations[i].name, name))
            return &migrations[i];
    return NULL;
}

/* What was applied must be what we have. */
static enum status compare(struct pg *pg, struct fault *fault)
{
    PGresult *rows = NULL;
    char hash[67];
    enum status st;

    st = pg_run(pg,
                "SELECT name, '\\x' || encode(sha256, 'hex') FROM schema_migration ORDER BY name",
                0, NULL, &rows, fault);
    if (st != ST_OK)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        const struct migration *m = find(PQgetvalue(rows, i, 0));

        if (!m) {
            st =
                fault_set(fault, ST_REJECT, "the database has %s, which this program does not know",
                          PQgetvalue(rows, i, 0));
            break;
        }
        hash_of(m, hash);
        if (strcmp(hash, PQgetvalue(rows, i, 1)) != 0)
            st = fault_set(fault, ST_REJECT,
                           "%s was applied in another wording: a change needs a file of its own",
                           m->name);
    }
    PQclear(rows);
    return st;
}

/* A file holds many statements: libpq's simple query takes them all. */
static enum status run_file(struct pg *pg, const struct migration *m, struct fault *fault)
{
    PGresult *result = PQexec(pg_raw(pg), (const char *)m->sql);
    enum status st = ST_OK;

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        st = fault_set(fault, ST_REJECT, "%s: %s", m->name, PQresultErrorMessage(result));
    PQclear(result);
    return st;
}

static enum status apply(struct pg *pg, const struct migration *m, struct text *done,
                         struct fault *fault)
{
    char hash[67];
    const char *params[] = {m->name, hash};
    PGresult *rows = NULL;
    enum status st;
    int there;

    st = pg_run(pg, "SELECT 1 FROM schema_migration WHERE name = $1", 1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    there = PQntuples(rows);
    PQclear(rows);
    if (there)
        return ST_OK;
    hash_of(m, hash);
    if ((st = pg_begin(pg, fault)) != ST_OK || (st = run_file(pg, m, fault)) != ST_OK ||
        (st = pg_run(pg, "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2::bytea)", 2,
                     params, NULL, fault)) != ST_OK ||
        (st = pg_commit(pg, fault)) != ST_OK) {
        pg_rollback(pg);
        return st;
    }
    text_print(done, "%s\n", m->name);
    return ST_OK;
}

enum status migrations_apply(struct pg *pg, struct text *done, struct fault *fault)
{
    struct fault ignored;
    enum status st;

    if ((st = pg_ready(pg, fault)) != ST_OK ||
        (st = pg_run(pg, "SELECT pg_advisory_lock(" LOCK ")", 0, NULL, NULL, fault)) != ST_OK)
        return st;
    st = pg_run(
        pg,
        "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, sha256 bytea NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())",
        0, NULL, NULL, fault);
    if (st == ST_OK)
        st = compare(pg, fault);
    for (size_t i = 0; i < migration_count && st == ST_OK; i++)
        st = apply(pg, &migrations[i], done, fault);
    if (pg_run(pg, "SELECT pg_advisory_unlock(" LOCK ")", 0, NULL, NULL, &ignored) != ST_OK)
        return st; /* the connection is gone, and the lock with it */
    return st;
}
