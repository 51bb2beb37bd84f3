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

/* Whose word about others is believed: "127.0.0.1, 10.0.0.0/8, 2001:db8::/32", "" nobody's.
 * ST_REJECT: not such a list; the fault repeats what is wrong in it. */
enum status address_list_check(const char *list, struct fault *fault) MUST_CHECK;
/* Is the numeric address in the list?  An IPv4 address written as IPv6 (::ffff:1.2.3.4) is IPv4. */
bool address_listed(const char *list, const char *address);

/* Who speaks: `peer`, or where that is in `trusted` the last address of `forwarded` (the value of
 * X-Forwarded-For, oldest first) that is not; all of them trusted: the first.  What was read up to
 * there and is no address: `peer`.  What stands before that address anybody may have written, and
 * is not looked at.  `out` holds ADDRESS_HOST_MAX bytes. */
void address_of_client(char *out, const char *trusted, const char *peer, const char *forwarded);

/* Is it a list of origins as browsers send them: "https://fleet.example,http://[::1]:8080"?
 * Scheme http or https, lower case, no path, no wildcard; at least one.  ST_REJECT: the fault
 * repeats what is none. */
enum status origin_list_check(const char *list, struct fault *fault) MUST_CHECK;

#endif
