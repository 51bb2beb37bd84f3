/* Eco scores. */
#include "services/ingest/facts/score.h"
#include "tests/unit/ingest/drives.h"

static struct score_sums example(void)
{
    return (struct score_sums){
        .km = 40,
        .bands = {1, 1, 0},
        .idle_s = 300,
        .engine_s = 3000,
        .above_s = 60,
        .moving_s = 2700,
        .high_rpm_s = 30,
        .cold_s = 60,
        .measured = {true, true, true, true, true},
    };
}

static void the_example_of_the_product_page_is_84_8(void **state)
{
    struct score_sums sums = example();
    struct score score = score_trip(&sums, &score_defaults);

    (void)state;
    assert_true(score.present);
    NEAR(score.value, 84.8, 1e-9);
    NEAR(score.penalty[SCORE_HARSH], 7.5, 1e-9);
    NEAR(score.penalty[SCORE_OVERSPEED], 2.22, 0.005);
    sums.measured[SCORE_OVERSPEED] = false;
    score = score_trip(&sums, &score_defaults);
    NEAR(score.value, 83.8, 1e-9);
    assert_true(isnan(score.penalty[SCORE_OVERSPEED]));
}

static void too_little_measured_or_driven_has_no_score(void **state)
{
    struct score_sums sums = example();

    (void)state;
    sums.km = 0.99;
    assert_false(score_trip(&sums, &score_defaults).present);
    sums = example();
    sums.measured[SCORE_HARSH] = false;
    assert_true(score_trip(&sums, &score_defaults).present); /* caps are 60 */
    sums.measured[SCORE_RPM] = false;
    assert_false(score_trip(&sums, &score_defaults).present);
}

static void a_penalty_is_capped(void **state)
{
    struct score_sums sums = example();

    (void)state;
    sums.bands[2] = 1000;
    NEAR(score_trip(&sums, &score_defaults).penalty[SCORE_HARSH], 40, 0);
    sums.km = 1;
    sums.bands[2] = 0; /* on five kilometres at least: 3 x 100 / 5, capped */
    sums.bands[1] = 0;
    NEAR(score_trip(&sums, &score_defaults).penalty[SCORE_HARSH], 20, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_product_page_is_84_8),
        cmocka_unit_test(too_little_measured_or_driven_has_no_score),
        cmocka_unit_test(a_penalty_is_capped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
