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

/* Is what rolls out what this incident's last write of replicas or a pod led to? The template is the one that
 * stood there then, and has stood there since: somebody may have changed it to and fro. */
static bool follows_own_write(const struct guard_input *in)
{
    const struct observation *o = in->o;
    return in->i->writes > 0 && strcmp(in->i->left_hash, o->template_hash) == 0 && o->template_since_ms &&
           o->template_since_ms < in->i->written_wall_ms;
}

enum guard_answer guard_rollout(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (in->environment->own_rollouts || o->rollout_complete || o->deadline_exceeded ||
        heald_wrote(workload_find(in->g, in->target->uid), o) || follows_own_write(in))
        return GUARD_PASS;
    int64_t seen_ms = in->i->opened_ms > in->g->started_ms ? in->i->opened_ms : in->g->started_ms;
    int64_t ran_ms =
        o->template_since_ms ? wall_span(in->g, o->template_since_ms, in->wall_ms) : in->now_ms - seen_ms;
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

/* How full a claim is does not stand in its status: there the alert alone can say it. */
static bool status_shows_faults(const struct target *t)
{
    return strcmp(t->kind, "PersistentVolumeClaim") != 0;
}

enum guard_answer guard_still_firing(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (!in->p->prometheus || in->i->by_hand || in->i->ending || was_fixed(in))
        return GUARD_PASS;
    if (policy_in_prometheus(in->p, in->i->source) && o->alert != ALERT_STATE_FIRING)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "Prometheus does not say that the alert fires for the target: %s", o->alert_text);
    if (!o->fault && status_shows_faults(in->target))
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "the cluster's own status shows no fault of the target");
    return GUARD_PASS;
}

/* Pods that the step takes away at once by itself; what a rollout takes away is bounded by the workload's own
 * strategy. */
static int32_t pods_taken(const struct guard_input *in)
{
    switch (in->node->action->proof) {
    case PROOF_REPLICAS: {
        int32_t left = (int32_t)in->node->params[0];
        return left < in->o->desired ? in->o->desired - left : 0;
    }
    case PROOF_POD_GONE:
        return 1;
    default:
        return 0;
    }
}

enum guard_answer guard_blast_radius(const struct guard_input *in, struct refusal *r)
{
    int64_t share = in->o->desired * in->environment->blast_percent / 100;
    int64_t most = share > 1 ? share : 1;
    int32_t taken = pods_taken(in);
    if (taken <= most)
        return GUARD_PASS;
    return guard_refuse(
        r, GUARD_STEP, 0, "it would take away %d of %d pods at once, more than %lld (blast_radius %lld%%)",
        (int)taken, (int)in->o->desired, (long long)most, (long long)in->environment->blast_percent);
}

/* Of the pods that are taken, how many are ready? Those that are not are taken first where the alert names
 * the pod. */
static int32_t ready_taken(const struct guard_input *in)
{
    const struct observation *o = in->o;
    enum action_proof proof = in->node->action->proof;
    if (proof == PROOF_POD_GONE)
        return o->ready >= o->desired;
    if (proof == PROOF_REPLICAS) {
        int32_t left = (int32_t)in->node->params[0];
        return o->ready > left ? o->ready - left : 0;
    }
    if (proof == PROOF_CHANGE && !in->node->action->rolls)
        return 0;
    /* one after the other, without a new one first */
    bool in_place = strcmp(in->target->kind, "Deployment") != 0;
    return in_place && o->ready >= o->desired;
}

enum guard_answer guard_availability(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    int32_t taken = ready_taken(in), left = o->ready - taken;
    int64_t least = (o->desired * in->environment->min_available_percent + 99) / 100;
    bool for_good = in->node->action->proof == PROOF_REPLICAS;
    if (taken == 0)
        return GUARD_PASS;
    if (left <= 0 && !in->environment->downtime)
        return guard_refuse(r, for_good ? GUARD_STEP : GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "it would leave nothing running, of %d ready pods; downtime = true in the "
                            "environment would allow it",
                            (int)o->ready);
    if (left < least)
        return guard_refuse(r, for_good ? GUARD_STEP : GUARD_LATER, in->now_ms + LATER_POLL_MS,
                            "it would leave %d of %d pods ready, fewer than %lld (min_available)", (int)left,
                            (int)o->desired, (long long)least);
    if (in->node->action->proof == PROOF_POD_GONE && o->pdb_known && o->pdb && o->pdb_allowed <= 0)
        return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS, "no disruption is allowed now: %s",
                            o->pdb_text);
    return GUARD_PASS;
}
