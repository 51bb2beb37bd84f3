/* vehicle/known.h - a second home for what no outbox can make up for: the brokers that were named
 * and the newest config/1 (with the required sites).  A car without --brokers whose outbox is
 * damaged or gone still finds its way.  <outbox>/known.json, replaced whole, 0600. */
#ifndef VEHICLE_KNOWN_H
#define VEHICLE_KNOWN_H

#include "config.h"
#include "lib/text.h"

/* `config`: config/1 as it came, "" none.  ST_RETRY: no room now; ST_FATAL: cannot be written. */
enum status known_write(const char *folder, const char *brokers, const char *config, size_t len,
                        struct fault *fault) MUST_CHECK;

/* ST_NONE: there is no such file.  ST_REJECT: there is one, but not as it was written. */
enum status known_read(const char *folder, char brokers[CONFIG_BROKERS_MAX], struct text *config,
                       struct fault *fault) MUST_CHECK;

#endif
