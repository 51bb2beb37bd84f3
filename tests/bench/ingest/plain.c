/* tests/bench/ingest/plain.c - what one would write on the first evening: subscribe at QoS 1, take
 * each message apart with jansson, print its samples as lines, one InfluxDB write per message.  No
 * end-to-end ack, no watermark, no facts; it stands beside vigie-ingest in the bench. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mqtt.h"
#include "lib/stop.h"
#include "lib/text.h"

static char write_url[256];

static size_t ignore(void *bytes, size_t size, size_t n, void *self)
{
    (void)bytes;
    (void)self;
    return size * n;
}

static bool write_lines(const struct text *lines)
{
    static CURL *curl;
    long code = 0;

    if (!curl) {
        curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_URL, write_url);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, curl_slist_append(NULL, "Expect:"));
    }
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, lines->bytes);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)lines->len);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return code == 204;
}

/* fleet/v1/xx/VIN/up/telemetry */
static void on_message(void *self, const struct mqtt_message *m)
{
    json_t *root = json_loadb(m->payload, m->len, 0, NULL), *sample, *value;
    struct text lines;
    const char *path;
    size_t i;

    (void)self;
    text_init(&lines);
    json_array_foreach(json_object_get(root, "samples"), i, sample)
    {
        char before = ' ';

        text_print(&lines, "telemetry,vin=%.17s", m->topic + strlen("fleet/v1/xx/"));
        json_object_foreach(json_object_get(sample, "s"), path, value)
        {
            text_print(&lines, "%c%s=%.17g", before, path, json_number_value(value));
            before = ',';
        }
        text_print(&lines, " %lld\n", (long long)json_integer_value(json_object_get(sample, "t")));
    }
    if (lines.len && !write_lines(&lines))
        fprintf(stderr, "plain: a write was refused\n");
    text_done(&lines);
    json_decref(root);
}

/* plain BROKER CA CERT KEY INFLUX */
int main(int argc, char **argv)
{
    struct mqtt_options o = {.client_id = "svc-ingest-plain", .on_message = on_message};
    struct mqtt *mqtt = NULL;
    struct fault fault = {""};
    enum status st;

    if (argc != 6)
        return 2;
    o.brokers = argv[1];
    o.ca = argv[2];
    o.cert = argv[3];
    o.key = argv[4];
    snprintf(write_url, sizeof write_url, "%s/write?db=fleet&precision=ms", argv[5]);
    if ((st = stop_open(&fault)) != ST_OK || (st = mqtt_open(&mqtt, &o, &fault)) != ST_OK) {
        fprintf(stderr, "plain: %s\n", fault.text);
        return EXIT_FAILURE;
    }
    while (!stop_wait(50) && !mqtt_is_connected(mqtt))
        continue;
    st = mqtt_subscribe(mqtt, "fleet/v1/+/+/up/telemetry", 1, &fault);
    puts("ready");
    fflush(stdout);
    while (!stop_wait(1000))
        continue;
    mqtt_close(mqtt);
    return st == ST_OK || st == ST_RETRY ? EXIT_SUCCESS : EXIT_FAILURE;
}
