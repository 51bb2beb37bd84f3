/* tests/bench/columnar - the columnar record beside telemetry/1 as JSON: bytes and CPU time a
 * sample, on a recorded drive, same samples, same run, turn about.  17 signals at 1 Hz: ten as an
 * ELM327 answered them, three as a GPS receiver measured them on another drive, four made up
 * (altitude, battery voltage, accuracy, fuel level).  Run from the project's folder. CPU time of
 * this process; the median of the rounds, and how far they lie apart. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/store/line.h"
#include "lib/text.h"
#include "proto/columnar.h"

#define ROUNDS 9
#define SAMPLES_A_ROUND 20000
#define JSON_SAMPLES_A_ROUND 4000
#define SIGNALS 17
#define SECONDS_MAX 840
#define RECORD_BYTES 65536

static const char *const paths[SIGNALS] = {
    "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature",
    "Vehicle.Powertrain.CombustionEngine.MAP",
    "Vehicle.Powertrain.CombustionEngine.Speed",
    "Vehicle.Speed",
    "Vehicle.OBD.IntakeTemp",
    "Vehicle.Powertrain.CombustionEngine.MAF",
    "Vehicle.Powertrain.CombustionEngine.TPS",
    "Vehicle.Exterior.AirTemperature",
    "Vehicle.Chassis.Accelerator.PedalPosition",
    "Vehicle.OBD.AcceleratorPositionE",
    "Vehicle.CurrentLocation.Latitude",
    "Vehicle.CurrentLocation.Longitude",
    "Vehicle.CurrentLocation.Heading",
    "Vehicle.CurrentLocation.Altitude",
    "Vehicle.LowVoltageBattery.CurrentVoltage",
    "Vehicle.CurrentLocation.HorizontalAccuracy",
    "Vehicle.Powertrain.FuelSystem.RelativeLevel",
};

static double drive[SECONDS_MAX][SIGNALS];
static uint16_t ids[SIGNALS];
static size_t seconds;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench/columnar: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- the drive ---- */

/* The state at each full second: the rows carry the last answer to every PID. */
static void load_obd(void)
{
    FILE *file = fopen("tests/captures/kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv", "r");
    double began = -1, row[10];
    char line[256];

    must(file, "no recorded drive: run from the project's folder");
    while (fgets(line, sizeof line, file) && seconds < SECONDS_MAX) {
        int hour, minute;
        double second, now;
        char *at = strchr(line, ','), *end = line;
        size_t have = 0;

        if (!at || sscanf(line, "%d:%d:%lf", &hour, &minute, &second) != 3)
            continue;
        for (at++; have < 10; at = end + 1, have++) {
            row[have] = strtod(at, &end);
            if (end == at)
                break;
        }
        now = hour * 3600 + minute * 60 + second;
        if (have < 10) /* the first second: not every PID was answered yet */
            continue;
        began = began < 0 ? now : began;
        while (seconds < SECONDS_MAX && now >= began + (double)seconds)
            memcpy(drive[seconds++], row, sizeof row);
    }
    fclose(file);
}

/* A field of a line, counted from 0; a field may be empty. */
static const char *field(const char *line, size_t wanted)
{
    for (; wanted > 0 && line; wanted--)
        if ((line = strchr(line, ',')))
            line++;
    return line ? line : "";
}

static void load_gps(void)
{
    FILE *file = fopen("tests/captures/ndsbr_driver_B_trip_B08.csv", "r");
    char line[256];
    size_t i = 0;

    must(file, "no recorded positions: run from the project's folder");
    while (fgets(line, sizeof line, file) && i < seconds) {
        double latitude = strtod(field(line, 4), NULL);

        if (latitude == 0) /* the heading */
            continue;
        drive[i][10] = latitude;
        drive[i][11] = strtod(field(line, 5), NULL);
        drive[i++][12] = strtod(field(line, 8), NULL);
    }
    must(i == seconds, "fewer positions than seconds");
    fclose(file);
}

static void load_drive(void)
{
    load_obd();
    load_gps();
    must(seconds == SECONDS_MAX, "the drive is shorter than it was");
    for (size_t k = 0; k < SIGNALS; k++)
        must((ids[k] = signal_find(paths[k], strlen(paths[k]))) != SIGNAL_NONE, paths[k]);
    for (size_t i = 0; i < seconds; i++) {
        double t = (double)i;

        drive[i][13] = 140 + 9 * sin(t / 40);
        drive[i][14] = 14.2 + 0.08 * sin(t / 3) + 0.02 * sin(t * 7);
        drive[i][15] = 3.2 + round(4 * sin(t / 15)) / 10;
        drive[i][16] = 61 - t / 400;
        for (size_t k = 0; k < SIGNALS; k++)
            drive[i][k] = signal_round(ids[k], drive[i][k]);
    }
}

/* ---- the two ---- */

struct records {
    struct telemetry *of; /* the drive, cut into records */
    char *json, *columnar;
    size_t *json_len, *columnar_len;
    size_t count, samples;
};

static void cut(struct records *r, size_t samples)
{
    struct fault fault;

    r->samples = samples;
    r->count = seconds / samples;
    r->of = calloc(r->count, sizeof *r->of);
    r->json = malloc(r->count * RECORD_BYTES);
    r->columnar = malloc(r->count * RECORD_BYTES);
    r->json_len = calloc(r->count, sizeof *r->json_len);
    r->columnar_len = calloc(r->count, sizeof *r->columnar_len);
    must(r->of && r->json && r->columnar && r->json_len && r->columnar_len, "out of memory");
    for (size_t i = 0; i < r->count * samples; i++) {
        struct telemetry *t = &r->of[i / samples];

        strcpy(t->head.stream, "0197f3c2-5f0e-7abc-8def-0123456789ab");
        t->head.seq = 4242 + (int64_t)(i / samples);
        t->head.clock = CLOCK_GPS;
        must(telemetry_sample(t, 1795248000000 + 1000 * (int64_t)i, &fault) == ST_OK, fault.text);
        for (size_t k = 0; k < SIGNALS; k++)
            must(telemetry_reading(t, ids[k], drive[i][k], &fault) == ST_OK, fault.text);
    }
}

static void release(struct records *r)
{
    for (size_t i = 0; i < r->count; i++)
        telemetry_done(&r->of[i]);
    free(r->of);
    free(r->json);
    free(r->columnar);
    free(r->json_len);
    free(r->columnar_len);
}

static void write_all(struct records *r, bool columnar)
{
    struct fault fault;

    for (size_t i = 0; i < r->count; i++)
        must((columnar ? columnar_write(&r->of[i], r->columnar + i * RECORD_BYTES, RECORD_BYTES,
                                        &r->columnar_len[i], &fault)
                       : telemetry_write(&r->of[i], r->json + i * RECORD_BYTES, RECORD_BYTES,
                                         &r->json_len[i], &fault)) == ST_OK,
             fault.text);
}

static void read_one(const struct records *r, size_t i, bool columnar, struct telemetry *t)
{
    struct fault fault;

    must((columnar
              ? columnar_read(t, r->columnar + i * RECORD_BYTES, r->columnar_len[i], &fault)
              : telemetry_read(t, r->json + i * RECORD_BYTES, r->json_len[i], &fault)) == ST_OK,
         fault.text);
    must(t->sample_count == r->samples, "samples");
}

static void read_all(const struct records *r, bool columnar, struct telemetry *t)
{
    for (size_t i = 0; i < r->count; i++)
        read_one(r, i, columnar, t);
}

static void line_all(const struct records *r, bool columnar, struct telemetry *t)
{
    static struct text lines;

    for (size_t i = 0; i < r->count; i++) {
        read_one(r, i, columnar, t);
        text_clear(&lines);
        must(line_add(&lines, "WVWZZZ1KZAW000001", t, 0, t->sample_count) == r->samples, "lines");
    }
}

/* Both give back what was written, to the bit; otherwise their times mean nothing. */
static void check_all(const struct records *r, bool columnar, struct telemetry *t)
{
    for (size_t i = 0; i < r->count; i++) {
        read_one(r, i, columnar, t);
        must(t->reading_count == r->of[i].reading_count, "readings");
        for (size_t k = 0; k < t->reading_count; k++)
            must(t->readings[k].signal == r->of[i].readings[k].signal &&
                     memcmp(&t->readings[k].value, &r->of[i].readings[k].value, 8) == 0,
                 "a value came back different");
    }
}

/* ---- measuring ---- */

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

enum work { WRITE, READ, TO_LINE };

/* One round; ns per sample. */
static double measure(struct records *r, bool columnar, enum work work, struct telemetry *t)
{
    size_t samples = r->count * r->samples;
    size_t turns = (columnar ? SAMPLES_A_ROUND : JSON_SAMPLES_A_ROUND) / samples;
    double began = cpu_ns();

    for (size_t i = 0; i < turns; i++) {
        if (work == WRITE)
            write_all(r, columnar);
        else if (work == READ)
            read_all(r, columnar, t);
        else
            line_all(r, columnar, t);
    }
    return (cpu_ns() - began) / (double)(turns * samples);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void compare_times(struct records *r, enum work work, struct telemetry *t)
{
    static const char *const name[] = {"write", "read", "to line"};
    double ours[ROUNDS], json[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        ours[i] = measure(r, true, work, t);
        json[i] = measure(r, false, work, t);
    }
    qsort(ours, ROUNDS, sizeof *ours, by_value);
    qsort(json, ROUNDS, sizeof *json, by_value);
    printf("columnar|%s, %zu a record|ns a sample|%.0f (%.0f .. %.0f)|%.0f (%.0f .. %.0f)|%.1f|"
           "beside it: telemetry/1, JSON\n",
           name[work], r->samples, ours[ROUNDS / 2], ours[0], ours[ROUNDS - 1], json[ROUNDS / 2],
           json[0], json[ROUNDS - 1], json[ROUNDS / 2] / ours[ROUNDS / 2]);
}

static double bytes_a_sample(const size_t *len, const struct records *r)
{
    size_t all = 0;

    for (size_t i = 0; i < r->count; i++)
        all += len[i];
    return (double)all / (double)(r->count * r->samples);
}

static void compare(size_t samples)
{
    struct records r;
    struct telemetry t;
    double ours, json;

    telemetry_init(&t);
    cut(&r, samples);
    for (int columnar = 0; columnar < 2; columnar++) {
        write_all(&r, columnar);
        check_all(&r, columnar, &t);
    }
    ours = bytes_a_sample(r.columnar_len, &r);
    json = bytes_a_sample(r.json_len, &r);
    printf(
        "columnar|size, %zu a record|bytes a sample|%.1f|%.0f|%.1f|17 signals, %zu s of a drive; "
        "%.0f bytes a record\n",
        samples, ours, json, json / ours, r.count * samples, ours * (double)samples);
    for (enum work work = WRITE; work <= TO_LINE; work++)
        compare_times(&r, work, &t);
    release(&r);
    telemetry_done(&t);
}

int main(void)
{
    load_drive();
    compare(1);
    compare(2);
    compare(10);
    compare(30);
    return EXIT_SUCCESS;
}
