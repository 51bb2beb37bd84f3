/* lib/metrics.h - counters, gauges and histograms, printed as Prometheus text.  Any thread,
 * lock-free (atomics).  A metric is made once and stays; no vehicle in a label. */
#ifndef LIB_METRICS_H
#define LIB_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric; /* one name with its labelled series */

/* Make (once, at start, by main) a metric; returned pointer lives for ever.  `name`, `help`,
 * `label` are literals; label NULL = no label.  Two labels: "route,code", and values joined by a
 * comma "x,200". Histograms: `bounds` ascending upper bounds in base units, `bound_count` of them
 * (<= 20). */
struct metric *metric_counter(const char *name, const char *help, const char *label);
struct metric *metric_gauge(const char *name, const char *help, const char *label);
struct metric *metric_histogram(const char *name, const char *help, const char *label,
                                const double *bounds, size_t bound_count);

/* `value` of the label is copied ("" or NULL without label); at most 256 label values per metric,
 * more count as "other". */
void metric_add(struct metric *m, const char *label_value,
                double amount); /* counters: amount >= 0; NULL m is fine */
/* The series of one value of the label, for who counts in it time and again: found once, it lives
 * for ever.  NULL m: NULL. */
struct series;
struct series *metric_series(struct metric *m, const char *label_value);
void series_add(struct series *s, double amount); /* of a counter, >= 0; NULL is fine */
void metric_set(struct metric *m, const char *label_value, double value);
void metric_observe(struct metric *m, const char *label_value, double value);
double metric_read(struct metric *m, const char *label_value); /* for tests; counters and gauges */

/* All metrics, vigie_build_info and process_* (from /proc/self) as Prometheus text. */
void metrics_print(struct text *out);

#endif
