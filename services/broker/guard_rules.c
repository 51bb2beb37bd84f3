/* services/broker/guard_rules.c - who may do what, first match decides. */
#include "guard_rules.h"

#include <string.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "proto/topic.h"
#include "proto/vin.h"

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool guard_rules_is_service(const char *name)
{
    return name && begins_with(name, "svc-");
}

/* What follows `fleet/v1/<shard>/<vin>/` in `topic`, or NULL when it is not the vehicle's own.
 * Compared as bytes: a wildcard, a wrong shard, $share/... or $SYS/... simply is something else. */
static const char *below_own_tree(const char *topic, const char *vin)
{
    char own[TOPIC_MAX];
    size_t len;

    topic_format(own, vin, LEAF_STATE);
    len = strlen(own) - strlen(topic_leaf_name(LEAF_STATE));
    return strncmp(topic, own, len) == 0 ? topic + len : NULL;
}

static enum guard_reason judge_publish(const char *rest, bool retained)
{
    if (!begins_with(rest, "up/"))
        return GUARD_WRONG_WAY;
    if (retained && strcmp(rest, topic_leaf_name(LEAF_STATE)) != 0)
        return GUARD_RETAINED;
    return GUARD_FINE;
}

static enum guard_answer judge_vehicle(const struct guard_ask *ask, enum guard_reason *reason)
{
    const char *rest = below_own_tree(ask->topic, ask->name);

    if (!rest) {
        *reason = GUARD_FOREIGN_TOPIC;
        return GUARD_DENY;
    }
    *reason = GUARD_FINE;
    switch (ask->access) {
    case MOSQ_ACL_UNSUBSCRIBE:
        return GUARD_ALLOW;
    case MOSQ_ACL_SUBSCRIBE:
        /* The ACL file would let every subscription pass, so this is the only place to refuse. */
        if (begins_with(rest, "down/"))
            return GUARD_ALLOW;
        break;
    case MOSQ_ACL_READ:
        if (begins_with(rest, "down/"))
            return GUARD_DEFER;
        break;
    case MOSQ_ACL_WRITE:
        *reason = judge_publish(rest, ask->retained);
        return *reason == GUARD_FINE ? GUARD_DEFER : GUARD_DENY;
    default:
        break;
    }
    *reason = GUARD_WRONG_WAY;
    return GUARD_DENY;
}

enum guard_answer guard_rules_judge(const struct guard_ask *ask, const struct deny_list *denied,
                                    enum guard_reason *reason)
{
    *reason = GUARD_FINE;
    if (!ask->name) {
        *reason = GUARD_NO_NAME;
    } else if (guard_rules_is_service(ask->name)) {
        if (ask->issuer != GUARD_ISSUER_OTHER)
            return GUARD_DEFER;
        *reason = GUARD_WRONG_CA;
    } else if (!vin_is_valid(ask->name, strlen(ask->name))) {
        *reason = GUARD_BAD_NAME;
    } else if (deny_list_has(denied, ask->name)) {
        *reason = GUARD_REVOKED;
    } else {
        return judge_vehicle(ask, reason);
    }
    return GUARD_DENY;
}

const char *guard_rules_reason_name(enum guard_reason reason)
{
    static const char *const names[GUARD_REASON_COUNT] = {
        [GUARD_FINE] = "fine",           [GUARD_NO_NAME] = "no_name",
        [GUARD_WRONG_CA] = "wrong_ca",   [GUARD_BAD_NAME] = "bad_name",
        [GUARD_REVOKED] = "revoked",     [GUARD_FOREIGN_TOPIC] = "foreign_topic",
        [GUARD_WRONG_WAY] = "wrong_way", [GUARD_RETAINED] = "retained",
    };

    return (unsigned)reason < GUARD_REASON_COUNT ? names[reason] : "unknown";
}
