/* vehicle/obd/clearing.c - see clearing.h.  SAE J1979, service 04. */
#include "clearing.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "survey.h"
#include "wake.h"

#define CLEARING_WAIT_MS 5000 /* P2*: it writes to memory that is slow */
#define CLEARING_TRIES 2      /* to read a value: one answer may be lost */

static void clearing_say(struct codes_result *out, enum codes_outcome outcome, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));
static void clearing_say(struct codes_result *out, enum codes_outcome outcome, const char *format,
                         ...)
{
    va_list args;

    out->outcome = outcome;
    va_start(args, format);
    vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
}

/* Is every ECU's value of this PID zero?  *said: somebody said a value at all; *silent: the bus
 * works, and nobody has one now. */
static enum status clearing_is_zero(struct link *link, uint8_t pid, size_t bytes, bool *said,
                                    bool *zero, bool *silent, struct fault *fault)
{
    const uint8_t request[] = {0x01, pid};
    struct link_answer answer;
    enum status st;

    *said = *silent = false;
    *zero = true;
    for (int i = 0; i < CLEARING_TRIES && !*said; i++) {
        if ((st = survey_ask(link, request, sizeof request, 0, &answer, fault)) != ST_OK)
            return st;
        *silent = answer.outcome == LINK_NO_DATA && !answer.cut;
        for (size_t m = 0; answer.outcome == LINK_ANSWERED && m < answer.count; m++) {
            const struct link_message *message = &answer.messages[m];

            if (message->len < 2 + bytes)
                continue;
            *said = true;
            for (size_t b = 0; b < bytes; b++)
                *zero = *zero && answer.bytes[message->at + 2 + b] == 0;
        }
    }
    return ST_OK;
}

/* The supply as the adapter sees it, else as the car says; NAN when neither can. */
static enum status clearing_volts(struct link *link, const struct support *support, double *volts,
                                  struct fault *fault)
{
    static const uint8_t request[] = {0x01, 0x42}; /* control module voltage, mV */
    uint32_t owner = support_owner(support, request[1]);
    struct link_answer answer;
    enum status st = link->voltage(link, volts, fault);

    if (st != ST_REJECT)
        return st;
    *volts = NAN;
    if (!support_has(support, request[1]))
        return ST_OK;
    if ((st = survey_ask(link, request, sizeof request, 0, &answer, fault)) != ST_OK)
        return st;
    for (size_t i = 0; answer.outcome == LINK_ANSWERED && i < answer.count; i++) {
        const uint8_t *bytes = answer.bytes + answer.messages[i].at;

        if (answer.messages[i].len >= 4 && (owner == 0 || answer.messages[i].ecu == owner))
            *volts = (bytes[2] * 256 + bytes[3]) / 1000.0;
    }
    return ST_OK;
}

/* An engine speed that is listed and not answered: some units tell it only while the engine runs,
 * others are just busy.  A supply that nobody charges says which. */
static enum status clearing_is_at_rest(struct link *link, const struct support *support,
                                       struct codes_result *out, bool *rests, struct fault *fault)
{
    double volts = NAN;
    enum status st = clearing_volts(link, support, &volts, fault);

    if (st != ST_OK)
        return st;
    *rests = volts < WAKE_CHARGING_V;
    if (isnan(volts))
        clearing_say(out, CODES_REFUSED,
                     "the car lists its engine's speed but does not tell it, and no voltage says "
                     "that the engine is off");
    else if (!*rests)
        clearing_say(out, CODES_REFUSED,
                     "the car lists its engine's speed but does not tell it, and its supply is "
                     "charged (%.1f V)",
                     volts);
    return ST_OK;
}

/* *off: the engine is; an electric car lists no engine speed.  Otherwise outcome and reason are
 * filled. */
static enum status clearing_engine_is_off(struct link *link, const struct support *support,
                                          struct codes_result *out, bool *off, struct fault *fault)
{
    bool said, zero, silent;
    enum status st;

    *off = true;
    if (!support_has(support, 0x0C))
        return ST_OK;
    if ((st = clearing_is_zero(link, 0x0C, 2, &said, &zero, &silent, fault)) != ST_OK)
        return st;
    if (!said && silent)
        return clearing_is_at_rest(link, support, out, off, fault);
    *off = said && zero;
    if (!*off)
        clearing_say(out, CODES_REFUSED, "%s",
                     said ? "the engine runs" : "the engine's speed could not be read");
    return ST_OK;
}

/* *may: the engine is off and the car stands, which it must have said.  Otherwise outcome and
 * reason are filled. */
static enum status clearing_may(struct link *link, const struct support *support,
                                struct codes_result *out, bool *may, struct fault *fault)
{
    bool said, zero, silent;
    enum status st = clearing_engine_is_off(link, support, out, may, fault);

    if (st != ST_OK || !*may)
        return st;
    *may = false;
    if ((st = clearing_is_zero(link, 0x0D, 1, &said, &zero, &silent, fault)) != ST_OK)
        return st;
    if (!said || !zero)
        clearing_say(out, CODES_REFUSED, "%s",
                     said ? "the car moves" : "the car does not say that it stands");
    *may = said && zero;
    return ST_OK;
}

static const char *clearing_refusal(uint8_t code)
{
    switch (code) {
    case 0x11:
        return "it does not know the service";
    case 0x12:
        return "it does not know the function";
    case 0x21:
        return "it is busy";
    case 0x22:
        return "conditions are not correct";
    case 0x33:
        return "access is denied";
    default:
        return "it gives no usual reason";
    }
}

static void clearing_take(struct codes_result *out, const struct link_answer *answer)
{
    char ecu[LINK_ECU_TEXT];

    out->unit_count = 0;
    for (size_t i = 0; i < answer->count && out->unit_count < CODES_UNITS_MAX; i++)
        out->units[out->unit_count++] =
            (struct codes_unit){.ecu = answer->messages[i].ecu, .cleared = true};
    for (size_t i = 0; i < answer->refusal_count && out->unit_count < CODES_UNITS_MAX; i++)
        out->units[out->unit_count++] = (struct codes_unit){.ecu = answer->refusals[i].ecu,
                                                            .refused = answer->refusals[i].code};
    if (answer->refusal_count > 0) {
        link_print_ecu(ecu, answer->refusals[0].ecu);
        clearing_say(out, answer->count > 0 ? CODES_FAILED : CODES_REFUSED, "%s refuses (%02X): %s",
                     ecu[0] != '\0' ? ecu : "the control unit", answer->refusals[0].code,
                     clearing_refusal(answer->refusals[0].code));
    } else if (answer->count > 0) {
        clearing_say(out, CODES_DONE, "%s", "");
    } else {
        clearing_say(out, CODES_FAILED, "no control unit answered (%s)",
                     link_outcome_name(answer->outcome));
    }
}

enum status clearing_run(struct link *link, const struct support *support, struct codes_result *out,
                         struct fault *fault)
{
    static const struct link_request clear = {
        .bytes = {0x04}, .len = 1, .wait_ms = CLEARING_WAIT_MS, .once = true};
    struct link_answer answer;
    bool may;
    enum status st = clearing_may(link, support, out, &may, fault);

    if (st != ST_OK || !may)
        return st;
    if ((st = survey_request(link, &clear, &answer, fault)) == ST_OK)
        clearing_take(out, &answer);
    return st;
}

void clearing_judge(struct codes_result *out, const struct diagnosis *before)
{
    bool had = false;

    if (out->outcome != CODES_FAILED || out->unit_count > 0 || !out->read ||
        out->found.dtcs.lists[DTC_STORED] != DTC_LIST_FULL)
        return;
    for (size_t i = 0; i < before->dtcs.count; i++)
        had = had || before->dtcs.codes[i].state == DTC_STORED;
    for (size_t i = 0; i < out->found.dtcs.count; i++)
        if (out->found.dtcs.codes[i].state == DTC_STORED)
            return;
    if (had)
        clearing_say(out, CODES_DONE, "%s", "");
}

const char *codes_outcome_name(enum codes_outcome outcome)
{
    static const char *const names[CODES_OUTCOMES] = {"done", "refused", "failed", "expired"};

    return (unsigned)outcome < CODES_OUTCOMES ? names[outcome] : "failed";
}
