/* services/notify/server.c - libwebsockets callbacks.  Nothing in here waits: what blocks lives in store.c. */
#include "server.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/metrics.h"
#include "lib/stop.h"
#include "session.h"

#define TICKET_WAIT_MS 8000
#define SUBSCRIBE_WAIT_MS 30000
#define CLIENTS_MAX 20000
#define CLOSE_TICKET 4401   /* sign in again */
#define CLOSE_REQUEST 4400  /* what you sent is not in the contract */

/* What libwebsockets keeps per connection. */
struct connection {
    struct lws_dll2 link; /* in server.all */
    struct lws *wsi;
    struct session session;
    char ticket[128], origin[256];
    bool counted; /* in server.addresses */
};

struct server {
    struct server_options set;
    struct store *store;
    struct lws_context *context;
    struct lws_dll2_owner all;
    struct map *addresses; /* text -> int, open connections */
    uint64_t last_id;
    bool fleet_known;
    struct text frame; /* LWS_PRE bytes, then the frame */
    struct metric *clients, *sent, *conflated, *refused;
};

static const char *const frame_names[] = {"none", "pong", "resync", "snapshot", "live"};

static struct server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* ---- before the upgrade: origin and ticket must at least be there */
static int filter(struct server *s, struct lws *wsi, struct connection *c)
{
    char protocols[512] = "";

    if (lws_hdr_copy(wsi, c->origin, sizeof c->origin, WSI_TOKEN_ORIGIN) <= 0 ||
        !request_origin_allowed(s->set.set->origins, c->origin)) {
        metric_add(s->refused, "origin", 1);
        return -1;
    }
    if (lws_hdr_copy(wsi, protocols, sizeof protocols, WSI_TOKEN_PROTOCOL) <= 0 ||
        request_ticket(c->ticket, sizeof c->ticket, protocols) != ST_OK) {
        metric_add(s->refused, "ticket", 1);
        return -1;
    }
    return 0;
}

static bool count_address(struct server *s, struct connection *c)
{
    int *open = map_put(s->addresses, c->session.address);

    if (!open || (s->set.set->clients_per_address && *open >= s->set.set->clients_per_address)) {
        metric_add(s->refused, "address", 1);
        return false;
    }
    ++*open;
    return c->counted = true;
}

static int established(struct server *s, struct lws *wsi, struct connection *c)
{
    c->wsi = wsi;
    c->session.id = ++s->last_id;
    c->session.stage = STAGE_TICKET;
    c->session.stage_ms = clock_boot_ms();
    text_init(&c->session.in);
    lws_get_peer_simple(wsi, c->session.address, sizeof c->session.address);
    lws_dll2_add_tail(&c->link, &s->all);
    if (!count_address(s, c) || s->all.count > CLIENTS_MAX)
        return -1;
    if (store_ask_ticket(s->store, c->session.id, c->ticket, c->origin) != ST_OK)
        return -1;
    explicit_bzero(c->ticket, sizeof c->ticket);
    return 0;
}

static void closed(struct server *s, struct connection *c)
{
    int *open = c->counted ? map_get(s->addresses, c->session.address) : NULL;

    if (open && --*open == 0)
        map_remove(s->addresses, c->session.address);
    if (c->wsi)
        lws_dll2_remove(&c->link);
    session_done(&c->session);
    c->wsi = NULL;
    c->counted = false;
    metric_set(s->clients, NULL, s->all.count);
}

static int close_with(struct connection *c, int code, const char *why)
{
    lws_close_reason(c->wsi, (enum lws_close_status)code, (unsigned char *)why, strlen(why));
    return -1;
}

/* ---- in */
static int receive(struct server *s, struct lws *wsi, struct connection *c, const char *bytes, size_t len)
{
    struct fault fault = {""};
    struct session *session = &c->session;
    bool fine;

    if (lws_frame_is_binary(wsi) || session->in.len + len > REQUEST_MAX || session->stage == STAGE_TICKET) {
        metric_add(s->refused, "message", 1);
        return close_with(c, CLOSE_REQUEST, "not a text message of at most 32 KiB");
    }
    text_add(&session->in, bytes, len);
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
        return 0;
    fine = session_hear(session, session->in.bytes, session->in.len, clock_boot_ms(), &fault);
    text_clear(&session->in);
    if (!fine) {
        metric_add(s->refused, "message", 1);
        return close_with(c, CLOSE_REQUEST, fault.text);
    }
    lws_callback_on_writable(wsi);
    return 0;
}

/* ---- out: one frame per writeable */
static int write_next(struct server *s, struct lws *wsi, struct connection *c)
{
    struct session *session = &c->session;
    static const char room[LWS_PRE];
    enum frame frame;

    if (lws_send_pipe_choked(wsi))
        return 0;
    frame = session_next(session, fleet_version(s->set.fleet), clock_boot_ms(), s->set.set->tick_ms);
    if (frame == FRAME_NONE || (frame == FRAME_SNAPSHOT && !s->fleet_known))
        return 0;
    text_clear(&s->frame);
    text_add(&s->frame, room, sizeof room);
    if (!session_write(session, frame, s->set.fleet, &s->frame, clock_boot_ms(), clock_now_ms()))
        return 0;
    if (lws_write(wsi, (unsigned char *)s->frame.bytes + LWS_PRE, s->frame.len - LWS_PRE, LWS_WRITE_TEXT) < 0)
        return -1;
    metric_add(s->sent, frame_names[frame], 1);
    if (session_next(session, fleet_version(s->set.fleet), clock_boot_ms(), s->set.set->tick_ms) != FRAME_NONE)
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

    if (!c) /* gone meanwhile */
        return;
    if (a->status != ST_OK) {
        metric_add(s->refused, a->status == ST_RETRY ? "unavailable" : "ticket", 1);
        if (a->status == ST_RETRY)
            close_with(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "the database is away");
        else
            close_with(c, CLOSE_TICKET, "the ticket is not valid");
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
        return;
    }
    text_copy(c->session.customer, sizeof c->session.customer, a->customer);
    c->session.stage = STAGE_IDLE;
    c->session.stage_ms = clock_boot_ms();
    metric_set(s->clients, NULL, s->all.count);
}

static void answer_fleet(struct server *s, const struct answer *a)
{
    fleet_forget_begin(s->set.fleet);
    for (size_t i = 0; i < a->row_count; i++)
        fleet_know(s->set.fleet, &a->rows[i]);
    fleet_forget_end(s->set.fleet);
    s->fleet_known = true;
}

static void take_news(struct server *s)
{
    struct answer a;
    struct live live;
    size_t n;

    while (store_take(s->store, &a) == ST_OK) {
        if (a.kind == ANSWER_TICKET)
            answer_ticket(s, &a);
        else
            answer_fleet(s, &a);
        free(a.rows);
    }
    while (queue_pop(s->set.live, &live, 1, 0, &n) == ST_OK) {
        if (!fleet_knows(s->set.fleet, live.vin))
            store_ask_fleet(s->store);
        fleet_take(s->set.fleet, &live);
    }
}

/* Whoever has waited too long leaves; whoever has news coming is asked for. */
static void tick(struct server *s)
{
    int64_t now_ms = clock_boot_ms();

    lws_start_foreach_dll_safe(struct lws_dll2 *, at, next, s->all.head)
    {
        struct connection *c = lws_container_of(at, struct connection, link);
        int64_t limit_ms = c->session.stage == STAGE_TICKET ? TICKET_WAIT_MS : SUBSCRIBE_WAIT_MS;

        if (c->session.stage <= STAGE_IDLE && now_ms - c->session.stage_ms > limit_ms)
            lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
        else if (session_next(&c->session, fleet_version(s->set.fleet), now_ms, s->set.set->tick_ms) != FRAME_NONE) {
            if (lws_send_pipe_choked(c->wsi))
                metric_add(s->conflated, NULL, 1);
            lws_callback_on_writable(c->wsi);
        }
    }
    lws_end_foreach_dll_safe(at, next);
}

/* ---- libwebsockets */
static int on_feed(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
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

/* A client without our sub-protocol, or plain HTTP: not here. */
static int on_others(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    (void)in;
    (void)len;
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
    case LWS_CALLBACK_ESTABLISHED:
        return -1;
    case LWS_CALLBACK_HTTP:
        lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL);
        return -1;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        take_news(server_of(wsi));
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
    const char *address = s->set.set->listen, *colon = strrchr(address, ':');
    char host[SETTING_TEXT_MAX];
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;

    if (!colon || port <= 0 || port > 65535)
        return fault_set(fault, ST_REJECT, "--listen \"%s\" is not host:port", address);
    text_copy(host, sizeof host, address);
    host[colon - address] = '\0';
    info.port = (int)port;
    info.iface = host[0] ? host : NULL;
    info.protocols = protocols;
    info.user = s;
    info.retry_and_idle_policy = &alive;
    info.timeout_secs = 8;
    info.max_http_header_data = 8192;
    info.options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    info.server_string = "vigie";
    lws_set_log_level(LLL_ERR, NULL);
    s->context = lws_create_context(&info);
    if (!s->context)
        return fault_set(fault, ST_FATAL, "cannot listen on %s: is the port taken?", address);
    return ST_OK;
}

enum status server_open(struct server **out, const struct server_options *options, struct fault *fault)
{
    struct server *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->set = *options;
    text_init(&s->frame);
    s->clients = metric_gauge("vigie_notify_clients", "Connected clients.", NULL);
    s->sent = metric_counter("vigie_notify_sent_total", "Frames sent, by kind.", "kind");
    s->conflated = metric_counter("vigie_notify_conflated_total", "Ticks a slow client skipped.", NULL);
    s->refused = metric_counter("vigie_notify_refused_total", "Connections and messages refused, by reason.", "reason");
    metric_set(s->clients, NULL, 0);
    if ((st = map_open(&s->addresses, sizeof(int), CLIENTS_MAX, NULL, fault)) != ST_OK ||
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

struct ticker {
    lws_sorted_usec_list_t sul;
    struct server *server;
};

static void on_tick(lws_sorted_usec_list_t *sul)
{
    struct ticker *t = lws_container_of(sul, struct ticker, sul);

    tick(t->server);
    lws_sul_schedule(t->server->context, 0, sul, on_tick, t->server->set.set->tick_ms * LWS_US_PER_MS);
}

void server_run(struct server *s)
{
    struct ticker ticker = {.server = s};

    lws_sul_schedule(s->context, 0, &ticker.sul, on_tick, 1);
    while (!stop_wait(0) && lws_service(s->context, 0) >= 0)
        continue;
    lws_sul_cancel(&ticker.sul);
}

void server_close(struct server *s)
{
    if (!s)
        return;
    if (s->context)
        lws_context_destroy(s->context);
    map_close(s->addresses);
    text_done(&s->frame);
    free(s);
}
