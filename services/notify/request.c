/* services/notify/request.c - hostile until proven otherwise. */
#include "request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

static int compare_vins(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum status read_vehicles(struct filter *filter, const json_t *list, struct fault *fault)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list))
        return fault_set(fault, ST_REJECT, "subscribe: vehicles is no list");
    if (n == 1 && json_is_string(json_array_get(list, 0)) &&
        strcmp(json_string_value(json_array_get(list, 0)), "*") == 0) {
        filter->all = true;
        return ST_OK;
    }
    if (n > FILTER_VINS_MAX)
        return fault_set(fault, ST_REJECT, "subscribe: more than %d vehicles; use \"*\" and a bbox",
                         FILTER_VINS_MAX);
    filter->vins = calloc(n ? n : 1, sizeof *filter->vins);
    if (!filter->vins)
        return fault_set(fault, ST_REJECT, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const json_t *vin = json_array_get(list, i);

        if (!json_is_string(vin) || !vin_is_valid(json_string_value(vin), json_string_length(vin)))
            return fault_set(fault, ST_REJECT, "subscribe: vehicle %zu is no VIN", i);
        memcpy(filter->vins[i], json_string_value(vin), VIN_LEN);
    }
    filter->vin_count = n;
    qsort(filter->vins, n, sizeof *filter->vins, compare_vins);
    return ST_OK;
}

static enum status read_box(struct filter *filter, const json_t *box, struct fault *fault)
{
    double *edges[] = {&filter->west, &filter->south, &filter->east, &filter->north};

    if (!box)
        return ST_OK;
    if (json_array_size(box) != 4)
        return fault_set(fault, ST_REJECT, "subscribe: bbox is not [west, south, east, north]");
    for (size_t i = 0; i < 4; i++) {
        const json_t *edge = json_array_get(box, i);
        double limit = i % 2 ? 90 : 180, value = json_number_value(edge);

        if (!json_is_number(edge) || value < -limit || value > limit)
            return fault_set(fault, ST_REJECT, "subscribe: bbox is not in degrees");
        *edges[i] = value;
    }
    if (filter->south > filter->north)
        return fault_set(fault, ST_REJECT, "subscribe: bbox has its south above its north");
    filter->has_box = true;
    return ST_OK;
}

static enum status read_subscribe(struct request *r, const json_t *message, struct fault *fault)
{
    enum status st;

    if ((st = read_vehicles(&r->filter, json_object_get(message, "vehicles"), fault)) != ST_OK ||
        (st = read_box(&r->filter, json_object_get(message, "bbox"), fault)) != ST_OK)
        return st;
    st = json_get_text(message, "resume", r->cursor, sizeof r->cursor, fault);
    r->resume = st == ST_OK;
    return st == ST_REJECT ? st : ST_OK;
}

enum status request_read(struct request *out, const char *bytes, size_t len, struct fault *fault)
{
    struct request r = {0};
    json_t *message = NULL;
    char type[16];
    enum status st;

    if ((st = json_read(&message, bytes, len, REQUEST_MAX, fault)) != ST_OK)
        return st;
    if (json_get_text(message, "type", type, sizeof type, NULL) != ST_OK)
        st = fault_set(fault, ST_REJECT, "message without a type");
    else if (strcmp(type, "ping") == 0)
        r.kind = REQUEST_PING;
    else if (strcmp(type, "subscribe") == 0)
        st = read_subscribe(&r, message, fault);
    else
        st = fault_set(fault, ST_REJECT, "message of unknown type");
    json_decref(message);
    if (st == ST_OK)
        *out = r;
    else
        filter_done(&r.filter);
    return st;
}

enum status request_ticket(char *out, size_t size, const char *protocols)
{
    static const char prefix[] = "ticket.";

    for (const char *p = protocols; *p;) {
        size_t len;

        p += strspn(p, ", \t");
        len = strcspn(p, ", \t");
        if (len > sizeof prefix - 1 && strncmp(p, prefix, sizeof prefix - 1) == 0) {
            len -= sizeof prefix - 1;
            p += sizeof prefix - 1;
            if (len >= size)
                return ST_NONE;
            for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char)p[i]) && p[i] != '-' && p[i] != '_')
                    return ST_NONE;
            memcpy(out, p, len);
            out[len] = '\0';
            return ST_OK;
        }
        p += len;
    }
    return ST_NONE;
}

bool request_origin_allowed(const char *list, const char *origin)
{
    size_t len = strlen(origin);

    if (len == 0)
        return false;
    for (const char *p = list; *p;) {
        size_t n;

        p += strspn(p, ", ");
        n = strcspn(p, ", ");
        if (n == len && memcmp(p, origin, len) == 0)
            return true;
        p += n;
    }
    return false;
}
