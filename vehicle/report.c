/* vehicle/report.c - see report.h. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http.h"
#include "obd/adapter.h"
#include "obd/pids.h"
#include "obd/survey.h"

/* ---- --status */

static enum status report_get(struct http *http, const char *admin, const char *path, int *code,
                              struct text *answer, struct fault *fault)
{
    char url[600];
    struct http_request request = {.method = "GET", .url = url};

    snprintf(url, sizeof url, "http://%s%s", admin, path);
    return http_call(http, &request, code, answer, fault);
}

/* The value of `name` (with its label, as printed) in Prometheus text; "" when absent. */
static const char *report_metric(const struct text *metrics, const char *name, char out[32])
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = metrics->bytes; line != NULL && *line != '\0';) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            snprintf(out, 32, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
            return out;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return out;
}

static const char *report_source(const struct text *metrics, const char *name)
{
    static const char *const words[] = {"absent", "ok", "searching", "silent", "gone"};
    char value[32];
    int state = atoi(report_metric(metrics, name, value));

    return state >= 0 && state < 5 ? words[state] : "unknown";
}

static void report_metrics(const struct text *m)
{
    static const char *const outcomes[] = {"answered", "no_data", "no_ecu", "timeout"};
    char value[32], name[96];

    printf("broker     %s\n", atoi(report_metric(m, "vigie_vehicle_connected", value)) != 0
                                  ? "connected"
                                  : "not connected");
    printf("gps        %s, %s fixes\n",
           report_source(m, "vigie_vehicle_source_state{source=\"gps\"}"),
           report_metric(m, "vigie_vehicle_gps_fixes_total", value));
    printf("obd        %s", report_source(m, "vigie_vehicle_source_state{source=\"obd\"}"));
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        snprintf(name, sizeof name, "vigie_vehicle_obd_requests_total{outcome=\"%s\"}",
                 outcomes[i]);
        if (report_metric(m, name, value)[0] != '\0')
            printf(", %s %s", value, outcomes[i]);
    }
    printf("\noutbox     %s telemetry and event records",
           report_metric(m, "vigie_vehicle_outbox_records{stream=\"bulk\"}", value));
    printf(", %s urgent",
           report_metric(m, "vigie_vehicle_outbox_records{stream=\"urgent\"}", value));
    printf(", %s bytes\n", report_metric(m, "vigie_vehicle_outbox_bytes", value));
}

enum status report_status(const struct vehicle_settings *set, struct fault *fault)
{
    struct http_options options = {.timeout_ms = 2000};
    struct http *http = NULL;
    struct text answer;
    int code = 0;
    enum status st;

    text_init(&answer);
    if ((st = http_open(&http, &options, fault)) != ST_OK)
        return st;
    if ((st = report_get(http, set->common.admin, "/readyz", &code, &answer, fault)) == ST_OK) {
        printf("agent      running, %s (%s)\n",
               code == 200 ? "ready" : "not ready: its outbox takes nothing", set->common.admin);
        st = report_get(http, set->common.admin, "/metrics", &code, &answer, fault);
        if (st == ST_OK)
            report_metrics(&answer);
    } else {
        printf("agent      does not answer at %s\n", set->common.admin);
    }
    text_done(&answer);
    http_close(http);
    return st;
}

/* ---- --probe */

static enum status report_open(struct link **out, const struct vehicle_settings *set,
                               struct fault *fault)
{
    struct obd_address address;
    enum status st = obd_address_read(&address, set->obd, fault);

    if (st != ST_OK)
        return st;
    if (address.none)
        return fault_set(fault, ST_REJECT, "--obd is none: nothing to ask");
    return adapter_open(out, &address, '0', fault);
}

static void report_reading(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    (void)self;
    for (size_t i = 0; i < n; i++) {
        const struct signal_row *row = signal_row(readings[i].signal);

        if (row != NULL)
            printf("  %02X  %-62s %g %s\n", pid, row->path,
                   signal_round(readings[i].signal, readings[i].value), row->unit);
    }
}

static enum status report_values(struct link *link, const struct support *support,
                                 struct fault *fault)
{
    bool ask[SUPPORT_PIDS];
    struct link_answer answer;
    enum status st;

    support_choose(support, ask);
    for (unsigned pid = 0; pid < SUPPORT_PIDS; pid++) {
        const uint8_t request[] = {0x01, (uint8_t)pid};

        if (!ask[pid])
            continue;
        if ((st = survey_ask(link, request, sizeof request, 0, &answer, fault)) != ST_OK)
            return st;
        if (answer.outcome != LINK_ANSWERED)
            printf("  %02X  %s\n", pid, link_outcome_name(answer.outcome));
        for (size_t i = 0; i < answer.count; i++)
            if (support_is_owner(support, answer.messages[i].ecu, (uint8_t)pid))
                pid_decode_answer(answer.bytes + answer.messages[i].at, answer.messages[i].len,
                                  request + 1, 1, report_reading, NULL);
    }
    return ST_OK;
}

static void report_ecus(const struct support *support)
{
    char ecu[LINK_ECU_TEXT];

    for (size_t i = 0; i < support->count; i++) {
        unsigned n = 0;

        for (unsigned pid = 0; pid < SUPPORT_PIDS; pid++)
            n += support->ecus[i].has[pid];
        link_print_ecu(ecu, support->ecus[i].ecu);
        printf("ecu        %s offers %u identifiers\n", ecu[0] == '\0' ? "(without name)" : ecu, n);
    }
}

static void report_diagnosis(const struct diagnosis *d)
{
    char ecu[LINK_ECU_TEXT];

    printf("vin        %s\n", d->vin[0] == '\0' ? "the car does not tell" : d->vin);
    if (d->readiness.known)
        printf("mil        %s\n", d->readiness.mil_on ? "on" : "off");
    for (int state = DTC_STORED; state < DTC_STATES; state++)
        printf("codes      %s: list %s\n", dtc_state_name((enum dtc_state)state),
               dtc_list_name(d->dtcs.lists[state]));
    for (size_t i = 0; i < d->dtcs.count; i++) {
        link_print_ecu(ecu, d->dtcs.codes[i].ecu);
        printf("  %s %s %s\n", d->dtcs.codes[i].code, dtc_state_name(d->dtcs.codes[i].state), ecu);
    }
}

enum status report_probe(const struct vehicle_settings *set, struct fault *fault)
{
    struct support support;
    struct diagnosis diagnosis;
    struct link *link = NULL;
    double volts;
    enum status st = report_open(&link, set, fault);

    if (st != ST_OK)
        return st;
    printf("adapter    %s\n", link->adapter);
    if (link->voltage(link, &volts, fault) == ST_OK)
        printf("supply     %.1f V\n", volts);
    st = survey_support(link, &support, fault);
    if (st == ST_OK && support.count == 0) {
        printf("car        does not answer: ignition off?\n");
    } else if (st == ST_OK) {
        printf("protocol   %c\n", link->protocol);
        report_ecus(&support);
        if ((st = survey_identity(link, &support, &diagnosis, fault)) == ST_OK &&
            (st = survey_codes(link, false, &diagnosis, fault)) == ST_OK) {
            report_diagnosis(&diagnosis);
            st = report_values(link, &support, fault);
        }
    }
    link->close(link);
    return st;
}

enum status report_vin(char out[18], const struct vehicle_settings *set, struct fault *fault)
{
    struct support support;
    struct diagnosis diagnosis;
    struct link *link = NULL;
    enum status st = report_open(&link, set, fault);

    if (st != ST_OK)
        return st;
    if ((st = survey_support(link, &support, fault)) == ST_OK &&
        (st = survey_identity(link, &support, &diagnosis, fault)) == ST_OK) {
        memcpy(out, diagnosis.vin, sizeof diagnosis.vin);
        if (diagnosis.vin[0] == '\0')
            st = fault_set(fault, ST_NONE, "the car does not tell its VIN");
    }
    link->close(link);
    return st;
}
