/* lib/mqtt_options.c - what an MQTT client is opened with, checked and kept. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mqtt.h"

#define KEEPALIVE_S 30
#define WILL_BYTES_MAX 65535

static enum status check_file(const char *what, const char *path, struct fault *fault)
{
    if (!path || !*path)
        return fault_set(fault, ST_REJECT, "MQTT %s file: none given", what);
    if (access(path, R_OK) != 0)
        return fault_set(fault, ST_REJECT, "MQTT %s file %s: %m", what, path);
    return ST_OK;
}

static enum status check(const struct mqtt_options *o, struct fault *fault)
{
    enum status st;

    if (!o->client_id || !*o->client_id)
        return fault_set(fault, ST_REJECT, "MQTT client id: none given");
    if (o->will_len > WILL_BYTES_MAX)
        return fault_set(fault, ST_REJECT, "last will of %zu bytes", o->will_len);
    if ((st = check_file("CA", o->ca, fault)) != ST_OK ||
        (st = check_file("certificate", o->cert, fault)) != ST_OK)
        return st;
    return check_file("key", o->key, fault);
}

static bool copy_text(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool copy_will(struct mqtt_options *to, const struct mqtt_options *from)
{
    char *payload;

    if (!from->will_topic)
        return true;
    payload = malloc(from->will_len + 1);
    if (!payload)
        return false;
    if (from->will_len > 0)
        memcpy(payload, from->will_payload, from->will_len);
    to->will_payload = payload;
    to->will_len = from->will_len;
    return copy_text(&to->will_topic, from->will_topic);
}

enum status mqtt_options_copy(struct mqtt_options *to, const struct mqtt_options *from,
                              struct fault *fault)
{
    enum status st = check(from, fault);

    *to = (struct mqtt_options){.keepalive_s =
                                    from->keepalive_s > 0 ? from->keepalive_s : KEEPALIVE_S,
                                .on_message = from->on_message,
                                .on_connection = from->on_connection,
                                .on_refused = from->on_refused,
                                .on_kept = from->on_kept,
                                .self = from->self};
    if (st != ST_OK)
        return st;
    if (!copy_text(&to->client_id, from->client_id) || !copy_text(&to->ca, from->ca) ||
        !copy_text(&to->cert, from->cert) || !copy_text(&to->key, from->key) ||
        !copy_will(to, from))
        return fault_set(fault, ST_FATAL, "MQTT options: out of memory");
    return ST_OK;
}

void mqtt_options_free(struct mqtt_options *o)
{
    free((char *)o->client_id);
    free((char *)o->ca);
    free((char *)o->cert);
    free((char *)o->key);
    free((char *)o->will_topic);
    free((char *)o->will_payload);
}
