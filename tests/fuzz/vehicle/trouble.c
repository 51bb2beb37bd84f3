/* What ECUs answer about their state: any messages at all become codes, monitors, calibrations, a
 * VIN and a freeze frame, or nothing, within their bounds.  Input: a byte (kind of bus and
 * service), then messages: ECU, length, bytes. */
#include "tests/fuzz/require.h"

#include <ctype.h>
#include <string.h>

#include "proto/signals.h"
#include "vehicle/obd/answer.h"
#include "vehicle/obd/calibration.h"
#include "vehicle/obd/dtc.h"
#include "vehicle/obd/frozen.h"
#include "vehicle/obd/pids.h"

static size_t readings;

static void take_frozen(void *self, uint8_t pid, const uint8_t *data, size_t n)
{
    struct reading out[PID_READINGS_MAX];
    size_t count = pid_decode(pid, data, n, out);

    (void)self;
    REQUIRE(count <= PID_READINGS_MAX && n == pid_byte_count(pid));
    for (size_t i = 0; i < count; i++)
        REQUIRE(signal_row(out[i].signal) != NULL);
    readings += count;
}

/* The messages that `asked` lets in. */
static void fill(struct link_answer *answer, const uint8_t *asked, size_t asked_len,
                 const uint8_t *data, size_t size)
{
    struct answering a;
    size_t at = 0;

    answering_init(&a, answer, asked, asked_len);
    while (at + 2 <= size) {
        size_t len = data[at + 1];

        if (len > size - at - 2)
            len = size - at - 2;
        if (len > 0)
            answering_take(&a, 0x7E8U + (data[at] & 7U), data + at + 2, len);
        at += 2 + len;
    }
    answering_finish(&a);
    REQUIRE(answer->count <= LINK_MESSAGES_MAX && answer->used <= LINK_BYTES_MAX &&
            answer->refusal_count <= LINK_REFUSALS_MAX);
}

static void codes(const uint8_t *data, size_t size, bool can)
{
    static struct dtc_set set, again;
    static struct link_answer answer;

    memset(&set, 0, sizeof set);
    for (int state = DTC_PERMANENT; state >= DTC_STORED; state--) {
        uint8_t service = dtc_service((enum dtc_state)state);

        fill(&answer, &service, 1, data, size);
        dtc_take(&set, (enum dtc_state)state, &answer, can);
        dtc_remember(&set, &set, (enum dtc_state)state, &answer);
        REQUIRE(set.ecu_count[state] <= DTC_ECUS_MAX);
        REQUIRE(set.lists[state] != DTC_LIST_FULL || answer.outcome == LINK_ANSWERED);
    }
    REQUIRE(set.count <= DTC_MAX);
    for (size_t i = 0; i < set.count; i++)
        REQUIRE(strlen(set.codes[i].code) == 5 && strcmp(set.codes[i].code, "P0000") != 0);
    again = set;
    REQUIRE(dtc_same(&set, &again));
}

static void information(const uint8_t *data, size_t size, bool can)
{
    static const uint8_t ids[] = {0x09, 0x04}, numbers[] = {0x09, 0x06}, vin[] = {0x09, 0x02};
    static struct link_answer answer;
    struct calibrations c = {0};
    char text[VIN_LEN + 1];

    fill(&answer, ids, 2, data, size);
    calibrations_take(&c, &answer, can);
    fill(&answer, numbers, 2, data, size);
    calibrations_take_numbers(&c, &answer);
    REQUIRE(c.count <= CALIBRATIONS_MAX);
    for (size_t i = 0; i < c.count; i++) {
        size_t n = strlen(c.list[i].id);

        REQUIRE(n > 0 && n <= CALIBRATION_ID && c.list[i].id[0] != ' ' &&
                c.list[i].id[n - 1] != ' ');
        for (size_t k = 0; k < n; k++)
            REQUIRE(isprint((unsigned char)c.list[i].id[k]));
        REQUIRE(strlen(c.list[i].cvn) == 0 || strlen(c.list[i].cvn) == 8);
    }
    fill(&answer, vin, 2, data, size);
    if (vin_from_answer(text, &answer))
        REQUIRE(vin_is_valid(text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct readiness r = {.known = false};

    if (size < 1)
        return 0;
    codes(data + 1, size - 1, data[0] & 1);
    information(data + 1, size - 1, data[0] & 1);
    REQUIRE(frozen_each(data, size, take_frozen, NULL) <= size / 3 + 1);
    if (size >= 4) {
        readiness_take(&r, data);
        for (unsigned i = 0; i < MONITORS; i++)
            REQUIRE(r.supported[i] || !r.complete[i]);
    }
    return 0;
}
