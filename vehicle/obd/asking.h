/* vehicle/obd/asking.h - the PIDs of a polling round put into as few requests as the car takes.
 * On CAN up to six go into one, to the one ECU whose value counts, with the number of frames its
 * answer has, so that no adapter waits for more.  A car that does not answer such a request in full
 * when it is tried is asked one by one. */
#ifndef VEHICLE_OBD_ASKING_H
#define VEHICLE_OBD_ASKING_H

#include "link.h"
#include "scheduler.h"
#include "support.h"

#define ASKING_BATCH 6
#define ASKING_SHORT_MAX 3 /* batches that lacked something: no more of them in this session */

struct asking {
    bool physical; /* one ECU can be addressed */
    bool batch;
    unsigned shorts;
};

struct ask {
    size_t count;
    uint8_t pids[ASKING_BATCH];
    uint32_t ecu; /* 0: everybody */
    unsigned frames;
};

/* Pure.  Every PID once; the request with the last one goes last.  Returns how many requests. */
size_t asking_plan(const struct asking *a, const struct support *s, const uint8_t *pids, size_t n,
                   struct ask out[SCHEDULER_ROUND_MAX]);

/* Pure.  CAN frames of a message of `len` bytes (ISO 15765-2): seven in a single frame, else six in
 * the first and seven in each other. */
unsigned asking_frames_of(size_t len);

/* The request of one ask. */
struct link_request asking_request(const struct ask *ask);

/* Is this PID in the answer, with a valid value or without? */
bool asking_has(const struct link_answer *answer, const struct ask *ask, uint8_t pid);

/* A batch came back without all of its PIDs. */
void asking_note_short(struct asking *a);

/* Try what this car and adapter take: address the engine's ECU, then a batch.  `ask`: the PIDs that
 * will be polled. */
enum status asking_probe(struct asking *a, struct link *link, const struct support *s,
                         const bool ask[SUPPORT_PIDS], struct fault *fault) MUST_CHECK;

#endif
