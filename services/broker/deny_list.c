/* services/broker/deny_list.c - the revoked VINs, sorted for looking up. */
#include "deny_list.h"

#include <stdlib.h>
#include <string.h>

#include "proto/vin.h"

struct deny_list {
    size_t count;
    char vins[][VIN_LEN + 1];
};

static int by_vin(const void *a, const void *b)
{
    return memcmp(a, b, VIN_LEN);
}

/* One line without its end: the VIN in it, NULL when there is none; *empty when none was meant. */
static const char *line_vin(const char *line, size_t len, bool *empty)
{
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    while (len && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    *empty = len == 0 || *line == '#';
    return vin_is_valid(line, len) ? line : NULL;
}

static void drop_doubles(struct deny_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (kept && by_vin(list->vins[kept - 1], list->vins[i]) == 0)
            continue;
        if (kept != i)
            memcpy(list->vins[kept], list->vins[i], VIN_LEN + 1);
        kept++;
    }
    list->count = kept;
}

enum status deny_list_parse(struct deny_list **out, const char *text, size_t len, size_t *ignored,
                            struct fault *fault)
{
    /* No VIN is shorter than its own line, so this is always room enough. */
    size_t room = len / VIN_LEN + 1, skipped = 0;
    struct deny_list *list = malloc(sizeof *list + room * sizeof list->vins[0]);
    const char *end = text + len;

    if (!list)
        return fault_set(fault, ST_FATAL, "no memory for %zu revoked VINs", room);
    list->count = 0;
    for (const char *next, *line = text; line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *vin;
        bool empty;

        next = stop ? stop + 1 : end;
        vin = line_vin(line, (size_t)((stop ? stop : end) - line), &empty);
        if (vin) {
            memcpy(list->vins[list->count], vin, VIN_LEN);
            list->vins[list->count++][VIN_LEN] = '\0';
        } else if (!empty) {
            skipped++;
        }
    }
    qsort(list->vins, list->count, sizeof list->vins[0], by_vin);
    drop_doubles(list);
    *ignored = skipped;
    *out = list;
    return ST_OK;
}

bool deny_list_has(const struct deny_list *list, const char *vin)
{
    return list && list->count &&
           bsearch(vin, list->vins, list->count, sizeof list->vins[0], by_vin) != NULL;
}

size_t deny_list_count(const struct deny_list *list)
{
    return list ? list->count : 0;
}

const char *deny_list_at(const struct deny_list *list, size_t index)
{
    return list->vins[index];
}

void deny_list_close(struct deny_list *list)
{
    free(list);
}
