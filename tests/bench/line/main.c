/* tests/bench/line - telemetry/1 in, InfluxDB lines out: ours beside a straightforward version with
 * the library everybody uses (jansson's tree, printf's %.17g), same bytes, same run, turn about.
 * CPU time of this process per sample; the median of the rounds, and how far they lie apart. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/store/line.h"
#include "lib/text.h"
#include "proto/telemetry.h"

#define ROUNDS 9
#define SAMPLES_A_ROUND 20000
#define VIN "WVWZZZ1KZAW000001"

struct record {
    char bytes[32768];
    size_t len, samples;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench/line: %s\n", what);
    exit(EXIT_FAILURE);
}

/* 17 signals that drift as a car's do, each with the decimals its sender keeps. */
static void make_record(struct record *out, size_t samples)
{
    static const char *const paths[] = {
        "Vehicle.Speed",
        "Vehicle.CurrentLocation.Latitude",
        "Vehicle.CurrentLocation.Longitude",
        "Vehicle.CurrentLocation.Altitude",
        "Vehicle.CurrentLocation.Heading",
        "Vehicle.CurrentLocation.HorizontalAccuracy",
        "Vehicle.Powertrain.CombustionEngine.Speed",
        "Vehicle.LowVoltageBattery.CurrentVoltage",
        "Vehicle.OBD.EngineLoad",
        "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature",
        "Vehicle.Powertrain.CombustionEngine.MAP",
        "Vehicle.OBD.IntakeTemp",
        "Vehicle.Powertrain.CombustionEngine.MAF",
        "Vehicle.Powertrain.CombustionEngine.TPS",
        "Vehicle.Powertrain.FuelSystem.RelativeLevel",
        "Vehicle.Exterior.AirTemperature",
        "Vehicle.OBD.RelativeThrottlePosition",
    };
    struct telemetry t;
    struct fault fault;

    telemetry_init(&t);
    t.head = (struct envelope){.stream = "0197f3c2-5f0e-7abc-8def-0123456789ab", .seq = 42};
    t.head.clock = CLOCK_GPS;
    for (size_t i = 0; i < samples; i++) {
        must(telemetry_sample(&t, 1795248000000 + 1000 * (int64_t)i, &fault) == ST_OK, "sample");
        for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
            uint16_t id = signal_find(paths[k], strlen(paths[k]));
            double value = 12.3456789 * (double)(k + 1) + 0.7654321 * (double)i;

            must(id != SIGNAL_NONE, paths[k]);
            must(telemetry_reading(&t, id, signal_round(id, value), &fault) == ST_OK, "reading");
        }
    }
    must(telemetry_write(&t, out->bytes, sizeof out->bytes, &out->len, &fault) == ST_OK, "write");
    out->samples = samples;
    telemetry_done(&t);
}

/* The two competitors: `read` takes the record apart, `line` writes it as lines. */
static void ours_read(const struct record *r, struct telemetry *t)
{
    struct fault fault;

    must(telemetry_read(t, r->bytes, r->len, &fault) == ST_OK, "our reader refuses the record");
}

static json_t *plain_read(const struct record *r)
{
    json_t *root = json_loadb(r->bytes, r->len, JSON_REJECT_DUPLICATES, NULL);

    must(root, "jansson refuses the record");
    return root;
}

static size_t plain_line(json_t *root, struct text *out)
{
    json_t *samples = json_object_get(root, "samples"), *sample, *value;
    const char *path;
    size_t i, lines = 0;

    json_array_foreach(samples, i, sample)
    {
        char separator = ' ';

        text_print(out, "telemetry,vin=%s", VIN);
        json_object_foreach(json_object_get(sample, "s"), path, value)
        {
            char field[200];
            int n = snprintf(field, sizeof field, "%c%s=%.17g", separator, path,
                             json_number_value(value));

            text_add(out, field, (size_t)n);
            separator = ',';
        }
        text_print(out, " %lld\n", (long long)json_integer_value(json_object_get(sample, "t")));
        lines++;
    }
    return lines;
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* One round; ns per sample.  Without `reads` the record was taken apart before the clock starts. */
static double measure_ours(const struct record *r, bool reads, size_t turns, struct text *out)
{
    struct telemetry t;
    double began;

    telemetry_init(&t);
    ours_read(r, &t);
    began = cpu_ns();
    for (size_t i = 0; i < turns; i++) {
        text_clear(out);
        if (reads)
            ours_read(r, &t);
        must(line_add(out, VIN, &t, 0, t.sample_count) == r->samples, "lines");
    }
    began = cpu_ns() - began;
    telemetry_done(&t);
    return began / (double)(turns * r->samples);
}

static double measure_plain(const struct record *r, bool reads, size_t turns, struct text *out)
{
    json_t *root = plain_read(r);
    double began = cpu_ns();

    for (size_t i = 0; i < turns; i++) {
        text_clear(out);
        if (reads) {
            json_decref(root);
            root = plain_read(r);
        }
        must(plain_line(root, out) == r->samples, "lines");
    }
    began = cpu_ns() - began;
    json_decref(root);
    return began / (double)(turns * r->samples);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void compare(size_t samples, bool reads)
{
    static struct record r;
    double ours[ROUNDS], plain[ROUNDS];
    size_t turns = SAMPLES_A_ROUND / samples, our_bytes = 0, plain_bytes = 0;
    struct text out;

    text_init(&out);
    make_record(&r, samples);
    for (size_t i = 0; i < ROUNDS; i++) {
        ours[i] = measure_ours(&r, reads, turns, &out);
        our_bytes = out.len / samples;
        plain[i] = measure_plain(&r, reads, turns, &out);
        plain_bytes = out.len / samples;
    }
    text_done(&out);
    qsort(ours, ROUNDS, sizeof *ours, by_value);
    qsort(plain, ROUNDS, sizeof *plain, by_value);
    printf("line|%s, %zu a record|ns a sample|%.0f (%.0f .. %.0f)|%.0f (%.0f .. %.0f)|%.1f|"
           "17 signals; JSON %zu B, line %zu and %zu B\n",
           reads ? "telemetry/1 to line" : "line alone", samples, ours[ROUNDS / 2], ours[0],
           ours[ROUNDS - 1], plain[ROUNDS / 2], plain[0], plain[ROUNDS - 1],
           plain[ROUNDS / 2] / ours[ROUNDS / 2], r.len / samples, our_bytes, plain_bytes);
}

int main(void)
{
    compare(1, true);
    compare(10, true);
    compare(40, true);
    compare(10, false);
    return EXIT_SUCCESS;
}
