/* vehicle/obd/address.c - see address.h. */
#include "address.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status address_baud(struct obd_address *a, char *query, const char *text,
                                struct fault *fault)
{
    char *end;
    long baud;

    if (strncmp(query, "baud=", 5) != 0)
        return fault_set(fault, ST_REJECT, "obd \"%s\": only ?baud=N may follow the device", text);
    baud = strtol(query + 5, &end, 10);
    if (end == query + 5 || *end != '\0' || baud < 1200 || baud > 1000000)
        return fault_set(fault, ST_REJECT, "obd \"%s\": the speed is 1200 .. 1000000 baud", text);
    a->baud = (int)baud;
    return ST_OK;
}

enum status obd_address_read(struct obd_address *out, const char *text, struct fault *fault)
{
    struct obd_address a = {.baud = 0};
    const char *rest;
    char *query;

    if (strcmp(text, "none") == 0 || strcmp(text, "auto") == 0) {
        a.none = text[0] == 'n';
        a.automatic = !a.none;
        *out = a;
        return ST_OK;
    }
    if (strncmp(text, "elm327+tcp:", 11) == 0)
        rest = text + 11;
    else if (strncmp(text, "elm327:", 7) == 0)
        rest = text + 7;
    else
        return fault_set(fault, ST_REJECT,
                         "obd \"%s\": elm327:/dev/..., elm327+tcp:host:port, auto or none", text);
    if (rest[0] == '\0' || strlen(rest) >= sizeof a.name)
        return fault_set(fault, ST_REJECT, "obd \"%s\": the device is missing or too long", text);
    snprintf(a.name, sizeof a.name, "%s", rest);
    if (text[6] == '+' && strrchr(a.name, ':') == NULL)
        return fault_set(fault, ST_REJECT, "obd \"%s\": elm327+tcp:host:port", text);
    if (text[6] == ':' && a.name[0] != '/')
        return fault_set(fault, ST_REJECT, "obd \"%s\": the device is an absolute path", text);
    if ((query = strchr(a.name, '?')) != NULL) {
        *query = '\0';
        if (address_baud(&a, query + 1, text, fault) != ST_OK)
            return ST_REJECT;
    }
    *out = a;
    return ST_OK;
}

bool obd_find(char out[OBD_NAME_MAX])
{
    static const char *const patterns[] = {"/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*",
                                           "/dev/rfcomm*"};
    glob_t found;
    bool got = false;

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && !got; i++) {
        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        got = found.gl_pathc > 0 && strlen(found.gl_pathv[0]) < OBD_NAME_MAX;
        if (got)
            snprintf(out, OBD_NAME_MAX, "%s", found.gl_pathv[0]);
        globfree(&found);
    }
    return got;
}
