/* What the car says of itself, and where its adapter is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/gps.h"
#include "vehicle/herald.h"
#include "vehicle/obd/address.h"

#define T0 1795248000000

static struct fault fault;

static void sleep_is_told_with_when_it_will_be_heard_of_again(void **state)
{
    struct herald h;
    char out[512];
    size_t len;

    (void)state;
    herald_init(&h, "01a21436-413c-7167-a729-ecc1463ed742", "1.0.0");
    herald_told(&h, 1000);
    herald_rest(&h, PRESENCE_ONLINE, 600000, 0);
    assert_true(herald_is_due(&h, 1000, 600000));
    herald_told(&h, 1000);
    herald_rest(&h, PRESENCE_ONLINE, 600000, 0);
    assert_false(herald_is_due(&h, 2000, 600000));
    herald_rest(&h, PRESENCE_SLEEPING, 600000, 600000);
    assert_true(herald_is_due(&h, 2000, 600000));
    assert_int_equal(herald_write(&h, h.state.presence, T0, out, sizeof out, &len, &fault), ST_OK);
    out[len] = '\0';
    assert_non_null(strstr(out, "\"state\":\"sleeping\""));
    assert_non_null(strstr(out, "\"heartbeat_ms\":600000,\"wake_ms\":600000}"));
    herald_rest(&h, PRESENCE_SLEEPING, 0, 0);
    assert_int_equal(herald_write(&h, PRESENCE_OFFLINE, T0, out, sizeof out, &len, &fault), ST_OK);
    out[len] = '\0';
    assert_non_null(strstr(out, "\"state\":\"offline\"")); /* the last will is what it was */
    assert_null(strstr(out, "wake_ms"));
}

static void state_is_told_on_change_on_connection_and_as_heartbeat(void **state)
{
    struct herald h;

    (void)state;
    herald_init(&h, "01a21436-413c-7167-a729-ecc1463ed742", "1.0.0");
    herald_connected(&h);
    assert_true(herald_is_due(&h, 0, 600000));
    herald_told(&h, 1000);
    assert_false(herald_is_due(&h, 500000, 600000));
    assert_true(herald_is_due(&h, 601000, 600000));
    herald_set_gps(&h, SOURCE_ABSENT);
    assert_false(herald_is_due(&h, 2000, 600000)); /* no change */
    herald_set_gps(&h, SOURCE_OK);
    assert_true(herald_is_due(&h, 2000, 600000));
    herald_told(&h, 2000);
    herald_set_obd(&h, SOURCE_SILENT);
    assert_true(herald_is_due(&h, 2000, 600000));
    herald_told(&h, 3000);
    herald_set_config(&h, 4);
    assert_true(herald_is_due(&h, 3000, 600000));
}

static void online_and_the_last_will_differ_in_one_word(void **state)
{
    struct herald h;
    struct vehicle_state back;
    char bytes[1024];
    size_t len;

    (void)state;
    herald_init(&h, "01a21436-413c-7167-a729-ecc1463ed742", "1.0.0");
    herald_set_obd(&h, SOURCE_GONE);
    assert_int_equal(herald_write(&h, PRESENCE_OFFLINE, T0, bytes, sizeof bytes, &len, &fault),
                     ST_OK);
    assert_int_equal(state_read(&back, bytes, len, &fault), ST_OK);
    assert_int_equal(back.presence, PRESENCE_OFFLINE);
    assert_int_equal(back.obd, SOURCE_GONE);
    assert_int_equal(back.gps, SOURCE_ABSENT);
    assert_int_equal(back.t_ms, T0);
    assert_int_equal(herald_write(&h, PRESENCE_ONLINE, T0, bytes, 20, &len, &fault), ST_REJECT);
}

static void the_adapters_address_is_read(void **state)
{
    struct obd_address a;

    (void)state;
    assert_int_equal(obd_address_read(&a, "elm327:/dev/ttyUSB0?baud=38400", &fault), ST_OK);
    assert_string_equal(a.name, "/dev/ttyUSB0");
    assert_int_equal(a.baud, 38400);
    assert_int_equal(obd_address_read(&a, "elm327:/dev/pts/5", &fault), ST_OK);
    assert_int_equal(a.baud, 0);
    assert_int_equal(obd_address_read(&a, "elm327+tcp:192.168.0.10:35000", &fault), ST_OK);
    assert_string_equal(a.name, "192.168.0.10:35000");
    assert_int_equal(obd_address_read(&a, "none", &fault), ST_OK);
    assert_true(a.none && !a.automatic);
    assert_int_equal(obd_address_read(&a, "auto", &fault), ST_OK);
    assert_true(a.automatic && !a.none);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "elm327:",
                                        "elm327:ttyUSB0",
                                        "elm327+tcp:host",
                                        "elm327:/dev/x?speed=1",
                                        "elm327:/dev/x?baud=",
                                        "elm327:/dev/x?baud=9600x",
                                        "elm327:/dev/x?baud=1",
                                        "usb"};
    struct obd_address a;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (obd_address_read(&a, texts[i], &fault) != ST_REJECT)
            fail_msg("accepted: %s", texts[i]);
    assert_int_equal(gps_check("gpsd:localhost:2947", &fault), ST_OK);
    assert_int_equal(gps_check("gpsd:localhost", &fault), ST_OK);
    assert_int_equal(gps_check("none", &fault), ST_OK);
    assert_int_equal(gps_check("localhost:2947", &fault), ST_REJECT);
    assert_int_equal(gps_check("gpsd:", &fault), ST_REJECT);
    assert_int_equal(gps_check("gpsd:host:", &fault), ST_REJECT);
}

static void private_mode_is_news_and_the_last_will_does_not_tell_it(void **state)
{
    char out[512];
    size_t len;
    struct herald p;
    struct fault why;

    (void)state;
    herald_init(&p, "0197f3c2-5f0e-7abc-8def-0123456789ab", "1.0.0");
    herald_told(&p, 1000);
    herald_set_private(&p, 1795247000000);
    assert_true(herald_is_due(&p, 1000, 600000));
    herald_told(&p, 1000);
    herald_set_private(&p, 1795247000000);
    assert_false(herald_is_due(&p, 1000, 600000));
    assert_int_equal(herald_write(&p, PRESENCE_ONLINE, 5, out, sizeof out, &len, &why), ST_OK);
    out[len] = '\0';
    assert_non_null(strstr(out, "\"private\":{\"since\":1795247000000}"));
    assert_int_equal(herald_write(&p, PRESENCE_OFFLINE, 5, out, sizeof out, &len, &why), ST_OK);
    out[len] = '\0';
    assert_null(strstr(out, "private"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_mode_is_news_and_the_last_will_does_not_tell_it),
        cmocka_unit_test(sleep_is_told_with_when_it_will_be_heard_of_again),
        cmocka_unit_test(state_is_told_on_change_on_connection_and_as_heartbeat),
        cmocka_unit_test(online_and_the_last_will_differ_in_one_word),
        cmocka_unit_test(the_adapters_address_is_read),
        cmocka_unit_test(what_is_no_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
