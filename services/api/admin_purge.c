/* services/api/admin_purge.c - the nightly purge, and how long a customer keeps samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "lib/clock.h"
#include "purge.h"

enum status purge_file(struct purge *p, const char *kind, const char *kept, int64_t removed,
                       const char *unit, int64_t oldest_ms, struct fault *fault)
{
    char number[24], oldest[25];
    const char *params[] = {p->site, kind, kept, number, oldest_ms ? oldest : NULL, unit};

    snprintf(number, sizeof number, "%lld", (long long)removed);
    clock_print(oldest, oldest_ms);
    return pg_run(p->pg,
                  "INSERT INTO purge_proof (site, kind, kept, removed, oldest_left, unit) VALUES "
                  "($1, $2, $3, $4::bigint, $5::timestamptz, $6)",
                  6, params, NULL, fault);
}

/* The proof is what was filed by this run, no more and no less. */
static enum status print_proof(struct admin *ad, const char *first, struct fault *fault)
{
    const char *params[] = {first};
    PGresult *rows = NULL;
    enum status st =
        pg_run(ad->pg,
               "SELECT kind, kept, removed, unit, to_char(oldest_left AT TIME ZONE 'UTC', "
               "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS oldest_left FROM purge_proof "
               "WHERE id > $1::bigint ORDER BY id",
               1, params, &rows, fault);

    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}

/* Two at once would count the same rows twice. */
static enum status take_turn(struct admin *ad, char first[24], struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(ad->pg,
                            "SELECT pg_try_advisory_lock(hashtext('vigie purge')), "
                            "(SELECT coalesce(max(id), 0) FROM purge_proof)",
                            0, NULL, &rows, fault);

    if (st != ST_OK)
        return st;
    if (PQgetvalue(rows, 0, 0)[0] != 't')
        st = fault_set(fault, ST_RETRY, "another purge is running");
    else
        snprintf(first, 24, "%s", PQgetvalue(rows, 0, 1));
    PQclear(rows);
    return st;
}

/* What was only counted is not kept: it is no proof. */
static enum status forget_dry_run(struct admin *ad, const char *first, struct fault *fault)
{
    const char *params[] = {first};

    return pg_run(ad->pg, "DELETE FROM purge_proof WHERE id > $1::bigint", 1, params, NULL, fault);
}

enum status admin_purge(struct admin *ad, struct fault *fault)
{
    struct purge p = {.pg = ad->pg, .site = ad->set->common.site, .dry = ad->set->dry_run};
    char first[24];
    enum status st;

    if (ad->argc != 0)
        return fault_set(fault, ST_REJECT, "purge [--dry-run]");
    if ((st = influx_open(&p.influx, ad->set->influx, "fleet", fault)) != ST_OK)
        return st;
    if ((st = take_turn(ad, first, fault)) == ST_OK &&
        (st = purge_samples(&p, clock_now_ms(), fault)) == ST_OK &&
        (st = purge_rows(&p, fault)) == ST_OK && (st = print_proof(ad, first, fault)) == ST_OK &&
        p.dry)
        st = forget_dry_run(ad, first, fault);
    influx_close(p.influx);
    return st;
}

enum status admin_customer_keep(struct admin *ad, struct fault *fault)
{
    char id[37], *end = NULL;
    const char *params[2] = {id, NULL};
    long days;
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "customer keep DAYS [--customer ID]");
    days = strtol(ad->argv[0], &end, 10);
    if (*end || days < 1 || days > SAMPLES_DAYS)
        return fault_set(fault, ST_REJECT, "customer keep DAYS: 1 to %d", SAMPLES_DAYS);
    if ((st = admin_customer(ad, id, fault)) != ST_OK)
        return st;
    params[1] = days == SAMPLES_DAYS ? NULL : ad->argv[0];
    return pg_run(ad->pg,
                  "UPDATE customer SET retention_days = $2::integer, version = version + 1 "
                  "WHERE id = $1::uuid",
                  2, params, NULL, fault);
}
