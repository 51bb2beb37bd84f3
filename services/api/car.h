/* services/api/car.h - a car that calls: who it is says the certificate of its connection, which
 * must be one we issued and have not revoked, of a vehicle that is active. */
#ifndef API_CAR_H
#define API_CAR_H

#include "workers.h"

struct car {
    char customer[37]; /* whose it is, for the audit */
};

/* Begin as vigie_enroll and look the certificate up; the vehicle's row is locked.
 * ST_NONE: it may not; noted in the audit, the answer (403) is set, the transaction is over. */
enum status car_begin(struct worker *w, const struct request *r, struct car *car, struct answer *a,
                      struct fault *fault) MUST_CHECK;

/* An audit row of the car's own. */
enum status car_note(struct worker *w, const struct request *r, const struct car *car,
                     const char *action, const char *detail, struct fault *fault) MUST_CHECK;

#endif
