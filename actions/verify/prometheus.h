/* actions/verify/prometheus.h - asking Prometheus whether an alert fires. Source: Prometheus HTTP API v1,
 * /api/v1/rules. */
#ifndef ACTIONS_VERIFY_PROMETHEUS_H
#define ACTIONS_VERIFY_PROMETHEUS_H

#include "actions/http/http.h"
#include "rules/base/map.h"
#include "rules/model/observation.h"

#define PROMETHEUS_SETTLE_DEFAULT_MS 600000

struct prometheus;
/* token_file NULL: no credentials; it is re-read when it changes. ca_file NULL: the system's. tenant NULL: no
 * X-Scope-OrgID. */
enum err_code prometheus_new(struct prometheus **ret, const char *url, const char *token_file,
                             const char *ca_file, const char *tenant, struct err *e);
struct prometheus *prometheus_free(struct prometheus *p);

/* Does an alert with this label set belong to the target? (pod label -> owner, or workload label) */
typedef bool prometheus_belongs(void *ctx, const struct map *labels);

/* Ask for the rule named by the alert's `alertname` and fill the OBSERVE_ALERT part of *ret: the worst state
 * of all alerts of that rule that belong to the target (firing over pending over inactive). UNKNOWN, with
 * alert_text, when Prometheus is away, there is no such rule, its health is not ok, or it was never
 * evaluated; several rules of that name: the worst counts, the oldest evaluation too. Never fails. */
void prometheus_alert(struct prometheus *p, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret);

/* Longest range window "[5m]" in a PromQL expression, in ms (0: none). Also subqueries [30m:1m]; strings and
 * comments are skipped. */
int64_t prometheus_longest_window_ms(const char *query);

#endif
