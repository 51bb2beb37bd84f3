/* proto/envelope.h - the head every journalled message carries: schema, stream, seq, clock. Pure.
 */
#ifndef PROTO_ENVELOPE_H
#define PROTO_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/status.h"

#define UUID_TEXT 36 /* 8-4-4-4-12 lower-case hex */

enum clock_source {
    CLOCK_NONE,
    CLOCK_RTC,
    CLOCK_NTP,
    CLOCK_GPS
}; /* as the columnar flags count them */

struct envelope {
    int64_t seq;                /* from 1, +1 each */
    enum clock_source clock;    /* what set the sender's clock */
    char stream[UUID_TEXT + 1]; /* the outbox stream's UUID */
    char schema[32];            /* "telemetry/1" */
};

bool uuid_is_valid(const char *text, size_t len); /* 8-4-4-4-12, lower-case hex */

/* The 16 bytes a UUID is, in the order they are printed, and back.  uuid_scan: false when the text
 * is none; `out` is left alone then. */
bool uuid_scan(unsigned char out[16], const char *text);
void uuid_print(char out[UUID_TEXT + 1], const unsigned char bytes[16]);

/* UUIDv7 (RFC 9562) from a time in ms and 10 random bytes. */
void uuid_v7(char out[UUID_TEXT + 1], int64_t now_ms, const unsigned char random[10]);

/* UUIDv8 (RFC 9562) made of FNV-1a 128 of the text: the same text gives the same id.  For ids of
 * messages that carry none; never for security. */
void uuid_of_text(char out[UUID_TEXT + 1], const char *text);

const char *clock_name(enum clock_source clock); /* "none" "rtc" "ntp" "gps" */
enum status clock_parse(const char *name, enum clock_source *out, struct fault *fault) MUST_CHECK;

/* Read the head of a parsed message.  ST_REJECT when one is missing or wrong; what could be read is
 * in *out even then (stream "" or seq 0 = unreadable), so that a bad record can still be
 * acknowledged as a dead letter. */
enum status envelope_read(struct envelope *out, const json_t *message,
                          struct fault *fault) MUST_CHECK;

/* The stream and seq of bytes that are no JSON we accept (a double key, NaN, cut short): the
 * outermost object's members, each there exactly once; "" and 0 = unreadable.  Never guesses: two
 * streams are none. */
void envelope_salvage(struct envelope *out, const char *bytes, size_t len);

#endif
