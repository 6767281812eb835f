/* What an alert leads to, as JSON: judged by the policy alone, without asking anybody. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/explain.h"
#include "rules/policy/plan_text.h"

#define TAKEN_MAX 16 /* rules that say `continue`, one after the other */

static void write_map(struct json_writer *w, const char *key, const struct map *m)
{
    jw_key(w, key);
    jw_object(w);
    for (uint32_t i = 0; i < m->len; i++)
        jw_kstring(w, map_name_at(m, i), map_value_at(m, i));
    jw_object_end(w);
}

static void write_alert(struct json_writer *w, const struct alert *a)
{
    jw_key(w, "alert");
    jw_object(w);
    jw_kstring(w, "source", a->source);
    jw_kstring(w, "status", a->status == ALERT_FIRING ? "firing" : "resolved");
    write_map(w, "labels", &a->labels);
    write_map(w, "annotations", &a->annotations);
    jw_object_end(w);
}

/* Why one rule does not take the alert. */
static void why_not(struct buf *out, const struct alert *a, enum rule_answer answer,
                    const struct matcher *failed)
{
    if (answer == RULE_DISABLED) {
        buf_adds(out, "it says enabled = false");
        return;
    }
    if (answer == RULE_OTHER_SOURCE) {
        buf_addf(out, "it does not listen to source \"%s\"", a->source);
        return;
    }
    const char *value = map_get(&a->labels, failed->name);
    matcher_format(out, failed);
    if (value)
        buf_addf(out, " is asked for, and the alert says \"%s\"", value);
    else
        buf_addf(out, " is asked for, and the alert has no label \"%s\"", failed->name);
}

static bool is_taken(const struct rule *r, const struct rule *const *taken, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (taken[i] == r)
            return true;
    return false;
}

/* How many take it; they are put into `taken`. */
static size_t write_rules(struct json_writer *w, const struct policy *p, const struct alert *a,
                          const struct rule *taken[TAKEN_MAX])
{
    size_t len = policy_match_all(p, a, taken, TAKEN_MAX);
    jw_key(w, "rules");
    jw_array(w);
    for (size_t i = 0; i < p->rules_len; i++) {
        CLEANUP(buf_release) struct buf why = BUF_INIT;
        const struct rule *r = &p->rules[i];
        const struct matcher *failed = NULL;
        enum rule_answer answer = policy_try(p, r, a, &failed);
        bool takes = is_taken(r, taken, len);
        if (answer != RULE_TAKES)
            why_not(&why, a, answer, failed);
        else if (!takes)
            buf_addf(&why, "it matches too, but \"%s\" comes first and does not say continue",
                     taken[len - 1]->name);
        jw_object(w);
        jw_kstring(w, "name", r->name);
        jw_kint(w, "line", r->line);
        jw_kbool(w, "takes", takes);
        jw_kstring(w, "why", buf_text(&why));
        jw_object_end(w);
    }
    jw_array_end(w);
    return len;
}

/* What is decided before any rule is asked. False: nothing comes of the alert. */
static bool write_refusals(struct json_writer *w, const struct policy *p, const struct alert *a)
{
    CLEANUP(buf_release) struct buf why = BUF_INIT;
    const struct source *s = policy_source(p, a->source);
    const struct matcher *violated = s ? source_violated(s, a) : NULL;
    int pattern = patterns_match(&p->ignore, &a->labels, policy_message(&a->annotations));
    if (violated) {
        buf_addf(&why, "source \"%s\" may only send what matches ", a->source);
        matcher_format(&why, violated);
    } else if (pattern >= 0) {
        buf_addf(&why, "ignore pattern %d of the policy matches:", pattern + 1);
        for (size_t i = 0; i < p->ignore.list[pattern].len; i++) {
            buf_addc(&why, ' ');
            matcher_format(&why, &p->ignore.list[pattern].list[i]);
        }
    } else if (a->status != ALERT_FIRING) {
        buf_adds(&why, "the alert is resolved: it starts nothing, it is evidence for what runs");
    }
    if (why.len)
        jw_kstring(w, "refused", buf_text(&why));
    return why.len == 0;
}

/* What a target's text stands for: its labels put in where the alert has them. */
static void describe_target(struct buf *out, const struct target_spec *t, const struct alert *a)
{
    const char *label = target_from_label(t->from), *name = map_get(&a->labels, label),
               *namespace = map_get(&a->labels, "namespace");
    if (t->name || t->selector) {
        buf_addf(out, "%s %s%s", t->kind ? t->kind : "object", t->name ? "" : "with ",
                 t->name ? t->name : t->selector);
        return;
    }
    if (!name || (!namespace && !t->namespace && t->from != FROM_NODE)) {
        buf_addf(out,
                 "the labels do not say it: \"%s\" is missing; give the alerting rule's expression that "
                 "label, or choose another target.from",
                 name ? "namespace" : label);
        return;
    }
    if (t->from == FROM_NODE)
        buf_addf(out, "node %s by label \"%s\"", name, label);
    else
        buf_addf(out, "%s %s/%s by label \"%s\"", target_from_word(t->from),
                 t->namespace ? t->namespace : namespace, name, label);
    if (t->owner)
        buf_addf(out, ", then up its owners to the %s", t->owner);
}

static void write_targets(struct json_writer *w, const struct rule *r, const struct alert *a)
{
    jw_key(w, "targets");
    jw_array(w);
    for (size_t i = 0; i < r->targets_len; i++) {
        CLEANUP(buf_release) struct buf how = BUF_INIT;
        describe_target(&how, &r->targets[i], a);
        jw_string(w, buf_text(&how));
    }
    jw_array_end(w);
}

static void write_line(void *ctx, unsigned depth, const char *path, const char *text)
{
    struct json_writer *w = ctx;
    jw_object(w);
    jw_kint(w, "depth", depth);
    jw_kstring(w, "step", path);
    jw_kstring(w, "text", text);
    jw_object_end(w);
}

static void write_plan(struct json_writer *w, const struct rule *r)
{
    jw_key(w, "plan");
    jw_object(w);
    jw_kstring(w, "name", r->plan->name);
    jw_kint(w, "line", r->plan->line);
    jw_key(w, "lines");
    jw_array(w);
    plan_lines(r->plan, write_line, w);
    jw_array_end(w);
    jw_object_end(w);
}

void explain_write(struct json_writer *w, const struct settings *s, const struct policy *p,
                   const struct alert *a, bool live)
{
    jw_object(w);
    write_alert(w, a);
    const struct rule *taken[TAKEN_MAX];
    bool considered = write_refusals(w, p, a);
    size_t len = write_rules(w, p, a, taken);
    if (len) {
        write_targets(w, taken[0], a);
        write_plan(w, taken[0]);
    }
    if (len && considered && live)
        explain_live(w, s, p, a);
    jw_object_end(w);
}
