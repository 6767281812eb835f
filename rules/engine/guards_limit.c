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

static bool acts(const struct incident *j)
{
    return j->state == STATE_ACTING || j->state == STATE_VERIFYING;
}

static bool queued(const struct incident *j)
{
    return j->state == STATE_WAITING &&
           (strcmp(j->guard, "running") == 0 || strcmp(j->guard, "bulkhead") == 0);
}

/* The worse, the smaller. */
static int severity(const struct policy *p, const struct incident *j)
{
    static const char *const words[] = { "critical", "error", "warning", "info" };
    const struct rule *rule = policy_rule(p, j->rule);
    const char *said = rule && rule->severity ? rule->severity : map_get(&j->labels, "severity");
    for (int k = 0; said && k < (int)(sizeof words / sizeof words[0]); k++)
        if (strcmp(said, words[k]) == 0)
            return k;
    return 2;
}

/* Is j's turn before i's? By severity, which i's is given of, then in the order in which they came. */
static bool before(const struct policy *p, const struct incident *j, const struct incident *i, int severity_i)
{
    int severity_j = severity(p, j);
    if (severity_j != severity_i)
        return severity_j < severity_i;
    if (j->opened_ms != i->opened_ms)
        return j->opened_ms < i->opened_ms;
    return j->target_index != i->target_index ? j->target_index < i->target_index : strcmp(j->id, i->id) < 0;
}

struct turns { /* others that are at work, and whose turn comes before this one's */
    int64_t acting, ahead, waiting;
};

/* Among those that `same` says belong together with this incident. */
static struct turns count_turns(const struct guard_input *in,
                                bool (*same)(const struct guard_input *in, const struct incident *j))
{
    struct turns t = { .acting = 0 };
    int own = severity(in->p, in->i);
    for (const struct incident *j = in->g->busy; j; j = j->busy_next)
        t.acting += j != in->i && acts(j) && same(in, j);
    for (const struct incident *j = in->g->open; j; j = j->next) {
        if (j == in->i || !queued(j) || !same(in, j))
            continue;
        t.waiting++;
        t.ahead += before(in->p, j, in->i, own);
    }
    return t;
}

static bool same_environment(const struct guard_input *in, const struct incident *j)
{
    return strcmp(j->environment, in->environment->name) == 0;
}

static bool same_rule(const struct guard_input *in, const struct incident *j)
{
    return in->i->rule[0] && strcmp(j->rule, in->i->rule) == 0;
}

static bool same_cluster(const struct guard_input *in, const struct incident *j)
{
    return strcmp(j->target.cluster, in->target->cluster) == 0;
}

static bool any_place(const struct guard_input *in, const struct incident *j)
{
    return in->i != j;
}

/* Room for it now, those whose turn comes first counted in? A place in the queue is bounded. `what` says
 * where. */
static enum guard_answer judge_turns(const struct guard_input *in, struct turns t, int64_t most,
                                     const char *what, struct refusal *r)
{
    int64_t ahead = in->i->writes > 0 ? 0 : t.ahead; /* what has begun is brought to its end first */
    if (most == INT64_MAX || t.acting + ahead < most)
        return GUARD_PASS;
    if (t.waiting >= QUEUE_MAX && !queued(in->i))
        return guard_refuse(r, GUARD_PERSON, 0,
                            "%lld incidents wait for their turn in %s already, the most there may be",
                            (long long)t.waiting, what);
    if (t.acting >= most)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "%lld disruptive steps are running in %s, the most at one time",
                            (long long)t.acting, what);
    return guard_refuse(
        r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
        "%lld of %lld disruptive steps are running in %s, and %lld incidents that wait come first",
        (long long)t.acting, (long long)most, what, (long long)ahead);
}

/* Of the incidents that one alert opened, so many are worked on at one time. */
static bool same_alert(const struct guard_input *in, const struct incident *j)
{
    const struct incident *own = in->i->leader ? in->i->leader : in->i;
    return strcmp(j->rule, in->i->rule) == 0 && (j == own || j->leader == own);
}

enum guard_answer guard_running(const struct guard_input *in, struct refusal *r)
{
    char what[ENVIRONMENT_NAME_SIZE + 32];
    snprintf(what, sizeof what, "environment \"%.72s\"", in->environment->name);
    enum guard_answer a =
        judge_turns(in, count_turns(in, same_environment), in->environment->running, what, r);
    if (a == GUARD_PASS && in->rule->targets_len > 1)
        a = judge_turns(in, count_turns(in, same_alert), in->rule->targets_at_once,
                        "the targets of this alert", r);
    if (a != GUARD_PASS || in->rule->running == INT64_MAX)
        return a;
    snprintf(what, sizeof what, "rule \"%.72s\"", in->i->rule);
    return judge_turns(in, count_turns(in, same_rule), in->rule->running, what, r);
}

enum guard_answer guard_bulkhead(const struct guard_input *in, struct refusal *r)
{
    char what[CLUSTER_NAME_SIZE + 32];
    snprintf(what, sizeof what, "cluster \"%.72s\"", in->target->cluster);
    enum guard_answer a = judge_turns(in, count_turns(in, same_cluster), BULKHEAD_CLUSTER_MAX, what, r);
    return a != GUARD_PASS ? a : judge_turns(in, count_turns(in, any_place), BULKHEAD_MAX, "all clusters", r);
}
