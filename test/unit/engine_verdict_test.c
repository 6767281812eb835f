/* test/unit/engine_verdict_test.c - did it help? Fixed, not fixed, unknown: no data is never success. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "test/kit/engine_kit.h"

#define POLICY KIT_POLICY(KIT_ACT, "", KIT_RESTART)
#define SETTLE_MS 300000 /* of the kit's observation */

static struct engine_kit k;

/* A restart was written; Prometheus is configured. */
static void open_kit(void)
{
    engine_kit_open(&k, POLICY);
    k.p->prometheus = true;
    kit_write(&k);
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_verdict, .init = open_kit, .fini = close_kit);

/* The next look, after some time. */
static void look(int64_t after_ms)
{
    kit_wait(&k, after_ms);
    if (!kit_asked(&k, NULL))
        kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    kit_observe(&k, NULL);
}

static void no_verdict(void)
{
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0, "%s", kit_fact(&k, FACT_VERDICT)->u.verdict.reason);
}

static void verdict(enum verdict v, const char *reason)
{
    const struct fact *f = kit_fact(&k, FACT_VERDICT);
    cr_assert_eq(f->u.verdict.verdict, v, "%s: %s", verdict_name(f->u.verdict.verdict), f->u.verdict.reason);
    cr_assert_not_null(strstr(f->u.verdict.reason, reason), "\"%s\" lacks \"%s\"", f->u.verdict.reason,
                       reason);
}

Test(engine_verdict, fixed_is_well_for_the_hold_and_quiet)
{
    int64_t well = k.wall_ms;
    kit_well(&k, well);
    look(59000);
    no_verdict();
    k.seen.alert_evaluated_ms = k.wall_ms;
    look(1000);
    verdict(VERDICT_FIXED, "well for 1m at every event, and Prometheus says the alert is quiet");
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.repaired_ms, well);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.confirmed_ms, k.wall_ms);
    kit_closed(&k, OUTCOME_HEALED, "restart: well");
}

Test(engine_verdict, the_hold_counts_from_the_write)
{
    kit_well(&k, k.wall_ms - 3600000);
    look(59000);
    no_verdict();
}

Test(engine_verdict, a_relapse_within_the_hold_begins_it_anew)
{
    kit_well(&k, k.wall_ms);
    look(30000);
    k.seen.well_since_ms = 0;
    look(5000);
    no_verdict();
    kit_well(&k, k.wall_ms);
    look(59000);
    no_verdict();
    k.seen.alert_evaluated_ms = k.wall_ms;
    look(1000);
    verdict(VERDICT_FIXED, "");
}

Test(engine_verdict, well_without_a_complete_rollout_is_not_well)
{
    kit_well(&k, k.wall_ms);
    k.seen.rollout_complete = false;
    look(120000);
    no_verdict();
}

Test(engine_verdict, pending_is_not_quiet)
{
    kit_well(&k, k.wall_ms);
    k.seen.alert = ALERT_STATE_PENDING;
    look(61000);
    no_verdict();
    k.seen.alert = ALERT_STATE_INACTIVE;
    k.seen.alert_evaluated_ms = k.wall_ms;
    look(5000);
    verdict(VERDICT_FIXED, "");
}

Test(engine_verdict, an_evaluation_before_the_write_says_nothing)
{
    kit_well(&k, k.wall_ms);
    k.seen.alert_evaluated_ms = k.wall_ms;
    look(120000);
    no_verdict();
    k.seen.alert_evaluated_ms = KIT_START_MS + 1001;
    look(5000);
    verdict(VERDICT_FIXED, "");
}

Test(engine_verdict, not_fixed_by_the_alert_is_not_said_before_it_could_settle)
{
    kit_well(&k, k.wall_ms);
    k.seen.alert = ALERT_STATE_FIRING;
    k.seen.alert_evaluated_ms = k.wall_ms + SETTLE_MS;
    look(SETTLE_MS + 59999);
    no_verdict();
    look(1);
    verdict(VERDICT_NOT_FIXED, "the cluster looks well, but the alert still fires");
}

Test(engine_verdict, without_prometheus_data_it_is_unknown)
{
    kit_well(&k, k.wall_ms);
    k.seen.alert = ALERT_STATE_UNKNOWN;
    snprintf(k.seen.alert_text, sizeof k.seen.alert_text, "Prometheus is away");
    look(1199999);
    no_verdict();
    look(1);
    verdict(VERDICT_UNKNOWN, "after 20m: the alert's state is not known: Prometheus is away");
    kit_closed(&k, OUTCOME_UNKNOWN, "restart: after 20m");
}

Test(engine_verdict, without_a_watch_it_is_unknown)
{
    k.seen.watched = false;
    kit_well(&k, k.wall_ms);
    look(1200000);
    verdict(VERDICT_UNKNOWN, "not under watch");
}

Test(engine_verdict, without_any_look_it_is_unknown)
{
    int64_t written = k.now_ms;
    while (!kit_count(&k, FACT_CLOSED) && k.now_ms < written + 2 * 1200000) {
        if (kit_asked(&k, NULL))
            kit_blind(&k, NULL, ERR_UNAVAILABLE, "no connection");
        if (!kit_count(&k, FACT_CLOSED))
            kit_wait(&k, 1000);
    }
    cr_assert_geq(k.now_ms, written + 1200000);
    verdict(VERDICT_UNKNOWN, "it could not be looked at: no connection");
    kit_closed(&k, OUTCOME_UNKNOWN, "");
}

Test(engine_verdict, not_well_in_time_is_not_fixed)
{
    look(1199999);
    no_verdict();
    look(1);
    verdict(VERDICT_NOT_FIXED, "after 20m: not well: pod \"web-1\" is not ready");
}

Test(engine_verdict, new_pods_that_fail_are_not_fixed_at_once)
{
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 2000;
    look(5000);
    verdict(VERDICT_NOT_FIXED, "it fails again: pod \"web-1\": crashes");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "");
}

/* A rollback keeps pods of the old template, which may have been restarted long ago. */
Test(engine_verdict, an_old_pods_old_restart_says_nothing)
{
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = KIT_START_MS - 86400000;
    look(5000);
    no_verdict();
}

Test(engine_verdict, what_the_controller_has_not_seen_says_nothing)
{
    k.seen.new_pods_failed = k.seen.deadline_exceeded = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 2000;
    k.seen.observed_generation_current = false;
    look(5000);
    no_verdict();
}

Test(engine_verdict, a_rollout_that_exceeds_its_deadline_is_not_fixed)
{
    k.seen.deadline_exceeded = true;
    look(5000);
    verdict(VERDICT_NOT_FIXED, "exceeded its progress deadline");
}

Test(engine_verdict, scaled_to_0_is_unknown)
{
    k.seen.desired = 0;
    kit_well(&k, k.wall_ms);
    look(61000);
    verdict(VERDICT_UNKNOWN, "scaled to 0");
}

Test(engine_verdict, another_restart_by_somebody_else_is_unknown)
{
    snprintf(k.seen.restarted_at, sizeof k.seen.restarted_at, "2027-01-15T09:00:00Z");
    look(5000);
    verdict(VERDICT_UNKNOWN, "somebody else changed the object");
}

Test(engine_verdict, another_template_with_healds_restart_in_it_is_unknown)
{
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "theirs");
    kit_well(&k, k.wall_ms);
    look(61000);
    verdict(VERDICT_UNKNOWN, "somebody else changed the object");
}

Test(engine_verdict, a_target_that_is_gone_cannot_be_verified)
{
    kit_wait(&k, 5000);
    if (!kit_asked(&k, NULL))
        kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    kit_blind(&k, NULL, ERR_NOT_FOUND, "it is gone");
    kit_closed(&k, OUTCOME_UNKNOWN, "it cannot be verified: it is gone");
}

Test(engine_verdict, the_watch_makes_it_look_at_once)
{
    kit_observe(&k, NULL);
    cr_assert_not(kit_asked(&k, NULL));
    struct target other = k.seen.target;
    snprintf(other.name, sizeof other.name, "api");
    kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = other });
    cr_assert_not(kit_asked(&k, NULL));
    kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    cr_assert(kit_asked(&k, NULL));
    cr_assert_eq(kit_effect(&k, EFFECT_OBSERVE)->lane, LANE_VERIFY);
}

Test(engine_verdict, after_a_crash_verification_goes_on)
{
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_restart(&k);
    k.seen.alert_evaluated_ms = k.wall_ms;
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_HEALED, "");
}

/* ---- what the step's verify says ---- */

Test(engine_verdict, an_ignored_alert_is_not_asked_for)
{
    engine_kit_close(&k);
    engine_kit_open(
        &k, KIT_POLICY(KIT_ACT, "",
                       "{ do = 'restart'; verify = { alert = 'ignore'; hold = '1m'; within = '20m'; }; }"));
    k.p->prometheus = true;
    kit_write(&k);
    kit_well(&k, k.wall_ms);
    k.seen.alert = ALERT_STATE_FIRING;
    look(60000);
    verdict(VERDICT_FIXED, "well for 1m at every event");
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.confirmed_ms, 0);
}

/* ---- without Prometheus ---- */

static void open_without(void)
{
    engine_kit_open(&k,
                    KIT_POLICY(KIT_ACT, "", "{ do = 'restart'; verify = { hold = '1m'; within = '5m'; }; }"));
    kit_write(&k);
}

TestSuite(engine_verdict_without, .init = open_without, .fini = close_kit);

Test(engine_verdict_without, resolved_counts_with_cluster_evidence)
{
    kit_well(&k, k.wall_ms);
    look(61000);
    no_verdict();
    kit_resolve(&k);
    kit_observe(&k, NULL);
    verdict(VERDICT_FIXED, "and the alert has resolved");
}

Test(engine_verdict_without, resolved_without_cluster_evidence_is_nothing)
{
    kit_resolve(&k);
    kit_observe(&k, NULL);
    no_verdict();
    look(17 * 60000);
    verdict(VERDICT_NOT_FIXED, "not well");
}

Test(engine_verdict_without, all_alerts_of_the_incident_must_resolve)
{
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,pod=web-1", ALERT_FIRING, 0);
    kit_observe(&k, k.g->open->next->id);
    kit_resolve(&k);
    kit_well(&k, k.wall_ms);
    look(61000);
    no_verdict();
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,pod=web-1", ALERT_RESOLVED, 0);
    kit_observe(&k, NULL);
    verdict(VERDICT_FIXED, "");
}

/* Alertmanager may tell of the end one group_interval later: a shorter `within` does not count. */
Test(engine_verdict_without, an_alert_has_a_quarter_of_an_hour_to_resolve)
{
    kit_well(&k, k.wall_ms);
    look(15 * 60000 + 59999);
    no_verdict();
    look(1);
    verdict(VERDICT_NOT_FIXED, "the alert still fires");
}

Test(engine_verdict_without, how_long_an_alert_settles_can_be_said_by_who_runs_it)
{
    k.p->settle_ms = 28 * 60000;
    k.p->group_interval_ms = 2 * 60000;
    kit_well(&k, k.wall_ms);
    look(30 * 60000 + 59999);
    no_verdict();
    look(1);
    verdict(VERDICT_NOT_FIXED, "the alert still fires");
}

Test(engine_verdict, prometheus_own_word_counts_before_what_was_said_for_all)
{
    k.p->settle_ms = 30 * 60000;
    kit_well(&k, k.wall_ms);
    k.seen.alert = ALERT_STATE_FIRING;
    k.seen.alert_evaluated_ms = k.wall_ms + SETTLE_MS;
    k.seen.alert_settle_ms = 0;
    look(SETTLE_MS + 60000);
    no_verdict();
    k.seen.alert_settle_ms = SETTLE_MS;
    look(1);
    verdict(VERDICT_NOT_FIXED, "the cluster looks well, but the alert still fires");
}

/* ---- the other actions ---- */

Test(engine_verdict, a_scale_is_judged_by_its_number)
{
    engine_kit_close(&k);
    engine_kit_open(&k,
                    KIT_POLICY(KIT_ACT, "",
                               "{ do = 'scale'; replicas = 5; verify = { hold = '1m'; within = '20m'; }; }"));
    kit_write(&k);
    k.seen.deadline_exceeded = true; /* of an older rollout */
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    look(5000);
    no_verdict();
    k.seen.desired = 3;
    look(5000);
    verdict(VERDICT_UNKNOWN, "somebody else changed the object");
}

Test(engine_verdict, a_deleted_pod_stays_deleted)
{
    engine_kit_close(&k);
    engine_kit_open(
        &k, KIT_POLICY(KIT_ACT, "", "{ do = 'delete_pod'; verify = { hold = '1m'; within = '20m'; }; }"));
    k.seen.pod_found = true;
    snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-pod");
    kit_write(&k);
    snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-other"); /* a StatefulSet's next pod has its name */
    k.seen.pod_found = true;
    kit_resolve(&k);
    kit_well(&k, k.wall_ms);
    look(61000);
    verdict(VERDICT_FIXED, "");
}

/* ---- without Prometheus: an end that nobody delivered ---- */

static void at_alertmanager(enum alertmanager_state state)
{
    k.p->prometheus = false;
    k.seen.alertmanager = true;
    k.seen.silenced = state;
    kit_well(&k, k.wall_ms);
    k.seen.fault = false;
}

Test(engine_verdict, an_alert_that_alertmanager_does_not_know_any_more_is_quiet)
{
    at_alertmanager(ALERTMANAGER_ABSENT);
    look(61000);
    verdict(VERDICT_FIXED, "");
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_verdict, an_alert_that_alertmanager_still_has_is_not_quiet)
{
    at_alertmanager(ALERTMANAGER_ACTIVE);
    look(61000);
    no_verdict();
    look(17ll * 60 * 1000);
    verdict(VERDICT_NOT_FIXED, "the alert still fires");
}

Test(engine_verdict, an_alertmanager_that_cannot_be_asked_says_nothing)
{
    at_alertmanager(ALERTMANAGER_UNKNOWN);
    look(61000);
    no_verdict();
}
