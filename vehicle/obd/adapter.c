/* vehicle/obd/adapter.c - see adapter.h. */
#include "adapter.h"

#include "elm327.h"
#include "slcan.h"
#include "socketcan.h"

static enum status adapter_find(struct link **out, char protocol, struct fault *fault)
{
    char name[OBD_NAME_MAX];
    struct fault second;
    enum status st;

    if (!obd_find(name))
        return fault_set(fault, ST_RETRY, "no adapter found");
    st = elm327_open(out, name, 0, protocol, fault);
    return st == ST_RETRY && slcan_open(out, name, 0, protocol, &second) == ST_OK ? ST_OK : st;
}

enum status adapter_open(struct link **out, const struct obd_address *address, char protocol,
                         struct fault *fault)
{
    if (address->automatic)
        return adapter_find(out, protocol, fault);
    switch (address->kind) {
    case OBD_SOCKETCAN:
        return socketcan_open(out, address->name, address->baud, protocol, fault);
    case OBD_SLCAN:
        return slcan_open(out, address->name, address->baud, protocol, fault);
    default:
        return elm327_open(out, address->name, address->baud, protocol, fault);
    }
}
