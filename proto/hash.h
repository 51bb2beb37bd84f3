/* proto/hash.h - a hash of bytes, eight at a step: for tables in memory, not against those who
 * choose keys to collide.  `seed` is what was hashed before, or anything.  Pure. */
#ifndef PROTO_HASH_H
#define PROTO_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_bytes(uint64_t seed, const char *bytes, size_t len)
{
    uint64_t word;

    for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        seed = (seed ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        seed ^= seed >> 32;
    }
    word = 0;
    memcpy(&word, bytes, len);
    seed = (seed ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return seed ^ seed >> 32;
}

#endif
