/* Facts about one incident folded into the state: from its opening to its close. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "rules/engine/plans.h"
#include "rules/engine/turns.h"
#include "rules/model/kind.h"

void incident_remember(struct incident *i, const char *fmt, ...)
{
    char line[2 * FACT_TEXT_SIZE + STEP_PATH_SIZE], whole[2 * FACT_NOTIFY_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(whole, sizeof whole, fmt, args);
    va_end(args);
    text_copy(line, sizeof line, whole);
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

/* What an alert would have to say for this target. */
static enum err_code labels_of_target(struct map *ret, const struct target *t, struct err *e)
{
    const struct kind *k = kind_find(t->kind);
    enum err_code code = t->cluster[0] ? map_set(ret, "cluster", t->cluster, e) : ERR_OK;
    if (!code && t->namespace[0])
        code = map_set(ret, "namespace", t->namespace, e);
    if (code)
        return code;
    return k ? map_set(ret, k->label, t->name, e)
             : err_set(e, ERR_INVALID, "\"%s\" is no kind of target", t->kind);
}

static enum err_code fill_opened(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    enum err_code code = plans_take(g, f->u.opened.plan ? f->u.opened.plan : "", &i->plan, e);
    if (!code && i->leader) {
        code = map_copy(&i->labels, &i->leader->labels, e);
        if (!code)
            code = map_copy(&i->annotations, &i->leader->annotations, e);
    } else if (!code && f->u.opened.who[0]) {
        code = labels_of_target(&i->labels, &f->u.opened.target, e);
    } else if (!code) {
        code = labels_of_key(&i->labels, g->opening, e);
        i->annotations = g->opening_annotations;
        g->opening_annotations = MAP_INIT;
    }
    if (!code && !due_reserve(g))
        code = err_set(e, ERR_NOMEM, "no memory for an incident");
    return code;
}

static void open_by_hand(struct incident *i, const struct fact *f)
{
    const char *reason = f->u.opened.reason;
    i->by_hand = true;
    memcpy(i->asked_by, f->u.opened.who, sizeof i->asked_by);
    i->target = f->u.opened.target; /* as it was named; found by its label */
    incident_remember(i, "begun by hand by %s%s%s", i->asked_by, reason[0] ? ": " : "", reason);
}

/* What an incident needs to be opened: its alert, a leader that is open, or a person. */
static enum err_code may_open(const struct engine *g, const struct fact *f, const struct incident *leader,
                              struct err *e)
{
    bool alone = f->u.opened.who[0] || f->u.opened.beside[0];
    if (incident_find(g, f->incident))
        return err_set(e, ERR_INVALID, "incident \"%s\" is opened twice", f->incident);
    if (f->u.opened.beside[0] && (!leader || leader->state == STATE_CLOSED || leader->leader))
        return err_set(e, ERR_INVALID, "incident \"%s\" is opened beside \"%s\", which has no alert",
                       f->incident, f->u.opened.beside);
    if (!alone && (!g->opening || strcmp(g->opening_id, f->incident) != 0))
        return err_set(e, ERR_INVALID, "incident \"%s\" has no alert before it", f->incident);
    return ERR_OK;
}

static void attach_opened(struct engine *g, struct incident *i, const struct fact *f)
{
    if (i->leader) {
        i->leader->followers++;
        i->alerts = 1;
        i->target = f->u.opened.target; /* the name that a selector found, or nothing */
    } else if (f->u.opened.who[0]) {
        open_by_hand(i, f);
    } else {
        i->alerts = 1;
        alert_attach(g, g->opening, i);
        g->opening = NULL;
    }
}

enum err_code apply_opened(struct engine *g, const struct fact *f, struct err *e)
{
    struct incident *leader = f->u.opened.beside[0] ? incident_find(g, f->u.opened.beside) : NULL;
    enum err_code code = may_open(g, f, leader, e);
    if (code)
        return code;
    struct incident *i = calloc(1, sizeof *i);
    if (!i)
        return err_set(e, ERR_NOMEM, "no memory for an incident");
    i->leader = leader;
    code = fill_opened(g, i, f, e);
    memcpy(i->id, f->incident, sizeof i->id);
    if (!code)
        HASH_ADD_STR(g->incidents, id, i);
    if (i->lost)
        code = err_set(e, ERR_NOMEM, "no memory for an incident");
    if (code) {
        map_release(&i->labels);
        map_release(&i->annotations);
        plans_give(g, &i->plan);
        free(i);
        return code;
    }
    memcpy(i->rule, f->u.opened.rule, sizeof i->rule);
    memcpy(i->source, f->u.opened.source, sizeof i->source);
    i->opened_ms = f->at_ms;
    i->starts_ms = f->u.opened.starts_ms;
    i->target_index = f->u.opened.target_index;
    i->family = leader ? leader->family : name_hash(i->id);
    i->state = STATE_RESOLVING;
    i->at = -1;
    i->attempt = 1;
    DL_APPEND(g->open, i);
    g->open_len++;
    attach_opened(g, i, f);
    due_add(g, i);
    return ERR_OK;
}

/* ---- closed ---- */

bool intent_open(const struct incident *i)
{
    return i->intent.write > 0 && i->write != WRITE_DONE && i->write != WRITE_FAILED;
}

bool intent_rolls(const struct intent *n)
{
    return n->proof == PROOF_RESTARTED_AT || n->proof == PROOF_TEMPLATE_HASH ||
           (n->proof == PROOF_CHANGE && n->rolls);
}

bool incident_busy(const struct incident *i)
{
    return i->state == STATE_VERIFYING || i->writes > 0 || i->doubt || intent_open(i);
}

static void set_busy(struct engine *g, struct incident *i, bool busy)
{
    if (busy && !i->busy)
        DL_APPEND2(g->busy, i, busy_prev, busy_next);
    else if (!busy && i->busy)
        DL_DELETE2(g->busy, i, busy_prev, busy_next);
    i->busy = busy;
}

/* i is closed: those that follow it follow `heir`, or the first of them. Its alerts go with them. */
static void leave_followers(struct engine *g, struct incident *i, struct incident *heir)
{
    struct incident *j;
    if (i->leader)
        i->leader->followers--;
    i->leader = NULL;
    if (heir && heir->leader == i)
        heir->leader = NULL;
    for (j = i->followers ? g->open : NULL; j; j = j->next) {
        if (j->leader != i)
            continue;
        j->leader = heir;
        if (heir)
            heir->followers++;
        else
            heir = j;
    }
    i->followers = 0;
    while (heir && i->attached)
        alert_attach(g, i->attached, heir);
}

/* Only what people are told is kept. */
static void close_incident(struct engine *g, struct incident *i)
{
    i->state = STATE_CLOSED;
    turns_leave(g, i);
    leave_followers(g, i, NULL);
    alerts_detach_all(g, i);
    set_busy(g, i, false);
    due_remove(g, i);
    DL_DELETE(g->open, i);
    g->open_len--;
    DL_APPEND(g->closed, i);
    g->closed_len++;
    plans_give(g, &i->plan);
    map_release(&i->labels);
    map_release(&i->annotations);
    free(i->approval);
    i->approval = NULL;
    free(i->evidence);
    i->evidence = NULL;
}

static void drop_closed(struct engine *g, struct incident *i)
{
    DL_DELETE(g->closed, i);
    g->closed_len--;
    engine_drop_incident(g, i);
}

/* The outcome is known: nothing but cleanup and report is left to do. */
static void apply_ending(struct incident *i, const struct fact *f)
{
    incident_remember(i, "%s: %s", outcome_name(f->u.ending.outcome), f->u.ending.reason);
    i->ending = f->u.ending.outcome;
    memcpy(i->reason, f->u.ending.reason, sizeof i->reason);
    memcpy(i->ended_why, f->u.ending.reason, sizeof i->ended_why);
    i->guard[0] = '\0';
    i->again_ms = 0;
    i->undoing = false;
    i->at = -1;
    i->intent.write = 0;
    i->revision++;
    i->state = STATE_DECIDING;
}

static enum err_code apply_closed(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    if (!i->ending) /* else that line stands there already */
        incident_remember(i, "%s: %s", outcome_name(f->u.closed.outcome), f->u.closed.reason);
    i->outcome = f->u.closed.outcome;
    i->closed_ms = f->at_ms;
    i->closed_wall_ms = f->u.closed.wall_ms ? f->u.closed.wall_ms : f->at_ms;
    memcpy(i->reason, f->u.closed.reason, sizeof i->reason);
    i->revision++;
    if (i->resolved && !remember_past(g, i))
        return err_set(e, ERR_NOMEM, "no memory for a closed incident");
    close_incident(g, i);
    if (g->closed_len > ENGINE_CLOSED_MAX)
        drop_closed(g, g->closed);
    return ERR_OK;
}

static enum err_code apply_merged(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    struct incident *into = incident_find(g, f->u.merged.into);
    if (!into || into == i || into->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "incident \"%s\" is merged into \"%s\", which is not another open one",
                       i->id, f->u.merged.into);
    if (g->arrivals_len > 0 && g->arrivals[g->arrivals_len - 1].target == target_hash(&i->target))
        g->arrivals_len--; /* it is no other trouble than the one that came before */
    leave_followers(g, i, into);
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

/* "third time in 6h" */
static void remember_times(struct incident *i)
{
    static const char *const words[] = { "second", "third", "fourth", "fifth", "sixth", "seventh" };
    if (i->times < 2)
        return;
    if (i->times - 2 < (int32_t)(sizeof words / sizeof words[0]))
        incident_remember(i, "%s time in 6h; the last was incident %s", words[i->times - 2], i->former);
    else
        incident_remember(i, "%d times in 6h; the last was incident %s", (int)i->times, i->former);
}

static enum err_code apply_resolved(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    char text[TARGET_TEXT_SIZE], seen[FACT_TEXT_SIZE];
    const struct evidence *v = &f->u.resolved.evidence;
    if (v->cause != CAUSE_UNKNOWN && v->cause != CAUSE_NONE && !i->evidence) {
        i->evidence = malloc(sizeof *i->evidence);
        if (!i->evidence)
            return err_set(e, ERR_NOMEM, "no memory for evidence");
        *i->evidence = *v;
    }
    i->resolved = true;
    i->cause = v->cause;
    i->target = f->u.resolved.target;
    memcpy(i->environment, f->u.resolved.environment, sizeof i->environment);
    i->mode = (enum mode)f->u.resolved.mode;
    memcpy(i->former, f->u.resolved.former, sizeof i->former);
    i->times = f->u.resolved.times;
    if (i->former[0])
        count_relapse(g, i->former, f->at_ms);
    i->state = STATE_DECIDING;
    incident_remember(i, "%s of rule %s for %s", i->by_hand ? "a word" : "alert", i->rule,
                      target_format(text, &i->target));
    if (v->cause != CAUSE_UNKNOWN && v->cause != CAUSE_NONE) {
        evidence_say(seen, sizeof seen, v);
        incident_remember(i, "seen: %s", seen);
    }
    remember_times(i);
    i->revision++;
    if (!remember_arrival(g, i, f->u.resolved.changed, f->at_ms))
        return err_set(e, ERR_NOMEM, "no memory for an incident");
    return ERR_OK;
}

static enum err_code apply_change(struct engine *g, struct incident *i, const struct fact *f, struct err *e)
{
    switch (f->kind) {
    case FACT_RESOLVED:
        return apply_resolved(g, i, f, e);
    case FACT_REFUSED:
        return apply_refused(i, f, e);
    case FACT_INTENT:
        return apply_intent(g, i, f, e);
    case FACT_WRITTEN:
        return apply_written(g, i, f, e);
    case FACT_STEP:
        return apply_step(i, f, e);
    case FACT_NOTIFY:
        return apply_notify(i, f, e);
    case FACT_ENDING:
        apply_ending(i, f);
        return ERR_OK;
    case FACT_ASKED:
        return apply_asked(i, f, e);
    case FACT_WORD:
        return apply_word(i, f, e);
    default:
        return apply_verdict(g, i, f, e);
    }
}

/* It changes nothing of what the incident waits for: a question or a write that is out stays out. */
static bool said_beside(const struct fact *f)
{
    return (f->kind == FACT_WORD && f->u.word.word == WORD_CANCEL) ||
           (f->kind == FACT_NOTIFY && !f->u.notify.step[0]);
}

enum err_code apply_to_incident(struct engine *g, const struct fact *f, struct err *e)
{
    struct incident *i = incident_find(g, f->incident);
    if (!i || i->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "it speaks of incident \"%s\", which is %s", f->incident,
                       i ? "closed" : "not known");
    if (f->kind == FACT_MERGED)
        return apply_merged(g, i, f, e);
    if (f->kind == FACT_CLOSED)
        return apply_closed(g, i, f, e);
    if (!said_beside(f)) {
        i->asked = false;
        i->look_ms = i->asking_ms = 0;
        i->failures = 0;
    }
    if (f->kind == FACT_STEP || f->kind == FACT_ASKED || f->kind == FACT_WORD || f->kind == FACT_ENDING)
        i->moved_ms = f->at_ms;
    enum incident_state from = i->state;
    enum err_code code = apply_change(g, i, f, e);
    if (!code && !state_may(from, i->state))
        code = err_set(e, ERR_INVALID, "incident \"%s\" cannot go from %s to %s", i->id, state_names[from],
                       state_names[i->state]);
    set_busy(g, i, incident_busy(i));
    if (!turns_update(g, i) && !code)
        code = err_set(e, ERR_NOMEM, "no memory for an incident's turn");
    due_update(g, i);
    return code;
}
