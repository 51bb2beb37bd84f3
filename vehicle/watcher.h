/* vehicle/watcher.h - the agent's notes to facts.h, and what that finds into the journal: alerts to
 * the urgent stream, events to bulk, both at once.  Main thread only. */
#ifndef VEHICLE_WATCHER_H
#define VEHICLE_WATCHER_H

#include "journal.h"
#include "privacy.h"
#include "lib/drive/engine.h"

struct watcher;

/* Borrows the journal. */
enum status watcher_open(struct watcher **out, struct journal *journal, bool has_gps,
                         struct fault *fault) MUST_CHECK;
void watcher_close(struct watcher *w); /* tells nothing; NULL is fine */

void watcher_detect(struct watcher *w, bool here); /* config/1's `detects` is agent */
void watcher_fix(struct watcher *w, const struct fix *fix);
void watcher_round(struct watcher *w, const struct round *round);
void watcher_adapter(struct watcher *w, enum source state);
void watcher_vin(struct watcher *w, const char *car, const char *certificate,
                 int64_t t_ms); /* car: "" unknown */

/* On every tick.  True: something was put into the journal since the last call. */
bool watcher_pass(struct watcher *w, int64_t now_ms);

/* Borrowed; looked at when something is told.  What happens in private mode says so in its data
 * (`"private":true`), so that nobody gives it a place; only a crash tells its own where the driver
 * agreed. */
void watcher_private(struct watcher *w, const struct privacy *privacy);
enum known watcher_ignition(const struct watcher *w);
bool watcher_battery_empty(const struct watcher *w);
/* Of a parked car that else has one each `parked_ms`: rarer while its battery is low. */
int64_t watcher_heartbeat_ms(const struct watcher *w, int64_t parked_ms);

void watcher_clock_set(struct watcher *w);
void watcher_flush(struct watcher *w); /* before the last commit */

#endif
