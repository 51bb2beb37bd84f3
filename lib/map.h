/* lib/map.h - values found by a short text key (a VIN, a stream).  One struct map, one thread.
 * Values live at a fixed address until they are removed. */
#ifndef LIB_MAP_H
#define LIB_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

#define MAP_KEY_MAX 63 /* bytes, without the terminator */

struct map;

/* Values of `value_size` bytes, at most `max` of them.  `done` is called before a value is freed;
 * NULL is fine. */
enum status map_open(struct map **out, size_t value_size, size_t max, void (*done)(void *value),
                     struct fault *fault) MUST_CHECK;
void *map_get(struct map *m, const char *key); /* NULL when absent */
/* The value of `key`, made of zero bytes if it is new; NULL: the map is full, or the key too long.
 */
void *map_put(struct map *m, const char *key);
void map_remove(struct map *m, const char *key);
size_t map_count(const struct map *m);
/* Visit all, oldest first; the visitor returns false to have this one removed. */
void map_each(struct map *m, bool (*keep)(void *self, const char *key, void *value), void *self);
void map_close(struct map *m); /* NULL is fine */

#endif
