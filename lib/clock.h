/* lib/clock.h - the time, for those who may ask for it (edges and main; decisions get it as an
 * argument). Any thread. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

int64_t clock_now_ms(void); /* ms since 1970-01-01 UTC: CLOCK_REALTIME and the correction */
/* CLOCK_REALTIME without the correction, and clock_boot_ms of the same moment. */
void clock_kernel_ms(int64_t *kernel_ms, int64_t *boot_ms);
/* What clock_now_ms adds from now on, 0 at first: for a machine whose clock nobody has set.  Any
 * thread. */
void clock_correct(int64_t ms);
int64_t clock_boot_ms(
    void); /* ms since boot, sleep included (CLOCK_BOOTTIME): for deadlines and intervals */
int64_t clock_boot_us(void); /* the same in microseconds */

/* RFC 3339 UTC with ms, "2026-01-31T09:00:00.125Z"; `out` holds 25 bytes. */
void clock_print(char out[25], int64_t t_ms);
/* Parse RFC 3339 (offset or Z, fraction optional) or an integer of ms. */
enum status clock_read(const char *text, int64_t *t_ms, struct fault *fault) MUST_CHECK;

#endif
