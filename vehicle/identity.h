/* vehicle/identity.h - whose agent this is: the certificate decides, everything else has to agree.
 */
#ifndef VEHICLE_IDENTITY_H
#define VEHICLE_IDENTITY_H

#include <stdint.h>

#include "proto/status.h"
#include "proto/vin.h"

/* The VIN in a certificate's common name.  ST_NONE: no such file; ST_REJECT: unreadable, or the
 * name is no VIN. */
enum status identity_of_certificate(char out[VIN_LEN + 1], const char *path,
                                    struct fault *fault) MUST_CHECK;

/* Since when the certificate holds, ms since 1970 UTC.  ST_NONE: no such file; ST_REJECT:
 * unreadable.
 */
enum status identity_valid_from(int64_t *t_ms, const char *path) MUST_CHECK;

/* Our VIN: the certificate's.  With `configured` ("" not): they must be equal, else ST_REJECT.
 * Without a certificate the configured one.  ST_NONE: neither is there. */
enum status identity_settle(char out[VIN_LEN + 1], const char *configured, const char *certificate,
                            struct fault *fault) MUST_CHECK;

#endif
