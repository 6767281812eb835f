/* rules/policy/plan.h - a plan: phases, each a list of steps; a step is one node of a tree.
 *
 * A list runs its steps in order. A step that is verified as *fixed* ends the list as fixed; one that is not
 * fixed, that failed, or that a guard ruled out moves on to the next; one that repairs nothing (notify, wait,
 * an approved gate, a `when` without a fitting branch, an action of risk `read`) moves on too. A gate that
 * was denied or has expired ends its list as failed, and so does a `wait = { until }` whose time is over
 * (unless it says on_timeout = "next"): what stands behind it is not done; `choose` tries its next branch,
 * and else comes `otherwise`. `stop` ends the phases at once. A list that runs to its end without being fixed
 * has failed.
 *
 * Phases: prepare; steps; `otherwise` when steps failed; after fixed: stabilise, validate, optimise; then
 * cleanup and report, which always run, as far as no guard refuses what they do. When prepare fails (a gate),
 * steps and otherwise are not run. When validate fails the verdict becomes not fixed, and `otherwise` runs.
 */
#ifndef RULES_POLICY_PLAN_H
#define RULES_POLICY_PLAN_H

#include "rules/base/json.h"
#include "rules/model/action.h"
#include "rules/policy/condition.h"

#define POLICY_PLAN_DEPTH_MAX 8u  /* levels of steps in steps, called plans included */
#define POLICY_PLAN_NODES_MAX 64u /* of a resolved plan, called plans included */
#define POLICY_BRANCHES_MAX 8u
#define POLICY_NAME_MAX 64 /* bytes of a rule's, an environment's, a plan's, a step's name */

enum node_type {
    NODE_DO,       /* do = "restart": an action */
    NODE_WHEN,     /* when = { ... }; then = ( ); otherwise = ( ) */
    NODE_ESCALATE, /* do = "escalate"; notify = "sre": hands over to a person and ends the plan */
    NODE_GATE,     /* gate = { role = "sre"; }: a person's yes */
    NODE_WAIT,   /* wait = "2m", or wait = { until = { ... }; within = "10m"; }: when the time is over it has
                    failed */
    NODE_NOTIFY, /* notify = "sre"; text = "..." */
    NODE_STOP,   /* stop = "escalated" */
    NODE_CHOOSE, /* choose = ( { name; steps }, ... ): alternatives in order, or by what has worked; the order
                    is decided once, and recorded */
    NODE_PARALLEL, /* parallel = ( { steps }, ... ); need = 2: writes are made one after the other (a target
                      has one lock), without verification in between, and judged together by `verify`; once
                      `need` branches were carried out the rest is not begun */
    NODE_CALL,     /* plan = "name"; with = { ... }: its steps stand in `then`, with the parameters put in */
};

/* Plans in journals of older releases do not say it: they moved on. */
enum late_leads { LATE_MOVES_ON, LATE_FAILS /* default */ };
#define LATE_WORDS "next|fail"
enum unknown_leads { UNKNOWN_STOPS, UNKNOWN_ESCALATES, UNKNOWN_MOVES_ON };
#define UNKNOWN_WORDS "stop|escalate|next"

struct verify {
    int rollout;       /* 1: rollout = "complete" (default); 0: "ignore" */
    int alert;         /* 1: alert = "quiet" (default); 0: "ignore" */
    int64_t hold_ms;   /* default 1m */
    int64_t within_ms; /* default 20m */
    int64_t every_ms;  /* default 5s */
    struct query promql, loki;
    struct http_probe http;
    char *condition; /* of the target's status, must be True: "Available"; NULL: not asked */
    int64_t need;    /* so many of the checks that are on must hold; 0: all */
    int on_unknown;  /* enum unknown_leads */
};

struct gate {
    char *role;         /* operators with this role may approve; NULL: who may approve at all */
    int64_t approvals;  /* 1..5; default 1 */
    int64_t expires_ms; /* default 30m; expires to no */
};
struct wait {
    int64_t for_ms;    /* a time; 0: until a condition holds */
    int64_t within_ms; /* of `until`; default 10m */
    int64_t every_ms;  /* of `until`; default 10s */
    int on_timeout;    /* of `until`: enum late_leads */
};

struct node_list {
    struct node *items;
    size_t len;
};
struct branch {
    char *name; /* NULL: its index */
    struct node_list steps;
    int line;
};

struct node {
    enum node_type type;
    int line;
    char *name; /* for `step` conditions and reports; NULL: its path */
    /* DO */
    const struct action_spec *action;
    int64_t params[ACTION_PARAMS_MAX]; /* by the action's table; a choice is its index */
    char *texts[ACTION_PARAMS_MAX];    /* of a PARAM_TEXT; NULL is "" */
    int64_t retry;                     /* further attempts when not fixed; 0..5 */
    int64_t backoff_ms;                /* before the first of them; doubles each time; default 0 */
    int64_t timeout_ms;                /* from the first intent to the verdict; 0: none but verify.within */
    bool undo;                         /* when verification says worse: put back what this step changed */
    struct verify verify;              /* also of PARALLEL */
    struct conditions when;            /* WHEN; WAIT until */
    struct node_list then, otherwise;  /* WHEN; CALL: then */
    struct branch *branches;           /* CHOOSE, PARALLEL */
    size_t branches_len;
    int64_t need;   /* PARALLEL: branches that must be carried out; 0: all */
    int by_success; /* CHOOSE: 1: what has worked most often for the rule comes first */
    struct gate gate;
    struct wait wait;
    char *notify; /* ESCALATE, NOTIFY, GATE: a receiver's name; NULL */
    char *text;   /* NOTIFY, GATE, STOP: a template; NULL */
    int outcome;  /* STOP: index in STOP_WORDS */
    char *plan;   /* CALL: its name */
};
#define STOP_WORDS "not_healed|escalated|refused|cancelled"

enum phase {
    PHASE_PREPARE,
    PHASE_STEPS,
    PHASE_OTHERWISE,
    PHASE_STABILISE,
    PHASE_VALIDATE,
    PHASE_OPTIMISE,
    PHASE_CLEANUP,
    PHASE_REPORT,
    PHASE_END_
};
extern const char *const phase_names[PHASE_END_]; /* "prepare", "steps", "otherwise", ... */

#define POLICY_PARAMS_MAX 16
/* Texts given to a plan: `params` of a rule, `with` of a call. Values are templates. */
struct plan_params {
    struct param {
        char *name, *value;
    } * list;
    size_t len;
};

struct plan {
    char *name;
    /* A plan is a pattern that rules and calls fill in when the policy is loaded: neither stands in its JSON.
     */
    struct plan_params params;   /* defaults */
    struct config_strings needs; /* parameters without one: not to be run without them */
    struct node_list phases[PHASE_END_];
    int line;
};

/* A step's path is its way down from a phase: "steps.0.then.1", "otherwise.0", "steps.2.branch.1.0". */

/* A plan as JSON: what an incident keeps in its first fact, and back. plan_parse needs the catalogue; an
 * action that the catalogue lacks, an unknown key, parameter, choice or kind of step is ERR_VERSION: a newer
 * release wrote it. ERR_LIMIT: too deep, too many steps. plan_write(plan_parse(x)) gives x's bytes. The
 * parsed plan is owned by the caller (plan_free); its lines are 0. */
void plan_write(struct json_writer *w, const struct plan *p);
/* The parameters of a NODE_DO, as the object that stands in its plan. */
void plan_write_params(struct json_writer *w, const struct node *n);
enum err_code plan_parse(struct plan **ret, const struct json *j, const struct action_spec *actions,
                         size_t actions_len, struct err *e);
struct plan *plan_free(struct plan *p);

#endif
