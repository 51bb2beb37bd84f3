/* services/ingest/settings.c */
#include "settings.h"

#include <string.h>

#include "intake.h"
#include "lib/address.h"
#include "lib/brokers.h"
#include "lib/log.h"
#include "lib/store/influx.h"
#include "lib/store/postgres.h"
#include "proto/ack.h"

#define QUEUE_BYTES_MIN (1 << 20) /* a few of the largest records */

#define AT(member) SETTING_AT(struct ingest_settings, member)

const struct program ingest_program = {
    "vigie-ingest",
    "MQTT telemetry in, InfluxDB points and PostgreSQL state out; acknowledges what is stored.",
    NULL,
};

const struct setting ingest_table[] = {
    {"mqtt", SET_TEXT, "mqtts://127.0.0.1:8884", AT(mqtt), "broker to read from"},
    {"ca", SET_TEXT, NULL, AT(ca), "file: what the broker's certificate is verified with"},
    {"cert", SET_TEXT, NULL, AT(cert), "file: our certificate, CN svc-ingest"},
    {"key", SET_TEXT, NULL, AT(key), "file: its key"},
    {"influx", SET_TEXT, "http://127.0.0.1:8086", AT(influx), "InfluxDB, where samples go"},
    {"pg", SET_SECRET, NULL, AT(pg), "PostgreSQL connection string, where facts go"},
    {"instance", SET_TEXT, "0", AT(instance), "name of this instance within its site"},
    {"state-dir", SET_TEXT, "", AT(state_dir),
     "folder for a file that tells, after a crash, what was in hand; empty: nothing does"},
    {"ring-bytes", SET_COUNT, "16M", AT(ring_bytes),
     "bytes of messages that may wait to be decoded"},
    {"queue-slots", SET_COUNT, "65536", AT(queue_slots),
     "decoded records that may wait to be stored"},
    {"queue-bytes", SET_COUNT, "128M", AT(queue_bytes), "bytes they may take"},
    {"batch-wait", SET_MILLIS, "50", AT(batch_wait_ms), "ms a record may wait for others"},
    {"count-wait", SET_MILLIS, "60s", AT(count_wait_ms),
     "how long what is counted of a vehicle (losses, lags) may wait to be written"},
    {"minute-wait", SET_MILLIS, "120s", AT(minute_wait_ms),
     "how long ten minutes of a vehicle rest before their 1-minute values are computed; 0: never"},
    {"late-wait", SET_MILLIS, "30s", AT(late_wait_ms),
     "after the last late record facts are computed again, at most twice that after the first"},
    {"start-quiet", SET_MILLIS, "300s", AT(start_quiet_ms),
     "after the start, and after an outage of our own, no vehicle is called silent"},
    {"frozen-wait", SET_MILLIS, "12s", AT(frozen_wait_ms),
     "without a sign of life from another instance for so long its sessions with PostgreSQL are "
     "ended, so that its shards go on; 0: never"},
    {"rate", SET_COUNT, "50", AT(rate_per_s),
     "messages a second per vehicle, sustained; 0: no limit"},
    {"burst", SET_COUNT, "500", AT(burst), "messages per vehicle at once"},
    SETTINGS_COMMON(struct ingest_settings, common, "127.0.0.1:9101"),
    {0},
};

/* A name that goes into acks, client ids and locks as it is. */
static enum status check_name(const char *flag, const char *name, struct fault *fault)
{
    size_t len = strlen(name), fits = sizeof(((struct ack *)NULL)->site) - 1;

    if (len == 0 || len > fits || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != len)
        return fault_set(fault, ST_REJECT, "%s: 1 to %zu of a-z 0-9 - _ . are a name", flag, fits);
    return ST_OK;
}

static enum status check_numbers(const struct ingest_settings *set, struct fault *fault)
{
    if (set->queue_slots < 1 || set->queue_slots > 1 << 24)
        return fault_set(fault, ST_REJECT, "--queue-slots: 1 to 16M");
    if (set->ring_bytes < 4 * INTAKE_PAYLOAD_MAX)
        return fault_set(fault, ST_REJECT, "--ring-bytes: 256k at least");
    if (set->queue_bytes < QUEUE_BYTES_MIN)
        return fault_set(fault, ST_REJECT, "--queue-bytes: 1M at least");
    if (set->batch_wait_ms > 10000)
        return fault_set(fault, ST_REJECT, "--batch-wait: 10s at most");
    if (set->frozen_wait_ms > 0 && set->frozen_wait_ms < 5000)
        return fault_set(fault, ST_REJECT, "--frozen-wait: 5s at least, or 0 for never");
    if (set->rate_per_s > 0 && set->burst < 1)
        return fault_set(fault, ST_REJECT, "--burst: 1 at least, or --rate 0 for no limit");
    return ST_OK;
}

static enum status check_addresses(const struct ingest_settings *set, struct fault *fault)
{
    struct fault why = {""};
    struct brokers brokers;
    struct address admin;
    enum status st = brokers_take(&brokers, set->mqtt, &why);

    brokers_free(&brokers);
    if (st != ST_OK)
        return fault_set(fault, st, "--mqtt: %.200s", why.text);
    if (strcmp(set->common.admin, "none") != 0 &&
        (st = address_read(&admin, set->common.admin, &why)) != ST_OK)
        return fault_set(fault, st, "--admin %.200s", why.text);
    return ST_OK;
}

enum status settings_check(const struct ingest_settings *set, struct fault *fault)
{
    struct fault why = {""};
    enum log_level level;
    enum status st;

    if ((st = check_addresses(set, fault)) == ST_OK &&
        (st = check_name("--site", set->common.site, fault)) == ST_OK &&
        (st = check_name("--instance", set->instance, fault)) == ST_OK &&
        (st = check_numbers(set, fault)) == ST_OK &&
        (st = log_parse_level(set->common.log_level, &level, &why)) != ST_OK)
        fault_set(fault, st, "--log-level: %.200s", why.text);
    return st;
}

enum status settings_rehearse(const struct ingest_settings *set, struct fault *fault)
{
    struct influx *influx = NULL;
    struct pg *pg = NULL;
    struct fault why = {""};
    enum status st; /* neither sends anything */

    if ((st = influx_open(&influx, set->influx, "fleet", &why)) != ST_OK)
        fault_set(fault, st, "--influx: %.200s", why.text);
    else if ((st = pg_open(&pg, set->pg, "vigie-ingest", &why)) != ST_OK)
        fault_set(fault, st, "VIGIE_PG: %.200s", why.text);
    influx_close(influx);
    pg_close(pg);
    return st;
}
