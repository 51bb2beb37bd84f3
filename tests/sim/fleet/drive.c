/* tests/sim/fleet/drive.c - waves of several lengths with a little noise: between two seconds most
 * signals move a few of their steps, some stand still, as on a road. */
#include "drive.h"

#include <stdio.h>
#include <string.h>

#include "proto/columnar.h"

static const struct {
    const char *path;
    double middle, swing, noise;
    int period_s; /* of the wave; 0: it stands still */
} signals[DRIVE_SIGNALS_MAX] = {
    {"Vehicle.Speed", 65, 60, 1, 97},
    {"Vehicle.CurrentLocation.Latitude", 48.53, 0.03, 0.000005, 1813},
    {"Vehicle.CurrentLocation.Longitude", 7.74, 0.04, 0.000005, 2111},
    {"Vehicle.Powertrain.CombustionEngine.Speed", 2100, 1200, 40, 53},
    {"Vehicle.CurrentLocation.Heading", 180, 170, 1, 301},
    {"Vehicle.CurrentLocation.HorizontalAccuracy", 3, 1, 0.2, 61},
    {"Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", 88, 4, 0, 600},
    {"Vehicle.LowVoltageBattery.CurrentVoltage", 14.1, 0.1, 0.02, 120},
    {"Vehicle.CurrentLocation.Altitude", 140, 12, 0.3, 700},
    {"Vehicle.OBD.EngineLoad", 45, 35, 2, 41},
    {"Vehicle.Powertrain.CombustionEngine.MAP", 60, 35, 2, 43},
    {"Vehicle.OBD.IntakeTemp", 28, 3, 0, 900},
    {"Vehicle.Powertrain.CombustionEngine.MAF", 18, 12, 0.5, 47},
    {"Vehicle.Powertrain.CombustionEngine.TPS", 25, 20, 1, 37},
    {"Vehicle.Powertrain.FuelSystem.RelativeLevel", 63, 0, 0, 0},
    {"Vehicle.Exterior.AirTemperature", 17, 1, 0, 1700},
    {"Vehicle.OBD.AcceleratorPositionE", 22, 18, 1, 37},
};

uint16_t drive_signal(size_t k)
{
    static uint16_t ids[DRIVE_SIGNALS_MAX];

    if (!ids[k])
        ids[k] = signal_find(signals[k].path, strlen(signals[k].path));
    return ids[k];
}

/* -1 .. 1, the same for the same numbers */
static double noise(uint64_t n)
{
    n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return (double)(int64_t)(n >> 11) / 0x1p52 - 1;
}

/* A triangle, -1 .. 1. */
static double wave(int64_t t_ms, int64_t period_ms)
{
    double at = (double)(t_ms % period_ms) / (double)period_ms;

    return at < 0.5 ? 4 * at - 1 : 3 - 4 * at;
}

double drive_value(unsigned car, size_t k, int64_t t_ms)
{
    double value = signals[k].middle;

    if (signals[k].period_s > 0)
        value += signals[k].swing *
                 wave(t_ms + (int64_t)car * 7919, (int64_t)signals[k].period_s * 1000);
    if (signals[k].noise > 0)
        value += signals[k].noise *
                 noise((uint64_t)car << 48 ^ (uint64_t)k << 40 ^ (uint64_t)(t_ms / 100));
    return signal_round(drive_signal(k), value);
}

size_t drive_record(const struct drive_plan *plan, unsigned car, const char *stream, int64_t seq,
                    struct telemetry *scratch, char *out, size_t size)
{
    int64_t t_ms = plan->start_ms + (seq - 1) * (int64_t)plan->samples * plan->step_ms;
    enum status st = ST_OK;
    size_t len;

    telemetry_clear(scratch);
    memcpy(scratch->head.stream, stream, sizeof scratch->head.stream);
    scratch->head.seq = seq;
    scratch->head.clock = CLOCK_GPS;
    for (size_t i = 0; i < plan->samples && st == ST_OK; i++, t_ms += plan->step_ms) {
        st = telemetry_sample(scratch, t_ms, NULL);
        for (size_t k = 0; k < plan->signals && st == ST_OK; k++)
            st = telemetry_reading(scratch, drive_signal(k), drive_value(car, k, t_ms), NULL);
    }
    if (st == ST_OK)
        st = plan->columnar ? columnar_write(scratch, out, size, &len, NULL)
                            : telemetry_write(scratch, out, size, &len, NULL);
    return st == ST_OK ? len : 0;
}

size_t drive_alert(const struct drive_plan *plan, const char *vin, const char *stream, int64_t seq,
                   char *out, size_t size)
{
    char id[UUID_TEXT + 1], name[128];
    int len;

    snprintf(name, sizeof name, "alert %s %s %lld", vin, stream, (long long)seq);
    uuid_of_text(id, name);
    len = snprintf(out, size,
                   "{\"schema\":\"alert/1\",\"stream\":\"%s\",\"seq\":%lld,\"clock\":\"gps\","
                   "\"id\":\"%s\",\"t\":%lld,\"type\":\"harsh_braking\",\"severity\":\"major\","
                   "\"data\":{\"peak_g\":0.52,\"duration_ms\":%lld}}",
                   stream, (long long)seq, id, (long long)(plan->start_ms + seq * plan->step_ms),
                   (long long)(900 + seq % 100));
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}
