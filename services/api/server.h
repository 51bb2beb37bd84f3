/* services/api/server.h - the loop: one thread of libwebsockets, two listeners (people over HTTP,
 * cars over TLS). Nothing in it waits: what can block goes to workers.h, answers come back by
 * lws_cancel_service. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "assets.h"
#include "shared.h"

struct server;

/* Listen and start the loop's thread and the workers.  ST_REJECT: a bad address; ST_FATAL: a port
 * is taken, or the certificate cannot be used. */
enum status server_start(struct server **out, const struct shared *shared,
                         const struct assets *assets, struct fault *fault) MUST_CHECK;
void server_reload(struct server *s); /* read the certificate again; any thread */
/* Stop listening, finish what is under way (5 s at most), end the threads.  NULL is fine. */
void server_join(struct server *s);

#endif
