/* Any bytes as live/1: what is accepted is written and read again the same. */
#include "tests/fuzz/require.h"

#include <math.h>
#include <string.h>

#include "proto/live.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[1024], twice[1024];
    struct live l, again;
    struct fault fault;
    size_t len, len_twice;

    if (live_read(&l, (const char *)data, size, &fault) != ST_OK)
        return 0;
    REQUIRE(vin_is_valid(l.vin, strlen(l.vin)));
    REQUIRE(!l.has_position || (fabs(l.lat) <= 90 && fabs(l.lon) <= 180));
    REQUIRE(live_write(&l, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(live_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(live_write(&again, twice, sizeof twice, &len_twice, &fault) == ST_OK);
    REQUIRE(len == len_twice && memcmp(out, twice, len) == 0);
    return 0;
}
