/* Any bytes from a CAN adapter: bounded, frames within their limits, and a good line after whatever
 * came before is read. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "vehicle/obd/slcan_line.h"

static void check(const struct slcan_event *e)
{
    if (e->kind == SLCAN_TEXT)
        REQUIRE(strlen(e->text) <= SLCAN_LINE_MAX);
    if (e->kind == SLCAN_FRAME)
        REQUIRE(e->packet.len <= 8 && e->packet.id <= (e->packet.extended ? 0x1FFFFFFFU : 0x7FFU));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct can_packet known = {.id = 0x7E8, .len = 3, .data = {2, 0x41, 0x0D}};
    struct slcan_event e[SLCAN_EVENTS_MAX];
    struct slcan_reader r;
    char line[SLCAN_SEND_MAX];
    size_t n, last = 0, len = slcan_print(line, &known);

    slcan_reader_init(&r);
    for (size_t i = 0; i < size; i++) {
        n = slcan_feed(&r, (char)data[i], e);
        REQUIRE(n <= SLCAN_EVENTS_MAX && r.len <= sizeof r.line);
        for (size_t k = 0; k < n; k++)
            check(&e[k]);
    }
    slcan_feed(&r, '\r', e);
    for (size_t i = 0; i < len; i++)
        last = slcan_feed(&r, line[i], e);
    REQUIRE(last == 1 && e[0].kind == SLCAN_FRAME && e[0].packet.id == known.id &&
            memcmp(e[0].packet.data, known.data, 8) == 0);
    return 0;
}
