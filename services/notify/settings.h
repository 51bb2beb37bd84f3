/* services/notify/settings.h - what notify is told. */
#ifndef NOTIFY_SETTINGS_H
#define NOTIFY_SETTINGS_H

#include "lib/settings.h"

struct notify_settings {
    struct settings_common common;
    char listen[SETTING_TEXT_MAX];
    char origins[SETTING_TEXT_MAX];
    char trusted_proxies[SETTING_TEXT_MAX];
    char mqtt[SETTING_TEXT_MAX];
    char ca[SETTING_TEXT_MAX], cert[SETTING_TEXT_MAX], key[SETTING_TEXT_MAX];
    char pg[SETTING_TEXT_MAX];
    char instance[SETTING_TEXT_MAX];
    int64_t tick_ms;
    int64_t clients_per_address;
};

extern const struct program notify_program;
extern const struct setting notify_table[];

/* What the table cannot say.  ST_REJECT: the fault names what is wrong. */
enum status settings_check(const struct notify_settings *set, struct fault *fault) MUST_CHECK;

#endif
