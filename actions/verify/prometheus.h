/* actions/verify/prometheus.h - asking Prometheus whether an alert fires. Source: Prometheus HTTP API v1,
 * /api/v1/rules. */
#ifndef ACTIONS_VERIFY_PROMETHEUS_H
#define ACTIONS_VERIFY_PROMETHEUS_H

#include "actions/http/remote.h"
#include "rules/base/map.h"
#include "rules/model/observation.h"

#define PROMETHEUS_SETTLE_DEFAULT_MS 600000

/* Does an alert with this label set belong to the target? (pod label -> owner, or workload label) */
typedef bool prometheus_belongs(void *ctx, const struct map *labels);

/* Ask for the rule named by the alert's `alertname` and fill the OBSERVE_ALERT part of *ret: the worst state
 * of all alerts of that rule that belong to the target (firing over pending over inactive). UNKNOWN, with
 * alert_text, when Prometheus is away, there is no such rule, its health is not ok, or it was never
 * evaluated; several rules of that name: the worst counts, the oldest evaluation too. Never fails. */
void prometheus_alert(const struct remote *p, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret);

/* Longest range window "[5m]" in a PromQL expression, in ms (0: none). Also subqueries [30m:1m]; strings and
 * comments are skipped. */
int64_t prometheus_longest_window_ms(const char *query);

#endif
