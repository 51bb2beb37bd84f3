/* vehicle/diagnosis.h - what a survey found, as diagnostics/1.  Pure. */
#ifndef VEHICLE_DIAGNOSIS_H
#define VEHICLE_DIAGNOSIS_H

#include "inbox.h"
#include "proto/envelope.h"

/* The whole message.  What could not be read is absent. */
enum status diagnosis_write(const struct diagnosis *d, const struct envelope *head, char *out,
                            size_t size, size_t *len, struct fault *fault) MUST_CHECK;

#endif
