/* services/api/request.h - one request as the handlers see it: plain values, bounded, no library in
 * it. Filled by exchange.c on the loop's thread, then owned by one worker.  The readers here are
 * pure. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/envelope.h"
#include "proto/status.h"
#include "proto/vin.h"
#include "token.h"

#define REQUEST_BODY_MAX 65536
#define REQUEST_PATH_MAX 1024
#define REQUEST_ARGS_MAX 2048
#define REQUEST_ID_LEN 16

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

enum door {
    DOOR_PUBLIC,  /* people: dashboard and /api/frontend */
    DOOR_VEHICLES /* cars: TLS, /api/embedded */
};

struct route;

struct request {
    uint64_t id;
    char id_text[REQUEST_ID_LEN + 1]; /* the id in hex, as X-Request-Id tells it */
    enum door door;
    enum method method;
    char path[REQUEST_PATH_MAX];
    char args[REQUEST_ARGS_MAX]; /* "name=value" pairs, each terminated; an empty one ends the list
                                  */
    char address[64];            /* of the peer */
    char origin[256], host[256];
    char accept[256], content_type[128];
    char if_match[64], if_none_match[256], range[64];
    char accept_encoding[128];
    char idempotency_key[201];  /* "" when absent */
    char refresh[128];          /* the refresh cookie, "" when absent */
    const struct route *route;  /* found by route_match */
    char vin[VIN_LEN + 1];      /* the VIN in the path, where the route has one */
    char object[UUID_TEXT + 1]; /* and the id */
    char peer_cn[65];           /* CN of a verified client certificate, "" without */
    char peer_sha256[65];       /* of that certificate, hex */
    bool signed_in;             /* claims hold a verified access token */
    struct claims claims;
    char bearer[TOKEN_MAX + 1];
    struct text body;
};

const char *method_name(enum method m); /* "GET"; METHOD_OTHER is "?" */

/* The decoded value of query argument `name`; NULL when absent, the first when repeated. */
const char *request_arg(const struct request *r, const char *name);
/* An integer argument; `standard` when absent.  ST_REJECT: not digits, or outside lowest ..
 * highest. */
enum status request_number(const struct request *r, const char *name, int64_t lowest,
                           int64_t highest, int64_t standard, int64_t *out,
                           struct fault *fault) MUST_CHECK;
/* A time argument, RFC 3339 or ms; `standard` when absent. */
enum status request_time(const struct request *r, const char *name, int64_t standard, int64_t *out,
                         struct fault *fault) MUST_CHECK;

/* Content-Length: digits only, at most 8 of them.  lws takes "5, 6", "0x10" and "-5": we do not. */
enum status content_length_parse(const char *text, size_t len, int64_t *out,
                                 struct fault *fault) MUST_CHECK;

/* The value of cookie `name` in a Cookie header.  ST_NONE: not there; ST_REJECT: twice, or too
 * long. */
enum status cookie_read(const char *header, const char *name, char *out, size_t size) MUST_CHECK;

/* UTF-8 as RFC 3629 has it?  What goes into a database as text must be. */
bool utf8_is_valid(const char *text, size_t len);

/* Is the media type (parameters ignored, case as well) exactly `want`? */
bool media_type_is(const char *content_type, const char *want);
/* Does an Accept header ask for `want` by name?  A wildcard does not. */
bool accept_names(const char *accept, const char *want);

/* Is `origin` byte for byte in the comma-separated `list`? */
bool origin_listed(const char *list, const char *origin);
/* The first of a comma-separated list; "" when empty. */
void list_first(const char *list, char *out, size_t size);

/* `"v7"` -> 7.  ST_REJECT: anything else, a list or a weak tag included. */
enum status version_tag_parse(const char *tag, int64_t *version) MUST_CHECK;

/* What is wrong with an If-Match here, in a sentence; NULL: it is one strong tag, ours or not.  We
 * change the one version somebody has read: not any, not one of several. */
const char *if_match_fault(const char *value);

void request_free(struct request *r); /* NULL is fine */

#endif
