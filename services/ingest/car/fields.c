/* services/ingest/car/fields.c - struct car, member by member, the inner ones first. */
#include "fields.h"

#include "car.h"
#include "fields_inside.h"

/* ---- facts */
static const struct layout_member of_sight[] = {
    IN(sight, fix, fields_of_fix_filter),
    IN(sight, motion, fields_of_motion),
    IN(sight, engine, fields_of_engine),
    IN(sight, leg, fields_of_fix),
    IN(sight, left, fields_of_fix),
    ONE(sight, leg_kmh),
    ONE(sight, told_off_ms),
    ONE(sight, t_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_place[] = {
    MAYBE_ONE(place, lat),
    MAYBE_ONE(place, lon),
    END_OF_MEMBERS,
};

static const struct layout_member of_fuel_sum[] = {
    MANY(fuel_sum, litres),
    MANY(fuel_sum, by_ms),
    ONE(fuel_sum, expected_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_tally[] = {
    ONE(tally, distance_m), ONE(tally, estimated_m),      ONE(tally, max_kmh),
    ONE(tally, moving_ms),  ONE(tally, engine_ms),        ONE(tally, idle_ms),
    ONE(tally, covered_ms), ONE(tally, expected_ms),      ONE(tally, high_rpm_ms),
    ONE(tally, rpm_ms),     ONE(tally, cold_load_ms),     ONE(tally, load_ms),
    ONE(tally, slope_ms),   IN(tally, fuel, of_fuel_sum), END_OF_MEMBERS,
};

static const struct layout_member of_segment[] = {
    BYTES(segment, id),
    ONE(segment, provisional),
    ONE(segment, hidden),
    ONE(segment, version),
    WORD(segment, kind, SEGMENT_LAPSE),
    WORD(segment, state, SEGMENT_SUPERSEDED),
    WORD(segment, reason, END_SILENT),
    ONE(segment, start_ms),
    ONE(segment, end_ms),
    IN(segment, start, of_place),
    IN(segment, end, of_place),
    IN(segment, sum, of_tally),
    ONE(segment, pause_ms),
    MAYBE_ONE(segment, odometer_start_m),
    MAYBE_ONE(segment, odometer_end_m),
    MAYBE_ONE(segment, level_start_percent),
    MAYBE_ONE(segment, level_end_percent),
    END_OF_MEMBERS,
};

static const struct layout_member of_stand[] = {
    ONE(stand, since_ms),
    ONE(stand, at_m),
    END_OF_MEMBERS,
};

static const struct layout_member of_privacy[] = {
    ONE(privacy, from_ms),
    ONE(privacy, until_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_fuel_rate[] = {
    MAYBE_ONE(fuel_rate, litres_h),
    WORD(fuel_rate, method, FUEL_LEVEL),
    END_OF_MEMBERS,
};

static const struct layout_member of_fuel[] = {
    MANY(fuel, value), MANY(fuel, at_ms), ONE(fuel, least_throttle), IN(fuel, rate, of_fuel_rate),
    ONE(fuel, t_ms),   END_OF_MEMBERS,
};

static const struct layout_member of_level_window[] = {
    ONE(level_window, first_ms),
    MANY(level_window, after_ms),
    MANY(level_window, percent),
    ONE(level_window, n),
    END_OF_MEMBERS,
};

static const struct layout_member of_level[] = {
    IN(level, window, of_level_window),
    ONE(level, rest_percent),
    ONE(level, any),
    ONE(level, fresh),
    ONE(level, off_ms),
    ONE(level, on_ms),
    ONE(level, waiting),
    ONE(level, before_percent),
    ONE(level, after_percent),
    ONE(level, before_fresh),
    ONE(level, before_ms),
    ONE(level, after_ms),
    IN(level, road, of_level_window),
    ONE(level, t_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_trip[] = {
    WORD(trip, phase, TRIP_DRIVES),
    ONE(trip, t_ms),
    IN(trip, now, of_segment),
    IN(trip, next, of_segment),
    ONE(trip, candidate),
    ONE(trip, started),
    ONE(trip, start_run),
    ONE(trip, got_away),
    IN(trip, stand, of_stand),
    EACH(trip, held, of_segment),
    ONE(trip, held_n),
    IN(trip, anchor, fields_of_anchor),
    IN(trip, privacy, of_privacy),
    IN(trip, fix, fields_of_fix),
    ONE(trip, odometer_m),
    ONE(trip, odometer_known),
    WORD(trip, motion, MOTION_MOVING),
    WORD(trip, running, KNOWN_YES),
    ONE(trip, speed_ms),
    MANY(trip, told_ms),
    ONE(trip, resumed_ms),
    ONE(trip, off_ms),
    ONE(trip, on_ms),
    ONE(trip, away_ms),
    ONE(trip, carried_ms),
    MANY(trip, refuelled_ms),
    IN(trip, meter, fields_of_meter),
    ONE(trip, metered_m),
    ONE(trip, metered_estimated_m),
    IN(trip, idle, fields_of_idle),
    IN(trip, fuel, of_fuel),
    IN(trip, level, of_level),
    END_OF_MEMBERS,
};

static const struct layout_member of_odometer[] = {
    ONE(odometer, read),
    ONE(odometer, read_m),
    ONE(odometer, read_ms),
    ONE(odometer, refused_m),
    ONE(odometer, refused),
    ONE(odometer, before_m),
    ONE(odometer, based),
    ONE(odometer, base_m),
    ONE(odometer, factor),
    ONE(odometer, computed_m),
    ONE(odometer, entered_ms),
    ONE(odometer, engine_h),
    ONE(odometer, idle_h),
    ONE(odometer, engine_base_h),
    ONE(odometer, entered_h),
    ONE(odometer, entered_h_ms),
    ONE(odometer, engine_read),
    ONE(odometer, t_ms),
    WORD(odometer, running, KNOWN_YES),
    ONE(odometer, standing),
    ONE(odometer, run_time_s),
    ONE(odometer, run_time_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_episode[] = {
    ONE(overspeed_episode, start_ms),
    ONE(overspeed_episode, end_ms),
    ONE(overspeed_episode, limit_kmh),
    ONE(overspeed_episode, peak_kmh),
    ONE(overspeed_episode, mean_kmh),
    ONE(overspeed_episode, above_ms),
    ONE(overspeed_episode, placed),
    ONE(overspeed_episode, off_ms),
    ONE(overspeed_episode, lat),
    ONE(overspeed_episode, lon),
    END_OF_MEMBERS,
};

static const struct layout_member of_overspeed_run[] = {
    IN(overspeed_run, now, of_episode), ONE(overspeed_run, below_ms), ONE(overspeed_run, way),
    ONE(overspeed_run, way_pause),      ONE(overspeed_run, above),    END_OF_MEMBERS,
};

static const struct layout_member of_overspeed[] = {
    IN(overspeed, now, of_episode),
    IN(overspeed, ended, of_episode),
    ONE(overspeed, told),
    ONE(overspeed, below_ms),
    ONE(overspeed, way),
    ONE(overspeed, way_pause),
    ONE(overspeed, t_ms),
    ONE(overspeed, kmh),
    ONE(overspeed, above),
    IN(overspeed, next, of_overspeed_run),
    END_OF_MEMBERS,
};

static const struct layout_member of_geofence[] = {
    WORD(geofence, side, GEOFENCE_IN),
    WORD(geofence, run_side, GEOFENCE_IN),
    ONE(geofence, run),
    ONE(geofence, run_ms),
    ONE(geofence, run_lat),
    ONE(geofence, run_lon),
    ONE(geofence, entered_ms),
    ONE(geofence, entered_lat),
    ONE(geofence, entered_lon),
    ONE(geofence, dwelt),
    ONE(geofence, run_sure),
    ONE(geofence, out_ms),
    ONE(geofence, out_lat),
    ONE(geofence, out_lon),
    ONE(geofence, t_ms),
    ONE(geofence, told_enter_ms),
    ONE(geofence, told_dwell_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_rule_state[] = {
    ONE(rule_state, t_ms),    ONE(rule_state, since_ms), ONE(rule_state, usual_ms),
    ONE(rule_state, counted), ONE(rule_state, raised),   ONE(rule_state, raised_ms),
    MANY(rule_state, times),  ONE(rule_state, n),        END_OF_MEMBERS,
};

static const struct layout_member of_trail_fix[] = {
    ONE(trail_fix, t_ms),
    ONE(trail_fix, lat),
    ONE(trail_fix, lon),
    END_OF_MEMBERS,
};

static const struct layout_member of_trail_ask[] = {
    ONE(trail_ask, t_ms),
    BYTES(trail_ask, id),
    END_OF_MEMBERS,
};

static const struct layout_member of_trail[] = {
    IN(trail, newest, of_trail_fix),
    EACH(trail, at, of_trail_fix),
    ONE(trail, next),
    EACH(trail, asks, of_trail_ask),
    END_OF_MEMBERS,
};

static const struct layout_member of_cleared_value[] = {
    ONE(cleared_value, t_ms),
    ONE(cleared_value, km),
    END_OF_MEMBERS,
};

static const struct layout_member of_cleared[] = {
    EACH(cleared, at, of_cleared_value),
    ONE(cleared, next),
    END_OF_MEMBERS,
};

/* ---- car */
static const struct layout_member of_detect[] = {
    IN(detect, harsh, fields_of_harsh),
    IN(detect, battery, fields_of_battery),
    IN(detect, heat, fields_of_heat),
    IN(detect, gps_lost, fields_of_gps_lost),
    IN(detect, tow, fields_of_tow),
    IN(detect, crash, fields_of_crash),
    ONE(detect, obd_ms),
    ONE(detect, tow_ms),
    ONE(detect, power_cut_ms),
    ONE(detect, gps_ms),
    ONE(detect, heat_ms),
    MANY(detect, battery_ms),
    ONE(detect, good_fixes),
    ONE(detect, told),
    END_OF_MEMBERS,
};

static const struct layout_member of_fence_near[] = {
    BYTES(fence_near, key),
    ONE(fence_near, version),
    IN(fence_near, state, of_geofence),
    END_OF_MEMBERS,
};

static const struct layout_member of_fences[] = {
    ONE(fences, stamp),      ONE(fences, t_ms),
    ONE(fences, lat),        ONE(fences, lon),
    ONE(fences, accuracy_m), ONE(fences, n),
    ONE(fences, crowded),    EACH(fences, near, of_fence_near),
    END_OF_MEMBERS,
};

static const struct layout_member of_rule_held[] = {
    BYTES(rule_held, key),
    ONE(rule_held, version),
    IN(rule_held, state, of_rule_state),
    END_OF_MEMBERS,
};

static const struct layout_member of_judged[] = {
    MANY(judged, stamp),
    MANY(judged, since_ms),
    END_OF_MEMBERS,
};

static const struct layout_member of_rules[] = {
    ONE(rules, n),
    EACH(rules, each, of_rule_held),
    END_OF_MEMBERS,
};

const struct layout_member fields_of_car[] = {
    IN(car, sight, of_sight),
    IN(car, trip, of_trip),
    IN(car, odometer, of_odometer),
    ONE(car, metered_m),
    ONE(car, steps),
    IN(car, detect, of_detect),
    IN(car, overspeed, of_overspeed),
    IN(car, fences, of_fences),
    IN(car, rules, of_rules),
    IN(car, trail, of_trail),
    IN(car, cleared, of_cleared),
    IN(car, judged, of_judged),
    BYTES(car, stream),
    ONE(car, passed_seq),
    ONE(car, wait_from_ms),
    ONE(car, lost_ms),
    ONE(car, shown_ms),
    ONE(car, shown_wall_ms),
    ONE(car, shown_start_ms),
    ONE(car, shown_kind),
    ONE(car, shown_held),
    ONE(car, shown_private),
    END_OF_MEMBERS,
};
