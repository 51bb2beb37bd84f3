/* How fresh a vehicle is, and whose silence it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "services/ingest/facts/presence.h"

#define NOW ((int64_t)1795420800000)
#define S ((int64_t)1000)

static struct presence_state heard(bool driving)
{
    return (struct presence_state){.heard_ms = NOW, .driving = driving};
}

static void is(const struct presence_state *p, int64_t after_s, enum connectivity wanted)
{
    assert_int_equal(presence_now(p, &presence_defaults, NOW + after_s * S), wanted);
}

static void a_driving_car_is_late_after_a_minute_and_lost_after_three(void **state)
{
    struct presence_state p = heard(true), never = {0};

    (void)state;
    is(&never, 0, CONNECTIVITY_NEVER);
    is(&p, 59, CONNECTIVITY_ONLINE);
    is(&p, 60, CONNECTIVITY_LATE);
    is(&p, 179, CONNECTIVITY_LATE);
    is(&p, 180, CONNECTIVITY_LOST);
}

static void a_parked_car_is_late_a_minute_after_its_heartbeat(void **state)
{
    struct presence_state p = heard(false);

    (void)state;
    is(&p, 659, CONNECTIVITY_ONLINE);
    is(&p, 660, CONNECTIVITY_LATE);
    is(&p, 1199, CONNECTIVITY_LATE);
    is(&p, 1200, CONNECTIVITY_LOST);
    p.heartbeat_ms = 3600 * S; /* a weak battery beats once an hour */
    is(&p, 3659, CONNECTIVITY_ONLINE);
    is(&p, 3660, CONNECTIVITY_LATE);
    is(&p, 7200, CONNECTIVITY_LOST);
}

static void a_sleeping_car_is_lost_only_when_it_misses_two_wakes(void **state)
{
    struct presence_state p = heard(false);

    (void)state;
    p.sleeping = true;
    is(&p, 30L * 86400, CONNECTIVITY_SLEEPING);
    p.wake_ms = 3600 * S;
    is(&p, 7200, CONNECTIVITY_SLEEPING);
    is(&p, 7260, CONNECTIVITY_LOST);
}

static void silence_opens_once(void **state)
{
    struct presence_state p = heard(true);

    (void)state;
    assert_false(presence_tick(&p, &presence_defaults, false, NOW + 179 * S));
    assert_true(presence_tick(&p, &presence_defaults, false, NOW + 180 * S));
    assert_false(presence_tick(&p, &presence_defaults, false, NOW + 500 * S));
    assert_int_equal(p.silent_since_ms, NOW);
}

static void it_is_us_after_a_start_and_with_a_dependency_down(void **state)
{
    static struct presence_site site;
    struct presence_state p = heard(true);

    (void)state;
    site.started_ms = NOW;
    assert_true(presence_is_ours(&site, &presence_defaults, 100, NOW + 299 * S));
    assert_false(presence_tick(&p, &presence_defaults, true, NOW + 299 * S));
    assert_false(presence_is_ours(&site, &presence_defaults, 100, NOW + 300 * S));
    assert_false(presence_alarm(&site, &presence_defaults, 100, NOW + 300 * S));
    site.broken = true;
    assert_true(presence_is_ours(&site, &presence_defaults, 100, NOW + 400 * S));
    assert_true(presence_alarm(&site, &presence_defaults, 100, NOW + 400 * S));
    assert_false(presence_alarm(&site, &presence_defaults, 100, NOW + 401 * S));
}

static void it_is_us_when_a_fifth_of_the_fleet_goes_late_at_once(void **state)
{
    static struct presence_site site;

    (void)state;
    for (int i = 0; i < 19; i++)
        presence_went_late(&site, NOW + i * S);
    assert_false(presence_is_ours(&site, &presence_defaults, 100, NOW + 60 * S));
    presence_went_late(&site, NOW + 60 * S);
    assert_true(presence_is_ours(&site, &presence_defaults, 100, NOW + 60 * S));
    assert_false(presence_is_ours(&site, &presence_defaults, 100, NOW + 200 * S)); /* long ago */
    memset(&site, 0, sizeof site);
    for (int i = 0; i < 4; i++) /* of a small fleet at least five */
        presence_went_late(&site, NOW);
    assert_false(presence_is_ours(&site, &presence_defaults, 4, NOW + S));
    presence_went_late(&site, NOW);
    assert_true(presence_is_ours(&site, &presence_defaults, 6, NOW + S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driving_car_is_late_after_a_minute_and_lost_after_three),
        cmocka_unit_test(a_parked_car_is_late_a_minute_after_its_heartbeat),
        cmocka_unit_test(a_sleeping_car_is_lost_only_when_it_misses_two_wakes),
        cmocka_unit_test(silence_opens_once),
        cmocka_unit_test(it_is_us_after_a_start_and_with_a_dependency_down),
        cmocka_unit_test(it_is_us_when_a_fifth_of_the_fleet_goes_late_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
