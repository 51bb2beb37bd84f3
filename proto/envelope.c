/* proto/envelope.c - the head of a journalled message, and UUIDs. */
#include "proto/envelope.h"

#include <string.h>

static const char *const clock_names[] = {
    [CLOCK_NONE] = "none", [CLOCK_RTC] = "rtc", [CLOCK_NTP] = "ntp", [CLOCK_GPS] = "gps"};

/* A digit's value and one bit more, so that it differs from what is none.  A table, for digits and
 * letters come as they like. */
#define IS_DIGIT 0x10
static const unsigned char digits[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1a, ['b'] = 0x1b,
    ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f};

static const unsigned char groups[] = {4, 2, 2, 2, 6}; /* bytes, between the dashes */

/* The bytes, or rubbish and false. */
static bool read_uuid(unsigned char out[16], const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    unsigned all = IS_DIGIT;

    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        if (g > 0 && *c++ != '-')
            return false;
        for (size_t i = 0; i < groups[g]; i++, c += 2) {
            unsigned high = digits[c[0]], low = digits[c[1]];

            all &= high & low;
            *out++ = (unsigned char)(high << 4 | (low & 0xf));
        }
    }
    return all == IS_DIGIT;
}

bool uuid_is_valid(const char *text, size_t len)
{
    unsigned char bytes[16];

    return len == UUID_TEXT && read_uuid(bytes, text);
}

bool uuid_scan(unsigned char out[16], const char *text)
{
    unsigned char bytes[16];

    if (strnlen(text, UUID_TEXT + 1) != UUID_TEXT || !read_uuid(bytes, text))
        return false;
    memcpy(out, bytes, sizeof bytes);
    return true;
}

void uuid_print(char out[UUID_TEXT + 1], const unsigned char bytes[16])
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[len++] = '-';
        out[len++] = hex[bytes[i] >> 4];
        out[len++] = hex[bytes[i] & 15];
    }
    out[len] = '\0';
}

/* RFC 9562: the version in the upper half of byte 6, the variant 10 in the upper two bits of
 * byte 8. */
static void uuid_stamp(unsigned char bytes[16], unsigned version)
{
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
}

void uuid_v7(char out[UUID_TEXT + 1], int64_t now_ms, const unsigned char random[10])
{
    unsigned char bytes[16];

    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)((uint64_t)now_ms >> (40 - 8 * i));
    memcpy(bytes + 6, random, 10);
    uuid_stamp(bytes, 7);
    uuid_print(out, bytes);
}

void uuid_of_text(char out[UUID_TEXT + 1], const char *text)
{
    /* FNV-1a 128: offset basis and prime 2^88 + 0x13b, as two halves of 64 bits */
    uint64_t high = UINT64_C(0x6c62272e07bb0142), low = UINT64_C(0x62b821756295c58d);
    unsigned char bytes[16];

    for (; *text; text++) {
        uint64_t lower, upper;

        low ^= (unsigned char)*text;
        lower = (low & 0xffffffff) * 0x13b;
        upper = (low >> 32) * 0x13b + (lower >> 32);
        high = high * 0x13b + (upper >> 32) + (low << 24);
        low = upper << 32 | (lower & 0xffffffff);
    }
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(high >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(low >> (56 - 8 * i));
    }
    uuid_stamp(bytes, 8);
    uuid_print(out, bytes);
}

const char *clock_name(enum clock_source clock)
{
    return (unsigned)clock <= CLOCK_GPS ? clock_names[clock] : "none";
}

enum status clock_parse(const char *name, enum clock_source *out, struct fault *fault)
{
    for (unsigned i = 0; i <= CLOCK_GPS; i++) {
        if (strcmp(name, clock_names[i]) == 0) {
            *out = (enum clock_source)i;
            return ST_OK;
        }
    }
    return fault_set(fault, ST_REJECT, "clock is not gps, ntp, rtc or none");
}

/* A member the head cannot do without: absent is as wrong as ill-typed. */
static bool missing(enum status st)
{
    return st != ST_OK;
}

enum status envelope_read(struct envelope *out, const json_t *message, struct fault *fault)
{
    struct envelope head = {0};
    struct fault first = {""}, next;
    char clock[8] = "";

    /* Each is read whatever became of the others; the first thing wrong is what we tell. */
    if (missing(json_get_text(message, "schema", head.schema, sizeof head.schema, &next)))
        first = next;
    if (missing(json_get_text(message, "stream", head.stream, sizeof head.stream, &next)) ||
        (!uuid_is_valid(head.stream, strlen(head.stream)) &&
         fault_set(&next, ST_REJECT, "stream is not a UUID in lower case"))) {
        head.stream[0] = '\0';
        if (!first.text[0])
            first = next;
    }
    if (missing(json_get_int64(message, "seq", 1, JSON_INTEGER_MAX, &head.seq, &next)) &&
        !first.text[0])
        first = next;
    if ((missing(json_get_text(message, "clock", clock, sizeof clock, &next)) ||
         missing(clock_parse(clock, &head.clock, &next))) &&
        !first.text[0])
        first = next;
    *out = head;
    if (!first.text[0])
        return ST_OK;
    return fault_set(fault, ST_REJECT, "%s", first.text);
}

/* ---- the head of what no parser takes ---- */

struct scan {
    const char *at, *end;
};

static void skip_space(struct scan *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
        s->at++;
}

/* At an opening quote: the string's bytes, escapes and all; false when it never closes. */
static bool take_string(struct scan *s, const char **text, size_t *len)
{
    *text = ++s->at;
    for (; s->at < s->end; s->at++) {
        if (*s->at == '\\') {
            s->at++;
        } else if (*s->at == '"') {
            *len = (size_t)(s->at - *text);
            s->at++;
            return true;
        }
    }
    return false;
}

static int64_t take_seq(struct scan *s)
{
    int64_t seq = 0;
    const char *from = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9' && seq <= JSON_INTEGER_MAX / 10)
        seq = seq * 10 + (*s->at++ - '0');
    if (s->at == from || *from == '0' || s->at == s->end || !strchr(",} \t\r\n", *s->at) ||
        !*s->at || seq > JSON_INTEGER_MAX)
        return 0;
    return seq;
}

struct salvage {
    struct envelope head;
    int streams, seqs; /* how often each was there: two are as bad as none */
};

/* Just behind `"key":` of the outermost object. */
static void salvage_member(struct salvage *v, struct scan *s, const char *key, size_t key_len)
{
    struct scan value = *s;
    const char *text;
    size_t len;

    if (key_len == 6 && memcmp(key, "stream", 6) == 0) {
        v->streams++;
        if (value.at < value.end && *value.at == '"' && take_string(&value, &text, &len) &&
            uuid_is_valid(text, len))
            memcpy(v->head.stream, text, len);
    } else if (key_len == 3 && memcmp(key, "seq", 3) == 0) {
        v->seqs++;
        v->head.seq = take_seq(&value);
    }
}

void envelope_salvage(struct envelope *out, const char *bytes, size_t len)
{
    struct scan s = {bytes, bytes + len};
    struct salvage v = {0};
    const char *text;
    size_t text_len;
    long depth = 0;

    while (s.at < s.end) {
        char c = *s.at;

        if (c == '"') {
            if (!take_string(&s, &text, &text_len))
                break;
            skip_space(&s);
            if (depth == 1 && s.at < s.end && *s.at == ':') {
                s.at++;
                skip_space(&s);
                salvage_member(&v, &s, text, text_len);
            }
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        s.at++;
    }
    if (v.streams != 1)
        v.head.stream[0] = '\0';
    if (v.seqs != 1)
        v.head.seq = 0;
    *out = v.head;
}
