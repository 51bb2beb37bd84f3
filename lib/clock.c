/* lib/clock.c - the kernel's clocks, and times as text (RFC 3339). */
#include "lib/clock.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAIR_TRIES 8 /* to read two clocks without being interrupted in between */
#define PAIR_US 1000
#define EARLIEST_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define LATEST_MS INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999Z */

static _Atomic int64_t correction_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec t = {0, 0};

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000 +
           atomic_load_explicit(&correction_ms, memory_order_relaxed);
}

void clock_correct(int64_t ms)
{
    atomic_store_explicit(&correction_ms, ms, memory_order_relaxed);
}

void clock_kernel_ms(int64_t *kernel_ms, int64_t *boot_ms)
{
    int64_t before_us, after_us;

    for (int i = 0; i < PAIR_TRIES; i++) {
        before_us = read_us(CLOCK_BOOTTIME);
        *kernel_ms = read_us(CLOCK_REALTIME) / 1000;
        after_us = read_us(CLOCK_BOOTTIME);
        *boot_ms = before_us / 1000;
        if (after_us - before_us <= PAIR_US)
            return;
    }
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

/* Write `value` as exactly `width` digits. */
static char *put_digits(char *out, int value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

void clock_print(char out[25], int64_t t_ms)
{
    int64_t t = t_ms < EARLIEST_MS ? EARLIEST_MS : t_ms > LATEST_MS ? LATEST_MS : t_ms;
    int ms = (int)((t % 1000 + 1000) % 1000);
    time_t seconds = (time_t)((t - ms) / 1000);
    struct tm tm;
    char *c = out;

    gmtime_r(&seconds, &tm);
    c = put_digits(c, tm.tm_year + 1900, 4);
    *c++ = '-';
    c = put_digits(c, tm.tm_mon + 1, 2);
    *c++ = '-';
    c = put_digits(c, tm.tm_mday, 2);
    *c++ = 'T';
    c = put_digits(c, tm.tm_hour, 2);
    *c++ = ':';
    c = put_digits(c, tm.tm_min, 2);
    *c++ = ':';
    c = put_digits(c, tm.tm_sec, 2);
    *c++ = '.';
    c = put_digits(c, ms, 3);
    *c++ = 'Z';
    *c = '\0';
}

/* ---- reading */

/* Take exactly `width` digits within low .. high; moves *at. */
static bool take_digits(const char **at, int width, int low, int high, int *out)
{
    int value = 0;

    for (int i = 0; i < width; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return value >= low && value <= high;
}

static bool take_char(const char **at, const char *one_of)
{
    if (!**at || !strchr(one_of, **at))
        return false;
    (*at)++;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Fraction of a second in ms; digits beyond the third are dropped. */
static bool take_fraction(const char **at, int *ms)
{
    int weight = 100;

    *ms = 0;
    if (!take_char(at, "."))
        return true;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++, weight /= 10)
        *ms += (**at - '0') * weight;
    return true;
}

static bool take_offset(const char **at, int *minutes)
{
    int hours = 0, rest = 0;
    bool behind;

    *minutes = 0;
    if (take_char(at, "Zz"))
        return true;
    behind = **at == '-';
    if (!take_char(at, "+-") || !take_digits(at, 2, 0, 23, &hours) || !take_char(at, ":") ||
        !take_digits(at, 2, 0, 59, &rest))
        return false;
    *minutes = (behind ? -1 : 1) * (hours * 60 + rest);
    return true;
}

static bool read_rfc3339(const char *at, int64_t *t_ms)
{
    int year, month, day, hour, minute, second, ms, offset;
    struct tm tm = {0};

    if (!take_digits(&at, 4, 1, 9999, &year) || !take_char(&at, "-") ||
        !take_digits(&at, 2, 1, 12, &month) || !take_char(&at, "-") ||
        !take_digits(&at, 2, 1, month_days(year, month), &day) || !take_char(&at, "Tt ") ||
        !take_digits(&at, 2, 0, 23, &hour) || !take_char(&at, ":") ||
        !take_digits(&at, 2, 0, 59, &minute) || !take_char(&at, ":") ||
        !take_digits(&at, 2, 0, 60, &second) || !take_fraction(&at, &ms) ||
        !take_offset(&at, &offset) || *at)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    *t_ms = (int64_t)timegm(&tm) * 1000 +
            ((int64_t)hour * 3600 + (int64_t)(minute - offset) * 60 + second) * 1000 + ms;
    return true;
}

/* At most 15 digits: every ms of the years clock_print knows, and no overflow. */
static bool read_integer(const char *text, int64_t *t_ms)
{
    const char *at = text + (*text == '-');
    size_t digits = strspn(at, "0123456789");
    int64_t value = 0;

    if (digits == 0 || digits > 15 || at[digits])
        return false;
    for (; *at; at++)
        value = value * 10 + (*at - '0');
    *t_ms = *text == '-' ? -value : value;
    return true;
}

enum status clock_read(const char *text, int64_t *t_ms, struct fault *fault)
{
    int64_t t;

    if (!read_integer(text, &t) && !read_rfc3339(text, &t))
        return fault_set(fault, ST_REJECT,
                         "\"%.40s\" is not a time: write 2026-01-31T09:00:00Z or ms since 1970",
                         text);
    *t_ms = t;
    return ST_OK;
}
