/* services/api/admin_audit.c - does the audit's chain hold? */
#include "admin.h"

/* Rows that were purged are no break: the oldest row of a customer has nothing before it. */
enum status admin_audit_verify(struct admin *ad, struct fault *fault)
{
    PGresult *rows = NULL, *count = NULL;
    enum status st;

    if (ad->argc != 0)
        return fault_set(fault, ST_REJECT, "audit verify");
    if ((st = pg_run(ad->pg, "SELECT count(*) FROM audit", 0, NULL, &count, fault)) == ST_OK &&
        (st = pg_run(ad->pg, "SELECT customer_id, id, why FROM audit_broken()", 0, NULL, &rows,
                     fault)) == ST_OK) {
        if (PQntuples(rows) > 0)
            st = fault_set(fault, ST_FATAL, "broken at row %s: %s", PQgetvalue(rows, 0, 1),
                           PQgetvalue(rows, 0, 2));
        else if (ad->set->json)
            text_print(&ad->out, "{\"rows\":%s,\"broken\":[]}\n", PQgetvalue(count, 0, 0));
        else
            text_print(&ad->out, "%s rows hold\n", PQgetvalue(count, 0, 0));
    }
    PQclear(rows);
    PQclear(count);
    return st;
}
