/* services/api/settings.h - what vigie-api can be told; `vigie-api --help` prints this table. */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

#include "lib/settings.h"

struct api_settings {
    struct settings_common common;
    char pg[SETTING_TEXT_MAX];
    char pki_dir[SETTING_TEXT_MAX];
    /* serve */
    char listen[SETTING_TEXT_MAX], listen_vehicles[SETTING_TEXT_MAX];
    char influx[SETTING_TEXT_MAX];
    char assets[SETTING_TEXT_MAX];
    char brokers[SETTING_TEXT_MAX], required_sites[SETTING_TEXT_MAX];
    char mqtt[SETTING_TEXT_MAX], ca[SETTING_TEXT_MAX], cert[SETTING_TEXT_MAX],
        key[SETTING_TEXT_MAX];
    char trusted_proxies[SETTING_TEXT_MAX];
    char origins[SETTING_TEXT_MAX], ws_url[SETTING_TEXT_MAX], media_url[SETTING_TEXT_MAX];
    /* administration */
    char password[SETTING_TEXT_MAX];
    char customer[SETTING_TEXT_MAX], role[SETTING_TEXT_MAX], name[SETTING_TEXT_MAX];
    char locale[SETTING_TEXT_MAX];
    char hosts[SETTING_TEXT_MAX], out[SETTING_TEXT_MAX];
    char vin[SETTING_TEXT_MAX], reason[SETTING_TEXT_MAX];
    int64_t hours, limit, wait_ms;
    bool json, dry_run;
};

/* What the table cannot say, of those that `serve` needs; opens and sends nothing. */
enum status settings_check(const struct api_settings *set, struct fault *fault) MUST_CHECK;

extern const struct setting api_table[];
extern const struct program api_program;

#endif
