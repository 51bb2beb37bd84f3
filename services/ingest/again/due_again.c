/* services/ingest/again/due_again.c - one question, for all or for one. */
#include "due_again.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/text.h"
#include "services/ingest/facts/late.h"

enum status due_again_list(struct pg *db, const char *vin, const char *after, int64_t settle_ms,
                           struct due_again *due, size_t max, size_t *n, struct fault *fault)
{
    char settle[24], patience[24], most[24];
    const char *params[] = {settle, patience, most, vin, after};
    PGresult *rows = NULL;
    enum status st;

    (void)snprintf(settle, sizeof settle, "%lld", (long long)settle_ms);
    (void)snprintf(patience, sizeof patience, "%lld", (long long)late_defaults.patience_ms);
    (void)snprintf(most, sizeof most, "%zu", max);
    st = pg_run(db,
                "SELECT vin, late, waited, upto FROM (SELECT f.vin, f.late_from_ms > 0 AND "
                "(ms(now()) - ms(f.late_at) >= $1::bigint OR ms(now()) - ms(f.late_since) >= "
                "2 * $1::bigint) AS late, f.wait_ms > 0 AND "
                "(ms(now()) - ms(f.wait_since) >= $2::bigint OR NOT coalesce(w.gaps && "
                "int8range(f.passed_seq + 1, NULL), false)) AS waited, coalesce(w.upto, 0) AS upto "
                "FROM fact_state f LEFT JOIN watermark w ON w.site = '' AND w.vin = f.vin AND "
                "w.stream = f.stream WHERE (f.late_from_ms > 0 OR f.wait_ms > 0) AND "
                "f.vin = coalesce($4, f.vin) OFFSET 0) x WHERE (late OR waited) AND vin > $5 "
                "ORDER BY vin LIMIT $3::bigint", /* OFFSET: few are due, all are not sorted */
                5, params, &rows, fault);
    if (st != ST_OK)
        return st;
    *n = (size_t)PQntuples(rows);
    for (size_t i = 0; i < *n; i++) {
        due[i] = (struct due_again){.settle_ms = settle_ms};
        text_copy(due[i].vin, sizeof due[i].vin, PQgetvalue(rows, (int)i, 0));
        due[i].late = *PQgetvalue(rows, (int)i, 1) == 't';
        due[i].waited = *PQgetvalue(rows, (int)i, 2) == 't';
        due[i].passed_seq = strtoll(PQgetvalue(rows, (int)i, 3), NULL, 10);
    }
    PQclear(rows);
    return ST_OK;
}
