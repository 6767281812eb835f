/* test/simulate/check_write.c - what the journal says of writes and of their effect, held against the truth.
 */
#include <string.h>

#include "test/simulate/sim.h"

#define INTENT_LIVES_MS (INTENT_EXPIRES_MS + LONGEST_CALL_MS)

static bool same_attempt(const struct intent *a, const struct intent *b)
{
    return a->attempt == b->attempt && a->undo == b->undo && strcmp(a->incident, b->incident) == 0 &&
           strcmp(a->step, b->step) == 0;
}

/* Was it sent twice on its way? Then "conflict" may be the answer to the second one. */
static bool sent_twice(const struct sim *s, const struct intent *n)
{
    for (size_t k = 0; k < s->landings_len; k++)
        if (same_attempt(&s->landings[k].intent, n) && s->landings[k].again)
            return true;
    return false;
}

/* Has a write of this attempt taken effect; write 0: any of them? */
static bool landed(const struct sim *s, const struct intent *n, uint32_t write)
{
    for (size_t k = 0; k < s->landings_len; k++)
        if (same_attempt(&s->landings[k].intent, n) && (!write || s->landings[k].intent.write == write))
            return true;
    return false;
}

static bool ever_landed(const struct sim *s, const char *incident)
{
    for (size_t k = 0; k < s->landings_len; k++)
        if (strcmp(s->landings[k].intent.incident, incident) == 0)
            return true;
    return false;
}

/* Nobody else can have brought this proof about. */
static bool proof_is_ours(const struct intent *n)
{
    return n->proof == PROOF_RESTARTED_AT || n->proof == PROOF_TEMPLATE_HASH;
}

void check_written(struct sim *s, const struct fact *f, const struct course *c)
{
    const struct intent *n = c->writes ? &c->writes->intent : NULL;
    enum write_state state = f->u.written.state;
    count_name(&s->stats->writes, write_state_name(state), 1);
    check(s, CHECK_WRITTEN, n, "%s: a write was judged without an intent", c->id);
    if (!n)
        return;
    if (state == WRITE_DONE)
        check(s, CHECK_WRITTEN, !proof_is_ours(n) || landed(s, n, 0), "%s: %s is said to be done and is not",
              c->id, n->action);
    else if (state != WRITE_UNKNOWN && !(state == WRITE_CONFLICT && sent_twice(s, n)))
        check(s, CHECK_WRITTEN, !landed(s, n, n->write), "%s: %s is said to be %s and has happened", c->id,
              n->action, write_state_name(state));
}

static bool untouched(enum outcome o)
{
    return o == OUTCOME_CLEARED || o == OUTCOME_REFUSED || o == OUTCOME_OBSERVED;
}

static bool in_journal(const struct sim *s, const struct intent *n)
{
    for (size_t k = s->committed; k-- > 0;)
        if (s->rows[k].kind == FACT_INTENT && s->rows[k].at_ms == n->at_ms &&
            strcmp(s->rows[k].incident, n->incident) == 0)
            return true;
    return false;
}

void check_landing(struct sim *s, const struct job *j)
{
    const struct intent *n = &j->effect.intent;
    const struct course *c = model_course(s->model, n->incident);
    const struct write *w = c ? course_write(c, n) : NULL;
    bool journalled = w && in_journal(s, n);
    check(s, CHECK_INTENT_FIRST, journalled, "%s: %s takes effect, and its intent is not in the journal",
          n->incident, n->action);
    check(s, CHECK_ONE_EFFECT, !landed(s, n, 0), "%s: attempt %u of %s takes effect twice", n->incident,
          n->attempt, n->step);
    if (journalled) {
        bool given_up = w->state != WRITE_OPEN && w->state != WRITE_DONE && w->state != WRITE_UNKNOWN;
        check(s, CHECK_WRITTEN, !given_up, "%s: a write takes effect that was said to be %s", c->id,
              write_state_name(w->state));
        check(s, CHECK_UNTOUCHED, c->state != COURSE_CLOSED || c->outcome == OUTCOME_UNKNOWN,
              "%s: a write takes effect after the end, which was %s", c->id, outcome_name(c->outcome));
        if (s->up)
            check(s, CHECK_FRESH, heald_now(s) <= n->at_ms + INTENT_LIVES_MS + 500,
                  "%s: a write takes effect %lld ms after its intent", c->id,
                  (long long)(heald_now(s) - n->at_ms));
    }
    for (const struct course *o = s->model->courses; o; o = o->hh.next)
        check(s, CHECK_ONE_AT_A_TIME,
              o == c || (o->state != COURSE_ACTING && o->state != COURSE_VERIFYING) ||
                  !target_same(&o->target, &n->target),
              "%s: a write takes effect on %s while %s is at work there", n->incident, n->target.name, o->id);
    s->landings = sim_grow(s->landings, &s->landings_cap, s->landings_len, sizeof *s->landings);
    s->landings[s->landings_len++] = (struct landing){ *n, s->now_ms, j->again };
    s->stats->landed++;
}

/* ---- did it help? ---- */

static void check_fixed(struct sim *s, const struct course *c, const struct verify *v, const struct truth *t)
{
    const struct intent *n = &c->writes->intent;
    bool asked_alert = v->alert && !c->by_hand;
    check(s, CHECK_HEALED, !proof_is_ours(n) || c->doubt || landed(s, n, 0),
          "%s: fixed by a write that never was", c->id);
    check(s, CHECK_HEALED, t->well_ms != 0, "%s: %s is not well", c->id, c->target.name);
    check(s, CHECK_HEALED, t->read_ms - t->well_ms >= v->hold_ms, "%s: %s is well for %lld ms only", c->id,
          c->target.name, (long long)(t->read_ms - t->well_ms));
    check(s, CHECK_HEALED, !t->landed_ms || t->read_ms - t->landed_ms >= v->hold_ms,
          "%s: the write was %lld ms ago", c->id, (long long)(t->read_ms - t->landed_ms));
    if (asked_alert && s->prometheus)
        check(s, CHECK_HEALED, t->alert == ALERT_STATE_INACTIVE, "%s: the alert is %d at Prometheus", c->id,
              (int)t->alert);
    else if (asked_alert)
        check(s, CHECK_HEALED, model_firing(s->model, c->id) == 0, "%s: an alert of it fires", c->id);
}

void check_verdict(struct sim *s, const struct fact *f, const struct course *c)
{
    const struct job *j = s->judging;
    if (f->u.verdict.verdict != VERDICT_FIXED)
        return;
    bool looked = j && j->effect.kind == EFFECT_OBSERVE && j->error == ERR_OK && j->truth.object >= 0;
    const struct node *n = course_node(c, f->u.verdict.step);
    check(s, CHECK_HEALED, looked && c->writes, "%s: fixed, and nobody looked", c->id);
    check(s, CHECK_MOVES, n, "%s: its plan has no step %s", c->id, f->u.verdict.step);
    if (looked && c->writes && n)
        check_fixed(s, c, &n->verify, &j->truth);
}

void check_closed(struct sim *s, const struct fact *f, const struct course *c)
{
    enum outcome o = f->u.closed.outcome;
    if (o == OUTCOME_HEALED)
        check(s, CHECK_HEALED, c->fixed && !c->doubt, "%s: healed without a verdict, or in doubt", c->id);
    if (untouched(o))
        check(s, CHECK_UNTOUCHED, !ever_landed(s, c->id), "%s: ends as %s, and was written for", c->id,
              outcome_name(o));
    s->stats->incidents++;
}

void check_proven(struct sim *s, const struct fact *f)
{
    const struct target *target = &f->u.proven.target;
    const struct environment *env = policy_environment(s->p, target);
    int index = object_find(s, target->namespace, target->name);
    const struct object *o = index >= 0 ? &s->objects[index] : NULL;
    bool same =
        o && strcmp(o->target.uid, target->uid) == 0 && strcmp(o->now.hash, f->u.proven.template_hash) == 0;
    check(s, CHECK_PROVEN, same && env, "%s: another template is proven than the one that runs",
          target->name);
    if (!same || !env)
        return;
    check(s, CHECK_PROVEN, o->well_ms && s->now_ms - o->well_ms >= env->well_for_ms && !o->now.bad,
          "%s: proven after %lld ms of being well", target->name,
          (long long)(o->well_ms ? s->now_ms - o->well_ms : 0));
    for (const struct course *c = s->model->courses; c; c = c->hh.next)
        check(s, CHECK_PROVEN,
              c->state == COURSE_CLOSED || !c->resolved || !target_same(&c->target, target) ||
                  model_firing(s->model, c->id) == 0,
              "%s: proven while an alert of %s fires", target->name, c->id);
}
