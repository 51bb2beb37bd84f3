/* Any bytes as an adapter's reply: bounded, and never a value for a PID that was not asked.
 * The first three bytes choose protocol and request. */
#include "tests/fuzz/require.h"

#include <math.h>
#include <string.h>

#include "vehicle/obd/dtc.h"
#include "vehicle/obd/elm_reply.h"
#include "vehicle/obd/pids.h"

static uint8_t asked_pid;

static void take(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    (void)self;
    REQUIRE(pid == asked_pid && n > 0 && n <= PID_READINGS_MAX);
    for (size_t i = 0; i < n; i++)
        REQUIRE(isfinite(readings[i].value) && readings[i].signal != 0);
}

static void check_messages(const struct link_answer *a, const struct elm_asked *asked)
{
    REQUIRE(a->count <= LINK_MESSAGES_MAX && a->used <= sizeof a->bytes &&
            a->outcome < LINK_OUTCOMES);
    for (size_t i = 0; i < a->count; i++) {
        const uint8_t *b = a->bytes + a->messages[i].at;

        REQUIRE((size_t)a->messages[i].at + a->messages[i].len <= a->used &&
                a->messages[i].len > 0);
        REQUIRE(b[0] == asked->bytes[0] + 0x40);
        REQUIRE(asked->len == 1 || (a->messages[i].len >= 2 && b[1] == asked->bytes[1]));
        if (asked->bytes[0] == 0x01)
            pid_decode_answer(b, a->messages[i].len, asked->bytes + 1, 1, take, NULL);
    }
}

static void check_diagnosis(const struct link_answer *a, char protocol)
{
    static struct dtc_set set;
    char vin[VIN_LEN + 1];

    memset(&set, 0, sizeof set);
    for (int state = DTC_STORED; state < DTC_STATES; state++)
        dtc_take(&set, (enum dtc_state)state, a, link_is_can(protocol));
    REQUIRE(set.count <= DTC_MAX);
    if (vin_from_answer(vin, a))
        REQUIRE(vin_is_valid(vin, strlen(vin)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t services[] = {0x01, 0x02, 0x03, 0x07, 0x09, 0x0A, 0x22};
    static struct elm_intake in;
    static struct link_answer answer;
    char sent[16] = "", text[64];
    uint8_t bytes[3];
    struct elm_asked asked = {.sent = sent, .bytes = bytes};
    bool substance = false;
    double volts;
    size_t used;

    if (size < 3)
        return 0;
    asked.protocol = (char)('0' + data[0] % 11);
    bytes[0] = services[data[1] % sizeof services];
    bytes[1] = asked_pid = data[2];
    bytes[2] = 0;
    asked.len = bytes[0] == 0x02 || bytes[0] == 0x22   ? 3
                : bytes[0] == 0x01 || bytes[0] == 0x09 ? 2
                                                       : 1;
    elm_intake_init(&in);
    used = elm_intake_feed(&in, (const char *)data + 3, size - 3, &substance);
    REQUIRE(used <= size - 3 && in.len <= sizeof in.text && (in.prompt || used == size - 3));
    elm_reply_parse(&answer, &in, &asked);
    check_messages(&answer, &asked);
    check_diagnosis(&answer, asked.protocol);
    (void)elm_reply_text(text, sizeof text, &in, "ATRV");
    REQUIRE(strlen(text) < sizeof text);
    if (elm_read_volts(text, &volts))
        REQUIRE(volts >= 0 && volts <= 40);
    (void)elm_read_protocol(text);
    return 0;
}
