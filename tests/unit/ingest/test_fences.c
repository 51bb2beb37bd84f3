/* A vehicle among many zones: the same as each zone by itself, in a fraction of the bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/ingest/car/fences.h"

#define ZONES 200
#define METRE (1 / 111195.0802)

static struct fence fences[ZONES];
static struct zone_point centres[ZONES];
static const struct fence *all[ZONES];
static uint32_t seed;

static double any(double lowest, double highest)
{
    seed = seed * 1664525U + 1013904223U;
    return lowest + (highest - lowest) * (seed >> 8) / 16777216.0;
}

/* Circles strewn over ten kilometres. */
static struct fence_list draw(size_t n)
{
    seed = 7;
    for (size_t i = 0; i < n; i++) {
        struct fence *f = &fences[i];

        centres[i] = (struct zone_point){48.5 + any(0, 10000) * METRE, 7.7 + any(0, 10000) * METRE};
        *f = (struct fence){.version = 1,
                            .limit_kmh = (double)NAN,
                            .set = geofence_defaults,
                            .zone = {.kind = ZONE_CIRCLE, .radius_m = any(50, 800), .n = 1}};
        f->set.dwell_ms = 60000;
        f->zone.points = &centres[i];
        uuid_of_text(f->id, (char[]){(char)('A' + i / 26), (char)('a' + i % 26), 0});
        assert_int_equal(zone_init(&f->zone, &zone_defaults, NULL), ST_OK);
        fence_complete(f);
        all[i] = f;
    }
    return (struct fence_list){all, n, n};
}

struct walk {
    double north_m, east_m, heading;
};

static struct fix go(struct walk *w, int64_t t_ms)
{
    w->heading += any(-0.3, 0.3);
    w->north_m += 15 * cos(w->heading);
    w->east_m += 15 * sin(w->heading);
    if (w->north_m < 0 || w->north_m > 10000 || w->east_m < 0 || w->east_m > 10000)
        w->heading += 3.14;
    return (struct fix){.t_ms = t_ms,
                        .lat = 48.5 + w->north_m * METRE,
                        .lon = 7.7 + w->east_m * METRE,
                        .accuracy_m = any(2, 40)};
}

static void many_zones_say_what_each_says_alone(void **state)
{
    struct fence_list list = draw(ZONES);
    static struct geofence alone[ZONES];
    static struct fences together;
    struct walk w = {5000, 5000, 0};
    struct car_out out = {0};
    size_t said = 0, most = 0;

    (void)state;
    for (int64_t t_ms = 1000; t_ms < 20000000; t_ms += 1000) {
        struct fix at = go(&w, t_ms);
        size_t n = 0;

        car_out_clear(&out);
        fences_step(&together, &list, 0, t_ms, &at, &out);
        for (size_t i = 0; i < ZONES; i++) {
            struct geofence_fact facts[GEOFENCE_FACTS_MAX];
            size_t k = geofence_step(&alone[i], &fences[i].set, &fences[i].zone, t_ms, at.lat,
                                     at.lon, at.accuracy_m, facts);

            for (size_t j = 0; j < k; j++, n++) {
                while (n < out.found_n && out.found[n].parts == FOUND_END) { /* of a dwell */
                    memmove(&out.found[n], &out.found[n + 1],
                            (--out.found_n - n) * sizeof *out.found);
                }
                assert_true(n < out.found_n);
                assert_string_equal(out.found[n].type, geofence_word(facts[j].kind));
                assert_string_equal(out.found[n].subject, fences[i].id);
                assert_int_equal(out.found[n].occurred_ms, facts[j].t_ms);
            }
        }
        assert_int_equal(n, out.found_n);
        said += n;
        most = (size_t)together.n > most ? (size_t)together.n : most;
    }
    assert_true(said > 500);
    assert_true(most > 1 && together.crowded == 0);
    car_out_done(&out);
}

static void a_zone_drawn_later_is_judged_at_the_last_place_without_a_word(void **state)
{
    struct fence_list one = draw(1), none = {all, 0, 0};
    struct fix inside = {.lat = centres[0].lat, .lon = centres[0].lon, .accuracy_m = 4}, outside;
    struct fences s = {0};
    struct car_out out = {0};

    (void)state;
    outside = inside;
    outside.lat += 3000 * METRE;
    fences_step(&s, &none, 0, 1000, &inside, &out);
    fences_step(&s, &one, 0, 2000, &inside, &out);
    assert_int_equal(out.found_n, 0);
    assert_true(fences_inside(&s, fences[0].key));
    fences_step(&s, &one, 0, 3000, &outside, &out);
    fences_step(&s, &one, 0, 4000, &outside, &out);
    assert_string_equal(out.found[out.found_n - 1].type, "geofence_exit");
    assert_int_equal(s.n, 0); /* far from all: nothing is kept */
    car_out_done(&out);
}

static void a_long_stay_is_over_when_its_zone_is_gone_or_drawn_elsewhere(void **state)
{
    struct fence_list one = draw(1), none = {all, 0, 7}, other = {all, 1, 8};
    struct fix inside = {.lat = centres[0].lat, .lon = centres[0].lon, .accuracy_m = 4}, outside;
    struct car_out out = {0};

    (void)state;
    outside = inside;
    outside.lat += 3000 * METRE;
    for (int moved = 0; moved < 2; moved++) {
        struct fences s = {0};

        centres[0] = (struct zone_point){inside.lat, inside.lon};
        fences[0].version = 1;
        fences_step(&s, &one, 0, 1000, &outside, &out);
        for (int64_t t_ms = 2000; t_ms < 100000; t_ms += 1000)
            fences_step(&s, &one, 0, t_ms, &inside, &out);
        assert_string_equal(out.found[out.found_n - 1].type, "geofence_dwell");
        car_out_clear(&out);
        fences[0].version = 2;
        centres[0].lat = outside.lat;
        fence_complete(&fences[0]);
        fences_step(&s, moved ? &other : &none, 0, 100000, &inside, &out);
        assert_int_equal(out.found_n, 1);
        assert_int_equal(out.found[0].parts, FOUND_END);
        assert_string_equal(out.found[0].type, "geofence_dwell");
        assert_string_equal(out.found[0].subject, fences[0].id);
        car_out_clear(&out);
        centres[0] = (struct zone_point){inside.lat, inside.lon};
        fence_complete(&fences[0]);
    }
    car_out_done(&out);
}

static void pass(struct fences *s, const struct fence_list *list, int64_t t_ms, double north_m,
                 struct car_out *out)
{
    struct fix at = {
        .lat = centres[0].lat + north_m * METRE, .lon = centres[0].lon, .accuracy_m = 4};

    fences_step(s, list, 0, t_ms, &at, out);
}

static void assert_found(const struct car_out *out, size_t i, unsigned parts, const char *type,
                         int64_t t_ms)
{
    assert_true(i < out->found_n);
    assert_int_equal(out->found[i].parts, parts);
    assert_string_equal(out->found[i].type, type);
    assert_string_equal(out->found[i].subject, fences[0].id);
    assert_int_equal(out->found[i].occurred_ms, t_ms);
}

/* Inside since second 2, and not heard any more. */
static void go_in_and_fall_silent(struct fences *s, const struct fence_list *list,
                                  struct car_out *out)
{
    pass(s, list, 1000, 3000, out);
    pass(s, list, 2000, 0, out);
    pass(s, list, 3000, 0, out);
    car_out_clear(out);
    fences_tick(s, list, 0, 100000, out);
    assert_int_equal(out->found_n, 1);
    assert_found(out, 0, FOUND_EVENT | FOUND_ALERT, "geofence_dwell", 62000);
    assert_int_equal(out->found[0].told_ms, 0);
    car_out_clear(out);
}

static void a_stay_that_time_alone_told_goes_when_the_car_had_left(void **state)
{
    struct fence_list list = draw(1);
    struct fences s = {0};
    struct car_out out = {0};

    (void)state;
    go_in_and_fall_silent(&s, &list, &out);
    pass(&s, &list, 10000, 3000, &out);
    assert_int_equal(out.found_n, 0);
    pass(&s, &list, 11000, 3000, &out);
    assert_int_equal(out.found_n, 3);
    assert_found(&out, 0, FOUND_END, "geofence_dwell", 10000);
    assert_found(&out, 1, FOUND_EVENT | FOUND_ALERT, "geofence_exit", 10000);
    assert_found(&out, 2, FOUND_GONE | FOUND_END, "geofence_dwell", 62000);
    assert_int_equal(s.n, 0);
    car_out_done(&out);
}

/* A recompute has states of before, which know nothing of what the clock told. */
static void what_the_clock_told_is_settled_after_stepping_anew(void **state)
{
    struct fence_list list = draw(1), none = {all, 0, 7};
    struct fences told = {0}, anew = {0}, before, gone = {0};
    struct car_out out = {0};

    (void)state;
    pass(&anew, &list, 1000, 3000, &out);
    before = anew;
    go_in_and_fall_silent(&told, &list, &out);
    pass(&anew, &list, 2000, 0, &out);
    pass(&anew, &list, 3000, 0, &out);
    car_out_clear(&out);
    fences_remember(&anew, &list, &told, 3000, &out);
    assert_int_equal(out.found_n, 0); /* it is there still, as far as anybody knows */
    fences_tick(&anew, &list, 0, 200000, &out);
    assert_int_equal(out.found_n, 0);
    pass(&anew, &list, 70000, 0, &out); /* the sample that tells it, too */
    assert_found(&out, 0, FOUND_EVENT | FOUND_ALERT, "geofence_dwell", 62000);
    fences_remember(&anew, &list, &told, 70000, &out);
    assert_int_equal(out.found_n, 1);
    car_out_clear(&out);
    for (int64_t t_ms = 2000; t_ms < 8000; t_ms += 1000) /* it was never inside */
        pass(&before, &list, t_ms, 3000, &out);
    fences_remember(&before, &list, &told, 7000, &out);
    assert_found(&out, 0, FOUND_GONE | FOUND_END, "geofence_dwell", 62000);
    car_out_clear(&out);
    fences_step(&gone, &none, 0, 3000, &(struct fix){.lat = 48, .lon = 7, .accuracy_m = 4}, &out);
    fences_remember(&gone, &none, &told, 3000, &out); /* the zone was taken away meanwhile */
    assert_int_equal(out.found_n, 1);
    assert_found(&out, 0, FOUND_END, "geofence_dwell", 62000);
    car_out_done(&out);
}

static void only_the_limits_of_zones_it_is_in_count(void **state)
{
    struct fence_list list = draw(2);
    struct fences s = {0};
    struct car_out out = {0};
    struct fix at;
    double limits[4];

    (void)state;
    fences[0].limit_kmh = 50;
    fences[1].limit_kmh = 30;
    centres[1].lat = centres[0].lat + 9000 * METRE;
    fence_complete(&fences[1]);
    at = (struct fix){.lat = centres[0].lat, .lon = centres[0].lon, .accuracy_m = 4};
    fences_step(&s, &list, 0, 1000, &at, &out);
    assert_int_equal(fences_limits(&s, &list, 61000, limits, 4), 1);
    assert_true(limits[0] == 50);
    assert_int_equal(fences_limits(&s, &list, 61001, limits, 4), 0); /* who knows where it is */
    at.lat += (fences[0].zone.radius_m + 10) * METRE; /* past the edge, by less than the margin */
    fences_step(&s, &list, 0, 2000, &at, &out);
    assert_true(fences_inside(&s, fences[0].key));
    assert_int_equal(fences_limits(&s, &list, 2000, limits, 4), 0);
    car_out_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_zones_say_what_each_says_alone),
        cmocka_unit_test(a_zone_drawn_later_is_judged_at_the_last_place_without_a_word),
        cmocka_unit_test(a_long_stay_is_over_when_its_zone_is_gone_or_drawn_elsewhere),
        cmocka_unit_test(a_stay_that_time_alone_told_goes_when_the_car_had_left),
        cmocka_unit_test(what_the_clock_told_is_settled_after_stepping_anew),
        cmocka_unit_test(only_the_limits_of_zones_it_is_in_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
