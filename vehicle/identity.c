/* vehicle/identity.c - see identity.h.  libcrypto reads the certificate. */
#include "identity.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum status identity_common_name(char out[VIN_LEN + 1], const X509 *certificate,
                                        const char *path, struct fault *fault)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, -1);
    const ASN1_STRING *name;

    if (at < 0)
        return fault_set(fault, ST_REJECT, "%s: the certificate has no common name", path);
    name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    if (!vin_is_valid((const char *)ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name)))
        return fault_set(fault, ST_REJECT, "%s: the certificate's name is not a VIN", path);
    memcpy(out, ASN1_STRING_get0_data(name), VIN_LEN);
    out[VIN_LEN] = '\0';
    return ST_OK;
}

enum status identity_of_certificate(char out[VIN_LEN + 1], const char *path, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    X509 *certificate;
    enum status st;

    if (file == NULL)
        return fault_set(fault, errno == ENOENT ? ST_NONE : ST_REJECT, "%s: %s", path,
                         strerror(errno));
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    if (certificate == NULL)
        return fault_set(fault, ST_REJECT, "%s: not a certificate", path);
    st = identity_common_name(out, certificate, path, fault);
    X509_free(certificate);
    return st;
}

enum status identity_valid_from(int64_t *t_ms, const char *path)
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    struct tm tm = {0};
    bool read = certificate != NULL && ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &tm) == 1;

    if (file != NULL)
        fclose(file);
    X509_free(certificate);
    if (!read)
        return file == NULL ? ST_NONE : ST_REJECT;
    *t_ms = (int64_t)timegm(&tm) * 1000;
    return ST_OK;
}

enum status identity_settle(char out[VIN_LEN + 1], const char *configured, const char *certificate,
                            struct fault *fault)
{
    char vin[VIN_LEN + 1];
    enum status st = identity_of_certificate(vin, certificate, fault);

    if (st == ST_NONE && configured[0] != '\0') {
        memcpy(vin, configured, sizeof vin);
        st = ST_OK;
    } else if (st == ST_OK && configured[0] != '\0' && strcmp(vin, configured) != 0) {
        st = fault_set(fault, ST_REJECT, "--vin is %s but the certificate is for %s", configured,
                       vin);
    }
    if (st == ST_OK)
        memcpy(out, vin, sizeof vin);
    return st;
}
