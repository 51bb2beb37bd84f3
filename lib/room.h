/* lib/room.h - room for items in memory that grows.  Pure, any thread. */
#ifndef LIB_ROOM_H
#define LIB_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Room for `wanted` items of `size` bytes at *items (NULL with *room 0: none yet, to be freed by
 * you), and for some more, so that one after the other costs no copy each.  False: no memory, and
 * all is as it was. */
bool room_grow(void **items, size_t size, size_t wanted, size_t *room);

#endif
