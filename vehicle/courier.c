/* vehicle/courier.c - see courier.h. */
#include "courier.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/queue.h"
#include "lib/stop.h"
#include "renew.h"

#define COURIER_ERRANDS 4
#define COURIER_TIMEOUT_MS 6000 /* a stop waits for it */
#define COURIER_LOOK_MS 200     /* how soon a stop is seen */

struct courier {
    pthread_t thread;
    struct office office;
    char vin[VIN_LEN + 1];
    struct inbox *to;
    struct queue *errands;
};

static void courier_run_errand(struct courier *c, enum errand errand)
{
    struct errand_result result = {.errand = errand};
    struct fault fault = {""};
    struct text config;

    text_init(&config);
    result.status = errand == ERRAND_RENEW
                        ? renew(&c->office, c->vin, &config, &fault)
                        : renew_fetch_config(&c->office, c->vin, &config, &fault);
    if (result.status == ST_OK && config.len > 0 && config.len <= NOTE_BODY_MAX)
        inbox_push(c->to, NOTE_CONFIG, config.bytes, config.len);
    if (result.status != ST_OK)
        (void)text_copy(result.reason, sizeof result.reason, fault.text);
    text_done(&config);
    inbox_push(c->to, NOTE_ERRAND, &result, sizeof result);
}

static void *courier_run(void *self)
{
    struct courier *c = self;
    int errand;
    size_t n;

    while (!stop_asked())
        if (queue_pop(c->errands, &errand, 1, COURIER_LOOK_MS, &n) == ST_OK)
            courier_run_errand(c, (enum errand)errand);
    return NULL;
}

enum status courier_start(struct courier **out, const struct office *office, const char *vin,
                          struct inbox *to, struct fault *fault)
{
    struct courier *c;
    enum status st;

    *out = NULL;
    if (office->api[0] == '\0')
        return ST_OK;
    if ((c = calloc(1, sizeof *c)) == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    c->office = *office;
    c->office.timeout_ms = COURIER_TIMEOUT_MS;
    c->to = to;
    snprintf(c->vin, sizeof c->vin, "%s", vin);
    if ((st = queue_open(&c->errands, COURIER_ERRANDS, sizeof(int), fault)) != ST_OK) {
        free(c);
        return st;
    }
    if (pthread_create(&c->thread, NULL, courier_run, c) != 0) {
        queue_close(c->errands);
        free(c);
        return fault_set(fault, ST_FATAL, "cannot start the thread that talks to the API");
    }
    *out = c;
    return ST_OK;
}

enum status courier_send(struct courier *c, enum errand errand)
{
    int order = (int)errand;

    if (c == NULL)
        return ST_NONE;
    return queue_push(c->errands, &order, 0) == ST_OK ? ST_OK : ST_RETRY;
}

void courier_join(struct courier *c)
{
    if (c == NULL)
        return;
    pthread_join(c->thread, NULL);
    queue_close(c->errands);
    free(c);
}
