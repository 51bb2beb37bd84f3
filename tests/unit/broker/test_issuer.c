/* tests/unit/broker/test_issuer.c - the CA of the services, known by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "services/broker/issuer.h"

static char folder[64], service_ca[96], vehicle_ca[96];

static X509 *certificate(const char *subject, const char *issuer, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();

    assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject,
                                           -1, -1, 0));
    assert_true(X509_set_subject_name(cert, name));
    X509_NAME_free(name);
    name = X509_NAME_new();
    assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)issuer,
                                           -1, -1, 0));
    assert_true(X509_set_issuer_name(cert, name));
    X509_NAME_free(name);
    assert_true(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_true(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_true(X509_set_pubkey(cert, key));
    assert_true(X509_sign(cert, key, EVP_sha256()));
    return cert;
}

static void write_ca(const char *path, const char *first, const char *second, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; i < 2; i++) {
        const char *subject = i ? second : first;
        X509 *cert = subject ? certificate(subject, "some root", key) : NULL;

        if (cert)
            assert_true(PEM_write_X509(file, cert));
        X509_free(cert);
    }
    fclose(file);
}

static int setup(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    snprintf(folder, sizeof folder, "/tmp/vigie-issuer-XXXXXX");
    if (!key || !mkdtemp(folder))
        return -1;
    snprintf(service_ca, sizeof service_ca, "%s/service.pem", folder);
    snprintf(vehicle_ca, sizeof vehicle_ca, "%s/vehicle.pem", folder);
    *state = key;
    return 0;
}

static int teardown(void **state)
{
    EVP_PKEY_free(*state);
    unlink(service_ca);
    unlink(vehicle_ca);
    return rmdir(folder);
}

static bool accepted(const struct issuer *issuer, const char *by, EVP_PKEY *key)
{
    X509 *cert = certificate("svc-ingest", by, key);
    bool ok = issuer_is_service(issuer, cert);

    X509_free(cert);
    return ok;
}

static void only_the_services_ca_is_accepted(void **state)
{
    struct issuer *issuer = NULL;
    struct fault fault = {""};

    write_ca(service_ca, "Services 1", NULL, *state);
    write_ca(vehicle_ca, "Vehicles 1", "Vehicles root", *state);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, &fault), ST_OK);
    assert_true(accepted(issuer, "Services 1", *state));
    assert_false(accepted(issuer, "Services 2", *state));
    assert_false(accepted(issuer, "Vehicles 1", *state));
    issuer_close(issuer);
}

static void two_are_accepted_while_one_replaces_the_other(void **state)
{
    struct issuer *issuer = NULL;

    write_ca(service_ca, "Services 1", "Services 2", *state);
    write_ca(vehicle_ca, "Vehicles 1", NULL, *state);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, NULL), ST_OK);
    assert_true(accepted(issuer, "Services 1", *state));
    assert_true(accepted(issuer, "Services 2", *state));
    issuer_close(issuer);
}

static void a_name_shared_by_both_cas_is_refused(void **state)
{
    struct issuer *issuer = NULL;
    struct fault fault = {""};

    write_ca(service_ca, "Services 1", NULL, *state);
    write_ca(vehicle_ca, "Vehicles 1", "Services 1", *state);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, &fault), ST_REJECT);
    assert_null(issuer);
    assert_non_null(strstr(fault.text, "named like"));
}

static void a_missing_or_empty_ca_file_is_refused(void **state)
{
    struct issuer *issuer = NULL;
    struct fault fault = {""};

    write_ca(vehicle_ca, "Vehicles 1", NULL, *state);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, &fault), ST_REJECT);
    write_ca(service_ca, NULL, NULL, *state);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, &fault), ST_REJECT);
    write_ca(service_ca, "Services 1", NULL, *state);
    unlink(vehicle_ca);
    assert_int_equal(issuer_open(&issuer, service_ca, vehicle_ca, &fault), ST_REJECT);
    assert_null(issuer);
    issuer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_services_ca_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(two_are_accepted_while_one_replaces_the_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_name_shared_by_both_cas_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_or_empty_ca_file_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
