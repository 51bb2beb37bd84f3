/* services/api/meters.h - vigie_api_* metrics.  Any thread. */
#ifndef API_METERS_H
#define API_METERS_H

void meters_open(void);
void meters_answered(const char *route, int code, double seconds);
void meters_refused(const char *reason); /* a stable word */

void meters_commands(const char *outcome, int n); /* "sent", "expired" */

#endif
