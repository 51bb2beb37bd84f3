/* services/ingest/facts/moment.c - from signals to what they mean. */
#include "moment.h"

#include <math.h>
#include <string.h>

#include "lib/drive/geo.h"
#include "proto/signals.h"
#include "proto/telemetry.h"

#define FROM_PIDS (SIGNAL_BATTERY_VOLTAGE + 1) /* rows from here on follow the PID table */

static const struct {
    const char *path;
    enum moment_value value;
} paths[] = {
    {"Vehicle.Speed", MOMENT_SPEED},
    {"Vehicle.CurrentLocation.Latitude", MOMENT_LAT},
    {"Vehicle.CurrentLocation.Longitude", MOMENT_LON},
    {"Vehicle.CurrentLocation.HorizontalAccuracy", MOMENT_ACCURACY},
    {"Vehicle.CurrentLocation.Heading", MOMENT_HEADING},
    {"Vehicle.LowVoltageSystemState", MOMENT_VOLTAGE_STATE},
    {"Vehicle.Powertrain.CombustionEngine.IsRunning", MOMENT_RUNNING},
    {"Vehicle.Powertrain.CombustionEngine.Speed", MOMENT_RPM},
    {"Vehicle.OBD.EngineLoad", MOMENT_LOAD},
    {"Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", MOMENT_COOLANT},
    {"Vehicle.Powertrain.CombustionEngine.MAP", MOMENT_MAP},
    {"Vehicle.OBD.IntakeTemp", MOMENT_INTAKE},
    {"Vehicle.Powertrain.CombustionEngine.MAF", MOMENT_MAF},
    {"Vehicle.Powertrain.CombustionEngine.TPS", MOMENT_THROTTLE},
    {"Vehicle.OBD.FuelStatus", MOMENT_FUEL_STATUS},
    {"Vehicle.Powertrain.FuelSystem.RelativeLevel", MOMENT_LEVEL},
    {"Vehicle.OBD.IsPTOActive", MOMENT_PTO},
    {"Vehicle.OBD.RunTime", MOMENT_RUN_TIME},
    {"Vehicle.OBD.O2WR.Sensor1.Lambda", MOMENT_LAMBDA},
    {"Vehicle.OBD.CommandedEquivalenceRatio", MOMENT_EQUIVALENCE},
    {"Vehicle.OBD.FuelRate", MOMENT_LITRES_H},
    {"Vehicle.OBD.EngineFuelRateMass", MOMENT_FUEL_G_S},
    {"Vehicle.Powertrain.CombustionEngine.EngineHours", MOMENT_ENGINE_H},
    {"Vehicle.Powertrain.CombustionEngine.IdleHours", MOMENT_IDLE_H},
    {"Vehicle.TraveledDistance", MOMENT_ODOMETER},
    {"Vehicle.OBD.DistanceSinceDTCClear", MOMENT_CLEARED_KM},
    {"Vehicle.LowVoltageBattery.CurrentVoltage", MOMENT_VOLTS},
};

#define SIGHT_DEFAULTS                                                                             \
    .fix = {.accuracy_max_m = 50,                                                                  \
            .accuracy_assumed_m = 15,                                                              \
            .jump_factor = 1.5,                                                                    \
            .jump_slack_ms = 10,                                                                   \
            .jump_unknown_ms = 70,                                                                 \
            .agreeing = 3},                                                                        \
    .motion = {.stop_kmh = 1, .go_kmh = 3, .gps_stop_kmh = 2, .gps_go_kmh = 5, .go_samples = 2},   \
    .engine = {.running_rpm = 300, .answer_ms = 10000, .dongle_kmh = 8, .still_ms = 300000},       \
    .leg_ms = 10000, .off_hole_ms = 3600000

const struct sight_settings sight_defaults = {SIGHT_DEFAULTS};
const struct sight_settings sight_gateway = {SIGHT_DEFAULTS, .off_stays = true};

void moment_map_init(struct moment_map *map)
{
    memset(map->value_of, MOMENT_OTHER, sizeof map->value_of);
    for (size_t id = 0; id < MOMENT_SIGNALS; id++)
        map->of_ecu[id] = id >= FROM_PIDS || id == SIGNAL_ENGINE_SPEED;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        uint16_t id = signal_find(paths[i].path, strlen(paths[i].path));

        if (id != SIGNAL_NONE && id < MOMENT_SIGNALS)
            map->value_of[id] = (uint8_t)paths[i].value;
    }
}

void moment_init(struct moment *m, int64_t t_ms)
{
    m->t_ms = t_ms;
    m->ecu = false;
    for (int i = 0; i < MOMENT_VALUES; i++)
        m->v[i] = (double)NAN;
}

void moment_take(struct moment *m, const struct moment_map *map, const struct reading *readings,
                 size_t n)
{
    bool ecu = m->ecu;

    for (size_t i = 0; i < n; i++) {
        uint16_t signal = readings[i].signal;

        if (signal >= MOMENT_SIGNALS)
            continue;
        ecu |= map->of_ecu[signal];
        m->v[map->value_of[signal]] = readings[i].value;
    }
    m->ecu = ecu;
}

void moment_places_init(struct moment_places *p, const struct moment_map *map,
                        const struct reading *readings, size_t n)
{
    p->n = 0;
    p->ecu = false;
    for (size_t i = 0; i < n && i < MOMENT_PLACES_MAX; i++) {
        uint16_t signal = readings[i].signal;

        if (signal >= MOMENT_SIGNALS)
            continue;
        p->ecu |= map->of_ecu[signal];
        if (map->value_of[signal] == MOMENT_OTHER)
            continue;
        p->at[p->n].place = (uint16_t)i;
        p->at[p->n++].value = map->value_of[signal];
    }
}

void moment_take_alike(struct moment *m, const struct moment_places *p, int64_t t_ms,
                       const struct reading *readings)
{
    m->t_ms = t_ms;
    m->ecu |= p->ecu;
    for (size_t i = 0; i < p->n; i++)
        m->v[p->at[i].value] = readings[p->at[i].place].value;
}

static enum known measured_ignition(const struct moment *m)
{
    double state = m->v[MOMENT_VOLTAGE_STATE];

    if (!(state > 0))
        return KNOWN_NOT;
    return state >= 4 ? KNOWN_YES : KNOWN_NO;
}

static bool look_at_fix(struct sight *s, const struct sight_settings *set, const struct moment *m,
                        struct seen *out)
{
    out->fix = (struct fix){
        .t_ms = m->t_ms,
        .lat = m->v[MOMENT_LAT],
        .lon = m->v[MOMENT_LON],
        .accuracy_m = m->v[MOMENT_ACCURACY],
        .speed_kmh = m->v[MOMENT_SPEED],
        .heading_deg = m->v[MOMENT_HEADING],
    };
    out->accuracy_m = fix_accuracy_m(&set->fix, &out->fix);
    return fix_step(&s->fix, &set->fix, &out->fix) == FIX_GOOD;
}

/* Over the way from there, net of what the receiver may be wrong by. */
static double net_kmh(const struct sight_settings *set, const struct fix *from,
                      const struct seen *seen)
{
    double d_m = geo_distance_m(from->lat, from->lon, seen->fix.lat, seen->fix.lon) -
                 fmax(seen->accuracy_m, fix_accuracy_m(&set->fix, from));

    return fmax(0, d_m) * 3600 / (double)(seen->t_ms - from->t_ms);
}

/* A leg away and one back are a jump: what leaves is further off after the second one. */
static double leg_speed(struct sight *s, const struct sight_settings *set, const struct seen *seen)
{
    bool leaves = s->motion.going > 0 && s->motion.going_ms == s->leg.t_ms && s->left.t_ms > 0;

    if (s->leg.t_ms == 0) {
        s->leg = seen->fix;
        return s->leg_kmh = (double)NAN;
    }
    if (seen->t_ms - s->leg.t_ms < set->leg_ms)
        return s->leg_kmh;
    s->leg_kmh = net_kmh(set, &s->leg, seen);
    if (leaves)
        s->leg_kmh = fmin(s->leg_kmh, net_kmh(set, &s->left, seen));
    s->left = s->leg;
    s->leg = seen->fix;
    return s->leg_kmh;
}

/* Between two looks at how far it came, where nothing else says whether it stands. */
static bool leg_goes_on(const struct sight *s, const struct seen *seen)
{
    return !speed_measured(seen->speed.source) && seen->ignition != KNOWN_NO && s->leg.t_ms > 0 &&
           s->leg.t_ms < seen->t_ms;
}

/* Ignition that was told off in a sample before. */
static enum known still_off(struct sight *s, const struct sight_settings *set,
                            const struct moment *m)
{
    bool runs = m->v[MOMENT_RPM] >= set->engine.running_rpm || m->v[MOMENT_RUNNING] > 0;
    bool answers = m->ecu && m->t_ms - s->told_off_ms > set->engine.answer_ms;

    if (s->told_off_ms == 0 || runs || answers || m->t_ms - s->t_ms > set->off_hole_ms) {
        s->told_off_ms = 0;
        return KNOWN_NOT;
    }
    return KNOWN_NO;
}

static enum known ignition(struct sight *s, const struct sight_settings *set,
                           const struct moment *m)
{
    enum known now = measured_ignition(m);

    if (isnan(m->v[MOMENT_VOLTAGE_STATE]))
        return set->off_stays ? still_off(s, set, m) : KNOWN_NOT;
    s->told_off_ms = now == KNOWN_NO ? m->t_ms : 0;
    return now;
}

static void look_at_engine(struct sight *s, const struct sight_settings *set,
                           const struct moment *m, const struct seen *seen)
{
    bool rpm_read = isfinite(m->v[MOMENT_RPM]);
    struct engine_input in = {
        .t_ms = m->t_ms,
        .rpm = m->v[MOMENT_RPM],
        .ecu_answered = m->ecu,
        .gps_kmh = !rpm_read && seen->good ? m->v[MOMENT_SPEED] : (double)NAN,
        .measured = ignition(s, set, m),
    };

    (void)engine_step(&s->engine, &set->engine, &in);
}

bool sight_step(struct sight *s, const struct sight_settings *set, const struct moment *m,
                struct seen *out)
{
    double none = (double)NAN, leg_kmh;

    if (m->t_ms <= s->t_ms)
        return false;
    *out = (struct seen){.t_ms = m->t_ms, .since_ms = s->t_ms > 0 ? m->t_ms - s->t_ms : 0};
    out->good = look_at_fix(s, set, m, out);
    leg_kmh = out->good ? leg_speed(s, set, out) : none;
    look_at_engine(s, set, m, out);
    out->speed = speed_of_sample(m->v[MOMENT_SPEED], m->v[MOMENT_RPM]);
    if (out->speed.source == SPEED_NONE)
        out->speed = speed_choose(none, none, leg_kmh);
    (void)motion_step(&s->motion, &set->motion, m->t_ms, out->speed,
                      s->engine.ignition == KNOWN_NO);
    out->motion = s->motion.state;
    out->motion_since_ms = s->motion.since_ms;
    out->going = s->motion.going > 0;
    out->ignition = s->engine.ignition;
    out->leaving = out->motion != MOTION_MOVING && (out->going || leg_goes_on(s, out));
    out->running = s->engine.running;
    if (!isfinite(m->v[MOMENT_RPM]) && isfinite(m->v[MOMENT_RUNNING]))
        out->running = m->v[MOMENT_RUNNING] != 0 ? KNOWN_YES : KNOWN_NO;
    s->t_ms = m->t_ms;
    return true;
}
