/* Facts about the steps of an incident's plan folded into the state: from a refusal or an intent to a
 * verdict. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/engine/turns.h"

static void begin_attempt(struct incident *i, uint32_t attempt)
{
    i->attempt = attempt;
    i->intent = (struct intent){ .write = 0 };
    i->write = WRITE_OPEN;
    i->conflicts = 0;
    i->again_ms = 0;
    i->undoing = false;
    i->state = STATE_DECIDING;
}

/* The node has ended so: the plan goes on behind it. When that was the last of a `parallel`, its writes are
 * judged together. */
static void end_node(struct incident *i, const struct tree *t, int at, enum step_result result)
{
    i->progress.result[at] = (uint8_t)result;
    i->at = at;
    int joint = tree_parallel(t, at), next = -1;
    if (joint < 0) {
        begin_attempt(i, 1);
        return;
    }
    i->attempt = 1; /* the last write that was carried out is kept: it is what will be verified */
    i->conflicts = 0;
    i->again_ms = 0;
    i->state = STATE_DECIDING;
    if (tree_next(t, &i->progress, i->ending != OUTCOME_OPEN, &next) == PLACE_AT && next == joint) {
        i->at = joint;
        i->state = STATE_VERIFYING;
    }
}

static enum err_code no_such_step(const struct incident *i, const char *path, struct err *e)
{
    return err_set(e, ERR_INVALID, "the plan of incident \"%s\" has no step \"%s\"", i->id, path);
}

/* Its node, reached; -1 and *e: there is none. */
static int reach(struct incident *i, struct tree *t, const char *path, struct err *e)
{
    tree_of(i->plan, t);
    int at = tree_find(t, path);
    if (at < 0)
        no_such_step(i, path, e);
    else
        progress_reach(t, &i->progress, at);
    return at;
}

static void apply_refused_later(struct incident *i, const struct fact *f)
{
    int32_t urgency = f->u.refused.urgency;
    bool waited = i->standing == STANDING_QUEUED;
    i->again_ms = f->u.refused.again_ms;
    i->state = i->resolved ? STATE_WAITING : STATE_RESOLVING;
    i->waits_at = f->u.refused.site;
    if (incident_queued(i) && !waited) /* it keeps it as long as it waits */
        i->urgency = urgency >= 1 && urgency <= URGENCIES ? urgency : incident_urgency(NULL, i);
    incident_remember(i, "%s: not now (%s): %s", f->u.refused.step[0] ? f->u.refused.step : "observe",
                      f->u.refused.guard, f->u.refused.reason);
}

enum err_code apply_refused(struct incident *i, const struct fact *f, struct err *e)
{
    struct tree t;
    int at = f->u.refused.scope == REFUSED_STEP ? reach(i, &t, f->u.refused.step, e) : 0;
    if (at < 0)
        return ERR_INVALID;
    memcpy(i->guard, f->u.refused.guard, sizeof i->guard);
    memcpy(i->reason, f->u.refused.reason, sizeof i->reason);
    i->revision++;
    if (f->u.refused.scope == REFUSED_LATER) {
        apply_refused_later(i, f);
        return ERR_OK;
    }
    incident_remember(i, "%s: not possible (%s): %s", f->u.refused.step, i->guard, i->reason);
    end_node(i, &t, at, i->undoing ? RESULT_NOT_FIXED : RESULT_REFUSED);
    return ERR_OK;
}

enum err_code apply_intent(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const struct intent *n = &f->u.intent;
    struct tree t;
    int at = reach(i, &t, n->step, e);
    if (at < 0)
        return ERR_INVALID;
    if (!spend(g, n, i->rule, f->at_ms))
        return err_set(e, ERR_NOMEM, "no memory for an intent");
    if (at != i->at || n->attempt != i->attempt)
        i->conflicts = 0;
    if (n->attempt == 1 && n->write == 1 && !n->undo)
        i->step_ms = f->at_ms;
    i->at = at;
    i->attempt = n->attempt;
    i->intent = *n;
    text_copy(i->environment, sizeof i->environment, n->environment);
    i->write = WRITE_OPEN;
    i->state = STATE_ACTING;
    i->written_ms = f->at_ms;
    i->again_ms = 0;
    incident_remember(i, "%s: %s%s (attempt %u)", n->step, n->undo ? "undo by " : "", n->action, n->attempt);
    i->revision++;
    return ERR_OK;
}

/* What a write that was carried out leads to: verification, unless it is judged later, together with others,
 * or repairs nothing. */
static void carried_out(struct incident *i)
{
    struct tree t;
    tree_of(i->plan, &t);
    if (i->intent.undo)
        end_node(i, &t, i->at, RESULT_NOT_FIXED);
    else if (tree_parallel(&t, i->at) >= 0 || t.spots[i->at].node->action->risk == RISK_READ)
        end_node(i, &t, i->at, RESULT_DONE);
    else
        i->state = STATE_VERIFYING;
}

static enum err_code apply_done(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const char *reason = f->u.written.reason;
    struct workload *w = NULL;
    if (intent_rolls(&i->intent)) {
        w = know_workload(g, i->intent.target.uid);
        if (!w)
            return err_set(e, ERR_NOMEM, "no memory for a write");
        i->wrote_template = true;
        remember_template(w, &i->intent, f->u.written.template_hash);
    }
    memcpy(i->left_hash, w ? f->u.written.template_hash : i->intent.old_template_hash, sizeof i->left_hash);
    i->writes++;
    if (!i->first_write_ms)
        i->first_write_ms = f->at_ms;
    incident_remember(i, "%s: written%s%s", i->intent.step, reason[0] ? ", " : "", reason);
    carried_out(i);
    return ERR_OK;
}

static void apply_failed(struct incident *i, const char *reason)
{
    struct tree t;
    tree_of(i->plan, &t);
    incident_remember(i, "%s: failed: %s", i->intent.step, reason);
    end_node(i, &t, i->at, i->undoing ? RESULT_NOT_FIXED : RESULT_FAILED);
}

/* No disruptive repeat: verified, then a person. */
static void apply_unknown(struct incident *i, const char *reason)
{
    i->state = STATE_VERIFYING;
    i->doubt = true;
    incident_remember(i, "%s: it is not known whether the write happened: %s", i->intent.step, reason);
}

enum err_code apply_written(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const char *reason = f->u.written.reason;
    if (i->intent.write == 0 || i->at < 0)
        return err_set(e, ERR_INVALID, "incident \"%s\" has no intent that could be written", i->id);
    i->write = f->u.written.state;
    i->again_ms = f->u.written.again_ms;
    i->written_ms = MUTANT(replay_differs) ? i->asked_ms : f->at_ms;
    i->written_wall_ms = f->u.written.wall_ms ? f->u.written.wall_ms : f->at_ms;
    text_copy(i->reason, sizeof i->reason, reason);
    i->revision++;
    switch (i->write) {
    case WRITE_DONE:
        return apply_done(g, i, f, e);
    case WRITE_FAILED:
        count_broken(g, i->environment, i->intent.action, false, f->at_ms);
        apply_failed(i, reason);
        return ERR_OK;
    case WRITE_UNKNOWN:
        apply_unknown(i, reason);
        return ERR_OK;
    case WRITE_CONFLICT:
        i->conflicts++;
        break;
    case WRITE_OPEN:
    case WRITE_ABSENT:
    case WRITE_RETRY:
        break;
    }
    i->state = STATE_DECIDING; /* decided again */
    return ERR_OK;
}

/* Not fixed: put back, tried again, or over. */
static void apply_not_fixed(struct incident *i, const struct tree *t, const struct fact *f)
{
    const struct node *n = t->spots[i->at].node;
    if ((f->u.verdict.worse || MUTANT(undo_unasked)) && n->undo && !i->doubt) {
        i->undoing = true;
        i->again_ms = 0;
        i->state = STATE_DECIDING;
    } else if (n->type == NODE_DO && i->attempt <= n->retry + MUTANT(retry_without_end)) {
        int64_t backoff_ms = n->backoff_ms << (i->attempt - 1);
        begin_attempt(i, i->attempt + 1);
        i->again_ms = backoff_ms ? f->at_ms + backoff_ms : 0;
    } else {
        end_node(i, t, i->at, RESULT_NOT_FIXED);
    }
}

enum err_code apply_verdict(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    struct tree t;
    if (i->state != STATE_VERIFYING || i->at < 0)
        return err_set(e, ERR_INVALID, "incident \"%s\" has no step that could be judged", i->id);
    tree_of(i->plan, &t);
    incident_remember(i, "%s: %s%s: %s", f->u.verdict.step, verdict_name(f->u.verdict.verdict),
                      f->u.verdict.worse ? ", worse than before" : "", f->u.verdict.reason);
    text_copy(i->reason, sizeof i->reason, f->u.verdict.reason);
    i->repaired_wall_ms = f->u.verdict.repaired_ms;
    i->confirmed_wall_ms = f->u.verdict.confirmed_ms;
    i->revision++;
    if (f->u.verdict.verdict != VERDICT_UNKNOWN)
        count_worked(g, i, &t, i->at, f->u.verdict.verdict == VERDICT_FIXED);
    count_broken(g, i->environment, f->u.verdict.action, f->u.verdict.verdict == VERDICT_FIXED, f->at_ms);
    if (f->u.verdict.verdict == VERDICT_NOT_FIXED)
        apply_not_fixed(i, &t, f);
    else
        end_node(i, &t, i->at, f->u.verdict.verdict == VERDICT_FIXED ? RESULT_FIXED : RESULT_UNKNOWN);
    return ERR_OK;
}

/* ---- steps that write nothing ---- */

/* "2,0,1": every branch once. False: it is no such order. */
static bool read_order(const char *text, size_t branches, uint8_t ret[POLICY_BRANCHES_MAX], size_t *ret_len)
{
    size_t len = 0;
    unsigned seen = 0;
    for (const char *p = text; *p && len < branches; p += p[1] == ',' ? 2 : 1) {
        unsigned b = (unsigned)(*p - '0');
        if (b >= branches || seen & 1u << b)
            return false;
        seen |= 1u << b;
        ret[len++] = (uint8_t)b;
    }
    *ret_len = len;
    return len == branches;
}

static enum err_code apply_ranked(struct incident *i, const struct tree *t, int at, const struct fact *f,
                                  struct err *e)
{
    uint8_t order[POLICY_BRANCHES_MAX];
    size_t len;
    const struct node *n = t->spots[at].node;
    if (n->type != NODE_CHOOSE || !read_order(f->u.step.order, n->branches_len, order, &len))
        return err_set(e, ERR_INVALID, "step \"%s\" cannot be ranked \"%s\"", f->u.step.step,
                       f->u.step.order);
    progress_rank(t, &i->progress, at, order, len);
    i->state = STATE_DECIDING;
    return ERR_OK;
}

enum err_code apply_step(struct incident *i, const struct fact *f, struct err *e)
{
    struct tree t;
    int at = reach(i, &t, f->u.step.step, e);
    if (at < 0)
        return ERR_INVALID;
    i->guard[0] = '\0';
    i->revision++;
    if (f->u.step.event == STEP_RANKED)
        return apply_ranked(i, &t, at, f, e);
    text_copy(i->reason, sizeof i->reason, f->u.step.reason);
    const char *begun = t.spots[at].node->type == NODE_PARALLEL ? "is judged" : "waits";
    incident_remember(i, "%s: %s: %s", f->u.step.step,
                      f->u.step.event == STEP_BEGAN ? begun : step_result_name(f->u.step.result),
                      f->u.step.reason);
    if (f->u.step.event == STEP_ENDED) {
        end_node(i, &t, at, (enum step_result)f->u.step.result);
        return ERR_OK;
    }
    i->at = at;
    i->until_ms = f->u.step.until_ms;
    i->state = t.spots[at].node->type == NODE_PARALLEL ? STATE_VERIFYING : STATE_DELAYED;
    return ERR_OK;
}

enum err_code apply_notify(struct incident *i, const struct fact *f, struct err *e)
{
    struct tree t;
    incident_remember(i, "told %s: %s", f->u.notify.receiver, f->u.notify.text);
    i->revision++;
    if (!f->u.notify.step[0])
        return ERR_OK;
    int at = reach(i, &t, f->u.notify.step, e);
    if (at < 0)
        return ERR_INVALID;
    end_node(i, &t, at, RESULT_DONE);
    return ERR_OK;
}
