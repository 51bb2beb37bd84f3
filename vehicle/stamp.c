/* vehicle/stamp.c - see stamp.h. */
#include "stamp.h"

#include <string.h>

#include "proto/columnar.h"

#define STAMP_COLUMNAR_AT 3 /* magic, version, flags */
#define STAMP_HEAD 80       /* the longest `{"schema":"...","stream":"`, and some room */

static void stamp_json(char *payload, size_t len, const char *id)
{
    static const char key[] = "\"stream\":\"";
    const size_t key_len = sizeof key - 1;

    for (size_t at = 0; at < STAMP_HEAD && at + key_len + UUID_TEXT <= len; at++)
        if (memcmp(payload + at, key, key_len) == 0) {
            if (uuid_is_valid(payload + at + key_len, UUID_TEXT))
                memcpy(payload + at + key_len, id, UUID_TEXT);
            return;
        }
}

void stamp_stream(char *payload, size_t len, const char *id)
{
    unsigned char bytes[16];

    if (!columnar_is(payload, len))
        stamp_json(payload, len, id);
    else if (len >= STAMP_COLUMNAR_AT + sizeof bytes && uuid_scan(bytes, id))
        memcpy(payload + STAMP_COLUMNAR_AT, bytes, sizeof bytes);
}
