/* services/api/loss.c - what was lost, doubled or late of one vehicle, site by site: the proof that
 * nothing is missing, for whoever asks.  Counted by ingest, by hour of arrival. */
#include "handlers.h"
#include "page.h"
#include "tenant.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

enum status loss_read(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    PGresult *rows = NULL;
    struct page_span s;
    enum status st;

    if (page_span(r, DAY_MS, &s, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {r->vin, s.from, s.to};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "WITH h AS (SELECT site, sum(records) AS records, sum(samples) AS samples,"
                     " sum(duplicates) AS duplicates, sum(skipped) AS skipped,"
                     " sum(recovered) AS recovered, sum(lost) AS lost,"
                     " (array_agg(missing ORDER BY hour DESC))[1] AS missing,"
                     " max(hour) AS hour, lag_sum(lag) AS lag FROM loss_hour WHERE vin = $1"
                     " AND hour > to_timestamp($2::bigint / 1000.0) - interval '1 h'"
                     " AND hour < to_timestamp($3::bigint / 1000.0) GROUP BY site)"
                     " SELECT json_strip_nulls(json_build_object('vin', $1::text,"
                     " 'from', rfc3339(to_timestamp($2::bigint / 1000.0)),"
                     " 'to', rfc3339(to_timestamp($3::bigint / 1000.0)), 'sites',"
                     " coalesce((SELECT json_agg(json_build_object('site', site,"
                     " 'records', records, 'samples', samples, 'duplicates', duplicates,"
                     " 'skipped', skipped, 'recovered', recovered, 'lost', lost,"
                     " 'missing', missing, 'newest_hour', rfc3339(hour), 'lag_s',"
                     " json_build_object('p50', lag_quantile(lag, 0.5),"
                     " 'p95', lag_quantile(lag, 0.95), 'p99', lag_quantile(lag, 0.99)))"
                     " ORDER BY site) FROM h), '[]')))",
                     3, params, &rows, fault)) != ST_OK)
        return st;
    text_print(&a->body, "%s", PQgetvalue(rows, 0, 0));
    answer_json(a, 200);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
