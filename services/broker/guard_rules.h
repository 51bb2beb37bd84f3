/* services/broker/guard_rules.h - may this name do this to this topic?  Decisions only: no state,
 * no allocation, no input or output; any thread.
 *
 * The name is the CN of a certificate the broker has verified.  A service is left to the ACL file,
 * once it is sure that the CA of the services signed it.  A vehicle lives below its own
 * fleet/v1/<shard>/<vin>/: it writes up/, subscribes to down/, and may retain up/state alone. */
#ifndef BROKER_GUARD_RULES_H
#define BROKER_GUARD_RULES_H

#include <stdbool.h>

#include "deny_list.h"

enum guard_answer {
    GUARD_ALLOW, /* done: nobody else is asked */
    GUARD_DEFER, /* the ACL file decides */
    GUARD_DENY,  /* reason code 135 */
};

enum guard_reason {
    GUARD_FINE,          /* not refused */
    GUARD_NO_NAME,       /* a client without a certificate name */
    GUARD_WRONG_CA,      /* a service name not signed by the services' CA */
    GUARD_BAD_NAME,      /* neither a service nor a VIN */
    GUARD_REVOKED,       /* a VIN of the deny list */
    GUARD_FOREIGN_TOPIC, /* not below fleet/v1/<own shard>/<own VIN>/, byte for byte */
    GUARD_WRONG_WAY,     /* own tree, but publishing down or subscribing up */
    GUARD_RETAINED,      /* retained anywhere but on up/state */
    GUARD_REASON_COUNT
};

enum guard_issuer {
    GUARD_ISSUER_UNSEEN,  /* no certificate at hand: an offline client is being queued for */
    GUARD_ISSUER_SERVICE, /* the CA of the services */
    GUARD_ISSUER_OTHER,
};

struct guard_ask {
    const char *name;  /* CN, NULL when there is none */
    const char *topic; /* a topic, or for (un)subscribing a filter */
    int access;        /* one of MOSQ_ACL_READ, _WRITE, _SUBSCRIBE, _UNSUBSCRIBE */
    bool retained;
    enum guard_issuer issuer; /* looked at for services only */
};

/* Does `name` claim to be a service?  Then the caller has to find out its issuer.  NULL is fine. */
bool guard_rules_is_service(const char *name);

/* First match decides.  *reason says why when the answer is GUARD_DENY, else GUARD_FINE. */
enum guard_answer guard_rules_judge(const struct guard_ask *ask, const struct deny_list *denied,
                                    enum guard_reason *reason);

const char *guard_rules_reason_name(enum guard_reason reason); /* "foreign_topic", ... */

#endif
