/* A person's yes: asked for, bound to exactly what is to be done, expiring to no. */
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/base/timetext.h"
#include "rules/engine/walk.h"

/* What a yes is bound to: any change of it voids the yes. `what` is the change itself. */
static void bound_to(const struct walker *w, const struct observation *o, const char *what,
                     char ret[FACT_BOUND_SIZE])
{
    char text[6 * FACT_TEXT_SIZE], other[6 * FACT_TEXT_SIZE + 8];
    snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%d|%s", w->i->id, w->path, what, w->in.target->uid,
             o->template_hash, (int)o->desired, w->t->g->policy_hash);
    snprintf(other, sizeof other, "%s|again", text);
    snprintf(ret, FACT_BOUND_SIZE, "%016llx%016llx", (unsigned long long)name_hash(text),
             (unsigned long long)name_hash(other));
}

static void ask(struct walker *w, const struct wish *wish, const char *hash)
{
    char text[DURATION_TEXT_SIZE], told[FACT_NOTIFY_SIZE];
    struct fact *f = turn_fact(w->t, FACT_ASKED, w->i->id);
    text_copy(f->u.asked.step, sizeof f->u.asked.step, w->path);
    text_copy(f->u.asked.guard, sizeof f->u.asked.guard, wish->guard);
    text_copy(f->u.asked.role, sizeof f->u.asked.role, wish->role ? wish->role : "");
    f->u.asked.wanted = (int32_t)wish->approvals;
    f->u.asked.until_ms = w->t->now_ms + wish->expires_ms;
    text_copy(f->u.asked.hash, sizeof f->u.asked.hash, hash);
    text_copy(f->u.asked.reason, sizeof f->u.asked.reason, wish->what);
    memcpy(f->u.asked.changed_by, w->in.o->changed_by, sizeof f->u.asked.changed_by);
    snprintf(told, sizeof told,
             "approval is asked for, within %s: %s; \"heald approve %s\" or \"heald deny %s\"",
             duration_format(text, wish->expires_ms), wish->what, w->i->id, w->i->id);
    if (wish->notify)
        walk_tell(w, wish->notify, told);
}

static bool is_for(const struct approval *a, const struct walker *w, const struct wish *wish,
                   const char *hash)
{
    return a && strcmp(a->step, w->path) == 0 && strcmp(a->guard, wish->guard) == 0 &&
           (strcmp(a->hash, hash) == 0 || MUTANT(approval_unbound));
}

enum wish_answer walk_wish(struct walker *w, const struct wish *wish, char ret_why[FACT_TEXT_SIZE])
{
    char hash[FACT_BOUND_SIZE];
    const struct approval *a = w->i->approval;
    bound_to(w, w->in.o, wish->change, hash);
    if (!is_for(a, w, wish, hash)) {
        ask(w, wish, hash);
        return WISH_OPEN;
    }
    if (a->denied[0]) {
        fact_say(ret_why, "denied by %s%s%s", a->denied, a->why[0] ? ": " : "", a->why);
        return WISH_NO;
    }
    if (a->given >= a->wanted) {
        fact_say(ret_why, "approved by %s%s%s", a->by[0], a->given > 1 ? ", " : "",
                 a->given > 1 ? a->by[1] : "");
        return WISH_YES;
    }
    if (w->t->now_ms >= a->until_ms) {
        fact_say(ret_why, "nobody approved it in time");
        return MUTANT(silence_is_yes) ? WISH_YES : WISH_NO;
    }
    return WISH_OPEN; /* somebody said something, and it is not enough yet */
}

enum walked walk_take_gate(struct walker *w)
{
    const struct gate *gate = &w->in.node->gate;
    char text[FACT_NOTIFY_SIZE], why[FACT_TEXT_SIZE];
    if (w->in.mode != MODE_ACT) {
        walk_record(w, RESULT_DONE); /* it only looks: what would come after a yes is told now */
        return WALK_ON;
    }
    walk_text(w, text);
    struct wish wish = { .guard = "gate",
                         .role = gate->role,
                         .approvals = gate->approvals,
                         .expires_ms = gate->expires_ms,
                         .notify = w->in.node->notify,
                         .what = text[0] ? text : "the plan wants to go on",
                         .change = "gate" };
    enum wish_answer a = walk_wish(w, &wish, why);
    if (a == WISH_OPEN)
        return WALK_OVER;
    walk_end(w, a == WISH_YES ? RESULT_DONE : RESULT_FAILED, why);
    return WALK_ON;
}
