/* services/api/enrolled.c - certificate requests read, certificates handed over. */
#include "enrolled.h"

#include <string.h>

#include "body.h"
#include "config.h"
#include "render.h"

#define CSR_MOST 8192

void bytea_hash(char out[BYTEA_HASH], const unsigned char hash[32])
{
    out[0] = '\\';
    out[1] = 'x';
    text_hex(out + 2, hash, 32);
}

enum status enrolled_read_key(const struct request *r, const json_t *body, EVP_PKEY **key,
                              char key_hash[BYTEA_HASH], struct answer *a)
{
    char csr[CSR_MOST + 1];
    struct fault why = {""};
    unsigned char hash[32];
    EVP_PKEY *found = NULL;

    if (body_text(r, body, "csr", true, csr, sizeof csr, a) != ST_OK)
        return ST_NONE;
    if (pki_csr_key(&found, csr, strlen(csr), &why) != ST_OK ||
        pki_key_hash(found, hash, &why) != ST_OK) {
        EVP_PKEY_free(found);
        answer_field(a, r, 422, "/csr", "csr");
        return ST_NONE;
    }
    bytea_hash(key_hash, hash);
    *key = found;
    return ST_OK;
}

enum status enrolled_answer(struct worker *w, const char *vin, const char *chain, struct answer *a,
                            struct fault *fault)
{
    struct text *out = &a->body;
    enum status st;

    text_print(out, "{");
    render_key(out, "certificate");
    render_text(out, chain);
    render_key(out, "ca");
    render_text(out, w->shared->service_root_pem);
    render_key(out, "brokers");
    config_render_list(out, w->shared->set->brokers);
    render_key(out, "config");
    if ((st = config_take(w->pg, w->shared->set, vin, out, fault)) != ST_OK)
        return st;
    text_print(out, "}");
    answer_json(a, 201);
    return ST_OK;
}
