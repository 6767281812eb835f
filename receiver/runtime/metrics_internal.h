/* receiver/runtime/metrics_internal.h - what metrics.c counts and metrics_text.c writes. */
#ifndef RECEIVER_RUNTIME_METRICS_INTERNAL_H
#define RECEIVER_RUNTIME_METRICS_INTERNAL_H

#define HASH_NONFATAL_OOM 1 /* without it uthash ends the process */
#include <pthread.h>
#include <uthash.h>

#include "receiver/runtime/metrics.h"

#define METRICS_BUCKETS_MAX 12
#define METRICS_LABEL_MAX 128u /* bytes of a label's value; longer is cut */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

struct metric_family {
    enum metric_type type;
    const char *name;            /* of the sample, as in the text format: with _total, _info */
    const char *label1, *label2; /* NULL: none */
    const char *help;
    const double *buckets; /* histograms: upper bounds, 0-ended */
};
extern const struct metric_family metric_families[METRIC_END_];

struct metric_series {
    UT_hash_handle hh; /* by key */
    double value;
    uint32_t key_len;
    char key[]; /* both label values, each terminated */
};

struct metric_histogram {
    uint64_t counts[METRICS_BUCKETS_MAX + 1]; /* not cumulative; the last is +Inf */
    double sum;
};

struct metrics {
    pthread_mutex_t mutex;
    struct metric_series *series[METRIC_END_];  /* uthash heads */
    struct metric_histogram *hist[METRIC_END_]; /* histograms only */
};

#endif
