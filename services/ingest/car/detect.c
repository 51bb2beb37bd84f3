/* services/ingest/car/detect.c - what lib/drive finds, in words. */
#include "detect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

#define OBD_FRESH_MS 3000 /* as in the car: so long a speed of its own keeps the receiver's out */

static void end(struct car_out *out, const char *type, const char *subject, int64_t t_ms)
{
    struct found *f = car_out_add(out, FOUND_END, type, t_ms, t_ms);

    if (f)
        text_copy(f->subject, sizeof f->subject, subject);
}

static enum alert_severity severity_of(const char *word)
{
    for (int i = ALERT_INFO; i < ALERT_CRITICAL; i++)
        if (!strcmp(alert_severity_word((enum alert_severity)i), word))
            return (enum alert_severity)i;
    return ALERT_CRITICAL;
}

static struct found *tell(struct car_out *out, const char *type, const char *severity,
                          int64_t occurred_ms, const struct seen *seen)
{
    struct found *f = car_out_add(out, FOUND_EVENT | FOUND_ALERT, type, occurred_ms, seen->t_ms);

    if (!f)
        return NULL;
    f->severity = severity_of(severity);
    return f;
}

/* ---- manoeuvres */
static void tell_harsh(const struct harsh_event *events, size_t n, const struct seen *seen,
                       struct car_out *out)
{
    static const char *const source[] = {"none", "gps", "obd", "imu"};

    for (size_t i = 0; i < n; i++) {
        const struct harsh_event *e = &events[i];
        struct found *f = tell(out, harsh_type(e->kind), harsh_severity(e), e->t_ms, seen);
        char before[48] = "";

        if (!f)
            return;
        if (isfinite(e->speed_before_kmh))
            (void)snprintf(before, sizeof before, ",\"speed_before_kmh\":%.1f",
                           e->speed_before_kmh);
        (void)snprintf(f->data, sizeof f->data,
                       "{\"peak_g\":%.2f,\"duration_ms\":%lld%s,\"source\":\"%s\",\"band\":%d}",
                       e->peak_g, (long long)e->duration_ms, before, source[e->source], e->band);
    }
}

static void step_harsh(struct harsh *h, const struct harsh_settings *set, const struct moment *m,
                       const struct seen *seen, struct car_out *out)
{
    struct harsh_event events[HARSH_KINDS];

    tell_harsh(events, harsh_pass(h, set, seen->t_ms, events), seen, out);
    if (seen->ignition == KNOWN_NO)
        return; /* whoever tows it drives */
    if (seen->speed.source == SPEED_OBD)
        tell_harsh(events, harsh_speed(h, set, seen->t_ms, SPEED_OBD, m->v[MOMENT_SPEED], events),
                   seen, out);
    if (seen->good)
        tell_harsh(events, harsh_fix(h, set, &seen->fix, events), seen, out);
}

/* ---- battery and heat */
/* An alert overtakes the samples before it: what they say of its end was before it began. */
static void end_battery(struct detect *d, enum battery_kind kind, int64_t t_ms, struct car_out *out)
{
    if (t_ms <= d->battery_ms[kind]) {
        d->battery.open[kind] = true;
        return;
    }
    end(out, "low_battery", battery_word(kind), t_ms);
    d->battery_ms[kind] = 0;
}

static void end_heat(struct detect *d, int64_t t_ms, struct car_out *out)
{
    if (t_ms <= d->heat_ms) {
        d->heat.open = HEAT_MAJOR;
        return;
    }
    end(out, "overheating", "", t_ms);
    d->heat_ms = 0;
}

static void step_battery(struct detect *d, const struct detect_settings *set,
                         const struct moment *m, const struct seen *seen, struct car_out *out)
{
    struct battery *b = &d->battery;
    struct battery_settings settings = battery_defaults;
    struct battery_input in = {
        .t_ms = seen->t_ms,
        .volts = m->v[MOMENT_VOLTS],
        .running = seen->running,
        .cranking = (m->v[MOMENT_RPM] > 0 && m->v[MOMENT_RPM] < engine_defaults.running_rpm) ||
                    m->v[MOMENT_VOLTAGE_STATE] == 5,
    };
    unsigned facts;

    settings.nominal_v = set->nominal_v;
    facts = battery_step(b, &settings, &in);
    for (int k = 0; k < BATTERY_KINDS && facts; k++) {
        enum battery_kind kind = (enum battery_kind)k;
        struct found *f;

        if (facts & BATTERY_CLEARED(kind))
            end_battery(d, kind, seen->t_ms, out);
        if (!set->here || !(facts & BATTERY_RAISED(kind)))
            continue;
        f = tell(out, "low_battery", battery_severity(kind), b->since_ms[kind], seen);
        if (!f)
            return;
        text_copy(f->subject, sizeof f->subject, battery_word(kind));
        (void)snprintf(f->data, sizeof f->data, "{\"kind\":\"%s\",\"volts\":%.2f}",
                       battery_word(kind), b->volts);
    }
}

static void step_heat(struct detect *d, const struct detect_settings *set, const struct moment *m,
                      const struct seen *seen, struct car_out *out)
{
    struct heat *h = &d->heat;
    enum heat_fact fact = HEAT_NONE;
    struct found *f;

    if (isfinite(m->v[MOMENT_COOLANT]))
        fact = heat_step(h, &heat_defaults, seen->t_ms, m->v[MOMENT_COOLANT]);
    if (fact == HEAT_CLEARED)
        end_heat(d, seen->t_ms, out);
    if (!set->here || (fact != HEAT_MAJOR && fact != HEAT_CRITICAL))
        return;
    f = tell(out, "overheating", fact == HEAT_CRITICAL ? "critical" : "major", h->since_ms, seen);
    if (f)
        (void)snprintf(f->data, sizeof f->data, "{\"peak_celsius\":%.0f}", h->peak_celsius);
}

/* ---- position and supply */
static void step_gps(struct detect *d, const struct moment *m, const struct seen *seen,
                     struct car_out *out)
{
    double obd_kmh = seen->speed.source == SPEED_OBD ? m->v[MOMENT_SPEED] : (double)NAN;
    enum gps_lost_fact fact =
        gps_lost_step(&d->gps_lost, &gps_lost_defaults, seen->t_ms, obd_kmh, seen->good);

    if (fact == GPS_LOST_RAISED)
        (void)tell(out, "gps_lost", "warning", d->gps_lost.since_ms, seen);
    if (fact == GPS_LOST_CLEARED)
        end(out, "gps_lost", "", seen->t_ms);
}

static void step_tow(struct detect *d, const struct seen *seen, struct car_out *out)
{
    if (tow_step(&d->tow, &tow_defaults, seen->t_ms, seen->ignition,
                 seen->good ? &seen->fix : NULL) != TOW_BEGAN)
        return;
    (void)tell(out, "tow", "major", d->tow.since_ms, seen);
    d->tow_ms = seen->t_ms;
}

/* The second witness is an engine that is told to have stopped.  That an ECU was lost, the car
 * alone can know: whoever sends values as they change sends none of a car that stands. */
static void step_crash(struct detect *d, const struct seen *seen, struct car_out *out)
{
    const struct crash *c = &d->crash;
    struct crash_input in = {.t_ms = seen->t_ms,
                             .source = seen->speed.source,
                             .kmh = seen->speed.kmh,
                             .running = seen->running};
    char before[48] = "";
    struct found *f;

    if (in.source == SPEED_OBD)
        d->obd_ms = seen->t_ms;
    else if (d->obd_ms > 0 && seen->t_ms - d->obd_ms <= OBD_FRESH_MS)
        in.source = SPEED_NONE;
    if (crash_step(&d->crash, &crash_defaults, &in) != CRASH_RAISED ||
        (f = tell(out, "crash", "critical", c->t_ms, seen)) == NULL)
        return;
    if (isfinite(c->from_kmh))
        (void)snprintf(before, sizeof before, ",\"speed_before_kmh\":%.1f", c->from_kmh);
    (void)snprintf(f->data, sizeof f->data, "{\"peak_g\":%.2f%s}", c->peak_g, before);
}

static void step_told(struct detect *d, const struct seen *seen, struct car_out *out)
{
    if (d->tow_ms > 0 && seen->t_ms > d->tow_ms && seen->ignition == KNOWN_YES) {
        end(out, "tow", "", seen->t_ms);
        d->tow_ms = 0;
    }
    if (d->power_cut_ms > 0 && seen->t_ms > d->power_cut_ms) {
        end(out, "power_cut", "", seen->t_ms);
        d->power_cut_ms = 0;
    }
    if (d->gps_ms > 0 && seen->t_ms > d->gps_ms && seen->good &&
        ++d->good_fixes >= gps_lost_defaults.fixes) {
        end(out, "gps_lost", "", seen->t_ms);
        d->gps_ms = 0;
    }
}

/* May a sample of that time end what the car told of its battery? */
static bool ends_battery(const struct detect *d, int64_t t_ms)
{
    bool ends = false;

    for (int k = 0; k < BATTERY_KINDS; k++)
        ends |= d->battery.open[k] && t_ms > d->battery_ms[k];
    return ends;
}

void detect_step(struct detect *d, const struct detect_settings *set, const struct moment *m,
                 const struct seen *seen, struct car_out *out)
{
    if (set->here) {
        step_harsh(&d->harsh, set->harsh, m, seen, out);
        step_gps(d, m, seen, out);
        step_tow(d, seen, out);
        step_crash(d, seen, out);
    }
    if (set->here || d->told) {
        if (set->here || ends_battery(d, seen->t_ms))
            step_battery(d, set, m, seen, out);
        if (set->here || (d->heat.open != HEAT_NONE && seen->t_ms > d->heat_ms))
            step_heat(d, set, m, seen, out);
        d->told = d->heat.open != HEAT_NONE;
        for (int k = 0; k < BATTERY_KINDS; k++)
            d->told |= d->battery.open[k];
    }
    step_told(d, seen, out);
}

void detect_told(struct detect *d, const char *type, const char *subject, int64_t t_ms)
{
    if (!strcmp(type, "low_battery")) {
        for (int k = 0; k < BATTERY_KINDS; k++)
            if (!strcmp(subject, battery_word((enum battery_kind)k))) {
                d->battery.open[k] = true;
                d->battery_ms[k] = t_ms;
                d->told = true;
            }
    } else if (!strcmp(type, "overheating")) {
        d->heat.open = HEAT_MAJOR;
        d->heat_ms = t_ms;
        d->told = true;
    } else if (!strcmp(type, "tow")) {
        d->tow_ms = t_ms;
    } else if (!strcmp(type, "power_cut")) {
        d->power_cut_ms = t_ms;
    } else if (!strcmp(type, "gps_lost")) {
        d->gps_ms = t_ms;
        d->good_fixes = 0;
    }
}

bool detect_ends(const char *type, const char *subject)
{
    bool battery = false;

    for (int k = 0; k < BATTERY_KINDS; k++)
        battery |= !strcmp(subject, battery_word((enum battery_kind)k));
    return (battery && !strcmp(type, "low_battery")) || !strcmp(type, "overheating") ||
           !strcmp(type, "power_cut") || !strcmp(type, "gps_lost") || !strcmp(type, "vin_mismatch");
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void detect_remember(struct detect *d, const struct detect *told)
{
    for (int k = 0; k < BATTERY_KINDS; k++) {
        d->battery.open[k] |= told->battery_ms[k] > 0;
        d->battery_ms[k] = later(d->battery_ms[k], told->battery_ms[k]);
    }
    if (d->heat.open == HEAT_NONE && told->heat_ms > 0)
        d->heat.open = told->heat.open;
    d->heat_ms = later(d->heat_ms, told->heat_ms);
    d->told |= told->told;
    d->tow_ms = later(d->tow_ms, told->tow_ms);
    d->power_cut_ms = later(d->power_cut_ms, told->power_cut_ms);
    if (told->gps_ms > d->gps_ms)
        d->good_fixes = told->good_fixes;
    d->gps_ms = later(d->gps_ms, told->gps_ms);
}
