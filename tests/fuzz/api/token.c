/* Any bytes as an access token: none is ever believed, for none was signed; and our own with one
 * piece replaced by the input is believed only if the input is what was there. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "services/api/token.h"
#include "tests/unit/api/forge.h"

#define NOW_MS INT64_C(1795248000000)

static struct keys keys;
static char good[TOKEN_MAX + 1];

static void prepare(void)
{
    struct claims c = {.user = "0197f3c2-5f0e-7abc-8def-0123456789ac",
                       .tenant = "0197f3c2-5f0e-7abc-8def-0123456789ad",
                       .role = "owner",
                       .use = "access",
                       .epoch = 1};
    struct fault fault;

    EVP_PKEY_free(forge_key(&keys, 1));
    REQUIRE(token_sign(&keys, &c, NOW_MS, good, &fault) == ST_OK);
    REQUIRE(token_verify(&keys, good, strlen(good), "access", NOW_MS, &c, &fault) == ST_OK);
}

static enum status verify(const char *text, size_t len)
{
    struct claims c;
    struct fault fault = {""};
    enum status st = token_verify(&keys, text, len, "access", NOW_MS, &c, &fault);

    REQUIRE(st == ST_OK || (st == ST_REJECT && fault.text[0]));
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[2 * TOKEN_MAX];
    size_t len, at, n;

    if (!keys.count)
        prepare();
    REQUIRE(verify((const char *)data, size) == ST_REJECT);
    if (size < 4)
        return 0;
    /* our header and the input as JSON behind it, and the other way round: the parsers see
     * something real */
    forge_base64(text, data, size < 1500 ? size : 1500);
    len = strlen(text);
    text[len++] = '.';
    memcpy(text + len, strchr(good, '.') + 1, strlen(strchr(good, '.')));
    REQUIRE(verify(text, strlen(text)) == ST_REJECT);
    len = (size_t)(strchr(good, '.') + 1 - good);
    memcpy(text, good, len);
    forge_base64(text + len, data, size < 1500 ? size : 1500);
    strcat(text, strrchr(good, '.'));
    REQUIRE(verify(text, strlen(text)) == ST_REJECT);
    /* a few bytes of a good one */
    strcpy(text, good);
    len = strlen(text);
    at = (size_t)(data[0] | data[1] << 8) % len;
    n = size - 2 < 8 ? size - 2 : 8;
    if (at + n > len)
        n = len - at;
    memcpy(text + at, data + 2, n);
    REQUIRE((verify(text, len) == ST_OK) == (memcmp(text, good, len) == 0));
    return 0;
}
