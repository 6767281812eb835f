/* rules/policy/policy.h - who may be healed, and how: policy.cfg read into a tree that the engine walks.
 *
 * A loaded policy is immutable and shared by reference count of its owner (the loop); reloading builds a new
 * one. */
#ifndef RULES_POLICY_POLICY_H
#define RULES_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/model/alert.h"
#include "rules/policy/plan.h"
#include "rules/policy/source.h"

enum mode { MODE_OBSERVE, MODE_DRY_RUN, MODE_ACT }; /* observe is the default everywhere */

struct budget_limit {
    int64_t actions; /* 1..1000; INT64_MAX for "none" */
    int64_t per_ms;
};
#define POLICY_BUDGETS_MAX 4

struct environment {
    char *name;
    struct matchers match; /* on the resolved target: cluster, namespace, kind, name */
    enum mode mode;
    struct budget_limit *budgets; /* defaults: 10 per 1h, 30 per 1d; no element for "none" */
    size_t budgets_len;
    bool own_rollouts; /* may act while somebody's rollout is within its progress deadline (default false) */
    int64_t well_for_ms; /* how long well until a template counts as proven (default 15m) */
    int line;
};

enum target_from { FROM_POD, FROM_DEPLOYMENT, FROM_STATEFULSET, FROM_DAEMONSET };

struct rule {
    char *name;
    struct matchers match;
    struct config_strings sources; /* empty: alertmanager and grafana sources */
    enum target_from from;
    char *owner; /* kind to climb to from a pod: "Deployment", ...; NULL: the object the label names */
    char *plan_name;
    const struct plan *plan;
    int64_t cooldown_ms;     /* per target after heald's last write; default 15m; 0 for "none" */
    int64_t attempts;        /* incidents per target within attempts_per_ms; default 3 */
    int64_t attempts_per_ms; /* default 6h */
    int64_t alert_age_ms;    /* older alerts are refused; default 1h */
    int line;
};

struct policy {
    int64_t version; /* 1 */
    struct environment *environments;
    size_t environments_len;
    struct matchers *ignore; /* any of them matching: never act */
    size_t ignore_len;
    struct rule *rules;
    size_t rules_len;
    struct plan *plans;
    size_t plans_len;
    const struct action_spec *actions; /* the catalogue, not owned */
    size_t actions_len;
    char hash[HASH_SIZE]; /* of the text; set by who loaded it ("" in tests) */
    /* sources stand in heald.cfg; set by who loaded it; not owned */
    const struct source *const *sources;
    size_t sources_len;
    bool prometheus; /* one is configured: before a write the alert must fire there and the cluster must show
                        a fault */
};

/* Parse and validate. All errors at once in *ret_errors (see config.h). `actions` must outlive the policy. */
enum err_code policy_load(struct policy **ret, const char *name, const char *bytes, size_t len,
                          const struct action_spec *actions, size_t actions_len, struct buf *ret_errors,
                          struct err *e);
struct policy *policy_free(struct policy *p);
static inline void policy_freep(struct policy **p)
{
    *p = policy_free(*p);
}

/* First rule that matches the alert, or NULL. A rule without `source` wants a source of kind Alertmanager or
 * Grafana; a source that p->sources lacks is judged by its name ("alertmanager", "grafana"). Takes no memory.
 */
const struct rule *policy_match(const struct policy *p, const struct alert *a);
const struct rule *policy_rule(const struct policy *p, const char *name); /* NULL: it has vanished */
/* The index of the ignore pattern that matches these labels, or -1. */
int policy_ignored(const struct policy *p, const struct map *labels);
/* First environment matching the resolved target, or NULL (then: observe). */
const struct environment *policy_environment(const struct policy *p, const struct target *t);
const struct source *policy_source(const struct policy *p, const char *name);

extern const struct config_key policy_keys[]; /* for the reference */

#endif
