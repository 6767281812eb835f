/* rules/engine/state.h - internal to rules/engine: the state that facts fold into, and the volatile notes
 * beside it.
 *
 * Everything in here but the members marked `volatile` follows from the facts alone. Engine time unless a
 * name says `wall`. */
#ifndef RULES_ENGINE_STATE_H
#define RULES_ENGINE_STATE_H

/* Without memory for a table uthash marks the element as lost instead of ending the process; whoever adds one
 * looks at the mark. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "rules/engine/engine.h"
#include "rules/engine/tree.h"

#define ENGINE_ALERTS_MAX                                                                                    \
    50000u /* known alerts; those without an open incident that changed longest ago go first */
#define ENGINE_CLOSED_MAX 2000u /* closed incidents kept until they were told; older ones are dropped */
#define ENGINE_INCIDENTS_MAX                                                                                 \
    5000u                        /* open at once; an alert beyond is recorded and refused with this reason */
#define ENGINE_SPENDS_MAX 20000u /* writes remembered for budgets, cooldowns and attempts */
#define ENGINE_WORKLOADS_MAX 20000u
#define ENGINE_ARRIVALS_MAX 4096u /* incidents remembered for storms and shared causes */
#define ENGINE_PAST_MAX 4096u     /* closed incidents remembered for recurrence */
#define ENGINE_BROKEN_MAX 256u    /* actions by environment that did not help */
#define BULKHEAD_CLUSTER_MAX 20   /* incidents at work in one cluster at one time */
#define BULKHEAD_MAX 50           /* and in all */
#define QUEUE_MAX 500 /* incidents that wait for their turn; what does not fit is told to a person */
#define URGENCIES 4   /* critical, error, warning, info */
#define LOST_END_MS                                                                                          \
    (15ll * 60 * 1000) /* an alert that Prometheus calls inactive is over, though nobody said so */
#define RELAPSE_MS (60ll * 60 * 1000)        /* healed, and back within that: it had not worked */
#define RECURRENCE_MS (6ll * 60 * 60 * 1000) /* within that it is told as "third time in 6h" */
#define ENGINE_WORKED_MAX 500u               /* branches of `choose` whose success is remembered */
#define PROVEN_MAX 3                         /* proven templates kept per workload */
#define HISTORY_MAX 32                       /* lines kept per incident */
#define CONFLICTS_MAX 5                      /* of one attempt: somebody else was faster each time */
#define WRITES_MAX 20 /* intents of one attempt, also those that a crash or an overloaded server lost */
#define TIMER_QUESTIONS_MAX 256 /* asked in one turn; the others are due still */

#define SPEND_WINDOW_MS                                                                                      \
    (31ll * 24 * 60 * 60 * 1000) /* longer than any budget, cooldown or attempts_per may be */
#define ALERT_FUTURE_MS (5ll * 60 * 1000)
#define WAIT_MAX_MS                                                                                          \
    (24ll * 60 * 60 * 1000)    /* without a write for so long, and not verifying: the incident is closed */
#define OBSERVE_FRESH_MS 10000 /* guards judge nothing older */
#define OBSERVE_BACKOFF_MIN_MS 1000
#define OBSERVE_BACKOFF_MAX_MS 30000
#define WRITE_BACKOFF_MIN_MS 1000
#define WALL_SKEW_MS                                                                                         \
    60000 /* what lies further ahead than this lies before a jump of the clock back; less is no jump */
#define UNANSWERED_MS (2ll * 60 * 1000) /* a `when` whose probe has no data is asked again for so long */
#define UNANSWERED_EVERY_MS 10000
#define QUESTION_LOST_MS                                                                                     \
    600000 /* a question that nobody answered is asked again: a safety net, every worker answers */

enum incident_state {
    STATE_RESOLVING, /* which object is it? */
    STATE_DECIDING,  /* what to do next */
    STATE_WAITING,   /* a guard said not now */
    STATE_APPROVAL,  /* a person's yes is asked for */
    STATE_DELAYED,   /* a step of the plan waits: for a time, or until a condition holds */
    STATE_ACTING, /* one write is on its way; after a restart or a lost answer: the cluster is asked whether
                     it happened */
    STATE_VERIFYING, /* did it help */
    STATE_CLOSED,
    STATE_END_
};
extern const char *const state_names[STATE_END_];
/* The table of states.c: whether a fact may lead from one to the other, who ends it, and by when at the
 * latest. */
bool state_may(enum incident_state from, enum incident_state to);
const char *state_owner(enum incident_state s);
const char *state_deadline(enum incident_state s); /* "": closed */

struct incident;

struct known_alert {
    enum alert_status status;
    enum alert_disposition
        disposition;       /* of the last recorded state; HELD: fires again with the same startsAt */
    int64_t starts_ms;     /* wall */
    int64_t ended_wall_ms; /* when an incident that it belonged to was closed; 0: none was */
    int64_t policy_seq;    /* the policy's fact that was in force when it was recorded */
    struct incident *of;   /* open incident that it belongs to, in whose list it is; NULL: in g->loose */
    struct known_alert *prev, *next; /* in that list, by last recorded change */
    UT_hash_handle hh;
    bool lost; /* could not be added to its table */
    uint32_t key_len;
    char key[]; /* alert_key(): there may be very many, so each is one piece of memory */
};

#define APPROVALS_MAX 5
struct approval {                         /* what is asked of persons now, or was last */
    char step[STEP_PATH_SIZE], guard[48]; /* step "": nothing */
    char role[ENVIRONMENT_NAME_SIZE], hash[FACT_BOUND_SIZE];
    int32_t wanted, given;
    char by[APPROVALS_MAX][64];
    char denied[64], why[FACT_TEXT_SIZE]; /* by whom; "" nobody did */
    char changed_by[64];                  /* who changed the target last, as it claims */
    int64_t until_ms;
};

struct site;
enum standing { STANDING_NOWHERE, STANDING_ACTING, STANDING_QUEUED };

struct incident {
    char id[INCIDENT_ID_SIZE];
    char rule[FACT_TEXT_SIZE];
    char source[SOURCE_NAME_SIZE];
    struct map labels, annotations; /* of the alert that opened it; empty once closed */
    struct plan *plan;              /* resolved; see plans.h; NULL once closed */
    int64_t opened_ms, starts_ms;
    struct known_alert *attached; /* list */
    uint32_t alerts, firing;      /* attached ever, and firing now */
    struct incident *leader;      /* of the same alert, which is in that one's list: this is another target or
                                     rule; NULL: it has its own */
    uint32_t followers;           /* whose leader this is */
    uint64_t family;              /* the same for all that one alert opened */
    int32_t target_index;         /* in the rule's targets */
    enum site_kind waits_at;      /* WAITING: for its turn there; SITE_NONE: for something else */
    int32_t urgency;              /* from 1, the worst, as it was when it began to wait for its turn */
    enum incident_state state;

    bool resolved;
    struct target target;
    char environment[FACT_TEXT_SIZE];
    enum mode mode;            /* when it was resolved: a laxer policy never widens it */
    enum cause cause;          /* at the first look */
    struct evidence *evidence; /* of it, for texts that are filled in; NULL: none, or closed */

    int at; /* node of the plan that was tried last, waits, or is verified; -1: none */
    struct progress progress;
    uint32_t attempt;              /* of that node, from 1 */
    int64_t step_ms;               /* its first intent */
    int64_t moved_ms;              /* its plan went on, or a person spoke; 0: not yet */
    int64_t until_ms;              /* DELAYED: no longer than that */
    bool undoing;                  /* what the step changed is to be put back */
    bool by_hand;                  /* begun by an operator, without an alert */
    char asked_by[64];             /* that one */
    char former[INCIDENT_ID_SIZE]; /* the last one of its rule and target before it; "" none lately */
    uint64_t worked;               /* the branch of `choose` that was counted as fixed; 0: none */
    int32_t times;                 /* with this one, within RECURRENCE_MS */
    bool cancelled;                /* by an operator: no further step of the plan */
    struct approval *approval;     /* NULL: nothing was asked for */
    enum outcome ending;           /* known; only cleanup and report are left. OUTCOME_OPEN: not yet */
    char ended_why[FACT_TEXT_SIZE];
    struct intent intent; /* last one; write 0: none for this attempt */
    uint32_t conflicts;   /* of this attempt */
    enum write_state write;
    int64_t written_ms;      /* when the last write is known or feared to have happened */
    int64_t written_wall_ms; /* the same */
    int64_t again_ms; /* WAITING, or DECIDING after WRITE_RETRY: not before; 0: when something changes */
    char guard[48], reason[FACT_TEXT_SIZE]; /* last refusal, or why closed */
    char left_hash[HASH_SIZE];              /* the template as heald's last write left it; "" not known */
    bool wrote_template;                    /* heald changed the pod template in this incident */
    bool doubt;                             /* a write may or may not have happened */
    uint32_t writes;                        /* known to have happened */
    int64_t first_write_ms, repaired_wall_ms, confirmed_wall_ms, closed_ms, closed_wall_ms;
    enum outcome outcome;
    int64_t revision, told_revision, annotation_id;
    char *history[HISTORY_MAX];
    size_t history_len;

    /* volatile */
    bool asked;     /* a question is with a worker */
    uint64_t token; /* of that question */
    int64_t asked_ms;
    int64_t look_ms;   /* next time to ask; 0: at once */
    uint32_t failures; /* of observing, in a row */
    int64_t asking_ms; /* ACTING, and no worker has the write: since then the cluster is asked; an absent
                          proof is believed LONGEST_CALL_MS later */
    int64_t due_ms;    /* incident_deadline(), as the heap knows it */
    size_t due_at;     /* index in the heap */

    enum standing standing; /* where it stands, and that nothing but the rest of the state says so: turns.h */
    struct site *sites[SITE_END_]; /* acting: all of them; waiting: the one where it waits */
    struct incident *turn_prev, *turn_next;

    bool busy;                    /* in g->busy: it keeps its target, see incident_busy() */
    struct incident *prev, *next; /* open ones by opening, closed ones by closing */
    struct incident *busy_prev, *busy_next;
    bool lost; /* could not be added to its table */
    UT_hash_handle hh;
};

struct workload { /* what heald knows of a target by uid */
    char uid[UID_SIZE];
    char proven[PROVEN_MAX][HASH_SIZE]; /* newest first */
    int64_t proven_ms[PROVEN_MAX];
    /* heald's own last change of the template: somebody else's rollout is not this */
    char restarted_at[32];         /* a restart's; else "" */
    char template_hash[HASH_SIZE]; /* what it led to; "" when that is not known (then restarted_at tells) */
    char base_hash[HASH_SIZE];  /* a restart's: the template without heald's restarts, which are no change */
    int64_t base_since_wall_ms; /* since when that stood there; 0: before the watch began */
    struct workload *prev, *next; /* oldest change first */
    bool lost;                    /* could not be added to its table */
    UT_hash_handle hh;
};

struct spend { /* one decided write: the last of each attempt. Names are hashes: a journal holds the names */
    int64_t at_ms;
    uint64_t incident, rule, environment, target;
    uint64_t namespace, action, team; /* 0: of no team, or written by a release that did not keep it */
};

struct arrival { /* an incident whose target was found; names are hashes */
    int64_t at_ms;
    uint64_t environment, cluster, target;
    bool changed; /* its template had changed before the trouble began: a cause of its own */
};
struct broken { /* an action in an environment: how often in a row it did not help */
    uint64_t key;
    int64_t failures, last_ms;
};
struct past { /* a closed incident whose target was known */
    char id[INCIDENT_ID_SIZE];
    uint64_t rule, target;
    int64_t closed_ms;
    enum outcome outcome;
    uint64_t worked; /* the branch of `choose` that was counted as fixed; 0: none */
};

struct worked { /* a branch of a `choose`, of one rule */
    uint64_t key;
    uint32_t tried, fixed;
};

#define PAUSES_MAX 64 /* everywhere, environments, rules and namespaces together */
struct pause {
    enum pause_scope scope;
    char name[ENVIRONMENT_NAME_SIZE], who[64], reason[FACT_TEXT_SIZE];
    int64_t until_ms; /* 0: until resumed */
};

struct engine {
    const struct action_spec *actions;
    size_t actions_len;
    int64_t seq, at_ms;
    int64_t restoring, restored_parts; /* a snapshot of the state after that fact is being read; 0: none */
    char installation[40];
    struct pause pauses[PAUSES_MAX];
    size_t pauses_len;
    char policy_hash[HASH_SIZE];
    int64_t policy_seq; /* of the last FACT_POLICY */
    int64_t
        jump_wall_ms; /* the wall clock after its last jump: spans must not be measured over it; 0: none */
    struct known_alert *alerts;  /* hash by key: all */
    struct known_alert *loose;   /* list: those without an open incident */
    struct known_alert *opening; /* the alert whose incident's own fact comes next */
    char opening_id[INCIDENT_ID_SIZE];
    struct map opening_annotations;
    struct incident *incidents;            /* hash by id: open and closed */
    struct incident *open, *closed, *busy; /* lists */
    size_t open_len, closed_len;
    struct shared_plan *plans; /* hash by text: of the open incidents */
    struct site *sites;        /* hash by key */
    struct workload *workloads, *workloads_oldest;
    struct spend *spends; /* in time order */
    size_t spends_len, spends_cap;
    struct arrival *arrivals; /* in time order */
    size_t arrivals_len, arrivals_cap;
    struct past *past; /* in the order of closing */
    size_t past_len, past_cap;
    struct broken broken[ENGINE_BROKEN_MAX]; /* changed longest ago first */
    size_t broken_len;
    struct worked worked[ENGINE_WORKED_MAX]; /* counted longest ago first */
    size_t worked_len;

    /* volatile */
    struct incident **due; /* heap of the open incidents by due_ms */
    size_t due_cap;
    int64_t started_ms; /* INPUT_STARTED: what was there before, the watch cannot date */
};

/* ---- shared by the engine's files ---- */

/* source 0xFF name 0xFF value 0xFF ...: what identifies an alert. */
void alert_key(struct buf *ret, const struct alert *a);
const struct known_alert *known_alert(const struct engine *g, const struct alert *a, struct buf *key);
/* Back out of the key. The value of one label is a text of *ret_len bytes, not terminated; NULL: it has none.
 */
enum err_code labels_of_key(struct map *ret, const struct known_alert *a, struct err *e);
const char *label_of_key(const struct known_alert *a, const char *name, size_t *ret_len);
struct incident *incident_find(const struct engine *g, const char *id); /* NULL: unknown */
struct workload *workload_find(const struct engine *g, const char *uid);
uint64_t name_hash(const char *name);
uint64_t target_hash(const struct target *t); /* without uid */
uint64_t namespace_hash(const struct target *t);
/* Of the team whose rules' names begin so, with a point behind; 0: there is no point. */
uint64_t team_hash(const char *rule);

/* For how long something that began at `since_ms` has lasted at least, both wall time: a jump of the clock
 * begins the count anew. */
int64_t wall_span(const struct engine *g, int64_t since_ms, int64_t wall_ms);

/* Allocate the next fact of a decision: kind and incident set, seq and time given. NULL: no memory. */
struct fact *decision_fact(struct decision *d, const struct engine *g, enum fact_kind kind,
                           const char *incident, int64_t now_ms);
struct effect *decision_effect(struct decision *d, enum effect_kind kind, const char *incident);
/* token, asking and failures as they are */
struct note *decision_note(struct decision *d, const struct incident *i);

/* What keeps heald from acting there; NULL: nothing. environment "" : none. */
const struct pause *pause_find(const struct engine *g, enum pause_scope scope, const char *name);
const struct pause *pause_of(const struct engine *g, const struct incident *i, const struct target *target,
                             const char *environment);
int64_t pauses_end(const struct engine *g); /* when the first of them ends by itself; INT64_MAX */

/* ---- apply's parts ---- */

enum err_code apply_pause(struct engine *g, const struct fact *f, struct err *e);

enum err_code apply_alert(struct engine *g, const struct fact *f, struct err *e);
enum err_code apply_state(struct engine *g, const struct fact *f, struct err *e);
/* Known from now on, in the list of those without an incident. NULL: no memory. */
struct known_alert *alert_new(struct engine *g, const struct buf *key);
void alert_attach(struct engine *g, struct known_alert *a, struct incident *i); /* leaves its list */
void alerts_detach_all(struct engine *g, struct incident *i);                   /* i is closed */

enum err_code apply_to_incident(struct engine *g, const struct fact *f, struct err *e);
enum err_code apply_opened(struct engine *g, const struct fact *f, struct err *e);
void apply_told(struct engine *g, const struct fact *f);
enum err_code apply_refused(struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_intent(struct engine *g, struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_written(struct engine *g, struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_verdict(struct engine *g, struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_step(struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_asked(struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_word(struct incident *i, const struct fact *f, struct err *e);
enum err_code apply_notify(struct incident *i, const struct fact *f, struct err *e);
/* Incidents whose targets were found, and that were closed. False: no memory. */
bool remember_arrival(struct engine *g, const struct incident *i, bool changed, int64_t at_ms);
bool remember_past(struct engine *g, const struct incident *i);
/* The last closed one of this rule and target within RECURRENCE_MS, and how many there are; NULL: none. */
const struct past *past_find(const struct engine *g, const char *rule, const struct target *t, int64_t now_ms,
                             int32_t *ret_times);
/* An action helped, or not. */
void count_broken(struct engine *g, const char *environment, const char *action, bool helped, int64_t at_ms);
const struct broken *broken_find(const struct engine *g, const char *environment,
                                 const char *action); /* NULL: it never failed */
/* A step below a `choose` was judged. */
void count_worked(struct engine *g, struct incident *i, const struct tree *t, int at, bool fixed);
/* Alerts that fire for it now: its own, and its leader's. */
uint32_t incident_firing(const struct incident *i);
/* What was healed has come back: the branch that had been counted as fixed did not work. */
void count_relapse(struct engine *g, const char *former, int64_t at_ms);
bool incident_was_fixed(const struct incident *i); /* a step of it was verified as fixed */
/* Below which `parallel` something was written that is not judged yet; -1: nothing. */
int incident_unjudged(const struct incident *i);
/* A line of the incident's history, for annotation and status. */
void incident_remember(struct incident *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A write of it is on its way, is verified, or was made: others keep off its target. */
bool incident_busy(const struct incident *i);
/* An intent of the incident whose write did not happen, as far as is known: it may land still. */
bool intent_open(const struct incident *i);
/* Does its write change the pod template, so that new pods roll out? */
bool intent_rolls(const struct intent *n);
void engine_drop_incident(struct engine *g, struct incident *i); /* not in a list any more */

/* An attempt's budget is taken with each of its writes: the last one counts. False: no memory. */
bool spend(struct engine *g, const struct intent *n, const char *rule, int64_t at_ms);
struct workload *know_workload(struct engine *g, const char *uid); /* NULL: no memory */
enum err_code apply_proven(struct engine *g, const struct fact *f, struct err *e);
/* A write of heald's changed the template of w. */
void remember_template(struct workload *w, const struct intent *n, const char *template_hash);

/* ---- what is due ---- */

/* When this incident wants to be looked at; INT64_MAX while a worker has its write. */
int64_t incident_deadline(const struct engine *g, const struct incident *i);
/* Until when it may go on without a write. */
int64_t incident_gives_up(const struct incident *i);
bool due_reserve(struct engine *g);                    /* room for one more; false: no memory */
void due_add(struct engine *g, struct incident *i);    /* open_len counts it already */
void due_remove(struct engine *g, struct incident *i); /* open_len counts it still */
void due_update(struct engine *g, struct incident *i);

#endif
