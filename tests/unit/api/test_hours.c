/* tests/unit/api/test_hours.c - weeks that have hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/api/hours.h"

static const char *fault_of(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    const char *why = hours_fault(value);

    json_decref(value);
    return why ? why : "";
}

static void a_span_may_end_at_midnight_or_on_the_next_day(void **state)
{
    (void)state;
    assert_string_equal(
        fault_of("{\"spans\":[{\"days\":[1,7],\"from\":\"22:00\",\"to\":\"06:00\"}]}"), "");
    assert_string_equal(
        fault_of("{\"spans\":[{\"days\":[1],\"from\":\"22:00\",\"to\":\"24:00\"}]}"), "");
    assert_string_equal(
        fault_of("{\"spans\":[{\"days\":[1],\"from\":\"22:00\",\"to\":\"00:00\"}]}"), "");
}

static void what_has_another_form_is_no_schedule(void **state)
{
    static const char *const wrong[] = {
        "{\"spans\":[{\"days\":[1],\"from\":\"24:00\",\"to\":\"06:00\"}]}",
        "{\"spans\":[{\"days\":[1],\"from\":\"12:3:\",\"to\":\"13:00\"}]}",
        "{\"spans\":[{\"days\":[1],\"from\":\"08:60\",\"to\":\"13:00\"}]}",
        "{\"spans\":[{\"days\":[1],\"from\":\"08:00\"}]}",
        "{\"spans\":{},\"except\":true}",
        "{\"except\":true}",
        "[]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_string_equal(fault_of(wrong[i]), "schedule");
}

static void a_schedule_without_hours_is_none(void **state)
{
    (void)state;
    assert_string_equal(fault_of("{\"spans\":[]}"), "empty");
    assert_string_equal(fault_of("{\"spans\":[],\"except\":true}"), "empty");
}

static void a_week_that_is_all_excepted_never_comes(void **state)
{
#define ALL "\"days\":[1,2,3,4,5,6,7]"
    (void)state;
    assert_string_equal(
        fault_of("{\"spans\":[{" ALL ",\"from\":\"00:00\",\"to\":\"24:00\"}],\"except\":true}"),
        "never");
    assert_string_equal(
        fault_of("{\"spans\":[{" ALL ",\"from\":\"07:00\",\"to\":\"07:00\"}],\"except\":true}"),
        "never");
    assert_string_equal(fault_of("{\"spans\":[{" ALL ",\"from\":\"06:00\",\"to\":\"22:00\"},{" ALL
                                 ",\"from\":\"22:00\",\"to\":\"06:00\"}],\"except\":true}"),
                        "never");
    assert_string_equal(
        fault_of("{\"spans\":[{" ALL ",\"from\":\"00:00\",\"to\":\"24:00\"}],\"except\":false}"),
        "");
    assert_string_equal(
        fault_of("{\"spans\":[{" ALL ",\"from\":\"00:00\",\"to\":\"23:59\"}],\"except\":true}"),
        "");
    assert_string_equal(fault_of("{\"spans\":[{\"days\":[1,2,3,4,5,6],\"from\":\"00:00\",\"to\":"
                                 "\"24:00\"}],\"except\":true}"),
                        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_may_end_at_midnight_or_on_the_next_day),
        cmocka_unit_test(what_has_another_form_is_no_schedule),
        cmocka_unit_test(a_schedule_without_hours_is_none),
        cmocka_unit_test(a_week_that_is_all_excepted_never_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
