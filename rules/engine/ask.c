/* What a look at an incident's target is to show, and asking for it. */
#include <stdlib.h>
#include <string.h>

#include "rules/engine/turn.h"

static uint64_t next_token(const struct turn *t)
{
    uint64_t token = t->in->random + 0x9e3779b97f4a7c15u * (t->d->effects_len + 1);
    return token ? token : 1;
}

void turn_ask(struct turn *t, const struct incident *i, const struct target *target, unsigned needs)
{
    struct effect *f = decision_effect(t->d, EFFECT_OBSERVE, i->id);
    struct note *n = turn_note(t, i);
    if (!f || !n || map_copy(&f->labels, &i->labels, NULL) != ERR_OK) {
        t->nomem = true;
        return;
    }
    f->lane = i->state == STATE_VERIFYING ? LANE_VERIFY : LANE_ACT;
    f->token = n->token = next_token(t);
    n->asked = true;
    n->asked_ms = t->now_ms;
    f->needs = needs;
    if (target)
        f->target = *target;
    target_name(t, i, f, NULL); /* asked before: turn_look_now() */
    if (i->intent.proof == PROOF_POD_GONE && i->intent.write) {
        memcpy(f->pod_name, i->intent.pod_name, sizeof f->pod_name);
        memcpy(f->pod_uid, i->intent.pod_uid, sizeof f->pod_uid);
    }
    if (i->intent.proof == PROOF_CHANGE && i->intent.write) {
        f->needs |= OBSERVE_CHANGE;
        f->intent = i->intent;
    }
}

void turn_ask_probes(struct turn *t, const struct incident *i, const struct target *target, unsigned needs,
                     const struct probe_list *probes)
{
    turn_ask(t, i, target, needs);
    if (t->nomem || probes->len == 0)
        return;
    struct effect *f = &t->d->effects[t->d->effects_len - 1];
    f->probes = malloc(probes->len * sizeof *f->probes);
    if (!f->probes) {
        t->nomem = true;
        return;
    }
    memcpy(f->probes, probes->list, probes->len * sizeof *f->probes);
    f->probes_len = probes->len;
}

void turn_look_at(struct turn *t, const struct incident *i, int64_t at_ms)
{
    struct note *n = turn_note(t, i);
    if (!n)
        return;
    n->look_ms = at_ms;
    n->failures = 0; /* it could be seen */
}

static unsigned node_needs(const struct node *n)
{
    if (n->type == NODE_DO)
        return n->action->needs;
    return n->type == NODE_WHEN || n->type == NODE_WAIT ? conditions_need(&n->when) : 0;
}

/* Does it stand below a condition or a choice at `from` or behind it? */
static bool conditional(const struct tree *tree, int at, int from)
{
    for (int k = tree->spots[at].parent; k >= from; k = tree->spots[k].parent)
        if (tree->spots[k].node->type == NODE_WHEN || tree->spots[k].node->type == NODE_CHOOSE)
            return true;
    return false;
}

/* Ask what the step would change that comes next, unless a condition says otherwise. */
static void ask_next_change(struct turn *t, const struct incident *i)
{
    struct tree tree;
    int at;
    tree_of(i->plan, &tree);
    if (tree_next(&tree, &i->progress, i->ending != OUTCOME_OPEN, &at) != PLACE_AT)
        return;
    for (; at < tree.len; at++)
        if (tree.spots[at].node->type == NODE_DO && i->progress.result[at] == RESULT_NOT_RUN) {
            turn_ask_change(t, i, &tree, at, i->resolved ? &i->target : NULL);
            return;
        }
}

/* From the incident's place in the plan up to the first step that is taken whatever is seen. */
unsigned needs_to_decide(const struct turn *t, const struct incident *i)
{
    struct tree tree;
    int from;
    unsigned needs = OBSERVE_SILENCED | (t->p->prometheus ? OBSERVE_PODS : 0) |
                     (policy_in_prometheus(t->p, i->source) ? OBSERVE_ALERT : 0);
    tree_of(i->plan, &tree);
    if (i->undoing)
        needs |= OBSERVE_HISTORY;
    if (tree_next(&tree, &i->progress, i->ending != OUTCOME_OPEN, &from) != PLACE_AT)
        return needs;
    for (int k = from; k < tree.len; k++) {
        const struct node *n = tree.spots[k].node;
        if (i->progress.result[k] != RESULT_NOT_RUN)
            continue;
        needs |= node_needs(n);
        bool inner = n->type == NODE_WHEN || n->type == NODE_CHOOSE || n->type == NODE_NOTIFY;
        if (!inner && !conditional(&tree, k, from))
            break;
    }
    return needs;
}

const struct verify *incident_verify(const struct incident *i)
{
    struct tree tree;
    if (i->at < 0)
        return NULL;
    tree_of(i->plan, &tree);
    int joint = tree_parallel(&tree, i->at);
    return &tree.spots[joint >= 0 ? joint : i->at].node->verify;
}

unsigned needs_to_verify(const struct turn *t, const struct incident *i)
{
    const struct verify *v = incident_verify(i);
    /* who knows whether it is over */
    unsigned alert = policy_in_prometheus(t->p, i->source)     ? OBSERVE_ALERT
                     : policy_in_alertmanager(t->p, i->source) ? OBSERVE_SILENCED
                                                               : 0;
    return OBSERVE_PODS | (v && v->alert ? alert : 0);
}

/* What the step that is next asks, as far as it can be filled in already. */
static void probes_to_decide(const struct turn *t, const struct incident *i, struct probe_list *ret)
{
    const struct environment *env = i->resolved ? policy_environment(t->p, &i->target) : NULL;
    const struct probing p = probing_for(i, i->resolved ? &i->target : NULL, NULL);
    struct tree tree;
    int at;
    tree_of(i->plan, &tree);
    if (tree_next(&tree, &i->progress, i->ending != OUTCOME_OPEN, &at) != PLACE_AT)
        return;
    const struct node *n = tree.spots[at].node;
    if (n->type == NODE_WHEN || n->type == NODE_WAIT)
        probes_of_conditions(ret, &p, &n->when);
    if (env)
        probes_of_brakes(ret, &p, env);
}

static void probes_to_verify(const struct incident *i, struct probe_list *ret)
{
    const struct probing p = probing_for(i, &i->target, NULL);
    const struct verify *v = incident_verify(i);
    if (v)
        probes_of_verify(ret, &p, v);
}

/* Can its target be named? When not, it is refused for that. */
static bool has_name(struct turn *t, const struct incident *i)
{
    struct effect f = { .needs = 0 };
    struct err e = ERR_INIT;
    if (i->resolved)
        return true;
    bool named = target_name(t, i, &f, &e);
    effect_release(&f);
    if (!named && e.code == ERR_NOMEM)
        t->nomem = true;
    else if (!named)
        turn_close(t, i, OUTCOME_REFUSED, "target: %s", e.msg);
    return named;
}

void turn_look_now(struct turn *t, const struct incident *i)
{
    struct probe_list probes = { .len = 0 };
    switch (i->state) {
    case STATE_ACTING:
        turn_ask(t, i, &i->target, i->intent.proof == PROOF_POD_GONE ? OBSERVE_POD : 0);
        break;
    case STATE_VERIFYING:
        probes_to_verify(i, &probes);
        turn_ask_probes(t, i, &i->target, needs_to_verify(t, i), &probes);
        break;
    default:
        if (!has_name(t, i))
            break;
        if (i->resolved || i->by_hand || policy_rule(t->p, i->rule)) {
            probes_to_decide(t, i, &probes);
            turn_ask_probes(t, i, i->resolved ? &i->target : NULL, needs_to_decide(t, i), &probes);
            ask_next_change(t, i);
        } else
            turn_close(t, i, OUTCOME_REFUSED, "rule: rule \"%s\" is not in the policy any more", i->rule);
        break;
    }
}
