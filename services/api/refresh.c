/* services/api/refresh.c - making, deriving and judging refresh tokens. */
#include "refresh.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#include "lib/text.h"

void refresh_new(char out[REFRESH_TEXT + 1])
{
    unsigned char random[32];

    text_random(random, sizeof random);
    text_base64url(out, random, sizeof random);
}

bool refresh_is_valid(const char *token)
{
    return strlen(token) == REFRESH_TEXT &&
           strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
               REFRESH_TEXT;
}

void refresh_successor(char out[REFRESH_TEXT + 1], const char *token,
                       const unsigned char secret[REFRESH_SECRET_LEN])
{
    char text[sizeof "refresh/1 " + REFRESH_TEXT];
    unsigned char mac[32];
    unsigned len = sizeof mac;

    memcpy(text, "refresh/1 ", 10);
    memcpy(text + 10, token, REFRESH_TEXT);
    HMAC(EVP_sha256(), secret, REFRESH_SECRET_LEN, (const unsigned char *)text, 10 + REFRESH_TEXT,
         mac, &len);
    text_base64url(out, mac, sizeof mac);
}

void refresh_hash(char out[67], const char *token)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)token, strlen(token), hash);
    out[0] = '\\';
    out[1] = 'x';
    text_hex(out + 2, hash, sizeof hash);
}

enum refresh_verdict refresh_judge(const struct refresh_row *row, int64_t now_ms)
{
    if (row->revoked || row->user_disabled || now_ms - row->family_started_ms > REFRESH_LIFE_MS ||
        now_ms - row->issued_ms > REFRESH_IDLE_MS)
        return REFRESH_ENDED;
    if (!row->spent_ms)
        return REFRESH_ROTATE;
    return now_ms - row->spent_ms <= REFRESH_GRACE_MS ? REFRESH_REPEAT : REFRESH_REUSED;
}
