/* services/notify/server.h - the WebSocket side (libwebsockets): one event loop, all sessions, one
 * frame each at a time. Runs on main's thread; news comes from other threads through queues and
 * lws_cancel_service. */
#ifndef NOTIFY_SERVER_H
#define NOTIFY_SERVER_H

#include "lib/queue.h"
#include "settings.h"
#include "store.h"

struct server;

struct server_options {
    const struct notify_settings *set; /* borrowed */
    struct fleet *fleet;
    struct queue *live;         /* of struct live, filled by the broker's thread */
    void (*reload)(void *self); /* SIGHUP came; called by server_run */
    void *self;
};

enum status server_open(struct server **out, const struct server_options *options,
                        struct fault *fault) MUST_CHECK;
void server_use_store(struct server *s, struct store *store); /* before server_run */
void server_wake(void *server); /* any thread: something waits in a queue */
/* Until stop is asked for, which takes up to a tick to be noticed; then says goodbye to everyone,
 * within 1 s.  ST_FATAL: libwebsockets gave up. */
enum status server_run(struct server *s, struct fault *fault) MUST_CHECK;
void server_close(struct server *s); /* NULL is fine */

#endif
