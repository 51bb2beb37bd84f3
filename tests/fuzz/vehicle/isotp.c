/* Any frames: no message longer than its bytes, none of two ECUs mixed, and what a model would send
 * comes back. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "vehicle/obd/isotp.h"

static size_t messages;
static const uint8_t *expected;
static size_t expected_len;

static void take(void *self, uint32_t ecu, const uint8_t *bytes, size_t len)
{
    size_t *total = self;

    REQUIRE(len > 0 && len <= ISOTP_MESSAGE_MAX && ecu <= 3);
    *total += len;
    messages++;
    if (expected != NULL)
        REQUIRE(len == expected_len && memcmp(bytes, expected, len) == 0);
}

/* The input cut into frames: first byte ECU and length. */
static void any_frames(const uint8_t *data, size_t size)
{
    static struct isotp in;
    size_t total = 0, given = 0, at = 0;

    isotp_init(&in);
    while (at + 1 < size) {
        size_t len = data[at] % 9;

        if (len > size - at - 1)
            len = size - at - 1;
        isotp_add(&in, data[at] >> 6, data + at + 1, len);
        given += len;
        at += 1 + len;
    }
    expected = NULL;
    (void)isotp_finish(&in, take, &total);
    REQUIRE(total <= given);
}

/* The input as a message, framed as a sender would, with neighbours swapped where a bit of it says
 * so. */
static void framed(const uint8_t *data, size_t size)
{
    static struct isotp in;
    uint8_t frames[ISOTP_FRAMES_MAX][8];
    size_t n = 1, at = 6, total = 0;

    if (size < 8 || size > ISOTP_MESSAGE_MAX)
        return;
    frames[0][0] = (uint8_t)(0x10 | size >> 8);
    frames[0][1] = (uint8_t)size;
    memcpy(frames[0] + 2, data, 6);
    for (; at < size; at += 7, n++) {
        memset(frames[n], 0xAA, 8);
        frames[n][0] = (uint8_t)(0x20 | (n & 15));
        memcpy(frames[n] + 1, data + at, size - at < 7 ? size - at : 7);
    }
    isotp_init(&in);
    for (size_t i = 0; i < n; i++) {
        size_t pick = i;

        if (i > 0 && i + 1 < n && data[i] % 3 == 0 && i % 2 == 1)
            pick = i + 1;
        else if (i > 1 && data[i - 1] % 3 == 0 && i % 2 == 0)
            pick = i - 1;
        isotp_add(&in, 1, frames[pick], 8);
    }
    expected = data;
    expected_len = size;
    messages = 0;
    REQUIRE(isotp_finish(&in, take, &total) == 0);
    REQUIRE(messages == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    any_frames(data, size);
    framed(data, size);
    return 0;
}
