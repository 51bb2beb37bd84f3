/* services/api/audits.c - who did what and who looked at what, for whoever may ask. */
#include <string.h>

#include "handlers.h"
#include "page.h"
#include "tenant.h"

#define NUMBER_MOST "999999999999999999"

/* Absent is "". */
static const char *word(const struct request *r, const char *name)
{
    const char *value = request_arg(r, name);

    return value ? value : "";
}

enum status audit_list(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    const char *vin = word(r, "vin"), *user = word(r, "user"), *action = word(r, "action");
    struct page_span s = {.from = "0", .to = "253402300799000"};
    PGresult *rows = NULL;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_number(r, &p, NUMBER_MOST, a) != ST_OK ||
        ((request_arg(r, "from") || request_arg(r, "to")) &&
         page_span(r, INT64_C(31) * 24 * 3600 * 1000, &s, a) != ST_OK))
        return ST_NONE;
    if (*vin && !vin_is_valid(vin, strlen(vin)))
        answer_field(a, r, 422, "vin", "vin");
    else if (*user && !uuid_is_valid(user, strlen(user)))
        answer_field(a, r, 422, "user", "id");
    else if (strspn(action, "abcdefghijklmnopqrstuvwxyz_.") != strlen(action) ||
             strlen(action) > 64)
        answer_field(a, r, 422, "action", "unknown");
    if (a->code)
        return ST_NONE;
    const char *params[] = {p.cursor, p.ask, vin, user, action, s.from, s.to};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(
             w->pg,
             "SELECT json_strip_nulls(json_build_object('id', l.id, 'at', rfc3339(l.at),"
             " 'user_id', l.user_id, 'user', u.name, 'username', u.username,"
             " 'action', l.action, 'vin', l.vin, 'detail', l.detail, 'address',"
             " nullif(l.address, ''))), l.id FROM audit l LEFT JOIN app_user u ON u.id = l.user_id"
             " WHERE l.customer_id = tenant() AND l.id < $1::bigint AND ($3 = '' OR l.vin = $3)"
             " AND ($4 = '' OR l.user_id = nullif($4, '')::uuid) AND ($5 = '' OR l.action = $5)"
             " AND l.at >= to_timestamp($6::bigint / 1000.0)"
             " AND l.at < to_timestamp($7::bigint / 1000.0) ORDER BY l.id DESC LIMIT $2::bigint",
             7, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
