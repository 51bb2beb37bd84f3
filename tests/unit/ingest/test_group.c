/* How long a record waits for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/group.h"

#define WAIT 50
#define NOW INT64_C(100000)

static void after_a_quiet_moment_a_record_waits_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(group_until_ms(NOW, NOW - WAIT, WAIT), NOW);
    assert_int_equal(group_until_ms(NOW, 0, WAIT), NOW); /* the first of all */
    assert_int_equal(group_until_ms(NOW, NOW, 0), NOW);  /* nothing ever waits */
}

static void where_records_come_all_the_time_it_waits_for_more(void **state)
{
    (void)state;
    assert_int_equal(group_until_ms(NOW, NOW - WAIT + 1, WAIT), NOW + WAIT);
    assert_int_equal(group_until_ms(NOW, NOW, WAIT), NOW + WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_quiet_moment_a_record_waits_for_nothing),
        cmocka_unit_test(where_records_come_all_the_time_it_waits_for_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
