/* services/api/route.h - which handler a method and a path mean, and what must be true before it
 * runs. The table is the API: proto/openapi.yaml describes exactly its rows (a test holds both
 * equal).  Pure. */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "access.h"
#include "request.h"
#include "respond.h"

struct resource;
struct worker;

enum lane {
    LANE_QUICK,
    LANE_HASH /* password hashing: two threads and a short queue */
};

/* Fill in `a`.  Anything but ST_OK means no answer: ST_RETRY 503 after one more try, ST_REJECT and
 * ST_FATAL 500. */
typedef enum status handler(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault);

struct route {
    enum method method;
    const char *path; /* "{vin}" and "{id}" stand for one segment that is a VIN, a UUID */
    const char *name; /* in metrics: no vehicle in it */
    enum door door;
    enum action action;
    enum lane lane;
    bool takes_json; /* a body of application/json is expected */
    bool by_cookie;  /* Origin must be ours */
    handler *run;
    const struct resource *resource; /* of resource_*; NULL else */
};

extern const struct route route_table[];
extern const size_t route_count;

enum match {
    MATCH_FOUND,
    MATCH_NO_PATH,  /* 404 */
    MATCH_NO_METHOD /* 405; `allow` says which */
};

/* Find the row for r->door, r->method (HEAD as GET) and r->path; a VIN in it goes to r->vin,
 * a UUID to r->object. */
enum match route_match(struct request *r, const struct route **out, char *allow, size_t allow_size);

#endif
