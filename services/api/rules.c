/* services/api/rules.c - counted in the database, vehicle by vehicle. */
#include "rules.h"

#include <stdio.h>

static const char lock[] = "SELECT pg_advisory_xact_lock(hashtextextended('rules ' || $1, 0))";

/* The tenant's rows alone: row-level security.  Of the vehicles without rules of their own one of
 * each group is looked at, so that the count grows with the rules and not with the vehicles. */
static const char crowded_by_rule[] =
    "WITH t AS (SELECT vin, group_name FROM rule WHERE id = $1::uuid AND enabled), "
    "wide AS MATERIALIZED (SELECT group_name, count(*) AS n FROM rule WHERE enabled AND "
    "vin IS NULL GROUP BY 1), "
    "one AS (SELECT x.vin, v.group_name, count(*) AS n FROM rule x JOIN vehicle v ON v.vin = x.vin "
    "AND v.customer_id = x.customer_id WHERE x.enabled AND x.group_name IN ('', v.group_name) "
    "GROUP BY 1, 2 UNION ALL SELECT min(vin), group_name, 0 FROM vehicle GROUP BY group_name) "
    "SELECT one.vin FROM one JOIN t ON t.group_name IN ('', one.group_name) AND "
    "coalesce(t.vin, one.vin) = one.vin WHERE $2::integer < one.n + (SELECT "
    "coalesce(sum(w.n), 0) FROM wide w WHERE w.group_name IN ('', one.group_name)) LIMIT 1";

static const char crowded_vehicle[] =
    "SELECT v.vin FROM vehicle v WHERE v.vin = $1 AND $2::integer < (SELECT count(*) FROM rule x "
    "WHERE x.customer_id = v.customer_id AND x.enabled AND x.group_name IN ('', v.group_name) AND "
    "(x.vin IS NULL OR x.vin = v.vin))";

enum status rules_fit(struct worker *w, const struct request *r, const char *rule, const char *vin,
                      struct answer *a, struct fault *fault)
{
    char most[12], detail[160];
    const char *whose[] = {r->claims.tenant}, *params[] = {rule ? rule : vin, most};
    PGresult *rows = NULL;
    enum status st = pg_run(w->pg, lock, 1, whose, NULL, fault);

    (void)snprintf(most, sizeof most, "%d", RULES_OF_A_VEHICLE);
    if (st != ST_OK || (st = pg_run(w->pg, rule ? crowded_by_rule : crowded_vehicle, 2, params,
                                    &rows, fault)) != ST_OK)
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
