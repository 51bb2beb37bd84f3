/* services/api/car.c - cars known by their certificates. */
#include "car.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "lib/log.h"
#include "tenant.h"

enum status car_note(struct worker *w, const struct request *r, const struct car *car,
                     const char *action, const char *detail, struct fault *fault)
{
    struct audit_entry e = {.customer = car->customer[0] ? car->customer : NULL,
                            .action = action,
                            .vin = r->vin,
                            .detail = detail,
                            .address = r->address};

    return audit_add(w->pg, &e, fault);
}

static enum status refuse(struct worker *w, const struct request *r, const struct car *car,
                          const char *why, struct answer *a, struct fault *fault)
{
    char detail[96];
    enum status st;

    snprintf(detail, sizeof detail, "{\"reason\":\"%s\"}", why);
    if ((st = car_note(w, r, car, "certificate.refused", detail, fault)) != ST_OK ||
        (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    log_warn("car.refused", "vehicle=%s reason=\"%s\" address=%s", r->vin, why, r->address);
    answer_problem(a, r, 403, "certificate", "This certificate does not speak for the vehicle.");
    return ST_NONE;
}

enum status car_begin(struct worker *w, const struct request *r, struct car *car, struct answer *a,
                      struct fault *fault)
{
    char hash[sizeof r->peer_sha256 + 2];
    const char *params[] = {r->vin, hash}, *why = NULL;
    PGresult *rows = NULL;
    enum status st;

    memset(car, 0, sizeof *car);
    snprintf(hash, sizeof hash, "\\x%s", r->peer_sha256);
    if ((st = enroll_begin(w, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "SELECT v.customer_id, v.status, c.serial IS NOT NULL, c.revoked_at IS NULL"
                     " FROM vehicle v LEFT JOIN certificate c ON c.vin = v.vin"
                     " AND c.sha256 = $2::bytea WHERE v.vin = $1 FOR NO KEY UPDATE OF v",
                     2, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(car->customer, sizeof car->customer, "%s", PQgetvalue(rows, 0, 0));
    if (PQntuples(rows) != 1)
        why = "no such vehicle";
    else if (strcmp(PQgetvalue(rows, 0, 1), "active") != 0)
        why = "vehicle not active";
    else if (PQgetvalue(rows, 0, 2)[0] != 't')
        why = "not a certificate we know";
    else if (PQgetvalue(rows, 0, 3)[0] != 't')
        why = "certificate revoked";
    PQclear(rows);
    return why ? refuse(w, r, car, why, a, fault) : ST_OK;
}
