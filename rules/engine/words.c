/* Operators' words: on an incident, to begin one by hand, to pause and to resume. */
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/engine/turn.h"
#include "rules/model/kind.h"

static bool in_groups(const char *groups, const char *group)
{
    size_t len = strlen(group);
    for (const char *p = groups; *p;) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, group, n) == 0)
            return true;
        p += p[n] ? n + 1 : n;
    }
    return false;
}

static enum err_code may_answer(const struct incident *i, int64_t now_ms, const struct input *in,
                                struct err *e)
{
    const struct approval *a = i->approval;
    if (i->state != STATE_APPROVAL || now_ms >= a->until_ms)
        return err_set(e, ERR_INVALID, "incident \"%s\" asks for no approval now; it is %s", i->id,
                       i->state == STATE_APPROVAL ? "too late" : state_names[i->state]);
    if (in->hash[0] && strcmp(in->hash, a->hash) != 0)
        return err_set(e, ERR_INVALID,
                       "what incident \"%s\" asks for has changed since: look again, it is %s now", i->id,
                       a->hash);
    if (a->role[0] && !in_groups(in->groups, a->role))
        return err_set(e, ERR_REFUSED,
                       "this needs an operator of group \"%s\"; add it to `groups` of the operator", a->role);
    if (in->word == WORD_DENY)
        return ERR_OK;
    if (a->wanted == 1 && strcmp(i->asked_by, in->who) == 0)
        return err_set(e, ERR_REFUSED, "\"%s\" began the incident: somebody else has to approve it", in->who);
    if (a->wanted == 1 && a->changed_by[0] && strcmp(a->changed_by, in->who) == 0)
        return err_set(e, ERR_REFUSED,
                       "\"%s\" changed the target last, as the object says: somebody else has to approve it",
                       in->who);
    for (int k = 0; k < a->given; k++)
        if (strcmp(a->by[k], in->who) == 0 && !MUTANT(yes_counts_twice))
            return err_set(e, ERR_INVALID, "\"%s\" has approved it already; %d of %d have", in->who,
                           (int)a->given, (int)a->wanted);
    return ERR_OK;
}

/* By rule, or by plan alone. */
static const struct plan *plan_for(const struct policy *p, const struct input *in)
{
    const struct rule *rule = in->name[0] ? policy_rule(p, in->name) : NULL;
    if (in->name[0])
        return rule ? rule->plan : NULL;
    for (size_t k = 0; k < p->plans_len; k++)
        if (strcmp(p->plans[k].name, in->plan) == 0)
            return &p->plans[k];
    return NULL;
}

static enum err_code may_heal(const struct engine *g, const struct policy *p, const struct input *in,
                              struct err *e)
{
    const struct target *t = &in->target;
    if ((!t->namespace[0] && kind_is_namespaced(t->kind)) || !t->kind[0] || !t->name[0])
        return err_set(e, ERR_INVALID, "say what to heal: namespace, kind and name");
    if (!kind_find(t->kind))
        return err_set(e, ERR_INVALID, "\"%s\" cannot be healed by hand; one of " KIND_NAMES " can", t->kind);
    if (!plan_for(p, in))
        return err_set(e, ERR_NOT_FOUND, "the policy has no %s \"%s\"", in->name[0] ? "rule" : "plan",
                       in->name[0] ? in->name : in->plan);
    if (g->open_len >= ENGINE_INCIDENTS_MAX)
        return err_set(e, ERR_LIMIT, "%u incidents are open, the most there may be", ENGINE_INCIDENTS_MAX);
    return ERR_OK;
}

/* What a retry of a closed incident begins anew. */
static struct input as_heal(const struct incident *i, const struct input *in)
{
    struct input heal = *in;
    heal.kind = INPUT_HEAL;
    heal.target = i->target;
    heal.target.uid[0] = '\0';
    text_copy(heal.name, sizeof heal.name, i->rule);
    return heal;
}

static enum err_code may_say(const struct engine *g, const struct policy *p, int64_t now_ms,
                             const struct input *in, struct err *e)
{
    const struct incident *i = incident_find(g, in->incident);
    if (!i)
        return err_set(e, ERR_NOT_FOUND, "there is no incident \"%s\" any more that could be spoken of",
                       in->incident);
    if (i->state == STATE_CLOSED && in->word == WORD_RETRY) {
        struct input heal = as_heal(i, in);
        return may_heal(g, p, &heal, e);
    }
    if (i->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "incident \"%s\" has ended: %s", i->id, outcome_name(i->outcome));
    switch (in->word) {
    case WORD_APPROVE:
    case WORD_DENY:
        return may_answer(i, now_ms, in, e);
    case WORD_CANCEL:
        if (i->ending || i->cancelled)
            return err_set(e, ERR_INVALID, "incident \"%s\" %s", i->id,
                           i->ending ? "ends already" : "is cancelled already");
        break;
    case WORD_RETRY:
        if (i->state != STATE_WAITING && i->state != STATE_RESOLVING && i->state != STATE_DECIDING)
            return err_set(e, ERR_INVALID, "incident \"%s\" is %s: there is nothing to try again", i->id,
                           state_names[i->state]);
        break;
    }
    return ERR_OK;
}

enum err_code engine_word(const struct engine *g, const struct policy *p, int64_t now_ms,
                          const struct input *in, struct err *e)
{
    switch (in->kind) {
    case INPUT_WORD:
        return may_say(g, p, now_ms, in, e);
    case INPUT_HEAL:
        return may_heal(g, p, in, e);
    case INPUT_PAUSE:
        if (g->pauses_len >= PAUSES_MAX && !pause_find(g, in->scope, in->name))
            return err_set(e, ERR_LIMIT,
                           "%d things are paused, the most there may be; resume one, or pause everywhere",
                           PAUSES_MAX);
        if (in->until_ms && in->until_ms <= now_ms)
            return err_set(e, ERR_INVALID, "the end of the pause is not in the future");
        return ERR_OK;
    case INPUT_RESUME:
        if (in->scope != PAUSE_EVERYWHERE && !pause_find(g, in->scope, in->name))
            return err_set(e, ERR_NOT_FOUND, "%s \"%s\" is not paused", pause_scope_name(in->scope),
                           in->name);
        return ERR_OK;
    default:
        return err_set(e, ERR_INVALID, "this is no operator's word");
    }
}

/* ---- what they lead to ---- */

static void begin_by_hand(struct turn *t, const struct input *in)
{
    char id[INCIDENT_ID_SIZE];
    incident_new_id(t, id);
    struct fact *f = turn_fact(t, FACT_INCIDENT_OPENED, id);
    text_copy(f->u.opened.rule, sizeof f->u.opened.rule, in->name);
    text_copy(f->u.opened.who, sizeof f->u.opened.who, in->who);
    text_copy(f->u.opened.reason, sizeof f->u.opened.reason, in->text);
    f->u.opened.target = in->target;
    f->u.opened.starts_ms = t->wall_ms;
    f->u.opened.plan = plan_text(t, plan_for(t->p, in));
}

static void say_word(struct turn *t)
{
    const struct incident *i = incident_find(t->g, t->in->incident);
    if (i->state == STATE_CLOSED) {
        struct input heal = as_heal(i, t->in);
        begin_by_hand(t, &heal);
        return;
    }
    struct fact *f = turn_fact(t, FACT_WORD, i->id);
    f->u.word.word = t->in->word;
    text_copy(f->u.word.who, sizeof f->u.word.who, t->in->who);
    text_copy(f->u.word.reason, sizeof f->u.word.reason, t->in->text);
    if (t->in->word == WORD_APPROVE || t->in->word == WORD_DENY)
        memcpy(f->u.word.hash, i->approval->hash, sizeof f->u.word.hash);
    if (t->in->word == WORD_CANCEL &&
        i->state != STATE_ACTING) /* else once it is known what became of the write */
        turn_close(t, i, OUTCOME_CANCELLED, "by %s%s%s", t->in->who, t->in->text[0] ? ": " : "", t->in->text);
}

static void decide_pause(struct turn *t)
{
    struct fact *f = turn_fact(t, t->in->kind == INPUT_PAUSE ? FACT_PAUSED : FACT_RESUMED, NULL);
    text_copy(f->u.paused.who, sizeof f->u.paused.who, t->in->who);
    text_copy(f->u.paused.reason, sizeof f->u.paused.reason, t->in->text);
    f->u.paused.scope = t->in->scope;
    text_copy(f->u.paused.name, sizeof f->u.paused.name, t->in->scope == PAUSE_EVERYWHERE ? "" : t->in->name);
    f->u.paused.until_ms = t->in->kind == INPUT_PAUSE ? t->in->until_ms : 0;
}

void decide_word(struct turn *t)
{
    if (engine_word(t->g, t->p, t->now_ms, t->in, NULL) != ERR_OK)
        return;
    if (t->in->kind == INPUT_WORD)
        say_word(t);
    else if (t->in->kind == INPUT_HEAL)
        begin_by_hand(t, t->in);
    else
        decide_pause(t);
}
