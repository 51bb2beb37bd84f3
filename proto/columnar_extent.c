/* proto/columnar_extent.c - how far the values of a column reach. */
#include "proto/columnar_inside.h"

#define DIGITS_MAX 15 /* up to here the digits of the integer are those of the double */

struct columnar_extent columnar_extent(int64_t least, int64_t most, unsigned decimals)
{
    int64_t size = most > -least ? most : -least;
    size_t digits = 1;

    for (int64_t limit = 10; size >= limit; limit *= 10)
        digits++;
    if (digits <= decimals)
        digits = decimals + 1; /* 0.05 */
    return (struct columnar_extent){
        .least = (double)least / columnar_tens[decimals],
        .most = (double)most / columnar_tens[decimals],
        .text = digits > DIGITS_MAX ? COLUMNAR_TEXT_MAX : digits + (decimals > 0) + (least < 0),
    };
}
