/* services/broker/deny_file.h - the file of revoked VINs, read again when it is another one.
 * `vigie-api revoke` writes it aside and renames, so it is never seen half written.  One thread. */
#ifndef BROKER_DENY_FILE_H
#define BROKER_DENY_FILE_H

#include "deny_list.h"
#include "proto/status.h"

#define DENY_FILE_MAX (32 << 20) /* bytes: 1.8 million VINs */

struct deny_file;

/* Remember `path` (copied); reads nothing yet, the file may come later.  *out is yours to close. */
enum status deny_file_open(struct deny_file **out, const char *path,
                           struct fault *fault) MUST_CHECK;

/* One look: costs a stat(2) while nothing changed.
 *   ST_OK     a new list in *list (yours to close); *ignored lines in it were no VIN
 *   ST_NONE   the same file as last time
 *   ST_RETRY  missing, unreadable or too large: keep the list you have, look again later */
enum status deny_file_read(struct deny_file *file, struct deny_list **list, size_t *ignored,
                           struct fault *fault) MUST_CHECK;

void deny_file_close(struct deny_file *file); /* NULL is fine */

#endif
