/* services/ingest/facts/odometer.c - meters that do not run backwards. */
#include "odometer.h"

#include <math.h>

#define HOUR_MS 3600000.0
#define CORRECTED_M 1000.0 /* more than that late samples do not take away */
#define CORRECTED_H 0.1

const struct odometer_settings odometer_defaults = {
    .factor_min = 0.95,
    .factor_max = 1.05,
    .speed_max_kmh = 300,
    .agreeing = 3,
    .hole_ms = 15000,
    .run_time_hole_ms = 3600000,
    .slack_m = 1000,
};

static enum odometer_fact read_own(struct odometer *o, const struct odometer_settings *set,
                                   int64_t t_ms, double m)
{
    double rise_max_m = set->speed_max_kmh / 3.6 * (double)(t_ms - o->read_ms) / 1000;
    bool fits = !o->read || (m >= o->read_m && m - o->read_m <= rise_max_m + 100); /* one count */

    if (!fits) {
        bool agrees = o->refused > 0 && m >= o->refused_m && m - o->refused_m <= set->slack_m;

        o->refused = agrees ? o->refused + 1 : 1;
        o->refused_m = m;
        if (o->refused < set->agreeing)
            return ODOMETER_NONE;
        o->before_m = o->read_m;
    }
    o->read = true;
    o->read_m = m;
    o->read_ms = t_ms;
    o->refused = 0;
    return fits ? ODOMETER_NONE : ODOMETER_RESET;
}

bool odometer_takes(const struct odometer *o, const struct odometer_settings *set, int64_t t_ms,
                    double metres)
{
    struct odometer then = *o;

    (void)read_own(&then, set, t_ms, metres);
    return then.read && then.read_ms == t_ms;
}

/* Hours since the moment before: the time, or over a hole the engine's own clock. */
static double ran_h(const struct odometer *o, const struct odometer_settings *set,
                    const struct seen *seen, double run_time_s)
{
    int64_t dt_ms = seen->t_ms - o->t_ms;
    double rise_s = run_time_s - o->run_time_s;

    if (o->t_ms == 0)
        return 0;
    if (dt_ms <= set->hole_ms)
        return o->running == KNOWN_YES && seen->running == KNOWN_YES ? (double)dt_ms / HOUR_MS : 0;
    if (o->run_time_ms == 0 || seen->t_ms - o->run_time_ms > set->run_time_hole_ms ||
        o->run_time_ms < o->t_ms || !(rise_s > 0))
        return 0; /* unknown, or it fell: the engine was started anew */
    return fmin(rise_s, (double)dt_ms / 1000) / 3600;
}

static void run(struct odometer *o, const struct odometer_settings *set, const struct moment *m,
                const struct seen *seen)
{
    double run_time_s = m->v[MOMENT_RUN_TIME];
    double hours = ran_h(o, set, seen, run_time_s);
    bool standing = seen->motion == MOTION_STANDING;

    if (isfinite(m->v[MOMENT_ENGINE_H])) {
        o->engine_read = true;
        o->engine_h = m->v[MOMENT_ENGINE_H];
    } else if (!o->engine_read && seen->t_ms > o->entered_h_ms) {
        o->engine_h += hours;
    }
    if (isfinite(m->v[MOMENT_IDLE_H]))
        o->idle_h = m->v[MOMENT_IDLE_H];
    else if (standing && o->standing && seen->t_ms - o->t_ms <= set->hole_ms)
        o->idle_h += hours;
    if (isfinite(run_time_s)) {
        o->run_time_s = run_time_s;
        o->run_time_ms = seen->t_ms;
    }
    o->running = seen->running;
    o->standing = standing;
}

enum odometer_fact odometer_step(struct odometer *o, const struct odometer_settings *set,
                                 const struct moment *m, const struct seen *seen, double way_m)
{
    enum odometer_fact fact = ODOMETER_NONE;

    if (seen->t_ms <= o->t_ms)
        return ODOMETER_NONE;
    if (m->v[MOMENT_ODOMETER] >= 0)
        fact = read_own(o, set, seen->t_ms, m->v[MOMENT_ODOMETER]);
    if (way_m > 0 && seen->t_ms > o->entered_ms)
        o->computed_m += way_m;
    run(o, set, m, seen);
    o->t_ms = seen->t_ms;
    return fact;
}

/* Before the first sample, too; what is stepped already is in what was read. */
static int64_t entered(const struct odometer *o, int64_t at_ms)
{
    int64_t t_ms = o->t_ms > 0 ? o->t_ms : 1;

    return at_ms > t_ms ? at_ms : t_ms;
}

void odometer_enter(struct odometer *o, const struct odometer_settings *set, int64_t at_ms,
                    double metres)
{
    double computed_m = o->computed_m;

    if (o->based && computed_m > set->slack_m)
        o->factor = fmin(set->factor_max, fmax(set->factor_min, (metres - o->base_m) / computed_m));
    o->based = true;
    o->base_m = metres;
    o->computed_m = 0;
    o->entered_ms = entered(o, at_ms);
}

void odometer_enter_hours(struct odometer *o, int64_t at_ms, double hours)
{
    o->engine_base_h = hours - o->engine_h;
    o->entered_h = hours;
    o->entered_h_ms = entered(o, at_ms);
}

void odometer_enter_again(struct odometer *o, const struct odometer *known, int64_t t_ms)
{
    if (known->entered_ms > o->entered_ms && known->entered_ms < t_ms) {
        o->based = known->based;
        o->base_m = known->base_m;
        o->factor = known->factor;
        o->computed_m = 0;
        o->entered_ms = known->entered_ms;
    }
    if (known->entered_h_ms > o->entered_h_ms && known->entered_h_ms < t_ms) {
        o->engine_base_h = known->entered_h - o->engine_h;
        o->entered_h = known->entered_h;
        o->entered_h_ms = known->entered_h_ms;
    }
}

void odometer_resume(struct odometer *o, const struct odometer_shown *shown)
{
    *o = (struct odometer){.engine_base_h = isfinite(shown->engine_h) ? shown->engine_h : 0,
                           .entered_h = isfinite(shown->engine_h) ? shown->engine_h : 0,
                           .entered_h_ms = isfinite(shown->engine_h) ? shown->at_ms : 0,
                           .idle_h = isfinite(shown->idle_h) ? shown->idle_h : 0,
                           .factor = shown->factor > 0 ? shown->factor : 0,
                           .t_ms = shown->at_ms};
    if (!isfinite(shown->m))
        return;
    if (shown->source == ODOMETER_CAR) {
        o->read = true;
        o->read_m = shown->m;
        o->read_ms = shown->at_ms;
    } else if (shown->source == ODOMETER_ESTIMATED) {
        o->based = true;
        o->base_m = shown->m;
        o->entered_ms = shown->at_ms;
    }
}

void odometer_go_on(struct odometer *o, const struct odometer *shown)
{
    const struct odometer was = *o;

    *o = *shown;
    o->t_ms = was.t_ms;
    o->running = was.running;
    o->standing = was.standing;
    o->run_time_s = was.run_time_s;
    o->run_time_ms = was.run_time_ms;
}

bool odometer_same_entries(const struct odometer *a, const struct odometer *b)
{
    double hours_a = a->entered_h_ms > 0 ? a->entered_h : a->engine_base_h;
    double hours_b = b->entered_h_ms > 0 ? b->entered_h : b->engine_base_h;

    return a->based == b->based && a->base_m >= b->base_m && a->base_m <= b->base_m &&
           a->factor >= b->factor && a->factor <= b->factor && a->entered_ms == b->entered_ms &&
           a->entered_h_ms == b->entered_h_ms && hours_a >= hours_b && hours_a <= hours_b;
}

bool odometer_knows_more(const struct odometer *again, const struct odometer *now)
{
    if (!odometer_same_entries(again, now) || (now->read && !again->read) ||
        again->read_ms < now->read_ms)
        return false;
    return again->computed_m >= now->computed_m - CORRECTED_M &&
           odometer_engine_h(again) >= odometer_engine_h(now) - CORRECTED_H &&
           again->idle_h >= now->idle_h - CORRECTED_H;
}

double odometer_m(const struct odometer *o, enum odometer_source *source)
{
    *source = o->read ? ODOMETER_CAR : o->based ? ODOMETER_ESTIMATED : ODOMETER_UNKNOWN;
    if (o->read)
        return o->read_m;
    return o->based ? o->base_m + o->computed_m * (o->factor > 0 ? o->factor : 1) : (double)NAN;
}

double odometer_engine_h(const struct odometer *o)
{
    return o->engine_read ? o->engine_h : o->engine_base_h + o->engine_h;
}
