/* services/ingest/car/found.c - lists that grow. */
#include "found.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

void car_out_clear(struct car_out *out)
{
    out->rows_n = out->found_n = out->places_n = 0;
    out->failed = false;
}

void car_out_done(struct car_out *out)
{
    free(out->rows);
    free(out->found);
    free(out->places);
    *out = (struct car_out){0};
}

static void *room_for(void *items, size_t size, size_t n, size_t *room)
{
    size_t wanted = *room ? 2 * *room : 16;
    void *more;

    if (n < *room)
        return items;
    more = realloc(items, wanted * size);
    if (more)
        *room = wanted;
    return more;
}

void car_out_row(struct car_out *out, const struct segment *s)
{
    struct segment *rows = room_for(out->rows, sizeof *rows, out->rows_n, &out->rows_room);

    if (!rows) {
        out->failed = true;
        return;
    }
    out->rows = rows;
    rows[out->rows_n++] = *s;
}

void car_out_place(struct car_out *out, const struct found_place *place)
{
    struct found_place *places =
        room_for(out->places, sizeof *places, out->places_n, &out->places_room);

    if (!places) {
        out->failed = true;
        return;
    }
    out->places = places;
    places[out->places_n++] = *place;
}

struct found *car_out_add(struct car_out *out, unsigned parts, const char *type,
                          int64_t occurred_ms, int64_t told_ms)
{
    struct found *found = room_for(out->found, sizeof *found, out->found_n, &out->found_room), *new;

    if (!found) {
        out->failed = true;
        return NULL;
    }
    out->found = found;
    new = &found[out->found_n++];
    *new = (struct found){.parts = parts,
                          .occurred_ms = occurred_ms,
                          .told_ms = told_ms,
                          .lat = (double)NAN,
                          .lon = (double)NAN,
                          .data = "{}"};
    text_copy(new->type, sizeof new->type, type);
    return new;
}
