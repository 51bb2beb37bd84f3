/* lib/curl_late.h - libcurl, loaded when a program first needs it.  Behind it stand thirty
 * libraries (Kerberos, LDAP, GnuTLS, ...) that take four megabytes of an agent which speaks HTTP
 * once a year. Same calls, same types: include <curl/curl.h> for the constants, call through the
 * table.  Any thread. */
#ifndef LIB_CURL_LATE_H
#define LIB_CURL_LATE_H

#include <curl/curl.h>

#include "proto/status.h"

struct curl_late {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    void (*easy_reset)(CURL *);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

/* Empty before curl_late_load said ST_OK once. */
extern struct curl_late curl_late;

/* Load and initialise it, the first time.  ST_FATAL: it is not installed, or not whole. */
enum status curl_late_load(struct fault *fault) MUST_CHECK;

#endif
