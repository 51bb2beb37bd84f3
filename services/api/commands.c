/* services/api/commands.c - what people ask of a vehicle: written down here, sent by dispatch.c,
 * ended by the vehicle's result (ingest) or by time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "body.h"
#include "handlers.h"
#include "idempotency.h"
#include "lib/clock.h"
#include "page.h"
#include "proto/command.h"
#include "render.h"
#include "tenant.h"

#define EXPIRY_STANDARD_S 300
#define EXPIRY_LEAST_S 10
#define EXPIRY_MOST_S 86400
#define EXPIRY_RISKY_S 3600 /* of what changes the car: it shall not come out of the blue */
#define WAITING_MOST "32"   /* of one vehicle, queued or sent */
#define NUMBER_MOST "999999999999999999"

#define COMMAND_JSON                                                                               \
    "json_strip_nulls(json_build_object('id', c.id, 'vin', c.vin, 'type', c.type, 'args', c.args," \
    " 'state', c.state, 'reason', c.reason, 'data', c.data, 'created_by', c.created_by,"           \
    " 'created_by_name', coalesce(nullif(u.name, ''), u.username), 'created_at', "                 \
    "rfc3339(c.created_at),"                                                                       \
    " 'expires_at', rfc3339(c.expires_at), 'sent_at', rfc3339(c.sent_at),"                         \
    " 'delivered_at', rfc3339(c.delivered_at), 'ended_at', rfc3339(c.ended_at),"                   \
    " 'version', c.version))"
#define COMMAND_TABLES " command c LEFT JOIN app_user u ON u.id = c.created_by "

/* What each type takes; those without a row are not for people. */
static const struct {
    enum command_type type;
    enum action action;
    bool risky; /* needs the person's own confirmation */
} kinds[] = {
    {COMMAND_PHOTO, ACTION_MEDIA_ASK, false},
    {COMMAND_CLIP, ACTION_MEDIA_ASK, false},
    {COMMAND_DIAGNOSTICS_READ, ACTION_COMMAND_SEND, false},
    {COMMAND_DIAGNOSTICS_CLEAR, ACTION_CODES_CLEAR, true},
    {COMMAND_CONFIG_APPLY, ACTION_AGENT_CONTROL, false},
    {COMMAND_PRIVACY_SET, ACTION_PRIVACY_SET, false},
    {COMMAND_AGENT_RESTART, ACTION_AGENT_CONTROL, true},
};

struct order {
    struct command command;
    char args[1024];
    char confirmed_by[COMMAND_NAME_MAX + 1]; /* "": not a risky one */
    int64_t expires_in_s;
};

/* ---- reading */
enum status command_list(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    static const char *const states[] = {"queued", "sent",    "delivered", "done",
                                         "failed", "refused", "expired",   NULL};
    const char *state = "";
    PGresult *rows = NULL;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_number(r, &p, NUMBER_MOST, a) != ST_OK ||
        page_words(r, "state", states, &state, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {r->vin, p.cursor, p.ask, state};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st =
             pg_run(w->pg,
                    "SELECT " COMMAND_JSON ", c.n FROM" COMMAND_TABLES
                    "WHERE c.vin = $1 AND c.n < $2::bigint AND ($4 = '' OR"
                    " c.state = ANY (string_to_array($4, ','))) ORDER BY c.n DESC LIMIT $3::bigint",
                    4, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

/* The command as it is now.  ST_NONE: there is none, 404 is set. */
static enum status answer_one(struct worker *w, const struct request *r, const char *id, int code,
                              struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin, id};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT " COMMAND_JSON ", c.version FROM" COMMAND_TABLES
                "WHERE c.vin = $1 AND c.id = $2::uuid",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    st = page_answer_one(a, r, rows, code, "There is no such command.");
    PQclear(rows);
    return st;
}

enum status command_read_one(struct worker *w, const struct request *r, struct answer *a,
                             struct fault *fault)
{
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = answer_one(w, r, r->object, 200, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* ---- asking */
/* "before_s is not ..." points at /args/before_s. */
static void args_fault(const struct request *r, const struct fault *why, struct answer *a)
{
    char pointer[96];

    snprintf(pointer, sizeof pointer, "/args/%.*s", (int)strcspn(why->text, " :,"), why->text);
    answer_field(a, r, 422, pointer, "invalid");
}

static enum status read_kind(const struct request *r, struct order *o, const char *word,
                             struct answer *a)
{
    struct fault why = {""};

    if (command_type_of(word, &o->command.type, &why) != ST_OK) {
        answer_field(a, r, 422, "/type", "unknown");
        return ST_NONE;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].type != o->command.type)
            continue;
        if (!access_allows(r->claims.role, kinds[i].action)) {
            answer_problem(a, r, 403, "forbidden", "This role may not ask that of a vehicle.");
            return ST_NONE;
        }
        if (kinds[i].risky && o->expires_in_s > EXPIRY_RISKY_S) {
            answer_field(a, r, 422, "/expires_in_s", "range");
            return ST_NONE;
        }
        return ST_OK;
    }
    answer_field(a, r, 422, "/type", "service"); /* live video: its service opens the session */
    return ST_NONE;
}

static bool is_risky(enum command_type type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].type == type)
            return kinds[i].risky;
    return true;
}

static enum status read_args(const struct request *r, const json_t *args, struct order *o,
                             struct answer *a)
{
    struct fault why = {""};
    size_t len;

    if (args && !json_is_object(args)) {
        answer_field(a, r, 422, "/args", "type");
        return ST_NONE;
    }
    if (command_args_read(&o->command, args, &why) != ST_OK ||
        command_args_write(&o->command, o->args, sizeof o->args, &len, &why) != ST_OK) {
        args_fault(r, &why, a);
        return ST_NONE;
    }
    if (!is_risky(o->command.type))
        return ST_OK;
    if (!json_string_length(
            json_object_get(args, "confirmed_by"))) { /* 0 of what is no text, too */
        answer_field(a, r, 422, "/args/confirmed_by", "missing");
        return ST_NONE;
    }
    return body_text(r, args, "confirmed_by", true, o->confirmed_by, sizeof o->confirmed_by, a);
}

static enum status read_order(const struct request *r, struct order *o, struct answer *a)
{
    static const char *const allowed[] = {"type", "args", "expires_in_s", NULL};
    unsigned char random[10];
    json_t *body = NULL;
    char word[40];
    enum status st;

    memset(o, 0, sizeof *o);
    o->expires_in_s = EXPIRY_STANDARD_S;
    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = body_text(r, body, "type", true, word, sizeof word, a)) == ST_OK &&
        (st = body_integer(r, body, "expires_in_s", false, EXPIRY_LEAST_S, EXPIRY_MOST_S,
                           &o->expires_in_s, a)) == ST_OK &&
        (st = read_kind(r, o, word, a)) == ST_OK)
        st = read_args(r, json_object_get(body, "args"), o, a);
    json_decref(body);
    text_random(random, sizeof random);
    uuid_v7(o->command.id, clock_now_ms(), random);
    return st;
}

/* Whoever confirms is whoever asks: the name they sign in with, or their id. */
static enum status check_confirmed(struct worker *w, const struct request *r, const struct order *o,
                                   struct answer *a, struct fault *fault)
{
    const char *params[] = {r->claims.user, o->confirmed_by};
    enum status st;

    if (!o->confirmed_by[0])
        return ST_OK;
    st =
        pg_finds(w->pg, "SELECT 1 FROM app_user WHERE id = $1::uuid AND $2 IN (username, id::text)",
                 2, params, fault);
    if (st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_field(a, r, 422, "/args/confirmed_by", "not-you");
    return ST_NONE;
}

/* The vehicle, locked, so that two cannot both be the last that fits.  ST_NONE: the answer is set.
 */
static enum status check_vehicle(struct worker *w, const struct request *r, struct answer *a,
                                 struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg, "SELECT status = 'active' FROM vehicle WHERE vin = $1 FOR NO KEY UPDATE", 1,
                params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) != 1)
        answer_problem(a, r, 404, "not-found", "There is no such vehicle.");
    else if (PQgetvalue(rows, 0, 0)[0] != 't')
        answer_problem(a, r, 409, "not-active", "The vehicle has not enrolled, or is out of use.");
    else
        a->code = 0;
    PQclear(rows);
    if (a->code) {
        pg_rollback(w->pg);
        return ST_NONE;
    }
    st = pg_run(w->pg,
                "SELECT count(*) >= " WAITING_MOST
                " FROM command WHERE vin = $1 AND state IN ('queued', 'sent')",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQgetvalue(rows, 0, 0)[0] == 't') {
        answer_problem(a, r, 409, "too-many", "Too many commands are waiting for this vehicle.");
        pg_rollback(w->pg);
        st = ST_NONE;
    }
    PQclear(rows);
    return st;
}

static enum status insert(struct worker *w, const struct request *r, const struct order *o,
                          struct fault *fault)
{
    char seconds[24];
    const char *params[] = {o->command.id, r->vin,         command_type_word(o->command.type),
                            o->args,       r->claims.user, seconds};

    snprintf(seconds, sizeof seconds, "%lld", (long long)o->expires_in_s);
    return pg_run(w->pg,
                  "INSERT INTO command (id, vin, type, args, created_by, expires_at) VALUES"
                  " ($1::uuid, $2, $3, $4::jsonb, $5::uuid, now() + $6::bigint * interval '1 s')",
                  6, params, NULL, fault);
}

static enum status note(struct worker *w, const struct request *r, const char *action,
                        const char *id, const char *type, struct fault *fault)
{
    char detail[160];
    const char *params[] = {id};
    enum status st;

    snprintf(detail, sizeof detail, "{\"command\":\"%s\",\"type\":\"%s\"}", id, type);
    if ((st = audit_request(w, r, action, detail, fault)) != ST_OK)
        return st;
    return pg_run(w->pg, "SELECT pg_notify('command', $1)", 1, params, NULL, fault);
}

enum status command_create(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    struct order o;
    enum status st;

    if (read_order(r, &o, a) != ST_OK)
        return ST_NONE;
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = check_vehicle(w, r, a, fault)) != ST_OK ||
        (st = check_confirmed(w, r, &o, a, fault)) != ST_OK ||
        (st = insert(w, r, &o, fault)) != ST_OK ||
        (st = note(w, r, "command.create", o.command.id, command_type_word(o.command.type),
                   fault)) != ST_OK ||
        (st = answer_one(w, r, o.command.id, 201, a, fault)) != ST_OK ||
        (st = idempotency_end(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* ---- calling back */
/* ST_NONE: 400, 404, 409, 412 or 428 is set. */
static enum status check_queued(struct worker *w, const struct request *r, char type[40],
                                struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin, r->object};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT version, state, type FROM command WHERE vin = $1 AND id = $2::uuid"
                " FOR UPDATE",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(type, 40, "%s", PQgetvalue(rows, 0, 2));
    st = tenant_matches(w, r, PQntuples(rows) == 1 ? PQgetvalue(rows, 0, 0) : NULL, a);
    if (st == ST_OK && strcmp(PQgetvalue(rows, 0, 1), "queued") != 0) {
        answer_problem(a, r, 409, "sent", "It is on its way already: it can only end by itself.");
        pg_rollback(w->pg);
        st = ST_NONE;
    }
    PQclear(rows);
    return st;
}

enum status command_cancel(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    const char *params[] = {r->object};
    char type[40] = "";
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = check_queued(w, r, type, a, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "UPDATE command SET state = 'refused', reason = 'cancelled',"
                     " ended_at = now(), version = version + 1 WHERE id = $1::uuid",
                     1, params, NULL, fault)) != ST_OK ||
        (st = note(w, r, "command.cancel", r->object, type, fault)) != ST_OK ||
        (st = answer_one(w, r, r->object, 200, a, fault)) != ST_OK ||
        (st = idempotency_end(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}
