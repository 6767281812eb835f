#include "rules/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

enum err_code policy_load(struct policy **ret, const char *name, const char *bytes, size_t len,
                          const struct action_spec *actions, size_t actions_len, struct buf *ret_errors,
                          struct err *e)
{
    CLEANUP(policy_freep) struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a policy");
    p->actions = actions;
    p->actions_len = actions_len;
    const struct policy_context context = { .policy = p, .actions = actions, .actions_len = actions_len };
    enum err_code code =
        config_parse_checked(name, bytes, len, policy_keys, p, &context, policy_check, ret_errors, e);
    if (code != ERR_OK)
        return code;
    *ret = TAKE(p);
    return ERR_OK;
}

struct policy *policy_free(struct policy *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->environments_len; i++) {
        matchers_release(&p->environments[i].match);
        free(p->environments[i].budgets);
    }
    for (size_t i = 0; i < p->ignore_len; i++)
        matchers_release(&p->ignore[i]);
    for (size_t i = 0; i < p->rules_len; i++)
        matchers_release(&p->rules[i].match);
    for (size_t i = 0; i < p->plans_len; i++)
        plan_release(&p->plans[i]);
    free(p->ignore);
    free(p->plans);
    config_release(policy_keys, p);
    free(p);
    return NULL;
}

/* Whether a rule without `source` listens to this one. */
static bool speaks_of_alerts(const struct policy *p, const char *name)
{
    const struct source *s = policy_source(p, name);
    if (s)
        return s->kind == SOURCE_ALERTMANAGER || s->kind == SOURCE_GRAFANA;
    return strcmp(name, "alertmanager") == 0 || strcmp(name, "grafana") == 0;
}

static bool listens_to(const struct rule *r, const char *source, bool of_alerts)
{
    for (size_t i = 0; i < r->sources.len; i++) {
        if (strcmp(r->sources.list[i], source) == 0)
            return true;
    }
    return r->sources.len == 0 && of_alerts;
}

const struct rule *policy_match(const struct policy *p, const struct alert *a)
{
    bool of_alerts = speaks_of_alerts(p, a->source);
    for (size_t i = 0; i < p->rules_len; i++) {
        const struct rule *r = &p->rules[i];
        if (listens_to(r, a->source, of_alerts) && matchers_match(&r->match, &a->labels, NULL))
            return r;
    }
    return NULL;
}

const struct rule *policy_rule(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->rules_len; i++) {
        if (strcmp(p->rules[i].name, name) == 0)
            return &p->rules[i];
    }
    return NULL;
}

int policy_ignored(const struct policy *p, const struct map *labels)
{
    for (size_t i = 0; i < p->ignore_len; i++) {
        if (matchers_match(&p->ignore[i], labels, NULL))
            return (int)i;
    }
    return -1;
}

static const char *target_value(const struct target *t, const char *name)
{
    switch (name[0]) {
    case 'c':
        return t->cluster;
    case 'k':
        return t->kind;
    default: /* the loader lets nothing else pass but "namespace" and "name" */
        return strcmp(name, "namespace") == 0 ? t->namespace : t->name;
    }
}

static bool environment_matches(const struct environment *env, const struct target *t)
{
    for (size_t i = 0; i < env->match.len; i++) {
        const struct matcher *m = &env->match.list[i];
        if (!matcher_matches_value(m, target_value(t, m->name)))
            return false;
    }
    return true;
}

const struct environment *policy_environment(const struct policy *p, const struct target *t)
{
    for (size_t i = 0; i < p->environments_len; i++) {
        if (environment_matches(&p->environments[i], t))
            return &p->environments[i];
    }
    return NULL;
}

const struct source *policy_source(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->sources_len; i++) {
        if (p->sources[i]->name && strcmp(p->sources[i]->name, name) == 0)
            return p->sources[i];
    }
    return NULL;
}
