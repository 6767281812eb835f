/* The next step of an incident: walk its plan on a fresh observation, ask the guards, decide one write or say why not. */
#include <stdio.h>
#include <string.h>

#include "rules/engine/turn.h"

struct walker {
    struct turn *t;
    const struct incident *i;
    struct guard_input in;
    uint32_t attempt;
    bool resolved_now; /* the incident's target is known only since this turn */
};

static struct fact *refused_fact(struct turn *t, const struct incident *i, const char *step, const struct refusal *r, enum refusal_scope scope)
{
    struct fact *f = turn_fact(t, FACT_REFUSED, i->id);
    text_copy(f->u.refused.step, sizeof f->u.refused.step, step);
    text_copy(f->u.refused.guard, sizeof f->u.refused.guard, r->guard);
    text_copy(f->u.refused.reason, sizeof f->u.refused.reason, r->reason);
    f->u.refused.scope = scope;
    f->u.refused.again_ms = r->again_ms;
    return f;
}

static void refuse_later(struct walker *w, const struct refusal *r)
{
    /* one fact per incident and guard, not one per evaluation */
    bool same = w->i->state == STATE_WAITING && strcmp(w->i->guard, r->guard) == 0;
    if (!same)
        refused_fact(w->t, w->i, w->in.leaf->path, r, REFUSED_LATER);
    turn_look_at(w->t, w->i, r->again_ms);
}

static bool conditions_hold(struct walker *w)
{
    char why[FACT_TEXT_SIZE];
    for (size_t k = 0; k < w->in.leaf->when_len; k++) {
        bool holds = w->in.leaf->when[k]->changed == CHANGED_TEMPLATE && template_changed(&w->in, why);
        if (holds == w->in.leaf->when_else[k])
            return false;
    }
    return true;
}

static void begin_write(struct walker *w, const struct intent *n)
{
    struct fact *f = turn_fact(w->t, FACT_INTENT, w->i->id);
    f->u.intent = *n;
    f->u.intent.at_ms = f->at_ms;
    struct effect *x = decision_effect(w->t->d, EFFECT_ACT, w->i->id);
    struct note *note = decision_note(w->t->d, w->i);
    if (!x || !note) {
        w->t->nomem = true;
        return;
    }
    x->lane = LANE_ACT;
    x->token = note->token = w->t->in->random | 1;
    x->intent = f->u.intent;
    note->asked = true;
    note->asked_ms = w->t->now_ms;
    note->asking_ms = 0;
}

/* True: the walk is over. False: this leaf is ruled out, the next one is looked at. */
static bool try_leaf(struct walker *w)
{
    struct refusal r = { .guard = "" };
    struct intent n;
    enum guard_answer a = guards_judge(&w->in, &r);
    if (a == GUARD_PASS)
        a = intent_fill(&w->in, &n, &r);
    bool acting = w->in.mode == MODE_ACT;
    const char *action = w->in.leaf->node->action->name;
    switch (a) {
    case GUARD_PASS:
        if (acting)
            begin_write(w, &n);
        else
            turn_close(w->t, w->i, OUTCOME_OBSERVED, "would %s (%s); the mode is %s", action, w->in.leaf->path,
                       w->in.mode == MODE_OBSERVE ? "observe" : "dry_run");
        return true;
    case GUARD_LATER:
        if (acting)
            refuse_later(w, &r);
        else
            turn_close(w->t, w->i, OUTCOME_OBSERVED, "would wait before %s (%s): %.180s", action, r.guard, r.reason);
        return true;
    case GUARD_NEVER:
        turn_close(w->t, w->i, w->i->writes ? OUTCOME_NOT_HEALED : OUTCOME_REFUSED, "%s: %s", r.guard, r.reason);
        return true;
    case GUARD_STEP:
        refused_fact(w->t, w->i, w->in.leaf->path, &r, REFUSED_STEP);
        break;
    }
    return false;
}

static void end_of_plan(struct walker *w)
{
    const struct fact *last = w->t->d->facts_len ? &w->t->d->facts[w->t->d->facts_len - 1] : NULL;
    const char *reason = last && last->kind == FACT_REFUSED ? last->u.refused.reason : w->i->reason;
    if (w->in.mode != MODE_ACT)
        turn_close(w->t, w->i, OUTCOME_OBSERVED, "would do nothing: no step of the plan is possible: %.170s", reason);
    else if (w->i->writes)
        turn_close(w->t, w->i, OUTCOME_NOT_HEALED, "every step of the plan was tried: %.200s", reason);
    else
        turn_close(w->t, w->i, OUTCOME_REFUSED, "no step of the plan is possible: %.200s", reason);
}

static void walk(struct walker *w)
{
    struct leaf leaves[PLAN_LEAVES_MAX];
    size_t len = plan_leaves(w->i->plan, leaves);
    for (size_t k = (size_t)w->i->leaf; k < len; k++) {
        w->in.leaf = &leaves[k];
        w->in.leaf_attempt = k == (size_t)w->i->leaf ? w->i->attempt : 1;
        if (!conditions_hold(w))
            continue;
        if (leaves[k].node->type == NODE_ESCALATE) {
            if (w->in.mode != MODE_ACT)
                turn_close(w->t, w->i, OUTCOME_OBSERVED, "would escalate to %s", leaves[k].node->notify);
            else
                turn_close(w->t, w->i, OUTCOME_ESCALATED, "for %s: %.200s", leaves[k].node->notify, w->i->reason);
            return;
        }
        if (try_leaf(w))
            return;
    }
    end_of_plan(w);
}

static void written(struct turn *t, const struct incident *i, enum write_state state, const char *reason)
{
    struct fact *f = turn_fact(t, FACT_WRITTEN, i->id);
    memcpy(f->u.written.step, i->intent.step, sizeof f->u.written.step);
    memcpy(f->u.written.action, i->intent.action, sizeof f->u.written.action);
    f->u.written.attempt = i->intent.attempt;
    f->u.written.write = i->intent.write;
    f->u.written.state = state;
    text_copy(f->u.written.reason, sizeof f->u.written.reason, reason);
}

void decide_step(struct turn *t, const struct incident *i, const struct target *target, const struct environment *env, enum mode mode)
{
    const struct observation *o = t->in->observation;
    struct walker w = { .t = t, .i = i };
    w.in = (struct guard_input){ .g = t->g, .p = t->p, .now_ms = t->now_ms, .i = i, .target = target, .environment = env,
                                 .rule = policy_rule(t->p, i->rule), .mode = mode, .o = o };
    if (i->firing == 0 && i->writes == 0 && !i->doubt && i->intent.write == 0) {
        turn_close(t, i, OUTCOME_CLEARED, "the alert resolved before anything was done");
        return;
    }
    if (!env) {
        turn_close(t, i, OUTCOME_OBSERVED, "no environment of the policy matches the target: observed only");
        return;
    }
    if (i->intent.write > 0 && proof_visible(&i->intent, o)) { /* an earlier write of this attempt landed after all */
        written(t, i, WRITE_DONE, "found in the cluster");
        return;
    }
    if (i->conflicts >= CONFLICTS_MAX || i->intent.write >= WRITES_MAX) {
        written(t, i, WRITE_FAILED, i->conflicts >= CONFLICTS_MAX ? "the object was changed under each of 5 writes" : "20 writes got lost");
        return;
    }
    unsigned needs = needs_to_decide(t, i);
    if ((o->needs & needs) != needs) { /* a later step wants to see more */
        turn_ask(t, i, target, needs);
        return;
    }
    walk(&w);
}

/* ACTING, and no worker has the write: restart or lost answer. */
void decide_proof(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    const struct intent *n = &i->intent;
    int64_t believed_ms = i->asking_ms + LONGEST_CALL_MS;
    if (proof_visible(n, o)) {
        written(t, i, WRITE_DONE, "found in the cluster");
    } else if (t->now_ms < believed_ms) { /* it may still be on its way */
        int64_t soon = t->now_ms + 1000;
        turn_look_at(t, i, soon < believed_ms ? soon : believed_ms);
    } else if (strcmp(o->template_hash, n->old_template_hash) == 0 && (n->proof != PROOF_REPLICAS || o->desired == n->old_replicas)) {
        written(t, i, WRITE_ABSENT, "not in the cluster, and the object is as it was");
    } else {
        written(t, i, WRITE_UNKNOWN, "its proof is not there, and somebody else changed the object");
    }
}

static void blind_for_good(struct turn *t, const struct incident *i)
{
    const char *why = t->in->text;
    if (i->state == STATE_ACTING || i->doubt)
        turn_close(t, i, OUTCOME_UNKNOWN, "it is not known whether the write happened: %.200s", why);
    else if (i->writes)
        turn_close(t, i, OUTCOME_UNKNOWN, "it cannot be verified: %.220s", why);
    else
        turn_close(t, i, OUTCOME_REFUSED, "target: %s", why);
}

void decide_blind(struct turn *t, const struct incident *i)
{
    enum err_code code = t->in->error;
    bool gone = code == ERR_NOT_FOUND || code == ERR_INVALID || (code == ERR_REFUSED && !i->resolved);
    if (gone) {
        blind_for_good(t, i);
        return;
    }
    uint32_t failures = i->failures + 1;
    int64_t pause_ms = OBSERVE_BACKOFF_MIN_MS << (failures < 6 ? failures - 1 : 5);
    pause_ms = pause_ms > OBSERVE_BACKOFF_MAX_MS ? OBSERVE_BACKOFF_MAX_MS : pause_ms;
    pause_ms += (int64_t)(t->in->random % (uint64_t)(pause_ms / 4 + 1));
    if (i->state == STATE_VERIFYING) { /* no data is not success, and not for ever */
        decide_verdict(t, i);
        if (t->d->facts_len && t->d->facts[t->d->facts_len - 1].kind == FACT_CLOSED)
            return;
    } else if (failures == 3 && i->state != STATE_ACTING) {
        struct refusal r = { .guard = "observation", .again_ms = t->now_ms + pause_ms };
        text_copy(r.reason, sizeof r.reason, t->in->text);
        refused_fact(t, i, "", &r, REFUSED_LATER);
    }
    struct note *n = decision_note(t->d, i);
    if (!n) {
        t->nomem = true;
        return;
    }
    n->failures = failures;
    n->look_ms = t->now_ms + pause_ms;
}
