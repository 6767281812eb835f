/* How many actions may start in a sliding window: of a workload, a namespace, a rule, a team, of an action in
 * its environment, and of the environment. All are counted in the writes that are remembered (struct spend).
 */
#include "rules/engine/guards_internal.h"

#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"

/* What a budget counts: spends with this value of one member; 0: not looked at. */
struct counted {
    uint64_t target, namespace, rule, team, action, environment;
};

struct budget {
    const struct budget_limit *limits;
    size_t len;
    struct counted of;
    const char *kind, *name; /* for people; name "": it has none */
};
#define BUDGETS 6

static bool counts(const struct counted *c, const struct spend *s)
{
    return (!c->target || s->target == c->target) && (!c->namespace || s->namespace == c->namespace) &&
           (!c->rule || s->rule == c->rule) && (!c->team || s->team == c->team) &&
           (!c->action || s->action == c->action) && (!c->environment || s->environment == c->environment);
}

/* Everything that is counted for this step. What has no name (a rule, of what was begun by hand) has no
 * limits. */
static void budgets_of(const struct guard_input *in, struct budget ret[BUDGETS])
{
    const struct environment *env = in->environment;
    const struct team *team = in->rule->team;
    const char *action = in->node->action->name, *rule = in->i->rule;
    uint64_t here = name_hash(env->name);
    const struct budget all[BUDGETS] = {
        { env->workload_budgets,
          env->workload_budgets_len,
          { .target = target_hash(in->target) },
          "one workload",
          "" },
        { env->namespace_budgets,
          env->namespace_budgets_len,
          { .namespace = namespace_hash(in->target) },
          "namespace",
          in->target->namespace },
        { in->rule->budgets, in->rule->budgets_len, { .rule = name_hash(rule) }, "rule", rule },
        { team ? team->team_budgets : NULL,
          team ? team->team_budgets_len : 0,
          { .team = team ? name_hash(team->name) : 0 },
          "team",
          team ? team->name : "" },
        { env->action_budgets,
          env->action_budgets_len,
          { .action = name_hash(action), .environment = here },
          "action",
          action },
        { env->budgets, env->budgets_len, { .environment = here }, "environment", env->name },
    };
    memcpy(ret, all, sizeof all);
}

/* How many were spent in the window that ends now; *ret_until: when there is room again, 0: there is. An
 * attempt that is decided again gives back what it had taken. */
static int64_t spent(const struct guard_input *in, const struct counted *c, const struct budget_limit *b,
                     int64_t *ret_until)
{
    uint64_t own = decided_again(in) ? name_hash(in->i->id) : 0;
    int64_t n = 0;
    *ret_until = 0;
    for (size_t k = in->g->spends_len; k-- > 0;) {
        const struct spend *s = &in->g->spends[k];
        if (s->at_ms + b->per_ms <= in->now_ms)
            break;
        if (own && s->incident == own) {
            own = 0;
            continue;
        }
        if (counts(c, s) && ++n == b->actions)
            *ret_until = s->at_ms + b->per_ms;
    }
    return n;
}

static void whose(char ret[FACT_TEXT_SIZE], const struct budget *b)
{
    if (b->name[0])
        snprintf(ret, FACT_TEXT_SIZE, "%s \"%.72s\"", b->kind, b->name);
    else
        snprintf(ret, FACT_TEXT_SIZE, "%s", b->kind);
}

/* What is used of a budget that has room, behind what stands there: "1 of 3 per 1h for one workload". */
static void add_used(struct refusal *r, const struct budget *b, const struct budget_limit *limit,
                     int64_t used)
{
    char per[DURATION_TEXT_SIZE], of[FACT_TEXT_SIZE], before[FACT_TEXT_SIZE];
    whose(of, b);
    memcpy(before, r->reason, sizeof before);
    guard_refuse(r, GUARD_PASS, 0, "%s%s%lld of %lld per %s for %s", before, before[0] ? ", " : "",
                 (long long)used, (long long)limit->actions, duration_format(per, limit->per_ms), of);
}

static enum guard_answer judge_budget(const struct guard_input *in, const struct budget *b, struct refusal *r)
{
    char per[DURATION_TEXT_SIZE], of[FACT_TEXT_SIZE];
    for (size_t k = 0; k < b->len; k++) {
        int64_t until, used;
        if (b->limits[k].actions == INT64_MAX)
            continue;
        used = spent(in, &b->of, &b->limits[k], &until);
        whose(of, b);
        if (until)
            return guard_refuse(r, GUARD_LATER, until,
                                "budget: %lld actions per %s for %s are used up: %lld were begun",
                                (long long)b->limits[k].actions, duration_format(per, b->limits[k].per_ms),
                                of, (long long)used);
        if (r->numbers)
            add_used(r, b, &b->limits[k], used);
    }
    return GUARD_PASS;
}

enum guard_answer guard_budget(const struct guard_input *in, struct refusal *r)
{
    struct budget budgets[BUDGETS];
    r->reason[0] = '\0';
    budgets_of(in, budgets);
    for (size_t k = 0; k < BUDGETS; k++) {
        enum guard_answer a = judge_budget(in, &budgets[k], r);
        if (a != GUARD_PASS)
            return a;
    }
    return GUARD_PASS;
}
