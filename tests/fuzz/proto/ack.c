/* Any bytes as ack/1: what is accepted is a sound watermark and is written and read again the same;
 * numbers taken from the input keep it sound. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/ack.h"

static void check_sound(const struct watermark *w)
{
    int64_t after = 0; /* the last number of the gap before */

    REQUIRE(w->upto >= 0 && w->gap_count <= ACK_GAPS_MAX);
    for (size_t i = 0; i < w->gap_count; i++) {
        REQUIRE(w->gaps[i].first > (i ? after + 1 : 0) && w->gaps[i].last >= w->gaps[i].first);
        REQUIRE(w->gaps[i].last < w->upto);
        after = w->gaps[i].last;
    }
}

static void take_some(struct watermark w, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + sizeof(int64_t) <= size && at < 1024; at += sizeof(int64_t)) {
        int64_t first, last;
        enum status st;

        memcpy(&first, data + at, sizeof first);
        last = first;
        if (first & 1) /* half near the watermark, half anywhere */
            first = last = w.upto - 100 + (first >> 8 & 255);
        if (first < INT64_MAX - 16)
            last = first + (int64_t)(at & 15);
        st = watermark_take_range(&w, first, last);
        check_sound(&w);
        REQUIRE((st == ST_REJECT) == (first < 1));
        if (st == ST_OK)
            REQUIRE(watermark_has(&w, first) && watermark_has(&w, last));
        if (st == ST_OK || st == ST_NONE)
            REQUIRE(watermark_take_range(&w, first, last) == ST_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[JSON_MAX_BYTES], twice[JSON_MAX_BYTES];
    struct ack a = {0}, again;
    struct fault fault;
    size_t len, len_twice;

    take_some(a.mark, data, size);
    if (ack_read(&a, (const char *)data, size, &fault) != ST_OK)
        return 0;
    check_sound(&a.mark);
    take_some(a.mark, data, size);
    REQUIRE(ack_write(&a, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(ack_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(ack_write(&again, twice, sizeof twice, &len_twice, &fault) == ST_OK);
    REQUIRE(len == len_twice && memcmp(out, twice, len) == 0);
    REQUIRE(again.mark.upto == a.mark.upto && again.mark.gap_count == a.mark.gap_count);
    return 0;
}
