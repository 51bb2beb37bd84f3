/* services/api/shared.h - what every worker may read: filled by main before the first thread,
 * constant afterwards. */
#ifndef API_SHARED_H
#define API_SHARED_H

#include "keys.h"
#include "pki.h"
#include "refresh.h"
#include "settings.h"

struct shared {
    const struct api_settings *set;
    struct keys keys;
    unsigned char refresh_secret[REFRESH_SECRET_LEN];
    struct pki_issuer issuer; /* the vehicle intermediate; no key: nothing can be enrolled here */
    char *service_root_pem;   /* what a car verifies brokers and us with */
    bool secure_cookies;      /* off only when the dashboard is opened over http on loopback */
};

/* Read keys and secrets from the PKI folder.  ST_NONE: `pki init` has not been run. */
enum status shared_open(struct shared *out, const struct api_settings *set,
                        struct fault *fault) MUST_CHECK;
void shared_close(struct shared *s);

#endif
