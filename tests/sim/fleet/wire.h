/* tests/sim/fleet/wire.h - one MQTT 5 connection that never blocks, in a few hundred bytes: a
 * socket, TLS where there is a certificate, whole packets in and out.  One thread. */
#ifndef FLEET_WIRE_H
#define FLEET_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

enum { PACKET_CONNACK = 2, PACKET_PUBLISH = 3, PACKET_PUBACK = 4, PACKET_SUBACK = 9 };

struct buffer {
    unsigned char *bytes;
    size_t at, len, room; /* at .. len is what waits */
};

struct wire { /* all zero: closed */
    int fd;
    SSL *ssl;
    bool open, greeted; /* TCP asked for; TLS done */
    struct buffer in, out;
};

struct packet { /* borrowed from the buffer until the next wire_take */
    unsigned kind, flags;
    const unsigned char *body;
    size_t len;
};

/* Begin to connect to an IPv4 address; `folder` holds cert.pem and key.pem, NULL with `tls` NULL.
 */
enum status wire_open(struct wire *w, const char *host, int port, SSL_CTX *tls, const char *folder,
                      struct fault *fault) MUST_CHECK;
/* Go on with whatever the socket is ready for.  False: the connection is over. */
bool wire_pump(struct wire *w);
/* The same, but only out: nothing is known to have come. */
bool wire_push(struct wire *w);
bool wire_wants_out(const struct wire *w);
size_t wire_unsent(const struct wire *w);
/* The next whole packet.  False: none yet. */
bool wire_take(struct wire *w, struct packet *out);
void wire_close(struct wire *w);

/* Packets out; they wait in the buffer until wire_pump. */
void wire_connect(struct wire *w, const char *client_id);
void wire_subscribe(struct wire *w, const char *filter, int qos);
struct publish {
    const char *topic;
    const void *payload;
    size_t len;
    int qos;
    bool retained, columnar;
    unsigned packet_id; /* for QoS 1 */
};
void wire_publish(struct wire *w, const struct publish *p);
void wire_puback(struct wire *w, unsigned packet_id);
void wire_ping(struct wire *w);

/* Of a PUBLISH that came in: payload and, for QoS 1, its packet id (else 0). */
bool wire_read_publish(const struct packet *p, const char **payload, size_t *len,
                       unsigned *packet_id);

#endif
