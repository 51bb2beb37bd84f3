/* vehicle/obd/link.c - names of outcomes and ECUs. */
#include "link.h"

#include <stdio.h>

const char *link_outcome_name(enum link_outcome outcome)
{
    static const char *const names[LINK_OUTCOMES] = {
        [LINK_ANSWERED] = "answered", [LINK_NO_DATA] = "no_data", [LINK_NO_ECU] = "no_ecu",
        [LINK_REFUSED] = "refused",   [LINK_PENDING] = "pending", [LINK_UNKNOWN] = "unknown",
        [LINK_BUS] = "bus_error",     [LINK_DAMAGED] = "damaged", [LINK_RESET] = "reset",
        [LINK_STOPPED] = "stopped",   [LINK_TIMEOUT] = "timeout",
    };

    return (unsigned)outcome < LINK_OUTCOMES ? names[outcome] : "unknown";
}

void link_print_ecu(char out[LINK_ECU_TEXT], uint32_t ecu)
{
    if (ecu == 0)
        out[0] = '\0';
    else if (ecu <= 0xFF)
        snprintf(out, LINK_ECU_TEXT, "%02X", (unsigned)ecu);
    else if (ecu <= 0x7FF)
        snprintf(out, LINK_ECU_TEXT, "%03X", (unsigned)ecu);
    else
        snprintf(out, LINK_ECU_TEXT, "%08X", (unsigned)ecu);
}

bool link_is_can(char protocol)
{
    return protocol >= '6' && protocol <= '9';
}
