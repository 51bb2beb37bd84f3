/* lib/drive/motion.c - standing and moving. */
#include "motion.h"

const struct motion_settings motion_defaults = {
    .stop_kmh = 1,
    .go_kmh = 3,
    .gps_stop_kmh = 2,
    .gps_go_kmh = 5,
    .go_samples = 2,
};

static enum motion_fact turn(struct motion *m, enum motion_state to, int64_t since_ms)
{
    m->going = 0;
    m->going_ms = 0;
    if (m->state == to)
        return MOTION_SAME;
    m->state = to;
    m->since_ms = since_ms;
    return to == MOTION_STANDING ? MOTION_STOPPED : MOTION_STARTED;
}

enum motion_fact motion_step(struct motion *m, const struct motion_settings *set, int64_t t_ms,
                             struct speed speed, bool ignition_known_off)
{
    bool obd = speed.source == SPEED_OBD;
    bool known = speed.source != SPEED_NONE && speed_valid(speed.kmh);

    if (t_ms <= m->t_ms || (!known && !ignition_known_off))
        return MOTION_SAME;
    m->t_ms = t_ms;
    if (ignition_known_off || speed.kmh < (obd ? set->stop_kmh : set->gps_stop_kmh))
        return turn(m, MOTION_STANDING, t_ms);
    if (speed.kmh < (obd ? set->go_kmh : set->gps_go_kmh)) {
        m->going = 0;
        return MOTION_SAME;
    }
    if (m->state == MOTION_MOVING)
        return MOTION_SAME;
    if (m->going++ == 0)
        m->going_ms = t_ms;
    return m->going >= set->go_samples ? turn(m, MOTION_MOVING, m->going_ms) : MOTION_SAME;
}
