/* lib/drive/speed.c - choose a speed, keep readings, fit a slope. */
#include "speed.h"

#include <math.h>
#include <string.h>

struct speed speed_choose(double obd_kmh, double gps_kmh, double leg_kmh)
{
    if (speed_valid(obd_kmh))
        return (struct speed){obd_kmh, SPEED_OBD};
    if (speed_valid(gps_kmh))
        return (struct speed){gps_kmh, SPEED_GPS};
    if (speed_valid(leg_kmh))
        return (struct speed){leg_kmh, SPEED_LEG};
    return (struct speed){(double)NAN, SPEED_NONE};
}

struct speed speed_of_sample(double kmh, double engine_rpm)
{
    double none = (double)NAN;

    return isfinite(engine_rpm) ? speed_choose(kmh, none, none) : speed_choose(none, kmh, none);
}

bool readings_add(struct readings *r, int64_t t_ms, double kmh)
{
    if (!speed_valid(kmh) || t_ms <= 0)
        return false;
    if (r->n > 0) {
        const struct speed_reading *last = &r->at[r->n - 1];

        if (t_ms < last->t_ms + READINGS_SPACING_MS)
            return false;
        if (kmh == last->kmh && t_ms < last->t_ms + READINGS_REPEAT_MS)
            return false;
    }
    if (r->n == READINGS_MAX) {
        memmove(r->at, r->at + 1, (READINGS_MAX - 1) * sizeof *r->at);
        r->n--;
    }
    r->at[r->n++] = (struct speed_reading){t_ms, kmh};
    return true;
}

double reading_fit(const struct speed_reading *at, size_t n)
{
    double t_mean = 0, v_mean = 0, tv = 0, tt = 0;

    for (size_t i = 0; i < n; i++) {
        t_mean += (double)(at[i].t_ms - at[0].t_ms) / 1000 / (double)n;
        v_mean += at[i].kmh / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double t = (double)(at[i].t_ms - at[0].t_ms) / 1000 - t_mean;

        tv += t * (at[i].kmh - v_mean);
        tt += t * t;
    }
    return tt > 0 ? tv / tt : (double)NAN;
}

double readings_slope_g(const struct readings *r, int64_t span_min_ms, int64_t span_max_ms,
                        size_t *from)
{
    for (size_t n = 3; n <= r->n; n++) {
        const struct speed_reading *first = &r->at[r->n - n];
        int64_t span_ms = r->at[r->n - 1].t_ms - first->t_ms;

        if (span_ms < span_min_ms)
            continue;
        if (span_ms > span_max_ms)
            break;
        if (from)
            *from = r->n - n;
        return reading_fit(first, n) / DRIVE_G_KMH_S;
    }
    return (double)NAN;
}

double readings_peak_g(const struct readings *r, size_t first, int64_t step_ms, int sign,
                       double limit_g)
{
    double peak_g = 0;

    for (size_t end = first + 1; end < r->n; end++) {
        size_t at = end;

        while (at > first && r->at[end].t_ms - r->at[at].t_ms < step_ms)
            at--;
        int64_t dt_ms = r->at[end].t_ms - r->at[at].t_ms;
        double g = sign * (r->at[end].kmh - r->at[at].kmh) * 1000 / (double)dt_ms / DRIVE_G_KMH_S;

        if (dt_ms >= step_ms && g <= limit_g && g > peak_g)
            peak_g = g;
    }
    return peak_g;
}
