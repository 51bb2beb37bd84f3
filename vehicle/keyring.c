/* vehicle/keyring.c - see keyring.h. */
#include "keyring.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/vin.h"

static enum status keyring_crypto(struct fault *fault, const char *what)
{
    char text[160] = "";

    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    return fault_set(fault, ST_REJECT, "%s: %s", what, text);
}

static FILE *keyring_file(const char *path, enum status *st, struct fault *fault)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        *st = fault_set(fault, errno == ENOENT ? ST_NONE : ST_REJECT, "%s: %s", path,
                        strerror(errno));
    return file;
}

/* ---- keys */

static enum status keyring_load(EVP_PKEY **out, const char *path, struct fault *fault)
{
    enum status st = ST_OK;
    FILE *file = keyring_file(path, &st, fault);

    if (file == NULL)
        return st;
    *out = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return *out != NULL ? ST_OK : keyring_crypto(fault, path);
}

static enum status keyring_take(BIO *bio, struct text *out)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);

    text_clear(out);
    if (len > 0)
        text_add(out, bytes, (size_t)len);
    return len > 0 && !out->failed ? ST_OK : ST_REJECT;
}

static enum status keyring_save(EVP_PKEY *key, const char *path, struct fault *fault)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct text pem;
    enum status st = ST_REJECT;

    text_init(&pem);
    if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        st = keyring_take(bio, &pem);
    if (st == ST_OK)
        st = text_write_file(path, pem.bytes, pem.len, 0600, fault);
    else
        st = keyring_crypto(fault, "writing the key");
    if (pem.bytes != NULL)
        explicit_bzero(pem.bytes, pem.len);
    text_done(&pem);
    BIO_free(bio);
    return st;
}

static enum status keyring_key(EVP_PKEY **out, const char *path, struct fault *fault)
{
    enum status st = keyring_load(out, path, fault);
    EVP_PKEY *key;

    if (st != ST_NONE)
        return st;
    if ((key = EVP_EC_gen("P-256")) == NULL)
        return keyring_crypto(fault, "making a key");
    if ((st = keyring_save(key, path, fault)) != ST_OK) {
        EVP_PKEY_free(key);
        return st;
    }
    *out = key;
    return ST_OK;
}

/* ---- the request */

static enum status keyring_sign(struct text *out, EVP_PKEY *key, const char *vin,
                                struct fault *fault)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();
    BIO *bio = BIO_new(BIO_s_mem());
    enum status st = ST_REJECT;

    if (request != NULL && name != NULL && bio != NULL &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)vin, VIN_LEN,
                                   -1, 0) == 1 &&
        X509_REQ_set_subject_name(request, name) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
        X509_REQ_sign(request, key, EVP_sha256()) > 0 && PEM_write_bio_X509_REQ(bio, request) == 1)
        st = keyring_take(bio, out);
    if (st != ST_OK)
        st = keyring_crypto(fault, "making the certificate request");
    BIO_free(bio);
    X509_NAME_free(name);
    X509_REQ_free(request);
    return st;
}

enum status keyring_request(struct text *out, const char *key_path, const char *vin,
                            struct fault *fault)
{
    EVP_PKEY *key = NULL;
    enum status st = keyring_key(&key, key_path, fault);

    if (st == ST_OK)
        st = keyring_sign(out, key, vin, fault);
    EVP_PKEY_free(key);
    return st;
}

/* ---- certificates */

static enum status keyring_certificate(X509 **out, const char *path, struct fault *fault)
{
    enum status st = ST_OK;
    FILE *file = keyring_file(path, &st, fault);

    if (file == NULL)
        return st;
    *out = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    if (*out != NULL)
        return ST_OK;
    ERR_clear_error();
    return fault_set(fault, ST_REJECT, "%s: not a certificate", path);
}

static bool keyring_time(const ASN1_TIME *time, int64_t *out_ms)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return false;
    *out_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

enum status keyring_span(const char *certificate_path, int64_t *from_ms, int64_t *to_ms,
                         struct fault *fault)
{
    X509 *certificate = NULL;
    enum status st = keyring_certificate(&certificate, certificate_path, fault);

    if (st != ST_OK)
        return st;
    if (!keyring_time(X509_get0_notBefore(certificate), from_ms) ||
        !keyring_time(X509_get0_notAfter(certificate), to_ms))
        st = fault_set(fault, ST_REJECT, "%s: dates nobody can read", certificate_path);
    X509_free(certificate);
    return st;
}

enum status keyring_pair(const char *certificate_path, const char *key_path, struct fault *fault)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    enum status st = keyring_certificate(&certificate, certificate_path, fault);

    if (st == ST_OK)
        st = keyring_load(&key, key_path, fault);
    if (st == ST_OK && X509_check_private_key(certificate, key) != 1) {
        ERR_clear_error();
        st = fault_set(fault, ST_REJECT, "%s is not the key of %s", key_path, certificate_path);
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    return st;
}
