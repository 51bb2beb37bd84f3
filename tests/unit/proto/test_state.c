/* state/1: retained, and the last will. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/state.h"

#define BOOT "0197f3c2-5f0e-7abc-8def-0123456789ab"

static struct fault fault;

static enum status read_text(struct vehicle_state *s, const char *text)
{
    return state_read(s, text, strlen(text), &fault);
}

static void every_state_survives_the_round_trip(void **state)
{
    char out[512], again[512];
    size_t len, again_len;

    (void)state;
    for (int p = PRESENCE_ONLINE; p <= PRESENCE_SLEEPING; p++) {
        for (int source = SOURCE_ABSENT; source <= SOURCE_GONE; source++) {
            struct vehicle_state a = {.presence = (enum presence)p,
                                      .boot = BOOT,
                                      .agent = "1.0.0 \"é\"\\\t",
                                      .t_ms = 1795248000000,
                                      .config = 3,
                                      .gps = (enum source)source,
                                      .obd = SOURCE_OK,
                                      .camera = SOURCE_ABSENT,
                                      .heartbeat_ms = 600000,
                                      .wake_ms = p * 3600000},
                                 b;

            memset(&b, 0, sizeof b);
            assert_int_equal(state_write(&a, out, sizeof out, &len, &fault), ST_OK);
            assert_int_equal(state_read(&b, out, len, &fault), ST_OK);
            assert_int_equal(state_write(&b, again, sizeof again, &again_len, &fault), ST_OK);
            assert_int_equal(again_len, len);
            assert_memory_equal(out, again, len);
            assert_int_equal(b.presence, p);
            assert_int_equal(b.heartbeat_ms, 600000);
            assert_int_equal(b.wake_ms, p * 3600000);
            assert_int_equal(b.gps, source);
            assert_int_equal(b.obd, SOURCE_OK);
            assert_int_equal(state_write(&a, out, len - 1, &len, &fault), ST_REJECT);
        }
    }
}

static void a_newer_agent_s_words_do_not_lose_the_state(void **state)
{
    struct vehicle_state s;

    (void)state;
    fault.text[0] = '\0';
    assert_int_equal(
        read_text(&s, "{\"schema\":\"state/1\",\"state\":\"sleeping\",\"t\":5,\"mood\":[1],"
                      "\"sources\":{\"gps\":\"dreaming\",\"obd\":7,\"lidar\":\"ok\"}}"),
        ST_OK);
    assert_int_equal(s.presence, PRESENCE_SLEEPING);
    assert_int_equal(s.gps, SOURCE_ABSENT);
    assert_int_equal(s.obd, SOURCE_ABSENT);
    assert_string_equal(s.boot, "");
    assert_int_equal(s.config, 0);
    assert_string_equal(fault.text, ""); /* on success a fault is left alone */
}

static void a_wrong_state_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const bad[] = {
        "{}",
        "online",
        "{\"schema\":\"state/1\",\"state\":\"asleep\",\"t\":5}",
        "{\"schema\":\"state/2\",\"state\":\"online\",\"t\":5}",
        "{\"schema\":\"state/1\",\"t\":5}",
        "{\"schema\":\"state/1\",\"state\":\"online\"}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5.5}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"boot\":\"x\"}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"config\":-1}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"agent\":null}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"sources\":[]}",
        "{\"schema\":\"state/1\",\"state\":\"online\",\"state\":\"online\",\"t\":5}"};
    struct vehicle_state s = {.t_ms = 77};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fault.text[0] = '\0';
        if (read_text(&s, bad[i]) != ST_REJECT)
            fail_msg("accepted: %s", bad[i]);
        assert_true(fault.text[0] != '\0');
    }
    assert_int_equal(s.t_ms, 77);
}

static void private_mode_and_its_beginning_survive_the_round_trip(void **state)
{
    struct vehicle_state a = {.boot = BOOT, .agent = "1", .private_since_ms = 1795247000000}, b;
    char out[512];
    size_t len;

    (void)state;
    assert_int_equal(state_write(&a, out, sizeof out, &len, &fault), ST_OK);
    assert_int_equal(state_read(&b, out, len, &fault), ST_OK);
    assert_int_equal(b.private_since_ms, 1795247000000);
    assert_int_equal(read_text(&b, "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5}"), ST_OK);
    assert_int_equal(b.private_since_ms, 0);
    assert_int_equal(
        read_text(&b, "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"private\":true}"),
        ST_REJECT);
    assert_int_equal(
        read_text(&b, "{\"schema\":\"state/1\",\"state\":\"online\",\"t\":5,\"private\":{}}"),
        ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_mode_and_its_beginning_survive_the_round_trip),
        cmocka_unit_test(every_state_survives_the_round_trip),
        cmocka_unit_test(a_newer_agent_s_words_do_not_lose_the_state),
        cmocka_unit_test(a_wrong_state_is_refused_and_leaves_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
