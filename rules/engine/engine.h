/* rules/engine/engine.h - the core: given state, policy, time and one input it decides. Pure.
 *
 *     decide(state, policy, now, input) -> facts + effects        apply(state, fact) -> state
 *
 * Each input is decided and its facts applied at once, before the next input, so that two alerts in one turn
 * compete for the last budget slot correctly. Effects are held back by the caller until the facts are
 * committed. Replay runs apply alone: it never decides again, and a new policy never rewrites the past. One
 * thread owns an engine. Times are engine time (ms). */
#ifndef RULES_ENGINE_ENGINE_H
#define RULES_ENGINE_ENGINE_H

#include "rules/model/fact.h"
#include "rules/model/observation.h"
#include "rules/policy/policy.h"

struct engine;

enum err_code engine_new(struct engine **ret, const struct action_spec *actions, size_t actions_len,
                         struct err *e);
struct engine *engine_free(struct engine *g);
static inline void engine_freep(struct engine **g)
{
    *g = engine_free(*g);
}

/* ---- inputs ---- */
#define OPERATOR_GROUPS_SIZE 256
enum input_kind {
    INPUT_ALERT,       /* one alert of a delivery */
    INPUT_OBSERVATION, /* answer to EFFECT_OBSERVE */
    INPUT_ACTED,       /* answer to EFFECT_ACT */
    INPUT_TIMER,       /* the deadline that engine_next_deadline named has come */
    INPUT_INSTALLED,   /* the journal is new */
    INPUT_STARTED,     /* after replay, before anything else: open intents are asked for */
    INPUT_PAUSE,       /* an operator's word */
    INPUT_RESUME,
    INPUT_WORD, /* on one incident: approve, deny, cancel, retry; nothing happens when engine_word() says no
                 */
    INPUT_HEAL, /* begin an incident by hand, for `target`, by rule or plan; the same */
    INPUT_WELL, /* the watch: a workload is well since then with this template */
    INPUT_CHANGED,  /* the watch: look at this target again now, if it is being verified */
    INPUT_TOLD,     /* the outbox delivered an annotation */
    INPUT_POLICY,   /* another policy is in force from this input on */
    INPUT_JUMPED,   /* the clock module saw a jump */
    INPUT_SNAPSHOT, /* a snapshot lies beside the facts, whole */
};

struct input {
    enum input_kind kind;
    uint64_t random; /* seeded by the caller; what is made of it is recorded in the fact */
    int64_t wall_ms; /* wall clock now: what others say (alerts, the cluster, Prometheus) is told in wall
                        time; 0: as engine time */
    const struct alert *alert;       /* INPUT_ALERT; borrowed */
    char incident[INCIDENT_ID_SIZE]; /* OBSERVATION, ACTED, TOLD, WORD */
    uint64_t
        token; /* OBSERVATION, ACTED: from the effect; an answer to a question no longer asked is dropped */
    const struct observation *observation; /* OBSERVATION; borrowed; valid when error == ERR_OK */
    enum err_code error;                   /* OBSERVATION that failed */
    char text[FACT_TEXT_SIZE];             /* its reason; PAUSE, RESUME: the reason given; POLICY: the hash */
    char who[64];                          /* PAUSE, RESUME, WORD, HEAL */
    enum word word;                        /* WORD */
    char groups[OPERATOR_GROUPS_SIZE];     /* WORD: what the operator may approve for: "sre,dba" */
    char hash[FACT_BOUND_SIZE]; /* WORD: what the operator saw to be asked for; "": whatever is asked now */
    enum pause_scope scope;     /* PAUSE, RESUME */
    char name[ENVIRONMENT_NAME_SIZE]; /* PAUSE, RESUME: of that scope. HEAL: the rule */
    char plan[ENVIRONMENT_NAME_SIZE]; /* HEAL without a rule: the plan */
    int64_t until_ms;                 /* PAUSE: engine time; 0: until resumed */
    struct act_report report;         /* ACTED */
    struct target target;             /* WELL, CHANGED, HEAL */
    char template_hash[HASH_SIZE];    /* WELL */
    int64_t since_ms;                 /* WELL: wall time */
    int64_t revision, annotation_id;  /* TOLD */
    int64_t by_ms;                    /* JUMPED */
    struct snapshot_mark snapshot;    /* SNAPSHOT */
};

/* ---- effects ---- */
enum effect_kind { EFFECT_OBSERVE, EFFECT_ACT };
enum lane { LANE_ACT, LANE_VERIFY };

struct effect {
    enum effect_kind kind;
    enum lane lane;
    uint64_t token; /* comes back in the answer */
    char incident[INCIDENT_ID_SIZE];
    /* EFFECT_OBSERVE */
    struct map labels;     /* of the alert; owned by the effect */
    char from[KIND_SIZE];  /* the label that names the object: "pod", "deployment", "job_name", ... */
    char owner[KIND_SIZE]; /* "" none */
    char *selector; /* in place of a name: labels of the objects; NULL: none; owned by the effect (free) */
    char selector_kind[KIND_SIZE]; /* of its objects */
    int32_t limit;                 /* more of them are an error */
    struct target
        target; /* uid "" while not resolved; cluster "" : the only one, or by the label `cluster` */
    unsigned needs;
    char pod_name[OBJECT_NAME_SIZE], pod_uid[UID_SIZE]; /* of an intent whose proof is asked for */
    /* OBSERVE_CHANGE: what would this action with these parameters change? And what became of the change of
     * `intent`, when that has one? */
    char action[ACTION_NAME_SIZE]; /* "": that is not asked */
    char *ask;                     /* its parameters as JSON; owned by the effect (free) */
    uint64_t change_key;           /* comes back in the observation */
    struct probe *probes; /* questions to other systems, filled in; owned by the effect (free). Answers come
                             back in observation.probes, in this order */
    size_t probes_len;    /* at most PROBES_MAX */
    /* EFFECT_ACT */
    struct intent intent;
};
void effect_release(struct effect *f);

/* What is to be remembered between inputs and is no fact: which question is out, when to look again. Lost in
 * a restart, which asks everything again. */
struct note {
    char incident[INCIDENT_ID_SIZE];
    bool asked;
    uint64_t token;
    int64_t asked_ms, look_ms, asking_ms;
    uint32_t failures;
};

struct decision {
    struct fact *facts; /* in order */
    size_t facts_len, facts_cap;
    struct effect *effects;
    size_t effects_len, effects_cap;
    struct note *notes;
    size_t notes_len, notes_cap;
};
#define DECISION_INIT ((struct decision){ .facts_len = 0 })
void decision_clear(struct decision *d); /* release contents, keep memory */
void decision_release(struct decision *d);

/* Decide one input. Facts and effects are appended to *ret; the state is not changed. ERR_NOMEM is the only
 * error: then *ret holds nothing of this input. Facts carry seq = engine_last_seq + 1, ... */
enum err_code engine_decide(const struct engine *g, const struct policy *p, int64_t now_ms,
                            const struct input *in, struct decision *ret, struct err *e)
    __attribute__((warn_unused_result));

/* Fold one fact into the state. Total: every kind is applied or refused with a clear error (ERR_VERSION,
 * ERR_INVALID: a fact that does not follow the one before, or speaks of an unknown incident); ERR_NOMEM.
 * After an error the engine is to be thrown away. */
enum err_code engine_apply(struct engine *g, const struct fact *f, struct err *e)
    __attribute__((warn_unused_result));

/* The state as a batch of facts (FACT_STATE), each handed to `each` in order, which must copy what it keeps:
 * an empty engine that applies them all is this one, but for what is volatile. They carry the number of the
 * last fact that was applied. Nothing else may be applied before the last of them. ERR_NOMEM, or what `each`
 * returned. */
enum err_code engine_snapshot(const struct engine *g,
                              enum err_code (*each)(void *ctx, const struct fact *f, struct err *e),
                              void *ctx, struct err *e) __attribute__((warn_unused_result));

/* One input whole: decide, apply the facts, take the notes. What is new is appended to *ret: facts from index
 * ret->facts_len (as it was) on. After an error the engine is to be thrown away. */
enum err_code engine_turn(struct engine *g, const struct policy *p, int64_t now_ms, const struct input *in,
                          struct decision *ret, struct err *e) __attribute__((warn_unused_result));

/* Would INPUT_WORD, INPUT_HEAL, INPUT_PAUSE or INPUT_RESUME be taken now? ERR_NOT_FOUND: no such incident,
 * rule, plan; ERR_INVALID: not in this state; ERR_REFUSED: not by this operator; ERR_LIMIT. */
enum err_code engine_word(const struct engine *g, const struct policy *p, int64_t now_ms,
                          const struct input *in, struct err *e);

/* Is this alert a repeat of what is recorded, so that INPUT_ALERT would change nothing? False without memory.
 * `scratch` keeps its memory from call to call. */
bool engine_repeats(const struct engine *g, const struct alert *alert, struct buf *scratch);

/* When INPUT_TIMER is wanted next; INT64_MAX when idle. */
int64_t engine_next_deadline(const struct engine *g);

/* Is the answer to this effect still wanted? An observation that was asked for again in the meantime need not
 * be made. */
bool engine_wants(const struct engine *g, const struct effect *f);

/* ---- looking ---- */
int64_t engine_last_seq(const struct engine *g);
int64_t engine_last_at_ms(const struct engine *g);
bool engine_paused(const struct engine *g, const char **ret_who, const char **ret_reason);
struct pause_view {
    enum pause_scope scope;
    const char *name, *who, *reason;
    int64_t until_ms; /* engine time; 0: until resumed */
};
/* All that is paused; the one everywhere first. How many there are. */
size_t engine_pauses(const struct engine *g, struct pause_view *ret, size_t max);
const char *engine_installation(const struct engine *g);

enum guard_answer {
    GUARD_PASS,
    GUARD_LATER,  /* not now: ask again at again_ms */
    GUARD_STEP,   /* never for this step: the plan goes on behind it */
    GUARD_NEVER,  /* never for this incident: it is closed as refused */
    GUARD_PERSON, /* never by itself: it is handed over to a person */
};
const char *guard_answer_name(enum guard_answer a); /* "pass", "later", ... */
#define GUARDS_MAX 40
/* The names of the guards, in the order in which they are judged; *ret_undo: those that are judged also when
 * a step is only put back. How many there are. */
size_t engine_guards(const char *ret[GUARDS_MAX], bool ret_undo[GUARDS_MAX]);
struct guard_said {
    const char *guard;
    enum guard_answer answer;
    int64_t again_ms;            /* LATER: engine time; 0: when something changes */
    char reason[FACT_TEXT_SIZE]; /* with its numbers; when it passed: what it counted, or "" */
};
struct explanation {
    char step[STEP_PATH_SIZE]; /* the write that comes next; "" none: `reason` says why */
    char action[ACTION_NAME_SIZE];
    char reason[FACT_TEXT_SIZE];
    struct intent intent; /* what would be written, when `possible` */
    bool possible;        /* the action itself can be done to the object; else `reason` says why not */
    struct guard_said guards[GUARDS_MAX];
    size_t guards_len;
};
/* What the open incident would do now, if the observation were the answer to its question: the step that its
 * plan comes to, and every guard's answer. Changes nothing. ERR_NOT_FOUND: there is no such open incident;
 * ERR_NOMEM. */
enum err_code engine_explain(const struct engine *g, const struct policy *p, int64_t now_ms, int64_t wall_ms,
                             const char *id, const struct observation *o, struct explanation *ret,
                             struct err *e);

struct incident_view { /* a look at one incident; pointers are valid until the next apply */
    const char *id, *rule, *environment, *state, *step, *reason;
    const struct target *target; /* name "" while not resolved */
    enum mode mode;
    enum cause cause; /* at the first look */
    enum outcome outcome;
    int64_t opened_ms;                 /* engine time */
    int64_t first_alert_ms, closed_ms; /* wall time; closed 0 while open */
    int64_t repaired_ms, confirmed_ms; /* wall time; 0 not */
    int64_t first_write_ms;            /* engine time */
    uint32_t alerts, writes;
    int64_t revision, told_revision, annotation_id; /* outbox: told < revision = something to tell */
    bool by_hand;
    const char *asked, *asked_role, *asked_hash; /* state "approval": for what, of whom; else NULL */
    int32_t approvals, approvals_wanted;
    int64_t until_ms;           /* states "approval" and "delayed": engine time */
    const char *const *history; /* lines for people: "restarted (steps.0 attempt 1)", ... */
    size_t history_len;
};
size_t engine_pending_approvals(const struct engine *g); /* incidents that wait for a person's yes */
size_t engine_open_incidents(const struct engine *g);
bool engine_incident(const struct engine *g, const char *id, struct incident_view *ret);
/* Incidents whose annotation lags behind, oldest first: up to `max` ids. */
size_t engine_untold(const struct engine *g, char (*ret_ids)[INCIDENT_ID_SIZE], size_t max);
/* Open incidents, oldest first: up to `max` ids. */
size_t engine_open(const struct engine *g, char (*ret_ids)[INCIDENT_ID_SIZE], size_t max);
size_t engine_proven_workloads(const struct engine *g);
/* Engine time of the oldest intent whose result is not known; 0: none. */
int64_t engine_oldest_intent_ms(const struct engine *g);
/* The newest proven template of a workload uid, or NULL. */
const char *engine_proven(const struct engine *g, const char *uid);

#endif
