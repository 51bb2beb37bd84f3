/* services/ingest/commit/garage.h - what an owner has entered of a vehicle and facts need.  One
 * struct garage, one connection, one thread; what is older than five seconds is asked again. */
#ifndef INGEST_GARAGE_H
#define INGEST_GARAGE_H

#include "lib/store/postgres.h"
#include "services/ingest/car/car.h"

struct garage;

enum status garage_open(struct garage **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* Have these vehicles at hand; within a transaction or not. */
enum status garage_fetch(struct garage *g, const char *const *vins, size_t n, int64_t now_ms,
                         struct fault *fault) MUST_CHECK;

/* The same in two: queue the question, and, once something has waited, take the answer. */
enum status garage_ask(struct garage *g, const char *const *vins, size_t n, int64_t now_ms,
                       struct fault *fault) MUST_CHECK;
enum status garage_take(struct garage *g, int64_t now_ms, struct fault *fault) MUST_CHECK;

/* It is asked again the next time, however new it is, with what its customer has entered. */
void garage_forget(struct garage *g, const char *vin);

/* Fill in what holds for a vehicle.  What it points to stays until the next call.  False:
 * not fetched, or no such vehicle. */
bool garage_settings(struct garage *g, const char *vin, struct car_settings *out);

void garage_close(struct garage *g); /* NULL is fine */

#endif
