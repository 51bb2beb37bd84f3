/* event, alert, diagnostics, media, result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/fact.h"

#define VIN "WVWZZZ1KZAW000001"
#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define ID "0197f3c2-5f0e-7abc-8def-aaaaaaaaaaaa"
#define HEAD(schema)                                                                               \
    "{\"schema\":\"" schema "\",\"stream\":\"" STREAM "\",\"seq\":7,\"clock\":\"gps\","
#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define EVENT                                                                                      \
    HEAD("event/1")                                                                                \
    "\"id\":\"" ID "\",\"t\":1795248002000,\"type\":\"outbox_lost\","                              \
    "\"data\":{\"stream\":\"x\",\"first\":12,\"last\":40}}"
#define ALERT                                                                                      \
    HEAD("alert/1")                                                                                \
    "\"id\":\"" ID "\",\"t\":1795248000500,\"type\":\"harsh_braking\","                            \
    "\"severity\":\"major\",\"data\":{\"peak_g\":0.52}}"
#define DIAGNOSTICS                                                                                \
    HEAD("diagnostics/1")                                                                          \
    "\"t\":1795248001000,\"vin\":\"" VIN "\",\"protocol\":\"6\","                                  \
    "\"mil\":true,\"dtcs\":[{\"code\":\"P0301\",\"state\":\"stored\",\"ecu\":\"7E8\"},"            \
    "{\"code\":\"U0100-1A\",\"state\":\"pending\",\"ecu\":\"18DAF110\"}],"                         \
    "\"readiness\":{\"misfire\":\"complete\",\"catalyst\":\"incomplete\"},"                        \
    "\"freeze_frame\":{\"dtc\":\"P0301\",\"s\":{\"Vehicle.Speed\":48.0}},"                         \
    "\"supported\":[\"04\",\"0D\"],\"lists\":{\"stored\":\"full\",\"pending\":\"partial\","        \
    "\"permanent\":\"absent\"}}"
#define MEDIA                                                                                      \
    HEAD("media/1")                                                                                \
    "\"id\":\"" ID "\",\"kind\":\"clip\",\"t_start\":1795247970000,"                               \
    "\"t_end\":1795248005000,\"trigger\":\"harsh_braking\",\"bytes\":10485760,\"sha256\":\"" SHA   \
    "\"}"
#define RESULT                                                                                     \
    HEAD("result/1")                                                                               \
    "\"command\":\"" ID "\",\"state\":\"refused\",\"reason\":\"engine on\",\"data\":{}}"

static struct fault fault;

static enum status read_text(struct fact *f, enum leaf leaf, const char *text)
{
    fault.text[0] = '\0';
    return fact_read(f, VIN, leaf, text, strlen(text), &fault);
}

static void the_facts_of_the_contract_are_read(void **state)
{
    struct fact f;

    (void)state;
    assert_int_equal(read_text(&f, LEAF_EVENT, EVENT), ST_OK);
    assert_string_equal(f.id, ID);
    assert_string_equal(f.type, "outbox_lost");
    assert_true(f.t_ms == INT64_C(1795248002000));
    assert_string_equal(f.head.stream, STREAM);
    assert_int_equal(f.head.seq, 7);
    assert_string_equal(fault.text, "");
    assert_int_equal(read_text(&f, LEAF_ALERT, ALERT), ST_OK);
    assert_string_equal(f.type, "harsh_braking");
    assert_int_equal(read_text(&f, LEAF_MEDIA, MEDIA), ST_OK);
    assert_string_equal(f.type, "clip");
    assert_true(f.t_ms == INT64_C(1795247970000));
    assert_int_equal(read_text(&f, LEAF_DIAGNOSTICS, DIAGNOSTICS), ST_OK);
    assert_string_equal(f.type, "");
    assert_true(f.t_ms == INT64_C(1795248001000));
    assert_int_equal(read_text(&f, LEAF_RESULT, RESULT), ST_OK);
    assert_int_equal(f.t_ms, 0);
}

static void a_message_without_an_id_gets_the_same_one_each_time(void **state)
{
    struct fact a, b;
    char wanted[UUID_TEXT + 1];

    (void)state;
    assert_int_equal(read_text(&a, LEAF_DIAGNOSTICS, DIAGNOSTICS), ST_OK);
    assert_int_equal(read_text(&b, LEAF_DIAGNOSTICS, DIAGNOSTICS), ST_OK);
    assert_string_equal(a.id, b.id);
    uuid_of_text(wanted, VIN "/" STREAM "/7");
    assert_string_equal(a.id, wanted);
    assert_int_equal(fact_read(&b, "1M8GDM9AXKP042788", LEAF_DIAGNOSTICS, DIAGNOSTICS,
                               strlen(DIAGNOSTICS), &fault),
                     ST_OK);
    assert_string_not_equal(a.id, b.id);
}

static void diagnostics_may_say_little(void **state)
{
    struct fact f;

    (void)state;
    assert_int_equal(read_text(&f, LEAF_DIAGNOSTICS, HEAD("diagnostics/1") "\"t\":5}"), ST_OK);
    assert_string_equal(fault.text, "");
    assert_int_equal(read_text(&f, LEAF_DIAGNOSTICS,
                               HEAD("diagnostics/1") "\"t\":5,\"dtcs\":[],\"supported\":[]}"),
                     ST_OK);
}

static void a_topic_carries_its_own_schema_only(void **state)
{
    static const char *const good[] = {[LEAF_EVENT] = EVENT,
                                       [LEAF_ALERT] = ALERT,
                                       [LEAF_DIAGNOSTICS] = DIAGNOSTICS,
                                       [LEAF_MEDIA] = MEDIA,
                                       [LEAF_RESULT] = RESULT};

    (void)state;
    for (int leaf = 0; leaf < LEAF_COUNT; leaf++) {
        for (int text = LEAF_EVENT; text <= LEAF_RESULT; text++) {
            struct fact f;

            assert_int_equal(read_text(&f, (enum leaf)leaf, good[text]),
                             leaf == text ? ST_OK : ST_REJECT);
            assert_string_equal(f.head.stream, STREAM);
            assert_int_equal(f.head.seq, 7);
        }
    }
}

/* `text` with the first `from` made `to`. */
static void replaced(char out[1024], const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    assert_non_null(at);
    snprintf(out, 1024, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void each_wrong_member_is_refused_but_stream_and_seq_are_kept(void **state)
{
    static const struct {
        enum leaf leaf;
        const char *text, *from, *to;
    } bad[] = {
        {LEAF_EVENT, EVENT, "\"id\"", "\"ib\""},
        {LEAF_EVENT, EVENT, ID, "0197F3C2-5f0e-7abc-8def-aaaaaaaaaaaa"},
        {LEAF_EVENT, EVENT, "1795248002000", "1795248002000.5"},
        {LEAF_EVENT, EVENT, "outbox_lost", "Outbox"},
        {LEAF_EVENT, EVENT, "outbox_lost", ""},
        {LEAF_EVENT, EVENT, "outbox_lost", "a_type_that_is_longer_than_thirty_nine_bytes"},
        {LEAF_EVENT, EVENT, "\"data\":{", "\"data\":null,\"x\":{"},
        {LEAF_EVENT, EVENT, "\"first\":12", "\"first\":NaN"},
        {LEAF_EVENT, EVENT, "\"first\"", "\"last\""},
        {LEAF_ALERT, ALERT, "major", "huge"},
        {LEAF_ALERT, ALERT, "\"severity\"", "\"s\""},
        {LEAF_ALERT, ALERT, "harsh_braking", "soft_braking"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"t\"", "\"tt\""},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"mil\":true", "\"mil\":1"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "P0301", "X0301"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "P0301", "P4301"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "P0301", "P030"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "U0100-1A", "U0100-1"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "stored", "kept"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "incomplete", "half"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"04\"", "\"4\""},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "48.0", "\"48\""},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"dtc\":\"P0301\"", "\"dtc\":5"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"full\"", "\"all\""},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"6\"", "6"},
        {LEAF_DIAGNOSTICS, DIAGNOSTICS, "\"dtcs\":[", "\"dtcs\":[7,"},
        {LEAF_MEDIA, MEDIA, "clip", "film"},
        {LEAF_MEDIA, MEDIA, "1795248005000", "1795247969999"},
        {LEAF_MEDIA, MEDIA, "10485760", "-1"},
        {LEAF_MEDIA, MEDIA, "e3b0", "E3b0"},
        {LEAF_MEDIA, MEDIA, "e3b0", "e3b"},
        {LEAF_RESULT, RESULT, "refused", "queued"},
        {LEAF_RESULT, RESULT, ID, "7"},
        {LEAF_RESULT, RESULT, "\"engine on\"", "5"},
        {LEAF_RESULT, RESULT, "\"data\":{}", "\"data\":[]"},
        {LEAF_RESULT, RESULT, "\"gps\"", "\"sun\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        struct fact f = {.t_ms = 77};

        replaced(text, bad[i].text, bad[i].from, bad[i].to);
        if (read_text(&f, bad[i].leaf, text) != ST_REJECT)
            fail_msg("accepted: %s", text);
        assert_true(fault.text[0] != '\0');
        assert_string_equal(f.head.stream, STREAM);
        assert_int_equal(f.head.seq, 7);
        assert_string_equal(f.id, "");
        assert_int_equal(f.t_ms, 0);
    }
}

static void an_event_written_is_an_event_read(void **state)
{
    struct fact event =
                    {.head = {.schema = "event/1", .stream = STREAM, .seq = 44, .clock = CLOCK_NTP},
                     .id = ID,
                     .t_ms = 1795248002000,
                     .type = "clock_set"},
                back;
    char out[512];
    size_t len;

    (void)state;
    assert_int_equal(event_write(&event, "{\"by_ms\":-3600000}", out, sizeof out, &len, &fault),
                     ST_OK);
    memset(&back, 0, sizeof back);
    assert_int_equal(fact_read(&back, VIN, LEAF_EVENT, out, len, &fault), ST_OK);
    assert_string_equal(back.head.stream, STREAM);
    assert_int_equal(back.head.seq, 44);
    assert_int_equal(back.head.clock, CLOCK_NTP);
    assert_string_equal(back.id, ID);
    assert_true(back.t_ms == event.t_ms);
    assert_string_equal(back.type, "clock_set");
    assert_int_equal(event_write(&event, "{}", out, sizeof out, &len, &fault), ST_OK);
    assert_int_equal(event_write(&event, "{}", out, len - 1, &len, &fault), ST_REJECT);
}

static void data_that_is_no_object_is_not_written(void **state)
{
    static const char *const bad[] = {
        "", "[]", "null", "{", "{\"a\":1,\"a\":2}", "{},\"type\":\"x\""};
    struct fact event = {.head = {.stream = STREAM, .seq = 1}, .id = ID, .type = "idle"};
    char out[512];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(event_write(&event, bad[i], out, sizeof out, &len, &fault), ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_facts_of_the_contract_are_read),
        cmocka_unit_test(a_message_without_an_id_gets_the_same_one_each_time),
        cmocka_unit_test(diagnostics_may_say_little),
        cmocka_unit_test(a_topic_carries_its_own_schema_only),
        cmocka_unit_test(each_wrong_member_is_refused_but_stream_and_seq_are_kept),
        cmocka_unit_test(an_event_written_is_an_event_read),
        cmocka_unit_test(data_that_is_no_object_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
