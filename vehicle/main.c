/* vehicle/main.c - the agent in the car: GPS and OBD-II in, an outbox that forgets nothing, MQTT
 * out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "checkup.h"
#include "decode.h"
#include "enroll.h"
#include "identity.h"
#include "known.h"
#include "lib/backoff.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/stop.h"
#include "obd/makes.h"
#include "obd/reader.h"
#include "renew.h"
#include "probe.h"
#include "status.h"

/* Our VIN: the setting's, the certificate's, or the car's. */
static enum status main_vin(char vin[VIN_LEN + 1], const struct vehicle_settings *set,
                            struct fault *fault)
{
    struct backoff pause = {1000, 60000, 0};
    enum status st = identity_settle(vin, set->vin, set->cert, fault);

    if (st != ST_NONE)
        return st;
    while ((st = probe_vin(vin, set, fault)) != ST_OK) {
        if (st == ST_REJECT || st == ST_FATAL)
            return st;
        log_warn("vin.unknown", "reason=\"%s\"", fault->text);
        if (!backoff_wait(&pause))
            return ST_NONE;
    }
    return ST_OK;
}

/* In the outbox and in its second home. */
static enum status main_keep_config(const struct vehicle_settings *set, struct outbox *outbox,
                                    const struct text *config, struct fault *fault)
{
    struct config what;
    enum status st;

    if (config->len == 0)
        return ST_OK;
    if (config_read(&what, config->bytes, config->len, NULL) == ST_OK &&
        (st = known_write(set->outbox, what.brokers, config->bytes, config->len, fault)) != ST_OK)
        return st;
    if ((st = outbox_begin(outbox, fault)) == ST_OK &&
        (st = outbox_set(outbox, "config", config->bytes, config->len, fault)) == ST_OK)
        st = outbox_end(outbox, fault);
    if (st != ST_OK)
        outbox_undo(outbox);
    return st;
}

/* Without a certificate and with a token: get one, however long the API is away. */
static enum status main_enroll(const struct vehicle_settings *set, const char *vin,
                               struct outbox *outbox, struct fault *fault)
{
    struct enroll_options options = {vin, set->api, set->ca, set->token_file, set->key};
    struct backoff pause = {1000, 60000, 0};
    struct text certificate, config;
    enum status st;

    if (access(set->cert, R_OK) == 0)
        return ST_OK;
    if (set->token_file[0] == '\0' || set->api[0] == '\0')
        return fault_set(
            fault, ST_REJECT,
            "%s is not there: give --cert and --key, or --api and --token-file to enrol",
            set->cert);
    text_init(&certificate);
    text_init(&config);
    while ((st = enroll(&options, &certificate, &config, fault)) == ST_RETRY) {
        log_warn("enrol.waiting", "reason=\"%s\"", fault->text);
        if (!backoff_wait(&pause)) {
            st = ST_NONE;
            break;
        }
    }
    /* the certificate last: it is what says that we are enrolled */
    if (st == ST_OK && (st = main_keep_config(set, outbox, &config, fault)) == ST_OK &&
        (st = text_write_file(set->cert, certificate.bytes, certificate.len, 0644, fault)) == ST_OK)
        log_info("enrolled", "vin=%s", vin);
    text_done(&certificate);
    text_done(&config);
    return st;
}

/* What the start waits for, to who looks at the agent: --status, /metrics, systemctl. */
static void main_wait_for(struct supervisor *supervisor, const char *what)
{
    static const char *const all[] = {"outbox", "vin", "certificate"};
    struct metric *waits =
        metric_gauge("vigie_vehicle_waits", "1 while the start waits for it.", "for");
    char words[64];

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metric_set(waits, all[i], strcmp(all[i], what) == 0);
    snprintf(words, sizeof words, "starting: waits for its %s", what);
    if (what[0] != '\0')
        supervisor_status(supervisor, words);
}

/* A disk that takes or gives nothing may do so in a minute: nothing can be measured before, but
 * /healthz answers. */
static enum status main_outbox(struct outbox **out, const struct vehicle_settings *set,
                               struct outbox_found *found, struct supervisor *supervisor,
                               struct fault *fault)
{
    struct backoff pause = {1000, 10000, 0};
    char told[sizeof fault->text] = "";
    enum status st;

    while ((st = outbox_open(out, set->outbox, found, fault)) == ST_RETRY) {
        if (strcmp(told, fault->text) != 0) {
            log_error("outbox.unopened",
                      "reason=\"%s\" meanwhile=\"tried again, nothing is measured\"", fault->text);
            supervisor_status(supervisor, fault->text);
        }
        (void)text_copy(told, sizeof told, fault->text);
        if (!backoff_wait(&pause))
            return ST_NONE;
    }
    return st;
}

static enum status main_serve(const struct vehicle_settings *set, struct fault *fault)
{
    struct outbox_found found;
    struct fault broken = {""};
    struct outbox *outbox = NULL;
    struct health *health = NULL;
    struct supervisor *supervisor = NULL;
    struct agent *agent = NULL;
    struct makes *makes = NULL;
    char vin[VIN_LEN + 1];
    enum status st;

    if ((st = stop_open(fault)) != ST_OK || (st = supervisor_open(&supervisor, fault)) != ST_OK ||
        (st = health_open(&health, set->common.admin, fault)) != ST_OK)
        goto out;
    health_set(health, "outbox", false);
    main_wait_for(supervisor, "outbox");
    if ((st = makes_open(&makes, set->makes, fault)) != ST_OK)
        goto out;
    if ((st = main_outbox(&outbox, set, &found, supervisor, fault)) != ST_OK)
        goto out;
    main_wait_for(supervisor, "vin");
    if ((st = main_vin(vin, set, fault)) != ST_OK)
        goto out;
    main_wait_for(supervisor, "certificate");
    if ((st = main_enroll(set, vin, outbox, fault)) != ST_OK ||
        (st = identity_settle(vin, vin, set->cert, fault)) != ST_OK)
        goto out;
    main_wait_for(supervisor, "");
    if (renew_settle(set->cert, set->key, &broken) != ST_OK) /* it still measures and keeps */
        log_error("identity.broken", "reason=\"%s\"", broken.text);
    reader_use(makes, vin);
    if ((st = agent_open(&agent, set, vin, outbox, &found, health, fault)) != ST_OK)
        goto out;
    log_info("started", "vin=%s obd=%s gps=%s outbox=%s", vin, set->obd, set->gps, set->outbox);
    supervisor_ready(supervisor, vin);
    st = agent_run(agent, supervisor, fault);
    supervisor_stopping(supervisor);
    log_info("stopping", "reason=%s", st == ST_OK ? "signal" : "fault");
    health_drain(health);
out:
    if (st != ST_OK)
        stop_ask(); /* the threads wait for it */
    agent_close(agent);
    makes_close(makes);
    outbox_close(outbox);
    health_close(health);
    supervisor_close(supervisor);
    return st;
}

static enum status main_decode(const struct vehicle_settings *set, struct fault *fault)
{
    struct makes *makes = NULL;
    enum status st = makes_open(&makes, set->makes, fault);

    if (st == ST_OK)
        st = decode_stdin(makes, set->vin, fault);
    makes_close(makes);
    return st;
}

int main(int argc, char **argv)
{
    static struct vehicle_settings set;
    struct fault fault = {""};
    enum log_level level = LEVEL_INFO;
    enum status st;

    log_open("vehicle", LEVEL_INFO);
    if ((st = settings_load(&set, vehicle_table, &vehicle_program, argc, argv, NULL, NULL,
                            &fault)) != ST_OK ||
        (st = vehicle_settings_check(&set, &fault)) != ST_OK ||
        (st = log_parse_level(set.common.log_level, &level, &fault)) != ST_OK)
        goto out;
    log_set_level(level);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk, no end */
    if (set.common.check) {
        st = checkup(&set, &fault);
        goto out;
    }
    if (set.decode)
        st = main_decode(&set, &fault);
    else if (set.status)
        st = status_print(&set, &fault);
    else if (set.probe)
        st = probe_print(&set, &fault);
    else
        st = main_serve(&set, &fault);
out:
    if (st == ST_OK || st == ST_NONE)
        return EXIT_SUCCESS;
    log_error("failed", "reason=\"%s\"", fault.text);
    return st == ST_REJECT ? 2 : EXIT_FAILURE; /* 2: wrong usage */
}
