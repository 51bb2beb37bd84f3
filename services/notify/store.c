/* services/notify/store.c - libpq blocks, so it has a thread of its own. */
#include "store.h"

#include <openssl/sha.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "lib/store/postgres.h"
#include "rows.h"

#define JOBS_MAX 1024
#define REFRESH_MS 5000 /* freshness words change with time alone */
#define AWAY_MS 1000    /* between two tries while the database is away */
#define ANSWER_MS 5000  /* it is away when it takes longer */
#define SOON_MS 500
#define LOOK_MS 200
#define FOLLOW_MS 2000       /* changes that nobody announced to this connection */
#define FOLLOW_LONG_MS 30000 /* after an announcement it is looked for so long */

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
    struct vins changed; /* to be read at once */
    struct changes changes;
    int64_t told_ms, followed_ms; /* when a change was announced, and when all were last read */
    bool away;
    int64_t refreshed_ms; /* 0: never */
    int bell;             /* rung for the thread */
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
                     "origin, expires_at > now(), kinds",
                     1, params, &rows, fault)) != ST_OK)
        return st == ST_REJECT ? ST_REJECT : ST_RETRY;
    st = ST_REJECT;
    if (PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 3), "t") == 0 &&
        strcmp(PQgetvalue(rows, 0, 2), job->origin) == 0) {
        text_copy(a->user, sizeof a->user, PQgetvalue(rows, 0, 0));
        text_copy(a->customer, sizeof a->customer, PQgetvalue(rows, 0, 1));
        a->kinds = kinds_read(PQgetvalue(rows, 0, 4));
        st = ST_OK;
    }
    PQclear(rows);
    return st;
}

/* ---- the fleet */
/* Each time: any call may have found the connection broken and made a new one, which listens to
 * nothing.  Asking twice is asking once. */
static enum status listen_for_news(struct store *s, struct fault *fault)
{
    static const char *const listen[] = {"LISTEN fleet", "LISTEN vehicle", "LISTEN change"};
    enum status st = ST_OK;

    for (size_t i = 0; i < sizeof listen / sizeof *listen && st == ST_OK; i++)
        st = pg_run(s->db, listen[i], 0, NULL, NULL, fault);
    return st;
}

static enum status read_fleet(struct store *s, const struct vins *only, struct answer *a,
                              struct fault *fault)
{
    enum status st;

    if ((st = pg_ready(s->db, fault)) != ST_OK || (st = listen_for_news(s, fault)) != ST_OK)
        return st;
    return rows_read(s->db, only, &a->rows, &a->row_count, fault);
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

/* False: the loop does not keep up, and will not hear this. */
static bool answer(struct store *s, struct answer *a)
{
    bool told = queue_push(s->answers, a, 1000) == ST_OK;

    if (!told) {
        free(a->rows);
        changes_drop(&a->news);
    }
    s->set.wake(s->set.self);
    return told;
}

static void do_ticket(struct store *s, const struct job *job)
{
    struct answer a = {.kind = ANSWER_TICKET, .session = job->session};
    struct fault fault = {""};

    a.status = take_ticket(s, job, &a, &fault);
    note(s, a.status, &fault);
    (void)answer(s, &a);
}

/* What the database told us: some vehicles by name, or that it is time to read all. */
static void take_news(struct store *s)
{
    char channel[32], payload[64];
    enum status st;

    while ((st = pg_take_notify(s->db, channel, sizeof channel, payload, sizeof payload, NULL)) ==
           ST_OK)
        if (!strcmp(channel, "change"))
            s->told_ms = clock_boot_ms();
        else if (strcmp(channel, "vehicle") != 0 || !vins_add(&s->changed, payload))
            atomic_store(&s->fleet_wanted, true);
    if (st == ST_RETRY && !s->away) /* the connection broke: nobody would tell us now */
        atomic_store(&s->fleet_wanted, true);
}

static bool refresh_due(const struct store *s)
{
    int64_t since_ms = clock_boot_ms() - s->refreshed_ms;

    if (s->refreshed_ms == 0)
        return true;
    if (atomic_load(&s->fleet_wanted) && !s->away)
        return since_ms >= SOON_MS; /* a burst of news is one reading */
    return since_ms >= (s->away ? AWAY_MS : REFRESH_MS);
}

/* A vehicle that was named is read at once: it may have turned private. */
static void refresh(struct store *s)
{
    bool all = refresh_due(s);
    struct answer a = {.kind = all ? ANSWER_FLEET : ANSWER_VEHICLES};
    struct fault fault = {""};
    enum status st;

    if (!all && (s->changed.n == 0 || s->away))
        return;
    if (all) {
        atomic_store(&s->fleet_wanted, false);
        s->refreshed_ms = clock_boot_ms();
    }
    st = read_fleet(s, all ? NULL : &s->changed, &a, &fault);
    s->changed.n = 0;
    note(s, st, &fault);
    if (st == ST_OK)
        (void)answer(s, &a);
    else
        atomic_store(&s->fleet_wanted, true);
}

/* What was told may have to wait for an older transaction, whose end nobody tells. */
static bool follow_due(const struct store *s)
{
    int64_t now_ms = clock_boot_ms();

    if (s->away || s->refreshed_ms == 0)
        return false; /* the fleet finds out when it is back */
    if (s->told_ms > s->followed_ms || now_ms - s->followed_ms >= FOLLOW_MS)
        return true;
    return now_ms - s->told_ms < FOLLOW_LONG_MS && now_ms - s->followed_ms >= LOOK_MS;
}

static void follow(struct store *s)
{
    struct fault fault = {""};
    struct changes_news news;
    struct answer a = {.kind = ANSWER_CHANGES};
    enum status st = ST_OK;

    if (!follow_due(s))
        return;
    s->followed_ms = clock_boot_ms();
    do {
        if ((st = pg_ready(s->db, &fault)) != ST_OK ||
            (st = changes_read(&s->changes, &news, &fault)) != ST_OK)
            break;
        a.news = news;
        if (!answer(s, &a))
            return; /* it comes again */
        changes_took(&s->changes, &news);
    } while (news.more && !stop_asked());
    note(s, st, &fault);
}

/* Until somebody asks, the database tells something, or it is time to look. */
static void wait_for_work(struct store *s)
{
    struct pollfd at[] = {{s->bell, POLLIN, 0}, {pg_socket(s->db), POLLIN, 0}};
    uint64_t rung;

    (void)poll(at, 2, LOOK_MS);
    if (at[0].revents)
        (void)!read(s->bell, &rung, sizeof rung);
}

static void *store_run(void *self)
{
    struct store *s = self;
    struct job job;
    enum status st;
    size_t n;

    refresh(s);
    follow(s);
    while ((st = queue_pop(s->jobs, &job, 1, 0, &n)) != ST_NONE && !stop_asked()) {
        if (st == ST_OK)
            do_ticket(s, &job);
        else
            wait_for_work(s);
        take_news(s);
        refresh(s);
        follow(s);
    }
    return NULL;
}

static void ring(struct store *s)
{
    uint64_t one = 1;

    (void)!write(s->bell, &one, sizeof one); /* full: it has rung already */
}

enum status store_ask_ticket(struct store *s, uint64_t session, const char *ticket,
                             const char *origin)
{
    struct job job = {.session = session};

    if (!text_copy(job.ticket, sizeof job.ticket, ticket) ||
        !text_copy(job.origin, sizeof job.origin, origin))
        return ST_RETRY;
    if (queue_push(s->jobs, &job, 0) != ST_OK)
        return ST_RETRY;
    ring(s);
    return ST_OK;
}

void store_ask_fleet(struct store *s)
{
    atomic_store(&s->fleet_wanted, true);
    ring(s);
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
    s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->bell < 0) {
        free(s);
        return fault_set(fault, ST_FATAL, "no file descriptor for the store's thread");
    }
    if ((st = pg_open(&s->db, options->pg, "vigie-notify", fault)) == ST_OK &&
        (st = queue_open(&s->jobs, JOBS_MAX, sizeof(struct job), fault)) == ST_OK &&
        (st = queue_open(&s->answers, JOBS_MAX, sizeof(struct answer), fault)) == ST_OK) {
        pg_set_patience(s->db, ANSWER_MS);
        s->changes.db = s->db;
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
    ring(s);
    if (s->running)
        pthread_join(s->thread, NULL);
    while (s->answers && store_take(s, &left) == ST_OK) {
        free(left.rows);
        changes_drop(&left.news);
    }
    queue_close(s->jobs);
    queue_close(s->answers);
    pg_close(s->db);
    close(s->bell);
    free(s);
}
