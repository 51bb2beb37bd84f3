/* vehicle/config.c - see config.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/brokers.h"
#include "proto/json.h"

static enum status config_sites(struct config *c, const json_t *list, struct fault *fault)
{
    if (list == NULL)
        return ST_OK;
    if (!json_is_array(list) || json_array_size(list) > LEDGER_SITES_MAX)
        return fault_set(fault, ST_REJECT, "required_sites: a list of at most %d names",
                         LEDGER_SITES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *site = json_string_value(json_array_get(list, i));

        if (site == NULL || site[0] == '\0' || strlen(site) >= LEDGER_SITE_TEXT)
            return fault_set(fault, ST_REJECT, "required_sites: entry %zu is not a site's name", i);
        snprintf(c->sites[c->site_count++], LEDGER_SITE_TEXT, "%s", site);
    }
    return ST_OK;
}

static enum status config_brokers(struct config *c, const json_t *list, struct fault *fault)
{
    size_t used = 0;

    if (list == NULL)
        return ST_OK;
    if (!json_is_array(list) || json_array_size(list) > BROKERS_MAX)
        return fault_set(fault, ST_REJECT, "brokers: a list of at most %d addresses", BROKERS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *broker = json_string_value(json_array_get(list, i));

        if (broker == NULL || !broker_is_url(broker) || strpbrk(broker, ",\r\n") != NULL)
            return fault_set(fault, ST_REJECT, "brokers: entry %zu is not mqtts://host:port", i);
        if (used + strlen(broker) + 2 > sizeof c->brokers)
            return fault_set(fault, ST_REJECT, "brokers: the list is too long");
        used += (size_t)snprintf(c->brokers + used, sizeof c->brokers - used, "%s%s",
                                 i > 0 ? "," : "", broker);
    }
    return ST_OK;
}

/* A number of ms, brought within its bounds; absent: 0. */
static enum status config_ms(const json_t *object, const char *key, int64_t lowest, int64_t highest,
                             int64_t *out, struct fault *fault)
{
    enum status st = json_get_int64(object, key, 1, 86400000, out, fault);

    if (st == ST_OK)
        *out = *out < lowest ? lowest : *out > highest ? highest : *out;
    return st == ST_NONE ? ST_OK : st;
}

static enum status config_watch(struct config *c, const json_t *watch, struct fault *fault)
{
    enum status st;

    if (watch == NULL)
        return ST_OK;
    if (!json_is_object(watch))
        return fault_set(fault, ST_REJECT, "rates.watch: not an object");
    st = json_get_int64(watch, "until", 0, JSON_INTEGER_MAX, &c->watch_until_ms, fault);
    if (st == ST_REJECT)
        return st;
    return config_ms(watch, "record_ms", CONFIG_RECORD_MS_LOWEST, CONFIG_RECORD_MS_HIGHEST,
                     &c->watch_record_ms, fault);
}

static enum status config_rates(struct config *c, const json_t *rates, struct fault *fault)
{
    enum status st;

    if (rates == NULL)
        return ST_OK;
    if (!json_is_object(rates))
        return fault_set(fault, ST_REJECT, "rates: not an object");
    if ((st = config_ms(rates, "record_ms", CONFIG_RECORD_MS_LOWEST, CONFIG_RECORD_MS_HIGHEST,
                        &c->record_ms, fault)) != ST_OK ||
        (st = config_ms(rates, "parked_ms", CONFIG_PARKED_MS_LOWEST, CONFIG_HEARTBEAT_MS_HIGHEST,
                        &c->parked_ms, fault)) != ST_OK ||
        (st = config_ms(rates, "heartbeat_ms", CONFIG_HEARTBEAT_MS_LOWEST,
                        CONFIG_HEARTBEAT_MS_HIGHEST, &c->heartbeat_ms, fault)) != ST_OK)
        return st;
    return config_watch(c, json_object_get(rates, "watch"), fault);
}

static enum status config_detects(struct config *c, const json_t *message, struct fault *fault)
{
    char detects[16] = "agent";

    if (json_get_text(message, "detects", detects, sizeof detects, fault) == ST_REJECT ||
        (strcmp(detects, "agent") != 0 && strcmp(detects, "ingest") != 0))
        return fault_set(fault, ST_REJECT, "detects: agent or ingest");
    c->detects_elsewhere = strcmp(detects, "ingest") == 0;
    return ST_OK;
}

enum status config_read(struct config *out, const char *bytes, size_t len, struct fault *fault)
{
    struct config c;
    char schema[32] = "";
    json_t *message;
    enum status st;

    memset(&c, 0, sizeof c);
    if ((st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault)) != ST_OK) {
        *out = c;
        return st;
    }
    if (json_get_text(message, "schema", schema, sizeof schema, fault) != ST_OK ||
        strcmp(schema, "config/1") != 0)
        st = fault_set(fault, ST_REJECT, "not a config/1");
    else if (json_get_int64(message, "revision", 1, JSON_INTEGER_MAX, &c.revision, fault) != ST_OK)
        st = fault_set(fault, ST_REJECT, "config/1 without a revision");
    else if ((st = config_sites(&c, json_object_get(message, "required_sites"), fault)) == ST_OK &&
             (st = config_brokers(&c, json_object_get(message, "brokers"), fault)) == ST_OK &&
             (st = config_detects(&c, message, fault)) == ST_OK &&
             (st = privacy_rules_read(&c.privacy, json_object_get(message, "privacy"), fault)) ==
                 ST_OK)
        st = config_rates(&c, json_object_get(message, "rates"), fault);
    json_decref(message);
    if (st == ST_OK)
        *out = c;
    else
        *out = (struct config){.revision = c.revision};
    return st;
}

/* The message without revision and watch.  *watch: the latter, a reference of its own, or NULL;
 * rates that say nothing else are as good as none. */
static json_t *config_unwatched(const char *bytes, size_t len, json_t **watch)
{
    json_t *message = NULL, *rates;

    *watch = NULL;
    if (json_read(&message, bytes, len, JSON_MAX_BYTES, NULL) != ST_OK)
        return NULL;
    rates = json_object_get(message, "rates");
    *watch = json_incref(json_object_get(rates, "watch"));
    json_object_del(rates, "watch");
    if (json_is_object(rates) && json_object_size(rates) == 0)
        json_object_del(message, "rates");
    json_object_del(message, "revision");
    return message;
}

bool config_only_watch_differs(const char *a, size_t a_len, const char *b, size_t b_len)
{
    json_t *watch_a, *watch_b;
    json_t *rest_a = config_unwatched(a, a_len, &watch_a);
    json_t *rest_b = config_unwatched(b, b_len, &watch_b);
    bool same_watch = watch_a == watch_b || json_equal(watch_a, watch_b);
    bool only = rest_a != NULL && json_equal(rest_a, rest_b) && !same_watch;

    json_decref(watch_a);
    json_decref(watch_b);
    json_decref(rest_a);
    json_decref(rest_b);
    return only;
}
