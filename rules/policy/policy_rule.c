/* The keys of a rule. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

PAIR(struct rule, targets, targets_len);
PAIR(struct rule, budgets, budgets_len);
PAIR(struct rule, explained_by, explained_by_len);

static void parse_match(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
static void parse_target(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg);

static const struct config_key explained_keys[] = {
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_match,
      .unit = "array of matchers",
      .offset = offsetof(struct explained, match),
      .help = "Matchers on the other alert's labels." },
    { .name = "equal",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 16,
      .offset = offsetof(struct explained, equal),
      .help = "Labels that must have equal values in both." },
    { .name = NULL },
};

static const struct config_key links_keys[] = {
    { .name = "runbook",
      .type = CONFIG_STRING,
      .place = PLACE_URL,
      .min = 1,
      .max = 1000,
      .offset = 0,
      .help = "What a person reads; left out: the alert's annotation `runbook_url`." },
    { .name = "dashboard",
      .type = CONFIG_STRING,
      .place = PLACE_URL,
      .min = 1,
      .max = 1000,
      .offset = offsetof(struct rule, dashboard) - offsetof(struct rule, runbook),
      .help = "Where a person looks; `${labels.x}` and the like are put in." },
    { .name = NULL },
};

#define AT(member) .offset = offsetof(struct rule, member)
#define DURATION_KEY(name_, member_, none_, min_, default_, help_)                                           \
    {                                                                                                        \
        .name = name_, .type = CONFIG_DURATION, .none = none_, .min = min_, .max = 30 * DAY_MS,              \
        .default_text = default_, .offset = offsetof(OWNER, member_), .help = help_                          \
    }
#define COUNT_KEY(name_, member_, default_, help_)                                                           \
    {                                                                                                        \
        .name = name_, .type = CONFIG_INT, .none = true, .min = 1, .max = 1000, .default_text = default_,    \
        .offset = offsetof(OWNER, member_), .help = help_                                                    \
    }
#define INHERITED_KEYS                                                                                       \
    DURATION_KEY("for", hold_off_ms, false, 0, "0", "Wait so long whether it clears by itself."),            \
        COUNT_KEY("running", running, "none", "How many incidents of the rule may act at one time."),        \
        DURATION_KEY("cooldown", cooldown_ms, true, SECOND_MS, "15m",                                        \
                     "No action on a target so soon after heald's last write to it."),                       \
        COUNT_KEY("attempts", attempts, "3",                                                                 \
                  "How many incidents of a target may be acted on within `attempts_per`."),                  \
        DURATION_KEY("attempts_per", attempts_per_ms, false, SECOND_MS, "6h",                                \
                     "The span in which `attempts` are counted."),                                           \
        DURATION_KEY("alert_age", alert_age_ms, true, SECOND_MS, "1h",                                       \
                     "An alert that began longer ago starts nothing.")

#define OWNER struct rule_defaults
const struct config_key policy_defaults_keys[] = { INHERITED_KEYS, { .name = NULL } };
#undef OWNER

#define OWNER struct rule
const struct config_key policy_rule_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(name),
      .help = "Its name in reasons, metrics and annotations; an incident finds its rule again by it." },
    { .name = "enabled",
      .type = CONFIG_BOOL,
      .default_text = "true",
      AT(enabled),
      .help = "`false`: the rule matches nothing." },
    { .name = "mode",
      .type = CONFIG_CHOICE,
      .choices = "observe|dry_run|act",
      .default_text = "act",
      AT(mode),
      .help = "The stricter of this and the environment's mode counts: a rule in `\"dry_run\"` is in shadow "
              "while others act." },
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = parse_match,
      .unit = "array of matchers",
      AT(match),
      .help = "Matchers on the alert's labels, as Alertmanager's; all must match. `message` is what the "
              "alert says (its annotation `message`, `description` or `summary`) when it has no such label. "
              "The first rule that matches counts." },
    { .name = "source",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      AT(sources),
      .help = "Names of the sources it listens to; left out: every Alertmanager and Grafana." },
    { .name = "continue",
      .type = CONFIG_BOOL,
      .default_text = "false",
      AT(go_on),
      .help = "The rules behind it are tried too." },
    { .name = "target",
      .type = CONFIG_CUSTOM,
      .parse = parse_target,
      .unit = "group",
      .keys = policy_target_keys,
      AT(targets),
      .help = "Which object to heal." },
    { .name = "targets",
      .type = CONFIG_CUSTOM,
      .parse = parse_target,
      .unit = "list of groups",
      AT(targets),
      .help = "In place of `target`: up to 8, each an incident of its own, in this order." },
    { .name = "targets_at_once",
      .type = CONFIG_INT,
      .min = 1,
      .max = POLICY_TARGETS_MAX,
      .default_text = "1",
      AT(targets_at_once),
      .help = "How many of `targets` are worked on at one time." },
    { .name = "plan",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .required = true,
      AT(plan_name),
      .help = "One of `plans`." },
    { .name = "profile",
      .type = CONFIG_STRING,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(profile),
      .help = "One of `profiles`: a named set of `params`; those of the rule come first." },
    { .name = "params",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_params,
      .unit = "group of texts",
      AT(params),
      .help = "What `${params.x}` stands for in the plan; `${labels.x}` and the like are put in." },
    INHERITED_KEYS,
    { .name = "budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      .default_text = "\"none\"",
      AT(budgets),
      .help = "How many actions of this rule may start, beside the environment's `budget`." },
    { .name = "explained_by",
      .type = CONFIG_LIST,
      .keys = explained_keys,
      .item_size = sizeof(struct explained),
      .len_max = 16,
      AT(explained_by),
      .help = "While such an alert fires, this one is its consequence: nothing is begun." },
    { .name = "depends_on",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_target_patterns,
      .unit = "list of arrays of matchers",
      AT(depends_on),
      .help =
          "What the rule's targets depend on: arrays of matchers on `cluster`, `namespace`, `kind`, `name`. "
          "While an incident of such a target is open, nothing is begun." },
    { .name = "same_incident",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 16,
      AT(same_incident),
      .help = "Labels: alerts of this rule with equal values of them are one incident; left out: those with "
              "the same target." },
    { .name = "severity",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(severity),
      .help = "How bad it is, for people; left out: the alert's label `severity`." },
    { .name = "cause",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(cause),
      .help = "Why it happens, for people and statistics, when the cluster's status does not say." },
    { .name = "links", .type = CONFIG_GROUP, .keys = links_keys, AT(runbook), .help = "For people." },
    { .name = "note",
      .type = CONFIG_STRING,
      .place = PLACE_TEXT,
      .min = 1,
      .max = 1000,
      AT(note),
      .help = "Told to people with the incident; `${labels.x}` and the like are put in." },
    { .name = "notify",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      AT(notify),
      .help = "Receivers of heald.cfg that are told, beside the environment's." },
    { .name = "line", .type = CONFIG_LINE, AT(line), .help = "" },
    { .name = NULL },
};
#undef OWNER
#undef AT

static void parse_match(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    source_parse_matchers(text, setting, field, arg);
    if (config_setting_is_aggregate(setting) && config_setting_length(setting) == 0)
        config_error(text, setting,
                     "an empty \"match\" would match every alert; to say that on purpose, write match = [ "
                     "\"alertname=~\\\".+\\\"\" ]");
}

/* `target` is one group, `targets` a list of them; both fill the same field. */
static void parse_target(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    struct config_list *ret = field;
    bool one = strcmp(config_setting_name(setting), "target") == 0;
    size_t len = one ? 1 : (size_t)config_setting_length(setting);
    if (one && !config_setting_is_group(setting)) {
        config_error(text, setting, "\"target\" must be a group, { from = \"deployment\"; }");
        return;
    }
    if (!one && (!config_setting_is_list(setting) || len < 1 || len > POLICY_TARGETS_MAX)) {
        config_error(text, setting,
                     "\"targets\" must be a list of 1 to %d groups, ( { from = \"deployment\"; }, ... )",
                     POLICY_TARGETS_MAX);
        return;
    }
    if (ret->items) {
        config_error(text, setting, "\"target\" and \"targets\" exclude each other; remove one of them");
        return;
    }
    ret->items = calloc(len, sizeof(struct target_spec));
    if (!ret->items) {
        config_out_of_memory(text);
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *group = one ? setting : config_setting_get_elem(setting, i);
        ret->len = i + 1;
        if (config_setting_is_group(group))
            policy_parse_target(text, group, (struct target_spec *)ret->items + i, arg);
        else
            config_error(text, group, "a target must be a group, { from = \"deployment\"; }");
    }
}

static void unknown_plan(struct config_text *text, const config_setting_t *at, const char *name,
                         const struct policy *p)
{
    const char *words[1001];
    size_t len = 0;
    for (size_t i = 0; i < p->plans_len && len < 1000; i++)
        if (p->plans[i].name)
            words[len++] = p->plans[i].name;
    words[len] = NULL;
    const char *near = config_nearest(name, words);
    if (near)
        config_problem(text, at, "unknown-plan", "unknown plan \"%s\"; did you mean \"%s\"?", name, near);
    else
        config_problem(text, at, "unknown-plan",
                       "unknown plan \"%s\"; plans = { %s = { steps = ( ... ); }; } would define it", name,
                       name);
}

static void resolve_plan(struct config_text *text, const config_setting_t *group, struct rule *r,
                         const struct policy *p)
{
    if (!r->plan_name)
        return; /* said already */
    for (size_t i = 0; i < p->plans_len && !r->plan; i++)
        if (p->plans[i].name && strcmp(p->plans[i].name, r->plan_name) == 0)
            r->plan = &p->plans[i];
    if (!r->plan)
        unknown_plan(text, config_setting_get_member(group, "plan"), r->plan_name, p);
}

/* What the rule does not say itself. */
static void inherit(const config_setting_t *group, struct rule *r, const struct rule_defaults *d)
{
    const struct {
        const char *key;
        int64_t *field, value;
    } inherited[] = {
        { "for", &r->hold_off_ms, d->hold_off_ms },
        { "running", &r->running, d->running },
        { "cooldown", &r->cooldown_ms, d->cooldown_ms },
        { "attempts", &r->attempts, d->attempts },
        { "attempts_per", &r->attempts_per_ms, d->attempts_per_ms },
        { "alert_age", &r->alert_age_ms, d->alert_age_ms },
    };
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++)
        if (!config_setting_get_member(group, inherited[i].key))
            *inherited[i].field = inherited[i].value;
}

void policy_check_rule(struct config_text *text, const config_setting_t *group, void *target, const void *arg)
{
    const struct policy_context *c = arg;
    struct rule *r = target;
    resolve_plan(text, group, r, c->policy);
    policy_fill_plan(text, group, r, c);
    inherit(group, r, &c->policy->defaults);
    if (!config_setting_get_member(group, "target") && !config_setting_get_member(group, "targets"))
        config_error(text, group, "key \"target\" is missing: Which object to heal.");
    if (r->cooldown_ms == INT64_MAX)
        r->cooldown_ms = 0; /* "none" */
}

void policy_release_rule(struct rule *r)
{
    matchers_release(&r->match);
    for (size_t i = 0; i < r->targets_len; i++)
        config_release(policy_target_keys, &r->targets[i]);
    for (size_t i = 0; i < r->explained_by_len; i++)
        matchers_release(&r->explained_by[i].match);
    free(r->targets);
    patterns_release(&r->depends_on);
    plan_params_release(&r->params);
    plan_free(r->own_plan);
    free(r->budgets);
}
