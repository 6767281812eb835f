/* test/simulate/check_object.c - may this write be, for what the object is and what goes on around it? Judged
 * by the truth, the policy in force and the journal. */
#include <string.h>

#include "test/simulate/sim.h"

#define DAY_MS (24 * HOUR_MS)
#define SHARED_WITHIN_MS (5 * MINUTE_MS)

/* ---- windows and brakes ---- */

static bool in_window(const struct sim *s)
{
    int minute = (int)(heald_wall(s) % DAY_MS / MINUTE_MS);
    return s->window_from < s->window_to && minute >= s->window_from && minute < s->window_to;
}

static void check_windows(struct sim *s, const struct intent *n, const struct course *c,
                          const struct environment *env, const struct truth *t)
{
    bool closed = env->freeze.len || env->maintenance.len;
    check(s, CHECK_WINDOW, !closed || !in_window(s), "%s: %s is frozen or in maintenance", c->id, env->name);
    check(s, CHECK_WINDOW, n->undo || !env->brakes_len || !t->braked, "%s: a brake of %s holds", c->id,
          env->name);
}

/* ---- pods ---- */

/* Of the object's pods, so many are taken away at once. */
static int32_t taken(const struct intent *n, const struct truth *t)
{
    if (n->proof == PROOF_POD_GONE)
        return 1;
    return n->proof == PROOF_REPLICAS && n->replicas < t->desired ? t->desired - n->replicas : 0;
}

static void check_pods(struct sim *s, const struct intent *n, const struct course *c,
                       const struct environment *env, const struct truth *t)
{
    int32_t gone = taken(n, t), left = t->desired - gone;
    check(s, CHECK_BLAST, gone <= 1 || 100 * (int64_t)gone <= t->desired * env->blast_percent,
          "%s: %s takes %d of %d pods at once, %lld %% are allowed", c->id, n->action, (int)gone,
          (int)t->desired, (long long)env->blast_percent);
    if (gone == 0 || t->ready < t->desired) /* those that are not ready go first */
        return;
    check(s, CHECK_AVAILABLE, left > 0 || env->downtime, "%s: %s leaves nothing running", c->id, n->action);
    check(s, CHECK_AVAILABLE, 100 * (int64_t)left >= t->desired * env->min_available_percent,
          "%s: %s leaves %d of %d pods, %lld %% are wanted", c->id, n->action, (int)left, (int)t->desired,
          (long long)env->min_available_percent);
    check(s, CHECK_AVAILABLE, n->proof != PROOF_POD_GONE || !t->kept_up,
          "%s: a PodDisruptionBudget allows no disruption", c->id);
}

/* ---- what others tell of it ---- */

static void check_explained(struct sim *s, const struct course *c)
{
    const struct rule *rule = policy_rule(s->p, c->rule);
    for (const struct known *a = s->model->alerts; rule && rule->explained_by_len && a; a = a->hh.next)
        check(s, CHECK_EXPLAINED,
              a->status != ALERT_FIRING || strcmp(a->incident, c->id) == 0 ||
                  strcmp(a->alertname, "Slow") != 0 || strcmp(a->namespace, c->target.namespace) != 0,
              "%s: Slow fires in %s, which explains it", c->id, a->namespace);
}

/* Did this workload come into trouble before, within the same span? */
static bool counted(const struct model *m, size_t from, size_t at)
{
    for (size_t k = from; k < at; k++)
        if (strcmp(m->arrived[k].name, m->arrived[at].name) == 0)
            return true;
    return false;
}

static bool proven_now(const struct sim *s, const struct truth *t)
{
    for (size_t k = s->model->proved_len; k-- > 0;)
        if (strcmp(s->model->proved[k].uid, t->uid) == 0)
            return strcmp(s->model->proved[k].hash, t->hash) == 0;
    return false;
}

static void check_shared(struct sim *s, const struct intent *n, const struct course *c,
                         const struct environment *env, const struct truth *t)
{
    const struct model *m = s->model;
    bool guess = n->proof == PROOF_RESTARTED_AT || n->proof == PROOF_POD_GONE;
    size_t from = 0;
    int64_t others = 0;
    if (!guess || c->by_hand || c->writes || !proven_now(s, t))
        return;
    while (from < m->arrived_len && m->arrived[from].at_ms < c->opened_ms - SHARED_WITHIN_MS)
        from++;
    for (size_t k = from; k < m->arrived_len && m->arrived[k].at_ms <= c->opened_ms + SHARED_WITHIN_MS; k++)
        others +=
            !m->arrived[k].changed && strcmp(m->arrived[k].name, c->target.name) != 0 && !counted(m, from, k);
    check(s, CHECK_SHARED, others + 1 < env->shared_cause,
          "%s: %s, and %lld other workloads came into trouble around it", c->id, n->action,
          (long long)others);
}

void check_object(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    if (!env)
        return;
    check_windows(s, n, c, env, t);
    if (n->undo)
        return;
    check_pods(s, n, c, env, t);
    if (!c->by_hand)
        check_explained(s, c);
    check_shared(s, n, c, env, t);
}
