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

struct node_list { /* as (steps, steps_len) in struct plan */
    struct node *items;
    size_t len;
};

void nodes_free(struct node *list, size_t len);
void plan_release(struct plan *p);
const struct action_spec *action_find(const struct action_spec *actions, size_t len, const char *name);
/* The index of a word in "a|b|c", -1 when it is not there. */
int64_t choice_index(const char *choices, const char *word);
/* The value of a parameter that is left out. */
int64_t param_default(const struct action_param *param);

/* policy_plan.c: `plans = { name = { ... }; }` into the (plans, plans_len) of a policy. */
void policy_parse_plans(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
extern const struct config_key policy_plan_keys[]; /* for the reference */

/* policy_keys.c: what no table can say. */
void policy_check(struct config_text *text, const config_setting_t *root, void *target, const void *arg);

#endif
