/* Fuel rates, litres and CO2, each with its method. */
#include "services/ingest/facts/fuel.h"
#include "tests/unit/ingest/drives.h"

static struct fuel_settings petrol(void)
{
    struct fuel_settings set = fuel_defaults;

    set.kind = FUEL_PETROL;
    return set;
}

static struct moment at(int64_t t_s)
{
    struct moment m;

    moment_init(&m, MONDAY + t_s * SECOND);
    m.ecu = true;
    return m;
}

static struct fuel_rate rate(const struct fuel_settings *set, const struct moment *m)
{
    struct fuel f = {0};
    struct fuel_sum sum = {0};

    fuel_step(&f, set, m, KNOWN_YES, &sum);
    return f.rate;
}

static void the_point_check_of_the_product_page(void **state)
{
    struct fuel_settings set = petrol();
    struct moment m = at(1);

    (void)state;
    NEAR(fuel_air_g_s(2500, 40, 310, 1.6, 0.80), 11.99, 0.005);
    set.displacement_l = 1.6;
    set.volumetric_efficiency = 0.80;
    m.v[MOMENT_RPM] = 2500;
    m.v[MOMENT_MAP] = 40;
    m.v[MOMENT_INTAKE] = 310 - 273.15;
    NEAR(rate(&set, &m).litres_h, 3.94, 0.005);
    assert_int_equal(rate(&set, &m).method, FUEL_DENSITY);
}

static void the_first_method_that_exists_is_taken(void **state)
{
    struct fuel_settings set = petrol();
    struct moment m = at(1);

    (void)state;
    m.v[MOMENT_RPM] = 2000;
    assert_int_equal(rate(&set, &m).method, FUEL_NONE);
    m.v[MOMENT_MAP] = 40;
    m.v[MOMENT_INTAKE] = 20;
    assert_int_equal(rate(&set, &m).method, FUEL_NONE); /* displacement not known */
    set.displacement_l = 1.6;
    assert_int_equal(rate(&set, &m).method, FUEL_DENSITY);
    m.v[MOMENT_MAF] = 10;
    NEAR(rate(&set, &m).litres_h, 3.2872, 0.0001);
    assert_int_equal(rate(&set, &m).method, FUEL_MAF);
    m.v[MOMENT_FUEL_G_S] = 1;
    NEAR(rate(&set, &m).litres_h, 3600 / 745.0, 1e-9);
    m.v[MOMENT_LITRES_H] = 4.2;
    NEAR(rate(&set, &m).litres_h, 4.2, 0);
    assert_int_equal(rate(&set, &m).method, FUEL_DIRECT);
}

static void a_diesel_without_measured_lambda_has_no_figure(void **state)
{
    struct fuel_settings set = fuel_defaults;
    struct moment m = at(1);

    (void)state;
    set.kind = FUEL_DIESEL;
    m.v[MOMENT_MAF] = 20;
    m.v[MOMENT_EQUIVALENCE] = 1.5;
    m.v[MOMENT_FUEL_STATUS] = 2;
    assert_true(isnan(rate(&set, &m).litres_h));
    m.v[MOMENT_LAMBDA] = 1.6;
    NEAR(rate(&set, &m).litres_h, 20 * 3600 / (14.5 * 1.6 * 830), 1e-9);
    m.v[MOMENT_LAMBDA] = 1.995; /* the sensor is at its end */
    assert_true(isnan(rate(&set, &m).litres_h));
    m.v[MOMENT_FUEL_G_S] = 1;
    NEAR(rate(&set, &m).litres_h, 3600 / 830.0, 1e-9);
}

static void lambda_is_measured_or_commanded_in_closed_loop_or_one(void **state)
{
    struct fuel_settings set = petrol();
    struct moment m = at(1);

    (void)state;
    m.v[MOMENT_MAF] = 10;
    m.v[MOMENT_EQUIVALENCE] = 0.8;
    m.v[MOMENT_FUEL_STATUS] = 1;
    NEAR(rate(&set, &m).litres_h, 3.2872, 0.0001);
    m.v[MOMENT_FUEL_STATUS] = 2;
    NEAR(rate(&set, &m).litres_h, 3.2872 / 0.8, 0.0002);
    m.v[MOMENT_LAMBDA] = 0.9;
    NEAR(rate(&set, &m).litres_h, 3.2872 / 0.9, 0.0002);
}

static void fuel_cut_burns_nothing(void **state)
{
    struct fuel_settings set = petrol();
    struct fuel f = {0};
    struct fuel_sum sum = {0};
    struct moment m = at(1);

    (void)state;
    m.v[MOMENT_MAF] = 3;
    m.v[MOMENT_RPM] = 800;
    m.v[MOMENT_THROTTLE] = 14;
    m.v[MOMENT_FUEL_STATUS] = 2;
    fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    assert_true(f.rate.litres_h > 0);
    m.t_ms += SECOND;
    m.v[MOMENT_RPM] = 2500;
    m.v[MOMENT_FUEL_STATUS] = 4;
    m.v[MOMENT_THROTTLE] = 15;
    fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    NEAR(f.rate.litres_h, 0, 0);
    m.t_ms += SECOND;
    m.v[MOMENT_THROTTLE] = 80; /* the same status under load */
    fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    assert_true(f.rate.litres_h > 0);
}

static void an_electric_car_has_no_litres_not_zero(void **state)
{
    struct fuel_settings set = fuel_defaults;
    struct fuel f = {0};
    struct fuel_sum sum = {0};

    (void)state;
    set.kind = FUEL_ELECTRIC;
    for (int i = 1; i < 100; i++) {
        struct moment m = at(i);

        m.v[MOMENT_LITRES_H] = 1;
        fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    }
    assert_true(isnan(fuel_litres(&sum)));
    assert_true(isnan(fuel_co2_kg(&set, 1)));
    assert_int_equal(fuel_kind_of("electric"), FUEL_ELECTRIC);
    assert_int_equal(fuel_kind_of("lpg"), FUEL_OTHER);
    assert_int_equal(fuel_kind_of(""), FUEL_UNKNOWN);
}

static void holes_are_not_integrated_over_and_lower_the_coverage(void **state)
{
    struct fuel_settings set = petrol();
    struct fuel f = {0};
    struct fuel_sum sum = {0};

    (void)state;
    for (int i = 0; i <= 360; i += 10) {
        struct moment m = at(1 + i + (i >= 180 ? 120 : 0)); /* two minutes are missing */

        m.v[MOMENT_LITRES_H] = 10;
        fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    }
    NEAR(fuel_litres(&sum), 10 * 350.0 / 3600, 1e-9);
    NEAR(fuel_coverage(&sum), 350.0 / 480, 1e-9);
    assert_true(isnan(fuel_per_100_km(&sum, &set, 5000)));
}

static void values_that_come_one_a_sample_are_carried_for_a_while_only(void **state)
{
    struct fuel_settings set = petrol();
    struct fuel f = {0};
    struct fuel_sum sum = {0};
    double share;

    (void)state;
    set.displacement_l = 1.6;
    for (int i = 1; i <= 100; i++) { /* intake temperature once in ten seconds */
        struct moment m = at(i);

        m.v[MOMENT_RPM] = 2500;
        m.v[MOMENT_MAP] = 40;
        if (i % 10 == 1 && i < 50)
            m.v[MOMENT_INTAKE] = 36.85;
        fuel_step(&f, &set, &m, KNOWN_YES, &sum);
    }
    NEAR((double)sum.by_ms[FUEL_DENSITY] / 1000, 55, 1); /* until 15 s after the last */
    assert_int_equal(fuel_main_method(&sum, &share), FUEL_DENSITY);
    NEAR(share, 1, 0);
}

static void litres_per_100_km_need_a_kilometre(void **state)
{
    struct fuel_settings set = petrol();
    struct fuel_sum sum = {.expected_ms = 1000};

    (void)state;
    sum.by_ms[FUEL_DIRECT] = 950;
    sum.litres[FUEL_DIRECT] = 0.1;
    assert_true(isnan(fuel_per_100_km(&sum, &set, 999)));
    NEAR(fuel_per_100_km(&sum, &set, 2000), 5, 1e-9);
}

static void the_level_gives_litres_of_a_whole_trip_only_where_nothing_else_did(void **state)
{
    struct fuel_settings set = petrol();
    struct fuel_sum sum = {0};

    (void)state;
    assert_false(fuel_from_level(&sum, &set, 60, 50, 1000)); /* tank not known */
    set.tank_l = 50;
    assert_false(fuel_from_level(&sum, &set, 50, 60, 1000));
    assert_false(fuel_from_level(&sum, &set, NOT_MEASURED, 50, 1000));
    assert_true(fuel_from_level(&sum, &set, 60, 50, 1000));
    NEAR(fuel_litres(&sum), 5, 1e-9);
    assert_string_equal(fuel_word(fuel_main_method(&sum, NULL)), "level");
    assert_false(fuel_from_level(&sum, &set, 60, 50, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_point_check_of_the_product_page),
        cmocka_unit_test(the_first_method_that_exists_is_taken),
        cmocka_unit_test(a_diesel_without_measured_lambda_has_no_figure),
        cmocka_unit_test(lambda_is_measured_or_commanded_in_closed_loop_or_one),
        cmocka_unit_test(fuel_cut_burns_nothing),
        cmocka_unit_test(an_electric_car_has_no_litres_not_zero),
        cmocka_unit_test(holes_are_not_integrated_over_and_lower_the_coverage),
        cmocka_unit_test(values_that_come_one_a_sample_are_carried_for_a_while_only),
        cmocka_unit_test(litres_per_100_km_need_a_kilometre),
        cmocka_unit_test(the_level_gives_litres_of_a_whole_trip_only_where_nothing_else_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
