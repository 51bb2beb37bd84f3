/* vehicle/decode.h - --decode: what a captured transcript says, one JSON object per request. */
#ifndef VEHICLE_DECODE_H
#define VEHICLE_DECODE_H

#include "obd/makes.h"
#include "obd/transcript.h"
#include "proto/vin.h"

/* What helps to read answers to service 22. */
struct decode_with {
    const struct makes *makes;
    char vin[VIN_LEN + 1]; /* "" not known; the newest the transcript told replaces it */
};

/* The object of one exchange: {"request", "answers": [{"ecu", "s": {path: value}, "dtcs": [...],
 * ...}], "error"}.  Values are not rounded; what is not known is absent; "bytes" is what nothing
 * here understands.  To be freed by the caller; NULL without memory. */
char *decode_exchange(const struct exchange *x, struct decode_with *with);

/* Standard input to standard output.  `vin` may be "".  ST_REJECT: more than 16 MiB. */
enum status decode_stdin(const struct makes *makes, const char *vin,
                         struct fault *fault) MUST_CHECK;

#endif
