/* test/unit/engine_probe_test.c - what conditions and verification ask of other systems, and what is made of
 * the answers: no data is never success. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "rules/engine/probes.h"
#include "test/kit/engine_kit.h"

#define POLICY(steps) KIT_POLICY(KIT_ACT, "", steps)
#define RESTART_WHEN(conditions)                                                                             \
    "{ when = { " conditions " }; then = ( " KIT_RESTART                                                     \
    " ); otherwise = ( { do = 'scale'; replicas = 3; } ); }"
#define QUERY(is) "promql = { query = 'up{app=\\'${labels.deployment}\\'}'; is = '" is "'; };"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, POLICY(KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_probe, .init = open_kit, .fini = close_kit);

static struct probe_answer numbers(uint32_t series, double least, double most)
{
    struct probe_answer a = { .state = PROBE_ANSWERED, .series = series, .least = least, .most = most };
    snprintf(a.text, sizeof a.text, "%g", least);
    return a;
}

static struct probe_answer http(int32_t status, bool body)
{
    struct probe_answer a = { .state = PROBE_ANSWERED, .status = status, .body_matches = body };
    snprintf(a.text, sizeof a.text, "%d", (int)status);
    return a;
}

static struct probe_answer no_data(void)
{
    return (struct probe_answer){ .text = "it answered 503" };
}

/* Up to the first decision; one more look is made for what was not asked yet. */
static void decide(const char *steps)
{
    kit_policy(&k, steps);
    kit_fire(&k);
    kit_observe(&k, NULL);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
}

static const char *begun(void)
{
    return kit_effect(&k, EFFECT_ACT)->intent.action;
}

/* ---- conditions ---- */

Test(engine_probe, a_condition_is_asked_filled_in_and_quoted)
{
    k.answers[PROBE_PROMQL] = numbers(1, 0, 0);
    kit_policy(&k, POLICY(RESTART_WHEN(QUERY("== 0"))));
    kit_fire(&k);
    cr_assert_eq(k.asked_len, 1, "asked with the first look already");
    cr_assert_eq(k.asked[0].kind, PROBE_PROMQL);
    cr_assert_str_eq(k.asked[0].text, "up{app=\"web\"}");
    kit_observe(&k, NULL);
    cr_assert_str_eq(begun(), "restart");
}

struct answer_case {
    char is[16];
    uint32_t series;
    double least, most;
    int holds;
};

ParameterizedTestParameters(engine_probe, every_series_must_be_as_the_query_wants_it)
{
    static struct answer_case cases[] = {
        { "> 0.5", 3, 0.6, 9, 1 }, { "> 0.5", 3, 0.5, 9, 0 }, { "< 2", 2, 0, 1, 1 },
        { "< 2", 2, 0, 2, 0 },     { "== 1", 2, 1, 1, 1 },    { "== 1", 2, 1, 2, 0 },
        { "> 0.5", 0, 0, 0, 0 },   { "empty", 0, 0, 0, 1 },   { "empty", 1, 0, 0, 0 },
        { "any", 1, 7, 7, 1 },     { "any", 0, 0, 0, 0 },
    };
    return cr_make_param_array(struct answer_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct answer_case *c, engine_probe, every_series_must_be_as_the_query_wants_it)
{
    char steps[1024];
    snprintf(steps, sizeof steps,
             "{ when = { loki = { query = 'x'; is = '%s'; }; }; then = ( " KIT_RESTART
             " ); otherwise = ( { do = 'scale'; replicas = 3; } ); }",
             c->is);
    char policy[4096];
    snprintf(policy, sizeof policy, POLICY("%s"), steps);
    k.answers[PROBE_LOKI] = numbers(c->series, c->least, c->most);
    decide(policy);
    cr_assert_str_eq(begun(), c->holds ? "restart" : "scale", "\"%s\" of %g to %g", c->is, c->least, c->most);
}

Test(engine_probe, no_data_is_neither_yes_nor_no)
{
    k.answers[PROBE_PROMQL] = no_data();
    decide(POLICY(RESTART_WHEN(QUERY("empty")) "," RESTART_WHEN(
        "not = { " QUERY("empty") " };") ","
                                         "{ do = 'scale'; replicas = 7; }"));
    for (int n = 0; n < 2; n++) { /* each is asked again for a while */
        cr_assert_eq(kit_only(&k)->state, STATE_DELAYED);
        kit_wait(&k, UNANSWERED_MS);
        kit_observe(&k, NULL);
    }
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.replicas, 7);
    cr_assert_not_null(strstr(kit_fact(&k, FACT_STEP)->u.step.reason, "promql has no data: it answered 503"),
                       "%s", kit_fact(&k, FACT_STEP)->u.step.reason);
}

Test(engine_probe, what_a_system_does_not_answer_is_asked_again_until_it_does)
{
    k.answers[PROBE_PROMQL] = no_data();
    decide(POLICY(RESTART_WHEN(QUERY("== 0")) ", { do = 'scale'; replicas = 7; }"));
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0, "no data is no success");
    kit_restart(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0, "it waits still, and says so once");
    kit_wait(&k, UNANSWERED_EVERY_MS);
    k.answers[PROBE_PROMQL] = numbers(1, 0, 0);
    kit_observe(&k, NULL);
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, what_a_system_never_answers_takes_neither_branch)
{
    k.answers[PROBE_PROMQL] = no_data();
    decide(POLICY("{ when = { " QUERY("== 0") " }; then = ( " KIT_RESTART " ); otherwise = ( " KIT_RESTART
                                              " ); }"));
    kit_wait(&k, UNANSWERED_MS - 1);
    kit_observe(&k, NULL);
    cr_assert_eq(k.d.facts_len, 0);
    kit_wait(&k, 1);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
    kit_closed(&k, OUTCOME_ESCALATED, "promql has no data: it answered 503");
}

#define HTTP(rest) "http = { url = 'https://shop/health/${labels.deployment}'; " rest " };"

Test(engine_probe, http_wants_a_good_status_and_the_body)
{
    static const struct {
        const char *policy;
        int32_t status;
        bool body;
        const char *action;
    } cases[] = {
        { POLICY(RESTART_WHEN(HTTP(""))), 204, false, "restart" },
        { POLICY(RESTART_WHEN(HTTP(""))), 302, false, "scale" },
        { POLICY(RESTART_WHEN(HTTP(""))), 503, false, "scale" },
        { POLICY(RESTART_WHEN(HTTP("status = 503;"))), 503, false, "restart" },
        { POLICY(RESTART_WHEN(HTTP("status = 503;"))), 200, false, "scale" },
        { POLICY(RESTART_WHEN(HTTP("body = 'ok';"))), 200, true, "restart" },
        { POLICY(RESTART_WHEN(HTTP("body = 'ok';"))), 200, false, "scale" },
    };
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        close_kit();
        open_kit();
        k.answers[PROBE_HTTP] = http(cases[n].status, cases[n].body);
        decide(cases[n].policy);
        cr_assert_str_eq(k.asked[0].text, "https://shop/health/web");
        cr_assert_str_eq(begun(), cases[n].action, "case %zu", n);
    }
}

Test(engine_probe, a_question_that_cannot_be_filled_in_stays_unanswered)
{
    k.answers[PROBE_PROMQL] = numbers(1, 1, 1);
    decide(POLICY("{ when = { promql = { query = 'up{a=\\'${labels.nobody}\\'}'; }; }; then = ( " KIT_RESTART
                  " ); otherwise = ( " KIT_RESTART " ); }, { do = 'scale'; replicas = 7; }"));
    cr_assert_eq(k.asked_len, 0);
    cr_assert_str_eq(begun(), "scale");
    cr_assert_not_null(strstr(kit_fact(&k, FACT_STEP)->u.step.reason, "promql cannot be asked"), "%s",
                       kit_fact(&k, FACT_STEP)->u.step.reason);
}

Test(engine_probe, the_evidence_of_the_first_look_can_be_asked_about)
{
    k.seen.evidence = (struct evidence){ .cause = CAUSE_OOM, .pod = "web-1", .exit_code = 137 };
    k.answers[PROBE_PROMQL] = numbers(1, 1, 1);
    decide(POLICY("{ when = { promql = { query = 'x{pod=\\'${evidence.pod}\\'}'; }; }; then = ( " KIT_RESTART
                  " ); }"));
    cr_assert_eq(k.asked_len, 1, "asked once it was known");
    cr_assert_str_eq(k.asked[0].text, "x{pod=\"web-1\"}");
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, one_look_carries_each_question_once_and_four_at_most)
{
    struct probe_list l = { .len = 0 };
    struct conditions five[5], all = { .any = five, .any_len = 5 };
    char queries[5][8];
    memset(five, 0, sizeof five);
    kit_fire(&k);
    const struct probing p = { .i = kit_only(&k) };
    for (size_t n = 0; n < 5; n++) {
        snprintf(queries[n], sizeof queries[n], "q%zu", n / 2);
        five[n].promql.query = queries[n];
    }
    probes_of_conditions(&l, &p, &all);
    cr_assert_eq(l.len, 3);
    for (size_t n = 0; n < 5; n++)
        snprintf(queries[n], sizeof queries[n], "r%zu", n);
    probes_of_conditions(&l, &p, &all);
    cr_assert_eq(l.len, PROBES_MAX);
    cr_assert_not(probes_answered(&l, &k.seen));
    char why[FACT_TEXT_SIZE];
    cr_assert_eq(probe_ask_query(&p, &k.seen, PROBE_PROMQL, &five[4].promql, why), CONDITION_UNANSWERED);
    cr_assert_not_null(strstr(why, "at most 4"), "%s", why);
}

Test(engine_probe, a_wait_asks_again_until_the_answer_is_good)
{
    k.answers[PROBE_HTTP] = no_data();
    decide(POLICY("{ wait = { until = { " HTTP("") " }; within = '10m'; every = '30s'; }; }, " KIT_RESTART));
    cr_assert_eq(kit_only(&k)->state, STATE_DELAYED);
    kit_wait(&k, 30000);
    cr_assert_eq(k.asked_len, 1);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_DELAYED);
    k.answers[PROBE_HTTP] = http(200, false);
    kit_wait(&k, 30000);
    kit_observe(&k, NULL);
    cr_assert_str_eq(begun(), "restart");
}

/* ---- verification ---- */

#define VERIFIED(checks) POLICY("{ do = 'restart'; verify = { hold = '1m'; within = '20m'; " checks " }; }")

static void write_with(const char *policy)
{
    kit_policy(&k, policy);
    kit_write(&k);
    kit_resolve(&k);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
}

static void look(int64_t after_ms)
{
    kit_wait(&k, after_ms);
    if (!kit_asked(&k, NULL))
        kit_turn(&k, (struct input){ .kind = INPUT_CHANGED, .target = k.seen.target });
    kit_observe(&k, NULL);
}

static void verdict(enum verdict v, const char *reason)
{
    const struct fact *f = kit_fact(&k, FACT_VERDICT);
    cr_assert_eq(f->u.verdict.verdict, v, "%s: %s", verdict_name(f->u.verdict.verdict), f->u.verdict.reason);
    cr_assert_not_null(strstr(f->u.verdict.reason, reason), "\"%s\" lacks \"%s\"", f->u.verdict.reason,
                       reason);
}

Test(engine_probe, a_step_is_fixed_only_when_what_is_asked_holds_too)
{
    k.answers[PROBE_PROMQL] = numbers(1, 9, 9);
    k.answers[PROBE_HTTP] = no_data();
    write_with(VERIFIED(QUERY("< 1") HTTP("")));
    kit_well(&k, k.wall_ms);
    look(61000);
    cr_assert_eq(k.asked_len, 2);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0, "the query says no");
    k.answers[PROBE_PROMQL] = numbers(1, 0, 0);
    look(5000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0, "no data is never success");
    k.answers[PROBE_HTTP] = http(200, false);
    look(5000);
    verdict(VERDICT_FIXED, "the alert has resolved, and what else was asked is as it should be");
}

Test(engine_probe, at_the_end_of_its_time_a_no_is_not_fixed_and_no_data_is_unknown)
{
    static const struct {
        struct probe_answer answer;
        enum verdict verdict;
        const char *reason;
    } cases[] = {
        { { .state = PROBE_ANSWERED, .series = 1, .least = 9, .most = 9, .text = "9" },
          VERDICT_NOT_FIXED,
          "promql gives 9, not < 1" },
        { { .state = PROBE_ANSWERED, .text = "no series" },
          VERDICT_NOT_FIXED,
          "promql gives no series, not < 1" },
        { { .text = "it answered 503" }, VERDICT_UNKNOWN, "promql has no data: it answered 503" },
    };
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        close_kit();
        open_kit();
        k.answers[PROBE_PROMQL] = cases[n].answer;
        write_with(VERIFIED(QUERY("< 1")));
        kit_well(&k, k.wall_ms);
        look(20ll * 60 * 1000);
        verdict(cases[n].verdict, cases[n].reason);
    }
}

Test(engine_probe, some_of_the_checks_may_do)
{
    k.answers[PROBE_PROMQL] = no_data();
    write_with(VERIFIED("need = 2; " QUERY("< 1")));
    kit_well(&k, k.wall_ms);
    look(61000);
    verdict(VERDICT_FIXED, "2 of 3 checks say so; the rest: promql has no data");
}

Test(engine_probe, without_rollout_and_alert_what_is_asked_decides_after_the_hold)
{
    k.answers[PROBE_PROMQL] = numbers(1, 0, 0);
    write_with(VERIFIED("rollout = 'ignore'; alert = 'ignore'; " QUERY("< 1")));
    look(30000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0, "not held yet");
    look(31000);
    verdict(VERDICT_FIXED, "asked 1m after the write, and what else was asked");
}

Test(engine_probe, a_condition_of_the_objects_status_can_be_asked)
{
    write_with(VERIFIED("condition = 'Available';"));
    kit_well(&k, k.wall_ms);
    snprintf(k.seen.conditions, sizeof k.seen.conditions, " Progressing=True Available=False ");
    look(61000);
    cr_assert_eq(kit_count(&k, FACT_VERDICT), 0);
    snprintf(k.seen.conditions, sizeof k.seen.conditions, " Progressing=True Available=True ");
    look(5000);
    verdict(VERDICT_FIXED, "well for 1m");
}

Test(engine_probe, a_status_without_that_condition_is_unknown)
{
    write_with(VERIFIED("condition = 'Available';"));
    kit_well(&k, k.wall_ms);
    snprintf(k.seen.conditions, sizeof k.seen.conditions, " NotAvailable=True ");
    look(20ll * 60 * 1000);
    verdict(VERDICT_UNKNOWN, "its status has no condition Available");
}

/* ---- brakes, windows, texts ---- */

#define BRAKE KIT_ACT "brake = ( { promql = 'error_rate'; is = '> 0.5'; } ); "

static const char *refused_by(void)
{
    return kit_count(&k, FACT_REFUSED) ? kit_fact(&k, FACT_REFUSED)->u.refused.guard : "";
}

Test(engine_probe, while_a_brake_holds_nothing_is_begun)
{
    k.answers[PROBE_PROMQL] = numbers(1, 0.9, 0.9);
    decide(KIT_POLICY(BRAKE, "", KIT_RESTART));
    kit_refused(&k, "brake", REFUSED_LATER, "brake \"error_rate\" of environment \"shop\": it holds");
    kit_wait(&k, 5000);
    cr_assert_eq(k.asked_len, 1);
    k.answers[PROBE_PROMQL] = numbers(1, 0.1, 0.1);
    kit_observe(&k, NULL);
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, a_brake_without_data_holds)
{
    k.answers[PROBE_PROMQL] = no_data();
    decide(KIT_POLICY(BRAKE, "", KIT_RESTART));
    kit_refused(&k, "brake", REFUSED_LATER, "no data");
}

/* Each look answers what the one before it had answered already, and one more: nothing is asked for ever. */
Test(engine_probe, what_conditions_within_conditions_ask_adds_up)
{
    k.answers[PROBE_PROMQL] = numbers(1, 0, 0);
    kit_policy(&k, KIT_POLICY(KIT_ACT "brake = ( { promql = 'c'; is = '> 0.5'; } ); ", "",
                              "{ when = { promql = { query = 'a'; }; }; then = ( { when = { promql = { query "
                              "= 'b'; }; }; then = "
                              "( " KIT_RESTART " ); } ); }"));
    kit_fire(&k);
    for (size_t looks = 0; kit_asked(&k, NULL); looks++) {
        cr_assert_leq(looks, 3u, "it asks for ever");
        kit_observe(&k, NULL);
    }
    cr_assert_str_eq(begun(), "restart");
}

/* The kit begins on a Friday at 08:00 UTC. */
#define WINDOWS(from, to, environment)                                                                       \
    "windows = ( { name = 'w'; from = '" from "'; to = '" to                                                 \
    "'; } ); " KIT_POLICY(KIT_ACT environment, "", KIT_RESTART)

Test(engine_probe, a_freeze_holds_until_its_window_closes)
{
    decide(WINDOWS("07:00", "08:05", "freeze = [ 'w' ]; "));
    kit_refused(&k, "freeze", REFUSED_LATER, "window \"w\" is open: frozen in environment \"shop\"");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, k.now_ms + 5 * 60000);
    kit_wait(&k, 5 * 60000);
    kit_observe(&k, NULL);
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, a_window_that_is_closed_holds_nothing)
{
    decide(WINDOWS("09:00", "10:00", "freeze = [ 'w' ]; maintenance = [ 'w' ]; "));
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, during_maintenance_nobody_is_told)
{
    decide("critical = ( [ 'alertname=Crash' ] ); " WINDOWS("07:00", "09:00",
                                                            "maintenance = [ 'w' ]; notify = [ 'sre' ]; "));
    cr_assert_str_eq(refused_by(), "maintenance");
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 0);
}

#define DURING(from, to)                                                                                     \
    "windows = ( { name = 'w'; from = '" from "'; to = '" to                                                 \
    "'; } ); " KIT_POLICY(KIT_ACT, "",                                                                       \
                          "{ when = { during = 'w'; }; then = ( " KIT_RESTART                                \
                          " ); otherwise = ( { do = 'scale'; replicas = 3; } ); }")

Test(engine_probe, a_condition_holds_during_its_window)
{
    decide(DURING("07:00", "09:00"));
    cr_assert_str_eq(begun(), "restart");
}

Test(engine_probe, a_condition_does_not_hold_outside_its_window)
{
    decide(DURING("09:00", "10:00"));
    cr_assert_str_eq(begun(), "scale");
}

Test(engine_probe, what_people_are_told_is_filled_in)
{
    kit_policy(
        &k,
        KIT_POLICY(KIT_ACT, "",
                   "{ notify = 'sre'; text = '${target.name} in ${labels.namespace}: ${annotations.summary}, "
                   "${labels.none:-nothing}'; }, " KIT_RESTART));
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.text, "web in shop: it crashes, nothing");
}
