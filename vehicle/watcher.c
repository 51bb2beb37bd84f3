/* vehicle/watcher.c - see watcher.h. */
#include "watcher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/text.h"

#define WATCHER_RECEIVER_MS 2000 /* a receiver's time this near to ours is used */
#define COOLANT "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"
#define FUEL_RATE "Vehicle.OBD.FuelRate"
#define POWER_TAKE_OFF "Vehicle.OBD.IsPTOActive"

struct watcher {
    struct journal *journal;
    struct facts *facts;
    struct metric *found, *trip;
    uint16_t coolant, fuel_rate, pto; /* signals */
    char foreign[VIN_LEN + 1];        /* told already */
    bool news;
    const struct privacy *privacy;
    double lat, lon; /* of the last fix; NAN before */
};

/* One member more in an object's text. */
static void watcher_add(char *out, size_t size, const char *data, const char *member)
{
    snprintf(out, size, "%.*s%s%s}", (int)strlen(data) - 1, data, strlen(data) > 2 ? "," : "",
             member);
}

static void watcher_data(const struct watcher *w, const struct facts_found *found, char *out,
                         size_t size)
{
    char place[64];

    if (w->privacy == NULL || !privacy_covers(w->privacy, found->t_ms, found->t_ms)) {
        (void)text_copy(out, size, found->data);
    } else if (w->privacy->rules.crash_place && strcmp(found->type, "crash") == 0 &&
               isfinite(w->lat)) {
        snprintf(place, sizeof place, "\"lat\":%.6f,\"lon\":%.6f", w->lat, w->lon);
        watcher_add(out, size, found->data, place);
    } else {
        watcher_add(out, size, found->data, "\"private\":true");
    }
}

static void watcher_tell(void *self, const struct facts_found *found)
{
    struct watcher *w = self;
    char data[512];

    watcher_data(w, found, data, sizeof data);
    if (found->severity != NULL)
        journal_alert(w->journal, found->type, found->severity, found->t_ms, data);
    else
        journal_event(w->journal, found->type, found->t_ms, data);
    metric_add(w->found, found->type, 1);
    log_info("fact.found", "type=%s severity=%s", found->type,
             found->severity != NULL ? found->severity : "none");
    w->news = true;
}

enum status watcher_open(struct watcher **out, struct journal *journal, bool has_gps,
                         struct fault *fault)
{
    struct watcher *w = calloc(1, sizeof *w);
    struct facts_options options = {.has_gps = has_gps, .tell = watcher_tell, .self = w};

    if (w == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    if (facts_open(&w->facts, &options, fault) != ST_OK) {
        free(w);
        return ST_FATAL;
    }
    w->journal = journal;
    w->lat = w->lon = NAN;
    w->coolant = signal_find(COOLANT, strlen(COOLANT));
    w->fuel_rate = signal_find(FUEL_RATE, strlen(FUEL_RATE));
    w->pto = signal_find(POWER_TAKE_OFF, strlen(POWER_TAKE_OFF));
    w->found =
        metric_counter("vigie_vehicle_facts_total", "Alerts and events found in the car.", "type");
    w->trip = metric_gauge("vigie_vehicle_trip_meters",
                           "Distance since the ignition went on, or since the start.", NULL);
    *out = w;
    return ST_OK;
}

void watcher_close(struct watcher *w)
{
    if (w == NULL)
        return;
    facts_close(w->facts);
    free(w);
}

void watcher_detect(struct watcher *w, bool here)
{
    facts_detect(w->facts, here);
}

/* With our own clock: what the receiver's time says of it is the timekeeper's business. */
void watcher_fix(struct watcher *w, const struct fix *fix)
{
    struct facts_fix seen = {.t_ms = fix->received_ms,
                             .lat = fix->lat,
                             .lon = fix->lon,
                             .accuracy_m = fix->accuracy_m,
                             .speed_kmh = fix->speed_kmh,
                             .heading_deg = fix->heading_deg};

    w->lat = fix->lat;
    w->lon = fix->lon;
    if (llabs(fix->t_ms - fix->received_ms) <= WATCHER_RECEIVER_MS)
        seen.t_ms = fix->t_ms;
    facts_fix(w->facts, &seen);
}

void watcher_round(struct watcher *w, const struct round *round)
{
    struct facts_round seen = {round->t_ms, round->answering, NAN, NAN, NAN, NAN, NAN, NAN};

    for (uint16_t i = 0; i < round->count; i++) {
        uint16_t signal = round->readings[i].signal;
        double value = round->readings[i].value;

        if (signal == SIGNAL_SPEED)
            seen.kmh = value;
        else if (signal == SIGNAL_ENGINE_SPEED)
            seen.rpm = value;
        else if (signal == SIGNAL_BATTERY_VOLTAGE)
            seen.volts = value;
        else if (signal == w->coolant)
            seen.coolant_celsius = value;
        else if (signal == w->fuel_rate)
            seen.litres_h = value;
        else if (signal == w->pto)
            seen.pto = value;
    }
    facts_round(w->facts, &seen);
}

void watcher_adapter(struct watcher *w, enum source state)
{
    facts_adapter(w->facts, state == SOURCE_OK || state == SOURCE_SILENT);
}

/* Whose car this is the certificate says; that the car says otherwise is told once. */
void watcher_vin(struct watcher *w, const char *car, const char *certificate, int64_t t_ms)
{
    struct facts_found found = {.type = "vin_mismatch", .severity = "major"};
    char data[64];

    if (car[0] == '\0' || strcmp(car, w->foreign) == 0)
        return;
    if (strcmp(car, certificate) == 0) {
        w->foreign[0] = '\0';
        return;
    }
    snprintf(w->foreign, sizeof w->foreign, "%s", car);
    snprintf(data, sizeof data, "{\"vin\":\"%s\"}", w->foreign);
    found.data = data;
    found.t_ms = t_ms;
    watcher_tell(w, &found);
}

bool watcher_pass(struct watcher *w, int64_t now_ms)
{
    bool news;

    facts_pass(w->facts, now_ms);
    metric_set(w->trip, NULL, facts_trip_m(w->facts));
    news = w->news;
    w->news = false;
    return news;
}

void watcher_private(struct watcher *w, const struct privacy *privacy)
{
    w->privacy = privacy;
}

enum known watcher_ignition(const struct watcher *w)
{
    return facts_ignition(w->facts);
}

bool watcher_battery_empty(const struct watcher *w)
{
    return facts_battery_empty(w->facts);
}

int64_t watcher_heartbeat_ms(const struct watcher *w, int64_t parked_ms)
{
    return facts_heartbeat_ms(w->facts, parked_ms);
}

void watcher_clock_set(struct watcher *w)
{
    facts_clock_set(w->facts);
}

void watcher_flush(struct watcher *w)
{
    facts_flush(w->facts);
}
