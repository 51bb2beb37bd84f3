/* vehicle/keyring.h - the car's private keys, what is asked to be signed for them, and the
 * certificates that come back.  EC P-256, CN = VIN.  libcrypto; files are PEM, keys 0600. */
#ifndef VEHICLE_KEYRING_H
#define VEHICLE_KEYRING_H

#include <stdint.h>

#include "lib/text.h"
#include "proto/status.h"

/* A certificate request by the key in the file, or by a new one put there: a lost answer is asked
 * for again with the same key.  ST_REJECT: the file cannot be read or written, or holds no key. */
enum status keyring_request(struct text *out, const char *key_path, const char *vin,
                            struct fault *fault) MUST_CHECK;

/* From when to when the first certificate of a file is good.  ST_NONE: no such file; ST_REJECT: no
 * certificate. */
enum status keyring_span(const char *certificate_path, int64_t *from_ms, int64_t *to_ms,
                         struct fault *fault) MUST_CHECK;

/* Do the first certificate of one file and the key of another belong together?  ST_NONE: one of
 * them is not there; ST_REJECT: they do not, or one cannot be read. */
enum status keyring_pair(const char *certificate_path, const char *key_path,
                         struct fault *fault) MUST_CHECK;

#endif
