/* services/api/tenant.c - role and tenant, set in the transaction. */
#include "tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One statement: role, tenant and the longest a statement may take. */
static enum status begin_as(struct worker *w, const char *role, const char *customer,
                            struct fault *fault)
{
    const char *params[] = {role, customer};
    enum status st;

    if ((st = pg_ready(w->pg, fault)) != ST_OK || (st = pg_begin(w->pg, fault)) != ST_OK)
        return st;
    return pg_run(w->pg,
                  "SELECT set_config('statement_timeout', '5000', true),"
                  " set_config('app.customer', $2, true), set_config('role', $1, true)",
                  2, params, NULL, fault);
}

enum status login_begin(struct worker *w, struct fault *fault)
{
    return begin_as(w, "vigie_login", "", fault);
}

enum status enroll_begin(struct worker *w, struct fault *fault)
{
    return begin_as(w, "vigie_enroll", "", fault);
}

enum status dispatch_begin(struct worker *w, struct fault *fault)
{
    return begin_as(w, "vigie_dispatch", "", fault);
}

enum status tenant_begin(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    const char *params[2];
    char epoch[24];
    enum status st;

    st = begin_as(w, "vigie_api", r->claims.tenant, fault);
    if (st != ST_OK)
        return st;
    snprintf(epoch, sizeof epoch, "%lld", (long long)r->claims.epoch);
    params[0] = r->claims.user;
    params[1] = epoch;
    st = pg_finds(
        w->pg,
        "SELECT 1 FROM app_user WHERE id = $1::uuid AND NOT disabled AND epoch <= $2::bigint", 2,
        params, fault);
    if (st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_problem(a, r, 401, "token", "The access token is no longer good: refresh it.");
    answer_header(a, "www-authenticate:", "Bearer error=\"invalid_token\"");
    return ST_NONE;
}

enum status tenant_owns(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    const char *params[] = {r->vin};
    enum status st;

    st = pg_finds(w->pg, "SELECT 1 FROM vehicle WHERE vin = $1", 1, params, fault);
    if (st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_problem(a, r, 404, "not-found", "There is no such vehicle.");
    return ST_NONE;
}

enum status tenant_matches(struct worker *w, const struct request *r, const char *version,
                           struct answer *a)
{
    int64_t wanted = 0;
    const char *why;

    if (!version)
        answer_problem(a, r, 404, "not-found", "There is no such thing here.");
    else if (!r->if_match[0])
        answer_problem(a, r, 428, "precondition-required",
                       "Changing needs If-Match with the ETag.");
    else if ((why = if_match_fault(r->if_match)))
        answer_problem(a, r, 400, "if-match", why);
    else if (version_tag_parse(r->if_match, &wanted) != ST_OK ||
             wanted != strtoll(version, NULL, 10))
        answer_problem(a, r, 412, "changed", "It has been changed meanwhile: read it again.");
    else
        return ST_OK;
    pg_rollback(w->pg);
    return ST_NONE;
}
