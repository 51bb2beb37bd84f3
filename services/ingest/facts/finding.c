/* services/ingest/facts/finding.c - found, found again, not found any more. */
#include "finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void finding_init(struct finding *f, const char *vin, const char *type, const char *subject,
                  int64_t occurred_ms, int64_t detected_ms)
{
    char text[192];

    *f = (struct finding){.occurred_ms = occurred_ms, .detected_ms = detected_ms};
    (void)snprintf(f->type, sizeof f->type, "%s", type);
    (void)snprintf(f->subject, sizeof f->subject, "%s", subject);
    (void)snprintf(text, sizeof text, "found %.20s %s %s %lld", vin, f->type, f->subject,
                   (long long)occurred_ms);
    uuid_of_text(f->id, text);
}

struct named {
    const char *id;
    size_t i;
};

static int by_id(const void *a, const void *b)
{
    const struct named *left = a, *right = b;

    return strcmp(left->id, right->id);
}

/* By id; yours to free, NULL: no memory. */
static struct named *sort(const struct finding *list, size_t n)
{
    struct named *sorted = malloc((n + 1) * sizeof *sorted);

    for (size_t i = 0; sorted && i < n; i++)
        sorted[i] = (struct named){list[i].id, i};
    if (sorted && n > 0)
        qsort(sorted, n, sizeof *sorted, by_id);
    return sorted;
}

bool finding_reconcile(struct finding *fresh, bool *is_new, size_t fresh_n, struct finding *old,
                       bool *is_gone, size_t old_n)
{
    struct named *sorted = sort(old, old_n);

    if (!sorted)
        return false;
    for (size_t j = 0; j < old_n; j++)
        is_gone[j] = true;
    for (size_t i = 0; i < fresh_n; i++) {
        const struct named wanted = {.id = fresh[i].id};
        const struct named *at =
            old_n > 0 ? bsearch(&wanted, sorted, old_n, sizeof wanted, by_id) : NULL;

        is_new[i] = !at || old[at->i].withdrawn;
        if (!at)
            continue;
        fresh[i].detected_ms = old[at->i].detected_ms;
        is_gone[at->i] = false;
    }
    for (size_t j = 0; j < old_n; j++) {
        bool found = !is_gone[j];

        is_gone[j] = !found && !old[j].withdrawn;
        old[j].withdrawn = !found;
    }
    free(sorted);
    return true;
}
