/* services/ingest/wire/announce.c - alert-change/1 below the vehicle's topic. */
#include "announce.h"

#include "lib/log.h"
#include "proto/topic.h"

void announce_alerts(struct speaker *to, const struct alert_change_message *changes, size_t n)
{
    struct fault fault = {""};
    size_t untold = 0;

    for (size_t i = 0; i < n; i++) {
        char topic[TOPIC_MAX], payload[512];
        struct mqtt_publish p = {.topic = topic, .payload = payload, .qos = 1};
        enum status st = alert_change_write(&changes[i], payload, sizeof payload, &p.len, &fault);

        topic_format(topic, changes[i].vin, LEAF_ALERT_CHANGE);
        if (st != ST_OK || speaker_publish(to, &p, &fault) != ST_OK)
            untold++;
    }
    if (untold > 0)
        log_warn("alert.untold", "count=%zu reason=\"%s\"", untold, fault.text);
}
