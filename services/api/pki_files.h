/* services/api/pki_files.h - the PKI folder: what `pki init` makes and the other commands read.
 *   vehicle-root.{pem,key} vehicle-intermediate.{pem,key} vehicle-chain.pem vehicle.crl
 *   service-root.{pem,key} service-intermediate.{pem,key} service-chain.pem
 *   server.{pem,key}  services/svc-{ingest,api,notify,video,bridge}.{pem,key}  (pem = leaf +
 * intermediate) jwt/  session.secret  revoked.vins On a real site the two root keys are taken away
 * after this; nothing reads them again. */
#ifndef API_PKI_FILES_H
#define API_PKI_FILES_H

#include <stdbool.h>

#include "lib/text.h"
#include "pki.h"

/* Make what is missing, and again the leaves and the CRL that end within a third of their life; the
 * rest is left alone.  `report` (may be NULL) gets one line per file written. */
enum status pki_files_init(const char *folder, const char *hosts, int64_t now_s,
                           struct text *report, struct fault *fault) MUST_CHECK;

/* A certificate and its key: <folder>/<name>.pem, .key.  ST_NONE: not there. */
enum status pki_files_issuer(struct pki_issuer *out, const char *folder, const char *name,
                             struct fault *fault) MUST_CHECK;

/* The revocation list of the vehicles' intermediate with these serials added: written aside,
 * checked, renamed. */
enum status pki_files_crl(const char *folder, const char *const *serials, size_t count,
                          int64_t now_s, struct fault *fault) MUST_CHECK;

/* Add VINs to revoked.vins, which the broker's guard reads: temporary file and rename, under a
 * lock. */
enum status pki_files_deny(const char *folder, const char *const *vins, size_t count,
                           struct fault *fault) MUST_CHECK;

/* Take a VIN off revoked.vins, in the same way; not being there is fine: *was_denied. */
enum status pki_files_allow(const char *folder, const char *vin, bool *was_denied,
                            struct fault *fault) MUST_CHECK;

#endif
