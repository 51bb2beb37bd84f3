/* tests/unit/api/test_pki_files.c - `pki init` again: what others trust stays, what is broken is
 * mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ftw.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "services/api/pki_files.h"

#define NOW_S INT64_C(1795248000)
#define HOSTS "localhost,127.0.0.1"
#define DAY_S (24 * 3600)

static char folder[64];
static struct fault fault;

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vigie-pki-XXXXXX");
    return !mkdtemp(folder) || pki_files_init(folder, HOSTS, NOW_S, NULL, &fault) != ST_OK;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void take_away(const char *name)
{
    assert_int_equal(unlink(in(name)), 0);
}

static void write_file(const char *name, const char *bytes)
{
    assert_int_equal(text_write_file(in(name), bytes, strlen(bytes), 0600, &fault), ST_OK);
}

/* The file's bytes; yours to free. */
static char *copy_of(const char *name)
{
    struct text t;
    char *copy;

    text_init(&t);
    assert_int_equal(text_read_file(&t, in(name), 65536, &fault), ST_OK);
    copy = strdup(t.bytes);
    text_done(&t);
    return copy;
}

static void is_still(const char *name, char *before)
{
    char *now = copy_of(name);

    assert_string_equal(now, before);
    free(now);
    free(before);
}

static void roots_stay_when_their_keys_were_taken_away(void **state)
{
    char *vehicles = copy_of("vehicle-root.pem"), *services = copy_of("service-root.pem"),
         *server = copy_of("server.pem");

    (void)state;
    take_away("vehicle-root.key");
    take_away("service-root.key");
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_OK);
    is_still("vehicle-root.pem", vehicles);
    is_still("service-root.pem", services);
    is_still("server.pem", server);
    assert_int_not_equal(access(in("service-root.key"), F_OK), 0);
}

static void an_intermediate_is_not_made_without_its_root(void **state)
{
    char *root = copy_of("service-root.pem");

    (void)state;
    take_away("service-root.key");
    take_away("service-intermediate.pem");
    take_away("service-intermediate.key");
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_REJECT);
    is_still("service-root.pem", root);
}

static void without_an_intermediates_key_good_leaves_stay_and_old_ones_are_told(void **state)
{
    (void)state;
    take_away("service-intermediate.key");
    take_away("vehicle-intermediate.key");
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_OK);
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S + 80 * DAY_S, NULL, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "server.pem"));
}

static void a_key_that_is_not_the_certificates_is_mended(void **state)
{
    char *other = copy_of("services/svc-api.key");
    struct pki_issuer pair = {0};

    (void)state;
    write_file("server.key", other); /* a crash after the key, before the certificate */
    free(other);
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_OK);
    assert_int_equal(pki_files_issuer(&pair, folder, "server", &fault), ST_OK);
    assert_int_equal(X509_check_private_key(pair.cert, pair.key), 1);
    pki_issuer_done(&pair);
}

static void a_damaged_revocation_list_is_not_replaced_by_an_empty_one(void **state)
{
    const char *serials[] = {"4123456789abcdef4123456789abcdef"};

    (void)state;
    write_file("vehicle.crl", "-----BEGIN X509 CRL-----\nhalf");
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_REJECT);
    assert_int_equal(pki_files_crl(folder, serials, 1, NOW_S, &fault), ST_OK);
    assert_int_equal(pki_files_init(folder, HOSTS, NOW_S, NULL, &fault), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(roots_stay_when_their_keys_were_taken_away, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_intermediate_is_not_made_without_its_root, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            without_an_intermediates_key_good_leaves_stay_and_old_ones_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_not_the_certificates_is_mended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_damaged_revocation_list_is_not_replaced_by_an_empty_one,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
