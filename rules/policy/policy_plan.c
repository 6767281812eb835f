/* Plans as they stand in a policy: groups of steps into trees of nodes. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy_internal.h"

#define SECOND_MS 1000ll
#define HOUR_MS (3600 * SECOND_MS)
#define DAY_MS (24 * HOUR_MS)

/* The path of a step, "steps.0.then.0", has 8 levels at most, each with at most "otherwise.63" and a dot. */
static_assert(POLICY_PLAN_DEPTH_MAX * sizeof "otherwise.63" <= STEP_PATH_SIZE, "a step's path fits");
static_assert(POLICY_PLAN_NODES_MAX <= 100, "a step's index has two digits");

/* The `arg` inside a plan. */
struct plan_context {
    const struct policy_context *policy;
    const char *plan;
    unsigned depth;
    size_t *nodes; /* of the whole plan so far */
};

struct verify_fields {
    int rollout, alert; /* indices of their choices */
    int64_t hold_ms, within_ms, every_ms;
};

/* One step as it is written, of any kind. */
struct step_fields {
    char *verb, *notify;
    int64_t retry;
    struct verify_fields verify;
    int changed;
    struct node_list then, otherwise;
    int64_t numbers[ACTION_PARAMS_MAX];
    int choices[ACTION_PARAMS_MAX];
};

struct plan_fields {
    struct node_list steps, otherwise;
    int line;
};

static void parse_nodes(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
static void check_verify(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg);

static const struct config_key verify_keys[] = {
    { .name = "rollout",
      .type = CONFIG_CHOICE,
      .choices = "complete",
      .default_text = "complete",
      .offset = offsetof(struct verify_fields, rollout),
      .help = "The workload's rollout must be complete, and stay so at every event while it is held." },
    { .name = "alert",
      .type = CONFIG_CHOICE,
      .choices = "ignore|quiet",
      .default_text = "quiet",
      .offset = offsetof(struct verify_fields, alert),
      .help = "Whether the alert must be quiet too: neither firing nor pending for anything that belongs to "
              "the target." },
    { .name = "hold",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = DAY_MS,
      .default_text = "1m",
      .offset = offsetof(struct verify_fields, hold_ms),
      .help = "How long all this must hold." },
    { .name = "within",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .default_text = "20m",
      .offset = offsetof(struct verify_fields, within_ms),
      .help = "The step has failed when it is not proven by then; longer than `hold`." },
    { .name = "every",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = HOUR_MS,
      .default_text = "5s",
      .offset = offsetof(struct verify_fields, every_ms),
      .help = "How often to look, beside the events of the watch." },
    { .name = NULL },
};

static const struct config_key when_keys[] = {
    { .name = "changed",
      .type = CONFIG_CHOICE,
      .required = true,
      .choices = "nothing|template",
      .offset = offsetof(struct step_fields, changed),
      .help = "What changed since the workload was last proven well and before the trouble began." },
    { .name = NULL },
};

#define KEY_DO                                                                                               \
    {                                                                                                        \
        .name = "do", .type = CONFIG_STRING, .required = true, .offset = offsetof(struct step_fields, verb), \
        .help = "The action; its parameters stand beside it. `\"escalate\"` hands over to a person and "     \
                "ends the plan."                                                                             \
    }
#define KEY_RETRY                                                                                            \
    {                                                                                                        \
        .name = "retry", .type = CONFIG_INT, .min = 0, .max = 5, .default_text = "0",                        \
        .offset = offsetof(struct step_fields, retry),                                                       \
        .help = "How many further times to try when it did not help."                                        \
    }
#define KEY_VERIFY                                                                                           \
    {                                                                                                        \
        .name = "verify", .type = CONFIG_GROUP, .keys = verify_keys, .check = check_verify,                  \
        .offset = offsetof(struct step_fields, verify),                                                      \
        .help = "What must be seen before the step counts as a repair."                                      \
    }
#define KEY_WHEN                                                                                             \
    {                                                                                                        \
        .name = "when", .type = CONFIG_GROUP, .required = true, .keys = when_keys,                           \
        .help =                                                                                              \
            "A condition in place of an action: `then` is taken when the evidence agrees, else `otherwise`." \
    }
#define KEY_THEN                                                                                             \
    {                                                                                                        \
        .name = "then", .type = CONFIG_CUSTOM, .required = true, .parse = parse_nodes,                       \
        .unit = "list of steps", .offset = offsetof(struct step_fields, then),                               \
        .help = "Steps, a list of groups, when the condition holds."                                         \
    }
#define KEY_OTHERWISE                                                                                        \
    {                                                                                                        \
        .name = "otherwise", .type = CONFIG_CUSTOM, .parse = parse_nodes, .unit = "list of steps",           \
        .offset = offsetof(struct step_fields, otherwise),                                                   \
        .help = "Steps, a list of groups, when it does not."                                                 \
    }
#define KEY_NOTIFY                                                                                           \
    {                                                                                                        \
        .name = "notify", .type = CONFIG_STRING, .min = 1, .max = POLICY_NAME_MAX,                           \
        .offset = offsetof(struct step_fields, notify), .help = "With `escalate`: whom to tell."             \
    }

static const struct config_key do_keys[] = { KEY_DO, KEY_RETRY, KEY_VERIFY, { .name = NULL } };
static const struct config_key escalate_keys[] = { KEY_DO, KEY_NOTIFY, { .name = NULL } };
static const struct config_key step_when_keys[] = { KEY_WHEN, KEY_THEN, KEY_OTHERWISE, { .name = NULL } };

#undef KEY_DO
#define KEY_DO_OR(word)                                                                                      \
    {                                                                                                        \
        .name = (word), .type = CONFIG_STRING,                                                               \
        .help = "The action; its parameters stand beside it. `\"escalate\"` "                                \
                "hands over to a person."                                                                    \
    }
static const struct config_key step_reference_keys[] = {
    KEY_DO_OR("do"), KEY_RETRY, KEY_VERIFY, KEY_NOTIFY, KEY_WHEN, KEY_THEN, KEY_OTHERWISE, { .name = NULL },
};

const struct config_key policy_plan_keys[] = {
    { .name = "steps",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_nodes,
      .unit = "list of steps",
      .keys = step_reference_keys,
      .offset = offsetof(struct plan_fields, steps),
      .help = "Steps, a list of groups, in order: success ends the plan, failure moves on. A step has `do` "
              "or `when`." },
    { .name = "otherwise",
      .type = CONFIG_CUSTOM,
      .parse = parse_nodes,
      .unit = "list of steps",
      .offset = offsetof(struct plan_fields, otherwise),
      .help = "Steps when all of `steps` have failed." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct plan_fields, line), .help = "" },
    { .name = NULL },
};

static void check_verify(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg)
{
    const struct verify_fields *v = target;
    char hold[DURATION_TEXT_SIZE], within[DURATION_TEXT_SIZE];
    (void)arg;
    const config_setting_t *at = config_setting_get_member(group, "within");
    if (v->within_ms > 0 && v->within_ms <= v->hold_ms)
        config_error(text, at ? at : group, "\"within\" is %s; it must be longer than \"hold\", which is %s",
                     duration_format(within, v->within_ms), duration_format(hold, v->hold_ms));
}

static void step_release(struct step_fields *f)
{
    free(f->verb);
    free(f->notify);
    nodes_free(f->then.items, f->then.len);
    nodes_free(f->otherwise.items, f->otherwise.len);
}

/* The keys of a step that does this action: its parameters stand beside `do`. */
static void action_keys(const struct action_spec *action,
                        struct config_key ret[static sizeof do_keys / sizeof do_keys[0] + ACTION_PARAMS_MAX])
{
    size_t len = sizeof do_keys / sizeof do_keys[0] - 1;
    memcpy(ret, do_keys, sizeof do_keys);
    for (size_t i = 0; i < ACTION_PARAMS_MAX && action->params[i].name; i++) {
        const struct action_param *param = &action->params[i];
        ret[len++] = (struct config_key){
            .name = param->name,
            .type = param->type == PARAM_INT ? CONFIG_INT : CONFIG_CHOICE,
            .required = param->required,
            .min = param->min,
            .max = param->max,
            .choices = param->choices,
            .default_text = param->default_text,
            .offset = param->type == PARAM_INT ? offsetof(struct step_fields, numbers) + i * sizeof(int64_t)
                                               : offsetof(struct step_fields, choices) + i * sizeof(int),
            .help = param->help ? param->help : "",
        };
    }
    ret[len] = (struct config_key){ .name = NULL };
}

static void unknown_action(struct config_text *text, const config_setting_t *verb, const char *name,
                           const struct policy_context *c)
{
    CLEANUP(buf_release) struct buf known = BUF_INIT;
    const char *words[64] = { "escalate" };
    size_t len = 1;
    for (size_t i = 0; i < c->actions_len && len < 63; i++)
        words[len++] = c->actions[i].name;
    const char *near = config_nearest(name, words);
    for (size_t i = 0; i < len; i++)
        buf_addf(&known, "%s\"%s\"", i == 0 ? "" : ", ", words[i]);
    if (near)
        config_error(text, verb, "unknown action \"%s\"; did you mean \"%s\"?", name, near);
    else
        config_error(text, verb, "unknown action \"%s\"; there are %s", name, buf_text(&known));
}

static void parse_action(struct config_text *text, const config_setting_t *group,
                         const struct action_spec *action, struct node *ret)
{
    struct config_key keys[sizeof do_keys / sizeof do_keys[0] + ACTION_PARAMS_MAX];
    CLEANUP(step_release) struct step_fields f = { .retry = 0 };
    action_keys(action, keys);
    config_parse_group(text, group, keys, &f, NULL);
    ret->type = NODE_DO;
    ret->action = action;
    ret->retry = (uint32_t)f.retry;
    for (size_t i = 0; i < ACTION_PARAMS_MAX && action->params[i].name; i++)
        ret->params[i] = action->params[i].type == PARAM_INT ? f.numbers[i] : f.choices[i];
    ret->verify = (struct verify){
        .rollout = true,
        .alert = f.verify.alert == 1,
        .hold_ms = f.verify.hold_ms,
        .within_ms = f.verify.within_ms,
        .every_ms = f.verify.every_ms,
    };
}

static void parse_when(struct config_text *text, const config_setting_t *group, struct node *ret,
                       const struct plan_context *c)
{
    CLEANUP(step_release) struct step_fields f = { .retry = 0 };
    config_parse_group(text, group, step_when_keys, &f, c);
    ret->type = NODE_WHEN;
    ret->changed = (enum change_kind)f.changed;
    ret->then = f.then.items;
    ret->then_len = f.then.len;
    ret->otherwise = f.otherwise.items;
    ret->otherwise_len = f.otherwise.len;
    f.then = f.otherwise = (struct node_list){ .len = 0 }; /* theirs now */
}

static void parse_escalate(struct config_text *text, const config_setting_t *group, struct node *ret)
{
    CLEANUP(step_release) struct step_fields f = { .retry = 0 };
    config_parse_group(text, group, escalate_keys, &f, NULL);
    ret->type = NODE_ESCALATE;
    ret->notify = TAKE(f.notify);
}

static void parse_node(struct config_text *text, const config_setting_t *group, struct node *ret,
                       const struct plan_context *c)
{
    const config_setting_t *verb = config_setting_get_member(group, "do");
    ret->line = config_line(group);
    if (config_setting_get_member(group, "when")) {
        parse_when(text, group, ret, c);
        return;
    }
    if (!verb) {
        config_error(text, group, "a step needs do = \"...\" (an action, or \"escalate\") or when = { ... }");
        return;
    }
    const char *name = config_get_text(text, verb);
    if (!name)
        return;
    if (strcmp(name, "escalate") == 0) {
        parse_escalate(text, group, ret);
        return;
    }
    const struct action_spec *action = action_find(c->policy->actions, c->policy->actions_len, name);
    if (action)
        parse_action(text, group, action, ret);
    else
        unknown_action(text, verb, name, c->policy);
}

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

static void parse_nodes(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    const struct plan_context *c = arg;
    struct node_list *ret = field;
    struct plan_context inner = {
        .policy = c->policy, .plan = c->plan, .depth = c->depth + 1, .nodes = c->nodes
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
            parse_node(text, element, &ret->items[i], &inner);
        else
            config_error(text, element, "a step must be a group, { do = \"...\"; }");
    }
}

static void parse_plan(struct config_text *text, const config_setting_t *setting, struct plan *ret,
                       const struct policy_context *policy)
{
    const char *name = config_setting_name(setting);
    size_t nodes = 0;
    struct plan_context c = { .policy = policy, .plan = name, .nodes = &nodes };
    struct plan_fields f = { .line = 0 };
    if (strlen(name) > POLICY_NAME_MAX)
        config_error(text, setting, "the name of a plan has %zu bytes; %d is the most", strlen(name),
                     POLICY_NAME_MAX);
    if (config_setting_is_group(setting))
        config_parse_group(text, setting, policy_plan_keys, &f, &c);
    else
        config_error(text, setting, "plan \"%s\" must be a group, { steps = ( ... ); }", name);
    *ret = (struct plan){
        .name = strdup(name),
        .steps = f.steps.items,
        .steps_len = f.steps.len,
        .otherwise = f.otherwise.items,
        .otherwise_len = f.otherwise.len,
        .line = f.line,
    };
    if (!ret->name)
        config_out_of_memory(text);
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
