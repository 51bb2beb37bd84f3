/* services/ingest/commit/garage.c - a small copy of rows of `vehicle`, made anew every few seconds.
 */
#include "garage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "customers.h"
#include "lib/map.h"
#include "lib/room.h"
#include "lib/text.h"
#include "proto/hash.h"
#include "proto/vin.h"
#include "services/ingest/facts/late.h"
#include "services/ingest/record/meters.h"
#include "walls.h"

#define VEHICLES_MAX 200000
#define FRESH_MS 5000
#define HIGH_SHARE 0.75 /* of the redline */
#define FORGET_MS 5000  /* it would be asked again anyway */

struct vehicle {
    int64_t read_ms; /* 0: never, or gone */
    int64_t asked_ms;
    double displacement_l, tank_l, co2_kg_l;
    enum fuel_kind fuel;
    const struct harsh_settings *harsh; /* of its class */
    int nominal_v;
    bool detects; /* we do, the car does not */
    double limit_kmh, redline_rpm;
    struct customer *customer;
    const struct wall *wall;
    char group[RULE_GROUP_MAX + 1];
    uint64_t stamp[JUDGED_KINDS]; /* of what it is judged by */
    int64_t stamped_ms;           /* the customer's asked_ms when that was made; 0: it was not */
};

struct garage {
    struct pg *db;
    struct map *vehicles; /* VIN -> struct vehicle */
    struct columns c;
    PGresult *rows; /* of those asked for, until they are taken */
    int64_t swept_ms;
    struct customers *customers;
    struct walls *walls;
    const struct fence **fences; /* of the vehicle asked for last */
    const struct rule_entry **rules;
    size_t fences_room, rules_room;
};

enum status garage_open(struct garage **out, struct pg *db, struct fault *fault)
{
    struct garage *g = calloc(1, sizeof *g);
    enum status st;

    if (!g)
        return fault_set(fault, ST_FATAL, "out of memory");
    g->db = db;
    if ((st = map_open(&g->vehicles, sizeof(struct vehicle), VEHICLES_MAX, NULL, fault)) != ST_OK) {
        free(g);
        return st;
    }
    if ((st = customers_open(&g->customers, db, fault)) != ST_OK ||
        (st = walls_open(&g->walls, db, fault)) != ST_OK) {
        garage_close(g);
        return st;
    }
    *out = g;
    return ST_OK;
}

void garage_close(struct garage *g)
{
    if (!g)
        return;
    columns_done(&g->c);
    PQclear(g->rows);
    map_close(g->vehicles);
    customers_close(g->customers);
    walls_close(g->walls);
    free(g->fences);
    free(g->rules);
    free(g);
}

static bool is_wanted(void *self, const char *vin, void *value)
{
    const int64_t *now_ms = self;
    const struct vehicle *v = value;

    (void)vin;
    return *now_ms - v->asked_ms < FORGET_MS;
}

static const struct harsh_settings *harsh_of(const char *class)
{
    if (!strcmp(class, "heavy"))
        return &harsh_heavy;
    return !strcmp(class, "van") ? &harsh_van : &harsh_car;
}

static enum status take_row(struct garage *g, const PGresult *rows, int row, int64_t now_ms,
                            struct fault *fault)
{
    struct vehicle *v = map_get(g->vehicles, PQgetvalue(rows, row, 0));
    const char *zone;
    enum status st;

    if (!v)
        return ST_OK;
    st = customers_fetch(g->customers, PQgetvalue(rows, row, 10), now_ms, &v->customer, fault);
    if (st != ST_OK)
        return st;
    zone = PQgetisnull(rows, row, 12) ? v->customer->zone : PQgetvalue(rows, row, 12);
    st = walls_fetch(g->walls, zone, now_ms, &v->wall, fault);
    if (st != ST_OK)
        return st;
    v->read_ms = now_ms;
    v->stamped_ms = 0;
    v->limit_kmh = pg_text_float8(rows, row, 8);
    v->redline_rpm = pg_text_float8(rows, row, 11);
    text_copy(v->group, sizeof v->group, PQgetvalue(rows, row, 9));
    v->fuel = fuel_kind_of(PQgetvalue(rows, row, 1));
    v->displacement_l = pg_text_float8(rows, row, 2);
    v->tank_l = pg_text_float8(rows, row, 3);
    v->co2_kg_l = pg_text_float8(rows, row, 4);
    v->detects = !strcmp(PQgetvalue(rows, row, 5), "ingest");
    v->harsh = harsh_of(PQgetvalue(rows, row, 6));
    v->nominal_v = (int)strtol(PQgetvalue(rows, row, 7), NULL, 10);
    return ST_OK;
}

enum status garage_ask(struct garage *g, const char *const *vins, size_t n, int64_t now_ms,
                       struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};

    PQclear(g->rows);
    g->rows = NULL;
    if (now_ms - g->swept_ms > FORGET_MS) {
        map_each(g->vehicles, is_wanted, &now_ms);
        g->swept_ms = now_ms;
    }
    columns_begin(&g->c, 1, types);
    for (size_t i = 0; i < n; i++) {
        struct vehicle *v = map_put(g->vehicles, vins[i]);

        if (!v)
            return fault_set(fault, ST_RETRY, "out of memory for a vehicle");
        v->asked_ms = now_ms;
        if (now_ms - v->read_ms < FRESH_MS)
            continue;
        v->read_ms = 0;
        pg_array_text(&g->c.column[0], vins[i], VIN_LEN);
    }
    return columns_queue(&g->c, g->db, 1,
                         "SELECT v.vin, v.fuel, v.displacement_l, v.tank_l, v.co2_kg_l, v.detects, "
                         "v.class, v.nominal_v, v.speed_limit_kmh, v.group_name, v.customer_id, "
                         "v.redline_rpm, v.timezone "
                         "FROM vehicle v WHERE v.vin = ANY ($1)",
                         &g->rows, fault);
}

enum status garage_take(struct garage *g, int64_t now_ms, struct fault *fault)
{
    PGresult *rows = g->rows;
    enum status st = ST_OK;

    g->rows = NULL;
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        st = take_row(g, rows, i, now_ms, fault);
    PQclear(rows);
    return st;
}

enum status garage_fetch(struct garage *g, const char *const *vins, size_t n, int64_t now_ms,
                         struct fault *fault)
{
    enum status st = garage_ask(g, vins, n, now_ms, fault);

    if (st != ST_OK || (st = pg_settle(g->db, fault)) != ST_OK)
        return st;
    return garage_take(g, now_ms, fault);
}

void garage_forget(struct garage *g, const char *vin)
{
    struct vehicle *v = map_get(g->vehicles, vin);

    if (!v || v->read_ms == 0)
        return;
    v->read_ms = 0;
    v->customer->asked_ms = 0;
}

static uint64_t mix(uint64_t stamp, const void *bytes, size_t n)
{
    return hash_bytes(stamp, bytes, n);
}

static uint64_t mix_version(uint64_t stamp, const unsigned char key[16], int64_t version)
{
    return mix(mix(stamp, key, 16), &version, sizeof version);
}

/* What is found by them: the zones, the limits, the rules and where they hold, who detects. */
static void make_stamps(struct vehicle *v, const struct car_settings *set)
{
    int64_t detects[] = {v->detects, v->harsh == &harsh_heavy ? 2 : v->harsh == &harsh_van,
                         v->nominal_v};
    uint64_t zones = 0, rules = 0, limits = mix(0, &set->limits, sizeof set->limits);

    for (size_t i = 0; i < set->fences.n; i++) {
        const struct fence *f = set->fences.all[i];

        zones = mix_version(zones, f->key, f->version);
        if (isfinite(f->limit_kmh))
            limits = mix_version(limits, f->key, f->version);
    }
    for (size_t i = 0; i < set->rules.n; i++) {
        const struct rule_entry *r = set->rules.all[i];

        rules = mix_version(rules, r->key, r->version);
        if (r->rule.place != RULE_ANYWHERE)
            rules = mix(rules, &zones, sizeof zones);
    }
    v->stamp[JUDGED_ZONES] = zones | 1;
    v->stamp[JUDGED_LIMITS] = limits | 1;
    v->stamp[JUDGED_RULES] = rules | 1;
    v->stamp[JUDGED_DETECTS] = mix(0, detects, sizeof detects) | 1;
}

/* A customer may have a thousand zones: they are gone through when they or the vehicle were read
 * again, not in each group. */
static void stamp(struct vehicle *v, struct car_settings *out)
{
    if (v->stamped_ms != v->customer->asked_ms)
        make_stamps(v, out);
    v->stamped_ms = v->customer->asked_ms;
    memcpy(out->stamp, v->stamp, sizeof out->stamp);
}

/* Those of the customer's that are about this vehicle. */
static void choose(struct garage *g, const char *vin, const struct vehicle *v,
                   struct car_settings *out)
{
    const struct customer *c = v->customer;
    size_t fences = 0, rules = 0;

    if (room_grow((void **)&g->fences, sizeof *g->fences, c->fences_n, &g->fences_room))
        for (size_t i = 0; i < c->fences_n; i++)
            if (!c->fence_groups[i][0] || !strcmp(c->fence_groups[i], v->group))
                g->fences[fences++] = &c->fences[i];
    out->fences = (struct fence_list){g->fences, fences,
                                      fences ? mix(c->stamp, v->group, strlen(v->group)) : 0};
    if (room_grow((void **)&g->rules, sizeof *g->rules, c->rules_n, &g->rules_room))
        for (size_t i = 0; i < c->rules_n; i++)
            if (rule_covers(&c->rules[i].rule, c->id, v->group, vin) &&
                rule_has_place(&c->rules[i], &out->fences))
                g->rules[rules++] = &c->rules[i];
    if (rules > RULES_MAX) { /* what the interface refuses came another way */
        metric_add(meters.rules_ignored, NULL, (double)(rules - RULES_MAX));
        rules = RULES_MAX;
    }
    out->rules = (struct rule_list){g->rules, rules};
    out->limits = (struct limits_settings){v->limit_kmh, c->limit_kmh};
    out->wall = v->wall;
}

static double redline(const struct vehicle *v)
{
    if (v->redline_rpm > 0)
        return v->redline_rpm;
    return v->fuel == FUEL_DIESEL ? 4500 : 6000;
}

bool garage_settings(struct garage *g, const char *vin, struct car_settings *out)
{
    struct vehicle *v = map_get(g->vehicles, vin);

    if (!v || v->read_ms == 0)
        return false;
    out->trip = trip_defaults;
    out->trip.fuel.kind = v->fuel;
    out->trip.fuel.displacement_l = v->displacement_l;
    out->trip.fuel.tank_l = out->trip.level.tank_l = v->tank_l;
    out->trip.fuel.other_kg_l = v->co2_kg_l;
    out->trip.high_rpm = HIGH_SHARE * redline(v);
    out->history_ms = late_history_ms(v->customer->keep_days);
    out->detect = (struct detect_settings){v->detects, v->harsh, v->nominal_v};
    choose(g, vin, v, out);
    stamp(v, out);
    return true;
}
