/* services/api/config.h - config/1, what a vehicle is to do: made of its row and of the site's
 * settings, kept with a revision that rises whenever the wording changes.  The dispatcher publishes
 * what is new. */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include "lib/store/postgres.h"
#include "lib/text.h"
#include "settings.h"

/* Inside a transaction of vigie_api, vigie_enroll or vigie_dispatch: bring the configuration of
 * `vin` up to date; NULL: of every active vehicle. */
enum status config_renew(struct pg *pg, const struct api_settings *set, const char *vin,
                         struct fault *fault) MUST_CHECK;

/* Inside a transaction of vigie_api: somebody looks at `vin` for the next two minutes.  A new
 * revision only when less than a minute is left of what was asked before; the rest stays as it is
 * stored.  Nothing happens to a vehicle that is not active, or not the tenant's. */
enum status config_watch(struct pg *pg, const struct api_settings *set, const char *vin,
                         struct fault *fault) MUST_CHECK;

/* As config_renew for active vehicles that have none yet; the others keep theirs. */
enum status config_fill(struct pg *pg, const struct api_settings *set,
                        struct fault *fault) MUST_CHECK;

/* As config_renew for one, and write it to `out` as config/1.  ST_REJECT: there is no such vehicle.
 */
enum status config_take(struct pg *pg, const struct api_settings *set, const char *vin,
                        struct text *out, struct fault *fault) MUST_CHECK;

/* A revision and what config_told() made of its row, as config/1. */
void config_render(struct text *out, const char *revision, const char *body);

/* A comma-separated setting as a JSON array of its entries. */
void config_render_list(struct text *out, const char *list);

#endif
