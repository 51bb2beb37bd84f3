/* services/notify/fleet.c - identity comes from the database, movement from the broker. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "proto/json.h"

#define VEHICLES_MAX 200000
#define LIVE_RULES_MS 10000 /* this long a message's word is fresher than the database's */

struct link {
    struct link *newer, *older;
};

struct vehicle {
    struct link link; /* first; in fleet.changes once it has a version */
    struct live live;
    int64_t heard_ms;             /* when the last message came; 0: none did */
    int64_t private_since_ms;     /* 0: not in private mode */
    bool place_forgotten;         /* since it was private no message brought a new one */
    uint64_t hidden;              /* version at which its place was taken away; 0: it was not */
    char customer[UUID_TEXT + 1]; /* "": not known yet */
    char *name, *plate;           /* as JSON strings, quotes included */
    uint64_t version;             /* of the last change */
    bool marked;
};

/* `changes` is a ring through all vehicles by version: a frame costs what changed, not what there
 * is. */
struct fleet {
    struct map *vehicles;  /* VIN -> struct vehicle */
    struct map *customers; /* id -> uint64_t, see fleet_identity */
    struct link changes;   /* older: the newest change; newer: the oldest */
    uint64_t version;
};

static void unlink_vehicle(struct vehicle *v)
{
    if (!v->link.newer)
        return;
    v->link.newer->older = v->link.older;
    v->link.older->newer = v->link.newer;
}

static void vehicle_done(void *value)
{
    struct vehicle *v = value;

    unlink_vehicle(v);
    free(v->name);
    free(v->plate);
}

enum status fleet_open(struct fleet **out, struct fault *fault)
{
    struct fleet *f = calloc(1, sizeof *f);
    enum status st;

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    f->changes.newer = f->changes.older = &f->changes;
    if ((st = map_open(&f->vehicles, sizeof(struct vehicle), VEHICLES_MAX, vehicle_done, fault)) !=
            ST_OK ||
        (st = map_open(&f->customers, sizeof(uint64_t), VEHICLES_MAX, NULL, fault)) != ST_OK) {
        fleet_close(f);
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
    map_close(f->customers);
    free(f);
}

uint64_t fleet_version(const struct fleet *f)
{
    return f->version;
}

uint64_t fleet_identity(struct fleet *f, const char *customer)
{
    const uint64_t *version = map_get(f->customers, customer);

    return version ? *version : 0;
}

static void change(struct fleet *f, struct vehicle *v)
{
    unlink_vehicle(v);
    v->version = ++f->version;
    v->link.newer = &f->changes;
    v->link.older = f->changes.older;
    f->changes.older->newer = &v->link;
    f->changes.older = &v->link;
}

static void change_identity(struct fleet *f, const char *customer)
{
    uint64_t *version = customer[0] ? map_put(f->customers, customer) : NULL;

    if (version)
        *version = ++f->version;
}

/* ---- from the database */
static char *json_string_of(const char *text)
{
    json_t *string = json_string(text);
    char *out = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    json_decref(string);
    return out;
}

static bool replace(char **held, const char *text)
{
    char *new = json_string_of(text);

    if (!new || (*held && strcmp(*held, new) == 0)) {
        free(new);
        return false;
    }
    free(*held);
    *held = new;
    return true;
}

static bool identify(struct fleet *f, struct vehicle *v, const struct vehicle_row *row)
{
    bool moved = strcmp(v->customer, row->customer) != 0;
    bool renamed = replace(&v->name, row->name);

    renamed = replace(&v->plate, row->plate) || renamed;
    if (moved) {
        change_identity(f, v->customer); /* its former owner's view loses it */
        text_copy(v->customer, sizeof v->customer, row->customer);
    }
    if (moved || renamed)
        change_identity(f, v->customer);
    return moved || renamed;
}

/* The values of `from` into `to`: all, or only those `to` has not. */
static bool merge(struct live *to, const struct live *from, bool all)
{
    bool position = from->has_position && (all || !to->has_position);
    bool speed = from->has_speed && (all || !to->has_speed);
    bool heading = from->has_heading && (all || !to->has_heading);
    bool ignition = from->has_ignition && (all || !to->has_ignition);

    if (position) {
        to->has_position = true;
        to->lat = from->lat;
        to->lon = from->lon;
    }
    if (speed) {
        to->has_speed = true;
        to->speed_kmh = from->speed_kmh;
    }
    if (heading) {
        to->has_heading = true;
        to->heading_deg = from->heading_deg;
    }
    if (ignition) {
        to->has_ignition = true;
        to->ignition_on = from->ignition_on;
    }
    return position || speed || heading || ignition;
}

static void forget_place(struct live *live)
{
    live->has_position = live->has_heading = false;
    live->lat = live->lon = live->heading_deg = 0;
}

/* Private mode as the database tells it: is it news? */
static bool set_private(struct vehicle *v, int64_t since_ms)
{
    bool news = v->private_since_ms != since_ms;

    v->private_since_ms = since_ms;
    if (since_ms) {
        v->place_forgotten = true;
        forget_place(&v->live);
    }
    return news;
}

void fleet_know(struct fleet *f, const struct vehicle_row *row, int64_t now_ms)
{
    struct vehicle *v = map_put(f->vehicles, row->vin);
    struct live told = row->live;
    const struct live *l = &told;
    bool news, newer, stored, placed;

    if (!v)
        return;
    v->marked = true;
    memcpy(v->live.vin, row->vin, sizeof v->live.vin);
    newer = l->t_ms > v->live.t_ms;
    stored = l->t_ms >= v->live.t_ms;
    placed = v->live.has_position;
    news = set_private(v, row->private_since_ms);
    placed = placed && !v->live.has_position;
    if (v->place_forgotten)
        forget_place(&told);
    news = identify(f, v, row) || news;
    news = merge(&v->live, l, newer) || newer || news;
    if (newer)
        v->live.t_ms = l->t_ms;
    if ((stored || !v->heard_ms || now_ms - v->heard_ms >= LIVE_RULES_MS) &&
        strcmp(v->live.connectivity, l->connectivity) != 0) {
        memcpy(v->live.connectivity, l->connectivity, sizeof v->live.connectivity);
        news = true;
    }
    if (news)
        change(f, v);
    if (placed)
        v->hidden = v->version;
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

    (void)key;
    if (v->marked || !v->customer[0])
        return true;
    change_identity(self, v->customer);
    return false;
}

void fleet_forget_begin(struct fleet *f)
{
    map_each(f->vehicles, unmark, NULL);
}

void fleet_forget_end(struct fleet *f)
{
    map_each(f->vehicles, keep_marked, f);
}

/* ---- from the broker */
bool fleet_take(struct fleet *f, const struct live *live, int64_t now_ms)
{
    struct vehicle *v = map_put(f->vehicles, live->vin);
    struct live told = *live;

    if (!v || live->t_ms < v->live.t_ms)
        return false;
    memcpy(v->live.vin, live->vin, sizeof v->live.vin);
    memcpy(v->live.connectivity, live->connectivity, sizeof v->live.connectivity);
    if (v->private_since_ms)
        forget_place(&told); /* measured before it, or the database has not heard of its end */
    else if (told.has_position)
        v->place_forgotten = false;
    if (merge(&v->live, &told, true))
        v->live.t_ms = live->t_ms; /* else its time is no sample's */
    v->heard_ms = now_ms;
    change(f, v);
    return true;
}

bool fleet_has(struct fleet *f, const char *vin)
{
    return map_get(f->vehicles, vin) != NULL;
}

bool fleet_may_see(const struct fleet *f, const char *customer, const char *vin)
{
    const struct vehicle *v = map_get(f->vehicles, vin);

    return !v || !v->customer[0] || strcmp(v->customer, customer) == 0;
}

/* ---- filters */
static int compare_vins(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool filter_names(const struct filter *filter, const char *vin)
{
    return filter->all || (filter->vin_count && bsearch(vin, filter->vins, filter->vin_count,
                                                        sizeof *filter->vins, compare_vins));
}

bool filter_passes(const struct filter *filter, const char *vin, const struct live *live)
{
    if (!filter_names(filter, vin))
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

/* ---- objects */
static void print_number(struct text *out, const char *key, double value)
{
    char number[32];

    json_print_double(number, value);
    text_print(out, ",\"%s\":%s", key, number);
}

static void print_vehicle(struct text *out, const struct vehicle *v, bool full, int64_t wall_ms)
{
    const struct live *l = &v->live;

    text_print(out, "{\"vin\":\"%s\"", l->vin);
    if (full)
        text_print(out, ",\"name\":%s,\"plate\":%s", v->name ? v->name : "\"\"",
                   v->plate ? v->plate : "\"\"");
    if (l->t_ms)
        text_print(out, ",\"t\":%lld,\"age_ms\":%lld", (long long)l->t_ms,
                   (long long)(wall_ms > l->t_ms ? wall_ms - l->t_ms : 0));
    if (l->has_position) {
        print_number(out, "lat", l->lat);
        print_number(out, "lon", l->lon);
    }
    if (l->has_speed)
        print_number(out, "speed", l->speed_kmh);
    if (l->has_heading)
        print_number(out, "heading", l->heading_deg);
    if (l->has_ignition)
        text_print(out, ",\"ignition\":%s", l->ignition_on ? "true" : "false");
    if (v->private_since_ms)
        text_print(out, ",\"private_since\":%lld", (long long)v->private_since_ms);
    text_print(out, ",\"connectivity\":\"%s\"}", l->connectivity[0] ? l->connectivity : "never");
}

/* One whose place was taken away is in no box any more, and whoever still shows it has to hear so.
 */
static bool concerns(const struct vehicle *v, const struct filter *filter, uint64_t since)
{
    return filter_passes(filter, v->live.vin, &v->live) ||
           (since > 0 && v->hidden > since && filter_names(filter, v->live.vin));
}

size_t fleet_print(const struct fleet *f, struct text *out, const char *customer,
                   const struct filter *filter, uint64_t since, bool full, int64_t wall_ms)
{
    size_t count = 0;

    if (!customer[0])
        return 0; /* "" is what vehicles are of whom nobody told us yet */
    for (const struct link *at = f->changes.older; at != &f->changes; at = at->older) {
        const struct vehicle *v = (const struct vehicle *)at;

        if (v->version <= since)
            break;
        if (strcmp(v->customer, customer) != 0 || !concerns(v, filter, since))
            continue;
        if (count++)
            text_add(out, ",", 1);
        print_vehicle(out, v, full, wall_ms);
    }
    return count;
}
