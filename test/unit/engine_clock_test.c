/* test/unit/engine_clock_test.c - what others say is told in wall time, and the wall clock may jump away from
 * engine time. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define HOUR_MS 3600000

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_clock, .init = open_kit, .fini = close_kit);

static void jump(int64_t by_ms)
{
    k.wall_ms += by_ms;
    kit_turn(&k, (struct input){ .kind = INPUT_JUMPED, .by_ms = by_ms });
}

Test(engine_clock, after_a_jump_ahead_alerts_do_not_come_from_the_future)
{
    jump(HOUR_MS);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_OPENED);
}

Test(engine_clock, after_a_jump_back_alerts_are_not_old)
{
    jump(-2 * HOUR_MS);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_OPENED);
}

Test(engine_clock, after_a_jump_back_new_trouble_is_new)
{
    kit_fire(&k);
    jump(-HOUR_MS);
    kit_blind(&k, NULL, ERR_NOT_FOUND, "gone");
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_OPENED);
}

static void look(int64_t after_ms)
{
    kit_wait(&k, after_ms);
    if (!kit_asked(&k, NULL))
        kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    kit_observe(&k, NULL);
}

/* Engine time is an hour behind: a state well since before the write must not look like one after it. */
Test(engine_clock, well_from_before_the_write_is_not_held)
{
    jump(HOUR_MS);
    k.seen.template_since_ms = k.wall_ms - 60000;
    kit_write(&k);
    kit_resolve(&k);
    kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms - 1800000);
    look(30000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    look(31000);
    kit_closed(&k, OUTCOME_HEALED, "");
}

/* Reading takes a while: what became well meanwhile lies a moment ahead of the observation, and has not held.
 */
Test(engine_clock, well_from_after_the_observation_began_has_not_held)
{
    kit_write(&k);
    kit_resolve(&k);
    kit_observe(&k, NULL);
    kit_wait(&k, 120000);
    kit_well(&k, k.wall_ms + 300);
    look(0);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    look(61000);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_clock, an_evaluation_from_before_the_write_is_not_one_after_it)
{
    jump(HOUR_MS);
    k.p->prometheus = true;
    k.seen.template_since_ms = k.wall_ms - 60000;
    kit_write(&k);
    int64_t written = k.wall_ms;
    kit_well(&k, k.wall_ms);
    k.seen.alert_evaluated_ms = written - 1000;
    look(61000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    k.seen.alert_evaluated_ms = written + 15000;
    look(5000);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_clock, a_verdict_is_said_in_wall_time)
{
    jump(-HOUR_MS);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    kit_observe(&k, NULL);
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    kit_land(&k, &n);
    kit_acted(&k, NULL, ACT_DONE);
    kit_alert(&k, k.labels, ALERT_RESOLVED, 0);
    kit_observe(&k, NULL);
    int64_t well = k.wall_ms;
    kit_well(&k, well);
    look(61000);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.repaired_ms, well);
    cr_assert_eq(kit_fact(&k, FACT_CLOSED)->u.closed.wall_ms, k.wall_ms);
    struct incident_view v;
    cr_assert(engine_incident(k.g, k.g->closed->id, &v));
    cr_assert_eq(v.closed_ms, k.wall_ms);
    cr_assert_eq(v.confirmed_ms, k.wall_ms);
}

Test(engine_clock, somebodys_rollout_is_timed_in_wall_time)
{
    jump(HOUR_MS);
    kit_wait(&k, 595000);
    k.seen.rollout_complete = false;
    k.seen.template_since_ms = k.wall_ms - 595000;
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    kit_observe(&k, NULL);
    kit_refused(&k, "rollout", REFUSED_LATER, "");
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_clock, long_enough_well_is_timed_in_wall_time)
{
    jump(HOUR_MS);
    kit_wait(&k, 900000);
    struct input in = {
        .kind = INPUT_WELL, .target = k.seen.target, .template_hash = "good", .since_ms = k.wall_ms - 60000
    };
    kit_turn(&k, in);
    cr_assert_eq(k.d.facts_len, 0);
    in.since_ms = k.wall_ms - 900000;
    kit_turn(&k, in);
    cr_assert_eq(kit_count(&k, FACT_PROVEN), 1);
}

Test(engine_clock, an_engine_time_that_went_back_counts_as_the_last)
{
    kit_wait(&k, 10000);
    kit_fire(&k);
    int64_t last = engine_last_at_ms(k.g);
    k.now_ms -= 5000;
    kit_observe(&k, NULL);
    for (size_t f = 0; f < k.d.facts_len; f++)
        cr_assert_eq(k.d.facts[f].at_ms, last);
    k.now_ms += 5000;
}

/* The watch's "well since" is from before the jump, the observation from after it. */
Test(engine_clock, a_jump_ahead_does_not_make_the_hold_pass)
{
    kit_write(&k);
    kit_resolve(&k);
    kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 5000);
    jump(HOUR_MS);
    look(5000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    look(54000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    look(1000);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_clock, a_jump_back_does_not_make_the_hold_last)
{
    kit_write(&k);
    kit_resolve(&k);
    kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 5000);
    jump(-HOUR_MS);
    look(59000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    look(1000);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_clock, a_jump_ahead_proves_nothing)
{
    struct input in = {
        .kind = INPUT_WELL, .target = k.seen.target, .template_hash = "good", .since_ms = k.wall_ms
    };
    jump(HOUR_MS);
    kit_turn(&k, in);
    cr_assert_eq(kit_count(&k, FACT_PROVEN), 0);
    kit_wait(&k, 900000);
    kit_turn(&k, in);
    cr_assert_eq(kit_count(&k, FACT_PROVEN), 1);
}

Test(engine_clock, after_a_jump_back_a_stale_observation_is_not_judged)
{
    kit_fire(&k);
    struct input in = { .kind = INPUT_OBSERVATION, .token = kit_only(&k)->token, .observation = &k.seen };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    k.now_ms += 60000;
    k.wall_ms += 60000;
    jump(-HOUR_MS);
    kit_turn(&k, in);
    kit_refused(&k, "observation", REFUSED_LATER, "60000 ms old");
}

/* A step of 50 s must not end a hold of a minute. */
Test(engine_clock, a_small_step_ahead_ends_no_hold_early)
{
    kit_write(&k);
    kit_resolve(&k);
    kit_well(&k, k.wall_ms);
    look(5000);
    jump(50000);
    look(10000); /* 15 s in truth, 65 s on the wall clock */
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    k.seen.alert_evaluated_ms = k.wall_ms;
    look(61000);
    kit_closed(&k, OUTCOME_HEALED, "");
}
