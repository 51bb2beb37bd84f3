/* vehicle/sampler.c - see sampler.h. */
#include "sampler.h"

#include <math.h>
#include <string.h>

#define RUNNING_RPM 300 /* cranking is below */

enum supply {
    SUPPLY_UNKNOWN = 0,
    SUPPLY_OFF = 2,
    SUPPLY_ON = 4
}; /* Vehicle.LowVoltageSystemState */

void sampler_init(struct sampler *s, int64_t last_ms)
{
    memset(s, 0, offsetof(struct sampler, pending));
    s->last_ms = last_ms;
    s->standing = true;
}

/* ---- samples */

static struct planned *sampler_begin(struct sampler *s, int64_t t_ms)
{
    struct planned *p;

    if (s->count == SAMPLER_PENDING_MAX) {
        memmove(s->pending, s->pending + 1, (s->count - 1) * sizeof s->pending[0]);
        s->count--;
        s->ready -= s->ready > 0;
        s->dropped++;
    }
    p = &s->pending[s->count++];
    p->t_ms = t_ms;
    p->dated = false;
    p->count = 0;
    return p;
}

static void planned_add(struct planned *p, uint16_t signal, double value)
{
    if (!isfinite(value) || p->count == sizeof p->readings / sizeof p->readings[0])
        return;
    p->readings[p->count].signal = signal;
    p->readings[p->count++].value = signal_round(signal, value);
}

/* A sample that says nothing new is none. */
static void sampler_end(struct sampler *s, struct planned *p)
{
    p->count = (uint16_t)deadband_pass(&s->deadband, p->t_ms, p->readings, p->count);
    if (p->count == 0)
        s->count--;
}

static bool round_value(const struct round *round, uint16_t signal, double *value)
{
    for (uint16_t i = 0; i < round->count; i++)
        if (round->readings[i].signal == signal) {
            *value = round->readings[i].value;
            return true;
        }
    return false;
}

/* ---- facts */

/* Standing: enter below one speed, leave at another in two running.  The car's own: 1 and 3 km/h;
 * GPS: 2 and 5. */
static bool sampler_is_moving(struct sampler *s, double speed_kmh, double enter_kmh,
                              double leave_kmh)
{
    if (speed_kmh < enter_kmh) {
        s->standing = true;
        s->fast_in_a_row = 0;
    } else if (speed_kmh >= leave_kmh) {
        if (++s->fast_in_a_row >= 2)
            s->standing = false;
    } else {
        s->fast_in_a_row = 0;
    }
    return !s->standing;
}

/* ---- what comes in */

int64_t sampler_fix_time(const struct fix *fix)
{
    int64_t apart = fix->t_ms - fix->received_ms;

    if (fix->t_ms <= 0 || apart > SAMPLER_GPS_TRUST_MS || apart < -SAMPLER_GPS_TRUST_MS)
        return fix->received_ms;
    return fix->t_ms;
}

void sampler_pace(struct sampler *s, int64_t fix_ms)
{
    s->fix_ms = fix_ms;
}

void sampler_beat(struct sampler *s)
{
    s->paced_ms = 0;
}

static bool sampler_is_paced(struct sampler *s, const struct fix *fix)
{
    bool moves = isfinite(fix->speed_kmh) && fix->speed_kmh >= SAMPLER_MOVING_GPS_KMH;

    if (moves)
        s->gps_moving_ms = fix->received_ms;
    if (s->fix_ms == INT64_MAX)
        return true;
    if (s->fix_ms > 0 && !moves && s->paced_ms != 0 && fix->received_ms >= s->paced_ms &&
        fix->received_ms - s->paced_ms < s->fix_ms)
        return true;
    s->paced_ms = fix->received_ms;
    return false;
}

void sampler_fix(struct sampler *s, const struct fix *fix)
{
    bool obd_speaks = s->obd_speed_ms != 0 &&
                      fix->received_ms - s->obd_speed_ms <= SAMPLER_OBD_FRESH_MS &&
                      fix->received_ms >= s->obd_speed_ms;
    struct planned *p;

    if (fix->t_ms != 0 && fix->t_ms == s->last_fix_ms)
        return; /* the same report again */
    s->last_fix_ms = fix->t_ms;
    if (sampler_is_paced(s, fix))
        return;
    p = sampler_begin(s, sampler_fix_time(fix));
    p->dated = p->t_ms != fix->received_ms;
    planned_add(p, SIGNAL_LATITUDE, fix->lat);
    planned_add(p, SIGNAL_LONGITUDE, fix->lon);
    planned_add(p, SIGNAL_ALTITUDE, fix->altitude_m);
    planned_add(p, SIGNAL_HEADING, fix->heading_deg);
    planned_add(p, SIGNAL_HORIZONTAL_ACCURACY, fix->accuracy_m);
    planned_add(p, SIGNAL_VERTICAL_ACCURACY, fix->vertical_accuracy_m);
    if (isfinite(fix->speed_kmh) && !obd_speaks) {
        planned_add(p, SIGNAL_SPEED, fix->speed_kmh);
        planned_add(p, SIGNAL_IS_MOVING, sampler_is_moving(s, fix->speed_kmh, 2, 5));
    }
    sampler_end(s, p);
}

/* What the round says of supply, engine and motion. */
static void sampler_facts(struct sampler *s, struct planned *p, const struct round *round,
                          bool gps_moves)
{
    double speed, rpm;

    if (!round->answering) {
        planned_add(p, SIGNAL_LOW_VOLTAGE_STATE, gps_moves ? SUPPLY_UNKNOWN : SUPPLY_OFF);
        if (!gps_moves)
            planned_add(p, SIGNAL_ENGINE_RUNNING, 0);
        return;
    }
    planned_add(p, SIGNAL_LOW_VOLTAGE_STATE, SUPPLY_ON);
    if (round_value(round, SIGNAL_ENGINE_SPEED, &rpm))
        planned_add(p, SIGNAL_ENGINE_RUNNING, rpm >= RUNNING_RPM);
    if (round_value(round, SIGNAL_SPEED, &speed)) {
        s->obd_speed_ms = round->t_ms;
        planned_add(p, SIGNAL_IS_MOVING, sampler_is_moving(s, speed, 1, 3));
    }
}

void sampler_round(struct sampler *s, const struct round *round)
{
    struct planned *p = sampler_begin(s, round->t_ms);
    bool gps_moves = s->gps_moving_ms != 0 && round->t_ms - s->gps_moving_ms <= SAMPLER_STEP_MS &&
                     round->t_ms >= s->gps_moving_ms - SAMPLER_STEP_MS;

    for (uint16_t i = 0; i < round->count; i++)
        planned_add(p, round->readings[i].signal, round->readings[i].value);
    sampler_facts(s, p, round, gps_moves);
    sampler_end(s, p);
}

/* ---- what goes out */

static void sampler_sort(struct sampler *s)
{
    for (size_t i = s->ready + 1; i < s->count; i++)
        for (size_t k = i; k > s->ready && s->pending[k].t_ms < s->pending[k - 1].t_ms; k--) {
            struct planned swap = s->pending[k];

            s->pending[k] = s->pending[k - 1];
            s->pending[k - 1] = swap;
        }
}

size_t sampler_settle(struct sampler *s, int64_t now_ms, bool all)
{
    sampler_sort(s);
    while (s->ready < s->count && (all || s->pending[s->ready].t_ms <= now_ms - SAMPLER_SETTLE_MS ||
                                   s->pending[s->ready].t_ms > now_ms + SAMPLER_STEP_MS)) {
        struct planned *p = &s->pending[s->ready++];

        if (p->t_ms <= s->last_ms && p->t_ms > s->last_ms - SAMPLER_STEP_MS)
            p->t_ms = s->last_ms + 1;
        s->last_ms = p->t_ms;
    }
    return s->ready;
}

void sampler_forget(struct sampler *s, size_t n)
{
    memmove(s->pending, s->pending + n, (s->count - n) * sizeof s->pending[0]);
    s->count -= n;
    s->ready -= n;
}

void sampler_shift(struct sampler *s, int64_t step_ms)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->pending[i].dated)
            s->pending[i].t_ms += step_ms;
}

void sampler_clock_set(struct sampler *s)
{
    s->last_ms = 0;
    s->obd_speed_ms = s->gps_moving_ms = s->paced_ms = 0;
    deadband_init(&s->deadband);
}
