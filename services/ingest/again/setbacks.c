/* services/ingest/again/setbacks.c - who failed, how often, and until when it waits. */
#include "setbacks.h"

#include <stdlib.h>

#include "lib/map.h"

#define VEHICLES_MAX 10000 /* more are tried again at once */
#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define LONG_MS (10 * SECOND_MS)
#define REST 9
#define DOUBLED_MAX 16 /* times; beyond any longest pause */

struct setback {
    int failures;
    int64_t until_ms;
};

struct setbacks {
    struct map *vehicles;
};

int64_t setback_pause_ms(int failures, bool refused)
{
    int64_t first_ms = refused ? MINUTE_MS : SECOND_MS;
    int64_t last_ms = refused ? 60 * MINUTE_MS : 5 * MINUTE_MS;
    int doubled = failures > DOUBLED_MAX ? DOUBLED_MAX : failures - 1;

    return first_ms << doubled < last_ms ? first_ms << doubled : last_ms;
}

enum status setbacks_open(struct setbacks **out, struct fault *fault)
{
    struct setbacks *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    st = map_open(&s->vehicles, sizeof(struct setback), VEHICLES_MAX, NULL, fault);
    if (st != ST_OK) {
        free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void setbacks_close(struct setbacks *s)
{
    if (!s)
        return;
    map_close(s->vehicles);
    free(s);
}

bool setbacks_allow(struct setbacks *s, const char *vin, int64_t now_ms)
{
    const struct setback *one = map_get(s->vehicles, vin);

    return !one || now_ms >= one->until_ms;
}

static bool still_waits(void *self, const char *vin, void *value)
{
    const int64_t *now_ms = self;
    const struct setback *one = value;

    (void)vin;
    return one->until_ms > *now_ms;
}

/* NULL: so many wait that it does not. */
static struct setback *put(struct setbacks *s, const char *vin, int64_t now_ms)
{
    if (map_count(s->vehicles) == VEHICLES_MAX && !map_get(s->vehicles, vin))
        map_each(s->vehicles, still_waits, &now_ms);
    return map_put(s->vehicles, vin);
}

int setbacks_add(struct setbacks *s, const char *vin, bool refused, int64_t now_ms)
{
    struct setback *one = put(s, vin, now_ms);

    if (!one)
        return 1;
    one->failures++;
    one->until_ms = now_ms + setback_pause_ms(one->failures, refused);
    return one->failures;
}

void setbacks_end(struct setbacks *s, const char *vin)
{
    map_remove(s->vehicles, vin);
}

void setbacks_rest(struct setbacks *s, const char *vin, int64_t took_ms, int64_t now_ms)
{
    struct setback *one = took_ms >= LONG_MS ? put(s, vin, now_ms) : NULL;

    if (one && now_ms + REST * took_ms > one->until_ms)
        one->until_ms = now_ms + REST * took_ms;
}
