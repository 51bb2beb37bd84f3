/* services/api/shared.c - what is read once at start. */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "pki_files.h"
#include "request.h"

static enum status read_secret(struct shared *s, const char *folder, struct fault *fault)
{
    char path[1024];
    struct text hex;
    enum status st;

    text_init(&hex);
    snprintf(path, sizeof path, "%s/session.secret", folder);
    st = text_read_file(&hex, path, 256, fault);
    if (st == ST_OK && (hex.len < 2 * REFRESH_SECRET_LEN ||
                        !text_unhex(s->refresh_secret, hex.bytes, 2 * REFRESH_SECRET_LEN)))
        st = fault_set(fault, ST_REJECT, "%s is not %d bytes in hex", path, REFRESH_SECRET_LEN);
    if (hex.bytes)
        explicit_bzero(hex.bytes, hex.len);
    text_done(&hex);
    return st;
}

static enum status read_root(struct shared *s, const char *folder, struct fault *fault)
{
    char path[1024];
    struct text pem;
    enum status st;

    text_init(&pem);
    snprintf(path, sizeof path, "%s/service-root.pem", folder);
    st = text_read_file(&pem, path, 8192, fault);
    if (st == ST_OK)
        s->service_root_pem = strdup(pem.bytes);
    text_done(&pem);
    return st;
}

/* A cookie may go without Secure only where no network can hear it. */
static bool on_loopback(const char *origins)
{
    char first[256];

    list_first(origins, first, sizeof first);
    return !strncmp(first, "http://127.0.0.1", 16) || !strncmp(first, "http://localhost", 16) ||
           !strncmp(first, "http://[::1]", 12);
}

enum status shared_open(struct shared *out, const struct api_settings *set, struct fault *fault)
{
    char path[SETTING_TEXT_MAX + 8];
    struct fault why = {""};
    enum status st;

    memset(out, 0, sizeof *out);
    out->set = set;
    out->secure_cookies = !on_loopback(set->origins);
    snprintf(path, sizeof path, "%s/jwt", set->pki_dir);
    if ((st = keys_read(&out->keys, path, fault)) != ST_OK ||
        (st = read_secret(out, set->pki_dir, fault)) != ST_OK ||
        (st = read_root(out, set->pki_dir, fault)) != ST_OK)
        return st;
    /* a site may keep its intermediate's key elsewhere: then it serves people, and enrols no car */
    if (pki_files_issuer(&out->issuer, set->pki_dir, "vehicle-intermediate", &why) != ST_OK)
        log_warn("enrol.off", "reason=\"%s\"", why.text);
    return ST_OK;
}

void shared_close(struct shared *s)
{
    keys_forget(&s->keys);
    explicit_bzero(s->refresh_secret, sizeof s->refresh_secret);
    pki_issuer_done(&s->issuer);
    free(s->service_root_pem);
    s->service_root_pem = NULL;
}
