/* Any bytes as state/1: what is accepted is written and read again the same. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[1024], twice[1024];
    struct vehicle_state s, again;
    struct fault fault;
    size_t len, len_twice;

    if (state_read(&s, (const char *)data, size, &fault) != ST_OK)
        return 0;
    REQUIRE(s.presence <= PRESENCE_SLEEPING && s.gps <= SOURCE_GONE && s.t_ms >= 0 &&
            s.config >= 0);
    REQUIRE(state_write(&s, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(state_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(state_write(&again, twice, sizeof twice, &len_twice, &fault) == ST_OK);
    REQUIRE(len == len_twice && memcmp(out, twice, len) == 0);
    return 0;
}
