/* receiver/runtime/metrics.h - heald's own metrics: a table of families (name, type, labels, help), counted
 * from any thread. Rendered as Prometheus text 0.0.4 or OpenMetrics 1.0. No label may take unbounded values:
 * a family keeps at most METRICS_SERIES_MAX series; what comes after goes to the series "other". The
 * reference document is printed from the same table. */
#ifndef RECEIVER_RUNTIME_METRICS_H
#define RECEIVER_RUNTIME_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/buf.h"

#define METRICS_SERIES_MAX 500u

enum metric {                         /* the table in metrics.c has one row each, in this order */
              METRIC_DELIVERIES,      /* heald_deliveries_total{source,result} */
              METRIC_INTAKE_REFUSALS, /* heald_intake_refusals_total{source,reason} */
              METRIC_SOURCE_LAST,     /* heald_source_last_delivery_timestamp_seconds{source} */
              METRIC_ALERTS,          /* heald_alerts_total{source,result} */
              METRIC_INCIDENTS,       /* heald_incidents_total{rule,outcome} */
              METRIC_INCIDENTS_OPEN,  /* heald_incidents_open */
              METRIC_STEPS,           /* heald_steps_total{action,result} */
              METRIC_REFUSALS,        /* heald_refusals_total{guard} */
              METRIC_TIME_TO_ACTION,  /* heald_alert_to_action_seconds histogram */
              METRIC_TIME_TO_REPAIR,  /* heald_alert_to_repair_seconds histogram */
              METRIC_ANNOTATIONS,     /* heald_annotations_total{result} */
              METRIC_OUTBOX_DEPTH,    /* heald_outbox_depth */
              METRIC_COMMIT,          /* heald_journal_commit_seconds histogram */
              METRIC_JOURNAL_ERRORS,  /* heald_journal_errors_total{result} */
              METRIC_JOURNAL_FACTS,   /* heald_journal_facts (last seq) */
              METRIC_JOURNAL_BYTES,   /* heald_journal_bytes */
              METRIC_JOURNAL_FIRST,   /* heald_journal_first_fact */
              METRIC_JOURNAL_DAMAGED, /* heald_journal_damaged */
              METRIC_SNAPSHOT,        /* heald_journal_snapshot_fact */
              METRIC_SNAPSHOTS,       /* heald_journal_snapshots_total{result} */
              METRIC_WATCH_WORKLOADS, /* heald_watch_workloads{cluster} */
              METRIC_WATCH_SYNCED,    /* heald_watch_synced{cluster} */
              METRIC_PROVEN,          /* heald_workloads_proven */
              METRIC_OLDEST_INTENT,   /* heald_oldest_open_intent_seconds */
              METRIC_KUBE_REQUESTS,   /* heald_kubernetes_requests_total{verb,code} */
              METRIC_PROBES,          /* heald_probes_total{system,result} */
              METRIC_RELOADS,         /* heald_policy_reloads_total{result} */
              METRIC_RELOAD_TIME,     /* heald_policy_last_reload_success_timestamp_seconds */
              METRIC_LIMITS,          /* heald_limit_reached_total{limit} */
              METRIC_CONNECTIONS,     /* heald_http_connections */
              METRIC_IN_FLIGHT,       /* heald_http_in_flight_bytes */
              METRIC_HTTP_REQUESTS,   /* heald_http_requests_total{path,code} */
              METRIC_PAUSED,          /* heald_paused */
              METRIC_NOTIFICATIONS,   /* heald_notifications_total{receiver} */
              METRIC_APPROVALS,       /* heald_approvals_pending */
              METRIC_RECURRENCES,     /* heald_recurrences_total{rule} */
              METRIC_BUILD_INFO,      /* heald_build_info{version} */
              METRIC_END_
};

struct metrics;
struct metrics *metrics_new(void); /* NULL: no memory */
struct metrics *metrics_free(struct metrics *m);

/* Values of the family's labels, in the table's order; NULL where it has fewer. m may be NULL: nothing
 * happens. */
void metrics_add(struct metrics *m, enum metric id, const char *label1, const char *label2, double delta);
void metrics_set(struct metrics *m, enum metric id, const char *label1, const char *label2, double value);
void metrics_observe(struct metrics *m, enum metric id, double seconds); /* histograms */
double metrics_value(struct metrics *m, enum metric id, const char *label1,
                     const char *label2); /* for tests and /status; 0 when absent */

/* Content negotiation: "Accept" header or NULL -> OpenMetrics or text. Returns the Content-Type. */
const char *metrics_render(struct metrics *m, const char *accept, struct buf *out);
/* Markdown table of all families. */
void metrics_reference(struct buf *out);

#endif
