/* vehicle/checkup.h - --check: what the settings say of this machine.  Nothing is opened for
 * writing, made or sent. */
#ifndef VEHICLE_CHECKUP_H
#define VEHICLE_CHECKUP_H

#include "settings.h"

/* After vehicle_settings_check.  ST_REJECT: a file that the agent cannot do without is not there or
 * not to be read, or a table of makes is wrong.  What may come later is a warning in the log. */
enum status checkup(const struct vehicle_settings *set, struct fault *fault) MUST_CHECK;

#endif
