/* tests/sim/fleet - thousands of cars in one thread: cheap MQTT 5 publishers that keep a ledger of
 * what was acknowledged.  README.md beside it says how to use it. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "car.h"
#include "lib/clock.h"

#define TICK_MS 5
#define BROKEN_MS 100 /* between two looks at all cars for connections that broke */

static volatile sig_atomic_t stopped, ending;

struct run {
    struct fleet fleet;
    const char *vins, *ca, *name;
    int64_t connects_per_s, seconds, broken_ms;
    struct car *cars;
    int64_t *look_ms;    /* of each car: when to step it next though nothing comes */
    size_t count, asked; /* to connect for the first time */
    int epoll;
};

static void must(bool good, const char *what, const char *why)
{
    if (good)
        return;
    fprintf(stderr, "fleet: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    exit(EXIT_FAILURE);
}

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void end(int signal)
{
    (void)signal;
    ending = 1;
}

/* ---- what to do */
static const char usage[] =
    "fleet --vins FILE [--broker 127.0.0.1:8883,...] [--certs DIR --ca FILE]\n"
    "  --records N       per car (100)          --samples N   in a record (10)\n"
    "  --signals N       in a sample (17)       --columnar    instead of JSON\n"
    "  --every MS        between records (0: as fast as the window lets)\n"
    "  --step MS         between samples (1000) --ago S       age of the first sample (records x "
    "samples x step)\n"
    "  --qos 0|1         of telemetry (0)       --window B    unacknowledged bytes per car "
    "(262144)\n"
    "  --duplicate P     per cent sent twice    --disorder P  per cent sent before their "
    "predecessor\n"
    "  --alerts          instead of telemetry   --sites A,B   all of them must acknowledge (any "
    "one)\n"
    "  --ledger FILE     what was acknowledged  --run NAME    names the streams (another: new "
    "streams)\n"
    "  --no-acks         heed PUBACK alone      --seconds S   end then, done or not (0: never)\n"
    "  --connects N      new connections a second (200)\n"
    "  --silence MS      without an ack: sent again, then ever more rarely (5000)\n";

static double per_cent(const char *text)
{
    return atof(text) / 100;
}

static void take_brokers(struct fleet *f, const char *value)
{
    char list[512], *at = list, *one;

    snprintf(list, sizeof list, "%s", value);
    f->broker_count = 0;
    while ((one = strsep(&at, ",")) != NULL) {
        char *colon = strrchr(one, ':');

        must(colon && f->broker_count < FLEET_SITES_MAX, "--broker is host:port,...", value);
        *colon = 0;
        snprintf(f->brokers[f->broker_count].host, sizeof f->brokers[0].host, "%s", one);
        f->brokers[f->broker_count++].port = atoi(colon + 1);
    }
}

static void take_sites(struct fleet *f, const char *value)
{
    char list[512], *at = list, *one;

    snprintf(list, sizeof list, "%s", value);
    while ((one = strsep(&at, ",")) != NULL) {
        must(*one && f->site_count < FLEET_SITES_MAX, "--sites is name,...", value);
        snprintf(f->sites[f->site_count++], sizeof f->sites[0], "%s", one);
    }
}

static void take_option(struct run *r, int option, const char *value, int64_t *ago_s)
{
    struct fleet *f = &r->fleet;

    switch (option) {
    case 'v':
        r->vins = value;
        break;
    case 'C':
        f->certs = value;
        break;
    case 'A':
        r->ca = value;
        break;
    case 'r':
        f->records = atoll(value);
        break;
    case 's':
        f->plan.samples = strtoul(value, NULL, 10);
        break;
    case 'g':
        f->plan.signals = strtoul(value, NULL, 10);
        break;
    case 'c':
        f->plan.columnar = true;
        break;
    case 'e':
        f->every_ms = atoll(value);
        break;
    case 't':
        f->plan.step_ms = atoll(value);
        break;
    case 'a':
        *ago_s = atoll(value);
        break;
    case 'q':
        f->qos = atoi(value);
        break;
    case 'w':
        f->window_bytes = strtoul(value, NULL, 10);
        break;
    case 'd':
        f->duplicate = per_cent(value);
        break;
    case 'o':
        f->disorder = per_cent(value);
        break;
    case 'l':
        must((f->ledger = fopen(value, "a")) != NULL, value, strerror(errno));
        setvbuf(f->ledger, NULL, _IOLBF, 0); /* whole lines, for who reads it meanwhile */
        break;
    case 'n':
        r->name = value;
        break;
    case 'x':
        f->heeds_acks = false;
        break;
    case 'S':
        r->seconds = atoll(value);
        break;
    case 'k':
        r->connects_per_s = atoll(value);
        break;
    case 'i':
        f->silence_ms = atoll(value);
        break;
    case 'b':
        take_brokers(f, value);
        break;
    case 'T':
        take_sites(f, value);
        break;
    case 'L':
        f->alerts = true;
        break;
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void read_options(struct run *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"vins", 1, 0, 'v'},    {"broker", 1, 0, 'b'},    {"certs", 1, 0, 'C'},
        {"ca", 1, 0, 'A'},      {"records", 1, 0, 'r'},   {"samples", 1, 0, 's'},
        {"signals", 1, 0, 'g'}, {"columnar", 0, 0, 'c'},  {"every", 1, 0, 'e'},
        {"step", 1, 0, 't'},    {"ago", 1, 0, 'a'},       {"qos", 1, 0, 'q'},
        {"window", 1, 0, 'w'},  {"duplicate", 1, 0, 'd'}, {"disorder", 1, 0, 'o'},
        {"ledger", 1, 0, 'l'},  {"run", 1, 0, 'n'},       {"no-acks", 0, 0, 'x'},
        {"seconds", 1, 0, 'S'}, {"connects", 1, 0, 'k'},  {"silence", 1, 0, 'i'},
        {"sites", 1, 0, 'T'},   {"alerts", 0, 0, 'L'},    {0},
    };
    struct fleet *f = &r->fleet;
    int64_t ago_s = -1;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(r, option, optarg, &ago_s);
    must(r->vins && optind == argc, usage, NULL);
    must(f->plan.signals >= 1 && f->plan.signals <= DRIVE_SIGNALS_MAX && f->plan.samples >= 1 &&
             f->plan.samples <= TELEMETRY_SAMPLES_MAX && f->plan.step_ms >= 1 && f->records >= 1 &&
             (f->qos == 0 || f->qos == 1) && r->connects_per_s >= 1 && f->silence_ms >= 1,
         "a number is out of bounds", NULL);
    f->plan.start_ms =
        clock_now_ms() -
        (ago_s >= 0 ? ago_s * 1000 : f->records * (int64_t)f->plan.samples * f->plan.step_ms);
}

static void read_vins(struct run *r)
{
    FILE *file = fopen(r->vins, "r");
    struct fault fault;
    char vin[64];

    must(file, r->vins, strerror(errno));
    while (fscanf(file, "%63s", vin) == 1) {
        r->cars = realloc(r->cars, (r->count + 1) * sizeof *r->cars);
        must(r->cars, "out of memory", NULL);
        must(car_open(&r->cars[r->count], &r->fleet, (unsigned)r->count, vin, r->name, &fault) ==
                 ST_OK,
             fault.text, NULL);
        r->count++;
    }
    fclose(file);
    must(r->count, r->vins, "no VIN in it");
    r->look_ms = calloc(r->count, sizeof *r->look_ms);
    must(r->look_ms, "out of memory", NULL);
}

static void prepare_tls(struct run *r)
{
    if (!r->fleet.certs)
        return;
    must(r->ca, "--certs needs --ca", NULL);
    r->fleet.tls = SSL_CTX_new(TLS_client_method());
    must(r->fleet.tls && SSL_CTX_load_verify_locations(r->fleet.tls, r->ca, NULL) == 1, r->ca,
         "no CA certificate");
    SSL_CTX_set_verify(r->fleet.tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(r->fleet.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
}

/* A descriptor per car. */
static void raise_limit(size_t cars)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    must(limit.rlim_cur > cars + 16, "too few file descriptors (ulimit -n)", NULL);
}

/* ---- doing it */
static void watch(struct run *r, struct car *c, bool first)
{
    struct epoll_event e = {.events = EPOLLIN | (wire_wants_out(&c->wire) ? EPOLLOUT : 0),
                            .data.ptr = c};

    if (!c->wire.open || (!first && c->watched_out == wire_wants_out(&c->wire)))
        return;
    c->watched_out = wire_wants_out(&c->wire);
    epoll_ctl(r->epoll, first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->wire.fd, &e);
}

static void connect_one(struct run *r, struct car *c, int64_t now_ms)
{
    struct fault fault;
    enum status st = car_connect(c, now_ms, &fault);

    must(st != ST_REJECT && st != ST_FATAL, fault.text, NULL);
    if (st == ST_OK)
        watch(r, c, true);
}

/* So that whoever checks a database can make each value again. */
static void begin_ledger(const struct fleet *f)
{
    if (f->ledger)
        fprintf(f->ledger, "plan %lld %lld %zu %zu %s\n", (long long)f->plan.start_ms,
                (long long)f->plan.step_ms, f->plan.samples, f->plan.signals,
                f->alerts ? "alert" : "telemetry");
}

/* New connections at their rate; those that broke, a second later. */
static void connect_some(struct run *r, int64_t now_ms, int64_t began_ms)
{
    size_t may = (size_t)((now_ms - began_ms) * r->connects_per_s / 1000) + 1;

    for (size_t i = 0; i < r->asked && now_ms >= r->broken_ms; i++)
        if (!r->cars[i].wire.open && now_ms >= r->cars[i].retry_ms)
            connect_one(r, &r->cars[i], now_ms);
    if (now_ms >= r->broken_ms)
        r->broken_ms = now_ms + BROKEN_MS;
    while (r->asked < r->count && r->asked < may)
        connect_one(r, &r->cars[r->asked++], now_ms);
}

static void end_all(struct run *r)
{
    ending = 0;
    for (size_t i = 0; i < r->count; i++)
        car_end(&r->cars[i]);
}

static void step(struct run *r, struct car *c, bool ready, int64_t now_ms)
{
    r->look_ms[c->number] = car_step(c, ready, now_ms);
    watch(r, c, false);
}

/* Those whose time has come; the others cost a look at a number. */
static void step_due(struct run *r, int64_t now_ms)
{
    for (size_t i = 0; i < r->asked; i++)
        if (now_ms >= r->look_ms[i])
            step(r, &r->cars[i], false, now_ms);
}

static bool is_done(const struct run *r)
{
    bool done = r->asked == r->count;

    for (size_t i = 0; i < r->asked && done; i++)
        done = car_is_done(&r->cars[i]);
    return done;
}

static void wait_for_some(struct run *r, int64_t until_ms)
{
    struct epoll_event events[256];
    int64_t now_ms;

    while ((now_ms = clock_boot_ms()) < until_ms && !stopped) {
        int n = epoll_wait(r->epoll, events, 256, (int)(until_ms - now_ms));

        now_ms = clock_boot_ms();
        for (int i = 0; i < n; i++)
            step(r, events[i].data.ptr, true, now_ms);
    }
}

static int64_t percentile(const struct tally *t, double share)
{
    int64_t all = 0, seen = 0;

    for (size_t i = 0; i < 10001; i++)
        all += t->lag_ms[i];
    for (size_t i = 0; i < 10001; i++)
        if ((seen += t->lag_ms[i]) > 0 && (double)seen >= share * (double)all)
            return (int64_t)i;
    return 0;
}

/* Of this process: what a bench takes off from what the machine had. */
static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct run *r, FILE *to, double seconds)
{
    const struct tally *t = &r->fleet.tally;
    long long samples = (long long)(t->acked * (int64_t)r->fleet.plan.samples);

    fprintf(to,
            "{\"seconds\":%.2f,\"cpu_s\":%.2f,\"cars\":%zu,\"connected\":%lld,\"lost\":%lld,"
            "\"sent\":%lld,"
            "\"bytes\":%lld,\"acked\":%lld,\"samples_acked\":%lld,\"resent\":%lld,\"acks\":%lld,"
            "\"ack_ms\":{\"p50\":%lld,\"p99\":%lld,\"max\":%lld}}\n",
            seconds, cpu_s(), r->count, (long long)t->connected, (long long)t->lost,
            (long long)t->sent, (long long)t->bytes, (long long)t->acked, samples,
            (long long)t->resent, (long long)t->acks, (long long)percentile(t, 0.5),
            (long long)percentile(t, 0.99), (long long)percentile(t, 1));
    fflush(to);
}

static bool drive(struct run *r)
{
    int64_t began_ms = clock_boot_ms(), told_ms = began_ms, now_ms = began_ms;
    bool done = false;

    while (!done && !stopped && (r->seconds == 0 || now_ms - began_ms < r->seconds * 1000)) {
        connect_some(r, now_ms, began_ms);
        if (ending)
            end_all(r);
        step_due(r, now_ms);
        done = is_done(r);
        if (!done)
            wait_for_some(r, now_ms + TICK_MS);
        now_ms = clock_boot_ms();
        if (now_ms - told_ms >= 1000) {
            report(r, stderr, (double)(now_ms - began_ms) / 1000);
            told_ms = now_ms;
        }
    }
    report(r, stdout, (double)(now_ms - began_ms) / 1000);
    return done;
}

int main(int argc, char **argv)
{
    static struct run r = {
        .fleet = {.plan = {.signals = 17, .samples = 10, .step_ms = 1000},
                  .brokers = {{"127.0.0.1", 8883}},
                  .broker_count = 1,
                  .records = 100,
                  .window_bytes = 262144,
                  .silence_ms = 5000,
                  .heeds_acks = true},
        .connects_per_s = 200,
    };
    char name[32];
    bool done;

    snprintf(name, sizeof name, "%lld", (long long)clock_now_ms());
    r.name = name;
    read_options(&r, argc, argv);
    read_vins(&r);
    raise_limit(r.count);
    prepare_tls(&r);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGUSR1, end);
    must((r.epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll", strerror(errno));
    begin_ledger(&r.fleet);
    done = drive(&r);
    for (size_t i = 0; i < r.count; i++)
        car_close(&r.cars[i]);
    free(r.cars);
    free(r.look_ms);
    telemetry_done(&r.fleet.scratch);
    SSL_CTX_free(r.fleet.tls);
    if (r.fleet.ledger && fclose(r.fleet.ledger) != 0)
        done = false;
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
