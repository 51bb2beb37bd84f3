/* vehicle/decode.h - --decode: what a captured transcript says, one JSON object per request. */
#ifndef VEHICLE_DECODE_H
#define VEHICLE_DECODE_H

#include "obd/transcript.h"

/* The object of one exchange: {"request", "answers": [{"ecu", "s": {path: value}, "dtcs": [...],
 * ...}], "error"}.  Values are not rounded; what is not known is absent; "bytes" is what nothing
 * here understands.  To be freed by the caller; NULL without memory. */
char *decode_exchange(const struct exchange *x);

/* Standard input to standard output.  ST_REJECT: more than 16 MiB. */
enum status decode_stdin(struct fault *fault) MUST_CHECK;

#endif
