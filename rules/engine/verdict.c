/* The verdict on a step: fixed, not fixed, unknown. No data is never success; a call that returned 200 proves
 * nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/engine/turn.h"

#define SETTLE_DEFAULT_MS (10ll * 60 * 1000) /* when Prometheus could not be asked for the rule's own */
#define SETTLE_WITHOUT_PROMETHEUS_MS (15ll * 60 * 1000) /* that, and Alertmanager's group_interval */
#define EVALUATION_SKEW_MS                                                                                   \
    1000 /* Prometheus' clock may be that far behind before an evaluation counts as after the write */

struct judgement {
    enum verdict verdict; /* VERDICT_NONE: look again */
    bool worse;           /* NOT_FIXED: fewer replicas are available than before the write */
    int64_t repaired_ms, confirmed_ms;
    char reason[FACT_TEXT_SIZE];
};

struct judge {
    const struct turn *t;
    const struct incident *i;
    const struct node *node; /* what is verified: a `do`, or a `parallel` */
    const struct verify *v;
    bool joint;                  /* several writes at once */
    const struct observation *o; /* NULL: could not be made */
    int64_t settle_ms, within_ms;
    struct judgement *ret;
};

static void say(struct judge *j, enum verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct judge *j, enum verdict verdict, const char *fmt, ...)
{
    char text[4 * FACT_TEXT_SIZE]; /* fmt may show what is replaced here */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_copy(j->ret->reason, sizeof j->ret->reason, text);
    j->ret->verdict = verdict;
}

static bool changes_template(const struct judge *j)
{
    const struct incident *i = j->i;
    if (j->joint)
        return i->wrote_template;
    return i->intent.proof == PROOF_RESTARTED_AT || i->intent.proof == PROOF_TEMPLATE_HASH;
}

/* Is the object, as far as the write goes, still what heald made of it? */
static bool still_ours(const struct judge *j)
{
    const struct workload *w = workload_find(j->t->g, j->i->target.uid);
    if (j->i->doubt)
        return true; /* nobody knows what it was made */
    if (!j->joint && !proof_visible(&j->i->intent, j->o))
        return false;
    return !changes_template(j) || !w || heald_wrote(w, j->o);
}

/* A pod of the present template failed, and not long before the write. */
static bool fails_again(const struct judge *j)
{
    int64_t decided_wall_ms = j->i->written_wall_ms - (j->i->written_ms - j->i->intent.at_ms);
    return changes_template(j) && j->o->new_pods_failed &&
           j->o->new_pods_failed_ms >= decided_wall_ms / 1000 * 1000;
}

/* Cluster evidence that settles it at once. */
static bool judge_cluster_at_once(struct judge *j)
{
    const struct observation *o = j->o;
    if (!still_ours(j))
        say(j, VERDICT_UNKNOWN, "somebody else changed the object after the write");
    else if (o->desired == 0)
        say(j, VERDICT_UNKNOWN, "the workload is scaled to 0: nothing runs that could be verified");
    else if (o->observed_generation_current && fails_again(j))
        say(j, VERDICT_NOT_FIXED, "it fails again: %s", o->fault_text);
    else if (changes_template(j) && o->observed_generation_current && o->deadline_exceeded)
        say(j, VERDICT_NOT_FIXED, "the rollout exceeded its progress deadline");
    else
        return false;
    return true;
}

/* Well at every watch event since, for as long as the hold: the time it was repaired, 0 when not (yet), with
 * the reason. */
static bool judge_held(struct judge *j, int64_t *ret_repaired_ms)
{
    const struct observation *o = j->o;
    if (!o->watched) {
        say(j, VERDICT_NONE, "the workload is not under watch: whether it held cannot be known");
        return false;
    }
    if (!o->well_since_ms || !o->rollout_complete) {
        say(j, VERDICT_NONE, "not well: %s", o->not_well[0] ? o->not_well : "the rollout is not complete");
        return false;
    }
    int64_t well_ms = wall_span(j->t->g, o->well_since_ms, o->at_ms);
    int64_t written_ms = wall_span(j->t->g, j->i->written_wall_ms, o->at_ms);
    int64_t held_ms = well_ms < written_ms ? well_ms : written_ms;
    *ret_repaired_ms = o->at_ms - held_ms;
    if (held_ms >= j->v->hold_ms)
        return true;
    char text[DURATION_TEXT_SIZE];
    say(j, VERDICT_NONE, "well, but not yet held for %s", duration_format(text, j->v->hold_ms));
    return false;
}

/* 1 quiet, 0 not (yet), -1 not to be known. */
static int alert_quiet(struct judge *j)
{
    const struct observation *o = j->o;
    int64_t written_wall_ms = o->at_ms - wall_span(j->t->g, j->i->written_wall_ms, o->at_ms);
    if (!j->v->alert || j->i->by_hand)
        return 1; /* begun by hand: there is no alert that could be quiet */
    if (!j->t->p->prometheus)
        return j->i->firing == 0;
    if (o->alert == ALERT_STATE_UNKNOWN || o->alert_evaluated_ms <= written_wall_ms + EVALUATION_SKEW_MS)
        return -1;
    return o->alert == ALERT_STATE_INACTIVE;
}

static void judge_alert(struct judge *j, int64_t repaired_ms)
{
    int quiet = alert_quiet(j);
    j->ret->repaired_ms = repaired_ms;
    if (quiet > 0) {
        j->ret->confirmed_ms = j->v->alert ? j->t->wall_ms : 0;
        char text[DURATION_TEXT_SIZE];
        say(j, VERDICT_FIXED, "well for %s at every event%s", duration_format(text, j->v->hold_ms),
            !j->v->alert          ? ""
            : j->t->p->prometheus ? ", and Prometheus says the alert is quiet"
                                  : ", and the alert has resolved");
    } else if (quiet == 0 && j->t->now_ms >= j->i->written_ms + j->settle_ms + j->v->hold_ms) {
        say(j, VERDICT_NOT_FIXED, "the cluster looks well, but the alert still fires");
    } else {
        say(j, VERDICT_NONE, quiet < 0 ? "the alert's state is not known: %s" : "the alert still fires%s",
            quiet < 0 ? j->o->alert_text : "");
    }
}

static void judge_time(struct judge *j)
{
    if (j->ret->verdict != VERDICT_NONE || j->t->now_ms < j->i->written_ms + j->within_ms)
        return;
    bool known = j->o && j->o->watched && (j->ret->repaired_ms == 0 || alert_quiet(j) == 0);
    char text[DURATION_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    text_copy(reason, sizeof reason, j->ret->reason);
    say(j, known ? VERDICT_NOT_FIXED : VERDICT_UNKNOWN, "after %s: %s", duration_format(text, j->within_ms),
        reason);
}

static void judge(struct judge *j)
{
    int64_t repaired_ms = 0;
    if (!j->o)
        say(j, VERDICT_NONE, "it could not be looked at: %s", j->t->in->text);
    else if (!judge_cluster_at_once(j) && judge_held(j, &repaired_ms))
        judge_alert(j, repaired_ms);
    judge_time(j);
}

static bool plan_goes_on(const struct incident *i)
{
    const struct node_list *p = i->plan->phases;
    return p[PHASE_STABILISE].len + p[PHASE_VALIDATE].len + p[PHASE_OPTIMISE].len > 0;
}

/* Unknown, or whether the write happened is not known: no plan goes on from there by itself. */
static void conclude_unknown(struct turn *t, const struct incident *i, const struct verify *v,
                             const struct judgement *ret)
{
    if (i->doubt)
        turn_close(t, i, OUTCOME_UNKNOWN, "whether the write happened is not known; now: %s: %s",
                   verdict_name(ret->verdict), ret->reason);
    else if (v->on_unknown == UNKNOWN_STOPS)
        turn_close(t, i, OUTCOME_UNKNOWN, "%s: %s", i->intent.action, ret->reason);
    else if (v->on_unknown == UNKNOWN_ESCALATES)
        turn_close(t, i, OUTCOME_ESCALATED, "it is not known whether %s helped: %s", i->intent.action,
                   ret->reason);
}

/* What the verdict leads to. */
static void conclude(struct turn *t, const struct judge *j)
{
    const struct incident *i = j->i;
    const struct judgement *v = j->ret;
    struct tree tree;
    struct fact *f = turn_fact(t, FACT_VERDICT, i->id);
    tree_of(i->plan, &tree);
    int joint = tree_parallel(&tree, i->at);
    tree_path(&tree, joint >= 0 ? joint : i->at, f->u.verdict.step);
    memcpy(f->u.verdict.action, i->intent.action, sizeof f->u.verdict.action);
    f->u.verdict.attempt = i->intent.attempt;
    f->u.verdict.verdict = v->verdict;
    f->u.verdict.worse = v->worse;
    f->u.verdict.repaired_ms = v->repaired_ms;
    f->u.verdict.confirmed_ms = v->confirmed_ms;
    memcpy(f->u.verdict.reason, v->reason, sizeof f->u.verdict.reason);
    if (i->ending || (incident_was_fixed(i) && !i->doubt))
        return; /* the outcome is known, or follows from the phases behind it */
    if (v->verdict == VERDICT_UNKNOWN || i->doubt)
        conclude_unknown(t, i, j->v, v);
    else if (v->verdict == VERDICT_FIXED && !plan_goes_on(i))
        turn_close(t, i, OUTCOME_HEALED, "%s: %s", i->intent.action, v->reason);
}

/* How long an alert may go on firing although what it complained of has ended. */
static int64_t settle_ms(const struct turn *t, const struct verify *v, const struct observation *o)
{
    if (!v->alert)
        return 0;
    if (!t->p->prometheus)
        return SETTLE_WITHOUT_PROMETHEUS_MS;
    return o && o->alert_settle_ms > 0 ? o->alert_settle_ms : SETTLE_DEFAULT_MS;
}

/* No longer than the step's own timeout; never less than the alert needs to settle. */
static int64_t within_ms(const struct judge *j, const struct incident *i)
{
    int64_t least_ms = j->settle_ms + 2 * j->v->hold_ms;
    int64_t within_ms = j->v->within_ms > least_ms ? j->v->within_ms : least_ms;
    int64_t left_ms = i->step_ms + j->node->timeout_ms - i->written_ms;
    return j->node->timeout_ms && left_ms < within_ms ? left_ms : within_ms;
}

void decide_verdict(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->error == ERR_OK ? t->in->observation : NULL;
    struct judgement ret = { .verdict = VERDICT_NONE };
    struct tree tree;
    tree_of(i->plan, &tree);
    int joint = tree_parallel(&tree, i->at);
    bool is_joint = joint >= 0 || tree.spots[i->at].node->type == NODE_PARALLEL;
    const struct node *node = tree.spots[joint >= 0 ? joint : i->at].node;
    struct judge j = {
        .t = t, .i = i, .node = node, .v = &node->verify, .joint = is_joint, .o = o, .ret = &ret
    };
    if (i->cancelled && !i->ending) {
        turn_close(t, i, OUTCOME_CANCELLED, "by an operator; whether %s helped was not waited for",
                   i->intent.action);
        return;
    }
    j.settle_ms = settle_ms(t, j.v, o);
    j.within_ms = within_ms(&j, i);
    judge(&j);
    ret.worse = ret.verdict == VERDICT_NOT_FIXED && o && o->available < i->intent.old_available;
    if (ret.verdict != VERDICT_NONE)
        conclude(t, &j);
    else if (o)
        turn_look_at(t, i, t->now_ms + j.v->every_ms);
}
