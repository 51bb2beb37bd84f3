/* services/api/certificates.h - a vehicle's certificate, signed and written down in the same
 * transaction. */
#ifndef API_CERTIFICATES_H
#define API_CERTIFICATES_H

#include "lib/store/postgres.h"
#include "lib/text.h"
#include "pki.h"

/* Inside a transaction: sign `key` for `vin`, insert the row, make the vehicle active, tell
 * `fleet`. *chain (leaf + intermediate, PEM) is yours to free.  ST_REJECT: the VIN is not one. */
enum status certificates_issue(struct pg *pg, const struct pki_issuer *issuer, const char *vin,
                               EVP_PKEY *key, int64_t now_s, char **chain,
                               char serial[PKI_SERIAL_TEXT], struct fault *fault) MUST_CHECK;

#endif
