/* services/notify/request.h - what a client may say: subscribe and ping.  Pure. */
#ifndef NOTIFY_REQUEST_H
#define NOTIFY_REQUEST_H

#include "fleet.h"

#define REQUEST_MAX 32768

enum request_kind { REQUEST_SUBSCRIBE, REQUEST_PING };

struct request {
    enum request_kind kind;
    struct filter filter; /* filter_done is the caller's */
    bool resume;          /* it had a cursor */
    char cursor[64];
};

/* ST_REJECT: not one of ours; the fault says why. */
enum status request_read(struct request *out, const char *bytes, size_t len,
                         struct fault *fault) MUST_CHECK;

/* The ticket among offered sub-protocols ("fleet.v1, ticket.abc"); ST_NONE: none, or not base64url.
 */
enum status request_ticket(char *out, size_t size, const char *protocols) MUST_CHECK;

/* Is `origin` one of the comma-separated list?  Byte for byte; an empty origin is not. */
bool request_origin_allowed(const char *list, const char *origin);

#endif
