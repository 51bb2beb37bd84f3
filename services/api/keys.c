/* services/api/keys.c - token keys on disk, and what the world may know of them. */
#include "keys.h"

#include <dirent.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Is it P-256?  Then its point and kid go into `e`. */
static enum status describe(EVP_PKEY *key, struct keys_entry *e, struct fault *fault)
{
    char group[32] = "";
    unsigned char point[65], hash[SHA256_DIGEST_LENGTH], *der = NULL;
    size_t len = 0;
    int der_len;

    if (!EVP_PKEY_is_a(key, "EC") ||
        !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                        NULL) ||
        strcmp(group, "prime256v1") != 0)
        return fault_set(fault, ST_REJECT, "a token key must be EC P-256");
    if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) ||
        len != sizeof point || point[0] != 4)
        return fault_set(fault, ST_REJECT, "the public point of a token key cannot be read");
    memcpy(e->x, point + 1, 32);
    memcpy(e->y, point + 33, 32);
    der_len = i2d_PUBKEY(key, &der);
    if (der_len <= 0)
        return fault_set(fault, ST_REJECT, "a token key cannot be encoded");
    SHA256(der, (size_t)der_len, hash);
    OPENSSL_free(der);
    text_hex(e->kid, hash, KID_LEN / 2);
    return ST_OK;
}

enum status keys_add(struct keys *k, const char *pem, size_t len, struct fault *fault)
{
    struct keys_entry *e = &k->entries[k->count];
    EVP_PKEY *key = NULL;
    enum status st;
    BIO *bio;

    if (k->count == KEYS_MAX || len >= KEY_PEM_MAX)
        return fault_set(fault, ST_REJECT, "more than %d token keys, or one too long", KEYS_MAX);
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!key)
        return fault_set(fault, ST_REJECT, "not a public key in PEM");
    st = describe(key, e, fault);
    EVP_PKEY_free(key);
    if (st != ST_OK)
        return st;
    memcpy(e->public_pem, pem, len);
    e->public_pem[len] = '\0';
    k->count++;
    return ST_OK;
}

const struct keys_entry *keys_find(const struct keys *k, const char *kid)
{
    for (size_t i = 0; i < k->count; i++)
        if (!strcmp(k->entries[i].kid, kid))
            return &k->entries[i];
    return NULL;
}

static enum status read_public(struct keys *out, const char *folder, const char *name,
                               struct fault *fault)
{
    char path[1024];
    struct text pem;
    enum status st;

    text_init(&pem);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    st = text_read_file(&pem, path, KEY_PEM_MAX - 1, fault);
    if (st == ST_OK)
        st = keys_add(out, pem.bytes, pem.len, fault);
    text_done(&pem);
    if (st == ST_OK && (strlen(name) != KID_LEN + 4 ||
                        strncmp(name, out->entries[out->count - 1].kid, KID_LEN) != 0))
        st = fault_set(fault, ST_REJECT, "%s is not named after its key (%s.pem)", path,
                       out->entries[out->count - 1].kid);
    return st;
}

static enum status read_signing(struct keys *out, const char *folder, struct fault *fault)
{
    char path[1024];
    struct text t;
    enum status st;

    text_init(&t);
    snprintf(path, sizeof path, "%s/signing", folder);
    st = text_read_file(&t, path, 64, fault);
    if (st == ST_OK) {
        snprintf(out->signing_kid, sizeof out->signing_kid, "%.16s", t.bytes);
        if (!keys_find(out, out->signing_kid))
            st = fault_set(fault, ST_REJECT, "%s names a key that is not there", path);
    }
    if (st == ST_OK) {
        snprintf(path, sizeof path, "%s/%s.key", folder, out->signing_kid);
        text_clear(&t);
        st = text_read_file(&t, path, KEY_PEM_MAX - 1, fault);
    }
    if (st == ST_OK)
        snprintf(out->signing_pem, sizeof out->signing_pem, "%s", t.bytes);
    if (t.bytes)
        explicit_bzero(t.bytes, t.len);
    text_done(&t);
    return st;
}

enum status keys_read(struct keys *out, const char *folder, struct fault *fault)
{
    enum status st = ST_OK;
    struct dirent *entry;
    DIR *dir;

    memset(out, 0, sizeof *out);
    dir = opendir(folder);
    if (!dir)
        return fault_set(fault, ST_NONE, "no folder %s: run `vigie-api pki init`", folder);
    while (st == ST_OK && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');

        if (dot && !strcmp(dot, ".pem"))
            st = read_public(out, folder, entry->d_name, fault);
    }
    closedir(dir);
    if (st == ST_OK && !out->count)
        return fault_set(fault, ST_NONE, "no token key in %s: run `vigie-api pki init`", folder);
    return st == ST_OK ? read_signing(out, folder, fault) : st;
}

static enum status write_pair(const char *folder, EVP_PKEY *key, const char *kid,
                              struct fault *fault)
{
    enum status st = ST_FATAL;
    char path[1024], *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    long len;

    if (!bio || !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        goto out;
    len = BIO_get_mem_data(bio, &bytes);
    snprintf(path, sizeof path, "%s/%s.key", folder, kid);
    st = text_write_file(path, bytes, (size_t)len, 0600, fault);
    explicit_bzero(bytes, (size_t)len);
    if (st != ST_OK)
        goto out;
    (void)BIO_reset(bio);
    st = ST_FATAL;
    if (!PEM_write_bio_PUBKEY(bio, key))
        goto out;
    len = BIO_get_mem_data(bio, &bytes);
    snprintf(path, sizeof path, "%s/%s.pem", folder, kid);
    if ((st = text_write_file(path, bytes, (size_t)len, 0644, fault)) != ST_OK)
        goto out;
    snprintf(path, sizeof path, "%s/signing", folder);
    st = text_write_file(path, kid, strlen(kid), 0600, fault);
out:
    BIO_free(bio);
    return st;
}

enum status keys_create(const char *folder, struct fault *fault)
{
    struct keys_entry e = {0};
    char path[1024];
    struct stat info;
    EVP_PKEY *key;
    enum status st;

    snprintf(path, sizeof path, "%s/signing", folder);
    if (stat(path, &info) == 0)
        return ST_OK;
    if (mkdir(folder, 0700) != 0 && stat(folder, &info) != 0)
        return fault_set(fault, ST_FATAL, "%s cannot be made", folder);
    key = EVP_EC_gen("P-256");
    if (!key)
        return fault_set(fault, ST_FATAL, "no token key could be made");
    st = describe(key, &e, fault);
    if (st == ST_OK)
        st = write_pair(folder, key, e.kid, fault);
    EVP_PKEY_free(key);
    return st;
}

void keys_print_jwks(const struct keys *k, struct text *out)
{
    char x[48], y[48];

    text_print(out, "{\"keys\":[");
    for (size_t i = 0; i < k->count; i++) {
        text_base64url(x, k->entries[i].x, 32);
        text_base64url(y, k->entries[i].y, 32);
        text_print(out,
                   "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\",\"kid\":\"%s\","
                   "\"alg\":\"ES256\",\"use\":\"sig\"}",
                   i ? "," : "", x, y, k->entries[i].kid);
    }
    text_print(out, "]}");
}

void keys_forget(struct keys *k)
{
    explicit_bzero(k->signing_pem, sizeof k->signing_pem);
}
