/* vehicle/obd/dtc.c - see dtc.h. */
#include "dtc.h"

#include <string.h>

const char *dtc_state_name(enum dtc_state state)
{
    static const char *const names[] = {"stored", "pending", "permanent"};

    return (unsigned)state < DTC_STATES ? names[state] : "";
}

const char *dtc_list_name(enum dtc_list list)
{
    static const char *const names[] = {"absent", "partial", "full"};

    return (unsigned)list <= DTC_LIST_FULL ? names[list] : "absent";
}

uint8_t dtc_service(enum dtc_state state)
{
    static const uint8_t services[] = {0x03, 0x07, 0x0A};

    return (unsigned)state < DTC_STATES ? services[state] : 0;
}

void dtc_print(char out[DTC_TEXT], uint16_t bytes)
{
    static const char hex[] = "0123456789ABCDEF";

    out[0] = "PCBU"[bytes >> 14];
    out[1] = hex[bytes >> 12 & 3];
    out[2] = hex[bytes >> 8 & 15];
    out[3] = hex[bytes >> 4 & 15];
    out[4] = hex[bytes & 15];
    out[5] = '\0';
}

static bool dtc_add(struct dtc_set *set, enum dtc_state state, uint32_t ecu, uint16_t bytes)
{
    char code[DTC_TEXT];
    struct dtc *d;

    if (bytes == 0)
        return true;
    dtc_print(code, bytes);
    for (size_t i = 0; i < set->count; i++)
        if (set->codes[i].ecu == ecu && set->codes[i].state == state &&
            strcmp(set->codes[i].code, code) == 0)
            return true;
    if (set->count == DTC_MAX)
        return false;
    d = &set->codes[set->count++];
    memcpy(d->code, code, sizeof d->code);
    d->state = state;
    d->ecu = ecu;
    return true;
}

/* On CAN a count goes before the pairs; then the number of bytes is odd.  An even one is a list of
 * an adapter that leaves the count out, or one whose length is wrong: *pairs 0 when it could be
 * either.  False: the list is not whole. */
static bool dtc_take_count(struct dtc_set *set, const uint8_t **data, size_t len, size_t *pairs)
{
    size_t count = len > 0 ? (*data)[0] : 0;

    if (len % 2 == 0) {
        bool could_be = len == 2 * count || len == 2 * count + 2;

        *pairs = len / 2;
        if (len == 0 || (!set->counted && !could_be))
            return true;
        *pairs = 0;
        if (set->counted) {
            ++*data;
            *pairs = (len - 1) / 2 < count ? (len - 1) / 2 : count;
        }
        return false;
    }
    set->counted = true;
    ++*data;
    *pairs = len / 2 < count ? len / 2 : count;
    return len / 2 >= count;
}

/* The pairs of one message; false when the list is not whole. */
static bool dtc_take_message(struct dtc_set *set, enum dtc_state state, uint32_t ecu,
                             const uint8_t *data, size_t len, bool can)
{
    size_t pairs = len / 2;
    bool whole = can ? dtc_take_count(set, &data, len, &pairs) : len % 2 == 0;

    for (size_t i = 0; i < pairs; i++)
        if (!dtc_add(set, state, ecu, (uint16_t)(data[2 * i] << 8 | data[2 * i + 1])))
            whole = false;
    return whole;
}

void dtc_take(struct dtc_set *set, enum dtc_state state, const struct link_answer *answer, bool can)
{
    bool whole = !answer->cut;

    set->lists[state] = DTC_LIST_ABSENT;
    if (answer->outcome != LINK_ANSWERED)
        return; /* unknown, not none */
    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];

        if (!dtc_take_message(set, state, m->ecu, answer->bytes + m->at + 1, m->len - 1U, can))
            whole = false;
    }
    set->lists[state] = whole ? DTC_LIST_FULL : DTC_LIST_PARTIAL;
}

static void dtc_remember_one(struct dtc_set *set, enum dtc_state state, uint32_t ecu)
{
    size_t i = 0;

    while (i < set->ecu_count[state] && set->ecus[state][i] != ecu)
        i++;
    if (i == DTC_ECUS_MAX)
        return;
    set->ecus[state][i] = ecu;
    set->ecu_count[state] += i == set->ecu_count[state];
}

void dtc_remember(struct dtc_set *set, const struct dtc_set *before, enum dtc_state state,
                  const struct link_answer *answer)
{
    for (size_t i = 0; i < before->ecu_count[state]; i++)
        dtc_remember_one(set, state, before->ecus[state][i]);
    for (size_t i = 0; answer->outcome == LINK_ANSWERED && i < answer->count; i++)
        dtc_remember_one(set, state, answer->messages[i].ecu);
}

static bool dtc_holds(const struct dtc_set *set, const struct dtc *code)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->codes[i].ecu == code->ecu && set->codes[i].state == code->state &&
            strcmp(set->codes[i].code, code->code) == 0)
            return true;
    return false;
}

bool dtc_same(const struct dtc_set *a, const struct dtc_set *b)
{
    if (a->count != b->count || memcmp(a->lists, b->lists, sizeof a->lists) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!dtc_holds(b, &a->codes[i]))
            return false;
    return true;
}

/* ---- readiness */

static const char *const monitor_names[MONITORS] = {
    "misfire", "fuel_system", "components",
    /* spark ignition, bits 0 .. 7 of C and D */
    "catalyst", "heated_catalyst", "evaporative", "secondary_air", "ac_refrigerant",
    "oxygen_sensor", "oxygen_sensor_heater", "egr_vvt",
    /* compression ignition; bits 2 and 4 are reserved, bit 7 is egr_vvt again */
    "nmhc_catalyst", "nox_aftertreatment", "boost_pressure", "exhaust_gas_sensor",
    "particulate_filter"};

const char *readiness_monitor(unsigned index)
{
    return index < MONITORS ? monitor_names[index] : NULL;
}

static void readiness_set(struct readiness *r, int index, bool supported, bool complete)
{
    if (index < 0 || !supported)
        return;
    r->complete[index] = complete && (!r->supported[index] || r->complete[index]);
    r->supported[index] = true;
}

void readiness_take(struct readiness *r, const uint8_t data[4])
{
    static const int spark[8] = {3, 4, 5, 6, 7, 8, 9, 10};
    static const int compression[8] = {11, 12, -1, 13, -1, 14, 15, 10};
    const int *places = (data[1] & 8) != 0 ? compression : spark;

    r->known = true;
    r->mil_on = r->mil_on || (data[0] & 0x80) != 0;
    for (int bit = 0; bit < 3; bit++)
        readiness_set(r, bit, (data[1] >> bit & 1) != 0, (data[1] >> (bit + 4) & 1) == 0);
    for (int bit = 0; bit < 8; bit++)
        readiness_set(r, places[bit], (data[2] >> bit & 1) != 0, (data[3] >> bit & 1) == 0);
}

/* ---- VIN */

/* The last 17 characters of `text`, if they are a VIN. */
static bool vin_take_tail(char out[VIN_LEN + 1], const uint8_t *text, size_t len)
{
    while (len > 0 && (text[len - 1] == 0 || text[len - 1] == 0xAA || text[len - 1] == 0x55))
        len--;
    if (len < VIN_LEN || !vin_is_valid((const char *)text + len - VIN_LEN, VIN_LEN))
        return false;
    memcpy(out, text + len - VIN_LEN, VIN_LEN);
    out[VIN_LEN] = '\0';
    return true;
}

/* Five messages `49 02 <number> + 4 bytes` of one ECU, ordered by number. */
static bool vin_from_pieces(char out[VIN_LEN + 1], const struct link_answer *answer, uint32_t ecu)
{
    uint8_t text[20];
    unsigned have = 0;

    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;

        if (m->ecu != ecu || m->len != 7 || b[2] < 1 || b[2] > 5)
            continue;
        memcpy(text + (b[2] - 1) * 4, b + 3, 4);
        have |= 1U << b[2];
    }
    return have == 0x3E && vin_take_tail(out, text, sizeof text);
}

bool vin_from_answer(char out[VIN_LEN + 1], const struct link_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct link_message *m = &answer->messages[i];

        if (m->len >= 2 + VIN_LEN && vin_take_tail(out, answer->bytes + m->at + 2, m->len - 2U))
            return true;
        if (vin_from_pieces(out, answer, m->ecu))
            return true;
    }
    return false;
}
