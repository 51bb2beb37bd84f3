/* services/api/enrolled.h - what enrolment and renewal have in common: the request in the body, and
 * the answer. */
#ifndef API_ENROLLED_H
#define API_ENROLLED_H

#include "pki.h"
#include "proto/json.h"
#include "respond.h"
#include "workers.h"

#define BYTEA_HASH 67 /* SHA-256 as a bytea literal */

void bytea_hash(char out[BYTEA_HASH], const unsigned char hash[32]);

/* The public key of the body's `csr`; *key is yours to EVP_PKEY_free.  ST_NONE: it is missing or
 * wrong, the answer (422) is set. */
enum status enrolled_read_key(const struct request *r, const json_t *body, EVP_PKEY **key,
                              char key_hash[BYTEA_HASH], struct answer *a) MUST_CHECK;

/* 201: certificate chain, what to trust, where to go, and what must be acknowledged.  Inside the
 * transaction, before its commit. */
enum status enrolled_answer(struct worker *w, const char *vin, const char *chain, struct answer *a,
                            struct fault *fault) MUST_CHECK;

#endif
