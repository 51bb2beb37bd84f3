/* Trouble codes, readiness and VIN: the vectors of SAE J2012 and J1979, as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/dtc.h"

static struct link_answer answer;
static struct dtc_set set;

static void begin(void)
{
    memset(&answer, 0, sizeof answer);
    memset(&set, 0, sizeof set);
    answer.outcome = LINK_ANSWERED;
}

static void add(uint32_t ecu, const char *hex)
{
    struct link_message *m = &answer.messages[answer.count++];

    m->ecu = ecu;
    m->at = (uint16_t)answer.used;
    m->len = 0;
    for (; hex[0] != '\0'; hex += 2 + (hex[2] == ' ')) {
        unsigned byte;

        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        answer.bytes[answer.used++] = (uint8_t)byte;
        m->len++;
    }
}

static void assert_code(size_t i, const char *code, uint32_t ecu)
{
    assert_true(i < set.count);
    assert_string_equal(set.codes[i].code, code);
    assert_int_equal(set.codes[i].ecu, ecu);
}

static void two_bytes_are_a_code_and_back(void **state)
{
    static const struct {
        uint16_t bytes;
        const char *code;
    } rows[] = {{0x0104, "P0104"}, {0x38AB, "P38AB"}, {0xC100, "U0100"}, {0x0301, "P0301"},
                {0x4123, "C0123"}, {0xD000, "U1000"}, {0x0420, "P0420"}, {0x57DE, "C17DE"},
                {0xE0FC, "U20FC"}, {0x3FFF, "P3FFF"}, {0x8003, "B0003"}, {0xFFFF, "U3FFF"}};
    char code[DTC_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dtc_print(code, rows[i].bytes);
        assert_string_equal(code, rows[i].code);
    }
    for (unsigned bytes = 0; bytes < 65536; bytes++) {
        unsigned digits;

        dtc_print(code, (uint16_t)bytes);
        assert_int_equal(sscanf(code + 1, "%4x", &digits), 1);
        assert_int_equal((unsigned)(strchr("PCBU", code[0]) - "PCBU") << 14 | digits, bytes);
    }
}

static void on_can_a_count_comes_first(void **state)
{
    (void)state;
    begin();
    add(0x7E8, "43 02 03 01 04 20");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 2);
    assert_code(0, "P0301", 0x7E8);
    assert_code(1, "P0420", 0x7E8);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_FULL);
    begin();
    add(0x7E8, "43 00");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 0);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_FULL);
    begin();
    add(0x7E8, "47 01 C1 00");
    dtc_take(&set, DTC_PENDING, &answer, true);
    assert_code(0, "U0100", 0x7E8);
    assert_int_equal(set.codes[0].state, DTC_PENDING);
}

static void older_buses_pad_with_zeroes(void **state)
{
    (void)state;
    begin();
    add(0x10, "43 03 01 04 20 00 00");
    dtc_take(&set, DTC_STORED, &answer, false);
    assert_int_equal(set.count, 2);
    assert_code(1, "P0420", 0x10);
    begin();
    add(0x10, "43 01 04 41 23 80 03");
    add(0x10, "43 38 AB 00 00 00 00");
    dtc_take(&set, DTC_STORED, &answer, false);
    assert_int_equal(set.count, 4);
    assert_code(0, "P0104", 0x10);
    assert_code(1, "C0123", 0x10);
    assert_code(2, "B0003", 0x10);
    assert_code(3, "P38AB", 0x10);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_FULL);
}

static void a_clone_without_count_is_understood(void **state)
{
    (void)state;
    begin();
    add(0x7E8, "43 03 01 04 20");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 2);
}

static void a_wrong_length_does_not_make_codes_of_the_count(void **state)
{
    (void)state;
    begin();
    add(0x7E8, "4A 00"); /* this adapter leaves the count in */
    dtc_take(&set, DTC_PERMANENT, &answer, true);
    add(0x7E8, "43 03 03 01 04 20 01 33 AA");
    answer.count = 1; /* the newer one alone */
    answer.messages[0] = answer.messages[1];
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 3);
    assert_code(0, "P0301", 0x7E8);
    assert_code(2, "P0133", 0x7E8);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL);
    /* as long as both forms would be, and nothing known: no code is believed */
    begin();
    add(0x7E8, "43 03 03 01 04 20 01 33 AA");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 0);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL);
}

static void a_unit_that_gave_the_list_before_is_remembered(void **state)
{
    static struct dtc_set before, after;

    (void)state;
    begin();
    add(0x7E8, "43 00");
    add(0x7E9, "43 00");
    dtc_remember(&before, &before, DTC_STORED, &answer);
    assert_int_equal(before.ecu_count[DTC_STORED], 2);
    begin();
    add(0x7E9, "43 00");
    dtc_remember(&after, &before, DTC_STORED, &answer);
    assert_int_equal(after.ecu_count[DTC_STORED], 2);
    assert_int_equal(after.ecu_count[DTC_PENDING], 0);
}

static void lists_are_the_same_in_any_order(void **state)
{
    static struct dtc_set a, b;

    (void)state;
    a.count = b.count = 2;
    a.codes[0] = b.codes[1] = (struct dtc){"P0301", DTC_STORED, 0x7E8};
    a.codes[1] = b.codes[0] = (struct dtc){"U0100", DTC_PENDING, 0x7E9};
    assert_true(dtc_same(&a, &b));
    b.codes[0].ecu = 0x7E8;
    assert_false(dtc_same(&a, &b));
    b = a;
    b.lists[DTC_STORED] = DTC_LIST_PARTIAL;
    assert_false(dtc_same(&a, &b));
}

static void a_code_belongs_to_its_ecu(void **state)
{
    (void)state;
    begin();
    add(0x7E8, "43 01 03 01");
    add(0x7E9, "43 00");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 1);
    assert_code(0, "P0301", 0x7E8);
}

static void a_list_shorter_than_it_says_is_partial(void **state)
{
    (void)state;
    begin();
    add(0x7E8, "43 03 03 01 04 20");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL);
    begin();
    answer.cut = true;
    add(0x7E8, "43 01 03 01");
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL);
    begin();
    add(0x10, "43 03 01 04 20 00");
    add(0x10, "43 03");
    dtc_take(&set, DTC_STORED, &answer, false);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL); /* half a code */
}

static void silence_is_unknown_and_not_none(void **state)
{
    (void)state;
    begin();
    answer.outcome = LINK_NO_DATA;
    dtc_take(&set, DTC_PERMANENT, &answer, true);
    assert_int_equal(set.lists[DTC_PERMANENT], DTC_LIST_ABSENT);
}

static void more_codes_than_fit_make_the_list_partial(void **state)
{
    (void)state;
    begin();
    for (int m = 0; m < 3; m++) {
        struct link_message *message = &answer.messages[answer.count++];

        *message = (struct link_message){0x7E8, (uint16_t)answer.used, 2 + 2 * 60};
        answer.bytes[answer.used++] = 0x43;
        answer.bytes[answer.used++] = 60;
        for (int i = 0; i < 60; i++) {
            answer.bytes[answer.used++] = (uint8_t)(m + 1);
            answer.bytes[answer.used++] = (uint8_t)(i + 1);
        }
    }
    dtc_take(&set, DTC_STORED, &answer, true);
    assert_int_equal(set.count, DTC_MAX);
    assert_int_equal(set.lists[DTC_STORED], DTC_LIST_PARTIAL);
}

static const char *readiness_of(const struct readiness *r, const char *monitor)
{
    for (unsigned i = 0; i < MONITORS; i++)
        if (strcmp(readiness_monitor(i), monitor) == 0)
            return !r->supported[i] ? "absent" : r->complete[i] ? "complete" : "incomplete";
    return "unknown";
}

static void spark_ignition_readiness_is_read(void **state)
{
    static const char *const complete[] = {"misfire",     "fuel_system",          "components",
                                           "evaporative", "oxygen_sensor_heater", "egr_vvt"};
    struct readiness r = {.known = false};

    (void)state;
    readiness_take(&r, (const uint8_t[]){0x82, 0x07, 0xE5, 0x21});
    assert_true(r.mil_on);
    for (size_t i = 0; i < sizeof complete / sizeof complete[0]; i++)
        assert_string_equal(readiness_of(&r, complete[i]), "complete");
    assert_string_equal(readiness_of(&r, "catalyst"), "incomplete");
    assert_string_equal(readiness_of(&r, "oxygen_sensor"), "incomplete");
    assert_string_equal(readiness_of(&r, "secondary_air"), "absent");
}

static void compression_ignition_readiness_is_read(void **state)
{
    struct readiness r = {.known = false};
    unsigned complete = 0;

    (void)state;
    readiness_take(&r, (const uint8_t[]){0x00, 0x0F, 0xEB, 0x40});
    assert_false(r.mil_on);
    assert_string_equal(readiness_of(&r, "particulate_filter"), "incomplete");
    for (unsigned i = 0; i < MONITORS; i++)
        complete += r.supported[i] && r.complete[i];
    assert_int_equal(complete, 8);
}

static void a_monitor_is_complete_only_in_every_ecu(void **state)
{
    struct readiness r = {.known = false};

    (void)state;
    readiness_take(&r, (const uint8_t[]){0x00, 0x07, 0x01, 0x00});
    readiness_take(&r, (const uint8_t[]){0x80, 0x00, 0x01, 0x01});
    assert_true(r.mil_on);
    assert_string_equal(readiness_of(&r, "catalyst"), "incomplete");
    assert_string_equal(readiness_of(&r, "misfire"), "complete");
}

static void the_vin_comes_with_and_without_count_and_in_pieces(void **state)
{
    static const char *const whole = "49 02 01 57 56 57 5A 5A 5A 31 4B 5A 41 57 30 30 30 30 30 31";
    static const char *const bare = "49 02 57 56 57 5A 5A 5A 31 4B 5A 41 57 30 30 30 30 30 31";
    char vin[VIN_LEN + 1];

    (void)state;
    begin();
    add(0x7E8, whole);
    assert_true(vin_from_answer(vin, &answer));
    assert_string_equal(vin, "WVWZZZ1KZAW000001");
    begin();
    add(0x7E8, bare);
    assert_true(vin_from_answer(vin, &answer));
    assert_string_equal(vin, "WVWZZZ1KZAW000001");
    begin();
    add(0x10, "49 02 01 00 00 00 57");
    add(0x10, "49 02 03 5A 31 4B 5A");
    add(0x10, "49 02 02 56 57 5A 5A");
    add(0x10, "49 02 04 41 57 30 30");
    add(0x10, "49 02 05 30 30 30 31");
    assert_true(vin_from_answer(vin, &answer));
    assert_string_equal(vin, "WVWZZZ1KZAW000001");
}

static void what_is_no_vin_is_none(void **state)
{
    char vin[VIN_LEN + 1];

    (void)state;
    begin();
    add(0x7E8, "49 02 01 57 56 57 5A 5A 5A 31 4B 5A 41 57 30 30 30 30 30 4F"); /* an O */
    assert_false(vin_from_answer(vin, &answer));
    begin();
    add(0x10, "49 02 01 00 00 00 57");
    add(0x10, "49 02 02 56 57 5A 5A");
    assert_false(vin_from_answer(vin, &answer));
    begin();
    assert_false(vin_from_answer(vin, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_bytes_are_a_code_and_back),
        cmocka_unit_test(on_can_a_count_comes_first),
        cmocka_unit_test(older_buses_pad_with_zeroes),
        cmocka_unit_test(a_clone_without_count_is_understood),
        cmocka_unit_test(a_wrong_length_does_not_make_codes_of_the_count),
        cmocka_unit_test(a_unit_that_gave_the_list_before_is_remembered),
        cmocka_unit_test(lists_are_the_same_in_any_order),
        cmocka_unit_test(a_code_belongs_to_its_ecu),
        cmocka_unit_test(a_list_shorter_than_it_says_is_partial),
        cmocka_unit_test(silence_is_unknown_and_not_none),
        cmocka_unit_test(more_codes_than_fit_make_the_list_partial),
        cmocka_unit_test(spark_ignition_readiness_is_read),
        cmocka_unit_test(compression_ignition_readiness_is_read),
        cmocka_unit_test(a_monitor_is_complete_only_in_every_ecu),
        cmocka_unit_test(the_vin_comes_with_and_without_count_and_in_pieces),
        cmocka_unit_test(what_is_no_vin_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
