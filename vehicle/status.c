/* vehicle/status.c - see status.h. */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "identity.h"
#include "keyring.h"
#include "known.h"
#include "lib/clock.h"
#include "lib/http.h"
#include "outbox.h"
#include "proto/ack.h"
#include "proto/fact.h"

#define DAY_MS 86400000

/* ---- words */

void status_span(char out[32], int64_t ms)
{
    long long s = ms / 1000, min = s / 60, h = min / 60;

    if (ms < 0)
        snprintf(out, 32, "in the future");
    else if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else if (min < 60)
        snprintf(out, 32, "%lld min", min);
    else if (h < 24)
        snprintf(out, 32, "%lld h %lld min", h, min % 60);
    else
        snprintf(out, 32, "%lld d %lld h", h / 24, h % 24);
}

void status_size(char out[32], double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB"};
    int i = 0;

    for (; bytes >= 1000 && i < 3; i++)
        bytes /= 1000;
    snprintf(out, 32, bytes < 10 && i > 0 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

/* ---- what the running agent says */

static enum status status_get(struct http *http, const char *admin, const char *path, int *code,
                              struct text *answer, struct fault *fault)
{
    char url[600];
    struct http_request request = {.method = "GET", .url = url};

    snprintf(url, sizeof url, "http://%s%s", admin, path);
    return http_call(http, &request, code, answer, fault);
}

/* The value of `name` (with its label, as printed) in Prometheus text.  False: absent. */
static bool status_metric(const struct text *metrics, const char *name, double *out)
{
    size_t len = strlen(name);

    *out = 0;
    for (const char *line = metrics->bytes; line != NULL && *line != '\0';) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            *out = strtod(line + len + 1, NULL);
            return true;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return false;
}

/* The label of the series of `name` whose value is 1; "" none. */
static void status_labelled(const struct text *metrics, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = metrics->bytes; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n'), *from, *to;

        if (strncmp(line, name, len) == 0 && line[len] == '{' && end != NULL &&
            strncmp(end - 2, " 1", 2) == 0 && (from = strchr(line, '"')) != NULL &&
            (to = strchr(from + 1, '"')) != NULL && to < end) {
            snprintf(out, size, "%.*s", (int)(to - from - 1), from + 1);
            return;
        }
        line = end == NULL ? NULL : end + 1;
    }
}

static void status_ago(const struct text *m, const char *what, const char *words)
{
    char name[96], span[32];
    double seconds;

    snprintf(name, sizeof name, "vigie_vehicle_last_timestamp_seconds{what=\"%s\"}", what);
    if (!status_metric(m, name, &seconds))
        return;
    status_span(span, clock_now_ms() - (int64_t)(seconds * 1000));
    printf(", %s %s ago", words, span);
}

static void status_source(const struct text *m, const char *name, const char *words)
{
    static const char *const states[] = {"absent", "ok", "searching", "silent", "gone"};
    char metric[96];
    double state;

    snprintf(metric, sizeof metric, "vigie_vehicle_source_state{source=\"%s\"}", name);
    (void)status_metric(m, metric, &state);
    printf("%-12s%s", name, state >= 0 && state < 5 ? states[(int)state] : "unknown");
    status_ago(m, name, words);
}

static void status_requests(const struct text *m)
{
    static const char *const outcomes[] = {"answered", "no_data", "no_ecu", "timeout"};
    char name[96];
    double n;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        snprintf(name, sizeof name, "vigie_vehicle_obd_requests_total{outcome=\"%s\"}",
                 outcomes[i]);
        if (status_metric(m, name, &n))
            printf(", %.0f %s", n, outcomes[i]);
    }
    printf("\n");
}

static void status_supply(const struct text *m)
{
    double volts;

    if (!status_metric(m, "vigie_vehicle_supply_volts", &volts) || volts <= 0)
        return; /* nobody has told it yet */
    printf("supply      %.1f V", volts);
    status_ago(m, "supply", "told");
    printf("\n");
}

static void status_metrics(const struct text *m)
{
    static const char *const clocks[] = {"none: nothing vouches for it", "rtc", "ntp", "gps"};
    char broker[160];
    double value;

    status_labelled(m, "vigie_vehicle_broker_connected", broker, sizeof broker);
    (void)status_metric(m, "vigie_vehicle_connected", &value);
    printf("broker      %s%s", value != 0 ? "connected to " : "not connected",
           value != 0 ? broker : "");
    status_ago(m, "ack", "last ack");
    printf("\n");
    status_source(m, "gps", "last fix");
    (void)status_metric(m, "vigie_vehicle_gps_fixes_total", &value);
    printf(", %.0f fixes\n", value);
    status_source(m, "obd", "last answer");
    status_requests(m);
    status_supply(m);
    (void)status_metric(m, "vigie_vehicle_clock_source", &value);
    printf("clock       %s\n", value >= 0 && value < 4 ? clocks[(int)value] : "unknown");
    if (status_metric(m, "vigie_vehicle_outbox_writable", &value) && value == 0)
        printf("disk        takes nothing: the agent goes on in memory\n");
    if (status_metric(m, "vigie_vehicle_private", &value) && value != 0)
        printf("private     yes: no place is kept or sent\n");
}

/* NULL: it has started. */
static const char *status_waits(const struct text *metrics, char words[96])
{
    char what[32];

    status_labelled(metrics, "vigie_vehicle_waits", what, sizeof what);
    if (what[0] == '\0')
        return NULL;
    snprintf(words, 96, "not ready: its start waits for the %s",
             strcmp(what, "vin") == 0      ? "car to tell its VIN"
             : strcmp(what, "outbox") == 0 ? "outbox, its log says why"
                                           : what);
    return words;
}

static void status_answers(const struct text *metrics, const char *admin, bool ready)
{
    char words[96];
    const char *waits = status_waits(metrics, words);

    printf("agent       running, %s (%s)\n",
           waits != NULL ? waits
           : ready       ? "ready"
                         : "not ready: its outbox takes nothing",
           admin);
    if (waits == NULL)
        status_metrics(metrics);
}

/* Any agent tells what its start waits for; another program does not. */
static bool status_is_agent(int code, const struct text *metrics)
{
    return code == 200 && metrics->len > 0 &&
           strstr(metrics->bytes, "\nvigie_vehicle_waits{") != NULL;
}

static enum status status_agent(const struct vehicle_settings *set, struct fault *fault)
{
    struct http_options options = {.timeout_ms = 2000};
    const char *admin = set->common.admin;
    struct http *http = NULL;
    struct text answer;
    int ready = 0, code = 0;
    enum status st;

    text_init(&answer);
    if ((st = http_open(&http, &options, fault)) != ST_OK)
        return st;
    if ((st = status_get(http, admin, "/readyz", &ready, &answer, fault)) == ST_OK)
        st = status_get(http, admin, "/metrics", &code, &answer, fault);
    if (st != ST_OK) {
        printf("agent       does not run: nothing answers at %s\n", admin);
    } else if (!status_is_agent(code, &answer)) {
        printf("agent       does not run, or not there: something else answers at %s\n", admin);
        st = fault_set(fault, ST_RETRY, "what answers at %s is no vigie-vehicle", admin);
    } else {
        status_answers(&answer, admin, ready == 200);
    }
    text_done(&answer);
    http_close(http);
    return st;
}

/* ---- what the outbox holds */

static void status_ack(void *self, const char *name, const char *bytes, size_t len)
{
    struct outbox *o = self;
    struct ack ack;

    (void)name;
    if (ack_read(&ack, bytes, len, NULL) != ST_OK)
        return;
    for (int i = 0; i < STREAMS; i++) {
        enum outbox_stream stream = (enum outbox_stream)i;
        int64_t owed = outbox_given(o, stream) - ack.mark.upto;

        if (strcmp(ack.stream, outbox_stream_id(o, stream)) != 0)
            continue;
        for (size_t k = 0; k < ack.mark.gap_count; k++)
            owed += ack.mark.gaps[k].last - ack.mark.gaps[k].first + 1;
        printf("site        %s has %s up to %lld of %lld, %lld to go\n", ack.site,
               outbox_stream_name(stream), (long long)ack.mark.upto,
               (long long)outbox_given(o, stream), (long long)owed);
    }
}

static void status_last_event(struct outbox *o, const char *vin)
{
    static struct outbox_record record;
    static const struct {
        enum outbox_stream stream;
        enum leaf leaf;
        const char *word;
    } kinds[] = {{STREAM_BULK, LEAF_EVENT, "event"}, {STREAM_URGENT, LEAF_ALERT, "alert"}};
    struct fault fault;
    struct fact fact;
    char span[32];

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (outbox_newest(o, kinds[i].stream, kinds[i].leaf, &record, &fault) != ST_OK ||
            fact_read(&fact, vin, kinds[i].leaf, record.payload, record.len, &fault) != ST_OK)
            continue;
        status_span(span, clock_now_ms() - fact.t_ms);
        printf("last %-7s%s, %s ago\n", kinds[i].word, fact.type, span);
    }
}

static void status_records(struct outbox *o, int64_t limit_bytes)
{
    char span[32] = "", size[32], limit[32];
    int64_t oldest_ms = outbox_oldest_ms(o, STREAM_BULK);

    status_size(size, (double)outbox_used_bytes(o));
    status_size(limit, (double)limit_bytes);
    status_span(span, clock_now_ms() - oldest_ms);
    printf("outbox      %lld records of telemetry and events, %lld urgent, %s of %s",
           (long long)outbox_count(o, STREAM_BULK), (long long)outbox_count(o, STREAM_URGENT), size,
           limit);
    if (oldest_ms != 0)
        printf(", the oldest made %s ago", span);
    printf("\n");
}

static void status_outbox(const struct vehicle_settings *set, const char *vin)
{
    struct outbox *o = NULL;
    struct fault fault = {""};

    if (access(set->outbox, W_OK) != 0 && errno == EROFS)
        printf("disk        %s is on a file system that is read-only\n", set->outbox);
    if (outbox_look_in(&o, set->outbox, &fault) != ST_OK) {
        printf("outbox      %s\n", fault.text);
        return;
    }
    status_records(o, set->outbox_limit);
    if (outbox_each(o, "ack/", status_ack, o, &fault) != ST_OK)
        printf("site        %s\n", fault.text);
    status_last_event(o, vin);
    outbox_close(o);
}

/* ---- what it was told */

static void status_config(const struct vehicle_settings *set)
{
    char brokers[CONFIG_BROKERS_MAX] = "";
    struct fault fault = {""};
    struct config config;
    struct text text;

    text_init(&text);
    if (known_read(set->outbox, brokers, &text, &fault) != ST_OK || text.len == 0 ||
        config_read(&config, text.bytes, text.len, &fault) != ST_OK) {
        printf("config      none yet: nothing may be forgotten\n");
    } else {
        printf("config      revision %lld, required sites", (long long)config.revision);
        for (size_t i = 0; i < config.site_count; i++)
            printf("%s %s", i > 0 ? "," : "", config.sites[i]);
        printf("%s\n", config.site_count == 0 ? " none: nothing may be forgotten" : "");
    }
    if (set->brokers[0] != '\0' || brokers[0] != '\0')
        printf("brokers     %s\n", set->brokers[0] != '\0' ? set->brokers : brokers);
    text_done(&text);
}

static void status_certificate(const struct vehicle_settings *set)
{
    int64_t from_ms = 0, to_ms = 0, left_ms;
    struct fault fault = {""};
    struct tm tm;
    time_t end;

    if (keyring_span(set->cert, &from_ms, &to_ms, &fault) != ST_OK) {
        printf("certificate %s\n", fault.text[0] != '\0' ? fault.text : "none: not enrolled");
        return;
    }
    end = (time_t)(to_ms / 1000);
    left_ms = to_ms - clock_now_ms();
    gmtime_r(&end, &tm);
    printf("certificate good until %04d-%02d-%02d, %s%lld days\n", tm.tm_year + 1900, tm.tm_mon + 1,
           tm.tm_mday, left_ms < 0 ? "ENDED, for " : "", llabs(left_ms) / DAY_MS);
}

enum status status_print(const struct vehicle_settings *set, struct fault *fault)
{
    char vin[VIN_LEN + 1] = "";
    struct fault why = {""};
    enum status st;

    if (identity_settle(vin, set->vin, set->cert, &why) == ST_OK)
        printf("vehicle     %s\n", vin);
    else
        printf("vehicle     not known yet%s%s\n", why.text[0] != '\0' ? ": " : "", why.text);
    st = status_agent(set, fault);
    status_outbox(set, vin);
    status_config(set);
    status_certificate(set);
    return st;
}
