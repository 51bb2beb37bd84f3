/* services/api/password.c - hashing and comparing, in the same time whether a user exists or not.
 */
#include "password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

static size_t characters(const char *utf8)
{
    size_t n = 0;

    for (; *utf8; utf8++)
        n += ((unsigned char)*utf8 & 0xc0) != 0x80;
    return n;
}

static bool hash_with(const char *password, const char *setting, char out[PASSWORD_HASH_MAX])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *hash;
    bool good;

    if (!data)
        return false;
    hash = crypt_rn(password, setting, data, (int)sizeof *data);
    good = hash && text_copy(out, PASSWORD_HASH_MAX, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return good;
}

enum status password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct fault *fault)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    if (characters(password) < PASSWORD_LEAST || strlen(password) > PASSWORD_MOST)
        return fault_set(fault, ST_REJECT,
                         "a password has %d characters at least, %d bytes at most", PASSWORD_LEAST,
                         PASSWORD_MOST);
    if (!crypt_gensalt_rn("$y$", PASSWORD_COST, NULL, 0, setting, sizeof setting) ||
        !hash_with(password, setting, out))
        return fault_set(fault, ST_FATAL, "crypt(3) cannot make a yescrypt hash here");
    return ST_OK;
}

/* The setting an unknown user's password is hashed with: today's cost and a salt nobody has. */
static const char *dummy_setting(char out[CRYPT_GENSALT_OUTPUT_SIZE])
{
    static const char salt[16] = "nobody has this";

    return crypt_gensalt_rn("$y$", PASSWORD_COST, salt, sizeof salt, out,
                            CRYPT_GENSALT_OUTPUT_SIZE);
}

bool password_matches(const char *password, const char *hash)
{
    char made[PASSWORD_HASH_MAX], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    size_t len;
    bool same;

    if (strlen(password) > PASSWORD_MOST)
        return false;
    if (!hash_with(password, hash ? hash : dummy_setting(setting), made) || !hash)
        return false;
    len = strlen(made);
    same = len == strlen(hash) && CRYPTO_memcmp(made, hash, len) == 0;
    explicit_bzero(made, sizeof made);
    return same;
}

bool password_is_stale(const char *hash)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    /* "$y$jCT$": everything up to the salt says method and cost */
    return !crypt_gensalt_rn("$y$", PASSWORD_COST, NULL, 0, setting, sizeof setting) ||
           strncmp(hash, setting, 7) != 0;
}
