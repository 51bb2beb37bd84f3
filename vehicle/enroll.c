/* vehicle/enroll.c - see enroll.h.  libcrypto makes key and request: EC P-256, CN = VIN. */
#include "enroll.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "lib/http.h"
#include "proto/json.h"

#define ENROLL_TIMEOUT_MS 15000

static enum status enroll_crypto(struct fault *fault, const char *what)
{
    char text[160] = "";

    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    return fault_set(fault, ST_REJECT, "%s: %s", what, text);
}

/* ---- key and request */

static enum status enroll_load_key(EVP_PKEY **out, const char *path, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key;

    if (file == NULL)
        return ST_NONE;
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    if (key == NULL)
        return enroll_crypto(fault, path);
    *out = key;
    return ST_OK;
}

static enum status enroll_take_bio(BIO *bio, struct text *out)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);

    text_clear(out);
    if (len > 0)
        text_add(out, bytes, (size_t)len);
    return len > 0 && !out->failed ? ST_OK : ST_REJECT;
}

static enum status enroll_save_key(EVP_PKEY *key, const char *path, struct fault *fault)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct text pem;
    enum status st = ST_REJECT;

    text_init(&pem);
    if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        st = enroll_take_bio(bio, &pem);
    if (st == ST_OK)
        st = text_write_file(path, pem.bytes, pem.len, 0600, fault);
    else
        st = enroll_crypto(fault, "writing the key");
    if (pem.bytes != NULL)
        explicit_bzero(pem.bytes, pem.len);
    text_done(&pem);
    BIO_free(bio);
    return st;
}

/* The key in its file, or a new one put there: a lost answer is asked for again with the same key.
 */
static enum status enroll_key(EVP_PKEY **out, const char *path, struct fault *fault)
{
    enum status st = enroll_load_key(out, path, fault);
    EVP_PKEY *key;

    if (st != ST_NONE)
        return st;
    if ((key = EVP_EC_gen("P-256")) == NULL)
        return enroll_crypto(fault, "making a key");
    if ((st = enroll_save_key(key, path, fault)) != ST_OK) {
        EVP_PKEY_free(key);
        return st;
    }
    *out = key;
    return ST_OK;
}

static enum status enroll_request(struct text *out, EVP_PKEY *key, const char *vin,
                                  struct fault *fault)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();
    BIO *bio = BIO_new(BIO_s_mem());
    enum status st = ST_REJECT;

    if (request != NULL && name != NULL && bio != NULL &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)vin, VIN_LEN,
                                   -1, 0) == 1 &&
        X509_REQ_set_subject_name(request, name) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
        X509_REQ_sign(request, key, EVP_sha256()) > 0 && PEM_write_bio_X509_REQ(bio, request) == 1)
        st = enroll_take_bio(bio, out);
    if (st != ST_OK)
        st = enroll_crypto(fault, "making the certificate request");
    BIO_free(bio);
    X509_NAME_free(name);
    X509_REQ_free(request);
    return st;
}

/* ---- the API */

static enum status enroll_body(struct text *out, const struct enroll_options *options,
                               const char *csr, struct fault *fault)
{
    struct text token;
    json_t *body = NULL;
    char *bytes = NULL;
    enum status st;

    text_init(&token);
    if ((st = text_read_file(&token, options->token_file, 1024, fault)) != ST_OK) {
        text_done(&token);
        return st == ST_NONE ? fault_set(fault, ST_REJECT, "%s: no such file", options->token_file)
                             : st;
    }
    while (token.len > 0 && strchr(" \t\r\n", token.bytes[token.len - 1]) != NULL)
        token.bytes[--token.len] = '\0';
    body = json_pack("{s:s, s:s, s:s, s:s}", "vin", options->vin, "token", token.bytes, "csr", csr,
                     "agent_version", VIGIE_VERSION);
    if (body != NULL && (bytes = json_dumps(body, JSON_COMPACT)) != NULL)
        text_add(out, bytes, strlen(bytes));
    else
        st = fault_set(fault, ST_REJECT, "%s: the token is not text", options->token_file);
    free(bytes);
    json_decref(body);
    explicit_bzero(token.bytes, token.len);
    text_done(&token);
    return st;
}

/* The API's own words about a refusal, from its problem document. */
static enum status enroll_refused(int code, const struct text *answer, struct fault *fault)
{
    char detail[128] = "", title[96] = "";
    json_t *problem;

    if (json_read(&problem, answer->bytes, answer->len, JSON_MAX_BYTES, NULL) == ST_OK) {
        (void)!json_get_text(problem, "title", title, sizeof title, NULL);
        (void)!json_get_text(problem, "detail", detail, sizeof detail, NULL);
        json_decref(problem);
    }
    return fault_set(fault, code == 429 || code >= 500 ? ST_RETRY : ST_REJECT,
                     "enrolment refused: %d %s %s", code, title, detail);
}

static enum status enroll_post(const struct enroll_options *options, const char *api,
                               size_t api_len, const struct text *body, struct text *answer,
                               struct fault *fault)
{
    struct http_options http_options = {.ca = options->ca, .timeout_ms = ENROLL_TIMEOUT_MS};
    struct http_request request = {.method = "POST",
                                   .content_type = "application/json",
                                   .body = body->bytes,
                                   .len = body->len};
    struct http *http = NULL;
    char url[600];
    int code = 0;
    enum status st;

    while (api_len > 0 && api[api_len - 1] == '/')
        api_len--;
    snprintf(url, sizeof url, "%.*s/api/embedded/enroll", (int)(api_len < 500 ? api_len : 500),
             api);
    request.url = url;
    if ((st = http_open(&http, &http_options, fault)) != ST_OK)
        return st;
    st = http_call(http, &request, &code, answer, fault);
    http_close(http);
    if (st == ST_OK && code != 200 && code != 201)
        return enroll_refused(code, answer, fault);
    return st;
}

enum status enroll_read_answer(const char *bytes, size_t len, struct text *certificate,
                               struct text *config, struct fault *fault)
{
    json_t *answer, *given, *brokers, *made = NULL;
    const char *chain;
    char *text = NULL;
    enum status st;

    if ((st = json_read(&answer, bytes, len, 256 * 1024, fault)) != ST_OK)
        return st;
    chain = json_string_value(json_object_get(answer, "certificate"));
    given = json_object_get(answer, "config");
    brokers = json_object_get(answer, "brokers");
    if (chain == NULL || strstr(chain, "-----BEGIN CERTIFICATE-----") == NULL) {
        st = fault_set(fault, ST_REJECT, "the enrolment's answer holds no certificate");
    } else {
        text_add(certificate, chain, strlen(chain));
        if (json_is_object(given))
            made = json_deep_copy(given);
        else if (json_is_array(brokers))
            made = json_pack("{s:s, s:i}", "schema", "config/1", "revision", 1);
        if (made != NULL && json_is_array(brokers) && json_object_get(made, "brokers") == NULL)
            json_object_set(made, "brokers", brokers);
        if (made != NULL && (text = json_dumps(made, JSON_COMPACT)) != NULL)
            text_add(config, text, strlen(text));
    }
    free(text);
    json_decref(made);
    json_decref(answer);
    return st;
}

enum status enroll(const struct enroll_options *options, struct text *certificate,
                   struct text *config, struct fault *fault)
{
    const char *api = options->api;
    struct text csr, body, answer;
    EVP_PKEY *key = NULL;
    enum status st;

    text_init(&csr);
    text_init(&body);
    text_init(&answer);
    text_clear(certificate);
    text_clear(config);
    if ((st = enroll_key(&key, options->key, fault)) != ST_OK ||
        (st = enroll_request(&csr, key, options->vin, fault)) != ST_OK ||
        (st = enroll_body(&body, options, csr.bytes, fault)) != ST_OK)
        goto out;
    do {
        size_t len = strcspn(api, ",");

        st = enroll_post(options, api, len, &body, &answer, fault);
        api += len + (api[len] == ',');
    } while (st == ST_RETRY && *api != '\0');
    if (st == ST_OK)
        st = enroll_read_answer(answer.bytes, answer.len, certificate, config, fault);
out:
    if (body.bytes != NULL)
        explicit_bzero(body.bytes, body.len);
    EVP_PKEY_free(key);
    text_done(&answer);
    text_done(&body);
    text_done(&csr);
    return st;
}
