/* vehicle/enroll.c - see enroll.h. */
#include "enroll.h"

#include <stdlib.h>
#include <string.h>

#include "keyring.h"
#include "office.h"
#include "proto/json.h"

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
    struct office office = {.api = options->api, .ca = options->ca};
    struct text csr, body, answer;
    enum status st;

    text_init(&csr);
    text_init(&body);
    text_init(&answer);
    text_clear(certificate);
    text_clear(config);
    if ((st = keyring_request(&csr, options->key, options->vin, fault)) == ST_OK &&
        (st = enroll_body(&body, options, csr.bytes, fault)) == ST_OK &&
        (st = office_call(&office, "/api/embedded/enroll", &body, &answer, fault)) == ST_OK)
        st = enroll_read_answer(answer.bytes, answer.len, certificate, config, fault);
    if (body.bytes != NULL)
        explicit_bzero(body.bytes, body.len);
    text_done(&answer);
    text_done(&body);
    text_done(&csr);
    return st;
}
