/* services/api/keys.h - the ES256 keys of access tokens, read from <pki>/jwt/.
 * <kid>.key is ours and may sign, <kid>.pem is a public key we believe (ours and the other site's);
 * `signing` names the kid in use.  kid = the first 16 hex digits of SHA-256 of the public key
 * (DER). Read once at start, then only read: any thread. */
#ifndef API_KEYS_H
#define API_KEYS_H

#include <stddef.h>

#include "lib/text.h"
#include "proto/status.h"

#define KEYS_MAX 8
#define KID_LEN 16
#define KEY_PEM_MAX 1024

struct keys_entry {
    char kid[KID_LEN + 1];
    char public_pem[KEY_PEM_MAX];
    unsigned char x[32], y[32]; /* the point, for the JWKS */
};

struct keys {
    struct keys_entry entries[KEYS_MAX];
    size_t count;
    char signing_kid[KID_LEN + 1]; /* "" when this process cannot sign */
    char signing_pem[KEY_PEM_MAX];
};

/* Read the folder.  ST_NONE: no key there; ST_REJECT: one is not a P-256 key, or its name is not
 * its kid. */
enum status keys_read(struct keys *out, const char *folder, struct fault *fault) MUST_CHECK;
/* Make the first key pair unless there is one; mode 0600. */
enum status keys_create(const char *folder, struct fault *fault) MUST_CHECK;

/* Add a public key given as PEM; fills in kid and point. */
enum status keys_add(struct keys *k, const char *pem, size_t len, struct fault *fault) MUST_CHECK;
/* NULL when the kid is not known. */
const struct keys_entry *keys_find(const struct keys *k, const char *kid);

/* RFC 7517: {"keys":[{kty,crv,x,y,kid,alg,use}]}. */
void keys_print_jwks(const struct keys *k, struct text *out);
void keys_forget(struct keys *k); /* wipes the private one */

#endif
