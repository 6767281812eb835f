/* Looking at the state: nothing here changes it. */
#include <string.h>

#include "rules/engine/state.h"

int64_t engine_last_seq(const struct engine *g)
{
    return g->seq;
}

int64_t engine_last_at_ms(const struct engine *g)
{
    return g->at_ms;
}

bool engine_paused(const struct engine *g, const char **ret_who, const char **ret_reason)
{
    const struct pause *p = pause_find(g, PAUSE_EVERYWHERE, "");
    if (ret_who)
        *ret_who = p ? p->who : "";
    if (ret_reason)
        *ret_reason = p ? p->reason : "";
    return p != NULL;
}

static struct pause_view pause_view(const struct pause *p)
{
    return (struct pause_view){
        .scope = p->scope, .name = p->name, .who = p->who, .reason = p->reason, .until_ms = p->until_ms
    };
}

size_t engine_pauses(const struct engine *g, struct pause_view *ret, size_t max)
{
    size_t n = 0;
    for (int others = 0; others < 2; others++)
        for (size_t k = 0; k < g->pauses_len; k++)
            if ((g->pauses[k].scope != PAUSE_EVERYWHERE) == others && n++ < max)
                ret[n - 1] = pause_view(&g->pauses[k]);
    return n;
}

const char *engine_installation(const struct engine *g)
{
    return g->installation;
}

uint32_t incident_firing(const struct incident *i)
{
    return i->firing + (i->leader ? i->leader->firing : 0);
}

size_t engine_pending_approvals(const struct engine *g)
{
    size_t n = 0;
    for (const struct incident *i = g->open; i; i = i->next)
        n += i->state == STATE_APPROVAL;
    return n;
}

size_t engine_open_incidents(const struct engine *g)
{
    return g->open_len;
}

const char *engine_proven(const struct engine *g, const char *uid)
{
    const struct workload *w = workload_find(g, uid);
    return w && w->proven[0][0] ? w->proven[0] : NULL;
}

size_t engine_proven_workloads(const struct engine *g)
{
    size_t n = 0;
    for (const struct workload *w = g->workloads_oldest; w; w = w->next)
        n += w->proven[0][0] != '\0';
    return n;
}

int64_t engine_oldest_intent_ms(const struct engine *g)
{
    int64_t oldest = 0;
    for (const struct incident *i = g->busy; i; i = i->busy_next)
        if (i->state == STATE_ACTING && (!oldest || i->intent.at_ms < oldest))
            oldest = i->intent.at_ms;
    return oldest;
}

static void view_asked(const struct incident *i, struct incident_view *ret)
{
    const struct approval *a = i->approval;
    ret->until_ms = i->state == STATE_DELAYED ? i->until_ms : 0;
    if (i->state != STATE_APPROVAL)
        return;
    ret->asked = i->reason;
    ret->asked_role = a->role;
    ret->asked_hash = a->hash;
    ret->approvals = a->given;
    ret->approvals_wanted = a->wanted;
    ret->until_ms = a->until_ms;
}

static void view(const struct incident *i, struct incident_view *ret)
{
    *ret = (struct incident_view){
        .id = i->id,
        .rule = i->rule,
        .environment = i->environment,
        .state = i->state == STATE_ACTING && i->asking_ms ? "asking" : state_names[i->state],
        .step = i->intent.step,
        .reason = i->reason,
        .target = &i->target,
        .mode = i->mode,
        .cause = i->cause,
        .outcome = i->outcome,
        .opened_ms = i->opened_ms,
        .first_alert_ms = i->starts_ms,
        .closed_ms = i->closed_wall_ms,
        .repaired_ms = i->repaired_wall_ms,
        .confirmed_ms = i->confirmed_wall_ms,
        .first_write_ms = i->first_write_ms,
        .alerts = i->alerts,
        .writes = i->writes,
        .revision = i->revision,
        .told_revision = i->told_revision,
        .annotation_id = i->annotation_id,
        .history = (const char *const *)i->history,
        .history_len = i->history_len,
        .by_hand = i->by_hand,
    };
    view_asked(i, ret);
}

bool engine_incident(const struct engine *g, const char *id, struct incident_view *ret)
{
    const struct incident *i = incident_find(g, id);
    if (i)
        view(i, ret);
    return i != NULL;
}

static size_t untold(const struct incident *list, char (*ret_ids)[INCIDENT_ID_SIZE], size_t n, size_t max)
{
    for (const struct incident *i = list; i && n < max; i = i->next)
        if (i->told_revision < i->revision)
            memcpy(ret_ids[n++], i->id, sizeof i->id);
    return n;
}

size_t engine_untold(const struct engine *g, char (*ret_ids)[INCIDENT_ID_SIZE], size_t max)
{
    return untold(g->open, ret_ids, untold(g->closed, ret_ids, 0, max), max);
}

size_t engine_open(const struct engine *g, char (*ret_ids)[INCIDENT_ID_SIZE], size_t max)
{
    size_t n = 0;
    for (const struct incident *i = g->open; i && n < max; i = i->next)
        memcpy(ret_ids[n++], i->id, sizeof i->id);
    return n;
}

bool engine_wants(const struct engine *g, const struct effect *f)
{
    const struct incident *i = incident_find(g, f->incident);
    return i && i->state != STATE_CLOSED && i->asked && i->token == f->token;
}
