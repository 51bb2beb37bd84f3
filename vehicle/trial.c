/* vehicle/trial.c - see trial.h. */
#include "trial.h"

static void trial_seek(struct trial *t, enum trial_state whose, int64_t boot_ms)
{
    t->state = whose;
    t->until_ms = boot_ms + t->window_ms;
}

void trial_begin(struct trial *t, int64_t boot_ms, int64_t window_ms)
{
    t->window_ms = window_ms;
    trial_seek(t, TRIAL_NEW, boot_ms);
}

enum trial_verdict trial_look(struct trial *t, int64_t boot_ms, enum trial_link link)
{
    enum trial_state sought = t->state;

    if (sought == TRIAL_NONE)
        return TRIAL_GO_ON;
    if (link == TRIAL_UP) {
        t->state = TRIAL_NONE;
        return sought == TRIAL_NEW ? TRIAL_KEEP : TRIAL_REFUSE;
    }
    if (link == TRIAL_CLOSED) {
        trial_seek(t, sought, boot_ms);
        return TRIAL_GO_ON;
    }
    if (boot_ms < t->until_ms)
        return TRIAL_GO_ON;
    trial_seek(t, sought == TRIAL_NEW ? TRIAL_OLD : TRIAL_NEW, boot_ms);
    return sought == TRIAL_NEW ? TRIAL_GO_BACK : TRIAL_TRY_AGAIN;
}
