/* services/api/admin_people.c - customers and users. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "access.h"
#include "admin.h"
#include "audit.h"
#include "password.h"
#include "render.h"

static enum status note(struct admin *ad, const char *customer, const char *user,
                        const char *action, struct fault *fault)
{
    struct audit_entry e = {
        .customer = customer, .user = user, .action = action, .address = "shell"};

    return audit_add(ad->pg, &e, fault);
}

static void print_id(struct admin *ad, const char *id)
{
    text_print(&ad->out, ad->set->json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
}

enum status admin_customer_add(struct admin *ad, struct fault *fault)
{
    char id[37];
    const char *params[2];
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "customer add NAME");
    if ((st = admin_check_name("a customer's name", ad->argv[0], 200, fault)) != ST_OK)
        return st;
    admin_new_id(id);
    params[0] = id;
    params[1] = ad->argv[0];
    if ((st = pg_begin(ad->pg, fault)) != ST_OK ||
        (st = pg_run(ad->pg, "INSERT INTO customer (id, name) VALUES ($1::uuid, $2)", 2, params,
                     NULL, fault)) != ST_OK ||
        (st = note(ad, id, NULL, "customer.create", fault)) != ST_OK ||
        (st = pg_commit(ad->pg, fault)) != ST_OK)
        return st;
    print_id(ad, id);
    return ST_OK;
}

enum status admin_customer_list(struct admin *ad, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(ad->pg,
                "SELECT c.id, c.name, (SELECT count(*) FROM vehicle v WHERE v.customer_id = c.id)"
                " AS vehicles FROM customer c ORDER BY c.name",
                0, NULL, &rows, fault);
    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}

/* VIGIE_PASSWORD, VIGIE_PASSWORD_FILE, or one line of stdin, not shown where a person types it. */
static enum status read_password(struct admin *ad, char out[SETTING_TEXT_MAX], struct fault *fault)
{
    struct termios before, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    const char *got;

    if (ad->set->password[0]) {
        memcpy(out, ad->set->password, SETTING_TEXT_MAX);
        return ST_OK;
    }
    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
        fputs("password: ", stderr);
    }
    got = fgets(out, SETTING_TEXT_MAX, stdin);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
        fputc('\n', stderr);
    }
    if (!got)
        return fault_set(fault, ST_REJECT,
                         "no password: VIGIE_PASSWORD, VIGIE_PASSWORD_FILE or stdin");
    out[strcspn(out, "\r\n")] = '\0';
    return ST_OK;
}

static enum status hash_password(struct admin *ad, char out[PASSWORD_HASH_MAX], struct fault *fault)
{
    char password[SETTING_TEXT_MAX];
    enum status st = read_password(ad, password, fault);

    if (st == ST_OK)
        st = password_hash(password, out, fault);
    explicit_bzero(password, sizeof password);
    return st;
}

enum status admin_user_add(struct admin *ad, struct fault *fault)
{
    char id[37], customer[37], hash[PASSWORD_HASH_MAX];
    const char *params[] = {id,
                            customer,
                            ad->argv[0],
                            ad->set->name,
                            ad->set->role,
                            hash,
                            ad->set->locale[0] ? ad->set->locale : NULL};
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT,
                         "user add NAME [--role ROLE] [--locale fr|en] [--customer ID]");
    if ((st = admin_check_name("a user's sign-in name", ad->argv[0], 200, fault)) != ST_OK ||
        (ad->set->name[0] && (st = admin_check_name("--name", ad->set->name, 200, fault)) != ST_OK))
        return st;
    if (!access_role_is_known(ad->set->role))
        return fault_set(fault, ST_REJECT,
                         "--role %s is none of owner admin dispatcher mechanic driver auditor",
                         ad->set->role);
    if (ad->set->locale[0] && strcmp(ad->set->locale, "fr") != 0 &&
        strcmp(ad->set->locale, "en") != 0)
        return fault_set(fault, ST_REJECT, "--locale %s is neither fr nor en", ad->set->locale);
    if ((st = admin_customer(ad, customer, fault)) != ST_OK ||
        (st = hash_password(ad, hash, fault)) != ST_OK)
        return st;
    admin_new_id(id);
    if ((st = pg_begin(ad->pg, fault)) != ST_OK ||
        (st = pg_run(ad->pg,
                     "INSERT INTO app_user (id, customer_id, username, name, role, password_hash,"
                     " locale) VALUES ($1::uuid, $2::uuid, lower($3), $4, $5, $6, $7)",
                     7, params, NULL, fault)) != ST_OK ||
        (st = note(ad, customer, id, "user.create", fault)) != ST_OK ||
        (st = pg_commit(ad->pg, fault)) != ST_OK) {
        if (st == ST_REJECT && !strcmp(pg_state(ad->pg), "23505"))
            return fault_set(fault, ST_FATAL, "there is a user %s already", ad->argv[0]);
        return st;
    }
    print_id(ad, id);
    return ST_OK;
}

/* A new password ends every session: the epoch voids access tokens, the families go. */
enum status admin_user_passwd(struct admin *ad, struct fault *fault)
{
    char hash[PASSWORD_HASH_MAX];
    const char *params[] = {ad->argv[0], hash}, *id[1];
    PGresult *rows = NULL;
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "user passwd NAME");
    if ((st = hash_password(ad, hash, fault)) != ST_OK || (st = pg_begin(ad->pg, fault)) != ST_OK ||
        (st = pg_run(
             ad->pg,
             "UPDATE app_user SET password_hash = $2, epoch = epoch + 1, version = version + 1"
             " WHERE username = lower($1) RETURNING id, customer_id",
             2, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) != 1) {
        PQclear(rows);
        return fault_set(fault, ST_FATAL, "there is no user %s", ad->argv[0]);
    }
    id[0] = PQgetvalue(rows, 0, 0);
    if ((st = pg_run(ad->pg,
                     "UPDATE refresh_token SET revoked_at = now() WHERE user_id = $1::uuid"
                     " AND revoked_at IS NULL",
                     1, id, NULL, fault)) == ST_OK &&
        (st = note(ad, PQgetvalue(rows, 0, 1), id[0], "user.password", fault)) == ST_OK)
        st = pg_commit(ad->pg, fault);
    if (st == ST_OK)
        print_id(ad, id[0]);
    PQclear(rows);
    return st;
}

enum status admin_user_list(struct admin *ad, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(ad->pg,
                "SELECT u.id, u.username, u.name, u.role, u.locale, c.name AS customer,"
                " u.disabled"
                " FROM app_user u JOIN customer c ON c.id = u.customer_id ORDER BY u.username",
                0, NULL, &rows, fault);
    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}
