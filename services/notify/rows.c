/* services/notify/rows.c - one statement, for all or for some. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

bool vins_add(struct vins *v, const char *vin)
{
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->list[i], vin))
            return true;
    if (v->n == VINS_MAX || !vin_is_valid(vin, strlen(vin)))
        return false;
    memcpy(v->list[v->n++], vin, VIN_LEN + 1);
    return true;
}

static bool read_double(const PGresult *rows, int row, int column, double *out)
{
    if (PQgetisnull(rows, row, column))
        return false;
    *out = strtod(PQgetvalue(rows, row, column), NULL);
    return true;
}

static void read_row(struct vehicle_row *v, const PGresult *rows, int row)
{
    struct live *l = &v->live;
    bool position;

    text_copy(v->vin, sizeof v->vin, PQgetvalue(rows, row, 0));
    text_copy(v->customer, sizeof v->customer, PQgetvalue(rows, row, 1));
    text_copy(v->name, sizeof v->name, PQgetvalue(rows, row, 2));
    text_copy(v->plate, sizeof v->plate, PQgetvalue(rows, row, 3));
    memcpy(l->vin, v->vin, sizeof l->vin);
    l->t_ms = strtoll(PQgetvalue(rows, row, 4), NULL, 10); /* NULL reads as "" */
    position = read_double(rows, row, 5, &l->lat);
    l->has_position = read_double(rows, row, 6, &l->lon) && position;
    l->has_speed = read_double(rows, row, 7, &l->speed_kmh);
    l->has_heading = read_double(rows, row, 8, &l->heading_deg);
    l->has_ignition = !PQgetisnull(rows, row, 9);
    l->ignition_on = l->has_ignition && PQgetvalue(rows, row, 9)[0] == 't';
    text_copy(l->connectivity, sizeof l->connectivity, PQgetvalue(rows, row, 10));
    v->private_since_ms = strtoll(PQgetvalue(rows, row, 11), NULL, 10);
}

/* "{VIN,VIN}": a VIN needs no quotes. */
static void print_vins(struct text *out, const struct vins *v)
{
    for (size_t i = 0; i < v->n; i++)
        text_print(out, "%c%s", i ? ',' : '{', v->list[i]);
    text_print(out, v->n ? "}" : "{}");
}

enum status rows_read(struct pg *db, const struct vins *only, struct vehicle_row **out, size_t *n,
                      struct fault *fault)
{
    struct text list;
    const char *params[] = {NULL};
    struct vehicle_row *items;
    PGresult *rows = NULL;
    enum status st;

    text_init(&list);
    if (only) {
        print_vins(&list, only);
        params[0] = list.bytes;
    }
    st = list.failed ? fault_set(fault, ST_RETRY, "out of memory for a list of vehicles")
                     : pg_run(db,
                              "SELECT v.vin, v.customer_id, v.name, v.plate, s.t_ms, "
                              "CASE WHEN place_shown(s) THEN s.lat END, "
                              "CASE WHEN place_shown(s) THEN s.lon END, s.speed_kmh, "
                              "CASE WHEN place_shown(s) THEN s.heading_deg END, s.ignition_on, "
                              "CASE WHEN s.vin IS NULL THEN 'never' ELSE connectivity(s, now()) "
                              "END, s.private_since FROM vehicle v LEFT JOIN vehicle_state s USING "
                              "(vin) WHERE v.status <> 'retired' AND ($1::text[] IS NULL OR v.vin "
                              "= ANY ($1))",
                              1, params, &rows, fault);
    text_done(&list);
    if (st != ST_OK)
        return st;
    *n = (size_t)PQntuples(rows);
    items = calloc(*n ? *n : 1, sizeof *items);
    for (size_t i = 0; items && i < *n; i++)
        read_row(&items[i], rows, (int)i);
    PQclear(rows);
    if (!items)
        return fault_set(fault, ST_RETRY, "out of memory for %zu vehicles", *n);
    *out = items;
    return ST_OK;
}
