/* Guards that count: one at a time, not too soon, not too often. */
#include "rules/engine/guards_internal.h"
#include "rules/engine/turns.h"

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

enum guard_answer guard_hold_off(const struct guard_input *in, struct refusal *r)
{
    char text[DURATION_TEXT_SIZE];
    int64_t until = in->i->opened_ms + in->rule->hold_off_ms;
    if (in->i->by_hand || in->i->writes > 0 || in->now_ms >= until)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_LATER, until, "held off for %s, whether it clears by itself",
                        duration_format(text, in->rule->hold_off_ms));
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
            r, GUARD_PERSON, 0,
            "attempts: %lld incidents of this rule were acted on for the target within %s, and it came back",
            (long long)n, duration_format(text, in->rule->attempts_per_ms));
    return GUARD_PASS;
}

/* What a budget counts: spends with this value of one member; 0: not looked at. */
struct counted {
    uint64_t rule, environment, target;
};

static bool counts(const struct counted *c, const struct spend *s)
{
    return (!c->rule || s->rule == c->rule) && (!c->environment || s->environment == c->environment) &&
           (!c->target || s->target == c->target);
}

/* When a window of the budget has room again; 0: now. An attempt that is decided again gives back what it had
 * taken. */
static int64_t full_until(const struct guard_input *in, const struct counted *c, const struct budget_limit *b)
{
    uint64_t own = decided_again(in) ? name_hash(in->i->id) : 0;
    int64_t n = 0;
    for (size_t k = b->actions == INT64_MAX ? 0 : in->g->spends_len; k-- > 0;) {
        const struct spend *s = &in->g->spends[k];
        if (s->at_ms + b->per_ms <= in->now_ms)
            return 0;
        if (own && s->incident == own) {
            own = 0;
            continue;
        }
        if (counts(c, s) && ++n >= b->actions)
            return s->at_ms + b->per_ms;
    }
    return 0;
}

static enum guard_answer judge_budgets(const struct guard_input *in, const struct counted *c,
                                       const struct budget_limit *budgets, size_t len, const char *whose,
                                       struct refusal *r)
{
    char text[DURATION_TEXT_SIZE];
    for (size_t k = 0; k < len; k++) {
        int64_t until = full_until(in, c, &budgets[k]);
        if (until)
            return guard_refuse(r, GUARD_LATER, until, "budget: %lld actions per %s for %s are used up",
                                (long long)budgets[k].actions, duration_format(text, budgets[k].per_ms),
                                whose);
    }
    return GUARD_PASS;
}

enum guard_answer guard_budget(const struct guard_input *in, struct refusal *r)
{
    const struct environment *env = in->environment;
    char whose[ENVIRONMENT_NAME_SIZE + 32];
    struct counted workload = { .target = target_hash(in->target) };
    enum guard_answer a =
        judge_budgets(in, &workload, env->workload_budgets, env->workload_budgets_len, "one workload", r);
    if (a != GUARD_PASS)
        return a;
    struct counted rule = { .rule = name_hash(in->i->rule) };
    snprintf(whose, sizeof whose, "rule \"%.72s\"", in->i->rule);
    a = judge_budgets(in, &rule, in->rule->budgets, in->rule->budgets_len, whose, r);
    if (a != GUARD_PASS)
        return a;
    struct counted environment = { .environment = name_hash(env->name) };
    snprintf(whose, sizeof whose, "environment \"%.72s\"", env->name);
    return judge_budgets(in, &environment, env->budgets, env->budgets_len, whose, r);
}

/* ---- turns ---- */

/* Room for it now at a site, those whose turn comes first counted in? A place in the queue is bounded. `what`
 * says where. */
static enum guard_answer judge_turns(const struct guard_input *in, enum site_kind kind, uint64_t name,
                                     int64_t most, const char *what, struct refusal *r)
{
    bool queued = incident_queued(in->i);
    int32_t urgency = queued ? in->i->urgency : incident_urgency(in->p, in->i);
    if (most == INT64_MAX)
        return GUARD_PASS;
    struct turns t = turns_at(in->g, kind, name, in->i, urgency, most);
    int64_t ahead = in->i->writes > 0 ? 0 : t.ahead; /* what has begun is brought to its end first */
    if (t.acting + ahead < most)
        return GUARD_PASS;
    if (t.waiting >= QUEUE_MAX && in->i->waits_at != kind)
        return guard_refuse(r, GUARD_PERSON, 0,
                            "%lld incidents wait for their turn in %s already, the most there may be",
                            (long long)t.waiting, what);
    r->site = kind;
    if (t.acting >= most)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "%lld disruptive steps are running in %s, the most at one time",
                            (long long)t.acting, what);
    return guard_refuse(
        r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
        "%lld of %lld disruptive steps are running in %s, and %lld incidents or more that wait come first",
        (long long)t.acting, (long long)most, what, (long long)ahead);
}

enum guard_answer guard_running(const struct guard_input *in, struct refusal *r)
{
    char what[ENVIRONMENT_NAME_SIZE + 32];
    snprintf(what, sizeof what, "environment \"%.72s\"", in->environment->name);
    enum guard_answer a = judge_turns(in, SITE_ENVIRONMENT, name_hash(in->environment->name),
                                      in->environment->running, what, r);
    if (a == GUARD_PASS && in->rule->targets_len > 1)
        a = judge_turns(in, SITE_ALERT, turns_of_alert(in->i), in->rule->targets_at_once,
                        "the targets of this alert", r);
    if (a != GUARD_PASS || !in->i->rule[0])
        return a;
    snprintf(what, sizeof what, "rule \"%.72s\"", in->i->rule);
    return judge_turns(in, SITE_RULE, name_hash(in->i->rule), in->rule->running, what, r);
}

enum guard_answer guard_bulkhead(const struct guard_input *in, struct refusal *r)
{
    char what[CLUSTER_NAME_SIZE + 32];
    snprintf(what, sizeof what, "cluster \"%.72s\"", in->target->cluster);
    enum guard_answer a =
        judge_turns(in, SITE_CLUSTER, name_hash(in->target->cluster), BULKHEAD_CLUSTER_MAX, what, r);
    return a != GUARD_PASS ? a : judge_turns(in, SITE_ALL, 0, BULKHEAD_MAX, "all clusters", r);
}
