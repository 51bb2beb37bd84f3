/* services/api/naming.c - code points of a name. */
#include "naming.h"

#include <stddef.h>
#include <stdint.h>

/* The code point at *at, which moves on; 0 at the end. */
static uint32_t next(const unsigned char **at)
{
    uint32_t point = *(*at);
    int more = point >= 0xf0 ? 3 : point >= 0xe0 ? 2 : point >= 0xc0 ? 1 : 0;

    if (!point)
        return 0;
    if (more)
        point &= 0x3fU >> more;
    for (++*at; more > 0 && (*(*at) & 0xc0) == 0x80; more--)
        point = point << 6 | (*(*at)++ & 0x3f);
    return point;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

long naming_characters(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t point;
    long n = 0;

    while ((point = next(&at)) != 0) {
        if (is_control(point))
            return -1;
        n++;
    }
    return n;
}

/* Unicode's White_Space, and its marks that join, direct or fill without a glyph. */
static bool is_unseen(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } unseen[] = {
        {0x0000, 0x0020}, {0x007f, 0x00a0}, {0x00ad, 0x00ad}, {0x034f, 0x034f},   {0x061c, 0x061c},
        {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x2000, 0x200f},
        {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800}, {0x3000, 0x3000},   {0x3164, 0x3164},
        {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xe0000, 0xe0fff},
    };

    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
        if (point >= unseen[i].first && point <= unseen[i].last)
            return true;
    return false;
}

bool naming_is_blank(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t point;

    while ((point = next(&at)) != 0)
        if (!is_unseen(point))
            return false;
    return true;
}
