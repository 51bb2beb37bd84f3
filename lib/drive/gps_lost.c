/* lib/drive/gps_lost.c - no fix while driving. */
#include "gps_lost.h"

#include "speed.h"

const struct gps_lost_settings gps_lost_defaults = {
    .kmh = 10,
    .lost_ms = 600000,
    .parked_ms = 300000,
    .fixes = 2,
};

enum gps_lost_fact gps_lost_step(struct gps_lost *g, const struct gps_lost_settings *set,
                                 int64_t t_ms, double obd_kmh, bool good_fix)
{
    bool measured = speed_valid(obd_kmh), drives = measured && obd_kmh >= set->kmh;

    if (t_ms <= g->t_ms)
        return GPS_LOST_NONE;
    g->t_ms = t_ms;
    if (g->obd_ms > 0 && t_ms - g->obd_ms > set->parked_ms)
        g->since_ms = 0;
    if (measured)
        g->obd_ms = t_ms;
    if (good_fix) {
        g->since_ms = 0;
        if (!g->open || ++g->fixes < set->fixes)
            return GPS_LOST_NONE;
        g->open = false;
        return GPS_LOST_CLEARED;
    }
    if (!drives)
        return GPS_LOST_NONE;
    if (g->since_ms == 0)
        g->since_ms = t_ms;
    if (g->open || t_ms - g->since_ms < set->lost_ms)
        return GPS_LOST_NONE;
    g->open = true;
    g->fixes = 0;
    return GPS_LOST_RAISED;
}
