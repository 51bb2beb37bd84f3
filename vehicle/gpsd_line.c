/* vehicle/gpsd_line.c - see gpsd_line.h. */
#include "gpsd_line.h"

#include <math.h>
#include <string.h>

#include "lib/clock.h"
#include "proto/json.h"

#define MPS_TO_KMH 3.6
#define HEADING_MPS 1.0 /* below, a heading means nothing */
#define MODE_2D 2
#define MODE_3D 3

static double number(const json_t *tpv, const char *key)
{
    const json_t *value = json_object_get(tpv, key);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int64_t receiver_time(const json_t *tpv)
{
    const char *text = json_string_value(json_object_get(tpv, "time"));
    int64_t t_ms;

    return text != NULL && clock_read(text, &t_ms, NULL) == ST_OK && t_ms > 0 ? t_ms : 0;
}

static void take_report(struct gpsd_report *out, const json_t *tpv, int64_t received_ms)
{
    int mode = (int)json_integer_value(json_object_get(tpv, "mode"));
    double speed_mps = number(tpv, "speed");
    struct fix *f = &out->fix;

    f->received_ms = received_ms;
    f->t_ms = receiver_time(tpv);
    f->lat = number(tpv, "lat");
    f->lon = number(tpv, "lon");
    f->altitude_m = mode >= MODE_3D ? number(tpv, "altHAE") : (double)NAN;
    f->speed_kmh = speed_mps * MPS_TO_KMH;
    f->heading_deg = speed_mps >= HEADING_MPS ? number(tpv, "track") : (double)NAN;
    f->accuracy_m = number(tpv, "eph");
    f->vertical_accuracy_m = mode >= MODE_3D ? number(tpv, "epv") : (double)NAN;
    out->usable = mode >= MODE_2D && fabs(f->lat) <= 90 && fabs(f->lon) <= 180;
}

bool gpsd_read(struct gpsd_report *out, const char *line, size_t len, int64_t received_ms)
{
    const char *class;
    json_t *said;
    bool is_tpv;

    if (json_read(&said, line, len, GPSD_LINE_MAX, NULL) != ST_OK)
        return false;
    class = json_string_value(json_object_get(said, "class"));
    is_tpv = class != NULL && strcmp(class, "TPV") == 0;
    if (is_tpv)
        take_report(out, said, received_ms);
    json_decref(said);
    return is_tpv;
}

char *gpsd_lines_room(struct gpsd_lines *l, size_t *room)
{
    if (l->len == sizeof l->bytes) { /* no end in sight: it is none of gpsd's */
        l->len = 0;
        l->skipping = true;
    }
    *room = sizeof l->bytes - l->len;
    return l->bytes + l->len;
}

void gpsd_lines_came(struct gpsd_lines *l, size_t n,
                     void (*take)(void *self, const char *line, size_t len), void *self)
{
    size_t from = 0;
    char *end;

    l->len += n;
    while ((end = memchr(l->bytes + from, '\n', l->len - from)) != NULL) {
        size_t at = (size_t)(end - l->bytes);

        if (!l->skipping)
            take(self, l->bytes + from, at - from);
        l->skipping = false;
        from = at + 1;
    }
    l->len -= from;
    memmove(l->bytes, l->bytes + from, l->len);
}
