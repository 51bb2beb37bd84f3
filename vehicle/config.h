/* vehicle/config.h - config/1: what the server wants of this car.  Pure. */
#ifndef VEHICLE_CONFIG_H
#define VEHICLE_CONFIG_H

#include <stdbool.h>

#include "ledger.h"
#include "privacy.h"
#include "proto/status.h"

#define CONFIG_BROKERS_MAX 512
#define CONFIG_RECORD_MS_LOWEST 250
#define CONFIG_RECORD_MS_HIGHEST 30000 /* a power cut costs at most one record's age */
#define CONFIG_PARKED_MS_LOWEST 1000
#define CONFIG_HEARTBEAT_MS_LOWEST 1000
#define CONFIG_HEARTBEAT_MS_HIGHEST 3600000

struct config {
    int64_t revision;  /* 0: none yet */
    size_t site_count; /* required sites; 0: not known, nothing may be forgotten */
    char sites[LEDGER_SITES_MAX][LEDGER_SITE_TEXT];
    char brokers[CONFIG_BROKERS_MAX]; /* "mqtts://..,mqtts://.."; "" not said */
    int64_t record_ms;                /* 0: not said; so are the next two */
    int64_t parked_ms;                /* between two positions of a car that has just parked */
    int64_t heartbeat_ms;             /* of a car that stands */
    int64_t watch_until_ms;           /* somebody watches until then: 0, nobody */
    int64_t watch_record_ms;          /* age of a record meanwhile; 0: not said */
    bool detects_elsewhere;           /* ingest finds harsh events, heat, ...: we do not */
    struct privacy_rules privacy;
};

/* Read config/1.  ST_REJECT: not one, or it asks for what we cannot do (brokers the client would
 * not take are such: with them no other configuration could ever come); unknown keys are ignored.
 * What was refused still tells its revision where it could be read, 0 else; all else is empty. */
enum status config_read(struct config *out, const char *bytes, size_t len,
                        struct fault *fault) MUST_CHECK;

/* Do two config/1, as they came, say the same but for who watches (and the revision)?  False where
 * the watch is the same as well, and where one cannot be read. */
bool config_only_watch_differs(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
