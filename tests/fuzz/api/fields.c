/* Any bytes as what a customer sets up: members of a description that are what it says, or a
 * problem that is well-formed; and never a column that is not in the description. */
#include "tests/fuzz/require.h"

#include <stdlib.h>
#include <string.h>

#include "services/api/fields.h"
#include "services/api/resource.h"

static void look(const struct resource *what, const uint8_t *data, size_t size, bool making)
{
    struct request *r = calloc(1, sizeof *r);
    json_t *body = NULL, *problem = NULL;
    struct fault fault;
    struct answer a;
    struct text sql;

    REQUIRE(r);
    memcpy(r->id_text, "0123456789abcdef", 17);
    text_init(&r->body);
    text_init(&sql);
    text_add(&r->body, (const char *)data, size);
    answer_init(&a);
    if (fields_read(r, what->fields, making, &body, &a) == ST_OK) {
        const char *name;
        json_t *value;
        size_t len = 0;

        json_object_foreach(body, name, value)
        {
            REQUIRE(fields_find(what->fields, name));
            len += strlen(name) + 1;
        }
        fields_print(&sql, what->fields, body, ",", NULL, NULL);
        REQUIRE(sql.len == len);
        if (what->fits && !what->fits(r, body, &a))
            REQUIRE(a.code == 422);
    } else {
        REQUIRE(!body && (a.code == 400 || a.code == 422));
        REQUIRE(json_read(&problem, a.body.bytes, a.body.len, 1 << 20, &fault) == ST_OK);
        json_decref(problem);
    }
    json_decref(body);
    text_done(&sql);
    answer_done(&a);
    request_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct resource *const all[] = {&geofence_resource, &rule_resource,
                                                 &driver_resource,   &assignment_resource,
                                                 &contract_resource, &maintenance_resource};

    if (size < 1)
        return 0;
    look(all[data[0] % 6], data + 1, size - 1, data[0] & 0x80);
    return 0;
}
