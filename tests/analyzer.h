/* tests/analyzer.h - what clang-tidy cannot see because it looks at one file at a time; `make lint`
 * includes it first. fault_set returns the status it was given: otherwise every refusal looks as if
 * it might be ST_OK. */
#ifndef ANALYZER_H
#define ANALYZER_H

#include "proto/status.h"

#define fault_set(fault, st, ...) ((void)fault_set(fault, st, __VA_ARGS__), (st))

#endif
