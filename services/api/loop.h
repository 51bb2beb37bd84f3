/* services/api/loop.h - inside the server: connections and the requests on them.  The loop's thread
 * only. */
#ifndef API_LOOP_H
#define API_LOOP_H

#include <libwebsockets.h>

#include "admit.h"
#include "assets.h"
#include "lib/map.h"
#include "workers.h"

#define IN_FLIGHT_MAX 1024            /* requests at once; the next one is answered 503 */
#define PER_ADDRESS_MAX 32            /* connections of one address */
#define BODY_US (8 * LWS_US_PER_SEC)  /* from the headers to the end of the body */
#define WORK_US (20 * LWS_US_PER_SEC) /* for a worker */
#define SEND_US (30 * LWS_US_PER_SEC) /* without the client taking a byte */

enum phase {
    PHASE_FREE,
    PHASE_BODY, /* receiving */
    PHASE_HELD, /* a sign-in that waits for its account's delay */
    PHASE_WORKING,
    PHASE_SENDING
};

/* One request, from its headers to the last byte of its answer. */
struct exchange {
    uint64_t id; /* what workers know it by: a stale answer finds another id, or none */
    enum phase phase;
    struct lws *wsi;
    struct request *request; /* NULL while a worker has it */
    const struct route *route;
    struct answer *answer;
    char id_text[REQUEST_ID_LEN + 1], account[64], address[64], origin[256];
    bool head, is_api, headers_sent;
    bool announced; /* a Content-Length came with it */
    bool secure;
    enum method method;
    int64_t length, received; /* of the body */
    int64_t begun_us;
    int ends; /* how often lws said that the body has ended */
    size_t sent;
};

/* One connection; lws keeps it as opaque user data. */
struct conn {
    char address[64];          /* of the peer */
    char counted[64];          /* the address it counts for; "": a trusted proxy between requests */
    struct exchange *exchange; /* NULL between requests */
    bool discarding; /* answered before its body had come: that much is still thrown away */
    bool leaving;    /* answered for the last time: close when the timer or the client says so */
};

struct loop {
    const struct shared *shared;
    const struct assets *assets;
    struct admission admission;
    struct workers *workers;
    struct map *addresses; /* address -> int connections */
    struct exchange slots[IN_FLIGHT_MAX];
    uint64_t serial;
    int busy;      /* slots in use */
    bool draining; /* what is under way is finished, nothing else is begun */
    struct lws_vhost *vehicles;
    SSL_CTX *tls; /* of the vehicles' listener */
};

/* server.c */
/* Count the connection for `address` and no other; "" for none.  False: that one has enough. */
bool conn_count(struct loop *loop, struct conn *conn, const char *address);

/* exchange.c */
/* The headers of a request are complete.  Returns what the lws callback must: 0, or -1 to hang up.
 */
int exchange_begin(struct loop *loop, struct lws *wsi, struct conn *conn, const char *path,
                   size_t path_len);
int exchange_body(struct exchange *x, const void *bytes, size_t len);
int exchange_body_end(struct loop *loop, struct exchange *x);
int exchange_timer(struct loop *loop, struct conn *conn);
void exchange_answers(struct loop *loop);                  /* take what the workers finished */
void exchange_drop(struct loop *loop, struct exchange *x); /* the connection is gone */

/* read.c */
/* `address` is the peer's: where that is a trusted proxy, make it the address of its client. */
void read_client(struct lws *wsi, const char *trusted, char address[64]);
/* Copy what lws parsed into *r.  False: refused, the answer is set. */
bool read_request(struct lws *wsi, const char *path, size_t path_len, struct request *r,
                  int64_t *length, bool *announced, struct answer *a);

/* send.c */
/* Write headers, then as much of the body as fits.  *done: all is written.  -1: hang up. */
int send_answer(struct loop *loop, struct exchange *x, bool *done);

#endif
