/* lib/room.c */
#include "lib/room.h"

#include <stdint.h>
#include <stdlib.h>

#define AT_LEAST 8

bool room_grow(void **items, size_t size, size_t wanted, size_t *room)
{
    size_t more = wanted / 2 + AT_LEAST;
    void *grown;

    if (wanted <= *room)
        return true;
    if (wanted > SIZE_MAX - more || wanted + more > SIZE_MAX / size)
        return false;
    grown = realloc(*items, (wanted + more) * size);
    if (!grown)
        return false;
    *items = grown;
    *room = wanted + more;
    return true;
}
