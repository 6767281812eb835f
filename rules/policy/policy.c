#include "rules/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

enum err_code policy_load(struct policy **ret, const char *name, const char *bytes, size_t len,
                          const struct action_spec *actions, size_t actions_len, struct buf *ret_errors,
                          struct err *e)
{
    return policy_load_with(ret, name, bytes, len, actions, actions_len, NULL, ret_errors, e);
}

enum err_code policy_load_with(struct policy **ret, const char *name, const char *bytes, size_t len,
                               const struct action_spec *actions, size_t actions_len,
                               const struct policy_shell *shell, struct buf *ret_errors, struct err *e)
{
    CLEANUP(policy_freep) struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a policy");
    p->actions = actions;
    p->actions_len = actions_len;
    const struct policy_context context = {
        .policy = p, .actions = actions, .actions_len = actions_len, .shell = shell
    };
    const struct config_source source = { .name = name,
                                          .bytes = bytes,
                                          .len = len,
                                          .keys = policy_keys,
                                          .check = policy_check,
                                          .reader = shell && shell->reader.read ? &shell->reader : NULL,
                                          .problems = shell ? shell->problems : NULL,
                                          .errors = ret_errors };
    enum err_code code = config_parse_source(&source, p, &context, e);
    if (code != ERR_OK)
        return code;
    code = policy_read_teams(p, &context, ret_errors, e);
    if (code != ERR_OK)
        return code;
    code = policy_index_new(&p->index, p, e);
    if (code != ERR_OK)
        return code;
    *ret = TAKE(p);
    return ERR_OK;
}

struct policy *policy_free(struct policy *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->environments_len; i++)
        policy_release_environment(&p->environments[i]);
    for (size_t i = 0; i < p->teams_len; i++)
        policy_release_team(&p->teams[i]);
    for (size_t i = 0; i < p->windows_len; i++)
        window_release(&p->windows[i]);
    for (size_t i = 0; i < p->rules_len; i++)
        policy_release_rule(&p->rules[i]);
    for (size_t i = 0; i < p->plans_len; i++)
        plan_release(&p->plans[i]);
    policy_index_free(p->index);
    patterns_release(&p->ignore);
    patterns_release(&p->critical);
    patterns_release(&p->automatic);
    for (size_t i = 0; i < p->profiles_len; i++) {
        free(p->profiles[i].name);
        plan_params_release(&p->profiles[i].params);
    }
    free(p->profiles);
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

const char *policy_message(const struct map *annotations)
{
    static const char *const names[] = { "message", "description", "summary" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = map_get(annotations, names[i]);
        if (text)
            return text;
    }
    return "";
}

static bool all_match(const struct matchers *list, const struct map *labels, const char *message,
                      const struct matcher **ret_failed)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct matcher *m = &list->list[i];
        const char *value = map_get(labels, m->name);
        if (!value && message && strcmp(m->name, "message") == 0)
            value = message;
        if (matcher_matches_value(m, value ? value : ""))
            continue;
        if (ret_failed)
            *ret_failed = m;
        return false;
    }
    return true;
}

size_t policy_match_all(const struct policy *p, const struct alert *a, const struct rule **ret, size_t max)
{
    bool of_alerts = speaks_of_alerts(p, a->source);
    const char *message = policy_message(&a->annotations);
    struct match_candidates c;
    size_t len = 0;
    policy_index_ask(p->index, &a->labels, message, &c);
    for (size_t i = match_candidates_next(&c, 0); i != SIZE_MAX && len < max;
         i = match_candidates_next(&c, i + 1)) {
        const struct rule *r = &p->rules[i];
        if (!r->enabled || !listens_to(r, a->source, of_alerts) ||
            !all_match(&r->match, &a->labels, message, NULL))
            continue;
        ret[len++] = r;
        if (!r->go_on)
            break;
    }
    return len;
}

const struct rule *policy_match(const struct policy *p, const struct alert *a)
{
    const struct rule *r = NULL;
    return policy_match_all(p, a, &r, 1) ? r : NULL;
}

enum rule_answer policy_try(const struct policy *p, const struct rule *r, const struct alert *a,
                            const struct matcher **ret_failed)
{
    if (!r->enabled)
        return RULE_DISABLED;
    if (!listens_to(r, a->source, speaks_of_alerts(p, a->source)))
        return RULE_OTHER_SOURCE;
    return all_match(&r->match, &a->labels, policy_message(&a->annotations), ret_failed) ? RULE_TAKES
                                                                                         : RULE_MATCHER_FAILS;
}

int patterns_match(const struct patterns *list, const struct map *labels, const char *message)
{
    for (size_t i = 0; i < list->len; i++) {
        if (all_match(&list->list[i], labels, message, NULL))
            return (int)i;
    }
    return -1;
}

int policy_ignored(const struct policy *p, const struct map *labels)
{
    return patterns_match(&p->ignore, labels, NULL);
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

static bool target_matches(const struct matchers *list, const struct target *t)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct matcher *m = &list->list[i];
        if (!matcher_matches_value(m, target_value(t, m->name)))
            return false;
    }
    return true;
}

const struct window *policy_window(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->windows_len; i++) {
        if (p->windows[i].name && strcmp(p->windows[i].name, name) == 0)
            return &p->windows[i];
    }
    return NULL;
}

const struct window *policy_open_window(const struct policy *p, const struct config_strings *names,
                                        int64_t wall_ms)
{
    for (size_t i = 0; i < names->len; i++) {
        const struct window *w = policy_window(p, names->list[i]);
        if (w && window_open(w, wall_ms))
            return w;
    }
    return NULL;
}

const struct environment *policy_environment(const struct policy *p, const struct target *t)
{
    for (size_t i = 0; i < p->environments_len; i++) {
        if (target_matches(&p->environments[i].match, t))
            return &p->environments[i];
    }
    return NULL;
}

bool patterns_cover(const struct patterns *list, const struct target *t)
{
    for (size_t i = 0; i < list->len; i++) {
        if (target_matches(&list->list[i], t))
            return true;
    }
    return false;
}

static bool is_on(const struct matchers *on, const struct target *t, const struct target *other)
{
    bool named = false;
    for (size_t i = 0; i < on->len; i++)
        named |= strcmp(on->list[i].name, "cluster") == 0;
    return (named || strcmp(t->cluster, other->cluster) == 0) && target_matches(on, other);
}

bool policy_depends(const struct environment *env, const struct rule *rule, const struct target *t,
                    const struct target *other)
{
    if (target_same(t, other))
        return false;
    for (size_t i = 0; env && i < env->depends_on_len; i++)
        if (target_matches(&env->depends_on[i].match, t) && is_on(&env->depends_on[i].on, t, other))
            return true;
    for (size_t i = 0; rule && i < rule->depends_on.len; i++)
        if (is_on(&rule->depends_on.list[i], t, other))
            return true;
    return false;
}

bool policy_in_prometheus(const struct policy *p, const char *source)
{
    const struct source *s = policy_source(p, source);
    return p->prometheus && (!s || s->kind == SOURCE_ALERTMANAGER);
}

const struct source *policy_source(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->sources_len; i++) {
        if (p->sources[i]->name && strcmp(p->sources[i]->name, name) == 0)
            return p->sources[i];
    }
    return NULL;
}

bool policy_in_alertmanager(const struct policy *p, const char *source)
{
    const struct source *s = policy_source(p, source);
    return s && s->kind == SOURCE_ALERTMANAGER;
}
