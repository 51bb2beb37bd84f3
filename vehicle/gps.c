/* vehicle/gps.c - see gps.h.  One source for libgps 3.22 (API 11) to 3.27 (API 16): gps_fd is never
 * kept, the fix's status never asked (3.22 leaves it out for a plain fix), the flags are cleared
 * before every read (a SKY report would else keep those of the TPV before it). */
#include "gps.h"

#include <gps.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/stop.h"

#if !defined(GPSD_API_MAJOR_VERSION) || GPSD_API_MAJOR_VERSION < 10
#error "libgps with API 10 or later (gpsd 3.21) is needed: struct timespec and fix.status"
#endif

#define GPS_WAIT_US 500000
#define GPS_SILENT_MS 3000
#define GPS_MPS_TO_KMH 3.6
#define GPS_HEADING_MPS 1.0 /* below, a heading means nothing */

struct gps {
    pthread_t thread;
    struct inbox *to;
    char host[256], port[16];
    enum source state;
    int64_t last_report_ms; /* boot time of the last TPV */
    struct gps_data_t data; /* large: on the heap with us */
};

static enum status gps_address(const char *where, char *host, size_t host_size, char *port,
                               size_t port_size, struct fault *fault)
{
    const char *rest, *colon;
    size_t n;

    if (strncmp(where, "gpsd:", 5) != 0)
        return fault_set(fault, ST_REJECT, "gps \"%s\": gpsd:host:port or none", where);
    rest = where + 5;
    colon = strrchr(rest, ':');
    n = colon == NULL ? strlen(rest) : (size_t)(colon - rest);
    if (n == 0 || n >= host_size ||
        (colon != NULL && (colon[1] == '\0' || strlen(colon + 1) >= port_size)))
        return fault_set(fault, ST_REJECT, "gps \"%s\": gpsd:host:port or none", where);
    memcpy(host, rest, n);
    host[n] = '\0';
    snprintf(port, port_size, "%s", colon == NULL ? DEFAULT_GPSD_PORT : colon + 1);
    return ST_OK;
}

static void gps_tell(struct gps *g, enum source state, const char *reason)
{
    struct source_change change = {.origin = ORIGIN_GPS, .state = state};

    if (state == g->state)
        return;
    g->state = state;
    snprintf(change.reason, sizeof change.reason, "%s", reason);
    inbox_push(g->to, NOTE_SOURCE, &change, sizeof change);
}

static double gps_finite(double value, double factor)
{
    return isfinite(value) ? value * factor : NAN;
}

/* A usable fix: a mode, a position, both said in this very report. */
static bool gps_take_fix(const struct gps_data_t *d, struct fix *out)
{
    const struct gps_fix_t *f = &d->fix;

    if ((d->set & MODE_SET) == 0 || f->mode < MODE_2D || (d->set & LATLON_SET) == 0 ||
        !isfinite(f->latitude) || !isfinite(f->longitude) || fabs(f->latitude) > 90 ||
        fabs(f->longitude) > 180)
        return false;
    out->received_boot_ms = clock_boot_ms();
    out->t_ms =
        (d->set & TIME_SET) != 0 ? (int64_t)f->time.tv_sec * 1000 + f->time.tv_nsec / 1000000 : 0;
    out->lat = f->latitude;
    out->lon = f->longitude;
    out->altitude_m = f->mode >= MODE_3D ? gps_finite(f->altHAE, 1) : NAN;
    out->speed_kmh = gps_finite(f->speed, GPS_MPS_TO_KMH);
    out->heading_deg =
        isfinite(f->speed) && f->speed >= GPS_HEADING_MPS ? gps_finite(f->track, 1) : NAN;
    out->accuracy_m = gps_finite(f->eph, 1);
    out->vertical_accuracy_m = f->mode >= MODE_3D ? gps_finite(f->epv, 1) : NAN;
    return true;
}

static void gps_report(struct gps *g)
{
    struct fix fix;

    if ((g->data.set & MODE_SET) == 0)
        return; /* not a TPV */
    g->last_report_ms = clock_boot_ms();
    if (!gps_take_fix(&g->data, &fix)) {
        gps_tell(g, SOURCE_SEARCHING, "the receiver has no fix");
        return;
    }
    gps_tell(g, SOURCE_OK, "");
    inbox_push(g->to, NOTE_FIX, &fix, sizeof fix);
}

/* Until gpsd goes away or stop.  A quick reopen may succeed once and then reset: only a report
 * makes it good. */
static void gps_follow(struct gps *g, struct backoff *pause)
{
    g->last_report_ms = clock_boot_ms();
    while (!stop_asked()) {
        if (gps_waiting(&g->data, GPS_WAIT_US)) {
            g->data.set = 0;
            if (gps_read(&g->data, NULL, 0) < 0) /* errno may be 0: it tells nothing */
                return;
            gps_report(g);
            if (g->state == SOURCE_OK || g->state == SOURCE_SEARCHING)
                backoff_reset(pause);
        }
        if (clock_boot_ms() - g->last_report_ms > GPS_SILENT_MS)
            gps_tell(g, SOURCE_SILENT, "gpsd is there but reports nothing");
    }
}

static void *gps_run(void *self)
{
    struct gps *g = self;
    struct backoff pause = BACKOFF_START;

    do {
        memset(&g->data, 0, sizeof g->data);
        if (gps_open(g->host, g->port, &g->data) != 0) {
            gps_tell(g, SOURCE_GONE, "gpsd does not answer");
            continue;
        }
        if (gps_stream(&g->data, WATCH_ENABLE | WATCH_JSON, NULL) == 0)
            gps_follow(g, &pause);
        gps_close(&g->data);
        if (!stop_asked())
            gps_tell(g, SOURCE_GONE, "gpsd went away");
    } while (backoff_wait(&pause));
    return NULL;
}

enum status gps_check(const char *where, struct fault *fault)
{
    char host[256], port[16];

    return strcmp(where, "none") == 0
               ? ST_OK
               : gps_address(where, host, sizeof host, port, sizeof port, fault);
}

enum status gps_start(struct gps **out, const char *where, struct inbox *to, struct fault *fault)
{
    struct gps *g;
    enum status st;

    *out = NULL;
    if (strcmp(where, "none") == 0)
        return ST_OK;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    g->to = to;
    g->state = SOURCE_ABSENT;
    if ((st = gps_address(where, g->host, sizeof g->host, g->port, sizeof g->port, fault)) !=
        ST_OK) {
        free(g);
        return st;
    }
    if (pthread_create(&g->thread, NULL, gps_run, g) != 0) {
        free(g);
        return fault_set(fault, ST_FATAL, "cannot start the GPS thread");
    }
    *out = g;
    return ST_OK;
}

void gps_join(struct gps *g)
{
    if (g == NULL)
        return;
    pthread_join(g->thread, NULL);
    free(g);
}

/* ---- libgps without its way in over D-Bus, which is never taken.  It is linked as an archive:
 * these two names, found here first, leave the member behind that needs D-Bus, systemd and what
 * those need, 2 MB of the memory of an agent. */
int gps_dbus_open(struct gps_data_t *gps);
int gps_dbus_mainloop(struct gps_data_t *gps, int timeout_us, void (*hook)(struct gps_data_t *));

int gps_dbus_open(struct gps_data_t *gps)
{
    (void)gps;
    return -1; /* as libgps answers where there is no bus */
}

int gps_dbus_mainloop(struct gps_data_t *gps, int timeout_us, void (*hook)(struct gps_data_t *))
{
    (void)gps, (void)timeout_us, (void)hook;
    return -1;
}
