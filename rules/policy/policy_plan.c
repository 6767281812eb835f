/* Plans as they stand in a policy: groups of steps into trees of nodes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

/* The path of a step, "steps.0.then.0", has 8 levels at most, each with at most "otherwise.63" and a dot. */
static_assert(POLICY_PLAN_DEPTH_MAX * sizeof "otherwise.63" <= STEP_PATH_SIZE, "a step's path fits");
static_assert(POLICY_PLAN_NODES_MAX <= 100, "a step's index has two digits");

struct plan_fields {
    struct node_list phases[PHASE_END_];
    int line;
};

#define PHASE_KEY(phase_, name_, required_, help_)                                                           \
    {                                                                                                        \
        .name = name_, .type = CONFIG_CUSTOM, .required = required_, .parse = policy_parse_steps,            \
        .unit = "list of steps", .offset = offsetof(struct plan_fields, phases[phase_]), .help = help_       \
    }
/* Read before the phases. */
static void skip(struct config_text *text, const config_setting_t *setting, void *field, const void *arg)
{
    (void)text;
    (void)setting;
    (void)field;
    (void)arg;
}

const struct config_key policy_plan_keys[] = {
    { .name = "params",
      .type = CONFIG_CUSTOM,
      .parse = skip,
      .unit = "group of texts",
      .help = "What `${params.x}` stands for in this plan when neither rule nor call says it." },
    PHASE_KEY(PHASE_PREPARE, "prepare", false,
              "Steps before anything is repaired. When a gate here is not approved, nothing is."),
    { .name = "steps",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_steps,
      .unit = "list of steps",
      .keys = policy_step_keys,
      .offset = offsetof(struct plan_fields, phases[PHASE_STEPS]),
      .help = "Steps, a list of groups, in order: success ends the list, failure moves on. A step is known "
              "by its key `do`, `when`, `gate`, `wait`, "
              "`choose`, `parallel`, `plan`, `notify` or `stop`." },
    PHASE_KEY(PHASE_OTHERWISE, "otherwise", false, "Steps when all of `steps` have failed."),
    PHASE_KEY(PHASE_STABILISE, "stabilise", false, "Steps after the target is fixed."),
    PHASE_KEY(PHASE_VALIDATE, "validate", false,
              "Steps after that; when one fails, the target is not fixed, and `otherwise` is run."),
    PHASE_KEY(PHASE_OPTIMISE, "optimise", false, "Steps after that; their failing changes nothing."),
    PHASE_KEY(PHASE_CLEANUP, "cleanup", false, "Steps that are always run, whatever happened."),
    PHASE_KEY(PHASE_REPORT, "report", false, "Steps that are always run, last."),
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct plan_fields, line), .help = "" },
    { .name = NULL },
};

/* False when the limits of a plan forbid `len` more steps here. */
static bool within_limits(struct config_text *text, const config_setting_t *setting, size_t len,
                          const struct plan_context *c)
{
    bool counted_out = *c->nodes > POLICY_PLAN_NODES_MAX;
    if (c->depth >= POLICY_PLAN_DEPTH_MAX) {
        config_error(text, setting, "plan \"%s\" is deeper than %u levels of steps", c->plan,
                     POLICY_PLAN_DEPTH_MAX);
        return false;
    }
    *c->nodes += len;
    if (*c->nodes <= POLICY_PLAN_NODES_MAX)
        return true;
    if (!counted_out)
        config_error(text, setting, "plan \"%s\" has more than %u steps; split it over several rules",
                     c->plan, POLICY_PLAN_NODES_MAX);
    return false;
}

void policy_parse_steps(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    const struct plan_context *c = arg;
    struct node_list *ret = field;
    struct plan_context inner = {
        .policy = c->policy, .plan = c->plan, .depth = c->depth + 1, .nodes = c->nodes, .caller = c->caller
    };
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_list(setting) || len == 0) {
        config_error(text, setting,
                     "\"%s\" must be a list of steps, ( { do = \"...\"; }, ... ), with at least one",
                     config_setting_name(setting));
        return;
    }
    if (!within_limits(text, setting, len, c))
        return;
    ret->items = calloc(len, sizeof *ret->items);
    if (!ret->items) {
        config_out_of_memory(text);
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        ret->len = i + 1;
        if (config_setting_is_group(element))
            policy_parse_step(text, element, &ret->items[i], &inner);
        else
            config_error(text, element, "a step must be a group, { do = \"...\"; }");
    }
}

const config_setting_t *policy_find_plan(const config_setting_t *at, const char *name)
{
    while (config_setting_parent(at))
        at = config_setting_parent(at);
    const config_setting_t *plans = config_setting_get_member(at, "plans");
    const config_setting_t *plan =
        plans && config_setting_is_group(plans) ? config_setting_get_member(plans, name) : NULL;
    return plan && config_setting_is_group(plan) ? plan : NULL;
}

void policy_parse_phases(struct config_text *text, const config_setting_t *setting, struct plan *ret,
                         const struct policy_context *policy)
{
    size_t nodes = 0;
    struct plan_fields f = { .line = 0 };
    struct plan_context c = { .policy = policy, .plan = config_setting_name(setting), .nodes = &nodes };
    config_parse_group(text, setting, policy_plan_keys, &f, &c);
    ret->line = f.line;
    memcpy(ret->phases, f.phases, sizeof ret->phases);
}

static void parse_plan(struct config_text *text, const config_setting_t *setting, struct plan *ret,
                       const struct policy_context *policy)
{
    const char *name = config_setting_name(setting);
    *ret = (struct plan){ .name = strdup(name) };
    if (!ret->name)
        config_out_of_memory(text);
    if (strlen(name) > POLICY_NAME_MAX)
        config_error(text, setting, "the name of a plan has %zu bytes; %d is the most", strlen(name),
                     POLICY_NAME_MAX);
    if (!config_setting_is_group(setting)) {
        config_error(text, setting, "plan \"%s\" must be a group, { steps = ( ... ); }", name);
        return;
    }
    const config_setting_t *params = config_setting_get_member(setting, "params");
    if (params)
        policy_parse_params(text, params, &ret->params, policy);
    struct params_scope s = {
        .layers = { &ret->params }, .layers_len = 1, .plan = name, .needs = &ret->needs
    };
    struct config_scope scope = params_scope(&s);
    config_set_scope(text, &scope);
    policy_parse_phases(text, setting, ret, policy);
    config_set_scope(text, NULL);
    if (params)
        params_unused(text, params, &s);
}

void policy_parse_plans(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    struct config_list *ret = field;
    if (!config_setting_is_group(setting)) {
        config_error(text, setting,
                     "\"plans\" must be a group of named plans, { name = { steps = ( ... ); }; }");
        return;
    }
    size_t len = (size_t)config_setting_length(setting);
    struct plan *plans = len > 0 ? calloc(len, sizeof *plans) : NULL;
    if (len > 0 && !plans) {
        config_out_of_memory(text);
        return;
    }
    ret->items = plans;
    ret->len = len;
    for (unsigned i = 0; i < len; i++)
        parse_plan(text, config_setting_get_elem(setting, i), &plans[i], arg);
}
