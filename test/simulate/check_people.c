/* test/simulate/check_people.c - what needs a person's yes, and what people said. */
#include <string.h>

#include "test/simulate/sim.h"

/* What the yes was asked for, as it was then: it counts for nothing else. */
static const struct wished *wished(const struct sim *s, const char *hash)
{
    for (size_t k = s->wishes_len; k-- > 0;)
        if (strcmp(s->wishes[k].hash, hash) == 0)
            return &s->wishes[k];
    return NULL;
}

static bool listed(const struct sim *s, const struct intent *n, const struct course *c)
{
    const struct environment *env = policy_environment(s->p, &n->target);
    const struct node *step = course_node(c, n->step);
    return env && step && step->action && action_listed(&env->approve, step->action);
}

void check_yes(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t)
{
    const struct asked *a = &c->asked;
    check(s, CHECK_APPROVAL, !c->cancelled, "%s: a write after it was cancelled", c->id);
    if (n->undo || !listed(s, n, c))
        return;
    const struct wished *w = wished(s, a->hash);
    bool given = strcmp(a->guard, "approval") == 0 && strcmp(a->step, n->step) == 0 && !a->denied &&
                 a->given >= a->wanted;
    check(s, CHECK_APPROVAL, given, "%s: %s without a yes", c->id, n->action);
    check(s, CHECK_APPROVAL,
          !given || (w && strcmp(w->template_hash, t->hash) == 0 && strcmp(w->policy, s->policy_hash) == 0),
          "%s: the yes was given for something else", c->id);
}

void check_asked(struct sim *s, const struct fact *f)
{
    const struct job *j = s->judging;
    bool looked = j && j->effect.kind == EFFECT_OBSERVE && j->truth.object >= 0;
    check(s, CHECK_APPROVAL, looked, "%s: a yes is asked for, and nobody looked", f->incident);
    if (!looked)
        return;
    s->wishes = sim_grow(s->wishes, &s->wishes_cap, s->wishes_len, sizeof *s->wishes);
    struct wished *w = &s->wishes[s->wishes_len++];
    memcpy(w->hash, f->u.asked.hash, sizeof w->hash);
    memcpy(w->template_hash, j->truth.hash, sizeof w->template_hash);
    memcpy(w->policy, s->policy_hash, sizeof w->policy);
}

void check_word(struct sim *s, const struct fact *f, const struct course *c)
{
    const struct asked *a = &c->asked;
    const char *who = f->u.word.who;
    count_name(&s->stats->words, word_name(f->u.word.word), 1);
    if (f->u.word.word != WORD_APPROVE && f->u.word.word != WORD_DENY)
        return;
    check(s, CHECK_APPROVAL, c->state == COURSE_APPROVAL && f->at_ms < a->until_ms,
          "%s: an answer to no question", c->id);
    check(s, CHECK_APPROVAL, !a->role[0] || strstr(s->groups, a->role), "%s: %s may not answer", c->id, who);
    if (f->u.word.word == WORD_DENY)
        return;
    check(s, CHECK_APPROVAL, a->wanted > 1 || strcmp(who, c->begun_by) != 0, "%s: %s approves what he began",
          c->id, who);
    for (int k = 0; k < a->given; k++)
        check(s, CHECK_APPROVAL, strcmp(a->by[k], who) != 0, "%s: %s counts twice", c->id, who);
}

/* How a gate or a wait may end. */
void check_step(struct sim *s, const struct fact *f, const struct course *c)
{
    const struct node *n = course_node(c, f->u.step.step);
    const struct asked *a = &c->asked;
    bool done = f->u.step.result == RESULT_DONE;
    check(s, CHECK_STEPS, n, "%s: its plan has no step %s", c->id, f->u.step.step);
    if (!n || f->u.step.event != STEP_ENDED)
        return;
    if (n->type == NODE_GATE) {
        bool asked = strcmp(a->step, f->u.step.step) == 0 && strcmp(a->guard, "gate") == 0;
        check(s, CHECK_STEPS, asked, "%s: a gate ends that asked nobody", c->id);
        check(s, CHECK_STEPS, !done || (a->given >= a->wanted && !a->denied),
              "%s: a gate opens without a yes", c->id);
        check(s, CHECK_STEPS, done || a->denied || f->at_ms >= a->until_ms, "%s: a gate closes without a no",
              c->id);
    } else if (n->type == NODE_WAIT && n->wait.for_ms) {
        bool waited = strcmp(c->waits_step, f->u.step.step) == 0;
        check(s, CHECK_STEPS, waited && f->at_ms >= c->waits_ms + n->wait.for_ms,
              "%s: it waited %lld of %lld ms", c->id, waited ? (long long)(f->at_ms - c->waits_ms) : 0,
              (long long)n->wait.for_ms);
    }
}
