/* services/notify/peers.c - addresses and their connections. */
#include "peers.h"

#include <stdlib.h>

#include "lib/map.h"
#include "lib/text.h"

struct peer {
    char address[48];
    int64_t open;
};

struct peers {
    struct map *addresses; /* text -> struct peer */
    int64_t each;
    size_t all, open;
};

enum status peers_open(struct peers **out, int64_t each, size_t all, struct fault *fault)
{
    struct peers *p = calloc(1, sizeof *p);
    enum status st;

    if (!p)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = map_open(&p->addresses, sizeof(struct peer), all, NULL, fault)) != ST_OK) {
        free(p);
        return st;
    }
    p->each = each;
    p->all = all;
    *out = p;
    return ST_OK;
}

bool peers_has_room(struct peers *p, const char *address)
{
    const struct peer *peer = map_get(p->addresses, address);

    return p->open < p->all && !(address[0] && peer && p->each && peer->open >= p->each);
}

struct peer *peers_enter(struct peers *p, const char *address)
{
    struct peer *peer = map_put(p->addresses, address);

    if (!peer)
        return NULL;
    text_copy(peer->address, sizeof peer->address, address);
    peer->open++;
    p->open++;
    return peer;
}

void peers_leave(struct peers *p, struct peer *peer)
{
    char address[sizeof peer->address];

    if (!peer)
        return;
    p->open--;
    if (--peer->open > 0)
        return;
    text_copy(address, sizeof address, peer->address); /* the key dies with its value */
    map_remove(p->addresses, address);
}

void peers_close(struct peers *p)
{
    if (!p)
        return;
    map_close(p->addresses);
    free(p);
}
