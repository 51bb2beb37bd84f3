/* vehicle/obd/reader.c - see reader.h. */
#include "reader.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "clearing.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "polling.h"
#include "survey.h"
#include "wake.h"

#define READER_SILENT_MS 10000     /* nobody answers for so long: the car sleeps */
#define READER_EMPTY_ROUND_MS 1000 /* nothing to ask: still not in a hurry */

#define READER_REST_STEP_MS 1000 /* so soon another rest takes effect */

#define READER_ORDERS_MAX 8

enum order_kind { ORDER_MOVING, ORDER_READ, ORDER_CLEAR };

struct reader_order {
    enum order_kind kind;
    char command[UUID_TEXT + 1];
    int64_t expires_ms; /* UTC */
};

static const struct makes *reader_makes; /* set by main before the thread is started */
static char reader_vin[VIN_LEN + 1];

struct reader {
    pthread_t thread;
    struct obd_address address;
    struct reader_habits habits;
    _Atomic int64_t rest_ms; /* between two looks at the supply of a car that sleeps */
    struct inbox *to;
    struct queue *orders;
    struct link *link;
    char protocol; /* what this car spoke last */
    enum source state;
    struct support support;
    struct polling polling;
    struct diagnosis diagnosis;
    int64_t codes_ms;           /* boot time of the last reading of the codes */
    struct codes_result result; /* of the order being carried out */
    bool awake;                 /* the link found the car's bus, and nothing says that it sleeps */
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

/* ---- a car that is awake */

/* Read codes and readiness; told when they changed, or `always`. */
static enum status reader_diagnose(struct reader *r, bool always, struct fault *fault)
{
    struct dtc_set codes = r->diagnosis.dtcs;
    struct readiness readiness = r->diagnosis.readiness;
    enum status st = survey_codes(r->link, r->polling.asking.physical, &r->diagnosis, fault);

    if (st != ST_OK)
        return st;
    r->codes_ms = clock_boot_ms();
    r->polling.codes_changed = false;
    if (always || !dtc_same(&codes, &r->diagnosis.dtcs) ||
        memcmp(&readiness, &r->diagnosis.readiness, sizeof readiness) != 0)
        inbox_push(r->to, NOTE_DIAGNOSIS, &r->diagnosis, sizeof r->diagnosis);
    return ST_OK;
}

/* ---- orders */

static void reader_answer(struct reader *r, enum codes_outcome outcome, const char *reason)
{
    r->result.outcome = outcome;
    snprintf(r->result.reason, sizeof r->result.reason, "%s", reason);
    inbox_push(r->to, NOTE_CODES, &r->result, sizeof r->result);
}

static enum status reader_read_again(struct reader *r, struct fault *fault)
{
    enum status st = reader_diagnose(r, true, fault);

    r->result.read = st == ST_OK;
    r->result.found = r->diagnosis;
    return st;
}

/* What was found before goes out first: the codes and the freeze frame are gone afterwards. */
static enum status reader_clear(struct reader *r, const struct reader_order *order,
                                struct fault *fault)
{
    struct diagnosis before = r->result.found;
    enum status st;

    if (clock_now_ms() > order->expires_ms) {
        reader_answer(r, CODES_EXPIRED, "the car took too long to answer");
        return ST_OK;
    }
    if ((st = clearing_run(r->link, &r->support, &r->result, fault)) != ST_OK)
        return st;
    if (r->result.unit_count > 0 || r->result.outcome == CODES_FAILED) {
        r->diagnosis.frozen.count = 0; /* a code that is back at once has another frame */
        if ((st = reader_read_again(r, fault)) != ST_OK)
            return st;
        clearing_judge(&r->result, &before);
    }
    inbox_push(r->to, NOTE_CODES, &r->result, sizeof r->result);
    return ST_OK;
}

static enum status reader_carry_out(struct reader *r, const struct reader_order *order,
                                    struct fault *fault)
{
    enum status st;

    if (!r->awake) {
        if ((st = survey_support(r->link, &r->support, fault)) != ST_OK)
            return st;
        r->awake = r->support.count > 0;
    }
    if (!r->awake) {
        reader_answer(r, CODES_FAILED, "no control unit answers: the ignition is off");
        return ST_OK;
    }
    if ((st = reader_read_again(r, fault)) != ST_OK)
        return st;
    if (order->kind == ORDER_CLEAR)
        return reader_clear(r, order, fault);
    if (r->diagnosis.dtcs.lists[DTC_STORED] == DTC_LIST_ABSENT && !r->diagnosis.readiness.known)
        reader_answer(r, CODES_FAILED, "no control unit answers this");
    else
        reader_answer(r, CODES_DONE, "");
    return ST_OK;
}

/* Every order is answered, whatever becomes of it. */
static enum status reader_obey(struct reader *r, const struct reader_order *order,
                               struct fault *fault)
{
    enum status st;

    memset(&r->result, 0, sizeof r->result);
    snprintf(r->result.command, sizeof r->result.command, "%s", order->command);
    r->result.clear = order->kind == ORDER_CLEAR;
    if (clock_now_ms() > order->expires_ms)
        reader_answer(r, CODES_EXPIRED, "it had expired when its turn came");
    else if (r->link == NULL)
        reader_answer(r, CODES_FAILED, "there is no adapter");
    else if ((st = reader_carry_out(r, order, fault)) != ST_OK) {
        if (st == ST_RETRY)
            reader_answer(r, CODES_FAILED, fault->text);
        return st;
    }
    return ST_OK;
}

/* Let `wait_ms` pass, carrying out what is ordered meanwhile.  Ends early, with *moving, when the
 * car was seen moving, and with r->awake when an order found a sleeping car awake.  ST_NONE:
 * stop. */
static enum status reader_wait(struct reader *r, int64_t wait_ms, bool *moving, struct fault *fault)
{
    int64_t until = clock_boot_ms() + wait_ms, left;
    bool slept = !r->awake;
    struct reader_order order;
    enum status st;
    size_t n;

    *moving = false;
    do {
        left = until - clock_boot_ms();
        st = queue_pop(r->orders, &order, 1, left > 0 ? (int)left : 0, &n);
        if (st == ST_NONE || stop_asked())
            return ST_NONE;
        if (st == ST_OK && order.kind == ORDER_MOVING)
            *moving = true;
        else if (st == ST_OK && (st = reader_obey(r, &order, fault)) != ST_OK)
            return st;
    } while (left > 0 && !(slept && (*moving || r->awake)));
    return ST_OK;
}

/* ---- a session */

static enum status reader_prepare(struct reader *r, struct fault *fault)
{
    enum status st =
        polling_begin(&r->polling, r->link, &r->support, reader_makes, reader_vin, fault);

    if (st != ST_OK)
        return st;
    r->awake = true;
    r->protocol = r->link->protocol;
    reader_tell(r, SOURCE_OK, r->link->adapter);
    if ((st = survey_identity(r->link, &r->support, &r->diagnosis, fault)) != ST_OK)
        return st;
    return reader_diagnose(r, true, fault);
}

static enum status reader_round(struct reader *r, bool *answered, bool *asleep, struct fault *fault)
{
    struct round round;
    enum status st = polling_round(&r->polling, &round, answered, asleep, fault);

    if (st == ST_OK && round.answering)
        inbox_push(r->to, NOTE_ROUND, &round, sizeof round);
    return st;
}

/* Polling rounds until the car sleeps (ST_OK), the cable is gone or stop is asked for. */
static enum status reader_poll(struct reader *r, struct fault *fault)
{
    int64_t last_answer_ms = clock_boot_ms(), began, took, wait;
    bool answered = false, asleep = false, moving;
    enum status st;

    while (!asleep) {
        began = clock_boot_ms();
        if ((st = reader_round(r, &answered, &asleep, fault)) != ST_OK)
            return st;
        took = clock_boot_ms() - began;
        scheduler_took(&r->polling.scheduler, took, r->habits.period_ms);
        if (answered)
            last_answer_ms = clock_boot_ms();
        if (clock_boot_ms() - last_answer_ms > READER_SILENT_MS)
            return ST_OK;
        if (answered &&
            (r->polling.codes_changed || clock_boot_ms() - r->codes_ms >= r->habits.codes_ms) &&
            (st = reader_diagnose(r, false, fault)) != ST_OK)
            return st;
        wait = r->habits.period_ms - took;
        if (!answered && wait < READER_EMPTY_ROUND_MS - took)
            wait = READER_EMPTY_ROUND_MS - took;
        if ((st = reader_wait(r, wait > 0 ? wait : 0, &moving, fault)) != ST_OK)
            return st;
    }
    return ST_OK;
}

/* ---- a car that sleeps */

static void reader_report_sleep(struct reader *r, double volts)
{
    struct round round = {.boot_ms = clock_boot_ms(), .answering = false};

    if (isfinite(volts)) {
        round.readings[0].signal = SIGNAL_BATTERY_VOLTAGE;
        round.readings[0].value = volts;
        round.count = 1;
    }
    inbox_push(r->to, NOTE_ROUND, &round, sizeof round);
}

/* Until the supply is to be looked at again, whatever the rest becomes meanwhile. */
static enum status reader_rest_out(struct reader *r, bool *moving, struct fault *fault)
{
    int64_t began = clock_boot_ms(), left;
    enum status st = ST_OK;

    *moving = false;
    while (st == ST_OK && !*moving && !r->awake &&
           (left = began + atomic_load(&r->rest_ms) - clock_boot_ms()) > 0)
        st = reader_wait(r, left < READER_REST_STEP_MS ? left : READER_REST_STEP_MS, moving, fault);
    return st;
}

/* Look at the supply now and then until something says that the car woke up: ST_OK. */
static enum status reader_doze(struct reader *r, struct fault *fault)
{
    struct wake wake;
    double volts;
    bool moving = false;
    enum status st;

    r->awake = false; /* it fell asleep again after an order had found it awake */
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
        if ((st = reader_rest_out(r, &moving, fault)) != ST_OK || r->awake)
            return st;
    }
}

static enum status reader_drive(struct reader *r, struct fault *fault)
{
    enum status st = reader_prepare(r, fault);

    if (st == ST_OK)
        st = reader_poll(r, fault);
    r->awake = false;
    return st;
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
        /* a car that falls silent is looked for once more: it may have been the line */
        st = r->support.count > 0 ? reader_drive(r, fault) : reader_doze(r, fault);
        if (st != ST_OK)
            return st;
    }
}

static void *reader_run(void *self)
{
    struct reader *r = self;
    struct backoff pause = {500, 30000, 0};
    struct fault fault = {""};
    bool moving;
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
            r->awake = false;
        }
        if (st != ST_NONE && !stop_asked())
            reader_tell(r, SOURCE_GONE, fault.text);
    } while (reader_wait(r, backoff_next(&pause), &moving, &fault) == ST_OK);
    return NULL;
}

void reader_use(const struct makes *makes, const char *vin)
{
    reader_makes = makes;
    snprintf(reader_vin, sizeof reader_vin, "%s", vin);
}

enum status reader_start(struct reader **out, const struct obd_address *address,
                         const struct reader_habits *habits, struct inbox *to, struct fault *fault)
{
    struct reader *r;
    enum status st;

    *out = NULL;
    if (address->none)
        return ST_OK;
    if ((r = calloc(1, sizeof *r)) == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    r->address = *address;
    r->habits = *habits;
    atomic_init(&r->rest_ms, WAKE_VOLTAGE_MS);
    r->to = to;
    r->protocol = habits->protocol;
    r->state = SOURCE_ABSENT;
    survey_init();
    if ((st = queue_open(&r->orders, READER_ORDERS_MAX, sizeof(struct reader_order), fault)) !=
        ST_OK) {
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

void reader_rest(struct reader *r, int64_t voltage_ms)
{
    if (r != NULL)
        atomic_store(&r->rest_ms, voltage_ms);
}

void reader_hint_moving(struct reader *r)
{
    struct reader_order order = {.kind = ORDER_MOVING};

    /* when something waits, the reader looks at the car soon anyway */
    if (r != NULL && queue_depth(r->orders) == 0 && queue_push(r->orders, &order, 0) != ST_OK)
        return;
}

static enum status reader_order(struct reader *r, enum order_kind kind, const char *command,
                                int64_t expires_ms)
{
    struct reader_order order = {.kind = kind, .expires_ms = expires_ms};

    if (r == NULL)
        return ST_NONE;
    snprintf(order.command, sizeof order.command, "%s", command);
    return queue_push(r->orders, &order, 0) == ST_OK ? ST_OK : ST_RETRY;
}

enum status reader_read_codes(struct reader *r, const char *command, int64_t expires_ms)
{
    return reader_order(r, ORDER_READ, command, expires_ms);
}

enum status reader_clear_codes(struct reader *r, const char *command, int64_t expires_ms)
{
    return reader_order(r, ORDER_CLEAR, command, expires_ms);
}

void reader_join(struct reader *r)
{
    if (r == NULL)
        return;
    queue_shut(r->orders);
    pthread_join(r->thread, NULL);
    queue_close(r->orders);
    free(r);
}
