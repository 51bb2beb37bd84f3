/* vehicle/obd/pids.c - see pids.h. */
#include "pids.h"

#include "proto/signals.h"

#include "pids_table.inc"

/* Short and long term trims of two banks: a reply may hold the first bank alone. */
static bool pid_may_be_short(uint8_t pid)
{
    return pid >= 0x55 && pid <= 0x58;
}

size_t pid_byte_count(uint8_t pid)
{
    return pid_bytes[pid];
}

/* The first row of a PID, or where it would stand. */
static size_t pid_first_row(uint8_t pid)
{
    size_t low = 0, high = PID_ROWS;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (pid_rows[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t pid_signals(uint8_t pid, uint16_t out[PID_READINGS_MAX])
{
    size_t n = 0;

    for (size_t i = pid_first_row(pid);
         i < PID_ROWS && pid_rows[i].pid == pid && n < PID_READINGS_MAX; i++)
        out[n++] = pid_rows[i].signal;
    return n;
}

static bool pid_row_value(const struct pid_row *row, const uint8_t *data, size_t len, double *value)
{
    uint32_t raw = 0;
    double number;

    if (row->width == 0 || len < row->needs || len < (size_t)row->first + row->width)
        return false;
    if (row->valid_mask != 0 && (data[0] & row->valid_mask) == 0)
        return false;
    for (size_t i = 0; i < row->width; i++)
        raw = raw << 8 | data[row->first + i];
    if (row->ff_is_absent && raw == 0xFF)
        return false;
    if (row->mask != 0)
        raw = raw >> row->shift & row->mask;
    number = raw;
    if (row->is_signed && (raw >> (8 * row->width - 1) & 1U) != 0)
        number -= (double)(1ULL << (8 * row->width));
    *value = (number * row->multiply + row->add) / row->divide;
    return true;
}

size_t pid_decode(uint8_t pid, const uint8_t *data, size_t len,
                  struct reading out[PID_READINGS_MAX])
{
    size_t n = 0;

    for (size_t i = pid_first_row(pid);
         i < PID_ROWS && pid_rows[i].pid == pid && n < PID_READINGS_MAX; i++) {
        double value = 0;

        if (pid_row_value(&pid_rows[i], data, len, &value)) {
            out[n].signal = pid_rows[i].signal;
            out[n++].value = value;
        }
    }
    return n;
}

#define MAF_USUAL_MAX 655.35 /* g/s at FFFF */

void pid_rescale(double max_maf_gs, uint8_t pid, struct reading *readings, size_t n)
{
    if (pid == 0x10 && n == 1 && max_maf_gs > 0)
        readings[0].value *= max_maf_gs / MAF_USUAL_MAX;
}

static bool pid_is_among(uint8_t pid, const uint8_t *asked, size_t asked_count)
{
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i] == pid)
            return true;
    return false;
}

size_t pid_decode_answer(const uint8_t *bytes, size_t len, const uint8_t *asked, size_t asked_count,
                         void (*take)(void *self, uint8_t pid, const struct reading *readings,
                                      size_t n),
                         void *self)
{
    struct reading readings[PID_READINGS_MAX];
    size_t at = 1, count = 0, wanted, n;

    if (len < 2 || bytes[0] != 0x41)
        return 0;
    while (at < len && count < asked_count) {
        uint8_t pid = bytes[at++];

        wanted = pid_byte_count(pid);
        if (wanted == 0 || !pid_is_among(pid, asked, asked_count))
            break;
        if (len - at < wanted && !(pid_may_be_short(pid) && asked_count == 1))
            break;
        if (len - at < wanted)
            wanted = len - at;
        n = pid_decode(pid, bytes + at, wanted, readings);
        at += wanted;
        count++;
        if (n > 0)
            take(self, pid, readings, n);
    }
    return count;
}
