/* receiver/runtime/metrics.c - the table of families, and counting. */
#include "receiver/runtime/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/runtime/metrics_internal.h"
#include "rules/base/utf8.h"

static const double commit_buckets[] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 0
};
static const double action_buckets[] = { 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 0 };
static const double repair_buckets[] = { 10, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 0 };

const struct metric_family metric_families[METRIC_END_] = {
    [METRIC_DELIVERIES] = { METRIC_COUNTER, "heald_deliveries_total", "source", "result",
                            "Requests that carried alerts, by source and result.", NULL },
    [METRIC_INTAKE_REFUSALS] = { METRIC_COUNTER, "heald_intake_refusals_total", "source", "reason",
                                 "Deliveries refused, by source (unknown: by none that is known) and reason.",
                                 NULL },
    [METRIC_SOURCE_LAST] = { METRIC_GAUGE, "heald_source_last_delivery_timestamp_seconds", "source", NULL,
                             "When a source was last heard: its last delivery that was accepted.", NULL },
    [METRIC_ALERTS] = { METRIC_COUNTER, "heald_alerts_total", "source", "result",
                        "Alerts, by source and what came of them.", NULL },
    [METRIC_INCIDENTS] = { METRIC_COUNTER, "heald_incidents_total", "rule", "outcome",
                           "Incidents closed, by rule and outcome.", NULL },
    [METRIC_INCIDENTS_OPEN] = { METRIC_GAUGE, "heald_incidents_open", NULL, NULL,
                                "Incidents without an outcome yet.", NULL },
    [METRIC_STEPS] = { METRIC_COUNTER, "heald_steps_total", "action", "result",
                       "Steps ended, by action and result.", NULL },
    [METRIC_REFUSALS] = { METRIC_COUNTER, "heald_refusals_total", "guard", NULL,
                          "Steps refused or held back, by guard.", NULL },
    [METRIC_TIME_TO_ACTION] = { METRIC_HISTOGRAM, "heald_alert_to_action_seconds", NULL, NULL,
                                "Time from the first alert of an incident to its first write.",
                                action_buckets },
    [METRIC_TIME_TO_REPAIR] = { METRIC_HISTOGRAM, "heald_alert_to_repair_seconds", NULL, NULL,
                                "Time from the first alert of an incident to its verified repair.",
                                repair_buckets },
    [METRIC_ANNOTATIONS] = { METRIC_COUNTER, "heald_annotations_total", "result", NULL,
                             "Attempts to tell Grafana, by result.", NULL },
    [METRIC_OUTBOX_DEPTH] = { METRIC_GAUGE, "heald_outbox_depth", NULL, NULL,
                              "Incidents whose annotation waits to be delivered.", NULL },
    [METRIC_COMMIT] = { METRIC_HISTOGRAM, "heald_journal_commit_seconds", NULL, NULL,
                        "Time of one commit to the journal.", commit_buckets },
    [METRIC_JOURNAL_ERRORS] = { METRIC_COUNTER, "heald_journal_errors_total", "result", NULL,
                                "Commits that failed, by result.", NULL },
    [METRIC_JOURNAL_FACTS] = { METRIC_GAUGE, "heald_journal_facts", NULL, NULL,
                               "Number of the last fact in the journal.", NULL },
    [METRIC_JOURNAL_BYTES] = { METRIC_GAUGE, "heald_journal_bytes", NULL, NULL,
                               "Bytes of the journal's file that are in use.", NULL },
    [METRIC_JOURNAL_FIRST] = { METRIC_GAUGE, "heald_journal_first_fact", NULL, NULL,
                               "Number of the first fact that was not removed.", NULL },
    [METRIC_JOURNAL_DAMAGED] = { METRIC_GAUGE, "heald_journal_damaged", NULL, NULL,
                                 "Whether the hash chain over facts that no start reads any more is broken "
                                 "(1) or not (0).",
                                 NULL },
    [METRIC_SNAPSHOT] = { METRIC_GAUGE, "heald_journal_snapshot_fact", NULL, NULL,
                          "Number of the last fact that is in the newest snapshot; 0: there is none.", NULL },
    [METRIC_SNAPSHOTS] = { METRIC_COUNTER, "heald_journal_snapshots_total", "result", NULL,
                           "Snapshots of the state, by result (written, failed; damaged: passed over at the "
                           "start).",
                           NULL },
    [METRIC_WATCH_WORKLOADS] = { METRIC_GAUGE, "heald_watch_workloads", "cluster", NULL,
                                 "Workloads under watch, by cluster.", NULL },
    [METRIC_WATCH_SYNCED] = { METRIC_GAUGE, "heald_watch_synced", "cluster", NULL,
                              "Whether the watch of a cluster runs without a gap (1) or not (0).", NULL },
    [METRIC_PROVEN] = { METRIC_GAUGE, "heald_workloads_proven", NULL, NULL,
                        "Workloads with a template proven well.", NULL },
    [METRIC_OLDEST_INTENT] = { METRIC_GAUGE, "heald_oldest_open_intent_seconds", NULL, NULL,
                               "Age of the oldest write whose result is not known yet.", NULL },
    [METRIC_KUBE_REQUESTS] = { METRIC_COUNTER, "heald_kubernetes_requests_total", "verb", "code",
                               "Requests to Kubernetes, by verb and status code.", NULL },
    [METRIC_PROBES] = { METRIC_COUNTER, "heald_probes_total", "system", "result",
                        "Questions of the policy to other systems, by system and result (answered, no_data).",
                        NULL },
    [METRIC_RELOADS] = { METRIC_COUNTER, "heald_policy_reloads_total", "result", NULL,
                         "Loads of the policy, by result.", NULL },
    [METRIC_RELOAD_TIME] = { METRIC_GAUGE, "heald_policy_last_reload_success_timestamp_seconds", NULL, NULL,
                             "When the policy in force was loaded.", NULL },
    [METRIC_LIMITS] = { METRIC_COUNTER, "heald_limit_reached_total", "limit", NULL,
                        "Times a named limit was reached.", NULL },
    [METRIC_CONNECTIONS] = { METRIC_GAUGE, "heald_http_connections", NULL, NULL, "Open HTTP connections.",
                             NULL },
    [METRIC_IN_FLIGHT] = { METRIC_GAUGE, "heald_http_in_flight_bytes", NULL, NULL,
                           "Bytes of request bodies not yet committed.", NULL },
    [METRIC_HTTP_REQUESTS] = { METRIC_COUNTER, "heald_http_requests_total", "path", "code",
                               "HTTP requests answered, by path and status code.", NULL },
    [METRIC_PAUSED] = { METRIC_GAUGE, "heald_paused", NULL, NULL,
                        "Whether the kill switch is on (1) or off (0).", NULL },
    [METRIC_NOTIFICATIONS] = { METRIC_COUNTER, "heald_notifications_total", "receiver", NULL,
                               "Times a person was to be told, by receiver: into log, journal and "
                               "annotation.",
                               NULL },
    [METRIC_APPROVALS] = { METRIC_GAUGE, "heald_approvals_pending", NULL, NULL,
                           "Incidents that wait for a person's yes.", NULL },
    [METRIC_RECURRENCES] = { METRIC_COUNTER, "heald_recurrences_total", "rule", NULL,
                             "Incidents whose rule and target had another one within 6 hours.", NULL },
    [METRIC_BUILD_INFO] = { METRIC_INFO, "heald_build_info", "version", NULL, "The running release.", NULL },
};

struct key {
    char text[2 * METRICS_LABEL_MAX + 2];
    uint32_t len;
};

/* Append one label value to the key, cut to METRICS_LABEL_MAX bytes; what is not UTF-8 becomes '?'. */
static void key_add(struct key *k, const char *value)
{
    size_t left = value ? strlen(value) : 0, used = 0;
    while (left > 0) {
        uint32_t c;
        size_t n = utf8_next(value, left, &c);
        if (used + n > METRICS_LABEL_MAX)
            break;
        if (c == UTF8_INVALID)
            k->text[k->len] = '?';
        else
            memcpy(k->text + k->len, value, n);
        k->len += (uint32_t)n;
        used += n;
        value += n;
        left -= n;
    }
    k->text[k->len++] = '\0';
}

static void key_set(struct key *k, const char *label1, const char *label2)
{
    k->len = 0;
    key_add(k, label1);
    key_add(k, label2);
}

static struct metric_series *find(struct metrics *m, enum metric id, const struct key *key)
{
    struct metric_series *s = NULL;
    HASH_FIND(hh, m->series[id], key->text, key->len, s);
    return s;
}

/* The series of these label values, made when new; NULL without memory. Caller holds the mutex. */
static struct metric_series *obtain(struct metrics *m, enum metric id, const char *label1, const char *label2)
{
    const struct metric_family *f = &metric_families[id];
    struct key key = { .len = 0 };
    key_set(&key, f->label1 ? label1 : NULL, f->label2 ? label2 : NULL);
    struct metric_series *s = find(m, id, &key);
    if (s)
        return s;
    if (HASH_COUNT(m->series[id]) >= METRICS_SERIES_MAX - 1) {
        key_set(&key, "other", f->label2 ? "other" : NULL);
        s = find(m, id, &key);
        if (s)
            return s;
    }
    s = calloc(1, sizeof *s + key.len);
    if (!s)
        return NULL;
    memcpy(s->key, key.text, key.len);
    s->key_len = key.len;
    HASH_ADD(hh, m->series[id], key, s->key_len, s);
    if (!s->hh.tbl) { /* no memory for the table */
        free(s);
        return NULL;
    }
    return s;
}

/* What has no labels is there from the start, with 0. */
static bool begin_family(struct metrics *m, enum metric id)
{
    const struct metric_family *f = &metric_families[id];
    if (f->type == METRIC_HISTOGRAM)
        return (m->hist[id] = calloc(1, sizeof *m->hist[id])) != NULL;
    return f->label1 || obtain(m, id, NULL, NULL);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    pthread_mutex_init(&m->mutex, NULL);
    for (int id = 0; id < METRIC_END_; id++)
        if (!begin_family(m, (enum metric)id))
            return metrics_free(m);
    metrics_set(m, METRIC_BUILD_INFO, HEALD_VERSION, NULL, 1);
    return m;
}

struct metrics *metrics_free(struct metrics *m)
{
    if (!m)
        return NULL;
    for (int id = 0; id < METRIC_END_; id++) {
        struct metric_series *s = m->series[id], *next;
        HASH_CLEAR(hh, m->series[id]);
        for (; s; s = next) {
            next = s->hh.next;
            free(s);
        }
        free(m->hist[id]);
    }
    pthread_mutex_destroy(&m->mutex);
    free(m);
    return NULL;
}

static void change(struct metrics *m, enum metric id, const char *label1, const char *label2, double value,
                   bool add)
{
    if (!m)
        return;
    assert(metric_families[id].type != METRIC_HISTOGRAM);
    pthread_mutex_lock(&m->mutex);
    struct metric_series *s = obtain(m, id, label1, label2);
    if (s)
        s->value = add ? s->value + value : value;
    pthread_mutex_unlock(&m->mutex);
}

void metrics_add(struct metrics *m, enum metric id, const char *label1, const char *label2, double delta)
{
    change(m, id, label1, label2, delta, true);
}

void metrics_set(struct metrics *m, enum metric id, const char *label1, const char *label2, double value)
{
    change(m, id, label1, label2, value, false);
}

void metrics_observe(struct metrics *m, enum metric id, double seconds)
{
    if (!m)
        return;
    const double *upper = metric_families[id].buckets;
    assert(upper);
    size_t bucket = 0;
    while (upper[bucket] > 0 && seconds > upper[bucket])
        bucket++;
    pthread_mutex_lock(&m->mutex);
    m->hist[id]->counts[upper[bucket] > 0 ? bucket : METRICS_BUCKETS_MAX]++;
    m->hist[id]->sum += seconds;
    pthread_mutex_unlock(&m->mutex);
}

static double histogram_count(const struct metric_histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS_MAX; i++)
        n += h->counts[i];
    return (double)n;
}

double metrics_value(struct metrics *m, enum metric id, const char *label1, const char *label2)
{
    double value = 0;
    if (!m)
        return 0;
    struct key key = { .len = 0 };
    key_set(&key, label1, label2);
    pthread_mutex_lock(&m->mutex);
    const struct metric_series *s = find(m, id, &key);
    if (m->hist[id])
        value = histogram_count(m->hist[id]);
    else if (s)
        value = s->value;
    pthread_mutex_unlock(&m->mutex);
    return value;
}
