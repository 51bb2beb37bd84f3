/* Local time from a POSIX TZ text; libc, which reads the same texts, is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vehicle/zone.h"

static struct fault fault;

static const char *const zones[] = {
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",           /* Paris */
    "EST5EDT,M3.2.0,M11.1.0",               /* New York */
    "NZST-12NZDT,M9.5.0,M4.1.0/3",          /* Auckland: summer over the new year */
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", /* Lord Howe: half an hour */
    "IST-5:30",
    "<-03>3<-02>,M3.5.0/-1,M10.5.0/0", /* the day before, at 23:00 */
    "XXX3YYY,J60/2,J300/2",
    "XXX3YYY2:30,59/0,304/167",
};

static void libc_is_of_the_same_opinion(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct zone zone;

        assert_int_equal(zone_read(&zone, zones[i], &fault), ST_OK);
        setenv("TZ", zones[i], 1);
        tzset();
        /* every 37 minutes of 2024 .. 2029, leap years among them */
        for (time_t t = 1704067200; t < 1893456000; t += 37 * 60) {
            struct tm local;
            int weekday, minute;

            localtime_r(&t, &local);
            zone_local(&zone, (int64_t)t * 1000 + 999, &weekday, &minute);
            if (zone_offset_s(&zone, (int64_t)t * 1000) != local.tm_gmtoff ||
                weekday != (local.tm_wday == 0 ? 7 : local.tm_wday) ||
                minute != local.tm_hour * 60 + local.tm_min)
                fail_msg("%s at %lld: %d s, day %d, minute %d; libc %ld s, day %d, %02d:%02d",
                         zones[i], (long long)t, zone_offset_s(&zone, (int64_t)t * 1000), weekday,
                         minute, local.tm_gmtoff, local.tm_wday, local.tm_hour, local.tm_min);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void what_is_no_zone_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "CET",
                                        "C-1",
                                        "Europe/Paris",
                                        ":Europe/Paris",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3 ",
                                        "CET-1CEST,J0,J1",
                                        "CET-1CEST,366,1",
                                        "CET-25",
                                        "CET-1:60",
                                        "<+1>-1",
                                        "<+01-1",
                                        "CET-99999999999999999999"};
    struct zone zone = {.standard_s = 7};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (zone_read(&zone, wrong[i], &fault) != ST_REJECT)
            fail_msg("\"%s\" was read", wrong[i]);
    assert_int_equal(zone.standard_s, 7);
}

static void times_before_1970_and_far_away_do_no_harm(void **state)
{
    struct zone zone;
    int weekday, minute;

    (void)state;
    assert_int_equal(zone_read(&zone, "CET-1CEST,M3.5.0,M10.5.0/3", &fault), ST_OK);
    zone_local(&zone, -1, &weekday, &minute);
    assert_int_equal(weekday, 4); /* 1970-01-01 was a Thursday, there already */
    assert_int_equal(minute, 59);
    zone_local(&zone, INT64_C(1) << 53, &weekday, &minute);
    assert_in_range(weekday, 1, 7);
    assert_in_range(minute, 0, 1439);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libc_is_of_the_same_opinion),
        cmocka_unit_test(what_is_no_zone_is_refused),
        cmocka_unit_test(times_before_1970_and_far_away_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
