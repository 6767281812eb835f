/* Guards that ask who said what: the policy in force, operators, the source, Alertmanager. */
#include "rules/engine/guards_internal.h"
#include "rules/engine/probes.h"

#include <stdio.h>
#include <string.h>

#define WINDOW_POLL_MS                                                                                       \
    (10ll * 60 * 1000) /* another policy, or another clock, may say something else before a window changes   \
                        */

enum guard_answer guard_kill_switch(const struct guard_input *in, struct refusal *r)
{
    const char *environment = in->environment ? in->environment->name : "";
    const struct pause *p = pause_of(in->g, in->i, in->target, environment);
    if (!p || in->mode != MODE_ACT)
        return GUARD_PASS;
    if (p->scope == PAUSE_EVERYWHERE)
        return guard_refuse(r, GUARD_LATER, p->until_ms,
                            "heald is paused by %s: %s; resume with \"heald resume\"", p->who, p->reason);
    return guard_refuse(
        r, GUARD_LATER, p->until_ms, "%s \"%s\" is paused by %s: %s; resume with \"heald resume --%s %s\"",
        pause_scope_name(p->scope), p->name, p->who, p->reason, pause_scope_name(p->scope), p->name);
}

enum guard_answer guard_rule(const struct guard_input *in, struct refusal *r)
{
    if (in->rule && !in->rule->enabled && in->rule->name)
        return guard_refuse(r, GUARD_NEVER, 0, "rule \"%s\" is not enabled any more", in->i->rule);
    if (in->rule && (in->i->rule[0] || in->i->by_hand))
        return GUARD_PASS;
    return guard_refuse(r, GUARD_NEVER, 0, "rule \"%s\" is not in the policy any more", in->i->rule);
}

enum guard_answer guard_ignore(const struct guard_input *in, struct refusal *r)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    if (map_set(&labels, "cluster", in->target->cluster, NULL) != ERR_OK ||
        map_set(&labels, "namespace", in->target->namespace, NULL) != ERR_OK ||
        map_set(&labels, "kind", in->target->kind, NULL) != ERR_OK ||
        map_set(&labels, "name", in->target->name, NULL) != ERR_OK) {
        *in->nomem = true;
        return guard_refuse(r, GUARD_LATER, in->now_ms, "no memory to look at the ignore patterns");
    }
    int pattern = policy_ignored(in->p, &labels);
    if (pattern >= 0)
        return guard_refuse(r, GUARD_NEVER, 0, "ignore pattern %d of the policy covers the target",
                            pattern + 1);
    if (in->o->ignored)
        return guard_refuse(r, GUARD_NEVER, 0, "the object or its namespace says heald.dev/ignore: \"true\"");
    return GUARD_PASS;
}

enum guard_answer guard_source(const struct guard_input *in, struct refusal *r)
{
    const struct source *s = policy_source(in->p, in->i->source);
    char why[FACT_TEXT_SIZE];
    if (in->i->by_hand)
        return GUARD_PASS;
    if (!s)
        return guard_refuse(r, GUARD_NEVER, 0, "source \"%s\" is not configured any more", in->i->source);
    if (!source_may(s, in->target, why, sizeof why))
        return guard_refuse(r, GUARD_NEVER, 0, "%s", why);
    if (in->rule && in->rule->team && !team_may(in->rule->team, in->target, NULL, why, sizeof why))
        return guard_refuse(r, GUARD_NEVER, 0, "%s", why);
    return GUARD_PASS;
}

/* Alertmanager was asked, and gave no answer that tells; the step takes something away. */
static bool not_to_be_had(const struct guard_input *in)
{
    const struct observation *o = in->o;
    const char *name = map_get(&in->i->labels, "alertname");
    return (o->needs & OBSERVE_SILENCED) && o->silenced == ALERTMANAGER_UNKNOWN && !in->i->by_hand && name &&
           *name && policy_in_alertmanager(in->p, in->i->source) &&
           in->environment->silence_unknown == SILENCE_WAITS && in->node->action->risk >= RISK_DISRUPTIVE;
}

enum guard_answer guard_silenced(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (!o->alertmanager || in->i->ending)
        return GUARD_PASS;
    if (not_to_be_had(in))
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "whether the alert is silenced is not known: %s; silence_unknown = \"act\" in "
                            "environment \"%s\" would let heald act all the same",
                            o->silenced_text, in->environment->name);
    if (o->silenced != ALERTMANAGER_SILENCED)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                        "the alert is silenced at Alertmanager: %s", o->silenced_text);
}

/* The text that has to stand in the environment's `patch`; NULL: none has to. */
static const char *listed_text(const struct node *n)
{
    const struct action_spec *a = n->action;
    for (size_t k = 0; a->listed && k < ACTION_PARAMS_MAX && a->params[k].name; k++)
        if (strcmp(a->params[k].name, a->listed) == 0)
            return n->texts[k] ? n->texts[k] : "";
    return NULL;
}

static bool is_listed(const struct config_strings *list, const char *text)
{
    for (size_t k = 0; k < list->len; k++)
        if (strcmp(list->list[k], text) == 0)
            return true;
    return false;
}

enum guard_answer guard_allow(const struct guard_input *in, struct refusal *r)
{
    const struct config_strings *allow = &in->environment->allow;
    const char *text = listed_text(in->node);
    if (text && !is_listed(&in->environment->patch, text))
        return guard_refuse(r, GUARD_STEP, 0, "\"%s\" is not in `patch` of environment \"%s\"", text,
                            in->environment->name);
    if (allow->len == 0 || action_listed(allow, in->node->action))
        return GUARD_PASS;
    return guard_refuse(r, GUARD_STEP, 0, "action \"%s\" is not in `allow` of environment \"%s\"",
                        in->node->action->name, in->environment->name);
}

/* ---- alerts that explain this one ---- */

static bool matcher_holds(const struct guard_input *in, const struct matcher *m, const struct known_alert *a)
{
    size_t len = 0;
    const char *value = label_of_key(a, m->name, &len);
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    if (value)
        buf_add(&text, value, len);
    if (!buf_ok(&text))
        *in->nomem = true;
    return matcher_matches_value(m, buf_text(&text));
}

static bool equal_labels(const struct guard_input *in, const struct config_strings *names,
                         const struct known_alert *a)
{
    for (size_t k = 0; k < names->len; k++) {
        size_t len = 0;
        const char *theirs = label_of_key(a, names->list[k], &len);
        const char *ours = map_get(&in->i->labels, names->list[k]);
        ours = ours ? ours : "";
        if (strlen(ours) != (theirs ? len : 0) || (theirs && memcmp(ours, theirs, len) != 0))
            return false;
    }
    return true;
}

static bool explains(const struct guard_input *in, const struct explained *x, const struct known_alert *a)
{
    if (a->status != ALERT_FIRING || a->of == in->i || !equal_labels(in, &x->equal, a))
        return false;
    for (size_t k = 0; k < x->match.len; k++)
        if (!matcher_holds(in, &x->match.list[k], a))
            return false;
    return true;
}

enum guard_answer guard_explained(const struct guard_input *in, struct refusal *r)
{
    for (size_t k = 0; k < in->rule->explained_by_len; k++)
        for (const struct known_alert *a = in->g->alerts; a; a = a->hh.next) {
            size_t len = 0;
            if (!explains(in, &in->rule->explained_by[k], a))
                continue;
            const char *name = label_of_key(a, "alertname", &len);
            return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                                "alert \"%.*s\" fires, which explains this one", name ? (int)len : 1,
                                name ? name : "?");
        }
    return GUARD_PASS;
}

enum guard_answer guard_brake(const struct guard_input *in, struct refusal *r)
{
    const struct probing p = probing_for(in->i, in->target, in->o);
    for (size_t k = 0; k < in->environment->brakes_len; k++) {
        char why[FACT_TEXT_SIZE] = "it holds";
        if (probe_ask_query(&p, in->o, PROBE_PROMQL, &in->environment->brakes[k], why) != CONDITION_NO)
            return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                                "brake \"%.100s\" of environment \"%s\": %s",
                                in->environment->brakes[k].query, in->environment->name, why);
    }
    return GUARD_PASS;
}

/* ---- windows ---- */

static enum guard_answer wait_for_window(const struct guard_input *in, const struct window *w,
                                         const char *what, struct refusal *r)
{
    int64_t left_ms = window_changes_ms(w, in->wall_ms);
    left_ms = left_ms == INT64_MAX ? WINDOW_POLL_MS : left_ms - in->wall_ms;
    return guard_refuse(
        r, GUARD_LATER, in->now_ms + (left_ms > 0 && left_ms < WINDOW_POLL_MS ? left_ms : WINDOW_POLL_MS),
        "window \"%s\" is open: %s in environment \"%s\"", w->name, what, in->environment->name);
}

enum guard_answer guard_maintenance(const struct guard_input *in, struct refusal *r)
{
    const struct window *w = policy_open_window(in->p, &in->environment->maintenance, in->wall_ms);
    return w ? wait_for_window(in, w, "maintenance", r) : GUARD_PASS;
}

enum guard_answer guard_freeze(const struct guard_input *in, struct refusal *r)
{
    const struct window *w = policy_open_window(in->p, &in->environment->freeze, in->wall_ms);
    return w ? wait_for_window(in, w, "frozen", r) : GUARD_PASS;
}

/* ---- who must say yes ---- */

bool approval_needed(const struct guard_input *in, char ret_why[FACT_TEXT_SIZE])
{
    const struct policy *p = in->p;
    const char *message = policy_message(&in->i->annotations);
    const struct action_spec *action = in->node->action;
    ret_why[0] = '\0';
    if (patterns_cover(&in->environment->protect, in->target))
        text_copy(ret_why, FACT_TEXT_SIZE, "the target is protected");
    else if (patterns_match(&p->critical, &in->i->labels, message) >= 0)
        text_copy(ret_why, FACT_TEXT_SIZE, "the alert is critical");
    else if (action_listed(&in->environment->approve, action) &&
             patterns_match(&p->automatic, &in->i->labels, message) < 0)
        snprintf(ret_why, FACT_TEXT_SIZE, "\"%s\" needs approval in environment \"%s\"", action->name,
                 in->environment->name);
    return ret_why[0] != '\0';
}
