/* services/ingest/car/rules.c - each rule steps over the values of its signal. */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "lib/text.h"

bool rule_has_place(const struct rule_entry *rule, const struct fence_list *fences)
{
    if (rule->rule.place == RULE_ANYWHERE)
        return true;
    for (size_t i = 0; i < fences->n; i++)
        if (!memcmp(fences->all[i]->key, rule->fence, sizeof rule->fence))
            return true;
    return false;
}

int64_t rules_reach_ms(const struct rule_list *list)
{
    int64_t most_ms = 0;

    for (size_t i = 0; i < list->n && i < RULES_MAX; i++) {
        const struct rule *r = &list->all[i]->rule;
        int64_t reach_ms = r->duration_ms + (r->repeat > 1 ? r->repeat_ms : 0);

        most_ms = reach_ms > most_ms ? reach_ms : most_ms;
    }
    return most_ms;
}

/* What was raised by a rule that is gone, or is another now, is over. */
static void end(const unsigned char key[16], const struct rule_state *state, int64_t t_ms,
                struct car_out *out)
{
    struct found *f = state->raised ? car_out_add(out, FOUND_END, "rule", t_ms, t_ms) : NULL;

    if (f)
        uuid_print(f->subject, key);
}

static struct rule_state *state_of(struct rules *s, const struct rule_entry *rule, int64_t t_ms,
                                   struct car_out *out)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (memcmp(s->each[i].key, rule->key, sizeof rule->key) != 0)
            continue;
        if (s->each[i].version != rule->version) { /* another rule by the same name */
            end(rule->key, &s->each[i].state, t_ms, out);
            memset(&s->each[i].state, 0, sizeof s->each[i].state);
            s->each[i].version = rule->version;
        }
        return &s->each[i].state;
    }
    if (s->n == RULES_MAX)
        return NULL;
    memset(&s->each[s->n], 0, sizeof s->each[s->n]);
    memcpy(s->each[s->n].key, rule->key, sizeof rule->key);
    s->each[s->n].version = rule->version;
    return &s->each[s->n++].state;
}

/* `hint`: where it most often is. */
static bool is_listed(const struct rule_list *list, const unsigned char key[16], size_t hint)
{
    if (hint < list->n && !memcmp(list->all[hint]->key, key, sizeof list->all[hint]->key))
        return true;
    for (size_t i = 0; i < list->n && i < RULES_MAX; i++)
        if (!memcmp(list->all[i]->key, key, sizeof list->all[i]->key))
            return true;
    return false;
}

static void forget_others(struct rules *s, const struct rule_list *list, int64_t t_ms,
                          struct car_out *out)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (is_listed(list, s->each[i].key, (size_t)i))
            continue;
        end(s->each[i].key, &s->each[i].state, t_ms, out);
        s->each[i--] = s->each[--s->n];
        memset(&s->each[s->n], 0, sizeof s->each[s->n]);
    }
}

static void tell(const struct rule_entry *rule, enum rule_fact fact, const struct rule_state *state,
                 int64_t t_ms, double value, struct car_out *out)
{
    bool raised = fact == RULE_RAISED;
    struct found *f = car_out_add(out, raised ? FOUND_EVENT | FOUND_ALERT : FOUND_END, "rule",
                                  raised ? state->raised_ms : t_ms, t_ms);

    if (!f)
        return;
    text_copy(f->subject, sizeof f->subject, rule->id);
    f->severity = rule->severity;
    if (raised)
        (void)snprintf(f->data, sizeof f->data, "{\"rule\":\"%s\",\"value\":%.10g}", rule->id,
                       value);
}

void rules_step(struct rules *s, const struct rule_list *list, const struct fences *fences,
                const struct wall *wall, int64_t t_ms, const struct reading *readings, size_t n,
                struct car_out *out)
{
    bool placed = fences_placed(fences, t_ms);

    forget_others(s, list, t_ms, out);
    for (size_t i = 0; i < list->n && i < RULES_MAX; i++) {
        const struct rule_entry *rule = list->all[i];
        struct rule_state *state;
        enum rule_fact fact;
        size_t k = 0;

        while (k < n && readings[k].signal != rule->rule.signal)
            k++;
        if (k == n || (rule->rule.place != RULE_ANYWHERE && !placed) ||
            !(state = state_of(s, rule, t_ms, out)))
            continue;
        fact = rule_step(state, &rule->rule, t_ms, readings[k].value,
                         fences_inside(fences, rule->fence), wall_ahead_min(wall, t_ms));
        if (fact != RULE_NONE)
            tell(rule, fact, state, t_ms, readings[k].value, out);
    }
}
