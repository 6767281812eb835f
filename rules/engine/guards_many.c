/* Guards that look at many incidents at once: a storm, an action that fails again and again, a cause that
 * several share, what the target depends on. */
#include "rules/engine/guards_internal.h"

#include <string.h>

#include "rules/base/timetext.h"

#define SHARED_WITHIN_MS (5ll * 60 * 1000)
#define STORM_SLOTS_MAX 10 /* after that many windows the brake is off */

/* ---- storm ---- */

/* When incidents of the environment came too fast the last time; 0: never, as far as is remembered. */
static int64_t storm_at(const struct engine *g, uint64_t environment, const struct storm *s)
{
    size_t begin = g->arrivals_len;
    int64_t n = 0;
    if (s->incidents == INT64_MAX)
        return 0;
    for (size_t end = g->arrivals_len;
         end-- > 0;) { /* `end` is the newest of a window, `begin` before its oldest */
        const struct arrival *last = &g->arrivals[end];
        if (end + 1 < g->arrivals_len && g->arrivals[end + 1].environment == environment)
            n--;
        for (; begin > 0 && g->arrivals[begin - 1].at_ms > last->at_ms - s->per_ms; begin--)
            n += g->arrivals[begin - 1].environment == environment;
        if (last->environment == environment && n >= s->incidents)
            return last->at_ms;
    }
    return 0;
}

bool storm_begins(const struct engine *g, const struct environment *env, int64_t now_ms,
                  int64_t *ret_incidents)
{
    uint64_t environment = name_hash(env->name);
    int64_t n = 1; /* the one that comes now */
    if (env->storm.incidents == INT64_MAX)
        return false;
    int64_t before = storm_at(g, environment, &env->storm);
    for (size_t k = g->arrivals_len; k-- > 0 && g->arrivals[k].at_ms > now_ms - env->storm.per_ms;)
        n += g->arrivals[k].environment == environment;
    *ret_incidents = n;
    return n >= env->storm.incidents && (!before || now_ms >= before + env->storm.hold_ms);
}

/* After the hold it opens gradually: 1 write in the first window, then 2, 4, ... */
static enum guard_answer open_gradually(const struct guard_input *in, uint64_t environment, int64_t from_ms,
                                        struct refusal *r)
{
    const struct storm *s = &in->environment->storm;
    int64_t slot = (in->now_ms - from_ms) / s->per_ms, begun = 0;
    if (slot >= STORM_SLOTS_MAX)
        return GUARD_PASS;
    int64_t slot_ms = from_ms + slot * s->per_ms, allowed = INT64_C(1) << slot;
    for (size_t k = in->g->spends_len; k-- > 0 && in->g->spends[k].at_ms >= slot_ms;)
        begun += in->g->spends[k].environment == environment;
    if (begun < allowed)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_LATER, slot_ms + s->per_ms,
                        "after a storm it opens gradually: %lld of %lld steps were begun in this window",
                        (long long)begun, (long long)allowed);
}

enum guard_answer guard_storm(const struct guard_input *in, struct refusal *r)
{
    const struct storm *s = &in->environment->storm;
    uint64_t environment = name_hash(in->environment->name);
    int64_t at_ms = storm_at(in->g, environment, s), n;
    if (!in->i->resolved && storm_begins(in->g, in->environment, in->now_ms, &n))
        at_ms = in->now_ms; /* with this one, which is not remembered yet */
    char per[DURATION_TEXT_SIZE], hold[DURATION_TEXT_SIZE];
    if (!at_ms || in->i->writes > 0)
        return GUARD_PASS; /* what has begun is brought to its end */
    if (in->now_ms >= at_ms + s->hold_ms)
        return open_gradually(in, environment, at_ms + s->hold_ms, r);
    return guard_refuse(
        r, GUARD_LATER, at_ms + s->hold_ms,
        "storm: %lld incidents or more within %s in environment \"%s\"; nothing new is begun for %s",
        (long long)s->incidents, duration_format(per, s->per_ms), in->environment->name,
        duration_format(hold, s->hold_ms));
}

/* ---- breaker ---- */

enum guard_answer guard_breaker(const struct guard_input *in, struct refusal *r)
{
    const struct breaker *limit = &in->environment->breaker;
    const char *action = in->node->action->name;
    const struct broken *b = broken_find(in->g, in->environment->name, action);
    char text[DURATION_TEXT_SIZE];
    if (!b || b->failures < limit->failures)
        return GUARD_PASS;
    if (in->now_ms < b->last_ms + limit->open_ms)
        return guard_refuse(
            r, GUARD_LATER, b->last_ms + limit->open_ms,
            "breaker: \"%s\" did not help %lld times in a row in environment \"%s\"; it is left alone for %s",
            action, (long long)b->failures, in->environment->name, duration_format(text, limit->open_ms));
    for (const struct incident *j = in->g->busy; j; j = j->busy_next) /* half-open: one tries it */
        if (j != in->i && (j->state == STATE_ACTING || j->state == STATE_VERIFYING) &&
            strcmp(j->environment, in->environment->name) == 0 && strcmp(j->intent.action, action) == 0)
            return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                                "breaker: incident %s tries whether \"%s\" helps again", j->id, action);
    return GUARD_PASS;
}

/* ---- shared cause ---- */

/* Which of these brings back what was there before needs a change of the target itself, and so has a cause of
 * its own. */
static bool guesses(const struct action_spec *a)
{
    return a->proof == PROOF_RESTARTED_AT || a->proof == PROOF_POD_GONE;
}

static bool seen_before(const struct engine *g, size_t from, size_t at)
{
    for (size_t k = from; k < at; k++)
        if (g->arrivals[k].target == g->arrivals[at].target)
            return true;
    return false;
}

enum guard_answer guard_shared_cause(const struct guard_input *in, struct refusal *r)
{
    const struct engine *g = in->g;
    uint64_t cluster = name_hash(in->target->cluster), own = target_hash(in->target);
    char why[FACT_TEXT_SIZE];
    int64_t others = 0;
    size_t from = g->arrivals_len;
    if (!guesses(in->node->action) || in->i->by_hand || in->i->writes > 0 || template_changed(in, why))
        return GUARD_PASS;
    while (from > 0 && g->arrivals[from - 1].at_ms >= in->i->opened_ms - SHARED_WITHIN_MS)
        from--;
    for (size_t k = from; k < g->arrivals_len && g->arrivals[k].at_ms <= in->i->opened_ms + SHARED_WITHIN_MS;
         k++)
        others += g->arrivals[k].cluster == cluster && !g->arrivals[k].changed &&
                  g->arrivals[k].target != own && !seen_before(g, from, k);
    if (others + 1 < in->environment->shared_cause)
        return GUARD_PASS;
    return guard_refuse(
        r, GUARD_PERSON, 0,
        "%lld workloads of cluster \"%s\" fail within 5m without a change of their own: their "
        "cause is elsewhere, and "
        "a %s of each would not mend it",
        (long long)others + 1, in->target->cluster, in->node->action->name);
}

/* ---- dependency ---- */

/* Is it in trouble still, as far as is known? */
static bool troubled(const struct incident *j)
{
    return j->resolved && !j->ending && !incident_was_fixed(j);
}

/* Of two that depend on each other the one that came first is not held up. */
static bool comes_first(const struct guard_input *in, const struct incident *j)
{
    const struct environment *env = policy_environment(in->p, &j->target);
    bool circle = policy_depends(env, policy_rule(in->p, j->rule), &j->target, in->target);
    bool older =
        in->i->opened_ms != j->opened_ms ? in->i->opened_ms < j->opened_ms : strcmp(in->i->id, j->id) < 0;
    return circle && older;
}

enum guard_answer guard_dependency(const struct guard_input *in, struct refusal *r)
{
    char text[TARGET_TEXT_SIZE];
    if (in->environment->depends_on_len == 0 && in->rule->depends_on.len == 0)
        return GUARD_PASS;
    for (const struct incident *j = in->g->open; j; j = j->next)
        if (j != in->i && troubled(j) && policy_depends(in->environment, in->rule, in->target, &j->target) &&
            !comes_first(in, j))
            return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                                "it depends on %s, of which incident %s of rule \"%.72s\" is open",
                                target_format(text, &j->target), j->id, j->rule);
    return GUARD_PASS;
}
