/* rules/policy/policy_internal.h - what the files of the policy share. */
#ifndef RULES_POLICY_POLICY_INTERNAL_H
#define RULES_POLICY_POLICY_INTERNAL_H

#include "rules/policy/config.h"
#include "rules/policy/policy.h"

/* The `arg` of all parsers of a policy. */
struct policy_context {
    const struct policy *policy; /* as far as it was read */
    const struct action_spec *actions;
    size_t actions_len;
};

void nodes_free(struct node *list, size_t len);
void plan_release(struct plan *p);
const struct action_spec *action_find(const struct action_spec *actions, size_t len, const char *name);
/* The index of a word in "a|b|c", -1 when it is not there. */
int64_t choice_index(const char *choices, const char *word);
void choice_write(struct json_writer *w, const char *choices, int64_t index);
/* The value of a parameter that is left out. */
int64_t param_default(const struct action_param *param);

/* policy_plan.c: `plans = { name = { ... }; }` into the (plans, plans_len) of a policy. */
void policy_parse_plans(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
extern const struct config_key policy_plan_keys[]; /* for the reference */

/* policy_condition.c: keys of struct conditions and struct verify, and their checks */
extern const struct config_key policy_conditions_keys[], policy_verify_keys[];
void policy_check_conditions(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg);
void policy_check_verify(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg);

/* policy_step.c: one step, of any kind */
struct plan_context { /* the `arg` inside a plan */
    const struct policy_context *policy;
    const char *plan;
    unsigned depth;
    size_t *nodes;                     /* of the whole plan so far */
    const struct plan_context *caller; /* the plan that called this one */
};
void policy_parse_step(struct config_text *text, const config_setting_t *group, struct node *ret,
                       const struct plan_context *c);
extern const struct config_key policy_step_keys[]; /* of all kinds, for the reference */
/* policy_plan.c: a list of steps; `field` is a struct node_list, `arg` a struct plan_context */
void policy_parse_steps(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);

/* policy_keys.c: what no table can say. */
void policy_check(struct config_text *text, const config_setting_t *root, void *target, const void *arg);

#endif
