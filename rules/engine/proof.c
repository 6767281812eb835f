/* Did a write happen, and what when nothing can be seen: the cluster is asked for the intent's proof. */
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/engine/turn.h"

/* A restart's mark survives what somebody rolls out behind it: then the template that stands there is not
 * heald's. */
static bool overwritten(const struct intent *n, const struct observation *o)
{
    return n->proof == PROOF_RESTARTED_AT && n->old_plain_hash[0] && !MUTANT(plain_hash_ignored) &&
           strcmp(n->old_plain_hash, o->plain_hash) != 0;
}

/* The intent's proof is there. */
void found_written(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    struct fact *f = turn_written(t, i, WRITE_DONE, "found in the cluster");
    if (overwritten(&i->intent, o))
        text_copy(f->u.written.template_hash, sizeof f->u.written.template_hash, TEMPLATE_OVERWRITTEN);
    else
        memcpy(f->u.written.template_hash, o->template_hash, sizeof f->u.written.template_hash);
}

/* Is what the write would have changed as it was when it was decided? */
static bool untouched(const struct intent *n, const struct observation *o)
{
    if (n->proof == PROOF_POD_GONE)
        return true; /* the very pod is there and is not being deleted */
    if (n->proof == PROOF_CHANGE)
        return o->change_proof == CHANGE_ABSENT;
    return strcmp(o->template_hash, n->old_template_hash) == 0 &&
           (n->proof != PROOF_REPLICAS || o->desired == n->old_replicas);
}

/* ACTING, and no worker has the write: restart or lost answer. */
void decide_proof(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    const struct intent *n = &i->intent;
    unsigned needs = n->proof == PROOF_POD_GONE ? OBSERVE_POD : n->proof == PROOF_CHANGE ? OBSERVE_CHANGE : 0;
    int64_t believed_ms = i->asking_ms + (MUTANT(proof_too_early) ? 0 : LONGEST_CALL_MS);
    if ((o->needs & needs) != needs) {
        turn_look_now(t, i);
    } else if (proof_visible(n, o)) {
        found_written(t, i);
    } else if (i->asked_ms < believed_ms) { /* it may have come after this was read */
        int64_t soon = t->now_ms + 1000;
        turn_look_at(t, i, soon > believed_ms || t->now_ms >= believed_ms ? believed_ms : soon);
    } else if (untouched(n, o) || MUTANT(touched_is_absent)) {
        turn_written(t, i, WRITE_ABSENT, "not in the cluster, and the object is as it was");
    } else {
        turn_written(t, i, WRITE_UNKNOWN, "its proof is not there, and somebody else changed the object");
    }
}

static void blind_for_good(struct turn *t, const struct incident *i)
{
    const char *why = t->in->text;
    if (i->state == STATE_ACTING || i->doubt)
        turn_close(t, i, OUTCOME_UNKNOWN, "it is not known whether the write happened: %s", why);
    else if (i->writes)
        turn_close(t, i, OUTCOME_UNKNOWN, "it cannot be verified: %s", why);
    else
        turn_close(t, i, OUTCOME_REFUSED, "target: %s", why);
}

void decide_blind(struct turn *t, const struct incident *i)
{
    enum err_code code = t->in->error;
    bool gone = code == ERR_NOT_FOUND || code == ERR_INVALID || (code == ERR_REFUSED && !i->resolved);
    if (gone) {
        blind_for_good(t, i);
        return;
    }
    uint32_t failures = i->failures + 1;
    int64_t pause_ms = OBSERVE_BACKOFF_MIN_MS << (failures < 6 ? failures - 1 : 5);
    pause_ms = pause_ms > OBSERVE_BACKOFF_MAX_MS ? OBSERVE_BACKOFF_MAX_MS : pause_ms;
    pause_ms += (int64_t)(t->in->random % (uint64_t)(pause_ms / 4 + 1));
    if (i->state == STATE_VERIFYING) { /* no data is not success, and not for ever */
        decide_verdict(t, i);
        if (t->d->facts_len > t->facts)
            return; /* it was judged all the same */
    } else if (failures == 3 && i->state != STATE_ACTING) {
        struct refusal r = { .guard = "observation", .again_ms = t->now_ms + pause_ms };
        text_copy(r.reason, sizeof r.reason, t->in->text);
        turn_refused(t, i, "", &r, REFUSED_LATER);
    }
    struct note *n = turn_note(t, i);
    if (!n)
        return;
    n->failures = failures;
    n->look_ms = t->now_ms + pause_ms;
}
