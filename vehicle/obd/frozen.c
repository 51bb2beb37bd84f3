/* vehicle/obd/frozen.c - see frozen.h. */
#include "frozen.h"

#include <string.h>

#include "asking.h"
#include "pids.h"
#include "support.h"
#include "survey.h"

size_t frozen_each(const uint8_t *bytes, size_t len,
                   void (*take)(void *self, uint8_t pid, const uint8_t *data, size_t n), void *self)
{
    size_t at = 1, passed = 0;

    while (at + 2 < len) {
        size_t n = pid_byte_count(bytes[at]);

        if (n == 0 || len - at - 2 < n)
            break;
        take(self, bytes[at], bytes + at + 2, n);
        at += 2 + n;
        passed++;
    }
    return passed;
}

/* ---- one ECU's frame being read */

struct frozen_reading {
    struct frozen *frame;
    uint8_t asked;
    bool has[SUPPORT_PIDS];
    bool more; /* the next bitmap exists */
};

static bool frozen_knows(const struct frozen *f, uint16_t signal)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->readings[i].signal == signal)
            return true;
    return false;
}

static void frozen_take(void *self, uint8_t pid, const uint8_t *data, size_t n)
{
    struct frozen_reading *r = self;
    struct reading readings[PID_READINGS_MAX];
    size_t count;

    if (pid != r->asked)
        return;
    if (pid % 0x20 == 0) {
        for (unsigned i = 0; i < 32; i++)
            r->has[(pid + i + 1U) & 0xFFU] = (data[i / 8] >> (7 - i % 8) & 1) != 0;
        r->more = (data[3] & 1) != 0;
        return;
    }
    count = pid_decode(pid, data, n, readings);
    for (size_t i = 0; i < count && r->frame->count < FROZEN_READINGS_MAX; i++)
        if (!frozen_knows(r->frame, readings[i].signal))
            r->frame->readings[r->frame->count++] = readings[i];
}

static enum status frozen_ask(struct link *link, bool physical, struct frozen_reading *r,
                              uint8_t pid, struct fault *fault)
{
    struct link_request request = {.bytes = {0x02, pid, 0x00}, .len = 3};
    struct link_answer answer;
    enum status st;

    r->asked = pid;
    if (physical) {
        request.to = r->frame->ecu;
        request.frames = asking_frames_of(3 + pid_byte_count(pid));
    }
    if ((st = survey_request(link, &request, &answer, fault)) != ST_OK)
        return st;
    for (size_t i = 0; answer.outcome == LINK_ANSWERED && i < answer.count; i++)
        if (answer.messages[i].ecu == r->frame->ecu)
            frozen_each(answer.bytes + answer.messages[i].at, answer.messages[i].len, frozen_take,
                        r);
    return ST_OK;
}

static enum status frozen_read_one(struct link *link, bool physical, struct frozen *frame,
                                   struct fault *fault)
{
    struct frozen_reading r = {.frame = frame, .more = true};
    enum status st;

    for (unsigned base = 0; base <= 0xE0 && r.more; base += 0x20) {
        r.more = false;
        if ((st = frozen_ask(link, physical, &r, (uint8_t)base, fault)) != ST_OK)
            return st;
    }
    for (unsigned pid = 1; pid < SUPPORT_PIDS; pid++) {
        if (!r.has[pid] || pid % 0x20 == 0 || pid == 0x02 || pid_byte_count((uint8_t)pid) == 0)
            continue;
        if ((st = frozen_ask(link, physical, &r, (uint8_t)pid, fault)) != ST_OK)
            return st;
    }
    return ST_OK;
}

/* ---- all of them */

/* The frames there are, in the order of the ECUs' ids, without their values.  One ECU's newest
 * frame alone has number 0. */
static void frozen_list(struct frozen_set *set, const struct link_answer *answer)
{
    set->count = 0;
    for (size_t i = 0; i < answer->count && set->count < FROZEN_MAX; i++) {
        const struct link_message *m = &answer->messages[i];
        const uint8_t *b = answer->bytes + m->at;
        size_t place = set->count;

        if (m->len < 5 || b[1] != 0x02 || b[2] != 0x00 || (b[3] | b[4]) == 0)
            continue;
        while (place > 0 && set->frames[place - 1].ecu > m->ecu) {
            set->frames[place] = set->frames[place - 1];
            place--;
        }
        set->frames[place] = (struct frozen){.ecu = m->ecu};
        dtc_print(set->frames[place].code, (uint16_t)(b[3] << 8 | b[4]));
        set->count++;
    }
}

static const struct frozen *frozen_find(const struct frozen_set *set, const struct frozen *like)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->frames[i].ecu == like->ecu && strcmp(set->frames[i].code, like->code) == 0)
            return &set->frames[i];
    return NULL;
}

enum status frozen_read(struct link *link, bool physical, struct frozen_set *set,
                        struct fault *fault)
{
    static const uint8_t which[] = {0x02, 0x02, 0x00};
    struct link_answer answer;
    struct frozen_set now;
    enum status st = survey_ask(link, which, sizeof which, 0, &answer, fault);

    if (st != ST_OK)
        return st;
    if (answer.outcome != LINK_ANSWERED)
        answer.count = 0;
    frozen_list(&now, &answer);
    for (size_t i = 0; i < now.count; i++) {
        const struct frozen *known = frozen_find(set, &now.frames[i]);

        if (known != NULL)
            now.frames[i] = *known;
        else if ((st = frozen_read_one(link, physical && now.frames[i].ecu != 0, &now.frames[i],
                                       fault)) != ST_OK)
            return st;
    }
    *set = now;
    return ST_OK;
}
