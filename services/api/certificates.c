/* services/api/certificates.c - issuing to a vehicle. */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status insert(struct pg *pg, const char *vin, const struct pki_facts *facts,
                          const char *chain, struct fault *fault)
{
    char sha[67] = "\\x", key[67] = "\\x", before[24], after[24];
    const char *params[] = {facts->serial, vin, sha, key, before, after, chain};

    text_hex(sha + 2, facts->sha256, 32);
    text_hex(key + 2, facts->key_sha256, 32);
    snprintf(before, sizeof before, "%lld", (long long)facts->not_before_s);
    snprintf(after, sizeof after, "%lld", (long long)facts->not_after_s);
    return pg_run(
        pg,
        "INSERT INTO certificate (serial, vin, sha256, key_sha256, not_before, not_after, pem)"
        " VALUES ($1, $2, $3::bytea, $4::bytea, to_timestamp($5::bigint),"
        " to_timestamp($6::bigint), $7)",
        7, params, NULL, fault);
}

enum status certificates_issue(struct pg *pg, const struct pki_issuer *issuer, const char *vin,
                               EVP_PKEY *key, int64_t now_s, char **chain,
                               char serial[PKI_SERIAL_TEXT], struct fault *fault)
{
    struct pki_request q = {.profile = PKI_VEHICLE, .common_name = vin, .now_s = now_s};
    char *intermediate = NULL, *pem = NULL;
    const char *params[] = {vin};
    struct pki_facts facts;
    X509 *cert = NULL;
    enum status st;

    if ((st = pki_issue(&cert, issuer, key, &q, fault)) != ST_OK ||
        (st = pki_describe(cert, &facts, fault)) != ST_OK)
        goto out;
    intermediate = pki_pem(issuer->cert, NULL);
    pem = pki_pem(cert, intermediate);
    if (!pem) {
        st = fault_set(fault, ST_FATAL, "out of memory");
        goto out;
    }
    if ((st = insert(pg, vin, &facts, pem, fault)) != ST_OK ||
        (st = pg_run(pg,
                     "UPDATE vehicle SET status = 'active', version = version + 1"
                     " WHERE vin = $1 AND status = 'awaiting'",
                     1, params, NULL, fault)) != ST_OK ||
        (st = pg_run(pg, "SELECT pg_notify('fleet', $1)", 1, params, NULL, fault)) != ST_OK)
        goto out;
    memcpy(serial, facts.serial, PKI_SERIAL_TEXT);
    *chain = pem;
    pem = NULL;
out:
    X509_free(cert);
    free(intermediate);
    free(pem);
    return st;
}
