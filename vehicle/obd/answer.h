/* vehicle/obd/answer.h - the whole messages of one request put into a link_answer.  A message is
 * believed only if it answers the service and an identifier that was asked; a refusal (7F) only if
 * it is about that service.  Used by every driver.  Pure; bounded by link_answer. */
#ifndef VEHICLE_OBD_ANSWER_H
#define VEHICLE_OBD_ANSWER_H

#include "link.h"

struct answering {
    struct link_answer *out;
    const uint8_t *asked; /* borrowed: service and identifiers */
    size_t asked_len;
    bool pending;         /* 7F .. 78: the real answer is still to come */
    uint32_t pending_ecu; /* ... from this one, the newest that said so */
    unsigned refused;     /* code of the newest other refusal */
};

/* Empties *out but for its time. */
void answering_init(struct answering *a, struct link_answer *out, const uint8_t *asked,
                    size_t asked_len);

/* Take a message of `len` bytes: service + 0x40, identifier, data; or 7F, service, code. */
void answering_take(struct answering *a, uint32_t ecu, const uint8_t *bytes, size_t len);

/* Says how it ended where nothing but the messages counts: answered, refused, pending, damaged (cut
 * and nothing else came) or no data. */
void answering_finish(struct answering *a);

#endif
