/* How often what is told, and what the machine's own supply says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vehicle/rates.h"
#include "vehicle/supply.h"

#define T0 1795248000000
#define HEARTBEAT 600000
#define BOOT "7b2c7fd4-62a5-44e8-9c36-0b8b2a2c7a11"

static struct config config;

static struct rates rates(enum power_mode mode, int64_t off_for_ms)
{
    struct rates_input in = {mode, off_for_ms, T0, 2000, HEARTBEAT, &config};

    return rates_of(&in);
}

static int begin(void **state)
{
    (void)state;
    memset(&config, 0, sizeof config);
    return 0;
}

static void a_car_that_drives_tells_all(void **state)
{
    struct rates r = rates(POWER_AWAKE, -1);

    (void)state;
    assert_int_equal(r.record_ms, 2000);
    assert_int_equal(r.fix_ms, 0);
    config.record_ms = 30000;
    assert_int_equal(rates(POWER_AWAKE, -1).record_ms, 30000);
}

static void a_parked_car_tells_less_and_less(void **state)
{
    (void)state;
    assert_int_equal(rates(POWER_BEATING, 0).fix_ms, 0);
    assert_int_equal(rates(POWER_BEATING, RATES_ANCHOR_MS - 1).fix_ms, 0);
    assert_int_equal(rates(POWER_BEATING, RATES_ANCHOR_MS).fix_ms, RATES_PARKED_MS);
    assert_int_equal(rates(POWER_DRAINING, RATES_SETTLED_MS - 1).fix_ms, RATES_PARKED_MS);
    assert_int_equal(rates(POWER_BEATING, RATES_SETTLED_MS).fix_ms, HEARTBEAT);
    config.parked_ms = 20000;
    assert_int_equal(rates(POWER_BEATING, RATES_ANCHOR_MS).fix_ms, 20000);
    config.parked_ms = 2 * HEARTBEAT;
    assert_int_equal(rates(POWER_BEATING, RATES_ANCHOR_MS).fix_ms, HEARTBEAT);
}

static void the_supply_is_looked_at_once_a_heartbeat_when_the_car_has_settled(void **state)
{
    (void)state;
    assert_int_equal(rates(POWER_AWAKE, -1).voltage_ms, 10000);
    assert_int_equal(rates(POWER_BEATING, RATES_SETTLED_MS - 1).voltage_ms, 10000);
    assert_int_equal(rates(POWER_BEATING, RATES_SETTLED_MS).voltage_ms, HEARTBEAT);
    assert_int_equal(rates(POWER_DOWN, 0).voltage_ms, HEARTBEAT);
}

static void who_watches_gets_fresh_records_until_the_time_is_over(void **state)
{
    struct rates r;

    (void)state;
    config.record_ms = 30000;
    config.watch_until_ms = T0 + 1;
    r = rates(POWER_BEATING, RATES_SETTLED_MS);
    assert_true(r.watched);
    assert_int_equal(r.record_ms, RATES_WATCH_MS);
    assert_int_equal(r.fix_ms, 0);
    assert_int_equal(r.voltage_ms, 10000);
    config.watch_record_ms = 250;
    assert_int_equal(rates(POWER_AWAKE, -1).record_ms, 250);
    config.record_ms = 200; /* never slower than without */
    assert_int_equal(rates(POWER_AWAKE, -1).record_ms, 200);
    config.watch_until_ms = T0;
    assert_false(rates(POWER_AWAKE, -1).watched);
    assert_int_equal(rates(POWER_BEATING, RATES_SETTLED_MS).fix_ms, HEARTBEAT);
}

static void an_empty_battery_feeds_nobody_s_curiosity(void **state)
{
    (void)state;
    config.watch_until_ms = T0 + 1000;
    for (int mode = POWER_GRACE; mode <= POWER_DOWN; mode++) {
        struct rates r = rates((enum power_mode)mode, 1000);

        assert_false(r.watched);
        assert_true(r.fix_ms == RATES_NEVER);
        assert_int_equal(r.voltage_ms, HEARTBEAT);
    }
}

/* ---- the machine's own supply */

static void only_an_agent_that_ran_in_another_boot_was_cut(void **state)
{
    char running[SUPPLY_MARK_MAX], stopped[SUPPLY_MARK_MAX];
    static const char other[] = "11111111-62a5-44e8-9c36-0b8b2a2c7a11";

    (void)state;
    supply_mark(running, BOOT, true);
    supply_mark(stopped, BOOT, false);
    assert_true(supply_was_cut(running, other));
    assert_false(supply_was_cut(running, BOOT)); /* killed */
    assert_false(supply_was_cut(stopped, other));
    assert_false(supply_was_cut("", other));   /* never ran here */
    assert_false(supply_was_cut(running, "")); /* a kernel that does not tell proves nothing */
    assert_false(supply_was_cut("running ", other));
    assert_false(supply_was_cut("nonsense", other));
}

static void this_boot_has_a_name(void **state)
{
    char one[SUPPLY_MARK_MAX], two[SUPPLY_MARK_MAX];

    (void)state;
    supply_boot(one);
    supply_boot(two);
    assert_int_equal(strlen(one), 36);
    assert_string_equal(one, two);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_supply_is_lost_when_its_line_says_so_twice(void **state)
{
    char path[] = "/tmp/vigie-line-XXXXXX";
    int fd = mkstemp(path);
    struct supply_line line = {.path = path, .lost = '0'}, none = {.path = "", .lost = '0'};

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_false(supply_lost(&line)); /* empty */
    put(path, "0\n");
    assert_false(supply_lost(&line));
    put(path, "1\n"); /* a spike */
    assert_false(supply_lost(&line));
    put(path, "0\n");
    assert_false(supply_lost(&line));
    assert_true(supply_lost(&line));
    assert_true(supply_lost(&line));
    unlink(path);
    assert_false(supply_lost(&line)); /* a line that is not there says nothing */
    assert_false(supply_lost(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_car_that_drives_tells_all, begin),
        cmocka_unit_test_setup(a_parked_car_tells_less_and_less, begin),
        cmocka_unit_test_setup(the_supply_is_looked_at_once_a_heartbeat_when_the_car_has_settled,
                               begin),
        cmocka_unit_test_setup(who_watches_gets_fresh_records_until_the_time_is_over, begin),
        cmocka_unit_test_setup(an_empty_battery_feeds_nobody_s_curiosity, begin),
        cmocka_unit_test(only_an_agent_that_ran_in_another_boot_was_cut),
        cmocka_unit_test(this_boot_has_a_name),
        cmocka_unit_test(a_supply_is_lost_when_its_line_says_so_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
