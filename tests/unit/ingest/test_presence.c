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

static void look(struct presence_site *site, int64_t at_s)
{
    presence_begin(site);
    presence_look(site, &presence_defaults, NOW + at_s * S);
}

static bool is_ours(const struct presence_site *site, int64_t at_s)
{
    return presence_is_ours(site, &presence_defaults, NOW + at_s * S);
}

static bool alarm_rings(struct presence_site *site, int64_t at_s)
{
    return presence_alarm(site, &presence_defaults, NOW + at_s * S);
}

static void it_is_us_after_a_start_and_with_a_dependency_down(void **state)
{
    static struct presence_site site;
    struct presence_state p = heard(true);

    (void)state;
    site.started_ms = NOW;
    site.vehicles = 100;
    look(&site, 299);
    assert_true(is_ours(&site, 299));
    assert_false(presence_tick(&p, &presence_defaults, true, NOW + 299 * S));
    look(&site, 300);
    assert_false(is_ours(&site, 300));
    assert_false(alarm_rings(&site, 300));
    site.broken = true;
    look(&site, 355);
    assert_true(is_ours(&site, 355));
    assert_true(alarm_rings(&site, 355));
    look(&site, 360);
    assert_false(alarm_rings(&site, 360));
    site.broken = false; /* they have to come back first */
    look(&site, 365);
    assert_true(is_ours(&site, 365) && is_ours(&site, 659));
    assert_false(alarm_rings(&site, 365));
    assert_false(is_ours(&site, 660));
}

static void it_is_us_when_nobody_looked_for_long(void **state)
{
    static struct presence_site site;

    (void)state;
    look(&site, 0);
    look(&site, 59);
    assert_false(is_ours(&site, 59));
    look(&site, 119);
    assert_true(is_ours(&site, 119) && is_ours(&site, 418));
    assert_false(is_ours(&site, 419));
}

/* A fleet that drives, of which the first `missing` were heard last at NOW; what opens at a look.
 */
static int drive(struct presence_site *site, struct presence_state *fleet, size_t n, size_t missing,
                 int64_t at_s)
{
    int64_t now_ms = NOW + at_s * S;
    int opened = 0;

    site->vehicles = n;
    site->heard_ms = missing < n ? now_ms : NOW;
    presence_begin(site);
    for (size_t i = 0; i < n; i++) {
        if (i >= missing)
            fleet[i].heard_ms = now_ms;
        presence_went_late(site, &presence_defaults,
                           presence_late_at_ms(&fleet[i], &presence_defaults), now_ms);
    }
    presence_look(site, &presence_defaults, now_ms);
    for (size_t i = 0; i < n; i++)
        opened += presence_tick(&fleet[i], &presence_defaults, is_ours(site, at_s), now_ms);
    return opened;
}

static void a_site_that_hears_nobody_calls_nobody_silent(void **state)
{
    static struct presence_site site;
    static struct presence_state fleet[1000];
    int opened = 0, alarms = 0;
    int64_t at_s;

    (void)state;
    for (int i = 0; i < 1000; i++)
        fleet[i] = heard(true);
    for (at_s = 5; at_s < 3L * 3600; at_s += 5) {
        opened += drive(&site, fleet, 1000, 1000, at_s);
        alarms += alarm_rings(&site, at_s);
    }
    assert_int_equal(opened, 0);
    assert_int_equal(alarms, 1);
    for (; at_s < 3L * 3600 + 200; at_s += 5) /* they come back, but for some */
        assert_int_equal(drive(&site, fleet, 1000, 150, at_s), 0);
    for (; at_s < 3L * 3600 + 400; at_s += 5)
        opened += drive(&site, fleet, 1000, 150, at_s);
    assert_int_equal(opened, 150);
    assert_false(alarm_rings(&site, at_s));
}

static void a_crowd_that_is_away_for_an_hour_went_itself_where_others_are_heard(void **state)
{
    static struct presence_site site;
    static struct presence_state fleet[20];
    int opened = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        fleet[i] = heard(true);
    for (int64_t at_s = 5; at_s < 3500; at_s += 5)
        assert_int_equal(drive(&site, fleet, 20, 6, at_s), 0);
    for (int64_t at_s = 3500; at_s < 4100; at_s += 5)
        opened += drive(&site, fleet, 20, 6, at_s);
    assert_int_equal(opened, 6);
}

static void late(struct presence_site *site, int64_t at_s, int64_t now_s)
{
    presence_went_late(site, &presence_defaults, NOW + at_s * S, NOW + now_s * S);
}

static void it_is_us_when_a_fifth_of_the_fleet_goes_late_at_once(void **state)
{
    static struct presence_site site;

    (void)state;
    site.vehicles = 100;
    for (int more = 0; more < 2; more++) {
        presence_begin(&site);
        for (int i = 0; i < 19 + more; i++)
            late(&site, i, 60);
        late(&site, -61, 60); /* long ago */
        late(&site, 61, 60);  /* not yet */
        presence_look(&site, &presence_defaults, NOW + 60 * S);
        assert_int_equal(is_ours(&site, 60), more);
    }
    memset(&site, 0, sizeof site);
    site.vehicles = 4;
    for (int i = 0; i < 4; i++) /* of a small fleet at least five */
        late(&site, 0, 1);
    presence_look(&site, &presence_defaults, NOW + S);
    assert_false(is_ours(&site, 1));
    late(&site, 0, 1);
    presence_look(&site, &presence_defaults, NOW + S);
    assert_true(is_ours(&site, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driving_car_is_late_after_a_minute_and_lost_after_three),
        cmocka_unit_test(a_parked_car_is_late_a_minute_after_its_heartbeat),
        cmocka_unit_test(a_sleeping_car_is_lost_only_when_it_misses_two_wakes),
        cmocka_unit_test(silence_opens_once),
        cmocka_unit_test(it_is_us_after_a_start_and_with_a_dependency_down),
        cmocka_unit_test(it_is_us_when_nobody_looked_for_long),
        cmocka_unit_test(a_site_that_hears_nobody_calls_nobody_silent),
        cmocka_unit_test(a_crowd_that_is_away_for_an_hour_went_itself_where_others_are_heard),
        cmocka_unit_test(it_is_us_when_a_fifth_of_the_fleet_goes_late_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
