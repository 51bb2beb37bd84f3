/* Any bytes as a body: members we allow, as text that fits, or a problem that is well-formed and
 * points at one. */
#include "tests/fuzz/require.h"

#include <stdlib.h>
#include <string.h>

#include "services/api/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const allowed[] = {"username", "password", "vin", NULL};
    struct request *r = calloc(1, sizeof *r);
    json_t *body = NULL, *problem = NULL;
    struct fault fault;
    char text[33] = "";
    struct answer a;
    enum status st;

    REQUIRE(r);
    memcpy(r->id_text, "0123456789abcdef", 17);
    text_init(&r->body);
    text_add(&r->body, (const char *)data, size);
    answer_init(&a);
    st = body_read(r, allowed, &body, &a);
    if (st == ST_OK)
        st = body_text(r, body, "username", true, text, sizeof text, &a);
    if (st == ST_OK) {
        REQUIRE(!strcmp(text, json_string_value(json_object_get(body, "username"))));
        REQUIRE(!a.code && json_object_size(body) <= 3);
    } else {
        REQUIRE(st == ST_NONE && (a.code == 400 || a.code == 422));
        REQUIRE(json_read(&problem, a.body.bytes, a.body.len, 1 << 20, &fault) == ST_OK);
        json_decref(problem);
    }
    json_decref(body);
    answer_done(&a);
    request_free(r);
    return 0;
}
