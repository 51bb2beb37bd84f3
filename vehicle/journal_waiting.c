/* vehicle/journal_waiting.c - what waits for the journal's next commit: see journal.h. */
#include "journal_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

void journal_free_fact(struct journal_fact *f)
{
    free(f->data);
    free(f->result);
}

/* The oldest event makes room for an event, the oldest alert for an alert. */
static void journal_drop(struct journal *j, bool alert)
{
    size_t i = 0;

    while ((j->events[i].severity[0] != '\0') != alert)
        i++;
    journal_free_fact(&j->events[i]);
    memmove(j->events + i, j->events + i + 1, (--j->event_count - i) * sizeof j->events[0]);
    j->alert_count -= alert;
    j->lost_facts++;
    metric_add(j->dropped, NULL, 1);
}

/* NULL: no memory. */
static struct journal_fact *journal_add(struct journal *j, const char *type, const char *severity,
                                        int64_t t_ms, const char *data)
{
    struct journal_fact *f;
    bool alert = severity[0] != '\0';
    unsigned char random[10];
    char *copy = strdup(data);

    if (copy == NULL)
        return NULL;
    if (alert ? j->alert_count == JOURNAL_ALERTS_MAX
              : j->event_count - j->alert_count == JOURNAL_EVENTS_MAX)
        journal_drop(j, alert);
    j->alert_count += alert;
    f = &j->events[j->event_count++];
    memset(f, 0, sizeof *f);
    f->fact.t_ms = t_ms;
    f->data = copy;
    text_random(random, sizeof random);
    uuid_v7(f->fact.id, t_ms, random);
    (void)text_copy(f->fact.type, sizeof f->fact.type, type);
    (void)text_copy(f->severity, sizeof f->severity, severity);
    return f;
}

void journal_alert(struct journal *j, const char *type, const char *severity, int64_t t_ms,
                   const char *data)
{
    (void)journal_add(j, type, severity, t_ms, data);
}

void journal_alert_dated(struct journal *j, const char *type, const char *severity, int64_t t_ms,
                         const char *data)
{
    struct journal_fact *f = journal_add(j, type, severity, t_ms, data);

    if (f != NULL)
        f->dated = true;
}

void journal_result(struct journal *j, const char *command, enum command_state state,
                    const char *reason, const char *data)
{
    struct result *r = calloc(1, sizeof *r);
    struct journal_fact *f =
        r != NULL ? journal_add(j, "", "result", 0, data != NULL ? data : "") : NULL;

    if (f == NULL) {
        free(r);
        return;
    }
    f->result = r;
    r->state = state;
    (void)text_copy(r->command, sizeof r->command, command);
    (void)text_copy(r->reason, sizeof r->reason, reason);
}

bool journal_has_facts(const struct journal *j)
{
    return j->event_count > 0;
}

void journal_event(struct journal *j, const char *type, int64_t t_ms, const char *data)
{
    journal_alert(j, type, "", t_ms, data);
}

void journal_diagnosis(struct journal *j, const struct diagnosis *d)
{
    j->diagnosis = *d;
    j->has_diagnosis = true;
}

void journal_note(struct journal *j, const char *name, const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < j->note_count && strcmp(j->notes[i].name, name) != 0)
        i++;
    if (i == JOURNAL_NOTES_MAX)
        return; /* never: two streams, eight sites, three names */
    if (i == j->note_count) {
        (void)text_copy(j->notes[i].name, sizeof j->notes[i].name, name);
        j->note_count++;
    }
    text_clear(&j->notes[i].value);
    text_add(&j->notes[i].value, bytes, len);
}

void journal_ack(struct journal *j, enum outbox_stream stream, const char *site, const char *bytes,
                 size_t len)
{
    char name[80];

    snprintf(name, sizeof name, "ack/%s/%s", outbox_stream_name(stream), site);
    journal_note(j, name, bytes, len);
}
