/* actions/verify/prometheus.h - asking Prometheus whether an alert fires. Source: Prometheus HTTP API v1,
 * /api/v1/rules. */
#ifndef ACTIONS_VERIFY_PROMETHEUS_H
#define ACTIONS_VERIFY_PROMETHEUS_H

#include "actions/http/remote.h"
#include "rules/base/json.h"
#include "rules/base/map.h"
#include "rules/model/observation.h"

/* Does an alert with this label set belong to the target? (pod label -> owner, or workload label) */
typedef bool prometheus_belongs(void *ctx, const struct map *labels);

/* Ask for the rule named by the alert's `alertname` and fill the OBSERVE_ALERT part of *ret: the worst state
 * of all alerts of that rule that belong to the target (firing over pending over inactive). UNKNOWN, with
 * alert_text, when Prometheus is away, there is no such rule, its health is not ok, or it was never
 * evaluated; several rules of that name: the worst counts, the oldest evaluation too. Never fails. */
void prometheus_alert(const struct remote *p, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret);

/* One alerting rule, and how long its alert goes on firing after what it complained of has ended. */
struct prometheus_rule {
    const char *name;
    const struct json *labels; /* that its alerts get; a value may be a template */
    int64_t window_ms;         /* the longest range of its query */
    int64_t keep_ms;           /* keep_firing_for */
    int64_t interval_ms;       /* of its group */
    int64_t settle_ms;         /* all three: window + keep + 2 evaluations */
};
typedef void prometheus_each(void *ctx, const struct prometheus_rule *rule);
/* Ask for all alerting rules. *ret is the caller's. Errors as remote_get_json(); ERR_UNAVAILABLE when the
 * answer is none of Prometheus'. */
struct json_doc;
enum err_code prometheus_rules(const struct remote *p, struct http *h, struct json_doc **ret, struct err *e);
/* Each rule of the answer. */
void prometheus_rules_each(const struct json_doc *rules, prometheus_each *each, void *ctx);

/* Longest range window "[5m]" in a PromQL expression, in ms (0: none). Also subqueries [30m:1m]; strings and
 * comments are skipped. */
int64_t prometheus_longest_window_ms(const char *query);

#endif
