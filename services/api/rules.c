/* services/api/rules.c - counted in the database, vehicle by vehicle; and held against geofences.
 */
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

/* Rules that are on, about a geofence of a group that is not that of all the vehicles they are for.
 */
#define ASTRAY(whose)                                                                              \
    "SELECT x.name, z.name, z.group_name FROM rule x JOIN geofence z ON z.id = x.geofence_id "     \
    "LEFT JOIN vehicle v ON v.vin = x.vin WHERE x.enabled AND x.place <> 'anywhere' AND "          \
    "z.group_name NOT IN ('', CASE x.group_name WHEN '' THEN coalesce(v.group_name, '') "          \
    "ELSE x.group_name END) AND " whose " ORDER BY x.id LIMIT 1"

/* Changes of one customer's rules, and of what they are about, wait for each other here. */
static enum status take_turn(struct worker *w, const struct request *r, struct fault *fault)
{
    const char *whose[] = {r->claims.tenant};

    return pg_run(w->pg, lock, 1, whose, NULL, fault);
}

/* ST_NONE: a vehicle has more; 422 is set, the transaction is over.  Asked of those that `rule` is
 * about, or (rule NULL) of the one `vin`. */
static enum status fit(struct worker *w, const struct request *r, const char *rule, const char *vin,
                       struct answer *a, struct fault *fault)
{
    char most[12], detail[160];
    const char *params[] = {rule ? rule : vin, most};
    PGresult *rows = NULL;
    enum status st = take_turn(w, r, fault);

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

/* What is in the way: the rows of `sql`, in words around its columns. */
struct snag {
    const char *sql, *words[4];
    const char *pointer; /* to the member of the body that is wrong; NULL: it is a rule's, 409 */
};

static const struct snag of_rule = {
    ASTRAY("x.id = $1::uuid"),
    {"/geofence_id: for the rule \"", "\" the geofence \"",
     "\" is of no use, as it is for the group \"",
     "\" alone: give the rule that group, or the geofence none."},
    "/geofence_id",
};
static const struct snag of_geofence = {
    ASTRAY("z.id = $1::uuid"),
    {"The rule \"", "\" is about the geofence \"", "\", and not for the group \"",
     "\" alone: give the rule that group, or take the geofence from it, first."},
    NULL,
};
static const struct snag of_vehicle = {
    ASTRAY("x.vin = $1"),
    {"The rule \"", "\" of this vehicle is about the geofence \"", "\", which is for the group \"",
     "\" alone: take the geofence from the rule, or the group from the geofence, first."},
    NULL,
};
static const struct snag of_deleted = {
    "SELECT x.name, z.name FROM rule x JOIN geofence z ON z.id = x.geofence_id "
    "WHERE z.id = $1::uuid ORDER BY x.id LIMIT 1",
    {"The rule \"", "\" is about the geofence \"",
     "\": take the geofence from the rule, or delete the rule, first.", ""},
    NULL,
};

static enum status describe(const struct snag *snag, const PGresult *rows, struct text *out,
                            struct fault *fault)
{
    for (int i = 0; i < 4; i++)
        text_print(out, "%s%s", snag->words[i], i < PQnfields(rows) ? PQgetvalue(rows, 0, i) : "");
    return out->failed ? fault_set(fault, ST_RETRY, "out of memory") : ST_OK;
}

/* ST_NONE: it is there; the answer is set, the transaction is over. */
static enum status refuse(struct worker *w, const struct request *r, const struct snag *snag,
                          const char *key, struct answer *a, struct fault *fault)
{
    const char *params[] = {key};
    PGresult *rows = NULL;
    struct text detail;
    enum status st = pg_run(w->pg, snag->sql, 1, params, &rows, fault);

    text_init(&detail);
    if (st == ST_OK && PQntuples(rows) > 0 &&
        (st = describe(snag, rows, &detail, fault)) == ST_OK) {
        pg_rollback(w->pg);
        if (snag->pointer)
            answer_member(a, r, 422, snag->pointer, "group", detail.bytes);
        else
            answer_problem(a, r, 409, "in-use", detail.bytes);
        st = ST_NONE;
    }
    text_done(&detail);
    PQclear(rows);
    return st;
}

enum status rules_follow(struct worker *w, const struct request *r, const char *vin,
                         struct answer *a, struct fault *fault)
{
    enum status st = fit(w, r, NULL, vin, a, fault);

    return st == ST_OK ? refuse(w, r, &of_vehicle, vin, a, fault) : st;
}

/* Does `body` change what decides of it? */
static bool names(const json_t *body, const char *const *members)
{
    for (; *members; members++)
        if (json_object_get(body, *members))
            return true;
    return false;
}

enum status rule_settles(struct worker *w, const struct request *r, const char *id,
                         const json_t *body, struct answer *a, struct fault *fault)
{
    static const char *const reach[] = {"enabled", "group_name",  "vin",
                                        "place",   "geofence_id", NULL};
    enum status st;

    if (*r->object && !names(body, reach))
        return ST_OK;
    st = fit(w, r, id, NULL, a, fault);
    return st == ST_OK ? refuse(w, r, &of_rule, id, a, fault) : st;
}

enum status geofence_settles(struct worker *w, const struct request *r, const char *id,
                             const json_t *body, struct answer *a, struct fault *fault)
{
    enum status st;

    if (!*r->object || !json_object_get(body, "group_name"))
        return ST_OK;
    st = take_turn(w, r, fault);
    return st == ST_OK ? refuse(w, r, &of_geofence, id, a, fault) : st;
}

/* The key that a rule has on its geofence keeps new ones away: the row is locked. */
enum status geofence_leaves(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    return refuse(w, r, &of_deleted, r->object, a, fault);
}
