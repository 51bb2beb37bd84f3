/* vehicle/report.c - see report.h. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obd/adapter.h"
#include "obd/pids.h"
#include "obd/survey.h"

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
