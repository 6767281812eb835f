#include "rules/policy/plan_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy_internal.h"

struct printer {
    plan_line *line;
    void *ctx;
    struct buf text;
};

static void add_choice(struct buf *out, const char *choices, int64_t index)
{
    for (int64_t i = 0; i < index; i++)
        choices += strcspn(choices, "|") + 1;
    buf_add(out, choices, strcspn(choices, "|"));
}

static void add_duration(struct buf *out, const char *before, int64_t ms)
{
    char text[DURATION_TEXT_SIZE];
    buf_addf(out, "%s%s", before, duration_format(text, ms));
}

/* ---- conditions ---- */

static void between(struct buf *out, size_t began)
{
    if (out->len > began)
        buf_adds(out, ", ");
}

static void add_matchers(struct buf *out, size_t began, const char *what, const struct matchers *m)
{
    for (size_t i = 0; i < m->len; i++) {
        between(out, began);
        buf_addf(out, "%s ", what);
        matcher_format(out, &m->list[i]);
    }
}

static void add_words(struct buf *out, size_t began, const char *what, const struct config_strings *words)
{
    for (size_t i = 0; i < words->len; i++) {
        if (i == 0)
            between(out, began);
        buf_addf(out, "%s%s", i == 0 ? what : " or ", words->list[i]);
    }
}

static void add_query(struct buf *out, size_t began, const char *system, const struct query *q)
{
    if (!q->query)
        return;
    between(out, began);
    buf_addf(out, "%s %s: %s", system, q->is ? q->is : "any", q->query);
}

static void add_http(struct buf *out, size_t began, const struct http_probe *p)
{
    if (!p->url)
        return;
    between(out, began);
    buf_addf(out, "GET %s answers ", p->url);
    if (p->status)
        buf_addf(out, "%" PRId64, p->status);
    else
        buf_adds(out, "2xx");
    if (p->body)
        buf_addf(out, " with /%s/", p->body);
}

static void add_groups(struct buf *out, size_t began, const char *what, const struct conditions *list,
                       size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i == 0)
            between(out, began);
        buf_adds(out, i == 0 ? what : " or (");
        conditions_text(out, &list[i]);
        buf_addc(out, ')');
    }
}

void conditions_text(struct buf *out, const struct conditions *c)
{
    size_t began = out->len;
    if (c->changed) {
        buf_adds(out, "changed = ");
        add_choice(out, CHANGE_WORDS, c->changed);
    }
    add_matchers(out, began, "label", &c->match);
    add_matchers(out, began, "annotation", &c->annotations);
    add_matchers(out, began, "evidence", &c->evidence);
    add_words(out, began, "cause is ", &c->cause);
    add_words(out, began, "environment is ", &c->environment);
    if (c->during) {
        between(out, began);
        buf_addf(out, "during %s", c->during);
    }
    if (c->attempt) {
        between(out, began);
        buf_addf(out, "attempt %" PRId64 " or later", c->attempt);
    }
    if (c->step.name) {
        between(out, began);
        buf_addf(out, "step %s was ", c->step.name);
        add_choice(out, STEP_RESULT_WORDS, c->step.result);
    }
    add_query(out, began, "PromQL", &c->promql);
    add_query(out, began, "LogQL", &c->loki);
    add_http(out, began, &c->http);
    add_groups(out, began, "not (", c->not_all, c->not_all_len);
    add_groups(out, began, "any of (", c->any, c->any_len);
}

void verify_text(struct buf *out, const struct verify *v)
{
    size_t began = out->len;
    if (v->rollout)
        buf_adds(out, "rollout complete");
    if (v->alert) {
        between(out, began);
        buf_adds(out, "alert quiet");
    }
    add_query(out, began, "PromQL", &v->promql);
    add_query(out, began, "LogQL", &v->loki);
    add_http(out, began, &v->http);
    if (v->condition) {
        between(out, began);
        buf_addf(out, "condition %s", v->condition);
    }
    if (v->need)
        buf_addf(out, " (%" PRId64 " of these)", v->need);
    add_duration(out, ", for ", v->hold_ms);
    add_duration(out, " within ", v->within_ms);
}

/* ---- steps ---- */

static void print_list(struct printer *p, unsigned depth, const char *prefix, const struct node_list *list);

static void say(struct printer *p, unsigned depth, const char *path)
{
    p->line(p->ctx, depth, path, buf_text(&p->text));
    buf_clear(&p->text);
}

static void say_title(struct printer *p, unsigned depth, const char *title)
{
    buf_adds(&p->text, title);
    say(p, depth, "");
}

static void describe_do(struct buf *out, const struct node *n)
{
    const struct action_param *params = n->action->params;
    buf_adds(out, n->action->name);
    for (size_t i = 0; i < ACTION_PARAMS_MAX && params[i].name; i++) {
        buf_addf(out, " %s = ", params[i].name);
        if (params[i].type == PARAM_CHOICE)
            add_choice(out, params[i].choices, n->params[i]);
        else if (params[i].type == PARAM_TEXT)
            buf_addf(out, "\"%s\"", n->texts[i] ? n->texts[i] : "");
        else
            buf_addf(out, "%" PRId64, n->params[i]);
    }
    if (n->retry)
        buf_addf(out, ", %" PRId64 " more times", n->retry);
    if (n->backoff_ms)
        add_duration(out, " after ", n->backoff_ms);
    if (n->timeout_ms)
        add_duration(out, ", at most ", n->timeout_ms);
    if (n->undo)
        buf_adds(out, ", undone when worse");
    buf_adds(out, "; verify ");
    verify_text(out, &n->verify);
}

static void describe_gate(struct buf *out, const struct node *n)
{
    buf_addf(out, "gate: %" PRId64 " approval%s by %s", n->gate.approvals, n->gate.approvals > 1 ? "s" : "",
             n->gate.role ? n->gate.role : "who may approve");
    add_duration(out, ", no after ", n->gate.expires_ms);
    if (n->notify)
        buf_addf(out, "; asks %s", n->notify);
}

static void describe_wait(struct buf *out, const struct node *n)
{
    if (n->wait.for_ms) {
        add_duration(out, "wait ", n->wait.for_ms);
        return;
    }
    buf_adds(out, "wait until ");
    conditions_text(out, &n->when);
    add_duration(out, ", at most ", n->wait.within_ms);
    if (n->wait.on_timeout == LATE_MOVES_ON)
        buf_adds(out, ", then on all the same");
}

static void describe_parallel(struct buf *out, const struct node *n)
{
    if (n->need)
        buf_addf(out, "together, %" PRId64 " of %zu; verify ", n->need, n->branches_len);
    else
        buf_adds(out, "together, all; verify ");
    verify_text(out, &n->verify);
}

static void describe(struct buf *out, const struct node *n)
{
    if (n->name)
        buf_addf(out, "%s: ", n->name);
    switch (n->type) {
    case NODE_DO:
        describe_do(out, n);
        break;
    case NODE_WHEN:
        buf_adds(out, "when ");
        conditions_text(out, &n->when);
        break;
    case NODE_ESCALATE:
        buf_addf(out, "escalate to %s", n->notify ? n->notify : "a person");
        break;
    case NODE_GATE:
        describe_gate(out, n);
        break;
    case NODE_WAIT:
        describe_wait(out, n);
        break;
    case NODE_NOTIFY:
        buf_addf(out, "notify %s%s%s", n->notify, n->text ? ": " : "", n->text ? n->text : "");
        break;
    case NODE_STOP:
        buf_adds(out, "stop: ");
        add_choice(out, STOP_WORDS, n->outcome);
        break;
    case NODE_CHOOSE:
        buf_adds(out, n->by_success ? "choose, what has worked most often first" : "choose, in this order");
        break;
    case NODE_PARALLEL:
        describe_parallel(out, n);
        break;
    case NODE_CALL:
        buf_addf(out, "plan %s", n->plan);
        break;
    }
}

static void print_inner(struct printer *p, unsigned depth, const char *path, const struct node *n)
{
    char prefix[STEP_PATH_SIZE];
    snprintf(prefix, sizeof prefix, "%.100s.then", path);
    print_list(p, depth + 1, prefix, &n->then);
    if (n->otherwise.len)
        say_title(p, depth, "otherwise");
    snprintf(prefix, sizeof prefix, "%.100s.otherwise", path);
    print_list(p, depth + 1, prefix, &n->otherwise);
    for (size_t b = 0; b < n->branches_len; b++) {
        buf_addf(&p->text, "branch %s", n->branches[b].name ? n->branches[b].name : "");
        if (!n->branches[b].name)
            buf_addf(&p->text, "%zu", b);
        say(p, depth + 1, "");
        snprintf(prefix, sizeof prefix, "%.90s.branch.%u", path, (unsigned)b);
        print_list(p, depth + 2, prefix, &n->branches[b].steps);
    }
}

static void print_list(struct printer *p, unsigned depth, const char *prefix, const struct node_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        char path[STEP_PATH_SIZE];
        snprintf(path, sizeof path, "%.100s.%u", prefix, (unsigned)i);
        describe(&p->text, &list->items[i]);
        say(p, depth, path);
        print_inner(p, depth, path, &list->items[i]);
    }
}

void plan_lines(const struct plan *plan, plan_line *line, void *ctx)
{
    struct printer p = { .line = line, .ctx = ctx, .text = BUF_INIT };
    for (int phase = 0; phase < PHASE_END_; phase++) {
        if (!plan->phases[phase].len)
            continue;
        say_title(&p, 0, phase_names[phase]);
        print_list(&p, 1, phase_names[phase], &plan->phases[phase]);
    }
    buf_release(&p.text);
}
