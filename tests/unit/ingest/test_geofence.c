/* Zones: enter, exit, dwell, driving through. */
#include "services/ingest/facts/geofence.h"
#include "tests/unit/ingest/drives.h"

#define LAT 48.5
#define LON 7.7

static const struct zone_point centre = {LAT, LON};
static struct geofence_fact facts[32];
static int n;

static struct zone circle(double radius_m)
{
    struct zone z = {.kind = ZONE_CIRCLE, .radius_m = radius_m, .points = &centre, .n = 1};

    assert_int_equal(zone_init(&z, &zone_defaults, NULL), ST_OK);
    return z;
}

static void take(const struct geofence_fact *out, size_t found)
{
    for (size_t i = 0; i < found; i++)
        facts[n++] = out[i];
    assert_true(n < 30);
}

/* A fix so many metres north of the centre. */
static void fix(struct geofence *g, const struct geofence_settings *set, const struct zone *z,
                int64_t t_s, double north_m, double accuracy_m)
{
    struct geofence_fact out[GEOFENCE_FACTS_MAX];

    take(out, geofence_step(g, set, z, MONDAY + t_s * SECOND, LAT + north_m * METRE_DEGREES, LON,
                            accuracy_m, out));
}

static void tick(struct geofence *g, const struct geofence_settings *set, int64_t t_s)
{
    struct geofence_fact out[GEOFENCE_FACTS_MAX];

    take(out, geofence_tick(g, set, MONDAY + t_s * SECOND, out));
}

static void fixes_alternating_around_the_edge_give_one_enter_and_no_exit(void **state)
{
    struct zone z = circle(100);
    struct geofence g = {0};

    (void)state;
    n = 0;
    fix(&g, &geofence_defaults, &z, 0, 300, 5);
    for (int i = 1; i < 500; i++)
        fix(&g, &geofence_defaults, &z, i, i % 2 ? 90 : 110, 5);
    assert_int_equal(n, 1);
    assert_int_equal(facts[0].kind, GEOFENCE_ENTER);
    assert_int_equal(facts[0].t_ms, MONDAY + SECOND);
}

static void at_130_m_it_is_still_inside_and_at_136_m_outside(void **state)
{
    struct zone z = circle(100);
    struct geofence g = {0};

    (void)state;
    n = 0;
    fix(&g, &geofence_defaults, &z, 1, 0, 15);
    for (int i = 2; i < 20; i++)
        fix(&g, &geofence_defaults, &z, i, 130, 15);
    assert_int_equal(n, 0);
    fix(&g, &geofence_defaults, &z, 20, 136, 15);
    fix(&g, &geofence_defaults, &z, 21, 130, 15); /* neither counts nor breaks the run */
    fix(&g, &geofence_defaults, &z, 22, 136, 15);
    assert_int_equal(n, 1);
    assert_int_equal(facts[0].kind, GEOFENCE_EXIT);
    assert_int_equal(facts[0].t_ms, MONDAY + 20 * SECOND);
}

static void one_inside_fix_enters_after_30_seconds_without_an_outside_one(void **state)
{
    struct zone z = circle(100);
    struct geofence a = {0}, b = {0};

    (void)state;
    n = 0;
    fix(&a, &geofence_defaults, &z, 1, 400, 5);
    fix(&a, &geofence_defaults, &z, 10, 50, 5);
    b = a;
    tick(&a, &geofence_defaults, 39);
    assert_int_equal(n, 0);
    tick(&a, &geofence_defaults, 40);
    tick(&a, &geofence_defaults, 50); /* once */
    assert_int_equal(n, 1);
    assert_int_equal(facts[0].t_ms, MONDAY + 10 * SECOND);
    fix(&b, &geofence_defaults, &z, 50, 400, 5); /* without the clock the next fix tells */
    assert_int_equal(n, 2);
    assert_int_equal(facts[1].kind, GEOFENCE_ENTER);
    assert_int_equal(facts[1].t_ms, MONDAY + 10 * SECOND);
    n = 0;
    b = (struct geofence){0};
    fix(&b, &geofence_defaults, &z, 1, 400, 5);
    fix(&b, &geofence_defaults, &z, 10, 90, 5);
    fix(&b, &geofence_defaults, &z, 20, 400, 5); /* an outside fix breaks it */
    tick(&b, &geofence_defaults, 60);
    assert_int_equal(n, 0);
}

static void a_first_fix_and_a_coarse_one_are_no_event(void **state)
{
    struct zone z = circle(100);
    struct geofence g = {0};

    (void)state;
    n = 0;
    fix(&g, &geofence_defaults, &z, 1, 0, 5);
    assert_int_equal(g.side, GEOFENCE_IN);
    fix(&g, &geofence_defaults, &z, 2, 900, 80);
    fix(&g, &geofence_defaults, &z, 3, 900, 80);
    fix(&g, &geofence_defaults, &z, 3, 900, 5); /* not after */
    assert_int_equal(n, 0);
}

static void dwelling_is_told_once_a_visit_while_the_car_sleeps_too(void **state)
{
    struct geofence_settings set = geofence_defaults;
    struct zone z = circle(100);
    struct geofence g = {0}, copy;

    (void)state;
    n = 0;
    set.dwell_ms = 10 * MINUTE;
    fix(&g, &set, &z, 1, 400, 5);
    fix(&g, &set, &z, 10, 50, 5);
    fix(&g, &set, &z, 11, 50, 5);
    copy = g;
    tick(&g, &set, 609);
    assert_int_equal(n, 1);
    tick(&g, &set, 700);
    tick(&g, &set, 7000);
    assert_int_equal(n, 2);
    assert_int_equal(facts[1].kind, GEOFENCE_DWELL);
    assert_int_equal(facts[1].t_ms, MONDAY + 610 * SECOND);
    NEAR(facts[1].lat, LAT + 50 * METRE_DEGREES, 1e-9);
    n = 0; /* an exit before that moment, as far as its first fix says: no dwelling */
    g = copy;
    tick(&g, &set, 605);
    fix(&g, &set, &z, 600, 400, 5);
    tick(&g, &set, 650);
    fix(&g, &set, &z, 660, 400, 5);
    assert_int_equal(n, 1);
    assert_int_equal(facts[0].kind, GEOFENCE_EXIT);
    n = 0; /* an exit after it, without the clock in between */
    g = copy;
    fix(&g, &set, &z, 800, 400, 5);
    fix(&g, &set, &z, 801, 400, 5);
    assert_int_equal(n, 2);
    assert_int_equal(facts[0].kind, GEOFENCE_DWELL);
}

static void what_time_alone_told_is_taken_back_by_fixes_that_know_better(void **state)
{
    struct geofence_settings set = geofence_defaults;
    struct zone z = circle(200);
    struct geofence g = {0};

    (void)state;
    n = 0;
    set.dwell_ms = 10 * MINUTE;
    fix(&g, &set, &z, 1, 400, 5);
    fix(&g, &set, &z, 10, 195, 5);
    tick(&g, &set, 700); /* a stay of one fix at the edge */
    assert_int_equal(n, 2);
    fix(&g, &set, &z, 11, 260, 5);
    assert_int_equal(n, 4);
    assert_int_equal(facts[2].kind, GEOFENCE_NO_ENTER);
    assert_int_equal(facts[2].t_ms, facts[0].t_ms);
    assert_int_equal(facts[3].kind, GEOFENCE_NO_DWELL);
    assert_int_equal(facts[3].t_ms, facts[1].t_ms);
    fix(&g, &set, &z, 12, 260, 5);
    assert_int_equal(n, 4); /* nobody leaves who was not there */
    n = 0;
    fix(&g, &set, &z, 20, 0, 5);
    fix(&g, &set, &z, 21, 0, 5);
    tick(&g, &set, 700);
    assert_int_equal(facts[1].kind, GEOFENCE_DWELL);
    fix(&g, &set, &z, 140, 800, 5); /* a single one may be wrong */
    assert_int_equal(n, 2);
    fix(&g, &set, &z, 141, 820, 5);
    assert_int_equal(n, 4);
    assert_int_equal(facts[2].kind, GEOFENCE_EXIT);
    assert_int_equal(facts[3].kind, GEOFENCE_NO_DWELL);
    assert_int_equal(facts[3].t_ms, facts[1].t_ms);
}

static int in_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof *facts);
}

/* What is told and not taken back, each once; returns how many. */
static int lasting(struct geofence_fact *out)
{
    int left = 0;

    for (int i = 0; i < n; i++) {
        bool gone = facts[i].kind >= GEOFENCE_NO_ENTER;

        for (int k = 0; k < n && !gone; k++)
            gone = facts[k].t_ms == facts[i].t_ms &&
                   (facts[k].kind ==
                    (facts[i].kind == GEOFENCE_ENTER ? GEOFENCE_NO_ENTER : GEOFENCE_NO_DWELL)) &&
                   facts[i].kind != GEOFENCE_EXIT;
        for (int k = 0; k < i && !gone; k++)
            gone = facts[k].t_ms == facts[i].t_ms && facts[k].kind == facts[i].kind;
        if (gone)
            continue;
        memset(&out[left], 0, sizeof *out);
        out[left].kind = facts[i].kind;
        out[left++].t_ms = facts[i].t_ms;
    }
    qsort(out, (size_t)left, sizeof *out, in_order);
    return left;
}

/* Whenever nobody hears it for a while, and whatever it has kept then. */
static void in_the_end_the_clock_changes_nothing(void **state)
{
    struct geofence_fact plain[32], clocked[32];
    struct geofence_settings set = geofence_defaults;
    struct zone z = circle(200);
    uint32_t seed = 1;
    int taken_back = 0, left[2];

    (void)state;
    set.dwell_ms = 60 * SECOND;
    for (int run = 0; run < 2000; run++) {
        uint32_t way = seed;
        int before = taken_back;

        for (int with = 0; with < 2; with++) {
            struct geofence g = {0};
            double m = 260;

            n = 0;
            seed = way;
            fix(&g, &set, &z, 1, m, 5);
            for (int i = 0, t_s = 1; i < 8; i++) {
                seed = seed * 1664525U + 1013904223U;
                t_s += 1 + (int)(seed >> 28) * 4;
                m = seed >> 27 & 1 ? 260 + (seed >> 20 & 31) : 150 + (seed >> 20 & 31);
                if (with && (seed >> 18 & 1))
                    tick(&g, &set, t_s + (int)(seed >> 10 & 127));
                fix(&g, &set, &z, t_s, m, 5);
            }
            fix(&g, &set, &z, 1000, 300, 5);
            fix(&g, &set, &z, 1001, 300, 5);
            for (int i = 0; i < n; i++)
                taken_back += facts[i].kind >= GEOFENCE_NO_ENTER;
            assert_true(with || taken_back == before);
            assert_int_equal(g.told_enter_ms + g.told_dwell_ms, 0);
            left[with] = lasting(with ? clocked : plain);
        }
        assert_int_equal(left[0], left[1]);
        assert_memory_equal(plain, clocked, (size_t)left[0] * sizeof *plain);
    }
    assert_true(taken_back > 100);
}

static void a_dwell_is_told_where_it_entered(void **state)
{
    static const int t_s[] = {1, 10, 11, 100, 101, 700};
    static const double north_m[] = {2000, 20, 0, 300, 0, 0}; /* one outside on the way */
    struct geofence_settings set = geofence_defaults;
    struct zone z = circle(200);
    struct geofence g = {0};

    (void)state;
    n = 0;
    set.dwell_ms = 10 * MINUTE;
    for (size_t i = 0; i < sizeof t_s / sizeof *t_s; i++)
        fix(&g, &set, &z, t_s[i], north_m[i], 5);
    assert_int_equal(n, 2);
    assert_int_equal(facts[1].kind, GEOFENCE_DWELL);
    NEAR(facts[1].lat, LAT + 20 * METRE_DEGREES, 1e-9);
    g.dwelt = false; /* a state of an older build does not know where */
    g.entered_lat = g.entered_lon = 0;
    tick(&g, &set, 800);
    assert_int_equal(n, 3);
    assert_true(isnan(facts[2].lat) && isnan(facts[2].lon));
}

static void sparse_fixes_on_both_sides_were_inside_between(void **state)
{
    struct zone z = circle(100);
    struct geofence g = {0};

    (void)state;
    n = 0;
    fix(&g, &geofence_defaults, &z, 0, -1000, 5);
    fix(&g, &geofence_defaults, &z, 100, 1000, 5);
    assert_int_equal(n, 2);
    assert_true(facts[0].interpolated && facts[1].interpolated);
    NEAR((double)(facts[0].t_ms - MONDAY) / 1000, 45, 0.5);
    NEAR((double)(facts[1].t_ms - MONDAY) / 1000, 55, 0.5);
    assert_int_equal(g.side, GEOFENCE_OUT);
    n = 0; /* more than two minutes apart nobody knows the way */
    fix(&g, &geofence_defaults, &z, 221, -1000, 5);
    assert_int_equal(n, 0);
}

/* At 72 km/h, wherever the fixes fall. */
static void whoever_drives_through_enters_and_leaves_once_however_often_it_tells(void **state)
{
    static const int steps_s[] = {1, 5, 10, 20, 30};
    struct zone z = circle(100);

    (void)state;
    for (size_t k = 0; k < sizeof steps_s / sizeof *steps_s; k++)
        for (int phase_m = 0; phase_m < steps_s[k] * 20; phase_m += 7) {
            struct geofence g = {0};

            n = 0;
            for (int t_s = 0; t_s <= 300; t_s += steps_s[k])
                fix(&g, &geofence_defaults, &z, t_s, -3000 + phase_m + 20 * t_s, 5);
            assert_int_equal(n, 2);
            assert_int_equal(facts[0].kind, GEOFENCE_ENTER);
            assert_int_equal(facts[1].kind, GEOFENCE_EXIT);
            NEAR((double)(facts[0].t_ms - MONDAY) / 1000, (2900 - phase_m) / 20.0, steps_s[k]);
            NEAR((double)(facts[1].t_ms - MONDAY) / 1000, (3100 - phase_m) / 20.0, 2 * steps_s[k]);
            assert_true(facts[0].t_ms < facts[1].t_ms);
            assert_int_equal(g.side, GEOFENCE_OUT);
        }
}

/* In and out on the same side: a fix well inside was a visit, one at the edge may be an error. */
static void one_inside_fix_of_a_car_that_turns_counts_when_it_is_surely_inside(void **state)
{
    static const struct {
        double north_m, accuracy_m;
        bool visited;
    } cases[] = {{50, 5, true}, {70, 5, true}, {80, 5, false}, {95, 5, false}, {50, 40, false}};
    struct zone z = circle(100);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct geofence g = {0};

        n = 0;
        fix(&g, &geofence_defaults, &z, 1, 400, 5);
        fix(&g, &geofence_defaults, &z, 11, cases[i].north_m, cases[i].accuracy_m);
        fix(&g, &geofence_defaults, &z, 21, 110, 5); /* between: says nothing */
        fix(&g, &geofence_defaults, &z, 31, 400, 5);
        fix(&g, &geofence_defaults, &z, 41, 400, 5); /* and once is enough */
        assert_int_equal(n, cases[i].visited ? 2 : 0);
        assert_true(n == 0 || (facts[0].kind == GEOFENCE_ENTER && facts[0].interpolated &&
                               facts[0].t_ms < MONDAY + 11 * SECOND));
        assert_true(n == 0 || (facts[1].kind == GEOFENCE_EXIT && facts[1].interpolated &&
                               facts[1].t_ms > MONDAY + 11 * SECOND));
    }
}

static void a_way_past_the_zone_is_no_crossing(void **state)
{
    struct zone z = circle(100);
    struct geofence g = {0};
    struct geofence_fact out[GEOFENCE_FACTS_MAX];

    (void)state;
    n = 0;
    for (int i = 0; i < 2;
         i++) /* 150 m to the east of the centre, 99.5 m: 20 m inside are needed */
        take(out,
             geofence_step(&g, &geofence_defaults, &z, MONDAY + i * 60 * SECOND,
                           LAT + (i ? 500 : -500) * METRE_DEGREES,
                           LON + 99.6 * METRE_DEGREES / cos(LAT * 3.14159265358979 / 180), 5, out));
    assert_int_equal(n, 0);
}

static void a_polygon_and_a_corridor_know_their_edges(void **state)
{
    const double d = 1000 * METRE_DEGREES, e = d / cos(LAT * 3.14159265358979 / 180);
    const struct zone_point square[] = {
        {LAT, LON}, {LAT, LON + e}, {LAT + d, LON + e}, {LAT + d, LON}};
    struct zone polygon = {.kind = ZONE_POLYGON, .points = square, .n = 4};
    struct zone road = {.kind = ZONE_CORRIDOR, .radius_m = 50, .points = square, .n = 3};

    (void)state;
    assert_int_equal(zone_init(&polygon, &zone_defaults, NULL), ST_OK);
    assert_int_equal(zone_init(&road, &zone_defaults, NULL), ST_OK);
    NEAR(polygon.margin_m, 56.4, 0.1);
    NEAR(zone_distance_m(&polygon, LAT + d / 2, LON + e / 2), -500, 1);
    NEAR(zone_distance_m(&polygon, LAT + d / 10, LON + e / 2), -100, 1);
    NEAR(zone_distance_m(&polygon, LAT - d / 10, LON + e / 2), 100, 1);
    NEAR(zone_distance_m(&polygon, LAT + d * 1.3, LON + e * 1.4), 500, 1);
    NEAR(zone_distance_m(&road, LAT, LON + e / 2), -50, 1);
    NEAR(zone_distance_m(&road, LAT + d / 10, LON + e / 2), 50, 1);
    NEAR(zone_distance_m(&road, LAT + d / 2, LON), 450, 1); /* the line is not closed */
}

static void a_zone_over_the_date_line_is_one_zone(void **state)
{
    const struct zone_point corners[] = {{-1, 179}, {-1, -179}, {1, -179}, {1, 179}};
    struct zone z = {.kind = ZONE_POLYGON, .points = corners, .n = 4};

    (void)state;
    assert_int_equal(zone_init(&z, &zone_defaults, NULL), ST_OK);
    assert_true(zone_distance_m(&z, 0.5, 179.5) < 0);
    assert_true(zone_distance_m(&z, 0.5, -179.5) < 0);
    assert_true(zone_distance_m(&z, 0.5, 178.5) > 0);
}

static void shapes_that_are_none_are_refused(void **state)
{
    const struct zone_point bad[] = {{LAT, LON}, {LAT, 200}, {LAT, LON}},
                            line[] = {{LAT, LON}, {LAT, LON}, {LAT, LON}};
    struct zone z = {.kind = ZONE_CIRCLE, .radius_m = 29, .points = &centre, .n = 1};
    struct fault fault = {""};

    (void)state;
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
    z.radius_m = 100001;
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
    z.radius_m = (double)NAN;
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
    z = (struct zone){.kind = ZONE_POLYGON, .points = bad, .n = 3};
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
    z.points = line;
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
    z.n = ZONE_POINTS_MAX + 1;
    assert_int_equal(zone_init(&z, &zone_defaults, &fault), ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixes_alternating_around_the_edge_give_one_enter_and_no_exit),
        cmocka_unit_test(at_130_m_it_is_still_inside_and_at_136_m_outside),
        cmocka_unit_test(one_inside_fix_enters_after_30_seconds_without_an_outside_one),
        cmocka_unit_test(a_first_fix_and_a_coarse_one_are_no_event),
        cmocka_unit_test(dwelling_is_told_once_a_visit_while_the_car_sleeps_too),
        cmocka_unit_test(what_time_alone_told_is_taken_back_by_fixes_that_know_better),
        cmocka_unit_test(in_the_end_the_clock_changes_nothing),
        cmocka_unit_test(a_dwell_is_told_where_it_entered),
        cmocka_unit_test(sparse_fixes_on_both_sides_were_inside_between),
        cmocka_unit_test(whoever_drives_through_enters_and_leaves_once_however_often_it_tells),
        cmocka_unit_test(one_inside_fix_of_a_car_that_turns_counts_when_it_is_surely_inside),
        cmocka_unit_test(a_way_past_the_zone_is_no_crossing),
        cmocka_unit_test(a_polygon_and_a_corridor_know_their_edges),
        cmocka_unit_test(a_zone_over_the_date_line_is_one_zone),
        cmocka_unit_test(shapes_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
