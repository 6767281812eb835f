/* What was asked of persons, and what they said, folded into the state. */
#include <stdlib.h>
#include <string.h>

#include "rules/engine/state.h"

enum err_code apply_asked(struct incident *i, const struct fact *f, struct err *e)
{
    struct tree t;
    tree_of(i->plan, &t);
    int at = tree_find(&t, f->u.asked.step);
    if (at < 0 || f->u.asked.wanted < 1 || f->u.asked.wanted > APPROVALS_MAX)
        return err_set(e, ERR_INVALID, "incident \"%s\" cannot ask for step \"%s\"", i->id, f->u.asked.step);
    if (!i->approval)
        i->approval = malloc(sizeof *i->approval);
    if (!i->approval)
        return err_set(e, ERR_NOMEM, "no memory for an approval");
    *i->approval = (struct approval){ .wanted = f->u.asked.wanted, .until_ms = f->u.asked.until_ms };
    memcpy(i->approval->step, f->u.asked.step, sizeof i->approval->step);
    memcpy(i->approval->guard, f->u.asked.guard, sizeof i->approval->guard);
    memcpy(i->approval->role, f->u.asked.role, sizeof i->approval->role);
    memcpy(i->approval->hash, f->u.asked.hash, sizeof i->approval->hash);
    memcpy(i->approval->changed_by, f->u.asked.changed_by, sizeof i->approval->changed_by);
    memcpy(i->guard, f->u.asked.guard, sizeof i->guard);
    memcpy(i->reason, f->u.asked.reason, sizeof i->reason);
    progress_reach(&t, &i->progress, at);
    incident_remember(i, "%s: asks for approval (%s): %s", f->u.asked.step, f->u.asked.hash,
                      f->u.asked.reason);
    i->again_ms = 0;
    i->revision++;
    i->state = STATE_APPROVAL;
    return ERR_OK;
}

static enum err_code apply_answer(struct incident *i, const struct fact *f, struct err *e)
{
    struct approval *a = i->approval;
    bool open = a && a->given < a->wanted && !a->denied[0] && strcmp(a->hash, f->u.word.hash) == 0;
    if (!open)
        return err_set(e, ERR_INVALID, "incident \"%s\" has asked for nothing that could be answered", i->id);
    if (f->u.word.word == WORD_APPROVE) {
        memcpy(a->by[a->given++], f->u.word.who, sizeof a->by[0]);
    } else {
        memcpy(a->denied, f->u.word.who, sizeof a->denied);
        memcpy(a->why, f->u.word.reason, sizeof a->why);
    }
    if (i->state == STATE_APPROVAL && (a->given >= a->wanted || a->denied[0]))
        i->state = STATE_DECIDING; /* on a fresh look, with every guard */
    return ERR_OK;
}

enum err_code apply_word(struct incident *i, const struct fact *f, struct err *e)
{
    const char *reason = f->u.word.reason;
    incident_remember(i, "%s says %s%s%s", f->u.word.who, word_name(f->u.word.word), reason[0] ? ": " : "",
                      reason);
    i->revision++;
    switch (f->u.word.word) {
    case WORD_APPROVE:
    case WORD_DENY:
        return apply_answer(i, f, e);
    case WORD_CANCEL:
        i->cancelled = true;
        return ERR_OK;
    case WORD_RETRY:
        i->again_ms = 0;
        return ERR_OK;
    }
    return err_set(e, ERR_INVALID, "incident \"%s\": a word that is none", i->id);
}
