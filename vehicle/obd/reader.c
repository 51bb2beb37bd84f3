/* vehicle/obd/reader.c - see reader.h. */
#include "reader.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "polling.h"
#include "survey.h"
#include "wake.h"

#define READER_SILENT_MS 10000     /* nobody answers for so long: the car sleeps */
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
    struct polling polling;
    struct diagnosis diagnosis;
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

static enum status reader_diagnose(struct reader *r, struct fault *fault)
{
    enum status st = survey_diagnosis(r->link, &r->support, &r->diagnosis, fault);

    if (st == ST_OK)
        inbox_push(r->to, NOTE_DIAGNOSIS, &r->diagnosis, sizeof r->diagnosis);
    r->polling.codes_changed = false;
    return st;
}

static enum status reader_prepare(struct reader *r, struct fault *fault)
{
    enum status st =
        polling_begin(&r->polling, r->link, &r->support, reader_makes, reader_vin, fault);

    if (st != ST_OK)
        return st;
    r->protocol = r->link->protocol;
    reader_tell(r, SOURCE_OK, r->link->adapter);
    return reader_diagnose(r, fault);
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
    bool answered = false, asleep = false;
    enum status st;

    while (!asleep) {
        began = clock_boot_ms();
        if ((st = reader_round(r, &answered, &asleep, fault)) != ST_OK)
            return st;
        took = clock_boot_ms() - began;
        scheduler_took(&r->polling.scheduler, took, r->period_ms);
        if (answered)
            last_answer_ms = clock_boot_ms();
        if (clock_boot_ms() - last_answer_ms > READER_SILENT_MS)
            return ST_OK;
        if (answered && r->polling.codes_changed && (st = reader_diagnose(r, fault)) != ST_OK)
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
