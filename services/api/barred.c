/* services/api/barred.c - rows into the file that guard reads. */
#include "barred.h"

#include <stdlib.h>

#include "pki_files.h"

enum status barred_lock(struct pg *pg, struct fault *fault)
{
    return pg_run(pg, "SELECT pg_advisory_xact_lock(hashtext('vigie deny list'))", 0, NULL, NULL,
                  fault);
}

static enum status deny(const PGresult *rows, const char *pki_dir, struct fault *fault)
{
    size_t n = (size_t)PQntuples(rows);
    const char **vins = n ? calloc(n, sizeof *vins) : NULL;
    enum status st;

    if (n == 0)
        return ST_OK;
    if (!vins)
        return fault_set(fault, ST_RETRY, "out of memory for %zu vehicles", n);
    for (size_t i = 0; i < n; i++)
        vins[i] = PQgetvalue(rows, (int)i, 0);
    st = pki_files_deny(pki_dir, vins, n, fault);
    free(vins);
    return st;
}

enum status barred_write(struct pg *pg, const char *pki_dir, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    if ((st = barred_lock(pg, fault)) != ST_OK ||
        (st = pg_run(pg,
                     "SELECT vin FROM vehicle WHERE status IN ('revoked', 'retired') ORDER BY vin",
                     0, NULL, &rows, fault)) != ST_OK)
        return st;
    st = deny(rows, pki_dir, fault);
    PQclear(rows);
    if (st != ST_OK)
        return st;
    return pg_run(pg, /* locked in the order in which ingest locks them */
                  "UPDATE vehicle_state s SET presence = 'offline' FROM (SELECT b.vin FROM "
                  "vehicle_state b JOIN vehicle v ON v.vin = b.vin WHERE v.status IN ('revoked', "
                  "'retired') AND b.presence <> 'offline' ORDER BY b.vin FOR NO KEY UPDATE OF b) l "
                  "WHERE s.vin = l.vin",
                  0, NULL, NULL, fault);
}
