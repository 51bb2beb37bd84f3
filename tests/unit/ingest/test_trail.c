/* Where a car was when something happened. */
#include "tests/unit/ingest/drives.h"

#include "services/ingest/facts/trail.h"

static struct trail trail;

static int begin(void **state)
{
    (void)state;
    memset(&trail, 0, sizeof trail);
    return 0;
}

static void at(int64_t t_ms, double lat)
{
    struct fix fix = {.t_ms = t_ms, .lat = lat, .lon = -lat};

    trail_add(&trail, &fix);
}

static double lat_of(int64_t t_ms, int64_t *off_ms)
{
    double lat, lon;

    if (!trail_place(&trail, t_ms, &lat, &lon, off_ms))
        return (double)NAN;
    NEAR(lon, -lat, 1e-9);
    return lat;
}

static void the_nearest_fix_in_time_counts_and_none_that_is_far(void **state)
{
    int64_t off_ms;

    (void)state;
    assert_true(isnan(lat_of(1000, &off_ms)));
    for (int s = 0; s <= 200; s++)
        at(MONDAY + s * SECOND, s);
    NEAR(lat_of(MONDAY + 200 * SECOND, &off_ms), 200, 1e-6);
    assert_int_equal(off_ms, 0);
    NEAR(lat_of(MONDAY + 230 * SECOND, &off_ms), 200, 1e-6);
    assert_int_equal(off_ms, 30 * SECOND);
    assert_true(isnan(lat_of(MONDAY + 231 * SECOND, &off_ms)));
    for (int s = 150; s < 200; s++) { /* kept every five seconds, for a minute */
        NEAR(lat_of(MONDAY + s * SECOND, &off_ms), s, 2.5);
        assert_true(off_ms <= 2500);
    }
    assert_true(isnan(lat_of(MONDAY + 100 * SECOND, &off_ms)));
}

static void it_keeps_the_same_fixes_wherever_it_began(void **state)
{
    struct trail whole;
    double lat[2], lon;
    int64_t off_ms;

    (void)state;
    for (int s = 0; s <= 200; s++)
        at(MONDAY + s * SECOND, s);
    whole = trail;
    memset(&trail, 0, sizeof trail);
    for (int s = 103; s <= 200; s++)
        at(MONDAY + s * SECOND, s);
    for (int s = 145; s <= 200; s++) {
        assert_true(trail_place(&whole, MONDAY + s * SECOND, &lat[0], &lon, &off_ms));
        assert_true(trail_place(&trail, MONDAY + s * SECOND, &lat[1], &lon, &off_ms));
        NEAR(lat[0], lat[1], 1e-9);
    }
}

static const unsigned char ids[TRAIL_ASKS + 1][16] = {{1}, {2}, {3}, {4}, {5}, {6}, {7}};

static void a_question_waits_for_a_fix_from_then_on_but_not_for_ever(void **state)
{
    struct trail_ask ask;

    (void)state;
    trail_ask(&trail, ids[0], 5000);
    trail_ask(&trail, ids[0], 5000); /* once */
    assert_false(trail_answer(&trail, 4999, true, &ask));
    assert_false(trail_answer(&trail, 6000, false, &ask));
    assert_true(trail_answer(&trail, 6000, true, &ask));
    assert_true(ask.t_ms == 5000 && ask.id[0] == 1);
    assert_false(trail_answer(&trail, 9000, true, &ask));
    trail_ask(&trail, ids[1], 5000);
    assert_false(trail_answer(&trail, 35000, false, &ask));
    assert_true(trail_answer(&trail, 35001, false, &ask));
}

static void of_too_many_questions_the_oldest_is_given_up(void **state)
{
    struct trail_ask ask;
    int answered = 0;

    (void)state;
    for (int i = 0; i <= TRAIL_ASKS; i++)
        trail_ask(&trail, ids[i], 1000 * (i + 1));
    while (trail_answer(&trail, 60000, true, &ask)) {
        assert_int_not_equal(ask.id[0], 1);
        answered++;
    }
    assert_int_equal(answered, TRAIL_ASKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_nearest_fix_in_time_counts_and_none_that_is_far, begin),
        cmocka_unit_test_setup(it_keeps_the_same_fixes_wherever_it_began, begin),
        cmocka_unit_test_setup(a_question_waits_for_a_fix_from_then_on_but_not_for_ever, begin),
        cmocka_unit_test_setup(of_too_many_questions_the_oldest_is_given_up, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
