/* services/broker/guard.c - the Mosquitto plugin (API v5): asked before the ACL file about every
 * subscription and every message, to and from everybody.
 *
 * The broker calls it from its one thread.  guard_rules.c decides; here are only the broker's
 * calls, the three files read (two CAs, the deny list) and what goes into the log.  Per message
 * nothing is allocated, read or written: all of that waits for the tick. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <openssl/x509.h>

#include "deny_file.h"
#include "deny_list.h"
#include "guard_rules.h"
#include "issuer.h"
#include "proto/vin.h"
#include "refusals.h"

struct guard {
    mosquitto_plugin_id_t *id;
    char *service_ca, *vehicle_ca;
    struct issuer *issuer;
    struct deny_file *deny_file;
    struct deny_list *denied; /* NULL until there is one */
    struct refusals refused;
    struct fault told;  /* of the deny file, so that it is said once and not every second */
    time_t looked_s;    /* monotonic; when the tick last did its work */
    bool reload_wanted; /* SIGHUP came */
};

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static enum guard_issuer client_issuer(const struct guard *guard, struct mosquitto *client)
{
    X509 *certificate = mosquitto_client_certificate(client); /* a reference, no copy */
    enum guard_issuer issuer;

    if (!certificate)
        return GUARD_ISSUER_UNSEEN;
    issuer =
        issuer_is_service(guard->issuer, certificate) ? GUARD_ISSUER_SERVICE : GUARD_ISSUER_OTHER;
    X509_free(certificate);
    return issuer;
}

static int on_acl_check(int event, void *data, void *self)
{
    const struct mosquitto_evt_acl_check *check = data;
    struct guard *guard = self;
    struct guard_ask ask = {
        .name = mosquitto_client_username(check->client),
        .topic = check->topic,
        .access = check->access,
        .retained = check->retain,
    };
    enum guard_reason reason;

    (void)event;
    if (guard_rules_is_service(ask.name))
        ask.issuer = client_issuer(guard, check->client);
    switch (guard_rules_judge(&ask, guard->denied, &reason)) {
    case GUARD_ALLOW:
        return MOSQ_ERR_SUCCESS;
    case GUARD_DEFER:
        return MOSQ_ERR_PLUGIN_DEFER;
    case GUARD_DENY:
        break;
    }
    refusals_add(&guard->refused, &ask, reason, mosquitto_client_address(check->client));
    return MOSQ_ERR_ACL_DENIED;
}

/* The list first, then the kicks: a kick sends the last will, and that has to be refused by now. */
static void swap_denied(struct guard *guard, struct deny_list *fresh, size_t ignored)
{
    struct deny_list *old = guard->denied;
    size_t added = 0;

    guard->denied = fresh;
    for (size_t i = 0; i < deny_list_count(fresh); i++) {
        const char *vin = deny_list_at(fresh, i);

        if (deny_list_has(old, vin))
            continue;
        added++;
        if (guard->id) /* else the broker is only starting: nobody is there yet */
            mosquitto_kick_client_by_username(vin, true);
    }
    deny_list_close(old);
    mosquitto_log_printf(
        ignored ? MOSQ_LOG_WARNING : MOSQ_LOG_NOTICE,
        "level=%s service=broker event=guard.deny_list vins=%zu added=%zu ignored_lines=%zu",
        ignored ? "warn" : "info", deny_list_count(fresh), added, ignored);
}

static void look_at_deny_file(struct guard *guard)
{
    struct deny_list *fresh;
    struct fault fault = {""};
    size_t ignored;

    switch (deny_file_read(guard->deny_file, &fresh, &ignored, &fault)) {
    case ST_OK:
        swap_denied(guard, fresh, ignored);
        break;
    case ST_NONE:
        break;
    default: /* keep the list we have */
        if (strcmp(fault.text, guard->told.text) != 0)
            mosquitto_log_printf(
                MOSQ_LOG_ERR,
                "level=error service=broker event=guard.deny_file reason=\"%s\" kept_vins=%zu",
                fault.text, deny_list_count(guard->denied));
        break;
    }
    guard->told = fault;
}

/* Write down what the last second refused, and begin anew. */
static void tell_refusals(struct guard *guard)
{
    char line[REFUSALS_LINE_MAX];

    for (size_t i = 0; i < guard->refused.used; i++) {
        refusals_format(line, &guard->refused.kinds[i]);
        mosquitto_log_printf(MOSQ_LOG_WARNING, "level=warn service=broker %s", line);
    }
    if (guard->refused.others)
        mosquitto_log_printf(MOSQ_LOG_WARNING,
                             "level=warn service=broker event=guard.refused_others count=%lu",
                             guard->refused.others);
    refusals_init(&guard->refused);
}

/* A revoked car can still connect (the broker asks no plugin about that), so the first thing it
 * tries shows it up and it goes again.  Its will is refused as well, and told with the rest. */
static void kick_revoked(const struct guard *guard)
{
    char vins[REFUSALS_KINDS][VIN_LEN + 1];
    size_t n = 0;

    for (size_t i = 0; i < guard->refused.used; i++) {
        const struct refusal *one = &guard->refused.kinds[i];

        if (one->reason == GUARD_REVOKED)
            memcpy(vins[n++], one->name, sizeof vins[0]);
    }
    for (size_t i = 0; i < n; i++)
        mosquitto_kick_client_by_username(vins[i], true);
}

static void reload_issuer(struct guard *guard)
{
    struct issuer *fresh;
    struct fault fault = {""};

    if (issuer_open(&fresh, guard->service_ca, guard->vehicle_ca, &fault) != ST_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR,
                             "level=error service=broker event=guard.ca_kept reason=\"%s\"",
                             fault.text);
        return;
    }
    issuer_close(guard->issuer);
    guard->issuer = fresh;
}

/* Comes 10 to 14 times a second; once a second is often enough. */
static int on_tick(int event, void *data, void *self)
{
    struct guard *guard = self;
    time_t now = now_s();

    (void)event;
    (void)data;
    if (now == guard->looked_s && !guard->reload_wanted)
        return MOSQ_ERR_SUCCESS;
    guard->looked_s = now;
    if (guard->reload_wanted)
        reload_issuer(guard);
    guard->reload_wanted = false;
    look_at_deny_file(guard);
    kick_revoked(guard);
    tell_refusals(guard);
    return MOSQ_ERR_SUCCESS;
}

/* SIGHUP: the broker is in the middle of reading its own files, so the next tick does ours. */
static int on_reload(int event, void *data, void *self)
{
    struct guard *guard = self;

    (void)event;
    (void)data;
    guard->reload_wanted = true;
    return MOSQ_ERR_PLUGIN_DEFER; /* other plugins want to know as well */
}

static const char *option(const struct mosquitto_opt *options, int count, const char *key)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(options[i].key, key) == 0)
            return options[i].value;
    }
    mosquitto_log_printf(MOSQ_LOG_ERR,
                         "level=error service=broker event=guard.failed reason=\"plugin_opt_%s is "
                         "missing\"",
                         key);
    return NULL;
}

static void guard_close(struct guard *guard)
{
    if (!guard)
        return;
    deny_list_close(guard->denied);
    deny_file_close(guard->deny_file);
    issuer_close(guard->issuer);
    free(guard->vehicle_ca);
    free(guard->service_ca);
    free(guard);
}

static enum status guard_open(struct guard **out, const char *service_ca, const char *vehicle_ca,
                              const char *deny_file, struct fault *fault)
{
    struct guard *guard = calloc(1, sizeof *guard);
    enum status st = ST_FATAL;

    if (!guard || !(guard->service_ca = strdup(service_ca)) ||
        !(guard->vehicle_ca = strdup(vehicle_ca))) {
        fault_set(fault, ST_FATAL, "no memory");
        goto out;
    }
    if ((st = issuer_open(&guard->issuer, service_ca, vehicle_ca, fault)) != ST_OK ||
        (st = deny_file_open(&guard->deny_file, deny_file, fault)) != ST_OK)
        goto out;
    look_at_deny_file(guard);
    *out = guard;
    return ST_OK;
out:
    guard_close(guard);
    return st;
}

static int guard_register(struct guard *guard)
{
    int rc;

    if ((rc = mosquitto_callback_register(guard->id, MOSQ_EVT_ACL_CHECK, on_acl_check, NULL,
                                          guard)) != MOSQ_ERR_SUCCESS ||
        (rc = mosquitto_callback_register(guard->id, MOSQ_EVT_TICK, on_tick, NULL, guard)) !=
            MOSQ_ERR_SUCCESS)
        return rc;
    return mosquitto_callback_register(guard->id, MOSQ_EVT_RELOAD, on_reload, NULL, guard);
}

static void guard_unregister(struct guard *guard)
{
    mosquitto_callback_unregister(guard->id, MOSQ_EVT_RELOAD, on_reload, NULL);
    mosquitto_callback_unregister(guard->id, MOSQ_EVT_TICK, on_tick, NULL);
    mosquitto_callback_unregister(guard->id, MOSQ_EVT_ACL_CHECK, on_acl_check, NULL);
}

int mosquitto_plugin_version(int count, const int *versions)
{
    for (int i = 0; i < count; i++) {
        if (versions[i] == MOSQ_PLUGIN_VERSION)
            return MOSQ_PLUGIN_VERSION;
    }
    return -1;
}

/* Anything but success, and the broker does not start: better none than one without its guard. */
int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **self, struct mosquitto_opt *options,
                          int count)
{
    const char *service_ca = option(options, count, "service_ca");
    const char *vehicle_ca = option(options, count, "vehicle_ca");
    const char *deny_file = option(options, count, "deny_file");
    struct guard *guard = NULL;
    struct fault fault = {""};
    int rc;

    if (!service_ca || !vehicle_ca || !deny_file)
        return MOSQ_ERR_INVAL;
    if (guard_open(&guard, service_ca, vehicle_ca, deny_file, &fault) != ST_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR,
                             "level=error service=broker event=guard.failed reason=\"%s\"",
                             fault.text);
        return MOSQ_ERR_INVAL;
    }
    guard->id = id;
    if ((rc = guard_register(guard)) != MOSQ_ERR_SUCCESS) {
        guard_unregister(guard);
        guard_close(guard);
        return rc;
    }
    *self = guard;
    mosquitto_log_printf(MOSQ_LOG_NOTICE,
                         "level=info service=broker event=guard.started version=%s", VIGIE_VERSION);
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *self, struct mosquitto_opt *options, int count)
{
    struct guard *guard = self;

    (void)options;
    (void)count;
    if (!guard)
        return MOSQ_ERR_SUCCESS;
    tell_refusals(guard);
    guard_unregister(guard);
    guard_close(guard);
    return MOSQ_ERR_SUCCESS;
}
