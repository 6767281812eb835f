/* `when` and `wait = { until }`: what a plan asks before it goes on. */
#include <stdio.h>
#include <string.h>

#include "rules/engine/probes.h"

struct asking {
    const struct guard_input *in;
    char *why; /* FACT_TEXT_SIZE: the last question that was not answered with yes */
};

static enum condition_answer ask_all(const struct asking *a, const struct conditions *c);

static enum condition_answer say(const struct asking *a, bool holds, const char *text)
{
    if (!holds)
        text_copy(a->why, FACT_TEXT_SIZE, text);
    return holds ? CONDITION_YES : CONDITION_NO;
}

static enum condition_answer ask_changed(const struct asking *a, const struct conditions *c)
{
    char why[FACT_TEXT_SIZE];
    bool changed;
    if (c->changed == CHANGED_WHATEVER)
        return CONDITION_YES;
    changed = template_changed(a->in, why);
    if (c->changed == CHANGED_NOTHING)
        return say(a, !changed, "the template has changed");
    return say(a, changed, why);
}

static enum condition_answer ask_map(const struct asking *a, const struct matchers *m, const struct map *map,
                                     const char *what)
{
    const struct matcher *failed = NULL;
    char text[FACT_TEXT_SIZE];
    if (matchers_match(m, map, &failed))
        return CONDITION_YES;
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    matcher_format(&b, failed);
    snprintf(text, sizeof text, "%s do not match %.200s", what, buf_text(&b));
    return say(a, false, text);
}

static enum condition_answer ask_labels(const struct asking *a, const struct conditions *c)
{
    return ask_map(a, &c->match, &a->in->i->labels, "the alert's labels");
}

static enum condition_answer ask_annotations(const struct asking *a, const struct conditions *c)
{
    return ask_map(a, &c->annotations, &a->in->i->annotations, "the alert's annotations");
}

static enum condition_answer ask_environment(const struct asking *a, const struct conditions *c)
{
    for (size_t k = 0; k < c->environment.len; k++)
        if (a->in->environment && strcmp(c->environment.list[k], a->in->environment->name) == 0)
            return CONDITION_YES;
    return say(a, c->environment.len == 0, "it is another environment");
}

static enum condition_answer ask_attempt(const struct asking *a, const struct conditions *c)
{
    char text[FACT_TEXT_SIZE];
    int64_t n;
    if (!c->attempt)
        return CONDITION_YES;
    n = attempts_made(a->in) + 1;
    snprintf(text, sizeof text, "it is attempt %lld, not %lld", (long long)n, (long long)c->attempt);
    return say(a, n >= c->attempt, text);
}

static enum condition_answer ask_step(const struct asking *a, const struct conditions *c)
{
    char text[FACT_TEXT_SIZE];
    if (!c->step.name)
        return CONDITION_YES;
    int at = tree_named(a->in->tree, a->in->at, c->step.name);
    int result = at < 0 ? RESULT_NOT_RUN : (int)progress_result(a->in->tree, a->in->progress, at);
    snprintf(text, sizeof text, "step \"%.72s\" ended as %s", c->step.name, step_result_name(result));
    return say(a, result == c->step.result, text);
}

static enum condition_answer ask_not(const struct asking *a, const struct conditions *c)
{
    if (c->not_all_len == 0)
        return CONDITION_YES;
    enum condition_answer inner = ask_all(a, c->not_all);
    if (inner == CONDITION_UNANSWERED)
        return CONDITION_UNANSWERED;
    return say(a, inner == CONDITION_NO, "what must not hold does");
}

static enum condition_answer ask_any(const struct asking *a, const struct conditions *c)
{
    enum condition_answer best = c->any_len ? CONDITION_NO : CONDITION_YES;
    for (size_t k = 0; k < c->any_len && best != CONDITION_YES; k++) {
        enum condition_answer one = ask_all(a, &c->any[k]);
        if (one == CONDITION_YES || best == CONDITION_NO)
            best = one;
    }
    return best;
}

static enum condition_answer unanswered(const struct asking *a, const char *text)
{
    text_copy(a->why, FACT_TEXT_SIZE, text);
    return CONDITION_UNANSWERED;
}

static bool looked_at_pods(const struct asking *a)
{
    return (a->in->o->needs & OBSERVE_PODS) != 0;
}

static enum condition_answer ask_cause(const struct asking *a, const struct conditions *c)
{
    char text[FACT_TEXT_SIZE];
    enum cause cause = a->in->o->evidence.cause;
    if (c->cause.len == 0)
        return CONDITION_YES;
    for (size_t k = 0; k < c->cause.len && looked_at_pods(a); k++)
        if (strcmp(c->cause.list[k], cause_name(cause)) == 0)
            return CONDITION_YES;
    if (!looked_at_pods(a) || cause == CAUSE_UNKNOWN)
        return unanswered(a, "the cause is not known");
    snprintf(text, sizeof text, "the cause is %s", cause_name(cause));
    return say(a, false, text);
}

/* What the status does not say matches nothing, and proves nothing either. */
static enum condition_answer ask_evidence(const struct asking *a, const struct conditions *c)
{
    enum condition_answer all = CONDITION_YES;
    for (size_t k = 0; k < c->evidence.len; k++) {
        char number[EVIDENCE_NUMBER_SIZE], text[FACT_TEXT_SIZE];
        const struct matcher *m = &c->evidence.list[k];
        const char *seen = looked_at_pods(a) ? evidence_field(&a->in->o->evidence, m->name, number) : NULL;
        if (!seen || !*seen) {
            snprintf(text, sizeof text, "the evidence has no %.40s", m->name);
            all = unanswered(a, text);
        } else if (!matcher_matches_value(m, seen)) {
            snprintf(text, sizeof text, "the evidence's %.40s is \"%.120s\"", m->name, seen);
            return say(a, false, text);
        }
    }
    return all;
}

static enum condition_answer ask_probes(const struct asking *a, const struct conditions *c)
{
    const struct observation *o = a->in->o;
    const struct probing p = probing_for(a->in->i, a->in->target, o);
    const enum condition_answer answers[] = { probe_ask_query(&p, o, PROBE_PROMQL, &c->promql, a->why),
                                              probe_ask_query(&p, o, PROBE_LOKI, &c->loki, a->why),
                                              probe_ask_http(&p, o, &c->http, a->why) };
    enum condition_answer all = CONDITION_YES;
    for (size_t k = 0; k < sizeof answers / sizeof answers[0]; k++) {
        if (answers[k] == CONDITION_NO)
            return CONDITION_NO;
        if (answers[k] == CONDITION_UNANSWERED)
            all = CONDITION_UNANSWERED;
    }
    return all;
}

static enum condition_answer ask_during(const struct asking *a, const struct conditions *c)
{
    char text[FACT_TEXT_SIZE];
    if (!c->during)
        return CONDITION_YES;
    const struct window *w = policy_window(a->in->p, c->during);
    if (!w) { /* the policy has changed since */
        snprintf(text, sizeof text, "the policy has no window \"%.72s\" any more", c->during);
        return unanswered(a, text);
    }
    snprintf(text, sizeof text, "window \"%.72s\" is not open", c->during);
    return say(a, window_open(w, a->in->wall_ms), text);
}

/* The first that is not a yes is the answer, unless a later one says no: a no needs nothing else. */
static enum condition_answer ask_all(const struct asking *a, const struct conditions *c)
{
    static enum condition_answer (*const questions[])(const struct asking *, const struct conditions *) = {
        ask_environment, ask_labels,   ask_annotations, ask_attempt, ask_step, ask_changed,
        ask_cause,       ask_evidence, ask_during,      ask_probes,  ask_not,  ask_any
    };
    enum condition_answer all = CONDITION_YES;
    for (size_t k = 0; k < sizeof questions / sizeof questions[0]; k++) {
        enum condition_answer one = questions[k](a, c);
        if (one == CONDITION_NO)
            return CONDITION_NO;
        if (one == CONDITION_UNANSWERED)
            all = CONDITION_UNANSWERED;
    }
    return all;
}

enum condition_answer conditions_ask(const struct guard_input *in, const struct conditions *c,
                                     char ret_why[FACT_TEXT_SIZE])
{
    struct asking a = { .in = in, .why = ret_why };
    ret_why[0] = '\0';
    return ask_all(&a, c);
}

static bool speaks_of_evidence(const char *template)
{
    return template && strstr(template, "${evidence.");
}

bool conditions_probe(const struct conditions *c)
{
    bool any = c->promql.query || c->loki.query || c->http.url;
    for (size_t k = 0; k < c->not_all_len; k++)
        any |= conditions_probe(&c->not_all[k]);
    for (size_t k = 0; k < c->any_len; k++)
        any |= conditions_probe(&c->any[k]);
    return any;
}

unsigned conditions_need(const struct conditions *c)
{
    unsigned needs = c->changed == CHANGED_WHATEVER ? 0 : OBSERVE_HISTORY | OBSERVE_PODS;
    if (c->cause.len || c->evidence.len || speaks_of_evidence(c->promql.query) ||
        speaks_of_evidence(c->loki.query) || speaks_of_evidence(c->http.url))
        needs |= OBSERVE_PODS;
    for (size_t k = 0; k < c->not_all_len; k++)
        needs |= conditions_need(&c->not_all[k]);
    for (size_t k = 0; k < c->any_len; k++)
        needs |= conditions_need(&c->any[k]);
    return needs;
}
