/* Any bytes on any topic below up/: a record comes out, whole or as a dead letter with its reason,
 * within the window of time; decoding it twice gives the same; nothing of it is left when it is
 * freed. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/ack.h"
#include "services/ingest/record/record.h"

#define NOW_MS INT64_C(1795248000000)
#define OLDEST_MS (NOW_MS - INT64_C(60) * 24 * 3600 * 1000)
#define NEWEST_MS (NOW_MS + 600000)

static void check_text(const char *text, size_t size)
{
    REQUIRE(memchr(text, '\0', size));
    for (; *text; text++)
        REQUIRE(*text >= 0x20 && *text <= 0x7e); /* goes into a database and a log */
}

static void check(const struct record *r, const uint8_t *data, size_t size)
{
    REQUIRE(r->len == size && (size == 0 || memcmp(r->payload, data, size) == 0));
    check_text(r->reason, sizeof r->reason);
    check_text(r->detail, sizeof r->detail);
    REQUIRE(!r->dead || r->reason[0]);
    REQUIRE(!r->reason[0] == !r->detail[0]);
    REQUIRE(r->dead || !record_is_journalled(r) || record_has_seq(r));
    REQUIRE(r->head.seq >= 0 && r->head.seq <= JSON_INTEGER_MAX);
    for (size_t i = 0; i < r->telemetry.sample_count; i++)
        REQUIRE(r->telemetry.samples[i].t_ms >= OLDEST_MS &&
                r->telemetry.samples[i].t_ms <= NEWEST_MS);
    if (r->lost_stream[0]) {
        struct watermark w = {0};

        REQUIRE(!r->dead && r->from.topic.leaf == LEAF_EVENT);
        REQUIRE(watermark_take_range(&w, r->lost_first, r->lost_last) == ST_OK);
    }
}

/* The first byte chooses the topic. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arrival from = {.topic = {.vin = "WVWZZZ1KZAW000001"}, .received_ms = NOW_MS};
    static struct telemetry desk;
    struct record *one, *two;

    if (size == 0)
        return 0;
    from.topic.leaf = (enum leaf)(data[0] % (LEAF_RESULT + 1));
    one = record_decode(&from, (const char *)data + 1, size - 1, NOW_MS, &desk);
    two = record_decode(&from, (const char *)data + 1, size - 1, NOW_MS, &desk);
    REQUIRE(one && two);
    check(one, data + 1, size - 1);
    REQUIRE(one->dead == two->dead && strcmp(one->reason, two->reason) == 0 &&
            (from.topic.leaf < LEAF_EVENT || strcmp(one->fact.id, two->fact.id) == 0));
    REQUIRE(one->telemetry.sample_count == two->telemetry.sample_count &&
            one->head.seq == two->head.seq);
    record_free(one);
    record_free(two);
    REQUIRE(records_held_bytes() == 0);
    return 0;
}
