/* What the rows of the outbox are checked with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/checksum.h"

/* Reference values: Python's zlib.crc32 over the same bytes. */
static void it_is_the_crc_32_everybody_knows(void **state)
{
    (void)state;
    /* 06 00 00 00 "config" 09 00 00 00 "123456789" */
    assert_int_equal(checksum_note("config", "123456789", 9), 0x69213d6d);
    /* 04 00 00 00 "bulk", 42 in eight bytes, 08 00 00 00 "up/event", ... */
    assert_int_equal(checksum_record("bulk", 42, "up/event", 1795248000000, "{}", 2), 0x202e4137);
}

static void a_byte_that_moves_to_the_next_column_is_seen(void **state)
{
    (void)state;
    assert_int_not_equal(checksum_note("ab", "c", 1), checksum_note("a", "bc", 2));
    assert_int_not_equal(checksum_stream("bulk", "0197", 42), checksum_stream("bulk", "0197", 43));
    assert_int_not_equal(checksum_record("bulk", 1, "up/event", 2, "", 0),
                         checksum_record("bulk", 2, "up/event", 1, "", 0));
}

static void every_bit_of_a_payload_counts(void **state)
{
    unsigned char payload[300];
    uint32_t right;

    (void)state;
    memset(payload, 'x', sizeof payload);
    right = checksum_record("bulk", 7, "up/telemetry", 9, payload, sizeof payload);
    for (size_t bit = 0; bit < sizeof payload * 8; bit++) {
        payload[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_not_equal(checksum_record("bulk", 7, "up/telemetry", 9, payload, sizeof payload),
                             right);
        payload[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_crc_32_everybody_knows),
        cmocka_unit_test(a_byte_that_moves_to_the_next_column_is_seen),
        cmocka_unit_test(every_bit_of_a_payload_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
