/* services/api/server.c - listeners, the loop's thread and its callback. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "loop.h"
#include "meters.h"

#define HEADERS_SECONDS 10 /* for a header block to arrive */
#define DRAIN_MS 5000
#define LINGER_US (LWS_US_PER_SEC / 2) /* for a client to read a refusal while it still sends */

struct server {
    struct lws_context *context;
    pthread_t thread;
    bool started;
    atomic_bool stop, reload, ended;
    struct loop loop;
    char cert[1100], key[1100], ca[1100];
};

/* ---- connections */

/* An IPv4 client of a listener that takes both is written as IPv4. */
static void plain_address(char *address)
{
    if (!strncmp(address, "::ffff:", 7) && strchr(address, '.'))
        memmove(address, address + 7, strlen(address + 7) + 1);
}

/* Before the connection is taken: is there room for this address? */
static int filter_connection(struct loop *loop, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    char address[64] = "unknown";
    const int *count;

    if (loop->draining)
        return -1; /* a proxy tries the next one */
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return -1;
    if (peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, address, sizeof address);
    else if (peer.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, address, sizeof address);
    plain_address(address);
    if (address_listed(loop->shared->set->trusted_proxies, address))
        return 0; /* each of its requests counts for whom it is made */
    count = map_get(loop->addresses, address);
    if (!count || *count < PER_ADDRESS_MAX)
        return 0;
    meters_refused("connections");
    return -1;
}

bool conn_count(struct loop *loop, struct conn *conn, const char *address)
{
    int *count;

    if (!strcmp(conn->counted, address))
        return true;
    count = address[0] ? map_put(loop->addresses, address) : NULL;
    if (address[0] && (!count || *count >= PER_ADDRESS_MAX))
        return false;
    if (count)
        ++*count;
    count = conn->counted[0] ? map_get(loop->addresses, conn->counted) : NULL;
    if (count && --*count <= 0)
        map_remove(loop->addresses, conn->counted);
    snprintf(conn->counted, sizeof conn->counted, "%s", address);
    return true;
}

static int conn_open(struct loop *loop, struct lws *wsi)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return -1;
    lws_get_peer_simple(wsi, conn->address, sizeof conn->address);
    plain_address(conn->address);
    if (!address_listed(loop->shared->set->trusted_proxies, conn->address) &&
        !conn_count(loop, conn, conn->address)) {
        free(conn);
        return -1;
    }
    lws_set_opaque_user_data(wsi, conn);
    return 0;
}

static void conn_close(struct loop *loop, struct lws *wsi, struct conn *conn)
{
    (void)conn_count(loop, conn, "");
    lws_set_opaque_user_data(wsi, NULL);
    free(conn);
}

/* HTTP/2 by upgrade would hide our headers from us: not spoken here.  lws is about to look for
 * `name`; unknown by it, the request goes on as HTTP/1.1 (RFC 9110 7.8). */
static int ignore_upgrade(struct lws *wsi, char *name)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) <= 0)
        return -1; /* lws has refused it, and the headers are gone */
    if (!strcasecmp(name, "h2c"))
        name[0] = '-';
    return 0;
}

/* ---- answers */
static void note(const struct exchange *x)
{
    const char *route = x->route ? x->route->name : x->is_api || x->secure ? "none" : "assets";

    meters_answered(route, x->answer->code, (double)(clock_boot_us() - x->begun_us) / 1e6);
    if (x->answer->reason[0] && x->answer->code >= 400)
        meters_refused(x->answer->reason);
    log_debug("answered", "id=%s route=%s code=%d", x->id_text, route, x->answer->code);
}

static int finish(struct loop *loop, struct lws *wsi, struct conn *conn)
{
    struct exchange *x = conn->exchange;
    bool takes_body =
        x->method == METHOD_POST || x->method == METHOD_PUT || x->method == METHOD_PATCH;

    note(x);
    conn->leaving = x->answer->close || loop->draining;
    conn->discarding = x->announced ? x->received < x->length : takes_body;
    exchange_drop(loop, x);
    conn->exchange = NULL;
    if (address_listed(loop->shared->set->trusted_proxies, conn->address))
        (void)conn_count(loop, conn, "");
    lws_set_timer_usecs(wsi, !conn->discarding ? LWS_SET_TIMER_USEC_CANCEL
                             : conn->leaving   ? LINGER_US
                                               : BODY_US);
    if (conn->leaving)
        return conn->discarding ? 0 : -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int writeable(struct loop *loop, struct lws *wsi, struct conn *conn)
{
    bool done = false;

    if (!conn || !conn->exchange || conn->exchange->phase != PHASE_SENDING)
        return 0;
    if (send_answer(loop, conn->exchange, &done) < 0)
        return -1;
    if (done)
        return finish(loop, wsi, conn);
    lws_set_timer_usecs(wsi, SEND_US);
    return 0;
}

/* ---- TLS of the vehicles' listener */
static void use_tls(struct loop *loop, SSL_CTX *tls)
{
    loop->tls = tls;
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

static void reload_certificate(struct server *s)
{
    if (!s->loop.tls)
        return;
    if (SSL_CTX_use_certificate_chain_file(s->loop.tls, s->cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(s->loop.tls, s->key, SSL_FILETYPE_PEM) == 1)
        log_info("certificate.reloaded", "file=%s", s->cert);
    else
        log_error("certificate.kept", "file=%s reason=\"the new one cannot be used\"", s->cert);
}

/* ---- the callback: only what this program takes part in; everything else is refused */
static int on_request(struct server *s, struct lws *wsi, enum lws_callback_reasons reason, void *in,
                      size_t len)
{
    struct conn *conn = lws_get_opaque_user_data(wsi);
    struct loop *loop = &s->loop;

    if (!conn)
        return reason == LWS_CALLBACK_HTTP ? -1 : 0;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return exchange_begin(loop, wsi, conn, in, len);
    case LWS_CALLBACK_HTTP_BODY:
        return conn->exchange ? exchange_body(conn->exchange, in, len) : 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return conn->exchange ? exchange_body_end(loop, conn->exchange) : 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return writeable(loop, wsi, conn);
    case LWS_CALLBACK_TIMER:
        return exchange_timer(loop, conn);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (conn->exchange)
            exchange_drop(loop, conn->exchange);
        conn->exchange = NULL;
        return 0;
    default:
        return 0;
    }
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct server *s = wsi && lws_get_context(wsi) ? lws_context_user(lws_get_context(wsi)) : NULL;
    struct conn *conn;

    (void)user;
    if (!s)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        exchange_answers(&s->loop);
        return 0;
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return filter_connection(&s->loop, (int)(intptr_t)in);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return ignore_upgrade(wsi, in);
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return conn_open(&s->loop, wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        conn = lws_get_opaque_user_data(wsi);
        if (conn && conn->exchange)
            exchange_drop(&s->loop, conn->exchange);
        if (conn)
            conn_close(&s->loop, wsi, conn);
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        use_tls(&s->loop, user);
        return 0;
    case LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION:
        return len ? 0 : 1; /* what OpenSSL did not verify is not verified; 0 would accept it */
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: /* a WebSocket: notify speaks that */
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return on_request(s, wsi, reason, in, len);
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = callback, .per_session_data_size = 8, .rx_buffer_size = 16384},
    {0},
};

/* ---- start and stop */
static enum status listen_on(struct server *s, const char *address, bool tls, struct fault *fault)
{
    static const struct lws_protocols *const table = protocols;
    struct lws_context_creation_info info = {0};
    struct lws_vhost *vhost;
    struct address at;
    enum status st;

    if ((st = address_read(&at, address, fault)) != ST_OK)
        return st;
    info.port = at.port;
    info.iface = at.host;
    info.protocols = table;
    info.vhost_name = tls ? "vehicles" : "public";
    info.keepalive_timeout = 30;
    info.timeout_secs_ah_idle = HEADERS_SECONDS;
    info.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    if (!at.is_ipv6) /* or it would listen on every interface */
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    if (tls) {
        info.ssl_cert_filepath = s->cert;
        info.ssl_private_key_filepath = s->key;
        info.ssl_ca_filepath = s->ca;
        info.alpn = "http/1.1";
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                        LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT |
                        LWS_SERVER_OPTION_PEER_CERT_NOT_REQUIRED;
    }
    vhost = lws_create_vhost(s->context, &info);
    if (!vhost)
        return fault_set(fault, ST_FATAL, "cannot listen on %s%s", address,
                         tls ? ", or its certificate cannot be used" : "");
    if (tls)
        s->loop.vehicles = vhost;
    return ST_OK;
}

static void lws_line(int level, const char *line)
{
    log_line(level == LLL_ERR ? LEVEL_WARN : LEVEL_DEBUG, "lws", "text=\"%.*s\"",
             (int)strcspn(line, "\n"), line);
}

static enum status open_context(struct server *s, struct fault *fault)
{
    static struct lws_token_limits limits;
    struct lws_context_creation_info info = {0};

    for (int i = 0; i < WSI_TOKEN_COUNT; i++)
        limits.token_limit[i] = 2047;
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_line);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.user = s;
    info.max_http_header_data = 8192;
    info.pt_serv_buf_size = 16384;
    info.timeout_secs = HEADERS_SECONDS;
    info.token_limits = &limits;
    info.server_string = "vigie";
    s->context = lws_create_context(&info);
    return s->context ? ST_OK : fault_set(fault, ST_FATAL, "libwebsockets cannot start");
}

static void wake(void *self)
{
    struct server *s = self;

    lws_cancel_service(s->context);
}

static void *loop_run(void *self)
{
    struct server *s = self;
    int64_t end_ms = 0; /* of the time requests under way still have */

    do {
        if (atomic_load(&s->stop) && !end_ms)
            end_ms = clock_boot_ms() + DRAIN_MS;
        s->loop.draining = end_ms != 0;
        if (end_ms && (!s->loop.busy || clock_boot_ms() > end_ms))
            break;
        if (atomic_exchange(&s->reload, false))
            reload_certificate(s);
    } while (lws_service(s->context, 0) >= 0);
    atomic_store(&s->ended, true);
    return NULL;
}

static enum status open_tables(struct server *s, struct fault *fault)
{
    struct admission *ad = &s->loop.admission;
    unsigned char random[6];
    enum status st;

    text_random(random, sizeof random); /* ids do not begin again where the last process began */
    for (size_t i = 0; i < sizeof random; i++)
        s->loop.serial = s->loop.serial << 8 | random[i];
    ad->shared = s->loop.shared;
    if ((st = limits_open(&ad->limits, fault)) != ST_OK ||
        (st = delays_open(&ad->delays, fault)) != ST_OK ||
        (st = token_cache_open(&ad->tokens, fault)) != ST_OK)
        return st;
    return map_open(&s->loop.addresses, sizeof(int), LIMIT_KEYS_MAX, NULL, fault);
}

enum status server_start(struct server **out, const struct shared *shared,
                         const struct assets *assets, struct fault *fault)
{
    const struct api_settings *set = shared->set;
    struct server *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->loop.shared = shared;
    s->loop.assets = assets;
    snprintf(s->cert, sizeof s->cert, "%s/server.pem", set->pki_dir);
    snprintf(s->key, sizeof s->key, "%s/server.key", set->pki_dir);
    snprintf(s->ca, sizeof s->ca, "%s/vehicle-chain.pem", set->pki_dir);
    if ((st = open_tables(s, fault)) != ST_OK || (st = open_context(s, fault)) != ST_OK ||
        (st = workers_start(&s->loop.workers, shared, IN_FLIGHT_MAX, wake, s, fault)) != ST_OK ||
        (st = listen_on(s, set->listen, false, fault)) != ST_OK)
        goto out;
    if (strcmp(set->listen_vehicles, "none") != 0 &&
        (st = listen_on(s, set->listen_vehicles, true, fault)) != ST_OK)
        goto out;
    s->started = pthread_create(&s->thread, NULL, loop_run, s) == 0;
    if (!s->started)
        st = fault_set(fault, ST_FATAL, "a thread cannot be started");
out:
    if (st == ST_OK)
        *out = s;
    else
        server_join(s);
    return st;
}

void server_reload(struct server *s)
{
    atomic_store(&s->reload, true);
    lws_cancel_service(s->context);
}

void server_join(struct server *s)
{
    if (!s)
        return;
    atomic_store(&s->stop, true);
    while (s->started && !atomic_load(&s->ended)) {
        lws_cancel_service(
            s->context); /* it sleeps until something happens: see that it looks at the clock */
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    }
    if (s->started)
        pthread_join(s->thread, NULL);
    workers_join(s->loop.workers); /* they wake the loop: first them, then its context */
    if (s->context)
        lws_context_destroy(s->context);
    limits_close(s->loop.admission.limits);
    delays_close(s->loop.admission.delays);
    token_cache_close(s->loop.admission.tokens);
    map_close(s->loop.addresses);
    free(s);
}
