/* lib/metrics.c - counters, gauges and histograms without locks, printed as Prometheus text
 * (version 0.0.4). Metrics form a list that only grows; series live in a small hash table per
 * metric whose slots are set once. */
#include "lib/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/version.h"
#include "proto/hash.h"

#define BOUNDS_MAX 20
#define SERIES_MAX 256
#define SLOTS 512 /* a power of two, never more than half full */
#define LABEL_MAX 128

struct series {
    _Atomic double value;                     /* of a histogram: the sum */
    _Atomic uint64_t buckets[BOUNDS_MAX + 1]; /* each its own, not cumulated; the last is +Inf */
    char label[LABEL_MAX];
};

struct metric {
    enum metric_kind kind;
    const char *name, *help, *label;
    size_t bound_count;
    double bounds[BOUNDS_MAX];
    _Atomic(struct metric *) next;
    atomic_size_t count;
    struct series plain, other; /* without label; beyond SERIES_MAX label values */
    atomic_bool other_used;
    _Atomic(struct series *) slots[SLOTS];
};

static _Atomic(struct metric *) metrics;

/* ---- making */

/* Append to the list; a metric of the same name that is there already is the answer instead. */
static struct metric *metric_register(struct metric *made)
{
    _Atomic(struct metric *) *at = &metrics;

    for (;;) {
        struct metric *there = atomic_load(at);

        if (!there && atomic_compare_exchange_strong(at, &there, made))
            return made;
        if (strcmp(there->name, made->name) == 0) {
            assert(there->kind == made->kind);
            free(made);
            return there;
        }
        at = &there->next;
    }
}

/* "other" for each of the labels: "other,other". */
static void fill_other(struct metric *m)
{
    text_copy(m->other.label, LABEL_MAX, "other");
    for (const char *c = m->label; c && (c = strchr(c, ',')); c++)
        strncat(m->other.label, ",other", LABEL_MAX - 1 - strlen(m->other.label));
}

static struct metric *metric_make(enum metric_kind kind, const char *name, const char *help,
                                  const char *label, const double *bounds, size_t bound_count)
{
    struct metric *m = calloc(1, sizeof *m);

    assert(bound_count <= BOUNDS_MAX);
    if (!m)
        return NULL; /* the program runs on unmeasured */
    m->kind = kind;
    m->name = name;
    m->help = help;
    m->label = label && *label ? label : NULL;
    fill_other(m);
    m->bound_count = bound_count;
    for (size_t i = 0; i < bound_count; i++) {
        assert(i == 0 || bounds[i - 1] < bounds[i]);
        m->bounds[i] = bounds[i];
    }
    return metric_register(m);
}

struct metric *metric_counter(const char *name, const char *help, const char *label)
{
    return metric_make(METRIC_COUNTER, name, help, label, NULL, 0);
}

struct metric *metric_gauge(const char *name, const char *help, const char *label)
{
    return metric_make(METRIC_GAUGE, name, help, label, NULL, 0);
}

struct metric *metric_histogram(const char *name, const char *help, const char *label,
                                const double *bounds, size_t bound_count)
{
    return metric_make(METRIC_HISTOGRAM, name, help, label, bounds, bound_count);
}

/* ---- finding a series */

static size_t hash(const char *text)
{
    return (size_t)hash_bytes(0, text, strlen(text));
}

/* The exposition is UTF-8; label values are ours and ASCII, anything else becomes '?'. */
static void label_copy(char out[LABEL_MAX], const char *value)
{
    text_copy(out, LABEL_MAX, value);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c >= 0x7f || ((unsigned char)*c < 0x20 && *c != '\n'))
            *c = '?';
}

static struct series *series_make(struct metric *m, const char *label)
{
    struct series *s = NULL;

    if (atomic_fetch_add(&m->count, 1) < SERIES_MAX)
        s = calloc(1, sizeof *s);
    if (!s) {
        atomic_fetch_sub(&m->count, 1);
        return NULL;
    }
    text_copy(s->label, sizeof s->label, label);
    return s;
}

static struct series *series_other(struct metric *m)
{
    atomic_store(&m->other_used, true);
    return &m->other;
}

static struct series *series_find(struct metric *m, const char *value, bool make)
{
    char label[LABEL_MAX];
    struct series *made = NULL;

    if (!m->label)
        return &m->plain;
    label_copy(label, value ? value : "");
    for (size_t i = hash(label);; i++) {
        _Atomic(struct series *) *slot = &m->slots[i % SLOTS];
        struct series *there = atomic_load(slot);

        if (!there && !make)
            return NULL;
        if (!there && !made && !(made = series_make(m, label)))
            return series_other(m);
        if (!there && atomic_compare_exchange_strong(slot, &there, made))
            return made;
        if (strcmp(there->label, label) == 0) {
            if (made) { /* another thread was faster */
                free(made);
                atomic_fetch_sub(&m->count, 1);
            }
            return there;
        }
    }
}

/* ---- counting */

static void add(_Atomic double *to, double amount)
{
    double old = atomic_load_explicit(to, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(to, &old, old + amount, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

void metric_add(struct metric *m, const char *label_value, double amount)
{
    if (!m || isnan(amount) || (m->kind == METRIC_COUNTER && amount < 0))
        return;
    add(&series_find(m, label_value, true)->value, amount);
}

struct series *metric_series(struct metric *m, const char *label_value)
{
    return m ? series_find(m, label_value, true) : NULL;
}

void series_add(struct series *s, double amount)
{
    if (s && amount >= 0)
        add(&s->value, amount);
}

void metric_set(struct metric *m, const char *label_value, double value)
{
    if (m)
        atomic_store_explicit(&series_find(m, label_value, true)->value, value,
                              memory_order_relaxed);
}

void metric_observe(struct metric *m, const char *label_value, double value)
{
    struct series *s;
    size_t i = 0;

    if (!m || isnan(value))
        return;
    s = series_find(m, label_value, true);
    while (i < m->bound_count && value > m->bounds[i])
        i++;
    atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    add(&s->value, value);
}

double metric_read(struct metric *m, const char *label_value)
{
    struct series *s = m ? series_find(m, label_value, false) : NULL;
    uint64_t observed = 0;

    if (!s)
        return 0;
    if (m->kind != METRIC_HISTOGRAM)
        return atomic_load(&s->value);
    for (size_t i = 0; i <= m->bound_count; i++)
        observed += atomic_load(&s->buckets[i]);
    return (double)observed;
}

/* ---- printing */

static void print_escaped(struct text *out, const char *from, size_t len, bool quotes)
{
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '\n')
            text_add(out, "\\n", 2);
        else if (from[i] == '\\' || (quotes && from[i] == '"'))
            text_print(out, "\\%c", from[i]);
        else
            text_add(out, from + i, 1);
    }
}

/* As short as reads back the same. */
static void print_value(struct text *out, double v)
{
    char shortest[32];

    if (isnan(v)) {
        text_print(out, "NaN");
        return;
    }
    if (isinf(v)) {
        text_print(out, v > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(shortest, sizeof shortest, "%.*g", digits, v);
        if (strtod(shortest, NULL) == v)
            break;
    }
    text_print(out, "%s", shortest);
}

/* `names` "route,code" with `values` "x,200": route="x",code="200".  The last name takes what is
 * left. */
static void print_labels(struct text *out, const char *names, const char *values)
{
    for (;;) {
        size_t name_len = strcspn(names, ",");
        bool last = names[name_len] == '\0';
        size_t len = last ? strlen(values) : strcspn(values, ",");

        text_add(out, names, name_len);
        text_add(out, "=\"", 2);
        print_escaped(out, values, len, true);
        text_add(out, "\"", 1);
        if (last)
            return;
        text_add(out, ",", 1);
        names += name_len + 1;
        values += len + (values[len] == ',');
    }
}

/* One sample line's name and labels, with the space before the value. */
static void print_head(struct text *out, const struct metric *m, const char *suffix,
                       const struct series *s, const char *le)
{
    text_print(out, "%s%s", m->name, suffix);
    if (m->label || le)
        text_add(out, "{", 1);
    if (m->label)
        print_labels(out, m->label, s->label);
    if (le)
        text_print(out, "%sle=\"%s\"", m->label ? "," : "", le);
    text_print(out, m->label || le ? "} " : " ");
}

static void print_histogram(struct text *out, const struct metric *m, struct series *s)
{
    struct text le;
    uint64_t observed = 0;

    text_init(&le);
    for (size_t i = 0; i <= m->bound_count; i++) {
        text_clear(&le);
        print_value(&le, i < m->bound_count ? m->bounds[i] : (double)INFINITY);
        observed += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        print_head(out, m, "_bucket", s, le.bytes);
        text_print(out, "%llu\n", (unsigned long long)observed);
    }
    text_done(&le);
    print_head(out, m, "_sum", s, NULL);
    print_value(out, atomic_load_explicit(&s->value, memory_order_relaxed));
    text_add(out, "\n", 1);
    print_head(out, m, "_count", s, NULL);
    text_print(out, "%llu\n", (unsigned long long)observed);
}

static void print_series(struct text *out, const struct metric *m, struct series *s)
{
    if (m->kind == METRIC_HISTOGRAM) {
        print_histogram(out, m, s);
        return;
    }
    print_head(out, m, "", s, NULL);
    print_value(out, atomic_load_explicit(&s->value, memory_order_relaxed));
    text_add(out, "\n", 1);
}

static void print_title(struct text *out, const char *name, const char *help, const char *kind)
{
    text_print(out, "# HELP %s ", name);
    print_escaped(out, help, strlen(help), false);
    text_print(out, "\n# TYPE %s %s\n", name, kind);
}

static void print_metric(struct text *out, struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    print_title(out, m->name, m->help, kinds[m->kind]);
    if (!m->label) {
        print_series(out, m, &m->plain);
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        struct series *s = atomic_load(&m->slots[i]);

        if (s)
            print_series(out, m, s);
    }
    if (atomic_load(&m->other_used))
        print_series(out, m, &m->other);
}

static void print_one(struct text *out, const char *name, const char *help, const char *kind,
                      double value)
{
    print_title(out, name, help, kind);
    text_print(out, "%s ", name);
    print_value(out, value);
    text_add(out, "\n", 1);
}

static void print_process(struct text *out)
{
    struct process p;

    process_read(&p);
    print_one(out, "process_cpu_seconds_total", "User and system time spent, in seconds.",
              "counter", p.cpu_seconds);
    print_one(out, "process_resident_memory_bytes", "Resident memory, in bytes.", "gauge",
              p.resident_bytes);
    print_one(out, "process_virtual_memory_bytes", "Virtual memory, in bytes.", "gauge",
              p.virtual_bytes);
    print_one(out, "process_open_fds", "Open file descriptors.", "gauge", p.open_fds);
    print_one(out, "process_max_fds", "Most file descriptors it may open.", "gauge", p.max_fds);
    print_one(out, "process_start_time_seconds", "Start, in seconds since 1970-01-01 UTC.", "gauge",
              p.start_seconds);
}

void metrics_print(struct text *out)
{
    for (struct metric *m = atomic_load(&metrics); m; m = atomic_load(&m->next))
        print_metric(out, m);
    print_title(out, "vigie_build_info", "What is running; always 1.", "gauge");
    text_print(out, "vigie_build_info{version=\"%s\",revision=\"%s\"} 1\n", version_number,
               version_revision);
    print_process(out);
}
