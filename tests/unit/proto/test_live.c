/* live/1: what ingest tells notify. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "proto/live.h"

#define VIN "WVWZZZ1KZAW000001"

static struct fault fault;

static const struct live whole = {.vin = VIN,
                                  .t_ms = 1795248000000,
                                  .has_position = true,
                                  .has_speed = true,
                                  .has_heading = true,
                                  .has_ignition = true,
                                  .lat = 48.5286,
                                  .lon = 7.7116,
                                  .speed_kmh = 50,
                                  .heading_deg = 271,
                                  .ignition_on = true,
                                  .connectivity = "online"};

static void the_live_of_the_contract_is_written_word_for_word(void **state)
{
    const char *wanted =
        "{\"schema\":\"live/1\",\"t\":1795248000000,\"vin\":\"" VIN "\",\"lat\":48.5286,"
        "\"lon\":7.7116,\"speed\":50,\"heading\":271,\"ignition\":true,"
        "\"connectivity\":\"online\"}";
    char out[512];
    size_t len;

    (void)state;
    assert_int_equal(live_write(&whole, out, sizeof out, &len, &fault), ST_OK);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(out, wanted, len);
}

static void what_is_unknown_is_absent_and_stays_so(void **state)
{
    char out[512], again[512];
    size_t len, again_len;

    (void)state;
    for (unsigned known = 0; known < 16; known++) {
        struct live a = {.vin = VIN, .t_ms = 5, .connectivity = "late"}, b;

        if ((a.has_position = known & 1))
            a.lat = -90, a.lon = 180;
        if ((a.has_speed = known & 2))
            a.speed_kmh = 0.1;
        if ((a.has_heading = known & 4))
            a.heading_deg = 359.9;
        a.has_ignition = known & 8;
        memset(&b, 0, sizeof b);
        assert_int_equal(live_write(&a, out, sizeof out, &len, &fault), ST_OK);
        fault.text[0] = '\0';
        assert_int_equal(live_read(&b, out, len, &fault), ST_OK);
        assert_string_equal(fault.text, "");
        assert_int_equal(live_write(&b, again, sizeof again, &again_len, &fault), ST_OK);
        assert_int_equal(again_len, len);
        assert_memory_equal(out, again, len);
        assert_int_equal(b.has_position, known & 1);
        assert_int_equal(b.has_ignition, known >> 3);
        assert_int_equal(live_write(&a, out, len - 1, &len, &fault), ST_REJECT);
    }
}

static void a_wrong_live_is_not_written(void **state)
{
    char out[512];
    size_t len;
    struct live l = whole;

    (void)state;
    l.lat = NAN;
    assert_int_equal(live_write(&l, out, sizeof out, &len, &fault), ST_REJECT);
    l = whole;
    l.lon = 180.5;
    assert_int_equal(live_write(&l, out, sizeof out, &len, &fault), ST_REJECT);
    l = whole;
    l.speed_kmh = INFINITY;
    assert_int_equal(live_write(&l, out, sizeof out, &len, &fault), ST_REJECT);
    l = whole;
    strcpy(l.connectivity, "offline");
    assert_int_equal(live_write(&l, out, sizeof out, &len, &fault), ST_REJECT);
    l = whole;
    l.vin[3] = 'I';
    assert_int_equal(live_write(&l, out, sizeof out, &len, &fault), ST_REJECT);
}

#define LIVE(more) "{\"schema\":\"live/1\",\"t\":5,\"vin\":\"" VIN "\"" more "}"

static void a_wrong_live_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const bad[] = {
        "{}",
        LIVE(""),
        LIVE(",\"connectivity\":\"offline\""),
        LIVE(",\"connectivity\":\"online\",\"lat\":1"),
        LIVE(",\"connectivity\":\"online\",\"lon\":1"),
        LIVE(",\"connectivity\":\"online\",\"lat\":91,\"lon\":1"),
        LIVE(",\"connectivity\":\"online\",\"speed\":null"),
        LIVE(",\"connectivity\":\"online\",\"ignition\":1"),
        LIVE(",\"connectivity\":\"online\",\"heading\":\"N\""),
        "{\"schema\":\"live/1\",\"t\":5,\"vin\":\"WVW\",\"connectivity\":\"online\"}",
        "{\"schema\":\"live/2\",\"t\":5,\"vin\":\"" VIN "\",\"connectivity\":\"online\"}"};
    struct live l = {.t_ms = 77};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (live_read(&l, bad[i], strlen(bad[i]), &fault) != ST_REJECT)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(l.t_ms, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_live_of_the_contract_is_written_word_for_word),
        cmocka_unit_test(what_is_unknown_is_absent_and_stays_so),
        cmocka_unit_test(a_wrong_live_is_not_written),
        cmocka_unit_test(a_wrong_live_is_refused_and_leaves_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
