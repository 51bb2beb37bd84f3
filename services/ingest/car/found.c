/* services/ingest/car/found.c - lists that grow. */
#include "found.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/room.h"
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

void car_out_row(struct car_out *out, const struct segment *s)
{
    if (!room_grow((void **)&out->rows, sizeof *out->rows, out->rows_n + 1, &out->rows_room)) {
        out->failed = true;
        return;
    }
    out->rows[out->rows_n++] = *s;
}

void car_out_place(struct car_out *out, const struct found_place *place)
{
    if (!room_grow((void **)&out->places, sizeof *out->places, out->places_n + 1,
                   &out->places_room)) {
        out->failed = true;
        return;
    }
    out->places[out->places_n++] = *place;
}

struct found *car_out_add(struct car_out *out, unsigned parts, const char *type,
                          int64_t occurred_ms, int64_t told_ms)
{
    struct found *new;

    if (!room_grow((void **)&out->found, sizeof *out->found, out->found_n + 1, &out->found_room)) {
        out->failed = true;
        return NULL;
    }
    new = &out->found[out->found_n++];
    *new = (struct found){.parts = parts,
                          .occurred_ms = occurred_ms,
                          .told_ms = told_ms,
                          .lat = (double)NAN,
                          .lon = (double)NAN,
                          .data = "{}"};
    text_copy(new->type, sizeof new->type, type);
    return new;
}
