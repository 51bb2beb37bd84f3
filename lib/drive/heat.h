/* lib/drive/heat.h - coolant that gets too hot.  Pure; {0} starts.  Degrees Celsius. */
#ifndef LIB_DRIVE_HEAT_H
#define LIB_DRIVE_HEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "hold.h"

struct heat_settings {
    double hot_celsius; /* 110 or more for 30,000 ms: major */
    int64_t hot_ms;
    double boiling_celsius; /* 118 or more for 10,000 ms: critical */
    int64_t boiling_ms;
    double cool_celsius; /* below 105 for 60,000 ms: over */
    int64_t cool_ms;
    double step_celsius; /* a step of more than 20 within 10,000 ms is the sensor */
    int64_t step_ms;
    double broken_low,
        broken_high; /* -40 and 215, the ends of PID 05, are a sensor without a wire */
    int64_t hole_ms; /* 60,000: readings further apart do not add up */
};
extern const struct heat_settings heat_defaults;

enum heat_fact { HEAT_NONE = 0, HEAT_MAJOR, HEAT_CRITICAL, HEAT_CLEARED };

struct heat {
    enum heat_fact open;    /* HEAT_NONE, HEAT_MAJOR or HEAT_CRITICAL */
    int64_t since_ms;       /* first reading of what raised it */
    double peak_celsius;    /* since then */
    int64_t t_ms;           /* newest reading */
    double trusted_celsius; /* newest believed reading ... */
    int64_t trusted_ms;     /* ... 0: none */
    bool doubted;           /* the sensor stepped and did not come back */
    struct hold hot, boiling, cool;
};

/* One reading.  After a step, or a broken reading, nothing is believed until a reading lies within
 * 20 degrees of the last believed one, is harmless (below 105), or comes after 10 s without any.
 * HEAT_MAJOR may be followed by HEAT_CRITICAL: the same case, worse. */
enum heat_fact heat_step(struct heat *h, const struct heat_settings *set, int64_t t_ms,
                         double coolant_celsius);

#endif
