/* vehicle/decode.c - see decode.h.  Services: SAE J1979. */
#include "decode.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "obd/dtc.h"
#include "obd/frozen.h"
#include "obd/pids.h"
#include "proto/signals.h"

#define DECODE_READINGS_MAX 64
#define DECODE_WARNINGS 8 /* lines told one by one */
#define DECODE_INPUT_MAX ((size_t)16 * 1024 * 1024)

/* ---- pieces of an answer */

static void take_readings(void *self, uint8_t pid, const struct reading *readings, size_t n)
{
    json_t *values = self;

    (void)pid;
    for (size_t i = 0; i < n; i++)
        json_object_set_new(values, signal_row(readings[i].signal)->path,
                            json_real(readings[i].value));
}

static void put_supported(json_t *answer, uint8_t base, const uint8_t bits[4])
{
    json_t *list = json_array();
    char text[3];

    for (unsigned i = 0; i < 32; i++)
        if ((bits[i / 8] >> (7 - i % 8) & 1) != 0) {
            snprintf(text, sizeof text, "%02X", (base + i + 1U) & 0xFFU);
            json_array_append_new(list, json_string(text));
        }
    json_object_set_new(answer, "supported", list);
}

static void put_readiness(json_t *answer, const uint8_t data[4])
{
    struct readiness r = {0};
    json_t *monitors = json_object();

    readiness_take(&r, data);
    for (unsigned i = 0; i < MONITORS; i++)
        if (r.supported[i])
            json_object_set_new(monitors, readiness_monitor(i),
                                json_string(r.complete[i] ? "complete" : "incomplete"));
    json_object_set_new(answer, "mil", json_boolean(r.mil_on));
    json_object_set_new(answer, "readiness", monitors);
}

static void put_bytes(json_t *answer, const uint8_t *bytes, size_t len)
{
    json_t *text = json_string("");
    char *hex = malloc(2 * len + 1);

    if (hex != NULL) {
        for (size_t i = 0; i < len; i++)
            snprintf(hex + 2 * i, 3, "%02X", bytes[i]);
        json_string_set(text, hex);
        free(hex);
    }
    json_object_set_new(answer, "bytes", text);
}

/* Printable characters alone, NULs and filler left out. */
static void put_text(json_t *list, const uint8_t *bytes, size_t len)
{
    char text[32];
    size_t n = 0;

    for (size_t i = 0; i < len && n < sizeof text - 1; i++)
        if (isprint(bytes[i]))
            text[n++] = (char)bytes[i];
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
    json_array_append_new(list, json_string(text));
}

/* ---- services */

static void decode_live(const struct exchange *x, json_t *answer, const uint8_t *b, size_t len)
{
    json_t *values = json_object();
    size_t found = pid_decode_answer(b, len, x->bytes + 1, x->len - 1, take_readings, values);

    if (b[1] % 0x20 != 0)
        json_object_set(answer, "s", values); /* empty: an answer that holds no valid value */
    json_decref(values);
    if (found == 0 && pid_byte_count(b[1]) == 0)
        put_bytes(answer, b, len);
    else if (found == 0)
        json_object_set_new(answer, "error", json_string("fewer bytes than this identifier has"));
    if (x->len == 2 && len >= 6 && b[1] % 0x20 == 0)
        put_supported(answer, b[1], b + 2);
    if (x->len == 2 && len >= 6 && b[1] == 0x01)
        put_readiness(answer, b + 2);
    if (x->len == 2 && len >= 4 && b[1] == 0x02) {
        char code[DTC_TEXT];

        dtc_print(code, (uint16_t)(b[2] << 8 | b[3]));
        json_object_set_new(answer, "dtcs",
                            b[2] + b[3] == 0 ? json_array() : json_pack("[s]", code));
    }
}

/* 42, then identifier, frame number and data, as often as it was asked. */
struct frozen_answer {
    json_t *answer, *values;
};

static void take_frozen(void *self, uint8_t pid, const uint8_t *data, size_t n)
{
    struct frozen_answer *f = self;
    struct reading readings[PID_READINGS_MAX];
    char code[DTC_TEXT];

    if (pid == 0x02) {
        dtc_print(code, (uint16_t)(data[0] << 8 | data[1]));
        json_object_set_new(f->answer, "dtcs",
                            data[0] + data[1] == 0 ? json_array() : json_pack("[s]", code));
    } else if (pid % 0x20 == 0) {
        put_supported(f->answer, pid, data);
    } else {
        take_readings(f->values, pid, readings, pid_decode(pid, data, n, readings));
    }
}

static void decode_frozen(json_t *answer, const uint8_t *b, size_t len)
{
    struct frozen_answer f = {answer, json_object()};

    if (frozen_each(b, len, take_frozen, &f) > 0)
        json_object_set(answer, "s", f.values);
    json_decref(f.values);
}

/* Vehicle information: texts of 16 or 20 bytes, check numbers of 4, behind a count. */
static void decode_info(json_t *answer, const uint8_t *b, size_t len)
{
    static const struct {
        uint8_t kind;
        size_t width;
        const char *key;
    } texts[] = {{0x04, 16, "calibrations"}, {0x0A, 20, "name"}};

    if (b[1] == 0x00 && len >= 6) {
        put_supported(answer, 0, b + len - 4);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (b[1] == texts[i].kind && len > 3) {
            json_t *list = json_array();

            for (size_t at = 3; at < len; at += texts[i].width)
                put_text(list, b + at, len - at < texts[i].width ? len - at : texts[i].width);
            json_object_set_new(answer, texts[i].key, list);
            return;
        }
    put_bytes(answer, b, len);
}

/* Service 22: what the tables of makes know; "bytes" beside it, so that a row can be found. */
static void decode_make(const struct exchange *x, const struct decode_with *with, json_t *answer,
                        const struct link_message *m)
{
    struct reading readings[DECODE_READINGS_MAX];
    const uint8_t *b = x->answer.bytes + m->at;
    json_t *values = json_object();
    size_t n;

    if (m->len > 3) {
        n = makes_decode(with->makes, with->vin, m->ecu, (uint16_t)(b[1] << 8 | b[2]), b + 3,
                         m->len - 3U, readings, DECODE_READINGS_MAX);
        take_readings(values, 0, readings, n);
    }
    if (json_object_size(values) > 0)
        json_object_set(answer, "s", values);
    json_decref(values);
    put_bytes(answer, b, m->len);
}

/* ---- whole answers */

static json_t *answer_begin(json_t *answers, uint32_t ecu)
{
    json_t *answer = json_object();
    char text[LINK_ECU_TEXT];

    link_print_ecu(text, ecu);
    if (text[0] != '\0')
        json_object_set_new(answer, "ecu", json_string(text));
    json_array_append_new(answers, answer);
    return answer;
}

static void decode_message(const struct exchange *x, const struct decode_with *with,
                           json_t *answers, const struct link_message *m)
{
    const uint8_t *b = x->answer.bytes + m->at;
    json_t *answer = answer_begin(answers, m->ecu);

    if (x->bytes[0] == 0x01 && x->len > 1)
        decode_live(x, answer, b, m->len);
    else if (x->bytes[0] == 0x02 && x->len > 2)
        decode_frozen(answer, b, m->len);
    else if (x->bytes[0] == 0x09 && m->len >= 2)
        decode_info(answer, b, m->len);
    else if (x->bytes[0] == 0x22)
        decode_make(x, with, answer, m);
    else if (x->bytes[0] != 0x04)
        put_bytes(answer, b, m->len);
}

/* The messages of one unit alone, from the one at `first` on. */
static void answer_of_one(struct link_answer *out, const struct link_answer *all, size_t first)
{
    *out = *all;
    out->count = 0;
    for (size_t i = first; i < all->count; i++)
        if (all->messages[i].ecu == all->messages[first].ecu)
            out->messages[out->count++] = all->messages[i];
}

static bool seen_before(const struct link_answer *all, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (all->messages[k].ecu == all->messages[i].ecu)
            return true;
    return false;
}

/* Codes: however many messages a unit needs, one list. */
static void decode_codes(const struct exchange *x, json_t *answers, bool *partial)
{
    static struct link_answer one;
    static struct dtc_set set;
    bool can;

    for (size_t i = 0; i < x->answer.count; i++) {
        json_t *list = json_array();

        if (seen_before(&x->answer, i)) {
            json_decref(list);
            continue;
        }
        answer_of_one(&one, &x->answer, i);
        memset(&set, 0, sizeof set);
        /* without a header CAN shows by its count: an odd number of bytes behind the service */
        can = x->can_known ? link_is_can(x->protocol) : one.messages[0].len % 2 == 0;
        dtc_take(&set, DTC_STORED, &one, can);
        for (size_t k = 0; k < set.count; k++)
            json_array_append_new(list, json_string(set.codes[k].code));
        json_object_set_new(answer_begin(answers, one.messages[0].ecu), "dtcs", list);
        *partial = *partial || set.lists[DTC_STORED] != DTC_LIST_FULL;
    }
}

static void decode_vin(const struct exchange *x, struct decode_with *with, json_t *answers)
{
    static struct link_answer one;
    char vin[VIN_LEN + 1];

    for (size_t i = 0; i < x->answer.count; i++) {
        json_t *answer;

        if (seen_before(&x->answer, i))
            continue;
        answer_of_one(&one, &x->answer, i);
        answer = answer_begin(answers, one.messages[0].ecu);
        if (vin_from_answer(vin, &one)) {
            json_object_set_new(answer, "vin", json_string(vin));
            memcpy(with->vin, vin, sizeof with->vin);
        } else {
            put_bytes(answer, one.bytes + one.messages[0].at, one.messages[0].len);
        }
    }
}

/* A negative answer is one too. */
static void decode_refusal(const struct exchange *x, json_t *answers)
{
    char text[16];

    if (x->answer.refused == 0)
        return;
    snprintf(text, sizeof text, "7F %02X %02X", x->bytes[0], x->answer.refused & 0xFFU);
    json_object_set_new(answer_begin(answers, x->answer.refused_by), "error", json_string(text));
}

static void decode_answers(const struct exchange *x, struct decode_with *with, json_t *answers,
                           bool *partial)
{
    uint8_t service = x->bytes[0];

    if (service == 0x03 || service == 0x07 || service == 0x0A) {
        decode_codes(x, answers, partial);
    } else if (service == 0x09 && x->len == 2 && x->bytes[1] == 0x02) {
        decode_vin(x, with, answers);
    } else {
        for (size_t i = 0; i < x->answer.count; i++)
            decode_message(x, with, answers, &x->answer.messages[i]);
    }
    decode_refusal(x, answers);
}

char *decode_exchange(const struct exchange *x, struct decode_with *with)
{
    json_t *object = json_object(), *answers = json_array();
    const char *error = x->error;
    bool partial = false;
    char *text;

    json_object_set_new(object, "request", json_string(x->request));
    json_object_set_new(object, "answers", answers);
    if (x->is_obd)
        decode_answers(x, with, answers, &partial);
    if (!x->is_obd && x->text[0] != '\0')
        json_object_set_new(object, "text", json_string(x->text));
    if (error[0] == '\0' && partial)
        error = "incomplete: fewer codes than their count";
    if (error[0] != '\0')
        json_object_set_new(object, "error", json_string(error));
    text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    return text;
}

/* ---- standard input */

/* All of it.  *out is the caller's. */
static enum status decode_read(char **out, size_t *len, struct fault *fault)
{
    size_t room = 0, got;
    char *text = NULL, *larger;

    *len = 0;
    do {
        if (*len == room) {
            room = room == 0 ? 65536 : 2 * room;
            larger = room > DECODE_INPUT_MAX ? NULL : realloc(text, room);
            if (larger == NULL) {
                free(text);
                return fault_set(fault, ST_REJECT, "the transcript is longer than 16 MiB");
            }
            text = larger;
        }
        got = fread(text + *len, 1, room - *len, stdin);
        *len += got;
    } while (got > 0);
    if (ferror(stdin)) {
        free(text);
        return fault_set(fault, ST_FATAL, "standard input: %s", strerror(errno));
    }
    *out = text;
    return ST_OK;
}

/* What is left out is said, so that nobody takes silence for an answer. */
static void decode_warn(const struct transcript *t)
{
    size_t numbers[DECODE_WARNINGS], n = transcript_left_out(t, numbers, DECODE_WARNINGS);

    for (size_t i = 0; i < n && i < DECODE_WARNINGS; i++)
        log_warn("decode.ignored",
                 "line=%zu reason=\"no request before it: a request begins with >\"", numbers[i]);
    if (n > DECODE_WARNINGS)
        log_warn("decode.ignored", "more=%zu", n - DECODE_WARNINGS);
}

enum status decode_stdin(const struct makes *makes, const char *vin, struct fault *fault)
{
    static struct exchange x;
    struct decode_with with = {.makes = makes};
    struct transcript t;
    char *text = NULL, *line;
    size_t len;
    enum status st = decode_read(&text, &len, fault);

    if (st != ST_OK)
        return st;
    snprintf(with.vin, sizeof with.vin, "%s", vin);
    transcript_init(&t, text, len);
    decode_warn(&t);
    while (transcript_next(&t, &x)) {
        if ((line = decode_exchange(&x, &with)) == NULL) {
            st = fault_set(fault, ST_FATAL, "out of memory");
            break;
        }
        puts(line);
        free(line);
    }
    free(text);
    if (st == ST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = fault_set(fault, ST_FATAL, "standard output: %s", strerror(errno));
    return st;
}
