/* services/api/renew.c - a car's next certificate, and what it is to do.  The key of a renewal is a
 * fresh one.  The same key again gets the same certificate as long as that has more than half of
 * its life left: the answer had got lost.  The old certificate stays good until it ends: the car
 * keeps the old pair until the new one has worked. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "car.h"
#include "certificates.h"
#include "config.h"
#include "enrolled.h"
#include "handlers.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tenant.h"

#define ISSUED_MOST "5" /* to one vehicle in 24 h, enrolment included */
#define ISSUED_RETRY_S 3600

struct renewal {
    char vin[32], agent[64];
    char key_hash[BYTEA_HASH];
    EVP_PKEY *key;
};

/* ST_NONE: the body is wrong, the answer is set. */
static enum status read_renewal(const struct request *r, struct renewal *n, struct answer *a)
{
    static const char *const allowed[] = {"vin", "csr", "agent_version", NULL};
    json_t *body = NULL;
    enum status st;

    memset(n, 0, sizeof *n);
    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = body_text(r, body, "vin", true, n->vin, sizeof n->vin, a)) == ST_OK &&
        (st = body_text(r, body, "agent_version", false, n->agent, sizeof n->agent, a)) == ST_OK &&
        strcmp(n->vin, r->vin) != 0) {
        answer_field(a, r, 422, "/vin", "vin");
        st = ST_NONE;
    }
    if (st == ST_OK)
        st = enrolled_read_key(r, body, &n->key, n->key_hash, a);
    json_decref(body);
    return st;
}

/* A key that has a certificate already.  ST_OK: it has none; ST_NONE: the answer is set. */
static enum status given_before(struct worker *w, const struct request *r, const struct renewal *n,
                                struct answer *a, struct fault *fault)
{
    const char *params[] = {n->vin, n->key_hash};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT pem, revoked_at IS NULL AND now() < not_before + (not_after - not_before)"
                " / 2 FROM certificate WHERE vin = $1 AND key_sha256 = $2::bytea"
                " ORDER BY created_at DESC LIMIT 1",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1 && PQgetvalue(rows, 0, 1)[0] == 't') {
        if ((st = enrolled_answer(w, n->vin, PQgetvalue(rows, 0, 0), a, fault)) == ST_OK &&
            (st = pg_commit(w->pg, fault)) == ST_OK)
            st = ST_NONE;
    } else if (PQntuples(rows) == 1) {
        pg_rollback(w->pg);
        answer_field(a, r, 422, "/csr", "used");
        st = ST_NONE;
    }
    PQclear(rows);
    return st;
}

/* ST_NONE: this vehicle was given enough of them lately; the answer is set. */
static enum status check_limit(struct worker *w, const struct request *r, const struct car *car,
                               struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;
    bool enough;

    st = pg_run(w->pg,
                "SELECT count(*) >= " ISSUED_MOST " FROM certificate"
                " WHERE vin = $1 AND created_at > now() - interval '24 h'",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    enough = PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    if (!enough)
        return ST_OK;
    if ((st = car_note(w, r, car, "renew.refused", "{\"reason\":\"too many\"}", fault)) != ST_OK ||
        (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    log_warn("renew.refused", "vehicle=%s reason=\"too many certificates in a day\" address=%s",
             r->vin, r->address);
    answer_problem(a, r, 429, "issued", "This vehicle was given too many certificates today.");
    answer_retry_after(a, ISSUED_RETRY_S);
    return ST_NONE;
}

static enum status issue(struct worker *w, const struct request *r, const struct car *car,
                         const struct renewal *n, struct answer *a, struct fault *fault)
{
    char *chain = NULL, serial[PKI_SERIAL_TEXT], detail[128];
    enum status st;

    st = certificates_issue(w->pg, &w->shared->issuer, n->vin, n->key, clock_now_ms() / 1000,
                            &chain, serial, fault);
    if (st != ST_OK)
        return st;
    snprintf(detail, sizeof detail, "{\"serial\":\"%s\"}", serial);
    if ((st = car_note(w, r, car, "renew", detail, fault)) == ST_OK &&
        (st = enrolled_answer(w, n->vin, chain, a, fault)) == ST_OK &&
        (st = pg_commit(w->pg, fault)) == ST_OK)
        log_info("renewed", "vehicle=%s serial=%s", n->vin, serial);
    free(chain);
    return st;
}

enum status renew_create(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    struct renewal n;
    struct car car;
    enum status st;

    if (!w->shared->issuer.key) {
        answer_problem(a, r, 503, "enroll-off", "This site cannot sign certificates.");
        return ST_NONE;
    }
    if (read_renewal(r, &n, a) != ST_OK)
        return ST_NONE;
    if ((st = car_begin(w, r, &car, a, fault)) == ST_OK &&
        (st = given_before(w, r, &n, a, fault)) == ST_OK &&
        (st = check_limit(w, r, &car, a, fault)) == ST_OK)
        st = issue(w, r, &car, &n, a, fault);
    EVP_PKEY_free(n.key);
    return st;
}

enum status car_config_read(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    struct car car;
    enum status st;

    if ((st = car_begin(w, r, &car, a, fault)) != ST_OK ||
        (st = config_take(w->pg, w->shared->set, r->vin, &a->body, fault)) != ST_OK)
        return st;
    answer_json(a, 200);
    return pg_commit(w->pg, fault);
}
