/* proto/vin.c - grammar and check digit of a VIN. */
#include "proto/vin.h"

#include <stdint.h>

/* A digit or a capital letter but I, O and Q: a bit each, from '0' on. */
#define DIGITS UINT64_C(0x3ff)
#define LETTERS (UINT64_C(0x3ffffff) << ('A' - '0'))
#define LEFT_OUT                                                                                   \
    (UINT64_C(1) << ('I' - '0') | UINT64_C(1) << ('O' - '0') | UINT64_C(1) << ('Q' - '0'))

bool vin_is_valid(const char *text, size_t len)
{
    const uint64_t allowed = (DIGITS | LETTERS) & ~LEFT_OUT;
    bool valid = len == VIN_LEN;

    for (size_t i = 0; i < VIN_LEN && valid; i++) {
        unsigned place = (unsigned)(unsigned char)text[i] - '0';

        valid = place < 64 && allowed >> place & 1;
    }
    return valid;
}

/* Letters count as A-H 1-8, J-N 1-5, P 7, R 9, S-Z 2-9. */
static int letter_value(char c)
{
    static const int values[26] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4,
                                   5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9};

    return c >= '0' && c <= '9' ? c - '0' : values[c - 'A'];
}

bool vin_check_digit_matches(const char *vin)
{
    static const int weights[VIN_LEN] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
    int sum = 0;

    for (size_t i = 0; i < VIN_LEN; i++)
        sum += weights[i] * letter_value(vin[i]);
    return vin[8] == (sum % 11 == 10 ? 'X' : (char)('0' + sum % 11));
}
