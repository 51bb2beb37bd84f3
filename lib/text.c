/* lib/text.c - bounded text, hex, base64url, and files read and replaced whole. */
#include "lib/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static char nothing[1]; /* what an empty text points at; room 0 says that nobody writes there */

void text_init(struct text *t)
{
    *t = (struct text){.bytes = nothing};
}

void text_clear(struct text *t)
{
    t->len = 0;
    t->failed = false;
    if (t->room)
        t->bytes[0] = '\0';
    else
        t->bytes = nothing;
}

void text_done(struct text *t)
{
    if (t->room)
        free(t->bytes);
    text_init(t);
}

/* Make room for `more` bytes and the terminator. */
bool text_reserve(struct text *t, size_t more)
{
    size_t room = t->room ? t->room : 64;
    char *bytes;

    if (t->failed || more >= SIZE_MAX / 2 - t->len) {
        t->failed = true;
        return false;
    }
    if (t->len + more < t->room)
        return true;
    while (room <= t->len + more)
        room *= 2;
    bytes = realloc(t->room ? t->bytes : NULL, room);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    if (!t->room)
        bytes[0] = '\0';
    t->bytes = bytes;
    t->room = room;
    return true;
}

void text_add(struct text *t, const char *bytes, size_t len)
{
    if (len == 0 || !text_reserve(t, len))
        return;
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

/* Most often there is room already: printed once. */
void text_print(struct text *t, const char *format, ...)
{
    size_t left = t->failed || t->room == 0 ? 0 : t->room - t->len;
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(left ? t->bytes + t->len : NULL, left, format, args);
    if (len >= 0 && (size_t)len < left) {
        t->len += (size_t)len;
    } else if (len < 0) {
        t->failed = true;
        if (left)
            t->bytes[t->len] = '\0';
    } else if (text_reserve(t, (size_t)len)) {
        vsnprintf(t->bytes + t->len, (size_t)len + 1, format, again);
        t->len += (size_t)len;
    } else if (left) {
        t->bytes[t->len] = '\0'; /* what did not fit was cut */
    }
    va_end(again);
    va_end(args);
}

bool text_copy(char *out, size_t size, const char *from)
{
    size_t len = strlen(from);
    bool fits = len < size;

    if (size == 0)
        return false;
    if (!fits)
        len = size - 1;
    memmove(out, from, len);
    out[len] = '\0';
    return fits;
}

void text_hex(char *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_unhex(unsigned char *out, const char *hex, size_t hex_len)
{
    if (hex_len % 2)
        return false;
    for (size_t i = 0; i < hex_len; i++)
        if (hex_digit(hex[i]) < 0)
            return false;
    for (size_t i = 0; i < hex_len; i += 2)
        *out++ = (unsigned char)(hex_digit(hex[i]) << 4 | hex_digit(hex[i + 1]));
    return true;
}

size_t text_base64url(char *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t held = 0;
    int bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            out[n++] = digits[held >> (bits - 6) & 63];
    }
    if (bits)
        out[n++] = digits[held << (6 - bits) & 63];
    out[n] = '\0';
    return n;
}

void text_random(unsigned char *out, size_t len)
{
    while (len) {
        ssize_t n = getrandom(out, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        out += n;
        len -= (size_t)n;
    }
}

/* ---- files */

/* Read until the end; 0, or an errno (EFBIG: more than `max`). */
static int read_all(struct text *t, int fd, size_t max)
{
    for (;;) {
        char part[4096];
        ssize_t n = read(fd, part, sizeof part);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        if ((size_t)n > max - t->len)
            return EFBIG;
        text_add(t, part, (size_t)n);
        if (t->failed)
            return ENOMEM;
    }
}

enum status text_read_file(struct text *t, const char *path, size_t max, struct fault *fault)
{
    int fd, error;

    text_clear(t);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault_set(fault, errno == ENOENT ? ST_NONE : ST_REJECT, "%s: %s", path,
                         strerror(errno));
    error = read_all(t, fd, max);
    close(fd);
    if (!error)
        return ST_OK;
    text_clear(t);
    if (error == EFBIG)
        return fault_set(fault, ST_REJECT, "%s: longer than %zu bytes", path, max);
    return fault_set(fault, ST_REJECT, "%s: %s", path, strerror(error));
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The folder's entry must reach the disk too, or a power cut brings the old name back. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    char *slash;
    int fd, error = 0;

    text_copy(folder, sizeof folder, path);
    slash = strrchr(folder, '/');
    if (!slash)
        text_copy(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        error = errno;
    close(fd);
    return error;
}

static int fill_file(int fd, const char *bytes, size_t len, unsigned mode)
{
    int error = write_all(fd, bytes, len);

    if (!error && fchmod(fd, (mode_t)mode) != 0)
        error = errno;
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

enum status text_write_file(const char *path, const char *bytes, size_t len, unsigned mode,
                            struct fault *fault)
{
    char temporary[PATH_MAX];
    int fd, error;

    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return fault_set(fault, ST_REJECT, "%.80s...: path too long", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fault_set(fault, errno == ENOSPC ? ST_RETRY : ST_FATAL, "%s: %s", path,
                         strerror(errno));
    error = fill_file(fd, bytes, len, mode);
    if (!error && rename(temporary, path) != 0)
        error = errno;
    if (error)
        unlink(temporary);
    else
        error = sync_folder(path);
    if (!error)
        return ST_OK;
    return fault_set(fault, error == ENOSPC || error == EDQUOT ? ST_RETRY : ST_FATAL, "%s: %s",
                     path, strerror(error));
}
