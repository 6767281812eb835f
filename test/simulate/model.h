/* test/simulate/model.h - what the journal says, folded once more and by other means than the engine's: which
 * alerts are known, how far each incident has come, what was spent. Judges nothing.
 *
 * Everything is kept for as long as the world lasts. */
#ifndef TEST_SIMULATE_MODEL_H
#define TEST_SIMULATE_MODEL_H

#include "rules/model/fact.h"
#include "rules/policy/policy.h"

#include <uthash.h>

enum course_state {
    COURSE_NONE,
    COURSE_RESOLVING,
    COURSE_DECIDING,
    COURSE_WAITING,
    COURSE_APPROVAL,
    COURSE_DELAYED,
    COURSE_ACTING,
    COURSE_VERIFYING,
    COURSE_CLOSED,
    COURSE_END_
};
extern const char *const course_names[COURSE_END_];

struct known { /* an alert, by source and labels */
    char *key;
    size_t key_len;
    enum alert_status status;
    enum alert_disposition disposition;
    int64_t starts_ms;
    char incident[INCIDENT_ID_SIZE]; /* open one that it belongs to */
    char alertname[24], namespace[24];
    bool pending; /* its incident's own fact comes next */
    UT_hash_handle hh;
};

struct write { /* one intent, and what became of it */
    struct intent intent;
    enum write_state state;
    int64_t at_ms;
    bool landed_told; /* WRITTEN said it happened */
    struct write *next;
};

#define YES_MAX 5
struct asked { /* of persons */
    char step[STEP_PATH_SIZE], guard[48], hash[FACT_BOUND_SIZE];
    char role[ENVIRONMENT_NAME_SIZE]; /* "": whoever may approve at all */
    int32_t wanted, given;
    char by[YES_MAX][64];
    bool denied;
    int64_t until_ms;
};

struct course { /* an incident */
    char id[INCIDENT_ID_SIZE], rule[FACT_TEXT_SIZE], source[SOURCE_NAME_SIZE];
    struct plan *plan;
    enum course_state state, either; /* after some facts it depends on the plan; else COURSE_END_ */
    int64_t since_ms;                /* it is in that state */
    int64_t delayed_until_ms;
    struct target target;
    bool resolved;
    enum mode mode;
    char environment[FACT_TEXT_SIZE];
    int64_t opened_ms, written_ms, moved_ms;
    int64_t again_ms;     /* WAITING: to be asked again then; 0: when something changes */
    int64_t asked_ms;     /* last look at its target that was wanted; 0: before the last restart */
    struct write *writes; /* newest first */
    bool doubt, wrote, wrote_template;
    bool fixed, by_hand, cancelled, ending, worse;
    char begun_by[64];
    struct asked asked;              /* last */
    char waits_step[STEP_PATH_SIZE]; /* a step that waits, since then */
    int64_t waits_ms;
    enum outcome outcome;
    UT_hash_handle hh;
};

struct spent { /* one attempt that took from budgets */
    int64_t at_ms;
    char incident[INCIDENT_ID_SIZE], step[STEP_PATH_SIZE], rule[FACT_TEXT_SIZE];
    char environment[ENVIRONMENT_NAME_SIZE];
    uint32_t attempt;
    int32_t undo;
    struct target target;
};

struct pausing {
    enum pause_scope scope;
    char name[ENVIRONMENT_NAME_SIZE];
    int64_t until_ms; /* 0: until resumed */
};
#define PAUSINGS_MAX 64

struct arrived { /* an incident whose target is known */
    int64_t at_ms;
    char incident[INCIDENT_ID_SIZE], environment[FACT_TEXT_SIZE];
    char name[OBJECT_NAME_SIZE];
    bool changed; /* its template had, before the trouble began */
};

struct failing { /* an action, in an environment */
    char environment[FACT_TEXT_SIZE], action[ACTION_NAME_SIZE];
    int64_t failures, last_ms; /* in a row */
};

struct proved {
    char uid[UID_SIZE], hash[HASH_SIZE];
};

struct model {
    const struct action_spec *actions;
    size_t actions_len;
    struct known *alerts;
    struct course *courses;
    struct spent *spent;
    size_t spent_len, spent_cap;
    struct proved *proved; /* in order */
    size_t proved_len, proved_cap;
    struct arrived *arrived; /* in order */
    size_t arrived_len, arrived_cap;
    struct failing *failing;
    size_t failing_len, failing_cap;
    struct pausing pauses[PAUSINGS_MAX];
    size_t pauses_len;
};

struct model *model_new(const struct action_spec *actions, size_t actions_len);
struct model *model_free(struct model *m);
void model_fold(struct model *m, const struct fact *f);
struct known *model_alert(const struct model *m, const struct alert *a);    /* NULL: never seen */
struct course *model_course(const struct model *m, const char *incident);   /* NULL: never opened */
uint32_t model_firing(const struct model *m, const char *incident);         /* its firing alerts */
struct write *course_write(const struct course *c, const struct intent *n); /* that very write; NULL */
/* How often the action has failed in a row; NULL: never heard of. */
const struct failing *model_failing(const struct model *m, const char *environment, const char *action);
/* What holds this incident's writes back now; NULL: nothing. */
const struct pausing *model_paused(const struct model *m, const struct course *c, const char *environment,
                                   int64_t now_ms);
/* The step of its plan with this path; NULL: there is none. */
const struct node *course_node(const struct course *c, const char *path);
/* Is the step in a branch of a `parallel`? */
bool course_parallel(const struct course *c, const char *path);
/* The state that the fact leads to, and another that it may lead to (else COURSE_END_). */
enum course_state course_after(const struct course *c, const struct fact *f, enum course_state *ret_either);
/* May such a fact come in this state? */
bool course_allows(enum course_state state, const struct fact *f);

#endif
