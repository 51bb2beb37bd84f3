/* services/api/rules.c - counted in the database, vehicle by vehicle. */
#include "rules.h"

#include <stdio.h>

static const char lock[] = "SELECT pg_advisory_xact_lock(hashtextextended('rules ' || $1, 0))";

static const char crowded[] =
    "SELECT v.vin FROM vehicle v LEFT JOIN rule t ON t.id = $1::uuid "
    "WHERE v.vin = coalesce($2, v.vin) AND ($1 IS NULL OR (t.enabled AND "
    "t.group_name IN ('', v.group_name) AND coalesce(t.vin, v.vin) = v.vin)) AND $3::integer < "
    "(SELECT count(*) FROM rule x WHERE x.customer_id = v.customer_id AND x.enabled AND "
    "x.group_name IN ('', v.group_name) AND (x.vin IS NULL OR x.vin = v.vin)) LIMIT 1";

enum status rules_fit(struct worker *w, const struct request *r, const char *rule, const char *vin,
                      struct answer *a, struct fault *fault)
{
    char most[12], detail[160];
    const char *whose[] = {r->claims.tenant}, *params[] = {rule, vin, most};
    PGresult *rows = NULL;
    enum status st = pg_run(w->pg, lock, 1, whose, NULL, fault);

    (void)snprintf(most, sizeof most, "%d", RULES_OF_A_VEHICLE);
    if (st != ST_OK || (st = pg_run(w->pg, crowded, 3, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) > 0) {
        (void)snprintf(detail, sizeof detail,
                       "A vehicle can have %s rules that are on; %s would have more. Switch one "
                       "off first.",
                       most, PQgetvalue(rows, 0, 0));
        pg_rollback(w->pg);
        answer_problem(a, r, 422, "too-many", detail);
        st = ST_NONE;
    }
    PQclear(rows);
    return st;
}

enum status rule_settles(struct worker *w, const struct request *r, const char *id,
                         const json_t *body, struct answer *a, struct fault *fault)
{
    bool making = !*r->object;
    bool wider = json_object_get(body, "enabled") || json_object_get(body, "group_name") ||
                 json_object_get(body, "vin");

    return making || wider ? rules_fit(w, r, id, NULL, a, fault) : ST_OK;
}
