/* tests/unit/vehicle/outbox_bench.h - an outbox in a folder of its own, for the tests of what is
 * written and read. */
#ifndef OUTBOX_BENCH_H
#define OUTBOX_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "vehicle/outbox.h"

#define T0 1795248000000

static char folder[128];
static struct outbox *box;
static struct outbox_found found;
static struct fault fault;
static struct outbox_record record;

static inline int bench_begin(void)
{
    const char *shared =
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* fsync costs there nothing */

    snprintf(folder, sizeof folder, "%s/vigie-outbox-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : shared);
    return mkdtemp(folder) == NULL;
}

static inline int bench_end(void)
{
    char command[200];

    outbox_close(box);
    box = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* The same as fixtures of a test. */
static inline int bench_setup(void **state)
{
    (void)state;
    return bench_begin();
}

static inline int bench_teardown(void **state)
{
    (void)state;
    return bench_end();
}

static inline void path_of(char out[200], const char *name)
{
    snprintf(out, 200, "%s/%s", folder, name);
}

static inline void open_box(void)
{
    if (outbox_open(&box, folder, &found, &fault) != ST_OK)
        fail_msg("%s", fault.text);
}

#endif
