/* services/ingest/settings.h - what ingest is told; flags, environment, defaults and --help come
 * from one table. */
#ifndef INGEST_SETTINGS_H
#define INGEST_SETTINGS_H

#include "lib/settings.h"

struct ingest_settings {
    struct settings_common common;
    char mqtt[SETTING_TEXT_MAX];
    char ca[SETTING_TEXT_MAX], cert[SETTING_TEXT_MAX], key[SETTING_TEXT_MAX];
    char influx[SETTING_TEXT_MAX];
    char pg[SETTING_TEXT_MAX];
    char instance[SETTING_TEXT_MAX], state_dir[SETTING_TEXT_MAX];
    int64_t ring_bytes;
    int64_t queue_slots, queue_bytes;
    int64_t batch_wait_ms, count_wait_ms, minute_wait_ms, late_wait_ms, start_quiet_ms;
    int64_t frozen_wait_ms;
    int64_t rate_per_s, burst;
};

extern const struct program ingest_program;
extern const struct setting ingest_table[];

/* What the table cannot say.  ST_REJECT: the fault names the setting and the cure. */
enum status settings_check(const struct ingest_settings *set, struct fault *fault) MUST_CHECK;
/* What else a start would complain about; takes the milliseconds that libcurl takes to load. */
enum status settings_rehearse(const struct ingest_settings *set, struct fault *fault) MUST_CHECK;

#endif
