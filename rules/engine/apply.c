/* apply: one fact folded into the state. Never decides, never asks for the time: replay runs this alone. */
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
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (i->history_len && strcmp(i->history[i->history_len - 1], line) == 0)
        return;
    char *copy = strdup(line);
    if (!copy)
        return; /* a line for people: the incident goes on without it */
    if (i->history_len == HISTORY_MAX) { /* the first lines tell how it began, the last where it stands */
        free(i->history[HISTORY_MAX / 2]);
        memmove(&i->history[HISTORY_MAX / 2], &i->history[HISTORY_MAX / 2 + 1],
                (HISTORY_MAX - HISTORY_MAX / 2 - 1) * sizeof i->history[0]);
        i->history_len--;
    }
    i->history[i->history_len++] = copy;
}

/* ---- alerts ---- */

static void forget_alert(struct engine *g, struct known_alert *a)
{
    HASH_DEL(g->alerts, a);
    DL_DELETE(g->alerts_oldest, a);
    free(a->key);
    free(a);
}

static void forget_oldest_alert(struct engine *g)
{
    for (struct known_alert *a = g->alerts_oldest; a; a = a->next) {
        const struct incident *i = a->incident[0] ? incident_find(g, a->incident) : NULL;
        if (!i || i->state == STATE_CLOSED) {
            forget_alert(g, a);
            return;
        }
    }
}

static struct known_alert *know_alert(struct engine *g, const struct alert *alert)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    struct known_alert *a = (struct known_alert *)known_alert(g, alert, &key);
    if (a) {
        DL_DELETE(g->alerts_oldest, a);
        DL_APPEND(g->alerts_oldest, a);
        return a;
    }
    if (HASH_COUNT(g->alerts) >= ENGINE_ALERTS_MAX)
        forget_oldest_alert(g);
    a = calloc(1, sizeof *a);
    size_t len = key.len;
    char *text = buf_detach(&key);
    if (!a || !text) {
        free(a);
        free(text);
        return NULL;
    }
    a->key = text;
    a->key_len = len;
    HASH_ADD_KEYPTR(hh, g->alerts, a->key, a->key_len, a);
    if (a->lost) {
        free(a->key);
        free(a);
        return NULL;
    }
    DL_APPEND(g->alerts_oldest, a);
    return a;
}

/* Count an alert's new state for the incident it belongs to. */
static void count_alert(struct engine *g, const struct known_alert *a, enum alert_status before, bool attached_now)
{
    struct incident *i = a->incident[0] ? incident_find(g, a->incident) : NULL;
    if (!i || i->state == STATE_CLOSED)
        return;
    if (attached_now) {
        i->alerts++;
        i->firing += a->status == ALERT_FIRING;
    } else if (before != a->status) {
        if (a->status == ALERT_FIRING)
            i->firing++;
        else if (i->firing)
            i->firing--;
    }
}

static enum err_code apply_alert(struct engine *g, const struct fact *f, struct err *e)
{
    const struct alert *alert = &f->u.alert.alert;
    struct known_alert *a = know_alert(g, alert);
    if (!a)
        return err_set(e, ERR_NOMEM, "no memory for an alert");
    enum alert_status before = a->status;
    bool attach = (f->u.alert.disposition == ALERT_OPENED || f->u.alert.disposition == ALERT_ATTACHED) &&
                  strcmp(a->incident, f->incident) != 0;
    a->status = alert->status;
    a->starts_ms = alert->starts_ms;
    a->changed_ms = f->at_ms;
    a->held = f->u.alert.disposition == ALERT_HELD;
    if (attach)
        memcpy(a->incident, f->incident, sizeof a->incident);
    if (f->u.alert.disposition == ALERT_OPENED) /* counted when the incident's own fact comes */
        return ERR_OK;
    count_alert(g, a, before, attach);
    return ERR_OK;
}

/* ---- incidents ---- */

static enum err_code find_open(const struct engine *g, const struct fact *f, struct incident **ret, struct err *e)
{
    struct incident *i = incident_find(g, f->incident);
    if (!i || i->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "it speaks of incident \"%s\", which is %s", f->incident, i ? "closed" : "not known");
    *ret = i;
    return ERR_OK;
}

/* The opening alert is the one that was applied last and points here. */
static const struct known_alert *opening_alert(const struct engine *g, const char *id)
{
    const struct known_alert *last = g->alerts_oldest ? g->alerts_oldest->prev : NULL;
    return last && strcmp(last->incident, id) == 0 ? last : NULL;
}

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
        enum err_code code = map_set_len(ret, p, (size_t)(name_end - p), value, (size_t)(value_end - value), true, e);
        if (code)
            return code;
        p = value_end + 1;
    }
    return ERR_OK;
}

static enum err_code fill_opened(struct engine *g, struct incident *i, const struct fact *f, const struct known_alert *a, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *plan = NULL;
    const char *text = f->u.opened.plan ? f->u.opened.plan : "";
    enum err_code code = json_parse(&plan, text, strlen(text), e);
    if (!code)
        code = plan_parse(&i->plan, json_root(plan), g->actions, g->actions_len, e);
    if (!code)
        code = labels_of_key(&i->labels, a, e);
    return code;
}

static enum err_code apply_opened(struct engine *g, const struct fact *f, struct err *e)
{
    const struct known_alert *a = opening_alert(g, f->incident);
    if (incident_find(g, f->incident) || !a)
        return err_set(e, ERR_INVALID, "incident \"%s\" %s", f->incident, a ? "is opened twice" : "has no alert before it");
    struct incident *i = calloc(1, sizeof *i);
    if (!i)
        return err_set(e, ERR_NOMEM, "no memory for an incident");
    enum err_code code = fill_opened(g, i, f, a, e);
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
    i->firing = a->status == ALERT_FIRING;
    DL_APPEND(g->open, i);
    g->open_len++;
    return ERR_OK;
}

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

static void close_incident(struct engine *g, struct incident *i, enum outcome outcome, const char *reason, int64_t at_ms)
{
    i->state = STATE_CLOSED;
    i->outcome = outcome;
    i->closed_ms = at_ms;
    text_copy(i->reason, sizeof i->reason, reason);
    DL_DELETE(g->open, i);
    g->open_len--;
    DL_APPEND(g->closed, i);
    g->closed_len++;
}

static void drop_closed(struct engine *g, struct incident *i)
{
    DL_DELETE(g->closed, i);
    g->closed_len--;
    engine_drop_incident(g, i);
}

static enum err_code apply_merged(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    struct incident *into = incident_find(g, f->u.merged.into);
    if (!into || into == i)
        return err_set(e, ERR_INVALID, "incident \"%s\" is merged into \"%s\", which is not another open one", i->id, f->u.merged.into);
    for (struct known_alert *a = g->alerts_oldest; a; a = a->next)
        if (strcmp(a->incident, i->id) == 0)
            memcpy(a->incident, into->id, sizeof a->incident);
    into->alerts += i->alerts;
    into->firing += i->firing;
    if (i->starts_ms < into->starts_ms)
        into->starts_ms = i->starts_ms;
    close_incident(g, i, OUTCOME_CANCELLED, "merged", f->at_ms);
    drop_closed(g, i);
    return ERR_OK;
}

static void apply_refused_later(struct incident *i, const struct fact *f)
{
    memcpy(i->guard, f->u.refused.guard, sizeof i->guard);
    memcpy(i->reason, f->u.refused.reason, sizeof i->reason);
    i->again_ms = f->u.refused.again_ms;
    i->state = i->resolved ? STATE_WAITING : STATE_RESOLVING;
    remember(i, "%s: not now (%s): %s", f->u.refused.step[0] ? f->u.refused.step : "observe", i->guard, i->reason);
    i->revision++;
}

/* This step cannot or did not help: the plan goes on behind it. */
static void next_leaf(struct incident *i)
{
    i->leaf++;
    i->attempt = 1;
    i->intent = (struct intent){ .write = 0 };
    i->write = WRITE_OPEN;
    i->conflicts = 0;
    i->again_ms = 0;
    i->state = STATE_DECIDING;
}

static bool spend(struct engine *g, const struct incident *i, int64_t at_ms)
{
    size_t old = 0;
    while (old < g->spends_len && (g->spends[old].at_ms < at_ms - SPEND_WINDOW_MS || g->spends_len - old >= ENGINE_SPENDS_MAX))
        old++;
    if (old) {
        memmove(g->spends, g->spends + old, (g->spends_len - old) * sizeof *g->spends);
        g->spends_len -= old;
    }
    if (g->spends_len == g->spends_cap) {
        size_t cap = g->spends_cap ? g->spends_cap * 2 : 16;
        struct spend *more = realloc(g->spends, cap * sizeof *more);
        if (!more)
            return false;
        g->spends = more;
        g->spends_cap = cap;
    }
    struct spend *s = &g->spends[g->spends_len++];
    *s = (struct spend){ .at_ms = at_ms, .target = i->target };
    memcpy(s->incident, i->id, sizeof s->incident);
    memcpy(s->rule, i->rule, sizeof s->rule);
    memcpy(s->environment, i->environment, sizeof s->environment);
    return true;
}

static struct workload *know_workload(struct engine *g, const char *uid)
{
    struct workload *w = workload_find(g, uid);
    if (w) {
        DL_DELETE(g->workloads_oldest, w);
        DL_APPEND(g->workloads_oldest, w);
        return w;
    }
    if (HASH_COUNT(g->workloads) >= ENGINE_WORKLOADS_MAX) {
        struct workload *oldest = g->workloads_oldest;
        HASH_DEL(g->workloads, oldest);
        DL_DELETE(g->workloads_oldest, oldest);
        free(oldest);
    }
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    text_copy(w->uid, sizeof w->uid, uid);
    HASH_ADD_STR(g->workloads, uid, w);
    if (w->lost) {
        free(w);
        return NULL;
    }
    DL_APPEND(g->workloads_oldest, w);
    return w;
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

static enum err_code apply_intent(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    int leaf = leaf_by_path(i, f->u.intent.step);
    struct workload *w = know_workload(g, f->u.intent.target.uid);
    if (leaf < 0)
        return err_set(e, ERR_INVALID, "the plan of incident \"%s\" has no step \"%s\"", i->id, f->u.intent.step);
    if (!w || (f->u.intent.write == 1 && !spend(g, i, f->at_ms)))
        return err_set(e, ERR_NOMEM, "no memory for an intent");
    i->leaf = leaf;
    i->attempt = f->u.intent.attempt;
    i->intent = f->u.intent;
    i->write = WRITE_OPEN;
    i->state = STATE_ACTING;
    i->written_ms = f->at_ms;
    i->again_ms = 0;
    if (f->u.intent.restarted_at[0])
        memcpy(w->restarted_at, f->u.intent.restarted_at, sizeof w->restarted_at);
    if (f->u.intent.template_hash[0])
        memcpy(w->template_hash, f->u.intent.template_hash, sizeof w->template_hash);
    remember(i, "%s: %s (attempt %u)", i->intent.step, i->intent.action, i->attempt);
    i->revision++;
    return ERR_OK;
}

static void apply_written(struct incident *i, const struct fact *f)
{
    const char *reason = f->u.written.reason;
    i->write = f->u.written.state;
    i->again_ms = f->u.written.again_ms;
    switch (i->write) {
    case WRITE_DONE:
        i->state = STATE_VERIFYING;
        i->writes++;
        i->wrote_template |= i->intent.proof == PROOF_RESTARTED_AT || i->intent.proof == PROOF_TEMPLATE_HASH;
        i->written_ms = f->at_ms;
        if (!i->first_write_ms)
            i->first_write_ms = f->at_ms;
        remember(i, "%s: written%s%s", i->intent.step, reason[0] ? ", " : "", reason);
        break;
    case WRITE_CONFLICT:
        i->conflicts++;
        i->state = STATE_DECIDING;
        break;
    case WRITE_FAILED:
        remember(i, "%s: failed: %s", i->intent.step, reason);
        next_leaf(i);
        break;
    case WRITE_UNKNOWN: /* no disruptive repeat: verified, then a person */
        i->state = STATE_VERIFYING;
        i->doubt = true;
        remember(i, "%s: it is not known whether the write happened: %s", i->intent.step, reason);
        break;
    default: /* absent, retry: decided again */
        i->state = STATE_DECIDING;
        break;
    }
    text_copy(i->reason, sizeof i->reason, reason);
    i->revision++;
}

static void apply_verdict(struct incident *i, const struct fact *f)
{
    struct leaf leaves[PLAN_LEAVES_MAX];
    size_t len = plan_leaves(i->plan, leaves);
    remember(i, "%s: %s: %s", f->u.verdict.step, verdict_name(f->u.verdict.verdict), f->u.verdict.reason);
    text_copy(i->reason, sizeof i->reason, f->u.verdict.reason);
    i->repaired_ms = f->u.verdict.repaired_ms;
    i->confirmed_ms = f->u.verdict.confirmed_ms;
    i->revision++;
    i->state = STATE_DECIDING;
    if (f->u.verdict.verdict != VERDICT_NOT_FIXED)
        return; /* the closing fact follows */
    uint32_t retry = i->leaf < (int)len ? leaves[i->leaf].node->retry : 0;
    if (i->attempt > retry) {
        next_leaf(i);
    } else {
        i->attempt++;
        i->conflicts = 0;
        i->intent = (struct intent){ .write = 0 };
    }
}

static void apply_closed(struct engine *g, struct incident *i, const struct fact *f)
{
    remember(i, "%s: %s", outcome_name(f->u.closed.outcome), f->u.closed.reason);
    i->revision++;
    close_incident(g, i, f->u.closed.outcome, f->u.closed.reason, f->at_ms);
    if (g->closed_len > ENGINE_CLOSED_MAX)
        drop_closed(g, g->closed);
}

static void apply_refused(struct incident *i, const struct fact *f)
{
    if (f->u.refused.scope == REFUSED_LATER) {
        apply_refused_later(i, f);
        return;
    }
    int leaf = leaf_by_path(i, f->u.refused.step);
    remember(i, "%s: not possible (%s): %s", f->u.refused.step, f->u.refused.guard, f->u.refused.reason);
    memcpy(i->guard, f->u.refused.guard, sizeof i->guard);
    memcpy(i->reason, f->u.refused.reason, sizeof i->reason);
    i->leaf = leaf >= 0 ? leaf : i->leaf;
    next_leaf(i);
    i->revision++;
}

static enum err_code apply_to_incident(struct engine *g, const struct fact *f, struct err *e)
{
    struct incident *i = NULL;
    enum err_code code = find_open(g, f, &i, e);
    if (code)
        return code;
    i->asked = false;
    i->look_ms = 0;
    i->asking_ms = 0;
    i->failures = 0;
    switch (f->kind) {
    case FACT_RESOLVED:
        apply_resolved(i, f);
        return ERR_OK;
    case FACT_MERGED:
        return apply_merged(g, i, f, e);
    case FACT_REFUSED:
        apply_refused(i, f);
        return ERR_OK;
    case FACT_INTENT:
        return apply_intent(g, i, f, e);
    case FACT_WRITTEN:
        apply_written(i, f);
        return ERR_OK;
    case FACT_VERDICT:
        apply_verdict(i, f);
        return ERR_OK;
    default:
        apply_closed(g, i, f);
        return ERR_OK;
    }
}

static void apply_told(struct engine *g, const struct fact *f)
{
    struct incident *i = incident_find(g, f->incident);
    if (!i)
        return; /* dropped as one of too many closed ones */
    i->told_revision = f->u.told.revision;
    i->annotation_id = f->u.told.annotation_id;
    if (i->state == STATE_CLOSED && i->told_revision >= i->revision)
        drop_closed(g, i);
}

static enum err_code apply_proven(struct engine *g, const struct fact *f, struct err *e)
{
    struct workload *w = know_workload(g, f->u.proven.target.uid);
    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a proven state");
    int at = 0;
    while (at < PROVEN_MAX - 1 && strcmp(w->proven[at], f->u.proven.template_hash) != 0)
        at++;
    memmove(w->proven[1], w->proven[0], (size_t)at * sizeof w->proven[0]);
    memmove(&w->proven_ms[1], &w->proven_ms[0], (size_t)at * sizeof w->proven_ms[0]);
    memcpy(w->proven[0], f->u.proven.template_hash, sizeof w->proven[0]);
    w->proven_ms[0] = f->at_ms;
    return ERR_OK;
}

static void set_paused(struct engine *g, bool paused, const char *who, const char *reason)
{
    g->paused = paused;
    text_copy(g->paused_who, sizeof g->paused_who, who);
    text_copy(g->paused_reason, sizeof g->paused_reason, reason);
}

static enum err_code apply_kind(struct engine *g, const struct fact *f, struct err *e)
{
    switch (f->kind) {
    case FACT_INSTALLED:
        memcpy(g->installation, f->u.installed.id, sizeof g->installation);
        set_paused(g, true, "heald", "a new journal: nothing is known of what was done before");
        return ERR_OK;
    case FACT_PAUSED:
        set_paused(g, true, f->u.paused.who, f->u.paused.reason);
        return ERR_OK;
    case FACT_RESUMED:
        set_paused(g, false, f->u.resumed.who, f->u.resumed.reason);
        return ERR_OK;
    case FACT_TIME_JUMPED:
    case FACT_SEEN: /* for people: what was seen when changes no decision */
        return ERR_OK;
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
        memcpy(g->policy_hash, f->u.policy.hash, sizeof g->policy_hash);
        return ERR_OK;
    case FACT_RESOLVED:
    case FACT_MERGED:
    case FACT_REFUSED:
    case FACT_INTENT:
    case FACT_WRITTEN:
    case FACT_VERDICT:
    case FACT_CLOSED:
        return apply_to_incident(g, f, e);
    case FACT_KIND_END_:
        break;
    }
    return err_set(e, ERR_VERSION, "its kind %d is not known to this release", (int)f->kind);
}

enum err_code engine_apply(struct engine *g, const struct fact *f, struct err *e)
{
    if (f->seq != g->seq + 1)
        return err_set(e, ERR_INVALID, "fact %lld does not follow fact %lld", (long long)f->seq, (long long)g->seq);
    enum err_code code = apply_kind(g, f, e);
    if (code)
        return err_wrap(e, code, "fact %lld (%s) cannot be applied", (long long)f->seq, fact_kind_name(f->kind));
    g->seq = f->seq;
    g->at_ms = f->at_ms > g->at_ms ? f->at_ms : g->at_ms;
    return ERR_OK;
}
