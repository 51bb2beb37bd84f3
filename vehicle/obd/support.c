/* vehicle/obd/support.c - see support.h. */
#include "support.h"

#include <string.h>

#include "pids.h"

void support_init(struct support *s)
{
    s->count = 0;
}

static struct support_ecu *support_find(struct support *s, uint32_t ecu)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ecus[i].ecu == ecu)
            return &s->ecus[i];
    if (s->count == SUPPORT_ECUS_MAX)
        return NULL;
    s->ecus[s->count].ecu = ecu;
    memset(s->ecus[s->count].has, 0, sizeof s->ecus[s->count].has);
    return &s->ecus[s->count++];
}

void support_add(struct support *s, uint32_t ecu, uint8_t base, const uint8_t bits[4])
{
    struct support_ecu *e = support_find(s, ecu);

    if (e == NULL)
        return;
    for (unsigned i = 0; i < 32; i++) {
        unsigned pid = base + i + 1U;

        if (pid < SUPPORT_PIDS && (bits[i / 8] >> (7 - i % 8) & 1) != 0)
            e->has[pid] = true;
    }
}

bool support_has(const struct support *s, uint8_t pid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ecus[i].has[pid])
            return true;
    return false;
}

/* The engine's ECU: 7E8 or 18DAF110 by convention, otherwise the lowest with engine speed. */
static const struct support_ecu *support_engine(const struct support *s)
{
    const struct support_ecu *best = NULL;

    for (size_t i = 0; i < s->count; i++) {
        const struct support_ecu *e = &s->ecus[i];

        if (e->ecu == 0x7E8)
            return e;
        if (e->has[0x0C] && (best == NULL || e->ecu < best->ecu))
            best = e;
    }
    return best;
}

uint32_t support_owner(const struct support *s, uint8_t pid)
{
    const struct support_ecu *engine = support_engine(s);
    uint32_t lowest = UINT32_MAX;

    if (engine != NULL && engine->has[pid])
        return engine->ecu;
    for (size_t i = 0; i < s->count; i++)
        if (s->ecus[i].has[pid] && s->ecus[i].ecu < lowest)
            lowest = s->ecus[i].ecu;
    return lowest == UINT32_MAX ? 0 : lowest;
}

bool support_is_owner(const struct support *s, uint32_t ecu, uint8_t pid)
{
    return support_has(s, pid) && support_owner(s, pid) == ecu;
}

void support_choose(const struct support *s, bool ask[SUPPORT_PIDS])
{
    bool filled[1024] = {false};
    uint16_t signals[PID_READINGS_MAX];

    /* ascending order is the order of preference */
    for (unsigned pid = 0; pid < SUPPORT_PIDS; pid++) {
        size_t n = pid_signals((uint8_t)pid, signals), fresh = 0;

        ask[pid] = false;
        if (n == 0 || !support_has(s, (uint8_t)pid))
            continue;
        for (size_t i = 0; i < n; i++)
            fresh += signals[i] < sizeof filled / sizeof filled[0] && !filled[signals[i]];
        /* any signal shared with a chosen PID keeps this one out: two sensors are never mixed */
        ask[pid] = fresh == n;
        for (size_t i = 0; i < n && ask[pid]; i++)
            filled[signals[i]] = true;
    }
}
