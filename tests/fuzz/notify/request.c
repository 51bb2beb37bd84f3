/* Any bytes as what a client says: what is accepted is within bounds and in order. */
#include <math.h>
#include <string.h>

#include "services/notify/request.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request r = {.kind = REQUEST_PING};
    struct fault fault = {""};
    const struct live nowhere = {0};

    if (request_read(&r, (const char *)data, size, &fault) != ST_OK) {
        REQUIRE(fault.text[0]);
        return 0;
    }
    REQUIRE(size <= REQUEST_MAX);
    REQUIRE(r.kind == REQUEST_PING || r.kind == REQUEST_SUBSCRIBE);
    REQUIRE(r.filter.vin_count <= FILTER_VINS_MAX && !(r.filter.all && r.filter.vins));
    REQUIRE(memchr(r.cursor, '\0', sizeof r.cursor));
    for (size_t i = 0; i < r.filter.vin_count; i++) {
        REQUIRE(vin_is_valid(r.filter.vins[i], strlen(r.filter.vins[i])));
        REQUIRE(i == 0 || strcmp(r.filter.vins[i - 1], r.filter.vins[i]) <= 0);
        REQUIRE(filter_passes(&r.filter, r.filter.vins[i], &nowhere) == !r.filter.has_box);
    }
    REQUIRE(fabs(r.filter.west) <= 180 && fabs(r.filter.east) <= 180);
    REQUIRE(fabs(r.filter.south) <= 90 && fabs(r.filter.north) <= 90);
    REQUIRE(r.filter.south <= r.filter.north);
    filter_done(&r.filter);
    return 0;
}
