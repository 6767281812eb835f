/* rules/engine/state.h - internal to rules/engine: the state that facts fold into, and the volatile notes beside it.
 *
 * Everything in here but the members marked `volatile` follows from the facts alone. */
#ifndef RULES_ENGINE_STATE_H
#define RULES_ENGINE_STATE_H

/* Without memory for a table uthash marks the element as lost instead of ending the process; whoever adds one looks at the mark. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "rules/engine/engine.h"

#define ENGINE_ALERTS_MAX 50000u  /* known alerts; the longest unchanged ones without an open incident are forgotten first */
#define ENGINE_CLOSED_MAX 2000u   /* closed incidents kept until they were told; older ones are dropped */
#define ENGINE_INCIDENTS_MAX 5000u /* open at once; an alert beyond is recorded and refused with this reason */
#define ENGINE_SPENDS_MAX 20000u  /* writes remembered for budgets, cooldowns and attempts */
#define ENGINE_WORKLOADS_MAX 20000u
#define PROVEN_MAX 3              /* proven templates kept per workload */
#define HISTORY_MAX 32            /* lines kept per incident */
#define CONFLICTS_MAX 5           /* of one attempt: somebody else was faster each time */
#define WRITES_MAX 20             /* intents of one attempt, also those that a crash lost */
#define PLAN_LEAVES_MAX POLICY_PLAN_NODES_MAX

#define SPEND_WINDOW_MS (8ll * 24 * 60 * 60 * 1000)
#define WORKLOAD_BUDGET_ACTIONS 3
#define WORKLOAD_BUDGET_PER_MS (60ll * 60 * 1000)
#define ENVIRONMENT_RUNNING_MAX 5  /* disruptive steps at one time */
#define ALERT_FUTURE_MS (5ll * 60 * 1000)
#define WAIT_MAX_MS (24ll * 60 * 60 * 1000) /* an incident that could not act for so long is closed as refused */
#define OBSERVE_FRESH_MS 10000     /* guards judge nothing older */
#define OBSERVE_BACKOFF_MIN_MS 1000
#define OBSERVE_BACKOFF_MAX_MS 30000
#define QUESTION_LOST_MS 120000    /* an effect without an answer for so long is asked again (reads) */

enum incident_state {
    STATE_RESOLVING, /* which object is it? */
    STATE_DECIDING,  /* what to do next */
    STATE_WAITING,   /* a guard said not now */
    STATE_ACTING,    /* one write is on its way; after a restart or a lost answer: the cluster is asked whether it happened */
    STATE_VERIFYING, /* did it help */
    STATE_CLOSED,
    STATE_END_
};
extern const char *const state_names[STATE_END_];

struct known_alert {
    char *key;
    size_t key_len;
    enum alert_status status;
    bool held; /* fires again with the same startsAt: waits for a second delivery */
    int64_t starts_ms;
    int64_t changed_ms; /* of the last recorded state */
    char incident[INCIDENT_ID_SIZE]; /* that it belongs to, open or closed; "" none */
    struct known_alert *prev, *next; /* by last recorded change, oldest first */
    bool lost; /* could not be added to its table */
    UT_hash_handle hh;
};

struct incident {
    char id[INCIDENT_ID_SIZE];
    char rule[FACT_TEXT_SIZE];
    char source[SOURCE_NAME_SIZE];
    struct map labels;  /* of the alert that opened it */
    struct plan *plan;  /* resolved, its own */
    int64_t opened_ms, starts_ms;
    uint32_t alerts, firing; /* attached, and firing of them */
    enum incident_state state;

    bool resolved;
    struct target target;
    char environment[FACT_TEXT_SIZE];
    enum mode mode; /* when it was resolved: a laxer policy never widens it */

    int leaf;          /* position in the plan: index of the do-node tried now or next */
    uint32_t attempt;  /* of that leaf, from 1 */
    struct intent intent; /* last one; write 0: none for this attempt */
    enum write_state write;
    uint32_t conflicts; /* of this attempt */
    int64_t written_ms; /* engine time at which the last write is known or feared to have happened */
    int64_t again_ms;   /* WAITING, ACTING after WRITE_RETRY: not before; 0: when something changes */
    char guard[48], reason[FACT_TEXT_SIZE]; /* last refusal, or why closed */
    bool wrote_template; /* heald changed the pod template in this incident */
    bool doubt;         /* a write may or may not have happened */
    uint32_t writes;    /* known to have happened */
    int64_t first_write_ms, repaired_ms, confirmed_ms, closed_ms;
    enum outcome outcome;
    int64_t revision, told_revision, annotation_id;
    char *history[HISTORY_MAX];
    size_t history_len;

    /* volatile */
    bool asked;       /* a question is with a worker */
    uint64_t token;   /* of that question */
    int64_t asked_ms;
    int64_t look_ms;  /* next time to ask; 0: at once */
    unsigned needs;   /* wanted by the next question */
    uint32_t failures; /* of observing, in a row */
    int64_t asking_ms; /* ACTING, and no worker has the write: since then the cluster is asked; an absent proof is believed LONGEST_CALL_MS later */

    struct incident *prev, *next; /* open ones by opening, closed ones by closing */
    bool lost; /* could not be added to its table */
    UT_hash_handle hh;
};

struct workload { /* what heald knows of a target by uid */
    char uid[UID_SIZE];
    char proven[PROVEN_MAX][HASH_SIZE]; /* newest first */
    int64_t proven_ms[PROVEN_MAX];
    char restarted_at[32], template_hash[HASH_SIZE]; /* heald's own last writes: somebody else's rollout is not these */
    struct workload *prev, *next; /* oldest change first */
    bool lost; /* could not be added to its table */
    UT_hash_handle hh;
};

struct spend { /* one decided write (the first of each attempt) */
    int64_t at_ms;
    char incident[INCIDENT_ID_SIZE];
    char rule[FACT_TEXT_SIZE];
    char environment[FACT_TEXT_SIZE];
    struct target target;
};

struct engine {
    const struct action_spec *actions;
    size_t actions_len;
    int64_t seq, at_ms;
    char installation[40];
    bool paused;
    char paused_who[64], paused_reason[FACT_TEXT_SIZE];
    char policy_hash[HASH_SIZE];
    struct known_alert *alerts, *alerts_oldest; /* hash by key; list */
    struct incident *incidents;                 /* hash by id: open and closed */
    struct incident *open, *closed;             /* lists */
    size_t open_len, closed_len;
    struct workload *workloads, *workloads_oldest;
    struct spend *spends; /* in time order */
    size_t spends_len, spends_cap;
};

/* ---- shared by the engine's files ---- */

/* source 0xFF name 0xFF value 0xFF ...: what identifies an alert. */
void alert_key(struct buf *ret, const struct alert *a);
const struct known_alert *known_alert(const struct engine *g, const struct alert *a, struct buf *key);
struct incident *incident_find(const struct engine *g, const char *id); /* NULL: unknown */
struct workload *workload_find(const struct engine *g, const char *uid);

/* The do-nodes of a plan, depth first, with the `when` nodes above each, and each one's path. */
struct leaf {
    const struct node *node;
    char path[STEP_PATH_SIZE];
    bool in_otherwise;        /* of the plan */
    const struct node *when[POLICY_PLAN_DEPTH_MAX]; /* conditions, outermost first */
    bool when_else[POLICY_PLAN_DEPTH_MAX];          /* in the node's `otherwise` */
    size_t when_len;
};
size_t plan_leaves(const struct plan *p, struct leaf ret[PLAN_LEAVES_MAX]);

/* Allocate the next fact of a decision: kind and incident set, seq and time given. NULL: no memory. */
struct fact *decision_fact(struct decision *d, const struct engine *g, enum fact_kind kind, const char *incident, int64_t now_ms);
struct effect *decision_effect(struct decision *d, enum effect_kind kind, const char *incident);
struct note *decision_note(struct decision *d, const struct incident *i); /* token and failures as they are */

void engine_drop_incident(struct engine *g, struct incident *i); /* not in a list any more */
int64_t incident_deadline(const struct engine *g, const struct incident *i);

#endif
