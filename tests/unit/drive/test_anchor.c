/* tests/unit/drive/test_anchor.c - where a car stands. */
#include "capture.h"

#include "lib/drive/anchor.h"

#define LAT 48.5286
#define LON 7.7116
#define DEGREES(m) ((m) / 111195.08) /* of latitude */

static void an_anchor_is_the_median_of_the_first_60_fixes(void **state)
{
    struct anchor a = {0};
    double lat, lon;

    (void)state;
    assert_false(anchor_place(&a, &lat, &lon));
    anchor_add(&a, 0, 0);
    anchor_add(&a, NOT_MEASURED, 7);
    assert_false(anchor_place(&a, &lat, &lon));
    for (int i = 0; i < 60; i++) /* a third of them 300 m away */
        anchor_add(&a, LAT + (i % 3 == 0 ? DEGREES(300) : 0), LON);
    for (int i = 0; i < 100; i++)
        anchor_add(&a, 10, 10);
    assert_true(anchor_place(&a, &lat, &lon));
    NEAR(lat, LAT, 1e-7);
    NEAR(lon, LON, 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anchor_is_the_median_of_the_first_60_fixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
