/* services/ingest/car.c - one sight for all who look. */
#include "car.h"

#include <stdlib.h>
#include <string.h>

#define LAYOUT 1 /* raise it when the meaning of a member changes and its size does not */
#define SHOW_MS 30000
#define SHOW_WALL_MS 10000

void car_out_clear(struct car_out *out)
{
    out->rows_n = out->found_n = 0;
    out->failed = false;
}

void car_out_done(struct car_out *out)
{
    free(out->rows);
    free(out->found);
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

static void add_row(struct car_out *out, const struct segment *s)
{
    struct segment *rows = room_for(out->rows, sizeof *rows, out->rows_n, &out->rows_room);

    if (!rows) {
        out->failed = true;
        return;
    }
    out->rows = rows;
    rows[out->rows_n++] = *s;
}

int64_t car_layout(void)
{
    const size_t sizes[] = {sizeof(struct car),      sizeof(struct sight),   sizeof(struct trip),
                            sizeof(struct odometer), sizeof(struct segment), sizeof(void *)};
    const uint16_t order = 1;
    uint64_t hash = LAYOUT;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        hash = hash * 1000003 + sizes[i];
    return (int64_t)(hash * 2 + *(const unsigned char *)&order) & INT64_MAX;
}

int64_t car_t_ms(const struct car *c)
{
    return c->sight.t_ms;
}

/* How far since the last step; the meter begins anew after a hole. */
static double way(struct car *c)
{
    double before_m = c->metered_m;

    c->metered_m = c->trip.metered_m;
    return c->metered_m >= before_m ? c->metered_m - before_m : c->metered_m;
}

void car_step(struct car *c, const struct car_settings *set, const struct moment *m,
              struct car_out *out)
{
    struct segment rows[TRIP_OUT_MAX];
    enum level_fact level;
    struct seen seen;
    size_t n;

    if (!sight_step(&c->sight, &sight_defaults, m, &seen))
        return;
    n = trip_step(&c->trip, &set->trip, &seen, m, rows, &level);
    for (size_t i = 0; i < n; i++)
        add_row(out, &rows[i]);
    (void)odometer_step(&c->odometer, &odometer_defaults, m, &seen, way(c));
}

bool car_shows(struct car *c, int64_t now_ms)
{
    const struct trip *t = &c->trip;
    bool other = t->now.start_ms != c->shown_start_ms || (int32_t)t->now.kind != c->shown_kind ||
                 t->held_n != c->shown_held;
    bool old = t->t_ms - c->shown_ms >= SHOW_MS && now_ms - c->shown_wall_ms >= SHOW_WALL_MS;

    if (t->phase == TRIP_NOTHING || (!other && !old))
        return false;
    c->shown_ms = t->t_ms;
    c->shown_wall_ms = now_ms;
    c->shown_start_ms = t->now.start_ms;
    c->shown_kind = (int32_t)t->now.kind;
    c->shown_held = t->held_n;
    return true;
}
