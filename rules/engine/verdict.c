/* The verdict on a step: fixed, not fixed, unknown. No data is never success; a call that returned 200 proves
 * nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "rules/base/timetext.h"
#include "rules/engine/turn.h"

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
    return intent_rolls(&i->intent);
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

/* ---- what is checked ---- */

enum check { CHECK_YES, CHECK_NOT_YET, CHECK_NO /* and waiting does not help */, CHECK_UNKNOWN };
#define CHECKS_MAX 6

struct checks { /* those that the step's `verify` has on */
    enum check list[CHECKS_MAX];
    size_t len;
    char said[FACT_TEXT_SIZE]; /* the first that is no yes */
};

static void checked(struct checks *c, enum check answer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void checked(struct checks *c, enum check answer, const char *fmt, ...)
{
    char text[4 * FACT_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->list[c->len++] = answer;
    if (answer != CHECK_YES && !c->said[0])
        text_copy(c->said, sizeof c->said, text);
}

/* Well at every watch event since the write, for as long as the hold: then it was repaired. */
static void check_rollout(struct judge *j, struct checks *c)
{
    const struct observation *o = j->o;
    char text[DURATION_TEXT_SIZE];
    if (!o->watched) {
        checked(c, CHECK_UNKNOWN, "the workload is not under watch: whether it held cannot be known");
        return;
    }
    if (!o->well_since_ms || !o->rollout_complete) {
        checked(c, CHECK_NOT_YET, "not well: %s",
                o->not_well[0] ? o->not_well : "the rollout is not complete");
        return;
    }
    int64_t well_ms = wall_span(j->t->g, o->well_since_ms, o->at_ms);
    int64_t written_ms = wall_span(j->t->g, j->i->written_wall_ms, o->at_ms);
    int64_t held_ms = well_ms < written_ms ? well_ms : written_ms;
    bool held = held_ms >= (MUTANT(fixed_without_hold) ? 0 : j->v->hold_ms);
    if (held)
        j->ret->repaired_ms = o->at_ms - held_ms;
    checked(c, held ? CHECK_YES : CHECK_NOT_YET, "well, but not yet held for %s",
            duration_format(text, j->v->hold_ms));
}

/* It keeps what fires, so that an alert that it does not know is over, and the message of that got lost; but
 * it forgets in a restart: not believed of a workload that shows a fault. */
static bool gone_at_alertmanager(const struct judge *j)
{
    const struct observation *o = j->o;
    return o->alertmanager && (o->needs & OBSERVE_SILENCED) && o->silenced == ALERTMANAGER_ABSENT &&
           !o->fault && policy_in_alertmanager(j->t->p, j->i->source);
}

/* Quiet for everything that belongs to the target, as Prometheus says after the write. */
static void check_alert(struct judge *j, struct checks *c)
{
    const struct observation *o = j->o;
    int64_t written_wall_ms = o->at_ms - wall_span(j->t->g, j->i->written_wall_ms, o->at_ms);
    bool asked = policy_in_prometheus(j->t->p, j->i->source), well = !j->v->rollout || j->ret->repaired_ms;
    bool settled = j->t->now_ms >= j->i->written_ms + j->settle_ms + j->v->hold_ms;
    if (asked &&
        (o->alert == ALERT_STATE_UNKNOWN || o->alert_evaluated_ms <= written_wall_ms + EVALUATION_SKEW_MS))
        checked(c, MUTANT(no_data_is_quiet) ? CHECK_YES : CHECK_UNKNOWN, "the alert's state is not known: %s",
                o->alert_text);
    else if (asked ? o->alert <= (MUTANT(pending_is_quiet) ? ALERT_STATE_PENDING : ALERT_STATE_INACTIVE)
                   : incident_firing(j->i) == 0 || (well && gone_at_alertmanager(j)))
        checked(c, CHECK_YES, "quiet");
    else if (well && settled)
        checked(c, CHECK_NO, "the cluster looks well, but the alert still fires");
    else
        checked(c, CHECK_NOT_YET, "the alert still fires");
}

static void check_probe(struct checks *c, enum condition_answer answer, const char *why)
{
    checked(c,
            answer == CONDITION_YES  ? CHECK_YES
            : answer == CONDITION_NO ? CHECK_NOT_YET
                                     : CHECK_UNKNOWN,
            "%s", why);
}

static void check_probes(struct judge *j, struct checks *c)
{
    const struct probing p = probing_for(j->i, &j->i->target, NULL);
    char why[FACT_TEXT_SIZE] = "";
    if (j->v->promql.query)
        check_probe(c, probe_ask_query(&p, j->o, PROBE_PROMQL, &j->v->promql, why), why);
    if (j->v->loki.query)
        check_probe(c, probe_ask_query(&p, j->o, PROBE_LOKI, &j->v->loki, why), why);
    if (j->v->http.url)
        check_probe(c, probe_ask_http(&p, j->o, &j->v->http, why), why);
}

/* A condition of the object's own status. */
static void check_condition(struct judge *j, struct checks *c)
{
    char yes[OBSERVATION_TEXT_SIZE];
    snprintf(yes, sizeof yes, " %.150s=True ", j->v->condition);
    char any[OBSERVATION_TEXT_SIZE];
    snprintf(any, sizeof any, " %.150s=", j->v->condition);
    if (strstr(j->o->conditions, yes))
        checked(c, CHECK_YES, "it is True");
    else if (strstr(j->o->conditions, any))
        checked(c, CHECK_NOT_YET, "its condition %s is not True", j->v->condition);
    else
        checked(c, CHECK_UNKNOWN, "its status has no condition %s", j->v->condition);
}

static void check_all(struct judge *j, struct checks *c)
{
    const struct verify *v = j->v;
    if (v->rollout)
        check_rollout(j, c);
    if (v->alert && !j->i->by_hand) /* begun by hand: there is no alert that could be quiet */
        check_alert(j, c);
    check_probes(j, c);
    if (v->condition)
        check_condition(j, c);
}

static size_t count(const struct checks *c, enum check answer)
{
    size_t n = 0;
    for (size_t k = 0; k < c->len; k++)
        n += c->list[k] == answer;
    return n;
}

/* So many of them have to say yes. */
static size_t wanted(const struct judge *j, const struct checks *c)
{
    return j->v->need && (size_t)j->v->need < c->len ? (size_t)j->v->need : c->len;
}

static void say_fixed(struct judge *j, const struct checks *c)
{
    const struct verify *v = j->v;
    char hold[DURATION_TEXT_SIZE];
    bool alert = v->alert && !j->i->by_hand;
    duration_format(hold, v->hold_ms);
    j->ret->confirmed_ms = v->alert ? j->t->wall_ms : 0;
    if (count(c, CHECK_YES) < c->len) {
        say(j, VERDICT_FIXED, "%zu of %zu checks say so; the rest: %s", count(c, CHECK_YES), c->len, c->said);
        return;
    }
    say(j, VERDICT_FIXED, "%s %s %s%s%s", v->rollout ? "well for" : "asked", hold,
        v->rollout ? "at every event" : "after the write",
        !alert                                        ? ""
        : policy_in_prometheus(j->t->p, j->i->source) ? ", and Prometheus says the alert is quiet"
                                                      : ", and the alert has resolved",
        c->len > (v->rollout != 0) + (size_t)alert ? ", and what else was asked is as it should be" : "");
}

static void judge_checks(struct judge *j, struct checks *c)
{
    size_t yes = count(c, CHECK_YES), no = count(c, CHECK_NO);
    bool held = j->v->rollout || j->t->now_ms >= j->i->written_ms + j->v->hold_ms;
    if (c->len > 0 && yes >= wanted(j, c) && held)
        say_fixed(j, c);
    else if (c->len - no < wanted(j, c))
        say(j, VERDICT_NOT_FIXED, "%s", c->said);
    else
        say(j, VERDICT_NONE, "%s", c->said[0] ? c->said : "not yet held");
}

/* The time is over: not fixed when what is known says so, whatever the rest would say. */
static void judge_time(struct judge *j, const struct checks *c)
{
    if (j->ret->verdict != VERDICT_NONE || j->t->now_ms < j->i->written_ms + j->within_ms ||
        MUTANT(verdict_never))
        return;
    size_t known_no = count(c, CHECK_NOT_YET) + count(c, CHECK_NO);
    bool blind = !j->o || (j->v->rollout && !j->o->watched);
    bool known = !blind && c->len > 0 && c->len - known_no < wanted(j, c);
    char text[DURATION_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    text_copy(reason, sizeof reason, j->ret->reason);
    say(j, known ? VERDICT_NOT_FIXED : VERDICT_UNKNOWN, "after %s: %s", duration_format(text, j->within_ms),
        reason);
}

static void judge(struct judge *j)
{
    struct checks c = { .len = 0 };
    if (!j->o) {
        say(j, VERDICT_NONE, "it could not be looked at: %s", j->t->in->text);
    } else if (!judge_cluster_at_once(j)) {
        check_all(j, &c);
        judge_checks(j, &c);
    }
    judge_time(j, &c);
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
static int64_t settle_ms(const struct turn *t, const struct incident *i, const struct verify *v,
                         const struct observation *o)
{
    if (!v->alert)
        return 0;
    bool there = policy_in_prometheus(t->p, i->source);
    return there && o && o->alert_settle_ms > 0 ? o->alert_settle_ms : policy_settle_ms(t->p, there);
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
    j.settle_ms = settle_ms(t, i, j.v, o);
    j.within_ms = within_ms(&j, i);
    judge(&j);
    ret.worse = ret.verdict == VERDICT_NOT_FIXED && o && o->available < i->intent.old_available;
    if (ret.verdict != VERDICT_NONE)
        conclude(t, &j);
    else if (o)
        turn_look_at(t, i, t->now_ms + j.v->every_ms);
}
