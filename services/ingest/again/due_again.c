/* services/ingest/again/due_again.c - one question, for all or for one. */
#include "due_again.h"

#include <stdio.h>

#include "lib/text.h"
#include "services/ingest/facts/late.h"

const struct due_again_settings due_again_defaults = {
    .fill_wait_ms = 1200000,
    .fill_late_ms = (int64_t)3 * 86400000,
};

/* Does the site have all that was stepped of x?  Of streams that were still told of a day before
 * the samples in question: what is older is not read. */
#define HAS(name)                                                                                  \
    "NOT EXISTS (SELECT FROM watermark w LEFT JOIN watermark h ON h.site = " name                  \
    " AND h.vin = w.vin AND h.stream = w.stream WHERE w.site = '' AND w.vin = x.vin AND "          \
    "ms(w.updated_at) > x.from_ms - 86400000 AND w.upto > 0 AND (h.upto IS NULL OR "               \
    "h.upto < w.upto OR (h.gaps - w.gaps) && int8range(1, w.upto + 1))) "

/* The names of all sites, each by one step in the index. */
#define SITES                                                                                      \
    "WITH RECURSIVE o (site) AS (SELECT min(site) FROM watermark WHERE site > '' UNION ALL "       \
    "SELECT (SELECT min(w.site) FROM watermark w WHERE w.site > o.site) FROM o "                   \
    "WHERE o.site IS NOT NULL) "

/* OFFSET: few are due, all are not sorted. */
#define SOME                                                                                       \
    "(SELECT * FROM (SELECT f.vin, "                                                               \
    "f.late_from_ms > 0 AND (ms(now()) - ms(f.late_at) >= $1::bigint OR "                          \
    "ms(now()) - ms(f.late_since) >= 2 * $1::bigint) AS late, "                                    \
    "f.wait_ms > 0 AND (ms(now()) - ms(f.wait_since) >= $2::bigint OR "                            \
    "NOT coalesce(w.gaps && int8range(f.passed_seq + 1, NULL), false)) AS waited, "                \
    "coalesce(w.upto, 0) AS upto, "                                                                \
    "coalesce(ms(now()) - ms(f.late_since) >= $8::bigint, true) AS late_long, "                    \
    "coalesce(ms(now()) - ms(f.wait_since) >= $7::bigint, true) AS waited_long, "                  \
    "least(f.t_ms, nullif(f.late_from_ms, 0)) AS from_ms "                                         \
    "FROM fact_state f LEFT JOIN watermark w ON w.site = '' AND w.vin = f.vin AND "                \
    "w.stream = f.stream WHERE (f.late_from_ms > 0 OR f.wait_ms > 0) AND "                         \
    "f.vin = coalesce($4, f.vin) OFFSET 0) y "                                                     \
    "WHERE (late OR waited) AND vin > $5 ORDER BY vin LIMIT $3::bigint) x "

/* clang-format off */
static const char list[] =
    SITES
    "SELECT x.vin, late, waited, upto, late_long, waited_long, "
    "EXISTS (SELECT FROM o JOIN watermark s ON s.site = o.site AND s.vin = x.vin "
    "WHERE o.site <> $6 AND ms(now()) - ms(s.updated_at) < $8::bigint) AS shared, "
    HAS("$6") "AS here, "
    "EXISTS (SELECT FROM o WHERE o.site <> $6 AND " HAS("o.site") ") AS elsewhere "
    "FROM " SOME "ORDER BY x.vin";
/* clang-format on */

enum { VIN, LATE, WAITED, UPTO, LATE_LONG, WAITED_LONG, SHARED, HERE, ELSEWHERE };

static bool is_true(const PGresult *rows, int row, int column)
{
    return *PQgetvalue(rows, row, column) == 't';
}

static void read_one(struct due_again *out, const PGresult *rows, int row)
{
    *out = (struct due_again){
        .late = is_true(rows, row, LATE),
        .waited = is_true(rows, row, WAITED),
        .passed_seq = pg_text_int8(rows, row, UPTO),
        .late_long = is_true(rows, row, LATE_LONG),
        .waited_long = is_true(rows, row, WAITED_LONG),
        .shared = is_true(rows, row, SHARED),
        .here = is_true(rows, row, HERE),
        .elsewhere = is_true(rows, row, ELSEWHERE),
    };
    text_copy(out->vin, sizeof out->vin, PQgetvalue(rows, row, VIN));
}

enum status due_again_list(struct pg *db, const struct due_again_settings *set, const char *vin,
                           const char *after, struct due_again *out, size_t max, size_t *n,
                           struct fault *fault)
{
    char settle[24], patience[24], most[24], fill_wait[24], fill_late[24];
    const char *params[] = {settle, patience, most, vin, after, set->site, fill_wait, fill_late};
    PGresult *rows = NULL;
    enum status st;

    (void)snprintf(settle, sizeof settle, "%lld", (long long)set->settle_ms);
    (void)snprintf(patience, sizeof patience, "%lld", (long long)late_defaults.patience_ms);
    (void)snprintf(most, sizeof most, "%zu", max);
    (void)snprintf(fill_wait, sizeof fill_wait, "%lld", (long long)set->fill_wait_ms);
    (void)snprintf(fill_late, sizeof fill_late, "%lld", (long long)set->fill_late_ms);
    if ((st = pg_run(db, list, 8, params, &rows, fault)) != ST_OK)
        return st;
    *n = (size_t)PQntuples(rows);
    for (size_t i = 0; i < *n; i++)
        read_one(&out[i], rows, (int)i);
    PQclear(rows);
    return ST_OK;
}

/* What no other site touched is here, whatever the marks of long ago say. */
bool due_again_lacks(const struct due_again *due)
{
    return due->shared && !due->here;
}

bool due_again_take(struct due_again *due)
{
    due->late &= !due->late_rests;
    due->waited &= !due->waited_rests;
    if (!due->late && !due->waited)
        return false;
    if (!due->owner)
        return due->stores && due->here && !due->elsewhere;
    if (!due_again_lacks(due))
        return true;
    due->late &= due->late_long;
    due->waited &= due->waited_long;
    return due->late || due->waited;
}

void due_again_choose(struct due_again *due, bool lost)
{
    due->lost = lost;
    due->late &= !lost && !due->waited;
}
