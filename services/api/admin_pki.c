/* services/api/admin_pki.c - pki init, issue, revoke, vehicle restore. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin.h"
#include "audit.h"
#include "barred.h"
#include "certificates.h"
#include "lib/clock.h"
#include "pki_files.h"
#include "proto/vin.h"
#include "render.h"

enum status admin_pki_init(struct admin *ad, struct fault *fault)
{
    struct text report;
    enum status st;
    char *save = NULL, *line;

    text_init(&report);
    st = pki_files_init(ad->set->pki_dir, ad->set->hosts, clock_now_ms() / 1000, &report, fault);
    if (st == ST_OK && ad->set->json) {
        text_print(&ad->out, "{\"written\":[");
        for (line = report.bytes ? strtok_r(report.bytes, "\n", &save) : NULL; line;
             line = strtok_r(NULL, "\n", &save)) {
            if (ad->out.bytes[ad->out.len - 1] != '[')
                text_print(&ad->out, ",");
            render_text(&ad->out, line);
        }
        text_print(&ad->out, "]}\n");
    } else if (st == ST_OK) {
        text_print(&ad->out, "%s", report.len ? report.bytes : "nothing to make\n");
    }
    text_done(&report);
    return st;
}

/* ---- issue: key and certificate of a bench, a test or a gateway that cannot enrol */
static enum status check_vehicle(struct admin *ad, const char *vin, char customer[37],
                                 struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st;

    if (!vin_is_valid(vin, strlen(vin)))
        return fault_set(fault, ST_REJECT, "%.40s is not a VIN", vin);
    st = pg_run(
        ad->pg,
        "SELECT customer_id FROM vehicle WHERE vin = $1 AND status IN ('awaiting', 'active')", 1,
        params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(customer, 37, "%s", PQgetvalue(rows, 0, 0));
    else
        st = admin_not_awaited(ad, vin, fault);
    PQclear(rows);
    return st;
}

static enum status make_folder(const char *path, struct fault *fault)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return fault_set(fault, ST_FATAL, "%s: %s", path, strerror(errno));
    return ST_OK;
}

static enum status write_bundle(struct admin *ad, const char *vin, const char *key_pem,
                                const char *chain, struct fault *fault)
{
    char path[2048];
    struct text ca;
    enum status st;

    text_init(&ca);
    snprintf(path, sizeof path, "%s/service-root.pem", ad->set->pki_dir);
    if ((st = text_read_file(&ca, path, 16384, fault)) != ST_OK ||
        (st = make_folder(ad->set->out, fault)) != ST_OK)
        goto out;
    snprintf(path, sizeof path, "%s/%s", ad->set->out, vin);
    if ((st = make_folder(path, fault)) != ST_OK)
        goto out;
    snprintf(path, sizeof path, "%s/%s/key.pem", ad->set->out, vin);
    if ((st = text_write_file(path, key_pem, strlen(key_pem), 0600, fault)) != ST_OK)
        goto out;
    snprintf(path, sizeof path, "%s/%s/cert.pem", ad->set->out, vin);
    if ((st = text_write_file(path, chain, strlen(chain), 0644, fault)) != ST_OK)
        goto out;
    snprintf(path, sizeof path, "%s/%s/ca.pem", ad->set->out, vin);
    st = text_write_file(path, ca.bytes, ca.len, 0644, fault);
out:
    text_done(&ca);
    return st == ST_NONE ? ST_REJECT : st;
}

static enum status issue_one(struct admin *ad, const struct pki_issuer *issuer, const char *vin,
                             struct fault *fault)
{
    char serial[PKI_SERIAL_TEXT], customer[37], *chain = NULL, *key_pem = NULL;
    struct audit_entry e = {.action = "certificate.issue", .vin = vin, .address = "shell"};
    EVP_PKEY *key = pki_new_key();
    enum status st;

    e.customer = customer;
    if (!key)
        return fault_set(fault, ST_FATAL, "no key could be made");
    key_pem = pki_key_pem(key);
    if (!key_pem)
        st = fault_set(fault, ST_FATAL, "out of memory");
    else if ((st = pg_begin(ad->pg, fault)) == ST_OK &&
             (st = check_vehicle(ad, vin, customer, fault)) == ST_OK &&
             (st = certificates_issue(ad->pg, issuer, vin, key, clock_now_ms() / 1000, &chain,
                                      serial, fault)) == ST_OK &&
             (st = audit_add(ad->pg, &e, fault)) == ST_OK &&
             (st = write_bundle(ad, vin, key_pem, chain, fault)) == ST_OK)
        st = pg_commit(ad->pg, fault);
    if (st == ST_OK) {
        text_print(&ad->out, ad->set->json ? "%s{\"vin\":\"%s\",\"serial\":\"%s\"}" : "%s%s %s\n",
                   ad->set->json && ad->out.len > 1 ? "," : "", vin, serial);
    }
    if (key_pem)
        explicit_bzero(key_pem, strlen(key_pem));
    free(key_pem);
    free(chain);
    EVP_PKEY_free(key);
    return st;
}

enum status admin_issue(struct admin *ad, struct fault *fault)
{
    struct pki_issuer issuer = {0};
    enum status st;

    if (ad->argc < 1 || !ad->set->out[0])
        return fault_set(fault, ST_REJECT, "issue VIN... --out DIR");
    st = pki_files_issuer(&issuer, ad->set->pki_dir, "vehicle-intermediate", fault);
    if (ad->set->json)
        text_print(&ad->out, "[");
    for (int i = 0; i < ad->argc && st == ST_OK; i++)
        st = issue_one(ad, &issuer, ad->argv[i], fault);
    if (ad->set->json)
        text_print(&ad->out, "]\n");
    pki_issuer_done(&issuer);
    return st;
}

/* ---- revoke */
static enum status mark(struct admin *ad, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};
    struct audit_entry e = {.action = "vehicle.revoke", .vin = vin, .address = "shell"};
    PGresult *rows = NULL;
    char customer[37] = "";
    enum status st;

    if ((st = pg_begin(ad->pg, fault)) != ST_OK ||
        (st = pg_run(ad->pg,
                     "UPDATE vehicle SET status = 'revoked', version = version + 1 WHERE vin = $1"
                     " RETURNING customer_id",
                     1, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(customer, sizeof customer, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    if (!customer[0])
        return fault_set(fault, ST_FATAL, "there is no vehicle %s", vin);
    e.customer = customer;
    if ((st = pg_run(
             ad->pg,
             "UPDATE certificate SET revoked_at = now() WHERE vin = $1 AND revoked_at IS NULL", 1,
             params, NULL, fault)) != ST_OK ||
        /* the broker refuses a revoked car's last will as well: its presence is ours to say */
        (st = pg_run(ad->pg, "UPDATE vehicle_state SET presence = 'offline' WHERE vin = $1", 1,
                     params, NULL, fault)) != ST_OK ||
        (st = audit_add(ad->pg, &e, fault)) != ST_OK ||
        (st = pg_run(ad->pg, "SELECT pg_notify('fleet', $1)", 1, params, NULL, fault)) != ST_OK)
        return st;
    return pg_commit(ad->pg, fault);
}

/* Everything the database calls revoked or retired, so that a file lost or half written is whole
 * again after the next one. */
static enum status publish(struct admin *ad, struct fault *fault)
{
    PGresult *vins = NULL, *serials = NULL;
    const char **list = NULL;
    size_t count = 0;
    enum status st;

    if ((st = pg_run(ad->pg,
                     "SELECT vin FROM vehicle WHERE status IN ('revoked', 'retired') ORDER BY vin",
                     0, NULL, &vins, fault)) != ST_OK ||
        (st = pg_run(ad->pg,
                     "SELECT serial FROM certificate WHERE revoked_at IS NOT NULL"
                     " AND not_after > now()",
                     0, NULL, &serials, fault)) != ST_OK)
        goto out;
    list = calloc((size_t)PQntuples(vins) + (size_t)PQntuples(serials) + 1, sizeof *list);
    if (!list) {
        st = fault_set(fault, ST_FATAL, "out of memory");
        goto out;
    }
    for (int i = 0; i < PQntuples(vins); i++)
        list[count++] = PQgetvalue(vins, i, 0);
    if ((st = pki_files_deny(ad->set->pki_dir, list, count, fault)) != ST_OK)
        goto out;
    count = 0;
    for (int i = 0; i < PQntuples(serials); i++)
        list[count++] = PQgetvalue(serials, i, 0);
    st = pki_files_crl(ad->set->pki_dir, list, count, clock_now_ms() / 1000, fault);
out:
    free(list);
    PQclear(vins);
    PQclear(serials);
    return st;
}

enum status admin_revoke(struct admin *ad, struct fault *fault)
{
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "revoke VIN");
    if ((st = mark(ad, ad->argv[0], fault)) != ST_OK || (st = publish(ad, fault)) != ST_OK)
        return st;
    text_print(&ad->out,
               ad->set->json ? "{\"vin\":\"%s\",\"status\":\"revoked\"}\n" : "%s revoked\n",
               ad->argv[0]);
    return ST_OK;
}

/* ---- restore: it may enrol again.  Its certificates stay revoked and its tokens are void:
 * whoever holds those does not come back with it.  ST_NONE: it is back, or never was away. */
static enum status await_again(struct admin *ad, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};
    struct audit_entry e = {.action = "vehicle.restore", .vin = vin, .address = "shell"};
    PGresult *rows = NULL;
    char customer[37] = "";
    enum status st;

    if ((st = pg_begin(ad->pg, fault)) != ST_OK || (st = barred_lock(ad->pg, fault)) != ST_OK ||
        (st = pg_run(ad->pg,
                     "UPDATE vehicle SET status = 'awaiting', version = version + 1"
                     " WHERE vin = $1 AND status IN ('revoked', 'retired') RETURNING customer_id",
                     1, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(customer, sizeof customer, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    if (!customer[0]) {
        pg_rollback(ad->pg);
        return ST_NONE;
    }
    e.customer = customer;
    if ((st = pg_run(
             ad->pg,
             "UPDATE certificate SET revoked_at = now() WHERE vin = $1 AND revoked_at IS NULL", 1,
             params, NULL, fault)) != ST_OK ||
        (st = pg_run(ad->pg,
                     "UPDATE enroll_token SET expires_at = now() WHERE vin = $1"
                     " AND expires_at > now()",
                     1, params, NULL, fault)) != ST_OK ||
        (st = audit_add(ad->pg, &e, fault)) != ST_OK ||
        (st = pg_run(ad->pg, "SELECT pg_notify('fleet', $1)", 1, params, NULL, fault)) != ST_OK)
        return st;
    return pg_commit(ad->pg, fault);
}

static enum status tell_restored(struct admin *ad, const char *vin, struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st =
        pg_run(ad->pg, "SELECT status FROM vehicle WHERE vin = $1", 1, params, &rows, fault);

    if (st == ST_OK)
        text_print(&ad->out,
                   ad->set->json ? "{\"vin\":\"%s\",\"status\":\"%s\"}\n"
                                 : "%s %s; so that the broker refuses its old certificate: "
                                   "systemctl reload vigie-broker\n",
                   vin, PQntuples(rows) ? PQgetvalue(rows, 0, 0) : "");
    PQclear(rows);
    return st;
}

/* At each site: of a car that is back by another's word only the list here is left to mend. */
enum status admin_vehicle_restore(struct admin *ad, struct fault *fault)
{
    bool was_denied;
    enum status st, back;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "vehicle restore VIN");
    if (ad->set->customer[0])
        return fault_set(fault, ST_REJECT,
                         "vehicle restore VIN, without --customer: it comes back to the customer "
                         "whose trips it has");
    if ((back = await_again(ad, ad->argv[0], fault)) != ST_OK && back != ST_NONE)
        return back;
    if ((st = publish(ad, fault)) != ST_OK || /* first the certificates, then the name */
        (st = pki_files_allow(ad->set->pki_dir, ad->argv[0], &was_denied, fault)) != ST_OK)
        return st;
    if (back == ST_NONE && !was_denied)
        return fault_set(fault, ST_FATAL, "there is no revoked or retired vehicle %s", ad->argv[0]);
    return tell_restored(ad, ad->argv[0], fault);
}
