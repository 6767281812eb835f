/* What an incident would do now, and what every guard says to it: a walk whose facts are thrown away. */
#include <string.h>

#include "rules/engine/walk.h"

enum err_code engine_explain(const struct engine *g, const struct policy *p, int64_t now_ms, int64_t wall_ms,
                             const char *id, const struct observation *o, struct explanation *ret,
                             struct err *e)
{
    const struct incident *i = incident_find(g, id);
    struct input in = { .kind = INPUT_OBSERVATION, .observation = o, .wall_ms = wall_ms };
    struct decision d = DECISION_INIT;
    struct turn t = { .g = g, .p = p, .now_ms = now_ms, .wall_ms = wall_ms, .in = &in, .d = &d };
    if (!i || i->state == STATE_CLOSED)
        return err_set(e, ERR_NOT_FOUND, "there is no open incident \"%s\"", id);
    *ret = (struct explanation){ .possible = false };
    t.explanation = ret;
    const struct environment *env = policy_environment(p, &o->target);
    enum mode mode = mode_now(&t, i, env);
    decide_step(&t, i, &o->target, env, i->resolved && i->mode < mode ? i->mode : mode);
    const struct fact *last = d.facts_len ? &d.facts[d.facts_len - 1] : NULL;
    if (!ret->step[0] && last && last->kind == FACT_CLOSED)
        memcpy(ret->reason, last->u.closed.reason, sizeof ret->reason);
    fact_release(&t.scratch);
    decision_release(&d);
    return t.nomem ? err_set(e, ERR_NOMEM, "no memory to explain") : ERR_OK;
}
