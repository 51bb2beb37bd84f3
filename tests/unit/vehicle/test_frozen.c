/* Freeze frames and calibrations out of what ECUs answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/signals.h"
#include "vehicle/obd/answer.h"
#include "vehicle/obd/calibration.h"
#include "vehicle/obd/frozen.h"

/* A conversation: request bytes as hex, and the answers to it, "ECU:hex". */
struct line {
    const char *request;
    const char *answers[3];
};

struct talk {
    struct link link;
    const struct line *lines;
    size_t count;
    unsigned asked;
};

static size_t unhex(uint8_t *out, const char *text)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static enum status talk_request(struct link *link, const struct link_request *q,
                                struct link_answer *out, struct fault *fault)
{
    struct talk *t = (struct talk *)link;
    struct answering a;
    uint8_t bytes[64];

    (void)fault;
    t->asked++;
    answering_init(&a, out, q->bytes, q->len);
    for (size_t i = 0; i < t->count; i++) {
        if (unhex(bytes, t->lines[i].request) != q->len || memcmp(bytes, q->bytes, q->len) != 0)
            continue;
        for (size_t k = 0; k < 3 && t->lines[i].answers[k] != NULL; k++) {
            uint32_t ecu = (uint32_t)strtoul(t->lines[i].answers[k], NULL, 16);
            size_t n = unhex(bytes, strchr(t->lines[i].answers[k], ':') + 1);

            if (q->to == 0 || q->to == ecu)
                answering_take(&a, ecu, bytes, n);
        }
    }
    answering_finish(&a);
    return ST_OK;
}

static unsigned read_frames(struct frozen_set *set, const struct line *lines, size_t n,
                            bool physical)
{
    struct talk talk = {.link.request = talk_request, .lines = lines, .count = n};
    struct fault fault;

    assert_int_equal(frozen_read(&talk.link, physical, set, &fault), ST_OK);
    return talk.asked;
}

static double value_of(const struct frozen *f, const char *path)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->readings[i].signal == signal_find(path, strlen(path)))
            return f->readings[i].value;
    fail_msg("no %s", path);
    return 0;
}

static const struct line engine_and_gearbox[] = {
    {"020200", {"7E9:4202000715", "7E8:4202000301", NULL}},
    {"020000", {"7E8:420000481A0001", "7E9:42000040080000", NULL}},
    {"022000", {"7E8:42200000020000", NULL}},
    {"020500", {"7E8:42050081", NULL}},
    {"020C00", {"7E8:420C000C08", NULL}},
    {"020D00", {"7E8:420D0032", "7E9:420D0031", NULL}},
    {"020F00", {"7E8:420F001B", NULL}},
    {"022F00", {"7E8:422F0080", NULL}},
};

static void every_unit_keeps_its_own_frame(void **state)
{
    static struct frozen_set set;

    (void)state;
    read_frames(&set, engine_and_gearbox, 8, true);
    assert_int_equal(set.count, 2);
    assert_true(set.frames[0].ecu == 0x7E8 && set.frames[1].ecu == 0x7E9);
    assert_string_equal(set.frames[0].code, "P0301");
    assert_string_equal(set.frames[1].code, "P0715");
    assert_float_equal(
        value_of(&set.frames[0], "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"),
        89, 0);
    assert_float_equal(value_of(&set.frames[0], "Vehicle.Powertrain.CombustionEngine.Speed"), 770,
                       0);
    assert_float_equal(value_of(&set.frames[0], "Vehicle.Speed"), 50, 0);
    assert_float_equal(value_of(&set.frames[1], "Vehicle.Speed"), 49, 0);
    assert_int_equal(set.frames[1].count, 1);
}

static void a_frame_that_is_known_is_not_asked_again(void **state)
{
    static struct frozen_set set, again;

    (void)state;
    read_frames(&set, engine_and_gearbox, 8, true);
    again = set;
    assert_int_equal(read_frames(&again, engine_and_gearbox, 8, true), 1);
    assert_memory_equal(&again.frames[0], &set.frames[0], sizeof set.frames[0]);
}

static void without_addressing_the_units_are_told_apart_by_their_ids(void **state)
{
    static struct frozen_set set;

    (void)state;
    read_frames(&set, engine_and_gearbox, 8, false);
    assert_float_equal(value_of(&set.frames[0], "Vehicle.Speed"), 50, 0);
    assert_float_equal(value_of(&set.frames[1], "Vehicle.Speed"), 49, 0);
}

static void nothing_frozen_is_no_frame(void **state)
{
    static const struct line none[] = {{"020200", {"7E8:4202000000", NULL}}};
    static struct frozen_set set = {.count = 1};

    (void)state;
    read_frames(&set, none, 1, true);
    assert_int_equal(set.count, 0);
    set.count = 1;
    read_frames(&set, NULL, 0, true); /* the service is not known */
    assert_int_equal(set.count, 0);
}

static void another_frame_number_or_a_short_answer_is_no_value(void **state)
{
    static const struct line odd[] = {{"020200", {"7E8:4202000301", NULL}},
                                      {"020000", {"7E8:42000000180000", NULL}},
                                      {"020C00", {"7E8:420C010C08", "7E8:420C000C", NULL}},
                                      {"020D00", {"7E8:420D0032", NULL}}};
    static struct frozen_set set;

    (void)state;
    read_frames(&set, odd, 4, true);
    assert_int_equal(set.frames[0].count, 1);
    assert_float_equal(value_of(&set.frames[0], "Vehicle.Speed"), 50, 0);
}

/* ---- calibrations */

static void take(struct calibrations *c, uint8_t kind, bool can, size_t n,
                 const char *const answers[])
{
    const uint8_t asked[2] = {0x09, kind};
    struct link_answer answer;
    struct answering a;
    uint8_t bytes[64];

    answering_init(&a, &answer, asked, 2);
    for (size_t i = 0; i < n; i++) {
        size_t len = unhex(bytes, strchr(answers[i], ':') + 1);
        answering_take(&a, (uint32_t)strtoul(answers[i], NULL, 16), bytes, len);
    }
    answering_finish(&a);
    if (kind == 0x04)
        calibrations_take(c, &answer, can);
    else
        calibrations_take_numbers(c, &answer);
}

static void calibrations_of_several_units_keep_their_numbers(void **state)
{
    struct calibrations c = {0};
    static const char *const ids[] = {
        "7E8:49040241424300000000000000000000000000204445460000000000000000000000"
        "0000",
        "7E9:49040147484920202020202020202020204A4A"};
    static const char *const numbers[] = {"7E9:490601AABBCCDD", "7E8:4906020102030405060708"};

    (void)state;
    take(&c, 0x04, true, 2, ids);
    take(&c, 0x06, true, 2, numbers);
    assert_int_equal(c.count, 3);
    assert_string_equal(c.list[0].id, "ABC");
    assert_string_equal(c.list[0].cvn, "01020304");
    assert_string_equal(c.list[1].id, "DEF");
    assert_string_equal(c.list[1].cvn, "05060708");
    assert_string_equal(c.list[2].id, "GHI           JJ");
    assert_string_equal(c.list[2].cvn, "AABBCCDD");
}

static void older_buses_send_a_calibration_in_four_messages(void **state)
{
    struct calibrations c = {0}, lost = {0};
    static const char *const ids[] = {"10:49040245464748", "10:49040141424344", "10:4904034A4B4C4D",
                                      "10:4904044E4F5051"};

    (void)state;
    take(&c, 0x04, false, 4, ids);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.list[0].id, "ABCDEFGHJKLMNOPQ");
    take(&lost, 0x04, false, 3, ids);
    assert_int_equal(lost.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_keeps_its_own_frame),
        cmocka_unit_test(a_frame_that_is_known_is_not_asked_again),
        cmocka_unit_test(without_addressing_the_units_are_told_apart_by_their_ids),
        cmocka_unit_test(nothing_frozen_is_no_frame),
        cmocka_unit_test(another_frame_number_or_a_short_answer_is_no_value),
        cmocka_unit_test(calibrations_of_several_units_keep_their_numbers),
        cmocka_unit_test(older_buses_send_a_calibration_in_four_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
