/* The keys of a policy, and what no table can say of them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy_internal.h"

#define SECOND_MS 1000ll
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (24 * (60 * MINUTE_MS))
#define OWNER_WORDS "Deployment|StatefulSet|DaemonSet"
#define FROM_WORDS "pod|deployment|statefulset|daemonset"
#define SELECTOR_MAX 1000 /* most rules, environments, ignore patterns: matching is linear */

static_assert(sizeof(enum mode) == sizeof(int) && sizeof(enum target_from) == sizeof(int),
              "choices are ints");
#define PAIR(type, list, list_len)                                                                           \
    static_assert(offsetof(type, list_len) == offsetof(type, list) + sizeof(void *), "a config_list")
PAIR(struct policy, environments, environments_len);
PAIR(struct policy, ignore, ignore_len);
PAIR(struct policy, rules, rules_len);
PAIR(struct policy, plans, plans_len);
PAIR(struct environment, budgets, budgets_len);

static void parse_budget(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg);
static void parse_match(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
static void parse_environment_match(struct config_text *text, const config_setting_t *setting, void *field,
                                    const void *arg);
static void parse_ignore(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg);
static void check_target(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg);
static void check_rule(struct config_text *text, const config_setting_t *group, void *target,
                       const void *arg);
static void check_environment(struct config_text *text, const config_setting_t *group, void *target,
                              const void *arg);

static const struct config_key budget_keys[] = {
    { .name = "actions",
      .type = CONFIG_INT,
      .required = true,
      .none = true,
      .min = 1,
      .max = 1000,
      .offset = offsetof(struct budget_limit, actions),
      .help = "How many actions may start." },
    { .name = "per",
      .type = CONFIG_DURATION,
      .required = true,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .offset = offsetof(struct budget_limit, per_ms),
      .help = "In any span of this length." },
    { .name = NULL },
};

static const struct config_key environment_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct environment, name),
      .help = "Its name in reasons, metrics and annotations." },
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_environment_match,
      .unit = "array of matchers",
      .offset = offsetof(struct environment, match),
      .help = "Matchers on the resolved target: its `cluster`, `namespace`, `kind`, `name`. The first "
              "environment that matches counts." },
    { .name = "mode",
      .type = CONFIG_CHOICE,
      .choices = "observe|dry_run|act",
      .default_text = "observe",
      .offset = offsetof(struct environment, mode),
      .help = "Watch and say what fits, judge every guard too, or act." },
    { .name = "budget",
      .type = CONFIG_CUSTOM,
      .parse = parse_budget,
      .unit = "list of groups, or `\"none\"`",
      .keys = budget_keys,
      .offset = offsetof(struct environment, budgets),
      .default_text = "( { actions = 10; per = \"1h\"; }, { actions = 30; per = \"1d\"; } )",
      .help = "How many actions may start: a list of up to 4 limits, or `\"none\"` for no limit." },
    { .name = "own_rollouts",
      .type = CONFIG_BOOL,
      .default_text = "false",
      .offset = offsetof(struct environment, own_rollouts),
      .help = "Act even while somebody's rollout is within its progress deadline." },
    { .name = "well_for",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "15m",
      .offset = offsetof(struct environment, well_for_ms),
      .help = "How long a template must be well until it counts as proven." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct environment, line), .help = "" },
    { .name = NULL },
};

static const struct config_key target_keys[] = {
    { .name = "from",
      .type = CONFIG_CHOICE,
      .required = true,
      .choices = FROM_WORDS,
      .offset = offsetof(struct rule, from),
      .help = "The label that names the object, beside `namespace`." },
    { .name = "owner",
      .type = CONFIG_STRING,
      .offset = offsetof(struct rule, owner),
      .help = "With `from = \"pod\"`: the kind of owner to heal, `\"Deployment\"`, `\"StatefulSet\"` or "
              "`\"DaemonSet\"`." },
    { .name = NULL },
};

static const struct config_key rule_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct rule, name),
      .help = "Its name in reasons, metrics and annotations; an incident finds its rule again by it." },
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_match,
      .unit = "array of matchers",
      .offset = offsetof(struct rule, match),
      .help = "Matchers on the alert's labels, as Alertmanager's; all must match. The first rule that "
              "matches counts." },
    { .name = "source",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      .offset = offsetof(struct rule, sources),
      .help = "Names of the sources it listens to; left out: every Alertmanager and Grafana." },
    { .name = "target",
      .type = CONFIG_GROUP,
      .required = true,
      .keys = target_keys,
      .check = check_target,
      .help = "Which object to heal." },
    { .name = "plan",
      .type = CONFIG_STRING,
      .required = true,
      .offset = offsetof(struct rule, plan_name),
      .help = "One of `plans`." },
    { .name = "cooldown",
      .type = CONFIG_DURATION,
      .none = true,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "15m",
      .offset = offsetof(struct rule, cooldown_ms),
      .help = "No action on a target so soon after heald's last write to it." },
    { .name = "attempts",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000,
      .default_text = "3",
      .offset = offsetof(struct rule, attempts),
      .help = "How many incidents of a target may be acted on within `attempts_per`." },
    { .name = "attempts_per",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "6h",
      .offset = offsetof(struct rule, attempts_per_ms),
      .help = "The span in which `attempts` are counted." },
    { .name = "alert_age",
      .type = CONFIG_DURATION,
      .none = true,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "1h",
      .offset = offsetof(struct rule, alert_age_ms),
      .help = "An alert that began longer ago starts nothing." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct rule, line), .help = "" },
    { .name = NULL },
};

/* Plans before rules: a rule's check looks its plan up. */
const struct config_key policy_keys[] = {
    { .name = "version",
      .type = CONFIG_INT,
      .required = true,
      .min = 1,
      .max = 1000,
      .offset = offsetof(struct policy, version),
      .help = "Of the language: write version = 1." },
    { .name = "environments",
      .type = CONFIG_LIST,
      .keys = environment_keys,
      .item_size = sizeof(struct environment),
      .len_max = SELECTOR_MAX,
      .check = check_environment,
      .offset = offsetof(struct policy, environments),
      .help = "Where heald may do what. A target in no environment is only observed." },
    { .name = "ignore",
      .type = CONFIG_CUSTOM,
      .parse = parse_ignore,
      .unit = "list of arrays of matchers",
      .offset = offsetof(struct policy, ignore),
      .help = "Arrays of matchers; when all matchers of one array match, nothing is ever done." },
    { .name = "plans",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_plans,
      .unit = "group of named groups",
      .keys = policy_plan_keys,
      .offset = offsetof(struct policy, plans),
      .help = "Named plans, each a group." },
    { .name = "rules",
      .type = CONFIG_LIST,
      .keys = rule_keys,
      .item_size = sizeof(struct rule),
      .len_max = SELECTOR_MAX,
      .check = check_rule,
      .offset = offsetof(struct policy, rules),
      .help = "Which alerts start which plan, in order." },
    { .name = NULL },
};

static void parse_budget(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    struct config_list *ret = field;
    if (config_setting_type(setting) == CONFIG_TYPE_STRING &&
        strcmp(config_setting_get_string(setting), "none") == 0)
        return;
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_list(setting) || len == 0 || len > POLICY_BUDGETS_MAX) {
        config_error(
            text, setting,
            "\"budget\" must be a list of 1 to %d limits, ( { actions = 10; per = \"1h\"; } ), or \"none\"",
            POLICY_BUDGETS_MAX);
        return;
    }
    struct budget_limit *limits = calloc(len, sizeof *limits);
    if (!limits) {
        config_out_of_memory(text);
        return;
    }
    ret->items = limits;
    ret->len = len;
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        if (config_setting_is_group(element))
            config_parse_group(text, element, budget_keys, &limits[i], arg);
        else
            config_error(text, element, "a limit must be a group, { actions = 10; per = \"1h\"; }");
    }
}

static void parse_match(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    source_parse_matchers(text, setting, field, arg);
    if (config_setting_is_aggregate(setting) && config_setting_length(setting) == 0)
        config_error(text, setting,
                     "an empty \"match\" would match every alert; to say that on purpose, write match = [ "
                     "\"alertname=~\\\".+\\\"\" ]");
}

static void parse_environment_match(struct config_text *text, const config_setting_t *setting, void *field,
                                    const void *arg)
{
    const struct matchers *m = field;
    source_parse_matchers(text, setting, field, arg);
    if (config_setting_is_aggregate(setting) && config_setting_length(setting) == 0)
        config_error(text, setting,
                     "an empty \"match\" would match every target; to say that on purpose, write match = [ "
                     "\"cluster=~\\\".+\\\"\" ]");
    bool all = config_setting_is_aggregate(setting) && m->len == (size_t)config_setting_length(setting);
    for (unsigned i = 0; i < m->len; i++) {
        const config_setting_t *at = all ? config_setting_get_elem(setting, i) : setting;
        if (choice_index("cluster|namespace|kind|name", m->list[i].name) < 0)
            config_error(text, at,
                         "an environment is judged on the target that was found, not on the alert: \"%s\" "
                         "cannot stand here; write cluster, namespace, kind or name",
                         m->list[i].name);
    }
}

static void parse_ignore(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    struct config_list *ret = field;
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_list(setting) || len > SELECTOR_MAX) {
        config_error(
            text, setting,
            "\"ignore\" must be a list of at most %d arrays of matchers, ( [ \"alertname=Watchdog\" ] )",
            SELECTOR_MAX);
        return;
    }
    struct matchers *patterns = len > 0 ? calloc(len, sizeof *patterns) : NULL;
    if (len > 0 && !patterns)
        config_out_of_memory(text);
    ret->items = patterns;
    for (unsigned i = 0; patterns && i < len; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        ret->len = i + 1;
        if (!config_setting_is_array(element) && !config_setting_is_list(element))
            config_error(text, element,
                         "an entry of \"ignore\" must be an array of matchers, [ \"alertname=Watchdog\" ]");
        else if (config_setting_length(element) == 0)
            config_error(text, element,
                         "an empty entry of \"ignore\" would ignore every alert; remove it, or set mode = "
                         "\"observe\"");
        else
            source_parse_matchers(text, element, &patterns[i], arg);
    }
}

#define OWNERS "\"Deployment\", \"StatefulSet\" or \"DaemonSet\""

static void check_target(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg)
{
    const struct rule *r = target;
    const config_setting_t *owner = config_setting_get_member(group, "owner");
    const config_setting_t *from = config_setting_get_member(group, "from");
    (void)arg;
    if (!from || config_setting_type(from) != CONFIG_TYPE_STRING)
        return; /* said already */
    const char *word = config_setting_get_string(from);
    if (choice_index(FROM_WORDS, word) < 0)
        return;
    bool pod = strcmp(word, "pod") == 0;
    if (pod && !owner)
        config_error(text, group,
                     "from = \"pod\" needs owner = " OWNERS ": a pod without an owner would not come back");
    else if (pod && r->owner && choice_index(OWNER_WORDS, r->owner) < 0)
        config_error(text, owner, "\"owner\" is \"%s\"; write " OWNERS, r->owner);
    else if (!pod && owner)
        config_error(
            text, owner,
            "\"owner\" goes with from = \"pod\" only; remove it: from = \"%s\" names the object itself",
            word);
}

static void resolve_plan(struct config_text *text, const config_setting_t *group, struct rule *r,
                         const struct policy *p)
{
    const config_setting_t *at = config_setting_get_member(group, "plan");
    const char *words[SELECTOR_MAX + 1];
    size_t len = 0;
    if (!r->plan_name)
        return; /* said already */
    for (size_t i = 0; i < p->plans_len; i++) {
        if (p->plans[i].name && strcmp(p->plans[i].name, r->plan_name) == 0) {
            r->plan = &p->plans[i];
            return;
        }
        if (p->plans[i].name && len < SELECTOR_MAX)
            words[len++] = p->plans[i].name;
    }
    words[len] = NULL;
    const char *near = config_nearest(r->plan_name, words);
    if (near)
        config_error(text, at, "unknown plan \"%s\"; did you mean \"%s\"?", r->plan_name, near);
    else
        config_error(text, at, "unknown plan \"%s\"; plans = { %s = { steps = ( ... ); }; } would define it",
                     r->plan_name, r->plan_name);
}

static void check_rule(struct config_text *text, const config_setting_t *group, void *target, const void *arg)
{
    const struct policy_context *c = arg;
    struct rule *r = target;
    resolve_plan(text, group, r, c->policy);
    if (r->cooldown_ms == INT64_MAX)
        r->cooldown_ms = 0; /* "none" */
    for (const struct rule *other = c->policy->rules; r->name && other < r; other++) {
        if (other->name && strcmp(other->name, r->name) == 0) {
            config_error(text, config_setting_get_member(group, "name"),
                         "rule \"%s\" stands already on line %d; names are unique", r->name, other->line);
            return;
        }
    }
}

static void check_environment(struct config_text *text, const config_setting_t *group, void *target,
                              const void *arg)
{
    const struct policy_context *c = arg;
    const struct environment *env = target;
    for (const struct environment *other = c->policy->environments; env->name && other < env; other++) {
        if (other->name && strcmp(other->name, env->name) == 0) {
            config_error(text, config_setting_get_member(group, "name"),
                         "environment \"%s\" stands already on line %d; names are unique", env->name,
                         other->line);
            return;
        }
    }
}

void policy_check(struct config_text *text, const config_setting_t *root, void *target, const void *arg)
{
    const struct policy *p = target;
    (void)arg;
    if (p->version > 1)
        config_error(text, config_setting_get_member(root, "version"),
                     "version %d was written for a newer release of heald; this one reads version = 1",
                     (int)p->version);
}
