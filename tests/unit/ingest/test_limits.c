/* Driving above the limit: an event, an alert, and the end of both. */
#include "tests/unit/ingest/drives.h"

#include "services/ingest/car/limits.h"

static struct overspeed overspeed;
static struct car_out out;

static void drive(int from_s, int to_s, double kmh)
{
    static const struct limits_settings set = {.vehicle_kmh = 60, .customer_kmh = 100};
    struct fences nowhere = {0};

    for (int t_s = from_s; t_s < to_s; t_s++) {
        struct seen seen = {.t_ms = MONDAY + t_s * SECOND};

        seen.speed.kmh = kmh;
        seen.speed.source = SPEED_OBD;
        limits_step(&overspeed, &set, NULL, &nowhere, &seen, &out);
    }
}

static const struct found *only(unsigned parts)
{
    const struct found *last = NULL;
    int n = 0;

    for (size_t i = 0; i < out.found_n; i++)
        if (out.found[i].parts == parts) {
            assert_string_equal(out.found[i].type, "overspeed");
            last = &out.found[i];
            n++;
        }
    assert_int_equal(n, parts == FOUND_END ? 1 : 2); /* as it began, and all of it */
    return last;
}

static void an_episode_that_is_over_is_told_whole_and_ends_its_alert(void **state)
{
    const struct found *f;

    (void)state;
    drive(1, 20, 50);
    assert_int_equal(out.found_n, 0);
    drive(20, 40, 70);
    assert_int_equal(out.found_n, 1);
    assert_int_equal(out.found[0].severity, ALERT_MINOR);
    drive(40, 60, 50);
    f = only(FOUND_EVENT | FOUND_ALERT);
    assert_int_equal(f->occurred_ms, MONDAY + 20 * SECOND);
    assert_non_null(strstr(f->data, "\"peak_kmh\":70"));
    assert_non_null(strstr(f->data, "\"above_ms\":20000"));
    f = only(FOUND_END);
    assert_int_equal(f->occurred_ms, MONDAY + 40 * SECOND);
    assert_int_equal(f->told_ms, MONDAY + 45 * SECOND);
    car_out_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_episode_that_is_over_is_told_whole_and_ends_its_alert),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
