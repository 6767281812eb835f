/* test/simulate/check_limits.c - may this write be, for what was done and happened before? Judged by the
 * journal and the policy in force. */
#include <string.h>

#include "test/simulate/sim.h"

/* ---- what was spent ---- */

static bool own(const struct spent *x, const struct intent *n)
{
    return strcmp(x->incident, n->incident) == 0;
}

/* The same attempt is decided again: it gives back what it had. */
static bool given_back(const struct spent *x, const struct intent *n)
{
    return n->write > 1 && own(x, n) && x->undo == n->undo && x->attempt == n->attempt &&
           strcmp(x->step, n->step) == 0;
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
    for (size_t k = 0; env && k < env->workload_budgets_len; k++) {
        const struct budget_limit *b = &env->workload_budgets[k];
        int64_t spent = spent_within(s, n, true, now_ms - b->per_ms);
        check(s, CHECK_BUDGET, spent < b->actions, "%s: %lld actions on %s within %lld s", c->id,
              (long long)spent, n->target.name, (long long)b->per_ms / 1000);
    }
    for (size_t k = 0; env && k < env->budgets_len; k++) {
        const struct budget_limit *b = &env->budgets[k];
        if (b->actions == INT64_MAX)
            continue;
        int64_t spent = spent_within(s, n, false, now_ms - b->per_ms);
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

/* ---- many at once ---- */

/* When incidents came too fast the last time; 0: never. */
static int64_t storm_was(const struct sim *s, const struct environment *env)
{
    int64_t last_ms = 0;
    for (size_t end = 0; end < s->model->arrived_len; end++) {
        const struct arrived *x = &s->model->arrived[end];
        int64_t n = 0;
        if (strcmp(x->environment, env->name) != 0)
            continue;
        for (size_t k = 0; k <= end; k++)
            n += strcmp(s->model->arrived[k].environment, env->name) == 0 &&
                 s->model->arrived[k].at_ms > x->at_ms - env->storm.per_ms;
        last_ms = n >= env->storm.incidents ? x->at_ms : last_ms;
    }
    return last_ms;
}

static void check_storm(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    if (!env || env->storm.incidents == INT64_MAX || c->wrote)
        return;
    int64_t was_ms = storm_was(s, env), open_ms = was_ms + env->storm.hold_ms, begun = 0;
    check(s, CHECK_STORM, !was_ms || now_ms >= open_ms, "%s: a storm in %s was %lld s ago", c->id, env->name,
          (long long)(now_ms - was_ms) / 1000);
    int64_t slot = was_ms ? (now_ms - open_ms) / env->storm.per_ms : 10;
    if (slot >= 10)
        return;
    for (size_t k = 0; k < s->model->spent_len; k++) {
        const struct spent *x = &s->model->spent[k];
        begun += strcmp(x->environment, env->name) == 0 && x->at_ms >= open_ms + slot * env->storm.per_ms &&
                 !given_back(x, n);
    }
    check(s, CHECK_STORM, begun < 1ll << slot, "%s: %lld steps were begun in %s in window %lld after a storm",
          c->id, (long long)begun, env->name, (long long)slot);
}

static void check_breaker(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    const struct failing *x = model_failing(s->model, n->environment, n->action);
    if (!env || !x || x->failures < env->breaker.failures)
        return;
    check(s, CHECK_BREAKER, now_ms >= x->last_ms + env->breaker.open_ms,
          "%s: %s failed %lld times in a row in %s", c->id, n->action, (long long)x->failures, env->name);
    for (const struct course *o = s->model->courses; o; o = o->hh.next)
        check(s, CHECK_BREAKER,
              o == c || (o->state != COURSE_ACTING && o->state != COURSE_VERIFYING) || !o->writes ||
                  strcmp(o->environment, n->environment) != 0 ||
                  strcmp(o->writes->intent.action, n->action) != 0,
              "%s: %s is tried by %s already", c->id, n->action, o->id);
}

static bool circle(const struct sim *s, const struct course *o, const struct intent *n)
{
    return policy_depends(policy_environment(s->p, &o->target), policy_rule(s->p, o->rule), &o->target,
                          &n->target);
}

static void check_depends(struct sim *s, const struct intent *n, const struct course *c)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    const struct rule *rule = policy_rule(s->p, c->rule);
    for (const struct course *o = s->model->courses; o; o = o->hh.next) {
        bool troubled = o != c && o->state != COURSE_CLOSED && o->resolved && !o->fixed && !o->ending;
        if (troubled && policy_depends(env, rule, &n->target, &o->target))
            check(s, CHECK_DEPENDS, circle(s, o, n) && c->opened_ms <= o->opened_ms,
                  "%s: %s depends on %s, of which %s is open", c->id, n->target.name, o->target.name, o->id);
    }
}

void check_limits(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms)
{
    const struct rule *rule = policy_rule(s->p, c->rule);
    check_others(s, n, c);
    if (n->undo)
        return;
    check_returned(s, n, c, now_ms);
    check_budgets(s, n, c, now_ms);
    check_storm(s, n, c, now_ms);
    check_breaker(s, n, c, now_ms);
    check_depends(s, n, c);
    if (rule && !c->by_hand && !c->wrote)
        check(s, CHECK_COOLDOWN, now_ms >= c->opened_ms + rule->hold_off_ms, "%s: it was to be held off",
              c->id);
}
