/* services/api/enroll.c - a car becomes ours: one-time token and certificate request in,
 * certificate out. Token, certificate and audit are one transaction.  An answer that got lost is
 * given again for 10 minutes, to the same key only. */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "body.h"
#include "certificates.h"
#include "enrolled.h"
#include "handlers.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tenant.h"

#define TRIES_MOST "5"

struct enrolment {
    char vin[32], token[128], agent[64];
    char token_hash[BYTEA_HASH], key_hash[BYTEA_HASH];
    char customer[UUID_TEXT + 1]; /* whose car it is; "" until known, and for an unknown VIN */
    EVP_PKEY *key;
};

/* ST_NONE: the body is wrong, the answer is set. */
static enum status read_enrolment(const struct request *r, struct enrolment *e, struct answer *a)
{
    static const char *const allowed[] = {"vin", "token", "csr", "agent_version", NULL};
    unsigned char hash[32];
    json_t *body = NULL;
    enum status st;

    memset(e, 0, sizeof *e);
    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = body_text(r, body, "vin", true, e->vin, sizeof e->vin, a)) == ST_OK &&
        (st = body_text(r, body, "token", true, e->token, sizeof e->token, a)) == ST_OK &&
        (st = body_text(r, body, "agent_version", false, e->agent, sizeof e->agent, a)) == ST_OK &&
        !vin_is_valid(e->vin, strlen(e->vin))) {
        answer_field(a, r, 422, "/vin", "vin");
        st = ST_NONE;
    }
    if (st == ST_OK)
        st = enrolled_read_key(r, body, &e->key, e->key_hash, a);
    json_decref(body);
    if (st != ST_OK)
        return ST_NONE;
    SHA256((const unsigned char *)e->token, strlen(e->token), hash);
    bytea_hash(e->token_hash, hash);
    return ST_OK;
}

/* Whose audit it belongs to. */
static enum status find_owner(struct worker *w, struct enrolment *e, struct fault *fault)
{
    const char *params[] = {e->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg, "SELECT customer_id FROM vehicle WHERE vin = $1", 1, params, &rows, fault);
    if (st == ST_OK && PQntuples(rows) == 1)
        snprintf(e->customer, sizeof e->customer, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return st;
}

static enum status note(struct worker *w, const struct request *r, const struct enrolment *e,
                        const char *action, const char *detail, struct fault *fault)
{
    struct audit_entry entry = {.customer = e->customer[0] ? e->customer : NULL,
                                .action = action,
                                .vin = e->vin,
                                .detail = detail,
                                .address = r->address};

    return audit_add(w->pg, &entry, fault);
}

/* Every refusal is written down, and says the same: neither which VINs exist nor what was wrong
 * with the token. */
static enum status refuse(struct worker *w, const struct request *r, const struct enrolment *e,
                          const char *action, const char *why, struct answer *a,
                          struct fault *fault)
{
    enum status st;

    if ((st = note(w, r, e, action, NULL, fault)) != ST_OK ||
        (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    log_warn("enrol.refused", "vehicle=%s reason=\"%s\" address=%s", e->vin, why, r->address);
    answer_problem(a, r, 403, "enroll-token", "This token does not enrol this vehicle.");
    return ST_OK;
}

/* A wrong token costs every token of that car one try. */
static enum status wrong_token(struct worker *w, const struct request *r, const struct enrolment *e,
                               struct answer *a, struct fault *fault)
{
    const char *params[] = {e->vin};
    enum status st;

    st = pg_run(w->pg,
                "UPDATE enroll_token SET tries = tries + 1 WHERE vin = $1 AND used_at IS NULL", 1,
                params, NULL, fault);
    return st == ST_OK ? refuse(w, r, e, "enroll.refused", "wrong token", a, fault) : st;
}

/* The token was used before: the same key within 10 minutes has only lost our answer. */
static enum status used_token(struct worker *w, const struct request *r, const struct enrolment *e,
                              struct answer *a, struct fault *fault)
{
    const char *params[] = {e->token_hash, e->key_hash};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT c.pem FROM enroll_token t JOIN certificate c"
                " ON c.vin = t.vin AND c.key_sha256 = t.key_sha256 AND c.revoked_at IS NULL"
                " WHERE t.hash = $1::bytea AND t.key_sha256 = $2::bytea"
                " AND t.used_at > now() - interval '10 min' ORDER BY c.created_at DESC LIMIT 1",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1) {
        st = enrolled_answer(w, e->vin, PQgetvalue(rows, 0, 0), a, fault);
        PQclear(rows);
        return st == ST_OK ? pg_commit(w->pg, fault) : st;
    }
    PQclear(rows);
    log_error("enrol.replayed", "vehicle=%s address=%s", e->vin, r->address);
    return refuse(w, r, e, "enroll.replayed", "used token, another key", a, fault);
}

static enum status spend(struct worker *w, const struct request *r, const struct enrolment *e,
                         struct answer *a, struct fault *fault)
{
    const char *params[] = {e->token_hash, e->key_hash};
    char *chain = NULL, serial[PKI_SERIAL_TEXT], detail[128];
    enum status st;

    if ((st = pg_run(w->pg,
                     "UPDATE enroll_token SET used_at = now(), key_sha256 = $2::bytea"
                     " WHERE hash = $1::bytea",
                     2, params, NULL, fault)) != ST_OK ||
        (st = certificates_issue(w->pg, &w->shared->issuer, e->vin, e->key, clock_now_ms() / 1000,
                                 &chain, serial, fault)) != ST_OK)
        return st;
    snprintf(detail, sizeof detail, "{\"serial\":\"%s\"}", serial);
    if ((st = note(w, r, e, "enroll", detail, fault)) == ST_OK &&
        (st = enrolled_answer(w, e->vin, chain, a, fault)) == ST_OK &&
        (st = pg_commit(w->pg, fault)) == ST_OK)
        log_info("enrolled", "vehicle=%s serial=%s", e->vin, serial);
    free(chain);
    return st;
}

static enum status judge(struct worker *w, const struct request *r, struct enrolment *e,
                         struct answer *a, struct fault *fault)
{
    const char *params[] = {e->token_hash, e->vin};
    PGresult *rows = NULL;
    bool alive, used;
    enum status st;

    if ((st = enroll_begin(w, fault)) != ST_OK || (st = find_owner(w, e, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "SELECT t.used_at IS NOT NULL, t.expires_at > now() AND t.tries < " TRIES_MOST
                     " AND v.status IN ('awaiting', 'active')"
                     " FROM enroll_token t JOIN vehicle v ON v.vin = t.vin"
                     " WHERE t.hash = $1::bytea AND t.vin = $2 FOR UPDATE",
                     2, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) != 1) {
        PQclear(rows);
        return wrong_token(w, r, e, a, fault);
    }
    used = PQgetvalue(rows, 0, 0)[0] == 't';
    alive = PQgetvalue(rows, 0, 1)[0] == 't';
    PQclear(rows);
    if (!alive)
        return refuse(w, r, e, "enroll.refused",
                      "token expired or tried too often, or vehicle not awaited", a, fault);
    return used ? used_token(w, r, e, a, fault) : spend(w, r, e, a, fault);
}

enum status enroll_create(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault)
{
    struct enrolment e;
    enum status st;

    if (!w->shared->issuer.key) {
        answer_problem(a, r, 503, "enroll-off", "This site cannot sign certificates.");
        return ST_NONE;
    }
    if (read_enrolment(r, &e, a) != ST_OK) {
        EVP_PKEY_free(e.key);
        return ST_NONE;
    }
    st = judge(w, r, &e, a, fault);
    EVP_PKEY_free(e.key);
    explicit_bzero(e.token, sizeof e.token);
    return st;
}
