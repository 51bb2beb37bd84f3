/* What gpsd says, a line at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "vehicle/gpsd_line.h"

#define T0 1795248000000

static struct gpsd_report report;

static bool read_line(const char *line)
{
    memset(&report, 0xff, sizeof report);
    return gpsd_read(&report, line, strlen(line), T0);
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void a_fix_is_read_in_our_units(void **state)
{
    (void)state;
    /* gpsd 3.22 on tests/captures/gpsd_bu303-moving.log, shortened */
    assert_true(read_line(
        "{\"class\":\"TPV\",\"device\":\"udp://127.0.0.1:4000\",\"mode\":3,"
        "\"time\":\"2025-01-23T14:34:53.280Z\",\"ept\":0.005,\"lat\":46.498293369,"
        "\"lon\":7.567411672,\"altHAE\":1390.5,\"altMSL\":1344.9,\"alt\":1344.9,\"epv\":32.321,"
        "\"track\":10.3788,\"speed\":2.5,\"climb\":-0.085,\"eph\":19.2}\r"));
    assert_true(report.usable);
    assert_int_equal(report.fix.t_ms, 1737642893280);
    assert_int_equal(report.fix.received_ms, T0);
    assert_true(near(report.fix.lat, 46.498293369) && near(report.fix.lon, 7.567411672));
    assert_true(near(report.fix.altitude_m, 1390.5)); /* above the ellipsoid */
    assert_true(near(report.fix.speed_kmh, 9));
    assert_true(near(report.fix.heading_deg, 10.3788));
    assert_true(near(report.fix.accuracy_m, 19.2));
    assert_true(near(report.fix.vertical_accuracy_m, 32.321));
}

static void what_is_not_said_is_absent_and_never_0(void **state)
{
    (void)state;
    assert_true(read_line("{\"class\":\"TPV\",\"mode\":2,\"lat\":48,\"lon\":7,\"altHAE\":100}"));
    assert_true(report.usable);
    assert_int_equal(report.fix.t_ms, 0);
    assert_true(isnan(report.fix.speed_kmh) && isnan(report.fix.heading_deg));
    assert_true(isnan(report.fix.altitude_m)); /* two dimensions */
    assert_true(isnan(report.fix.accuracy_m) && isnan(report.fix.vertical_accuracy_m));
    assert_true(read_line(
        "{\"class\":\"TPV\",\"mode\":3,\"lat\":48,\"lon\":7,\"speed\":0.4,\"track\":12}"));
    assert_true(isnan(report.fix.heading_deg)); /* slower than one walks */
}

static void a_mode_alone_is_no_fix(void **state)
{
    static const char *const lines[] = {
        "{\"class\":\"TPV\",\"mode\":3}",
        "{\"class\":\"TPV\",\"mode\":3,\"lat\":48.5}",
        "{\"class\":\"TPV\",\"mode\":1,\"lat\":48.5,\"lon\":7.7}",
        "{\"class\":\"TPV\",\"lat\":48.5,\"lon\":7.7}",
        "{\"class\":\"TPV\",\"mode\":\"3\",\"lat\":48.5,\"lon\":7.7}",
        "{\"class\":\"TPV\",\"mode\":3,\"lat\":\"48.5\",\"lon\":7.7}",
        "{\"class\":\"TPV\",\"mode\":3,\"lat\":90.5,\"lon\":7.7}",
        "{\"class\":\"TPV\",\"mode\":3,\"lat\":48.5,\"lon\":-180.5}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(read_line(lines[i]));
        if (report.usable)
            fail_msg("a fix: %s", lines[i]);
    }
}

static void everything_else_is_no_report(void **state)
{
    static const char *const lines[] = {"",
                                        "\r",
                                        "{",
                                        "[]",
                                        "null",
                                        "\"TPV\"",
                                        "{\"class\":\"SKY\",\"hdop\":1}",
                                        "{\"class\":7}",
                                        "{\"class\":\"TPV\",\"mode\":3,\"lat\":48.5,\"lon\":7.7",
                                        "\xff\xfe",
                                        "{\"class\":\"VERSION\",\"release\":\"3.22\"}",
                                        "{\"class\":\"TPVX\",\"mode\":3}"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (read_line(lines[i]))
            fail_msg("a report: %s", lines[i]);
}

static void a_time_that_is_none_is_none(void **state)
{
    static const char *const times[] = {"\"\"", "\"yesterday\"", "17", "\"1969-01-01T00:00:00Z\"",
                                        "null"};
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        snprintf(line, sizeof line,
                 "{\"class\":\"TPV\",\"mode\":3,\"lat\":48.5,\"lon\":7.7,\"time\":%s}", times[i]);
        assert_true(read_line(line));
        assert_true(report.usable);
        assert_int_equal(report.fix.t_ms, 0);
    }
}

/* ---- lines */

static struct gpsd_lines lines;
static char got[256];

static void take(void *self, const char *line, size_t len)
{
    size_t at = strlen(got);

    (void)self;
    snprintf(got + at, sizeof got - at, "[%.*s]", (int)(len < 20 ? len : 20), line);
}

static void come(const char *bytes, size_t n)
{
    while (n > 0) {
        size_t room, part;
        char *to = gpsd_lines_room(&lines, &room);

        assert_true(room > 0);
        part = n < room ? n : room;
        memcpy(to, bytes, part);
        gpsd_lines_came(&lines, part, take, NULL);
        bytes += part;
        n -= part;
    }
}

static int begin(void **state)
{
    (void)state;
    memset(&lines, 0, sizeof lines);
    got[0] = '\0';
    return 0;
}

static void lines_come_whole_however_they_are_cut(void **state)
{
    static const char text[] = "one\r\ntwo\n\nthree\nfo";

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        come(text + i, 1);
    come("ur\n", 3);
    assert_string_equal(got, "[one\r][two][][three][four]");
    got[0] = '\0';
    come("a\nb\nc\n", 6);
    assert_string_equal(got, "[a][b][c]");
}

static void a_line_without_end_costs_itself_only(void **state)
{
    static char garbage[GPSD_LINE_MAX * 3];

    (void)state;
    memset(garbage, 'x', sizeof garbage);
    come("before\n", 7);
    come(garbage, sizeof garbage);
    come("rest of it\nafter\n", 17);
    assert_string_equal(got, "[before][after]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fix_is_read_in_our_units),
        cmocka_unit_test(what_is_not_said_is_absent_and_never_0),
        cmocka_unit_test(a_mode_alone_is_no_fix),
        cmocka_unit_test(everything_else_is_no_report),
        cmocka_unit_test(a_time_that_is_none_is_none),
        cmocka_unit_test_setup(lines_come_whole_however_they_are_cut, begin),
        cmocka_unit_test_setup(a_line_without_end_costs_itself_only, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
