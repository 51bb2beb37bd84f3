/* services/broker/deny_list.h - the revoked VINs, sorted for looking up.
 * Read-only once made: a new list replaces the old one as a whole.  Any thread. */
#ifndef BROKER_DENY_LIST_H
#define BROKER_DENY_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

struct deny_list;

/* Make a list of `text`: a VIN per line; blank lines and lines beginning with # say nothing, spaces
 * and a CR around a VIN are left out, a VIN may come twice.  A line that is no VIN is skipped and
 * counted in *ignored.  *out is yours to close.
 *   ST_FATAL  out of memory */
enum status deny_list_parse(struct deny_list **out, const char *text, size_t len, size_t *ignored,
                            struct fault *fault) MUST_CHECK;

/* Is `vin` (valid, so VIN_LEN bytes) in the list?  Never allocates.  A NULL list is empty. */
bool deny_list_has(const struct deny_list *list, const char *vin);

size_t deny_list_count(const struct deny_list *list); /* NULL counts 0 */

/* The VIN at `index` < deny_list_count(), ascending; terminated, borrowed from the list. */
const char *deny_list_at(const struct deny_list *list, size_t index);

void deny_list_close(struct deny_list *list); /* NULL is fine */

#endif
