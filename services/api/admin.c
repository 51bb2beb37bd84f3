/* services/api/admin.c - commands by name, and what they share. */
#include "admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "naming.h"
#include "proto/envelope.h"
#include "render.h"
#include "request.h"

static const struct {
    const char *first, *second; /* second NULL: a command of one word */
    admin_command *run;
    bool needs_database;
} commands[] = {
    {"migrate", NULL, admin_migrate, true},
    {"pki", "init", admin_pki_init, false},
    {"customer", "add", admin_customer_add, true},
    {"customer", "list", admin_customer_list, true},
    {"customer", "keep", admin_customer_keep, true},
    {"user", "add", admin_user_add, true},
    {"user", "passwd", admin_user_passwd, true},
    {"user", "list", admin_user_list, true},
    {"vehicle", "add", admin_vehicle_add, true},
    {"vehicle", "list", admin_vehicle_list, true},
    {"vehicle", "restore", admin_vehicle_restore, true},
    {"enroll-token", NULL, admin_enroll_token, true},
    {"issue", NULL, admin_issue, true},
    {"revoke", NULL, admin_revoke, true},
    {"audit", "verify", admin_audit_verify, true},
    {"dead-letter", "list", admin_dead_letter_list, true},
    {"dead-letter", "show", admin_dead_letter_show, true},
    {"dead-letter", "replay", admin_dead_letter_replay, true},
    {"purge", NULL, admin_purge, true},
};

/* The answer to stdout. ST_FATAL: it did not get there. */
static enum status put_out(const struct text *out, struct fault *fault)
{
    if (out->failed)
        return fault_set(fault, ST_FATAL, "out of memory for the answer");
    if (fwrite(out->bytes, 1, out->len, stdout) != out->len || fflush(stdout) != 0)
        return fault_set(fault, ST_FATAL, "cannot write the answer: %s", strerror(errno));
    return ST_OK;
}

static enum status run(struct admin *ad, admin_command *command, bool needs_database,
                       struct fault *fault)
{
    enum status st;

    if (needs_database) {
        if (!ad->set->pg[0])
            return fault_set(fault, ST_REJECT, "VIGIE_PG or VIGIE_PG_FILE is needed");
        if ((st = pg_open(&ad->pg, ad->set->pg, "vigie-api admin", fault)) != ST_OK ||
            (st = pg_ready(ad->pg, fault)) != ST_OK)
            return st;
    }
    st = command(ad, fault);
    if (st != ST_OK && !ad->told)
        return st;
    return put_out(&ad->out, fault) == ST_OK ? st : ST_FATAL;
}

enum status admin_run(const struct api_settings *set, int count, char **words, struct fault *fault)
{
    struct admin ad = {.set = set};

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        int own = commands[i].second ? 2 : 1;
        enum status st;

        if (count < own || strcmp(words[0], commands[i].first) != 0 ||
            (own == 2 && strcmp(words[1], commands[i].second) != 0))
            continue;
        ad.argc = count - own;
        ad.argv = words + own;
        text_init(&ad.out);
        st = run(&ad, commands[i].run, commands[i].needs_database, fault);
        if (ad.out.bytes)
            explicit_bzero(ad.out.bytes, ad.out.len); /* it may be a token */
        text_done(&ad.out);
        pg_close(ad.pg);
        return st == ST_NONE ? ST_REJECT : st;
    }
    return fault_set(fault, ST_NONE, "no command \"%s%s%s\": see vigie-api --help", words[0],
                     count > 1 ? " " : "", count > 1 ? words[1] : "");
}

enum status admin_check_name(const char *what, const char *name, size_t most, struct fault *fault)
{
    long characters;

    if (!utf8_is_valid(name, strlen(name)))
        return fault_set(fault, ST_REJECT, "%s is not UTF-8", what);
    characters = naming_characters(name);
    if (naming_is_blank(name) || characters > (long)most)
        return fault_set(fault, ST_REJECT, "%s has 1 to %zu characters, one of them to be seen",
                         what, most);
    if (characters < 0)
        return fault_set(fault, ST_REJECT, "%s has a control character in it", what);
    return ST_OK;
}

enum status admin_customer(struct admin *ad, char out[37], struct fault *fault)
{
    const char *wanted = ad->set->customer;
    const char *params[] = {wanted};
    PGresult *rows = NULL;
    enum status st;

    if (wanted[0] && !uuid_is_valid(wanted, strlen(wanted)))
        return fault_set(fault, ST_REJECT, "--customer %s is not an id", wanted);
    st = pg_run(ad->pg, "SELECT id FROM customer WHERE $1 = '' OR id::text = $1 LIMIT 2", 1, params,
                &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(out, 37, "%s", PQgetvalue(rows, 0, 0));
    else if (PQntuples(rows) > 1)
        st = fault_set(fault, ST_REJECT, "there are several customers: say --customer ID");
    else
        st = fault_set(fault, ST_FATAL,
                       wanted[0] ? "there is no such customer"
                                 : "there is no customer yet: vigie-api customer add NAME");
    PQclear(rows);
    return st;
}

enum status admin_not_awaited(struct admin *ad, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(ad->pg, "SELECT status FROM vehicle WHERE vin = $1", 1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    st = PQntuples(rows)
             ? fault_set(fault, ST_FATAL, "%s is %s: vigie-api vehicle restore %s", vin,
                         PQgetvalue(rows, 0, 0), vin)
             : fault_set(fault, ST_FATAL, "%s is not awaited: vigie-api vehicle add %s", vin, vin);
    PQclear(rows);
    return st;
}

void admin_new_id(char out[37])
{
    unsigned char random[10];

    text_random(random, sizeof random);
    uuid_v7(out, clock_now_ms(), random);
}

static void print_json(struct text *out, const PGresult *rows)
{
    text_print(out, "[");
    for (int i = 0; i < PQntuples(rows); i++) {
        text_print(out, i ? ",{" : "{");
        for (int c = 0; c < PQnfields(rows); c++) {
            if (PQgetisnull(rows, i, c))
                continue; /* absent, never null */
            render_key(out, PQfname(rows, c));
            if (PQftype(rows, c) == 20 || PQftype(rows, c) == 23 ||
                PQftype(rows, c) == 16) /* int8, int4, bool */
                text_print(out, "%s",
                           PQftype(rows, c) == 16
                               ? (PQgetvalue(rows, i, c)[0] == 't' ? "true" : "false")
                               : PQgetvalue(rows, i, c));
            else
                render_text(out, PQgetvalue(rows, i, c));
        }
        text_print(out, "}");
    }
    text_print(out, "]\n");
}

static int width_of(const PGresult *rows, int column)
{
    int width = (int)strlen(PQfname(rows, column));

    for (int i = 0; i < PQntuples(rows); i++)
        if (PQgetlength(rows, i, column) > width)
            width = PQgetlength(rows, i, column);
    return width;
}

void admin_print_rows(struct admin *ad, const PGresult *rows)
{
    int columns = PQnfields(rows);

    if (ad->set->json) {
        print_json(&ad->out, rows);
        return;
    }
    for (int i = -1; i < PQntuples(rows); i++)
        for (int c = 0; c < columns; c++)
            text_print(&ad->out, "%-*s%s", c + 1 < columns ? width_of(rows, c) : 0,
                       i < 0 ? PQfname(rows, c) : PQgetvalue(rows, i, c),
                       c + 1 < columns ? "  " : "\n");
}
