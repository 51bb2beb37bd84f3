/* services/api/pki_files.c - the PKI folder on disk. */
#include "pki_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys.h"
#include "proto/vin.h"
#include "refresh.h"

#define PATH_ROOM 1024
#define DENY_MAX (32 << 20)

struct maker {
    const char *folder, *hosts;
    int64_t now_s;
    struct text *report;
};

static void path_of(char out[PATH_ROOM], const char *folder, const char *name, const char *suffix)
{
    snprintf(out, PATH_ROOM, "%s/%s%s", folder, name, suffix);
}

static enum status make_folder(const char *path, struct fault *fault)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return fault_set(fault, ST_FATAL, "%s: %s", path, strerror(errno));
    return ST_OK;
}

static X509 *read_cert(const char *folder, const char *name)
{
    char path[PATH_ROOM];
    X509 *cert = NULL;
    BIO *bio;

    path_of(path, folder, name, ".pem");
    bio = BIO_new_file(path, "r");
    if (bio)
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return cert;
}

enum status pki_files_issuer(struct pki_issuer *out, const char *folder, const char *name,
                             struct fault *fault)
{
    char path[PATH_ROOM];
    BIO *bio;

    out->key = NULL;
    out->cert = read_cert(folder, name);
    path_of(path, folder, name, ".key");
    bio = BIO_new_file(path, "r");
    if (bio)
        out->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!out->cert || !out->key) {
        pki_issuer_done(out);
        return fault_set(fault, ST_NONE, "no %s.pem with its key in %s: run `vigie-api pki init`",
                         name, folder);
    }
    return ST_OK;
}

static enum status write_text(const struct maker *m, const char *name, const char *suffix,
                              const char *bytes, unsigned mode, struct fault *fault)
{
    char path[PATH_ROOM];
    enum status st;

    path_of(path, m->folder, name, suffix);
    if (!bytes)
        return fault_set(fault, ST_FATAL, "%s cannot be encoded", path);
    st = text_write_file(path, bytes, strlen(bytes), mode, fault);
    if (st == ST_OK && m->report)
        text_print(m->report, "%s\n", path);
    return st;
}

/* Certificate and key of `name`; the key first, so that a certificate is never without one. */
static enum status write_pair(const struct maker *m, const char *name, X509 *cert, EVP_PKEY *key,
                              const char *more, struct fault *fault)
{
    char *key_pem = pki_key_pem(key), *cert_pem = pki_pem(cert, more);
    enum status st;

    st = write_text(m, name, ".key", key_pem, 0600, fault);
    if (st == ST_OK)
        st = write_text(m, name, ".pem", cert_pem, 0644, fault);
    if (key_pem)
        explicit_bzero(key_pem, strlen(key_pem));
    free(key_pem);
    free(cert_pem);
    return st;
}

/* Does the certificate still have a third of its life, and every host that is asked for? */
static bool is_good(X509 *cert, const char *hosts, int64_t now_s)
{
    struct pki_facts facts;
    struct fault fault;
    char host[256];

    if (pki_describe(cert, &facts, &fault) != ST_OK ||
        (facts.not_after_s - now_s) * 3 < facts.not_after_s - facts.not_before_s)
        return false;
    for (const char *at = hosts ? hosts : ""; *at;) {
        size_t n;

        at += strspn(at, " ,");
        n = strcspn(at, " ,");
        if (n >= sizeof host)
            return false;
        memcpy(host, at, n);
        host[n] = '\0';
        if (n && X509_check_host(cert, host, 0, 0, NULL) != 1 &&
            X509_check_ip_asc(cert, host, 0) != 1)
            return false;
        at += n;
    }
    return true;
}

static bool is_there(const char *folder, const char *name, const char *suffix)
{
    char path[PATH_ROOM];
    struct stat info;

    path_of(path, folder, name, suffix);
    return stat(path, &info) == 0;
}

/* A certificate that others are made with: kept for ever once it is there, its key or not.  The key
 * of a root is taken away after the first time; cars and brokers trust the certificate. */
static enum status make_issuer(const struct maker *m, const char *name, const char *title,
                               const struct pki_issuer *by, struct pki_issuer *out,
                               struct fault *fault)
{
    struct pki_request q = {
        .profile = by ? PKI_INTERMEDIATE : PKI_ROOT, .common_name = title, .now_s = m->now_s};
    enum status st;

    st = pki_files_issuer(out, m->folder, name, fault);
    if (st != ST_NONE)
        return st;
    if (is_there(m->folder, name, ".pem")) {
        out->cert = read_cert(m->folder, name);
        return out->cert ? ST_OK
                         : fault_set(fault, ST_REJECT, "%s/%s.pem cannot be read", m->folder, name);
    }
    if (by && !by->key)
        return fault_set(fault, ST_REJECT, "%s.pem cannot be made: its root's key is not in %s",
                         name, m->folder);
    out->key = pki_new_key();
    if (!out->key)
        return fault_set(fault, ST_FATAL, "no key could be made");
    st = pki_issue(&out->cert, by, out->key, &q, fault);
    if (st == ST_OK)
        st = write_pair(m, name, out->cert, out->key, NULL, fault);
    return st;
}

static enum status make_leaf(const struct maker *m, const char *name, const struct pki_request *q,
                             const struct pki_issuer *by, struct fault *fault)
{
    struct pki_issuer there = {0};
    X509 *cert = NULL;
    char *chain = NULL;
    EVP_PKEY *key;
    enum status st;
    /* a crash between the two files leaves a new key beside the old certificate */
    bool keep = pki_files_issuer(&there, m->folder, name, fault) == ST_OK &&
                X509_check_private_key(there.cert, there.key) == 1 &&
                is_good(there.cert, q->hosts, m->now_s);

    pki_issuer_done(&there);
    if (keep)
        return ST_OK;
    if (!by->key)
        return fault_set(fault, ST_REJECT,
                         "%s.pem cannot be renewed: its issuer's key is not in %s", name,
                         m->folder);
    key = pki_new_key();
    if (!key)
        return fault_set(fault, ST_FATAL, "no key could be made");
    st = pki_issue(&cert, by, key, q, fault);
    if (st == ST_OK)
        chain = pki_pem(by->cert, NULL);
    if (st == ST_OK)
        st = write_pair(m, name, cert, key, chain, fault);
    free(chain);
    X509_free(cert);
    EVP_PKEY_free(key);
    return st;
}

/* intermediate + root, what a listener verifies its clients with */
static enum status make_chain(const struct maker *m, const char *name,
                              const struct pki_issuer *root, const struct pki_issuer *intermediate,
                              struct fault *fault)
{
    char *root_pem, *chain;
    enum status st;

    if (is_there(m->folder, name, ".pem"))
        return ST_OK;
    root_pem = pki_pem(root->cert, NULL);
    chain = pki_pem(intermediate->cert, root_pem);
    st = write_text(m, name, ".pem", chain, 0644, fault);
    free(root_pem);
    free(chain);
    return st;
}

static enum status make_vehicles(const struct maker *m, struct fault *fault)
{
    struct pki_issuer root = {0}, intermediate = {0};
    enum status st;

    if ((st = make_issuer(m, "vehicle-root", "Vigie vehicles root", NULL, &root, fault)) == ST_OK &&
        (st = make_issuer(m, "vehicle-intermediate", "Vigie vehicles", &root, &intermediate,
                          fault)) == ST_OK &&
        (st = make_chain(m, "vehicle-chain", &root, &intermediate, fault)) == ST_OK &&
        intermediate.key)
        st = pki_files_crl(m->folder, NULL, 0, m->now_s, fault);
    pki_issuer_done(&root);
    pki_issuer_done(&intermediate);
    return st;
}

static enum status make_services(const struct maker *m, struct fault *fault)
{
    static const char *const names[] = {"svc-ingest", "svc-api", "svc-notify", "svc-video",
                                        "svc-bridge"};
    struct pki_request server = {
        .profile = PKI_SERVER, .common_name = "vigie", .hosts = m->hosts, .now_s = m->now_s};
    struct pki_issuer root = {0}, intermediate = {0};
    char path[PATH_ROOM];
    enum status st;

    path_of(path, m->folder, "services", "");
    if ((st = make_folder(path, fault)) != ST_OK)
        return st;
    if ((st = make_issuer(m, "service-root", "Vigie services root", NULL, &root, fault)) == ST_OK &&
        (st = make_issuer(m, "service-intermediate", "Vigie services", &root, &intermediate,
                          fault)) == ST_OK &&
        (st = make_chain(m, "service-chain", &root, &intermediate, fault)) == ST_OK)
        st = make_leaf(m, "server", &server, &intermediate, fault);
    for (size_t i = 0; i < sizeof names / sizeof *names && st == ST_OK; i++) {
        struct pki_request q = {.profile = PKI_SERVICE, .common_name = names[i], .now_s = m->now_s};

        snprintf(path, sizeof path, "services/%s", names[i]);
        st = make_leaf(m, path, &q, &intermediate, fault);
    }
    pki_issuer_done(&root);
    pki_issuer_done(&intermediate);
    return st;
}

/* The secret refresh tokens are chained with; the other site needs a copy. */
static enum status make_secret(const struct maker *m, struct fault *fault)
{
    unsigned char random[REFRESH_SECRET_LEN];
    char hex[2 * REFRESH_SECRET_LEN + 1];
    enum status st;

    if (is_there(m->folder, "session", ".secret"))
        return ST_OK;
    text_random(random, sizeof random);
    text_hex(hex, random, sizeof random);
    st = write_text(m, "session", ".secret", hex, 0600, fault);
    explicit_bzero(random, sizeof random);
    explicit_bzero(hex, sizeof hex);
    return st;
}

enum status pki_files_init(const char *folder, const char *hosts, int64_t now_s,
                           struct text *report, struct fault *fault)
{
    struct maker m = {.folder = folder, .hosts = hosts, .now_s = now_s, .report = report};
    char path[PATH_ROOM];
    enum status st;

    path_of(path, folder, "jwt", "");
    if ((st = make_folder(folder, fault)) != ST_OK || (st = make_vehicles(&m, fault)) != ST_OK ||
        (st = make_services(&m, fault)) != ST_OK || (st = keys_create(path, fault)) != ST_OK ||
        (st = make_secret(&m, fault)) != ST_OK)
        return st;
    return pki_files_deny(folder, NULL, 0,
                          fault); /* an empty one: the guard warns about a missing file */
}

/* ---- what revocation writes */
static X509_CRL *parse_crl(BIO *bio)
{
    X509_CRL *crl = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return crl;
}

/* A broken list lets every car in, so what is about to replace it is read back and verified first.
 */
static enum status publish_crl(const char *path, X509_CRL *crl, X509_CRL *old,
                               const struct pki_issuer *issuer, struct fault *fault)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_CRL *again = NULL;
    enum status st = ST_FATAL;
    char *bytes;
    long len;

    if (!bio || !PEM_write_bio_X509_CRL(bio, crl))
        goto out;
    len = BIO_get_mem_data(bio, &bytes);
    again = parse_crl(BIO_new_mem_buf(bytes, (int)len));
    if (!again || X509_CRL_verify(again, issuer->key) != 1)
        goto out;
    if (old && sk_X509_REVOKED_num(X509_CRL_get_REVOKED(again)) <
                   sk_X509_REVOKED_num(X509_CRL_get_REVOKED(old)))
        goto out;
    st = text_write_file(path, bytes, (size_t)len, 0644, fault);
out:
    if (st == ST_FATAL)
        fault_set(fault, st, "%s was not replaced: the new list is not good", path);
    X509_CRL_free(again);
    BIO_free(bio);
    return st;
}

/* Lists may be written by two commands at once: one after the other. */
static int lock_folder(const char *folder)
{
    char path[PATH_ROOM];
    int fd;

    path_of(path, folder, ".lock", "");
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum status pki_files_crl(const char *folder, const char *const *serials, size_t count,
                          int64_t now_s, struct fault *fault)
{
    struct pki_issuer issuer = {0};
    X509_CRL *old, *crl = NULL;
    char path[PATH_ROOM];
    enum status st;
    int lock;

    if ((st = pki_files_issuer(&issuer, folder, "vehicle-intermediate", fault)) != ST_OK)
        return st;
    lock = lock_folder(folder);
    path_of(path, folder, "vehicle", ".crl");
    old = parse_crl(BIO_new_file(path, "r"));
    if (lock < 0)
        st = fault_set(fault, ST_FATAL, "%s cannot be locked", folder);
    else if (!old && !count && is_there(folder, "vehicle", ".crl"))
        st = fault_set(fault, ST_REJECT, /* an empty one in its place would let the revoked in */
                       "%s is damaged: `vigie-api revoke` writes it anew", path);
    else
        st = pki_crl(&crl, &issuer, old, serials, count, now_s, fault);
    if (st == ST_OK)
        st = publish_crl(path, crl, old, &issuer, fault);
    if (lock >= 0)
        close(lock);
    X509_CRL_free(crl);
    X509_CRL_free(old);
    pki_issuer_done(&issuer);
    return st;
}

static int by_vin(const void *a, const void *b)
{
    return memcmp(*(const char *const *)a, *(const char *const *)b, VIN_LEN);
}

/* The lines of a deny file that are as long as a VIN, sorted; free(*out) is yours. */
static bool list_lines(const struct text *t, const char ***out, size_t *n)
{
    const char **lines = calloc(t->len / (VIN_LEN + 1) + 1, sizeof *lines);

    if (!lines)
        return false;
    *n = 0;
    for (const char *at = t->bytes; *at;) {
        size_t len = strcspn(at, "\n");

        if (len == VIN_LEN)
            lines[(*n)++] = at;
        at += len + (at[len] == '\n');
    }
    qsort(lines, *n, sizeof *lines, by_vin);
    *out = lines;
    return true;
}

/* Those of `vins` that are not in `list` into `more`, a line each. */
static enum status find_missing(const struct text *list, const char *const *vins, size_t count,
                                struct text *more, struct fault *fault)
{
    const char **lines;
    size_t n;

    if (!list_lines(list, &lines, &n))
        return fault_set(fault, ST_FATAL, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!bsearch(&vins[i], lines, n, sizeof *lines, by_vin))
            text_print(more, "%s\n", vins[i]);
    free(lines);
    return more->failed ? fault_set(fault, ST_FATAL, "out of memory") : ST_OK;
}

enum status pki_files_deny(const char *folder, const char *const *vins, size_t count,
                           struct fault *fault)
{
    char path[PATH_ROOM];
    struct text list, more;
    bool is_new;
    enum status st;
    int lock = lock_folder(folder);

    if (lock < 0)
        return fault_set(fault, ST_FATAL, "%s cannot be locked", folder);
    text_init(&list);
    text_init(&more);
    path_of(path, folder, "revoked", ".vins");
    st = text_read_file(&list, path, DENY_MAX, fault);
    is_new = st == ST_NONE;
    if (is_new)
        st = ST_OK;
    if (st == ST_OK && list.len && list.bytes[list.len - 1] != '\n')
        text_add(&list, "\n", 1);
    if (st == ST_OK && (st = find_missing(&list, vins, count, &more, fault)) == ST_OK &&
        (is_new || more.len)) {
        text_add(&list, more.bytes, more.len);
        st = list.failed ? fault_set(fault, ST_FATAL, "out of memory")
                         : text_write_file(path, list.bytes, list.len, 0644, fault);
    }
    text_done(&more);
    text_done(&list);
    close(lock);
    return st;
}

enum status pki_files_allow(const char *folder, const char *vin, bool *was_denied,
                            struct fault *fault)
{
    char path[PATH_ROOM];
    struct text old, list;
    enum status st;
    int lock = lock_folder(folder);

    if (lock < 0)
        return fault_set(fault, ST_FATAL, "%s cannot be locked", folder);
    text_init(&old);
    text_init(&list);
    path_of(path, folder, "revoked", ".vins");
    st = text_read_file(&old, path, DENY_MAX, fault);
    *was_denied = false;
    for (const char *at = old.bytes; st == ST_OK && at && *at;) {
        size_t len = strcspn(at, "\n");

        if (len != strlen(vin) || memcmp(at, vin, len) != 0)
            text_print(&list, "%.*s\n", (int)len, at);
        else
            *was_denied = true;
        at += len + (at[len] == '\n');
    }
    if (st == ST_OK && list.failed)
        st = fault_set(fault, ST_FATAL, "out of memory");
    if (st == ST_OK)
        st = text_write_file(path, list.bytes ? list.bytes : "", list.len, 0644, fault);
    text_done(&old);
    text_done(&list);
    close(lock);
    return st == ST_NONE ? ST_OK : st;
}
