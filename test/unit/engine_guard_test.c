/* test/unit/engine_guard_test.c - each guard refuses with its reason, and lets go when that is gone. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define POLICY KIT_POLICY(KIT_ACT, "", KIT_RESTART)

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, POLICY);
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_guard, .init = open_kit, .fini = close_kit);

/* The alert fires and its target is seen, as k.seen says. */
static void judge(void)
{
    kit_fire(&k);
    kit_observe(&k, NULL);
}

static void passes(void)
{
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, a_stale_observation_is_not_judged)
{
    kit_fire(&k);
    struct input in = { .kind = INPUT_OBSERVATION, .token = kit_only(&k)->token, .observation = &k.seen };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    k.now_ms += OBSERVE_FRESH_MS + 1;
    k.wall_ms += OBSERVE_FRESH_MS + 1;
    kit_turn(&k, in);
    kit_refused(&k, "observation", REFUSED_LATER, "10001 ms old");
    kit_wait(&k, OBSERVE_BACKOFF_MIN_MS);
    passes();
}

Test(engine_guard, an_old_question_with_a_fresh_answer_is_judged)
{
    kit_fire(&k);
    k.now_ms += 60000;
    k.wall_ms += 60000;
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, an_ignored_target_is_never_touched)
{
    kit_policy(&k, "ignore = ( [ 'name=web', 'kind=Deployment' ] );" POLICY);
    judge();
    kit_closed(&k, OUTCOME_REFUSED, "ignore: ignore pattern 1 of the policy covers the target");
}

Test(engine_guard, an_object_that_says_ignore_is_never_touched)
{
    k.seen.ignored = true;
    judge();
    kit_closed(&k, OUTCOME_REFUSED, "heald.dev/ignore");
}

Test(engine_guard, a_source_that_is_not_configured_any_more_refuses)
{
    kit_fire(&k);
    snprintf(k.source_name, sizeof k.source_name, "other");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "source \"alertmanager\" is not configured any more");
}

Test(engine_guard, an_object_that_is_being_deleted_is_left_alone)
{
    k.seen.terminating = true;
    judge();
    kit_closed(&k, OUTCOME_REFUSED, "object: the object is being deleted");
}

Test(engine_guard, a_workload_scaled_to_0_is_left_alone)
{
    k.seen.desired = 0;
    judge();
    kit_closed(&k, OUTCOME_REFUSED, "scaled to 0");
}

Test(engine_guard, what_another_owns_may_be_restarted_but_not_changed)
{
    kit_policy(&k,
               KIT_POLICY(KIT_ACT, "", "{ do = 'scale'; replicas = 5; }, " KIT_ROLLBACK ", " KIT_RESTART));
    kit_prove(&k, "good");
    snprintf(k.seen.owner, sizeof k.seen.owner, "Argo CD application \"shop\"");
    judge();
    kit_refused(&k, "ownership", REFUSED_STEP, "Argo CD application \"shop\" owns the object");
    cr_assert_eq(kit_count(&k, FACT_REFUSED), 2);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.2");
}

Test(engine_guard, an_autoscaler_keeps_its_number)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'scale'; replicas = 5; }"));
    k.seen.hpa = true;
    snprintf(k.seen.hpa_text, sizeof k.seen.hpa_text, "HorizontalPodAutoscaler \"web\" scales it");
    judge();
    kit_refused(&k, "ownership", REFUSED_STEP, "HorizontalPodAutoscaler \"web\" scales it, and would put");
    kit_closed(&k, OUTCOME_ESCALATED, "HorizontalPodAutoscaler");
}

Test(engine_guard, without_a_look_at_autoscalers_nothing_is_scaled)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'scale'; replicas = 5; }"));
    k.seen.hpa_known = false;
    snprintf(k.seen.hpa_text, sizeof k.seen.hpa_text, "403 forbidden");
    judge();
    kit_refused(&k, "ownership", REFUSED_STEP, "is not known: 403 forbidden");
}

Test(engine_guard, the_number_it_has_already_is_no_change)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'scale'; replicas = 2; }"));
    judge();
    kit_refused(&k, "object", REFUSED_STEP, "that many replicas already");
}

Test(engine_guard, a_paused_deployment_is_not_restarted)
{
    k.seen.paused = true;
    judge();
    kit_refused(&k, "object", REFUSED_STEP, "the Deployment is paused");
}

Test(engine_guard, with_on_delete_a_restart_would_do_nothing)
{
    k.seen.on_delete = true;
    judge();
    kit_refused(&k, "strategy", REFUSED_STEP, "OnDelete");
}

Test(engine_guard, a_pod_that_is_gone_is_not_deleted)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'delete_pod'; }"));
    judge();
    kit_refused(&k, "object", REFUSED_STEP, "gone already");
}

/* ---- somebody's rollout ---- */

Test(engine_guard, somebodys_rollout_has_until_its_progress_deadline)
{
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = k.wall_ms - 590000;
    judge();
    kit_refused(&k, "rollout", REFUSED_LATER, "progress deadline of 600 s");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, k.now_ms + 10000);
    kit_wait(&k, 10000);
    passes();
}

/* It may have begun while heald was away: the incident's age says nothing. */
Test(engine_guard, after_a_restart_a_rollout_has_its_whole_deadline_again)
{
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = 0;
    kit_fire(&k);
    kit_wait(&k, 700000);
    kit_restart(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "rollout", REFUSED_LATER, "progress deadline of 600 s");
    kit_wait(&k, 600000);
    passes();
}

Test(engine_guard, a_rollout_that_completes_is_not_waited_for)
{
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = k.wall_ms;
    judge();
    kit_refused(&k, "rollout", REFUSED_LATER, "");
    k.seen.rollout_complete = true;
    kit_wait(&k, 15000);
    passes();
}

Test(engine_guard, a_rollout_that_exceeded_its_deadline_is_not_waited_for)
{
    k.seen.rollout_complete = false;
    k.seen.deadline_exceeded = true;
    k.seen.template_since_ms = k.wall_ms;
    judge();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, own_rollouts_lets_heald_act_at_once)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT "own_rollouts = true;", "", KIT_RESTART));
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = k.wall_ms;
    judge();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, an_unfinished_rollout_of_healds_own_is_not_waited_for)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_RESTART));
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_not(k.seen.rollout_complete);
    passes();
}

/* ---- still firing ---- */

Test(engine_guard, prometheus_must_say_that_the_alert_fires)
{
    k.p->prometheus = true;
    k.seen.alert = ALERT_STATE_PENDING;
    snprintf(k.seen.alert_text, sizeof k.seen.alert_text, "pending since 08:00");
    judge();
    kit_refused(&k, "still_firing", REFUSED_LATER,
                "does not say that the alert fires for the target: pending since 08:00");
    k.seen.alert = ALERT_STATE_UNKNOWN;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0, "the same refusal is recorded once");
    k.seen.alert = ALERT_STATE_FIRING;
    kit_wait(&k, 5000);
    passes();
}

Test(engine_guard, the_clusters_own_status_must_show_a_fault)
{
    k.p->prometheus = true;
    k.seen.fault = false;
    judge();
    kit_refused(&k, "still_firing", REFUSED_LATER, "shows no fault");
    k.seen.fault = true;
    kit_wait(&k, 5000);
    passes();
}

Test(engine_guard, what_a_policy_with_prometheus_wants_to_see_is_asked_for)
{
    kit_fire(&k);
    k.p->prometheus = true;
    k.seen.needs = 0;
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_OBSERVE)->needs, OBSERVE_ALERT | OBSERVE_PODS | OBSERVE_SILENCED);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
}

/* ---- others at work ---- */

static void fire_other(const char *labels)
{
    kit_alert(&k, labels, ALERT_FIRING, 0);
    kit_observe(&k, k.g->open->prev->id);
}

#define TWO_RULES                                                                                            \
    "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; } );"        \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; plan = "  \
    "'mend'; },"                                                                                             \
    " { name = 'slow'; match = [ 'alertname=Slow' ]; target = { from = 'deployment'; }; plan = 'mend'; "     \
    "cooldown = 'none'; } );"                                                                                \
    "plans = { mend = { steps = ( " KIT_RESTART " ); }; };"

Test(engine_guard, different_rules_do_not_work_on_one_target_at_a_time)
{
    kit_policy(&k, TWO_RULES);
    kit_begin(&k);
    char first[INCIDENT_ID_SIZE];
    memcpy(first, kit_only(&k)->id, sizeof first);
    fire_other("alertname=Slow,namespace=shop,deployment=web");
    kit_refused(&k, "lock", REFUSED_LATER, "of rule \"crash\" is working on the same target");
    cr_assert_not_null(strstr(kit_fact(&k, FACT_REFUSED)->u.refused.reason, first));
    cr_assert_eq(k.g->open_len, 2);
}

Test(engine_guard, the_lock_ends_with_the_other_incident)
{
    kit_policy(&k, TWO_RULES);
    kit_begin(&k);
    fire_other("alertname=Slow,namespace=shop,deployment=web");
    const char *second = k.g->open->next->id;
    kit_acted(&k, k.g->open->id, ACT_FAILED);
    kit_observe(&k, k.g->open->id);
    kit_closed(&k, OUTCOME_REFUSED, "the server said so");
    kit_wait(&k, 5000);
    kit_observe(&k, second);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

/* Else the other's restart, with the same second in it, would be taken for the proof of this one's. */
Test(engine_guard, a_write_that_is_decided_again_keeps_the_lock)
{
    kit_policy(&k, TWO_RULES);
    kit_begin(&k);
    kit_acted(&k, kit_only(&k)->id, ACT_RETRY);
    fire_other("alertname=Slow,namespace=shop,deployment=web");
    kit_refused(&k, "lock", REFUSED_LATER, "of rule \"crash\" is working on the same target");
}

Test(engine_guard, another_target_is_not_locked)
{
    kit_policy(&k, TWO_RULES);
    kit_begin(&k);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "api");
    fire_other("alertname=Slow,namespace=shop,deployment=api");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, five_steps_run_in_an_environment_at_a_time)
{
    char labels[100];
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'scale'; replicas = 3; }"));
    for (int i = 0; i < 5 + 1; i++) {
        snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=web-%d", i);
        snprintf(k.seen.target.name, sizeof k.seen.target.name, "web-%d", i);
        fire_other(labels);
        cr_assert_eq(kit_count(&k, FACT_INTENT), i < 5, "%d", i);
    }
    kit_refused(&k, "running", REFUSED_LATER, "5 disruptive steps are running in environment \"shop\"");
}

Test(engine_guard, a_foreign_change_of_the_template_stops_the_plan)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_RESTART));
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash,
             "theirs"); /* restartedAt stays in the template */
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "foreign_write: somebody else changed the template");
}

/* ---- the guards' order ---- */

Test(engine_guard, a_guard_that_comes_first_speaks)
{
    k.seen.ignored = k.seen.terminating = true;
    k.seen.rollout_complete = false;
    judge();
    kit_closed(&k, OUTCOME_REFUSED, "ignore: ");
}

Test(engine_guard, another_guards_refusal_is_another_fact)
{
    k.p->prometheus = true;
    k.seen.fault = false;
    judge();
    kit_refused(&k, "still_firing", REFUSED_LATER, "");
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = k.wall_ms;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_refused(&k, "rollout", REFUSED_LATER, "");
    cr_assert_eq(kit_only(&k)->state, STATE_WAITING);
}

/* ---- silences ---- */

Test(engine_guard, a_silenced_alert_is_waited_for)
{
    k.seen.alertmanager = true;
    k.seen.silenced = ALERTMANAGER_SILENCED;
    snprintf(k.seen.silenced_text, sizeof k.seen.silenced_text, "silence 1 of anna");
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "silenced", REFUSED_LATER, "silence 1 of anna");
}

Test(engine_guard, when_alertmanager_cannot_be_asked_nothing_disruptive_is_begun)
{
    k.seen.alertmanager = true;
    k.seen.silenced = ALERTMANAGER_UNKNOWN;
    snprintf(k.seen.silenced_text, sizeof k.seen.silenced_text, "alertmanager cannot be asked: no route");
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "silenced", REFUSED_LATER,
                "whether the alert is silenced is not known: alertmanager cannot be asked: no route; "
                "silence_unknown = \"act\"");
    k.seen.silenced = ALERTMANAGER_ACTIVE;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "asked again by itself");
}

Test(engine_guard, what_takes_nothing_away_does_not_wait_for_alertmanager)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'delete_pod'; }"));
    k.seen.alertmanager = true;
    k.seen.silenced = ALERTMANAGER_UNKNOWN;
    k.seen.pod_found = true;
    snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-1");
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "%s", kit_only(&k)->reason);
}

Test(engine_guard, an_environment_may_act_though_alertmanager_cannot_be_asked)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT "silence_unknown = 'act';", "", KIT_RESTART));
    k.seen.alertmanager = true;
    k.seen.silenced = ALERTMANAGER_UNKNOWN;
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_guard, what_alertmanager_does_not_know_is_no_silence)
{
    static const enum alertmanager_state states[] = { ALERTMANAGER_ABSENT, ALERTMANAGER_ACTIVE };
    kit_fire(&k);
    for (size_t n = 0; n < 2; n++) {
        struct explanation x;
        k.seen.alertmanager = true;
        k.seen.silenced = states[n];
        cr_assert_eq(engine_explain(k.g, k.p, k.now_ms, k.wall_ms, kit_only(&k)->id, &k.seen, &x, NULL),
                     ERR_OK);
        for (size_t g = 0; g < x.guards_len; g++)
            cr_assert_eq(x.guards[g].answer, GUARD_PASS, "%s: %s", x.guards[g].guard, x.guards[g].reason);
    }
}

/* ---- all of them ---- */

static const struct guard_said *said(const struct explanation *x, const char *guard)
{
    for (size_t g = 0; g < x->guards_len; g++)
        if (strcmp(x->guards[g].guard, guard) == 0)
            return &x->guards[g];
    cr_assert_fail("guard \"%s\" was not judged", guard);
    return NULL;
}

Test(engine_guard, an_explanation_lists_what_every_guard_says)
{
    struct explanation x;
    int64_t seq = engine_last_seq(k.g);
    kit_fire(&k);
    kit_turn(&k, (struct input){ .kind = INPUT_PAUSE, .who = "anna", .text = "lunch" });
    k.seen.ignored = true;
    k.seen.rollout_complete = false;
    cr_assert_eq(engine_explain(k.g, k.p, k.now_ms, k.wall_ms, kit_only(&k)->id, &k.seen, &x, NULL), ERR_OK);
    cr_assert_str_eq(x.step, "steps.0");
    cr_assert_str_eq(x.action, "restart");
    cr_assert(x.possible);
    cr_assert_str_eq(x.intent.old_template_hash, "bad");
    cr_assert_eq(said(&x, "ignore")->answer, GUARD_NEVER);
    cr_assert_eq(said(&x, "rollout")->answer, GUARD_LATER);
    cr_assert_gt(said(&x, "rollout")->again_ms, k.now_ms);
    cr_assert_eq(said(&x, "kill_switch")->answer, GUARD_LATER);
    cr_assert_eq(said(&x, "budget")->answer, GUARD_PASS);
    cr_assert_eq(engine_last_seq(k.g), seq + 3, "an explanation changes nothing");
    cr_assert(kit_asked(&k, NULL));
}

Test(engine_guard, an_explanation_says_why_there_is_no_step)
{
    struct explanation x;
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ stop = 'refused'; text = 'never on fridays'; }"));
    kit_fire(&k);
    cr_assert_eq(engine_explain(k.g, k.p, k.now_ms, k.wall_ms, kit_only(&k)->id, &k.seen, &x, NULL), ERR_OK);
    cr_assert_str_empty(x.step);
    cr_assert_not_null(strstr(x.reason, "never on fridays"), "%s", x.reason);
    cr_assert_eq(engine_explain(k.g, k.p, k.now_ms, k.wall_ms, "nobody", &k.seen, &x, NULL), ERR_NOT_FOUND);
}

static void delete_under_a_budget(int32_t allowed)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'delete_pod'; }"));
    k.seen.ready = k.seen.desired;
    k.seen.pod_found = k.seen.pdb_known = k.seen.pdb = true;
    k.seen.pdb_allowed = allowed;
    snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-1");
    snprintf(k.seen.pdb_text, sizeof k.seen.pdb_text, "PodDisruptionBudget \"b\" allows %d", (int)allowed);
    judge();
}

Test(engine_guard, a_disruption_budget_that_allows_none_holds_a_deletion_back)
{
    delete_under_a_budget(0);
    kit_refused(&k, "availability", REFUSED_LATER, "PodDisruptionBudget \"b\" allows 0");
}

Test(engine_guard, a_disruption_budget_that_allows_one_lets_a_deletion_pass)
{
    delete_under_a_budget(1);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.pod_uid, "u-1");
}

/* ---- ends that got lost ---- */

static void inactive_after(int64_t ms)
{
    kit_fire(&k);
    k.p->prometheus = true;
    k.seen.alert = ALERT_STATE_INACTIVE;
    kit_observe(&k, NULL);
    kit_refused(&k, "still_firing", REFUSED_LATER, "Prometheus does not say that the alert fires");
    k.seen.fault = false;
    kit_wait(&k, ms);
    kit_observe(&k, NULL);
}

Test(engine_guard, an_end_that_was_never_delivered_is_noticed)
{
    inactive_after(LOST_END_MS);
    kit_closed(&k, OUTCOME_CLEARED, "nobody delivered its end");
}

/* Without Prometheus: Alertmanager knows no such alert. */
static void absent_after(int64_t ms, bool well)
{
    k.seen.alertmanager = true;
    k.seen.silenced = ALERTMANAGER_ABSENT;
    k.seen.rollout_complete = false;
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "rollout", REFUSED_LATER, "");
    if (well)
        kit_well(&k, k.wall_ms);
    k.seen.fault = false;
    k.seen.rollout_complete = false;
    kit_wait(&k, ms);
    kit_observe(&k, NULL);
}

Test(engine_guard, an_end_that_alertmanager_was_asked_about_is_noticed)
{
    absent_after(LOST_END_MS, true);
    kit_closed(&k, OUTCOME_CLEARED, "Alertmanager says that the alert is over; nobody delivered its end");
}

Test(engine_guard, that_alertmanager_knows_no_alert_is_not_believed_of_what_is_not_well)
{
    absent_after(LOST_END_MS, false);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
}

Test(engine_guard, that_alertmanager_knows_no_alert_is_not_believed_at_once)
{
    absent_after(LOST_END_MS - 1, true);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
}

Test(engine_guard, an_end_is_not_believed_at_once)
{
    inactive_after(LOST_END_MS - 1);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
}

Test(engine_guard, what_shows_a_fault_has_not_ended)
{
    kit_fire(&k);
    k.p->prometheus = true;
    k.seen.alert = ALERT_STATE_INACTIVE;
    kit_observe(&k, NULL);
    kit_wait(&k, LOST_END_MS);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
}
