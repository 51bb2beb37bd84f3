/* services/broker/issuer.c - was this certificate signed by the CA of the services? */
#include "issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#define NAMES_MAX 8 /* certificates in one CA file */

struct issuer {
    size_t count;
    X509_NAME *names[NAMES_MAX];
};

static void names_done(struct issuer *set)
{
    while (set->count)
        X509_NAME_free(set->names[--set->count]);
}

/* Add the subject of every certificate in the PEM file `path` to `set`. */
static enum status names_read(struct issuer *set, const char *path, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    X509 *certificate;
    size_t before = set->count;

    if (!file)
        return fault_set(fault, ST_REJECT, "%s: %s", path, strerror(errno));
    while (set->count < NAMES_MAX && (certificate = PEM_read_X509(file, NULL, NULL, NULL))) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));

        X509_free(certificate);
        if (!name)
            break;
        set->names[set->count++] = name;
    }
    ERR_clear_error(); /* the end of a PEM file is an error to OpenSSL, and the broker reads them */
    fclose(file);
    if (set->count == before)
        return fault_set(fault, ST_REJECT, "%s: no certificate in it", path);
    return ST_OK;
}

static bool has_name(const struct issuer *set, const X509_NAME *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (X509_NAME_cmp(set->names[i], name) == 0)
            return true;
    }
    return false;
}

static enum status refuse_shared(const struct issuer *ours, const char *vehicle_ca,
                                 struct fault *fault)
{
    struct issuer theirs = {0};
    enum status st = names_read(&theirs, vehicle_ca, fault);

    for (size_t i = 0; st == ST_OK && i < ours->count; i++) {
        if (has_name(&theirs, ours->names[i]))
            st = fault_set(fault, ST_REJECT, "%s: a CA of the vehicles is named like the services'",
                           vehicle_ca);
    }
    names_done(&theirs);
    return st;
}

enum status issuer_open(struct issuer **out, const char *service_ca, const char *vehicle_ca,
                        struct fault *fault)
{
    struct issuer *issuer = calloc(1, sizeof *issuer);
    enum status st;

    if (!issuer)
        return fault_set(fault, ST_FATAL, "no memory for the names of CAs");
    if ((st = names_read(issuer, service_ca, fault)) == ST_OK &&
        (st = refuse_shared(issuer, vehicle_ca, fault)) == ST_OK)
        *out = issuer;
    else
        issuer_close(issuer);
    return st;
}

bool issuer_is_service(const struct issuer *issuer, const X509 *certificate)
{
    return has_name(issuer, X509_get_issuer_name(certificate));
}

void issuer_close(struct issuer *issuer)
{
    if (!issuer)
        return;
    names_done(issuer);
    free(issuer);
}
