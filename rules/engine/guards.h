/* rules/engine/guards.h - internal to rules/engine: checks that may refuse or delay a step, each a small pure
 * function with its reason. Before every write all of them are judged, in the table's order, on one fresh
 * observation; the first that does not pass is the answer. */
#ifndef RULES_ENGINE_GUARDS_H
#define RULES_ENGINE_GUARDS_H

#include "rules/engine/state.h"

struct guard_input {
    const struct engine *g;
    const struct policy *p;
    int64_t now_ms, wall_ms;
    const struct incident *i;
    const struct target *target;
    const struct environment *environment; /* in force now; NULL: none matches */
    const struct rule *rule;               /* in force now; NULL: it has vanished */
    enum mode mode;                        /* the stricter of then and now */
    const struct tree *tree;               /* of the incident's plan, and how far it is by now */
    const struct progress *progress;
    const struct node *node; /* the step that is judged; its place, its path, its attempt from 1 */
    int at;
    const char *path;
    uint32_t attempt;
    bool undo; /* it is to be put back */
    const struct observation *o;
    bool *nomem; /* set: what was answered does not count */
};

struct refusal {
    const char *guard;
    int64_t again_ms;
    enum site_kind site; /* it is to wait for its turn there */
    bool numbers;        /* asked for: what a guard that passes has counted */
    char reason[FACT_TEXT_SIZE];
};

enum guard_answer guards_judge(const struct guard_input *in, struct refusal *ret);
/* Every guard's answer, in the table's order: for dry runs and explanations. How many there are. */
size_t guards_judge_all(const struct guard_input *in, struct guard_said ret[GUARDS_MAX]);

/* Fill what the write needs (restarted_at, template, ...) and check what the action itself demands of the
 * object. */
enum guard_answer intent_fill(const struct guard_input *in, struct intent *ret, struct refusal *refusal);

/* Other incidents of the rule that wrote to the target within attempts_per. */
int64_t attempts_made(const struct guard_input *in);

/* Must a person say yes to this step? *ret_why says why. */
bool approval_needed(const struct guard_input *in, char ret_why[FACT_TEXT_SIZE]);
/* Has this incident just brought so many that the storm brake comes on? `incidents` gets how many. */
bool storm_begins(const struct engine *g, const struct environment *env, int64_t now_ms,
                  int64_t *ret_incidents);

/* Of an action that sets fields: does the observation say what this step would change? Of others: yes. */
bool change_answered(const struct guard_input *in);
uint64_t change_hash(const char *text); /* FNV-1a */
/* Is this intent's proof visible? */
bool proof_visible(const struct intent *n, const struct observation *o);

/* Is this attempt decided again, after a write that did not happen? */
bool decided_again(const struct guard_input *in);
/* Was a step verified as fixed already? Then what follows makes sure of it, and no alert need fire. */
bool was_fixed(const struct guard_input *in);

/* Is the present template what heald wrote last? NULL: it never wrote. */
bool heald_wrote(const struct workload *w, const struct observation *o);

/* The write that puts back what the incident's last intent changed. */
enum guard_answer undo_fill(const struct guard_input *in, struct intent *ret, struct refusal *refusal);

/* Did the template change since it was last proven well, and before the trouble began? *ret_why says why not.
 */
bool template_changed(const struct guard_input *in, char ret_why[FACT_TEXT_SIZE]);

/* Do all the questions hold? When not, *ret_why says which did not. */
enum condition_answer { CONDITION_NO, CONDITION_YES, CONDITION_UNANSWERED };
enum condition_answer conditions_ask(const struct guard_input *in, const struct conditions *c,
                                     char ret_why[FACT_TEXT_SIZE]);
/* Do they ask another system? */
bool conditions_probe(const struct conditions *c);
/* What has to be seen to answer them. */
unsigned conditions_need(const struct conditions *c);

#endif
