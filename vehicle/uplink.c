/* vehicle/uplink.c - see uplink.h.  The callbacks run on the MQTT client's only thread: they copy
 * and return. */
#include "uplink.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "proto/topic.h"

#define UPLINK_LAST_WORDS_MS 2000
#define UPLINK_STATE_MAX 1024

static void uplink_message(void *self, const struct mqtt_message *message)
{
    struct uplink *u = self;
    struct topic topic;

    if (topic_parse(&topic, message->topic, message->topic_len, NULL) != ST_OK ||
        strcmp(topic.vin, u->vin) != 0)
        return;
    if (topic.leaf == LEAF_ACK)
        (void)inbox_offer(u->inbox, NOTE_ACK, message->payload, message->len);
    else if (topic.leaf == LEAF_CONFIG && message->len > 0)
        (void)inbox_offer(u->inbox, NOTE_CONFIG, message->payload, message->len);
    else if (topic.leaf == LEAF_COMMAND)
        (void)inbox_offer(u->inbox, NOTE_COMMAND, message->payload, message->len);
}

static void uplink_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct uplink *u = self;
    struct connection c = {.up = connected};

    snprintf(c.broker, sizeof c.broker, "%s", broker == NULL ? "" : broker);
    snprintf(c.reason, sizeof c.reason, "%s", reason == NULL ? "" : reason);
    (void)inbox_offer(u->inbox, NOTE_CONNECTION, &c, sizeof c);
}

static void uplink_refused(void *self, int reason, const char *what)
{
    (void)self;
    log_warn("uplink.refused", "reason=%d what=\"%s\"", reason, what == NULL ? "" : what);
}

static void uplink_kept(void *self, const char *reason)
{
    (void)self;
    log_error("broker.kept", "reason=\"%s\"", reason);
}

enum status uplink_open(struct uplink *u, const char *vin, struct inbox *inbox,
                        const struct uplink_options *options, const struct herald *herald,
                        struct fault *fault)
{
    static const struct {
        enum leaf leaf;
        int qos; /* an ack that is lost comes again with the next one */
    } heard[] = {{LEAF_ACK, 0}, {LEAF_CONFIG, 1}, {LEAF_COMMAND, 1}};
    char will_topic[TOPIC_MAX], filter[TOPIC_MAX], will[UPLINK_STATE_MAX];
    struct mqtt_options o = {.brokers = options->brokers,
                             .client_id = u->vin,
                             .ca = options->ca,
                             .cert = options->cert,
                             .key = options->key,
                             .will_topic = will_topic,
                             .will_payload = will,
                             .on_message = uplink_message,
                             .on_connection = uplink_connection,
                             .on_refused = uplink_refused,
                             .on_kept = uplink_kept,
                             .self = u};
    enum status st;

    memset(u, 0, sizeof *u);
    u->inbox = inbox;
    snprintf(u->vin, sizeof u->vin, "%s", vin);
    topic_format(will_topic, vin, LEAF_STATE);
    if ((st = herald_write(herald, PRESENCE_OFFLINE, clock_now_ms(), will, sizeof will, &o.will_len,
                           fault)) != ST_OK ||
        (st = mqtt_open(&u->mqtt, &o, fault)) != ST_OK)
        return st;
    /* not connected yet: all are asked for after the connection is made */
    for (size_t i = 0; i < sizeof heard / sizeof *heard && (st == ST_OK || st == ST_RETRY); i++) {
        topic_format(filter, vin, heard[i].leaf);
        st = mqtt_subscribe(u->mqtt, filter, heard[i].qos, fault);
    }
    if (st == ST_OK || st == ST_RETRY)
        return ST_OK;
    mqtt_close(u->mqtt);
    u->mqtt = NULL;
    return st;
}

enum status uplink_tell(struct uplink *u, const struct herald *herald, enum presence what,
                        int64_t now_ms, struct fault *fault)
{
    char topic[TOPIC_MAX], payload[UPLINK_STATE_MAX];
    struct mqtt_publish message = {.topic = topic, .payload = payload, .qos = 1, .retained = true};
    enum status st;

    topic_format(topic, u->vin, LEAF_STATE);
    if ((st = herald_write(herald, what, now_ms, payload, sizeof payload, &message.len, fault)) !=
        ST_OK)
        return st;
    return mqtt_publish(u->mqtt, &message, fault);
}

void uplink_close(struct uplink *u)
{
    const struct timespec pause = {0, 20000000};
    int64_t until = clock_boot_ms() + UPLINK_LAST_WORDS_MS;

    if (u->mqtt == NULL)
        return;
    while (mqtt_is_connected(u->mqtt) && mqtt_unsent_bytes(u->mqtt) > 0 && clock_boot_ms() < until)
        nanosleep(&pause, NULL);
    mqtt_close(u->mqtt);
    u->mqtt = NULL;
}
