/* services/ingest/wire/tls.h - the TLS of a connection (OpenSSL; RFC 8446): 1.2 or newer, our
 * certificate, the broker's chain and name verified.  It reads ahead: what the kernel holds comes
 * in one read, not two for each record of TLS. */
#ifndef INGEST_WIRE_TLS_H
#define INGEST_WIRE_TLS_H

#include <stdbool.h>

#include "proto/status.h"

/* What became of a context and of a handshake made with it. */
struct tls_end {
    bool gone; /* the last reference was given up, whoever did */
    int error; /* errno of the handshake that the kernel broke off; 0: none */
};

/* An SSL_CTX for connections to `host`, a name or an address; tls_free it.  Writes `*end` as long
 * as it lives.  NULL: `fault` names the file and says what is wrong with it. */
void *tls_open(const char *ca, const char *cert, const char *key, const char *host,
               struct tls_end *end, struct fault *fault);
void tls_free(void *context); /* one reference */

/* Of the SSL of a connection: */
bool tls_is_open(void *ssl);     /* the handshake is over */
bool tls_wants_write(void *ssl); /* what it did last waits for room to write */
bool tls_has_more(void *ssl);    /* something was read from the kernel that nobody had yet */

/* Once the handshake is over: what is written waits for tls_flush or for 64 KiB, so that many
 * messages are one call of the kernel's and wake the peer once.  false: no memory, all goes on as
 * it was. */
bool tls_gather(void *ssl);
/* Write what waits; what the kernel has no room for goes on waiting. */
void tls_flush(void *ssl);
bool tls_is_flushed(void *ssl);
/* From here on nothing waits any more; what still does is forgotten. */
void tls_scatter(void *ssl);

#endif
