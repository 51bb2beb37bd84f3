/* proto/scanner.h - telemetry/1 as our agents write it, read without a JSON tree: some fifty times
 * cheaper than the general reader.  Members in the order of the contract, no white space, names of
 * our table only, numbers of up to 15 digits without exponent, times that rise.  Whatever else it
 * meets it leaves to the general reader, so that nothing is accepted or refused that would not be
 * without it (tests/fuzz/proto/scanner.c).  Pure; one struct, one thread. */
#ifndef PROTO_SCANNER_H
#define PROTO_SCANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/telemetry.h"

/* True: `out` is what telemetry_read_tree would make of these bytes.  False: something surprising,
 * or no memory; ask that, `out` is of no use. */
bool scanner_read(struct telemetry *out, const char *bytes, size_t len);

/* Whose record is it?  True: head of the form above, *out is what the reader would read of it if
 * the rest is good.  Costs the same for a record of any length. */
bool scanner_head(struct envelope *out, const char *bytes, size_t len);

#endif
