/* services/ingest/car/fields_drive.c - what struct car has of lib/drive. */
#include "fields_inside.h"

#include "car.h"

const struct layout_member fields_of_fix[] = {
    ONE(fix, t_ms),
    ONE(fix, lat),
    ONE(fix, lon),
    MAYBE_ONE(fix, accuracy_m),
    MAYBE_ONE(fix, speed_kmh),
    MAYBE_ONE(fix, heading_deg),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_fix_filter[] = {
    IN(fix_filter, good, fields_of_fix),
    IN(fix_filter, rejected, fields_of_fix),
    ONE(fix_filter, rejected_n),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_motion[] = {
    WORD(motion, state, MOTION_MOVING),
    ONE(motion, since_ms),
    ONE(motion, t_ms),
    ONE(motion, going_ms),
    ONE(motion, going),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_engine[] = {
    WORD(engine, running, KNOWN_YES),
    WORD(engine, ignition, KNOWN_YES),
    ONE(engine, running_since_ms),
    ONE(engine, ignition_since_ms),
    ONE(engine, t_ms),
    ONE(engine, rpm_ms),
    ONE(engine, ecu_ms),
    ONE(engine, silent_ms),
    ONE(engine, drove_silent),
    WORD(engine, was, KNOWN_YES),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_anchor[] = {
    MANY(anchor, lat),
    MANY(anchor, lon),
    ONE(anchor, n),
    END_OF_MEMBERS,
};

static const struct layout_member of_hold[] = {
    ONE(hold, since_ms),
    ONE(hold, last_ms),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_meter[] = {
    ONE(meter, settled_m),
    ONE(meter, estimated_m),
    ONE(meter, pending_m),
    ONE(meter, held_m),
    ONE(meter, held_pending_m),
    ONE(meter, held_estimated_m),
    ONE(meter, moving_ms),
    ONE(meter, held_ms),
    ONE(meter, covered_ms),
    ONE(meter, expected_ms),
    ONE(meter, t_ms),
    ONE(meter, fix_ms),
    ONE(meter, lat),
    ONE(meter, lon),
    ONE(meter, kmh_ms),
    ONE(meter, kmh),
    ONE(meter, moving),
    ONE(meter, moved),
    ONE(meter, broken),
    END_OF_MEMBERS,
};

static const struct layout_member of_idle_span[] = {
    ONE(idle_span, since_ms),    ONE(idle_span, last_ms), ONE(idle_span, litres),
    ONE(idle_span, measured_ms), END_OF_MEMBERS,
};

const struct layout_member fields_of_idle[] = {
    IN(idle, now, of_idle_span),
    IN(idle, ended, of_idle_span),
    ONE(idle, told),
    MAYBE_ONE(idle, litres_h),
    ONE(idle, t_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_speed_reading[] = {
    ONE(speed_reading, t_ms),
    ONE(speed_reading, kmh),
    END_OF_MEMBERS,
};

static const struct layout_member of_readings[] = {
    EACH(readings, at, of_speed_reading),
    ONE(readings, n),
    END_OF_MEMBERS,
};

static const struct layout_member of_harsh_event[] = {
    WORD(harsh_event, kind, HARSH_CORNERING),
    WORD(harsh_event, source, HARSH_IMU),
    ONE(harsh_event, t_ms),
    ONE(harsh_event, duration_ms),
    ONE(harsh_event, peak_g),
    MAYBE_ONE(harsh_event, slope_g),
    MAYBE_ONE(harsh_event, speed_before_kmh),
    ONE(harsh_event, band),
    END_OF_MEMBERS,
};

static const struct layout_member of_harsh_run[] = {
    ONE(harsh_run, open),
    ONE(harsh_run, over),
    ONE(harsh_run, last_ms),
    ONE(harsh_run, after_kmh),
    IN(harsh_run, event, of_harsh_event),
    ONE(harsh_run, ready),
    IN(harsh_run, complete, of_harsh_event),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_harsh[] = {
    ONE(harsh, t_ms),
    MANY(harsh, source_ms),
    WORD(harsh, readings_of, HARSH_IMU),
    IN(harsh, readings, of_readings),
    IN(harsh, doubted, of_speed_reading),
    EACH(harsh, heading, of_speed_reading),
    MANY(harsh, heading_kmh),
    ONE(harsh, fixes),
    EACH_OF_ALL(harsh, held, of_hold),
    MANY(harsh, imu_peak_g),
    ONE(harsh, speed_kmh),
    ONE(harsh, speed_ms),
    EACH(harsh, run, of_harsh_run),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_battery[] = {
    MANY(battery, open),          MANY(battery, since_ms),      ONE(battery, volts),
    ONE(battery, t_ms),           ONE(battery, off_ms),         ONE(battery, on_ms),
    EACH(battery, held, of_hold), IN(battery, rested, of_hold), IN(battery, charged, of_hold),
    MANY(battery, dip_ms),        MANY(battery, rest),          MANY(battery, any),
    ONE(battery, rests),          ONE(battery, anys),           END_OF_MEMBERS,
};

const struct layout_member fields_of_heat[] = {
    WORD(heat, open, HEAT_CLEARED),
    ONE(heat, since_ms),
    ONE(heat, peak_celsius),
    ONE(heat, t_ms),
    ONE(heat, trusted_celsius),
    ONE(heat, trusted_ms),
    ONE(heat, doubted),
    IN(heat, hot, of_hold),
    IN(heat, boiling, of_hold),
    IN(heat, cool, of_hold),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_gps_lost[] = {
    ONE(gps_lost, open), ONE(gps_lost, since_ms), ONE(gps_lost, obd_ms),
    ONE(gps_lost, t_ms), ONE(gps_lost, fixes),    END_OF_MEMBERS,
};

const struct layout_member fields_of_tow[] = {
    ONE(tow, open),
    ONE(tow, since_ms),
    ONE(tow, off_ms),
    ONE(tow, t_ms),
    ONE(tow, told_ms),
    IN(tow, last, fields_of_fix),
    IN(tow, anchor, fields_of_anchor),
    IN(tow, away, of_hold),
    IN(tow, fast, of_hold),
    IN(tow, stood, of_hold),
    ONE(tow, standing),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_crash[] = {
    ONE(crash, t_ms),
    MAYBE_ONE(crash, from_kmh),
    ONE(crash, peak_g),
    ONE(crash, pending),
    ONE(crash, raised_by_speed),
    ONE(crash, engine_stopped),
    ONE(crash, began_ms),
    ONE(crash, newest_ms),
    ONE(crash, was_lost),
    ONE(crash, lost_ms),
    EACH(crash, readings, of_readings),
    ONE(crash, fast_ms),
    ONE(crash, fast_kmh),
    IN(crash, impact, of_hold),
    ONE(crash, imu_ms),
    ONE(crash, impact_g),
    END_OF_MEMBERS,
};
