/* lib/store/sqlstate.c - prefixes of SQLSTATEs (PostgreSQL, appendix A). */
#include "lib/store/sqlstate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_one_of(const char *state, const char *const *list)
{
    for (; *list; list++)
        if (strncmp(state, *list, strlen(*list)) == 0)
            return true;
    return false;
}

enum status sqlstate_status(const char *state)
{
    static const char *const again[] = {
        "08",    /* connection */
        "40",    /* rolled back: 40001 serialization, 40P01 deadlock */
        "53",    /* resources: disk, memory, connections */
        "57",    /* shutting down, starting, cancelled */
        "58",    /* the machine under it: files, disks */
        "55P03", /* lock not available */
        "25006", /* read-only: a standby, or a primary on its way down */
        NULL};
    static const char *const data[] = {"22", "23", NULL};

    if (state[0] == '\0' || is_one_of(state, again))
        return ST_RETRY; /* no state: the connection went */
    return is_one_of(state, data) ? ST_REJECT : ST_FATAL;
}
