/* test/unit/engine_change_test.c - actions that set fields: what exactly is asked, recorded, proven and put
 * back. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define KIT_TUNE "{ do = 'tune'; name = 'CACHE'; verify = { hold = '1m'; within = '20m'; }; }"
#define CHANGE "{\"set\":[[\"/spec/x\",1,2]]}"

static struct engine_kit k;

static void possible(const char *change)
{
    k.seen.change = CHANGE_POSSIBLE;
    snprintf(k.seen.change_text, sizeof k.seen.change_text, "%s", change);
    snprintf(k.seen.change_say, sizeof k.seen.change_say, "x from 1 to 2");
}

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_TUNE));
    possible(CHANGE);
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_change, .init = open_kit, .fini = close_kit);

static const struct fact *written(enum write_state state)
{
    const struct fact *f = kit_fact(&k, FACT_WRITTEN);
    cr_assert_eq(f->u.written.state, state, "%s: %s", write_state_name(f->u.written.state),
                 f->u.written.reason);
    return f;
}

Test(engine_change, the_first_look_asks_what_would_be_changed)
{
    kit_fire(&k);
    const struct effect *f = kit_effect(&k, EFFECT_OBSERVE);
    cr_assert(f->needs & OBSERVE_CHANGE);
    cr_assert_str_eq(f->action, "tune");
    char want[256];
    snprintf(want, sizeof want, "{\"params\":{\"name\":\"CACHE\"},\"proven\":[],\"id\":\"%s/steps.0/1\"}",
             kit_only(&k)->id);
    cr_assert_str_eq(f->ask, want);
    cr_assert_neq(f->change_key, 0);
}

Test(engine_change, what_was_proven_well_is_told_to_the_action)
{
    kit_prove(&k, "good");
    kit_fire(&k);
    kit_observe(&k, NULL); /* the first look did not know the object yet */
    if (kit_asked(&k, NULL)) {
        cr_assert_not_null(strstr(kit_effect(&k, EFFECT_OBSERVE)->ask, "\"proven\":[\"good\"]"));
        kit_observe(&k, NULL);
    }
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_change, the_intent_records_the_very_change)
{
    const struct intent *n = kit_begin(&k);
    cr_assert_str_eq(n->change, CHANGE);
    cr_assert_eq(n->proof, PROOF_CHANGE);
    cr_assert_eq(n->rolls, 1);
}

Test(engine_change, an_answer_to_another_question_is_not_taken)
{
    kit_fire(&k);
    struct input in = { .kind = INPUT_OBSERVATION, .token = kit_only(&k)->token, .observation = &k.seen };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    k.seen.at_ms = k.wall_ms;
    k.seen.change_key = k.asked_change + 1;
    kit_turn(&k, in);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
    cr_assert_str_eq(kit_effect(&k, EFFECT_OBSERVE)->action, "tune", "it is asked anew");
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_change, a_step_behind_a_condition_asks_for_itself)
{
    kit_policy(
        &k, KIT_POLICY(KIT_ACT, "",
                       "{ when = { match = [ 'severity=none' ]; }; then = ( { do = 'tune'; name = 'A'; } );"
                       " otherwise = ( { do = 'tune'; name = 'B'; } ); }"));
    kit_fire(&k);
    for (int looks = 0; looks < 5 && kit_asked(&k, NULL); looks++)
        kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "it ends: no question is asked in a circle");
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.step, "steps.0.otherwise.0");
}

Test(engine_change, what_is_not_possible_rules_out_the_step)
{
    k.seen.change = CHANGE_IMPOSSIBLE;
    snprintf(k.seen.change_say, sizeof k.seen.change_say, "it has that value already");
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "object", REFUSED_STEP, "it has that value already");
}

Test(engine_change, a_target_of_another_kind_rules_out_the_step)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "", "{ do = 'hold_back'; }"));
    snprintf(k.seen.target.kind, sizeof k.seen.target.kind, "StatefulSet");
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "object", REFUSED_STEP, "hold_back is not for a StatefulSet, only for Deployment");
}

/* A node that fails: its alert has no namespace, and no rollout stands in the way. */
Test(engine_change, a_node_is_acted_on_through_all_guards)
{
    kit_policy(&k,
               "version = 1; environments = ( { name = 'all'; match = [ 'cluster=local' ]; mode = 'act'; } );"
               "rules = ( { name = 'disk'; match = [ 'alertname=Disk' ]; target = { from = 'node'; };"
               " plan = 'aside'; } );"
               "plans = { aside = { steps = ( { do = 'set_aside'; verify = { rollout = 'ignore'; hold = '1m';"
               " within = '20m'; }; } ); }; };");
    snprintf(k.labels, sizeof k.labels, "alertname=Disk,node=n1,cluster=local");
    k.seen.target = (struct target){ .cluster = "local", .kind = "Node", .name = "n1", .uid = "u-n1" };
    k.seen.desired = k.seen.updated = 1;
    k.seen.ready = k.seen.available = 0;
    k.seen.watched = false;
    kit_write(&k);
    cr_assert_str_eq(kit_only(&k)->intent.target.name, "n1");
    kit_well(&k, k.wall_ms);
    k.seen.watched = false;
    kit_resolve(&k);
    for (int looks = 0; looks < 60 && kit_count(&k, FACT_VERDICT) == 0; looks++) {
        kit_wait(&k, 10000);
        k.seen.alert_evaluated_ms = k.wall_ms;
        if (kit_asked(&k, NULL))
            kit_observe(&k, NULL);
    }
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_FIXED, "%s",
                 kit_fact(&k, FACT_VERDICT)->u.verdict.reason);
}

#define PUT(environment) KIT_POLICY(KIT_ACT environment, "", "{ do = 'put'; path = '/spec/x'; }")

Test(engine_change, a_field_is_put_only_where_the_environment_lists_it)
{
    kit_policy(&k, PUT(""));
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "allow", REFUSED_STEP, "\"/spec/x\" is not in `patch` of environment \"shop\"");
}

Test(engine_change, a_field_beside_the_template_rolls_nothing_out)
{
    kit_policy(&k, PUT("patch = [ '/spec/x' ];"));
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.rolls, 0);
}

Test(engine_change, a_field_of_the_template_rolls_out)
{
    kit_policy(&k, PUT("patch = [ '/spec/y', '/spec/x' ];"));
    possible("{\"set\":[[\"/spec/template/spec/x\",1,2]]}");
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.rolls, 1);
}

Test(engine_change, after_a_crash_the_cluster_is_asked_for_the_change)
{
    kit_begin(&k);
    kit_restart(&k);
    const struct effect *f = kit_effect(&k, EFFECT_OBSERVE);
    cr_assert_str_eq(f->intent.change, CHANGE);
    cr_assert(f->needs & OBSERVE_CHANGE);
    k.seen.change_proof = CHANGE_THERE;
    kit_observe(&k, NULL);
    written(WRITE_DONE);
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING, "nothing is done twice");
}

Test(engine_change, that_it_is_absent_is_believed_late_and_then_decided_again)
{
    kit_begin(&k);
    kit_wait(&k, 60000);
    kit_restart(&k);
    k.seen.change_proof = CHANGE_ABSENT;
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_WRITTEN), 0, "it may land still");
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_wait(&k, 0);
    kit_observe(&k, NULL);
    written(WRITE_ABSENT);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.write, 2);
}

Test(engine_change, what_somebody_else_changed_is_unknown)
{
    kit_begin(&k);
    kit_wait(&k, 60000);
    kit_restart(&k);
    k.seen.change_proof = CHANGE_OTHER;
    kit_observe(&k, NULL);
    k.now_ms += LONGEST_CALL_MS;
    k.wall_ms += LONGEST_CALL_MS;
    kit_wait(&k, 0);
    kit_observe(&k, NULL);
    written(WRITE_UNKNOWN);
}

Test(engine_change, a_late_write_is_found_before_another_is_sent)
{
    kit_begin(&k);
    kit_acted(&k, NULL, ACT_CONFLICT);
    k.seen.change_proof = CHANGE_THERE;
    kit_observe(&k, NULL);
    cr_assert_str_eq(written(WRITE_DONE)->u.written.reason, "found in the cluster");
}

Test(engine_change, verification_looks_whether_it_still_stands)
{
    kit_write(&k);
    kit_well(&k, k.wall_ms);
    k.seen.change_proof = CHANGE_OTHER;
    kit_wait(&k, 5000);
    cr_assert(k.seen.needs & OBSERVE_CHANGE);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_UNKNOWN);
}

Test(engine_change, worse_than_before_puts_back_what_was_changed)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "",
                              "{ do = 'tune'; name = 'CACHE'; undo = true; verify = { hold = '1m'; within = "
                              "'20m'; }; }"));
    k.seen.available = k.seen.ready = 2;
    kit_write(&k);
    k.seen.available = k.seen.ready = 0;
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_NOT_FIXED);
    while (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    const struct intent *n = &kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_eq(n->undo, 1);
    cr_assert_str_eq(n->change, CHANGE);
}

Test(engine_change, what_was_changed_since_is_not_put_back)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT, "",
                              "{ do = 'tune'; name = 'CACHE'; undo = true; verify = { hold = '1m'; within = "
                              "'20m'; }; }"));
    k.seen.available = k.seen.ready = 2;
    kit_write(&k);
    k.seen.available = k.seen.ready = 0;
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    k.seen.change_proof = CHANGE_OTHER;
    kit_observe(&k, NULL);
    kit_refused(&k, "undo", REFUSED_STEP, "somebody else has changed it since");
}
