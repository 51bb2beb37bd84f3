/* services/ingest/vehicles.c - the allow-list.  A yes is kept for a minute, a no for two seconds;
 * while the database is away the last answer stands.  Every record passes here, and `live` with it:
 * a database that hangs is asked rarely. */
#include "vehicles.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/map.h"
#include "record/session.h"

#define VEHICLES_MAX 200000
#define YES_MS 60000
#define NO_MS 2000
#define AWAY_MS 5000   /* between two questions to a database that does not answer */
#define ANSWER_MS 1000 /* it does not answer when it takes longer */
#define FILL_MS 30000  /* between two questions about all */
#define AGAIN_MS 1000  /* the same, when many come that are not known */
#define MANY 16
#define FILL_MOST "20000" /* those heard of last */
#define LOOK_MS 20        /* between two looks at what changed */

struct known {
    bool active;
    int64_t asked_ms;
};

struct vehicles {
    struct pg *db;
    struct map *known;
    unsigned connections; /* pg_connections when we listened last */
    int64_t listening_since_ms, away_until_ms;
    int64_t filled_ms, looked_ms;
    unsigned asked; /* about single vehicles since */
};

enum status vehicles_open(struct vehicles **out, const char *conninfo, struct fault *fault)
{
    struct vehicles *v = calloc(1, sizeof *v);
    enum status st;

    if (!v)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = session_open(&v->db, conninfo, "accept", fault)) != ST_OK ||
        (st = map_open(&v->known, sizeof(struct known), VEHICLES_MAX, NULL, fault)) != ST_OK) {
        vehicles_close(v);
        return st;
    }
    pg_set_patience(v->db, ANSWER_MS);
    *out = v;
    return ST_OK;
}

/* Forget what changed since we last looked. */
static void notice_changes(struct vehicles *v, int64_t now_ms)
{
    char channel[32], vin[64];

    if (now_ms - v->looked_ms < LOOK_MS)
        return;
    v->looked_ms = now_ms;
    while (pg_take_notify(v->db, channel, sizeof channel, vin, sizeof vin, NULL) == ST_OK)
        map_remove(v->known, vin);
}

/* A connection that was lost took its notices along: what was known before it is asked again. */
static enum status listen(struct vehicles *v)
{
    enum status st = pg_ready(v->db, NULL);

    if (st != ST_OK || v->connections == pg_connections(v->db))
        return st;
    if ((st = pg_run(v->db, "LISTEN fleet", 0, NULL, NULL, NULL)) != ST_OK)
        return st;
    v->connections = pg_connections(v->db);
    v->listening_since_ms = clock_boot_ms();
    v->filled_ms = v->listening_since_ms - FILL_MS; /* none is current any more */
    return ST_OK;
}

static enum status ask(struct vehicles *v, const char *vin, bool *active)
{
    PGresult *rows = NULL;

    v->asked++;
    if (listen(v) != ST_OK ||
        pg_run(v->db, "SELECT FROM vehicle WHERE vin = $1 AND status IN ('awaiting', 'active')", 1,
               &vin, &rows, NULL) != ST_OK)
        return ST_RETRY;
    *active = PQntuples(rows) == 1;
    PQclear(rows);
    return ST_OK;
}

/* All that were heard of lately, in one question: a start would ask for each of thousands that
 * drive already, and a minute later again. */
static enum status fill(struct vehicles *v)
{
    enum status st = listen(v);
    int64_t now_ms = clock_boot_ms();
    PGresult *rows = NULL;

    v->filled_ms = now_ms;
    v->asked = 0;
    if (st != ST_OK || pg_run(v->db,
                              "SELECT v.vin FROM vehicle v JOIN vehicle_state s ON s.vin = v.vin "
                              "WHERE v.status IN ('awaiting', 'active') "
                              "AND s.last_seen > now() - interval '15 minutes' "
                              "ORDER BY s.last_seen DESC LIMIT " FILL_MOST,
                              0, NULL, &rows, NULL) != ST_OK)
        return ST_RETRY;
    for (int i = 0; i < PQntuples(rows); i++) {
        struct known *k = map_put(v->known, PQgetvalue(rows, i, 0));

        if (k)
            *k = (struct known){true, now_ms};
    }
    PQclear(rows);
    return ST_OK;
}

/* Nobody was turned away for it yet: the first record asks again. */
void vehicles_prepare(struct vehicles *v)
{
    (void)!fill(v);
}

/* From time to time, and when a crowd comes that nobody asked about yet. */
static bool is_to_fill(const struct vehicles *v, int64_t now_ms)
{
    return now_ms - v->filled_ms >= (v->asked >= MANY ? AGAIN_MS : FILL_MS) &&
           now_ms >= v->away_until_ms;
}

static bool is_current(const struct vehicles *v, const struct known *k, int64_t now_ms)
{
    return k->asked_ms >= v->listening_since_ms &&
           now_ms - k->asked_ms < (k->active ? YES_MS : NO_MS);
}

enum status vehicles_allow(struct vehicles *v, const char *vin)
{
    int64_t now_ms = clock_boot_ms();
    struct known *k;
    bool active;

    notice_changes(v, now_ms);
    if (is_to_fill(v, now_ms) && fill(v) != ST_OK)
        v->away_until_ms = clock_boot_ms() + AWAY_MS;
    k = map_get(v->known, vin);
    if (k && is_current(v, k, now_ms))
        return k->active ? ST_OK : ST_REJECT;
    if (now_ms >= v->away_until_ms) {
        if (ask(v, vin, &active) == ST_OK) {
            if (!(k = map_put(v->known, vin))) /* full: not remembered */
                return active ? ST_OK : ST_REJECT;
            *k = (struct known){active, clock_boot_ms()};
        } else {
            v->away_until_ms = clock_boot_ms() + AWAY_MS;
        }
    }
    if (!k)
        return ST_RETRY;
    return k->active ? ST_OK : ST_REJECT;
}

void vehicles_close(struct vehicles *v)
{
    if (!v)
        return;
    pg_close(v->db);
    map_close(v->known);
    free(v);
}
