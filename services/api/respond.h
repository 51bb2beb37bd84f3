/* services/api/respond.h - one answer: made by a handler or a fence, written by exchange.c.
 * Every failure is RFC 9457 application/problem+json with a stable `type`; no SQL and no library
 * text in it. */
#ifndef API_RESPOND_H
#define API_RESPOND_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text.h"
#include "request.h"

#define ANSWER_HEADERS_MAX 8

struct answer {
    int code; /* 0: not answered yet */
    const char *content_type;
    struct text body;
    const char *borrowed; /* instead of `body`: bytes that outlive the answer (assets) */
    size_t borrowed_len;
    struct {
        const char *name; /* literal, "etag:" */
        char value[384];
    } headers[ANSWER_HEADERS_MAX];
    size_t header_count;
    bool close;          /* the connection cannot be used again */
    bool is_page;        /* HTML or an asset: gets the page's policy, not the API's */
    bool sign_in_failed; /* for the delays: a password was wrong */
    char reason[32];     /* of a refusal, for vigie_api_refused_total; "": none */
};

void answer_init(struct answer *a);
void answer_done(struct answer *a);
void answer_reset(struct answer *a); /* a second try begins */

void answer_header(struct answer *a, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* 200 and the like with the JSON that is already in a->body. */
void answer_json(struct answer *a, int code);
void answer_empty(struct answer *a); /* 204 */

/* A problem.  `type` is a stable word ("not-found"), `detail` a sentence for people; both literals
 * or our words. */
void answer_problem(struct answer *a, const struct request *r, int code, const char *type,
                    const char *detail);
/* The same with one entry in `errors`: JSON pointer or parameter name, and a stable code, which
 * `detail` says in words. */
void answer_field(struct answer *a, const struct request *r, int code, const char *pointer,
                  const char *what);
/* The same with words of its own. */
void answer_member(struct answer *a, const struct request *r, int code, const char *pointer,
                   const char *what, const char *detail);
void answer_retry_after(struct answer *a, int seconds);

const char *answer_title(int code); /* "Not Found" */

#endif
