/* One step of a plan, of any kind, as it stands in a policy: each kind is a table of keys. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

static void parse_wait(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg);
static void parse_branches(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg);
static void parse_need(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg);

#define AT(member) .offset = offsetof(struct node, member)

/* ---- keys that several kinds have ---- */

#define KEY_NAME                                                                                             \
    {                                                                                                        \
        .name = "name", .type = CONFIG_STRING, .place = PLACE_NONE, .min = 1, .max = POLICY_NAME_MAX,        \
        AT(name), .help = "Its name, for `step` conditions and reports; left out: its place in the plan."    \
    }
#define KEY_NOTIFY(required_, help_)                                                                         \
    {                                                                                                        \
        .name = "notify", .type = CONFIG_STRING, .place = PLACE_NONE, .required = required_, .min = 1,       \
        .max = POLICY_NAME_MAX, AT(notify), .help = help_                                                    \
    }
#define KEY_TEXT                                                                                             \
    {                                                                                                        \
        .name = "text", .type = CONFIG_STRING, .place = PLACE_TEXT, .min = 1, .max = 1000, AT(text),         \
        .help = "What is said; `${labels.x}` and the like are put in."                                       \
    }
#define KEY_VERIFY                                                                                           \
    {                                                                                                        \
        .name = "verify", .type = CONFIG_GROUP, .keys = policy_verify_keys, .check = policy_check_verify,    \
        AT(verify), .help = "What must be seen before the step counts as a repair."                          \
    }
#define KEY_WITH                                                                                             \
    {                                                                                                        \
        .name = "with", .type = CONFIG_CUSTOM, .parse = skip, .unit = "group of texts",                      \
        .help = "What the called plan's `${params.x}` stand for."                                            \
    }
#define KEY_WORD(word_, help_)                                                                               \
    {                                                                                                        \
        .name = word_, .type = CONFIG_CUSTOM, .required = true, .parse = skip, .unit = "string",             \
        .help = help_                                                                                        \
    }

/* What the kind is known by, and has read already. */
static void skip(struct config_text *text, const config_setting_t *setting, void *field, const void *arg)
{
    (void)text;
    (void)setting;
    (void)field;
    (void)arg;
}

/* ---- kinds ---- */

#define DO_KEYS                                                                                              \
    KEY_WORD("do", "The action; its parameters stand beside it. `\"escalate\"` hands over to a person and "  \
                   "ends the plan."),                                                                        \
        { .name = "retry",                                                                                   \
          .type = CONFIG_INT,                                                                                \
          .min = 0,                                                                                          \
          .max = 5,                                                                                          \
          .default_text = "0",                                                                               \
          AT(retry),                                                                                         \
          .help = "How many further times to try when it did not help." },                                   \
        { .name = "backoff",                                                                                 \
          .type = CONFIG_DURATION,                                                                           \
          .min = 0,                                                                                          \
          .max = DAY_MS,                                                                                     \
          .default_text = "0",                                                                               \
          AT(backoff_ms),                                                                                    \
          .help = "How long to wait before the first retry; twice as long before each further one." },       \
        { .name = "timeout",                                                                                 \
          .type = CONFIG_DURATION,                                                                           \
          .min = SECOND_MS,                                                                                  \
          .max = DAY_MS,                                                                                     \
          AT(timeout_ms),                                                                                    \
          .help = "The step with all its retries has failed when it is not verified by then." },             \
        { .name = "undo",                                                                                    \
          .type = CONFIG_BOOL,                                                                               \
          .default_text = "false",                                                                           \
          AT(undo),                                                                                          \
          .help = "When the target is worse than before, what the step changed is put back." },              \
        KEY_VERIFY, KEY_NAME

static const struct config_key do_keys[] = { DO_KEYS, { .name = NULL } };

static const struct config_key escalate_keys[] = {
    KEY_WORD("do", "`\"escalate\"` hands over to a person and ends the plan."),
    KEY_NOTIFY(false, "Whom to tell; left out: those of the environment's and the rule's `notify`."),
    KEY_NAME,
    { .name = NULL }
};

#define KEY_THEN(required_, help_)                                                                           \
    {                                                                                                        \
        .name = "then", .type = CONFIG_CUSTOM, .required = required_, .parse = policy_parse_steps,           \
        .unit = "list of steps", AT(then), .help = help_                                                     \
    }
static const struct config_key when_keys[] = {
    { .name = "when",
      .type = CONFIG_GROUP,
      .required = true,
      .keys = policy_conditions_keys,
      .check = policy_check_conditions,
      AT(when),
      .help = "Conditions in place of an action: `then` is taken when all of them hold, else `otherwise`." },
    KEY_THEN(true, "Steps, a list of groups, when the conditions hold."),
    { .name = "otherwise",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_steps,
      .unit = "list of steps",
      AT(otherwise),
      .help = "Steps, a list of groups, when they do not." },
    KEY_NAME,
    { .name = NULL },
};

static const struct config_key gate_group_keys[] = {
    { .name = "role",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(gate.role),
      .help = "Only operators of this team may approve; left out: all who have the role `approve`." },
    { .name = "approvals",
      .type = CONFIG_INT,
      .min = 1,
      .max = 5,
      .default_text = "1",
      AT(gate.approvals),
      .help = "So many different persons must say yes." },
    { .name = "expires",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 7 * DAY_MS,
      .default_text = "30m",
      AT(gate.expires_ms),
      .help = "After that the answer is no." },
    KEY_NOTIFY(false, "Whom to ask."),
    KEY_TEXT,
    { .name = NULL },
};
static const struct config_key gate_keys[] = {
    { .name = "gate",
      .type = CONFIG_GROUP,
      .required = true,
      .keys = gate_group_keys,
      .help =
          "A person must say yes before the plan goes on in this list; no, or no answer, ends the list." },
    KEY_NAME,
    { .name = NULL },
};

static const struct config_key wait_group_keys[] = {
    { .name = "until",
      .type = CONFIG_GROUP,
      .required = true,
      .keys = policy_conditions_keys,
      .check = policy_check_conditions,
      AT(when),
      .help = "Conditions that must hold." },
    { .name = "within",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .default_text = "10m",
      AT(wait.within_ms),
      .help = "The step has failed when they do not by then." },
    { .name = "every",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = HOUR_MS,
      .default_text = "10s",
      AT(wait.every_ms),
      .help = "How often to look." },
    { .name = "on_timeout",
      .type = CONFIG_CHOICE,
      .choices = LATE_WORDS,
      .default_text = "fail",
      AT(wait.on_timeout),
      .help =
          "When they do not hold in time: `\"fail\"` ends this list of steps as failed, as a gate that was "
          "denied does (`choose` tries its next branch, then comes `otherwise`); `\"next\"` goes on with "
          "the step behind it." },
    { .name = NULL },
};
static const struct config_key wait_keys[] = {
    { .name = "wait",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_wait,
      .unit = "duration, or group",
      .keys = wait_group_keys,
      .offset = 0,
      .help = "Wait for a time, `\"2m\"`, or until conditions hold." },
    KEY_NAME,
    { .name = NULL },
};

static const struct config_key notify_keys[] = {
    KEY_NOTIFY(true, "Tell this receiver, and go on."), KEY_TEXT, KEY_NAME, { .name = NULL }
};

static const struct config_key stop_keys[] = {
    { .name = "stop",
      .type = CONFIG_CHOICE,
      .required = true,
      .choices = STOP_WORDS,
      AT(outcome),
      .help = "End the plan with this outcome; `cleanup` and `report` are run." },
    KEY_TEXT,
    KEY_NAME,
    { .name = NULL },
};

static const struct config_key branch_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct branch, name),
      .help = "Its name; left out: its number." },
    { .name = "steps",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_steps,
      .unit = "list of steps",
      .offset = offsetof(struct branch, steps),
      .help = "Steps, a list of groups." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct branch, line), .help = "" },
    { .name = NULL },
};
#define KEY_BRANCHES(word_, help_)                                                                           \
    {                                                                                                        \
        .name = word_, .type = CONFIG_CUSTOM, .required = true, .parse = parse_branches,                     \
        .unit = "list of groups", .keys = branch_keys, AT(branches), .help = help_                           \
    }
static const struct config_key choose_keys[] = {
    KEY_BRANCHES("choose", "Alternatives, tried one after the other until one is fixed."),
    { .name = "by",
      .type = CONFIG_CHOICE,
      .choices = "order|success",
      .default_text = "order",
      AT(by_success),
      .help = "In the order in which they stand, or what has worked most often for this rule first." },
    KEY_NAME,
    { .name = NULL },
};
static const struct config_key parallel_keys[] = {
    KEY_BRANCHES("parallel", "Taken together and judged together: their writes are made one after the other, "
                             "then `verify` looks at the target once."),
    { .name = "need",
      .type = CONFIG_CUSTOM,
      .parse = parse_need,
      .unit = "number, `\"all\"` or `\"any\"`",
      AT(need),
      .default_text = "\"all\"",
      .help = "How many branches must have been carried out; the rest is not begun any more then." },
    KEY_VERIFY,
    KEY_NAME,
    { .name = NULL },
};
static const struct config_key call_keys[] = {
    KEY_WORD("plan", "The steps of another plan, in this place."), KEY_WITH, KEY_NAME, { .name = NULL }
};

static const struct kind {
    const char *key;
    enum node_type type;
    const struct config_key *keys;
} kinds[] = {
    { "when", NODE_WHEN, when_keys },
    { "gate", NODE_GATE, gate_keys },
    { "wait", NODE_WAIT, wait_keys },
    { "choose", NODE_CHOOSE, choose_keys },
    { "parallel", NODE_PARALLEL, parallel_keys },
    { "stop", NODE_STOP, stop_keys },
    { "plan", NODE_CALL, call_keys },
    { "do", NODE_DO, do_keys },
    { "notify", NODE_NOTIFY, notify_keys }, /* last: others have this key too */
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* Every key that a step of any kind may have, once, for the reference. */
#undef KEY_WORD
#define KEY_WORD(word_, help_)                                                                               \
    {                                                                                                        \
        .name = word_, .type = CONFIG_STRING, .help = help_                                                  \
    }
const struct config_key policy_step_keys[] = {
    DO_KEYS,
    { .name = "when",
      .type = CONFIG_GROUP,
      .keys = policy_conditions_keys,
      .help = "Conditions in place of an action: `then` is taken when all of them hold, else `otherwise`." },
    KEY_THEN(false, "Steps, a list of groups, when the conditions hold."),
    { .name = "otherwise",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_steps,
      .unit = "list of steps",
      .help = "Steps, a list of groups, when they do not." },
    { .name = "gate",
      .type = CONFIG_GROUP,
      .keys = gate_group_keys,
      .help =
          "A person must say yes before the plan goes on in this list; no, or no answer, ends the list." },
    { .name = "wait",
      .type = CONFIG_CUSTOM,
      .parse = parse_wait,
      .unit = "duration, or group",
      .keys = wait_group_keys,
      .help = "Wait for a time, `\"2m\"`, or until conditions hold." },
    { .name = "choose",
      .type = CONFIG_CUSTOM,
      .parse = parse_branches,
      .unit = "list of groups",
      .keys = branch_keys,
      .help = "Alternatives, tried one after the other until one is fixed." },
    { .name = "by",
      .type = CONFIG_CHOICE,
      .choices = "order|success",
      .default_text = "order",
      .help = "With `choose`: in the order in which they stand, or what has worked most often for this rule "
              "first." },
    { .name = "parallel",
      .type = CONFIG_CUSTOM,
      .parse = parse_branches,
      .unit = "list of groups",
      .keys = branch_keys,
      .help = "Taken together and judged together: their writes are made one after the other, then `verify` "
              "looks at the target once." },
    { .name = "need",
      .type = CONFIG_CUSTOM,
      .parse = parse_need,
      .unit = "number, `\"all\"` or `\"any\"`",
      .default_text = "\"all\"",
      .help = "With `parallel`: how many branches must have been carried out; the rest is not begun any more "
              "then." },
    KEY_NOTIFY(false, "Tell this receiver, and go on; with `escalate`: whom to tell."),
    KEY_TEXT,
    { .name = "stop",
      .type = CONFIG_CHOICE,
      .choices = STOP_WORDS,
      .help = "End the plan with this outcome; `cleanup` and `report` are run." },
    KEY_WORD("plan", "The steps of another plan, in this place."),
    KEY_WITH,
    { .name = NULL },
};

/* ---- what no table can say ---- */

static void parse_wait(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg)
{
    static const struct config_key keys[] = { { .name = "wait",
                                                .type = CONFIG_DURATION,
                                                .min = SECOND_MS,
                                                .max = DAY_MS,
                                                AT(wait.for_ms),
                                                .help = "" } };
    struct node *ret = field;
    if (config_setting_is_group(setting))
        config_parse_group(text, setting, wait_group_keys, ret, arg);
    else
        config_parse_value(text, &keys[0], setting, &ret->wait.for_ms);
}

static void parse_branches(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    struct config_list *ret = field;
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_list(setting) || len < 1 || len > POLICY_BRANCHES_MAX) {
        config_error(text, setting,
                     "\"%s\" must be a list of 1 to %u groups with steps, ( { steps = ( ... ); }, { steps = "
                     "( ... ); } )",
                     config_setting_name(setting), POLICY_BRANCHES_MAX);
        return;
    }
    struct branch *branches = calloc(len, sizeof *branches);
    if (!branches) {
        config_out_of_memory(text);
        return;
    }
    ret->items = branches;
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        ret->len = i + 1;
        if (config_setting_is_group(element))
            config_parse_group(text, element, branch_keys, &branches[i], arg);
        else
            config_error(text, element, "a group must stand here, { steps = ( ... ); }");
    }
}

static void parse_need(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg)
{
    int64_t *ret = field;
    bool open = false;
    const char *word = config_get_string(text, setting, &open);    /* NULL when it is none */
    const config_setting_t *step = config_setting_parent(setting); /* NULL: it is the default */
    const config_setting_t *branches = step ? config_setting_get_member(step, "parallel") : NULL;
    int n = word ? (int)strtol(word, NULL, 10) : config_setting_get_int(setting),
        most = branches ? config_setting_length(branches) : (int)POLICY_BRANCHES_MAX;
    (void)arg;
    if (open)
        return; /* read when the parameter is known */
    if (word && strcmp(word, "all") == 0)
        *ret = 0;
    else if (word && strcmp(word, "any") == 0)
        *ret = 1;
    else if ((word || config_setting_is_number(setting)) && n >= 1 && n <= most)
        *ret = n;
    else
        config_error(text, setting,
                     "\"need\" must be \"all\", \"any\" or a number from 1 to %d, the number of branches",
                     most);
}

/* ---- actions ---- */

/* What config tables fill of an action: choices are ints there. */
struct do_fields {
    struct node node;
    int choices[ACTION_PARAMS_MAX];
};

static enum config_type param_type(const struct action_param *p)
{
    return p->type == PARAM_INT ? CONFIG_INT : p->type == PARAM_TEXT ? CONFIG_STRING : CONFIG_CHOICE;
}

static size_t param_offset(const struct action_param *p, size_t i)
{
    if (p->type == PARAM_TEXT)
        return offsetof(struct do_fields, node.texts) + i * sizeof(char *);
    return p->type == PARAM_INT ? offsetof(struct do_fields, node.params) + i * sizeof(int64_t)
                                : offsetof(struct do_fields, choices) + i * sizeof(int);
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
            .type = param_type(param),
            .required = param->required,
            .min = param->min,
            .max = param->max,
            .choices = param->choices,
            .default_text = param->default_text,
            .offset = param_offset(param, i),
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

static void parse_do(struct config_text *text, const config_setting_t *group, struct node *ret,
                     const struct plan_context *c)
{
    const config_setting_t *verb = config_setting_get_member(group, "do");
    const char *name = config_get_text(text, verb);
    if (!name)
        return;
    if (strstr(name, "${")) {
        config_error(text, verb, "which action is done cannot be a parameter; write its name");
        return;
    }
    if (strcmp(name, "escalate") == 0) {
        ret->type = NODE_ESCALATE;
        config_parse_group(text, group, escalate_keys, ret, c);
        return;
    }
    const struct action_spec *action = action_find(c->policy->actions, c->policy->actions_len, name);
    if (!action) {
        unknown_action(text, verb, name, c->policy);
        return;
    }
    struct config_key keys[sizeof do_keys / sizeof do_keys[0] + ACTION_PARAMS_MAX];
    struct do_fields f = { .node = { .type = NODE_DO, .line = ret->line, .action = action } };
    action_keys(action, keys);
    config_parse_group(text, group, keys, &f, c);
    for (size_t i = 0; i < ACTION_PARAMS_MAX && action->params[i].name; i++)
        if (action->params[i].type == PARAM_CHOICE)
            f.node.params[i] = f.choices[i];
    *ret = f.node;
}

/* ---- calls ---- */

static bool is_called_by(const struct plan_context *c, const char *name)
{
    for (; c; c = c->caller)
        if (strcmp(c->plan, name) == 0)
            return true;
    return false;
}

/* The called plan's steps, with `with` and the plan's own defaults in its parameters. */
static void parse_called(struct config_text *text, const config_setting_t *group,
                         const config_setting_t *plan, struct node *ret, const struct plan_context *c)
{
    struct plan_params with = { .len = 0 }, own = { .len = 0 };
    const config_setting_t *given = config_setting_get_member(group, "with");
    const config_setting_t *defaults = config_setting_get_member(plan, "params");
    const config_setting_t *steps = config_setting_get_member(plan, "steps");
    struct params_scope s = { .layers = { &with, &own }, .layers_len = 2, .plan = config_setting_name(plan) };
    if (given)
        policy_parse_params(text, given, &with, NULL);
    const struct config_scope *outer = config_set_scope(text, NULL);
    if (defaults)
        policy_parse_params(text, defaults, &own, NULL);
    struct config_scope scope = params_scope(&s);
    scope.who = outer ? outer->who : NULL;
    config_set_scope(text, &scope);
    policy_parse_steps(
        text, steps, &ret->then,
        &(struct plan_context){
            .policy = c->policy, .plan = s.plan, .depth = c->depth, .nodes = c->nodes, .caller = c });
    if (given)
        params_unused(text, given, &s);
    config_set_scope(text, outer);
    plan_params_release(&with);
    plan_params_release(&own);
}

static void parse_call(struct config_text *text, const config_setting_t *group, struct node *ret,
                       const struct plan_context *c)
{
    const config_setting_t *at = config_setting_get_member(group, "plan");
    const char *name = config_get_text(text, at);
    if (!name)
        return;
    const config_setting_t *plan = policy_find_plan(group, name);
    if (!plan)
        config_error(text, at, "there is no plan \"%s\"", name);
    else if (is_called_by(c, name))
        config_error(text, at, "plan \"%s\" would call itself for ever", name);
    else if (config_setting_get_member(plan, "steps"))
        parse_called(text, group, plan, ret, c);
    ret->plan = strdup(name);
    if (!ret->plan)
        config_out_of_memory(text);
}

/* ---- one step ---- */

void policy_parse_step(struct config_text *text, const config_setting_t *group, struct node *ret,
                       const struct plan_context *c)
{
    const struct kind *kind = NULL;
    ret->line = config_line(group);
    for (size_t k = 0; k < KINDS; k++) {
        const config_setting_t *member = config_setting_get_member(group, kinds[k].key);
        bool beside = kind && kind->type == NODE_DO && kinds[k].type == NODE_NOTIFY; /* of "escalate" */
        if (member && kind && !beside) {
            config_error(text, member, "\"%s\" and \"%s\" cannot stand in one step; make two of it",
                         kind->key, kinds[k].key);
            return;
        }
        kind = kind || !member ? kind : &kinds[k];
    }
    if (!kind) {
        config_error(text, group,
                     "a step needs do = \"...\" (an action, or \"escalate\"), when, gate, wait, choose, "
                     "parallel, plan, notify or stop");
        return;
    }
    ret->type = kind->type;
    if (kind->type == NODE_DO) {
        parse_do(text, group, ret, c);
        return;
    }
    config_parse_group(text, group, kind->keys, ret, c);
    if (kind->type == NODE_CALL)
        parse_call(text, group, ret, c);
}
