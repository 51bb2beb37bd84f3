/* services/api/read.c - from what libwebsockets parsed to a struct request, refusing what it lets
 * through. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "lib/address.h"
#include "loop.h"

#define ARGS_MOST 32

static enum method method_of(int lws_method)
{
    switch (lws_method) {
    case LWSHUMETH_GET:
        return METHOD_GET;
    case LWSHUMETH_HEAD:
        return METHOD_HEAD;
    case LWSHUMETH_POST:
        return METHOD_POST;
    case LWSHUMETH_PUT:
        return METHOD_PUT;
    case LWSHUMETH_PATCH:
        return METHOD_PATCH;
    case LWSHUMETH_DELETE:
        return METHOD_DELETE;
    case LWSHUMETH_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

/* Copy a header; false when it is longer than its place.  Absent is "". */
static bool header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    int len = lws_hdr_total_length(wsi, token);

    out[0] = '\0';
    if (len <= 0)
        return true;
    return (size_t)len < size && lws_hdr_copy(wsi, out, (int)size, token) >= 0;
}

static bool custom_header(struct lws *wsi, const char *name, char *out, size_t size)
{
    int len = lws_hdr_custom_length(wsi, name, (int)strlen(name));

    out[0] = '\0';
    if (len <= 0)
        return true;
    return (size_t)len < size &&
           lws_hdr_custom_copy(wsi, out, (int)size, name, (int)strlen(name)) >= 0;
}

static bool read_args(struct lws *wsi, char *out, size_t size, size_t *len)
{
    int whole = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    size_t at = 0;
    int n;

    out[0] = '\0';
    *len = 0;
    if (whole <= 0) /* asked for pieces of nothing, lws says 0 for ever */
        return true;
    for (int i = 0; i < ARGS_MOST && at + 2 < size; i++) {
        n = lws_hdr_copy_fragment(wsi, out + at, (int)(size - at - 1), WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0)
            break;
        if (n > 0)
            at += (size_t)n + 1;
    }
    out[at] = '\0';
    *len = at;
    return (size_t)whole < size - 1;
}

static bool read_bearer(struct lws *wsi, struct request *r)
{
    char text[sizeof r->bearer + 16];

    if (!header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof text))
        return false;
    if (!strncasecmp(text, "Bearer ", 7))
        snprintf(r->bearer, sizeof r->bearer, "%.*s", TOKEN_MAX, text + 7);
    else if (text[0]) /* another scheme: a token that cannot be one of ours */
        snprintf(r->bearer, sizeof r->bearer, "-");
    explicit_bzero(text, sizeof text);
    return true;
}

static bool read_cookie(struct lws *wsi, struct request *r)
{
    char text[2048];

    if (!header(wsi, WSI_TOKEN_HTTP_COOKIE, text, sizeof text))
        return false;
    if (cookie_read(text, "vigie_refresh", r->refresh, sizeof r->refresh) == ST_REJECT)
        snprintf(r->refresh, sizeof r->refresh, "-");
    explicit_bzero(text, sizeof text);
    return true;
}

/* CN of the client's certificate: there is none unless the handshake verified it. */
static void read_peer_name(struct lws *wsi, struct request *r)
{
    SSL *ssl = lws_get_ssl(wsi);
    X509 *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (cert && SSL_get_verify_result(ssl) == X509_V_OK &&
        X509_digest(cert, EVP_sha256(), hash, &len) == 1) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, r->peer_cn,
                                  sizeof r->peer_cn);
        text_hex(r->peer_sha256, hash, len);
    }
    X509_free(cert);
}

void read_client(struct lws *wsi, const char *trusted, char address[64])
{
    char forwarded[2048], client[ADDRESS_HOST_MAX];

    if (!trusted[0] || !header(wsi, WSI_TOKEN_X_FORWARDED_FOR, forwarded, sizeof forwarded))
        return;
    address_of_client(client, trusted, address, forwarded);
    snprintf(address, 64, "%s", client);
}

static bool read_headers(struct lws *wsi, struct request *r, size_t *args_len)
{
    return header(wsi, WSI_TOKEN_ORIGIN, r->origin, sizeof r->origin) &&
           header(wsi, WSI_TOKEN_HOST, r->host, sizeof r->host) &&
           header(wsi, WSI_TOKEN_HTTP_ACCEPT, r->accept, sizeof r->accept) &&
           header(wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING, r->accept_encoding,
                  sizeof r->accept_encoding) &&
           header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, r->content_type, sizeof r->content_type) &&
           header(wsi, WSI_TOKEN_HTTP_IF_MATCH, r->if_match, sizeof r->if_match) &&
           header(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, r->if_none_match, sizeof r->if_none_match) &&
           header(wsi, WSI_TOKEN_HTTP_RANGE, r->range, sizeof r->range) &&
           custom_header(wsi, "idempotency-key:", r->idempotency_key, sizeof r->idempotency_key) &&
           read_args(wsi, r->args, sizeof r->args, args_len) && read_bearer(wsi, r) &&
           read_cookie(wsi, r);
}

/* lws takes lengths that are none, and does not decode chunks: such a connection cannot be read on.
 */
static bool read_length(struct lws *wsi, const struct request *r, int64_t *length, bool *announced,
                        struct answer *a)
{
    char text[64];
    struct fault why = {""};

    *length = 0;
    *announced = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;
    a->close = true;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        answer_problem(a, r, 501, "transfer-encoding", "Send the body with a Content-Length.");
        return false;
    }
    if (!header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof text) ||
        (*announced && content_length_parse(text, strlen(text), length, &why) != ST_OK)) {
        answer_problem(a, r, 400, "content-length", "Content-Length is not a number of bytes.");
        return false;
    }
    a->close = false;
    return true;
}

bool read_request(struct lws *wsi, const char *path, size_t path_len, struct request *r,
                  int64_t *length, bool *announced, struct answer *a)
{
    char *uri = NULL;
    size_t args_len = 0;
    int uri_len = 0;

    r->method = method_of(lws_http_get_uri_and_method(wsi, &uri, &uri_len));
    if (!read_length(wsi, r, length, announced, a))
        return false;
    if (path_len >= sizeof r->path || memchr(path, '\0', path_len) ||
        !read_headers(wsi, r, &args_len)) {
        answer_problem(a, r, 431, "headers", "The address or a header is too long.");
        a->close = true;
        return false;
    }
    memcpy(r->path, path, path_len);
    r->path[path_len] = '\0';
    if (!r->host[0]) {
        answer_problem(a, r, 400, "host", "A Host header is needed.");
        a->close = true;
        return false;
    }
    if (!utf8_is_valid(r->args, args_len) ||
        !utf8_is_valid(r->idempotency_key, strlen(r->idempotency_key))) {
        answer_problem(a, r, 400, "encoding", "The query and Idempotency-Key must be UTF-8.");
        a->close = true;
        return false;
    }
    read_peer_name(wsi, r);
    return true;
}
