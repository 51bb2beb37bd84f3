/* proto/vin.h - vehicle identification numbers (ISO 3779): 17 characters [A-HJ-NPR-Z0-9].  Pure,
 * any thread. */
#ifndef PROTO_VIN_H
#define PROTO_VIN_H

#include <stdbool.h>
#include <stddef.h>

#define VIN_LEN 17

/* Is `text`, `len` bytes and not necessarily terminated, a VIN of our grammar? */
bool vin_is_valid(const char *text, size_t len);

/* Does position 9 hold the check digit of 49 CFR 565?  Mandatory only where the VIN begins 1-5:
 * elsewhere a mismatch says nothing.  It may warn, never reject.  `vin` must be valid. */
bool vin_check_digit_matches(const char *vin);

#endif
