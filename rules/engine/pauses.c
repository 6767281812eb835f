/* The kill switch: everywhere, or for an environment, a rule, a namespace; until a person resumes, or until a
 * time. */
#include <string.h>
#include <utlist.h>

#include "rules/engine/turn.h"

const struct pause *pause_find(const struct engine *g, enum pause_scope scope, const char *name)
{
    for (size_t k = 0; k < g->pauses_len; k++)
        if (g->pauses[k].scope == scope && strcmp(g->pauses[k].name, name) == 0)
            return &g->pauses[k];
    return NULL;
}

const struct pause *pause_of(const struct engine *g, const struct incident *i, const struct target *target,
                             const char *environment)
{
    const struct pause *p = pause_find(g, PAUSE_EVERYWHERE, "");
    if (!p && environment[0])
        p = pause_find(g, PAUSE_ENVIRONMENT, environment);
    if (!p && i->rule[0])
        p = pause_find(g, PAUSE_RULE, i->rule);
    return p ? p : pause_find(g, PAUSE_NAMESPACE, target->namespace);
}

int64_t pauses_end(const struct engine *g)
{
    int64_t end = INT64_MAX;
    for (size_t k = 0; k < g->pauses_len; k++)
        if (g->pauses[k].until_ms && g->pauses[k].until_ms < end)
            end = g->pauses[k].until_ms;
    return end;
}

static void drop(struct engine *g, const struct pause *p)
{
    size_t at = (size_t)(p - g->pauses);
    memmove(&g->pauses[at], &g->pauses[at + 1], (--g->pauses_len - at) * sizeof g->pauses[0]);
}

/* What waits for the switch is looked at now: another pause may hold it still. */
static void wake(struct engine *g)
{
    struct incident *i;
    DL_FOREACH(g->open, i)
    {
        if (i->state == STATE_WAITING && strcmp(i->guard, "kill_switch") == 0) {
            i->again_ms = 0;
            i->look_ms = 1;
        }
        due_update(g, i);
    }
}

enum err_code apply_pause(struct engine *g, const struct fact *f, struct err *e)
{
    bool installed = f->kind == FACT_INSTALLED;
    enum pause_scope scope = installed ? PAUSE_EVERYWHERE : f->u.paused.scope;
    const struct pause *known = pause_find(g, scope, installed ? "" : f->u.paused.name);
    if (known)
        drop(g, known);
    if (f->kind != FACT_RESUMED) {
        if (g->pauses_len == PAUSES_MAX)
            return err_set(e, ERR_LIMIT, "more than %d pauses", PAUSES_MAX);
        struct pause *p = &g->pauses[g->pauses_len++];
        *p = (struct pause){ .scope = scope };
        text_copy(p->who, sizeof p->who, installed ? "heald" : f->u.paused.who);
        text_copy(p->reason, sizeof p->reason,
                  installed ? "a new journal: nothing is known of what was done before" : f->u.paused.reason);
        if (!installed) {
            memcpy(p->name, f->u.paused.name, sizeof p->name);
            p->until_ms = f->u.paused.until_ms;
        }
    }
    wake(g);
    return ERR_OK;
}

void decide_pauses_over(struct turn *t)
{
    for (size_t k = 0; k < t->g->pauses_len; k++) {
        const struct pause *p = &t->g->pauses[k];
        if (!p->until_ms || p->until_ms > t->now_ms)
            continue;
        struct fact *f = turn_fact(t, FACT_RESUMED, NULL);
        f->u.resumed.scope = p->scope;
        memcpy(f->u.resumed.name, p->name, sizeof f->u.resumed.name);
        text_copy(f->u.resumed.who, sizeof f->u.resumed.who, "heald");
        fact_say(f->u.resumed.reason, "the time that %s gave is over", p->who);
    }
}
