/* services/api/route.c - which row of the table a method and a path mean. */
#include "route.h"

#include <stdio.h>
#include <string.h>

/* Take `len` bytes of the path into `out`. */
static void take(char *out, const char *path, size_t len)
{
    memcpy(out, path, len);
    out[len] = '\0';
}

/* Does `path` fit the pattern?  What stands in its holes goes to `vin` and `object`. */
static bool fits(const char *pattern, const char *path, char vin[VIN_LEN + 1],
                 char object[UUID_TEXT + 1])
{
    while (*pattern) {
        if (!strncmp(pattern, "{vin}", 5)) {
            if (strlen(path) < VIN_LEN || !vin_is_valid(path, VIN_LEN))
                return false;
            take(vin, path, VIN_LEN);
            pattern += 5;
            path += VIN_LEN;
        } else if (!strncmp(pattern, "{id}", 4)) {
            if (strlen(path) < UUID_TEXT || !uuid_is_valid(path, UUID_TEXT))
                return false;
            take(object, path, UUID_TEXT);
            pattern += 4;
            path += UUID_TEXT;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*path;
}

enum match route_match(struct request *r, const struct route **out, char *allow, size_t allow_size)
{
    enum method want = r->method == METHOD_HEAD ? METHOD_GET : r->method;
    size_t len = 0;

    allow[0] = '\0';
    for (size_t i = 0; i < route_count; i++) {
        const struct route *row = &route_table[i];

        if (row->door != r->door || !fits(row->path, r->path, r->vin, r->object))
            continue;
        if (row->method == want) {
            *out = r->route = row;
            return MATCH_FOUND;
        }
        if (len < allow_size)
            len += (size_t)snprintf(allow + len, allow_size - len, "%s%s%s", len ? ", " : "",
                                    method_name(row->method),
                                    row->method == METHOD_GET ? ", HEAD" : "");
    }
    return len ? MATCH_NO_METHOD : MATCH_NO_PATH;
}
