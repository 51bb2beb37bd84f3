/* services/ingest/commit/cases_write.c - what the steps of a group made of its cases becomes rows,
 * messages and words for the broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases_inside.h"
#include "messages.h"
#include "proto/hash.h"

/* ---- what was written is told */
static void note_messages(struct cases *c, const struct case_now *now)
{
    for (uint32_t at = now->first_message; at; at = c->messages[at - 1].next) {
        const struct case_message *m = &c->messages[at - 1];
        const struct message to = {now->alert.id, m->transition, alert_severity_word(m->severity),
                                   m->opening, m->late};

        messages_add(strcmp(m->transition, "cleared") ? &c->told : &c->cleared, &to);
    }
}

static void note_change_of(struct cases *c, const struct case_now *now)
{
    struct alert_change_message *m = &c->changes[c->changes_n++];

    *m = (struct alert_change_message){.occurred_ms = now->alert.occurred_ms,
                                       .detected_ms = now->alert.detected_ms,
                                       .count = now->alert.count};
    text_copy(m->id, sizeof m->id, now->alert.id);
    text_copy(m->vin, sizeof m->vin, now->key.vin);
    text_copy(m->type, sizeof m->type, now->key.type);
    text_copy(m->severity, sizeof m->severity, alert_severity_word(now->alert.severity));
    text_copy(m->state, sizeof m->state, alert_state_word(now->alert.state));
    note_messages(c, now);
}

static bool is_to_write(const struct case_now *now)
{
    return now->changed && now->writing == CASE_TO_WRITE;
}

static enum status write_rows(struct cases *c, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    case_rows_begin(&c->c);
    for (size_t i = 0; i < c->now_n; i++)
        if (is_to_write(&c->now[i]))
            case_rows_add(&c->c, &c->text, &c->now[i]);
    if ((st = case_rows_write(&c->c, c->db, &rows, fault)) != ST_OK)
        return st;
    if (!room_grow((void **)&c->changes, sizeof *c->changes, c->changes_n + (size_t)PQntuples(rows),
                   &c->changes_room)) {
        PQclear(rows);
        return fault_set(fault, ST_RETRY, "out of memory for changes");
    }
    for (size_t i = 0; i < c->now_n; i++) {
        struct case_now *now = &c->now[i];

        if (!is_to_write(now))
            continue;
        now->writing = case_rows_find(rows, now->alert.id) >= 0 ? CASE_WRITTEN : CASE_TO_NAME;
        if (now->writing == CASE_WRITTEN)
            note_change_of(c, now);
    }
    PQclear(rows);
    return ST_OK;
}

/* ---- ids */
/* Two cars may come with one id in one group: the second waits. */
static enum status each_id_once(struct cases *c, struct fault *fault)
{
    if (!slots_begin(&c->by_key, c->now_n))
        return fault_set(fault, ST_RETRY, "out of memory for alerts");
    for (size_t i = 0; i < c->now_n; i++) {
        struct case_now *now = &c->now[i];
        uint32_t *at;

        if (!is_to_write(now))
            continue;
        at = slots_first(&c->by_key, hash_bytes(0, now->alert.id, strlen(now->alert.id)));
        while (*at && strcmp(c->now[*at - 1].alert.id, now->alert.id) != 0)
            at = slots_next(&c->by_key, at);
        if (*at)
            now->writing = CASE_TO_NAME;
        else
            *at = (uint32_t)i + 1;
    }
    return ST_OK;
}

/* A case whose id is another vehicle's, or another sort's of its own, gets one that only this
 * vehicle can have: the same each time it comes. */
static void name_anew(struct case_now *now, const char *since)
{
    char text[UUID_TEXT + sizeof now->key.vin + 48];

    (void)snprintf(text, sizeof text, "alert %s %s %s", now->key.vin, now->alert.id, since);
    uuid_of_text(now->alert.id, text);
    now->writing = CASE_TO_WRITE;
}

static enum status write_those_taken(struct cases *c, struct fault *fault)
{
    PGresult *taken = NULL;
    enum status st;
    bool any = false;

    case_taken_begin(&c->c);
    for (size_t i = 0; i < c->now_n; i++)
        if (c->now[i].changed && c->now[i].writing == CASE_TO_NAME) {
            case_taken_add(&c->c, i, &c->now[i]);
            any = true;
        }
    if ((st = case_taken_read(&c->c, c->db, &taken, fault)) != ST_OK || !any)
        return st;
    for (int row = 0; row < PQntuples(taken); row++)
        name_anew(&c->now[strtoull(PQgetvalue(taken, row, 0), NULL, 10)],
                  PQgetvalue(taken, row, 1));
    any = PQntuples(taken) > 0;
    PQclear(taken);
    return any ? write_rows(c, fault) : ST_OK;
}

enum status cases_write_changed(struct cases *c, struct fault *fault)
{
    enum status st;

    messages_begin(&c->told);
    messages_begin(&c->cleared);
    if ((st = each_id_once(c, fault)) != ST_OK || (st = write_rows(c, fault)) != ST_OK ||
        (st = write_those_taken(c, fault)) != ST_OK ||
        (st = messages_write(&c->told, c->db, fault)) != ST_OK)
        return st;
    return messages_write(&c->cleared, c->db, fault); /* to whom the others went */
}

/* ---- cursors */
/* The cursor of each, as the log of changes has it in this transaction: there once that is
 * committed. */
enum status cases_ask_cursors(struct cases *c, struct fault *fault)
{
    static const struct pg_statement ask = {
        .sql = "SELECT DISTINCT ON (ref) ref, change_cursor(c) FROM change c "
               "WHERE xid = pg_current_xact_id() AND kind = 'alert' ORDER BY ref, id DESC",
        .often = true};

    return c->changes_n ? pg_queue(c->db, &ask, &c->cursors, fault) : ST_OK;
}

const struct alert_change_message *cases_changes(struct cases *c, size_t *n)
{
    for (size_t k = 0; k < c->changes_n; k++) {
        int row = case_rows_find(c->cursors, c->changes[k].id);

        if (row >= 0)
            text_copy(c->changes[k].cursor, sizeof c->changes[k].cursor,
                      PQgetvalue(c->cursors, row, 1));
    }
    PQclear(c->cursors);
    c->cursors = NULL;
    *n = c->changes_n;
    return c->changes;
}
