/* test/simulate/check_intent.c - may this write be? Judged by the truth, the policy in force and the journal,
 * not by what the engine knows. */
#include <string.h>

#include "test/simulate/sim.h"

#define FRESH_MS 10000
#define SLEW_MS 200 /* engine time may run 1 % fast or slow */
#define PROVEN_KEPT 3

/* May this be done although nobody knows whether the alert is silenced? */
static bool env_acts_unheard(const struct sim *s, const struct intent *n, const struct course *c)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    const struct node *step = course_node(c, n->step);
    return !env || env->silence_unknown != SILENCE_WAITS || !step || step->type != NODE_DO ||
           step->action->risk < RISK_DISRUPTIVE;
}

static void check_scope(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    char why[FACT_TEXT_SIZE];
    const struct source *source = policy_source(s->p, c->source);
    bool template_stays = n->proof == PROOF_RESTARTED_AT || n->proof == PROOF_POD_GONE;
    map_set(&labels, "cluster", n->target.cluster, NULL);
    map_set(&labels, "namespace", n->target.namespace, NULL);
    map_set(&labels, "kind", n->target.kind, NULL);
    map_set(&labels, "name", n->target.name, NULL);
    bool plan_alone = c->by_hand && !c->rule[0];
    check(s, CHECK_SCOPE, n->undo || plan_alone || policy_rule(s->p, c->rule), "%s: rule \"%s\" has vanished",
          c->id, c->rule);
    check(s, CHECK_SCOPE, policy_ignored(s->p, &labels) < 0, "%s: %s is ignored", c->id, n->target.name);
    check(s, CHECK_SCOPE, c->by_hand || (source && source_may(source, &n->target, why, sizeof why)),
          "%s: its source may not name %s", c->id, n->target.name);
    check(s, CHECK_SCOPE, !t->owned || template_stays, "%s: %s of what somebody else owns", c->id, n->action);
    check(s, CHECK_SCOPE, !t->scaled || n->proof != PROOF_REPLICAS, "%s: %s of what an autoscaler scales",
          c->id, n->action);
    check(s, CHECK_SCOPE, !t->silenced || n->undo, "%s: the alert is silenced", c->id);
    check(s, CHECK_SCOPE, !t->unheard || n->undo || c->by_hand || env_acts_unheard(s, n, c),
          "%s: whether the alert is silenced is not known", c->id);
    check(s, CHECK_SCOPE, !t->terminating && t->desired > 0, "%s: %s of what is deleted or scaled to 0",
          c->id, n->action);
    check(s, CHECK_SCOPE, strcmp(n->target.uid, c->target.uid) == 0 && strcmp(n->target.uid, t->uid) == 0,
          "%s: another object has the name of %s", c->id, n->target.name);
    const struct node *step = course_node(c, n->step);
    bool does = step && step->type == NODE_DO && (n->undo || strcmp(step->action->name, n->action) == 0);
    const struct environment *env = policy_environment(s->p, &n->target);
    check(s, CHECK_SCOPE, !does || !env || !env->allow.len || action_listed(&env->allow, step->action),
          "%s: %s is not allowed there", c->id, n->action);
    check(s, CHECK_SCOPE, does, "%s: the plan has no step %s that does %s", c->id, n->step, n->action);
    check(s, CHECK_SCOPE, !does || n->attempt <= 1 + (uint64_t)step->retry, "%s: attempt %u of step %s",
          c->id, n->attempt, n->step);
}

/* Did a write of the incident to the template take effect before that time? */
static bool wrote_before(const struct sim *s, const struct course *c, int64_t template_ms)
{
    for (size_t k = 0; k < s->landings_len; k++) {
        const struct landing *l = &s->landings[k];
        bool template = l->intent.proof == PROOF_RESTARTED_AT || l->intent.proof == PROOF_TEMPLATE_HASH;
        if (template && l->at_ms < template_ms && strcmp(l->intent.incident, c->id) == 0)
            return true;
    }
    return false;
}

static void check_now(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t,
                      int64_t f_at_ms)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    check(s, CHECK_MODE,
          env && env->mode == MODE_ACT && c->mode == MODE_ACT && strcmp(env->name, n->environment) == 0,
          "%s: the mode is %d, and was %d", c->id, env ? (int)env->mode : -1, (int)c->mode);
    check(s, CHECK_PAUSED, !model_paused(s->model, c, n->environment, f_at_ms),
          "%s: a write although it is paused", c->id);
    check(s, CHECK_FRESH, s->now_ms - t->asked_ms <= FRESH_MS + SLEW_MS, "%s: the observation is %lld ms old",
          c->id, (long long)(s->now_ms - t->asked_ms));
    bool no_alert = c->by_hand || c->fixed;
    check(s, CHECK_FIRING, no_alert || n->undo || model_firing(s->model, c->id) > 0,
          "%s: no alert of it fires", c->id);
    if (s->prometheus && !no_alert && !n->undo)
        check(s, CHECK_FIRING, t->alert == ALERT_STATE_FIRING && t->fault,
              "%s: the alert is %d at Prometheus, the fault %d", c->id, (int)t->alert, t->fault);
    check(s, CHECK_FOREIGN,
          n->undo || !env || env->own_rollouts || s->now_ms + SLEW_MS >= t->foreign_until_ms,
          "%s: somebody's rollout is under way", c->id);
    check(s, CHECK_FOREIGN, t->template_by[0] || !wrote_before(s, c, t->template_ms),
          "%s: somebody changed the template since", c->id);
}

/* ---- what is written ---- */

/* Of the last few versions of this object that were proven, is it one? */
static bool was_proven(const struct sim *s, const char *uid, const char *hash)
{
    const char *kept[PROVEN_KEPT] = { "" };
    int len = 0;
    for (size_t k = s->model->proved_len; k-- > 0 && len < PROVEN_KEPT;) {
        const struct proved *x = &s->model->proved[k];
        bool again = strcmp(x->uid, uid) != 0;
        for (int n = 0; n < len; n++)
            again |= strcmp(kept[n], x->hash) == 0;
        if (again)
            continue;
        if (strcmp(x->hash, hash) == 0)
            return true;
        kept[len++] = x->hash;
    }
    return false;
}

static void check_template(struct sim *s, const struct intent *n, const struct course *c,
                           const struct truth *t)
{
    const struct object *o = &s->objects[t->object];
    if (n->proof != PROOF_TEMPLATE_HASH || n->undo) /* that one puts back what stood there */
        return;
    check(s, CHECK_ROLLBACK, was_proven(s, n->target.uid, n->template_hash),
          "%s: template %s was never proven well", c->id, n->template_hash);
    check(s, CHECK_ROLLBACK, !was_proven(s, n->target.uid, t->hash),
          "%s: template %s was proven well, and is put away", c->id, t->hash);
    for (int k = 0; k < REVISIONS; k++)
        check(s, CHECK_ROLLBACK, !o->history[k].bad || strcmp(o->history[k].hash, n->template_hash) != 0,
              "%s: template %s is a bad one", c->id, n->template_hash);
}

static bool step_undoes(const struct course *c, const struct intent *n)
{
    const struct node *step = course_node(c, n->step);
    return step && step->undo;
}

static void check_attempt(struct sim *s, const struct intent *n, const struct course *c)
{
    const struct write *last = c->writes;
    bool again = last && last->intent.attempt == n->attempt && last->intent.undo == n->undo &&
                 strcmp(last->intent.step, n->step) == 0;
    check(s, CHECK_ONE_EFFECT, !n->undo || (c->worse && step_undoes(c, n)), "%s: an undo that nobody wants",
          c->id);
    check(s, CHECK_ONE_EFFECT, !c->doubt, "%s: a write after one that is in doubt", c->id);
    if (!again) {
        check(s, CHECK_ONE_EFFECT, n->write == 1, "%s: write %u of %s has none before it", c->id, n->write,
              n->step);
        return;
    }
    check(s, CHECK_ONE_EFFECT, n->write == last->intent.write + 1, "%s: write %u of %s comes after write %u",
          c->id, n->write, n->step, last->intent.write);
    check(s, CHECK_ONE_EFFECT,
          last->state == WRITE_CONFLICT || last->state == WRITE_ABSENT || last->state == WRITE_RETRY,
          "%s: write %u of %s is %s, and it is written again", c->id, last->intent.write, n->step,
          write_state_name(last->state));
    check(s, CHECK_ONE_EFFECT, strcmp(last->intent.restarted_at, n->restarted_at) == 0,
          "%s: the writes of one attempt differ: a late one would be a second restart", c->id);
}

void check_intent(struct sim *s, const struct fact *f, const struct course *c)
{
    const struct intent *n = &f->u.intent;
    const struct job *j = s->judging;
    bool looked = j && j->effect.kind == EFFECT_OBSERVE && strcmp(j->effect.incident, c->id) == 0 &&
                  j->truth.object >= 0;
    check(s, CHECK_FRESH, looked, "%s: a write without a look at its target", c->id);
    if (!looked)
        return;
    count_name(&s->stats->steps, n->undo ? "undo" : n->action, 1);
    if (course_parallel(c, n->step))
        count_name(&s->stats->steps, "parallel", 1);
    count_guards(s, NULL, n->undo);
    check_scope(s, n, c, &j->truth);
    check_now(s, n, c, &j->truth, f->at_ms);
    check_limits(s, n, c, f->at_ms);
    check_object(s, n, c, &j->truth);
    check_yes(s, n, c, &j->truth);
    check_template(s, n, c, &j->truth);
    check_attempt(s, n, c);
}
