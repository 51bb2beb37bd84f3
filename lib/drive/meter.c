/* lib/drive/meter.c - the trip meter. */
#include "meter.h"

#include <math.h>

#include "geo.h"
#include "speed.h"

const struct meter_settings meter_defaults = METER_DEFAULTS;

static void integrate(struct meter *m, const struct meter_settings *set,
                      const struct meter_input *in)
{
    int64_t dt_ms = in->t_ms - m->t_ms;
    int64_t from_ms = m->kmh_ms > m->fix_ms ? m->kmh_ms : m->fix_ms;
    bool moving = in->moving || m->moving;

    m->expected_ms += dt_ms;
    if (dt_ms <= set->hole_ms) {
        m->covered_ms += dt_ms;
        m->moving_ms += moving ? dt_ms : 0;
        m->held_ms += moving ? 0 : dt_ms;
    }
    m->moved = m->moved || moving;
    if (!speed_valid(in->kmh) || !(moving || in->leaving))
        return;
    if (m->kmh_ms > 0 && in->t_ms - m->kmh_ms <= set->hole_ms)
        *(moving ? &m->pending_m : &m->held_pending_m) +=
            (in->kmh + m->kmh) / 2 / 3.6 * (double)(in->t_ms - from_ms) / 1000;
    else
        m->broken = true;
}

/* It has left, or it never did. */
static void decide(struct meter *m, const struct meter_input *in)
{
    if (in->leaving)
        return;
    if (in->moving) {
        m->settled_m += m->held_m;
        m->pending_m += m->held_pending_m;
        m->estimated_m += m->held_estimated_m;
        m->moving_ms += m->held_ms;
    }
    m->held_m = m->held_pending_m = m->held_estimated_m = 0;
    m->held_ms = 0;
    m->broken = m->broken && m->moved;
}

/* What the speed does not tell of a hole that ends at this fix. */
static double line_m(const struct meter *m, const struct meter_settings *set, const struct fix *fix,
                     int64_t t_ms, double told_m)
{
    if (!m->broken && t_ms - m->kmh_ms <= set->hole_ms)
        return 0;
    return fmax(0, geo_distance_m(m->lat, m->lon, fix->lat, fix->lon) - told_m);
}

/* A good fix: so much of the way to it is not yet known to be one.  A line from where it moved is
 * settled, with what it left on; one from where it stood long ago says nothing. */
static void hold(struct meter *m, const struct meter_settings *set, const struct fix *fix,
                 int64_t t_ms)
{
    int64_t dt_ms = t_ms - m->fix_ms;

    if (m->fix_ms > 0 && dt_ms <= set->hole_ms) {
        m->held_m += m->moved ? 0 : geo_distance_m(m->lat, m->lon, fix->lat, fix->lon);
        return;
    }
    m->held_m += m->moved && m->broken ? 0 : m->held_pending_m;
    if (m->fix_ms > 0 && !m->moved && dt_ms <= set->line_ms)
        m->held_estimated_m += line_m(m, set, fix, t_ms, m->held_pending_m);
}

/* A good fix: what lies between it and the last one is settled. */
static void settle(struct meter *m, const struct meter_settings *set, const struct fix *fix,
                   int64_t t_ms, bool leaving)
{
    if (leaving)
        hold(m, set, fix, t_ms);
    if (m->fix_ms == 0 || !m->moved) {
        m->settled_m += m->pending_m;
    } else if (t_ms - m->fix_ms <= set->hole_ms) {
        m->settled_m += geo_distance_m(m->lat, m->lon, fix->lat, fix->lon);
    } else {
        m->settled_m += m->pending_m;
        m->estimated_m += line_m(m, set, fix, t_ms, m->pending_m);
    }
    m->pending_m = m->held_pending_m = 0;
    m->moved = m->broken = false;
    m->fix_ms = t_ms;
    m->lat = fix->lat;
    m->lon = fix->lon;
}

void meter_step(struct meter *m, const struct meter_settings *set, const struct meter_input *in)
{
    if (in->t_ms <= m->t_ms)
        return;
    if (m->t_ms > 0)
        integrate(m, set, in);
    decide(m, in);
    m->t_ms = in->t_ms;
    if (speed_valid(in->kmh)) {
        m->kmh = in->kmh;
        m->kmh_ms = in->t_ms;
    }
    m->moving = in->moving;
    if (in->good && geo_valid(in->good->lat, in->good->lon))
        settle(m, set, in->good, in->t_ms, in->leaving);
}

double meter_distance_m(const struct meter *m, const struct meter_settings *set)
{
    bool pends = m->fix_ms == 0 || m->t_ms - m->fix_ms > set->hole_ms;

    return m->settled_m + m->estimated_m + (pends ? m->pending_m : 0);
}

double meter_coverage(const struct meter *m)
{
    return m->expected_ms > 0 ? (double)m->covered_ms / (double)m->expected_ms : 1;
}
