/* Checks of rules, environments and what they use. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/check.h"

bool check_known(const struct config_strings *list, const char *word)
{
    for (size_t i = 0; list && i < list->len; i++)
        if (strcmp(list->list[i], word) == 0)
            return true;
    return list == NULL;
}

/* ---- what nobody uses ---- */

static bool calls(const struct node_list *list, const char *plan)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        if ((n->plan && strcmp(n->plan, plan) == 0) || calls(&n->then, plan) || calls(&n->otherwise, plan))
            return true;
        for (size_t b = 0; b < n->branches_len; b++)
            if (calls(&n->branches[b].steps, plan))
                return true;
    }
    return false;
}

static bool plan_used(const struct policy *p, const struct plan *plan)
{
    for (size_t i = 0; i < p->rules_len; i++)
        if (p->rules[i].plan_name && strcmp(p->rules[i].plan_name, plan->name) == 0)
            return true;
    for (size_t i = 0; i < p->plans_len; i++)
        for (int phase = 0; phase < PHASE_END_; phase++)
            if (&p->plans[i] != plan && calls(&p->plans[i].phases[phase], plan->name))
                return true;
    return false;
}

static bool asks_window(const struct conditions *q, const char *name)
{
    if (q->during && strcmp(q->during, name) == 0)
        return true;
    for (size_t i = 0; i < q->not_all_len; i++)
        if (asks_window(&q->not_all[i], name))
            return true;
    for (size_t i = 0; i < q->any_len; i++)
        if (asks_window(&q->any[i], name))
            return true;
    return false;
}

static bool list_asks_window(const struct node_list *list, const char *name)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        if (asks_window(&n->when, name) || list_asks_window(&n->then, name) ||
            list_asks_window(&n->otherwise, name))
            return true;
        for (size_t b = 0; b < n->branches_len; b++)
            if (list_asks_window(&n->branches[b].steps, name))
                return true;
    }
    return false;
}

static bool window_used(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->environments_len; i++) {
        const struct environment *env = &p->environments[i];
        if ((env->maintenance.len && check_known(&env->maintenance, name)) ||
            (env->freeze.len && check_known(&env->freeze, name)))
            return true;
    }
    for (size_t i = 0; i < p->plans_len; i++)
        for (int phase = 0; phase < PHASE_END_; phase++)
            if (list_asks_window(&p->plans[i].phases[phase], name))
                return true;
    return false;
}

static void check_unused(const struct checking *c)
{
    const struct policy *p = c->policy;
    for (size_t i = 0; i < p->plans_len; i++)
        if (p->plans[i].name && !plan_used(p, &p->plans[i]))
            config_warning_at(
                c->text, p->plans[i].line, "unused-plan",
                "plan \"%s\" is named by no rule and no other plan; it can be begun by hand only",
                p->plans[i].name);
    for (size_t i = 0; i < p->windows_len; i++)
        if (p->windows[i].name && !window_used(p, p->windows[i].name))
            config_warning_at(c->text, p->windows[i].line, "unused-window", "nothing names the window \"%s\"",
                              p->windows[i].name);
}

/* ---- limits ---- */

static void check_budgets(const struct checking *c, const struct budget_limit *list, size_t len, int line)
{
    char inner[DURATION_TEXT_SIZE], outer[DURATION_TEXT_SIZE];
    for (size_t i = 0; i < len; i++)
        for (size_t k = 0; k < len; k++)
            if (list[k].per_ms > list[i].per_ms && list[k].actions <= list[i].actions &&
                list[i].actions != INT64_MAX)
                config_warning_at(c->text, line, "useless-budget",
                                  "%lld actions per %s can never be reached: %lld per %s is less",
                                  (long long)list[i].actions, duration_format(inner, list[i].per_ms),
                                  (long long)list[k].actions, duration_format(outer, list[k].per_ms));
}

static void check_limits(const struct checking *c, const struct rule *r)
{
    char cooldown[DURATION_TEXT_SIZE], per[DURATION_TEXT_SIZE];
    check_budgets(c, r->budgets, r->budgets_len, r->line);
    if (r->attempts != INT64_MAX && r->attempts > 1 &&
        r->cooldown_ms > r->attempts_per_ms / (r->attempts - 1))
        config_warning_at(
            c->text, r->line, "useless-attempts",
            "%lld attempts in %s can never be made: after each one nothing is done for %s (cooldown)",
            (long long)r->attempts, duration_format(per, r->attempts_per_ms),
            duration_format(cooldown, r->cooldown_ms));
    if (r->alert_age_ms != INT64_MAX && r->hold_off_ms >= r->alert_age_ms)
        config_warning_at(
            c->text, r->line, "useless-rule",
            "rule \"%s\" never acts: it waits %s (for), and then the alert is older than %s (alert_age)",
            r->name, duration_format(cooldown, r->hold_off_ms), duration_format(per, r->alert_age_ms));
}

/* One workload cannot spend what all of them together may not. */
static void check_workload_budgets(const struct checking *c, const struct environment *env)
{
    char one[DURATION_TEXT_SIZE], all[DURATION_TEXT_SIZE];
    for (size_t i = 0; i < env->workload_budgets_len; i++)
        for (size_t k = 0; k < env->budgets_len; k++)
            if (env->budgets[k].per_ms >= env->workload_budgets[i].per_ms &&
                env->budgets[k].actions < env->workload_budgets[i].actions &&
                env->workload_budgets[i].actions != INT64_MAX)
                config_warning_at(
                    c->text, env->line, "useless-budget",
                    "workload_budget: %lld actions per %s can never be reached: all workloads of the "
                    "environment have %lld per %s",
                    (long long)env->workload_budgets[i].actions,
                    duration_format(one, env->workload_budgets[i].per_ms), (long long)env->budgets[k].actions,
                    duration_format(all, env->budgets[k].per_ms));
}

static void check_environment(const struct checking *c, const struct environment *env)
{
    check_budgets(c, env->budgets, env->budgets_len, env->line);
    check_budgets(c, env->workload_budgets, env->workload_budgets_len, env->line);
    check_workload_budgets(c, env);
    if (env->allow.len == 0)
        return;
    for (size_t i = 0; i < env->approve.len; i++) {
        const struct action_spec *a =
            action_find(c->policy->actions, c->policy->actions_len, env->approve.list[i]);
        if (a && !action_listed(&env->allow, a))
            config_warning_at(c->text, env->line, "useless-approval",
                              "\"%s\" stands in \"approve\", and \"allow\" does not allow it at all",
                              a->name);
    }
}

/* ---- the whole ---- */

void check_acting(const struct checking *c)
{
    const struct policy *p = c->policy;
    const config_setting_t *environments = config_setting_get_member(c->root, "environments");
    bool said = false;
    for (unsigned i = 0; i < p->environments_len; i++)
        said = said || config_setting_get_member(config_setting_get_elem(environments, i), "mode");
    if (!p->rules_len)
        config_warning_at(c->text, 0, "no-rules", "there is no rule: no alert will open an incident");
    if (!p->environments_len)
        config_warning_at(c->text, 0, "no-environments",
                          "there is no environment: every incident is only observed");
    else if (!said)
        config_warning_at(
            c->text, 0, "never-acts",
            "no environment says its mode: incidents are only observed; say so with mode = \"observe\", "
            "or write mode = \"act\"");
}

void check_rules(const struct checking *c)
{
    const struct policy *p = c->policy;
    check_unused(c);
    for (size_t i = 0; i < p->environments_len; i++)
        check_environment(c, &p->environments[i]);
    for (size_t i = 0; i < p->rules_len; i++) {
        const struct rule *r = &p->rules[i];
        if (!r->name)
            continue;
        check_limits(c, r);
        for (size_t k = 0; c->shell && k < r->sources.len; k++)
            if (!check_known(c->shell->sources, r->sources.list[k]))
                config_warning_at(c->text, r->line, "unknown-source", "heald.cfg has no source \"%s\"",
                                  r->sources.list[k]);
    }
}
