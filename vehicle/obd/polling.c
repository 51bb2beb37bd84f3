/* vehicle/obd/polling.c - see polling.h. */
#include "polling.h"

#include <math.h>

#include "lib/clock.h"
#include "pids.h"
#include "survey.h"

struct polling_round {
    struct polling *polling;
    struct round *round;
    uint32_t ecu;
    unsigned answered, no_ecu;
};

static void round_take(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    struct polling_round *rr = self;

    if (!support_is_owner(rr->polling->support, rr->ecu, pid))
        return;
    for (size_t i = 0; i < n && rr->round->count < ROUND_READINGS_MAX; i++) {
        const struct reading *new = &readings[i];

        if (pid == 0x50)
            rr->polling->max_maf_gs = new->value;
        rr->round->readings[rr->round->count] = *new;
        pid_rescale(rr->polling->max_maf_gs, pid, &rr->round->readings[rr->round->count++], n);
        if (pid == 0x01 && i < 2) { /* MIL and number of codes: a change calls for reading them */
            double *known = i == 0 ? &rr->polling->mil : &rr->polling->dtc_count;

            rr->polling->codes_changed =
                rr->polling->codes_changed || (isfinite(*known) && *known != new->value);
            *known = new->value;
        }
    }
}

static void round_answer(struct polling_round *rr, const struct ask *ask,
                         const struct link_answer *answer)
{
    rr->answered++;
    rr->round->boot_ms = answer->boot_ms;
    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];

        rr->ecu = m->ecu;
        pid_decode_answer(answer->bytes + m->at, m->len, ask->pids, ask->count, round_take, rr);
    }
}

static enum scheduler_verdict round_verdict(const struct link_answer *answer)
{
    if (answer->outcome == LINK_ANSWERED)
        return SCHEDULER_ANSWERED;
    if (answer->outcome == LINK_REFUSED &&
        (answer->refused == 0x11 || answer->refused == 0x12 || answer->refused == 0x31))
        return SCHEDULER_REFUSED;
    return SCHEDULER_MISSED;
}

/* What became of a PID in this round; told to the scheduler when the round is over. */
struct round_fate {
    size_t count;
    uint8_t pids[SCHEDULER_ROUND_MAX];
    enum scheduler_verdict verdicts[SCHEDULER_ROUND_MAX];
};

static void fate_add(struct round_fate *f, uint8_t pid, enum scheduler_verdict verdict)
{
    if (f->count == SCHEDULER_ROUND_MAX)
        return;
    f->pids[f->count] = pid;
    f->verdicts[f->count++] = verdict;
}

/* One request.  again[i]: of several PIDs this one did not come, so ask it alone; otherwise its
 * fate is known. */
static enum status round_ask(struct polling_round *rr, const struct ask *ask,
                             struct round_fate *fate, bool again[ASKING_BATCH], struct fault *fault)
{
    struct link_request request = asking_request(ask);
    struct link_answer answer;
    enum status st = survey_request(rr->polling->link, &request, &answer, fault);

    if (st != ST_OK)
        return st;
    if (answer.outcome == LINK_ANSWERED)
        round_answer(rr, ask, &answer);
    else if (answer.outcome == LINK_NO_ECU)
        rr->no_ecu++;
    for (size_t i = 0; i < ask->count; i++) {
        bool there = answer.outcome == LINK_ANSWERED && asking_has(&answer, ask, ask->pids[i]);

        again[i] = !there && ask->count > 1;
        if (!again[i])
            fate_add(fate, ask->pids[i], there ? SCHEDULER_ANSWERED : round_verdict(&answer));
    }
    return ST_OK;
}

/* Several PIDs at once, and what that lacked one by one. */
static enum status round_ask_all(struct polling_round *rr, const struct ask *ask,
                                 struct round_fate *fate, struct fault *fault)
{
    bool again[ASKING_BATCH] = {false}, none[ASKING_BATCH];
    enum status st = round_ask(rr, ask, fate, again, fault);
    bool lacked = false;

    for (size_t i = 0; st == ST_OK && i < ask->count && rr->no_ecu < POLLING_NO_ECU_TWICE; i++) {
        struct ask single = {.count = 1, .pids = {ask->pids[i]}, .ecu = ask->ecu};

        if (!again[i])
            continue;
        lacked = true;
        st = round_ask(rr, &single, fate, none, fault);
    }
    if (lacked && rr->answered > 0)
        asking_note_short(&rr->polling->asking);
    return st;
}

static enum status polling_ask_round(struct polling *p, struct polling_round *rr,
                                     const uint8_t *pids, size_t n, struct fault *fault)
{
    struct ask asks[SCHEDULER_ROUND_MAX];
    struct round_fate fate = {.count = 0};
    size_t count = asking_plan(&p->asking, p->support, pids, n, asks);
    enum status st;

    for (size_t i = 0; i < count && rr->no_ecu < POLLING_NO_ECU_TWICE; i++)
        if ((st = round_ask_all(rr, &asks[i], &fate, fault)) != ST_OK)
            return st;
    /* silence counts against a PID only when others were answered in the same round */
    for (size_t i = 0; i < fate.count && rr->answered > 0; i++)
        scheduler_note(&p->scheduler, fate.pids[i], fate.verdicts[i]);
    return ST_OK;
}

/* What the make's table has for this round, if anything. */
static enum status round_extra(struct polling_round *rr, struct fault *fault)
{
    struct polling *p = rr->polling;
    struct extra_item *item = extra_next(&p->extra, clock_boot_ms());
    struct link_request request;
    struct link_answer answer;
    enum status st;

    if (item == NULL)
        return ST_OK;
    request = extra_request(item);
    if ((st = survey_request(p->link, &request, &answer, fault)) != ST_OK)
        return st;
    extra_note(item, &answer);
    for (size_t i = 0; answer.outcome == LINK_ANSWERED && i < answer.count; i++) {
        const struct link_message *m = &answer.messages[i];

        if (m->len > 3 && (m->ecu == item->ecu || m->ecu == 0))
            rr->round->count = (uint16_t)(rr->round->count +
                                          makes_decode(p->makes, p->vin, m->ecu, item->did,
                                                       answer.bytes + m->at + 3, m->len - 3U,
                                                       rr->round->readings + rr->round->count,
                                                       ROUND_READINGS_MAX / 2U - rr->round->count));
    }
    return ST_OK;
}

enum status polling_round(struct polling *p, struct round *out, bool *answered, bool *asleep,
                          struct fault *fault)
{
    struct polling_round rr = {.polling = p, .round = out};
    uint8_t pids[SCHEDULER_ROUND_MAX];
    size_t n = scheduler_round(&p->scheduler, clock_boot_ms(), pids);
    enum status st;

    *out = (struct round){.count = 0};
    if ((st = round_extra(&rr, fault)) != ST_OK ||
        (st = polling_ask_round(p, &rr, pids, n, fault)) != ST_OK)
        return st;
    *answered = rr.answered > 0;
    *asleep = rr.answered == 0 && rr.no_ecu >= POLLING_NO_ECU_TWICE;
    out->answering = out->count > 0;
    return ST_OK;
}

enum status polling_begin(struct polling *p, struct link *link, const struct support *support,
                          const struct makes *makes, const char *vin, struct fault *fault)
{
    bool ask[SUPPORT_PIDS];
    enum status st;

    *p = (struct polling){.link = link,
                          .support = support,
                          .makes = makes,
                          .vin = vin,
                          .max_maf_gs = NAN,
                          .mil = NAN,
                          .dtc_count = NAN};
    support_choose(support, ask);
    scheduler_init(&p->scheduler, ask);
    if ((st = asking_probe(&p->asking, link, support, ask, fault)) == ST_OK)
        extra_init(&p->extra, makes, vin, link->protocol);
    return st;
}
