/* services/notify/store.c - libpq blocks, so it has a thread of its own. */
#include "store.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "lib/store/postgres.h"

#define JOBS_MAX 1024
#define REFRESH_MS 5000 /* freshness words change with time alone */
#define AWAY_MS 1000    /* between two tries while the database is away */
#define ANSWER_MS 5000  /* it is away when it takes longer */
#define SOON_MS 500

struct job {
    uint64_t session;
    char ticket[128];
    char origin[256];
};

struct store {
    struct store_options set;
    struct pg *db;
    struct queue *jobs, *answers;
    atomic_bool fleet_wanted;
    bool away;
    int64_t refreshed_ms; /* 0: never */
    pthread_t thread;
    bool running;
};

/* ---- tickets */
static void hash_of(const char *ticket, char hex[2 * SHA256_DIGEST_LENGTH + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)ticket, strlen(ticket), digest);
    text_hex(hex, digest, sizeof digest);
}

static enum status take_ticket(struct store *s, const struct job *job, struct answer *a,
                               struct fault *fault)
{
    char hash[2 * SHA256_DIGEST_LENGTH + 1];
    const char *params[] = {hash};
    PGresult *rows = NULL;
    enum status st;

    hash_of(job->ticket, hash);
    if ((st = pg_ready(s->db, fault)) != ST_OK ||
        (st = pg_run(s->db,
                     "DELETE FROM ws_ticket WHERE hash = $1 RETURNING user_id, customer_id, "
                     "origin, expires_at > now()",
                     1, params, &rows, fault)) != ST_OK)
        return st == ST_REJECT ? ST_REJECT : ST_RETRY;
    st = ST_REJECT;
    if (PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 3), "t") == 0 &&
        strcmp(PQgetvalue(rows, 0, 2), job->origin) == 0) {
        text_copy(a->user, sizeof a->user, PQgetvalue(rows, 0, 0));
        text_copy(a->customer, sizeof a->customer, PQgetvalue(rows, 0, 1));
        st = ST_OK;
    }
    PQclear(rows);
    return st;
}

/* ---- the fleet */
static bool read_double(const PGresult *rows, int row, int column, double *out)
{
    if (PQgetisnull(rows, row, column))
        return false;
    *out = strtod(PQgetvalue(rows, row, column), NULL);
    return true;
}

static void read_row(struct vehicle_row *v, const PGresult *rows, int row)
{
    struct live *l = &v->live;
    bool position;

    text_copy(v->vin, sizeof v->vin, PQgetvalue(rows, row, 0));
    text_copy(v->customer, sizeof v->customer, PQgetvalue(rows, row, 1));
    text_copy(v->name, sizeof v->name, PQgetvalue(rows, row, 2));
    text_copy(v->plate, sizeof v->plate, PQgetvalue(rows, row, 3));
    memcpy(l->vin, v->vin, sizeof l->vin);
    l->t_ms = strtoll(PQgetvalue(rows, row, 4), NULL, 10); /* NULL reads as "" */
    position = read_double(rows, row, 5, &l->lat);
    l->has_position = read_double(rows, row, 6, &l->lon) && position;
    l->has_speed = read_double(rows, row, 7, &l->speed_kmh);
    l->has_heading = read_double(rows, row, 8, &l->heading_deg);
    l->has_ignition = !PQgetisnull(rows, row, 9);
    l->ignition_on = l->has_ignition && PQgetvalue(rows, row, 9)[0] == 't';
    text_copy(l->connectivity, sizeof l->connectivity, PQgetvalue(rows, row, 10));
    v->private_since_ms = strtoll(PQgetvalue(rows, row, 11), NULL, 10);
}

/* Each time: any call may have found the connection broken and made a new one, which listens to
 * nothing.  Asking twice is asking once. */
static enum status listen_for_news(struct store *s, struct fault *fault)
{
    enum status st = pg_run(s->db, "LISTEN fleet", 0, NULL, NULL, fault);

    return st == ST_OK ? pg_run(s->db, "LISTEN vehicle", 0, NULL, NULL, fault) : st;
}

static enum status read_fleet(struct store *s, struct answer *a, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    if ((st = pg_ready(s->db, fault)) != ST_OK || (st = listen_for_news(s, fault)) != ST_OK ||
        (st = pg_run(s->db,
                     "SELECT v.vin, v.customer_id, v.name, v.plate, s.t_ms, "
                     "CASE WHEN s.private_since IS NULL THEN s.lat END, "
                     "CASE WHEN s.private_since IS NULL THEN s.lon END, s.speed_kmh, "
                     "CASE WHEN s.private_since IS NULL THEN s.heading_deg END, s.ignition_on, "
                     "CASE WHEN s.vin IS NULL THEN 'never' ELSE connectivity(s, now()) END, "
                     "s.private_since FROM vehicle v LEFT JOIN vehicle_state s USING (vin) WHERE "
                     "v.status <> 'retired'",
                     0, NULL, &rows, fault)) != ST_OK)
        return st;
    a->row_count = (size_t)PQntuples(rows);
    a->rows = calloc(a->row_count ? a->row_count : 1, sizeof *a->rows);
    for (size_t i = 0; a->rows && i < a->row_count; i++)
        read_row(&a->rows[i], rows, (int)i);
    PQclear(rows);
    return a->rows ? ST_OK
                   : fault_set(fault, ST_RETRY, "out of memory for %zu vehicles", a->row_count);
}

/* ---- the thread */
static void note(struct store *s, enum status st, const struct fault *fault)
{
    bool away = st == ST_RETRY || st == ST_FATAL;

    if (away && !s->away)
        log_warn("store.away", "store=postgres reason=\"%s\"", fault->text);
    if (!away && s->away)
        log_info("store.back", "store=postgres");
    s->away = away;
    health_set(s->set.health, "postgres", !away);
}

static void answer(struct store *s, struct answer *a)
{
    if (queue_push(s->answers, a, 1000) != ST_OK)
        free(a->rows);
    s->set.wake(s->set.self);
}

static void do_ticket(struct store *s, const struct job *job)
{
    struct answer a = {.kind = ANSWER_TICKET, .session = job->session};
    struct fault fault = {""};

    a.status = take_ticket(s, job, &a, &fault);
    note(s, a.status, &fault);
    answer(s, &a);
}

/* Has anybody told us, or is it time? */
static bool refresh_due(struct store *s)
{
    char channel[32], payload[64];
    bool told = atomic_exchange(&s->fleet_wanted, false);
    int64_t since_ms = clock_boot_ms() - s->refreshed_ms;
    enum status st;

    while ((st = pg_take_notify(s->db, channel, sizeof channel, payload, sizeof payload, NULL)) ==
           ST_OK)
        told = true;
    if (st == ST_RETRY && !s->away) /* the connection broke: nobody would tell us now */
        told = true;
    if (told && since_ms < SOON_MS) { /* later: a burst of news is one reading */
        atomic_store(&s->fleet_wanted, true);
        return false;
    }
    return s->refreshed_ms == 0 || told || since_ms >= (s->away ? AWAY_MS : REFRESH_MS);
}

static void refresh(struct store *s)
{
    struct answer a = {.kind = ANSWER_FLEET};
    struct fault fault = {""};
    enum status st;

    if (!refresh_due(s))
        return;
    st = read_fleet(s, &a, &fault);
    note(s, st, &fault);
    s->refreshed_ms = clock_boot_ms();
    if (st == ST_OK)
        answer(s, &a);
}

static void *store_run(void *self)
{
    struct store *s = self;
    struct job job;
    enum status st;
    size_t n;

    refresh(s);
    while ((st = queue_pop(s->jobs, &job, 1, 200, &n)) != ST_NONE && !stop_asked()) {
        if (st == ST_OK)
            do_ticket(s, &job);
        refresh(s);
    }
    return NULL;
}

enum status store_ask_ticket(struct store *s, uint64_t session, const char *ticket,
                             const char *origin)
{
    struct job job = {.session = session};

    if (!text_copy(job.ticket, sizeof job.ticket, ticket) ||
        !text_copy(job.origin, sizeof job.origin, origin))
        return ST_RETRY;
    return queue_push(s->jobs, &job, 0) == ST_OK ? ST_OK : ST_RETRY;
}

void store_ask_fleet(struct store *s)
{
    atomic_store(&s->fleet_wanted, true);
}

enum status store_take(struct store *s, struct answer *out)
{
    size_t n;

    return queue_pop(s->answers, out, 1, 0, &n) == ST_OK ? ST_OK : ST_NONE;
}

enum status store_start(struct store **out, const struct store_options *options,
                        struct fault *fault)
{
    struct store *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->set = *options;
    if ((st = pg_open(&s->db, options->pg, "vigie-notify", fault)) == ST_OK &&
        (st = queue_open(&s->jobs, JOBS_MAX, sizeof(struct job), fault)) == ST_OK &&
        (st = queue_open(&s->answers, JOBS_MAX, sizeof(struct answer), fault)) == ST_OK) {
        pg_set_patience(s->db, ANSWER_MS);
        s->running = pthread_create(&s->thread, NULL, store_run, s) == 0;
        if (!s->running)
            st = fault_set(fault, ST_FATAL, "cannot start the store thread");
    }
    if (st != ST_OK) {
        store_join(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void store_join(struct store *s)
{
    struct answer left;

    if (!s)
        return;
    if (s->jobs)
        queue_shut(s->jobs);
    if (s->answers)
        queue_shut(s->answers);
    if (s->running)
        pthread_join(s->thread, NULL);
    while (s->answers && store_take(s, &left) == ST_OK)
        free(left.rows);
    queue_close(s->jobs);
    queue_close(s->answers);
    pg_close(s->db);
    free(s);
}
