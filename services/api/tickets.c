/* services/api/tickets.c - one-time tickets for the live feed.  notify takes the row with DELETE
 * ... RETURNING. */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "handlers.h"
#include "render.h"
#include "tenant.h"

#define TICKET_LIFE "30"

/* Frames of changes are what REST has of them, so the same rights hold. */
#define KINDS_MAX 64
static void list_kinds(char out[KINDS_MAX], const char *role)
{
    static const struct {
        const char *kind;
        enum action action;
    } kinds[] = {{"alert", ACTION_ALERT_READ},
                 {"event", ACTION_HISTORY_READ},
                 {"trip", ACTION_TRACK_READ},
                 {"command", ACTION_COMMAND_READ},
                 {"media", ACTION_TRACK_READ}};

    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (access_allows(role, kinds[i].action))
            len +=
                (size_t)snprintf(out + len, KINDS_MAX - len, "%s%s", len ? "," : "", kinds[i].kind);
}

enum status ticket_create(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault)
{
    unsigned char random[32], hash[SHA256_DIGEST_LENGTH];
    char ticket[48], hex[2 * SHA256_DIGEST_LENGTH + 1], origin[256];
    char kinds[KINDS_MAX];
    const char *params[] = {hex, r->claims.user, r->claims.tenant, origin, kinds};
    enum status st;

    /* bound to the page that asks; a program that sends no Origin gets one for the dashboard's
     * first address */
    if (r->origin[0])
        memcpy(origin, r->origin, sizeof origin);
    else
        list_first(w->shared->set->origins, origin, sizeof origin);
    list_kinds(kinds, r->claims.role);
    text_random(random, sizeof random);
    text_base64url(ticket, random, sizeof random);
    SHA256((const unsigned char *)ticket, strlen(ticket), hash);
    text_hex(hex, hash, sizeof hash);
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, "DELETE FROM ws_ticket WHERE expires_at < now()", 0, NULL, NULL,
                     fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "INSERT INTO ws_ticket (hash, user_id, customer_id, origin, kinds, expires_at)"
                     " VALUES ($1, $2::uuid, $3::uuid, $4, $5, now() + interval '" TICKET_LIFE
                     " s')",
                     5, params, NULL, fault)) != ST_OK ||
        (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    text_print(&a->body, "{\"ticket\":\"%s\",\"expires_in\":" TICKET_LIFE "}", ticket);
    answer_json(a, 201);
    return ST_OK;
}
