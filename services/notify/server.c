/* services/notify/server.c - libwebsockets callbacks.  Nothing in here waits: what blocks lives in
 * store.c. */
#include "server.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/stop.h"
#include "session.h"

#define PATH "/live"
#define TICKET_WAIT_MS 8000
#define SUBSCRIBE_WAIT_MS 30000
#define CLOSE_WAIT_S 2 /* for the other side to take our goodbye */
#define GOODBYE_WAIT_MS 1000
#define CLIENTS_MAX 20000
#define FEED_ITEMS 8192
#define FEED_BYTES ((size_t)8 << 20)
#define CLOSE_TEXT_MAX 123 /* RFC 6455 5.5: a control frame carries 125 bytes, two are the code */
#define CLOSE_REQUEST 4400 /* what you sent is not in the contract */
#define CLOSE_TICKET 4401  /* sign in again */
#define CLOSE_TRY_LATER 1013

/* What libwebsockets keeps per connection. */
struct connection {
    struct lws_dll2 link; /* in server.all */
    struct lws *wsi;      /* NULL: not established */
    struct session session;
    char ticket[128], origin[256];
    int close_code; /* 0: stays */
    char close_why[CLOSE_TEXT_MAX + 1];
};

struct server {
    struct server_options set;
    struct store *store;
    struct lws_context *context;
    struct lws_dll2_owner all;
    struct peers *peers;
    struct frames *frames;
    struct feed *feed;
    uint64_t last_id, tick;
    bool fleet_known;
    lws_sorted_usec_list_t ticker;
    struct metric *clients, *sent, *conflated, *refused;
};

static const char *const frame_names[] = {"none", "pong", "resync", "snapshot", "live", "change"};

static struct server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static struct pulse pulse_of(const struct server *s, const struct connection *c)
{
    return (struct pulse){s->tick,
                          fleet_version(s->set.fleet),
                          fleet_identity(s->set.fleet, c->session.customer),
                          s->fleet_known,
                          s->feed,
                          s->set.fleet};
}

/* ---- leaving: a close code goes out only from within a callback of the connection itself */
static int close_now(struct connection *c, int code, const char *why)
{
    char text[CLOSE_TEXT_MAX + 1];

    text_copy(text, sizeof text, why);
    lws_close_reason(c->wsi, (enum lws_close_status)code, (unsigned char *)text, strlen(text));
    return -1;
}

static void leave(struct connection *c, int code, const char *why)
{
    if (c->close_code)
        return;
    c->close_code = code;
    text_copy(c->close_why, sizeof c->close_why, why);
    lws_callback_on_writable(c->wsi);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_WAIT_S);
}

/* ---- before the upgrade: path, origin and ticket must at least be there */
static int refuse(struct server *s, struct lws *wsi, const char *reason, unsigned status)
{
    metric_add(s->refused, reason, 1);
    lws_return_http_status(wsi, status, NULL);
    return -1;
}

static int filter(struct server *s, struct lws *wsi, struct connection *c)
{
    char protocols[512] = "", path[sizeof PATH] = "";

    if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0 || strcmp(path, PATH) != 0)
        return refuse(s, wsi, "path", HTTP_STATUS_NOT_FOUND);
    if (lws_hdr_copy(wsi, c->origin, sizeof c->origin, WSI_TOKEN_ORIGIN) <= 0 ||
        !request_origin_allowed(s->set.set->origins, c->origin))
        return refuse(s, wsi, "origin", HTTP_STATUS_FORBIDDEN);
    if (lws_hdr_copy(wsi, protocols, sizeof protocols, WSI_TOKEN_PROTOCOL) <= 0 ||
        request_ticket(c->ticket, sizeof c->ticket, protocols) != ST_OK)
        return refuse(s, wsi, "ticket", HTTP_STATUS_UNAUTHORIZED);
    if (!gate_client(s->peers, s->set.set->trusted_proxies, wsi))
        return refuse(s, wsi, "address", 429);
    return 0;
}

static int established(struct server *s, struct lws *wsi, struct connection *c)
{
    enum status st;

    c->wsi = wsi;
    session_init(&c->session, ++s->last_id, clock_boot_ms());
    lws_dll2_add_tail(&c->link, &s->all);
    metric_set(s->clients, NULL, s->all.count);
    st = store_ask_ticket(s->store, c->session.id, c->ticket, c->origin);
    explicit_bzero(c->ticket, sizeof c->ticket);
    if (st != ST_OK) {
        metric_add(s->refused, "unavailable", 1);
        leave(c, CLOSE_TRY_LATER, "too many tickets at once");
    }
    return 0;
}

static void closed(struct server *s, struct connection *c)
{
    if (!c || !c->wsi)
        return;
    lws_dll2_remove(&c->link);
    session_done(&c->session);
    c->wsi = NULL;
    metric_set(s->clients, NULL, s->all.count);
}

/* ---- in */
static int receive(struct server *s, struct lws *wsi, struct connection *c, const char *bytes,
                   size_t len)
{
    struct fault fault = {""};
    struct session *session = &c->session;
    bool fine;

    if (c->close_code)
        return 0;
    if (lws_frame_is_binary(wsi) || session->in.len + len > REQUEST_MAX) {
        metric_add(s->refused, "message", 1);
        return close_now(c, CLOSE_REQUEST, "not a text message of at most 32 KiB");
    }
    text_add(&session->in, bytes, len);
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
        return 0;
    fine = !session->in.failed &&
           session_hear(session, session->in.bytes, session->in.len, clock_boot_ms(), &fault);
    text_done(&session->in); /* most clients speak once and listen for hours */
    if (!fine) {
        metric_add(s->refused, "message", 1);
        return close_now(c, CLOSE_REQUEST, fault.text);
    }
    lws_callback_on_writable(wsi);
    return 0;
}

/* ---- out: one frame per writeable */
static int write_next(struct server *s, struct lws *wsi, struct connection *c)
{
    struct pulse pulse = pulse_of(s, c);
    enum frame frame = session_next(&c->session, &pulse);
    struct frame_text *out = NULL;
    enum kind kind = KIND_ALERT;

    if (c->close_code)
        return close_now(c, c->close_code, c->close_why);
    if (lws_send_pipe_choked(wsi)) /* the next tick asks again */
        return 0;
    for (; frame != FRAME_NONE; frame = session_next(&c->session, &pulse))
        if ((out = session_write(&c->session, frame, s->frames, &pulse, clock_boot_ms(),
                                 clock_now_ms(), &kind)) != NULL)
            break;
    if (!out)
        return 0;
    if (out->text.failed || lws_write(wsi, (unsigned char *)out->text.bytes + LWS_PRE,
                                      out->text.len - LWS_PRE, LWS_WRITE_TEXT) < 0)
        return -1;
    metric_add(s->sent, frame == FRAME_CHANGE ? kind_names[kind] : frame_names[frame], 1);
    pulse = pulse_of(s, c);
    if (session_next(&c->session, &pulse) != FRAME_NONE)
        lws_callback_on_writable(wsi);
    return 0;
}

/* ---- news from the other threads */
static struct connection *find(struct server *s, uint64_t id)
{
    lws_start_foreach_dll(struct lws_dll2 *, at, s->all.head)
    {
        struct connection *c = lws_container_of(at, struct connection, link);

        if (c->session.id == id)
            return c;
    }
    lws_end_foreach_dll(at);
    return NULL;
}

static void answer_ticket(struct server *s, const struct answer *a)
{
    struct connection *c = find(s, a->session);

    if (!c || c->close_code) /* gone meanwhile */
        return;
    if (a->status == ST_OK) {
        session_admit(&c->session, a->customer, a->kinds, clock_boot_ms());
        lws_callback_on_writable(c->wsi);
    } else if (a->status == ST_RETRY) {
        metric_add(s->refused, "unavailable", 1);
        leave(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "the database is away");
    } else {
        metric_add(s->refused, "ticket", 1);
        leave(c, CLOSE_TICKET, "the ticket is not valid");
    }
}

static void answer_fleet(struct server *s, const struct answer *a)
{
    int64_t now_ms = clock_boot_ms();

    if (a->kind == ANSWER_FLEET)
        fleet_forget_begin(s->set.fleet);
    for (size_t i = 0; i < a->row_count; i++)
        fleet_know(s->set.fleet, &a->rows[i], now_ms);
    if (a->kind == ANSWER_FLEET)
        fleet_forget_end(s->set.fleet);
    s->fleet_known |= a->kind == ANSWER_FLEET;
}

static void take_news(struct server *s)
{
    int64_t now_ms = clock_boot_ms();
    struct answer a;
    struct live live;
    size_t n;

    while (store_take(s->store, &a) == ST_OK) {
        if (a.kind == ANSWER_TICKET)
            answer_ticket(s, &a);
        else if (a.kind == ANSWER_CHANGES)
            changes_hand_on(&a.news, s->feed);
        else
            answer_fleet(s, &a);
        free(a.rows);
    }
    while (queue_pop(s->set.live, &live, 1, 0, &n) == ST_OK) {
        /* Once per VIN: one that drives on after it was retired is no reason to read on and on. */
        if (!fleet_has(s->set.fleet, live.vin))
            store_ask_fleet(s->store);
        fleet_take(s->set.fleet, &live, now_ms);
    }
}

/* Whoever has waited too long leaves; whoever has news coming is asked for. */
static void look_at(struct server *s, struct connection *c, int64_t now_ms)
{
    const struct session *session = &c->session;
    struct pulse pulse = pulse_of(s, c);
    int64_t waited_ms = now_ms - session->stage_ms;
    enum frame frame;

    if (c->close_code)
        return;
    if (session->stage == STAGE_TICKET && waited_ms > TICKET_WAIT_MS) {
        metric_add(s->refused, "unavailable", 1);
        leave(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "the database is away");
    } else if (session->stage == STAGE_IDLE && waited_ms > SUBSCRIBE_WAIT_MS) {
        metric_add(s->refused, "silent", 1);
        leave(c, CLOSE_REQUEST, "no subscribe came");
    } else if ((frame = session_next(session, &pulse)) != FRAME_NONE) {
        if (frame >= FRAME_SNAPSHOT && lws_send_pipe_choked(c->wsi))
            metric_add(s->conflated, NULL, 1);
        lws_callback_on_writable(c->wsi);
    }
}

static void on_tick(lws_sorted_usec_list_t *sul)
{
    struct server *s = lws_container_of(sul, struct server, ticker);
    int64_t now_ms = clock_boot_ms();

    s->tick++;
    frames_clear(s->frames);
    lws_start_foreach_dll_safe(struct lws_dll2 *, at, next, s->all.head)
    {
        look_at(s, lws_container_of(at, struct connection, link), now_ms);
    }
    lws_end_foreach_dll_safe(at, next);
    lws_sul_schedule(s->context, 0, sul, on_tick, s->set.set->tick_ms * LWS_US_PER_MS);
}

/* ---- libwebsockets */
static int on_feed(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct connection *c = user;
    struct server *s = server_of(wsi);

    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return filter(s, wsi, c);
    case LWS_CALLBACK_ESTABLISHED:
        return established(s, wsi, c);
    case LWS_CALLBACK_RECEIVE:
        return receive(s, wsi, c, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_next(s, wsi, c);
    case LWS_CALLBACK_CLOSED:
        closed(s, c);
        return 0;
    default:
        return 0;
    }
}

/* An address holds so many connections and no more. */
static int filter_network(struct server *s, lws_sockfd_type fd)
{
    if (gate_has_room(s->peers, s->set.set->trusted_proxies, fd))
        return 0;
    metric_add(s->refused, "address", 1);
    return -1;
}

/* The first protocol: connections as such, what is no WebSocket, and a WebSocket that names none of
 * our sub-protocols. */
static int on_others(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t len)
{
    struct server *s = server_of(wsi);

    (void)user;
    (void)len;
    switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return filter_network(s, (lws_sockfd_type)(intptr_t)in);
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        gate_enter(s->peers, s->set.set->trusted_proxies, wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        gate_leave(s->peers, wsi);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return gate_upgrade(wsi, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return refuse(s, wsi, "protocol", HTTP_STATUS_BAD_REQUEST);
    case LWS_CALLBACK_ESTABLISHED:
        return -1;
    case LWS_CALLBACK_HTTP:
        return refuse(s, wsi, "http", HTTP_STATUS_NOT_FOUND);
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        take_news(s);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {"none", on_others, 0, 0, 0, NULL, 0},
    {"fleet.v1", on_feed, sizeof(struct connection), 4096, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* Idle for 20 s: pinged; silent for 35 s: dead. */
static const lws_retry_bo_t alive = {.secs_since_valid_ping = 20, .secs_since_valid_hangup = 35};

static enum status listen_on(struct server *s, struct fault *fault)
{
    struct lws_context_creation_info info = {0};
    const char *address = s->set.set->listen;
    struct address at;
    enum status st;

    if ((st = address_read(&at, address, fault)) != ST_OK)
        return st;
    info.port = at.port;
    info.iface = at.host;
    info.protocols = protocols;
    info.user = s;
    info.retry_and_idle_policy = &alive;
    info.timeout_secs = 8;
    info.max_http_header_data = 8192;
    info.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND; /* UTF-8 is jansson's to check */
    if (!at.is_ipv6) /* or it would listen on every interface */
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    info.server_string = "vigie";
    lws_set_log_level(LLL_ERR, NULL);
    s->context = lws_create_context(&info);
    if (!s->context)
        return fault_set(fault, ST_FATAL, "cannot listen on %s: is the port taken?", address);
    return ST_OK;
}

static void make_metrics(struct server *s)
{
    s->clients = metric_gauge("vigie_notify_clients", "Connected clients.", NULL);
    s->sent = metric_counter("vigie_notify_sent_total", "Frames sent, by kind.", "kind");
    s->conflated =
        metric_counter("vigie_notify_conflated_total", "Ticks a slow client skipped.", NULL);
    s->refused = metric_counter("vigie_notify_refused_total",
                                "Connections and messages refused, by reason.", "reason");
    metric_set(s->clients, NULL, 0);
    metric_add(s->conflated, NULL, 0);
}

enum status server_open(struct server **out, const struct server_options *options,
                        struct fault *fault)
{
    struct server *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->set = *options;
    make_metrics(s);
    if ((st = peers_open(&s->peers, options->set->clients_per_address, CLIENTS_MAX, fault)) !=
            ST_OK ||
        (st = frames_open(&s->frames, options->fleet, LWS_PRE, fault)) != ST_OK ||
        (st = feed_open(&s->feed, FEED_ITEMS, FEED_BYTES, fault)) != ST_OK ||
        (st = listen_on(s, fault)) != ST_OK) {
        server_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void server_use_store(struct server *s, struct store *store)
{
    s->store = store;
}

void server_wake(void *server)
{
    lws_cancel_service(((struct server *)server)->context);
}

static void say_goodbye(struct server *s)
{
    int64_t until_ms = clock_boot_ms() + GOODBYE_WAIT_MS;

    lws_start_foreach_dll_safe(struct lws_dll2 *, at, next, s->all.head)
    {
        leave(lws_container_of(at, struct connection, link), LWS_CLOSE_STATUS_GOINGAWAY,
              "the server stops");
    }
    lws_end_foreach_dll_safe(at, next);
    while (s->all.count && clock_boot_ms() < until_ms && lws_service(s->context, 0) >= 0)
        continue;
}

enum status server_run(struct server *s, struct fault *fault)
{
    enum status st = ST_OK;

    lws_sul_schedule(s->context, 0, &s->ticker, on_tick, 1);
    while (st == ST_OK && !stop_wait(0)) {
        if (stop_take_reload())
            s->set.reload(s->set.self);
        if (lws_service(s->context, 0) < 0)
            st = fault_set(fault, ST_FATAL, "the event loop failed");
    }
    if (st == ST_OK)
        say_goodbye(s);
    lws_sul_cancel(&s->ticker);
    return st;
}

void server_close(struct server *s)
{
    if (!s)
        return;
    if (s->context)
        lws_context_destroy(s->context);
    peers_close(s->peers);
    frames_close(s->frames);
    feed_close(s->feed);
    free(s);
}
