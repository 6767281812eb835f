/* test/unit/engine_write_test.c - one write, exactly once in effect: conflicts, lost answers, crashes, writes
 * that land late. */
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

TestSuite(engine_write, .init = open_kit, .fini = close_kit);

static const struct fact *written(enum write_state state)
{
    const struct fact *f = kit_fact(&k, FACT_WRITTEN);
    cr_assert_eq(f->u.written.state, state, "%s: %s", write_state_name(f->u.written.state),
                 f->u.written.reason);
    return f;
}

Test(engine_write, an_effect_follows_its_intent_in_the_same_turn)
{
    kit_begin(&k);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    cr_assert_eq(memcmp(&kit_fact(&k, FACT_INTENT)->u.intent, &kit_effect(&k, EFFECT_ACT)->intent,
                        sizeof(struct intent)),
                 0);
    cr_assert_eq(engine_oldest_intent_ms(k.g), k.now_ms);
}

Test(engine_write, while_a_worker_has_it_nothing_else_is_done)
{
    kit_begin(&k);
    kit_wait(&k, 3600000);
    cr_assert_eq(k.d.facts_len + k.d.effects_len, 0);
}

Test(engine_write, a_conflict_decides_again_with_the_same_content)
{
    struct intent n = *kit_begin(&k);
    for (uint32_t write = 2; write <= CONFLICTS_MAX; write++) {
        kit_wait(&k, 1500);
        kit_acted(&k, NULL, ACT_CONFLICT);
        written(WRITE_CONFLICT);
        cr_assert(kit_asked(&k, NULL), "the object is read again");
        snprintf(k.seen.resource_version, sizeof k.seen.resource_version, "%u", 100 + write);
        kit_observe(&k, NULL);
        const struct intent *again = &kit_effect(&k, EFFECT_ACT)->intent;
        cr_assert_eq(again->write, write);
        cr_assert_eq(again->attempt, 1);
        cr_assert_str_eq(again->restarted_at, n.restarted_at, "a late one of the first changes nothing");
        cr_assert_str_eq(again->resource_version, k.seen.resource_version);
    }
    kit_acted(&k, NULL, ACT_CONFLICT);
    kit_observe(&k, NULL);
    cr_assert_str_eq(written(WRITE_FAILED)->u.written.reason,
                     "the object was changed under each of 5 writes");
}

Test(engine_write, after_a_conflict_all_guards_are_asked_again)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_CONFLICT);
    k.seen.ignored = true;
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "heald.dev/ignore");
}

Test(engine_write, after_a_conflict_an_alert_that_resolved_starts_nothing)
{
    kit_begin(&k);
    kit_resolve(&k);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0, "a write is on its way");
    kit_acted(&k, NULL, ACT_CONFLICT);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_CLEARED, "before anything was done");
}

Test(engine_write, a_refused_write_goes_on_with_the_next_step)
{
    kit_policy(&k,
               KIT_POLICY(KIT_ACT, "", "{ do = 'restart'; retry = 3; }, { do = 'scale'; replicas = 5; }"));
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_FAILED);
    written(WRITE_FAILED);
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.1");
}

Test(engine_write, an_overloaded_server_gets_time)
{
    struct input in = { .kind = INPUT_ACTED,
                        .report = { .result = ACT_RETRY, .retry_ms = 7000, .reason = "429" } };
    kit_begin(&k);
    in.token = kit_only(&k)->token;
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    kit_turn(&k, in);
    cr_assert_eq(written(WRITE_RETRY)->u.written.again_ms, k.now_ms + 7000);
    kit_wait(&k, 6999);
    cr_assert_not(kit_asked(&k, NULL));
    kit_wait(&k, 1);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.write, 2);
}

Test(engine_write, a_server_that_stays_overloaded_is_given_up)
{
    kit_begin(&k);
    for (uint32_t write = 1;; write++) {
        kit_acted(&k, NULL, ACT_RETRY);
        kit_wait(&k, 40000);
        kit_observe(&k, NULL);
        if (kit_count(&k, FACT_WRITTEN))
            break;
        cr_assert_lt(write, WRITES_MAX);
    }
    cr_assert_not_null(strstr(written(WRITE_FAILED)->u.written.reason,
                              "20 writes were refused or got lost: the server said so"));
}

/* ---- lost answers ---- */

Test(engine_write, without_an_answer_the_cluster_is_asked)
{
    struct intent n = *kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    cr_assert_eq(k.d.facts_len, 0);
    cr_assert(kit_asked(&k, NULL));
    kit_land(&k, &n);
    kit_observe(&k, NULL);
    cr_assert_str_eq(written(WRITE_DONE)->u.written.reason, "found in the cluster");
    cr_assert_str_eq(kit_fact(&k, FACT_WRITTEN)->u.written.template_hash, k.seen.template_hash);
}

Test(engine_write, an_absent_proof_is_believed_after_the_longest_call)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    int64_t lost = k.now_ms;
    while (k.now_ms < lost + LONGEST_CALL_MS) {
        kit_observe(&k, NULL);
        cr_assert_eq(k.d.facts_len, 0, "%lld ms after", (long long)(k.now_ms - lost));
        kit_wait(&k, 1000);
        cr_assert(kit_asked(&k, NULL));
    }
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.write, 2);
}

/* What was read before the write could land says nothing, however late the answer comes. */
Test(engine_write, an_absent_proof_that_was_read_too_early_is_not_believed)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    k.now_ms += LONGEST_CALL_MS + 5000;
    k.wall_ms += LONGEST_CALL_MS + 5000;
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_WRITTEN), 0);
    cr_assert(kit_asked(&k, NULL), "it is read again");
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
}

Test(engine_write, an_absent_proof_in_a_changed_object_is_unknown)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    kit_wait(&k, 1);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "theirs");
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    cr_assert_not_null(strstr(written(WRITE_UNKNOWN)->u.written.reason, "somebody else changed the object"));
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING, "it is verified, then a person");
    kit_resolve(&k);
    kit_well(&k, k.wall_ms);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_UNKNOWN, "whether the write happened is not known; now: fixed");
}

Test(engine_write, after_an_unknown_write_nothing_is_repeated)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'restart'; retry = 3; }, " KIT_RESTART));
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "theirs");
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    written(WRITE_UNKNOWN);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_UNKNOWN, "now: not_fixed: it fails again");
}

Test(engine_write, a_target_that_is_gone_after_a_lost_answer_is_unknown)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    kit_blind(&k, NULL, ERR_NOT_FOUND, "it is gone");
    kit_closed(&k, OUTCOME_UNKNOWN, "not known whether the write happened: it is gone");
}

Test(engine_write, a_server_that_is_away_after_a_lost_answer_is_asked_for_a_day)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    int64_t lost = k.now_ms;
    while (k.now_ms < lost + WAIT_MAX_MS && !kit_count(&k, FACT_CLOSED)) {
        kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
        kit_wait(&k, 600000);
    }
    kit_closed(&k, OUTCOME_UNKNOWN, "could not be found out");
}

Test(engine_write, a_late_write_that_was_believed_absent_is_found_before_the_next)
{
    struct intent n = *kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
    kit_land(&k, &n);
    kit_observe(&k, NULL);
    written(WRITE_DONE);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
}

/* ---- crashes ---- */

Test(engine_write, after_a_crash_every_open_intent_is_asked_for)
{
    struct intent n = *kit_begin(&k);
    kit_restart(&k);
    cr_assert(kit_asked(&k, NULL));
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
    kit_wait(&k, 5000);
    kit_land(&k, &n); /* it was on its way when heald died */
    kit_observe(&k, NULL);
    written(WRITE_DONE);
}

Test(engine_write, after_a_crash_an_absent_write_is_decided_again)
{
    kit_begin(&k);
    kit_wait(&k, 60000);
    kit_restart(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0, "the write may be on its way");
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_wait(&k, 0);
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.write, 2);
}

/* The commit failed, heald did not die: the worker may begin its write until the intent expires. */
Test(engine_write, an_absent_write_is_not_believed_while_a_worker_may_still_begin_it)
{
    kit_begin(&k);
    kit_restart(&k);
    kit_observe(&k, NULL);
    kit_wait(&k, LONGEST_CALL_MS + 1000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_WRITTEN), 0, "it may be begun for another 4 s");
    kit_wait(&k, INTENT_EXPIRES_MS);
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
}

Test(engine_write, a_crash_after_days_still_asks_before_it_gives_up)
{
    struct intent n = *kit_begin(&k);
    k.now_ms += 3 * WAIT_MAX_MS;
    k.wall_ms += 3 * WAIT_MAX_MS;
    kit_restart(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_land(&k, &n);
    kit_wait(&k, 1000);
    kit_observe(&k, NULL);
    written(WRITE_DONE);
}

Test(engine_write, the_other_proofs_are_looked_for_too)
{
    static const char *const steps[] = { "{ do = 'scale'; replicas = 5; }", "{ do = 'delete_pod'; }",
                                         KIT_ROLLBACK };
    for (int i = 0; i < 3; i++) {
        char policy[1200];
        engine_kit_close(&k);
        snprintf(policy, sizeof policy, KIT_POLICY(KIT_ACT, "", "%s"), steps[i]);
        engine_kit_open(&k, policy);
        kit_prove(&k, "good");
        k.seen.pod_found = true;
        snprintf(k.seen.pod_name, sizeof k.seen.pod_name, "web-1");
        snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-pod");
        struct intent n = *kit_begin(&k);
        kit_acted(&k, NULL, ACT_UNKNOWN);
        kit_observe(&k, NULL);
        cr_assert_eq(kit_count(&k, FACT_WRITTEN), 0, "%s", steps[i]);
        kit_land(&k, &n);
        kit_wait(&k, 1000);
        kit_observe(&k, NULL);
        written(WRITE_DONE);
    }
}

/* An observation that did not ask for the pod does not show that it is gone. */
Test(engine_write, a_pod_that_was_not_looked_for_is_not_gone)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'delete_pod'; }"));
    k.seen.pod_found = true;
    snprintf(k.seen.pod_uid, sizeof k.seen.pod_uid, "u-pod");
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_UNKNOWN);
    k.seen.needs = 0;
    k.seen.pod_found = false;
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_WRITTEN), 0);
    cr_assert_eq(kit_effect(&k, EFFECT_OBSERVE)->needs & OBSERVE_POD, OBSERVE_POD);
    cr_assert_str_eq(kit_effect(&k, EFFECT_OBSERVE)->pod_uid, "u-pod");
}

Test(engine_write, two_restarts_within_a_second_differ)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'restart'; retry = 1; }"));
    kit_write(&k);
    char first[32];
    memcpy(first, k.seen.restarted_at, sizeof first);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms;
    kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    cr_assert_str_neq(kit_effect(&k, EFFECT_ACT)->intent.restarted_at, first);
}
