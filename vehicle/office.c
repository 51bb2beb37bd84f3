/* vehicle/office.c - see office.h. */
#include "office.h"

#include <stdio.h>
#include <string.h>

#include "lib/http.h"
#include "lib/stop.h"
#include "proto/json.h"

#define OFFICE_TIMEOUT_MS 15000
#define OFFICE_URL_MAX 600

/* The API's own words about a refusal, from its problem document. */
static enum status office_refused(int code, const struct text *answer, struct fault *fault)
{
    char detail[128] = "", title[96] = "";
    json_t *problem;

    if (json_read(&problem, answer->bytes, answer->len, JSON_MAX_BYTES, NULL) == ST_OK) {
        (void)!json_get_text(problem, "title", title, sizeof title, NULL);
        (void)!json_get_text(problem, "detail", detail, sizeof detail, NULL);
        json_decref(problem);
    }
    return fault_set(fault, code == 429 || code >= 500 ? ST_RETRY : ST_REJECT,
                     "the API refused: %d %s %s", code, title, detail);
}

static enum status office_ask(const struct office *o, const char *url, const struct text *body,
                              struct text *answer, struct fault *fault)
{
    struct http_options options = {.ca = o->ca,
                                   .cert = o->cert,
                                   .key = o->key,
                                   .timeout_ms =
                                       o->timeout_ms != 0 ? o->timeout_ms : OFFICE_TIMEOUT_MS};
    struct http_request request = {.method = "GET", .url = url};
    struct http *http = NULL;
    int code = 0;
    enum status st;

    if (body != NULL) {
        request.method = "POST";
        request.content_type = "application/json";
        request.body = body->bytes;
        request.len = body->len;
    }
    if ((st = http_open(&http, &options, fault)) != ST_OK)
        return st;
    st = http_call(http, &request, &code, answer, fault);
    http_close(http);
    if (st == ST_OK && code != 200 && code != 201)
        return office_refused(code, answer, fault);
    return st;
}

enum status office_call(const struct office *o, const char *path, const struct text *body,
                        struct text *answer, struct fault *fault)
{
    const char *api = o->api;
    char url[OFFICE_URL_MAX];
    enum status st = fault_set(fault, ST_RETRY, "stop was asked for");

    if (stop_asked())
        return st;
    do {
        size_t all = strcspn(api, ","), len = all;

        while (len > 0 && api[len - 1] == '/')
            len--;
        if (len + strlen(path) < sizeof url) {
            snprintf(url, sizeof url, "%.*s%s", (int)len, api, path);
            st = office_ask(o, url, body, answer, fault);
        } else {
            st = fault_set(fault, ST_REJECT, "--api: an address is too long");
        }
        api += all + (api[all] == ',');
    } while (st == ST_RETRY && !stop_asked() && *api != '\0');
    return st;
}
