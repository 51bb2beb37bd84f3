/* lib/http.h - blocking HTTP client (libcurl), keep-alive.  One struct http, one thread.
 * Redirects are off; the protocols are http and https only; every call has a deadline. */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/status.h"

struct http;

struct http_options {
    const char *ca, *cert, *key; /* files; NULL: the system's roots, no client certificate */
    int timeout_ms;              /* whole call; 0: 5000 */
    size_t max_answer_bytes;     /* 0: 1 MiB; a longer answer is ST_REJECT */
};

/* A body that is made while it is sent, a piece at a time, and so never stands in memory whole. */
struct http_body {
    size_t len; /* of all of it, to the byte: told beforehand; 0: not known, sent in chunks */
    /* The next bytes; 0: that was all.  HTTP_BODY_FAILS: the call ends, ST_RETRY. */
    size_t (*read)(void *self, char *out, size_t room);
    void (*rewind)(void *self); /* from the beginning: before the first, and when sent again */
    void *self;
};

#define HTTP_BODY_FAILS SIZE_MAX

struct http_request {
    const char *method; /* "GET", "POST", "PUT" */
    const char *url;
    const char *content_type; /* of the body */
    const char *body;
    size_t len;
    const struct http_body *made; /* instead of `body`, with POST or PUT; NULL: none */
    const char *const *headers;   /* "Name: value", NULL-terminated; NULL: none */
};

enum status http_open(struct http **out, const struct http_options *options,
                      struct fault *fault) MUST_CHECK;

/* One call.  ST_OK: an answer came, its status in *code (whatever it is) and its body in *answer
 * (cleared first).
 *   ST_RETRY   no answer: refused, timed out, reset
 *   ST_REJECT  bad URL, answer too long, certificate not ours */
enum status http_call(struct http *h, const struct http_request *request, int *code,
                      struct text *answer, struct fault *fault) MUST_CHECK;
void http_close(struct http *h);

/* Percent-encode into `out` (appended). */
void http_escape(struct text *out, const char *value);

#endif
