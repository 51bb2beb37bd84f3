/* vehicle/agent_errand.c - what is fetched from the API: the configuration a command asks for, and
 * the next certificate at half of the life of this one.  See agent_inside.h. */
#include "agent_inside.h"

#include <stdio.h>

#include "keyring.h"
#include "lib/clock.h"
#include "lib/log.h"

static const char *const errand_names[] = {[ERRAND_CONFIG] = "config", [ERRAND_RENEW] = "renew"};

void agent_plan_renewal(struct agent *a)
{
    struct fault fault = {""};
    int64_t from_ms = 0, to_ms = 0;
    unsigned char random;

    text_random(&random, 1);
    if (keyring_span(a->set->cert, &from_ms, &to_ms, &fault) != ST_OK)
        log_warn("certificate.unreadable", "reason=\"%s\"", fault.text);
    renewal_plan(&a->renewal, from_ms, to_ms, random / 255.0);
    metric_set(a->expiry, NULL, (double)to_ms / 1000);
}

enum status agent_open_courier(struct agent *a, struct fault *fault)
{
    a->expiry = metric_gauge("vigie_vehicle_certificate_expiry_timestamp_seconds",
                             "When our certificate ends, seconds since 1970.", NULL);
    a->errands = metric_counter(
        "vigie_vehicle_api_calls_total",
        "What the API was asked for: config_ok, renew_away, renew_refused, ...", "outcome");
    a->office = (struct office){
        .api = a->set->api, .ca = a->set->ca, .cert = a->set->cert, .key = a->set->key};
    agent_plan_renewal(a);
    return courier_start(&a->courier, &a->office, a->vin, a->inbox, fault);
}

void agent_pass_errands(struct agent *a)
{
    int64_t now_ms = clock_now_ms(), boot_ms = clock_boot_ms();

    if (a->courier != NULL && renewal_begin(&a->renewal, now_ms, boot_ms, agent_time_known(a)) &&
        courier_send(a->courier, ERRAND_RENEW) != ST_OK)
        renewal_ended(&a->renewal, boot_ms, false);
}

static void agent_renewed(struct agent *a, const struct errand_result *result)
{
    bool renewed = result->status == ST_OK;

    renewal_ended(&a->renewal, clock_boot_ms(), renewed);
    if (!renewed) {
        log_warn("certificate.kept", "reason=\"%s\" pause_ms=%lld", result->reason,
                 (long long)(a->renewal.again_boot_ms - clock_boot_ms()));
        return;
    }
    agent_plan_renewal(a);
    log_info("certificate.renewed", "ends_ms=%lld", (long long)a->renewal.to_ms);
    if (a->uplink.mqtt != NULL)
        mqtt_reload(a->uplink.mqtt); /* what the broker has not acknowledged comes again */
}

void agent_errand(struct agent *a, const struct errand_result *result)
{
    char outcome[32];

    snprintf(outcome, sizeof outcome, "%s_%s", errand_names[result->errand],
             result->status == ST_OK      ? "ok"
             : result->status == ST_RETRY ? "away"
                                          : "refused");
    metric_add(a->errands, outcome, 1);
    if (result->errand == ERRAND_RENEW) {
        agent_renewed(a, result);
        return;
    }
    if (result->status != ST_OK)
        log_warn("config.unfetched", "reason=\"%s\"", result->reason);
    agent_asked_config(a, result->status == ST_OK ? NULL : result->reason);
}
