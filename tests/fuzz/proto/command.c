/* Any bytes as command/1: what is accepted is written and read again the same, and has a known
 * type; what is refused still tells a usable id or none.  The same bytes as result/1. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/result.h"

static void as_result(const char *text, size_t size)
{
    static char out[JSON_MAX_BYTES];
    struct result r, again;
    struct fault fault;
    size_t len;

    if (result_read(&r, text, size, &fault) != ST_OK)
        return;
    REQUIRE(command_state_is_a_result(r.state) && uuid_is_valid(r.command, strlen(r.command)));
    REQUIRE(result_write(&r, NULL, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(result_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(again.state == r.state && strcmp(again.command, r.command) == 0 &&
            strcmp(again.reason, r.reason) == 0 && again.head.seq == r.head.seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[4096], twice[4096];
    struct command c, again;
    struct fault fault;
    size_t len, len_twice;

    as_result((const char *)data, size);
    if (command_read(&c, (const char *)data, size, &fault) != ST_OK) {
        REQUIRE(!c.id[0] || uuid_is_valid(c.id, strlen(c.id)));
        REQUIRE(c.expires_ms >= 0);
        return 0;
    }
    REQUIRE(c.type < COMMAND_TYPES && c.expires_ms >= 0 && uuid_is_valid(c.id, strlen(c.id)));
    REQUIRE(c.type != COMMAND_DIAGNOSTICS_CLEAR || c.args.clear.confirmed_by[0]);
    REQUIRE(command_write(&c, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(command_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(command_write(&again, twice, sizeof twice, &len_twice, &fault) == ST_OK);
    REQUIRE(len == len_twice && memcmp(out, twice, len) == 0);
    return 0;
}
