/* What exactly one write is to be: decided from the observation, recorded in the intent, provable afterwards.
 */
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/base/timetext.h"
#include "rules/engine/guards.h"
#include "rules/engine/turn.h"
#include "rules/model/kind.h"

static enum guard_answer not_possible(struct refusal *r, const char *guard, const char *reason)
{
    r->guard = guard;
    r->again_ms = 0;
    text_copy(r->reason, sizeof r->reason, reason);
    return GUARD_STEP;
}

bool proof_visible(const struct intent *n, const struct observation *o)
{
    switch (n->proof) {
    case PROOF_RESTARTED_AT:
        return strcmp(o->restarted_at, n->restarted_at) == 0;
    case PROOF_TEMPLATE_HASH:
        return strcmp(o->template_hash, n->template_hash) == 0;
    case PROOF_REPLICAS:
        return o->desired == n->replicas;
    case PROOF_POD_GONE:
        return !o->pod_found || o->pod_terminating || strcmp(o->pod_uid, n->pod_uid) != 0;
    case PROOF_CHANGE:
        return o->change_proof == CHANGE_THERE;
    }
    return false;
}

static int proven_index(const struct workload *w, const char *hash)
{
    for (int k = 0; w && k < PROVEN_MAX; k++)
        if (w->proven[k][0] && strcmp(w->proven[k], hash) == 0)
            return k;
    return -1;
}

/* Earliest sign of trouble, in whole seconds as Kubernetes writes times. */
static int64_t trouble_began_ms(const struct guard_input *in)
{
    const struct observation *o = in->o;
    int64_t at = in->i->starts_ms;
    int64_t active = o->alert_active_ms ? o->alert_active_ms - o->alert_interval_ms : 0;
    if (active && (!at || active < at))
        at = active;
    if (o->trouble_ms && (!at || o->trouble_ms < at))
        at = o->trouble_ms;
    return at / 1000 * 1000;
}

bool template_changed(const struct guard_input *in, char ret_why[FACT_TEXT_SIZE])
{
    const struct workload *w = workload_find(in->g, in->target->uid);
    if (!w || !w->proven[0][0]) {
        text_copy(ret_why, FACT_TEXT_SIZE,
                  "no template of this workload was ever proven well: it was broken at first sight, or heald "
                  "has not watched it for long enough");
        return false;
    }
    if (proven_index(w, in->o->template_hash) >= 0) {
        text_copy(ret_why, FACT_TEXT_SIZE, "the template is one that was proven well: it has not changed");
        return false;
    }
    /* heald's own restarts change the template's text and nothing else: what stood there before is judged */
    bool restarted = w->restarted_at[0] && w->base_hash[0] && heald_wrote(w, in->o);
    if (restarted && proven_index(w, w->base_hash) >= 0) {
        text_copy(ret_why, FACT_TEXT_SIZE,
                  "the template is one that was proven well, restarted by heald: it has not changed");
        return false;
    }
    /* 0: it stood there when the watch began, so it is a suspect whatever its age */
    int64_t since = (restarted ? w->base_since_wall_ms : in->o->template_since_ms) / 1000 * 1000;
    int64_t trouble = trouble_began_ms(in);
    if (since && trouble && since > trouble) {
        text_copy(ret_why, FACT_TEXT_SIZE,
                  "the template changed after the trouble began: it is not the cause");
        return false;
    }
    return true;
}

static bool find_revision(const struct observation *o, const char *hash, struct intent *n)
{
    for (uint32_t v = 0; v < o->revisions_len; v++)
        if (strcmp(o->revisions[v].template_hash, hash) == 0) {
            memcpy(n->template_hash, o->revisions[v].template_hash, sizeof n->template_hash);
            memcpy(n->revision, o->revisions[v].name, sizeof n->revision);
            return true;
        }
    return false;
}

static enum guard_answer fill_rollback(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    char why[FACT_TEXT_SIZE];
    if (!template_changed(in, why))
        return not_possible(r, "history", why);
    const struct workload *w = workload_find(in->g, in->target->uid);
    if (MUTANT(rollback_to_any) && in->o->revisions_len > 1)
        return find_revision(in->o, in->o->revisions[1].template_hash, n) ? GUARD_PASS : GUARD_NEVER;
    for (int k = 0; k < PROVEN_MAX && w->proven[k][0]; k++)
        if (find_revision(in->o, w->proven[k], n))
            return GUARD_PASS;
    return not_possible(r, "history",
                        "none of the templates that were proven well is left in the workload's revision "
                        "history; raise revisionHistoryLimit");
}

static enum guard_answer fill_restart(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    if (in->o->on_delete)
        return not_possible(r, "strategy",
                            "its update strategy is OnDelete: a new template would restart nothing");
    if (!n->restarted_at[0] ||
        MUTANT(
            content_changes)) /* the same for every write of an attempt, so that a late one changes nothing */
        time_format_seconds(n->restarted_at, in->now_ms);
    if (strcmp(n->restarted_at, in->o->restarted_at) == 0)
        time_format_seconds(n->restarted_at,
                            in->now_ms + 1000); /* two restarts within a second would be one */
    return GUARD_PASS;
}

static enum guard_answer fill_scale(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    n->replicas = (int32_t)in->node->params[0];
    if (n->replicas == in->o->desired)
        return not_possible(r, "object", "it has that many replicas already");
    char why[OBSERVATION_TEXT_SIZE + 80];
    snprintf(why, sizeof why,
             in->o->hpa_known ? "%s, and would put its own number back"
                              : "whether a HorizontalPodAutoscaler scales it is not known: %s",
             in->o->hpa_text);
    if (!in->o->hpa_known || in->o->hpa)
        return not_possible(r, "ownership", why);
    return GUARD_PASS;
}

static enum guard_answer fill_delete_pod(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    if (!in->o->pod_found)
        return not_possible(r, "object", "the pod that the alert names is gone already");
    if (in->o->pod_terminating)
        return not_possible(r, "object", "the pod that the alert names is being deleted already");
    memcpy(n->pod_name, in->o->pod_name, sizeof n->pod_name);
    memcpy(n->pod_uid, in->o->pod_uid, sizeof n->pod_uid);
    return GUARD_PASS;
}

static enum guard_answer fill_change(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    const struct observation *o = in->o;
    if (o->change == CHANGE_IMPOSSIBLE)
        return not_possible(r, "object", o->change_say);
    if (o->change != CHANGE_POSSIBLE || !change_answered(in))
        return not_possible(r, "object", "what it would change was not looked at");
    memcpy(n->change, o->change_text, sizeof n->change);
    n->rolls =
        in->node->action->rolls && (!in->node->action->listed || strstr(n->change, "\"/spec/template/"));
    return GUARD_PASS;
}

static const char *kinds_of(const struct action_spec *a)
{
    return a->kinds ? a->kinds : KIND_WORKLOADS;
}

static bool needs_rollout(const struct intent *n, const struct action_spec *a)
{
    return n->proof != PROOF_POD_GONE && (n->proof != PROOF_CHANGE || a->rolls);
}

static enum guard_answer fill_by_proof(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    if (!kind_among(kinds_of(in->node->action), in->target->kind)) {
        char why[FACT_TEXT_SIZE];
        fact_say(why, "%s is not for a %s, only for %s", in->node->action->name, in->target->kind,
                 kinds_of(in->node->action));
        return not_possible(r, "object", why);
    }
    if (in->o->paused && needs_rollout(n, in->node->action))
        return not_possible(r, "object", "the Deployment is paused: nothing would roll out; resume it first");
    switch (n->proof) {
    case PROOF_RESTARTED_AT:
        return fill_restart(in, n, r);
    case PROOF_TEMPLATE_HASH:
        return fill_rollback(in, n, r);
    case PROOF_REPLICAS:
        return fill_scale(in, n, r);
    case PROOF_POD_GONE:
        return fill_delete_pod(in, n, r);
    case PROOF_CHANGE:
        return fill_change(in, n, r);
    }
    return not_possible(r, "object", "its proof is not known");
}

/* Whose it is, and the object as it was when this was decided. */
static void fill_common(const struct guard_input *in, struct intent *n)
{
    const struct observation *o = in->o;
    memcpy(n->incident, in->i->id, sizeof n->incident);
    text_copy(n->step, sizeof n->step, in->path);
    text_copy(n->action, sizeof n->action, in->node->action->name);
    n->target = *in->target;
    text_copy(n->environment, sizeof n->environment, in->environment->name);
    n->at_ms = in->now_ms;
    n->expires_ms = in->now_ms + INTENT_EXPIRES_MS;
    memcpy(n->resource_version, o->resource_version, sizeof n->resource_version);
    memcpy(n->old_template_hash, o->template_hash, sizeof n->old_template_hash);
    memcpy(n->old_plain_hash, o->plain_hash, sizeof n->old_plain_hash);
    n->old_template_since_ms = o->template_since_ms;
    n->old_replicas = o->desired;
    n->old_available = o->available;
}

enum guard_answer intent_fill(const struct guard_input *in, struct intent *ret, struct refusal *refusal)
{
    const struct incident *i = in->i;
    bool again = decided_again(in);
    struct intent n = { .attempt = in->attempt, .write = again ? i->intent.write + 1 : 1 };
    n.proof = in->node->action->proof;
    if (again)
        memcpy(n.restarted_at, i->intent.restarted_at, sizeof n.restarted_at);
    enum guard_answer a = fill_by_proof(in, &n, refusal);
    if (a != GUARD_PASS)
        return a;
    fill_common(in, &n);
    *ret = n;
    return GUARD_PASS;
}

/* Only what heald changed, and only if nobody else has changed it since. */
static enum guard_answer undo_change(const struct guard_input *in, struct intent *n, struct refusal *r)
{
    const struct intent *was = &in->i->intent;
    if (!in->node->action->undo)
        return not_possible(r, "undo", "what this action does cannot be put back");
    if (in->o->change_proof != (was->undo ? CHANGE_ABSENT : CHANGE_THERE))
        return not_possible(r, "undo", "somebody else has changed it since");
    memcpy(n->change, was->change, sizeof n->change);
    n->rolls = was->rolls;
    return GUARD_PASS;
}

enum guard_answer undo_fill(const struct guard_input *in, struct intent *ret, struct refusal *refusal)
{
    const struct intent *was = &in->i->intent;
    bool again = decided_again(in);
    struct intent n = { .attempt = in->attempt, .write = again ? was->write + 1 : 1, .undo = 1 };
    n.proof = was->proof;
    if (in->o->paused && needs_rollout(&n, in->node->action))
        return not_possible(refusal, "object",
                            "the Deployment is paused: nothing would roll out; resume it first");
    if (n.proof == PROOF_CHANGE) {
        enum guard_answer a = undo_change(in, &n, refusal);
        if (a != GUARD_PASS)
            return a;
    } else if (n.proof == PROOF_REPLICAS)
        n.replicas = was->undo ? was->replicas : was->old_replicas;
    else if (n.proof != PROOF_TEMPLATE_HASH)
        return not_possible(refusal, "undo", "what this action does cannot be put back");
    else if (!find_revision(in->o, was->undo ? was->template_hash : was->old_template_hash, &n))
        return not_possible(refusal, "undo",
                            "the template that stood there before is not in the revision history any more");
    fill_common(in, &n);
    *ret = n;
    return GUARD_PASS;
}
