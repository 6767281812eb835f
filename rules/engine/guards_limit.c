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
