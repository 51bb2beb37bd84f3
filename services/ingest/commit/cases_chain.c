/* services/ingest/commit/cases_chain.c - which cases the steps of a group are about: of a key all
 * that are looked at hang together. */
#include <math.h>
#include <string.h>

#include "cases_inside.h"
#include "proto/hash.h"

bool case_same_key(const struct alert_key *a, const struct alert_key *b)
{
    return !strcmp(a->vin, b->vin) && !strcmp(a->type, b->type) && !strcmp(a->subject, b->subject);
}

bool case_is_point(const struct case_step *step)
{
    return step->verb == CASE_RAISE && step->raise.ending == ALERT_POINT;
}

/* A point is a case of its own, and so is what is corrected. */
int64_t case_time(const struct case_step *step)
{
    return step->verb == CASE_CORRECT || case_is_point(step) ? step->raise.occurred_ms : 0;
}

static const char *id_of(const struct case_step *step)
{
    return case_is_point(step) ? step->id : "";
}

static uint64_t hash_of(const struct case_step *step)
{
    const struct alert_key *key = &step->raise.key;
    const char *id = id_of(step);
    uint64_t hash = hash_bytes(*id ? 0 : (uint64_t)case_time(step), key->vin, strlen(key->vin));

    if (*id) /* a vehicle says it once, of whatever type and time */
        return hash_bytes(hash, id, strlen(id));
    hash = hash_bytes(hash, key->type, strlen(key->type));
    return hash_bytes(hash, key->subject, strlen(key->subject));
}

static bool is_about(const struct case_now *now, const struct case_step *step)
{
    const char *id = id_of(step);

    if (*id)
        return !strcmp(now->told_id, id) && !strcmp(now->key.vin, step->raise.key.vin);
    return !now->told_id[0] && now->correct_ms == case_time(step) &&
           case_same_key(&now->key, &step->raise.key);
}

struct case_now *cases_add(struct cases *c, const struct alert_key *key)
{
    if (!room_grow((void **)&c->now, sizeof *c->now, c->now_n + 1, &c->now_room))
        return NULL;
    c->now[c->now_n] = (struct case_now){.key = *key, .lat = NAN, .lon = NAN};
    return &c->now[c->now_n++];
}

struct case_now *case_of_step(struct cases *c, const struct case_step *step)
{
    uint32_t *at = slots_first(&c->by_key, hash_of(step));
    struct case_now *now;

    for (; *at; at = slots_next(&c->by_key, at))
        if (is_about(&c->now[*at - 1], step))
            return &c->now[*at - 1];
    if (!(now = cases_add(c, &step->raise.key)))
        return NULL;
    now->correct_ms = case_time(step);
    text_copy(now->told_id, sizeof now->told_id, id_of(step));
    *at = (uint32_t)c->now_n;
    return now;
}

struct case_now *case_next(const struct cases *c, const struct case_now *now)
{
    return now->next ? &c->now[now->next - 1] : NULL;
}

bool case_is_one(const struct case_now *now)
{
    return now->alert.state != ALERT_NONE;
}

bool case_is_open(const struct case_now *now)
{
    return case_is_one(now) && now->alert.state != ALERT_CLEARED;
}

bool case_was(const struct case_now *now)
{
    return case_is_open(now) || (case_is_one(now) && now->alert.reason != ALERT_CORRECTED);
}

/* The newest that began until t_ms; NULL: none did. */
static struct case_now *until(const struct cases *c, struct case_now *first, int64_t t_ms)
{
    struct case_now *best = NULL;

    for (struct case_now *n = first; n; n = case_next(c, n))
        if (case_is_one(n) && n->alert.occurred_ms <= t_ms &&
            (!best || case_was(n) > case_was(best) ||
             (case_was(n) == case_was(best) && n->alert.occurred_ms > best->alert.occurred_ms)))
            best = n;
    return best;
}

struct case_now *case_after(const struct cases *c, struct case_now *first, int64_t t_ms)
{
    struct case_now *best = NULL;

    for (struct case_now *n = first; n; n = case_next(c, n))
        if (case_was(n) && n->alert.occurred_ms > t_ms &&
            (!best || n->alert.occurred_ms < best->alert.occurred_ms))
            best = n;
    return best;
}

struct case_now *case_subject(const struct cases *c, struct case_now *first,
                              const struct case_step *step)
{
    if (step->verb == CASE_RAISE && !step->raise.ends)
        for (struct case_now *n = first; n; n = case_next(c, n))
            if (case_is_open(n))
                return n;
    return until(c, first, step->raise.occurred_ms);
}
