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

static const struct {
    const char *prefix;
    enum obd_kind kind;
    bool tcp;
} address_kinds[] = {{"elm327:", OBD_ELM327, false},
                     {"elm327+tcp:", OBD_ELM327, true},
                     {"slcan:", OBD_SLCAN, false},
                     {"slcan+tcp:", OBD_SLCAN, true},
                     {"socketcan:", OBD_SOCKETCAN, false}};

/* What follows the prefix; NULL when it is none we know. */
static const char *address_kind(struct obd_address *a, const char *text, bool *tcp)
{
    for (size_t i = 0; i < sizeof address_kinds / sizeof address_kinds[0]; i++) {
        size_t len = strlen(address_kinds[i].prefix);

        if (strncmp(text, address_kinds[i].prefix, len) == 0) {
            a->kind = address_kinds[i].kind;
            *tcp = address_kinds[i].tcp;
            return text + len;
        }
    }
    return NULL;
}

static enum status address_interface(struct obd_address *out, const struct obd_address *a,
                                     const char *text, struct fault *fault)
{
    size_t len = strlen(a->name);

    if (len < 1 || len > 15 || strpbrk(a->name, "/: ") != NULL)
        return fault_set(fault, ST_REJECT, "obd \"%s\": a network interface's name is wanted",
                         text);
    if (a->baud != 0 && a->baud != 250000 && a->baud != 500000)
        return fault_set(fault, ST_REJECT, "obd \"%s\": cars use 250000 and 500000 bit/s", text);
    *out = *a;
    return ST_OK;
}

/* host:port, 1 .. 65535. */
static bool address_is_tcp(const char *name)
{
    const char *colon = strrchr(name, ':');
    char *end;
    long port;

    if (colon == NULL || colon == name || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtol(colon + 1, &end, 10);
    return *end == '\0' && port >= 1 && port <= 65535;
}

enum status obd_address_read(struct obd_address *out, const char *text, struct fault *fault)
{
    struct obd_address a = {.baud = 0};
    const char *rest;
    char *query;
    bool tcp = false;

    if (strcmp(text, "none") == 0 || strcmp(text, "auto") == 0) {
        a.none = text[0] == 'n';
        a.automatic = !a.none;
        *out = a;
        return ST_OK;
    }
    if ((rest = address_kind(&a, text, &tcp)) == NULL)
        return fault_set(fault, ST_REJECT,
                         "obd \"%s\": elm327:/dev/..., elm327+tcp:host:port, slcan:/dev/..., "
                         "socketcan:can0, auto or none",
                         text);
    if (rest[0] == '\0' || strlen(rest) >= sizeof a.name)
        return fault_set(fault, ST_REJECT, "obd \"%s\": the device is missing or too long", text);
    snprintf(a.name, sizeof a.name, "%s", rest);
    if ((query = strchr(a.name, '?')) != NULL) {
        *query = '\0';
        if (address_baud(&a, query + 1, text, fault) != ST_OK)
            return ST_REJECT;
    }
    if (tcp && !address_is_tcp(a.name))
        return fault_set(fault, ST_REJECT, "obd \"%s\": +tcp is followed by host:port, 1 .. 65535",
                         text);
    if (a.kind == OBD_SOCKETCAN)
        return address_interface(out, &a, text, fault);
    if (!tcp && a.name[0] != '/')
        return fault_set(fault, ST_REJECT, "obd \"%s\": the device is an absolute path", text);
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
