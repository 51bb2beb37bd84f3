/* vehicle/obd/asking.c - see asking.h. */
#include "asking.h"

#include <string.h>

#include "pids.h"
#include "survey.h"

/* What may share a request: a PID whose length is known and always the same (55-58 may be short).
 */
static bool asking_may_share(uint8_t pid)
{
    return pid_byte_count(pid) > 0 && !(pid >= 0x55 && pid <= 0x58);
}

unsigned asking_frames_of(size_t len)
{
    return len <= 7 ? 1U : 1U + (unsigned)((len - 6 + 6) / 7);
}

static unsigned asking_frames(const uint8_t *pids, size_t n)
{
    size_t len = 1;

    for (size_t i = 0; i < n; i++)
        len += 1 + pid_byte_count(pids[i]);
    return asking_frames_of(len);
}

static struct ask *plan_place(struct ask *out, size_t *count, uint32_t ecu, uint8_t pid, bool batch)
{
    for (size_t i = 0; batch && asking_may_share(pid) && i < *count; i++)
        if (out[i].ecu == ecu && out[i].count < ASKING_BATCH && asking_may_share(out[i].pids[0]))
            return &out[i];
    out[*count] = (struct ask){.ecu = ecu};
    return &out[(*count)++];
}

size_t asking_plan(const struct asking *a, const struct support *s, const uint8_t *pids, size_t n,
                   struct ask out[SCHEDULER_ROUND_MAX])
{
    struct ask *place = NULL, last;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        place = plan_place(out, &count, a->physical ? support_owner(s, pids[i]) : 0, pids[i],
                           a->batch && a->physical);
        place->pids[place->count++] = pids[i];
        place->frames = asking_frames(place->pids, place->count);
    }
    if (place != NULL) {
        last = *place;
        memmove(place, place + 1, (size_t)(out + count - (place + 1)) * sizeof *place);
        out[count - 1] = last;
    }
    return count;
}

struct link_request asking_request(const struct ask *ask)
{
    struct link_request request = {.bytes = {0x01}, .len = 1 + ask->count, .to = ask->ecu};

    memcpy(request.bytes + 1, ask->pids, ask->count);
    request.frames = ask->ecu != 0 ? ask->frames : 0;
    return request;
}

static bool message_has(const uint8_t *bytes, size_t len, const struct ask *ask, uint8_t pid)
{
    size_t at = 1;

    while (at < len) {
        size_t data = pid_byte_count(bytes[at]);

        if (data == 0 || len - at - 1 < data || memchr(ask->pids, bytes[at], ask->count) == NULL)
            return false; /* nothing behind it can be trusted */
        if (bytes[at] == pid)
            return true;
        at += 1 + data;
    }
    return false;
}

bool asking_has(const struct link_answer *answer, const struct ask *ask, uint8_t pid)
{
    bool found = ask->count == 1 && answer->count > 0; /* alone it may be shorter than it should */

    for (size_t i = 0; i < answer->count && !found; i++)
        found =
            message_has(answer->bytes + answer->messages[i].at, answer->messages[i].len, ask, pid);
    return found;
}

void asking_note_short(struct asking *a)
{
    if (++a->shorts >= ASKING_SHORT_MAX)
        a->batch = false;
}

static enum status probe_ask(struct link *link, const struct ask *ask, bool *whole,
                             struct fault *fault)
{
    struct link_request request = asking_request(ask);
    struct link_answer answer;
    enum status st = survey_request(link, &request, &answer, fault);

    *whole = st == ST_OK && answer.outcome == LINK_ANSWERED;
    for (size_t i = 0; *whole && i < ask->count; i++)
        *whole = asking_has(&answer, ask, ask->pids[i]);
    return st;
}

enum status asking_probe(struct asking *a, struct link *link, const struct support *s,
                         const bool ask[SUPPORT_PIDS], struct fault *fault)
{
    uint32_t ecu = support_owner(s, 0x0C);
    struct ask one = {.ecu = ecu}, six = {.ecu = ecu};
    enum status st;

    *a = (struct asking){.physical = false};
    for (unsigned pid = 1; pid < SUPPORT_PIDS && six.count < ASKING_BATCH; pid++)
        if (ask[pid] && asking_may_share((uint8_t)pid) && pid_byte_count((uint8_t)pid) <= 2 &&
            support_owner(s, (uint8_t)pid) == ecu)
            six.pids[six.count++] = (uint8_t)pid;
    if (ecu == 0 || six.count == 0 || !link_is_can(link->protocol))
        return ST_OK;
    one.pids[one.count++] = six.pids[0];
    one.frames = asking_frames(one.pids, 1);
    six.frames = asking_frames(six.pids, six.count);
    if ((st = probe_ask(link, &one, &a->physical, fault)) != ST_OK || !a->physical)
        return st;
    return six.count < 2 ? ST_OK : probe_ask(link, &six, &a->batch, fault);
}
