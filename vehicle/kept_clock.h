/* vehicle/kept_clock.h - what this machine's clock is, and the time as libraries see it. */
#ifndef VEHICLE_KEPT_CLOCK_H
#define VEHICLE_KEPT_CLOCK_H

#include <stdbool.h>

/* Does a clock run on while the machine is off: one with a battery, or the host's of a guest? */
bool kept_clock_there(void);

/* Does NTP keep the kernel's clock at the moment? */
bool kept_clock_by_ntp(void);

#endif
