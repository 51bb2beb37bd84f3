/* lib/brokers.c */
#include "lib/brokers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEADY_MS 10000 /* a connection that lived shorter counts as a failed try */

bool broker_is_url(const char *url)
{
    const char *host, *port;
    char *end;
    long n;

    if (strncmp(url, "mqtts://", 8) != 0)
        return false;
    host = url + 8;
    port = strrchr(host, ':');
    if (!port || port == host || strpbrk(host, "/?#@ \t"))
        return false;
    n = strtol(port + 1, &end, 10);
    return port[1] >= '0' && port[1] <= '9' && *end == '\0' && n >= 1 && n <= 65535;
}

enum status brokers_take(struct brokers *b, const char *list, struct fault *fault)
{
    *b = (struct brokers){.backoff = BACKOFF_START, .told_at = SIZE_MAX};
    while (*list) {
        size_t n = strcspn(list, ",");
        char *url;

        if (b->count == BROKERS_MAX)
            return fault_set(fault, ST_REJECT, "more than %d brokers", BROKERS_MAX);
        url = strndup(list, n);
        if (!url)
            return fault_set(fault, ST_FATAL, "list of brokers: out of memory");
        b->url[b->count++] = url;
        if (!broker_is_url(url))
            return fault_set(fault, ST_REJECT, "broker \"%s\" is not mqtts://host:port", url);
        list += n + (list[n] == ',');
    }
    if (b->count == 0)
        return fault_set(fault, ST_REJECT, "no broker given");
    return ST_OK;
}

void brokers_free(struct brokers *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->url[i]);
    b->count = 0;
}

const char *brokers_now(const struct brokers *b)
{
    return b->url[b->at];
}

void brokers_connected(struct brokers *b)
{
    b->told[0] = '\0';
    b->told_at = SIZE_MAX;
}

static int64_t move_on(struct brokers *b)
{
    b->at = (b->at + 1) % b->count;
    return backoff_next(&b->backoff);
}

int64_t brokers_failed(struct brokers *b, const char *reason, bool *news)
{
    *news = b->told_at != b->at || strncmp(b->told, reason, sizeof b->told - 1) != 0;
    b->told_at = b->at;
    snprintf(b->told, sizeof b->told, "%s", reason);
    return move_on(b);
}

int64_t brokers_lost(struct brokers *b, int64_t lived_ms)
{
    if (lived_ms < STEADY_MS)
        return move_on(b);
    backoff_reset(&b->backoff);
    return backoff_next(&b->backoff); /* the same first: it may only have been restarted */
}
