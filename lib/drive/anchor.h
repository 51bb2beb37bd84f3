/* lib/drive/anchor.h - where a car stands: the median of its first good fixes at rest.
 * Pure; {0} is nowhere.  A parked receiver wanders; the anchor does not. */
#ifndef LIB_DRIVE_ANCHOR_H
#define LIB_DRIVE_ANCHOR_H

#include <stdbool.h>
#include <stdint.h>

#define ANCHOR_FIXES 60

struct anchor {
    int32_t lat[ANCHOR_FIXES], lon[ANCHOR_FIXES]; /* 1e-7 degrees (a centimetre), sorted apart */
    int n;
};

/* Add a good standing fix; after the first 60 nothing changes any more. */
void anchor_add(struct anchor *a, double lat, double lon);
/* The median; false, and no output, without a fix. */
bool anchor_place(const struct anchor *a, double *lat, double *lon);
void anchor_clear(struct anchor *a);

#endif
