#include "receiver/commands/check_live.h"

#include <stdio.h>
#include <string.h>

#include "actions/verify/prometheus.h"
#include "rules/base/timetext.h"

struct check {
    struct config_problems *ret;
    const char *file;
    const struct rule *rule;
    /* of the rule's alerts that one which goes on firing longest */
    size_t alerts;
    char alert[128];
    struct prometheus_rule slowest;
};

/* ---- which alerts the rule can take ---- */

/* False when the value that alerts of this rule have for the label is known, and the matcher does not take
 * it. */
static bool may_match(const struct matcher *m, const struct prometheus_rule *rule)
{
    const char *value =
        strcmp(m->name, "alertname") == 0 ? rule->name : json_string(json_get(rule->labels, m->name), NULL);
    return !value || strstr(value, "{{") || matcher_matches_value(m, value);
}

static void see_alert(void *ctx, const struct prometheus_rule *rule)
{
    struct check *c = ctx;
    for (size_t i = 0; i < c->rule->match.len; i++)
        if (!may_match(&c->rule->match.list[i], rule))
            return;
    if (c->alerts++ && rule->settle_ms <= c->slowest.settle_ms)
        return;
    c->slowest = *rule;
    text_copy(c->alert, sizeof c->alert, rule->name);
}

static bool names_alerts(const struct rule *r)
{
    for (size_t i = 0; i < r->match.len; i++)
        if (strcmp(r->match.list[i].name, "alertname") == 0 &&
            (r->match.list[i].op == MATCH_EQUAL || r->match.list[i].op == MATCH_REGEX))
            return true;
    return false;
}

/* ---- what its plan allows them ---- */

static void add(struct check *c, int line, bool warning, const char *name, const char *text)
{
    config_problems_add(c->ret, c->file, config_line_number(line), warning, name, text);
}

static bool told(const struct check *c, int line)
{
    for (size_t i = 0; i < c->ret->len; i++)
        if (c->ret->list[i].line == config_line_number(line) &&
            strcmp(c->ret->list[i].name, "short-within") == 0)
            return true;
    return false;
}

static void check_verify(struct check *c, const struct node *n)
{
    const struct verify *v = &n->verify;
    const struct prometheus_rule *a = &c->slowest;
    int64_t least_ms = a->settle_ms + 2 * v->hold_ms;
    char within[DURATION_TEXT_SIZE], settle[DURATION_TEXT_SIZE], window[DURATION_TEXT_SIZE],
        keep[DURATION_TEXT_SIZE], interval[DURATION_TEXT_SIZE], least[DURATION_TEXT_SIZE];
    char text[1024];
    if (!v->alert || v->within_ms <= 0 || v->within_ms >= least_ms || told(c, n->line))
        return;
    snprintf(text, sizeof text,
             "within = %s is over before alert \"%s\" of rule \"%s\" can be quiet: it may fire for %s more "
             "(its query looks back %s, keep_firing_for = %s, two evaluations of %s), and then twice "
             "\"hold\"; write at least within = \"%s\"",
             duration_format(within, v->within_ms), c->alert, c->rule->name,
             duration_format(settle, a->settle_ms), duration_format(window, a->window_ms),
             duration_format(keep, a->keep_ms), duration_format(interval, a->interval_ms),
             duration_format(least, least_ms));
    add(c, n->line, !names_alerts(c->rule), "short-within", text);
}

static void check_list(struct check *c, const struct node_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        if (n->type == NODE_DO || n->type == NODE_PARALLEL)
            check_verify(c, n);
        check_list(c, &n->then);
        check_list(c, &n->otherwise);
        for (size_t b = 0; n->type == NODE_CHOOSE && b < n->branches_len; b++)
            check_list(c, &n->branches[b].steps);
    }
}

/* Does Prometheus know the alerts of one of these sources? */
static bool hears_prometheus(const struct rule *r, const struct settings *s)
{
    for (size_t i = 0; i < r->sources.len; i++)
        for (size_t k = 0; k < s->sources_len; k++)
            if (strcmp(s->sources[k].scope.name, r->sources.list[i]) == 0 &&
                s->sources[k].scope.kind == SOURCE_ALERTMANAGER)
                return true;
    return r->sources.len == 0;
}

void check_timing(struct config_problems *ret, const char *policy_file, const struct policy *p,
                  const struct settings *s, const struct json_doc *rules)
{
    for (size_t i = 0; i < p->rules_len; i++) {
        const struct rule *r = &p->rules[i];
        struct check c = { .ret = ret, .file = policy_file, .rule = r };
        char text[512];
        if (!r->enabled || !hears_prometheus(r, s))
            continue;
        prometheus_rules_each(rules, see_alert, &c);
        for (int phase = 0; c.alerts && phase < PHASE_END_; phase++)
            check_list(&c, &r->plan->phases[phase]);
        snprintf(text, sizeof text,
                 "Prometheus has no alert that rule \"%s\" could take, and nothing is done about one that "
                 "does not fire there",
                 r->name);
        if (!c.alerts)
            add(&c, r->line, true, "unknown-alert", text);
    }
}

/* ---- asking ---- */

enum err_code check_live(struct config_problems *ret, const char *policy_file, const struct policy *p,
                         const struct settings *s, struct err *e)
{
    CLEANUP(remote_freep) struct remote *prometheus = NULL;
    CLEANUP(json_freep) struct json_doc *rules = NULL;
    const struct endpoint_settings *at = &s->prometheus;
    struct http *h = NULL;
    if (!at->url)
        return err_set(e, ERR_INVALID, "heald.cfg names no Prometheus that could be asked");
    enum err_code code = http_global_init(e);
    if (code)
        return code;
    code = remote_new(&prometheus, "prometheus", at->url, at->token_file, at->ca_file, at->tenant, e);
    if (!code)
        code = http_new(&h, e);
    if (!code)
        code = prometheus_rules(prometheus, h, &rules, e);
    if (!code)
        check_timing(ret, policy_file, p, s, rules);
    http_free(h);
    http_global_cleanup();
    return code;
}
