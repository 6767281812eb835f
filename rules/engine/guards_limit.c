/* Guards that count: one at a time, not too soon, not too often. */
#include "rules/engine/guards_internal.h"

#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"

enum guard_answer guard_lock(const struct guard_input *in, struct refusal *r)
{
    for (const struct incident *j = in->g->busy; j; j = j->busy_next)
        if (j != in->i && target_same(&j->target, in->target))
            return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                                "incident %s of rule \"%s\" is working on the same target", j->id, j->rule);
    return GUARD_PASS;
}

enum guard_answer guard_cooldown(const struct guard_input *in, struct refusal *r)
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
            return guard_refuse(r, GUARD_LATER, until, "cooldown: heald wrote to the target less than %s ago",
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

enum guard_answer guard_attempts(const struct guard_input *in, struct refusal *r)
{
    int64_t n = attempts_made(in);
    char text[DURATION_TEXT_SIZE];
    if (n >= in->rule->attempts)
        return guard_refuse(
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

enum guard_answer guard_budget(const struct guard_input *in, struct refusal *r)
{
    char text[DURATION_TEXT_SIZE];
    int64_t until =
        window_full_until(in, target_hash(in->target), 0, WORKLOAD_BUDGET_ACTIONS, WORKLOAD_BUDGET_PER_MS);
    if (until)
        return guard_refuse(r, GUARD_LATER, until, "budget: %d actions per %s for one workload are used up",
                            WORKLOAD_BUDGET_ACTIONS, duration_format(text, WORKLOAD_BUDGET_PER_MS));
    uint64_t environment = name_hash(in->environment->name);
    for (size_t k = 0; k < in->environment->budgets_len; k++) {
        const struct budget_limit *b = &in->environment->budgets[k];
        until = b->actions == INT64_MAX ? 0 : window_full_until(in, 0, environment, b->actions, b->per_ms);
        if (until)
            return guard_refuse(
                r, GUARD_LATER, until, "budget: %lld actions per %s for environment \"%s\" are used up",
                (long long)b->actions, duration_format(text, b->per_ms), in->environment->name);
    }
    return GUARD_PASS;
}

enum guard_answer guard_running(const struct guard_input *in, struct refusal *r)
{
    int running = 0;
    for (const struct incident *j = in->g->busy; j; j = j->busy_next)
        running += j != in->i && (j->state == STATE_ACTING || j->state == STATE_VERIFYING) &&
                   strcmp(j->environment, in->environment->name) == 0;
    if (running >= ENVIRONMENT_RUNNING_MAX)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "%d disruptive steps are running in environment \"%s\", the most at one time",
                            running, in->environment->name);
    return GUARD_PASS;
}
