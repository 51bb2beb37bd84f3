/* vehicle/obd/formula.h - the arithmetic of a table row: bytes to a number.
 * A .. Z are the first 26 data bytes, [n] is any byte (from 0); + - * / and parentheses in real
 * arithmetic, & >> << on whole numbers; s8() s16() s32() read two's complement; decimal numbers.
 * Usual precedence: * / above + - above << >> above &.  Pure; bounded. */
#ifndef VEHICLE_OBD_FORMULA_H
#define VEHICLE_OBD_FORMULA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define FORMULA_STEPS_MAX 48
#define FORMULA_TEXT_MAX 120

struct formula {
    size_t count;
    size_t needs; /* data bytes it reads at least */
    struct formula_step {
        char what; /* '#' number, 'b' byte, operator, or '1' '2' '4' for s8 s16 s32 */
        double number;
    } steps[FORMULA_STEPS_MAX]; /* in reverse Polish order */
};

/* ST_REJECT: not a formula, or too long. */
enum status formula_read(struct formula *out, const char *text, struct fault *fault) MUST_CHECK;

/* False when a byte is missing or the result is no finite number. */
bool formula_value(const struct formula *f, const uint8_t *data, size_t len, double *value);

#endif
