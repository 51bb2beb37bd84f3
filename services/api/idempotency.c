/* services/api/idempotency.c - repeats of a change. */
#include "idempotency.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"

/* SHA-256 of method, path, precondition and body, as a bytea literal. */
static void fingerprint(const struct request *r, char out[67])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char hash[32] = {0};
    const char *parts[] = {method_name(r->method), r->path, r->if_match, r->if_none_match};

    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
        abort(); /* no memory for 200 bytes */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1);
    EVP_DigestUpdate(ctx, r->body.bytes ? r->body.bytes : "", r->body.len);
    EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    out[0] = '\\';
    out[1] = 'x';
    text_hex(out + 2, hash, sizeof hash);
}

/* The first one's answer, or what is wrong with asking again. */
static void repeat(const PGresult *row, const struct request *r, struct answer *a)
{
    if (PQgetvalue(row, 0, 0)[0] != 't') {
        answer_problem(a, r, 422, "idempotency-key",
                       "This Idempotency-Key was used for another request.");
        return;
    }
    if (PQgetisnull(row, 0, 1)) {
        answer_problem(a, r, 409, "in-progress",
                       "The first request with this key is still running.");
        return;
    }
    if (!PQgetisnull(row, 0, 2))
        text_print(&a->body, "%s", PQgetvalue(row, 0, 2));
    if (!PQgetisnull(row, 0, 3))
        answer_header(a, "etag:", "%s", PQgetvalue(row, 0, 3));
    answer_json(a, atoi(PQgetvalue(row, 0, 1)));
    if (a->code == 204)
        answer_empty(a);
}

enum status idempotency_begin(struct worker *w, const struct request *r, struct answer *a,
                              struct fault *fault)
{
    char print[67];
    const char *params[] = {r->claims.user, r->idempotency_key, r->claims.tenant, print};
    PGresult *row = NULL;
    enum status st;
    int fresh;

    if (!r->idempotency_key[0])
        return ST_OK;
    fingerprint(r, print);
    st = pg_run(
        w->pg,
        "DELETE FROM idempotency WHERE user_id = $1::uuid AND created_at < now() - interval '24 h'",
        1, params, NULL, fault);
    if (st == ST_OK) /* waits for a first one under way, at most statement_timeout */
        st =
            pg_run(w->pg,
                   "INSERT INTO idempotency (user_id, key, customer_id, fingerprint)"
                   " VALUES ($1::uuid, $2, $3::uuid, $4::bytea) ON CONFLICT DO NOTHING RETURNING 1",
                   4, params, &row, fault);
    if (st != ST_OK)
        return st;
    fresh = PQntuples(row);
    PQclear(row);
    if (fresh)
        return ST_OK;
    params[2] = print;
    st = pg_run(w->pg,
                "SELECT fingerprint = $3::bytea, status, answer->>'body', answer->>'etag'"
                " FROM idempotency WHERE user_id = $1::uuid AND key = $2",
                3, params, &row, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(row) == 1) {
        repeat(row, r, a);
        st = ST_NONE;
    } else {
        st = fault_set(fault, ST_RETRY, "the first request with this key has just failed");
    }
    PQclear(row);
    pg_rollback(w->pg);
    return st;
}

enum status idempotency_end(struct worker *w, const struct request *r, const struct answer *a,
                            struct fault *fault)
{
    const char *params[] = {r->claims.user, r->idempotency_key, NULL, NULL};
    char code[16];
    struct text kept;
    enum status st;

    if (!r->idempotency_key[0])
        return ST_OK;
    text_init(&kept);
    text_print(&kept, "{");
    if (a->body.len) {
        render_key(&kept, "body");
        render_text(&kept, a->body.bytes);
    }
    for (size_t i = 0; i < a->header_count; i++)
        if (!strcmp(a->headers[i].name, "etag:")) {
            render_key(&kept, "etag");
            render_text(&kept, a->headers[i].value);
        }
    text_print(&kept, "}");
    snprintf(code, sizeof code, "%d", a->code);
    params[2] = code;
    params[3] = kept.bytes;
    st = pg_run(w->pg,
                "UPDATE idempotency SET status = $3::integer, answer = $4::jsonb"
                " WHERE user_id = $1::uuid AND key = $2",
                4, params, NULL, fault);
    text_done(&kept);
    return st;
}
