/* services/api/password.h - yescrypt (crypt(5), "$y$").  135 ms and 16 MiB a hash: only two threads
 * ever do this. */
#ifndef API_PASSWORD_H
#define API_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

#define PASSWORD_COST 8
#define PASSWORD_LEAST 12 /* characters (UTF-8), when one is set */
#define PASSWORD_MOST 256 /* bytes */
#define PASSWORD_HASH_MAX 384

/* Hash with fresh salt.  ST_REJECT: too short or too long. */
enum status password_hash(const char *password, char out[PASSWORD_HASH_MAX],
                          struct fault *fault) MUST_CHECK;
/* Is it the one?  `hash` NULL: nobody has that name; the same time passes and the answer is no. */
bool password_matches(const char *password, const char *hash);
/* Was it hashed at a lower cost than today's? */
bool password_is_stale(const char *hash);

#endif
