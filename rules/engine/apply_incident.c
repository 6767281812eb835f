/* Facts about one incident folded into the state: from its opening to its close. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "rules/engine/state.h"

/* A line of the incident's history, for annotation and status. */
static void remember(struct incident *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void remember(struct incident *i, const char *fmt, ...)
{
    char line[2 * FACT_TEXT_SIZE + STEP_PATH_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (i->history_len && strcmp(i->history[i->history_len - 1], line) == 0)
        return;
    char *copy = strdup(line);
    if (!copy)
        return;                          /* a line for people: the incident goes on without it */
    if (i->history_len == HISTORY_MAX) { /* the first lines tell how it began, the last where it stands */
        free(i->history[HISTORY_MAX / 2]);
        memmove(&i->history[HISTORY_MAX / 2], &i->history[HISTORY_MAX / 2 + 1],
                (HISTORY_MAX - HISTORY_MAX / 2 - 1) * sizeof i->history[0]);
        i->history_len--;
    }
    i->history[i->history_len++] = copy;
}

/* ---- opened ---- */

/* Labels back out of the key: source 0xFF (name 0xFF value 0xFF)*. */
static enum err_code labels_of_key(struct map *ret, const struct known_alert *a, struct err *e)
{
    const char *end = a->key + a->key_len;
    const char *p = memchr(a->key, '\xff', a->key_len);
    for (p = p ? p + 1 : end; p < end;) {
        const char *name_end = memchr(p, '\xff', (size_t)(end - p));
        const char *value = name_end ? name_end + 1 : end;
        const char *value_end = value < end ? memchr(value, '\xff', (size_t)(end - value)) : NULL;
        if (!value_end)
            return err_set(e, ERR_INVALID, "an alert's key is damaged");
        enum err_code code =
            map_set_len(ret, p, (size_t)(name_end - p), value, (size_t)(value_end - value), true, e);
        if (code)
            return code;
        p = value_end + 1;
    }
    return ERR_OK;
}

static enum err_code fill_opened(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *plan = NULL;
    const char *text = f->u.opened.plan ? f->u.opened.plan : "";
    enum err_code code = json_parse(&plan, text, strlen(text), e);
    if (!code)
        code = plan_parse(&i->plan, json_root(plan), g->actions, g->actions_len, e);
    if (!code)
        code = labels_of_key(&i->labels, g->opening, e);
    if (!code && !due_reserve(g))
        code = err_set(e, ERR_NOMEM, "no memory for an incident");
    return code;
}

enum err_code apply_opened(struct engine *g, const struct fact *f, struct err *e)
{
    bool known = incident_find(g, f->incident) != NULL;
    if (known || !g->opening || strcmp(g->opening_id, f->incident) != 0)
        return err_set(e, ERR_INVALID, "incident \"%s\" %s", f->incident,
                       known ? "is opened twice" : "has no alert before it");
    struct incident *i = calloc(1, sizeof *i);
    if (!i)
        return err_set(e, ERR_NOMEM, "no memory for an incident");
    enum err_code code = fill_opened(g, i, f, e);
    memcpy(i->id, f->incident, sizeof i->id);
    if (!code)
        HASH_ADD_STR(g->incidents, id, i);
    if (i->lost)
        code = err_set(e, ERR_NOMEM, "no memory for an incident");
    if (code) {
        map_release(&i->labels);
        plan_free(i->plan);
        free(i);
        return code;
    }
    memcpy(i->rule, f->u.opened.rule, sizeof i->rule);
    memcpy(i->source, f->u.opened.source, sizeof i->source);
    i->opened_ms = f->at_ms;
    i->starts_ms = f->u.opened.starts_ms;
    i->state = STATE_RESOLVING;
    i->attempt = 1;
    i->alerts = 1;
    DL_APPEND(g->open, i);
    g->open_len++;
    alert_attach(g, g->opening, i);
    g->opening = NULL;
    due_add(g, i);
    return ERR_OK;
}

/* ---- closed ---- */

static void set_busy(struct engine *g, struct incident *i, bool busy)
{
    if (busy && !i->busy)
        DL_APPEND2(g->busy, i, busy_prev, busy_next);
    else if (!busy && i->busy)
        DL_DELETE2(g->busy, i, busy_prev, busy_next);
    i->busy = busy;
}

/* Only what people are told is kept. */
static void close_incident(struct engine *g, struct incident *i)
{
    i->state = STATE_CLOSED;
    alerts_detach_all(g, i);
    set_busy(g, i, false);
    due_remove(g, i);
    DL_DELETE(g->open, i);
    g->open_len--;
    DL_APPEND(g->closed, i);
    g->closed_len++;
    i->plan = plan_free(i->plan);
    map_release(&i->labels);
}

static void drop_closed(struct engine *g, struct incident *i)
{
    DL_DELETE(g->closed, i);
    g->closed_len--;
    engine_drop_incident(g, i);
}

static void apply_closed(struct engine *g, struct incident *i, const struct fact *f)
{
    remember(i, "%s: %s", outcome_name(f->u.closed.outcome), f->u.closed.reason);
    i->outcome = f->u.closed.outcome;
    i->closed_ms = f->at_ms;
    i->closed_wall_ms = f->u.closed.wall_ms ? f->u.closed.wall_ms : f->at_ms;
    memcpy(i->reason, f->u.closed.reason, sizeof i->reason);
    i->revision++;
    close_incident(g, i);
    if (g->closed_len > ENGINE_CLOSED_MAX)
        drop_closed(g, g->closed);
}

static enum err_code apply_merged(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    struct incident *into = incident_find(g, f->u.merged.into);
    if (!into || into == i || into->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "incident \"%s\" is merged into \"%s\", which is not another open one",
                       i->id, f->u.merged.into);
    while (i->attached)
        alert_attach(g, i->attached, into);
    into->alerts += i->alerts;
    if (i->starts_ms < into->starts_ms)
        into->starts_ms = i->starts_ms;
    close_incident(g, i);
    drop_closed(g, i);
    return ERR_OK;
}

void apply_told(struct engine *g, const struct fact *f)
{
    struct incident *i = incident_find(g, f->incident);
    if (!i)
        return; /* dropped as one of too many closed ones */
    if (f->u.told.revision > i->told_revision)
        i->told_revision = f->u.told.revision;
    i->annotation_id = f->u.told.annotation_id;
    if (i->state == STATE_CLOSED && i->told_revision >= i->revision)
        drop_closed(g, i);
}

/* ---- on its way ---- */

static void apply_resolved(struct incident *i, const struct fact *f)
{
    char text[TARGET_TEXT_SIZE];
    i->resolved = true;
    i->target = f->u.resolved.target;
    memcpy(i->environment, f->u.resolved.environment, sizeof i->environment);
    i->mode = (enum mode)f->u.resolved.mode;
    i->state = STATE_DECIDING;
    remember(i, "alert of rule %s for %s", i->rule, target_format(text, &i->target));
    i->revision++;
}

static void begin_attempt(struct incident *i, uint32_t attempt)
{
    i->attempt = attempt;
    i->intent = (struct intent){ .write = 0 };
    i->write = WRITE_OPEN;
    i->conflicts = 0;
    i->again_ms = 0;
    i->state = STATE_DECIDING;
}

/* This step cannot or did not help: the plan goes on behind it. */
static void next_leaf(struct incident *i)
{
    i->leaf++;
    begin_attempt(i, 1);
}

static int leaf_by_path(const struct incident *i, const char *path)
{
    struct leaf leaves[PLAN_LEAVES_MAX];
    size_t len = plan_leaves(i->plan, leaves);
    for (size_t k = 0; k < len; k++)
        if (strcmp(leaves[k].path, path) == 0)
            return (int)k;
    return -1;
}

static enum err_code no_such_step(const struct incident *i, const char *path, struct err *e)
{
    return err_set(e, ERR_INVALID, "the plan of incident \"%s\" has no step \"%s\"", i->id, path);
}

static void apply_refused_later(struct incident *i, const struct fact *f)
{
    i->again_ms = f->u.refused.again_ms;
    i->state = i->resolved ? STATE_WAITING : STATE_RESOLVING;
    remember(i, "%s: not now (%s): %s", f->u.refused.step[0] ? f->u.refused.step : "observe",
             f->u.refused.guard, f->u.refused.reason);
}

static enum err_code apply_refused(struct incident *i, const struct fact *f, struct err *e)
{
    int leaf = f->u.refused.scope == REFUSED_STEP ? leaf_by_path(i, f->u.refused.step) : 0;
    if (leaf < 0)
        return no_such_step(i, f->u.refused.step, e);
    memcpy(i->guard, f->u.refused.guard, sizeof i->guard);
    memcpy(i->reason, f->u.refused.reason, sizeof i->reason);
    i->revision++;
    if (f->u.refused.scope == REFUSED_LATER) {
        apply_refused_later(i, f);
        return ERR_OK;
    }
    remember(i, "%s: not possible (%s): %s", f->u.refused.step, i->guard, i->reason);
    i->leaf = leaf;
    i->tried |= 1ull << leaf;
    next_leaf(i);
    return ERR_OK;
}

static enum err_code apply_intent(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const struct intent *n = &f->u.intent;
    int leaf = leaf_by_path(i, n->step);
    if (leaf < 0)
        return no_such_step(i, n->step, e);
    if (!spend(g, n, i->rule, f->at_ms))
        return err_set(e, ERR_NOMEM, "no memory for an intent");
    if (leaf != i->leaf || n->attempt != i->attempt)
        i->conflicts = 0;
    i->leaf = leaf;
    i->tried |= 1ull << leaf;
    i->attempt = n->attempt;
    i->intent = *n;
    text_copy(i->environment, sizeof i->environment, n->environment);
    i->write = WRITE_OPEN;
    i->state = STATE_ACTING;
    i->written_ms = f->at_ms;
    i->again_ms = 0;
    remember(i, "%s: %s (attempt %u)", n->step, n->action, n->attempt);
    i->revision++;
    return ERR_OK;
}

static enum err_code apply_done(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const char *reason = f->u.written.reason;
    i->state = STATE_VERIFYING;
    i->writes++;
    if (!i->first_write_ms)
        i->first_write_ms = f->at_ms;
    remember(i, "%s: written%s%s", i->intent.step, reason[0] ? ", " : "", reason);
    if (i->intent.proof != PROOF_RESTARTED_AT && i->intent.proof != PROOF_TEMPLATE_HASH)
        return ERR_OK;
    struct workload *w = know_workload(g, i->intent.target.uid);
    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a write");
    i->wrote_template = true;
    remember_template(w, &i->intent, f->u.written.template_hash);
    return ERR_OK;
}

static enum err_code apply_written(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    const char *reason = f->u.written.reason;
    if (i->intent.write == 0)
        return err_set(e, ERR_INVALID, "incident \"%s\" has no intent that could be written", i->id);
    i->write = f->u.written.state;
    i->again_ms = f->u.written.again_ms;
    i->written_ms = f->at_ms;
    i->written_wall_ms = f->u.written.wall_ms ? f->u.written.wall_ms : f->at_ms;
    text_copy(i->reason, sizeof i->reason, reason);
    i->revision++;
    switch (i->write) {
    case WRITE_DONE:
        return apply_done(g, i, f, e);
    case WRITE_FAILED:
        remember(i, "%s: failed: %s", i->intent.step, reason);
        next_leaf(i);
        return ERR_OK;
    case WRITE_UNKNOWN: /* no disruptive repeat: verified, then a person */
        i->state = STATE_VERIFYING;
        i->doubt = true;
        remember(i, "%s: it is not known whether the write happened: %s", i->intent.step, reason);
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

static enum err_code apply_verdict(struct incident *i, const struct fact *f, struct err *e)
{
    struct leaf leaves[PLAN_LEAVES_MAX];
    size_t len = plan_leaves(i->plan, leaves);
    if (i->state != STATE_VERIFYING || i->leaf >= (int)len)
        return err_set(e, ERR_INVALID, "incident \"%s\" has no step that could be judged", i->id);
    remember(i, "%s: %s: %s", f->u.verdict.step, verdict_name(f->u.verdict.verdict), f->u.verdict.reason);
    text_copy(i->reason, sizeof i->reason, f->u.verdict.reason);
    i->repaired_wall_ms = f->u.verdict.repaired_ms;
    i->confirmed_wall_ms = f->u.verdict.confirmed_ms;
    i->revision++;
    i->state = STATE_DECIDING;
    if (f->u.verdict.verdict != VERDICT_NOT_FIXED)
        return ERR_OK; /* the closing fact follows */
    if (i->attempt > leaves[i->leaf].node->retry)
        next_leaf(i);
    else
        begin_attempt(i, i->attempt + 1);
    return ERR_OK;
}

static enum err_code apply_change(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    switch (f->kind) {
    case FACT_RESOLVED:
        apply_resolved(i, f);
        return ERR_OK;
    case FACT_REFUSED:
        return apply_refused(i, f, e);
    case FACT_INTENT:
        return apply_intent(g, i, f, e);
    case FACT_WRITTEN:
        return apply_written(g, i, f, e);
    default:
        return apply_verdict(i, f, e);
    }
}

enum err_code apply_to_incident(struct engine *g, const struct fact *f, struct err *e)
{
    struct incident *i = incident_find(g, f->incident);
    if (!i || i->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "it speaks of incident \"%s\", which is %s", f->incident,
                       i ? "closed" : "not known");
    if (f->kind == FACT_MERGED)
        return apply_merged(g, i, f, e);
    if (f->kind == FACT_CLOSED) {
        apply_closed(g, i, f);
        return ERR_OK;
    }
    i->asked = false;
    i->look_ms = i->asking_ms = 0;
    i->failures = 0;
    enum err_code code = apply_change(g, i, f, e);
    set_busy(g, i, i->state == STATE_ACTING || i->state == STATE_VERIFYING || i->writes > 0 || i->doubt);
    due_update(g, i);
    return code;
}
