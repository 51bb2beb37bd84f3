/* tests/unit/api/forge.h - tokens made by hand, so that every wrong one can be made; and the keys
 * for it. */
#ifndef UNIT_API_FORGE_H
#define UNIT_API_FORGE_H

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "services/api/keys.h"

/* A fresh key pair for a struct keys: ours (it may sign) or the other site's. */
static inline EVP_PKEY *forge_key(struct keys *k, int signs)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct fault fault;
    char *pem;
    long len;
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PUBKEY(bio, key);
    len = BIO_get_mem_data(bio, &pem);
    if (keys_add(k, pem, (size_t)len, &fault) != ST_OK)
        abort();
    BIO_free(bio);
    if (signs) {
        bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        len = BIO_get_mem_data(bio, &pem);
        memcpy(k->signing_pem, pem, (size_t)len);
        k->signing_pem[len] = '\0';
        memcpy(k->signing_kid, k->entries[k->count - 1].kid, sizeof k->signing_kid);
        BIO_free(bio);
    }
    return key;
}

static inline size_t forge_base64(char *out, const void *bytes, size_t len)
{
    return text_base64url(out, bytes, len);
}

/* ES256: r and s, 32 bytes each. */
static inline void forge_es256(EVP_PKEY *key, const char *text, unsigned char out[64])
{
    unsigned char der[160];
    const unsigned char *at = der;
    size_t len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const BIGNUM *r, *s;
    ECDSA_SIG *sig;

    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(ctx, der, &len, (const unsigned char *)text, strlen(text)) != 1)
        abort();
    sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    ECDSA_SIG_get0(sig, &r, &s);
    BN_bn2binpad(r, out, 32);
    BN_bn2binpad(s, out + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
}

/* header.payload of two JSON texts. */
static inline void forge_unsigned(char *out, const char *header, const char *payload)
{
    size_t n = forge_base64(out, header, strlen(header));

    out[n++] = '.';
    forge_base64(out + n, payload, strlen(payload));
}

/* A whole token signed as ES256 by `key`. */
static inline void forge_token(char *out, const char *header, const char *payload, EVP_PKEY *key)
{
    unsigned char sig[64];
    size_t n;

    forge_unsigned(out, header, payload);
    forge_es256(key, out, sig);
    n = strlen(out);
    out[n++] = '.';
    forge_base64(out + n, sig, sizeof sig);
}

/* The classic: HS256 keyed with the text of the public key. */
static inline void forge_hmac(char *out, const char *header, const char *payload,
                              const char *secret)
{
    unsigned char mac[32];
    unsigned len = sizeof mac;
    size_t n;

    forge_unsigned(out, header, payload);
    n = strlen(out);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)out, n, mac, &len);
    out[n++] = '.';
    forge_base64(out + n, mac, sizeof mac);
}

#endif
