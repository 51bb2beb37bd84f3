/* lib/address.h - where to listen, as people write it: "127.0.0.1:8080", "[::1]:8080",
 * "localhost:8080"; every interface is "0.0.0.0:8080" or "[::]:8080", said aloud. Pure, any thread.
 */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

#include <stdbool.h>

#include "proto/status.h"

#define ADDRESS_HOST_MAX 46 /* bytes of the longest IPv6 address, terminator included */

struct address {
    char host[ADDRESS_HOST_MAX]; /* a numeric address */
    bool is_ipv6;
    int port; /* 0 .. 65535; 0: any that is free */
};

/* Take it apart.  Names other than localhost are refused: what one listens on is not asked of a
 * name server. ST_REJECT: not HOST:PORT; the fault repeats the text. */
enum status address_read(struct address *out, const char *text, struct fault *fault) MUST_CHECK;

#endif
