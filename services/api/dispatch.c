/* services/api/dispatch.c - the thread that sends. */
#include "dispatch.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "barred.h"
#include "config.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mqtt.h"
#include "meters.h"
#include "proto/command.h"
#include "proto/topic.h"
#include "tenant.h"

#define ROUND_MS 1000
#define ROUND_MOST 100  /* rows at once */
#define ROUNDS_MOST 50  /* then other things have their turn */
#define CONFIRM_MS 5000 /* for the broker */
#define ONLINE_MOST 64  /* vehicles that came online, per round; the others wait 30 s at most */
#define ANSWER_MS 6000
#define BAR_MS 60000 /* the deny list is compared again */

struct dispatch {
    struct worker worker; /* for its connection and its roles */
    struct mqtt *mqtt;    /* NULL: no broker was named */
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_uint losses;    /* of the connection to the broker */
    unsigned listening;    /* pg_connections when LISTEN was said */
    bool renewed;          /* configurations were compared with our settings */
    bool fleet_changed;    /* a vehicle may have become active */
    bool bar;              /* a vehicle may have been sent away */
    int64_t bar_ms;        /* clock_boot_ms: when to look for that unasked */
    struct fault unbarred; /* why the deny list is not written, as last said in the log */
    bool away;             /* PostgreSQL, as last said in the log */
    char online[ONLINE_MOST][VIN_LEN + 1];
    size_t online_count;
};

/* ---- the broker */
static void on_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct dispatch *d = self;

    if (connected) {
        log_info("broker.connected", "broker=%s", broker);
        return;
    }
    atomic_fetch_add(&d->losses, 1);
    log_warn("broker.lost", "broker=%s reason=\"%s\"", broker, reason);
}

static void on_refused(void *self, int reason, const char *what)
{
    struct dispatch *d = self;

    atomic_fetch_add(&d->losses, 1); /* not confirmed: it stays to be sent */
    log_warn("broker.refused", "reason_code=%d what=\"%s\"", reason, what);
}

static void on_kept(void *self, const char *reason)
{
    (void)self;
    log_error("broker.kept", "reason=\"%s\"", reason);
}

static enum status connect_broker(struct dispatch *d, struct fault *fault)
{
    const struct api_settings *set = d->worker.shared->set;
    unsigned char random[4];
    char id[96], suffix[9];
    struct mqtt_options o = {.brokers = set->mqtt,
                             .client_id = id,
                             .ca = set->ca,
                             .cert = set->cert,
                             .key = set->key,
                             .on_connection = on_connection,
                             .on_kept = on_kept,
                             .on_refused = on_refused,
                             .self = d};

    if (!set->mqtt[0])
        return ST_OK;
    /* Nothing is kept for us at the broker, and two with one name would throw each other out. */
    text_random(random, sizeof random);
    text_hex(suffix, random, sizeof random);
    snprintf(id, sizeof id, "svc-api-%.60s-%s", set->common.site, suffix);
    return mqtt_open(&d->mqtt, &o, fault);
}

static bool can_send(struct dispatch *d)
{
    return d->mqtt && mqtt_is_connected(d->mqtt);
}

/* Has the broker confirmed everything handed over since `losses` was read? */
static bool is_confirmed(struct dispatch *d, unsigned losses)
{
    struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    int64_t end_ms = clock_boot_ms() + CONFIRM_MS;

    while (mqtt_unsent_bytes(d->mqtt) > 0 && clock_boot_ms() < end_ms && !atomic_load(&d->stop))
        nanosleep(&pause, NULL);
    return mqtt_unsent_bytes(d->mqtt) == 0 && atomic_load(&d->losses) == losses;
}

/* ---- commands */
static enum status expire(struct dispatch *d, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    if ((st = dispatch_begin(&d->worker, fault)) != ST_OK ||
        (st = pg_run(d->worker.pg,
                     "WITH due AS (SELECT id FROM command WHERE state IN ('queued', 'sent')"
                     " AND expires_at <= now() OR state = 'delivered'"
                     " AND expires_at <= now() - interval '1 h' FOR UPDATE SKIP LOCKED)"
                     " UPDATE command c SET state = 'expired', ended_at = now(),"
                     " version = version + 1, reason = CASE c.state WHEN 'queued' THEN 'not-sent'"
                     " WHEN 'sent' THEN 'no-answer' ELSE 'no-result' END"
                     " FROM due WHERE c.id = due.id RETURNING c.id",
                     0, NULL, &rows, fault)) != ST_OK)
        return st;
    st = pg_commit(d->worker.pg, fault);
    if (st == ST_OK)
        meters_commands("expired", PQntuples(rows));
    PQclear(rows);
    return st;
}

/* One row: id, vin, type, args, ms of its expiry.  What is in the table was checked when it came
 * in. */
static enum status publish_command(struct dispatch *d, const PGresult *rows, int i,
                                   struct fault *fault)
{
    const char *vin = PQgetvalue(rows, i, 1);
    char topic[TOPIC_MAX], payload[2048];
    struct mqtt_publish p = {.topic = topic, .payload = payload, .qos = 1};
    struct command c = {.expires_ms = strtoll(PQgetvalue(rows, i, 4), NULL, 10)};
    int64_t left_ms = c.expires_ms - clock_now_ms();
    json_t *args = json_stored(PQgetvalue(rows, i, 3));
    enum status st;

    text_copy(c.id, sizeof c.id, PQgetvalue(rows, i, 0));
    if ((st = command_type_of(PQgetvalue(rows, i, 2), &c.type, fault)) == ST_OK &&
        (st = command_args_read(&c, args, fault)) == ST_OK)
        st = command_write(&c, payload, sizeof payload, &p.len, fault);
    json_decref(args);
    if (st != ST_OK)
        return st;
    p.expiry_s = left_ms > 1000 ? (int)(left_ms / 1000) : 1;
    topic_format(topic, vin, LEAF_COMMAND);
    return mqtt_publish(d->mqtt, &p, fault);
}

/* Those that came online, as a PostgreSQL array. */
static void online_array(const struct dispatch *d, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "{");

    for (size_t i = 0; i < d->online_count && len + VIN_LEN + 3 < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i ? "," : "", d->online[i]);
    snprintf(out + len, size - len, "}");
}

/* Lock what is to go out now: the oldest queued one of each vehicle, and what was not answered. */
static enum status take_commands(struct dispatch *d, PGresult **rows, struct fault *fault)
{
    char online[ONLINE_MOST * (VIN_LEN + 1) + 3];
    const char *params[] = {online};

    online_array(d, online, sizeof online);
    return pg_run(
        d->worker.pg,
        "SELECT c.id, c.vin, c.type, c.args, (extract(epoch FROM c.expires_at) * 1000)::bigint"
        " FROM command c WHERE c.expires_at > now() AND (c.state = 'queued' OR c.state = 'sent'"
        " AND (c.sent_at < now() - interval '30 s' OR c.vin = ANY ($1::text[])))"
        " AND NOT EXISTS (SELECT FROM command e WHERE e.vin = c.vin AND e.n < c.n"
        " AND e.state = 'queued') ORDER BY c.n LIMIT 100 FOR UPDATE OF c SKIP LOCKED",
        1, params, rows, fault);
}

static enum status mark_sent(struct dispatch *d, const PGresult *rows, const bool *went,
                             struct fault *fault)
{
    struct pg_array ids = {0};
    enum status st;

    pg_array_begin(&ids, PG_UUID);
    for (int i = 0; i < PQntuples(rows); i++)
        if (went[i])
            pg_array_uuid(&ids, PQgetvalue(rows, i, 0));
    pg_array_end(&ids);
    {
        const Oid types[] = {pg_array_type(&ids)};
        const char *params[] = {ids.bytes};
        const int lengths[] = {(int)ids.len}, formats[] = {1};

        st = ids.failed ? fault_set(fault, ST_RETRY, "out of memory")
                        : pg_run_typed(d->worker.pg,
                                       "UPDATE command SET sent_at = now(), state = 'sent',"
                                       " version = version + (state = 'queued')::integer"
                                       " WHERE id = ANY ($1)",
                                       1, types, params, lengths, formats, NULL, fault);
    }
    pg_array_done(&ids);
    return st;
}

/* Hand over, wait for the broker, write down.  *sent: how many. */
static enum status send_taken(struct dispatch *d, const PGresult *rows, int *sent,
                              struct fault *fault)
{
    unsigned losses = atomic_load(&d->losses);
    bool went[ROUND_MOST] = {false};
    struct fault why = {""};
    enum status st;
    int n = 0;

    for (int i = 0; i < PQntuples(rows) && i < ROUND_MOST; i++) {
        st = publish_command(d, rows, i, &why);
        went[i] = st == ST_OK;
        n += went[i];
        if (st == ST_RETRY)
            break; /* the others keep their order */
        if (st != ST_OK)
            log_error("command.unsendable", "command=%s reason=\"%s\"", PQgetvalue(rows, i, 0),
                      why.text);
    }
    if (!n || !is_confirmed(d, losses))
        return ST_OK; /* nothing is written down: they are sent again */
    if ((st = mark_sent(d, rows, went, fault)) == ST_OK)
        *sent = n;
    return st;
}

static enum status send_commands(struct dispatch *d, struct fault *fault)
{
    enum status st = ST_OK;
    int sent = 1;

    for (int round = 0; round < ROUNDS_MOST && sent && st == ST_OK && can_send(d); round++) {
        PGresult *rows = NULL;

        sent = 0;
        if ((st = dispatch_begin(&d->worker, fault)) == ST_OK &&
            (st = take_commands(d, &rows, fault)) == ST_OK &&
            (PQntuples(rows) == 0 || (st = send_taken(d, rows, &sent, fault)) == ST_OK) &&
            (st = pg_commit(d->worker.pg, fault)) == ST_OK)
            meters_commands("sent", sent);
        PQclear(rows);
        d->online_count = 0;
    }
    return st;
}

/* ---- configurations */
static enum status publish_config(struct dispatch *d, const PGresult *rows, int i,
                                  struct fault *fault)
{
    char topic[TOPIC_MAX];
    struct mqtt_publish p = {.topic = topic, .qos = 1, .retained = true};
    struct text payload;
    enum status st;

    text_init(&payload);
    config_render(&payload, PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
    topic_format(topic, PQgetvalue(rows, i, 0), LEAF_CONFIG);
    p.payload = payload.bytes;
    p.len = payload.len;
    st = payload.failed ? fault_set(fault, ST_RETRY, "out of memory")
                        : mqtt_publish(d->mqtt, &p, fault);
    text_done(&payload);
    return st;
}

/* ST_NONE: nothing is left to do, or nothing can be done now. */
static enum status send_some_configs(struct dispatch *d, struct fault *fault)
{
    unsigned losses = atomic_load(&d->losses);
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(d->worker.pg,
                "WITH due AS (SELECT c.vin FROM vehicle_config c JOIN vehicle v ON v.vin = c.vin"
                " WHERE c.published_at IS NULL AND v.status = 'active' ORDER BY c.vin LIMIT 100"
                " FOR UPDATE OF c SKIP LOCKED)"
                " UPDATE vehicle_config c SET published_at = now() FROM due WHERE c.vin = due.vin"
                " RETURNING c.vin, c.revision, config_told(c)",
                0, NULL, &rows, fault);
    if (st == ST_OK && PQntuples(rows) == 0)
        st = ST_NONE;
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        st = publish_config(d, rows, i, fault);
    PQclear(rows);
    if (st == ST_OK)
        st = is_confirmed(d, losses) ? pg_commit(d->worker.pg, fault) : ST_NONE;
    if (st != ST_OK)
        pg_rollback(d->worker.pg);
    return st;
}

static enum status send_configs(struct dispatch *d, struct fault *fault)
{
    enum status st = ST_OK;

    for (int round = 0; round < ROUNDS_MOST && st == ST_OK && can_send(d); round++)
        if ((st = dispatch_begin(&d->worker, fault)) == ST_OK)
            st = send_some_configs(d, fault);
    return st == ST_NONE ? ST_OK : st;
}

/* Once all of them: what our settings say of sites and brokers may be new.  Later those that have
 * none: cars that were issued a certificate by hand. */
static enum status renew_configs(struct dispatch *d, struct fault *fault)
{
    const struct api_settings *set = d->worker.shared->set;
    enum status st;

    if (d->renewed && !d->fleet_changed)
        return ST_OK;
    if ((st = dispatch_begin(&d->worker, fault)) != ST_OK ||
        (st = d->renewed ? config_fill(d->worker.pg, set, fault)
                         : config_renew(d->worker.pg, set, NULL, fault)) != ST_OK ||
        (st = pg_commit(d->worker.pg, fault)) != ST_OK)
        return st;
    d->renewed = true;
    d->fleet_changed = false;
    return ST_OK;
}

/* ---- vehicles that were sent away */
/* A file that cannot be written holds up nothing else; it is tried again every round. */
static enum status bar(struct dispatch *d, struct fault *fault)
{
    struct fault why = {""};
    enum status st;

    if (!d->bar && clock_boot_ms() < d->bar_ms)
        return ST_OK;
    if ((st = dispatch_begin(&d->worker, fault)) != ST_OK)
        return st;
    st = barred_write(d->worker.pg, d->worker.shared->set->pki_dir, &why);
    if (st == ST_OK)
        st = pg_commit(d->worker.pg, &why);
    else
        pg_rollback(d->worker.pg);
    if (st != ST_OK && strcmp(why.text, d->unbarred.text) != 0)
        log_error("deny-list.unwritten", "reason=\"%s\"", why.text);
    d->unbarred = why;
    d->bar = st != ST_OK;
    d->bar_ms = clock_boot_ms() + BAR_MS;
    return ST_OK;
}

/* ---- the thread */
static enum status listen_again(struct dispatch *d, struct fault *fault)
{
    struct pg *pg = d->worker.pg;
    enum status st = pg_ready(pg, fault);

    if (st != ST_OK || d->listening == pg_connections(pg))
        return st;
    if ((st = pg_run(pg, "LISTEN command", 0, NULL, NULL, fault)) == ST_OK &&
        (st = pg_run(pg, "LISTEN vehicle", 0, NULL, NULL, fault)) == ST_OK &&
        (st = pg_run(pg, "LISTEN fleet", 0, NULL, NULL, fault)) == ST_OK) {
        d->listening = pg_connections(pg);
        d->fleet_changed = d->bar = true; /* who knows what was said meanwhile */
    }
    return st;
}

/* What was said since the last round: a vehicle is there, or there is something to do. */
static void hear(struct dispatch *d)
{
    char channel[32], payload[64];
    struct fault why;

    while (pg_take_notify(d->worker.pg, channel, sizeof channel, payload, sizeof payload, &why) ==
           ST_OK) {
        d->fleet_changed |= !strcmp(channel, "fleet");
        d->bar |= !strcmp(channel, "fleet");
        if (!strcmp(channel, "vehicle") && d->online_count < ONLINE_MOST &&
            vin_is_valid(payload, strlen(payload)))
            text_copy(d->online[d->online_count++], VIN_LEN + 1, payload);
    }
}

static void wait_a_little(struct dispatch *d)
{
    struct pollfd fd = {.fd = pg_socket(d->worker.pg), .events = POLLIN};

    (void)!poll(&fd, fd.fd >= 0, ROUND_MS);
}

static enum status step(struct dispatch *d, struct fault *fault)
{
    enum status st;

    if ((st = listen_again(d, fault)) != ST_OK)
        return st;
    hear(d);
    if ((st = bar(d, fault)) != ST_OK || (st = renew_configs(d, fault)) != ST_OK ||
        (st = expire(d, fault)) != ST_OK || (st = send_commands(d, fault)) != ST_OK)
        return st;
    return send_configs(d, fault);
}

static void *dispatch_run(void *self)
{
    struct dispatch *d = self;

    while (!atomic_load(&d->stop)) {
        struct fault fault = {""};
        enum status st = step(d, &fault);

        if (st != ST_OK) {
            pg_rollback(d->worker.pg);
            if (!d->away)
                log_warn("dispatch.waits", "reason=\"%s\"", fault.text);
        } else if (d->away) {
            log_info("dispatch.goes-on", "broker=%s", d->worker.shared->set->mqtt);
        }
        d->away = st != ST_OK;
        wait_a_little(d);
    }
    return NULL;
}

enum status dispatch_start(struct dispatch **out, const struct shared *shared, struct fault *fault)
{
    struct dispatch *d = calloc(1, sizeof *d);
    enum status st;

    if (!d)
        return fault_set(fault, ST_FATAL, "out of memory");
    d->worker.shared = shared;
    if ((st = pg_open(&d->worker.pg, shared->set->pg, "vigie-api dispatch", fault)) == ST_OK &&
        (st = connect_broker(d, fault)) == ST_OK) {
        pg_set_patience(d->worker.pg, ANSWER_MS);
        d->started = pthread_create(&d->thread, NULL, dispatch_run, d) == 0;
        if (!d->started)
            st = fault_set(fault, ST_FATAL, "a thread cannot be started");
    }
    if (st == ST_OK)
        *out = d;
    else
        dispatch_join(d);
    return st;
}

void dispatch_reload(struct dispatch *d)
{
    if (d->mqtt)
        mqtt_reload(d->mqtt);
}

void dispatch_join(struct dispatch *d)
{
    if (!d)
        return;
    atomic_store(&d->stop, true);
    if (d->started)
        pthread_join(d->thread, NULL);
    mqtt_close(d->mqtt);
    pg_close(d->worker.pg);
    free(d);
}
