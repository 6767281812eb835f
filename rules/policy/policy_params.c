/* Parameters of plans: a plan is a pattern that rules and calls fill in when the policy is loaded. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

PAIR(struct policy, profiles, profiles_len);

static void parse_param(struct config_text *text, const config_setting_t *setting, struct plan_params *ret)
{
    static const struct config_key key = {
        .name = "a parameter", .type = CONFIG_STRING, .max = 1000, .place = PLACE_PARAM, .help = ""
    };
    struct param *p = &ret->list[ret->len];
    char number[32];
    if (config_setting_type(setting) == CONFIG_TYPE_INT) {
        snprintf(number, sizeof number, "%d", config_setting_get_int(setting));
        p->value = strdup(number);
    } else {
        config_parse_value(text, &key, setting, &p->value);
        if (!p->value)
            return; /* said already */
    }
    p->name = strdup(config_setting_name(setting));
    ret->len++;
    if (!p->name || !p->value)
        config_out_of_memory(text);
}

void policy_parse_params(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    struct plan_params *ret = field;
    size_t len = (size_t)config_setting_length(setting);
    (void)arg;
    if (!config_setting_is_group(setting) || len > POLICY_PARAMS_MAX) {
        config_error(text, setting, "\"%s\" must be a group of at most %d texts, { name = \"value\"; }",
                     config_setting_name(setting), POLICY_PARAMS_MAX);
        return;
    }
    ret->list = len ? calloc(len, sizeof *ret->list) : NULL;
    if (len && !ret->list)
        config_out_of_memory(text);
    for (unsigned i = 0; ret->list && i < len; i++)
        parse_param(text, config_setting_get_elem(setting, i), ret);
}

void plan_params_release(struct plan_params *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->list[i].name);
        free(p->list[i].value);
    }
    free(p->list);
    *p = (struct plan_params){ .len = 0 };
}

void policy_parse_profiles(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    struct config_list *ret = field;
    size_t len = (size_t)config_setting_length(setting);
    if (!config_setting_is_group(setting)) {
        config_error(text, setting,
                     "\"profiles\" must be a group of named groups, { small = { x = \"1\"; }; }");
        return;
    }
    struct profile *profiles = len ? calloc(len, sizeof *profiles) : NULL;
    if (len && !profiles)
        config_out_of_memory(text);
    ret->items = profiles;
    for (unsigned i = 0; profiles && i < len; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, i);
        ret->len = i + 1;
        profiles[i].name = strdup(config_setting_name(member));
        if (!profiles[i].name)
            config_out_of_memory(text);
        policy_parse_params(text, member, &profiles[i].params, arg);
    }
}

/* ---- scopes ---- */

static const char *lookup(void *arg, const char *name)
{
    struct params_scope *s = arg;
    for (size_t k = 0; k < s->layers_len; k++) {
        const struct plan_params *params = s->layers[k];
        for (size_t i = 0; i < params->len; i++) {
            if (!params->list[i].name || strcmp(params->list[i].name, name) != 0)
                continue;
            if (k == 0)
                s->used[i] = true;
            return params->list[i].value;
        }
    }
    return NULL;
}

static void need(struct config_text *text, struct config_strings *needs, const char *name)
{
    for (size_t i = 0; i < needs->len; i++)
        if (strcmp(needs->list[i], name) == 0)
            return;
    char **longer = reallocarray(needs->list, needs->len + 1, sizeof *longer);
    if (longer)
        needs->list = longer;
    if (!longer || !(longer[needs->len] = strdup(name)))
        config_out_of_memory(text);
    else
        needs->len++;
}

static void open_param(void *arg, struct config_text *text, const config_setting_t *setting, const char *name)
{
    const struct params_scope *s = arg;
    if (s->needs)
        need(text, s->needs, name);
    else
        config_error(text, setting, "plan \"%s\" needs the parameter \"%s\", which nobody gives here",
                     s->plan, name);
}

struct config_scope params_scope(struct params_scope *s)
{
    return (struct config_scope){ .lookup = lookup, .open = open_param, .arg = s };
}

void params_unused(struct config_text *text, const config_setting_t *given, const struct params_scope *s)
{
    for (size_t i = 0; i < s->layers[0]->len; i++) {
        const char *name = s->layers[0]->list[i].name;
        const config_setting_t *at = name ? config_setting_get_member(given, name) : NULL;
        if (!s->used[i])
            config_error(text, at ? at : given, "plan \"%s\" has no ${params.%s}; remove the parameter",
                         s->plan, name ? name : "");
    }
}

/* ---- rules ---- */

static const struct plan_params *find_profile(struct config_text *text, const config_setting_t *group,
                                              const struct rule *r, const struct policy *p)
{
    static const struct plan_params none = { .len = 0 };
    for (size_t i = 0; r->profile && i < p->profiles_len; i++)
        if (p->profiles[i].name && strcmp(p->profiles[i].name, r->profile) == 0)
            return &p->profiles[i].params;
    if (r->profile)
        config_error(text, config_setting_get_member(group, "profile"),
                     "unknown profile \"%s\"; profiles = { %s = { ... }; } would define it", r->profile,
                     r->profile);
    return &none;
}

static void say_needs(struct config_text *text, const config_setting_t *group, const struct rule *r)
{
    CLEANUP(buf_release) struct buf names = BUF_INIT;
    for (size_t i = 0; i < r->plan->needs.len; i++)
        buf_addf(&names, " %s = \"...\";", r->plan->needs.list[i]);
    config_error(text, config_setting_get_member(group, "plan"),
                 "plan \"%s\" needs parameters; write params = {%s }", r->plan_name, buf_text(&names));
}

void policy_fill_plan(struct config_text *text, const config_setting_t *group, struct rule *r,
                      const struct policy_context *c)
{
    const config_setting_t *given = config_setting_get_member(group, "params");
    const config_setting_t *plan = r->plan ? policy_find_plan(group, r->plan_name) : NULL;
    const struct plan_params *profile = find_profile(text, group, r, c->policy);
    char who[POLICY_NAME_MAX + 64];
    if (!plan)
        return;
    if (!given && !r->profile) {
        if (r->plan->needs.len)
            say_needs(text, group, r);
        return;
    }
    struct params_scope s = { .layers = { &r->params, profile, &r->plan->params },
                              .layers_len = 3,
                              .plan = r->plan_name };
    struct config_scope scope = params_scope(&s);
    snprintf(who, sizeof who, "rule \"%s\" of line %d", r->name ? r->name : "", r->line);
    scope.who = who;
    r->own_plan = calloc(1, sizeof *r->own_plan);
    if (!r->own_plan || !(r->own_plan->name = strdup(r->plan_name))) {
        config_out_of_memory(text);
        return;
    }
    config_set_scope(text, &scope);
    policy_parse_phases(text, plan, r->own_plan, c);
    config_set_scope(text, NULL);
    if (given)
        params_unused(text, given, &s);
    r->plan = r->own_plan;
}
