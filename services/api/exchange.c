/* services/api/exchange.c - the life of a request on the loop: read, decided, worked on elsewhere,
 * answered once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "loop.h"
#include "meters.h"

static struct exchange *take_slot(struct loop *loop)
{
    for (int i = 0; i < IN_FLIGHT_MAX; i++) {
        size_t slot = (size_t)(loop->serial + (uint64_t)i) % IN_FLIGHT_MAX;
        struct exchange *x = &loop->slots[slot];

        if (x->phase != PHASE_FREE)
            continue;
        memset(x, 0, sizeof *x);
        loop->serial += (uint64_t)i + 1;
        x->id = (loop->serial / IN_FLIGHT_MAX + 1) * IN_FLIGHT_MAX + slot;
        loop->busy++;
        return x;
    }
    return NULL;
}

static struct exchange *find_slot(struct loop *loop, uint64_t id)
{
    struct exchange *x = &loop->slots[id % IN_FLIGHT_MAX];

    return x->id == id && x->phase != PHASE_FREE ? x : NULL;
}

static void free_answer(struct answer *a)
{
    if (!a)
        return;
    answer_done(a);
    free(a);
}

void exchange_drop(struct loop *loop, struct exchange *x)
{
    request_free(x->request);
    free_answer(x->answer);
    memset(x, 0, sizeof *x); /* phase FREE */
    loop->busy--;
}

/* There is an answer: from here on it is only written.  Headers of the request are not needed any
 * more. */
static void answer_now(struct loop *loop, struct exchange *x)
{
    if (x->is_api)
        admit_cors(loop->shared, x->origin, x->answer);
    if (!x->announced &&
        (x->method == METHOD_POST || x->method == METHOD_PUT || x->method == METHOD_PATCH))
        x->answer->close = true; /* lws waits for 100 MiB of body on this connection */
    request_free(x->request);
    x->request = NULL;
    x->phase = PHASE_SENDING;
    x->sent = 0;
    lws_set_timer_usecs(x->wsi, SEND_US);
    lws_rx_flow_control(x->wsi,
                        1); /* a connection that may not read is not asked to write either */
    lws_callback_on_writable(x->wsi);
}

static int give_to_worker(struct loop *loop, struct exchange *x)
{
    struct task task = {.id = x->id, .route = x->route, .request = x->request};

    if (workers_push(loop->workers, &task) != ST_OK) {
        answer_problem(x->answer, x->request, 503, "busy",
                       "Too much to do: try again in a moment.");
        answer_retry_after(x->answer, 1);
        answer_now(loop, x);
        return 0;
    }
    x->request = NULL;
    x->phase = PHASE_WORKING;
    /* not reading meanwhile: a client that pipelines or hangs up would keep poll awake */
    lws_rx_flow_control(x->wsi, 0);
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    lws_set_timer_usecs(x->wsi, WORK_US);
    return 0;
}

/* Headers and body are here. */
static int run(struct loop *loop, struct exchange *x)
{
    int64_t hold_ms = 0;

    if (x->route->lane == LANE_HASH) {
        if (!admit_sign_in(&loop->admission, x->request, clock_boot_ms(), x->account, &hold_ms,
                           x->answer)) {
            answer_now(loop, x);
            return 0;
        }
        if (hold_ms > 0) {
            x->phase = PHASE_HELD;
            lws_rx_flow_control(x->wsi, 0);
            lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
            lws_set_timer_usecs(x->wsi, hold_ms * 1000);
            return 0;
        }
    }
    return give_to_worker(loop, x);
}

static bool make(struct loop *loop, struct exchange *x, struct lws *wsi, const struct conn *conn)
{
    x->request = calloc(1, sizeof *x->request);
    x->answer = calloc(1, sizeof *x->answer);
    if (!x->request || !x->answer)
        return false;
    answer_init(x->answer);
    text_init(&x->request->body);
    x->wsi = wsi;
    x->phase = PHASE_BODY;
    x->begun_us = clock_boot_us();
    x->request->id = x->id;
    snprintf(x->id_text, sizeof x->id_text, "%016llx", (unsigned long long)x->id);
    memcpy(x->request->id_text, x->id_text, sizeof x->id_text);
    x->secure = lws_get_vhost(wsi) == loop->vehicles;
    x->request->door = x->secure ? DOOR_VEHICLES : DOOR_PUBLIC;
    memcpy(x->request->address, conn->address, sizeof conn->address);
    if (!x->secure) /* a car ends its TLS here: no proxy has written into that */
        read_client(wsi, loop->shared->set->trusted_proxies, x->request->address);
    memcpy(x->address, x->request->address, sizeof x->address);
    return true;
}

static enum verdict decide(struct loop *loop, struct exchange *x, struct conn *conn,
                           const char *path, size_t path_len)
{
    struct request *r = x->request;
    struct moment now = {.wall_ms = clock_now_ms(), .boot_ms = clock_boot_ms()};
    enum verdict v = VERDICT_ANSWERED;
    bool proxy = address_listed(loop->shared->set->trusted_proxies, r->address);

    if (!read_request(x->wsi, path, path_len, r, &x->length, &x->announced, x->answer)) {
        /* refused */
    } else if (!conn_count(loop, conn, proxy ? "" : r->address)) {
        answer_problem(x->answer, r, 429, "connections", "Too many requests at once from here.");
        answer_retry_after(x->answer, 1);
        x->answer->close = true;
    } else {
        v = admit(&loop->admission, r, x->announced ? x->length : -1, now, &x->route, x->answer);
    }
    x->method = r->method;
    x->head = r->method == METHOD_HEAD;
    x->is_api = !strncmp(r->path, "/api/", 5) || !strncmp(r->path, "/.well-known/", 13);
    memcpy(x->origin, r->origin, sizeof x->origin);
    return v;
}

int exchange_begin(struct loop *loop, struct lws *wsi, struct conn *conn, const char *path,
                   size_t path_len)
{
    struct exchange *x;

    if (lws_get_network_wsi(wsi) != wsi || conn->exchange || conn->leaving)
        return -1; /* HTTP/2, if it ever came to that, hides our headers */
    x = take_slot(loop);
    if (!x)
        return -1;
    if (!make(loop, x, wsi, conn)) {
        exchange_drop(loop, x);
        return -1;
    }
    conn->exchange = x;
    conn->discarding = false;
    lws_set_timer_usecs(wsi, BODY_US);
    switch (decide(loop, x, conn, path, path_len)) {
    case VERDICT_RUN:
        return x->length > 0 ? 0 : run(loop, x);
    case VERDICT_ASSETS:
        assets_answer(loop->assets, x->request, x->answer);
        break;
    case VERDICT_ANSWERED:
        break;
    }
    answer_now(loop, x);
    return 0;
}

int exchange_body(struct exchange *x, const void *bytes, size_t len)
{
    x->received += (int64_t)len;
    if (x->phase != PHASE_BODY || !len)
        return 0; /* answered already: what still comes is not looked at */
    if (x->request->body.len + len > REQUEST_BODY_MAX)
        return -1;
    text_add(&x->request->body, bytes, len);
    return x->request->body.failed ? -1 : 0;
}

/* A body that was itself pipelined, with more behind it: lws 4.1 calls this again and again for the
 * bytes that follow and never comes back.  Such a connection is ended. */
#define ENDS_MOST 16

int exchange_body_end(struct loop *loop, struct exchange *x)
{
    x->ends++;
    if (x->ends > ENDS_MOST || (x->ends > 1 && x->phase != PHASE_SENDING && x->phase != PHASE_BODY))
        return -1;
    return x->phase == PHASE_BODY && x->length > 0 ? run(loop, x) : 0;
}

int exchange_timer(struct loop *loop, struct conn *conn)
{
    struct exchange *x = conn->exchange;
    struct request r = {.id = 0};

    if (!x)
        return conn->leaving || conn->discarding ? -1 : 0;
    switch (x->phase) {
    case PHASE_HELD:
        return give_to_worker(loop, x);
    case PHASE_WORKING: /* the worker's answer will find nobody */
        memcpy(r.id_text, x->id_text, sizeof r.id_text);
        answer_problem(x->answer, &r, 503, "slow", "A database did not answer in time.");
        answer_retry_after(x->answer, 5);
        x->id = 0; /* forgotten by workers; the slot stays ours */
        x->answer->close = true;
        answer_now(loop, x);
        return 0;
    case PHASE_BODY:
        meters_refused("slow-body");
        return -1;
    default:
        return -1;
    }
}

void exchange_answers(struct loop *loop)
{
    struct result done;

    while (workers_pop(loop->workers, &done) == ST_OK) {
        struct exchange *x = find_slot(loop, done.id);

        if (!x || x->phase != PHASE_WORKING) {
            free_answer(done.answer);
            continue;
        }
        if (x->account[0] && (done.answer->code == 200 || done.answer->sign_in_failed))
            admit_outcome(&loop->admission, x->account, x->address, done.answer->sign_in_failed,
                          clock_boot_ms());
        free_answer(x->answer);
        x->answer = done.answer;
        answer_now(loop, x);
    }
}
