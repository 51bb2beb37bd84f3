/* vehicle/checksum.c - see checksum.h. */
#include "checksum.h"

#include <string.h>

/* CRC-32 of ISO 3309 (as zlib's), four bits at a time: 3 us a record. */
static uint32_t add_raw(uint32_t crc, const void *bytes, size_t len)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const unsigned char *at = bytes;

    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t add_bytes(uint32_t crc, const void *bytes, size_t len)
{
    unsigned char size[4] = {(unsigned char)len, (unsigned char)(len >> 8),
                             (unsigned char)(len >> 16), (unsigned char)(len >> 24)};

    return add_raw(add_raw(crc, size, sizeof size), bytes, len);
}

static uint32_t add_text(uint32_t crc, const char *text)
{
    return add_bytes(crc, text, strlen(text));
}

static uint32_t add_number(uint32_t crc, int64_t number)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> 8 * i);
    return add_raw(crc, bytes, sizeof bytes);
}

uint32_t checksum_record(const char *stream, int64_t seq, const char *leaf, int64_t made_ms,
                         const void *payload, size_t len)
{
    uint32_t crc = add_number(add_text(0, stream), seq);

    crc = add_number(add_text(crc, leaf), made_ms);
    return add_bytes(crc, payload, len);
}

uint32_t checksum_stream(const char *name, const char *id, int64_t next_seq)
{
    return add_number(add_text(add_text(0, name), id), next_seq);
}

uint32_t checksum_note(const char *name, const void *value, size_t len)
{
    return add_bytes(add_text(0, name), value, len);
}
