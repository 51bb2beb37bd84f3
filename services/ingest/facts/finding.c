/* services/ingest/facts/finding.c - found, found again, not found any more. */
#include "finding.h"

#include <stdio.h>
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

static size_t find(const struct finding *list, size_t n, const char *id)
{
    size_t i = 0;

    while (i < n && strcmp(list[i].id, id) != 0)
        i++;
    return i;
}

void finding_reconcile(struct finding *fresh, bool *is_new, size_t fresh_n, struct finding *old,
                       bool *is_gone, size_t old_n)
{
    for (size_t i = 0; i < fresh_n; i++) {
        size_t j = find(old, old_n, fresh[i].id);

        is_new[i] = j == old_n || old[j].withdrawn;
        if (j < old_n)
            fresh[i].detected_ms = old[j].detected_ms;
    }
    for (size_t j = 0; j < old_n; j++) {
        bool found = find(fresh, fresh_n, old[j].id) < fresh_n;

        is_gone[j] = !found && !old[j].withdrawn;
        old[j].withdrawn = !found;
    }
}
