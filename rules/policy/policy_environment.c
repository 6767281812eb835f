/* The keys of an environment. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

#define RISK_WORDS "all|gentle|disruptive|dangerous"
#define TARGET_LABELS "cluster|namespace|kind|name"

PAIR(struct environment, budgets, budgets_len);
PAIR(struct environment, workload_budgets, workload_budgets_len);
PAIR(struct environment, namespace_budgets, namespace_budgets_len);
PAIR(struct environment, action_budgets, action_budgets_len);
PAIR(struct environment, brakes, brakes_len);
PAIR(struct environment, depends_on, depends_on_len);
PAIR(struct patterns, list, len);

static const struct config_key storm_keys[] = {
    { .name = "incidents",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 10000,
      .default_text = "10",
      .offset = offsetof(struct storm, incidents),
      .help = "So many incidents" },
    { .name = "per",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .default_text = "2m",
      .offset = offsetof(struct storm, per_ms),
      .help = "in any span of this length are a storm." },
    { .name = "hold",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .default_text = "15m",
      .offset = offsetof(struct storm, hold_ms),
      .help = "So long after its last incident nothing more is begun." },
    { .name = NULL },
};

static const struct config_key breaker_keys[] = {
    { .name = "failures",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000,
      .default_text = "3",
      .offset = offsetof(struct breaker, failures),
      .help = "An action that has failed so often in a row" },
    { .name = "open",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "30m",
      .offset = offsetof(struct breaker, open_ms),
      .help = "is left alone for so long." },
    { .name = NULL },
};

static const struct config_key approval_keys[] = {
    { .name = "role",
      .type = CONFIG_STRING,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct gate, role),
      .help = "Only operators of this group may approve; left out: all who have the role `approve`." },
    { .name = "approvals",
      .type = CONFIG_INT,
      .min = 1,
      .max = 5,
      .default_text = "1",
      .offset = offsetof(struct gate, approvals),
      .help = "So many different persons must say yes." },
    { .name = "expires",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 7 * DAY_MS,
      .default_text = "30m",
      .offset = offsetof(struct gate, expires_ms),
      .help = "After that the answer is no." },
    { .name = NULL },
};

static const struct config_key brake_keys[] = {
    { .name = "promql",
      .type = CONFIG_STRING,
      .place = PLACE_QUERY,
      .required = true,
      .min = 1,
      .max = PROBE_TEXT_SIZE - 1,
      .offset = offsetof(struct query, query),
      .help = "The query to Prometheus." },
    { .name = "is",
      .type = CONFIG_STRING,
      .min = 1,
      .offset = offsetof(struct query, is),
      .help = "What every series' newest value must satisfy for the brake to hold: `\"> 0.5\"`, `\"empty\"`, "
              "`\"any\"` (left out)." },
    { .name = NULL },
};

static const struct config_key depends_keys[] = {
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_target_matchers,
      .unit = "array of matchers",
      .offset = offsetof(struct dependency, match),
      .help = "Targets of the environment, by `cluster`, `namespace`, `kind`, `name`," },
    { .name = "on",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_target_matchers,
      .unit = "array of matchers",
      .offset = offsetof(struct dependency, on),
      .help = "that depend on these; of the same cluster, unless a matcher names it." },
    { .name = NULL },
};

#define AT(member) .offset = offsetof(struct environment, member)
const struct config_key policy_environment_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(name),
      .help = "Its name in reasons, metrics and annotations." },
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_target_matchers,
      .unit = "array of matchers",
      AT(match),
      .help = "Matchers on the resolved target: its `cluster`, `namespace`, `kind`, `name`. The first "
              "environment that matches counts." },
    { .name = "mode",
      .type = CONFIG_CHOICE,
      .choices = "observe|dry_run|act",
      .default_text = "observe",
      AT(mode),
      .help = "Watch and say what fits, judge every guard too, or act." },
    { .name = "allow",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_actions,
      .unit = "array of actions or risks",
      AT(allow),
      .help = "The only actions that may be done here; left out: all. A risk, `\"gentle\"`, `\"disruptive\"` "
              "or `\"dangerous\"`, stands for the actions that have it." },
    { .name = "patch",
      .type = CONFIG_STRINGS,
      .len_max = 100,
      AT(patch),
      .example = "[ \"/spec/minReadySeconds\" ]",
      .help = "The fields that action `patch` may set here, as JSON pointers; left out: none." },
    { .name = "approve",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_actions,
      .unit = "array of actions or risks",
      AT(approve),
      .help = "The actions that a person must approve; `\"all\"` is every action." },
    { .name = "approval",
      .type = CONFIG_GROUP,
      .keys = approval_keys,
      AT(approval),
      .help = "Who approves, and until when." },
    { .name = "budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      .keys = policy_budget_keys,
      AT(budgets),
      .default_text = "( { actions = 10; per = \"1h\"; }, { actions = 30; per = \"1d\"; } )",
      .help = "How many actions may start: a list of up to 4 limits, or `\"20 per 1h\"`, or `\"none\"` for "
              "no limit." },
    { .name = "workload_budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      AT(workload_budgets),
      .default_text = "\"3 per 1h\"",
      .help = "The same for each workload." },
    { .name = "namespace_budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      AT(namespace_budgets),
      .default_text = "\"none\"",
      .help = "The same for each namespace." },
    { .name = "action_budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      AT(action_budgets),
      .default_text = "\"none\"",
      .help = "The same for each action: so many restarts, so many rollbacks." },
    { .name = "running",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000,
      .default_text = "5",
      AT(running),
      .help = "How many disruptive steps may be under way at one time." },
    { .name = "shared_cause",
      .type = CONFIG_INT,
      .none = true,
      .min = 2,
      .max = 1000,
      .default_text = "3",
      AT(shared_cause),
      .help = "So many workloads of a cluster that get into trouble within 5 min, without a change of their "
              "own, are not restarted: a person is told." },
    { .name = "storm",
      .type = CONFIG_GROUP,
      .keys = storm_keys,
      AT(storm),
      .help = "Many incidents at once have one cause that no healing of single targets mends." },
    { .name = "breaker",
      .type = CONFIG_GROUP,
      .keys = breaker_keys,
      AT(breaker),
      .help = "What does not help is not done again and again." },
    { .name = "blast_radius",
      .type = CONFIG_PERCENT,
      .min = 1,
      .max = 100,
      .default_text = "25%",
      AT(blast_percent),
      .help = "The share of a workload's pods that a step may take away at once; one pod always. `\"100%\"` "
              "is no limit." },
    { .name = "min_available",
      .type = CONFIG_PERCENT,
      .min = 0,
      .max = 100,
      .default_text = "0%",
      AT(min_available_percent),
      .help = "A step that would leave fewer of the desired pods ready is refused." },
    { .name = "protect",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_target_patterns,
      .unit = "list of arrays of matchers",
      AT(protect),
      .help = "Targets that are not touched without approval: arrays of matchers on `cluster`, `namespace`, "
              "`kind`, `name`." },
    { .name = "depends_on",
      .type = CONFIG_LIST,
      .keys = depends_keys,
      .item_size = sizeof(struct dependency),
      .len_max = POLICY_DEPENDENCIES_MAX,
      AT(depends_on),
      .help = "What depends on what: while an incident of the one is open, no step on the other is begun." },
    { .name = "maintenance",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      AT(maintenance),
      .help = "Names of `windows`; while one is open nothing is done, and nobody is told." },
    { .name = "freeze",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      AT(freeze),
      .help = "Names of `windows`; while one is open nothing is done." },
    { .name = "silence_unknown",
      .type = CONFIG_CHOICE,
      .choices = SILENCE_WORDS,
      .default_text = "wait",
      AT(silence_unknown),
      .help =
          "When Alertmanager is configured and does not say whether the alert is silenced: `\"wait\"` begins "
          "no disruptive or dangerous step, `\"act\"` takes it as not silenced." },
    { .name = "brake",
      .type = CONFIG_LIST,
      .keys = brake_keys,
      .item_size = sizeof(struct query),
      .len_max = POLICY_BRAKES_MAX,
      .check = policy_check_query,
      AT(brakes),
      .help = "Queries; while one of them holds, or has no answer, no step is begun." },
    { .name = "downtime",
      .type = CONFIG_BOOL,
      .default_text = "false",
      AT(downtime),
      .help = "Actions that leave nothing running for a while are allowed." },
    { .name = "own_rollouts",
      .type = CONFIG_BOOL,
      .default_text = "false",
      AT(own_rollouts),
      .help = "Act even while somebody's rollout is within its progress deadline." },
    { .name = "well_for",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "15m",
      AT(well_for_ms),
      .help = "How long a template must be well until it counts as proven." },
    { .name = "notify",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      AT(notify),
      .help = "Receivers of heald.cfg that are told of what happens here." },
    { .name = "line", .type = CONFIG_LINE, AT(line), .help = "" },
    { .name = NULL },
};
#undef AT

/* Only what a target has. */
static void check_target_matchers(struct config_text *text, const config_setting_t *setting,
                                  const struct matchers *m, const char *who)
{
    bool all = config_setting_is_aggregate(setting) && m->len == (size_t)config_setting_length(setting);
    for (unsigned i = 0; i < m->len; i++) {
        const config_setting_t *at = all ? config_setting_get_elem(setting, i) : setting;
        if (choice_index(TARGET_LABELS, m->list[i].name) < 0)
            config_error(text, at,
                         "%s is judged on the target that was found, not on the alert: \"%s\" cannot stand "
                         "here; write cluster, namespace, kind or name",
                         who, m->list[i].name);
    }
}

/* What these matchers are for, in an error. */
static const char *what_for(const config_setting_t *setting)
{
    const config_setting_t *group = config_setting_parent(setting);
    const config_setting_t *list = group ? config_setting_parent(group) : NULL;
    const char *name = config_setting_name(setting), *around = list ? config_setting_name(list) : NULL;
    if (strcmp(name, "protect") == 0)
        return "protection";
    return strcmp(name, "depends_on") == 0 || (around && strcmp(around, "depends_on") == 0)
               ? "a dependency"
               : "an environment";
}

void policy_parse_target_matchers(struct config_text *text, const config_setting_t *setting, void *field,
                                  const void *arg)
{
    source_parse_matchers(text, setting, field, arg);
    if (config_setting_is_aggregate(setting) && config_setting_length(setting) == 0)
        config_error(text, setting,
                     "an empty \"%s\" would match every target; to say that on purpose, write %s = [ "
                     "\"cluster=~\\\".+\\\"\" ]",
                     config_setting_name(setting), config_setting_name(setting));
    check_target_matchers(text, setting, field, what_for(setting));
}

void policy_parse_target_patterns(struct config_text *text, const config_setting_t *setting, void *field,
                                  const void *arg)
{
    struct patterns *ret = field;
    policy_parse_patterns(text, setting, field, arg);
    for (unsigned i = 0; i < ret->len; i++)
        check_target_matchers(text, config_setting_get_elem(setting, i), &ret->list[i], what_for(setting));
}

static bool is_action(const struct policy_context *c, const char *word)
{
    return choice_index(RISK_WORDS, word) >= 0 || action_find(c->actions, c->actions_len, word);
}

void policy_parse_actions(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg)
{
    const struct policy_context *c = arg;
    const struct config_key key = {
        .name = config_setting_name(setting), .type = CONFIG_STRINGS, .min = 1, .len_max = 64, .help = ""
    };
    struct config_strings *ret = field;
    const char *words[64] = { "all", "gentle", "disruptive", "dangerous" };
    for (size_t i = 0, len = 4; i < c->actions_len && len < 63; i++)
        words[len++] = c->actions[i].name;
    config_parse_value(text, &key, setting, field);
    bool all = config_setting_is_aggregate(setting) && ret->len == (size_t)config_setting_length(setting);
    for (unsigned i = 0; i < ret->len; i++) {
        const config_setting_t *at = all ? config_setting_get_elem(setting, i) : setting;
        const char *near = config_nearest(ret->list[i], words);
        if (is_action(c, ret->list[i]))
            continue;
        if (near)
            config_error(text, at, "\"%s\" is no action and no risk; did you mean \"%s\"?", ret->list[i],
                         near);
        else
            config_error(text, at,
                         "\"%s\" is no action and no risk; write an action, or \"gentle\", \"disruptive\", "
                         "\"dangerous\" or \"all\"",
                         ret->list[i]);
    }
}

bool action_listed(const struct config_strings *list, const struct action_spec *action)
{
    static const char *const risks[] = { [RISK_READ] = "read",
                                         [RISK_GENTLE] = "gentle",
                                         [RISK_DISRUPTIVE] = "disruptive",
                                         [RISK_DANGEROUS] = "dangerous" };
    for (size_t i = 0; i < list->len; i++) {
        const char *word = list->list[i];
        if (strcmp(word, "all") == 0 || strcmp(word, action->name) == 0 ||
            strcmp(word, risks[action->risk]) == 0)
            return true;
    }
    return false;
}

void policy_check_environment(struct config_text *text, const config_setting_t *group, void *target,
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

void policy_release_environment(struct environment *env)
{
    matchers_release(&env->match);
    patterns_release(&env->protect);
    for (size_t i = 0; i < env->depends_on_len; i++) {
        matchers_release(&env->depends_on[i].match);
        matchers_release(&env->depends_on[i].on);
    }
    free(env->budgets);
    free(env->workload_budgets);
    free(env->namespace_budgets);
    free(env->action_budgets);
    config_strings_release(&env->allow);
    config_strings_release(&env->patch);
    config_strings_release(&env->approve);
}
