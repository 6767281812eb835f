/* Checks of plans: walked node by node. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/check.h"

#define STEP_NAMES_MAX 128u

struct walking {
    const struct checking *c;
    const struct plan *plan;
    const struct rule *rule;                  /* whose own plan it is; NULL */
    unsigned changed;                         /* how many `when` around ask what changed */
    unsigned joint;                           /* below `parallel`, which verifies for its steps */
    const struct node *named[STEP_NAMES_MAX]; /* passed so far */
    size_t named_len, named_from;             /* those before stand outside of the plan that is called here */
};

static void walk_list(struct walking *w, const struct node_list *list);

/* ---- names ---- */

static void check_window_name(const struct checking *c, int line, const char *name)
{
    if (name && !policy_window(c->world, name))
        config_problem_at(c->text, line, "unknown-window",
                          "there is no window \"%s\"; windows = ( { name = \"%s\"; ... } ) would define it",
                          name, name);
}

static void check_step_name(struct walking *w, const struct conditions *q, int line)
{
    for (size_t i = w->named_from; i < w->named_len; i++)
        if (strcmp(w->named[i]->name, q->step.name) == 0)
            return;
    config_problem_at(w->c->text, line, "unknown-step",
                      "no step before this one has the name \"%s\" in this plan; give it with name = \"%s\"",
                      q->step.name, q->step.name);
}

static void check_words(struct walking *w, const struct conditions *q, int line)
{
    const struct policy *p = w->c->world;
    for (size_t i = 0; i < q->environment.len; i++) {
        bool found = false;
        for (size_t k = 0; k < p->environments_len; k++)
            found = found ||
                    (p->environments[k].name && strcmp(p->environments[k].name, q->environment.list[i]) == 0);
        if (!found)
            config_problem_at(w->c->text, line, "unknown-environment", "there is no environment \"%s\"",
                              q->environment.list[i]);
    }
    for (size_t i = 0; i < q->cause.len; i++)
        if (choice_index(CAUSE_WORDS, q->cause.list[i]) < 0)
            config_problem_at(
                w->c->text, line, "unknown-cause",
                "\"%s\" is no cause; there are crash, oom, image, config, unschedulable, probe, "
                "not_ready, quota, forbidden, node, creating, none and unknown",
                q->cause.list[i]);
}

static void check_questions(struct walking *w, const struct conditions *q, int line)
{
    check_window_name(w->c, line, q->during);
    if (q->step.name)
        check_step_name(w, q, line);
    check_words(w, q, line);
    for (size_t i = 0; i < q->not_all_len; i++)
        check_questions(w, &q->not_all[i], line);
    for (size_t i = 0; i < q->any_len; i++)
        check_questions(w, &q->any[i], line);
}

static void note_name(struct walking *w, const struct node *n)
{
    if (!n->name)
        return;
    for (size_t i = w->named_from; i < w->named_len; i++)
        if (strcmp(w->named[i]->name, n->name) == 0 && w->named[i]->line != n->line) {
            config_problem_at(w->c->text, n->line, "duplicate-step",
                              "step \"%s\" stands already on line %d of this plan", n->name,
                              config_line_number(w->named[i]->line));
            return;
        }
    if (w->named_len < STEP_NAMES_MAX)
        w->named[w->named_len++] = n;
}

/* ---- steps ---- */

static bool asks_beside_rollout(const struct verify *v)
{
    return v->alert || v->promql.query || v->loki.query || v->http.url || v->condition;
}

static void check_do(struct walking *w, const struct node *n)
{
    bool back = strcmp(n->action->name, "rollback") == 0 || strcmp(n->action->name, "revert") == 0;
    if (back && !w->changed)
        config_warning_at(
            w->c->text, n->line, "unconditional-rollback",
            "\"%s\" without asking what changed; put it into when = { changed = \"template\"; }",
            n->action->name);
    if (n->action->risk >= RISK_DISRUPTIVE && !w->joint && !asks_beside_rollout(&n->verify))
        config_warning_at(
            w->c->text, n->line, "weak-verification",
            "a complete rollout does not say that the trouble is over; verify alert = \"quiet\", or ask "
            "promql, loki, http or a condition");
}

/* `within` is never less than the alert needs to go quiet, and twice `hold`: that is what it counts as. */
static void check_within(struct walking *w, const struct node *n)
{
    char within[DURATION_TEXT_SIZE], hold[DURATION_TEXT_SIZE], settle[DURATION_TEXT_SIZE],
        least[DURATION_TEXT_SIZE];
    const struct verify *v = &n->verify;
    int64_t settle_ms = w->c->shell && w->c->shell->settle_ms ? w->c->shell->settle_ms : POLICY_SETTLE_MS;
    if (!v->alert || settle_ms < 0)
        settle_ms = 0;
    if (v->within_ms > 0 && v->hold_ms > 0 && v->within_ms < 2 * v->hold_ms)
        config_warning_at(
            w->c->text, n->line, "short-within",
            "within = %s leaves no time for a repair before hold = %s; it counts as twice \"hold\"",
            duration_format(within, v->within_ms), duration_format(hold, v->hold_ms));
    else if (v->within_ms > 0 && v->within_ms < settle_ms + 2 * v->hold_ms)
        config_warning_at(
            w->c->text, n->line, "short-within",
            "within = %s is over before the alert can be quiet: it may fire for %s more, and hold = %s; it "
            "counts as %s; write that, or alert = \"ignore\"",
            duration_format(within, v->within_ms), duration_format(settle, settle_ms),
            duration_format(hold, v->hold_ms), duration_format(least, settle_ms + 2 * v->hold_ms));
    if (n->timeout_ms && v->within_ms > 0 && n->timeout_ms < v->within_ms)
        config_warning_at(w->c->text, n->line, "short-timeout",
                          "\"timeout\" ends the step before verification may, within = %s",
                          duration_format(within, v->within_ms));
}

static void check_receiver(const struct checking *c, int line, const char *name)
{
    if (name && c->shell && !check_known(c->shell->receivers, name))
        config_warning_at(c->text, line, "unknown-receiver", "heald.cfg has no receiver \"%s\"", name);
}

static void check_gate(struct walking *w, const struct node *n)
{
    const struct policy_shell *shell = w->c->shell;
    if (n->gate.role && shell && !check_known(shell->groups, n->gate.role))
        config_warning_at(w->c->text, n->line, "gate-without-approvers",
                          "no operator of heald.cfg is in the group \"%s\": nobody could say yes",
                          n->gate.role);
}

/* The steps of a called plan know each other by name, and nobody else does. */
static void walk_called(struct walking *w, const struct node *n)
{
    size_t from = w->named_from, len = w->named_len;
    w->named_from = len;
    walk_list(w, &n->then);
    w->named_from = from;
    w->named_len = len;
}

static void walk_node(struct walking *w, const struct node *n)
{
    bool changed = n->type == NODE_WHEN && n->when.changed == CHANGED_TEMPLATE;
    if (n->type == NODE_WHEN || n->type == NODE_WAIT)
        check_questions(w, &n->when, n->line);
    if (n->type == NODE_DO && n->action)
        check_do(w, n);
    if ((n->type == NODE_DO && !w->joint) || n->type == NODE_PARALLEL)
        check_within(w, n);
    if (n->type == NODE_GATE)
        check_gate(w, n);
    check_receiver(w->c, n->line, n->notify);
    w->changed += changed;
    if (n->type == NODE_CALL)
        walk_called(w, n);
    else
        walk_list(w, &n->then);
    w->changed -= changed;
    walk_list(w, &n->otherwise);
    w->joint += n->type == NODE_PARALLEL;
    for (size_t b = 0; b < n->branches_len; b++)
        walk_list(w, &n->branches[b].steps);
    w->joint -= n->type == NODE_PARALLEL;
    note_name(w, n);
}

static void walk_list(struct walking *w, const struct node_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        walk_node(w, n);
        if ((n->type == NODE_STOP || n->type == NODE_ESCALATE) && i + 1 < list->len)
            config_warning_at(w->c->text, list->items[i + 1].line, "unreachable-step",
                              "this step is never reached: the one before it ends the plan");
    }
}

/* ---- labels that the rule's alerts do not have ---- */

struct absent {
    const struct checking *c;
    const struct rule *rule;
    int line;
};

static void check_reference(void *arg, const char *scope, const char *name, bool has_default)
{
    const struct absent *a = arg;
    const struct matchers *m = &a->rule->match;
    if (strcmp(scope, "labels") != 0 || has_default)
        return;
    for (size_t i = 0; i < m->len; i++)
        if (m->list[i].op == MATCH_EQUAL && !*m->list[i].value && strcmp(m->list[i].name, name) == 0)
            config_problem_at(
                a->c->text, a->line, "impossible-label",
                "no alert of rule \"%s\" has the label \"%s\": its matchers want it absent; give a "
                "default, ${labels.%s:-none}",
                a->rule->name, name, name);
}

static void check_text(const struct absent *a, const char *text)
{
    if (text)
        template_each(text, check_reference, (void *)(uintptr_t)a);
}

static void check_texts(const struct checking *c, const struct rule *r, const struct node_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        const struct absent a = { c, r, n->line };
        check_text(&a, n->text);
        check_text(&a, n->verify.promql.query);
        check_text(&a, n->verify.loki.query);
        check_text(&a, n->verify.http.url);
        check_text(&a, n->when.promql.query);
        check_text(&a, n->when.loki.query);
        check_text(&a, n->when.http.url);
        check_texts(c, r, &n->then);
        check_texts(c, r, &n->otherwise);
        for (size_t b = 0; b < n->branches_len; b++)
            check_texts(c, r, &n->branches[b].steps);
    }
}

static bool wants_absent_label(const struct rule *r)
{
    for (size_t i = 0; i < r->match.len; i++)
        if (r->match.list[i].op == MATCH_EQUAL && !*r->match.list[i].value)
            return true;
    return false;
}

static void check_rule_texts(const struct checking *c, const struct rule *r)
{
    const struct absent a = { c, r, r->line };
    if (!wants_absent_label(r) || !r->name)
        return;
    check_text(&a, r->note);
    check_text(&a, r->runbook);
    check_text(&a, r->dashboard);
    for (size_t i = 0; i < r->targets_len; i++) {
        const struct target_spec *t = &r->targets[i];
        check_text(&a, t->name);
        check_text(&a, t->selector);
        check_text(&a, t->namespace);
        if (t->from != FROM_NOTHING)
            check_reference((void *)(uintptr_t)&a, "labels", target_from_label(t->from), false);
    }
    for (int phase = 0; r->plan && phase < PHASE_END_; phase++)
        check_texts(c, r, &r->plan->phases[phase]);
}

void check_plans(const struct checking *c)
{
    const struct policy *p = c->policy;
    struct walking *w = calloc(1, sizeof *w);
    if (!w) {
        config_out_of_memory(c->text);
        return;
    }
    for (size_t i = 0; i < p->plans_len; i++) {
        *w = (struct walking){ .c = c, .plan = &p->plans[i] };
        for (int phase = 0; phase < PHASE_END_; phase++)
            walk_list(w, &p->plans[i].phases[phase]);
    }
    free(w);
    for (size_t i = 0; i < p->rules_len; i++)
        check_rule_texts(c, &p->rules[i]);
    for (size_t i = 0; i < p->environments_len; i++) {
        const struct environment *env = &p->environments[i];
        for (size_t k = 0; k < env->maintenance.len; k++)
            check_window_name(c, env->line, env->maintenance.list[k]);
        for (size_t k = 0; k < env->freeze.len; k++)
            check_window_name(c, env->line, env->freeze.list[k]);
        for (size_t k = 0; k < env->notify.len; k++)
            check_receiver(c, env->line, env->notify.list[k]);
        if (env->approval.role && c->shell && !check_known(c->shell->groups, env->approval.role))
            config_warning_at(c->text, env->line, "gate-without-approvers",
                              "no operator of heald.cfg is in the group \"%s\": nobody could approve",
                              env->approval.role);
    }
    for (size_t i = 0; i < p->rules_len; i++)
        for (size_t k = 0; k < p->rules[i].notify.len; k++)
            check_receiver(c, p->rules[i].line, p->rules[i].notify.list[k]);
}
