/* tests/unit/api/test_pki.c - whatever a request asks for, the certificate has our subject and our
 * usages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "services/api/pki.h"

#define VIN "WVWZZZ1KZAW000001"
#define NOW_S INT64_C(1795248000)

static struct pki_issuer root, intermediate;
static struct fault fault;

static int setup(void **state)
{
    struct pki_request r = {
        .profile = PKI_ROOT, .common_name = "Vigie vehicles root", .now_s = NOW_S};
    struct pki_request i = {
        .profile = PKI_INTERMEDIATE, .common_name = "Vigie vehicles", .now_s = NOW_S};

    (void)state;
    root.key = pki_new_key();
    intermediate.key = pki_new_key();
    return pki_issue(&root.cert, NULL, root.key, &r, &fault) != ST_OK ||
           pki_issue(&intermediate.cert, &root, intermediate.key, &i, &fault) != ST_OK;
}

static int teardown(void **state)
{
    (void)state;
    pki_issuer_done(&root);
    pki_issuer_done(&intermediate);
    return 0;
}

struct wish {
    int nid;
    const char *value;
};

static const struct wish no_wishes[] = {{0, NULL}};

/* A request for that common name with those extensions, signed by `signer`. */
static char *csr(EVP_PKEY *key, EVP_PKEY *signer, const char *name, const struct wish *wishes)
{
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509_REQ *req = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes, *out;
    long len;

    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    for (; wishes->nid; wishes++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, wishes->nid, wishes->value);

        assert_non_null(e);
        sk_X509_EXTENSION_push(list, e);
    }
    if (sk_X509_EXTENSION_num(list))
        assert_int_equal(X509_REQ_add_extensions(req, list), 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_set_pubkey(req, key);
    X509_REQ_sign(req, signer, EVP_sha256());
    PEM_write_bio_X509_REQ(bio, req);
    len = BIO_get_mem_data(bio, &bytes);
    out = strndup(bytes, (size_t)len);
    BIO_free(bio);
    X509_REQ_free(req);
    return out;
}

static enum status read_csr(const char *pem)
{
    EVP_PKEY *key = NULL;
    enum status st = pki_csr_key(&key, pem, strlen(pem), &fault);

    EVP_PKEY_free(key);
    return st;
}

static bool verifies(X509 *cert, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    bool good;

    X509_STORE_add_cert(store, root.cert);
    sk_X509_push(chain, intermediate.cert);
    X509_STORE_CTX_init(ctx, store, cert, chain);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), NOW_S + 60);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    good = X509_verify_cert(ctx) == 1;
    sk_X509_free(chain);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return good;
}

static void has_exactly_our_shape(X509 *cert)
{
    char name[256];

    X509_NAME_oneline(X509_get_subject_name(cert), name, sizeof name);
    assert_string_equal(name, "/CN=" VIN);
    assert_int_equal(X509_get_ext_count(cert), 5);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
    assert_int_equal(X509_get_ext_by_NID(cert, NID_subject_alt_name, -1), -1);
    assert_true(verifies(cert, X509_PURPOSE_SSL_CLIENT));
    assert_false(verifies(cert, X509_PURPOSE_SSL_SERVER));
}

static void a_request_gives_away_its_key_and_nothing_else(void **state)
{
    static const struct {
        const char *name;
        struct wish wishes[4];
    } tricks[] = {
        {VIN, {{0, NULL}}},
        {"svc-ingest", {{0, NULL}}},
        {"#", {{NID_basic_constraints, "critical,CA:TRUE"}}},
        {"WVWZZZ1KZAW000002", {{NID_key_usage, "keyCertSign,cRLSign"}}},
        {VIN "/../x", {{NID_subject_alt_name, "DNS:svc-ingest,DNS:localhost,IP:127.0.0.1"}}},
        {VIN, {{NID_ext_key_usage, "serverAuth,clientAuth,codeSigning"}}},
        {"CN=" VIN ",O=Vigie",
         {{NID_basic_constraints, "CA:TRUE,pathlen:5"}, {NID_key_usage, "keyCertSign"}, {0, NULL}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        struct pki_request q = {.profile = PKI_VEHICLE, .common_name = VIN, .now_s = NOW_S};
        EVP_PKEY *key = pki_new_key(), *read = NULL;
        char *pem = csr(key, key, tricks[i].name, tricks[i].wishes);
        X509 *cert = NULL;

        assert_int_equal(pki_csr_key(&read, pem, strlen(pem), &fault), ST_OK);
        assert_int_equal(pki_issue(&cert, &intermediate, read, &q, &fault), ST_OK);
        assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), key), 1);
        has_exactly_our_shape(cert);
        X509_free(cert);
        EVP_PKEY_free(read);
        EVP_PKEY_free(key);
        free(pem);
    }
}

static void a_request_signed_by_another_key_is_refused(void **state)
{
    EVP_PKEY *key = pki_new_key(), *thief = pki_new_key();
    char *pem = csr(key, thief, VIN, no_wishes);

    (void)state;
    assert_int_equal(read_csr(pem), ST_REJECT);
    free(pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(thief);
}

static void only_p256_keys_are_taken(void **state)
{
    EVP_PKEY *keys[] = {EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(2048),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *pem = csr(keys[i], keys[i], VIN, no_wishes);

        assert_int_equal(read_csr(pem), ST_REJECT);
        free(pem);
    }
    for (size_t i = 0; i < 4; i++)
        EVP_PKEY_free(keys[i]);
}

static void what_is_no_request_is_refused(void **state)
{
    EVP_PKEY *key = pki_new_key();
    char *pem = csr(key, key, VIN, no_wishes), *cert = pki_pem(root.cert, NULL), twice[8192];

    (void)state;
    assert_int_equal(read_csr(pem), ST_OK);
    snprintf(twice, sizeof twice, "%s%s", pem, pem);
    assert_int_equal(read_csr(twice), ST_REJECT);
    snprintf(twice, sizeof twice, "%s# more", pem);
    assert_int_equal(read_csr(twice), ST_REJECT);
    pem[100] = '!';
    assert_int_equal(read_csr(pem), ST_REJECT);
    pem[60] = '\0';
    assert_int_equal(read_csr(pem), ST_REJECT);
    assert_int_equal(read_csr(cert), ST_REJECT);
    assert_int_equal(read_csr(""), ST_REJECT);
    assert_int_equal(
        read_csr("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"),
        ST_REJECT);
    free(pem);
    free(cert);
    EVP_PKEY_free(key);
}

static void a_vehicles_name_must_be_a_vin(void **state)
{
    static const char *const names[] = {"",
                                        "#",
                                        "svc-ingest",
                                        "WVWZZZ1KZAW00000",
                                        "WVWZZZ1KZAW0000011",
                                        "wvwzzz1kzaw000001",
                                        "WVWZZZ1KZAW00000I",
                                        "WVWZZZ1KZAW/00001"};
    EVP_PKEY *key = pki_new_key();

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pki_request q = {.profile = PKI_VEHICLE, .common_name = names[i], .now_s = NOW_S};
        X509 *cert = NULL;

        assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_REJECT);
    }
    EVP_PKEY_free(key);
}

static void names_of_the_two_worlds_cannot_meet(void **state)
{
    struct pki_request q = {.profile = PKI_SERVICE, .common_name = VIN, .now_s = NOW_S};
    EVP_PKEY *key = pki_new_key();
    X509 *cert = NULL;

    (void)state;
    assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_REJECT);
    EVP_PKEY_free(key);
}

static void hosts_are_names_or_addresses_and_nothing_that_could_be_more(void **state)
{
    struct pki_request q = {.profile = PKI_SERVER, .common_name = "vigie", .now_s = NOW_S};
    EVP_PKEY *key = pki_new_key();
    X509 *cert = NULL;

    (void)state;
    q.hosts = "localhost, 127.0.0.1,::1,api.example.org";
    assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_OK);
    assert_int_equal(X509_check_host(cert, "api.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
    X509_free(cert);
    q.hosts = "a,email:x@y";
    assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_REJECT);
    q.hosts = "";
    assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_REJECT);
    EVP_PKEY_free(key);
}

static void the_facts_of_a_certificate_are_read_back(void **state)
{
    struct pki_request q = {.profile = PKI_VEHICLE, .common_name = VIN, .now_s = NOW_S};
    EVP_PKEY *key = pki_new_key();
    unsigned char hash[32];
    struct pki_facts facts, again;
    X509 *cert = NULL, *other = NULL;

    (void)state;
    assert_int_equal(pki_issue(&cert, &intermediate, key, &q, &fault), ST_OK);
    assert_int_equal(pki_issue(&other, &intermediate, key, &q, &fault), ST_OK);
    assert_int_equal(pki_describe(cert, &facts, &fault), ST_OK);
    assert_int_equal(pki_describe(other, &again, &fault), ST_OK);
    assert_int_equal(strlen(facts.serial), 32);
    assert_string_not_equal(facts.serial, again.serial);
    assert_int_equal(facts.not_after_s, NOW_S + 60 * 24 * 3600);
    assert_true(facts.not_before_s <= NOW_S);
    assert_int_equal(pki_key_hash(key, hash, &fault), ST_OK);
    assert_memory_equal(facts.key_sha256, hash, 32);
    X509_free(cert);
    X509_free(other);
    EVP_PKEY_free(key);
}

static void a_revocation_list_only_grows(void **state)
{
    const char *first[] = {"40112233445566778899aabbccddeeff"};
    const char *second[] = {"7f112233445566778899aabbccddeeff", "40112233445566778899aabbccddeeff"};
    X509_CRL *old = NULL, *new = NULL, *none = NULL;

    (void)state;
    assert_int_equal(pki_crl(&none, &intermediate, NULL, NULL, 0, NOW_S, &fault), ST_OK);
    assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(none)), -1);
    assert_int_equal(pki_crl(&old, &intermediate, none, first, 1, NOW_S, &fault), ST_OK);
    assert_int_equal(pki_crl(&new, &intermediate, old, second, 2, NOW_S + 5, &fault), ST_OK);
    assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(new)), 2);
    assert_int_equal(X509_CRL_verify(new, intermediate.key), 1);
    X509_CRL_free(old);
    X509_CRL_free(new);
    X509_CRL_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_gives_away_its_key_and_nothing_else),
        cmocka_unit_test(a_request_signed_by_another_key_is_refused),
        cmocka_unit_test(only_p256_keys_are_taken),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_vehicles_name_must_be_a_vin),
        cmocka_unit_test(names_of_the_two_worlds_cannot_meet),
        cmocka_unit_test(hosts_are_names_or_addresses_and_nothing_that_could_be_more),
        cmocka_unit_test(the_facts_of_a_certificate_are_read_back),
        cmocka_unit_test(a_revocation_list_only_grows),
    };

    return cmocka_run_group_tests_name("pki", tests, setup, teardown);
}
