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
#include "rules/policy/window.h"

enum mode { MODE_OBSERVE, MODE_DRY_RUN, MODE_ACT }; /* observe is the default everywhere */

struct budget_limit {
    int64_t actions; /* 1..1000; INT64_MAX for "none" */
    int64_t per_ms;
};
#define POLICY_BUDGETS_MAX 4

#define POLICY_TEAMS_MAX 100
#define POLICY_PATTERNS_MAX 10000 /* rules, environments, patterns of one kind */
#define POLICY_TARGETS_MAX 8
#define POLICY_BRAKES_MAX 4

/* Sets of matchers of which one must match: ignore, critical, auto, protect. A matcher named `message` looks
 * at the alert's message when the alert has no label of that name. */
struct patterns {
    struct matchers *list;
    size_t len;
};

struct storm {         /* so many incidents in `per_ms`: nothing more is begun for `hold_ms` */
    int64_t incidents; /* default 10; INT64_MAX for "none" */
    int64_t per_ms;    /* default 2m */
    int64_t hold_ms;   /* default 15m */
};
struct breaker {      /* an action that failed so often in a row is left alone */
    int64_t failures; /* default 3; INT64_MAX for "none" */
    int64_t open_ms;  /* default 30m */
};

/* Targets that match depend on those that match `on`: of the same cluster, unless `on` names one. */
struct dependency {
    struct matchers match, on;
};
#define POLICY_DEPENDENCIES_MAX 64

/* Alertmanager cannot say whether the alert is silenced. */
enum silence_leads { SILENCE_WAITS /* default */, SILENCE_ACTS };
#define SILENCE_WORDS "wait|act"

struct environment {
    char *name;
    struct matchers match; /* on the resolved target: cluster, namespace, kind, name */
    enum mode mode;
    struct config_strings patch;   /* JSON pointers that action "patch" may set; empty: none */
    struct config_strings allow;   /* the only actions that may be done; empty: all */
    struct config_strings approve; /* actions, or "gentle", "disruptive", "dangerous", "all", that a person
                                      must approve */
    struct gate approval;          /* who approves, and until when */
    struct budget_limit *budgets;  /* defaults: 10 per 1h, 30 per 1d; no element for "none" */
    size_t budgets_len;
    struct budget_limit *workload_budgets; /* of each workload; default 3 per 1h; no element for "none" */
    size_t workload_budgets_len;
    struct budget_limit *namespace_budgets; /* of each namespace; default: none */
    size_t namespace_budgets_len;
    struct budget_limit *action_budgets; /* of each action here; default: none */
    size_t action_budgets_len;
    int silence_unknown; /* enum silence_leads */
    int64_t running;     /* disruptive steps at one time; default 5; INT64_MAX for "none" */
    struct storm storm;
    struct breaker breaker;
    int64_t shared_cause;  /* so many workloads of a cluster in trouble within 5 min have one cause, which no
                              restart of one of them mends; default 3;  INT64_MAX for "none" */
    int64_t blast_percent; /* of a workload's pods that a step may take away at once, at least one;
                              default 25; 100 for "none" */
    int64_t min_available_percent; /* a step that would leave fewer of the desired pods ready is refused;
                                      default 0: not asked */
    struct patterns protect;       /* on the target: not without approval */
    struct dependency
        *depends_on; /* while an incident of what a target depends on is open, it is left alone */
    size_t depends_on_len;
    struct config_strings maintenance; /* windows: nothing is done, and nobody is told */
    struct config_strings freeze;      /* windows: nothing is done */
    struct query *brakes;              /* PromQL: while one holds, or has no data, no step is begun */
    size_t brakes_len;
    bool downtime;     /* actions that leave nothing running are allowed */
    bool own_rollouts; /* may act while somebody's rollout is within its progress deadline (default false) */
    int64_t well_for_ms;          /* how long well until a template counts as proven (default 15m) */
    struct config_strings notify; /* receivers of heald.cfg, told of what happens here */
    int line;
};

/* The label that names the object; its word in a policy is the name of the enumerator in lower case. */
enum target_from {
    FROM_POD,
    FROM_DEPLOYMENT,
    FROM_STATEFULSET,
    FROM_DAEMONSET,
    FROM_JOB,
    FROM_CRONJOB,
    FROM_NODE,
    FROM_HPA,
    FROM_PERSISTENTVOLUMECLAIM,
    FROM_CONTAINER,
    FROM_SERVICE,
    FROM_APPLICATION,
    FROM_NOTHING, /* `name` or `selector` says which */
};
#define TARGET_FROM_WORDS                                                                                    \
    "pod|deployment|statefulset|daemonset|job|cronjob|node|hpa|persistentvolumeclaim|container|service|"     \
    "application"

const char *target_from_word(enum target_from from);  /* "pod"; "" for FROM_NOTHING */
const char *target_from_label(enum target_from from); /* the label of alerts: "pod", "job_name" */

/* Which object to heal: by `from`, by `name`, or by `selector`. Texts are templates. */
struct target_spec {
    enum target_from from;
    char *owner;     /* from = "pod": the kind to climb to */
    char *kind;      /* of name and selector: see rules/model/kind.h */
    char *name;      /* "${labels.app}-web" */
    char *selector;  /* "app=${labels.app}": labels of the objects */
    int64_t limit;   /* of selector: more objects are refused; default 1 */
    char *namespace; /* NULL: the label `namespace` */
    char *cluster;   /* NULL: the label `cluster`, or the only one */
    int line;
};

/* While an alert fires that matches, and has equal values for these labels, it explains the incident. */
struct explained {
    struct matchers match;
    struct config_strings equal;
};

/* Whose rules stand in a file of their own, and what bounds them. */
struct team {
    char *name, *file;
    struct config_strings namespaces; /* regular expressions, anchored */
    struct config_strings may;        /* actions and risks */
    enum mode mode;                   /* limits: rules may be tighter, never wider */
    int64_t rules_max, cooldown_ms, attempts, alert_age_ms, running;
    struct budget_limit *budgets; /* of each rule */
    size_t budgets_len;
    struct budget_limit *team_budgets; /* of all its rules together */
    size_t team_budgets_len;
    struct policy *own; /* what its file says but for the rules, which stand behind the policy's */
    int line;
};

struct rule {
    char *name;
    const struct team *team; /* whose it is; NULL: the platform's */
    bool enabled;
    enum mode mode; /* the stricter of this and the environment's counts; default act: the environment's */
    struct matchers match;
    struct config_strings sources; /* empty: alertmanager and grafana sources */
    bool go_on;                    /* `continue`: rules behind it are tried too */
    struct target_spec *targets;   /* each opens an incident of its own, in this order */
    size_t targets_len;            /* 1.. */
    int64_t targets_at_once;       /* incidents of one alert that are worked on at one time; default 1 */
    char *plan_name;
    char *profile;           /* of `profiles`: parameters that `params` may override; NULL */
    const struct plan *plan; /* with the parameters put in */
    struct plan *own_plan;   /* the same, when the rule gives parameters */
    struct plan_params params;
    int64_t hold_off_ms;          /* `for`: wait so long whether it clears by itself; default 0 */
    int64_t running;              /* incidents of the rule that act at one time; default INT64_MAX: none */
    int64_t cooldown_ms;          /* per target after heald's last write; default 15m; 0 for "none" */
    int64_t attempts;             /* incidents per target within attempts_per_ms; default 3 */
    int64_t attempts_per_ms;      /* default 6h */
    int64_t alert_age_ms;         /* older alerts are refused; default 1h */
    struct budget_limit *budgets; /* of the rule, beside the environment's; default: none */
    size_t budgets_len;
    struct explained *explained_by;
    size_t explained_by_len;
    struct patterns depends_on;          /* the rule's targets depend on targets that one of these matches */
    struct config_strings same_incident; /* labels: alerts with equal values belong together; empty: the
                                            target decides */
    char *severity, *cause;              /* words put on the incident; NULL */
    char *runbook, *dashboard;           /* links, templates; NULL */
    char *note;                          /* shown to people, a template; NULL */
    struct config_strings notify;        /* receivers, beside the environment's */
    int line;
};

/* What rules inherit that do not say it themselves. */
struct rule_defaults {
    int64_t cooldown_ms, attempts, attempts_per_ms, alert_age_ms, hold_off_ms, running;
};

struct policy {
    int64_t version; /* 1 */
    struct rule_defaults defaults;
    struct team *teams;
    size_t teams_len;
    struct window *windows;
    size_t windows_len;
    struct environment *environments;
    size_t environments_len;
    struct patterns ignore;    /* never act */
    struct patterns critical;  /* always tell a person, act only with approval */
    struct patterns automatic; /* `auto`: act without the environment's approvals */
    struct rule *rules;
    size_t rules_len;
    struct plan *plans;
    size_t plans_len;
    struct profile {
        char *name;
        struct plan_params params;
    } * profiles; /* named sets of parameters */
    size_t profiles_len;
    struct policy_index *index;        /* of the rules */
    const struct action_spec *actions; /* the catalogue, not owned */
    size_t actions_len;
    char hash[HASH_SIZE]; /* of the text; set by who loaded it ("" in tests) */
    /* sources stand in heald.cfg; set by who loaded it; not owned */
    const struct source *const *sources;
    size_t sources_len;
    bool prometheus; /* one is configured: before a write the alert must fire there and the cluster must show
                        a fault */
    /* of alerts of which no Prometheus says it; 0: the default */
    int64_t settle_ms, group_interval_ms;
};

#define POLICY_SETTLE_MS (10ll * 60 * 1000) /* an alert's longest range, keep_firing_for, 2 evaluations */
#define POLICY_GROUP_INTERVAL_MS (5ll * 60 * 1000) /* Alertmanager's; counts where there is no Prometheus */
/* How long an alert may go on firing after what it complained of has ended, when Prometheus does not say. */
static inline int64_t policy_settle_ms(const struct policy *p, bool in_prometheus)
{
    int64_t settle_ms = p->settle_ms > 0 ? p->settle_ms : POLICY_SETTLE_MS;
    int64_t interval_ms = p->group_interval_ms > 0 ? p->group_interval_ms : POLICY_GROUP_INTERVAL_MS;
    return settle_ms + (in_prometheus ? 0 : interval_ms);
}

/* What the shell does for a loader that reads nothing itself. */
struct policy_shell {
    /* A zone of the time zone database, owned by who asked. ERR_NOT_FOUND: there is none of this name. */
    enum err_code (*zone)(void *arg, const char *name, struct zone **ret, struct err *e);
    void *arg;
    struct config_reader reader; /* of @include and teams; read NULL: both are refused */
    /* What heald.cfg has; NULL: not known, and not checked. */
    const struct config_strings *groups, *receivers, *sources;
    int64_t settle_ms; /* of alerts, as in struct policy; 0: POLICY_SETTLE_MS; -1: somebody else checks it */
    struct config_problems *problems; /* takes all that is found, warnings too; NULL */
};

/* Parse and validate. All errors at once in *ret_errors (see config.h). `actions` must outlive the policy. */
enum err_code policy_load(struct policy **ret, const char *name, const char *bytes, size_t len,
                          const struct action_spec *actions, size_t actions_len, struct buf *ret_errors,
                          struct err *e);
/* The same with a shell; NULL: only the zone UTC is known. */
enum err_code policy_load_with(struct policy **ret, const char *name, const char *bytes, size_t len,
                               const struct action_spec *actions, size_t actions_len,
                               const struct policy_shell *shell, struct buf *ret_errors, struct err *e);
struct policy *policy_free(struct policy *p);
static inline void policy_freep(struct policy **p)
{
    *p = policy_free(*p);
}

/* First enabled rule that matches the alert, or NULL. A rule without `source` wants a source of kind
 * Alertmanager or Grafana; a source that p->sources lacks is judged by its name ("alertmanager", "grafana").
 * Takes no memory. */
const struct rule *policy_match(const struct policy *p, const struct alert *a);
/* All that match, in order, up to and including the first without `continue`; at most `max`. */
size_t policy_match_all(const struct policy *p, const struct alert *a, const struct rule **ret, size_t max);
/* Why one rule does or does not take an alert, whatever the others say. *ret_failed: the matcher that fails.
 */
enum rule_answer { RULE_TAKES, RULE_DISABLED, RULE_OTHER_SOURCE, RULE_MATCHER_FAILS };
enum rule_answer policy_try(const struct policy *p, const struct rule *r, const struct alert *a,
                            const struct matcher **ret_failed);
const struct rule *policy_rule(const struct policy *p, const char *name); /* NULL: it has vanished */
/* The index of the pattern that matches these labels (of an alert, or cluster, namespace, kind and name of a
 * target), or -1. `message` may be NULL. */
int patterns_match(const struct patterns *list, const struct map *labels, const char *message);
/* The same of p->ignore. */
int policy_ignored(const struct policy *p, const struct map *labels);
/* What the alert says to people: its annotation `message`, `description` or `summary`; "" when it says
 * nothing. */
const char *policy_message(const struct map *annotations);
const struct window *policy_window(const struct policy *p, const char *name); /* NULL: there is none */
/* The first of these windows that is open now, or NULL. */
const struct window *policy_open_window(const struct policy *p, const struct config_strings *names,
                                        int64_t wall_ms);
/* First environment matching the resolved target, or NULL (then: observe). */
const struct environment *policy_environment(const struct policy *p, const struct target *t);
/* Whether one of these patterns covers a target. */
bool patterns_cover(const struct patterns *list, const struct target *t);
/* Does `t`, as the environment and the rule that it is healed by say (NULL: neither), depend on `other`? */
bool policy_depends(const struct environment *env, const struct rule *rule, const struct target *t,
                    const struct target *other);
const struct source *policy_source(const struct policy *p, const char *name);
/* Does Prometheus know the alerts of this source? It is configured, and the source passes on its alerts:
 * those of Grafana itself and what pipelines say are not there. */
bool policy_in_prometheus(const struct policy *p, const char *source);
/* Does an Alertmanager send them, so that it can be asked about them? */
bool policy_in_alertmanager(const struct policy *p, const char *source);
/* Whether the rules of a team may do this to the target (action NULL: anything); else *ret_why says why not.
 */
bool team_may(const struct team *t, const struct target *target, const struct action_spec *action,
              char *ret_why, size_t why_size);
/* Whether this list of actions and risks (`allow`, `approve`) names the action. */
bool action_listed(const struct config_strings *list, const struct action_spec *action);

extern const struct config_key policy_keys[]; /* for the reference */

#endif
