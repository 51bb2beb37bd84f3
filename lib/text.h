/* lib/text.h - bounded text: a buffer that never overflows, hex, base64url, and files read whole.
 * Pure but files. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

/* A growing byte buffer; text.bytes is always terminated.  `failed` stays true after an allocation
 * failed. */
struct text {
    char *bytes;
    size_t len, room;
    bool failed;
};

void text_init(struct text *t);
void text_clear(struct text *t); /* empty, keeps its memory */
void text_add(struct text *t, const char *bytes, size_t len);
bool text_reserve(struct text *t, size_t more); /* room for that many; false: no memory */
void text_print(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
void text_done(struct text *t);

/* Copy with truncation, always terminated; true when it fitted. */
bool text_copy(char *out, size_t size, const char *from);

void text_hex(char *out, const unsigned char *bytes, size_t len);     /* out: 2 * len + 1 */
bool text_unhex(unsigned char *out, const char *hex, size_t hex_len); /* out: hex_len / 2 */
size_t text_base64url(char *out, const unsigned char *bytes,
                      size_t len); /* no padding; out: (len * 4 + 2) / 3 + 1 */

/* Fill with bytes of the kernel's generator; aborts the process when there are none (no fallback is
 * right). */
void text_random(unsigned char *out, size_t len);

/* Read a whole file of at most `max` bytes into `t`.  ST_NONE: not there; ST_REJECT: too long,
 * unreadable. */
enum status text_read_file(struct text *t, const char *path, size_t max,
                           struct fault *fault) MUST_CHECK;
/* Replace a file so that a crash leaves the old or the new one: temporary beside it, fsync, rename,
 * fsync folder. */
enum status text_write_file(const char *path, const char *bytes, size_t len, unsigned mode,
                            struct fault *fault) MUST_CHECK;

#endif
