/* vehicle/obd/calibration.c - see calibration.h. */
#include "calibration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void calibration_add(struct calibrations *c, uint32_t ecu, const uint8_t *text, size_t len)
{
    struct calibration *one = &c->list[c->count];
    size_t n = 0;

    if (c->count == CALIBRATIONS_MAX)
        return;
    *one = (struct calibration){.ecu = ecu};
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x80 && isprint(text[i]) && (n > 0 || text[i] != ' '))
            one->id[n++] = (char)text[i];
    while (n > 0 && one->id[n - 1] == ' ')
        n--;
    one->id[n] = '\0';
    c->count += n > 0;
}

/* Older buses: `49 04 <number> + 4 bytes`, in whatever order they came. */
static void calibrations_join(struct calibrations *c, const struct link_answer *answer,
                              uint32_t ecu)
{
    uint8_t text[CALIBRATION_ID * 4] = {0};
    unsigned have = 0;

    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;

        if (m->ecu == ecu && m->len == 7 && b[2] >= 1 && b[2] <= 16) {
            memcpy(text + (b[2] - 1) * 4, b + 3, 4);
            have |= 1U << (b[2] - 1);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        if ((have >> (4 * i) & 15) == 15)
            calibration_add(c, ecu, text + i * CALIBRATION_ID, CALIBRATION_ID);
}

static bool calibrations_has(const struct calibrations *c, uint32_t ecu)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].ecu == ecu)
            return true;
    return false;
}

void calibrations_take(struct calibrations *c, const struct link_answer *answer, bool can)
{
    if (answer->outcome != LINK_ANSWERED)
        return;
    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;

        if (!can && !calibrations_has(c, m->ecu))
            calibrations_join(c, answer, m->ecu);
        for (size_t at = 3; can && at + CALIBRATION_ID <= m->len; at += CALIBRATION_ID)
            calibration_add(c, m->ecu, b + at, CALIBRATION_ID);
    }
}

void calibrations_take_numbers(struct calibrations *c, const struct link_answer *answer)
{
    if (answer->outcome != LINK_ANSWERED)
        return;
    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;
        size_t next = 0;

        for (size_t at = 3; at + 4 <= m->len; at += 4) {
            while (next < c->count && (c->list[next].ecu != m->ecu || c->list[next].cvn[0] != '\0'))
                next++;
            if (next == c->count)
                break;
            snprintf(c->list[next].cvn, sizeof c->list[next].cvn, "%02X%02X%02X%02X", b[at],
                     b[at + 1], b[at + 2], b[at + 3]);
        }
    }
}
