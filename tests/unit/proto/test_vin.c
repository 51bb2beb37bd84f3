/* VIN grammar and check digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/vin.h"

static bool valid(const char *text)
{
    return vin_is_valid(text, strlen(text));
}

static void seventeen_characters_without_i_o_q_are_a_vin(void **state)
{
    (void)state;
    assert_true(valid("WVWZZZ1KZAW000001"));
    assert_true(valid("1M8GDM9AXKP042788"));
    for (const char *bad = "IOQioqa+#/ \t-_\x7f\x80\xff"; *bad; bad++) {
        for (size_t at = 0; at < VIN_LEN; at++) {
            char vin[] = "WVWZZZ1KZAW000001";

            vin[at] = *bad;
            assert_false(valid(vin));
        }
    }
}

static void shorter_longer_and_nul_are_refused(void **state)
{
    (void)state;
    assert_false(valid(""));
    assert_false(valid("WVWZZZ1KZAW00000"));
    assert_false(valid("WVWZZZ1KZAW0000011"));
    assert_false(vin_is_valid("WVWZZZ1KZAW00000\0", 17));
}

static void the_check_digit_agrees_with_known_vins(void **state)
{
    (void)state;
    assert_true(vin_check_digit_matches("1M8GDM9AXKP042788"));
    assert_true(vin_check_digit_matches("11111111111111111"));
    assert_true(vin_check_digit_matches("WBA71DC010CH14720"));
    assert_false(
        vin_check_digit_matches("WVWZZZ1KZAW000001")); /* a good European VIN all the same */
    assert_false(vin_check_digit_matches("1M8GDM9A0KP042788"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seventeen_characters_without_i_o_q_are_a_vin),
        cmocka_unit_test(shorter_longer_and_nul_are_refused),
        cmocka_unit_test(the_check_digit_agrees_with_known_vins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
