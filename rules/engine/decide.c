/* decide: one input, judged on the state; facts and effects come out, the state is not touched. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/base/timetext.h"
#include "rules/engine/turn.h"

struct fact *turn_fact(struct turn *t, enum fact_kind kind, const char *incident)
{
    struct fact *f = decision_fact(t->d, t->g, kind, incident, t->now_ms);
    if (f)
        return f;
    t->nomem = true;
    fact_release(&t->scratch);
    t->scratch.kind = kind;
    return &t->scratch;
}

const struct fact *turn_last(const struct turn *t, enum fact_kind kind, const char *incident)
{
    if (t->d->facts_len == t->facts)
        return NULL;
    const struct fact *f = &t->d->facts[t->d->facts_len - 1];
    return f->kind == kind && strcmp(f->incident, incident) == 0 ? f : NULL;
}

__attribute__((format(printf, 2, 0))) static void say(char ret[FACT_TEXT_SIZE], const char *fmt, va_list args)
{
    char text[4 * FACT_TEXT_SIZE];
    vsnprintf(text, sizeof text, fmt, args);
    text_copy(ret, FACT_TEXT_SIZE, text);
}

void fact_say(char ret[FACT_TEXT_SIZE], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(ret, fmt, args);
    va_end(args);
}

/* Its mode, also when it was resolved in this very decision. */
static enum mode mode_of(const struct turn *t, const struct incident *i)
{
    for (size_t k = t->facts; k < t->d->facts_len; k++) {
        const struct fact *f = &t->d->facts[k];
        if (f->kind == FACT_RESOLVED && strcmp(f->incident, i->id) == 0)
            return (enum mode)f->u.resolved.mode;
    }
    return i->resolved ? i->mode : MODE_OBSERVE;
}

/* Is there anything to do before it is closed? Only where heald may act at all. */
static bool has_end_phases(const struct turn *t, const struct incident *i)
{
    const struct node_list *phases = i->plan->phases;
    return !i->ending && phases[PHASE_CLEANUP].len + phases[PHASE_REPORT].len > 0 &&
           mode_of(t, i) == MODE_ACT;
}

/* Who works with the target is told when it was not healed; an escalation says whom it tells itself. */
static void tell_bad_end(struct turn *t, const struct incident *i, enum outcome outcome, const char *reason)
{
    char text[FACT_NOTIFY_SIZE], target[TARGET_TEXT_SIZE];
    if (i->ending || !i->resolved || i->mode != MODE_ACT ||
        (outcome != OUTCOME_NOT_HEALED && outcome != OUTCOME_UNKNOWN))
        return;
    snprintf(text, sizeof text, "%s: %s: %s", outcome_name(outcome), target_format(target, &i->target),
             reason);
    turn_tell_all(t, i, policy_environment(t->p, &i->target), text);
}

void turn_close(struct turn *t, const struct incident *i, enum outcome outcome, const char *fmt, ...)
{
    char reason[FACT_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    say(reason, fmt, args);
    va_end(args);
    tell_bad_end(t, i, outcome, reason);
    struct fact *f = turn_fact(t, has_end_phases(t, i) ? FACT_ENDING : FACT_CLOSED, i->id);
    f->u.closed.outcome = i->ending ? i->ending : outcome; /* once known it stays */
    f->u.closed.wall_ms = t->wall_ms;
    memcpy(f->u.closed.reason, i->ending ? i->ended_why : reason, sizeof f->u.closed.reason);
}

void turn_close_quiet(struct turn *t, const struct incident *i)
{
    if ((i->writes == 0 && !i->doubt) || MUTANT(cleared_after_write))
        turn_close(t, i, OUTCOME_CLEARED, "the alert resolved before anything was done");
    else
        turn_close(t, i, OUTCOME_UNKNOWN, "the alert resolved, but only after the last step was judged: %s",
                   i->reason);
}

struct fact *turn_written(struct turn *t, const struct incident *i, enum write_state state,
                          const char *reason)
{
    struct fact *f = turn_fact(t, FACT_WRITTEN, i->id);
    memcpy(f->u.written.step, i->intent.step, sizeof f->u.written.step);
    memcpy(f->u.written.action, i->intent.action, sizeof f->u.written.action);
    f->u.written.attempt = i->intent.attempt;
    f->u.written.write = i->intent.write;
    f->u.written.state = state;
    f->u.written.wall_ms = t->wall_ms;
    text_copy(f->u.written.reason, sizeof f->u.written.reason, reason);
    return f;
}

struct note *turn_note(struct turn *t, const struct incident *i)
{
    struct note *n = decision_note(t->d, i);
    t->nomem |= !n;
    return n;
}

/* ---- answers of workers ---- */

enum mode mode_now(const struct turn *t, const struct incident *i, const struct environment *env)
{
    const struct rule *rule = policy_rule(t->p, i->rule);
    enum mode mode = env ? env->mode : MODE_OBSERVE;
    return rule && rule->mode < mode ? rule->mode : mode;
}

/* An incident of the same rule on the same target, other than this. */
static const struct incident *same_case(const struct turn *t, const struct incident *i,
                                        const struct target *target)
{
    for (const struct incident *j = t->g->open; j; j = j->next)
        if (j != i && j->resolved && target_same(&j->target, target) && strcmp(j->rule, i->rule) == 0)
            return j;
    return NULL;
}

/* What the first look at the target says. */
static void fill_resolved(struct turn *t, const struct incident *i, const struct environment *env,
                          enum mode mode)
{
    const struct observation *o = t->in->observation;
    struct guard_input in = { .g = t->g, .p = t->p, .i = i, .target = &o->target, .o = o };
    char why[FACT_TEXT_SIZE];
    int32_t times = 0;
    struct fact *f = turn_fact(t, FACT_RESOLVED, i->id);
    const struct past *former = past_find(t->g, i->rule, &o->target, t->now_ms, &times);
    f->u.resolved.target = o->target;
    f->u.resolved.mode = (int)mode;
    f->u.resolved.evidence = o->needs & OBSERVE_PODS ? o->evidence : EVIDENCE_INIT;
    f->u.resolved.changed = template_changed(&in, why);
    text_copy(f->u.resolved.environment, sizeof f->u.resolved.environment, env ? env->name : "");
    if (!former)
        return;
    memcpy(f->u.resolved.former, former->id, sizeof f->u.resolved.former);
    f->u.resolved.times = times + 1;
}

/* What a person is told whatever the plan says. */
static void tell_resolved(struct turn *t, const struct incident *i, const struct environment *env)
{
    char text[FACT_NOTIFY_SIZE], target[TARGET_TEXT_SIZE], per[DURATION_TEXT_SIZE], hold[DURATION_TEXT_SIZE];
    int64_t incidents;
    if (patterns_match(&t->p->critical, &i->labels, policy_message(&i->annotations)) >= 0) {
        snprintf(text, sizeof text, "critical: rule \"%s\", %s", i->rule,
                 target_format(target, &t->in->observation->target));
        turn_tell_all(t, i, env, text);
    }
    if (!storm_begins(t->g, env, t->now_ms, &incidents))
        return;
    snprintf(text, sizeof text,
             "storm: %lld incidents within %s in environment \"%s\"; nothing new is begun for %s",
             (long long)incidents, duration_format(per, env->storm.per_ms), env->name,
             duration_format(hold, env->storm.hold_ms));
    turn_tell_all(t, i, env, text);
}

/* First look at the target: who is it, which environment, is another incident on it for the same rule? */
static void decide_resolved(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    const struct environment *env = policy_environment(t->p, &o->target);
    const struct source *s = policy_source(t->p, i->source);
    enum mode mode = mode_now(t, i, env);
    char why[FACT_TEXT_SIZE];
    fill_resolved(t, i, env, mode);
    if (s &&
        !source_may(s, &o->target, why, sizeof why)) { /* nor may it say anything about others' incidents */
        turn_close(t, i, OUTCOME_REFUSED, "source: %s", why);
        return;
    }
    const struct incident *into = same_case(t, i, &o->target);
    if (into) {
        struct fact *f = turn_fact(t, FACT_MERGED, i->id);
        memcpy(f->u.merged.into, into->id, sizeof f->u.merged.into);
        return;
    }
    target_open_others(t, i);
    if (env && mode == MODE_ACT)
        tell_resolved(t, i, env);
    decide_step(t, i, &o->target, env, mode);
}

static void decide_observation(struct turn *t)
{
    const struct incident *i = incident_find(t->g, t->in->incident);
    if (!i || i->state == STATE_CLOSED || !i->asked || i->token != t->in->token)
        return; /* an answer to a question no longer asked */
    if (t->in->error != ERR_OK) {
        decide_blind(t, i);
        return;
    }
    if (!i->resolved) {
        decide_resolved(t, i);
        return;
    }
    if (i->state == STATE_ACTING) {
        decide_proof(t, i);
    } else if (i->state == STATE_VERIFYING) {
        decide_verdict(t, i);
    } else {
        const struct environment *env = policy_environment(t->p, &i->target);
        enum mode mode = mode_now(t, i, env);
        decide_step(t, i, &i->target, env, mode < i->mode && !MUTANT(mode_of_then) ? mode : i->mode);
    }
}

static void decide_acted(struct turn *t)
{
    static const enum write_state states[] = { [ACT_DONE] = WRITE_DONE,
                                               [ACT_CONFLICT] = WRITE_CONFLICT,
                                               [ACT_RETRY] = WRITE_RETRY,
                                               [ACT_FAILED] = WRITE_FAILED,
                                               [ACT_UNKNOWN] = WRITE_RETRY };
    const struct incident *i = incident_find(t->g, t->in->incident);
    if (!i || i->state != STATE_ACTING || !i->asked || i->token != t->in->token)
        return;
    const struct act_report *r = &t->in->report;
    if (r->result == ACT_UNKNOWN && !MUTANT(unknown_is_retried)) { /* ask the cluster before anything else */
        struct note *n = turn_note(t, i);
        if (n)
            n->asking_ms = t->now_ms;
        return;
    }
    bool conflict_is_done = MUTANT(conflict_is_done) && r->result == ACT_CONFLICT;
    struct fact *f = turn_written(t, i, conflict_is_done ? WRITE_DONE : states[r->result], r->reason);
    if (r->result == ACT_DONE)
        memcpy(f->u.written.template_hash, r->template_hash, sizeof f->u.written.template_hash);
    if (r->result == ACT_RETRY) {
        uint32_t n = i->intent.write < 6 ? i->intent.write - 1 : 5;
        int64_t pause_ms = WRITE_BACKOFF_MIN_MS << n;
        f->u.written.again_ms = t->now_ms + (r->retry_ms > pause_ms ? r->retry_ms : pause_ms);
    }
}

/* ---- timers, the watch, operators ---- */

static void give_up(struct turn *t, const struct incident *i)
{
    if (incident_was_fixed(i))
        turn_close(t, i, OUTCOME_HEALED,
                   "verified as fixed; what was to follow could not be done for 24h: %s", i->reason);
    else if (i->state == STATE_ACTING || i->doubt)
        turn_close(t, i, OUTCOME_UNKNOWN, "for 24h it could not be found out whether the write happened");
    else if (i->writes)
        turn_close(t, i, OUTCOME_NOT_HEALED, "it could not go on for 24h: %s", i->reason);
    else
        turn_close(t, i, OUTCOME_REFUSED, "it could not be acted on for 24h: %s", i->reason);
}

/* Those at the heap's place `at` and below it that are due. */
static void decide_due(struct turn *t, size_t at)
{
    if (at >= t->g->open_len || t->d->effects_len - t->effects >= TIMER_QUESTIONS_MAX)
        return;
    const struct incident *i = t->g->due[at];
    if (i->due_ms > t->now_ms)
        return;
    if (i->state != STATE_VERIFYING && t->now_ms >= incident_gives_up(i) && !MUTANT(gives_up_never))
        give_up(t, i);
    else
        turn_look_now(t, i);
    decide_due(t, 2 * at + 1);
    decide_due(t, 2 * at + 2);
}

/* Writes that may be on their way are asked for at once; everything else is due by itself. After a commit
 * that failed the workers live on: one of them may begin its write as long as the intent has not expired. */
static void decide_started(struct turn *t)
{
    for (const struct incident *i = t->g->busy; i; i = i->busy_next) {
        if (i->state != STATE_ACTING)
            continue;
        if (MUTANT(crash_is_absent)) {
            turn_written(t, i, WRITE_ABSENT, "nobody knows of it");
            continue;
        }
        turn_look_now(t, i);
        if (t->d->notes_len)
            t->d->notes[t->d->notes_len - 1].asking_ms =
                i->intent.expires_ms > t->now_ms ? i->intent.expires_ms : t->now_ms;
    }
}

static void decide_changed(struct turn *t)
{
    for (const struct incident *i = t->g->busy; i; i = i->busy_next)
        if (i->state == STATE_VERIFYING && !i->asked && target_same(&i->target, &t->in->target))
            turn_look_now(t, i);
}

static void decide_well(struct turn *t)
{
    const struct target *target = &t->in->target;
    const struct environment *env = policy_environment(t->p, target);
    const struct workload *w = workload_find(t->g, target->uid);
    if (!env || t->in->since_ms == 0 ||
        wall_span(t->g, t->in->since_ms, t->wall_ms) < (MUTANT(proven_at_once) ? 0 : env->well_for_ms))
        return;
    if (w && strcmp(w->proven[0], t->in->template_hash) == 0)
        return;
    for (const struct incident *i = t->g->open; i; i = i->next)
        if (!MUTANT(proven_while_firing) && incident_firing(i) &&
            (!i->resolved || target_same(&i->target, target)))
            return; /* an alert may be for it: not proven */
    struct fact *f = turn_fact(t, FACT_PROVEN, NULL);
    f->u.proven.target = *target;
    f->u.proven.since_ms = t->in->since_ms;
    memcpy(f->u.proven.template_hash, t->in->template_hash, sizeof f->u.proven.template_hash);
}

static void decide_told(struct turn *t)
{
    const struct incident *i = incident_find(t->g, t->in->incident);
    if (!i || (t->in->revision <= i->told_revision && t->in->annotation_id == i->annotation_id))
        return;
    struct fact *f = turn_fact(t, FACT_TOLD, i->id);
    f->u.told.revision = t->in->revision;
    f->u.told.annotation_id = t->in->annotation_id;
}

static void decide_policy(struct turn *t)
{
    if (strcmp(t->g->policy_hash, t->in->text) == 0)
        return;
    struct fact *f = turn_fact(t, FACT_POLICY, NULL);
    text_copy(f->u.policy.hash, sizeof f->u.policy.hash, t->in->text);
}

static void decide_installed(struct turn *t)
{
    struct fact *f = turn_fact(t, FACT_INSTALLED, NULL);
    snprintf(f->u.installed.id, sizeof f->u.installed.id, "%016llx%08llx", (unsigned long long)t->in->random,
             (unsigned long long)(t->now_ms & 0xffffffff));
}

static void decide_snapshot(struct turn *t)
{
    struct fact *f = turn_fact(t, FACT_SNAPSHOT, NULL);
    f->u.snapshot = t->in->snapshot;
}

static void decide_jumped(struct turn *t)
{
    struct fact *f = turn_fact(t, FACT_TIME_JUMPED, NULL);
    f->u.jumped.by_ms = t->in->by_ms;
    f->u.jumped.wall_ms = t->wall_ms;
}

static void decide_input(struct turn *t)
{
    switch (t->in->kind) {
    case INPUT_ALERT:
        decide_alert(t);
        break;
    case INPUT_OBSERVATION:
        decide_observation(t);
        break;
    case INPUT_ACTED:
        decide_acted(t);
        break;
    case INPUT_TIMER:
        decide_pauses_over(t);
        decide_due(t, 0);
        break;
    case INPUT_INSTALLED:
        decide_installed(t);
        break;
    case INPUT_STARTED:
        decide_started(t);
        break;
    case INPUT_PAUSE:
    case INPUT_RESUME:
    case INPUT_WORD:
    case INPUT_HEAL:
        decide_word(t);
        break;
    case INPUT_WELL:
        decide_well(t);
        break;
    case INPUT_CHANGED:
        decide_changed(t);
        break;
    case INPUT_TOLD:
        decide_told(t);
        break;
    case INPUT_POLICY:
        decide_policy(t);
        break;
    case INPUT_JUMPED:
        decide_jumped(t);
        break;
    case INPUT_SNAPSHOT:
        decide_snapshot(t);
        break;
    }
}

enum err_code engine_decide(const struct engine *g, const struct policy *p, int64_t now_ms,
                            const struct input *in, struct decision *ret, struct err *e)
{
    struct turn t = { .g = g,
                      .p = p,
                      .now_ms = now_ms > g->at_ms ? now_ms : g->at_ms,
                      .in = in,
                      .d = ret,
                      .facts = ret->facts_len,
                      .effects = ret->effects_len };
    size_t notes = ret->notes_len;
    t.wall_ms = in->wall_ms ? in->wall_ms : t.now_ms;
    decide_input(&t);
    fact_release(&t.scratch);
    for (size_t k = t.facts; k < ret->facts_len; k++)
        fact_clean(&ret->facts[k]);
    if (!t.nomem)
        return ERR_OK;
    while (ret->facts_len > t.facts)
        fact_release(&ret->facts[--ret->facts_len]);
    while (ret->effects_len > t.effects)
        effect_release(&ret->effects[--ret->effects_len]);
    ret->notes_len = notes;
    return err_set(e, ERR_NOMEM, "no memory to decide");
}

static void take_note(struct engine *g, const struct note *n)
{
    struct incident *i = incident_find(g, n->incident);
    if (!i || i->state == STATE_CLOSED)
        return;
    i->asked = n->asked;
    i->token = n->token;
    i->asked_ms = n->asked_ms;
    i->look_ms = n->look_ms;
    i->asking_ms = n->asking_ms;
    i->failures = n->failures;
    due_update(g, i);
}

enum err_code engine_turn(struct engine *g, const struct policy *p, int64_t now_ms, const struct input *in,
                          struct decision *ret, struct err *e)
{
    size_t facts = ret->facts_len, notes = ret->notes_len;
    enum err_code code = engine_decide(g, p, now_ms, in, ret, e);
    for (size_t k = facts; !code && k < ret->facts_len; k++)
        code = engine_apply(g, &ret->facts[k], e);
    for (size_t k = notes; !code && k < ret->notes_len; k++)
        take_note(g, &ret->notes[k]);
    if (!code && in->kind == INPUT_STARTED)
        g->started_ms = now_ms > g->at_ms ? now_ms : g->at_ms;
    return code;
}
