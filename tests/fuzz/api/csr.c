/* Any bytes as a certificate request: refused, or a certificate comes of it that has exactly our
 * subject and usages. */
#include "tests/fuzz/require.h"

#include <openssl/x509v3.h>
#include <string.h>

#include "services/api/pki.h"

#define VIN "WVWZZZ1KZAW000001"
#define NOW_S INT64_C(1795248000)

static struct pki_issuer issuer;

static void prepare(void)
{
    struct pki_request q = {
        .profile = PKI_INTERMEDIATE, .common_name = "Vigie vehicles", .now_s = NOW_S};
    struct fault fault;

    issuer.key = pki_new_key();
    REQUIRE(pki_issue(&issuer.cert, NULL, issuer.key, &q, &fault) == ST_OK);
}

static void check(EVP_PKEY *key)
{
    struct pki_request q = {.profile = PKI_VEHICLE, .common_name = VIN, .now_s = NOW_S};
    struct pki_facts facts;
    struct fault fault;
    X509 *cert = NULL;
    char name[128];

    REQUIRE(pki_issue(&cert, &issuer, key, &q, &fault) == ST_OK);
    X509_NAME_oneline(X509_get_subject_name(cert), name, sizeof name);
    REQUIRE(!strcmp(name, "/CN=" VIN) && X509_get_ext_count(cert) == 5 && X509_check_ca(cert) == 0);
    REQUIRE(X509_get_key_usage(cert) == KU_DIGITAL_SIGNATURE);
    REQUIRE(X509_get_extended_key_usage(cert) == XKU_SSL_CLIENT);
    REQUIRE(X509_verify(cert, issuer.key) == 1 && pki_describe(cert, &facts, &fault) == ST_OK);
    X509_free(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    EVP_PKEY *key = NULL;
    struct fault fault = {""};

    if (!issuer.key)
        prepare();
    if (pki_csr_key(&key, (const char *)data, size, &fault) == ST_OK)
        check(key);
    else
        REQUIRE(!key && fault.text[0]);
    EVP_PKEY_free(key);
    return 0;
}
