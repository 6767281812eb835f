/* The keys of a policy, and what no table can say of them. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/check.h"

static_assert(sizeof(enum mode) == sizeof(int), "choices are ints");
PAIR(struct policy, environments, environments_len);
PAIR(struct policy, windows, windows_len);
PAIR(struct policy, rules, rules_len);
PAIR(struct policy, plans, plans_len);

#define PATTERNS_KEY(name_, member_, help_)                                                                  \
    {                                                                                                        \
        .name = name_, .type = CONFIG_CUSTOM, .parse = policy_parse_patterns,                                \
        .unit = "list of arrays of matchers", .offset = offsetof(struct policy, member_), .help = help_      \
    }

/* Plans and defaults before rules: a rule's check looks them up. */
const struct config_key policy_keys[] = {
    { .name = "version",
      .type = CONFIG_INT,
      .required = true,
      .min = 1,
      .max = 1000,
      .offset = offsetof(struct policy, version),
      .help = "The version of the language; write version = 1." },
    { .name = "defaults",
      .type = CONFIG_GROUP,
      .keys = policy_defaults_keys,
      .offset = offsetof(struct policy, defaults),
      .help = "What holds for rules that do not say it themselves." },
    { .name = "windows",
      .type = CONFIG_LIST,
      .keys = policy_window_keys,
      .item_size = sizeof(struct window),
      .len_max = 1000,
      .check = policy_check_window,
      .offset = offsetof(struct policy, windows),
      .help = "Times of the week and dates, by name." },
    { .name = "environments",
      .type = CONFIG_LIST,
      .keys = policy_environment_keys,
      .item_size = sizeof(struct environment),
      .len_max = POLICY_PATTERNS_MAX,
      .check = policy_check_environment,
      .offset = offsetof(struct policy, environments),
      .help = "Where heald may do what. A target in no environment is only observed." },
    PATTERNS_KEY("ignore", ignore,
                 "Arrays of matchers; when all matchers of one array match, nothing is ever done."),
    PATTERNS_KEY(
        "critical", critical,
        "The same; when one matches, a person is always told, and nothing is done without approval."),
    PATTERNS_KEY("auto", automatic,
                 "The same; when one matches, and none of `critical`, the environment's `approve` is not "
                 "asked."),
    { .name = "profiles",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_profiles,
      .unit = "group of named groups",
      .offset = offsetof(struct policy, profiles),
      .help = "Named sets of parameters, `{ small = { replicas = \"2\"; }; }`, that rules name." },
    { .name = "plans",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_plans,
      .unit = "group of named groups",
      .keys = policy_plan_keys,
      .offset = offsetof(struct policy, plans),
      .help = "Named plans, each a group." },
    { .name = "teams",
      .type = CONFIG_LIST,
      .keys = policy_team_keys,
      .item_size = sizeof(struct team),
      .len_max = POLICY_TEAMS_MAX,
      .check = policy_check_team,
      .offset = offsetof(struct policy, teams),
      .help = "Teams that have rules of their own, in files of their own, and what these may do." },
    { .name = "rules",
      .type = CONFIG_LIST,
      .keys = policy_rule_keys,
      .item_size = sizeof(struct rule),
      .len_max = POLICY_PATTERNS_MAX,
      .check = policy_check_rule,
      .offset = offsetof(struct policy, rules),
      .help = "Which alerts start which plan, in order." },
    { .name = NULL },
};

/* ---- patterns ---- */

static void parse_pattern(struct config_text *text, const config_setting_t *element, const char *key,
                          struct matchers *ret, const void *arg)
{
    if (!config_setting_is_array(element) && !config_setting_is_list(element))
        config_error(text, element,
                     "an entry of \"%s\" must be an array of matchers, [ \"alertname=Watchdog\" ]", key);
    else if (config_setting_length(element) == 0)
        config_error(text, element,
                     "an empty entry of \"%s\" would match every alert; remove it, or say so with "
                     "\"alertname=~\\\".+\\\"\"",
                     key);
    else
        source_parse_matchers(text, element, ret, arg);
}

void policy_parse_patterns(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    struct patterns *ret = field;
    const char *key = config_setting_name(setting);
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_list(setting) || len > POLICY_PATTERNS_MAX) {
        config_error(text, setting,
                     "\"%s\" must be a list of at most %d arrays of matchers, ( [ \"alertname=Watchdog\" ] )",
                     key, POLICY_PATTERNS_MAX);
        return;
    }
    struct matchers *patterns = len > 0 ? calloc(len, sizeof *patterns) : NULL;
    if (len > 0 && !patterns)
        config_out_of_memory(text);
    ret->list = patterns;
    for (unsigned i = 0; patterns && i < len; i++) {
        ret->len = i + 1;
        parse_pattern(text, config_setting_get_elem(setting, i), key, &patterns[i], arg);
    }
}

void patterns_release(struct patterns *p)
{
    for (size_t i = 0; i < p->len; i++)
        matchers_release(&p->list[i]);
    free(p->list);
    *p = (struct patterns){ .len = 0 };
}

/* ---- budgets ---- */

const struct config_key policy_budget_keys[] = {
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

/* "20 per 1h" */
static void parse_limit(struct config_text *text, const config_setting_t *setting, struct budget_limit *ret)
{
    const char *value = config_get_text(text, setting);
    size_t digits = value ? strspn(value, "0123456789") : 0;
    int64_t per_ms = 0;
    if (!value)
        return;
    const char *per = strncmp(value + digits, " per ", 5) == 0 ? value + digits + 5 : "";
    int64_t actions = digits > 0 && digits < 5 ? strtoll(value, NULL, 10) : 0;
    if (actions < 1 || actions > 1000 || duration_parse(&per_ms, per, NULL) != ERR_OK || per_ms < SECOND_MS ||
        per_ms > 30 * DAY_MS)
        config_error(
            text, setting,
            "\"%s\" is no limit; write 1 to 1000 actions in 1s to 30d, such as \"20 per 1h\", or \"none\"",
            value);
    else
        *ret = (struct budget_limit){ .actions = actions, .per_ms = per_ms };
}

void policy_parse_budget(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    struct config_list *ret = field;
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    if (one && strcmp(config_setting_get_string(setting), "none") == 0)
        return;
    size_t len = one ? 1 : (size_t)config_setting_length(setting);
    bool list = config_setting_is_list(setting) || config_setting_is_array(setting);
    if ((!one && !list) || len == 0 || len > POLICY_BUDGETS_MAX) {
        config_error(text, setting,
                     "\"%s\" must be a list of 1 to %d limits, ( { actions = 10; per = \"1h\"; } ), or "
                     "\"10 per 1h\", or \"none\"",
                     config_setting_name(setting), POLICY_BUDGETS_MAX);
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
        const config_setting_t *element = one ? setting : config_setting_get_elem(setting, i);
        if (config_setting_is_group(element))
            config_parse_group(text, element, policy_budget_keys, &limits[i], arg);
        else if (config_setting_type(element) == CONFIG_TYPE_STRING)
            parse_limit(text, element, &limits[i]);
        else
            config_error(text, element, "a limit must be a group, { actions = 10; per = \"1h\"; }");
    }
}

/* ---- the whole ---- */

static int by_name(const void *a, const void *b)
{
    const struct rule *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    return order ? order : (*x > *y) - (*x < *y);
}

static void check_rule_names(struct config_text *text, const struct policy *p)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
    const struct rule **sorted = calloc(p->rules_len + 1, sizeof *sorted);
    size_t len = 0;
    if (!sorted) {
        config_out_of_memory(text);
        return;
    }
    for (size_t i = 0; i < p->rules_len; i++)
        if (p->rules[i].name)
            sorted[len++] = &p->rules[i];
    qsort(sorted, len, sizeof(struct rule *), by_name);
    for (size_t i = 1; i < len; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            config_problem_at(text, sorted[i]->line, "duplicate-name",
                              "rule \"%s\" stands already on line %d; names are unique", sorted[i]->name,
                              config_line_number(sorted[i - 1]->line));
    free(sorted);
}

void policy_check_names(struct config_text *text, const config_setting_t *root, const struct policy *p)
{
    if (p->version > 1)
        config_problem(text, config_setting_get_member(root, "version"), "unknown-version",
                       "version %d was written for a newer release of heald; this one reads version = 1",
                       (int)p->version);
    check_rule_names(text, p);
}

void policy_check(struct config_text *text, const config_setting_t *root, void *target, const void *arg)
{
    const struct policy *p = target;
    const struct policy_context *context = arg;
    const struct checking c = {
        .text = text, .policy = p, .world = p, .root = root, .shell = context->shell
    };
    policy_check_names(text, root, p);
    check_plans(&c);
    check_matches(&c);
    check_rules(&c);
    check_acting(&c);
}
