/* vehicle/obd/answer.c - see answer.h. */
#include "answer.h"

#include <string.h>

#define ANSWER_OFFSET 0x40   /* an answer's service is the request's and this */
#define NEGATIVE_ANSWER 0x7F /* ISO 14229-1, annex A */
#define NEGATIVE_PENDING 0x78

void answering_init(struct answering *a, struct link_answer *out, const uint8_t *asked,
                    size_t asked_len)
{
    *a = (struct answering){.out = out, .asked = asked, .asked_len = asked_len};
    out->outcome = LINK_NO_DATA;
    out->count = out->used = 0;
    out->refused = out->ignored = 0;
    out->refused_by = 0;
    out->refusal_count = 0;
    out->cut = false;
}

/* Was this identifier among those asked for? */
static bool answering_wanted(const struct answering *a, const uint8_t *bytes, size_t len)
{
    uint8_t service = a->asked[0];

    if (len == 0 || bytes[0] != service + ANSWER_OFFSET)
        return false;
    if (a->asked_len == 1)
        return true;
    if (len < 2)
        return false;
    if (service == 0x02) { /* identifier and frame number, in pairs */
        for (size_t i = 1; i + 1 < a->asked_len; i += 2)
            if (len >= 3 && bytes[1] == a->asked[i] && bytes[2] == a->asked[i + 1])
                return true;
        return false;
    }
    if (service == 0x22) /* a 16-bit identifier */
        return a->asked_len >= 3 && len >= 3 && bytes[1] == a->asked[1] && bytes[2] == a->asked[2];
    for (size_t i = 1; i < a->asked_len; i++)
        if (bytes[1] == a->asked[i])
            return true;
    return false;
}

static void answering_note_refusal(struct link_answer *out, uint32_t ecu, uint8_t code)
{
    size_t i = 0;

    out->refused_by = ecu;
    while (i < out->refusal_count && out->refusals[i].ecu != ecu)
        i++;
    if (i == LINK_REFUSALS_MAX)
        return;
    out->refusals[i] = (struct link_refusal){ecu, code};
    out->refusal_count += i == out->refusal_count;
}

void answering_take(struct answering *a, uint32_t ecu, const uint8_t *bytes, size_t len)
{
    struct link_answer *out = a->out;
    struct link_message *m;

    if (len >= 3 && bytes[0] == NEGATIVE_ANSWER && bytes[1] == a->asked[0]) {
        if (bytes[2] == NEGATIVE_PENDING) {
            a->pending = true;
            a->pending_ecu = ecu;
            return;
        }
        a->refused = bytes[2];
        answering_note_refusal(out, ecu, bytes[2]);
        a->pending = a->pending && a->pending_ecu != ecu;
        return;
    }
    if (!answering_wanted(a, bytes, len)) {
        out->ignored++;
        return;
    }
    a->pending = a->pending && a->pending_ecu != ecu;
    if (out->count == LINK_MESSAGES_MAX || len > sizeof out->bytes - out->used) {
        out->cut = true;
        return;
    }
    m = &out->messages[out->count++];
    m->ecu = ecu;
    m->at = (uint16_t)out->used;
    m->len = (uint16_t)len;
    memcpy(out->bytes + out->used, bytes, len);
    out->used += len;
}

void answering_finish(struct answering *a)
{
    struct link_answer *out = a->out;

    out->refused = a->refused;
    if (out->count > 0)
        out->outcome = LINK_ANSWERED;
    else if (a->refused != 0)
        out->outcome = LINK_REFUSED;
    else if (a->pending)
        out->outcome = LINK_PENDING;
    else
        out->outcome = out->cut ? LINK_DAMAGED : LINK_NO_DATA;
}
