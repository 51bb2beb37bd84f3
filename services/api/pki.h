/* services/api/pki.h - certificates of our own two hierarchies (OpenSSL libcrypto).  Touches no
 * file; any thread. Of a certificate request only the public key is taken: subject, usages, dates
 * and serial are ours. */
#ifndef API_PKI_H
#define API_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

enum pki_profile {
    PKI_ROOT,         /* self-signed, 10 years */
    PKI_INTERMEDIATE, /* 5 years, pathlen 0 */
    PKI_VEHICLE,      /* CN = VIN and nothing else, clientAuth, 60 days */
    PKI_SERVICE,      /* CN = svc-..., clientAuth, 90 days */
    PKI_SERVER        /* SAN = hosts, serverAuth, 90 days */
};

struct pki_issuer {
    X509 *cert;
    EVP_PKEY *key;
};

struct pki_request {
    enum pki_profile profile;
    const char *common_name;
    const char *hosts; /* PKI_SERVER: comma-separated names and addresses */
    int64_t now_s;
};

#define PKI_SERIAL_TEXT 33

struct pki_facts {
    char serial[PKI_SERIAL_TEXT]; /* lower-case hex of 128 random bits */
    unsigned char sha256[32];     /* of the certificate */
    unsigned char key_sha256[32]; /* of the public key (SubjectPublicKeyInfo) */
    int64_t not_before_s, not_after_s;
};

/* Make and sign a certificate for `key` (only its public half is looked at).  `issuer` NULL:
 * self-signed with `key`. *out is yours to X509_free.  ST_REJECT: a name or host that is not
 * allowed there. */
enum status pki_issue(X509 **out, const struct pki_issuer *issuer, EVP_PKEY *key,
                      const struct pki_request *request, struct fault *fault) MUST_CHECK;
enum status pki_describe(X509 *cert, struct pki_facts *out, struct fault *fault) MUST_CHECK;

/* The public key of a PEM certificate request, after its own signature was verified.  ST_REJECT:
 * not a request, signature wrong, not EC P-256, bytes after its end. */
enum status pki_csr_key(EVP_PKEY **out, const char *pem, size_t len,
                        struct fault *fault) MUST_CHECK;
/* SHA-256 of the public key. */
enum status pki_key_hash(EVP_PKEY *key, unsigned char out[32], struct fault *fault) MUST_CHECK;
EVP_PKEY *pki_new_key(void); /* P-256; NULL: none could be made */

/* Certificate as PEM, `more` appended; malloc'ed, NULL when memory ran out. */
char *pki_pem(X509 *cert, const char *more);
char *pki_key_pem(EVP_PKEY *key); /* the private key; wipe and free it */

/* A CRL of `issuer`: everything in `old` (NULL: nothing) and the serials (hex), good for 14 days.
 */
enum status pki_crl(X509_CRL **out, const struct pki_issuer *issuer, X509_CRL *old,
                    const char *const *serials, size_t count, int64_t now_s,
                    struct fault *fault) MUST_CHECK;

void pki_issuer_done(struct pki_issuer *issuer);

#endif
