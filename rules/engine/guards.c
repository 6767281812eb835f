#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/engine/guards_internal.h"

enum guard_answer guard_refuse(struct refusal *r, enum guard_answer answer, int64_t again_ms, const char *fmt,
                               ...)
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

static const struct guard {
    const char *name;
    enum guard_answer (*judge)(const struct guard_input *in, struct refusal *r);
    bool undo; /* judged also when a step is only put back */
} guards[] = {
    { "observation", guard_fresh, true },
    { "rule", guard_rule, false },
    { "kill_switch", guard_kill_switch, true },
    { "ignore", guard_ignore, true },
    { "source", guard_source, true },
    { "silenced", guard_silenced, false },
    { "explained", guard_explained, false },
    { "maintenance", guard_maintenance, true },
    { "freeze", guard_freeze, true },
    { "allow", guard_allow, true },
    { "object", guard_object, true },
    { "foreign_write", guard_foreign_write, true },
    { "ownership", guard_ownership, true },
    { "rollout", guard_rollout, false },
    { "still_firing", guard_still_firing, false },
    { "lock", guard_lock, true },
    { "hold_off", guard_hold_off, false },
    { "cooldown", guard_cooldown, false },
    { "attempts", guard_attempts, false },
    { "budget", guard_budget, false },
    { "blast_radius", guard_blast_radius, false },
    { "storm", guard_storm, false },
    { "breaker", guard_breaker, false },
    { "availability", guard_availability, false },
    { "shared_cause", guard_shared_cause, false },
    { "dependency", guard_dependency, false },
    { "running", guard_running, false },
    { "bulkhead", guard_bulkhead, false },
    { "brake", guard_brake, false },
};
#define GUARDS (sizeof guards / sizeof guards[0])
static_assert(GUARDS <= GUARDS_MAX, "all of them fit into a list");

size_t engine_guards(const char *ret[GUARDS_MAX], bool ret_undo[GUARDS_MAX])
{
    for (size_t k = 0; k < GUARDS; k++) {
        ret[k] = guards[k].name;
        ret_undo[k] = guards[k].undo;
    }
    return GUARDS;
}

enum guard_answer guards_judge(const struct guard_input *in, struct refusal *ret)
{
    for (size_t k = 0; k < GUARDS; k++) {
        if ((in->undo && !guards[k].undo) || mutant_skips(guards[k].name))
            continue;
        enum guard_answer a = guards[k].judge(in, ret);
        if (a != GUARD_PASS) {
            ret->guard = guards[k].name;
            return a;
        }
    }
    return GUARD_PASS;
}

size_t guards_judge_all(const struct guard_input *in, struct guard_said ret[GUARDS_MAX])
{
    size_t len = 0;
    for (size_t k = 0; k < GUARDS; k++) {
        struct refusal r = { .guard = guards[k].name, .numbers = true };
        if (!in->rule && strcmp(guards[k].name, "rule") != 0 && k > 1)
            break; /* without its rule nothing else can be judged */
        struct guard_said *said = &ret[len++];
        *said = (struct guard_said){ .guard = guards[k].name };
        said->answer = guards[k].judge(in, &r);
        said->again_ms = said->answer == GUARD_PASS ? 0 : r.again_ms;
        memcpy(said->reason, r.reason, sizeof said->reason);
    }
    return len;
}

const char *guard_answer_name(enum guard_answer a)
{
    static const char *const names[] = { [GUARD_PASS] = "pass",
                                         [GUARD_LATER] = "later",
                                         [GUARD_STEP] = "step",
                                         [GUARD_NEVER] = "never",
                                         [GUARD_PERSON] = "person" };
    return names[a];
}
