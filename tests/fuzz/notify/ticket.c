/* Any header as sub-protocols and as an origin: a ticket is base64url and stands in the header
 * behind its prefix; an origin that is let in is one of the list. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "services/notify/request.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const list = "http://a.test:8080, https://b.test";
    char *header = malloc(size + 1), found[64 + 8] = "ticket.";
    char *ticket = found + 7;

    if (!header)
        return 0;
    memcpy(header, data, size);
    header[size] = '\0';
    if (request_ticket(ticket, 64, header) == ST_OK) {
        REQUIRE(ticket[0] && strlen(ticket) < 64 && strstr(header, found));
        for (const char *p = ticket; *p; p++)
            REQUIRE(isalnum((unsigned char)*p) || *p == '-' || *p == '_');
    }
    if (request_origin_allowed(list, header))
        REQUIRE(strcmp(header, "http://a.test:8080") == 0 || strcmp(header, "https://b.test") == 0);
    free(header);
    return 0;
}
