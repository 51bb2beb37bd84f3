/* services/api/pki.c - making and reading certificates, requests and keys. */
#include "pki.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "proto/vin.h"

#define DAY_S (24 * 3600)
#define BACKDATE_S 600 /* for clocks that are a little behind ours */

struct profile {
    int days;
    const char *basic, *usage, *extended;
};

static const struct profile profiles[] = {
    [PKI_ROOT] = {3650, "critical,CA:TRUE", "critical,keyCertSign,cRLSign", NULL},
    [PKI_INTERMEDIATE] = {1825, "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", NULL},
    [PKI_VEHICLE] = {60, "critical,CA:FALSE", "critical,digitalSignature", "clientAuth"},
    [PKI_SERVICE] = {90, "critical,CA:FALSE", "critical,digitalSignature", "clientAuth"},
    [PKI_SERVER] = {90, "critical,CA:FALSE", "critical,digitalSignature", "serverAuth"},
};

static enum status openssl_failed(const char *what, struct fault *fault)
{
    char text[128];

    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    return fault_set(fault, ST_FATAL, "%s: %s", what, text);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *e;
    X509V3_CTX ctx;
    bool good;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    good = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

/* One entry of a host list becomes DNS: or IP:; anything else in it is refused, not escaped. */
static enum status host_names(const char *hosts, char *out, size_t size, struct fault *fault)
{
    size_t len = 0;

    for (const char *at = hosts; *at;) {
        size_t n;
        bool address;

        at += strspn(at, " ,");
        n = strcspn(at, " ,");
        if (!n)
            break;
        if (strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*") < n)
            return fault_set(fault, ST_REJECT, "host \"%.*s\" is neither a name nor an address",
                             (int)n, at);
        address = memchr(at, ':', n) || strspn(at, "0123456789.") >= n;
        len += (size_t)snprintf(out + len, size - len, "%s%s:%.*s", len ? "," : "",
                                address ? "IP" : "DNS", (int)n, at);
        if (len >= size)
            return fault_set(fault, ST_REJECT, "too many hosts");
        at += n;
    }
    return len ? ST_OK : fault_set(fault, ST_REJECT, "a server's certificate needs a host");
}

static bool set_subject(X509 *cert, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1;
}

static bool set_serial(X509 *cert)
{
    unsigned char random[16];
    BIGNUM *number;
    bool good;

    text_random(random, sizeof random);
    random[0] = (unsigned char)((random[0] & 0x7f) | 0x40); /* positive, and always 128 bits long */
    number = BN_bin2bn(random, sizeof random, NULL);
    good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return good;
}

static enum status check_name(const struct pki_request *q, struct fault *fault)
{
    size_t len = strlen(q->common_name);

    if (q->profile == PKI_VEHICLE && !vin_is_valid(q->common_name, len))
        return fault_set(fault, ST_REJECT, "a vehicle's certificate is for a VIN");
    if (q->profile == PKI_SERVICE && strncmp(q->common_name, "svc-", 4) != 0)
        return fault_set(fault, ST_REJECT, "a service's name begins with svc-");
    if (len < 1 || len > 64)
        return fault_set(fault, ST_REJECT, "a common name has 1 .. 64 characters");
    return ST_OK;
}

static bool fill_in(X509 *cert, const struct pki_issuer *issuer, EVP_PKEY *key,
                    const struct pki_request *q, const char *names)
{
    const struct profile *p = &profiles[q->profile];
    X509 *by = issuer ? issuer->cert : cert;

    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
           set_subject(cert, q->common_name) &&
           X509_set_issuer_name(cert, X509_get_subject_name(by)) &&
           ASN1_TIME_set(X509_getm_notBefore(cert), q->now_s - BACKDATE_S) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), q->now_s + (int64_t)p->days * DAY_S) &&
           X509_set_pubkey(cert, key) && add_extension(cert, by, NID_basic_constraints, p->basic) &&
           add_extension(cert, by, NID_key_usage, p->usage) &&
           add_extension(cert, by, NID_subject_key_identifier, "hash") &&
           add_extension(cert, by, NID_authority_key_identifier, "keyid:always") &&
           (!p->extended || add_extension(cert, by, NID_ext_key_usage, p->extended)) &&
           (!names || add_extension(cert, by, NID_subject_alt_name, names));
}

enum status pki_issue(X509 **out, const struct pki_issuer *issuer, EVP_PKEY *key,
                      const struct pki_request *q, struct fault *fault)
{
    char names[1024];
    enum status st;
    X509 *cert;

    if ((st = check_name(q, fault)) != ST_OK)
        return st;
    if (q->profile == PKI_SERVER &&
        (st = host_names(q->hosts, names, sizeof names, fault)) != ST_OK)
        return st;
    cert = X509_new();
    if (!cert)
        return fault_set(fault, ST_FATAL, "out of memory");
    if (!fill_in(cert, issuer, key, q, q->profile == PKI_SERVER ? names : NULL) ||
        !X509_sign(cert, issuer ? issuer->key : key, EVP_sha256())) {
        X509_free(cert);
        return openssl_failed("a certificate cannot be made", fault);
    }
    *out = cert;
    return ST_OK;
}

enum status pki_key_hash(EVP_PKEY *key, unsigned char out[32], struct fault *fault)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    if (len <= 0)
        return openssl_failed("a public key cannot be encoded", fault);
    SHA256(der, (size_t)len, out);
    OPENSSL_free(der);
    return ST_OK;
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

enum status pki_describe(X509 *cert, struct pki_facts *out, struct fault *fault)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    EVP_PKEY *key = X509_get0_pubkey(cert);
    unsigned len = 32;

    if (!key || serial->length > 16 || X509_digest(cert, EVP_sha256(), out->sha256, &len) != 1)
        return openssl_failed("a certificate cannot be read", fault);
    text_hex(out->serial, serial->data, (size_t)serial->length);
    out->not_before_s = seconds_of(X509_get0_notBefore(cert));
    out->not_after_s = seconds_of(X509_get0_notAfter(cert));
    return pki_key_hash(key, out->key_sha256, fault);
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32] = "";

    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          NULL) == 1 &&
           !strcmp(group, "prime256v1");
}

enum status pki_csr_key(EVP_PKEY **out, const char *pem, size_t len, struct fault *fault)
{
    X509_REQ *request = NULL;
    enum status st = ST_OK;
    EVP_PKEY *key = NULL;
    char rest[64];
    BIO *bio;
    int n;

    if (len < 1 || len > 8192 || strncmp(pem, "-----BEGIN ", len < 11 ? len : 11) != 0)
        return fault_set(fault, ST_REJECT, "not a certificate request in PEM");
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    if (!request)
        st = fault_set(fault, ST_REJECT, "not a certificate request in PEM");
    while (st == ST_OK && (n = BIO_read(bio, rest, sizeof rest)) > 0)
        for (int i = 0; i < n; i++)
            if (!strchr("\r\n\t ", rest[i]))
                st = fault_set(fault, ST_REJECT, "something follows the certificate request");
    if (st == ST_OK) {
        key = X509_REQ_get_pubkey(request);
        if (!key || !is_p256(key))
            st = fault_set(fault, ST_REJECT, "the key must be EC P-256");
        else if (X509_REQ_verify(request, key) != 1)
            st = fault_set(fault, ST_REJECT, "the request is not signed by its own key");
    }
    ERR_clear_error();
    BIO_free(bio);
    X509_REQ_free(request);
    if (st == ST_OK)
        *out = key;
    else
        EVP_PKEY_free(key);
    return st;
}

EVP_PKEY *pki_new_key(void)
{
    return EVP_EC_gen("P-256");
}

static char *bio_text(BIO *bio, const char *more)
{
    char *bytes, *out = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    size_t more_len = more ? strlen(more) : 0;

    if (len > 0)
        out = malloc((size_t)len + more_len + 1);
    if (out) {
        memcpy(out, bytes, (size_t)len);
        if (more_len)
            memcpy(out + len, more, more_len);
        out[(size_t)len + more_len] = '\0';
    }
    if (len > 0)
        explicit_bzero(bytes, (size_t)len);
    BIO_free(bio);
    return out;
}

char *pki_pem(X509 *cert, const char *more)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return NULL;
    PEM_write_bio_X509(bio, cert);
    return bio_text(bio, more);
}

char *pki_key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return NULL;
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return bio_text(bio, NULL);
}

/* ---- revocation lists */
#define CRL_LIFE_S (14 * DAY_S)

static bool crl_add(X509_CRL *crl, ASN1_INTEGER *serial, int64_t now_s)
{
    X509_REVOKED *entry, *there = NULL;
    ASN1_TIME *when;
    bool good;

    if (X509_CRL_get0_by_serial(crl, &there, serial) == 1)
        return true;
    entry = X509_REVOKED_new();
    when = ASN1_TIME_set(NULL, now_s);
    good = entry && when && X509_REVOKED_set_serialNumber(entry, serial) &&
           X509_REVOKED_set_revocationDate(entry, when) && X509_CRL_add0_revoked(crl, entry);
    ASN1_TIME_free(when);
    if (!good)
        X509_REVOKED_free(entry);
    return good;
}

static bool crl_add_hex(X509_CRL *crl, const char *hex, int64_t now_s)
{
    ASN1_INTEGER *serial = NULL;
    BIGNUM *number = NULL;
    bool good;

    good = BN_hex2bn(&number, hex) > 0 && (serial = BN_to_ASN1_INTEGER(number, NULL)) &&
           crl_add(crl, serial, now_s);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return good;
}

static bool crl_copy(X509_CRL *crl, X509_CRL *old)
{
    STACK_OF(X509_REVOKED) *list = old ? X509_CRL_get_REVOKED(old) : NULL;

    for (int i = 0; i < sk_X509_REVOKED_num(list); i++) {
        X509_REVOKED *copy = X509_REVOKED_dup(sk_X509_REVOKED_value(list, i));

        if (!copy || !X509_CRL_add0_revoked(crl, copy)) {
            X509_REVOKED_free(copy);
            return false;
        }
    }
    return true;
}

/* RFC 5280: a v2 list wants a number that grows; the time in seconds does, and needs no file. */
static bool crl_number(X509_CRL *crl, int64_t now_s)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool good = number && ASN1_INTEGER_set_int64(number, now_s) &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;

    ASN1_INTEGER_free(number);
    return good;
}

enum status pki_crl(X509_CRL **out, const struct pki_issuer *issuer, X509_CRL *old,
                    const char *const *serials, size_t count, int64_t now_s, struct fault *fault)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *last = ASN1_TIME_set(NULL, now_s - BACKDATE_S);
    ASN1_TIME *next = ASN1_TIME_set(NULL, now_s + CRL_LIFE_S);
    bool good;

    good = crl && last && next && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
           X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) &&
           X509_CRL_set1_lastUpdate(crl, last) && X509_CRL_set1_nextUpdate(crl, next) &&
           crl_number(crl, now_s) && crl_copy(crl, old);
    for (size_t i = 0; good && i < count; i++)
        good = crl_add_hex(crl, serials[i], now_s);
    good = good && X509_CRL_sort(crl) && X509_CRL_sign(crl, issuer->key, EVP_sha256());
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    if (!good) {
        X509_CRL_free(crl);
        return openssl_failed("a revocation list cannot be made", fault);
    }
    *out = crl;
    return ST_OK;
}

void pki_issuer_done(struct pki_issuer *issuer)
{
    X509_free(issuer->cert);
    EVP_PKEY_free(issuer->key);
    issuer->cert = NULL;
    issuer->key = NULL;
}
