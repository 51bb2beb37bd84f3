/* services/ingest/receiver/tls.h - the TLS of a connection (OpenSSL; RFC 8446): 1.2 or newer, our
 * certificate, the broker's chain and name verified.  It reads ahead: what the kernel holds comes
 * in one read, not two for each record of TLS. */
#ifndef INGEST_RECEIVER_TLS_H
#define INGEST_RECEIVER_TLS_H

#include <stdbool.h>

#include "proto/status.h"

/* An SSL_CTX for connections to `host`, a name or an address; tls_free it.  `*gone` becomes true
 * when the last reference to it is given up, whoever does.  NULL: `fault` names the file and says
 * what is wrong with it. */
void *tls_open(const char *ca, const char *cert, const char *key, const char *host, bool *gone,
               struct fault *fault);
void tls_free(void *context); /* one reference */

/* Of the SSL of a connection: */
bool tls_is_open(void *ssl);     /* the handshake is over */
bool tls_wants_write(void *ssl); /* what it did last waits for room to write */
bool tls_has_more(void *ssl);    /* something was read from the kernel that nobody had yet */

#endif
