/* services/api/session.c - sign in, refresh, sign out.  These run as vigie_login: no tenant is
 * known yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "body.h"
#include "handlers.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "password.h"
#include "refresh.h"
#include "render.h"
#include "tenant.h"

struct user {
    char id[UUID_TEXT + 1], customer[UUID_TEXT + 1], role[16];
    char password_hash[PASSWORD_HASH_MAX];
    int64_t epoch;
};

static void set_cookie(const struct worker *w, struct answer *a, const char *token,
                       int64_t max_age_s)
{
    answer_header(a, "set-cookie:",
                  "vigie_refresh=%s; Path=/api/frontend/session; Max-Age=%lld; HttpOnly; "
                  "SameSite=Strict%s",
                  token, (long long)max_age_s, w->shared->secure_cookies ? "; Secure" : "");
}

/* The answer of a sign-in and of a refresh. */
static enum status grant(struct worker *w, const struct user *user, const char *refresh,
                         struct answer *a, struct fault *fault)
{
    char token[TOKEN_MAX + 1];
    struct claims c = {.epoch = user->epoch};
    enum status st;

    snprintf(c.user, sizeof c.user, "%s", user->id);
    snprintf(c.tenant, sizeof c.tenant, "%s", user->customer);
    snprintf(c.role, sizeof c.role, "%s", user->role);
    snprintf(c.use, sizeof c.use, "access");
    st = token_sign(&w->shared->keys, &c, clock_now_ms(), token, fault);
    if (st != ST_OK)
        return st;
    text_print(&a->body, "{\"access_token\":\"%s\",\"expires_in\":%d}", token, TOKEN_LIFE_S);
    explicit_bzero(token, sizeof token);
    set_cookie(w, a, refresh, REFRESH_IDLE_MS / 1000);
    answer_json(a, 200);
    return ST_OK;
}

/* ---- POST */
static enum status find_user(struct worker *w, const char *username, struct user *out,
                             struct fault *fault)
{
    const char *params[] = {username};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT id, customer_id, role, epoch, password_hash FROM app_user"
                " WHERE username = lower($1) AND NOT disabled",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1) {
        snprintf(out->id, sizeof out->id, "%s", PQgetvalue(rows, 0, 0));
        snprintf(out->customer, sizeof out->customer, "%s", PQgetvalue(rows, 0, 1));
        snprintf(out->role, sizeof out->role, "%s", PQgetvalue(rows, 0, 2));
        out->epoch = strtoll(PQgetvalue(rows, 0, 3), NULL, 10);
        snprintf(out->password_hash, sizeof out->password_hash, "%s", PQgetvalue(rows, 0, 4));
    } else {
        st = ST_NONE;
    }
    PQclear(rows);
    return st;
}

static enum status store_family(struct worker *w, const struct user *user, const char *token,
                                struct fault *fault)
{
    char hash[67];
    const char *params[] = {hash, user->id, user->customer};

    refresh_hash(hash, token);
    return pg_run(w->pg,
                  "INSERT INTO refresh_token (hash, family, user_id, customer_id)"
                  " VALUES ($1::bytea, gen_random_uuid(), $2::uuid, $3::uuid)",
                  3, params, NULL, fault);
}

/* The cost of a hash has risen since: the password is at hand now, and never again. */
static enum status rehash(struct worker *w, const struct user *user, const char *password,
                          struct fault *fault)
{
    char hash[PASSWORD_HASH_MAX];
    const char *params[] = {hash, user->id, user->password_hash};

    if (!password_is_stale(user->password_hash) || password_hash(password, hash, fault) != ST_OK)
        return ST_OK;
    return pg_run(w->pg, /* unless it was changed while we hashed */
                  "UPDATE app_user SET password_hash = $1 WHERE id = $2::uuid"
                  " AND password_hash = $3",
                  3, params, NULL, fault);
}

static enum status open_family(struct worker *w, const struct request *r, const struct user *user,
                               const char *password, struct answer *a, struct fault *fault)
{
    char token[REFRESH_TEXT + 1];
    struct audit_entry entry = {.customer = user->customer,
                                .user = user->id,
                                .action = "session.create",
                                .address = r->address};
    enum status st;

    refresh_new(token);
    if ((st = login_begin(w, fault)) != ST_OK ||
        (st = store_family(w, user, token, fault)) != ST_OK ||
        (st = rehash(w, user, password, fault)) != ST_OK ||
        (st = audit_add(w->pg, &entry, fault)) != ST_OK || (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    return grant(w, user, token, a, fault);
}

static enum status refuse_sign_in(struct worker *w, const struct request *r,
                                  const struct user *user, struct answer *a, struct fault *fault)
{
    struct audit_entry entry = {.customer = user ? user->customer : NULL,
                                .user = user ? user->id : NULL,
                                .action = "session.refused",
                                .address = r->address};
    enum status st;

    if ((st = login_begin(w, fault)) != ST_OK || (st = audit_add(w->pg, &entry, fault)) != ST_OK ||
        (st = pg_commit(w->pg, fault)) != ST_OK)
        return st;
    answer_problem(a, r, 401, "credentials", "User name or password is wrong.");
    a->sign_in_failed = true;
    return ST_OK;
}

enum status session_create(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    /* otp: nobody has a second factor yet, so nothing depends on it */
    static const char *const allowed[] = {"username", "password", "otp", NULL};
    char username[201] = "", password[PASSWORD_MOST + 1] = "";
    struct user user = {.id = ""};
    json_t *body = NULL;
    enum status st;
    bool known;

    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if (body_text(r, body, "username", true, username, sizeof username, a) != ST_OK ||
        body_text(r, body, "password", true, password, sizeof password, a) != ST_OK) {
        json_decref(body);
        return ST_NONE;
    }
    json_decref(body);
    if ((st = login_begin(w, fault)) != ST_OK)
        return st;
    st = find_user(w, username, &user, fault);
    if (st != ST_OK && st != ST_NONE)
        return st;
    known = st == ST_OK;
    if ((st = pg_commit(w->pg, fault)) != ST_OK) /* nothing stays locked while we hash */
        return st;
    st = password_matches(password, known ? user.password_hash : NULL)
             ? open_family(w, r, &user, password, a, fault)
             : refuse_sign_in(w, r, known ? &user : NULL, a, fault);
    explicit_bzero(password, sizeof password);
    explicit_bzero(&user.password_hash, sizeof user.password_hash);
    return st;
}

/* ---- PUT */
struct found {
    struct refresh_row row;
    struct user user;
    char family[UUID_TEXT + 1];
};

static int64_t ms_of(const PGresult *rows, int column)
{
    return strtoll(PQgetvalue(rows, 0, column), NULL, 10);
}

/* A family ends with its first revoked member: one that was being made at that very moment carries
 * no mark itself. */
static enum status find_token(struct worker *w, const char *token, struct found *out,
                              struct fault *fault)
{
    char hash[67];
    const char *params[] = {hash};
    PGresult *rows = NULL;
    enum status st;

    refresh_hash(hash, token);
    st = pg_run(w->pg,
                "SELECT t.family, u.id, u.customer_id, u.role, u.epoch,"
                " (extract(epoch FROM t.issued_at) * 1000)::bigint,"
                " (extract(epoch FROM t.family_started_at) * 1000)::bigint,"
                " coalesce((extract(epoch FROM t.spent_at) * 1000)::bigint, 0),"
                " EXISTS (SELECT FROM refresh_token f WHERE f.family = t.family"
                "  AND f.revoked_at IS NOT NULL), u.disabled"
                " FROM refresh_token t JOIN app_user u ON u.id = t.user_id"
                " WHERE t.hash = $1::bytea FOR UPDATE OF t",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) != 1) {
        PQclear(rows);
        return ST_NONE;
    }
    snprintf(out->family, sizeof out->family, "%s", PQgetvalue(rows, 0, 0));
    snprintf(out->user.id, sizeof out->user.id, "%s", PQgetvalue(rows, 0, 1));
    snprintf(out->user.customer, sizeof out->user.customer, "%s", PQgetvalue(rows, 0, 2));
    snprintf(out->user.role, sizeof out->user.role, "%s", PQgetvalue(rows, 0, 3));
    out->user.epoch = ms_of(rows, 4);
    out->row = (struct refresh_row){.issued_ms = ms_of(rows, 5),
                                    .family_started_ms = ms_of(rows, 6),
                                    .spent_ms = ms_of(rows, 7),
                                    .revoked = PQgetvalue(rows, 0, 8)[0] == 't',
                                    .user_disabled = PQgetvalue(rows, 0, 9)[0] == 't'};
    PQclear(rows);
    return ST_OK;
}

static enum status rotate(struct worker *w, const char *token, const char *successor,
                          struct fault *fault)
{
    char old[67], new[67];
    const char *params[] = {old, new};
    enum status st;

    refresh_hash(old, token);
    refresh_hash(new, successor);
    st = pg_run(w->pg, "UPDATE refresh_token SET spent_at = now() WHERE hash = $1::bytea", 1,
                params, NULL, fault);
    if (st != ST_OK)
        return st;
    return pg_run(
        w->pg,
        "INSERT INTO refresh_token (hash, family, user_id, customer_id, family_started_at)"
        " SELECT $2::bytea, family, user_id, customer_id, family_started_at"
        " FROM refresh_token WHERE hash = $1::bytea",
        2, params, NULL, fault);
}

static enum status end_family(struct worker *w, const struct request *r, const struct found *f,
                              const char *why, struct fault *fault)
{
    const char *params[] = {f->family};
    struct audit_entry entry = {
        .customer = f->user.customer, .user = f->user.id, .action = why, .address = r->address};
    enum status st;

    st = pg_run(w->pg,
                "UPDATE refresh_token SET revoked_at = now()"
                " WHERE family = $1::uuid AND revoked_at IS NULL",
                1, params, NULL, fault);
    return st == ST_OK ? audit_add(w->pg, &entry, fault) : st;
}

static void no_session(struct worker *w, const struct request *r, struct answer *a)
{
    answer_problem(a, r, 401, "session", "There is no session any more: sign in.");
    set_cookie(w, a, "", 0);
}

static enum status decide(struct worker *w, const struct request *r, const struct found *f,
                          struct answer *a, struct fault *fault)
{
    char successor[REFRESH_TEXT + 1];
    enum status st = ST_OK;

    refresh_successor(successor, r->refresh, w->shared->refresh_secret);
    switch (refresh_judge(&f->row, clock_now_ms())) {
    case REFRESH_ROTATE:
        st = rotate(w, r->refresh, successor, fault);
        break;
    case REFRESH_REPEAT:
        break;
    case REFRESH_REUSED:
        log_warn("session.reuse", "user=%s", f->user.id);
        st = end_family(w, r, f, "session.reuse", fault);
        if (st == ST_OK && (st = pg_commit(w->pg, fault)) == ST_OK)
            no_session(w, r, a);
        return st;
    case REFRESH_ENDED:
        pg_rollback(w->pg);
        no_session(w, r, a);
        return ST_OK;
    }
    if (st == ST_OK)
        st = pg_commit(w->pg, fault);
    return st == ST_OK ? grant(w, &f->user, successor, a, fault) : st;
}

enum status session_refresh(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    struct found f;
    enum status st;

    if (!refresh_is_valid(r->refresh)) {
        no_session(w, r, a);
        return ST_OK;
    }
    if ((st = login_begin(w, fault)) != ST_OK)
        return st;
    st = find_token(w, r->refresh, &f, fault);
    if (st == ST_NONE) {
        pg_rollback(w->pg);
        no_session(w, r, a);
        return ST_OK;
    }
    return st == ST_OK ? decide(w, r, &f, a, fault) : st;
}

/* ---- DELETE: the family ends, and access tokens already out are void by the raised epoch. */
enum status session_end(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    struct found f;
    const char *params[] = {f.user.id};
    enum status st = ST_NONE;

    if (refresh_is_valid(r->refresh)) {
        if ((st = login_begin(w, fault)) != ST_OK)
            return st;
        st = find_token(w, r->refresh, &f, fault);
        if (st == ST_OK && f.row.revoked)
            st = ST_NONE;
    }
    if (st == ST_OK &&
        ((st = end_family(w, r, &f, "session.end", fault)) != ST_OK ||
         (st = pg_run(w->pg, "UPDATE app_user SET epoch = epoch + 1 WHERE id = $1::uuid", 1, params,
                      NULL, fault)) != ST_OK ||
         (st = pg_commit(w->pg, fault)) != ST_OK))
        return st;
    if (st != ST_OK && st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_empty(a);
    set_cookie(w, a, "", 0);
    return ST_OK;
}
