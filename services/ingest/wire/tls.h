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

#endif
