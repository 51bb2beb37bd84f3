/* lib/drive/harsh.c - manoeuvres from slopes, corners and inertial sensors. */
#include "harsh.h"

#include <math.h>
#include <string.h>

#include "geo.h"

#define CORNER_SPACING_MS 220 /* HARSH_FIXES of them span 1.5 s */
#define RADIANS (3.14159265358979323846 / 180)

/* clang-format off */
#define COMMON                                                                                     \
    .band = {1, 1.25, 1.6}, .end_factor = 0.83, .join_ms = 2000, .span_min_ms = 1500,              \
    .span_max_ms = 2500, .step_ms = 800, .glitch_g = 1.2, .braking_from_kmh = 10,                  \
    .acceleration_to_kmh = 10, .cornering_kmh = 30, .imu_cornering_kmh = 15, .imu_hold_ms = 250,   \
    .imu_hole_ms = 80, .source_ms = 10000, .speed_ms = 5000
/* clang-format on */
const struct harsh_settings harsh_car = {.threshold_g = {0.35, 0.40, 0.45}, COMMON};
const struct harsh_settings harsh_van = {.threshold_g = {0.30, 0.36, 0.40}, COMMON};
const struct harsh_settings harsh_heavy = {.threshold_g = {0.25, 0.30, 0.32}, COMMON};

const char *harsh_severity(const struct harsh_event *event)
{
    return event->band > 1 ? "major" : "minor";
}

const char *harsh_type(enum harsh_kind kind)
{
    static const char *const name[HARSH_KINDS] = {"harsh_acceleration", "harsh_braking",
                                                  "harsh_cornering"};
    return name[kind];
}

/* ---- runs: one manoeuvre each */

static int band_of(const struct harsh_settings *set, enum harsh_kind kind, double g)
{
    int band = 0;

    while (band < HARSH_BANDS && g >= set->band[band] * set->threshold_g[kind])
        band++;
    return band;
}

/* A run that is complete: keep its event for whoever asks next, unless it is none after all. */
static void run_end(const struct harsh_settings *set, struct harsh_run *run)
{
    run->open = false;
    run->ready =
        run->event.kind != HARSH_ACCELERATION || run->after_kmh >= set->acceleration_to_kmh;
    run->complete = run->event;
}

/* `seen` is what this sample would tell alone. */
static void run_feed(struct harsh *h, const struct harsh_settings *set,
                     const struct harsh_event *seen, int64_t t_ms, double now_kmh)
{
    struct harsh_run *run = &h->run[seen->kind];

    if (run->open && run->over && seen->t_ms - run->last_ms > set->join_ms)
        run_end(set, run);
    if (!run->open) {
        run->open = true;
        run->event = *seen;
    } else {
        run->event.peak_g = fmax(run->event.peak_g, seen->peak_g);
        run->event.slope_g = fmax(run->event.slope_g, seen->slope_g);
        run->event.band = seen->band > run->event.band ? seen->band : run->event.band;
    }
    run->over = false;
    run->last_ms = t_ms;
    run->after_kmh = now_kmh;
    run->event.duration_ms = t_ms - run->event.t_ms;
}

/* A manoeuvre that begins within join_ms of the last one is seen a slope, or a hold, later. */
static void runs_close(struct harsh *h, const struct harsh_settings *set, int64_t t_ms)
{
    for (int k = 0; k < HARSH_KINDS; k++) {
        struct harsh_run *run = &h->run[k];
        int64_t seen_ms = run->event.source == HARSH_IMU ? set->imu_hold_ms : set->span_max_ms;

        if (run->open && t_ms - run->last_ms > set->join_ms + seen_ms)
            run_end(set, run);
    }
}

static size_t runs_tell(struct harsh *h, struct harsh_event *out)
{
    size_t n = 0;

    for (int k = 0; k < HARSH_KINDS; k++) {
        if (h->run[k].ready)
            out[n++] = h->run[k].complete;
        h->run[k].ready = false;
    }
    return n;
}

/* Note an input of `source`.  True: no better one has the word. */
static bool admit(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                  enum harsh_source source)
{
    h->source_ms[source] = t_ms;
    h->t_ms = t_ms > h->t_ms ? t_ms : h->t_ms;
    for (int better = (int)source + 1; better <= HARSH_IMU; better++)
        if (h->source_ms[better] > 0 && t_ms - h->source_ms[better] <= set->source_ms)
            return false;
    return true;
}

/* ---- speed */

static bool too_steep(const struct harsh_settings *set, const struct speed_reading *a, int64_t t_ms,
                      double kmh)
{
    int64_t dt_ms = t_ms - a->t_ms > set->step_ms ? t_ms - a->t_ms : set->step_ms;

    return fabs(kmh - a->kmh) > set->glitch_g * DRIVE_G_KMH_S * (double)dt_ms / 1000;
}

/* Keep a reading, unless the step to it is more than any car does: then it waits for another that
 * agrees, and the readings begin anew with both. */
static bool keep(struct harsh *h, const struct harsh_settings *set, int64_t t_ms, double kmh)
{
    struct speed_reading *doubted = &h->doubted;
    size_t n = h->readings.n;

    if (n > 0 && too_steep(set, &h->readings.at[n - 1], t_ms, kmh)) {
        if (doubted->t_ms > 0 && kmh == doubted->kmh && t_ms < doubted->t_ms + READINGS_REPEAT_MS)
            return false; /* the same reading, carried */
        if (doubted->t_ms == 0 || too_steep(set, doubted, t_ms, kmh)) {
            *doubted = (struct speed_reading){t_ms, kmh};
            return false;
        }
        h->readings.n = 0;
        (void)readings_add(&h->readings, doubted->t_ms, doubted->kmh);
    }
    doubted->t_ms = 0;
    return readings_add(&h->readings, t_ms, kmh);
}

static void judge_slope(struct harsh *h, const struct harsh_settings *set, enum harsh_kind kind,
                        double g, size_t from)
{
    const struct speed_reading *at = h->readings.at, *now = &at[h->readings.n - 1];
    int sign = kind == HARSH_ACCELERATION ? 1 : -1;
    double t_g = set->threshold_g[kind];
    struct harsh_event seen = {.kind = kind, .source = h->readings_of, .t_ms = at[from].t_ms};
    struct harsh_run *run = &h->run[kind];
    double before = at[from].kmh;

    for (const struct speed_reading *r = &at[from]; r < now; r++)
        before = sign > 0 ? fmin(before, r->kmh) : fmax(before, r->kmh);
    if (!(g <= set->glitch_g) || g < (run->open && !run->over ? set->end_factor : 1) * t_g ||
        (!run->open && kind == HARSH_BRAKING && before < set->braking_from_kmh)) {
        run->over = true;
        return;
    }
    seen.slope_g = g;
    seen.band = band_of(set, kind, g);
    seen.speed_before_kmh = before;
    seen.peak_g = fmax(g, readings_peak_g(&h->readings, from, set->step_ms, sign, set->glitch_g));
    run_feed(h, set, &seen, now->t_ms, now->kmh);
}

static void take_speed(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                       enum harsh_source source, double kmh)
{
    size_t from = 0;
    double g;

    if (source != h->readings_of) {
        h->readings.n = 0;
        h->doubted.t_ms = 0;
        h->readings_of = source;
        h->run[HARSH_ACCELERATION].over = h->run[HARSH_BRAKING].over = true;
    }
    if (!keep(h, set, t_ms, kmh))
        return;
    h->speed_kmh = kmh;
    h->speed_ms = t_ms;
    g = readings_slope_g(&h->readings, set->span_min_ms, set->span_max_ms, &from);
    if (h->source_ms[HARSH_IMU] > 0 && t_ms - h->source_ms[HARSH_IMU] <= set->source_ms)
        return;
    judge_slope(h, set, HARSH_ACCELERATION, g, from);
    judge_slope(h, set, HARSH_BRAKING, -g, from);
}

size_t harsh_speed(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                   enum speed_source source, double kmh, struct harsh_event out[HARSH_KINDS])
{
    enum harsh_source as = source == SPEED_OBD ? HARSH_OBD : HARSH_GPS;
    bool imu = h->source_ms[HARSH_IMU] > 0;

    if (!speed_measured(source) || !speed_valid(kmh) || t_ms <= h->source_ms[as])
        return 0;
    runs_close(h, set, t_ms);
    /* beside an IMU the speed is still needed, for the limits below which nothing is harsh */
    if (admit(h, set, t_ms, as) ||
        (imu && (as == HARSH_OBD || t_ms - h->source_ms[HARSH_OBD] > set->source_ms)))
        take_speed(h, set, t_ms, as, kmh);
    return runs_tell(h, out);
}

/* ---- corners from fixes */

static void judge_corner(struct harsh *h, const struct harsh_settings *set)
{
    const struct speed_reading *now = &h->heading[h->fixes - 1];
    struct harsh_run *run = &h->run[HARSH_CORNERING];
    double kmh = h->heading_kmh[h->fixes - 1], g;
    size_t n = 1;
    struct harsh_event seen = {.kind = HARSH_CORNERING, .source = HARSH_GPS};

    while (n < h->fixes && (n < 3 || now->t_ms - h->heading[h->fixes - n].t_ms < set->span_min_ms))
        kmh += h->heading_kmh[h->fixes - ++n];
    kmh /= (double)n;
    seen.t_ms = h->heading[h->fixes - n].t_ms;
    seen.speed_before_kmh = h->heading_kmh[h->fixes - n];
    g = fabs(reading_fit(&h->heading[h->fixes - n], n)) * RADIANS * kmh / 3.6 / DRIVE_G_MS2;
    if (n < 3 || now->t_ms - seen.t_ms < set->span_min_ms ||
        now->t_ms - seen.t_ms > set->span_max_ms || kmh < set->cornering_kmh ||
        !(g <= set->glitch_g) ||
        g < (run->open && !run->over ? set->end_factor : 1) * set->threshold_g[HARSH_CORNERING]) {
        run->over = true;
        return;
    }
    seen.slope_g = seen.peak_g = g;
    seen.band = band_of(set, HARSH_CORNERING, g);
    run_feed(h, set, &seen, now->t_ms, h->heading_kmh[h->fixes - 1]);
}

static void take_heading(struct harsh *h, const struct harsh_settings *set, const struct fix *fix)
{
    double heading = fix->heading_deg;

    if (h->fixes > 0) {
        const struct speed_reading *last = &h->heading[h->fixes - 1];

        if (fix->t_ms < last->t_ms + CORNER_SPACING_MS)
            return;
        heading = last->kmh + geo_turn_deg(last->kmh, heading);
    }
    if (h->fixes == HARSH_FIXES) {
        memmove(h->heading, h->heading + 1, (HARSH_FIXES - 1) * sizeof *h->heading);
        memmove(h->heading_kmh, h->heading_kmh + 1, (HARSH_FIXES - 1) * sizeof *h->heading_kmh);
        h->fixes--;
    }
    h->heading[h->fixes] = (struct speed_reading){fix->t_ms, heading};
    h->heading_kmh[h->fixes++] = fix->speed_kmh;
    judge_corner(h, set);
}

size_t harsh_fix(struct harsh *h, const struct harsh_settings *set, const struct fix *fix,
                 struct harsh_event out[HARSH_KINDS])
{
    int64_t imu_ms = h->source_ms[HARSH_IMU];

    if (!speed_valid(fix->speed_kmh) || fix->t_ms <= h->source_ms[HARSH_GPS])
        return 0;
    runs_close(h, set, fix->t_ms);
    if (isfinite(fix->heading_deg) && (imu_ms == 0 || fix->t_ms - imu_ms > set->source_ms))
        take_heading(h, set, fix);
    return harsh_speed(h, set, fix->t_ms, SPEED_GPS, fix->speed_kmh, out);
}

/* ---- inertial sensor */

static void judge_imu(struct harsh *h, const struct harsh_settings *set, enum harsh_kind kind,
                      int64_t t_ms, double g)
{
    bool known = h->speed_ms > 0 && t_ms - h->speed_ms <= set->speed_ms;
    double kmh = known ? h->speed_kmh : (double)NAN;
    struct harsh_event seen = {.kind = kind, .source = HARSH_IMU, .speed_before_kmh = kmh};
    struct harsh_run *run = &h->run[kind];
    double from_kmh = kind == HARSH_BRAKING     ? set->braking_from_kmh
                      : kind == HARSH_CORNERING ? set->imu_cornering_kmh
                                                : 0;

    for (int b = 0; b < HARSH_BANDS; b++) {
        double level_g = set->band[b] * set->threshold_g[kind];
        int64_t held_ms = hold_step(&h->held[kind][b], g >= level_g, t_ms, set->imu_hole_ms);

        if (b == 0)
            h->imu_peak_g[kind] = held_ms > 0 ? fmax(h->imu_peak_g[kind], g) : g;
        if (held_ms >= set->imu_hold_ms)
            seen.band = b + 1;
    }
    seen.t_ms = h->held[kind][0].since_ms;
    seen.peak_g = h->imu_peak_g[kind];
    seen.slope_g = (double)NAN;
    if (seen.band > 0 && (run->open || (known && kmh >= from_kmh))) {
        run_feed(h, set, &seen, t_ms, kmh);
    } else if (run->open && !run->over && g >= set->end_factor * set->threshold_g[kind]) {
        run->last_ms = t_ms;
        run->event.duration_ms = t_ms - run->event.t_ms;
        run->event.peak_g = fmax(run->event.peak_g, g);
        run->after_kmh = kmh;
    } else {
        run->over = true;
    }
}

size_t harsh_imu(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                 double forward_ms2, double left_ms2, struct harsh_event out[HARSH_KINDS])
{
    if (!isfinite(forward_ms2) || !isfinite(left_ms2) || t_ms <= h->source_ms[HARSH_IMU])
        return 0;
    runs_close(h, set, t_ms);
    (void)admit(h, set, t_ms, HARSH_IMU);
    judge_imu(h, set, HARSH_ACCELERATION, t_ms, forward_ms2 / DRIVE_G_MS2);
    judge_imu(h, set, HARSH_BRAKING, t_ms, -forward_ms2 / DRIVE_G_MS2);
    judge_imu(h, set, HARSH_CORNERING, t_ms, fabs(left_ms2) / DRIVE_G_MS2);
    return runs_tell(h, out);
}

size_t harsh_pass(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                  struct harsh_event out[HARSH_KINDS])
{
    if (t_ms <= h->t_ms)
        return 0;
    h->t_ms = t_ms;
    runs_close(h, set, t_ms);
    return runs_tell(h, out);
}

size_t harsh_flush(struct harsh *h, const struct harsh_settings *set,
                   struct harsh_event out[HARSH_KINDS])
{
    runs_close(h, set, INT64_MAX);
    return runs_tell(h, out);
}
