/* lib/http.c - one curl easy handle; its connections outlive the calls. */
#include "lib/http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/curl_late.h"

#define STANDARD_TIMEOUT_MS 5000
#define STANDARD_MAX_ANSWER (1024 * 1024)
#define PIECE_BYTES 262144L /* of a body that is made while it is sent: stays in a core's cache */

struct http {
    CURL *curl;
    char *ca, *cert, *key;
    long timeout_ms;
    size_t max_answer_bytes;
    struct text *answer; /* of the call under way */
    bool too_long;
    char reason[CURL_ERROR_SIZE];
};

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

enum status http_open(struct http **out, const struct http_options *options, struct fault *fault)
{
    struct http *h;
    enum status st;

    if ((st = curl_late_load(fault)) != ST_OK)
        return st;
    h = calloc(1, sizeof *h);
    if (!h)
        return fault_set(fault, ST_FATAL, "http client: out of memory");
    h->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : STANDARD_TIMEOUT_MS;
    h->max_answer_bytes =
        options->max_answer_bytes ? options->max_answer_bytes : STANDARD_MAX_ANSWER;
    h->curl = curl_late.easy_init();
    if (!h->curl || !copy(&h->ca, options->ca) || !copy(&h->cert, options->cert) ||
        !copy(&h->key, options->key)) {
        http_close(h);
        return fault_set(fault, ST_FATAL, "http client: out of memory");
    }
    *out = h;
    return ST_OK;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    if (h->curl)
        curl_late.easy_cleanup(h->curl);
    free(h->ca);
    free(h->cert);
    free(h->key);
    free(h);
}

static size_t take_answer(char *bytes, size_t one, size_t n, void *self)
{
    struct http *h = self;

    (void)one; /* always 1 */
    if (n > h->max_answer_bytes - h->answer->len) {
        h->too_long = true;
        return 0; /* curl gives up with CURLE_WRITE_ERROR */
    }
    text_add(h->answer, bytes, n);
    return h->answer->failed ? 0 : n;
}

static bool set_common(struct http *h)
{
    CURL *c = h->curl;

    /* No proxy from the environment: what we call stands on the same site. */
    if (curl_late.easy_setopt(c, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_TIMEOUT_MS, h->timeout_ms) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, h->timeout_ms) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer) != CURLE_OK ||
        curl_late.easy_setopt(c, CURLOPT_WRITEDATA, h) != CURLE_OK)
        return false;
#if LIBCURL_VERSION_NUM >= 0x075500
    if (curl_late.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
        return false;
#else
    if (curl_late.easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)))
        return false;
#endif
    return (!h->ca || curl_late.easy_setopt(c, CURLOPT_CAINFO, h->ca) == CURLE_OK) &&
           (!h->cert || curl_late.easy_setopt(c, CURLOPT_SSLCERT, h->cert) == CURLE_OK) &&
           (!h->key || curl_late.easy_setopt(c, CURLOPT_SSLKEY, h->key) == CURLE_OK);
}

static size_t read_made(char *out, size_t one, size_t n, void *self)
{
    const struct http_body *made = self;
    size_t len = made->read(made->self, out, one * n);

    return len == HTTP_BODY_FAILS ? CURL_READFUNC_ABORT : len;
}

/* A connection that was kept turns out to be dead: what went into it is sent through a new one. */
static int rewind_made(void *self, curl_off_t offset, int origin)
{
    const struct http_body *made = self;

    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    made->rewind(made->self);
    return CURL_SEEKFUNC_OK;
}

static bool set_made(struct http *h, const struct http_request *r)
{
    CURL *c = h->curl;

    r->made->rewind(r->made->self);
    return curl_late.easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_READFUNCTION, read_made) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_READDATA, (void *)r->made) == CURLE_OK &&
           (r->made->len == 0 || curl_late.easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
                                                       (curl_off_t)r->made->len) == CURLE_OK) &&
           curl_late.easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_made) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_SEEKDATA, (void *)r->made) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, PIECE_BYTES) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

static bool set_request(struct http *h, const struct http_request *r)
{
    CURL *c = h->curl;

    if (curl_late.easy_setopt(c, CURLOPT_URL, r->url) != CURLE_OK)
        return false;
    if (r->made)
        return set_made(h, r);
    if (!r->body && strcmp(r->method, "GET") == 0)
        return curl_late.easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (strcmp(r->method, "HEAD") == 0)
        return curl_late.easy_setopt(c, CURLOPT_NOBODY, 1L) == CURLE_OK;
    return curl_late.easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "") == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
                                 (curl_off_t)(r->body ? r->len : 0)) == CURLE_OK &&
           curl_late.easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_late.slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer;
}

static bool make_headers(struct curl_slist **list, const struct http_request *r)
{
    struct text type;
    bool done;

    /* curl would wait a second for "100 Continue" before every body over 1 MiB */
    if (!add_header(list, "Expect:"))
        return false;
    text_init(&type);
    text_print(&type, "Content-Type:%s%s", r->content_type ? " " : "",
               r->content_type ? r->content_type : "");
    done = !type.failed && add_header(list, type.bytes) &&
           (!r->made || r->made->len > 0 || add_header(list, "Transfer-Encoding: chunked"));
    text_done(&type);
    for (size_t i = 0; done && r->headers && r->headers[i]; i++)
        done = add_header(list, r->headers[i]);
    return done;
}

static enum status explain(const struct http *h, CURLcode rc, struct fault *fault)
{
    const char *reason = h->reason[0] ? h->reason : curl_late.easy_strerror(rc);

    switch (rc) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return fault_set(fault, ST_REJECT, "%s", reason);
    case CURLE_OUT_OF_MEMORY:
        return fault_set(fault, ST_FATAL, "http client: out of memory");
    case CURLE_WRITE_ERROR:
        if (h->too_long)
            return fault_set(fault, ST_REJECT, "the answer is longer than %zu bytes",
                             h->max_answer_bytes);
        return fault_set(fault, ST_FATAL, "http client: out of memory");
    default:
        return fault_set(fault, ST_RETRY, "%s", reason);
    }
}

enum status http_call(struct http *h, const struct http_request *request, int *code,
                      struct text *answer, struct fault *fault)
{
    struct curl_slist *headers = NULL;
    CURLcode rc = CURLE_OUT_OF_MEMORY;
    long answered = 0;

    text_clear(answer);
    h->answer = answer;
    h->too_long = false;
    h->reason[0] = '\0';
    curl_late.easy_reset(h->curl); /* options only: connections stay */
    if (set_common(h) && set_request(h, request) && make_headers(&headers, request) &&
        curl_late.easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK)
        rc = curl_late.easy_perform(h->curl);
    curl_late.slist_free_all(headers);
    h->answer = NULL;
    if (rc != CURLE_OK)
        return explain(h, rc, fault);
    rc = curl_late.easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &answered);
    if (rc != CURLE_OK || answered == 0)
        return fault_set(fault, ST_RETRY, "an answer without a status");
    *code = (int)answered;
    return ST_OK;
}

void http_escape(struct text *out, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    while (*value) {
        size_t n = strspn(value, plain);
        unsigned char c = (unsigned char)value[n];

        text_add(out, value, n);
        value += n;
        if (c) {
            const char coded[3] = {'%', hex[c >> 4], hex[c & 15]};

            text_add(out, coded, sizeof coded);
            value++;
        }
    }
}
