/* services/ingest/drain.c */
#include "drain.h"

#include <stdatomic.h>
#include <stdint.h>

#include "lib/clock.h"

#define DRAIN_MS 5000

static _Atomic int64_t until_ms; /* 0: it has not begun */

void drain_begin(void)
{
    atomic_store(&until_ms, clock_boot_ms() + DRAIN_MS);
}

bool drain_is_over(void)
{
    int64_t end_ms = atomic_load(&until_ms);

    return end_ms != 0 && clock_boot_ms() >= end_ms;
}
