/* test/simulate/check_intent.c - may this write be? Judged by the truth, the policy in force and the journal,
 * not by what the engine knows. */
#include <string.h>

#include "test/simulate/sim.h"

#define FRESH_MS 10000
#define SLEW_MS 200 /* engine time may run 1 % fast or slow */
#define WORKLOAD_ACTIONS 3
#define WORKLOAD_PER_MS HOUR_MS
#define PROVEN_KEPT 3

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
    check(s, CHECK_SCOPE, policy_rule(s->p, c->rule), "%s: rule \"%s\" has vanished", c->id, c->rule);
    check(s, CHECK_SCOPE, policy_ignored(s->p, &labels) < 0, "%s: %s is ignored", c->id, n->target.name);
    check(s, CHECK_SCOPE, source && source_may(source, &n->target, why, sizeof why),
          "%s: its source may not name %s", c->id, n->target.name);
    check(s, CHECK_SCOPE, !t->owned || template_stays, "%s: %s of what somebody else owns", c->id, n->action);
    check(s, CHECK_SCOPE, !t->scaled || n->proof != PROOF_REPLICAS, "%s: %s of what an autoscaler scales",
          c->id, n->action);
    check(s, CHECK_SCOPE, !t->silenced || n->undo, "%s: the alert is silenced", c->id);
    check(s, CHECK_SCOPE, !t->terminating && t->desired > 0, "%s: %s of what is deleted or scaled to 0",
          c->id, n->action);
    check(s, CHECK_SCOPE, strcmp(n->target.uid, c->target.uid) == 0 && strcmp(n->target.uid, t->uid) == 0,
          "%s: another object has the name of %s", c->id, n->target.name);
    const struct node *step = course_node(c, n->step);
    bool does = step && step->type == NODE_DO && (n->undo || strcmp(step->action->name, n->action) == 0);
    check(s, CHECK_SCOPE, does, "%s: the plan has no step %s that does %s", c->id, n->step, n->action);
    check(s, CHECK_SCOPE, !does || n->attempt <= 1 + (uint64_t)step->retry, "%s: attempt %u of step %s",
          c->id, n->attempt, n->step);
}

/* Did the incident know of a write of its own to the template before that time? What somebody changes between
 * a write and heald's finding of it cannot be told from the write. */
static bool wrote_before(const struct sim *s, const struct course *c, int64_t template_ms)
{
    for (size_t k = 0; k < s->landings_len; k++) {
        const struct landing *l = &s->landings[k];
        bool template = l->intent.proof == PROOF_RESTARTED_AT || l->intent.proof == PROOF_TEMPLATE_HASH;
        if (template && l->told_ms && l->told_ms < template_ms && strcmp(l->intent.incident, c->id) == 0)
            return true;
    }
    return false;
}

static void check_now(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    check(s, CHECK_MODE,
          env && env->mode == MODE_ACT && c->mode == MODE_ACT && strcmp(env->name, n->environment) == 0,
          "%s: the mode is %d, and was %d", c->id, env ? (int)env->mode : -1, (int)c->mode);
    check(s, CHECK_PAUSED, !s->model->paused, "%s: a write although heald is paused", c->id);
    check(s, CHECK_FRESH, s->now_ms - t->asked_ms <= FRESH_MS + SLEW_MS, "%s: the observation is %lld ms old",
          c->id, (long long)(s->now_ms - t->asked_ms));
    check(s, CHECK_FIRING, model_firing(s->model, c->id) > 0, "%s: no alert of it fires", c->id);
    if (s->prometheus)
        check(s, CHECK_FIRING, t->alert == ALERT_STATE_FIRING && t->fault,
              "%s: the alert is %d at Prometheus, the fault %d", c->id, (int)t->alert, t->fault);
    check(s, CHECK_FOREIGN, !env || env->own_rollouts || s->now_ms + SLEW_MS >= t->foreign_until_ms,
          "%s: somebody's rollout is under way", c->id);
    check(s, CHECK_FOREIGN, t->template_by[0] || !wrote_before(s, c, t->template_ms),
          "%s: somebody changed the template since", c->id);
}

/* ---- what was spent ---- */

static bool own(const struct spent *x, const struct intent *n)
{
    return strcmp(x->incident, n->incident) == 0;
}

/* The same attempt is decided again: it gives back what it had. */
static bool given_back(const struct spent *x, const struct intent *n)
{
    return n->write > 1 && own(x, n) && x->attempt == n->attempt && strcmp(x->step, n->step) == 0;
}

static void check_returned(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms)
{
    const struct rule *rule = policy_rule(s->p, c->rule);
    int64_t incidents = 0;
    const char *last = "";
    if (!rule)
        return;
    for (size_t k = 0; k < s->model->spent_len; k++) {
        const struct spent *x = &s->model->spent[k];
        if (own(x, n) || !target_same(&x->target, &n->target))
            continue;
        if (rule->cooldown_ms != INT64_MAX)
            check(s, CHECK_COOLDOWN, x->at_ms + rule->cooldown_ms <= now_ms,
                  "%s: %s was written to %lld ms ago", c->id, n->target.name, (long long)(now_ms - x->at_ms));
        if (strcmp(x->rule, c->rule) == 0 && x->at_ms + rule->attempts_per_ms > now_ms &&
            strcmp(last, x->incident) != 0) {
            last = x->incident;
            incidents++;
        }
    }
    check(s, CHECK_ATTEMPTS, incidents < rule->attempts, "%s: %lld incidents of %s were acted on before",
          c->id, (long long)incidents, n->target.name);
}

static int64_t spent_within(const struct sim *s, const struct intent *n, bool workload, int64_t from_ms)
{
    int64_t spent = 0;
    for (size_t k = 0; k < s->model->spent_len; k++) {
        const struct spent *x = &s->model->spent[k];
        bool counts =
            workload ? target_same(&x->target, &n->target) : strcmp(x->environment, n->environment) == 0;
        spent += counts && x->at_ms > from_ms && !given_back(x, n);
    }
    return spent;
}

static void check_budgets(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    int64_t spent = spent_within(s, n, true, now_ms - WORKLOAD_PER_MS);
    check(s, CHECK_BUDGET, spent < WORKLOAD_ACTIONS, "%s: %lld actions on %s within 1 h", c->id,
          (long long)spent, n->target.name);
    for (size_t k = 0; env && k < env->budgets_len; k++) {
        const struct budget_limit *b = &env->budgets[k];
        if (b->actions == INT64_MAX)
            continue;
        spent = spent_within(s, n, false, now_ms - b->per_ms);
        check(s, CHECK_BUDGET, spent < b->actions, "%s: %lld actions in %s within %lld s, %lld are allowed",
              c->id, (long long)spent, env->name, (long long)b->per_ms / 1000, (long long)b->actions);
    }
}

static void check_others(struct sim *s, const struct intent *n, const struct course *c)
{
    int running = 0;
    for (const struct course *o = s->model->courses; o; o = o->hh.next) {
        bool runs = o->state == COURSE_ACTING || o->state == COURSE_VERIFYING;
        if (o == c || o->state == COURSE_CLOSED)
            continue;
        running += runs && strcmp(o->environment, n->environment) == 0;
        check(s, CHECK_ONE_AT_A_TIME, !(runs || o->wrote || o->doubt) || !target_same(&o->target, &n->target),
              "%s: %s is working on %s", c->id, o->id, n->target.name);
    }
    const struct environment *env = policy_environment(s->p, &n->target);
    check(s, CHECK_RUNNING, n->undo || !env || running < env->running, "%s: %d steps are running in %s",
          c->id, running, n->environment);
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
    if (n->proof != PROOF_TEMPLATE_HASH)
        return;
    check(s, CHECK_ROLLBACK, was_proven(s, n->target.uid, n->template_hash),
          "%s: template %s was never proven well", c->id, n->template_hash);
    check(s, CHECK_ROLLBACK, !was_proven(s, n->target.uid, t->hash),
          "%s: template %s was proven well, and is put away", c->id, t->hash);
    for (int k = 0; k < REVISIONS; k++)
        check(s, CHECK_ROLLBACK, !o->history[k].bad || strcmp(o->history[k].hash, n->template_hash) != 0,
              "%s: template %s is a bad one", c->id, n->template_hash);
}

static void check_attempt(struct sim *s, const struct intent *n, const struct course *c)
{
    const struct write *last = c->writes;
    bool again = last && last->intent.attempt == n->attempt && strcmp(last->intent.step, n->step) == 0;
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
    count_name(&s->stats->steps, n->action, 1);
    check_scope(s, n, c, &j->truth);
    check_now(s, n, c, &j->truth);
    check_returned(s, n, c, f->at_ms);
    check_budgets(s, n, c, f->at_ms);
    check_others(s, n, c);
    check_template(s, n, c, &j->truth);
    check_attempt(s, n, c);
}
