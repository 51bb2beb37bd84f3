/* alert-change/1, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/alert_change.h"

static struct alert_change_message good(void)
{
    return (struct alert_change_message){.id = "0197f3c2-5f0e-7abc-8def-0123456789ab",
                                         .vin = "WVWZZZ1KZAW000001",
                                         .type = "harsh_braking",
                                         .severity = "major",
                                         .state = "open",
                                         .occurred_ms = 1795248000500,
                                         .detected_ms = 1795248000700,
                                         .count = 1,
                                         .cursor = "729.3"};
}

static void a_change_is_written_as_the_contract_says(void **state)
{
    struct alert_change_message m = good();
    char out[512];
    size_t len = 0;

    (void)state;
    assert_int_equal(alert_change_write(&m, out, sizeof out, &len, NULL), ST_OK);
    out[len] = '\0';
    assert_string_equal(
        out, "{\"schema\":\"alert-change/1\",\"id\":\"0197f3c2-5f0e-7abc-8def-0123456789ab\","
             "\"vin\":\"WVWZZZ1KZAW000001\",\"type\":\"harsh_braking\",\"severity\":\"major\","
             "\"state\":\"open\",\"occurred_at\":1795248000500,\"detected_at\":1795248000700,"
             "\"count\":1,\"cursor\":\"729.3\"}");
    assert_int_equal(alert_change_write(&m, out, len - 1, &len, NULL), ST_REJECT);
}

static void what_is_none_is_refused(void **state)
{
    struct alert_change_message m;
    char out[512];
    size_t len;

    (void)state;
    for (int i = 0; i < 5; i++) {
        m = good();
        *(i == 0 ? m.id : i == 1 ? m.vin : i == 2 ? m.severity : m.state) = '?';
        if (i == 4) {
            m = good();
            m.count = 0;
        }
        assert_int_equal(alert_change_write(&m, out, sizeof out, &len, NULL), ST_REJECT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_written_as_the_contract_says),
        cmocka_unit_test(what_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
