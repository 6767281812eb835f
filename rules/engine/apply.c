/* apply: one fact folded into the state. Never decides, never asks for the time: replay runs this alone. */
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "rules/base/mutant.h"
#include "rules/engine/state.h"

/* What had to wait is judged again: the new policy may say something else. */
static void apply_policy(struct engine *g, const struct fact *f)
{
    struct incident *i;
    memcpy(g->policy_hash, f->u.policy.hash, sizeof g->policy_hash);
    g->policy_seq = MUTANT(replay_decides) ? g->started_ms : f->seq;
    DL_FOREACH(g->open, i)
    {
        if (i->state != STATE_WAITING)
            continue;
        i->again_ms = i->look_ms = 0;
        due_update(g, i);
    }
}

static enum err_code apply_kind(struct engine *g, const struct fact *f, struct err *e)
{
    switch (f->kind) {
    case FACT_INSTALLED:
        memcpy(g->installation, f->u.installed.id, sizeof g->installation);
        return apply_pause(g, f, e);
    case FACT_PAUSED:
    case FACT_RESUMED:
        return apply_pause(g, f, e);
    case FACT_TIME_JUMPED:
        g->jump_wall_ms = f->u.jumped.wall_ms;
        g->spends_len = MUTANT(budget_forgotten) ? 0 : g->spends_len;
        return ERR_OK;
    case FACT_SEEN: /* for people: what was seen when changes no decision */
    case FACT_SNAPSHOT:
        return ERR_OK;
    case FACT_STATE:
        return apply_state(g, f, e);
    case FACT_ALERT:
        return apply_alert(g, f, e);
    case FACT_INCIDENT_OPENED:
        return apply_opened(g, f, e);
    case FACT_TOLD:
        apply_told(g, f);
        return ERR_OK;
    case FACT_PROVEN:
        return apply_proven(g, f, e);
    case FACT_POLICY:
        apply_policy(g, f);
        return ERR_OK;
    case FACT_RESOLVED:
    case FACT_MERGED:
    case FACT_REFUSED:
    case FACT_INTENT:
    case FACT_WRITTEN:
    case FACT_VERDICT:
    case FACT_CLOSED:
    case FACT_STEP:
    case FACT_NOTIFY:
    case FACT_ENDING:
    case FACT_ASKED:
    case FACT_WORD:
        return apply_to_incident(g, f, e);
    case FACT_KIND_END_:
        break;
    }
    return err_set(e, ERR_VERSION, "its kind %d is not known to this release", (int)f->kind);
}

enum err_code engine_apply(struct engine *g, const struct fact *f, struct err *e)
{
    bool state = f->kind == FACT_STATE; /* its number is that of the last fact that is folded into it */
    if (!state && (f->seq != g->seq + 1 || g->restoring))
        return err_set(e, ERR_INVALID, "fact %lld does not follow fact %lld", (long long)f->seq,
                       (long long)g->seq);
    enum err_code code = apply_kind(g, f, e);
    if (code)
        return err_wrap(e, code, "fact %lld (%s) cannot be applied", (long long)f->seq,
                        fact_kind_name(f->kind));
    if (state)
        return ERR_OK;
    g->seq = f->seq;
    g->at_ms = f->at_ms > g->at_ms ? f->at_ms : g->at_ms;
    return ERR_OK;
}
