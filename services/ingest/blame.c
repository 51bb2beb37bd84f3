/* services/ingest/blame.c */
#include "blame.h"

#include <string.h>

#include "lib/text.h"

bool blame_refused(struct blame *b, const char *vin)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->vins[i], vin) == 0)
            return b->count == BLAME_VEHICLES;
    if (b->count < BLAME_VEHICLES)
        text_copy(b->vins[b->count++], sizeof *b->vins, vin);
    return b->count == BLAME_VEHICLES;
}

void blame_accepted(struct blame *b)
{
    b->count = 0;
}
