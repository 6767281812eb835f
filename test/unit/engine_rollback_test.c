/* test/unit/engine_rollback_test.c - what changed since it was well: back only to a proven template, never to
 * the one in which trouble began. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_ROLLBACK));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_rollback, .init = open_kit, .fini = close_kit);

static void judge(void)
{
    kit_fire(&k);
    kit_observe(&k, NULL);
}

static void fail_again(void)
{
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_NOT_FIXED);
}

Test(engine_rollback, goes_back_to_the_template_proven_last)
{
    kit_prove(&k, "old");
    kit_prove(&k, "good");
    judge();
    const struct intent *n = &kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_str_eq(n->template_hash, "good");
    cr_assert_str_eq(n->revision, "web-2");
    cr_assert_str_eq(n->old_template_hash, "bad");
}

Test(engine_rollback, takes_an_older_proven_one_when_the_newest_left_the_history)
{
    kit_prove(&k, "old");
    kit_prove(&k, "lost");
    judge();
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.template_hash, "old");
}

Test(engine_rollback, broken_at_first_sight_has_nowhere_to_go)
{
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "was ever proven well: it was broken at first sight");
    kit_closed(&k, OUTCOME_ESCALATED, "for sre: no template of this workload");
}

Test(engine_rollback, missing_history_is_said_with_its_remedy)
{
    kit_prove(&k, "lost");
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "raise revisionHistoryLimit");
}

Test(engine_rollback, a_proven_template_is_not_the_cause)
{
    kit_prove(&k, "good");
    kit_prove(&k, "bad");
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "it has not changed");
}

Test(engine_rollback, a_change_after_the_trouble_began_is_not_its_cause)
{
    kit_prove(&k, "good");
    k.seen.template_since_ms = KIT_START_MS - 10000; /* a container had failed 20 s before */
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "changed after the trouble began");
}

/* Kubernetes cuts times to seconds, and pods fail in the second of the change. */
Test(engine_rollback, a_change_in_the_second_of_the_trouble_may_be_its_cause)
{
    kit_prove(&k, "good");
    k.seen.alert_active_ms = 0;
    k.seen.trouble_ms = KIT_START_MS - 30000;
    k.seen.template_since_ms = KIT_START_MS - 30000 + 900;
    judge();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_rollback, a_template_from_before_the_watch_is_a_suspect)
{
    kit_prove(&k, "good");
    k.seen.template_since_ms = 0;
    judge();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_rollback, the_alerts_own_beginning_counts_less_one_evaluation)
{
    kit_prove(&k, "good");
    k.seen.trouble_ms = 0;
    k.seen.template_since_ms = KIT_START_MS - 34000; /* activeAt is 20 s ago, the interval 15 s */
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "changed after the trouble began");
}

Test(engine_rollback, a_change_before_the_alerts_own_beginning_may_be_its_cause)
{
    kit_prove(&k, "good");
    k.seen.trouble_ms = 0;
    k.seen.template_since_ms = KIT_START_MS - 36000;
    judge();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_rollback, of_another_workload_says_nothing)
{
    kit_prove(&k, "good");
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-new");
    judge();
    kit_refused(&k, "history", REFUSED_STEP, "broken at first sight");
}

Test(engine_rollback, after_one_that_did_not_help_the_next_step_comes)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_ROLLBACK "," KIT_RESTART));
    kit_prove(&k, "good");
    kit_write(&k);
    fail_again();
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.1");
}

/* ---- when = { changed = "template" } ---- */

#define WHEN                                                                                                 \
    "{ when = { changed = 'template'; }; then = ( " KIT_ROLLBACK " ); otherwise = ( " KIT_RESTART " ); }"

Test(engine_rollback, when_the_template_changed_it_goes_back)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", WHEN));
    kit_prove(&k, "good");
    judge();
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.0.then.0");
}

Test(engine_rollback, when_it_did_not_change_it_restarts)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", WHEN));
    kit_prove(&k, "bad");
    judge();
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.0.otherwise.0");
    cr_assert_eq(kit_count(&k, FACT_REFUSED), 0);
}

/* The template is the good one again by then: that does not make "otherwise" true. */
Test(engine_rollback, a_branch_that_was_begun_is_not_left_for_the_other)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", WHEN));
    kit_prove(&k, "good");
    kit_write(&k);
    fail_again();
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "it fails again");
}

Test(engine_rollback, a_branch_that_was_begun_ends_with_its_last_step)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "",
                              "{ when = { changed = 'template'; }; then = ( " KIT_ROLLBACK
                              ", { do = 'scale'; replicas = 5; } );"
                              " otherwise = ( " KIT_RESTART " ); }"));
    kit_prove(&k, "good");
    kit_write(&k);
    fail_again();
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.0.then.1");
}

Test(engine_rollback, the_deepest_plan_has_a_path_for_every_step)
{
    struct buf steps = BUF_INIT;
    for (int i = 0; i < 7; i++)
        buf_adds(
            &steps,
            "{ when = { changed = 'template'; }; then = ( { do = 'scale'; replicas = 5; } ); otherwise = ( ");
    buf_adds(&steps, KIT_RESTART);
    for (int i = 0; i < 7; i++)
        buf_adds(&steps, " ); }");
    struct buf policy = BUF_INIT;
    buf_addf(&policy, KIT_POLICY(KIT_ACT, "", "%s"), buf_text(&steps));
    kit_policy(&k, buf_text(&policy));
    buf_release(&policy);
    buf_release(&steps);
    judge();
    cr_assert_str_eq(
        kit_effect(&k, EFFECT_ACT)->intent.step,
        "steps.0.otherwise.0.otherwise.0.otherwise.0.otherwise.0.otherwise.0.otherwise.0.otherwise.0");
}

/* ---- heald's own restarts are no change ---- */

Test(engine_rollback, after_healds_restart_the_change_before_it_goes_back_still)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_ROLLBACK));
    kit_prove(&k, "good");
    kit_write(&k);
    cr_assert_eq(k.seen.template_since_ms, k.wall_ms, "the restart is a new template, since now");
    fail_again();
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.template_hash, "good");
}

Test(engine_rollback, two_restarts_of_healds_keep_what_stood_there_before)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'restart'; retry = 1; }," KIT_ROLLBACK));
    kit_prove(&k, "good");
    kit_write(&k);
    fail_again();
    kit_observe(&k, NULL);
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_str_eq(n.action, "restart");
    kit_land(&k, &n);
    kit_acted(&k, NULL, ACT_DONE);
    fail_again();
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.template_hash, "good");
}

Test(engine_rollback, a_proven_template_that_heald_restarted_has_not_changed)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART "," KIT_ROLLBACK));
    kit_prove(&k, "old");
    kit_prove(&k, "bad");
    kit_write(&k);
    fail_again();
    kit_observe(&k, NULL);
    kit_refused(&k, "history", REFUSED_STEP, "restarted by heald: it has not changed");
}

Test(engine_rollback, what_somebody_else_wrote_after_healds_restart_is_a_change)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "cooldown = 'none';", KIT_RESTART));
    kit_prove(&k, "good");
    kit_write(&k);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "newer");
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_UNKNOWN, "somebody else changed the object after the write");
}
