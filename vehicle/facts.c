/* vehicle/facts.c - see facts.h. */
#include "facts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/drive/adapter.h"
#include "lib/drive/battery.h"
#include "lib/drive/crash.h"
#include "lib/drive/engine.h"
#include "lib/drive/fix.h"
#include "lib/drive/gps_lost.h"
#include "lib/drive/harsh.h"
#include "lib/drive/heat.h"
#include "lib/drive/idle.h"
#include "lib/drive/meter.h"
#include "lib/drive/motion.h"
#include "lib/drive/tow.h"

#define FACTS_TICK_MS 1000      /* time alone is a moment so often */
#define FACTS_OBD_FRESH_MS 3000 /* so long a speed of the car's own keeps the receiver's out */
#define FACTS_ROUNDS_MISSED 3   /* so many polling rounds without an answer: the ECU is lost */
#define FACTS_DATA_MAX 256

/* What has happened so far; forgotten when the clock is set. */
struct facts_state {
    int64_t t_ms;     /* newest moment */
    int64_t tick_ms;  /* newest moment of time alone */
    int64_t ecu_ms;   /* newest answer of an ECU; 0: none */
    int64_t every_ms; /* between the last two of them */
    int64_t obd_ms;   /* newest speed of the car's own; 0: none */
    struct fix_filter fixes;
    struct harsh harsh;
    struct crash crash;
    struct engine engine;
    struct motion motion;
    struct idle idle;
    struct battery battery;
    struct heat heat;
    struct tow tow;
    struct gps_lost gps_lost;
    struct adapter adapter;
    struct meter meter;
};

struct facts {
    struct facts_options options;
    bool here;
    bool adapter_there;
    double trip_m; /* before the meter's own */
    struct facts_state s;
};

/* One moment: all that is known now.  NaN, NULL, false: not now. */
struct moment {
    int64_t t_ms;
    const struct facts_round *round; /* NULL: none */
    const struct fix *good;          /* its t_ms is that of the moment */
};

/* ---- telling */

static void facts_tell(struct facts *f, const char *type, const char *severity, int64_t t_ms,
                       const char *data)
{
    struct facts_found found = {type, severity, t_ms, data};

    f->options.tell(f->options.self, &found);
}

static void facts_tell_harsh(struct facts *f, const struct harsh_event *events, size_t n)
{
    static const char *const source[] = {"none", "gps", "obd", "imu"};
    char data[FACTS_DATA_MAX], before[48];

    for (size_t i = 0; i < n && f->here; i++) {
        const struct harsh_event *e = &events[i];

        before[0] = '\0';
        if (isfinite(e->speed_before_kmh))
            snprintf(before, sizeof before, ",\"speed_before_kmh\":%.1f", e->speed_before_kmh);
        snprintf(data, sizeof data,
                 "{\"peak_g\":%.2f,\"duration_ms\":%lld%s,\"source\":\"%s\",\"band\":%d}",
                 e->peak_g, (long long)e->duration_ms, before, source[e->source], e->band);
        facts_tell(f, harsh_type(e->kind), harsh_severity(e), e->t_ms, data);
    }
}

static void facts_tell_crash(struct facts *f)
{
    const struct crash *c = &f->s.crash;
    char data[FACTS_DATA_MAX], before[48] = "";

    if (isfinite(c->from_kmh))
        snprintf(before, sizeof before, ",\"speed_before_kmh\":%.1f", c->from_kmh);
    snprintf(data, sizeof data, "{\"peak_g\":%.2f%s}", c->peak_g, before);
    facts_tell(f, "crash", "critical", c->t_ms, data);
}

static void facts_tell_idle(struct facts *f, const struct idle_span *span)
{
    char data[FACTS_DATA_MAX], litres[48] = "";

    if (span->measured_ms > 0)
        snprintf(litres, sizeof litres, ",\"litres\":%.3f", span->litres);
    snprintf(data, sizeof data, "{\"duration_ms\":%lld%s}",
             (long long)(span->last_ms - span->since_ms), litres);
    facts_tell(f, "idle", NULL, span->since_ms, data);
}

/* ---- what each moment says */

/* An ECU that missed several rounds, however slowly they come, is lost. */
static bool facts_ecu_fresh(const struct facts_state *s, int64_t t_ms)
{
    int64_t wait_ms = FACTS_ROUNDS_MISSED * s->every_ms;

    if (wait_ms < FACTS_OBD_FRESH_MS)
        wait_ms = FACTS_OBD_FRESH_MS;
    return s->ecu_ms > 0 && t_ms - s->ecu_ms <= wait_ms;
}

/* The speed that counts now: the receiver's only while the car tells none. */
static struct speed facts_speed(const struct facts_state *s, const struct moment *m)
{
    bool obd_speaks = s->obd_ms > 0 && m->t_ms - s->obd_ms <= FACTS_OBD_FRESH_MS;
    double gps_kmh = m->good != NULL && !obd_speaks ? m->good->speed_kmh : (double)NAN;

    return speed_choose(m->round != NULL ? m->round->kmh : (double)NAN, gps_kmh, NAN);
}

static void facts_engine(struct facts *f, const struct moment *m)
{
    struct engine_input in = {
        .t_ms = m->t_ms,
        .rpm = m->round != NULL ? m->round->rpm : (double)NAN,
        .ecu_answered = m->round != NULL && m->round->answering,
        .adapter_there = f->adapter_there,
        .gps_kmh = m->good != NULL ? m->good->speed_kmh : (double)NAN,
    };

    if (engine_step(&f->s.engine, &engine_defaults, &in) & IGNITION_ON) {
        f->s.meter = (struct meter){0};
        f->trip_m = 0;
    }
}

static void facts_motion(struct facts *f, const struct moment *m, struct speed speed)
{
    struct facts_state *s = &f->s;
    struct idle_input idle = {.t_ms = m->t_ms, .running = s->engine.running, .litres_h = NAN};
    struct meter_input meter = {.t_ms = m->t_ms, .kmh = speed.kmh, .good = m->good};

    (void)motion_step(&s->motion, &motion_defaults, m->t_ms, speed, s->engine.ignition == KNOWN_NO);
    idle.motion = s->motion.state;
    idle.leaving = s->motion.going > 0;
    if (m->round != NULL) {
        idle.litres_h = m->round->litres_h;
        idle.pto = m->round->pto >= 1 ? KNOWN_YES : m->round->pto >= 0 ? KNOWN_NO : KNOWN_NOT;
    }
    /* only a round knows what is burnt and what the power take-off does */
    if ((m->round != NULL || !facts_ecu_fresh(s, m->t_ms)) &&
        idle_step(&s->idle, &idle_defaults, &idle) == IDLE_ENDED && f->here)
        facts_tell_idle(f, &s->idle.ended);
    meter.moving = s->motion.state == MOTION_MOVING;
    meter.leaving = !meter.moving && s->motion.going > 0;
    meter_step(&s->meter, &meter_defaults, &meter);
}

static void facts_crash(struct facts *f, const struct moment *m, struct speed speed)
{
    struct crash_input in = {
        .t_ms = m->t_ms,
        .source = speed.source,
        .kmh = speed.kmh,
        .ecu_lost = !f->adapter_there || !facts_ecu_fresh(&f->s, m->t_ms),
        .running = f->s.engine.running,
    };

    if (crash_step(&f->s.crash, &crash_defaults, &in) == CRASH_RAISED && f->here)
        facts_tell_crash(f);
}

static void facts_battery(struct facts *f, const struct moment *m)
{
    struct battery *b = &f->s.battery;
    struct battery_input in = {.t_ms = m->t_ms, .volts = NAN, .running = f->s.engine.running};
    char data[FACTS_DATA_MAX];
    unsigned facts;

    if (m->round != NULL) {
        in.volts = m->round->volts;
        in.cranking = m->round->rpm > 0 && m->round->rpm < engine_defaults.running_rpm;
    }
    facts = battery_step(b, &battery_defaults, &in);
    for (int k = 0; k < BATTERY_KINDS && f->here; k++) {
        enum battery_kind kind = (enum battery_kind)k;

        if ((facts & BATTERY_RAISED(kind)) == 0)
            continue;
        snprintf(data, sizeof data, "{\"kind\":\"%s\",\"volts\":%.2f}", battery_word(kind),
                 b->volts);
        facts_tell(f, "low_battery", battery_severity(kind), b->since_ms[kind], data);
    }
}

static void facts_heat(struct facts *f, const struct moment *m)
{
    struct heat *h = &f->s.heat;
    enum heat_fact fact;
    char data[FACTS_DATA_MAX];

    if (m->round == NULL || !isfinite(m->round->coolant_celsius))
        return;
    fact = heat_step(h, &heat_defaults, m->t_ms, m->round->coolant_celsius);
    if ((fact != HEAT_MAJOR && fact != HEAT_CRITICAL) || !f->here)
        return;
    snprintf(data, sizeof data, "{\"peak_celsius\":%.0f}", h->peak_celsius);
    facts_tell(f, "overheating", fact == HEAT_CRITICAL ? "critical" : "major", h->since_ms, data);
}

static void facts_place(struct facts *f, const struct moment *m)
{
    struct facts_state *s = &f->s;
    double obd_kmh = m->round != NULL ? m->round->kmh : (double)NAN;

    if (tow_step(&s->tow, &tow_defaults, m->t_ms, s->engine.ignition, m->good) == TOW_BEGAN &&
        f->here)
        facts_tell(f, "tow", "major", s->tow.since_ms, "{}");
    if (f->options.has_gps &&
        gps_lost_step(&s->gps_lost, &gps_lost_defaults, m->t_ms, obd_kmh, m->good != NULL) ==
            GPS_LOST_RAISED &&
        f->here)
        facts_tell(f, "gps_lost", "warning", s->gps_lost.since_ms, "{}");
}

static void facts_socket(struct facts *f, const struct moment *m)
{
    struct adapter *a = &f->s.adapter;
    double gps_kmh = m->good != NULL ? m->good->speed_kmh : (double)NAN;
    bool answered = f->adapter_there && facts_ecu_fresh(&f->s, m->t_ms);

    switch (adapter_step(a, &adapter_defaults, m->t_ms, f->adapter_there, answered, gps_kmh)) {
    case ADAPTER_UNPLUGGED:
        facts_tell(f, "adapter_unplugged", NULL, a->since_ms,
                   a->silent ? "{\"silent\":true}" : "{}");
        break;
    case ADAPTER_BACK:
        facts_tell(f, "adapter_back", NULL, m->t_ms, "{}");
        break;
    case ADAPTER_NONE:
        break;
    }
}

static void facts_moment(struct facts *f, const struct moment *m)
{
    struct speed speed = facts_speed(&f->s, m);

    facts_engine(f, m);
    facts_motion(f, m, speed);
    facts_crash(f, m, speed);
    facts_battery(f, m);
    facts_heat(f, m);
    facts_place(f, m);
    facts_socket(f, m);
}

/* Strictly rising. */
static int64_t facts_next(struct facts *f, int64_t t_ms)
{
    f->s.t_ms = t_ms > f->s.t_ms ? t_ms : f->s.t_ms + 1;
    return f->s.t_ms;
}

/* ---- what comes in */

void facts_fix(struct facts *f, const struct facts_fix *seen)
{
    struct fix fix = {seen->t_ms,       seen->lat,       seen->lon,
                      seen->accuracy_m, seen->speed_kmh, seen->heading_deg};
    struct harsh_event events[HARSH_KINDS];
    struct moment m = {.good = &fix};

    if (fix_step(&f->s.fixes, &fix_defaults, &fix) != FIX_GOOD)
        return;
    facts_tell_harsh(f, events, harsh_fix(&f->s.harsh, &harsh_car, &fix, events));
    m.t_ms = fix.t_ms = facts_next(f, fix.t_ms);
    facts_moment(f, &m);
}

void facts_round(struct facts *f, const struct facts_round *round)
{
    struct facts_state *s = &f->s;
    struct harsh_event events[HARSH_KINDS];
    struct moment m = {.round = round};

    if (isfinite(round->kmh))
        facts_tell_harsh(
            f, events,
            harsh_speed(&s->harsh, &harsh_car, round->t_ms, SPEED_OBD, round->kmh, events));
    m.t_ms = facts_next(f, round->t_ms);
    if (round->answering) {
        s->every_ms = s->ecu_ms > 0 ? m.t_ms - s->ecu_ms : 0;
        s->ecu_ms = m.t_ms;
        f->adapter_there = true;
    } else {
        s->ecu_ms = 0; /* the bus sleeps: no need to wait for a missed round */
    }
    if (isfinite(round->kmh))
        s->obd_ms = m.t_ms;
    facts_moment(f, &m);
}

void facts_adapter(struct facts *f, bool there)
{
    f->adapter_there = there;
}

void facts_pass(struct facts *f, int64_t now_ms)
{
    struct harsh_event events[HARSH_KINDS];
    struct moment m = {.t_ms = now_ms - FACTS_LATE_MS};

    facts_tell_harsh(f, events, harsh_pass(&f->s.harsh, &harsh_car, m.t_ms, events));
    if (m.t_ms - f->s.tick_ms < FACTS_TICK_MS || m.t_ms <= f->s.t_ms)
        return;
    f->s.tick_ms = m.t_ms;
    m.t_ms = facts_next(f, m.t_ms);
    facts_moment(f, &m);
}

void facts_flush(struct facts *f)
{
    struct harsh_event events[HARSH_KINDS];

    facts_tell_harsh(f, events, harsh_flush(&f->s.harsh, &harsh_car, events));
    if (f->s.idle.told && f->here)
        facts_tell_idle(f, &f->s.idle.now);
    f->s.idle = (struct idle){0};
}

void facts_clock_set(struct facts *f)
{
    struct adapter old = f->s.adapter;

    facts_flush(f);
    f->trip_m = facts_trip_m(f);
    f->s = (struct facts_state){.adapter = {.seen = old.seen,
                                            .ecu_seen = old.ecu_seen,
                                            .unplugged = old.unplugged,
                                            .silent = old.silent}};
}

enum known facts_ignition(const struct facts *f)
{
    return f->s.engine.ignition;
}

bool facts_battery_empty(const struct facts *f)
{
    return f->s.battery.open[BATTERY_EMPTY];
}

int64_t facts_heartbeat_ms(const struct facts *f, int64_t parked_ms)
{
    return battery_heartbeat_ms(&f->s.battery, &battery_defaults, parked_ms);
}

double facts_trip_m(const struct facts *f)
{
    return f->trip_m + meter_distance_m(&f->s.meter, &meter_defaults);
}

/* ---- opening and closing */

enum status facts_open(struct facts **out, const struct facts_options *options, struct fault *fault)
{
    struct facts *f = calloc(1, sizeof *f);

    if (f == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    f->options = *options;
    f->here = true;
    *out = f;
    return ST_OK;
}

void facts_close(struct facts *f)
{
    free(f);
}

void facts_detect(struct facts *f, bool here)
{
    f->here = here;
}
