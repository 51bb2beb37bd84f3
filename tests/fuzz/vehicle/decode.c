/* Any bytes as a transcript: it ends, every object is JSON with the request in it, and no value
 * comes from an answer that was not asked for. */
#include "tests/fuzz/require.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vehicle/decode.h"

static void check(const struct exchange *x)
{
    static struct makes none;
    static struct decode_with with = {.makes = &none};
    char *text = decode_exchange(x, &with);
    json_t *object, *answers;

    REQUIRE(text != NULL && strchr(text, '\n') == NULL);
    object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(object != NULL);
    REQUIRE(strcmp(json_string_value(json_object_get(object, "request")), x->request) == 0);
    answers = json_object_get(object, "answers");
    REQUIRE(json_is_array(answers));
    if (!x->is_obd)
        REQUIRE(json_array_size(answers) == 0);
    json_decref(object);
    free(text);
    if (!x->is_obd)
        return;
    for (size_t i = 0; i < x->answer.count; i++) {
        const struct link_message *m = &x->answer.messages[i];

        REQUIRE((size_t)m->at + m->len <= x->answer.used);
        REQUIRE(x->answer.bytes[m->at] == (uint8_t)(x->bytes[0] + 0x40));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange x;
    struct transcript t;
    size_t at = 0;

    transcript_init(&t, (const char *)data, size);
    while (transcript_next(&t, &x)) {
        REQUIRE(t.at > at && t.at <= size);
        at = t.at;
        REQUIRE(memchr(x.request, '\0', sizeof x.request) && memchr(x.error, '\0', sizeof x.error));
        check(&x);
    }
    return 0;
}
