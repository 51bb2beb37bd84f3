/* services/ingest/settings.c */
#include "settings.h"

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
    {"ring-bytes", SET_COUNT, "16M", AT(ring_bytes), "bytes of messages that may wait to be decoded"},
    {"queue-slots", SET_COUNT, "8192", AT(queue_slots), "decoded records that may wait to be stored"},
    {"batch-wait", SET_MILLIS, "20", AT(batch_wait_ms), "ms a record may wait for others"},
    {"rate", SET_COUNT, "50", AT(rate_per_s), "messages a second per vehicle, sustained; 0: no limit"},
    {"burst", SET_COUNT, "500", AT(burst), "messages per vehicle at once"},
    SETTINGS_COMMON(struct ingest_settings, common, "127.0.0.1:9101"),
    {0},
};
