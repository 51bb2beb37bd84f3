/* services/ingest/commit/messages.c */
#include "messages.h"

#include <string.h>

void messages_begin(struct columns *c)
{
    static const Oid types[] = {PG_UUID, PG_TEXT, PG_INT2, PG_INT8, PG_TEXT};

    columns_begin(c, 5, types);
}

void messages_add(struct columns *c, const struct message *m)
{
    pg_array_uuid(&c->column[0], m->alert);
    pg_array_text(&c->column[1], m->transition, strlen(m->transition));
    pg_array_int2(&c->column[2], m->late);
    pg_array_int8(&c->column[3], m->opening);
    pg_array_text(&c->column[4], m->severity, strlen(m->severity));
}

enum status messages_write(struct columns *c, struct pg *db, struct fault *fault)
{
    return columns_queue(
        c, db, 5,
        "INSERT INTO notification (id, alert_id, opening, transition, recipient_id, channel, "
        "severity, late, state, reason) "
        "SELECT gen_random_uuid(), a.id, m.o, m.t, r.id, r.channel, m.s, m.l <> 0, "
        "CASE WHEN v.muted_until > now() THEN 'suppressed' ELSE 'queued' END, "
        "CASE WHEN v.muted_until > now() THEN 'muted' ELSE '' END "
        "FROM unnest($1, $2, $3, $4, $5) AS m (i, t, l, o, s) JOIN alert a ON a.id = m.i "
        "JOIN vehicle v ON v.vin = a.vin JOIN recipient r ON r.customer_id = v.customer_id "
        "WHERE NOT r.disabled AND severity_rank(r.min_severity) <= severity_rank(m.s) "
        "AND (r.types IS NULL OR a.type = ANY (r.types)) AND (r.vins IS NULL OR a.vin = ANY "
        "(r.vins)) AND (m.t <> 'cleared' OR EXISTS (SELECT FROM notification n WHERE n.alert_id = "
        "a.id AND n.opening = m.o AND n.recipient_id = r.id AND n.transition = 'opened' "
        "AND n.state <> 'suppressed')) ON CONFLICT DO NOTHING",
        NULL, fault);
}
