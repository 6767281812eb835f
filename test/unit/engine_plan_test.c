/* test/unit/engine_plan_test.c - how a plan is walked: phases, lists, conditions, choices, waits, parallel
 * branches, undo. */
#include <criterion/criterion.h>

#include "rules/engine/tree.h"
#include "test/kit/engine_kit.h"

#define PLAN(phases)                                                                                         \
    "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; budget = "   \
    "'none'; } );"                                                                                           \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; plan = "  \
    "'mend'; cooldown = 'none'; "                                                                            \
    "attempts = 100; } );"                                                                                   \
    "plans = { mend = { " phases " }; };"
#define SCALE(n) "{ do = 'scale'; replicas = " #n "; verify = { hold = '1m'; within = '20m'; }; }"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, PLAN("steps = ( " KIT_RESTART " );"));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_plan, .init = open_kit, .fini = close_kit);

/* The write that is out lands. */
static void carry_out(const char *action)
{
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_str_eq(n.action, action, "%s at %s", n.action, n.step);
    kit_land(&k, &n);
    kit_acted(&k, NULL, ACT_DONE);
}

static void not_fixed(void)
{
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 5000;
    k.seen.not_well[0] = 'x';
    kit_wait(&k, kit_only(&k)->intent.proof == PROOF_REPLICAS ? 30ll * 60 * 1000 : 5000);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_NOT_FIXED);
}

static void fixed(void)
{
    kit_resolve(&k);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_FIXED);
}

static void begin(const char *phases)
{
    kit_policy(&k, phases);
    kit_fire(&k);
    kit_observe(&k, NULL);
}

static const struct fact *step_fact(enum step_event event)
{
    for (size_t f = 0; f < k.d.facts_len; f++)
        if (k.d.facts[f].kind == FACT_STEP && k.d.facts[f].u.step.event == event)
            return &k.d.facts[f];
    cr_assert_fail("no such step fact");
    return NULL;
}

/* ---- paths ---- */

Test(engine_plan, every_node_is_found_by_its_path)
{
    kit_policy(&k, PLAN("prepare = ( { notify = 'sre'; } ); steps = ( { when = { changed = 'template'; }; "
                        "then = ( " KIT_ROLLBACK " ); otherwise = ( { notify = 'a'; }, " KIT_RESTART " ); },"
                        "{ choose = ( { name = 'x'; steps = ( " KIT_RESTART
                        " ); }, { steps = ( " SCALE(3) ", " SCALE(4) " ); } ); name = 'pick'; } );"
                                                                     "report = ( { notify = 'sre'; } );"));
    struct tree t;
    tree_of(k.p->rules[0].plan, &t);
    cr_assert_eq(t.len, 10);
    for (int at = 0; at < t.len; at++) {
        char path[STEP_PATH_SIZE];
        tree_path(&t, at, path);
        cr_assert_eq(tree_find(&t, path), at, "%s", path);
    }
    char path[STEP_PATH_SIZE];
    tree_path(&t, 8, path);
    cr_assert_str_eq(path, "steps.1.branch.1.1");
    cr_assert_eq(tree_named(&t, -1, "pick"), 5);
    static const char *const none[] = { "",
                                        "steps",
                                        "steps.",
                                        "steps.2",
                                        "steps.0.then.1",
                                        "steps.0.branch.0.0",
                                        "cleanup.0",
                                        "steps.x",
                                        "prepare.0.then.0",
                                        "steps.1.branch.2.0" };
    for (size_t n = 0; n < sizeof none / sizeof none[0]; n++)
        cr_assert_eq(tree_find(&t, none[n]), -1, "%s", none[n]);
}

/* ---- phases ---- */

Test(engine_plan, cleanup_and_report_run_after_it_was_healed)
{
    kit_policy(
        &k, PLAN("steps = ( " KIT_RESTART
                 " ); cleanup = ( { notify = 'tidy'; } ); report = ( { notify = 'sre'; text = 'done'; } );"));
    kit_write(&k);
    fixed();
    cr_assert_eq(kit_fact(&k, FACT_ENDING)->u.ending.outcome, OUTCOME_HEALED);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 2);
    kit_closed(&k, OUTCOME_HEALED, "restart: well for 1m");
}

Test(engine_plan, cleanup_and_report_run_after_a_guard_said_never)
{
    k.seen.ignored = true;
    begin(PLAN("steps = ( " KIT_RESTART " ); cleanup = ( " SCALE(3) " ); report = ( { notify = 'sre'; } );"));
    cr_assert_eq(kit_fact(&k, FACT_ENDING)->u.ending.outcome, OUTCOME_REFUSED);
    kit_observe(&k, NULL);
    kit_refused(&k, "ignore", REFUSED_STEP, "heald.dev/ignore");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "sre");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0, "what a guard refuses is not written");
    kit_closed(&k, OUTCOME_REFUSED, "heald.dev/ignore");
}

Test(engine_plan, cleanup_writes_what_guards_allow_and_keeps_the_outcome)
{
    begin(PLAN("steps = ( { stop = 'cancelled'; text = 'not today'; } ); cleanup = ( " SCALE(3) " );"));
    cr_assert_eq(kit_fact(&k, FACT_ENDING)->u.ending.outcome, OUTCOME_CANCELLED);
    kit_observe(&k, NULL);
    carry_out("scale");
    not_fixed();
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_CANCELLED, "not today");
}

Test(engine_plan, an_alert_that_resolves_does_not_stop_the_report)
{
    begin(PLAN("steps = ( { stop = 'refused'; } ); report = ( { notify = 'sre'; } );"));
    kit_resolve(&k);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 1);
    kit_closed(&k, OUTCOME_REFUSED, "the plan says stop (steps.0)");
}

Test(engine_plan, what_only_observes_tells_nobody)
{
    kit_policy(&k, "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; } );"
                   "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = "
                   "'deployment'; }; plan = 'mend'; } );"
                   "plans = { mend = { prepare = ( { notify = 'a'; }, { gate = { }; }, { wait = '1h'; } ); "
                   "steps = ( " KIT_RESTART " ); report = ( { notify = 'sre'; } ); }; };");
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_OBSERVED, "would do restart (steps.0)");
    cr_assert_eq(kit_count(&k, FACT_NOTIFY) + kit_count(&k, FACT_ASKED) + kit_count(&k, FACT_STEP), 0);
}

Test(engine_plan, what_could_not_be_prepared_is_not_acted_on)
{
    begin(PLAN("prepare = ( { wait = { until = { match = [ 'no=such' ]; }; within = '1m'; }; } ); steps = "
               "( " KIT_RESTART " );"));
    cr_assert_eq(kit_only(&k)->state, STATE_DELAYED);
    kit_wait(&k, 60000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "could not be prepared: after 1m");
}

Test(engine_plan, after_fixed_it_is_stabilised_validated_and_optimised)
{
    kit_policy(&k, PLAN("steps = ( " KIT_RESTART
                        " ); stabilise = ( { wait = '1m'; } ); validate = ( { wait = { until = { match = "
                        "[ 'namespace=shop' ]; }; }; } ); optimise = ( { notify = 'capacity'; } );"));
    kit_write(&k);
    fixed();
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_observe(&k, NULL);
    cr_assert_eq(step_fact(STEP_BEGAN)->u.step.until_ms, k.now_ms + 60000);
    kit_wait(&k, 59999);
    cr_assert_not(kit_asked(&k, NULL));
    kit_wait(&k, 1);
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "capacity");
    kit_closed(&k, OUTCOME_HEALED, "verified as fixed");
}

Test(engine_plan, a_validation_that_fails_leads_to_otherwise)
{
    kit_policy(&k,
               PLAN("steps = ( " KIT_RESTART
                    " ); validate = ( { wait = { until = { match = [ 'no=such' ]; }; within = '10s'; }; } );"
                    "otherwise = ( { notify = 'sre'; } );"));
    kit_write(&k);
    fixed();
    kit_observe(&k, NULL);
    kit_wait(&k, 10000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 1);
    kit_closed(&k, OUTCOME_NOT_HEALED, "it was fixed, but validation failed");
}

/* ---- lists and conditions ---- */

Test(engine_plan, notify_and_wait_move_on)
{
    begin(PLAN("steps = ( { notify = 'sre'; text = 'it begins'; }, { wait = '2m'; }, " KIT_RESTART " );"));
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.text, "it begins");
    kit_restart(&k);
    cr_assert(kit_asked(&k, NULL));
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0, "it waits still");
    kit_wait(&k, 120000);
    kit_observe(&k, NULL);
    carry_out("restart");
}

Test(engine_plan, a_wait_ends_when_its_condition_holds)
{
    begin(PLAN("steps = ( { wait = { until = { changed = 'template'; }; within = '10m'; every = '30s'; }; "
               "}, " KIT_RESTART " );"));
    cr_assert_eq(kit_only(&k)->state, STATE_DELAYED);
    kit_wait(&k, 30000);
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0);
    kit_prove(&k, "good");
    struct workload *w = know_workload(k.g, "u-web");
    struct workload *v = know_workload(k.shadow, "u-web");
    snprintf(w->proven[0], HASH_SIZE, "good");
    snprintf(v->proven[0], HASH_SIZE, "good");
    kit_wait(&k, 30000);
    kit_observe(&k, NULL);
    cr_assert_eq(step_fact(STEP_ENDED)->u.step.result, RESULT_DONE);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_plan, behind_a_wait_that_is_over_nothing_of_its_list_is_done)
{
    begin(PLAN("steps = ( { choose = ( { steps = ( { wait = { until = { match = [ 'no=such' ]; }; within = "
               "'10s'; }; }, " KIT_RESTART " ); }, { steps = ( " SCALE(3) " ); } ); } );"));
    kit_wait(&k, 10000);
    kit_observe(&k, NULL);
    cr_assert_eq(step_fact(STEP_ENDED)->u.step.result, RESULT_FAILED);
    carry_out("scale");
}

Test(engine_plan, a_wait_that_is_over_may_go_on_all_the_same)
{
    begin(
        PLAN("steps = ( { wait = { until = { match = [ 'no=such' ]; }; within = '10s'; on_timeout = 'next'; "
             "}; name = 'hope'; },"
             "{ when = { step = { name = 'hope'; result = 'failed'; }; }; then = ( " SCALE(
                 3) " ); otherwise = ( " KIT_RESTART " ); } );"));
    kit_wait(&k, 10000);
    kit_observe(&k, NULL);
    carry_out("scale");
}

#define CALLED                                                                                               \
    "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; } );"        \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; plan = "  \
    "'mend'; } );"                                                                                           \
    "plans = { inner = { steps = ( { when = { match = [ 'no=such' ]; }; then = ( " KIT_RESTART " ); name = " \
    "'try'; },"                                                                                              \
    "{ when = { step = { name = 'try'; result = 'done'; }; }; then = ( " SCALE(                              \
        4) " ); } ); };"                                                                                     \
           "mend = { steps = ( { gate = { expires = '1s'; }; name = 'try'; } ); otherwise = ( { plan = "     \
           "'inner'; } ); }; };"

/* The caller's step of that name has failed. */
Test(engine_plan, a_called_plans_conditions_name_its_own_steps)
{
    begin(CALLED);
    kit_wait(&k, 1000);
    kit_observe(&k, NULL);
    carry_out("scale");
}

Test(engine_plan, conditions_ask_labels_environment_and_attempt)
{
    begin(PLAN("steps = ( { when = { match = [ 'deployment=api' ]; }; then = ( { stop = 'refused'; } ); },"
               "{ when = { not = { environment = [ 'shop' ]; }; }; then = ( { stop = 'refused'; } ); },"
               "{ when = { attempt = 2; }; then = ( { stop = 'refused'; } ); },"
               "{ when = { annotations = [ 'summary=it crashes' ]; any = ( { match = [ 'a=b' ]; }, { match = "
               "[ 'namespace=shop' ]; } ); };"
               " then = ( " SCALE(3) " ); } );"));
    carry_out("scale");
}

Test(engine_plan, what_cannot_be_answered_is_neither_yes_nor_no)
{
    begin(PLAN("steps = ( { when = { cause = [ 'oom' ]; }; then = ( { stop = 'refused'; } ); otherwise = ( { "
               "stop = 'refused'; } ); },"
               "{ when = { not = { cause = [ 'oom' ]; }; }; then = ( { stop = 'refused'; } ); otherwise = ( "
               "{ stop = 'refused'; } ); }, " SCALE(3) " );"));
    cr_assert_eq(step_fact(STEP_ENDED)->u.step.result, RESULT_UNKNOWN);
    carry_out("scale");
}

#define OOM_KILLED                                                                                           \
    ((struct evidence){ .cause = CAUSE_OOM,                                                                  \
                        .reason = "CrashLoopBackOff",                                                        \
                        .ended = "OOMKilled",                                                                \
                        .exit_code = 137,                                                                    \
                        .pod = "web-1" })
#define REFUSE " then = ( { stop = 'refused'; } ); "

Test(engine_plan, conditions_ask_the_cause_and_the_evidence)
{
    k.seen.evidence = OOM_KILLED;
    begin(PLAN("steps = ( { when = { cause = [ 'crash', 'image' ]; };" REFUSE "},"
               "{ when = { cause = [ 'oom' ]; evidence = [ 'exit_code=1' ]; };" REFUSE "},"
               "{ when = { cause = [ 'crash', 'oom' ]; evidence = [ 'exit_code=137', 'pod=~web-.*', "
               "'reason!=Error' ]; };"
               " then = ( " SCALE(3) " ); } );"));
    carry_out("scale");
}

Test(engine_plan, evidence_that_is_not_there_is_neither_yes_nor_no)
{
    k.seen.evidence = OOM_KILLED;
    begin(PLAN("steps = ( { when = { evidence = [ 'node=n1' ]; };" REFUSE
               "otherwise = ( { stop = 'refused'; } ); },"
               "{ when = { evidence = [ 'node!=n1' ]; };" REFUSE "otherwise = ( { stop = 'refused'; } ); },"
               "{ when = { evidence = [ 'node=n1', 'exit_code=1' ]; };" REFUSE
               "otherwise = ( " SCALE(3) " ); } );"));
    carry_out("scale");
}

Test(engine_plan, a_branch_that_was_begun_is_not_left)
{
    kit_prove(&k, "good");
    begin(PLAN("steps = ( { when = { changed = 'template'; }; then = ( " KIT_ROLLBACK
               ", " SCALE(3) " ); otherwise = ( " KIT_RESTART " ); } );"));
    carry_out("rollback");
    not_fixed();
    kit_observe(&k, NULL);
    carry_out("scale");
}

Test(engine_plan, a_wait_may_last_longer_than_a_day)
{
    begin(PLAN("steps = ( { wait = '23h'; }, { wait = '23h'; }, " KIT_RESTART " );"));
    for (int n = 0; n < 2; n++) {
        kit_wait(&k, 23ll * 3600000);
        kit_observe(&k, NULL);
    }
    carry_out("restart");
}

/* ---- retries, undo, unknown ---- */

Test(engine_plan, a_retry_waits_for_its_backoff)
{
    begin(PLAN("steps = ( { do = 'restart'; retry = 2; backoff = '1m'; verify = { hold = '1m'; within = "
               "'20m'; }; } );"));
    carry_out("restart");
    not_fixed();
    cr_assert_not(kit_asked(&k, NULL));
    kit_wait(&k, 60000);
    kit_observe(&k, NULL);
    carry_out("restart");
    not_fixed();
    kit_wait(&k, 60000);
    cr_assert_not(kit_asked(&k, NULL), "the second is twice as long");
    kit_wait(&k, 60000);
    kit_observe(&k, NULL);
    carry_out("restart");
}

Test(engine_plan, a_step_is_not_tried_again_after_its_timeout)
{
    begin(PLAN("steps = ( { do = 'restart'; retry = 5; backoff = '10m'; timeout = '5m'; verify = { hold = "
               "'10s'; within = '20m'; }; }, " SCALE(3) " );"));
    carry_out("restart");
    not_fixed();
    kit_wait(&k, 600000);
    kit_observe(&k, NULL);
    cr_assert_eq(step_fact(STEP_ENDED)->u.step.result, RESULT_NOT_FIXED);
    carry_out("scale");
}

Test(engine_plan, what_made_it_worse_is_put_back)
{
    k.seen.available = 2;
    begin(PLAN("steps = ( { do = 'scale'; replicas = 5; undo = true; verify = { hold = '1m'; within = '20m'; "
               "}; }, " KIT_RESTART " );"));
    carry_out("scale");
    k.seen.available = 1;
    not_fixed();
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.worse, 1);
    kit_observe(&k, NULL);
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_eq(n.undo, 1);
    cr_assert_eq(n.replicas, 2);
    cr_assert_str_eq(n.step, "steps.0");
    carry_out("scale");
    kit_observe(&k, NULL);
    carry_out("restart");
}

Test(engine_plan, what_did_not_make_it_worse_stays)
{
    begin(PLAN("steps = ( { do = 'scale'; replicas = 5; undo = true; verify = { hold = '1m'; within = '20m'; "
               "}; }, " KIT_RESTART " );"));
    carry_out("scale");
    not_fixed();
    kit_observe(&k, NULL);
    carry_out("restart");
}

Test(engine_plan, an_undo_that_conflicts_is_decided_again)
{
    k.seen.available = 2;
    begin(PLAN("steps = ( { do = 'scale'; replicas = 5; undo = true; verify = { hold = '1m'; within = '20m'; "
               "}; } );"));
    carry_out("scale");
    k.seen.available = 1;
    not_fixed();
    kit_observe(&k, NULL);
    kit_acted(&k, NULL, ACT_CONFLICT);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.write, 2);
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.replicas, 2);
    carry_out("scale");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "every step");
}

static void unknown_leads_to(const char *word)
{
    char text[1024];
    snprintf(text, sizeof text,
             PLAN("steps = ( { do = 'restart'; verify = { hold = '1m'; within = '20m'; on_unknown = '%s'; }; "
                  "}, " SCALE(3) " );"),
             word);
    begin(text);
    carry_out("restart");
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "another");
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_UNKNOWN);
}

Test(engine_plan, unknown_stops_unless_the_step_says_otherwise)
{
    unknown_leads_to("stop");
    kit_closed(&k, OUTCOME_UNKNOWN, "somebody else changed");
}

Test(engine_plan, unknown_may_lead_to_a_person)
{
    unknown_leads_to("escalate");
    kit_closed(&k, OUTCOME_ESCALATED, "not known whether restart helped");
}

Test(engine_plan, unknown_may_lead_to_the_next_step)
{
    unknown_leads_to("next");
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED,
               "somebody else changed the template"); /* the guard, before the next step */
}

/* ---- choose ---- */

#define CHOOSE(by)                                                                                           \
    "steps = ( { choose = ( { name = 'more'; steps = ( " SCALE(                                              \
        3) " ); }, { name = 'anew'; steps = ( " KIT_RESTART " ); } ); by = '" by "'; } );"

Test(engine_plan, alternatives_are_tried_in_their_order)
{
    begin(PLAN(CHOOSE("order")));
    cr_assert_str_eq(step_fact(STEP_RANKED)->u.step.order, "0,1");
    carry_out("scale");
    not_fixed();
    kit_observe(&k, NULL);
    carry_out("restart");
    fixed();
    kit_closed(&k, OUTCOME_HEALED, "restart");
}

Test(engine_plan, what_has_worked_comes_first_next_time)
{
    begin(PLAN(CHOOSE("success")));
    cr_assert_str_eq(step_fact(STEP_RANKED)->u.step.order, "0,1");
    carry_out("scale");
    not_fixed();
    kit_observe(&k, NULL);
    carry_out("restart");
    fixed();
    kit_wait(&k, 3600000);
    kit_workload(&k);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    kit_observe(&k, NULL);
    cr_assert_str_eq(step_fact(STEP_RANKED)->u.step.order, "1,0");
    carry_out("restart");
}

Test(engine_plan, what_was_healed_and_is_soon_back_had_not_worked)
{
    begin(PLAN(CHOOSE("success")));
    carry_out("scale");
    fixed();
    kit_wait(&k, 30 * 60000);
    kit_workload(&k);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    kit_observe(&k, NULL);
    cr_assert_eq(k.g->worked[0].tried, 1);
    cr_assert_eq(k.g->worked[0].fixed, 0, "it came back within the hour");
    cr_assert_str_eq(step_fact(STEP_RANKED)->u.step.order, "1,0");
}

/* ---- parallel ---- */

#define PARALLEL(need)                                                                                       \
    "steps = ( { parallel = ( { steps = ( " SCALE(3) " ); }, { steps = ( " KIT_RESTART                       \
                                                     " ); } ); need = " need                                 \
                                                     "; verify = { hold = '1m'; within = '20m'; }; } );"

Test(engine_plan, parallel_writes_come_one_after_the_other_and_are_judged_together)
{
    begin(PLAN(PARALLEL("'all'")));
    carry_out("scale");
    cr_assert_eq(kit_only(&k)->state, STATE_DECIDING, "no verification in between");
    kit_observe(&k, NULL);
    carry_out("restart");
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    kit_replayed(&k);
    fixed();
    cr_assert_str_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.step, "steps.0");
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_plan, a_parallel_that_mended_it_with_its_first_write_is_judged_for_that)
{
    begin(PLAN(PARALLEL("'all'")));
    carry_out("scale");
    kit_resolve(&k);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    cr_assert_eq(kit_only(&k)->writes, 1, "no more is begun");
    kit_restart(&k);
    kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_plan, a_parallel_is_judged_once_prometheus_says_that_nothing_fires)
{
    k.p->prometheus = true;
    kit_policy(&k, PLAN(PARALLEL("'all'")));
    k.p->prometheus = true;
    kit_fire(&k);
    kit_observe(&k, NULL);
    carry_out("scale");
    k.seen.alert = ALERT_STATE_PENDING;
    kit_observe(&k, NULL);
    kit_refused(&k, "still_firing", REFUSED_LATER, "does not say that the alert fires");
    k.seen.alert = ALERT_STATE_INACTIVE;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_HEALED, "");
}

Test(engine_plan, of_parallel_branches_no_more_are_begun_than_are_needed)
{
    begin(PLAN(PARALLEL("'any'")));
    carry_out("scale");
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    cr_assert_eq(kit_only(&k)->writes, 1);
}

Test(engine_plan, a_parallel_branch_that_fails_is_one_too_few)
{
    begin(PLAN(PARALLEL("'all'")));
    kit_acted(&k, NULL, ACT_FAILED);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0, "it cannot be reached any more");
    kit_closed(&k, OUTCOME_REFUSED, "no step");
}

Test(engine_plan, a_parallel_branch_that_fails_may_be_replaced_by_another)
{
    begin(PLAN(PARALLEL("1")));
    kit_acted(&k, NULL, ACT_FAILED);
    kit_observe(&k, NULL);
    carry_out("restart");
    cr_assert_eq(kit_only(&k)->state, STATE_VERIFYING);
    not_fixed();
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "every step");
}

Test(engine_plan, a_restart_of_heald_finds_its_place_in_a_parallel)
{
    begin(PLAN(PARALLEL("'all'")));
    carry_out("scale");
    kit_restart(&k);
    kit_observe(&k, NULL);
    carry_out("restart");
    kit_restart(&k);
    fixed();
    kit_closed(&k, OUTCOME_HEALED, "");
}

/* ---- gates: what a yes or a no leads to stands in engine_word_test.c ---- */

Test(engine_plan, a_gate_asks_and_expires_to_no)
{
    begin(PLAN("steps = ( { gate = { role = 'sre'; approvals = 2; expires = '10m'; notify = 'sre'; text = "
               "'may I?'; }; }, " KIT_RESTART " ); otherwise = ( { notify = 'late'; } );"));
    const struct fact *f = kit_fact(&k, FACT_ASKED);
    cr_assert_str_eq(f->u.asked.role, "sre");
    cr_assert_eq(f->u.asked.wanted, 2);
    cr_assert_eq(f->u.asked.until_ms, k.now_ms + 600000);
    cr_assert_str_eq(f->u.asked.reason, "may I?");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "sre");
    cr_assert_eq(kit_only(&k)->state, STATE_APPROVAL);
    kit_wait(&k, 599999);
    cr_assert_not(kit_asked(&k, NULL));
    kit_wait(&k, 1);
    kit_observe(&k, NULL);
    cr_assert_eq(step_fact(STEP_ENDED)->u.step.result, RESULT_FAILED);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0, "what stands behind the gate is not done");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "late");
    kit_closed(&k, OUTCOME_REFUSED, "nobody approved it in time");
}

Test(engine_plan, a_gate_is_pointless_once_the_alert_has_resolved)
{
    begin(PLAN("steps = ( { gate = { }; }, " KIT_RESTART " );"));
    kit_resolve(&k);
    kit_closed(&k, OUTCOME_CLEARED, "before anything was done");
}

/* The reason stands in a fact of the same turn, and the next fact moves it. */
Test(engine_plan, an_escalation_says_why_the_last_step_was_not_possible)
{
    begin(PLAN("steps = ( " KIT_ROLLBACK ", " KIT_ROLLBACK ", " KIT_ROLLBACK
               ", { do = 'escalate'; notify = 'sre'; } );"));
    cr_assert_eq(kit_count(&k, FACT_REFUSED), 3);
    cr_assert_not_null(strstr(kit_fact(&k, FACT_NOTIFY)->u.notify.text, "was ever proven well"));
    kit_closed(&k, OUTCOME_ESCALATED, "for sre: no template of this workload was ever proven well");
}
