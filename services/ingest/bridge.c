/* services/ingest/bridge.c - one character. */
#include "bridge.h"

#include <stdio.h>
#include <string.h>

#include "record/meters.h"

#define HEAD "site/"
#define TAIL "/bridge"

bool bridge_message(const struct mqtt_message *m)
{
    size_t head = sizeof HEAD - 1, tail = sizeof TAIL - 1;
    char site[64];

    if (m->topic_len <= head + tail || memcmp(m->topic, HEAD, head) != 0 ||
        memcmp(m->topic + m->topic_len - tail, TAIL, tail) != 0)
        return false;
    (void)snprintf(site, sizeof site, "%.*s", (int)(m->topic_len - head - tail), m->topic + head);
    metric_set(meters.bridge_up, site, m->len == 1 && *(const char *)m->payload == '1');
    return true;
}
