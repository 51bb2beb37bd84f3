/* vehicle/obd/isotp.c - see isotp.h.
 * Consecutive frames carry only four bits of index.  Within one ECU they are placed by unwrapping:
 * a frame belongs to the free place of its residue nearest to where we are, so neighbours may be
 * swapped, even across a wrap. */
#include "isotp.h"

#include <string.h>

void isotp_init(struct isotp *in)
{
    in->count = 0;
    in->overflow = false;
}

void isotp_add(struct isotp *in, uint32_t ecu, const uint8_t *frame, size_t len)
{
    struct isotp_frame *f;

    if (len == 0)
        return;
    if (in->count == ISOTP_FRAMES_MAX) {
        in->overflow = true;
        return;
    }
    f = &in->frames[in->count++];
    f->ecu = ecu;
    f->len = (uint8_t)(len > 8 ? 8 : len);
    memcpy(f->data, frame, f->len);
}

/* The sequence number (0 for the first consecutive frame) of index `nibble` seen as the n-th
 * consecutive frame of its ECU: the only one with that residue in a message of up to 16, else the
 * one nearest to n. */
static size_t isotp_unwrap(unsigned nibble, size_t n, size_t wanted)
{
    size_t base = (nibble + 15U) % 16U; /* index 1 is number 0 */
    long nearest = (long)n - (long)((n - base) % 16U);

    if (wanted <= 16)
        return base;
    if ((long)n - nearest > 8)
        nearest += 16;
    return nearest < 0 ? (size_t)(nearest + 16) : (size_t)nearest;
}

struct isotp_build {
    uint8_t bytes[ISOTP_MESSAGE_MAX];
    uint8_t have[ISOTP_FRAMES_MAX];
};

/* One message begun by the first frame `first`: true when whole. */
static bool isotp_assemble(const struct isotp *in, const struct isotp_frame *first,
                           struct isotp_build *b, size_t total)
{
    size_t wanted = total / 7, /* = (total - 6) / 7 rounded up */
        n = 0, number, at, room;

    if (first->len < 8)
        return false;
    memset(b->have, 0, sizeof b->have);
    memcpy(b->bytes, first->data + 2, 6);
    for (size_t i = 0; i < in->count; i++) {
        const struct isotp_frame *f = &in->frames[i];

        if (f->ecu != first->ecu || f->data[0] >> 4 != 2)
            continue;
        number = isotp_unwrap(f->data[0] & 15U, n++, wanted);
        if (number >= wanted || b->have[number])
            return false;
        at = 6 + number * 7;
        room = total - at < 7 ? total - at : 7;
        if (f->len < 1 + room)
            return false;
        memcpy(b->bytes + at, f->data + 1, room);
        b->have[number] = 1;
    }
    return n == wanted;
}

/* Does this ECU send exactly one first frame?  Two long messages at once cannot be told apart. */
static bool isotp_one_first(const struct isotp *in, uint32_t ecu)
{
    unsigned firsts = 0;

    for (size_t i = 0; i < in->count; i++)
        firsts += in->frames[i].ecu == ecu && in->frames[i].data[0] >> 4 == 1;
    return firsts == 1;
}

unsigned isotp_finish(const struct isotp *in,
                      void (*take)(void *self, uint32_t ecu, const uint8_t *bytes, size_t len),
                      void *self)
{
    struct isotp_build build;
    unsigned dropped = 0;
    size_t total;

    for (size_t i = 0; i < in->count; i++) {
        const struct isotp_frame *f = &in->frames[i];

        switch (f->data[0] >> 4) {
        case 0: /* single: 0n */
            total = f->data[0] & 15U;
            if (total == 0 || total > 7 || f->len < 1 + total)
                dropped++;
            else
                take(self, f->ecu, f->data + 1, total);
            break;
        case 1: /* first: 1nnn */
            total = f->len < 2 ? 0 : (f->data[0] & 15U) * 256U + f->data[1];
            if (total < 8 || !isotp_one_first(in, f->ecu) || !isotp_assemble(in, f, &build, total))
                dropped++;
            else
                take(self, f->ecu, build.bytes, total);
            break;
        case 2: /* consecutive: used by its first frame; without one it is lost */
        {
            bool first = false;

            for (size_t k = 0; k < in->count && !first; k++)
                first = in->frames[k].ecu == f->ecu && in->frames[k].data[0] >> 4 == 1;
            dropped += !first;
            break;
        }
        case 3: /* flow control, seen on adapters that echo it */
            break;
        default:
            dropped++;
        }
    }
    return dropped;
}
