/* vehicle/obd/extra.c - see extra.h. */
#include "extra.h"

static void extra_add(struct extra *e, uint32_t ecu, uint16_t did)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->items[i].ecu == ecu && e->items[i].did == did)
            return;
    if (e->count < EXTRA_MAX)
        e->items[e->count++] = (struct extra_item){.ecu = ecu, .did = did};
}

void extra_init(struct extra *e, const struct makes *makes, const char *vin, char protocol)
{
    bool is_long = protocol == '7' || protocol == '9';

    e->count = 0;
    if (makes == NULL || !link_is_can(protocol))
        return;
    for (size_t i = 0; i < makes->count; i++) {
        const struct make_row *row = &makes->rows[i];

        if (makes_row_is_for(row, vin) && (row->ecu > 0x7FF) == is_long)
            extra_add(e, row->ecu, row->did);
    }
}

struct extra_item *extra_next(struct extra *e, int64_t now_ms)
{
    struct extra_item *best = NULL;

    for (size_t i = 0; i < e->count; i++) {
        struct extra_item *item = &e->items[i];

        if (item->misses >= EXTRA_MISSES ||
            (item->asked_ms != 0 && now_ms - item->asked_ms < EXTRA_EVERY_MS))
            continue;
        if (best == NULL || item->asked_ms < best->asked_ms)
            best = item;
    }
    if (best != NULL)
        best->asked_ms = now_ms > 0 ? now_ms : 1;
    return best;
}

struct link_request extra_request(const struct extra_item *item)
{
    return (struct link_request){
        .bytes = {0x22, (uint8_t)(item->did >> 8), (uint8_t)item->did}, .len = 3, .to = item->ecu};
}

void extra_note(struct extra_item *item, const struct link_answer *answer)
{
    if (answer->outcome == LINK_ANSWERED)
        item->misses = 0;
    else if (answer->outcome == LINK_REFUSED && answer->refused != 0x22) /* 22: not just now */
        item->misses = EXTRA_MISSES;
    else
        item->misses++;
}
