/* services/api/admin_vehicles.c - vehicles and the tokens they enrol with. */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "audit.h"
#include "proto/vin.h"
#include "render.h"

#define HOURS_MOST 168

static enum status check_vins(struct admin *ad, const char *usage, struct fault *fault)
{
    if (ad->argc < 1)
        return fault_set(fault, ST_REJECT, "%s", usage);
    for (int i = 0; i < ad->argc; i++)
        if (!vin_is_valid(ad->argv[i], strlen(ad->argv[i])))
            return fault_set(fault, ST_REJECT, "%.40s is not a VIN (17 of A-H J-N P R-Z 0-9)",
                             ad->argv[i]);
    return ST_OK;
}

/* Adding one that is there already for the same customer changes nothing; one that was sent away
 * does not come back by being added. */
static enum status add_one(struct admin *ad, const char *vin, const char *customer,
                           struct fault *fault)
{
    const char *params[] = {vin, customer, ad->set->name};
    struct audit_entry e = {
        .customer = customer, .action = "vehicle.create", .vin = vin, .address = "shell"};
    PGresult *rows = NULL;
    enum status st;
    char status[16];
    bool made;

    st = pg_run(
        ad->pg,
        "WITH made AS (INSERT INTO vehicle (vin, customer_id, name) VALUES ($1, $2::uuid, $3)"
        " ON CONFLICT DO NOTHING RETURNING 1)"
        " SELECT EXISTS (SELECT FROM made),"
        " (SELECT status FROM vehicle WHERE vin = $1 AND customer_id = $2::uuid)",
        3, params, &rows, fault);
    if (st != ST_OK)
        return st;
    made = PQgetvalue(rows, 0, 0)[0] == 't';
    snprintf(status, sizeof status, "%s", PQgetvalue(rows, 0, 1));
    PQclear(rows);
    if (!made && !status[0])
        return fault_set(fault, ST_FATAL, "%s belongs to another customer", vin);
    if (!strcmp(status, "revoked") || !strcmp(status, "retired"))
        return fault_set(fault, ST_FATAL, "%s is %s: vigie-api vehicle restore %s", vin, status,
                         vin);
    if (!made)
        return ST_OK;
    if ((st = audit_add(ad->pg, &e, fault)) != ST_OK)
        return st;
    return pg_run(ad->pg, "SELECT pg_notify('fleet', $1)", 1, params, NULL, fault);
}

enum status admin_vehicle_add(struct admin *ad, struct fault *fault)
{
    char customer[37];
    enum status st;

    if ((st = check_vins(ad, "vehicle add VIN... [--customer ID]", fault)) != ST_OK ||
        (ad->set->name[0] &&
         (st = admin_check_name("--name", ad->set->name, 200, fault)) != ST_OK) ||
        (st = admin_customer(ad, customer, fault)) != ST_OK ||
        (st = pg_begin(ad->pg, fault)) != ST_OK)
        return st;
    for (int i = 0; i < ad->argc && st == ST_OK; i++)
        st = add_one(ad, ad->argv[i], customer, fault);
    if (st != ST_OK || (st = pg_commit(ad->pg, fault)) != ST_OK)
        return st;
    if (ad->set->json)
        text_print(&ad->out, "[");
    for (int i = 0; i < ad->argc; i++)
        text_print(&ad->out, ad->set->json ? "%s\"%s\"" : "%s%s\n", ad->set->json && i ? "," : "",
                   ad->argv[i]);
    if (ad->set->json)
        text_print(&ad->out, "]\n");
    return ST_OK;
}

enum status admin_vehicle_list(struct admin *ad, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    if (ad->argc != 0)
        return fault_set(fault, ST_REJECT, "vehicle list");
    st = pg_run(ad->pg,
                "SELECT v.vin, v.name, v.plate, c.name AS customer, v.status,"
                " to_char(s.last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
                " AS last_seen FROM vehicle v JOIN customer c ON c.id = v.customer_id"
                " LEFT JOIN vehicle_state s ON s.vin = v.vin ORDER BY v.vin",
                0, NULL, &rows, fault);
    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}

static enum status store_token(struct admin *ad, const char *hash, struct fault *fault)
{
    char hours[24];
    const char *params[] = {hash, ad->argv[0], hours}, *vin[] = {ad->argv[0]};
    struct audit_entry e = {
        .action = "enroll-token.create", .vin = ad->argv[0], .address = "shell"};
    PGresult *rows = NULL;
    char customer[37] = "";
    enum status st;

    snprintf(hours, sizeof hours, "%lld", (long long)ad->set->hours);
    if ((st = pg_begin(ad->pg, fault)) != ST_OK ||
        (st = pg_run(
             ad->pg,
             "SELECT customer_id FROM vehicle WHERE vin = $1 AND status IN ('awaiting', 'active')",
             1, vin, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        snprintf(customer, sizeof customer, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    if (!customer[0])
        return admin_not_awaited(ad, ad->argv[0], fault);
    e.customer = customer;
    if ((st = pg_run(ad->pg,
                     "INSERT INTO enroll_token (hash, vin, expires_at)"
                     " VALUES ($1::bytea, $2, now() + make_interval(hours => $3::integer))",
                     3, params, NULL, fault)) != ST_OK ||
        (st = audit_add(ad->pg, &e, fault)) != ST_OK)
        return st;
    return pg_commit(ad->pg, fault);
}

enum status admin_enroll_token(struct admin *ad, struct fault *fault)
{
    unsigned char random[32], digest[SHA256_DIGEST_LENGTH];
    char token[48], hash[67] = "\\x";
    enum status st;

    if ((st = check_vins(ad, "enroll-token VIN [--hours N]", fault)) != ST_OK)
        return st;
    if (ad->argc != 1 || ad->set->hours < 1 || ad->set->hours > HOURS_MOST)
        return fault_set(fault, ST_REJECT, "enroll-token VIN [--hours 1 .. %d]", HOURS_MOST);
    text_random(random, sizeof random);
    text_base64url(token, random, sizeof random);
    SHA256((const unsigned char *)token, strlen(token), digest);
    text_hex(hash + 2, digest, sizeof digest);
    if ((st = store_token(ad, hash, fault)) != ST_OK)
        return st;
    if (ad->set->json)
        text_print(&ad->out, "{\"vin\":\"%s\",\"token\":\"%s\",\"hours\":%lld}\n", ad->argv[0],
                   token, (long long)ad->set->hours);
    else
        text_print(&ad->out, "%s\n", token);
    explicit_bzero(token, sizeof token);
    return ST_OK;
}
