/* The fleet: newest wins, each tenant its own, and a version for whoever looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/notify/fleet.h"

#define VIN "WVWZZZ1KZAW000001"
#define OTHER "VF1RFB00866123456"
#define OURS "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define THEIRS "0197f3c2-5f0e-7abc-8def-0123456789ac"

static struct fault fault;
static struct fleet *fleet;
static struct text out;
static const struct filter everything = {.all = true};

static int open_all(void **state)
{
    (void)state;
    text_init(&out);
    return fleet_open(&fleet, &fault) != ST_OK;
}

static int close_all(void **state)
{
    (void)state;
    fleet_close(fleet);
    text_done(&out);
    return 0;
}

static struct vehicle_row row_of(const char *vin, const char *customer)
{
    struct vehicle_row row = {.name = "Kangoo", .plate = "AB-123-CD"};

    text_copy(row.vin, sizeof row.vin, vin);
    text_copy(row.customer, sizeof row.customer, customer);
    text_copy(row.live.vin, sizeof row.live.vin, vin);
    text_copy(row.live.connectivity, sizeof row.live.connectivity, "never");
    return row;
}

static struct live live_of(const char *vin, int64_t t_ms, double speed_kmh)
{
    struct live live = {.t_ms = t_ms, .has_speed = true, .speed_kmh = speed_kmh};

    text_copy(live.vin, sizeof live.vin, vin);
    text_copy(live.connectivity, sizeof live.connectivity, "online");
    return live;
}

static void know(const char *vin, const char *customer)
{
    struct vehicle_row row = row_of(vin, customer);

    fleet_know(fleet, &row, 0);
}

static bool take(const char *vin, int64_t t_ms, double speed_kmh)
{
    struct live live = live_of(vin, t_ms, speed_kmh);

    return fleet_take(fleet, &live, 1);
}

static const char *print(const char *customer, uint64_t since, bool full)
{
    text_clear(&out);
    fleet_print(fleet, &out, customer, &everything, since, full, 1500);
    return out.bytes;
}

static void a_vehicle_is_printed_as_the_contract_says(void **state)
{
    struct vehicle_row row = row_of(VIN, OURS);

    (void)state;
    row.live = (struct live){.vin = VIN, .t_ms = 1000, .has_position = true, .has_speed = true};
    row.live.has_heading = row.live.has_ignition = row.live.ignition_on = true;
    row.live.lat = 48.5286;
    row.live.lon = 7.7116;
    row.live.speed_kmh = 50;
    row.live.heading_deg = 271;
    text_copy(row.live.connectivity, sizeof row.live.connectivity, "late");
    text_copy(row.name, sizeof row.name, "L'\"Étoile\"\n");
    fleet_know(fleet, &row, 0);
    assert_string_equal(print(OURS, 0, true),
                        "{\"vin\":\"" VIN
                        "\",\"name\":\"L'\\\"Étoile\\\"\\n\",\"plate\":\"AB-123-CD\","
                        "\"t\":1000,\"age_ms\":500,\"lat\":48.5286,\"lon\":7.7116,\"speed\":50,"
                        "\"heading\":271,\"ignition\":true,\"connectivity\":\"late\"}");
}

static void a_private_vehicle_has_no_place_until_a_message_brings_a_new_one(void **state)
{
    struct vehicle_row row = row_of(VIN, OURS);
    struct live live = live_of(VIN, 1000, 50);

    (void)state;
    live.has_position = live.has_heading = true;
    live.lat = live.lon = live.heading_deg = 7;
    fleet_know(fleet, &row, 0);
    assert_true(fleet_take(fleet, &live, 1));
    assert_non_null(strstr(print(OURS, 0, false), "\"lat\":7,\"lon\":7,"));
    row.private_since_ms = 1200;
    fleet_know(fleet, &row, 2);
    assert_true(fleet_take(fleet, &live, 3)); /* a late one */
    assert_string_equal(print(OURS, 0, false),
                        "{\"vin\":\"" VIN "\",\"t\":1000,\"age_ms\":500,\"speed\":50,"
                        "\"private_since\":1200,\"connectivity\":\"online\"}");
    row.private_since_ms = 0;
    row.live = live; /* the database still has the place from before */
    row.live.t_ms = 1400;
    fleet_know(fleet, &row, 4);
    assert_string_equal(print(OURS, 0, false),
                        "{\"vin\":\"" VIN "\",\"t\":1400,\"age_ms\":100,\"speed\":50,"
                        "\"connectivity\":\"online\"}");
    live.t_ms = 1500;
    assert_true(fleet_take(fleet, &live, 5));
    assert_non_null(strstr(print(OURS, 0, false), "\"lat\":7,\"lon\":7,"));
}

static void one_that_turned_private_leaves_each_box_once(void **state)
{
    const struct filter box = {
        .all = true, .has_box = true, .west = 6, .south = 6, .east = 8, .north = 8};
    const struct filter named = {.has_box = true, .west = 6, .south = 6, .east = 8, .north = 8};
    struct vehicle_row row = row_of(VIN, OURS);
    struct live live = live_of(VIN, 1000, 50);
    uint64_t before;

    (void)state;
    live.has_position = true;
    live.lat = live.lon = 7;
    fleet_know(fleet, &row, 0);
    assert_true(fleet_take(fleet, &live, 1));
    before = fleet_version(fleet);
    row.private_since_ms = 1200;
    fleet_know(fleet, &row, 2);
    text_clear(&out);
    assert_int_equal(fleet_print(fleet, &out, OURS, &named, before, false, 1500), 0);
    assert_int_equal(fleet_print(fleet, &out, OURS, &box, 0, true, 1500), 0); /* a snapshot */
    assert_int_equal(fleet_print(fleet, &out, OURS, &box, before, false, 1500), 1);
    assert_null(strstr(out.bytes, "lat"));
    before = fleet_version(fleet);
    take(VIN, 2000, 60);
    assert_int_equal(fleet_print(fleet, &out, OURS, &box, before, false, 2500), 0);
}

static void what_is_unknown_is_absent(void **state)
{
    (void)state;
    know(VIN, OURS);
    assert_string_equal(print(OURS, 0, false), "{\"vin\":\"" VIN "\",\"connectivity\":\"never\"}");
}

static void the_newest_wins_whichever_came_last(void **state)
{
    (void)state;
    know(VIN, OURS);
    assert_true(take(VIN, 1000, 10));
    assert_false(take(VIN, 999, 20));
    assert_non_null(strstr(print(OURS, 0, false), "\"speed\":10,"));
    assert_true(take(VIN, 1000, 30)); /* same sample, said again with more */
    assert_non_null(strstr(print(OURS, 0, false), "\"speed\":30,"));
}

static void a_row_older_than_live_gives_only_what_live_has_not(void **state)
{
    struct vehicle_row row = row_of(VIN, OURS);

    (void)state;
    know(VIN, OURS);
    take(VIN, 1000, 10);
    row.live = live_of(VIN, 900, 99);
    row.live.has_position = true;
    row.live.lat = 1;
    fleet_know(fleet, &row, 2);
    print(OURS, 0, false);
    assert_non_null(strstr(out.bytes, "\"t\":1000,"));
    assert_non_null(strstr(out.bytes, "\"lat\":1,\"lon\":0,\"speed\":10,"));
}

static void a_message_without_values_tells_of_freshness_and_keeps_the_rest(void **state)
{
    struct live sleeping = {.vin = VIN, .t_ms = 1400, .connectivity = "sleeping"};

    (void)state;
    know(VIN, OURS);
    take(VIN, 1000, 10);
    assert_true(fleet_take(fleet, &sleeping, 2));
    print(OURS, 0, false);
    assert_non_null(strstr(out.bytes, "\"t\":1000,\"age_ms\":500,\"speed\":10,"));
    assert_non_null(strstr(out.bytes, "\"sleeping\""));
}

static void the_databases_word_on_freshness_waits_for_a_message_just_come(void **state)
{
    struct vehicle_row row = row_of(VIN, OURS);

    (void)state;
    know(VIN, OURS);
    take(VIN, 1000, 10); /* at 1 ms */
    row.live = live_of(VIN, 500, 0);
    text_copy(row.live.connectivity, sizeof row.live.connectivity, "lost");
    fleet_know(fleet, &row, 9000); /* it has not stored that message yet */
    assert_non_null(strstr(print(OURS, 0, false), "\"online\""));
    fleet_know(fleet, &row, 10001); /* long enough */
    assert_non_null(strstr(print(OURS, 0, false), "\"lost\""));
    take(VIN, 2000, 10);
    row.live.t_ms = 2000; /* stored: it knows all we do */
    fleet_know(fleet, &row, 10002);
    assert_non_null(strstr(print(OURS, 0, false), "\"lost\""));
}

static void each_change_has_a_version_and_only_changes_are_printed(void **state)
{
    uint64_t version;

    (void)state;
    know(VIN, OURS);
    know(OTHER, OURS);
    version = fleet_version(fleet);
    assert_string_equal(print(OURS, version, false), "");
    know(VIN, OURS); /* nothing new in it */
    assert_int_equal(fleet_version(fleet), version);
    take(OTHER, 1000, 10);
    assert_true(fleet_version(fleet) > version);
    assert_non_null(strstr(print(OURS, version, false), OTHER));
    assert_null(strstr(out.bytes, VIN));
    take(VIN, 1001, 10); /* newest first */
    print(OURS, version, false);
    assert_true(strstr(out.bytes, VIN) < strstr(out.bytes, OTHER));
    assert_string_equal(print(OURS, fleet_version(fleet), false), "");
}

static void a_tenant_sees_its_own_and_nobody_sees_whose_is_unknown(void **state)
{
    (void)state;
    know(VIN, OURS);
    know(OTHER, THEIRS);
    take("WF0AXXGCDA8A12345", 1000, 10);
    print(OURS, 0, true);
    assert_non_null(strstr(out.bytes, VIN));
    assert_null(strstr(out.bytes, OTHER));
    assert_null(strstr(out.bytes, "WF0"));
    assert_string_equal(print("", 0, true), "");
}

static void a_vin_heard_before_it_was_known_shows_once_it_is(void **state)
{
    (void)state;
    assert_false(fleet_has(fleet, VIN));
    take(VIN, 1000, 10);
    assert_true(fleet_has(fleet, VIN));
    fleet_forget_begin(fleet);
    fleet_forget_end(fleet); /* a reading that does not hold it yet */
    know(VIN, OURS);
    assert_non_null(strstr(print(OURS, 0, true), "\"speed\":10,"));
}

static void identity_changes_with_names_comers_leavers_and_owners(void **state)
{
    struct vehicle_row row = row_of(VIN, OURS);
    uint64_t ours, theirs;

    (void)state;
    assert_int_equal(fleet_identity(fleet, OURS), 0);
    know(VIN, OURS);
    ours = fleet_identity(fleet, OURS);
    assert_true(ours > 0);
    take(VIN, 1000, 10);
    assert_int_equal(fleet_identity(fleet, OURS), ours);
    text_copy(row.name, sizeof row.name, "Trafic");
    fleet_know(fleet, &row, 0);
    assert_true(fleet_identity(fleet, OURS) > ours);
    ours = fleet_identity(fleet, OURS);
    know(VIN, THEIRS); /* sold */
    assert_true(fleet_identity(fleet, OURS) > ours);
    theirs = fleet_identity(fleet, THEIRS);
    assert_true(theirs > 0);
    fleet_forget_begin(fleet); /* retired */
    fleet_forget_end(fleet);
    assert_true(fleet_identity(fleet, THEIRS) > theirs);
    assert_false(fleet_has(fleet, VIN));
    assert_string_equal(print(THEIRS, 0, true), "");
}

static void who_is_known_again_stays(void **state)
{
    (void)state;
    know(VIN, OURS);
    know(OTHER, OURS);
    fleet_forget_begin(fleet);
    know(OTHER, OURS);
    fleet_forget_end(fleet);
    print(OURS, 0, true);
    assert_null(strstr(out.bytes, VIN));
    assert_non_null(strstr(out.bytes, OTHER));
}

static void a_filter_lets_through_what_it_names(void **state)
{
    char vins[][VIN_LEN + 1] = {OTHER, VIN};
    const struct filter list = {.vin_count = 2, .vins = vins}, none = {0};
    const struct live live = {0};

    (void)state;
    assert_true(filter_passes(&everything, VIN, &live));
    assert_true(filter_passes(&list, VIN, &live));
    assert_true(filter_passes(&list, OTHER, &live));
    assert_false(filter_passes(&list, "WF0AXXGCDA8A12345", &live));
    assert_false(filter_passes(&none, VIN, &live));
}

static bool in_box(double west, double south, double east, double north, double lat, double lon)
{
    const struct filter box = {true, 0, NULL, true, west, south, east, north};
    const struct live live = {.has_position = true, .lat = lat, .lon = lon};

    return filter_passes(&box, VIN, &live);
}

static void a_box_holds_its_edges_and_may_cross_the_antimeridian(void **state)
{
    const struct filter world = {true, 0, NULL, true, -180, -90, 180, 90};
    const struct live nowhere = {0};

    (void)state;
    assert_true(in_box(7, 48, 8, 49, 48, 8));
    assert_false(in_box(7, 48, 8, 49, 47.999, 7.5));
    assert_false(in_box(7, 48, 8, 49, 48.5, 8.001));
    assert_true(in_box(170, -10, -170, 10, 0, 179));
    assert_true(in_box(170, -10, -170, 10, 0, -170));
    assert_false(in_box(170, -10, -170, 10, 0, 0));
    assert_false(filter_passes(&world, VIN, &nowhere)); /* no position is in no box */
}

static void many_vehicles_come_and_go(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        char vin[VIN_LEN + 1];

        fleet_forget_begin(fleet);
        for (int i = round; i < 500; i += 1 + round) {
            snprintf(vin, sizeof vin, "WVW%014d", i);
            know(vin, i % 2 ? OURS : THEIRS);
            take(vin, 1000 + round, i);
        }
        fleet_forget_end(fleet);
    }
    text_clear(&out);
    assert_int_equal(fleet_print(fleet, &out, OURS, &everything, 0, false, 0) +
                         fleet_print(fleet, &out, THEIRS, &everything, 0, false, 0),
                     166);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_vehicle_is_printed_as_the_contract_says),
        TEST(what_is_unknown_is_absent),
        TEST(a_private_vehicle_has_no_place_until_a_message_brings_a_new_one),
        TEST(one_that_turned_private_leaves_each_box_once),
        TEST(the_newest_wins_whichever_came_last),
        TEST(a_row_older_than_live_gives_only_what_live_has_not),
        TEST(a_message_without_values_tells_of_freshness_and_keeps_the_rest),
        TEST(the_databases_word_on_freshness_waits_for_a_message_just_come),
        TEST(each_change_has_a_version_and_only_changes_are_printed),
        TEST(a_tenant_sees_its_own_and_nobody_sees_whose_is_unknown),
        TEST(a_vin_heard_before_it_was_known_shows_once_it_is),
        TEST(identity_changes_with_names_comers_leavers_and_owners),
        TEST(who_is_known_again_stays),
        TEST(a_filter_lets_through_what_it_names),
        TEST(a_box_holds_its_edges_and_may_cross_the_antimeridian),
        TEST(many_vehicles_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
