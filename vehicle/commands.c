/* vehicle/commands.c - see commands.h. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

#define COMMANDS_STANDING_KMH 5 /* a receiver's speed below it may be noise of a parked car */
#define COMMANDS_PRIVATE_MS (366 * 86400000LL) /* later is a slip: microseconds, a wrong year */
#define COMMANDS_TEXT_MAX (256 * 1024)

static const struct commands_answer *commands_find(const struct commands *all, const char *id)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->answers[i].id, id) == 0)
            return &all->answers[i];
    return NULL;
}

/* ---- the verdict */

/* Why it will not be done, NULL: nothing speaks against it. */
static const char *commands_objection(const struct command *c, const struct commands_car *car,
                                      int64_t now_ms)
{
    switch (c->type) {
    case COMMAND_PHOTO:
    case COMMAND_CLIP:
    case COMMAND_STREAM_START:
    case COMMAND_STREAM_STOP:
        if (!car->has_camera)
            return "no camera";
        return car->is_private && c->type != COMMAND_STREAM_STOP ? "private mode" : NULL;
    case COMMAND_DIAGNOSTICS_CLEAR:
        if (!car->time_known)
            return "the time is not known, so this may be an old command";
        return car->gps_kmh >= COMMANDS_STANDING_KMH ? "the car moves" : NULL;
    case COMMAND_PRIVACY_SET:
        if (c->args.privacy.until_ms != 0 && !c->args.privacy.on)
            return "until goes with on";
        if (c->args.privacy.until_ms != 0 && car->time_known && c->args.privacy.until_ms <= now_ms)
            return "until is past";
        if (car->time_known && c->args.privacy.until_ms - now_ms > COMMANDS_PRIVATE_MS)
            return "until is more than a year from now: without it, it lasts until it is ended";
        return NULL;
    default:
        return NULL;
    }
}

void commands_judge(struct commands_verdict *out, const struct commands *all,
                    const struct command *c, enum status read, const char *why,
                    const struct commands_car *car, int64_t now_ms)
{
    const struct commands_answer *before = commands_find(all, c->id);
    struct commands_answer *a = &out->answer;
    const char *objection;

    memset(out, 0, sizeof *out);
    if (before != NULL) {
        out->seen = true;
        *a = *before;
        return;
    }
    memcpy(a->id, c->id, sizeof a->id);
    a->expires_ms = c->expires_ms;
    a->state = COMMAND_REFUSED;
    if (car->time_known && c->expires_ms != 0 && c->expires_ms <= now_ms) {
        a->state = COMMAND_EXPIRED;
        (void)text_copy(a->reason, sizeof a->reason, "it came too late");
    } else if (read != ST_OK) {
        (void)text_copy(a->reason, sizeof a->reason, why);
    } else if ((objection = commands_objection(c, car, now_ms)) != NULL) {
        (void)text_copy(a->reason, sizeof a->reason, objection);
    } else if (car->running >= COMMANDS_RUNNING_MAX) {
        (void)text_copy(a->reason, sizeof a->reason, "too many commands are under way");
    } else {
        a->state = COMMAND_DELIVERED;
        out->begin = true;
    }
}

/* ---- memory */

static void commands_forget_one(struct commands *all)
{
    size_t i = 0;

    while (i < all->count && !command_state_is_final(all->answers[i].state))
        i++;
    if (i == all->count)
        i = 0;
    memmove(all->answers + i, all->answers + i + 1, (--all->count - i) * sizeof all->answers[0]);
}

void commands_keep(struct commands *all, const struct commands_answer *answer)
{
    struct commands_answer *known = (struct commands_answer *)commands_find(all, answer->id);

    if (known == NULL) {
        if (all->count == COMMANDS_KEPT)
            commands_forget_one(all);
        known = &all->answers[all->count++];
    }
    *known = *answer;
}

const struct commands_answer *commands_unfinished(const struct commands *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (!command_state_is_final(all->answers[i].state))
            return &all->answers[i];
    return NULL;
}

/* ---- as text: {"answers":[[id, state, expires, reason], ...]} */

void commands_write(const struct commands *all, struct text *out)
{
    json_t *list = json_array();
    json_t *root = json_pack("{s:o}", "answers", list);
    char *text;

    for (size_t i = 0; i < all->count; i++) {
        const struct commands_answer *a = &all->answers[i];

        json_array_append_new(list, json_pack("[s,s,I,s]", a->id, command_state_word(a->state),
                                              (json_int_t)a->expires_ms, a->reason));
    }
    text_clear(out);
    if (root != NULL && (text = json_dumps(root, JSON_COMPACT)) != NULL) {
        text_add(out, text, strlen(text));
        free(text);
    }
    json_decref(root);
}

static enum status commands_take(struct commands_answer *out, json_t *row, struct fault *fault)
{
    const char *id, *state, *reason;
    json_int_t expires;

    memset(out, 0, sizeof *out);
    if (json_unpack(row, "[s,s,I,s]", &id, &state, &expires, &reason) != 0 ||
        !uuid_is_valid(id, strlen(id)) || command_state_of(state, &out->state, NULL) != ST_OK ||
        !command_state_is_a_result(out->state) || expires < 0)
        return fault_set(fault, ST_REJECT, "a kept answer is damaged");
    (void)text_copy(out->id, sizeof out->id, id);
    (void)text_copy(out->reason, sizeof out->reason, reason);
    out->expires_ms = expires;
    return ST_OK;
}

enum status commands_load(struct commands *out, const char *bytes, size_t len, struct fault *fault)
{
    struct commands_answer answer;
    json_t *root, *list;
    enum status st;

    memset(out, 0, sizeof *out);
    if ((st = json_read(&root, bytes, len, COMMANDS_TEXT_MAX, fault)) != ST_OK)
        return st;
    list = json_object_get(root, "answers");
    if (!json_is_array(list))
        st = fault_set(fault, ST_REJECT, "the kept answers are damaged");
    for (size_t i = 0; st == ST_OK && i < json_array_size(list); i++)
        if ((st = commands_take(&answer, json_array_get(list, i), fault)) == ST_OK)
            commands_keep(out, &answer);
    json_decref(root);
    if (st != ST_OK)
        memset(out, 0, sizeof *out);
    return st;
}
