/* vehicle/obd/survey.c - see survey.h. */
#include "survey.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/metrics.h"

#define SURVEY_LONG_MS 4000 /* several frames of several ECUs */

static struct metric *requests; /* made by main before the thread that asks is started */

void survey_init(void)
{
    requests = metric_counter("vigie_vehicle_obd_requests_total",
                              "Requests to the car, by how they ended.", "outcome");
}

enum status survey_ask(struct link *link, const uint8_t *bytes, size_t len, int wait_ms,
                       struct link_answer *answer, struct fault *fault)
{
    struct link_request request = {.len = len, .wait_ms = wait_ms};

    memcpy(request.bytes, bytes, len);
    return survey_request(link, &request, answer, fault);
}

enum status survey_insist(struct link *link, const uint8_t *bytes, size_t len,
                          struct link_answer *answer, struct fault *fault)
{
    enum status st = survey_ask(link, bytes, len, 0, answer, fault);

    return st == ST_OK && answer->outcome == LINK_NO_DATA
               ? survey_ask(link, bytes, len, 0, answer, fault)
               : st;
}

enum status survey_request(struct link *link, const struct link_request *request,
                           struct link_answer *answer, struct fault *fault)
{
    enum status st = link->request(link, request, answer, fault);

    metric_add(requests, st == ST_OK ? link_outcome_name(answer->outcome) : "unplugged",
               st == ST_NONE ? 0 : 1);
    return st;
}

/* Take the bitmaps of one answer; true when one of them says that the next bitmap exists. */
static bool survey_take_bitmap(struct support *support, const struct link_answer *answer,
                               uint8_t base)
{
    bool more = false;

    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;

        if (m->len < 6 || b[1] != base)
            continue;
        support_add(support, m->ecu, base, b + 2);
        more = more || (b[5] & 1) != 0;
    }
    return more;
}

enum status survey_support(struct link *link, struct support *support, struct fault *fault)
{
    struct link_answer answer;
    enum status st;
    bool more;

    support_init(support);
    if ((st = link->search(link, &answer, fault)) != ST_OK)
        return st;
    more = answer.outcome == LINK_ANSWERED && survey_take_bitmap(support, &answer, 0);
    for (unsigned base = 0x20; base <= 0xE0 && more; base += 0x20) {
        const uint8_t request[] = {0x01, (uint8_t)base};

        if ((st = survey_insist(link, request, sizeof request, &answer, fault)) != ST_OK)
            return st;
        more =
            answer.outcome == LINK_ANSWERED && survey_take_bitmap(support, &answer, (uint8_t)base);
    }
    return ST_OK;
}

/* Where the adapter cannot say what it speaks, CAN shows by its count: an odd number of bytes. */
static bool survey_is_can(const struct link *link, const struct link_answer *answer)
{
    return link->protocol != '0' ? link_is_can(link->protocol)
                                 : answer->count > 0 && answer->messages[0].len % 2 == 0;
}

static enum status survey_read_vin(struct link *link, char vin[VIN_LEN + 1],
                                   struct link_answer *answer, struct fault *fault)
{
    static const uint8_t request[] = {0x09, 0x02};
    enum status st = survey_ask(link, request, sizeof request, SURVEY_LONG_MS, answer, fault);

    vin[0] = '\0';
    if (st == ST_OK && answer->outcome == LINK_ANSWERED)
        (void)vin_from_answer(vin, answer); /* older cars do not answer, or not in full */
    return st;
}

/* Taken when read twice alike: a spoiled character can be a VIN too. */
static enum status survey_vin(struct link *link, struct diagnosis *out, struct link_answer *answer,
                              struct fault *fault)
{
    char again[VIN_LEN + 1] = "";
    enum status st = survey_read_vin(link, out->vin, answer, fault);

    if (st != ST_OK || out->vin[0] == '\0')
        return st;
    if ((st = survey_read_vin(link, again, answer, fault)) == ST_OK && strcmp(out->vin, again) != 0)
        out->vin[0] = '\0';
    return st;
}

static enum status survey_readiness(struct link *link, struct diagnosis *out,
                                    struct link_answer *answer, struct fault *fault)
{
    static const uint8_t request[] = {0x01, 0x01};
    enum status st = survey_ask(link, request, sizeof request, 0, answer, fault);

    for (size_t i = 0; st == ST_OK && answer->outcome == LINK_ANSWERED && i < answer->count; i++)
        if (answer->messages[i].len >= 6)
            readiness_take(&out->readiness, answer->bytes + answer->messages[i].at + 2);
    return st;
}

static enum status survey_calibrations(struct link *link, struct diagnosis *out,
                                       struct link_answer *answer, struct fault *fault)
{
    static const uint8_t ids[] = {0x09, 0x04}, numbers[] = {0x09, 0x06};
    enum status st = survey_ask(link, ids, sizeof ids, SURVEY_LONG_MS, answer, fault);

    if (st != ST_OK)
        return st;
    /* a message of an older bus has seven bytes */
    calibrations_take(&out->calibrations, answer,
                      link->protocol != '0' ? link_is_can(link->protocol)
                                            : answer->count > 0 && answer->messages[0].len > 7);
    if (out->calibrations.count == 0)
        return ST_OK;
    if ((st = survey_ask(link, numbers, sizeof numbers, SURVEY_LONG_MS, answer, fault)) == ST_OK)
        calibrations_take_numbers(&out->calibrations, answer);
    return st;
}

enum status survey_identity(struct link *link, const struct support *support, struct diagnosis *out,
                            struct fault *fault)
{
    struct link_answer answer;
    enum status st;

    memset(out, 0, sizeof *out);
    out->protocol = link->protocol;
    for (unsigned pid = 0; pid < SUPPORT_PIDS; pid++)
        out->supported[pid] = support_has(support, (uint8_t)pid);
    if ((st = survey_vin(link, out, &answer, fault)) != ST_OK)
        return st;
    return survey_calibrations(link, out, &answer, fault);
}

/* Every ECU that gave this list before gave it now. */
static bool survey_all_told(const struct dtc_set *before, const struct link_answer *answer,
                            enum dtc_state state)
{
    for (size_t i = 0; i < before->ecu_count[state]; i++) {
        bool told = false;

        for (size_t m = 0; m < answer->count && !told; m++)
            told = answer->messages[m].ecu == before->ecus[state][i];
        if (!told)
            return false;
    }
    return true;
}

static enum status survey_list(struct link *link, enum dtc_state state,
                               const struct dtc_set *before, struct dtc_set *out,
                               struct fault *fault)
{
    const uint8_t service = dtc_service(state);
    struct link_answer answer;
    enum status st;

    for (int i = 0; i < 2; i++) { /* one ECU's answer may be lost */
        if ((st = survey_ask(link, &service, 1, SURVEY_LONG_MS, &answer, fault)) != ST_OK)
            return st;
        if (answer.outcome == LINK_ANSWERED && !answer.cut &&
            survey_all_told(before, &answer, state))
            break;
        if (before->ecu_count[state] == 0 && answer.outcome != LINK_DAMAGED && !answer.cut &&
            !(state == DTC_STORED && answer.outcome == LINK_NO_DATA && link_is_can(link->protocol)))
            break; /* nobody ever gave this list; the stored codes, on CAN, somebody has to */
    }
    dtc_take(out, state, &answer, survey_is_can(link, &answer));
    if (out->lists[state] == DTC_LIST_FULL && !survey_all_told(before, &answer, state))
        out->lists[state] = DTC_LIST_PARTIAL;
    dtc_remember(out, before, state, &answer);
    return ST_OK;
}

enum status survey_codes(struct link *link, bool physical, struct diagnosis *out,
                         struct fault *fault)
{
    struct dtc_set before = out->dtcs;
    struct link_answer answer;
    bool stored = false;
    enum status st;

    out->readiness = (struct readiness){.known = false};
    out->dtcs = (struct dtc_set){.counted = before.counted};
    if ((st = survey_readiness(link, out, &answer, fault)) != ST_OK)
        return st;
    /* the one that is mostly empty first: it shows whether counts come with the codes */
    for (int state = DTC_PERMANENT; state >= DTC_STORED; state--)
        if ((st = survey_list(link, (enum dtc_state)state, &before, &out->dtcs, fault)) != ST_OK)
            return st;
    for (size_t i = 0; i < out->dtcs.count; i++)
        stored = stored || out->dtcs.codes[i].state == DTC_STORED;
    if (stored)
        st = frozen_read(link, physical, &out->frozen, fault);
    else if (out->dtcs.lists[DTC_STORED] == DTC_LIST_FULL)
        out->frozen.count = 0;
    out->boot_ms = clock_boot_ms();
    return st;
}
