/* tests/sim/ledger - is every record a fleet was told of in an InfluxDB, value by value?
 *
 *   ledger FILE INFLUX_URL SITE    prints one JSON line; 0: nothing missing, altered or extra
 *
 * FILE is what tests/sim/fleet --ledger wrote.  A value is a function of car, signal and time, so
 * each is made again and compared as the double it is.  What is stored but was not acknowledged may
 * be there; it has to be right all the same, and a point no record has is one too many. */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "proto/signals.h"
#include "proto/vin.h"
#include "tests/sim/fleet/drive.h"

struct line { /* one record that was acknowledged */
    size_t plan;
    char vin[VIN_LEN + 1];
    unsigned car;
    long long seq;
};

struct ledger {
    struct drive_plan *plans;
    size_t plan_count;
    struct line *lines;
    size_t count, room;
};

struct tally {
    long long records, samples, values, missing, altered, extra, unacknowledged;
};

static void must(bool good, const char *what, const char *why)
{
    if (good)
        return;
    fprintf(stderr, "ledger: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    exit(2);
}

/* ---- the file */
static bool take_plan(struct ledger *l, const char *text)
{
    struct drive_plan p = {0};
    long long start, step;
    char kind[16];

    if (sscanf(text, "plan %lld %lld %zu %zu %15s", &start, &step, &p.samples, &p.signals, kind) !=
        5)
        return false;
    must(strcmp(kind, "telemetry") == 0, "only telemetry is looked for in an InfluxDB", kind);
    p.start_ms = start;
    p.step_ms = step;
    l->plans = realloc(l->plans, (l->plan_count + 1) * sizeof *l->plans);
    must(l->plans, "out of memory", NULL);
    l->plans[l->plan_count++] = p;
    return true;
}

static void take_line(struct ledger *l, const char *text, const char *site)
{
    struct line line = {.plan = l->plan_count - 1};
    char stream[64], of[64];

    if (strncmp(text, "plan ", 5) == 0 && take_plan(l, text))
        return;
    must(l->plan_count > 0 && sscanf(text, "%17s %u %63s %lld %63s", line.vin, &line.car, stream,
                                     &line.seq, of) == 5,
         "a line that is none", text);
    if (strcmp(of, site) != 0)
        return;
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 4096;
        l->lines = realloc(l->lines, l->room * sizeof *l->lines);
        must(l->lines, "out of memory", NULL);
    }
    l->lines[l->count++] = line;
}

static int by_car(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    int order = strcmp(left->vin, right->vin);

    if (left->plan != right->plan)
        return left->plan < right->plan ? -1 : 1;
    if (order)
        return order;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

static void read_ledger(struct ledger *l, const char *path, const char *site)
{
    FILE *file = fopen(path, "r");
    char text[256];

    must(file, path, strerror(errno));
    while (fgets(text, sizeof text, file) && strchr(text, '\n')) /* the last may not be whole yet */
        take_line(l, text, site);
    fclose(file);
    if (l->count)
        qsort(l->lines, l->count, sizeof *l->lines, by_car);
}

/* ---- the database */
static size_t collect(char *bytes, size_t size, size_t n, void *self)
{
    text_add(self, bytes, size * n);
    return size * n;
}

/* A plan ends where another begins. */
static int64_t end_ms(const struct ledger *l, const struct drive_plan *p)
{
    int64_t end = INT64_MAX / 1000000; /* InfluxDB counts ns */

    for (size_t i = 0; i < l->plan_count; i++)
        if (l->plans[i].start_ms > p->start_ms && l->plans[i].start_ms < end)
            end = l->plans[i].start_ms;
    return end;
}

static void print_query(struct text *q, const struct drive_plan *p, const char *vin, int64_t end)
{
    text_clear(q);
    text_print(q, "SELECT ");
    for (size_t k = 0; k < p->signals; k++)
        text_print(q, "%s\"%s\"", k ? "," : "", signal_row(drive_signal(k))->path);
    text_print(q, " FROM telemetry WHERE vin = '%s' AND time >= %lldms AND time < %lldms", vin,
               (long long)p->start_ms, (long long)end);
}

/* The rows of one car from the beginning of its plan on: [[t, value, ...], ...]; yours to decref.
 */
static json_t *ask(CURL *curl, const char *url, const struct drive_plan *p, const char *vin,
                   int64_t end)
{
    struct text query, address, answer;
    json_t *all, *rows;
    char *escaped;

    text_init(&query);
    text_init(&address);
    text_init(&answer);
    print_query(&query, p, vin, end);
    escaped = curl_easy_escape(curl, query.bytes, (int)query.len);
    must(escaped, "out of memory", NULL);
    text_print(&address, "%s/query?db=fleet&epoch=ms&q=%s", url, escaped);
    curl_free(escaped);
    curl_easy_setopt(curl, CURLOPT_URL, address.bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    must(curl_easy_perform(curl) == CURLE_OK, url, "does not answer");
    all = json_loadb(answer.bytes, answer.len, 0, NULL);
    must(all && !json_object_get(json_array_get(json_object_get(all, "results"), 0), "error"), url,
         answer.bytes);
    rows = json_object_get(
        json_array_get(
            json_object_get(json_array_get(json_object_get(all, "results"), 0), "series"), 0),
        "values");
    rows = json_incref(rows);
    json_decref(all);
    text_done(&query);
    text_done(&address);
    text_done(&answer);
    return rows;
}

/* ---- one car of one plan */
static void compare_row(struct tally *t, const struct drive_plan *p, unsigned car,
                        const json_t *row)
{
    int64_t t_ms = json_integer_value(json_array_get(row, 0));

    for (size_t k = 0; k < p->signals; k++) {
        const json_t *value = json_array_get(row, k + 1);
        double wanted = drive_value(car, k, t_ms);

        t->values++;
        if (!json_is_number(value) || json_number_value(value) != wanted)
            t->altered++;
    }
}

/* Which samples are there. */
static void mark_rows(struct tally *t, const struct drive_plan *p, unsigned car, json_t *rows,
                      bool *there, size_t room)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        int64_t at_ms = json_integer_value(json_array_get(row, 0)) - p->start_ms;

        if (at_ms % p->step_ms != 0) {
            t->extra++;
            continue;
        }
        compare_row(t, p, car, row);
        if ((size_t)(at_ms / p->step_ms) < room)
            there[at_ms / p->step_ms] = true;
        else
            t->unacknowledged++;
    }
}

static void compare_car(struct tally *t, CURL *curl, const char *url, const struct drive_plan *p,
                        int64_t end, const struct line *lines, size_t n)
{
    size_t room = (size_t)lines[n - 1].seq * p->samples;
    bool *there = calloc(room, sizeof *there);
    json_t *rows = ask(curl, url, p, lines[0].vin, end);

    must(there, "out of memory", NULL);
    mark_rows(t, p, lines[0].car, rows, there, room);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && lines[i].seq == lines[i - 1].seq)
            continue; /* told twice */
        t->records++;
        for (size_t k = 0; k < p->samples; k++, t->samples++)
            if (!there[(size_t)(lines[i].seq - 1) * p->samples + k])
                t->missing++;
    }
    json_decref(rows);
    free(there);
}

int main(int argc, char **argv)
{
    struct ledger l = {0};
    struct tally t = {0};
    CURL *curl;

    must(argc == 4, "usage: ledger FILE INFLUX_URL SITE", NULL);
    read_ledger(&l, argv[1], argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    must((curl = curl_easy_init()) != NULL, "curl", NULL);
    for (size_t i = 0, n; i < l.count; i += n) {
        for (n = 1; i + n < l.count && l.lines[i + n].plan == l.lines[i].plan &&
                    strcmp(l.lines[i + n].vin, l.lines[i].vin) == 0;)
            n++;
        compare_car(&t, curl, argv[2], &l.plans[l.lines[i].plan],
                    end_ms(&l, &l.plans[l.lines[i].plan]), l.lines + i, n);
    }
    curl_easy_cleanup(curl);
    free(l.lines);
    free(l.plans);
    printf("{\"records\":%lld,\"samples\":%lld,\"values\":%lld,\"missing\":%lld,\"altered\":%lld,"
           "\"extra\":%lld,\"unacknowledged\":%lld}\n",
           t.records, t.samples, t.values, t.missing, t.altered, t.extra, t.unacknowledged);
    return t.missing || t.altered || t.extra ? EXIT_FAILURE : EXIT_SUCCESS;
}
