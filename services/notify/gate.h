/* services/notify/gate.h - whom a connection counts for.  The loop's thread only.  `trusted` is the
 * list of proxies, as lib/address.h has it; lws keeps the struct peer as opaque user data. */
#ifndef NOTIFY_GATE_H
#define NOTIFY_GATE_H

#include <libwebsockets.h>

#include "peers.h"

/* May one more come from where `fd` does?  A trusted proxy's connections count for nobody yet. */
bool gate_has_room(struct peers *peers, const char *trusted, lws_sockfd_type fd);
void gate_enter(struct peers *peers, const char *trusted, struct lws *wsi);
void gate_leave(struct peers *peers, struct lws *wsi);

/* The headers are here: through a trusted proxy it counts for the client it was made for from now
 * on.  False: that one has enough. */
bool gate_client(struct peers *peers, const char *trusted, struct lws *wsi);

/* Upgrades other than to a WebSocket are not for us; `name` is what lws is about to upgrade to and
 * may be written to.  Returns what the callback must. */
int gate_upgrade(struct lws *wsi, char *name);

#endif
