/* services/ingest/car/rules.c - each rule steps over the values of its signal. */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "lib/text.h"

static struct rule_state *state_of(struct rules *s, const struct rule_entry *rule)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (memcmp(s->each[i].key, rule->key, sizeof rule->key) != 0)
            continue;
        if (s->each[i].version != rule->version) { /* another rule by the same name */
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

static bool is_listed(const struct rule_list *list, const unsigned char key[16])
{
    for (size_t i = 0; i < list->n && i < RULES_MAX; i++)
        if (!memcmp(list->all[i]->key, key, sizeof list->all[i]->key))
            return true;
    return false;
}

static void forget_others(struct rules *s, const struct rule_list *list)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (is_listed(list, s->each[i].key))
            continue;
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

    if (s->n > 0 && s->n != (int64_t)list->n)
        forget_others(s, list);
    for (size_t i = 0; i < list->n && i < RULES_MAX; i++) {
        const struct rule_entry *rule = list->all[i];
        struct rule_state *state;
        enum rule_fact fact;
        size_t k = 0;

        while (k < n && readings[k].signal != rule->rule.signal)
            k++;
        if (k == n || (rule->rule.place != RULE_ANYWHERE && !placed) ||
            !(state = state_of(s, rule)))
            continue;
        fact = rule_step(state, &rule->rule, t_ms, readings[k].value,
                         fences_inside(fences, rule->fence), wall_ahead_min(wall, t_ms));
        if (fact != RULE_NONE)
            tell(rule, fact, state, t_ms, readings[k].value, out);
    }
}
