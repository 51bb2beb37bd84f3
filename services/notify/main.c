/* services/notify/main.c - live vehicles from the broker to every dashboard that may see them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/health.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/mqtt.h"
#include "lib/stop.h"
#include "proto/topic.h"
#include "server.h"

#define LIVE_SLOTS 8192
#define FINISH_MAX_S 9 /* below the 10 s a service may take to end */

struct notify {
    struct notify_settings set;
    struct health *health;
    struct fleet *fleet;
    struct queue *live;
    struct server *server;
    struct store *store;
    struct mqtt *mqtt;
    struct metric *received, *dropped;
};

static void on_message(void *self, const struct mqtt_message *m)
{
    struct notify *n = self;
    struct topic topic;
    struct live live;

    if (topic_parse(&topic, m->topic, m->topic_len, NULL) != ST_OK || topic.leaf != LEAF_LIVE ||
        live_read(&live, m->payload, m->len, NULL) != ST_OK || strcmp(live.vin, topic.vin) != 0) {
        metric_add(n->dropped, "message", 1);
        return;
    }
    metric_add(n->received, NULL, 1);
    if (queue_push(n->live, &live, 0) != ST_OK)
        metric_add(n->dropped, "full", 1); /* the next one is newer anyway */
    server_wake(n->server);
}

static void on_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct notify *n = self;

    health_set(n->health, "broker", connected);
    if (connected)
        log_info("broker.connected", "broker=%s", broker);
    else
        log_warn("broker.lost", "broker=%s reason=\"%s\"", broker, reason);
}

static void on_kept(void *self, const char *reason)
{
    (void)self;
    log_error("broker.kept", "reason=\"%s\"", reason);
}

static enum status connect_broker(struct notify *n, struct fault *fault)
{
    const struct notify_settings *set = &n->set;
    char id[160];
    struct mqtt_options o = {.brokers = set->mqtt,
                             .client_id = id,
                             .ca = set->ca,
                             .cert = set->cert,
                             .key = set->key,
                             .on_message = on_message,
                             .on_connection = on_connection,
                             .on_kept = on_kept,
                             .self = n};
    enum status st;

    snprintf(id, sizeof id, "svc-notify-%.60s-%.60s", set->common.site, set->instance);
    if ((st = mqtt_open(&n->mqtt, &o, fault)) != ST_OK)
        return st;
    st = mqtt_subscribe(n->mqtt, "fleet/v1/+/+/live", 0, fault);
    return st == ST_RETRY ? ST_OK : st; /* asked for once connected */
}

static void reload(void *self)
{
    struct notify *n = self;

    log_reload(n->set.common.log_level);
    mqtt_reload(n->mqtt);
}

static enum status start(struct notify *n, struct fault *fault)
{
    struct server_options server = {.set = &n->set, .reload = reload, .self = n};
    struct store_options store = {.pg = n->set.pg, .wake = server_wake};
    enum status st;

    if ((st = stop_open(fault)) != ST_OK ||
        (st = health_open(&n->health, n->set.common.admin, fault)) != ST_OK)
        return st;
    health_set(n->health, "broker", false);
    health_set(n->health, "postgres", false);
    n->received = metric_counter("vigie_notify_live_total", "Live messages received.", NULL);
    n->dropped = metric_counter("vigie_notify_dropped_total", "Live messages not taken, by reason.",
                                "reason");
    if ((st = fleet_open(&n->fleet, fault)) != ST_OK ||
        (st = queue_open(&n->live, LIVE_SLOTS, sizeof(struct live), fault)) != ST_OK)
        return st;
    server.fleet = n->fleet;
    server.live = n->live;
    if ((st = server_open(&n->server, &server, fault)) != ST_OK)
        return st;
    store.health = n->health;
    store.self = n->server;
    if ((st = store_start(&n->store, &store, fault)) != ST_OK)
        return st;
    server_use_store(n->server, n->store);
    return connect_broker(n, fault);
}

static void finish(struct notify *n)
{
    stop_ask();          /* also when it was the loop that failed: nobody waits for long now */
    alarm(FINISH_MAX_S); /* libpq asks name servers, who take as long as they like */
    health_drain(n->health);
    mqtt_close(n->mqtt);
    store_join(n->store);
    server_close(n->server);
    queue_close(n->live);
    fleet_close(n->fleet);
    health_close(n->health);
}

int main(int argc, char **argv)
{
    static struct notify n;
    struct fault fault = {""};
    enum log_level level = LEVEL_INFO;
    enum status st;

    log_open("notify", LEVEL_INFO);
    if ((st = settings_load(&n.set, notify_table, &notify_program, argc, argv, NULL, NULL,
                            &fault)) == ST_OK &&
        (st = settings_check(&n.set, &fault)) == ST_OK &&
        (st = log_parse_level(n.set.common.log_level, &level, &fault)) == ST_OK &&
        !n.set.common.check) {
        log_set_level(level);
        if ((st = start(&n, &fault)) == ST_OK) {
            log_info("started", "site=%s listen=%s", n.set.common.site, n.set.listen);
            if ((st = server_run(n.server, &fault)) == ST_OK)
                log_info("stopping", "reason=signal");
        }
        finish(&n);
    }
    if (st == ST_OK || st == ST_NONE)
        return EXIT_SUCCESS;
    log_error("failed", "reason=\"%s\"", fault.text);
    return st == ST_REJECT ? 2 : EXIT_FAILURE;
}
