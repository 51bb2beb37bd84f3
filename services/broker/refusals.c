/* services/broker/refusals.c - what was refused in the last second, for the log. */
#include "refusals.h"

#include <stdio.h>
#include <string.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

void refusals_init(struct refusals *all)
{
    all->used = 0;
    all->others = 0;
}

/* The log is one line of text with quoted values, whatever bytes a client chose. */
static void copy_printable(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; text && text[n] && n + 1 < size; n++) {
        out[n] = text[n];
        if (text[n] < ' ' || text[n] > '~' || text[n] == '"' || text[n] == '\\')
            out[n] = '?';
    }
    out[n] = '\0';
}

static struct refusal *find(struct refusals *all, const char *name, int access,
                            enum guard_reason reason)
{
    for (size_t i = 0; i < all->used; i++) {
        struct refusal *one = &all->kinds[i];

        if (one->access == access && one->reason == reason && strcmp(one->name, name) == 0)
            return one;
    }
    return NULL;
}

void refusals_add(struct refusals *all, const struct guard_ask *ask, enum guard_reason reason,
                  const char *from)
{
    char name[sizeof all->kinds[0].name];
    struct refusal *one;

    copy_printable(name, sizeof name, ask->name);
    if ((one = find(all, name, ask->access, reason))) {
        one->count++;
        return;
    }
    if (all->used == REFUSALS_KINDS) {
        all->others++;
        return;
    }
    one = &all->kinds[all->used++];
    memcpy(one->name, name, sizeof name);
    copy_printable(one->from, sizeof one->from, from);
    copy_printable(one->topic, sizeof one->topic, ask->topic);
    one->access = ask->access;
    one->reason = reason;
    one->count = 1;
}

static const char *access_name(int access)
{
    switch (access) {
    case MOSQ_ACL_READ:
        return "receive";
    case MOSQ_ACL_WRITE:
        return "publish";
    case MOSQ_ACL_SUBSCRIBE:
        return "subscribe";
    case MOSQ_ACL_UNSUBSCRIBE:
        return "unsubscribe";
    default:
        return "unknown";
    }
}

void refusals_format(char out[REFUSALS_LINE_MAX], const struct refusal *one)
{
    snprintf(out, REFUSALS_LINE_MAX,
             "event=guard.refused name=\"%s\" from=%s access=%s reason=%s count=%lu topic=\"%s\"",
             one->name, one->from[0] ? one->from : "none", access_name(one->access),
             guard_rules_reason_name(one->reason), one->count, one->topic);
}
