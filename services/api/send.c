/* services/api/send.c - an answer on the wire: its headers, ours on every one, and its body in
 * pieces. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loop.h"

#define PIECE 16384
#define HEADERS_ROOM 8192

/* Sites and sockets the page may talk to, from the settings; scripts only from here. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "                    \
    "img-src 'self' data: blob: %s; connect-src 'self' %s %s; media-src 'self' blob: %s; "         \
    "worker-src 'self'; manifest-src 'self'; font-src 'self'; base-uri 'none'; form-action "       \
    "'self'; "                                                                                     \
    "frame-ancestors 'none'"

struct writer {
    struct lws *wsi;
    unsigned char *at, *end;
    bool failed;
};

static void put(struct writer *w, const char *name, const char *value)
{
    if (!w->failed && lws_add_http_header_by_name(w->wsi, (const unsigned char *)name,
                                                  (const unsigned char *)value, (int)strlen(value),
                                                  &w->at, w->end))
        w->failed = true;
}

static void put_date(struct writer *w)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[40];

    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    put(w, "date:", text);
}

/* scheme://host:port of an address: a policy that names a path would allow that path alone. */
static void origin_of(const char *url, char out[256])
{
    const char *host = strstr(url, "://");
    size_t len = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;

    snprintf(out, 256, "%.*s", (int)(len < 255 ? len : 255), url);
}

static void put_policy(struct writer *w, const struct shared *shared, const struct exchange *x)
{
    char policy[2600], socket[256], media[256];

    if (x->answer->is_page) {
        origin_of(shared->set->ws_url, socket);
        origin_of(shared->set->media_url, media);
        snprintf(policy, sizeof policy, PAGE_POLICY, media, socket, media, media);
        put(w, "content-security-policy:", policy);
        put(w, "permissions-policy:",
            "screen-wake-lock=(self), camera=(), microphone=(), geolocation=(self)");
        put(w, "cross-origin-opener-policy:", "same-origin");
    } else {
        put(w, "content-security-policy:", "default-src 'none'; frame-ancestors 'none'");
    }
    put(w, "x-content-type-options:", "nosniff");
    put(w, "referrer-policy:", "no-referrer");
    if (shared->secure_cookies) /* the dashboard is opened over https */
        put(w, "strict-transport-security:", "max-age=31536000; includeSubDomains");
}

static void put_own(struct writer *w, const struct exchange *x)
{
    const struct answer *a = x->answer;

    for (size_t i = 0; i < a->header_count; i++)
        put(w, a->headers[i].name, a->headers[i].value);
    if (x->is_api) {
        put(w, "cache-control:", "no-store");
        put(w, "vary:", "Origin");
    } else if (a->code >= 400) {
        put(w, "cache-control:", "no-store");
    }
    if (a->content_type)
        put(w, "content-type:", a->content_type);
    if (a->close)
        put(w, "connection:", "close");
}

static size_t body_len(const struct answer *a)
{
    return a->borrowed ? a->borrowed_len : a->body.len;
}

static int send_headers(struct loop *loop, struct exchange *x)
{
    unsigned char room[LWS_PRE + HEADERS_ROOM], *start = room + LWS_PRE;
    struct writer w = {.wsi = x->wsi, .at = start, .end = room + sizeof room - 1};
    char length[24];

    if (lws_add_http_header_status(x->wsi, (unsigned)x->answer->code, &w.at, w.end))
        return -1;
    put(&w, "x-request-id:", x->id_text);
    put(&w, "x-site:", loop->shared->set->common.site);
    put(&w, "x-api-version:", "1");
    put_date(&w);
    put_policy(&w, loop->shared, x);
    put_own(&w, x);
    if (x->answer->code != 204 && x->answer->code != 304) {
        snprintf(length, sizeof length, "%zu", body_len(x->answer));
        put(&w, "content-length:", length);
    }
    if (w.failed || lws_finalize_write_http_header(x->wsi, start, &w.at, w.end))
        return -1;
    x->headers_sent = true;
    return 0;
}

int send_answer(struct loop *loop, struct exchange *x, bool *done)
{
    const struct answer *a = x->answer;
    unsigned char room[LWS_PRE + PIECE];
    size_t whole = x->head || a->code == 204 || a->code == 304 ? 0 : body_len(a), n;
    const char *bytes = a->borrowed ? a->borrowed : a->body.bytes;

    *done = false;
    if (!x->headers_sent) {
        if (send_headers(loop, x) < 0)
            return -1;
        *done = whole == 0;
        if (!*done)
            lws_callback_on_writable(x->wsi);
        return 0;
    }
    n = whole - x->sent < PIECE ? whole - x->sent : PIECE;
    memcpy(room + LWS_PRE, bytes + x->sent, n);
    x->sent += n;
    *done = x->sent == whole;
    if (lws_write(x->wsi, room + LWS_PRE, n, *done ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    if (!*done)
        lws_callback_on_writable(x->wsi);
    return 0;
}
