/* tests/unit/api/test_reduce.c - a short series that keeps every peak of the long one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/reduce.h"

static void a_short_series_stays_as_it_is(void **state)
{
    const struct point in[] = {{100, 5}, {250, -1}, {251, 7}};
    struct span out[3];

    (void)state;
    assert_int_equal(reduce_points(in, 3, 3, out), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out[i].t_ms, in[i].t_ms);
        assert_true(out[i].v == in[i].v && out[i].min == in[i].v && out[i].max == in[i].v);
    }
}

static void nothing_gives_nothing(void **state)
{
    struct span out[1];

    (void)state;
    assert_int_equal(reduce_points(NULL, 0, 1, out), 0);
}

static void peaks_survive(void **state)
{
    static struct point in[10000];
    static struct span out[100];
    double lowest = 1e9, highest = -1e9;
    size_t n;

    (void)state;
    for (int i = 0; i < 10000; i++)
        in[i] = (struct point){1000 * i, 50};
    in[4711].v = 180;
    in[815].v = -3;
    n = reduce_points(in, 10000, 100, out);
    assert_in_range(n, 90, 100);
    for (size_t i = 0; i < n; i++) {
        lowest = out[i].min < lowest ? out[i].min : lowest;
        highest = out[i].max > highest ? out[i].max : highest;
    }
    assert_true(lowest == -3 && highest == 180);
}

static void a_span_tells_the_last_value_at_its_own_time(void **state)
{
    const struct point in[] = {{0, 1}, {1, 9}, {2, 4}, {1000, 6}};
    struct span out[2];

    (void)state;
    assert_int_equal(reduce_points(in, 4, 2, out), 2);
    assert_int_equal(out[0].t_ms, 2);
    assert_true(out[0].v == 4 && out[0].min == 1 && out[0].max == 9);
    assert_int_equal(out[1].t_ms, 1000);
}

static void no_series_is_ever_longer_than_asked_for(void **state)
{
    struct point in[400];
    struct span out[400];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t n = (size_t)(rand_r(&seed) % 400) + 1, most = (size_t)(rand_r(&seed) % 400) + 1,
               made;
        int64_t t = rand_r(&seed) % 100000;

        for (size_t i = 0; i < n; i++) {
            t += rand_r(&seed) % 3 ? 1 : rand_r(&seed) % 5000;
            in[i] = (struct point){t, (double)(rand_r(&seed) % 1000)};
        }
        made = reduce_points(in, n, most, out);
        assert_in_range(made, 1, most);
        assert_int_equal(out[made - 1].t_ms, in[n - 1].t_ms); /* the newest is always shown */
        for (size_t i = 0; i < made; i++) {
            assert_true(out[i].min <= out[i].v && out[i].v <= out[i].max);
            assert_true(!i || out[i].t_ms > out[i - 1].t_ms || in[0].t_ms == in[n - 1].t_ms ||
                        out[i].t_ms >= out[i - 1].t_ms);
        }
    }
}

static void buckets_of_the_database_are_never_more_than_asked_for(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        int64_t from = (int64_t)rand_r(&seed) * 1000 + rand_r(&seed) % 1000;
        int64_t to = from + 1 + rand_r(&seed) % 1000000000;
        size_t most = (size_t)(rand_r(&seed) % 1999) + 2;
        int64_t width = reduce_width_ms(from, to, most);

        assert_true(to / width - from / width + 1 <= (int64_t)most);
    }
}

static void a_place_has_the_speed_measured_nearest(void **state)
{
    struct place places[] = {{.t_ms = 1000},  {.t_ms = 2000},  {.t_ms = 2600}, {.t_ms = 9000},
                             {.t_ms = 12499}, {.t_ms = 12500}, {.t_ms = 99999}};
    const struct point speeds[] = {{400, 1}, {1500, 2}, {2500, 3}, {2650, 4}, {10999, 5}};
    static const double wanted[] = {2, 2, 4, -1, 5, -1, -1}; /* -1: none near enough */

    (void)state;
    for (size_t i = 0; i < 7; i++)
        places[i].speed_kmh = -1;
    reduce_speeds(places, 7, speeds, 5);
    for (size_t i = 0; i < 7; i++)
        assert_true(places[i].speed_kmh == wanted[i]);
}

static void a_place_keeps_what_it_has_when_nothing_was_measured(void **state)
{
    struct place place = {.t_ms = 1000, .speed_kmh = 7};
    const struct point late = {2501, 1}, early = {-501, 1}, just = {2500, 1};

    (void)state;
    reduce_speeds(&place, 1, NULL, 0);
    reduce_speeds(&place, 1, &late, 1);
    reduce_speeds(&place, 1, &early, 1);
    assert_true(place.speed_kmh == 7);
    reduce_speeds(NULL, 0, &just, 1);
    reduce_speeds(&place, 1, &just, 1);
    assert_true(place.speed_kmh == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_series_stays_as_it_is),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(peaks_survive),
        cmocka_unit_test(a_span_tells_the_last_value_at_its_own_time),
        cmocka_unit_test(no_series_is_ever_longer_than_asked_for),
        cmocka_unit_test(a_place_has_the_speed_measured_nearest),
        cmocka_unit_test(a_place_keeps_what_it_has_when_nothing_was_measured),
        cmocka_unit_test(buckets_of_the_database_are_never_more_than_asked_for),
    };

    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
