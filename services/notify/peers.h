/* services/notify/peers.h - how many connections each address has open.  Pure but for its memory;
 * one thread. */
#ifndef NOTIFY_PEERS_H
#define NOTIFY_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

struct peers;
struct peer;

/* `each`: connections of one address at most, 0 as many as it likes; `all`: of all together. */
enum status peers_open(struct peers **out, int64_t each, size_t all,
                       struct fault *fault) MUST_CHECK;
/* The address "" has no limit of its own: for connections whose client is not known yet. */
bool peers_has_room(struct peers *p, const char *address);
/* One more; peers_leave takes what this returns.  NULL: no memory, it is not counted. */
struct peer *peers_enter(struct peers *p, const char *address);
void peers_leave(struct peers *p, struct peer *peer); /* NULL is fine */
void peers_close(struct peers *p);                    /* NULL is fine */

#endif
