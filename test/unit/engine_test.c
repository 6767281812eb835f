/* test/unit/engine_test.c - the course of an incident: from the alert over steps to its outcome; operators,
 * annotations, what is proven. */
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

TestSuite(engine, .init = open_kit, .fini = close_kit);

static void pause_kit(void)
{
    kit_turn(&k, (struct input){ .kind = INPUT_PAUSE, .who = "anna", .text = "lunch" });
}

static void resume_kit(void)
{
    kit_turn(&k, (struct input){ .kind = INPUT_RESUME, .who = "anna", .text = "back" });
    kit_wait(&k, 0);
}

/* From the write to the verdict: well for the hold, and the alert has resolved. */
static void get_well(void)
{
    kit_resolve(&k);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
}

Test(engine, a_restart_that_helps_heals)
{
    kit_write(&k);
    cr_assert_eq(kit_only(&k)->writes, 1);
    get_well();
    kit_closed(&k, OUTCOME_HEALED, "restart: well for 1m");
    cr_assert_eq(k.g->closed->writes, 1);
}

Test(engine, the_intent_says_everything_the_write_needs)
{
    const struct intent *n = kit_begin(&k);
    cr_assert_str_eq(n->incident, kit_only(&k)->id);
    cr_assert_str_eq(n->step, "steps.0");
    cr_assert_str_eq(n->action, "restart");
    cr_assert_eq(n->attempt, 1);
    cr_assert_eq(n->write, 1);
    cr_assert_str_eq(n->target.uid, "u-web");
    cr_assert_str_eq(n->resource_version, "100");
    cr_assert_str_eq(n->old_template_hash, "bad");
    cr_assert_str_eq(n->environment, "shop");
    cr_assert_str_eq(n->restarted_at, "2027-01-15T08:00:00Z");
    cr_assert_eq(n->expires_ms, k.now_ms + INTENT_EXPIRES_MS);
}

Test(engine, a_step_that_does_not_help_is_followed_by_the_next)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART ", { do = 'scale'; replicas = 5; }"));
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_NOT_FIXED);
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.action, "scale");
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.replicas, 5);
}

Test(engine, a_step_is_tried_again_as_often_as_it_says)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "",
                              "{ do = 'restart'; retry = 1; verify = { hold = '1m'; within = '20m'; }; }"));
    kit_write(&k);
    for (uint32_t attempt = 2;; attempt++) {
        k.seen.new_pods_failed = true;
        k.seen.new_pods_failed_ms = k.wall_ms + 4000;
        kit_wait(&k, 5000);
        kit_observe(&k, NULL);
        kit_observe(&k, NULL);
        if (kit_count(&k, FACT_CLOSED))
            break;
        struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
        cr_assert_eq(n.attempt, attempt);
        kit_land(&k, &n);
        kit_acted(&k, NULL, ACT_DONE);
        cr_assert_leq(attempt, 2);
    }
    kit_closed(&k, OUTCOME_ESCALATED, "for sre: it fails again");
}

Test(engine, a_plan_may_begin_with_a_person)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'escalate'; notify = 'dba'; }"));
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "for dba");
}

Test(engine, a_plan_without_another_way_ends_not_healed)
{
    kit_policy(
        &k, "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; } );"
            "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; "
            "plan = 'mend'; } );"
            "plans = { mend = { steps = ( " KIT_RESTART " ); }; };");
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "every step of the plan was tried: it fails again");
}

Test(engine, what_only_observes_says_what_it_would_do)
{
    kit_policy(&k, KIT_POLICY("mode = 'observe';", "", KIT_RESTART));
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_OBSERVED, "the mode is observe: would do restart (steps.0)");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
}

Test(engine, a_dry_run_says_which_guard_would_wait)
{
    kit_policy(&k, KIT_POLICY("mode = 'dry_run';", "", KIT_RESTART));
    k.seen.rollout_complete = false;
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_OBSERVED, "the mode is dry_run: would wait before restart (rollout): ");
}

Test(engine, a_target_in_no_environment_is_only_observed)
{
    kit_fire(&k);
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "bank");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_OBSERVED, "no environment");
}

Test(engine, a_laxer_policy_never_widens_a_running_incident)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "cooldown = '10s';", KIT_RESTART));
    kit_policy(&k, KIT_POLICY("mode = 'observe';", "", KIT_RESTART));
    kit_fire(&k);
    struct incident *i = k.g->open;
    kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
    kit_wait(&k, 2000);
    cr_assert_eq(i->state, STATE_RESOLVING);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_OBSERVED, "observe");
}

Test(engine, a_stricter_policy_stops_a_plan_on_its_way)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_RESTART));
    kit_write(&k);
    kit_policy(&k, KIT_POLICY("mode = 'observe';", "", KIT_RESTART));
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "the mode is observe: would do restart (steps.1)");
}

Test(engine, a_rule_that_vanished_refuses)
{
    kit_fire(&k);
    kit_policy(&k, "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = "
                   "'act'; } ); rules = (); plans = {};");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "rule \"crash\" is not in the policy any more");
}

Test(engine, a_rule_that_vanished_before_the_target_was_found_refuses)
{
    kit_fire(&k);
    kit_policy(&k, "version = 1; environments = (); rules = (); plans = {};");
    kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
    kit_wait(&k, 2000);
    kit_closed(&k, OUTCOME_REFUSED, "rule \"crash\" is not in the policy any more");
}

Test(engine, paused_nothing_is_written_and_resumed_it_goes_on)
{
    pause_kit();
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "kill_switch", REFUSED_LATER, "paused by anna: lunch");
    kit_wait(&k, 3600000);
    cr_assert_eq(k.d.facts_len + k.d.effects_len, 0, "nothing is asked while it is paused");
    resume_kit();
    cr_assert(kit_asked(&k, NULL));
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

/* The one look after the resume fails: the next one comes soon, not with the end of the day. */
Test(engine, resumed_it_goes_on_although_the_first_look_fails)
{
    pause_kit();
    kit_fire(&k);
    kit_observe(&k, NULL);
    resume_kit();
    kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
    kit_wait(&k, 2000);
    cr_assert(kit_asked(&k, NULL));
}

Test(engine, paused_what_runs_is_verified_still)
{
    kit_write(&k);
    pause_kit();
    get_well();
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine, what_cannot_be_acted_on_for_a_day_is_refused)
{
    pause_kit();
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_wait(&k, WAIT_MAX_MS);
    kit_closed(&k, OUTCOME_REFUSED, "could not be acted on for 24h: heald is paused by anna");
}

Test(engine, what_cannot_go_on_after_a_write_for_a_day_is_not_healed)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_RESTART));
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    pause_kit();
    kit_observe(&k, NULL);
    kit_refused(&k, "kill_switch", REFUSED_LATER, "");
    kit_wait(&k, WAIT_MAX_MS);
    kit_closed(&k, OUTCOME_NOT_HEALED, "could not go on for 24h");
}

Test(engine, resolved_after_a_step_that_was_judged_ends_unknown)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_RESTART));
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_resolve(&k);
    kit_closed(&k, OUTCOME_UNKNOWN, "only after the last step was judged: it fails again");
}

Test(engine, a_target_that_cannot_be_found_is_refused)
{
    kit_fire(&k);
    kit_blind(&k, NULL, ERR_INVALID, "labels name no deployment");
    kit_closed(&k, OUTCOME_REFUSED, "target: labels name no deployment");
}

Test(engine, an_api_server_that_is_away_is_asked_again_and_recorded_once)
{
    int64_t seq;
    kit_fire(&k);
    for (int i = 0; i < 3; i++) {
        kit_blind(&k, NULL, ERR_UNAVAILABLE, "no connection");
        cr_assert_eq(kit_count(&k, FACT_REFUSED), i == 2);
        seq = engine_last_seq(k.g);
        kit_wait(&k, OBSERVE_BACKOFF_MAX_MS * 2);
        cr_assert(kit_asked(&k, NULL));
    }
    for (int i = 0; i < 20; i++) {
        kit_blind(&k, NULL, ERR_UNAVAILABLE, "no connection");
        kit_wait(&k, OBSERVE_BACKOFF_MAX_MS * 2);
    }
    cr_assert_eq(engine_last_seq(k.g), seq);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine, an_answer_to_a_question_no_longer_asked_is_dropped)
{
    kit_fire(&k);
    struct input in = { .kind = INPUT_OBSERVATION, .token = kit_only(&k)->token + 1, .observation = &k.seen };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    kit_turn(&k, in);
    cr_assert_eq(k.d.facts_len, 0);
    memcpy(in.incident, "nobody", 7);
    kit_turn(&k, in);
    cr_assert_eq(k.d.facts_len, 0);
    cr_assert(kit_asked(&k, NULL));
}

Test(engine, a_question_is_wanted_until_it_is_answered_or_asked_anew)
{
    kit_fire(&k);
    struct effect asked = *kit_effect(&k, EFFECT_OBSERVE);
    asked.labels = (struct map){ .len = 0 };
    cr_assert(engine_wants(k.g, &asked));
    kit_wait(&k, QUESTION_LOST_MS);
    cr_assert_not(engine_wants(k.g, &asked), "it was asked anew");
    cr_assert(engine_wants(k.g, kit_effect(&k, EFFECT_OBSERVE)));
    kit_observe(&k, NULL);
    cr_assert_not(engine_wants(k.g, &asked));
}

/* ---- what is told ---- */

static void tell(const char *id, int64_t revision)
{
    struct input in = { .kind = INPUT_TOLD, .revision = revision, .annotation_id = 12 };
    snprintf(in.incident, sizeof in.incident, "%s", id);
    kit_turn(&k, in);
}

Test(engine, what_was_not_told_is_listed_oldest_first)
{
    char ids[4][INCIDENT_ID_SIZE];
    kit_fire(&k);
    cr_assert_eq(engine_untold(k.g, ids, 4), 0, "nobody knows the target yet");
    kit_observe(&k, NULL);
    cr_assert_eq(engine_untold(k.g, ids, 4), 1);
    struct incident_view v;
    cr_assert(engine_incident(k.g, ids[0], &v));
    tell(ids[0], v.revision);
    cr_assert_eq(kit_count(&k, FACT_TOLD), 1);
    cr_assert_eq(engine_untold(k.g, ids, 4), 0);
    tell(ids[0], v.revision);
    cr_assert_eq(k.d.facts_len, 0, "told twice is recorded once");
    kit_acted(&k, NULL, ACT_DONE);
    cr_assert_eq(engine_untold(k.g, ids, 4), 1);
}

Test(engine, an_older_revision_does_not_undo_a_newer_one)
{
    kit_begin(&k);
    char id[INCIDENT_ID_SIZE];
    memcpy(id, kit_only(&k)->id, sizeof id);
    tell(id, 2);
    struct input in = { .kind = INPUT_TOLD, .revision = 1, .annotation_id = 99 };
    memcpy(in.incident, id, sizeof id);
    kit_turn(&k, in);
    cr_assert_eq(kit_only(&k)->told_revision, 2);
    cr_assert_eq(kit_only(&k)->annotation_id, 99);
}

Test(engine, a_closed_incident_is_kept_until_it_was_told)
{
    char ids[4][INCIDENT_ID_SIZE];
    struct incident_view v;
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_acted(&k, NULL, ACT_FAILED);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "");
    cr_assert_eq(engine_untold(k.g, ids, 4), 1);
    cr_assert(engine_incident(k.g, ids[0], &v));
    cr_assert_eq(v.outcome, OUTCOME_ESCALATED);
    cr_assert_eq(v.closed_ms, k.wall_ms);
    tell(ids[0], v.revision - 1);
    cr_assert(engine_incident(k.g, ids[0], &v));
    tell(ids[0], v.revision);
    cr_assert_not(engine_incident(k.g, ids[0], &v));
    tell(ids[0], v.revision);
    cr_assert_eq(k.d.facts_len, 0);
}

/* ---- what is proven ---- */

Test(engine, a_template_is_proven_when_it_was_well_for_long_enough)
{
    struct input in = { .kind = INPUT_WELL, .target = k.seen.target, .template_hash = "good" };
    in.since_ms = k.wall_ms - 15 * 60 * 1000 + 1;
    kit_turn(&k, in);
    cr_assert_eq(k.d.facts_len, 0);
    in.since_ms--;
    kit_turn(&k, in);
    cr_assert_str_eq(kit_fact(&k, FACT_PROVEN)->u.proven.template_hash, "good");
    cr_assert_str_eq(engine_proven(k.g, "u-web"), "good");
    kit_turn(&k, in);
    cr_assert_eq(k.d.facts_len, 0, "known already");
    cr_assert_eq(engine_proven_workloads(k.g), 1);
}

Test(engine, nothing_is_proven_while_an_alert_fires_for_it)
{
    kit_fire(&k);
    kit_prove(&k, "good");
    cr_assert_eq(k.d.facts_len, 0, "it may be for this one");
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "api");
    kit_observe(&k, NULL);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "web");
    kit_prove(&k, "good");
    cr_assert_eq(kit_count(&k, FACT_PROVEN), 1, "it is for another one");
}

Test(engine, nothing_is_proven_outside_every_environment)
{
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "bank");
    kit_prove(&k, "good");
    cr_assert_eq(k.d.facts_len, 0);
    cr_assert_null(engine_proven(k.g, "u-web"));
}

Test(engine, three_proven_templates_are_kept_newest_first)
{
    static const char *const hashes[] = { "a", "b", "c", "b", "d" };
    for (int i = 0; i < 5; i++)
        kit_prove(&k, hashes[i]);
    const struct workload *w = workload_find(k.g, "u-web");
    cr_assert_str_eq(w->proven[0], "d");
    cr_assert_str_eq(w->proven[1], "b");
    cr_assert_str_eq(w->proven[2], "c");
}

Test(engine, a_jump_of_the_clock_is_a_fact)
{
    kit_turn(&k, (struct input){ .kind = INPUT_JUMPED, .by_ms = -3600000 });
    cr_assert_eq(kit_fact(&k, FACT_TIME_JUMPED)->u.jumped.by_ms, -3600000);
}

Test(engine, the_same_policy_again_is_no_fact)
{
    kit_policy(&k, POLICY);
    cr_assert_eq(k.d.facts_len, 0);
}

Test(engine, the_cause_seen_at_the_first_look_is_kept_and_told)
{
    struct incident_view v;
    k.seen.evidence = (struct evidence){ .cause = CAUSE_OOM,
                                         .reason = "CrashLoopBackOff",
                                         .ended = "OOMKilled",
                                         .exit_code = 137,
                                         .restarts = 5,
                                         .container = "app",
                                         .pod = "web-1" };
    kit_fire(&k);
    kit_observe(&k, NULL);
    const struct fact *f = kit_fact(&k, FACT_RESOLVED);
    cr_assert_eq(f->u.resolved.evidence.cause, CAUSE_OOM);
    cr_assert_str_eq(f->u.resolved.evidence.container, "app");
    cr_assert(engine_incident(k.g, kit_only(&k)->id, &v));
    cr_assert_eq(v.cause, CAUSE_OOM);
    cr_assert_str_eq(v.history[1],
                     "seen: oom: container \"app\" of pod \"web-1\", CrashLoopBackOff after OOMKilled "
                     "(exit code 137), 5 restarts");
}

Test(engine, what_nobody_looked_at_has_no_cause)
{
    k.seen.evidence.cause = CAUSE_OOM;
    k.seen.needs &= ~(unsigned)OBSERVE_PODS;
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_RESOLVED)->u.resolved.evidence.cause, CAUSE_UNKNOWN);
}
