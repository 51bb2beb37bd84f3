/* lib/curl_late.c - see curl_late.h. */
#include "lib/curl_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CURL_LATE_LIBRARY "libcurl.so.4" /* its soname since 2006 */

struct curl_late curl_late;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault why; /* "": it went well */

/* A function pointer out of a data pointer, as POSIX has it. */
static void find(void *library, const char *name, void *slot, size_t size)
{
    void *symbol = library != NULL ? dlsym(library, name) : NULL;

    if (symbol == NULL && why.text[0] == '\0')
        snprintf(why.text, sizeof why.text, CURL_LATE_LIBRARY ": %s is missing", name);
    memcpy(slot, &symbol, size);
}

#define FIND(member) find(library, "curl_" #member, &curl_late.member, sizeof curl_late.member)

static void load(void)
{
    void *library = dlopen(CURL_LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    CURLcode rc;

    if (library == NULL) {
        const char *reason = dlerror();

        snprintf(why.text, sizeof why.text, "%s", reason != NULL ? reason : CURL_LATE_LIBRARY);
        return;
    }
    FIND(global_init);
    FIND(easy_init);
    FIND(easy_setopt);
    FIND(easy_perform);
    FIND(easy_getinfo);
    FIND(easy_reset);
    FIND(easy_cleanup);
    FIND(easy_strerror);
    FIND(slist_append);
    FIND(slist_free_all);
    if (why.text[0] == '\0' && (rc = curl_late.global_init(CURL_GLOBAL_DEFAULT)) != CURLE_OK)
        snprintf(why.text, sizeof why.text, "curl: %s", curl_late.easy_strerror(rc));
}

enum status curl_late_load(struct fault *fault)
{
    pthread_once(&once, load);
    if (why.text[0] != '\0')
        return fault_set(fault, ST_FATAL, "%s", why.text);
    return ST_OK;
}
