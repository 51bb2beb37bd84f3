/* vehicle/obd/reader.c - see reader.h. */
#include "reader.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "asking.h"
#include "extra.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "pids.h"
#include "scheduler.h"
#include "survey.h"
#include "wake.h"

#define READER_SILENT_MS 10000     /* nobody answers for so long: the car sleeps */
#define READER_NO_ECU_TWICE 2      /* one "unable to connect" may be a hiccup */
#define READER_EMPTY_ROUND_MS 1000 /* nothing to ask: still not in a hurry */

enum { ORDER_MOVING = 1 };

static const struct makes *reader_makes; /* set by main before the thread is started */
static char reader_vin[VIN_LEN + 1];

struct reader {
    pthread_t thread;
    struct obd_address address;
    int64_t period_ms;
    struct inbox *to;
    struct queue *orders;
    struct link *link;
    char protocol; /* what this car spoke last */
    enum source state;
    struct support support;
    struct scheduler scheduler;
    struct asking asking;
    struct extra extra;
    double max_maf_gs; /* as PID 50 said; NAN before */
    struct diagnosis diagnosis;
    double mil, dtc_count; /* as the last round with PID 01 said; NAN before */
    bool codes_changed;
};

static void reader_tell(struct reader *r, enum source state, const char *reason)
{
    struct source_change change = {.origin = ORIGIN_OBD, .state = state};

    if (state == r->state)
        return;
    r->state = state;
    snprintf(change.reason, sizeof change.reason, "%s", reason);
    inbox_push(r->to, NOTE_SOURCE, &change, sizeof change);
}

/* ---- a polling round */

struct reader_round {
    struct reader *reader;
    struct round round;
    uint32_t ecu;
    unsigned answered, no_ecu;
};

static void round_take(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    struct reader_round *rr = self;

    if (!support_is_owner(&rr->reader->support, rr->ecu, pid))
        return;
    for (size_t i = 0; i < n && rr->round.count < ROUND_READINGS_MAX; i++) {
        const struct reading *new = &readings[i];

        if (pid == 0x50)
            rr->reader->max_maf_gs = new->value;
        rr->round.readings[rr->round.count] = *new;
        pid_rescale(rr->reader->max_maf_gs, pid, &rr->round.readings[rr->round.count++], n);
        if (pid == 0x01 && i < 2) { /* MIL and number of codes: a change calls for reading them */
            double *known = i == 0 ? &rr->reader->mil : &rr->reader->dtc_count;

            rr->reader->codes_changed =
                rr->reader->codes_changed || (isfinite(*known) && *known != new->value);
            *known = new->value;
        }
    }
}

static void round_answer(struct reader_round *rr, const struct ask *ask,
                         const struct link_answer *answer)
{
    rr->answered++;
    rr->round.t_ms = answer->t_ms;
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
static enum status round_ask(struct reader_round *rr, const struct ask *ask,
                             struct round_fate *fate, bool again[ASKING_BATCH], struct fault *fault)
{
    struct link_request request = asking_request(ask);
    struct link_answer answer;
    enum status st = survey_request(rr->reader->link, &request, &answer, fault);

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
static enum status round_ask_all(struct reader_round *rr, const struct ask *ask,
                                 struct round_fate *fate, struct fault *fault)
{
    bool again[ASKING_BATCH] = {false}, none[ASKING_BATCH];
    enum status st = round_ask(rr, ask, fate, again, fault);
    bool lacked = false;

    for (size_t i = 0; st == ST_OK && i < ask->count && rr->no_ecu < READER_NO_ECU_TWICE; i++) {
        struct ask single = {.count = 1, .pids = {ask->pids[i]}, .ecu = ask->ecu};

        if (!again[i])
            continue;
        lacked = true;
        st = round_ask(rr, &single, fate, none, fault);
    }
    if (lacked && rr->answered > 0)
        asking_note_short(&rr->reader->asking);
    return st;
}

static enum status reader_ask_round(struct reader *r, struct reader_round *rr, const uint8_t *pids,
                                    size_t n, struct fault *fault)
{
    struct ask asks[SCHEDULER_ROUND_MAX];
    struct round_fate fate = {.count = 0};
    size_t count = asking_plan(&r->asking, &r->support, pids, n, asks);
    enum status st;

    for (size_t i = 0; i < count && rr->no_ecu < READER_NO_ECU_TWICE; i++)
        if ((st = round_ask_all(rr, &asks[i], &fate, fault)) != ST_OK)
            return st;
    /* silence counts against a PID only when others were answered in the same round */
    for (size_t i = 0; i < fate.count && rr->answered > 0; i++)
        scheduler_note(&r->scheduler, fate.pids[i], fate.verdicts[i]);
    return ST_OK;
}

/* What the make's table has for this round, if anything. */
static enum status round_extra(struct reader_round *rr, struct fault *fault)
{
    struct reader *r = rr->reader;
    struct extra_item *item = extra_next(&r->extra, clock_boot_ms());
    struct link_request request;
    struct link_answer answer;
    enum status st;

    if (item == NULL)
        return ST_OK;
    request = extra_request(item);
    if ((st = survey_request(r->link, &request, &answer, fault)) != ST_OK)
        return st;
    extra_note(item, &answer);
    for (size_t i = 0; answer.outcome == LINK_ANSWERED && i < answer.count; i++) {
        const struct link_message *m = &answer.messages[i];

        if (m->len > 3 && (m->ecu == item->ecu || m->ecu == 0))
            rr->round.count = (uint16_t)(rr->round.count +
                                         makes_decode(reader_makes, reader_vin, m->ecu, item->did,
                                                      answer.bytes + m->at + 3, m->len - 3U,
                                                      rr->round.readings + rr->round.count,
                                                      ROUND_READINGS_MAX / 2U - rr->round.count));
    }
    return ST_OK;
}

/* One round.  *answered: somebody did; *asleep: the adapter says that there is no bus. */
static enum status reader_round(struct reader *r, bool *answered, bool *asleep, struct fault *fault)
{
    struct reader_round rr = {.reader = r};
    uint8_t pids[SCHEDULER_ROUND_MAX];
    size_t n = scheduler_round(&r->scheduler, clock_boot_ms(), pids);
    enum status st = round_extra(&rr, fault);

    if (st != ST_OK || (st = reader_ask_round(r, &rr, pids, n, fault)) != ST_OK)
        return st;
    *answered = rr.answered > 0;
    *asleep = rr.answered == 0 && rr.no_ecu >= READER_NO_ECU_TWICE;
    if (rr.round.count > 0) {
        rr.round.answering = true;
        inbox_push(r->to, NOTE_ROUND, &rr.round, sizeof rr.round);
    }
    return ST_OK;
}

/* ---- a car that is awake */

static enum status reader_diagnose(struct reader *r, struct fault *fault)
{
    enum status st = survey_diagnosis(r->link, &r->support, &r->diagnosis, fault);

    if (st == ST_OK)
        inbox_push(r->to, NOTE_DIAGNOSIS, &r->diagnosis, sizeof r->diagnosis);
    r->codes_changed = false;
    return st;
}

static enum status reader_prepare(struct reader *r, struct fault *fault)
{
    bool ask[SUPPORT_PIDS];
    enum status st;

    support_choose(&r->support, ask);
    scheduler_init(&r->scheduler, ask);
    r->max_maf_gs = NAN;
    if ((st = asking_probe(&r->asking, r->link, &r->support, ask, fault)) != ST_OK)
        return st;
    r->protocol = r->link->protocol;
    extra_init(&r->extra, reader_makes, reader_vin, r->protocol);
    r->mil = r->dtc_count = NAN;
    reader_tell(r, SOURCE_OK, r->link->adapter);
    return reader_diagnose(r, fault);
}

/* Polling rounds until the car sleeps (ST_OK), the cable is gone or stop is asked for. */
static enum status reader_poll(struct reader *r, struct fault *fault)
{
    int64_t last_answer_ms = clock_boot_ms(), began, took, wait;
    bool answered = false, asleep = false;
    enum status st;

    while (!asleep) {
        began = clock_boot_ms();
        if ((st = reader_round(r, &answered, &asleep, fault)) != ST_OK)
            return st;
        took = clock_boot_ms() - began;
        scheduler_took(&r->scheduler, took, r->period_ms);
        if (answered)
            last_answer_ms = clock_boot_ms();
        if (clock_boot_ms() - last_answer_ms > READER_SILENT_MS)
            return ST_OK;
        if (answered && r->codes_changed && (st = reader_diagnose(r, fault)) != ST_OK)
            return st;
        wait = r->period_ms - took;
        if (!answered && wait < READER_EMPTY_ROUND_MS - took)
            wait = READER_EMPTY_ROUND_MS - took;
        if (!stop_pause(wait > 0 ? wait : 0))
            return ST_NONE;
    }
    return ST_OK;
}

/* ---- a car that sleeps */

static void reader_report_sleep(struct reader *r, double volts)
{
    struct round round = {.t_ms = clock_now_ms(), .answering = false};

    if (isfinite(volts)) {
        round.readings[0].signal = SIGNAL_BATTERY_VOLTAGE;
        round.readings[0].value = volts;
        round.count = 1;
    }
    inbox_push(r->to, NOTE_ROUND, &round, sizeof round);
}

/* Let `wait_ms` pass; true when the car was seen moving meanwhile. */
static bool reader_listen(struct reader *r, int64_t wait_ms)
{
    bool moving = false;
    int order;
    size_t n;

    if (stop_pause(wait_ms))
        moving = queue_pop(r->orders, &order, 1, 0, &n) == ST_OK;
    return moving;
}

/* Look at the supply now and then until something says that the car woke up: ST_OK. */
static enum status reader_doze(struct reader *r, struct fault *fault)
{
    struct wake wake;
    double volts;
    bool moving = false;
    enum status st;

    wake_init(&wake, clock_boot_ms());
    reader_tell(r, SOURCE_SILENT, "the car's bus sleeps");
    for (;;) {
        volts = NAN;
        st = r->link->voltage(r->link, &volts, fault);
        if (st == ST_RETRY || st == ST_NONE)
            return st;
        if (wake_is_news(&wake, clock_boot_ms(), volts))
            reader_report_sleep(r, volts);
        if (wake_step(&wake, clock_boot_ms(), volts, moving))
            return ST_OK;
        moving = reader_listen(r, WAKE_VOLTAGE_MS);
        if (stop_asked())
            return ST_NONE;
    }
}

/* ---- the adapter */

/* Until the cable is gone (ST_RETRY) or stop (ST_NONE). */
static enum status reader_session(struct reader *r, struct backoff *pause, struct fault *fault)
{
    enum status st;

    for (;;) {
        if ((st = survey_support(r->link, &r->support, fault)) != ST_OK)
            return st;
        backoff_reset(pause);
        if (r->support.count > 0 &&
            ((st = reader_prepare(r, fault)) != ST_OK || (st = reader_poll(r, fault)) != ST_OK))
            return st;
        if ((st = reader_doze(r, fault)) != ST_OK)
            return st;
    }
}

static void *reader_run(void *self)
{
    struct reader *r = self;
    struct backoff pause = {500, 30000, 0};
    struct fault fault = {""};
    enum status st;

    do {
        if (r->address.automatic && !obd_find(r->address.name)) {
            reader_tell(r, SOURCE_ABSENT, "no adapter found");
            continue;
        }
        st = adapter_open(&r->link, &r->address, r->protocol, &fault);
        if (st == ST_OK) {
            st = reader_session(r, &pause, &fault);
            r->link->close(r->link);
            r->link = NULL;
        }
        if (st != ST_NONE && !stop_asked())
            reader_tell(r, SOURCE_GONE, fault.text);
    } while (backoff_wait(&pause));
    return NULL;
}

void reader_use(const struct makes *makes, const char *vin)
{
    reader_makes = makes;
    snprintf(reader_vin, sizeof reader_vin, "%s", vin);
}

enum status reader_start(struct reader **out, const struct obd_address *address, int64_t period_ms,
                         struct inbox *to, struct fault *fault)
{
    struct reader *r;
    enum status st;

    *out = NULL;
    if (address->none)
        return ST_OK;
    if ((r = calloc(1, sizeof *r)) == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    r->address = *address;
    r->period_ms = period_ms;
    r->to = to;
    r->protocol = '0';
    r->state = SOURCE_ABSENT;
    survey_init();
    if ((st = queue_open(&r->orders, 1, sizeof(int), fault)) != ST_OK) {
        free(r);
        return st;
    }
    if (pthread_create(&r->thread, NULL, reader_run, r) != 0) {
        queue_close(r->orders);
        free(r);
        return fault_set(fault, ST_FATAL, "cannot start the OBD thread");
    }
    *out = r;
    return ST_OK;
}

void reader_hint_moving(struct reader *r)
{
    int order = ORDER_MOVING;

    if (r != NULL && queue_push(r->orders, &order, 0) != ST_OK)
        return; /* the same is waiting already */
}

void reader_join(struct reader *r)
{
    if (r == NULL)
        return;
    pthread_join(r->thread, NULL);
    queue_close(r->orders);
    free(r);
}
