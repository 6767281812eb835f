/* Steps that write nothing: to wait, to choose, to tell. */
#include "rules/engine/walk.h"
#include "rules/base/mutant.h"

#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/template.h"

static struct fact *step_fact(struct walker *w, enum step_event event, const char *reason)
{
    struct fact *f = turn_fact(w->t, FACT_STEP, w->i->id);
    text_copy(f->u.step.step, sizeof f->u.step.step, w->path);
    f->u.step.event = event;
    text_copy(f->u.step.reason, sizeof f->u.step.reason, reason);
    return f;
}

void walk_end(struct walker *w, enum step_result result, const char *reason)
{
    struct fact *f = step_fact(w, STEP_ENDED, reason);
    f->u.step.result = (int)result;
    walk_record(w, result);
}

static const char *last_reason(const struct walker *w)
{
    for (size_t k = w->t->d->facts_len; k-- > w->t->facts;) {
        const struct fact *f = &w->t->d->facts[k];
        if (strcmp(f->incident, w->i->id) != 0)
            break;
        if (f->kind == FACT_REFUSED)
            return f->u.refused.reason;
        if (f->kind == FACT_STEP && f->u.step.reason[0])
            return f->u.step.reason;
    }
    return w->i->reason;
}

/* A copy: the next fact moves those before it. */
void walk_reason(const struct walker *w, char ret[FACT_TEXT_SIZE])
{
    text_copy(ret, FACT_TEXT_SIZE, last_reason(w));
}

/* ---- telling ---- */

void walk_text(struct walker *w, char ret[FACT_NOTIFY_SIZE])
{
    const char *text = w->in.node->text ? w->in.node->text : "";
    const struct probing p = probing_for(w->i, w->in.target, w->in.o);
    const struct template_values values = {
        .labels = &w->i->labels, .annotations = &w->i->annotations, .target = p.target, .evidence = p.evidence
    };
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    if (template_render(&b, text, PLACE_TEXT, &values, &e) == ERR_OK)
        text_copy(ret, FACT_NOTIFY_SIZE, buf_text(&b));
    else /* a person is told all the same */
        snprintf(ret, FACT_NOTIFY_SIZE, "%.300s (%.150s)", text, e.msg);
}

void walk_tell(struct walker *w, const char *receiver, const char *text)
{
    struct fact *f = turn_fact(w->t, FACT_NOTIFY, w->i->id);
    text_copy(f->u.notify.receiver, sizeof f->u.notify.receiver, receiver);
    text_copy(f->u.notify.text, sizeof f->u.notify.text, text);
}

void walk_notify(struct walker *w, const char *receiver, const char *text)
{
    struct fact *f = turn_fact(w->t, FACT_NOTIFY, w->i->id);
    text_copy(f->u.notify.step, sizeof f->u.notify.step, w->path);
    text_copy(f->u.notify.receiver, sizeof f->u.notify.receiver, receiver);
    text_copy(f->u.notify.text, sizeof f->u.notify.text, text);
    walk_record(w, RESULT_DONE);
}

enum walked walk_take_notify(struct walker *w)
{
    char text[FACT_NOTIFY_SIZE];
    walk_text(w, text);
    if (w->in.mode == MODE_ACT)
        walk_notify(w, w->in.node->notify, text);
    else
        walk_record(w, RESULT_DONE); /* it only looks: nobody is told of what is not done */
    return WALK_ON;
}

/* ---- waiting ---- */

static void begin_wait(struct walker *w, int64_t for_ms, int64_t every_ms)
{
    char text[DURATION_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    const char *until = w->in.node->wait.for_ms ? "" : "a condition to hold, ";
    fact_say(reason, "for %s%s%s", until, until[0] ? "at most " : "", duration_format(text, for_ms));
    struct fact *f = step_fact(w, STEP_BEGAN, reason);
    f->u.step.until_ms = w->t->now_ms + (MUTANT(wait_too_short) ? for_ms / 2 : for_ms);
    turn_look_at(w->t, w->i, w->t->now_ms + every_ms);
}

/* For a time: it moves on when that is over. */
static enum walked wait_for(struct walker *w, bool begun)
{
    if (begun && w->t->now_ms >= w->i->until_ms) {
        walk_end(w, RESULT_DONE, "waited");
        return WALK_ON;
    }
    if (begun)
        turn_look_at(w->t, w->i, w->i->until_ms);
    else
        begin_wait(w, w->in.node->wait.for_ms, w->in.node->wait.for_ms);
    return WALK_OVER;
}

/* Until a condition holds: it has failed when the time is over before. */
static enum walked wait_until(struct walker *w, bool begun)
{
    const struct wait *wait = &w->in.node->wait;
    if (!walk_probed(w, &w->in.node->when))
        return WALK_OVER;
    char why[FACT_TEXT_SIZE], text[DURATION_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    if (conditions_ask(&w->in, &w->in.node->when, why) == CONDITION_YES) {
        walk_end(w, RESULT_DONE, "what it waited for holds");
        return WALK_ON;
    }
    if (begun && w->t->now_ms >= w->i->until_ms) {
        fact_say(reason, "after %s: %s", duration_format(text, wait->within_ms), why);
        walk_end(w, RESULT_FAILED, reason);
        return WALK_ON;
    }
    int64_t next_ms = w->t->now_ms + wait->every_ms;
    if (begun)
        turn_look_at(w->t, w->i, next_ms < w->i->until_ms ? next_ms : w->i->until_ms);
    else
        begin_wait(w, wait->within_ms, wait->every_ms < wait->within_ms ? wait->every_ms : wait->within_ms);
    return WALK_OVER;
}

enum walked walk_take_wait(struct walker *w)
{
    bool begun = w->i->state == STATE_DELAYED && w->i->at == w->at;
    if (w->in.mode != MODE_ACT) {
        walk_record(w, RESULT_DONE); /* it only looks: what would come then is told now */
        return WALK_ON;
    }
    return w->in.node->wait.for_ms ? wait_for(w, begun) : wait_until(w, begun);
}

static bool without_data(const struct observation *o)
{
    for (uint32_t k = 0; k < o->probes_len; k++)
        if (o->probes[k].state != PROBE_ANSWERED)
            return true;
    return false;
}

bool walk_ask_again(struct walker *w, const char *why)
{
    char text[DURATION_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    bool begun = w->i->state == STATE_DELAYED && w->i->at == w->at;
    int64_t next_ms = w->t->now_ms + UNANSWERED_EVERY_MS;
    if (w->in.mode != MODE_ACT || w->i->ending || w->t->explanation || !conditions_probe(&w->in.node->when) ||
        !without_data(w->in.o) || (begun && w->t->now_ms >= w->i->until_ms))
        return false;
    if (begun) {
        turn_look_at(w->t, w->i, next_ms < w->i->until_ms ? next_ms : w->i->until_ms);
        return true;
    }
    fact_say(reason, "for an answer, at most %s: %s", duration_format(text, UNANSWERED_MS), why);
    step_fact(w, STEP_BEGAN, reason)->u.step.until_ms = w->t->now_ms + UNANSWERED_MS;
    turn_look_at(w->t, w->i, next_ms);
    return true;
}

/* ---- what is judged together ---- */

int incident_unjudged(const struct incident *i)
{
    struct tree t;
    if (i->at < 0 || !i->plan || i->undoing || i->state == STATE_VERIFYING)
        return -1;
    tree_of(i->plan, &t);
    int joint = tree_parallel(&t, i->at);
    bool open = joint >= 0 && i->progress.result[joint] == RESULT_NOT_RUN;
    return open && tree_wrote(&t, &i->progress, joint) ? joint : -1;
}

void walk_judge_now(struct walker *w, int joint, const char *why)
{
    w->at = joint;
    tree_path(&w->tree, joint, w->path);
    step_fact(w, STEP_BEGAN, why);
}

/* ---- choosing ---- */

enum walked walk_take_choose(struct walker *w)
{
    uint8_t order[POLICY_BRANCHES_MAX];
    char text[FACT_ORDER_SIZE], reason[FACT_TEXT_SIZE];
    size_t len = w->in.node->branches_len;
    branches_rank(w, order, reason);
    for (size_t k = 0; k < len; k++) {
        text[2 * k] = (char)('0' + order[k]);
        text[2 * k + 1] = ',';
    }
    text[2 * len - 1] = '\0';
    if (w->in.mode == MODE_ACT) {
        struct fact *f = step_fact(w, STEP_RANKED, reason);
        memcpy(f->u.step.order, text, 2 * len);
        progress_reach(&w->tree, &w->progress, w->at);
    }
    progress_rank(&w->tree, &w->progress, w->at, order, len);
    return WALK_ON;
}
