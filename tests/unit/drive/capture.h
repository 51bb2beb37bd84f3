/* tests/unit/drive/capture.h - the recorded drives of tests/captures as samples, and what these
 * tests share. Programs run at the root; one that cannot read its drive fails.  A cell that is
 * empty is NaN: not measured. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define CAPTURE_BRAKING "tests/captures/kit_2017-08-07_RT_KA_Frei_Vollbremsung_540-840s.csv"
#define CAPTURE_ACCELERATION "tests/captures/kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv"
#define CAPTURE_B08 "tests/captures/ndsbr_driver_B_trip_B08.csv"
#define CAPTURE_CALIBER "tests/captures/envirocar_track_2_dodge_caliber.json"

#define NOT_MEASURED ((double)NAN)
#define MAYBE __attribute__((unused))
#define NEAR(a, b, within)                                                                         \
    do {                                                                                           \
        double near_a = (a), near_b = (b);                                                         \
        if (!(fabs(near_a - near_b) <= (within)))                                                  \
            fail_msg("%s is %g, not %g within %g", #a, near_a, near_b, (double)(within));          \
    } while (0)

struct sample {
    int64_t t_ms;                                /* KIT: of the day; others: 1 s at the first */
    double kmh, rpm, coolant;                    /* OBD */
    double lat, lon, gps_kmh, heading, accuracy; /* GPS */
    double litres_h;
};

struct capture {
    struct sample *at;
    size_t n;
};

MAYBE static void capture_done(struct capture *c)
{
    free(c->at);
    *c = (struct capture){0};
}

/* Room for one more of `size` after `n`.  It doubles at 1, 2, 4, ...: a sanitizer's realloc copies
 * all. */
MAYBE static void *one_more(void *at, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return at;
    at = realloc(at, n ? 2 * n * size : size);
    assert_non_null(at);
    return at;
}

static struct sample *capture_next(struct capture *c)
{
    double none = NOT_MEASURED;

    c->at = one_more(c->at, c->n, sizeof *c->at);
    c->at[c->n] = (struct sample){0, none, none, none, none, none, none, none, none, none};
    return &c->at[c->n++];
}

static double capture_cell(char **rest)
{
    char *cell = strsep(rest, ",\r\n"), *end = NULL;
    double value = cell ? strtod(cell, &end) : 0;

    return cell && end != cell ? value : NOT_MEASURED;
}

/* Time of day, coolant, MAP, rpm, speed, ...  One column of a row is new, the others are carried.
 */
MAYBE static struct capture capture_kit(const char *path)
{
    struct capture c = {0};
    FILE *file = fopen(path, "r");
    char line[512];

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        char *day = strsep(&rest, ",");
        struct sample *s = capture_next(&c);

        s->t_ms = strtol(day, NULL, 10) * 3600000 + strtol(day + 3, NULL, 10) * 60000 +
                  llround(strtod(day + 6, NULL) * 1000);
        s->coolant = capture_cell(&rest);
        (void)capture_cell(&rest);
        s->rpm = capture_cell(&rest);
        s->kmh = capture_cell(&rest);
    }
    fclose(file);
    return c;
}

/* trip, day, local time, t_s, lat, lon, speed_kmh, accel, heading, ... */
MAYBE static struct capture capture_b08(void)
{
    struct capture c = {0};
    FILE *file = fopen(CAPTURE_B08, "r");
    char line[512];

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        struct sample *s = capture_next(&c);

        for (int skip = 0; skip < 3; skip++)
            (void)strsep(&rest, ",");
        s->t_ms = 1000 + llround(capture_cell(&rest) * 1000);
        s->lat = capture_cell(&rest);
        s->lon = capture_cell(&rest);
        s->gps_kmh = capture_cell(&rest);
        (void)capture_cell(&rest);
        s->heading = capture_cell(&rest);
    }
    fclose(file);
    return c;
}

static double capture_phenomenon(const json_t *feature, const char *name)
{
    const json_t *all = json_object_get(json_object_get(feature, "properties"), "phenomenons");
    const json_t *value = json_object_get(json_object_get(all, name), "value");

    return json_is_number(value) ? json_number_value(value) : NOT_MEASURED;
}

/* GPS and OBD together, every 5 s. */
MAYBE static struct capture capture_caliber(void)
{
    struct capture c = {0};
    json_t *root = json_load_file(CAPTURE_CALIBER, 0, NULL), *feature;
    size_t i;

    assert_non_null(root);
    json_array_foreach(json_object_get(root, "features"), i, feature)
    {
        const json_t *place = json_object_get(json_object_get(feature, "geometry"), "coordinates");
        const json_t *about = json_object_get(feature, "properties");
        const char *time = json_string_value(json_object_get(about, "time"));
        struct sample *s = capture_next(&c);

        assert_non_null(time); /* 2020-03-24T12:31:18Z, all on one day */
        s->t_ms = (strtol(time + 11, NULL, 10) * 3600 + strtol(time + 14, NULL, 10) * 60 +
                   strtol(time + 17, NULL, 10)) *
                  1000;
        s->lon = json_number_value(json_array_get(place, 0));
        s->lat = json_number_value(json_array_get(place, 1));
        s->kmh = capture_phenomenon(feature, "Speed");
        s->rpm = capture_phenomenon(feature, "Rpm");
        s->gps_kmh = capture_phenomenon(feature, "GPS Speed");
        s->heading = capture_phenomenon(feature, "GPS Bearing");
        s->litres_h = capture_phenomenon(feature, "Consumption");
    }
    json_decref(root);
    return c;
}

#endif
