/* vehicle/settings.h - what the agent can be told: flags, environment, defaults, --help. */
#ifndef VEHICLE_SETTINGS_H
#define VEHICLE_SETTINGS_H

#include "lib/settings.h"

struct vehicle_settings {
    struct settings_common common;
    char vin[SETTING_TEXT_MAX];
    char brokers[SETTING_TEXT_MAX];
    char ca[SETTING_TEXT_MAX], cert[SETTING_TEXT_MAX], key[SETTING_TEXT_MAX];
    char api[SETTING_TEXT_MAX], token_file[SETTING_TEXT_MAX];
    char makes[SETTING_TEXT_MAX];
    char obd[SETTING_TEXT_MAX], gps[SETTING_TEXT_MAX];
    char outbox[SETTING_TEXT_MAX];
    char private_file[SETTING_TEXT_MAX];
    char encoding[SETTING_TEXT_MAX]; /* "json" or "columnar" */
    int64_t outbox_limit, outbox_keep_ms, send_rate;
    int64_t obd_period_ms, obd_codes_ms, record_ms, heartbeat_ms, config_trial_ms;
    char power_off[SETTING_TEXT_MAX], power_file[SETTING_TEXT_MAX], power_lost[SETTING_TEXT_MAX];
    bool probe, status, decode;
};

extern const struct setting vehicle_table[];
extern const struct program vehicle_program;

/* What the table cannot check by itself.  Fills in the places of certificate and key when they are
 * absent. */
enum status vehicle_settings_check(struct vehicle_settings *set, struct fault *fault) MUST_CHECK;

#endif
