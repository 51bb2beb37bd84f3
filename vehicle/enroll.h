/* vehicle/enroll.h - a new car gets its certificate: key and request made here, signed by the API
 * for a one-time token. The key never leaves the car.  Blocking; before any thread is started. */
#ifndef VEHICLE_ENROLL_H
#define VEHICLE_ENROLL_H

#include "lib/text.h"
#include "proto/status.h"

struct enroll_options {
    const char *vin;
    const char *api; /* "https://host:port,https://..." tried in turn */
    const char *ca;  /* what the API is verified with */
    const char *token_file;
    const char *key; /* where the key is put (0600); an existing one is used again */
};

/* Enrol once.  *certificate: the chain to be kept, *config: the answer's config/1 as text, empty if
 * it had none.  Whoever keeps them keeps the certificate last: while there is none, the next start
 * asks again, and gets the same answer for the same key.
 *   ST_RETRY  no API answered, or it was busy: the same token may be used again
 *   ST_REJECT the API refused (the fault says how), or the files cannot be read or written */
enum status enroll(const struct enroll_options *options, struct text *certificate,
                   struct text *config, struct fault *fault) MUST_CHECK;

/* Take the API's answer apart: certificate chain and config/1 (given brokers only: one is made of
 * them). */
enum status enroll_read_answer(const char *bytes, size_t len, struct text *certificate,
                               struct text *config, struct fault *fault) MUST_CHECK;

#endif
