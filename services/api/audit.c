/* services/api/audit.c - the chained audit table. */
#include "audit.h"

/* The lock comes in a statement of its own: the insert's snapshot must see the row written by
 * whoever held it. */
enum status audit_add(struct pg *pg, const struct audit_entry *e, struct fault *fault)
{
    const char *lock[] = {e->customer ? e->customer : ""};
    const char *row[] = {e->customer, e->user, e->action, e->vin, e->detail ? e->detail : "{}",
                         e->address};
    enum status st;

    st = pg_run(pg, "SELECT pg_advisory_xact_lock(hashtextextended('audit ' || $1, 0))", 1, lock,
                NULL, fault);
    if (st != ST_OK)
        return st;
    return pg_run(
        pg,
        "WITH last AS (SELECT (SELECT hash FROM audit WHERE customer_id IS NOT DISTINCT FROM"
        " $1::uuid ORDER BY id DESC LIMIT 1) AS hash)"
        " INSERT INTO audit (customer_id, user_id, action, vin, detail, address, previous, hash)"
        " SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::jsonb, $6::text, hash,"
        " audit_hash(hash, now(), $1::uuid, $2::uuid, $3::text, $4::text, $5::jsonb, $6::text)"
        " FROM last",
        6, row, NULL, fault);
}

enum status audit_request(struct worker *w, const struct request *r, const char *action,
                          const char *detail, struct fault *fault)
{
    struct audit_entry e = {.customer = r->claims.tenant,
                            .user = r->claims.user,
                            .action = action,
                            .vin = r->vin[0] ? r->vin : NULL,
                            .detail = detail,
                            .address = r->address};

    return audit_add(w->pg, &e, fault);
}
