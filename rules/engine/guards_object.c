/* Guards that look at the object: what it is, who owns it, what it is doing. */
#include "rules/engine/guards_internal.h"

#include <stdio.h>
#include <string.h>

#define ROLLOUT_POLL_MS 15000

enum guard_answer guard_fresh(const struct guard_input *in, struct refusal *r)
{
    int64_t age_ms =
        in->wall_ms - in->o->at_ms; /* the wall clock may have jumped: then the question's own age tells */
    int64_t asked_ms = in->now_ms - in->i->asked_ms;
    age_ms = age_ms >= 0 && age_ms < asked_ms ? age_ms : asked_ms;
    if (age_ms <= OBSERVE_FRESH_MS || in->mode != MODE_ACT)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_LATER, in->now_ms + OBSERVE_BACKOFF_MIN_MS,
                        "the observation was %lld ms old when it came, more than %d", (long long)age_ms,
                        OBSERVE_FRESH_MS);
}

enum guard_answer guard_object(const struct guard_input *in, struct refusal *r)
{
    if (in->o->terminating)
        return guard_refuse(r, GUARD_NEVER, 0, "the object is being deleted");
    if (in->o->desired == 0)
        return guard_refuse(r, GUARD_NEVER, 0, "the workload is scaled to 0: nothing could be verified");
    return GUARD_PASS;
}

enum guard_answer guard_foreign_write(const struct guard_input *in, struct refusal *r)
{
    if (!in->i->wrote_template || heald_wrote(workload_find(in->g, in->target->uid), in->o))
        return GUARD_PASS;
    return guard_refuse(r, GUARD_NEVER, 0,
                        "somebody else changed the template during the incident: the plan stops here");
}

enum guard_answer guard_ownership(const struct guard_input *in, struct refusal *r)
{
    enum action_proof proof = in->node->action->proof;
    if (!in->o->owner[0] || proof == PROOF_RESTARTED_AT || proof == PROOF_POD_GONE)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_STEP, 0,
                        "%s owns the object and would put its own state back: change it there", in->o->owner);
}

enum guard_answer guard_rollout(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (in->environment->own_rollouts || o->rollout_complete || o->deadline_exceeded ||
        heald_wrote(workload_find(in->g, in->target->uid), o) ||
        (in->i->writes > 0 && strcmp(in->i->left_hash, o->template_hash) == 0)) /* it is heald's own */
        return GUARD_PASS;
    int64_t ran_ms = o->template_since_ms ? wall_span(in->g, o->template_since_ms, in->wall_ms)
                                          : in->now_ms - in->i->opened_ms;
    int64_t left_ms = (int64_t)o->progress_deadline_seconds * 1000 - ran_ms;
    if (left_ms <= 0)
        return GUARD_PASS;
    /* it may be complete, or another one, before that */
    return guard_refuse(
        r, GUARD_LATER, in->now_ms + (left_ms < ROLLOUT_POLL_MS ? left_ms : ROLLOUT_POLL_MS),
        "somebody's rollout is under way until its progress deadline of %d s; own_rollouts = true "
        "in the environment would let heald act",
        (int)o->progress_deadline_seconds);
}

enum guard_answer guard_still_firing(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (!in->p->prometheus || in->i->by_hand || in->i->ending || was_fixed(in))
        return GUARD_PASS;
    if (o->alert != ALERT_STATE_FIRING)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "Prometheus does not say that the alert fires for the target: %s", o->alert_text);
    if (!o->fault)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "the cluster's own status shows no fault of the target");
    return GUARD_PASS;
}
