/* The next step of an incident: walk its plan on a fresh observation, ask the guards, decide one write or say
 * why not. */
#include <stdio.h>
#include <string.h>

#include "rules/engine/turn.h"

struct walker {
    struct turn *t;
    const struct incident *i;
    struct guard_input in;
    struct leaf leaves[PLAN_LEAVES_MAX];
    size_t len;
};

static struct fact *refused_fact(struct turn *t, const struct incident *i, const char *step,
                                 const struct refusal *r, enum refusal_scope scope)
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

/* Was the plan in a branch of this `when` already, and in which? A branch that was begun is not left for the
 * other one. */
static bool branch_begun(const struct walker *w, const struct node *when, bool *ret_else)
{
    for (size_t k = 0; k < w->len; k++) {
        const struct leaf *leaf = &w->leaves[k];
        for (size_t d = 0; (w->i->tried & 1ull << k) && d < leaf->when_len; d++)
            if (leaf->when[d] == when) {
                *ret_else = leaf->when_else[d];
                return true;
            }
    }
    return false;
}

static bool conditions_hold(struct walker *w)
{
    char why[FACT_TEXT_SIZE];
    for (size_t k = 0; k < w->in.leaf->when_len; k++) {
        const struct node *when = w->in.leaf->when[k];
        bool otherwise = false;
        if (!branch_begun(w, when, &otherwise))
            otherwise = !(when->when.changed == CHANGED_TEMPLATE && template_changed(&w->in, why));
        if (otherwise != w->in.leaf->when_else[k])
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
    struct note *note = turn_note(w->t, w->i);
    if (!x || !note) {
        w->t->nomem = true;
        return;
    }
    x->lane = LANE_ACT;
    x->token = note->token = w->t->in->random | 1;
    x->intent = f->u.intent;
    note->look_ms = 0;
    note->asked = true;
    note->asked_ms = w->t->now_ms;
    note->asking_ms = 0;
}

/* The policy lets heald only look (by now): the incident ends with what it would have done. */
static void only_looked(struct walker *w, const char *what, const char *why)
{
    const char *mode = w->in.mode == MODE_OBSERVE ? "observe" : "dry_run";
    turn_close(w->t, w->i, w->i->writes || w->i->doubt ? OUTCOME_NOT_HEALED : OUTCOME_OBSERVED,
               "the mode is %s: would %s%s%s", mode, what, why[0] ? ": " : "", why);
}

/* True: the walk is over. False: this leaf is ruled out, the next one is looked at. */
static bool try_leaf(struct walker *w)
{
    struct refusal r = { .guard = "" };
    struct intent n;
    char what[ACTION_NAME_SIZE + STEP_PATH_SIZE + 64];
    const char *action = w->in.leaf->node->action->name;
    enum guard_answer a = guards_judge(&w->in, &r);
    if (a == GUARD_PASS)
        a = intent_fill(&w->in, &n, &r);
    if (a == GUARD_STEP) {
        refused_fact(w->t, w->i, w->in.leaf->path, &r, REFUSED_STEP);
        return false;
    }
    bool acting = w->in.mode == MODE_ACT;
    snprintf(what, sizeof what, "%s %s (%s)",
             a == GUARD_PASS    ? "do"
             : a == GUARD_LATER ? "wait before"
                                : "refuse",
             action, a == GUARD_PASS ? w->in.leaf->path : r.guard);
    if (!acting)
        only_looked(w, what, a == GUARD_PASS ? "" : r.reason);
    else if (a == GUARD_PASS)
        begin_write(w, &n);
    else if (a == GUARD_LATER)
        refuse_later(w, &r);
    else
        turn_close(w->t, w->i, w->i->writes ? OUTCOME_NOT_HEALED : OUTCOME_REFUSED, "%s: %s", r.guard,
                   r.reason);
    return true;
}

static void end_of_plan(struct walker *w)
{
    const struct fact *last = turn_last(w->t, FACT_REFUSED, w->i->id);
    const char *reason = last ? last->u.refused.reason : w->i->reason;
    if (w->in.mode != MODE_ACT)
        only_looked(w, "do nothing, no step of the plan is possible", reason);
    else if (w->i->writes)
        turn_close(w->t, w->i, OUTCOME_NOT_HEALED, "every step of the plan was tried: %s", reason);
    else
        turn_close(w->t, w->i, OUTCOME_REFUSED, "no step of the plan is possible: %s", reason);
}

static void escalate(struct walker *w)
{
    const struct fact *last = turn_last(w->t, FACT_REFUSED, w->i->id);
    const char *reason = last ? last->u.refused.reason : w->i->reason;
    char what[FACT_TEXT_SIZE];
    fact_say(what, "escalate to %s", w->in.leaf->node->notify);
    if (w->in.mode != MODE_ACT)
        only_looked(w, what, reason);
    else
        turn_close(w->t, w->i, OUTCOME_ESCALATED, "for %s%s%s", w->in.leaf->node->notify,
                   reason[0] ? ": " : "", reason);
}

static void walk(struct walker *w)
{
    for (size_t k = (size_t)w->i->leaf; k < w->len; k++) {
        w->in.leaf = &w->leaves[k];
        w->in.leaf_attempt = k == (size_t)w->i->leaf ? w->i->attempt : 1;
        if (!conditions_hold(w))
            continue;
        if (w->in.leaf->node->type == NODE_ESCALATE) {
            escalate(w);
            return;
        }
        if (try_leaf(w))
            return;
    }
    end_of_plan(w);
}

/* The intent's proof is there. */
static void found_written(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    struct fact *f = turn_written(t, i, WRITE_DONE, "found in the cluster");
    memcpy(f->u.written.template_hash, o->template_hash, sizeof f->u.written.template_hash);
}

void decide_step(struct turn *t, const struct incident *i, const struct target *target,
                 const struct environment *env, enum mode mode)
{
    const struct observation *o = t->in->observation;
    unsigned needs = needs_to_decide(t, i);
    if ((o->needs & needs) != needs) { /* a later step, or another policy, wants to see more */
        turn_ask(t, i, target, needs);
        return;
    }
    if (i->intent.write > 0 &&
        proof_visible(&i->intent, o)) { /* an earlier write of this attempt landed after all */
        found_written(t, i);
        return;
    }
    if (i->firing == 0) {
        turn_close_quiet(t, i);
        return;
    }
    if (!env) {
        turn_close(t, i, i->writes || i->doubt ? OUTCOME_NOT_HEALED : OUTCOME_OBSERVED,
                   "no environment of the policy matches the target: observed only");
        return;
    }
    if (i->conflicts >= CONFLICTS_MAX || i->intent.write >= WRITES_MAX) {
        char why[FACT_TEXT_SIZE];
        if (i->conflicts >= CONFLICTS_MAX)
            fact_say(why, "the object was changed under each of %d writes", CONFLICTS_MAX);
        else
            fact_say(why, "%d writes were refused or got lost: %s", WRITES_MAX, i->reason);
        turn_written(t, i, WRITE_FAILED, why);
        return;
    }
    struct walker w = { .t = t, .i = i };
    w.len = plan_leaves(i->plan, w.leaves);
    w.in = (struct guard_input){ .g = t->g,
                                 .p = t->p,
                                 .now_ms = t->now_ms,
                                 .wall_ms = t->wall_ms,
                                 .i = i,
                                 .target = target,
                                 .environment = env,
                                 .rule = policy_rule(t->p, i->rule),
                                 .mode = mode,
                                 .nomem = &t->nomem,
                                 .o = o };
    walk(&w);
}

/* Is what the write would have changed as it was when it was decided? */
static bool untouched(const struct intent *n, const struct observation *o)
{
    if (n->proof == PROOF_POD_GONE)
        return true; /* the very pod is there and is not being deleted */
    return strcmp(o->template_hash, n->old_template_hash) == 0 &&
           (n->proof != PROOF_REPLICAS || o->desired == n->old_replicas);
}

/* ACTING, and no worker has the write: restart or lost answer. */
void decide_proof(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    const struct intent *n = &i->intent;
    unsigned needs = n->proof == PROOF_POD_GONE ? OBSERVE_POD : 0;
    int64_t believed_ms = i->asking_ms + LONGEST_CALL_MS;
    if ((o->needs & needs) != needs) {
        turn_look_now(t, i);
    } else if (proof_visible(n, o)) {
        found_written(t, i);
    } else if (i->asked_ms < believed_ms) { /* it may have come after this was read */
        int64_t soon = t->now_ms + 1000;
        turn_look_at(t, i, soon > believed_ms || t->now_ms >= believed_ms ? believed_ms : soon);
    } else if (untouched(n, o)) {
        turn_written(t, i, WRITE_ABSENT, "not in the cluster, and the object is as it was");
    } else {
        turn_written(t, i, WRITE_UNKNOWN, "its proof is not there, and somebody else changed the object");
    }
}

static void blind_for_good(struct turn *t, const struct incident *i)
{
    const char *why = t->in->text;
    if (i->state == STATE_ACTING || i->doubt)
        turn_close(t, i, OUTCOME_UNKNOWN, "it is not known whether the write happened: %s", why);
    else if (i->writes)
        turn_close(t, i, OUTCOME_UNKNOWN, "it cannot be verified: %s", why);
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
        if (t->d->facts_len > t->facts)
            return; /* it was judged all the same */
    } else if (failures == 3 && i->state != STATE_ACTING) {
        struct refusal r = { .guard = "observation", .again_ms = t->now_ms + pause_ms };
        text_copy(r.reason, sizeof r.reason, t->in->text);
        refused_fact(t, i, "", &r, REFUSED_LATER);
    }
    struct note *n = turn_note(t, i);
    if (!n)
        return;
    n->failures = failures;
    n->look_ms = t->now_ms + pause_ms;
}
