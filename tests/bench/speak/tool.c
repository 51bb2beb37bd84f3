/* tests/bench/speak/tool.c - says COUNT acks in bursts of BURST, by ingest's speaker or by Paho
 * (lib/mqtt.h), and prints the CPU time the process took, ns an ack.
 *
 *     speak speaker|paho BROKER CA CERT KEY COUNT BURST */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/mqtt.h"
#include "services/ingest/wire/speaker.h"

#define LULL_NS 20000000 /* between two bursts: the time of a group */
#define AGAIN_NS 1000000 /* too much is unsent */

struct mouth {
    struct speaker *speaker;
    struct mqtt *paho;
};

static void nap(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool is_connected(const struct mouth *m)
{
    return m->speaker ? speaker_is_connected(m->speaker) : mqtt_is_connected(m->paho);
}

static enum status say(const struct mouth *m, const struct mqtt_publish *p)
{
    return m->speaker ? speaker_publish(m->speaker, p, NULL) : mqtt_publish(m->paho, p, NULL);
}

static void say_all(const struct mouth *m, int count, int burst)
{
    char payload[256];
    struct mqtt_publish p = {
        .topic = "fleet/v1/1f/WVWZZZ1KZAX000001/down/ack", .payload = payload, .qos = 1};

    for (int i = 1; i <= count; i++) {
        p.len =
            (size_t)snprintf(payload, sizeof payload,
                             "{\"schema\":\"ack/1\",\"site\":\"illkirch\",\"stream\":"
                             "\"0197f3c2-5f0e-7abc-8def-0123456789ab\",\"upto\":%d,\"gaps\":[]}",
                             i);
        while (say(m, &p) != ST_OK)
            nap(AGAIN_NS);
        if (i % burst == 0)
            nap(LULL_NS);
    }
}

int main(int argc, char **argv)
{
    struct fault fault = {""};
    struct mouth m = {NULL, NULL};
    bool ours = argc == 8 && strcmp(argv[1], "speaker") == 0;
    int count = argc == 8 ? atoi(argv[6]) : 0;
    struct mqtt_options o = {.client_id = "svc-speak"};
    double before;

    if (count < 1 || atoi(argv[7]) < 1) {
        fputs("speak speaker|paho BROKER CA CERT KEY COUNT BURST\n", stderr);
        return 2;
    }
    o.brokers = argv[2];
    o.ca = argv[3];
    o.cert = argv[4];
    o.key = argv[5];
    if ((ours ? speaker_open(&m.speaker, &o, &fault) : mqtt_open(&m.paho, &o, &fault)) != ST_OK) {
        fprintf(stderr, "speak: %s\n", fault.text);
        return 1;
    }
    if (ours)
        speaker_rest(m.speaker, false);
    while (!is_connected(&m))
        nap(AGAIN_NS);
    before = cpu_ns();
    say_all(&m, count, atoi(argv[7]));
    speaker_close(m.speaker);
    mqtt_close(m.paho);
    printf("%.0f\n", (cpu_ns() - before) / count);
    return 0;
}
