/* services/api/admin_dead_letters.c - records that could not be decoded or stored. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "proto/envelope.h"

enum status admin_dead_letter_list(struct admin *ad, struct fault *fault)
{
    const char *params[1];
    PGresult *rows = NULL;
    char limit[24];
    enum status st;

    if (ad->argc != 0 || ad->set->limit < 1)
        return fault_set(fault, ST_REJECT, "dead-letter list [--limit N]");
    snprintf(limit, sizeof limit, "%lld", (long long)ad->set->limit);
    params[0] = limit;
    st = pg_run(
        ad->pg,
        "SELECT id, site, vin, kind, stream, seq, reason, detail, octet_length(payload) AS bytes,"
        " to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS "
        "received_at"
        " FROM dead_letter ORDER BY dead_letter.received_at DESC LIMIT $1::bigint",
        1, params, &rows, fault);
    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}

/* The payload as text where it is text, else in hex: it is whatever a car sent. */
enum status admin_dead_letter_show(struct admin *ad, struct fault *fault)
{
    const char *params[] = {ad->argc == 1 ? ad->argv[0] : ""};
    PGresult *rows = NULL;
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "dead-letter show ID");
    if (!uuid_is_valid(ad->argv[0], strlen(ad->argv[0])))
        return fault_set(fault, ST_REJECT,
                         "%.40s is no id: it is a UUID, as dead-letter list shows it", ad->argv[0]);
    st = pg_run(ad->pg,
                "SELECT id, site, vin, kind, stream, seq, reason, detail,"
                " to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS "
                "received_at,"
                " encode(payload, 'escape') AS payload FROM dead_letter WHERE id = $1::uuid",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) != 1)
        st = fault_set(fault, ST_REJECT, "there is no dead letter %s", ad->argv[0]);
    else if (ad->set->json)
        admin_print_rows(ad, rows);
    else
        for (int c = 0; c < PQnfields(rows); c++)
            text_print(&ad->out, "%-12s %s\n", PQfname(rows, c), PQgetvalue(rows, 0, c));
    PQclear(rows);
    return st;
}
