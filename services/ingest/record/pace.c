/* services/ingest/record/pace.c - places: some 400 a second together, until that is less than one a
 * second each. */
#include "pace.h"

#define OFTEN_MS 250 /* dashboards are told four times a second: more is for nobody */
#define RARELY_MS 1000
#define TOLD_PER_S 400
#define YIELD_MS 5000        /* what made the site busy may be over by then */
#define BUSY_BYTES (1 << 20) /* of records: some tenths of a second of what a site can store */

int64_t pace_live_ms(size_t vehicles)
{
    if (vehicles >= TOLD_PER_S * RARELY_MS / 1000)
        return RARELY_MS;
    if (vehicles <= TOLD_PER_S * OFTEN_MS / 1000)
        return OFTEN_MS;
    return (int64_t)(vehicles * 1000 / TOLD_PER_S);
}

int64_t pace_minutes_ms(int64_t took_ms, size_t waiting_bytes)
{
    int64_t long_ms = 20 * took_ms < YIELD_MS ? 20 * took_ms : YIELD_MS;

    return waiting_bytes > BUSY_BYTES && long_ms > took_ms ? long_ms : took_ms;
}
