/* vehicle/renew.c - see renew.h. */
#include "renew.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enroll.h"
#include "identity.h"
#include "keyring.h"
#include "proto/json.h"

#define RENEW_PATH_MAX 600
#define RENEW_KEY_MAX 16384

struct renew_files {
    char cert[RENEW_PATH_MAX], key[RENEW_PATH_MAX]; /* the next ones */
};

static void renew_names(struct renew_files *next, const char *cert, const char *key)
{
    snprintf(next->cert, sizeof next->cert, "%s.next", cert);
    snprintf(next->key, sizeof next->key, "%s.next", key);
}

/* A path of the API for this car; `what` "renew" or "config". */
static void renew_path(char *out, size_t size, const char *vin, const char *what)
{
    snprintf(out, size, "/api/embedded/%s/%s", vin, what);
}

enum status renew_fetch_config(const struct office *office, const char *vin, struct text *config,
                               struct fault *fault)
{
    char path[64];

    renew_path(path, sizeof path, vin, "config");
    return office_call(office, path, NULL, config, fault);
}

/* ---- asking */

static enum status renew_body(struct text *out, const char *vin, const char *csr,
                              struct fault *fault)
{
    json_t *body =
        json_pack("{s:s, s:s, s:s}", "vin", vin, "csr", csr, "agent_version", VIGIE_VERSION);
    char *bytes = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;

    if (bytes != NULL)
        text_add(out, bytes, strlen(bytes));
    free(bytes);
    json_decref(body);
    return out->len > 0 && !out->failed ? ST_OK : fault_set(fault, ST_REJECT, "out of memory");
}

/* CERT.next, as the API answered. */
static enum status renew_ask(const struct office *office, const char *vin,
                             const struct renew_files *next, struct text *config,
                             struct fault *fault)
{
    struct text csr, body, answer, chain;
    char path[64];
    enum status st;

    text_init(&csr);
    text_init(&body);
    text_init(&answer);
    text_init(&chain);
    renew_path(path, sizeof path, vin, "renew");
    if ((st = keyring_request(&csr, next->key, vin, fault)) == ST_OK &&
        (st = renew_body(&body, vin, csr.bytes, fault)) == ST_OK &&
        (st = office_call(office, path, &body, &answer, fault)) == ST_OK &&
        (st = enroll_read_answer(answer.bytes, answer.len, &chain, config, fault)) == ST_OK)
        st = text_write_file(next->cert, chain.bytes, chain.len, 0644, fault);
    text_done(&chain);
    text_done(&answer);
    text_done(&body);
    text_done(&csr);
    return st;
}

/* Is it ours, the key's, and good for longer than the one there is? */
static enum status renew_check(const struct office *office, const char *vin,
                               const struct renew_files *next, struct fault *fault)
{
    int64_t from_ms, to_ms, next_from_ms, next_to_ms;
    char named[VIN_LEN + 1];
    enum status st;

    if ((st = keyring_pair(next->cert, next->key, fault)) != ST_OK ||
        (st = identity_of_certificate(named, next->cert, fault)) != ST_OK ||
        (st = keyring_span(office->cert, &from_ms, &to_ms, fault)) != ST_OK ||
        (st = keyring_span(next->cert, &next_from_ms, &next_to_ms, fault)) != ST_OK)
        return st == ST_RETRY ? st : ST_REJECT;
    if (strcmp(named, vin) != 0)
        return fault_set(fault, ST_REJECT, "the certificate that came is for %s", named);
    if (next_to_ms <= to_ms)
        return fault_set(fault, ST_REJECT, "the certificate that came ends no later than ours");
    return ST_OK;
}

/* ---- putting in place */

static void renew_sync_folder(const char *path)
{
    char copy[RENEW_PATH_MAX];
    int fd;

    (void)text_copy(copy, sizeof copy, path);
    if ((fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return;
    (void)!fsync(fd);
    close(fd);
}

static enum status renew_move(const char *from, const char *to, struct fault *fault)
{
    if (rename(from, to) != 0)
        return fault_set(fault, ST_REJECT, "%s: %s", to, strerror(errno));
    renew_sync_folder(to);
    return ST_OK;
}

/* The key first: whoever finds a certificate of the key in place beside it, ends what was begun.
 * A certificate that cannot be moved leaves the old pair in force. */
enum status renew_place(const char *cert, const char *key, struct fault *fault)
{
    struct renew_files next;
    struct text old;
    enum status st;

    renew_names(&next, cert, key);
    text_init(&old);
    if ((st = text_read_file(&old, key, RENEW_KEY_MAX, fault)) != ST_OK ||
        (st = renew_move(next.key, key, fault)) != ST_OK)
        st = ST_RETRY;
    else if (renew_move(next.cert, cert, fault) != ST_OK)
        /* should this fail too, CERT.next is the key's, and renew_settle finds it */
        st = text_write_file(key, old.bytes, old.len, 0600, NULL) == ST_OK ? ST_REJECT : ST_RETRY;
    if (old.len > 0)
        explicit_bzero(old.bytes, old.len);
    text_done(&old);
    return st;
}

enum status renew_settle(const char *cert, const char *key, struct fault *fault)
{
    struct renew_files next;
    enum status st = keyring_pair(cert, key, fault);

    renew_names(&next, cert, key);
    if (st != ST_REJECT)
        return ST_OK;
    if (keyring_pair(next.cert, key, NULL) == ST_OK)
        return renew_move(next.cert, cert, fault);
    return st;
}

enum status renew(const struct office *office, const char *vin, struct text *config,
                  struct fault *fault)
{
    struct renew_files next;
    struct office with_next = *office;
    struct text ignored;
    enum status st;

    renew_names(&next, office->cert, office->key);
    with_next.cert = next.cert;
    with_next.key = next.key;
    text_clear(config);
    if (keyring_pair(office->cert, office->key, NULL) ==
        ST_REJECT) /* one that got stuck half way */
        return renew_settle(office->cert, office->key, fault);
    text_init(&ignored);
    if ((st = renew_ask(office, vin, &next, config, fault)) == ST_OK &&
        (st = renew_check(office, vin, &next, fault)) == ST_OK &&
        (st = renew_fetch_config(&with_next, vin, &ignored, fault)) == ST_OK)
        st = renew_place(office->cert, office->key, fault);
    if (st == ST_REJECT) { /* the next try is made with another key */
        unlink(next.key);
        unlink(next.cert);
    }
    text_done(&ignored);
    return st;
}
