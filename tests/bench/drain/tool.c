/* tests/bench/drain/tool.c - for the bench of a backlog:
 *   tool fill FOLDER RECORDS SAMPLES json|columnar    an outbox with so many records of so many
 *                                                     samples (17 signals each, a second apart)
 *   tool plain FOLDER BROKERS CA CERT KEY VIN         what one would write on the first evening:
 * each record of it at QoS 1, the next when the broker has confirmed it; prints the seconds it took
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/mqtt.h"
#include "proto/columnar.h"
#include "proto/telemetry.h"
#include "vehicle/outbox.h"

#define SIGNALS 17
#define COMMIT 100 /* records a transaction */

static struct fault fault;

static int give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, fault.text);
    return EXIT_FAILURE;
}

/* ---- fill */

static bool sample_add(struct telemetry *t, int64_t t_ms, int64_t n)
{
    static const double base[SIGNALS] = {48.5286, 7.7116, 150, 271, 3.2};
    bool ok = telemetry_sample(t, t_ms, &fault) == ST_OK;

    for (int k = 0; k < SIGNALS && ok; k++)
        ok =
            telemetry_reading(t, (uint16_t)(k + 1),
                              signal_round((uint16_t)(k + 1), base[k % 5] + (double)(n % 50) * 0.1),
                              &fault) == ST_OK;
    return ok;
}

static bool record_put(struct outbox *box, struct telemetry *t, int64_t samples, bool columnar,
                       int64_t *t_ms)
{
    static char payload[JSON_MAX_BYTES];
    size_t len;

    telemetry_clear(t);
    t->head = (struct envelope){.seq = outbox_number(box, STREAM_BULK), .clock = CLOCK_GPS};
    snprintf(t->head.schema, sizeof t->head.schema, "telemetry/1");
    snprintf(t->head.stream, sizeof t->head.stream, "%s", outbox_stream_id(box, STREAM_BULK));
    for (int64_t i = 0; i < samples; i++, *t_ms += 1000)
        if (!sample_add(t, *t_ms, *t_ms / 1000))
            return false;
    if ((columnar ? columnar_write(t, payload, sizeof payload, &len, &fault)
                  : telemetry_write(t, payload, sizeof payload, &len, &fault)) != ST_OK)
        return false;
    return outbox_put(box, STREAM_BULK, LEAF_TELEMETRY, clock_now_ms(), payload, len, &fault) ==
           ST_OK;
}

static int fill(const char *folder, int64_t records, int64_t samples, bool columnar)
{
    struct outbox_found found;
    struct outbox *box = NULL;
    struct telemetry t;
    int64_t t_ms = clock_now_ms() - records * samples * 1000 - 60000;
    bool ok;

    telemetry_init(&t);
    if (outbox_open(&box, folder, &found, &fault) != ST_OK)
        return give_up(folder);
    for (int64_t n = 0; n < records;) {
        ok = outbox_begin(box, &fault) == ST_OK;
        for (int i = 0; i < COMMIT && n < records && ok; i++, n++)
            ok = record_put(box, &t, samples, columnar, &t_ms);
        if (!ok || outbox_end(box, &fault) != ST_OK)
            return give_up("fill");
    }
    printf("%lld\n", (long long)outbox_used_bytes(box));
    telemetry_done(&t);
    outbox_close(box);
    return EXIT_SUCCESS;
}

/* ---- plain */

static void wait_for(struct mqtt *mqtt, bool connected)
{
    const struct timespec pause = {0, 50000};

    while (connected ? !mqtt_is_connected(mqtt) : mqtt_unsent_bytes(mqtt) > 0)
        nanosleep(&pause, NULL);
}

static int plain(char **argv)
{
    static struct outbox_record record;
    struct mqtt_options options = {
        .brokers = argv[3], .client_id = argv[7], .ca = argv[4], .cert = argv[5], .key = argv[6]};
    char topic[TOPIC_MAX];
    struct outbox *box = NULL;
    struct mqtt *mqtt = NULL;
    int64_t began_ms, seq = 1;

    if (outbox_look_in(&box, argv[2], &fault) != ST_OK ||
        mqtt_open(&mqtt, &options, &fault) != ST_OK)
        return give_up("plain");
    wait_for(mqtt, true);
    began_ms = clock_boot_ms();
    for (; outbox_read(box, STREAM_BULK, seq, &record, &fault) == ST_OK; seq = record.seq + 1) {
        struct mqtt_publish p = {.topic = topic,
                                 .payload = record.payload,
                                 .len = record.len,
                                 .qos = 1,
                                 .columnar = columnar_is(record.payload, record.len)};

        topic_format(topic, argv[7], record.leaf);
        if (mqtt_publish(mqtt, &p, &fault) != ST_OK)
            return give_up("publish");
        wait_for(mqtt, false);
    }
    printf("%.3f\n", (double)(clock_boot_ms() - began_ms) / 1000);
    mqtt_close(mqtt);
    outbox_close(box);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "fill") == 0)
        return fill(argv[2], atoll(argv[3]), atoll(argv[4]), strcmp(argv[5], "columnar") == 0);
    if (argc == 8 && strcmp(argv[1], "plain") == 0)
        return plain(argv);
    fprintf(stderr, "usage: fill FOLDER RECORDS SAMPLES json|columnar"
                    " | plain FOLDER BROKERS CA CERT KEY VIN\n");
    return 2;
}
