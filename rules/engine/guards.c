#include "rules/engine/guards.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"

#define LATER_POLL_MS 5000
#define ROLLOUT_POLL_MS 15000

static enum guard_answer refuse(struct refusal *r, enum guard_answer answer, int64_t again_ms,
                                const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static enum guard_answer refuse(struct refusal *r, enum guard_answer answer, int64_t again_ms,
                                const char *fmt, ...)
{
    char text[2 * FACT_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_copy(r->reason, sizeof r->reason, text);
    r->again_ms = again_ms;
    return answer;
}

bool decided_again(const struct guard_input *in)
{
    return intent_open(in->i) && !in->i->intent.undo == !in->undo &&
           strcmp(in->i->intent.step, in->path) == 0;
}

bool intent_open(const struct incident *i)
{
    return i->intent.write > 0 && i->write != WRITE_DONE && i->write != WRITE_FAILED;
}

static bool any_fixed(const struct progress *p)
{
    for (size_t k = 0; k < TREE_MAX; k++)
        if (p->result[k] == RESULT_FIXED)
            return true;
    return false;
}

bool was_fixed(const struct guard_input *in)
{
    return any_fixed(in->progress);
}

bool incident_was_fixed(const struct incident *i)
{
    return any_fixed(&i->progress);
}

bool heald_wrote(const struct workload *w, const struct observation *o)
{
    if (!w)
        return false;
    if (w->template_hash[0])
        return strcmp(w->template_hash, o->template_hash) == 0;
    return w->restarted_at[0] && strcmp(w->restarted_at, o->restarted_at) == 0;
}

/* ---- one guard each, in the order of the table below ---- */

static enum guard_answer guard_fresh(const struct guard_input *in, struct refusal *r)
{
    int64_t age_ms =
        in->wall_ms - in->o->at_ms; /* the wall clock may have jumped: then the question's own age tells */
    int64_t asked_ms = in->now_ms - in->i->asked_ms;
    age_ms = age_ms >= 0 && age_ms < asked_ms ? age_ms : asked_ms;
    if (age_ms <= OBSERVE_FRESH_MS || in->mode != MODE_ACT)
        return GUARD_PASS;
    return refuse(r, GUARD_LATER, in->now_ms + OBSERVE_BACKOFF_MIN_MS,
                  "the observation was %lld ms old when it came, more than %d", (long long)age_ms,
                  OBSERVE_FRESH_MS);
}

static enum guard_answer guard_kill_switch(const struct guard_input *in, struct refusal *r)
{
    if (!in->g->paused || in->mode != MODE_ACT)
        return GUARD_PASS;
    return refuse(r, GUARD_LATER, 0, "heald is paused by %s: %s; resume with \"heald resume\"",
                  in->g->paused_who, in->g->paused_reason);
}

static enum guard_answer guard_rule(const struct guard_input *in, struct refusal *r)
{
    if (in->rule)
        return GUARD_PASS;
    return refuse(r, GUARD_NEVER, 0, "rule \"%s\" is not in the policy any more", in->i->rule);
}

static enum guard_answer guard_ignore(const struct guard_input *in, struct refusal *r)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    if (map_set(&labels, "cluster", in->target->cluster, NULL) != ERR_OK ||
        map_set(&labels, "namespace", in->target->namespace, NULL) != ERR_OK ||
        map_set(&labels, "kind", in->target->kind, NULL) != ERR_OK ||
        map_set(&labels, "name", in->target->name, NULL) != ERR_OK) {
        *in->nomem = true;
        return refuse(r, GUARD_LATER, in->now_ms, "no memory to look at the ignore patterns");
    }
    int pattern = policy_ignored(in->p, &labels);
    if (pattern >= 0)
        return refuse(r, GUARD_NEVER, 0, "ignore pattern %d of the policy covers the target", pattern + 1);
    if (in->o->ignored)
        return refuse(r, GUARD_NEVER, 0, "the object or its namespace says heald.dev/ignore: \"true\"");
    return GUARD_PASS;
}

static enum guard_answer guard_source(const struct guard_input *in, struct refusal *r)
{
    const struct source *s = policy_source(in->p, in->i->source);
    char why[FACT_TEXT_SIZE];
    if (!s)
        return refuse(r, GUARD_NEVER, 0, "source \"%s\" is not configured any more", in->i->source);
    if (!source_may(s, in->target, why, sizeof why))
        return refuse(r, GUARD_NEVER, 0, "%s", why);
    return GUARD_PASS;
}

static enum guard_answer guard_object(const struct guard_input *in, struct refusal *r)
{
    if (in->o->terminating)
        return refuse(r, GUARD_NEVER, 0, "the object is being deleted");
    if (in->o->desired == 0)
        return refuse(r, GUARD_NEVER, 0, "the workload is scaled to 0: nothing could be verified");
    return GUARD_PASS;
}

static enum guard_answer guard_ownership(const struct guard_input *in, struct refusal *r)
{
    enum action_proof proof = in->node->action->proof;
    if (!in->o->owner[0] || proof == PROOF_RESTARTED_AT || proof == PROOF_POD_GONE)
        return GUARD_PASS;
    return refuse(r, GUARD_STEP, 0, "%s owns the object and would put its own state back: change it there",
                  in->o->owner);
}

static enum guard_answer guard_rollout(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (in->environment->own_rollouts || o->rollout_complete || o->deadline_exceeded ||
        heald_wrote(workload_find(in->g, in->target->uid), o) ||
        (in->i->writes > 0 && strcmp(in->i->left_hash, o->template_hash) == 0)) /* it is heald's own */
        return GUARD_PASS;
    int64_t ran_ms = o->template_since_ms ? wall_span(in->g, o->template_since_ms, in->wall_ms)
                                          : in->now_ms - in->i->opened_ms;
    int64_t left_ms = (int64_t)o->progress_deadline_seconds * 1000 - ran_ms;
    if (left_ms <= 0)
        return GUARD_PASS;
    /* it may be complete, or another one, before that */
    return refuse(r, GUARD_LATER, in->now_ms + (left_ms < ROLLOUT_POLL_MS ? left_ms : ROLLOUT_POLL_MS),
                  "somebody's rollout is under way until its progress deadline of %d s; own_rollouts = true "
                  "in the environment would let heald act",
                  (int)o->progress_deadline_seconds);
}

static enum guard_answer guard_still_firing(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (!in->p->prometheus || in->i->ending || was_fixed(in))
        return GUARD_PASS;
    if (o->alert != ALERT_STATE_FIRING)
        return refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                      "Prometheus does not say that the alert fires for the target: %s", o->alert_text);
    if (!o->fault)
        return refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                      "the cluster's own status shows no fault of the target");
    return GUARD_PASS;
}

static enum guard_answer guard_lock(const struct guard_input *in, struct refusal *r)
{
    for (const struct incident *j = in->g->busy; j; j = j->busy_next)
        if (j != in->i && target_same(&j->target, in->target))
            return refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                          "incident %s of rule \"%s\" is working on the same target", j->id, j->rule);
    return GUARD_PASS;
}

static enum guard_answer guard_cooldown(const struct guard_input *in, struct refusal *r)
{
    uint64_t target = target_hash(in->target), incident = name_hash(in->i->id);
    char text[DURATION_TEXT_SIZE];
    if (in->rule->cooldown_ms == INT64_MAX)
        return GUARD_PASS;
    for (size_t k = in->g->spends_len; k-- > 0;) {
        const struct spend *s = &in->g->spends[k];
        int64_t until = s->at_ms + in->rule->cooldown_ms;
        if (until <= in->now_ms)
            return GUARD_PASS;
        if (s->incident != incident && s->target == target)
            return refuse(r, GUARD_LATER, until, "cooldown: heald wrote to the target less than %s ago",
                          duration_format(text, in->rule->cooldown_ms));
    }
    return GUARD_PASS;
}

int64_t attempts_made(const struct guard_input *in)
{
    uint64_t target = target_hash(in->target), rule = name_hash(in->i->rule);
    uint64_t own = name_hash(in->i->id), last = own;
    int64_t n = 0;
    for (size_t k = in->rule ? in->g->spends_len : 0; k-- > 0;) {
        const struct spend *s = &in->g->spends[k];
        if (s->at_ms + in->rule->attempts_per_ms <= in->now_ms)
            break;
        if (s->incident == own || s->incident == last || s->rule != rule || s->target != target)
            continue;
        last = s->incident;
        n++;
    }
    return n;
}

static enum guard_answer guard_attempts(const struct guard_input *in, struct refusal *r)
{
    int64_t n = attempts_made(in);
    char text[DURATION_TEXT_SIZE];
    if (n >= in->rule->attempts)
        return refuse(
            r, GUARD_NEVER, 0,
            "attempts: %lld incidents of this rule were acted on for the target within %s, and it came back",
            (long long)n, duration_format(text, in->rule->attempts_per_ms));
    return GUARD_PASS;
}

/* When a window of `limit` in `per_ms` has room again, given the spends of one workload (environment 0) or
 * environment; 0: now. An attempt that is decided again gives back what it had taken. */
static int64_t window_full_until(const struct guard_input *in, uint64_t target, uint64_t environment,
                                 int64_t limit, int64_t per_ms)
{
    uint64_t own = decided_again(in) ? name_hash(in->i->id) : 0;
    int64_t n = 0;
    for (size_t k = in->g->spends_len; k-- > 0;) {
        const struct spend *s = &in->g->spends[k];
        if (s->at_ms + per_ms <= in->now_ms)
            return 0;
        if (own && s->incident == own) {
            own = 0;
            continue;
        }
        bool counts = environment ? s->environment == environment : s->target == target;
        if (counts && ++n >= limit)
            return s->at_ms + per_ms;
    }
    return 0;
}

static enum guard_answer guard_budget(const struct guard_input *in, struct refusal *r)
{
    char text[DURATION_TEXT_SIZE];
    int64_t until =
        window_full_until(in, target_hash(in->target), 0, WORKLOAD_BUDGET_ACTIONS, WORKLOAD_BUDGET_PER_MS);
    if (until)
        return refuse(r, GUARD_LATER, until, "budget: %d actions per %s for one workload are used up",
                      WORKLOAD_BUDGET_ACTIONS, duration_format(text, WORKLOAD_BUDGET_PER_MS));
    uint64_t environment = name_hash(in->environment->name);
    for (size_t k = 0; k < in->environment->budgets_len; k++) {
        const struct budget_limit *b = &in->environment->budgets[k];
        until = b->actions == INT64_MAX ? 0 : window_full_until(in, 0, environment, b->actions, b->per_ms);
        if (until)
            return refuse(r, GUARD_LATER, until,
                          "budget: %lld actions per %s for environment \"%s\" are used up",
                          (long long)b->actions, duration_format(text, b->per_ms), in->environment->name);
    }
    return GUARD_PASS;
}

static enum guard_answer guard_running(const struct guard_input *in, struct refusal *r)
{
    int running = 0;
    for (const struct incident *j = in->g->busy; j; j = j->busy_next)
        running += j != in->i && (j->state == STATE_ACTING || j->state == STATE_VERIFYING) &&
                   strcmp(j->environment, in->environment->name) == 0;
    if (running >= ENVIRONMENT_RUNNING_MAX)
        return refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                      "%d disruptive steps are running in environment \"%s\", the most at one time", running,
                      in->environment->name);
    return GUARD_PASS;
}

static enum guard_answer guard_foreign_write(const struct guard_input *in, struct refusal *r)
{
    if (!in->i->wrote_template || heald_wrote(workload_find(in->g, in->target->uid), in->o))
        return GUARD_PASS;
    return refuse(r, GUARD_NEVER, 0,
                  "somebody else changed the template during the incident: the plan stops here");
}

static const struct {
    const char *name;
    enum guard_answer (*judge)(const struct guard_input *in, struct refusal *r);
    bool undo; /* judged also when a step is only put back */
} guards[] = {
    { "observation", guard_fresh, true },
    { "rule", guard_rule, false },
    { "ignore", guard_ignore, true },
    { "source", guard_source, true },
    { "object", guard_object, true },
    { "foreign_write", guard_foreign_write, true },
    { "kill_switch", guard_kill_switch, true },
    { "ownership", guard_ownership, true },
    { "rollout", guard_rollout, false },
    { "still_firing", guard_still_firing, false },
    { "lock", guard_lock, true },
    { "cooldown", guard_cooldown, false },
    { "attempts", guard_attempts, false },
    { "budget", guard_budget, false },
    { "running", guard_running, false },
};

enum guard_answer guards_judge(const struct guard_input *in, struct refusal *ret)
{
    for (size_t k = 0; k < sizeof guards / sizeof guards[0]; k++) {
        if (in->undo && !guards[k].undo)
            continue;
        enum guard_answer a = guards[k].judge(in, ret);
        if (a != GUARD_PASS) {
            ret->guard = guards[k].name;
            return a;
        }
    }
    return GUARD_PASS;
}
