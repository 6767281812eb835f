/* rules/policy/policy_internal.h - what the files of the policy share. */
#ifndef RULES_POLICY_POLICY_INTERNAL_H
#define RULES_POLICY_POLICY_INTERNAL_H

#include <assert.h>

#include "rules/policy/config.h"
#include "rules/policy/match_index.h"
#include "rules/policy/policy.h"

/* What a list's key fills: a pointer, and behind it the number. */
#define PAIR(type, list, list_len)                                                                           \
    static_assert(offsetof(type, list_len) == offsetof(type, list) + sizeof(void *), "a config_list")

#define SECOND_MS 1000ll
#define MINUTE_MS 60000ll
#define HOUR_MS 3600000ll
#define DAY_MS 86400000ll

/* The `arg` of all parsers of a policy. */
struct policy_context {
    const struct policy *policy; /* as far as it was read */
    const struct action_spec *actions;
    size_t actions_len;
    const struct policy_shell *shell; /* NULL: nobody */
    /* of a team's file */
    const struct policy *world; /* whose windows and environments it may name; NULL: its own */
    const struct team *team;
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
void policy_check_query(struct config_text *text, const config_setting_t *group, void *target,
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

/* policy_environment.c */
extern const struct config_key policy_environment_keys[];
/* Matchers on the target that was found (`arg` as everywhere), and a list of arrays of them. */
void policy_parse_target_matchers(struct config_text *text, const config_setting_t *setting, void *field,
                                  const void *arg);
void policy_parse_target_patterns(struct config_text *text, const config_setting_t *setting, void *field,
                                  const void *arg);
void policy_check_environment(struct config_text *text, const config_setting_t *group, void *target,
                              const void *arg);
void policy_release_environment(struct environment *env); /* what is not in its table */

/* policy_rule.c */
extern const struct config_key policy_rule_keys[], policy_defaults_keys[];
void policy_check_rule(struct config_text *text, const config_setting_t *group, void *target,
                       const void *arg);
void policy_release_rule(struct rule *r); /* what is not in its table */

/* policy_params.c: parameters of plans */
struct params_scope {
    const struct plan_params *layers[3]; /* the first that has a name counts */
    size_t layers_len;
    const char *plan;
    struct config_strings *needs; /* takes the names that none has; NULL: they are errors */
    bool used[POLICY_PARAMS_MAX]; /* of the first layer */
};
struct config_scope params_scope(struct params_scope *s); /* for config_set_scope(); `who` is NULL */
/* Errors for parameters that are given and not used. */
void params_unused(struct config_text *text, const config_setting_t *given, const struct params_scope *s);
void policy_parse_params(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg);
void policy_parse_profiles(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg);
/* Read the rule's plan again with its parameters. */
void policy_fill_plan(struct config_text *text, const config_setting_t *group, struct rule *r,
                      const struct policy_context *c);
void plan_params_release(struct plan_params *p);
/* policy_plan.c: the phases of a plan, in the scope that is set */
const config_setting_t *policy_find_plan(const config_setting_t *at, const char *name);
void policy_parse_phases(struct config_text *text, const config_setting_t *setting, struct plan *ret,
                         const struct policy_context *policy);

/* policy_index.c: rules by what they match, and by name */
enum err_code policy_index_new(struct policy_index **ret, const struct policy *p, struct err *e);
struct policy_index *policy_index_free(struct policy_index *x);
void policy_index_ask(const struct policy_index *x, const struct map *labels, const char *message,
                      struct match_candidates *ret);

/* policy_team.c */
extern const struct config_key policy_team_keys[];
void policy_check_team(struct config_text *text, const config_setting_t *group, void *target,
                       const void *arg);
void policy_release_team(struct team *t); /* what is not in its table */
/* Read all teams' files; their rules go behind the policy's. */
enum err_code policy_read_teams(struct policy *p, const struct policy_context *c, struct buf *ret_errors,
                                struct err *e);
void policy_parse_actions(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg);
/* The version is one that is known; names of rules are unique. */
void policy_check_names(struct config_text *text, const config_setting_t *root, const struct policy *p);

/* policy_target.c */
extern const struct config_key policy_target_keys[];
void policy_parse_target(struct config_text *text, const config_setting_t *group, struct target_spec *ret,
                         const void *arg);

/* policy_keys.c: what several have, and what no table can say. */
extern const struct config_key policy_budget_keys[];
void policy_parse_budget(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg);
void policy_parse_patterns(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg);
void patterns_release(struct patterns *p);
void policy_check(struct config_text *text, const config_setting_t *root, void *target, const void *arg);

#endif
