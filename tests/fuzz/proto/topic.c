/* Any bytes as a topic: what is accepted is written again byte for byte, and holds nothing a broker
 * reads as a wildcard.  Any 17 bytes as a VIN. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct fault fault;
    struct topic t;
    char again[TOPIC_MAX];

    if (vin_is_valid(text, size))
        for (size_t i = 0; i < size; i++)
            REQUIRE((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z'));
    if (topic_parse(&t, text, size, &fault) != ST_OK)
        return 0;
    REQUIRE(vin_is_valid(t.vin, strlen(t.vin)) && t.shard < TOPIC_SHARDS && t.leaf < LEAF_COUNT);
    topic_format(again, t.vin, t.leaf);
    REQUIRE(strlen(again) == size && memcmp(again, text, size) == 0);
    REQUIRE(!memchr(text, '+', size) && !memchr(text, '#', size) && !memchr(text, '\0', size));
    return 0;
}
