/* services/ingest/commit/full.c */
#include "full.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/map.h"
#include "proto/ack.h"

#define PAUSE_MS (3600 * 1000)
#define VEHICLES_MAX 10000 /* more at a time have another cause, which one line tells as well */

struct full {
    struct map *said;  /* VIN -> int64_t, when */
    int64_t tidied_ms; /* of now_ms */
};

enum status full_open(struct full **out, struct fault *fault)
{
    struct full *f = calloc(1, sizeof *f);
    enum status st;

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = map_open(&f->said, sizeof(int64_t), VEHICLES_MAX, NULL, fault)) != ST_OK) {
        free(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

static bool is_recent(void *self, const char *vin, void *value)
{
    const int64_t *now_ms = self, *said_ms = value;

    (void)vin;
    return *now_ms - *said_ms < PAUSE_MS && *now_ms >= *said_ms;
}

void full_refused(struct full *f, const char *vin, const char *stream, int64_t seq, int64_t now_ms)
{
    int64_t *said_ms;

    if (now_ms - f->tidied_ms >= PAUSE_MS || now_ms < f->tidied_ms) {
        map_each(f->said, is_recent, &now_ms);
        f->tidied_ms = now_ms;
    }
    if (!(said_ms = map_put(f->said, vin)) || (*said_ms && is_recent(&now_ms, vin, said_ms)))
        return;
    *said_ms = now_ms;
    log_warn("gaps.full",
             "vehicle=%s stream=%s seq=%lld reason=\"%d gaps are open; it waits until some "
             "are filled or announced as lost\"",
             vin, stream, (long long)seq, ACK_GAPS_MAX);
}

void full_close(struct full *f)
{
    if (!f)
        return;
    map_close(f->said);
    free(f);
}
