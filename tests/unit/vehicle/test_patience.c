/* When a car sends again what nobody has spoken of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "vehicle/patience.h"

#define FIRST 30000
#define LAST 600000
#define LATEST (FIRST * 12 / 10) /* with its jitter */
#define GIVEN 1000

static struct ledger two_sites(void)
{
    static char sites[2][LEDGER_SITE_TEXT] = {"illkirch", "esplanade"};
    struct ledger l;

    ledger_init(&l);
    ledger_require(&l, sites, 2);
    return l;
}

static void hear(struct ledger *l, const char *site, int64_t upto, int64_t gap_last)
{
    struct ack ack = {.mark = {.upto = upto, .gap_count = gap_last > 0, .gaps = {{1, gap_last}}}};

    snprintf(ack.site, sizeof ack.site, "%s", site);
    (void)!ledger_take(l, &ack, GIVEN);
}

static void silence_ends_it_ever_later(void **state)
{
    struct ledger l = two_sites();
    struct patience p;
    int64_t now_ms = 0, last_ms = 0;

    (void)state;
    patience_begin(&p, &l, FIRST, LAST, 0);
    for (int i = 0; i < 4; i++) {
        while (!patience_is_over(&p, &l, GIVEN, now_ms))
            now_ms += 100;
        assert_true(now_ms - last_ms >= (FIRST << i) * 8 / 10);
        assert_true(now_ms - last_ms <= (FIRST << i) * 12 / 10 + 100);
        last_ms = now_ms;
    }
}

static void it_lasts_while_the_oldest_moves(void **state)
{
    struct ledger l = two_sites();
    struct patience p;

    (void)state;
    patience_begin(&p, &l, FIRST, LAST, 0);
    for (int i = 1; i < 100; i++) {
        hear(&l, "illkirch", i, 0);
        hear(&l, "esplanade", i, 0);
        patience_heard(&p, &l, i * 10000);
        assert_false(patience_is_over(&p, &l, GIVEN, i * 10000 + 9999));
    }
}

static void what_a_site_missed_goes_again_although_newer_records_are_settled(void **state)
{
    struct ledger l = two_sites();
    struct patience p;
    int times = 0;

    (void)state;
    hear(&l, "illkirch", 100, 0);
    patience_begin(&p, &l, FIRST, LAST, 0);
    for (int i = 1; i <= 200; i++) { /* esplanade is back and lacks 1 .. 100 */
        hear(&l, "illkirch", 100 + i, 0);
        hear(&l, "esplanade", 100 + i, 100);
        patience_heard(&p, &l, i * 1000);
        times += patience_is_over(&p, &l, GIVEN, i * 1000);
    }
    assert_in_range(times, 200000 / LATEST - 1, 200000 / (FIRST * 8 / 10));
}

static void a_site_that_comes_back_after_a_long_time_is_served_soon(void **state)
{
    struct ledger l = two_sites();
    struct patience p;
    int64_t now_ms = 0;

    (void)state;
    patience_begin(&p, &l, FIRST, LAST, 0);
    for (int i = 0; i < 6; i++)
        while (!patience_is_over(&p, &l, GIVEN, now_ms))
            now_ms += 1000;
    hear(&l, "illkirch", 500, 0);
    hear(&l, "esplanade", 500, 499);
    patience_heard(&p, &l, now_ms);
    assert_true(patience_is_over(&p, &l, GIVEN, now_ms + LATEST));
}

static void nothing_owed_is_nothing_to_wait_for(void **state)
{
    struct ledger l = two_sites();
    struct patience p;

    (void)state;
    hear(&l, "illkirch", GIVEN, 0);
    hear(&l, "esplanade", GIVEN, 0);
    patience_begin(&p, &l, FIRST, LAST, 0);
    assert_false(patience_is_over(&p, &l, GIVEN, 10 * LAST));
    assert_false(patience_is_over(&p, &l, GIVEN + 1, 10 * LAST + FIRST / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_ends_it_ever_later),
        cmocka_unit_test(it_lasts_while_the_oldest_moves),
        cmocka_unit_test(what_a_site_missed_goes_again_although_newer_records_are_settled),
        cmocka_unit_test(a_site_that_comes_back_after_a_long_time_is_served_soon),
        cmocka_unit_test(nothing_owed_is_nothing_to_wait_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
