/* The next step of an incident: walk its plan on a fresh observation, ask the guards, decide one write or say
 * why not. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/engine/guards_internal.h"
#include "rules/engine/turns.h"
#include "rules/engine/walk.h"

#define HAND_COOLDOWN_MS ((int64_t)15 * 60 * 1000)
#define HAND_ATTEMPTS_PER_MS ((int64_t)6 * 60 * 60 * 1000)

struct fact *turn_refused(struct turn *t, const struct incident *i, const char *step, const struct refusal *r,
                          enum refusal_scope scope)
{
    struct fact *f = turn_fact(t, FACT_REFUSED, i->id);
    text_copy(f->u.refused.step, sizeof f->u.refused.step, step);
    text_copy(f->u.refused.guard, sizeof f->u.refused.guard, r->guard);
    text_copy(f->u.refused.reason, sizeof f->u.refused.reason, MUTANT(reason_lost) ? "" : r->reason);
    f->u.refused.scope = scope;
    f->u.refused.again_ms = r->again_ms;
    return f;
}

void walk_later(struct walker *w, const struct refusal *r)
{
    /* one fact per incident and guard, not one per evaluation */
    bool same = w->i->state == STATE_WAITING && strcmp(w->i->guard, r->guard) == 0;
    if (!same || w->i->waits_at != r->site) {
        struct fact *f = turn_refused(w->t, w->i, w->path, r, REFUSED_LATER);
        f->u.refused.site = r->site;
        f->u.refused.urgency = r->site ? incident_urgency(w->in.p, w->i) : 0;
    }
    turn_look_at(w->t, w->i, MUTANT(timer_lost) ? INT64_MAX : r->again_ms);
}

void walk_record(struct walker *w, enum step_result result)
{
    progress_reach(&w->tree, &w->progress, w->at);
    w->progress.result[w->at] = (uint8_t)result;
}

/* ---- writes ---- */

static void begin_write(struct walker *w, const struct intent *n)
{
    struct fact unrecorded = { .at_ms = w->t->now_ms };
    struct fact *f = MUTANT(intent_not_recorded) ? &unrecorded : turn_fact(w->t, FACT_INTENT, w->i->id);
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

void walk_only_looked(struct walker *w, const char *what, const char *why)
{
    const char *mode = w->in.mode == MODE_OBSERVE ? "observe" : "dry_run";
    turn_close(w->t, w->i, w->i->writes || w->i->doubt ? OUTCOME_NOT_HEALED : OUTCOME_OBSERVED,
               "the mode is %s: would %s%s%s", mode, what, why[0] ? ": " : "", why);
}

/* In a dry run every guard is judged: those that would hold the step up besides the one that is named
 * already. */
static void add_others(struct walker *w, const char *named, char ret_why[FACT_TEXT_SIZE])
{
    struct guard_said said[GUARDS_MAX];
    char text[FACT_TEXT_SIZE];
    size_t len = guards_judge_all(&w->in, said), others = 0;
    text_copy(text, sizeof text, ret_why);
    for (size_t k = 0; k < len; k++) {
        if (said[k].answer == GUARD_PASS || strcmp(said[k].guard, named) == 0)
            continue;
        char before[FACT_TEXT_SIZE];
        memcpy(before, text, sizeof before);
        fact_say(text, "%s%s%s", before, others++ ? ", " : "; besides: ", said[k].guard);
    }
    memcpy(ret_why, text, sizeof text);
}

static void rule_out(struct walker *w, const struct refusal *r)
{
    turn_refused(w->t, w->i, w->path, r, REFUSED_STEP);
    walk_record(w, w->in.undo ? RESULT_NOT_FIXED : RESULT_REFUSED);
}

/* What makes sure of a repair, or tidies up, is not worth waiting for, and ends nothing. */
static enum guard_answer soften(const struct walker *w, enum guard_answer a, const struct refusal *r)
{
    if (w->i->ending && a == GUARD_LATER && strcmp(r->guard, "observation") != 0)
        return GUARD_STEP;
    bool ends = a == GUARD_NEVER || a == GUARD_PERSON;
    return ends && (w->i->ending || was_fixed(&w->in)) ? GUARD_STEP : a;
}

/* Once more, with all that was met on the way so far, so that no answer gets lost. */
static void ask_again(struct walker *w, unsigned needs)
{
    turn_ask_probes(w->t, w->i, w->in.target, needs | needs_to_decide(w->t, w->i), &w->met);
    turn_ask_change(w->t, w->i, &w->tree, w->at, w->in.target);
}

/* What stands further behind in the plan may want to see more than the first look at it showed. */
static bool seen(struct walker *w, unsigned needs)
{
    unsigned shown = w->in.o->needs;
    if (w->t->explanation || (shown & needs) == needs)
        return true;
    ask_again(w, needs);
    return false;
}

/* Are these the answers to all that was met on the way so far? */
static bool answered(struct walker *w, unsigned needs)
{
    if (w->t->explanation || (probes_answered(&w->met, w->in.o) && change_answered(&w->in)))
        return true;
    ask_again(w, needs | w->in.o->needs);
    return false;
}

bool walk_probed(struct walker *w, const struct conditions *c)
{
    const struct probing p = probing_for(w->i, w->in.target, w->in.o);
    probes_of_conditions(&w->met, &p, c);
    return answered(w, conditions_need(c));
}

static void explain(struct walker *w, struct explanation *ret)
{
    struct refusal r = { .guard = "" };
    char why[FACT_TEXT_SIZE];
    memcpy(ret->step, w->path, sizeof ret->step);
    text_copy(ret->action, sizeof ret->action, w->in.node->action->name);
    ret->guards_len = guards_judge_all(&w->in, ret->guards);
    if (!w->in.environment)
        return;
    ret->possible = intent_fill(&w->in, &ret->intent, &r) == GUARD_PASS;
    memcpy(ret->reason, r.reason, sizeof ret->reason);
    struct guard_said *said = &ret->guards[ret->guards_len++];
    *said = (struct guard_said){ .guard = "approval", .answer = GUARD_PASS };
    if (!approval_needed(&w->in, why))
        return;
    said->answer = GUARD_LATER;
    memcpy(said->reason, why, sizeof said->reason);
}

/* What is to be done, for people; and exactly, for the hash that a yes is bound to. */
static void say_change(const struct intent *n, const struct observation *o, const char *why,
                       char ret_what[FACT_TEXT_SIZE], char ret_change[FACT_TEXT_SIZE])
{
    char target[TARGET_TEXT_SIZE], to[OBJECT_NAME_SIZE + 32] = "";
    if (n->proof == PROOF_REPLICAS)
        snprintf(to, sizeof to, " from %d to %d replicas", (int)n->old_replicas, (int)n->replicas);
    else if (n->proof == PROOF_TEMPLATE_HASH)
        snprintf(to, sizeof to, " to the template of %s", n->revision);
    else if (n->proof == PROOF_POD_GONE)
        snprintf(to, sizeof to, ", pod %s", n->pod_name);
    else if (n->proof == PROOF_CHANGE)
        snprintf(to, sizeof to, ", %s", o->change_say);
    fact_say(ret_what, "%s %s%s: %s", n->action, target_format(target, &n->target), to, why);
    fact_say(ret_change, "%s|%d|%d|%s|%s|%d|%u", n->action, (int)n->proof, (int)n->replicas, n->template_hash,
             n->pod_uid, (int)n->undo, n->attempt);
    if (n->proof == PROOF_CHANGE)
        fact_say(ret_change, "%s|%d|%016" PRIx64 "|%u", n->action, (int)n->proof, change_hash(n->change),
                 n->attempt);
}

/* GUARD_PASS: nobody is asked, or has said yes. GUARD_LATER: it is asked for. */
static enum guard_answer judge_approval(struct walker *w, const struct intent *n, struct refusal *r)
{
    const struct environment *env = w->in.environment;
    char why[FACT_TEXT_SIZE], what[FACT_TEXT_SIZE], change[FACT_TEXT_SIZE];
    r->guard = "approval";
    if (n->undo || MUTANT(approval_skipped) || !approval_needed(&w->in, why))
        return GUARD_PASS;
    say_change(n, w->in.o, why, what, change);
    memcpy(r->reason, what, sizeof r->reason);
    if (w->in.mode != MODE_ACT)
        return GUARD_LATER;
    struct wish wish = { .guard = "approval",
                         .role = env->approval.role,
                         .approvals = env->approval.approvals ? env->approval.approvals : 1,
                         .expires_ms = env->approval.expires_ms,
                         .notify = env->notify.len ? env->notify.list[0] : NULL,
                         .what = what,
                         .change = change };
    switch (walk_wish(w, &wish, r->reason)) {
    case WISH_YES:
        return GUARD_PASS;
    case WISH_NO:
        return GUARD_STEP;
    case WISH_OPEN:
        break;
    }
    return GUARD_LATER;
}

static enum guard_answer judge_write(struct walker *w, struct intent *n, struct refusal *r, bool *ret_asked)
{
    enum guard_answer a = guards_judge(&w->in, r);
    if (a == GUARD_PASS)
        a = w->in.undo ? undo_fill(&w->in, n, r) : intent_fill(&w->in, n, r);
    if (a != GUARD_PASS)
        return soften(w, a, r);
    a = judge_approval(w, n, r);
    *ret_asked = a == GUARD_LATER;
    return a;
}

static void hand_over(struct walker *w, const struct refusal *r)
{
    char text[FACT_NOTIFY_SIZE], target[TARGET_TEXT_SIZE];
    snprintf(text, sizeof text, "%s needs a person: %s", target_format(target, w->in.target), r->reason);
    turn_tell_all(w->t, w->i, w->in.environment, text);
    turn_close(w->t, w->i, OUTCOME_ESCALATED, "%s: %s", r->guard, r->reason);
}

/* Below `parallel`: has what was written so far ended the trouble? Then that is judged. */
static bool mended_already(const struct walker *w, const struct refusal *r)
{
    const struct observation *o = w->in.o;
    bool over = o->alert == ALERT_STATE_INACTIVE || (o->alert == ALERT_STATE_FIRING && !o->fault);
    return strcmp(r->guard, "still_firing") == 0 && over && incident_unjudged(w->i) >= 0;
}

static enum walked try_write(struct walker *w)
{
    struct refusal r = { .guard = "" };
    struct intent n;
    bool asked = false;
    if (w->t->explanation) {
        explain(w, w->t->explanation);
        return WALK_OVER;
    }
    const struct probing p = probing_for(w->i, w->in.target, w->in.o);
    if (w->in.environment)
        probes_of_brakes(&w->met, &p, w->in.environment);
    if (!seen(w, w->in.node->action->needs) || !answered(w, w->in.node->action->needs))
        return WALK_OVER;
    enum guard_answer a = judge_write(w, &n, &r, &asked);
    if (a == GUARD_STEP) {
        rule_out(w, &r);
        return WALK_ON;
    }
    if (w->in.mode != MODE_ACT) {
        char what[ACTION_NAME_SIZE + STEP_PATH_SIZE + 64];
        static const char *const words[] = { [GUARD_PASS] = "do",
                                             [GUARD_LATER] = "wait before",
                                             [GUARD_NEVER] = "refuse",
                                             [GUARD_PERSON] = "escalate instead of" };
        snprintf(what, sizeof what, "%s %s (%s)", words[a], w->in.node->action->name,
                 a == GUARD_PASS ? w->path : r.guard);
        if (a != GUARD_PASS && w->in.mode == MODE_DRY_RUN)
            add_others(w, r.guard, r.reason);
        walk_only_looked(w, what, a == GUARD_PASS ? "" : r.reason);
    } else if (a == GUARD_PASS) {
        begin_write(w, &n);
    } else if (a == GUARD_LATER) {
        if (mended_already(w, &r))
            walk_judge_now(w, incident_unjudged(w->i), "nothing fires, or fails, any more: no more is begun");
        else if (!asked)
            walk_later(w, &r);
    } else if (a == GUARD_PERSON) {
        hand_over(w, &r);
    } else {
        turn_close(w->t, w->i, w->i->writes ? OUTCOME_NOT_HEALED : OUTCOME_REFUSED, "%s: %s", r.guard,
                   r.reason);
    }
    return WALK_OVER;
}

/* Its time is over while it is to be tried again, or a write is decided again. */
static bool timed_out(const struct walker *w)
{
    bool begun = w->at == w->i->at && (w->i->attempt > 1 || intent_open(w->i));
    return begun && w->in.node->timeout_ms && w->t->now_ms >= w->i->step_ms + w->in.node->timeout_ms;
}

static enum walked take_do(struct walker *w)
{
    if (!timed_out(w))
        return try_write(w);
    walk_end(w, w->i->attempt > 1 ? RESULT_NOT_FIXED : RESULT_FAILED, "its timeout is over");
    return WALK_ON;
}

/* ---- other ends ---- */

static enum walked take_escalate(struct walker *w)
{
    const char *to = w->in.node->notify, *whom = to ? to : "a person";
    char what[FACT_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    walk_reason(w, reason);
    fact_say(what, "escalate to %s", whom);
    if (!to && w->in.mode == MODE_ACT)
        turn_tell_all(w->t, w->i, w->in.environment, reason[0] ? reason : what);
    if (w->in.mode != MODE_ACT) {
        walk_only_looked(w, what, reason);
    } else if (w->i->ending) {
        if (to)
            walk_notify(w, to, reason);
        else
            walk_record(w, RESULT_DONE);
        return WALK_ON;
    } else {
        if (to)
            walk_tell(w, to, reason);
        turn_close(w->t, w->i, OUTCOME_ESCALATED, "for %s%s%s", whom, reason[0] ? ": " : "", reason);
    }
    return WALK_OVER;
}

static enum walked take_stop(struct walker *w)
{
    static const enum outcome outcomes[] = { OUTCOME_NOT_HEALED, OUTCOME_ESCALATED, OUTCOME_REFUSED,
                                             OUTCOME_CANCELLED };
    char text[FACT_NOTIFY_SIZE];
    walk_text(w, text);
    if (w->in.mode != MODE_ACT) {
        walk_only_looked(w, "stop", text);
        return WALK_OVER;
    }
    if (w->i->ending) { /* it stops nothing any more */
        walk_end(w, RESULT_DONE, "the phases have ended already");
        return WALK_ON;
    }
    turn_close(w->t, w->i, outcomes[w->in.node->outcome], "the plan says stop (%s)%s%s", w->path,
               text[0] ? ": " : "", text);
    return WALK_OVER;
}

static enum walked take_when(struct walker *w)
{
    char why[FACT_TEXT_SIZE];
    if (!seen(w, conditions_need(&w->in.node->when)) || !walk_probed(w, &w->in.node->when))
        return WALK_OVER;
    enum condition_answer a = conditions_ask(&w->in, &w->in.node->when, why);
    if (a == CONDITION_UNANSWERED && walk_ask_again(w, why))
        return WALK_OVER;
    if (a == CONDITION_UNANSWERED) {
        walk_end(w, RESULT_UNKNOWN, why);
        return WALK_ON;
    }
    /* not recorded before something in the branch is begun: while a guard says not now it may turn out
     * otherwise */
    w->progress.branch[w->at] = a == CONDITION_YES ? LIST_THEN : LIST_OTHERWISE;
    return WALK_ON;
}

static enum walked take(struct walker *w)
{
    switch (w->in.node->type) {
    case NODE_DO:
        return take_do(w);
    case NODE_WHEN:
        return take_when(w);
    case NODE_ESCALATE:
        return take_escalate(w);
    case NODE_STOP:
        return take_stop(w);
    case NODE_NOTIFY:
        return walk_take_notify(w);
    case NODE_WAIT:
        return walk_take_wait(w);
    case NODE_GATE:
        return walk_take_gate(w);
    case NODE_CHOOSE:
        return walk_take_choose(w);
    case NODE_PARALLEL: /* its last branch was ruled out just now: what was written is judged in the next turn
                         */
    case NODE_CALL:
        break;
    }
    return WALK_OVER;
}

static void end_of_plan(struct walker *w, enum place place)
{
    const struct incident *i = w->i;
    char reason[FACT_TEXT_SIZE];
    walk_reason(w, reason);
    if (i->ending)
        turn_close(w->t, i, i->ending, "%s", i->ended_why);
    else if (place == PLACE_FIXED)
        turn_close(w->t, i, OUTCOME_HEALED, "verified as fixed, and every phase behind it has ended");
    else if (place == PLACE_VALIDATE_FAILED)
        turn_close(w->t, i, OUTCOME_NOT_HEALED, "it was fixed, but validation failed: %s", reason);
    else if (w->in.mode != MODE_ACT)
        walk_only_looked(w, "do nothing, no step of the plan is possible", reason);
    else if (i->writes)
        turn_close(w->t, i, OUTCOME_NOT_HEALED, "every step of the plan was tried: %s", reason);
    else if (place == PLACE_NOT_PREPARED)
        turn_close(w->t, i, OUTCOME_REFUSED, "it could not be prepared: %s", reason);
    else
        turn_close(w->t, i, OUTCOME_REFUSED, "no step of the plan is possible: %s", reason);
}

static void walk(struct walker *w)
{
    enum place place;
    while ((place = tree_next(&w->tree, &w->progress, w->i->ending != OUTCOME_OPEN, &w->at)) == PLACE_AT) {
        bool same = w->at == w->i->at;
        w->in.node = w->tree.spots[w->at].node;
        w->in.at = w->at;
        w->in.attempt = same ? w->i->attempt : 1;
        w->in.undo = same && w->i->undoing;
        tree_path(&w->tree, w->at, w->path);
        if (take(w) == WALK_OVER)
            return;
    }
    end_of_plan(w, place);
}

/* Has it ended, as Prometheus says, and the message of that got lost? Not believed soon after it began: rules
 * are evaluated in turns. */
static bool never_told_over(const struct walker *w)
{
    const struct incident *i = w->i;
    const struct observation *o = w->in.o;
    bool inactive = (o->needs & OBSERVE_ALERT) && o->alert == ALERT_STATE_INACTIVE;
    bool absent = policy_in_alertmanager(w->in.p, i->source) && o->alertmanager &&
                  (o->needs & OBSERVE_SILENCED) && o->silenced == ALERTMANAGER_ABSENT && o->watched &&
                  o->well_since_ms; /* it forgets in a restart: only of what is well */
    return (policy_in_prometheus(w->in.p, i->source) ? inactive : absent) && !i->by_hand && !i->ending &&
           i->writes == 0 && !i->doubt && !o->fault && w->t->now_ms >= i->opened_ms + LOST_END_MS;
}

/* Before the first step, also one that only tells: does it clear by itself, or is another alert the reason?
 */
static bool held_off(struct walker *w)
{
    struct refusal r = { .guard = "hold_off" };
    if (w->in.mode != MODE_ACT || !w->in.rule || w->t->explanation || w->i->writes || w->i->doubt ||
        w->i->ending)
        return false;
    enum guard_answer a = mutant_skips(r.guard) ? GUARD_PASS : guard_hold_off(&w->in, &r);
    if (a == GUARD_PASS) {
        r.guard = "explained";
        a = guard_explained(&w->in, &r);
    }
    if (a == GUARD_LATER)
        walk_later(w, &r);
    return a == GUARD_LATER;
}

/* Reasons to end it, or to look again, before any step is considered. */
static bool settled(struct turn *t, const struct incident *i, struct walker *w)
{
    int joint = incident_unjudged(i);
    if (intent_open(i) && proof_visible(&i->intent, t->in->observation)) {
        found_written(t, i); /* an earlier write of this attempt landed after all */
        return true;
    }
    if (!i->ending && i->cancelled && !MUTANT(cancel_forgotten)) {
        turn_close(t, i, OUTCOME_CANCELLED, "by an operator");
        return true;
    }
    if (!i->ending && !i->by_hand && incident_firing(i) == 0 && !was_fixed(&w->in)) {
        if (joint >= 0)
            walk_judge_now(w, joint,
                           "the alert has resolved: what was written is judged, and no more is begun");
        else
            turn_close_quiet(t, i);
        return true;
    }
    if (never_told_over(w)) {
        const struct observation *o = t->in->observation;
        bool prometheus = policy_in_prometheus(t->p, i->source);
        turn_close(t, i, OUTCOME_CLEARED, "%s says that the alert is over; nobody delivered its end: %s",
                   prometheus ? "Prometheus" : "Alertmanager", prometheus ? o->alert_text : o->silenced_text);
        return true;
    }
    if (!i->ending && !w->in.environment) {
        turn_close(t, i, i->writes || i->doubt ? OUTCOME_NOT_HEALED : OUTCOME_OBSERVED,
                   "no environment of the policy matches the target: observed only");
        return true;
    }
    if (i->conflicts < CONFLICTS_MAX && i->intent.write < WRITES_MAX)
        return false;
    char why[FACT_TEXT_SIZE];
    if (i->conflicts >= CONFLICTS_MAX)
        fact_say(why, "the object was changed under each of %d writes", CONFLICTS_MAX);
    else
        fact_say(why, "%d writes were refused or got lost: %s", WRITES_MAX, i->reason);
    turn_written(t, i, WRITE_FAILED, why);
    return true;
}

/* In force now; for what was begun by hand with a plan alone: the limits that a rule has when it says
 * nothing. */
static const struct rule *incident_rule(const struct turn *t, const struct incident *i)
{
    static const struct rule by_hand = { .enabled = true,
                                         .mode = MODE_ACT,
                                         .running = INT64_MAX,
                                         .cooldown_ms = HAND_COOLDOWN_MS,
                                         .attempts = 3,
                                         .attempts_per_ms = HAND_ATTEMPTS_PER_MS,
                                         .alert_age_ms = INT64_MAX };
    return i->by_hand && !i->rule[0] ? &by_hand : policy_rule(t->p, i->rule);
}

void decide_step(struct turn *t, const struct incident *i, const struct target *target,
                 const struct environment *env, enum mode mode)
{
    const struct observation *o = t->in->observation;
    unsigned needs = needs_to_decide(t, i);
    if (!t->explanation &&
        (o->needs & needs) != needs) { /* a later step, or another policy, wants to see more */
        turn_ask(t, i, target, needs);
        return;
    }
    struct walker w = { .t = t, .i = i, .progress = i->progress };
    tree_of(i->plan, &w.tree);
    w.in = (struct guard_input){ .g = t->g,
                                 .p = t->p,
                                 .now_ms = t->now_ms,
                                 .wall_ms = t->wall_ms,
                                 .i = i,
                                 .target = target,
                                 .environment = env,
                                 .rule = incident_rule(t, i),
                                 .mode = mode,
                                 .nomem = &t->nomem,
                                 .tree = &w.tree,
                                 .progress = &w.progress,
                                 .path = w.path,
                                 .o = o };
    if (!settled(t, i, &w) && !held_off(&w))
        walk(&w);
}
