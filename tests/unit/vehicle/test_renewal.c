/* When the next certificate is asked for, and what a crash in the middle of it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vehicle/keyring.h"
#include "vehicle/renew.h"
#include "vehicle/renewal.h"

#define DAY INT64_C(86400000)
#define FROM (20000 * DAY)
#define TO (FROM + 60 * DAY)
#define BOOT INT64_C(5000)

static struct fault fault;
static struct renewal r;

/* ---- when */

static void it_is_asked_for_at_half_of_the_life_and_a_little_of_chance(void **state)
{
    (void)state;
    renewal_plan(&r, FROM, TO, 0);
    assert_false(renewal_begin(&r, FROM + 30 * DAY - 1, BOOT, true));
    assert_true(renewal_begin(&r, FROM + 30 * DAY, BOOT, true));
    renewal_plan(&r, FROM, TO, 1);
    assert_false(renewal_begin(&r, FROM + 36 * DAY - 1, BOOT, true));
    assert_true(renewal_begin(&r, FROM + 36 * DAY, BOOT, true));
}

static void while_the_time_is_not_known_nothing_is_due(void **state)
{
    (void)state;
    renewal_plan(&r, FROM, TO, 0);
    assert_false(renewal_begin(&r, TO, BOOT, false));
    assert_true(renewal_begin(&r, TO, BOOT, true));
}

static void a_certificate_nobody_can_read_asks_for_nothing(void **state)
{
    (void)state;
    renewal_plan(&r, 0, 0, 0);
    assert_false(renewal_begin(&r, TO, BOOT, true));
    renewal_plan(&r, TO, FROM, 0);
    assert_false(renewal_begin(&r, TO, BOOT, true));
}

static void one_try_at_a_time_and_ever_longer_pauses_up_to_an_hour(void **state)
{
    int64_t boot_ms = BOOT, pause_ms = RENEWAL_PAUSE_MS;

    (void)state;
    renewal_plan(&r, FROM, TO, 0);
    for (int i = 0; i < 20; i++) {
        assert_true(renewal_begin(&r, TO, boot_ms, true));
        assert_false(renewal_begin(&r, TO, boot_ms, true));
        renewal_ended(&r, boot_ms, false);
        assert_false(renewal_begin(&r, TO, boot_ms + pause_ms - 1, true));
        boot_ms += pause_ms;
        pause_ms = pause_ms * 2 < RENEWAL_PAUSE_MAX_MS ? pause_ms * 2 : RENEWAL_PAUSE_MAX_MS;
    }
    assert_int_equal(pause_ms, RENEWAL_PAUSE_MAX_MS);
}

/* ---- files */

static char folder[] = "/tmp/vigie-renewal-XXXXXX";
static char cert[64], key[64], next_cert[80], next_key[80];

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(cert, sizeof cert, "%s/c.pem", folder);
    snprintf(key, sizeof key, "%s/k.pem", folder);
    snprintf(next_cert, sizeof next_cert, "%s.next", cert);
    snprintf(next_key, sizeof next_key, "%s.next", key);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    unlink(next_cert);
    unlink(next_key);
    return rmdir(folder);
}

/* A key of keyring's, and a certificate for it that signs itself. */
static void make_pair(const char *certificate_path, const char *key_path)
{
    X509 *x = X509_new();
    struct text csr;
    EVP_PKEY *pkey;
    FILE *file;

    text_init(&csr);
    assert_int_equal(keyring_request(&csr, key_path, "WVWZZZ1KZAW000001", &fault), ST_OK);
    assert_non_null(strstr(csr.bytes, "BEGIN CERTIFICATE REQUEST"));
    text_done(&csr);
    file = fopen(key_path, "r");
    pkey = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    ASN1_TIME_set(X509_getm_notBefore(x), FROM / 1000);
    ASN1_TIME_set(X509_getm_notAfter(x), TO / 1000);
    X509_set_pubkey(x, pkey);
    assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
    file = fopen(certificate_path, "w");
    assert_int_equal(PEM_write_X509(file, x), 1);
    fclose(file);
    EVP_PKEY_free(pkey);
    X509_free(x);
}

static void a_key_is_ours_alone_and_is_used_again(void **state)
{
    struct text first, again;
    struct stat st;

    (void)state;
    text_init(&first);
    text_init(&again);
    assert_int_equal(keyring_request(&first, key, "WVWZZZ1KZAW000001", &fault), ST_OK);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(text_read_file(&first, key, 4096, &fault), ST_OK);
    assert_int_equal(keyring_request(&again, key, "WVWZZZ1KZAW000001", &fault), ST_OK);
    assert_int_equal(text_read_file(&again, key, 4096, &fault), ST_OK);
    assert_string_equal(first.bytes, again.bytes);
    text_done(&first);
    text_done(&again);
}

static void dates_are_read_to_the_second(void **state)
{
    int64_t from_ms, to_ms;

    (void)state;
    assert_int_equal(keyring_span(cert, &from_ms, &to_ms, &fault), ST_NONE);
    make_pair(cert, key);
    assert_int_equal(keyring_span(cert, &from_ms, &to_ms, &fault), ST_OK);
    assert_int_equal(from_ms, FROM);
    assert_int_equal(to_ms, TO);
    assert_int_equal(keyring_span(key, &from_ms, &to_ms, &fault), ST_REJECT);
}

static void a_pair_belongs_together_or_not(void **state)
{
    (void)state;
    assert_int_equal(keyring_pair(cert, key, &fault), ST_NONE);
    make_pair(cert, key);
    assert_int_equal(keyring_pair(cert, key, &fault), ST_OK);
    make_pair(next_cert, next_key);
    assert_int_equal(keyring_pair(cert, next_key, &fault), ST_REJECT);
    assert_int_equal(keyring_pair(cert, cert, &fault), ST_REJECT);
}

static void a_crash_between_key_and_certificate_is_put_right(void **state)
{
    (void)state;
    make_pair(cert, key);
    make_pair(next_cert, next_key);
    assert_int_equal(rename(next_key, key), 0); /* and here the power goes */
    assert_int_equal(keyring_pair(cert, key, &fault), ST_REJECT);
    assert_int_equal(renew_settle(cert, key, &fault), ST_OK);
    assert_int_equal(keyring_pair(cert, key, &fault), ST_OK);
    assert_int_equal(access(next_cert, F_OK), -1);
}

static void a_crash_before_leaves_the_old_pair_in_use(void **state)
{
    (void)state;
    assert_int_equal(renew_settle(cert, key, &fault), ST_OK); /* not enrolled yet */
    make_pair(cert, key);
    make_pair(next_cert, next_key);
    assert_int_equal(renew_settle(cert, key, &fault), ST_OK);
    assert_int_equal(keyring_pair(cert, key, &fault), ST_OK);
    assert_int_equal(keyring_pair(next_cert, next_key, &fault), ST_OK);
}

static void a_certificate_that_cannot_be_replaced_leaves_the_old_key(void **state)
{
    struct text before, after;

    (void)state;
    text_init(&before);
    text_init(&after);
    make_pair(cert, key);
    make_pair(next_cert, next_key);
    assert_int_equal(text_read_file(&before, key, 4096, &fault), ST_OK);
    unlink(cert);
    assert_int_equal(mkdir(cert, 0700), 0); /* nothing can be moved onto it */
    assert_int_equal(renew_place(cert, key, &fault), ST_REJECT);
    assert_int_equal(text_read_file(&after, key, 4096, &fault), ST_OK);
    assert_string_equal(after.bytes, before.bytes);
    assert_int_equal(rmdir(cert), 0);
    text_done(&before);
    text_done(&after);
}

static void a_renewal_ends_what_got_stuck_half_way(void **state)
{
    struct office office = {.api = "", .ca = "", .cert = cert, .key = key};
    struct text config;

    (void)state;
    text_init(&config);
    make_pair(cert, key);
    make_pair(next_cert, next_key);
    assert_int_equal(rename(next_key, key), 0);
    assert_int_equal(renew(&office, "WVWZZZ1KZAW000001", &config, &fault), ST_OK);
    assert_int_equal(keyring_pair(cert, key, &fault), ST_OK);
    assert_int_equal(config.len, 0);
    text_done(&config);
}

static void a_pair_that_nothing_can_mend_is_told(void **state)
{
    (void)state;
    make_pair(cert, key);
    unlink(key);
    make_pair(next_cert, key);
    unlink(next_cert);
    assert_int_equal(renew_settle(cert, key, &fault), ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_for_at_half_of_the_life_and_a_little_of_chance),
        cmocka_unit_test(while_the_time_is_not_known_nothing_is_due),
        cmocka_unit_test(a_certificate_nobody_can_read_asks_for_nothing),
        cmocka_unit_test(one_try_at_a_time_and_ever_longer_pauses_up_to_an_hour),
        cmocka_unit_test_setup_teardown(a_key_is_ours_alone_and_is_used_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(dates_are_read_to_the_second, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_pair_belongs_together_or_not, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_crash_between_key_and_certificate_is_put_right,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_crash_before_leaves_the_old_pair_in_use, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_certificate_that_cannot_be_replaced_leaves_the_old_key,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_renewal_ends_what_got_stuck_half_way, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_pair_that_nothing_can_mend_is_told, make_folder,
                                        remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
