/* services/notify/fleet.c - identity comes from the database, movement from the broker. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "proto/json.h"

#define VEHICLES_MAX 200000

struct vehicle {
    struct live live;
    char customer[UUID_TEXT + 1]; /* "": not known yet */
    char *name, *plate;           /* as JSON strings, quotes included */
    uint64_t version;             /* of the last change */
    bool marked;
};

struct fleet {
    struct map *vehicles;
    uint64_t version;
};

static void vehicle_done(void *value)
{
    struct vehicle *v = value;

    free(v->name);
    free(v->plate);
}

enum status fleet_open(struct fleet **out, struct fault *fault)
{
    struct fleet *f = calloc(1, sizeof *f);
    enum status st;

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = map_open(&f->vehicles, sizeof(struct vehicle), VEHICLES_MAX, vehicle_done, fault)) != ST_OK) {
        free(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void fleet_close(struct fleet *f)
{
    if (!f)
        return;
    map_close(f->vehicles);
    free(f);
}

uint64_t fleet_version(const struct fleet *f)
{
    return f->version;
}

static char *json_string_of(const char *text)
{
    json_t *string = json_string(text);
    char *out = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    json_decref(string);
    return out;
}

static void change(struct fleet *f, struct vehicle *v)
{
    v->version = ++f->version;
}

static void replace(struct fleet *f, struct vehicle *v, char **held, const char *text)
{
    char *new = json_string_of(text);

    if (!new || (*held && strcmp(*held, new) == 0)) {
        free(new);
        return;
    }
    free(*held);
    *held = new;
    change(f, v);
}

void fleet_know(struct fleet *f, const struct vehicle_row *row)
{
    struct vehicle *v = map_put(f->vehicles, row->vin);

    if (!v)
        return;
    v->marked = true;
    if (strcmp(v->customer, row->customer) != 0) {
        text_copy(v->customer, sizeof v->customer, row->customer);
        change(f, v);
    }
    replace(f, v, &v->name, row->name);
    replace(f, v, &v->plate, row->plate);
    if (row->live.t_ms > v->live.t_ms || strcmp(v->live.connectivity, row->live.connectivity) != 0) {
        if (row->live.t_ms > v->live.t_ms || !v->live.vin[0])
            v->live = row->live;
        else /* freshness is the database's word, movement is not */
            text_copy(v->live.connectivity, sizeof v->live.connectivity, row->live.connectivity);
        change(f, v);
    }
}

static bool unmark(void *self, const char *key, void *value)
{
    (void)self;
    (void)key;
    ((struct vehicle *)value)->marked = false;
    return true;
}

static bool keep_marked(void *self, const char *key, void *value)
{
    const struct vehicle *v = value;

    (void)self;
    (void)key;
    return v->marked || !v->customer[0];
}

void fleet_forget_begin(struct fleet *f)
{
    map_each(f->vehicles, unmark, NULL);
}

void fleet_forget_end(struct fleet *f)
{
    map_each(f->vehicles, keep_marked, NULL);
}

bool fleet_take(struct fleet *f, const struct live *live)
{
    struct vehicle *v = map_put(f->vehicles, live->vin);

    if (!v || live->t_ms < v->live.t_ms)
        return false;
    v->live = *live;
    change(f, v);
    return true;
}

bool fleet_knows(struct fleet *f, const char *vin)
{
    const struct vehicle *v = map_get(f->vehicles, vin);

    return v && v->customer[0];
}

/* ---- filters */
static int compare_vins(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool filter_passes(const struct filter *filter, const char *vin, const struct live *live)
{
    if (!filter->all &&
        !(filter->vin_count && bsearch(vin, filter->vins, filter->vin_count, sizeof *filter->vins, compare_vins)))
        return false;
    if (!filter->has_box)
        return true;
    if (!live->has_position || live->lat < filter->south || live->lat > filter->north)
        return false;
    return filter->west <= filter->east ? live->lon >= filter->west && live->lon <= filter->east
                                        : live->lon >= filter->west || live->lon <= filter->east;
}

void filter_done(struct filter *filter)
{
    free(filter->vins);
    *filter = (struct filter){0};
}

/* ---- frames */
struct printing {
    struct text *out;
    const char *customer;
    const struct filter *filter;
    uint64_t since;
    bool full;
    int64_t now_ms;
    size_t count;
};

static void print_number(struct text *out, const char *key, double value)
{
    char number[32];

    json_print_double(number, value);
    text_print(out, ",\"%s\":%s", key, number);
}

static bool print_one(void *self, const char *vin, void *value)
{
    struct printing *p = self;
    const struct vehicle *v = value;
    const struct live *l = &v->live;

    if (v->version <= p->since || strcmp(v->customer, p->customer) != 0 || !filter_passes(p->filter, vin, l))
        return true;
    text_print(p->out, "%s{\"vin\":\"%s\"", p->count++ ? "," : "", vin);
    if (p->full)
        text_print(p->out, ",\"name\":%s,\"plate\":%s", v->name ? v->name : "\"\"", v->plate ? v->plate : "\"\"");
    if (l->t_ms)
        text_print(p->out, ",\"t\":%lld,\"age_ms\":%lld", (long long)l->t_ms,
                   (long long)(p->now_ms > l->t_ms ? p->now_ms - l->t_ms : 0));
    if (l->has_position) {
        print_number(p->out, "lat", l->lat);
        print_number(p->out, "lon", l->lon);
    }
    if (l->has_speed)
        print_number(p->out, "speed", l->speed_kmh);
    if (l->has_heading)
        print_number(p->out, "heading", l->heading_deg);
    if (l->has_ignition)
        text_print(p->out, ",\"ignition\":%s", l->ignition_on ? "true" : "false");
    text_print(p->out, ",\"connectivity\":\"%s\"}", l->connectivity[0] ? l->connectivity : "never");
    return true;
}

size_t fleet_print(struct fleet *f, struct text *out, const char *customer, const struct filter *filter,
                   uint64_t since, bool full, int64_t now_ms)
{
    struct printing p = {out, customer, filter, since, full, now_ms, 0};

    map_each(f->vehicles, print_one, &p);
    return p.count;
}
