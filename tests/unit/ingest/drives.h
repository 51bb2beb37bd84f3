/* tests/unit/ingest/drives.h - moments made by hand and read from the recorded drives. */
#ifndef DRIVES_H
#define DRIVES_H

#include "services/ingest/facts/moment.h"
#include "tests/unit/drive/capture.h"

#define METRE_DEGREES (1 / 111195.0802) /* of latitude, on the sphere of mean radius */
#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define MONDAY ((int64_t)1795420800000) /* 2026-11-23 08:00 UTC */

struct drive {
    struct moment *at;
    double *limit; /* km/h, NaN: none */
    size_t n;
};

MAYBE static struct moment *drive_add(struct drive *d, int64_t t_ms)
{
    d->at = one_more(d->at, d->n, sizeof *d->at);
    d->limit = one_more(d->limit, d->n, sizeof *d->limit);
    moment_init(&d->at[d->n], t_ms);
    d->limit[d->n] = NOT_MEASURED;
    return &d->at[d->n++];
}

MAYBE static void drive_done(struct drive *d)
{
    free(d->at);
    free(d->limit);
    *d = (struct drive){0};
}

/* ---- a car on a meridian: north_m metres from home, at a speed, once a second */
struct car {
    struct drive d;
    int64_t t_ms;
    double north_m, kmh;
    bool gps, obd, told; /* which of them speak; told: the ignition line is there */
    bool ignition_on;
    bool mute;      /* its receiver tells no speed */
    double level;   /* % */
    double noise_m; /* of the receiver, to either side */
    double rpm;     /* NaN: 800 at rest, 2,000 driving */
    uint32_t seed;
};

MAYBE static struct car car_new(void)
{
    return (struct car){.t_ms = MONDAY,
                        .gps = true,
                        .obd = true,
                        .told = true,
                        .ignition_on = true,
                        .level = NOT_MEASURED,
                        .rpm = NOT_MEASURED,
                        .seed = 1};
}

MAYBE static double car_random(struct car *c)
{
    c->seed = c->seed * 1664525U + 1013904223U;
    return (double)(c->seed >> 8) / 8388608.0 - 1;
}

MAYBE static struct moment *car_tick(struct car *c)
{
    struct moment *m = drive_add(&c->d, c->t_ms);

    if (c->gps) {
        m->v[MOMENT_LAT] = 48.5 + (c->north_m + car_random(c) * c->noise_m) * METRE_DEGREES;
        m->v[MOMENT_LON] = 7.7 + car_random(c) * c->noise_m * METRE_DEGREES;
        m->v[MOMENT_ACCURACY] = 4;
        m->v[MOMENT_SPEED] = c->mute ? NOT_MEASURED : c->kmh;
    }
    if (c->obd && c->ignition_on) {
        m->ecu = true;
        m->v[MOMENT_SPEED] = c->kmh;
        m->v[MOMENT_RPM] = !isnan(c->rpm) ? c->rpm : c->kmh > 0 ? 2000 : 800;
        m->v[MOMENT_LEVEL] = c->level;
    }
    if (c->told)
        m->v[MOMENT_VOLTAGE_STATE] = c->ignition_on ? 4 : 2;
    return m;
}

/* So many seconds at this speed, a sample each. */
MAYBE static void car_go(struct car *c, int64_t seconds, double kmh)
{
    for (int64_t i = 0; i < seconds; i++) {
        c->north_m += (c->kmh + kmh) / 2 / 3.6;
        c->kmh = kmh;
        c->t_ms += SECOND;
        (void)car_tick(c);
    }
}

MAYBE static void car_stand(struct car *c, int64_t seconds)
{
    c->kmh = 0;
    car_go(c, seconds, 0);
}

/* No sample for a while; it may have gone somewhere meanwhile. */
MAYBE static void car_silent(struct car *c, int64_t ms, double metres)
{
    c->t_ms += ms;
    c->north_m += metres;
}

/* ---- recorded drives */
MAYBE static struct drive drive_b08(void)
{
    struct drive d = {0};
    FILE *file = fopen(CAPTURE_B08, "r");
    char line[512];

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        struct moment *m;

        for (int skip = 0; skip < 3; skip++)
            (void)strsep(&rest, ",");
        m = drive_add(&d, MONDAY + llround(capture_cell(&rest) * 1000));
        m->v[MOMENT_LAT] = capture_cell(&rest);
        m->v[MOMENT_LON] = capture_cell(&rest);
        m->v[MOMENT_SPEED] = capture_cell(&rest);
        (void)capture_cell(&rest);
        m->v[MOMENT_HEADING] = capture_cell(&rest);
        (void)strsep(&rest, ",");
        d.limit[d.n - 1] = capture_cell(&rest);
    }
    fclose(file);
    return d;
}

MAYBE static struct drive drive_caliber(void)
{
    struct drive d = {0};
    struct capture c = capture_caliber();
    json_t *root = json_load_file(CAPTURE_CALIBER, 0, NULL);

    assert_non_null(root);
    for (size_t i = 0; i < c.n; i++) {
        const json_t *feature = json_array_get(json_object_get(root, "features"), i);
        struct moment *m = drive_add(&d, MONDAY + c.at[i].t_ms);

        m->v[MOMENT_LAT] = c.at[i].lat;
        m->v[MOMENT_LON] = c.at[i].lon;
        m->v[MOMENT_RPM] = c.at[i].rpm;
        m->v[MOMENT_SPEED] = isnan(c.at[i].rpm) ? c.at[i].gps_kmh : c.at[i].kmh;
        m->v[MOMENT_MAP] = capture_phenomenon(feature, "Intake Pressure");
        m->v[MOMENT_INTAKE] = capture_phenomenon(feature, "Intake Temperature");
        m->v[MOMENT_THROTTLE] = capture_phenomenon(feature, "Throttle Position");
        m->ecu = !isnan(c.at[i].rpm);
    }
    json_decref(root);
    capture_done(&c);
    return d;
}

#endif
