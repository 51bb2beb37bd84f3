/* vehicle/probe.c - see probe.h. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "obd/adapter.h"
#include "obd/asking.h"
#include "obd/pids.h"
#include "obd/survey.h"
#include "proto/signals.h"

#define PROBE_RATE_REQUESTS 20 /* enough to tell how fast it is */

static enum status probe_open(struct link **out, const struct vehicle_settings *set,
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

static const char *probe_protocol(char protocol)
{
    static const char *const names[] = {
        "SAE J1850 PWM, 41.6 kbit/s",
        "SAE J1850 VPW, 10.4 kbit/s",
        "ISO 9141-2, 5 baud init",
        "ISO 14230-4 (KWP2000), 5 baud init",
        "ISO 14230-4 (KWP2000), fast init",
        "CAN, 11 bit, 500 kbit/s (ISO 15765-4)",
        "CAN, 29 bit, 500 kbit/s (ISO 15765-4)",
        "CAN, 11 bit, 250 kbit/s (ISO 15765-4)",
        "CAN, 29 bit, 250 kbit/s (ISO 15765-4)",
    };

    return protocol >= '1' && protocol <= '9' ? names[protocol - '1'] : "not told by the adapter";
}

static const char *probe_ecu(char text[LINK_ECU_TEXT], uint32_t ecu)
{
    link_print_ecu(text, ecu);
    return text[0] != '\0' ? text : "(unnamed)";
}

static void probe_value(uint16_t signal, double value, const char *before)
{
    const struct signal_row *row = signal_row(signal);

    if (row != NULL)
        printf("  %s  %-62s %g %s\n", before, row->path, signal_round(signal, value), row->unit);
}

/* ---- who answers */

static void probe_units(const struct support *support, const struct calibrations *c)
{
    char text[LINK_ECU_TEXT];

    printf("units      %zu answer%s\n", support->count, support->count == 1 ? "s" : "");
    for (size_t i = 0; i < support->count; i++) {
        const struct support_ecu *unit = &support->ecus[i];

        printf("  %s offers", probe_ecu(text, unit->ecu));
        for (unsigned pid = 1; pid < SUPPORT_PIDS; pid++)
            if (unit->has[pid] && pid % 0x20 != 0)
                printf(" %02X", pid);
        printf("\n");
        for (size_t k = 0; k < c->count; k++)
            if (c->list[k].ecu == unit->ecu)
                printf("  %*s software %s%s%s\n", (int)strlen(text), "", c->list[k].id,
                       c->list[k].cvn[0] != '\0' ? ", check number " : "", c->list[k].cvn);
    }
}

/* ---- how it is */

static void probe_list(const struct diagnosis *d, enum dtc_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < d->dtcs.count; i++)
        n += d->dtcs.codes[i].state == state;
    printf("%s ", state == DTC_STORED ? "codes     " : ",");
    if (d->dtcs.lists[state] == DTC_LIST_ABSENT)
        printf("%s not told", dtc_state_name(state));
    else
        printf("%zu %s%s", n, dtc_state_name(state),
               d->dtcs.lists[state] == DTC_LIST_PARTIAL ? " (not all could be read)" : "");
}

static void probe_monitors(const struct readiness *r, bool complete)
{
    bool any = false;

    for (unsigned i = 0; i < MONITORS; i++) {
        if (!r->supported[i] || r->complete[i] != complete)
            continue;
        if (!any)
            printf("%s ", complete ? "ready     " : "not ready ");
        printf("%s%s", any ? ", " : "", readiness_monitor(i));
        any = true;
    }
    if (any)
        printf("\n");
}

static void probe_codes(const struct diagnosis *d)
{
    char text[LINK_ECU_TEXT];

    printf("mil        %s\n", !d->readiness.known   ? "not told"
                              : d->readiness.mil_on ? "on"
                                                    : "off");
    for (int state = DTC_STORED; state < DTC_STATES; state++)
        probe_list(d, (enum dtc_state)state);
    printf("\n");
    for (int state = DTC_STORED; state < DTC_STATES; state++)
        for (size_t i = 0; i < d->dtcs.count; i++)
            if (d->dtcs.codes[i].state == (enum dtc_state)state)
                printf("  %s %s %s\n", d->dtcs.codes[i].code, dtc_state_name((enum dtc_state)state),
                       probe_ecu(text, d->dtcs.codes[i].ecu));
    probe_monitors(&d->readiness, true);
    probe_monitors(&d->readiness, false);
    for (size_t i = 0; i < d->frozen.count; i++) {
        const struct frozen *f = &d->frozen.frames[i];

        printf("frozen     with %s in %s\n", f->code, probe_ecu(text, f->ecu));
        for (size_t k = 0; k < f->count; k++)
            probe_value(f->readings[k].signal, f->readings[k].value, "  ");
    }
}

/* ---- how fast it is, and what it says now */

static enum status probe_rate(struct link *link, const struct support *support,
                              const bool ask[SUPPORT_PIDS], struct fault *fault)
{
    struct asking asking;
    struct link_answer answer;
    struct ask one = {.count = 1, .pids = {0x0C}, .ecu = support_owner(support, 0x0C)};
    struct link_request request;
    int64_t began, took;
    enum status st;

    if ((st = asking_probe(&asking, link, support, ask, fault)) != ST_OK)
        return st;
    if (!ask[0x0C])
        one.pids[0] = 0x00; /* everybody has it */
    one.ecu = asking.physical ? one.ecu : 0;
    one.frames = 1;
    request = asking_request(&one);
    began = clock_boot_ms();
    for (int i = 0; i < PROBE_RATE_REQUESTS; i++)
        if ((st = survey_request(link, &request, &answer, fault)) != ST_OK)
            return st;
    took = clock_boot_ms() - began;
    printf("requests   %.0f a second, %s%s\n", PROBE_RATE_REQUESTS * 1000.0 / (double)(took + 1),
           asking.batch ? "up to six identifiers each" : "one identifier each",
           asking.physical ? ", to one unit" : ", to all units");
    return ST_OK;
}

static void probe_reading(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    char text[3];

    (void)self;
    snprintf(text, sizeof text, "%02X", pid);
    for (size_t i = 0; i < n; i++)
        probe_value(readings[i].signal, readings[i].value, text);
}

static enum status probe_values(struct link *link, const struct support *support,
                                const bool ask[SUPPORT_PIDS], struct fault *fault)
{
    struct link_answer answer;
    enum status st;

    printf("values\n");
    for (unsigned pid = 0; pid < SUPPORT_PIDS; pid++) {
        const uint8_t request[] = {0x01, (uint8_t)pid};

        if (!ask[pid])
            continue;
        if ((st = survey_insist(link, request, sizeof request, &answer, fault)) != ST_OK)
            return st;
        if (answer.outcome != LINK_ANSWERED)
            printf("  %02X  %s\n", pid, link_outcome_name(answer.outcome));
        for (size_t i = 0; answer.outcome == LINK_ANSWERED && i < answer.count; i++)
            if (support_is_owner(support, answer.messages[i].ecu, (uint8_t)pid))
                pid_decode_answer(answer.bytes + answer.messages[i].at, answer.messages[i].len,
                                  request + 1, 1, probe_reading, NULL);
    }
    return ST_OK;
}

/* ---- all of it */

static enum status probe_car(struct link *link, const struct support *support, const char *vin,
                             struct fault *fault)
{
    struct diagnosis d;
    bool ask[SUPPORT_PIDS];
    enum status st;

    printf("protocol   %c: %s\n", link->protocol, probe_protocol(link->protocol));
    if ((st = survey_identity(link, support, &d, fault)) != ST_OK)
        return st;
    printf("vin        %s\n", d.vin[0] == '\0' ? "the car does not tell" : d.vin);
    if (vin[0] != '\0' && d.vin[0] != '\0' && strcmp(vin, d.vin) != 0)
        printf("           which is not the %s of --vin\n", vin);
    probe_units(support, &d.calibrations);
    if ((st = survey_codes(link, false, &d, fault)) != ST_OK)
        return st;
    probe_codes(&d);
    support_choose(support, ask);
    if ((st = probe_rate(link, support, ask, fault)) != ST_OK)
        return st;
    return probe_values(link, support, ask, fault);
}

enum status probe_print(const struct vehicle_settings *set, struct fault *fault)
{
    struct support support;
    struct link *link = NULL;
    double volts;
    enum status st = probe_open(&link, set, fault);

    if (st != ST_OK)
        return st;
    printf("adapter    %s\n", link->adapter);
    if ((st = link->voltage(link, &volts, fault)) == ST_OK)
        printf("supply     %.1f V\n", volts);
    if (st == ST_OK || st == ST_REJECT) /* it cannot say */
        st = survey_support(link, &support, fault);
    if (st == ST_OK && support.count == 0) /* an answer that was lost is no sleeping car */
        st = survey_support(link, &support, fault);
    if (st == ST_OK && support.count == 0)
        printf("car        does not answer: ignition off?\n");
    else if (st == ST_OK)
        st = probe_car(link, &support, set->vin, fault);
    link->close(link);
    return st;
}

enum status probe_vin(char out[VIN_LEN + 1], const struct vehicle_settings *set,
                      struct fault *fault)
{
    struct support support;
    struct diagnosis diagnosis;
    struct link *link = NULL;
    enum status st = probe_open(&link, set, fault);

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
