/* test/unit/engine_many_test.c - guards that look at many incidents, and at what an environment allows:
 * storm, breaker, shared cause, recurrence, approval, allow-list, protection, blast radius, availability,
 * hold-off, explanations. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define NO_LIMITS "budget = 'none'; workload_budget = 'none'; running = 'none'; "
#define QUIET "storm = { incidents = 'none'; }; breaker = { failures = 'none'; }; "
#define EASY_RULE "cooldown = 'none'; attempts = 'none';"
#define MANY(environment, rule, steps) KIT_POLICY(KIT_ACT NO_LIMITS environment, EASY_RULE rule, steps)
#define SCALE(n) "{ do = 'scale'; replicas = " #n "; verify = { hold = '1m'; within = '20m'; }; }"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, MANY(QUIET, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_many, .init = open_kit, .fini = close_kit);

static void aim(const char *name)
{
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s", name);
}

/* An alert for deployment NAME comes and its target is seen; returns the incident's id. */
static const char *fire(const char *name)
{
    char labels[100];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s", name);
    aim(name);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    const char *id = k.g->open->prev->id;
    kit_observe(&k, id);
    return id;
}

/* The only open incident's write did not happen, and that was its plan. */
static void fail(const char *name)
{
    char labels[100];
    const char *id = k.g->open->prev->id;
    kit_acted(&k, id, ACT_FAILED);
    kit_observe(&k, id);
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s", name);
    kit_alert(&k, labels, ALERT_RESOLVED, 0);
    kit_wait(&k, 1000);
}

static void look(const char *id)
{
    if (!kit_asked(&k, id))
        kit_wait(&k, 0);
    kit_observe(&k, id);
}

static bool wrote(void)
{
    return kit_count(&k, FACT_INTENT) == 1;
}

/* ---- storm ---- */

#define STORM                                                                                                \
    "storm = { incidents = 4; per = '2m'; hold = '15m'; }; breaker = { failures = 'none'; }; notify = [ "    \
    "'sre' ]; "

/* Four within two minutes; the last one's id. */
static const char *make_storm(void)
{
    const char *id = NULL;
    char name[16];
    kit_policy(&k, MANY(STORM, "", SCALE(3)));
    for (int n = 0; n < 4; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        id = fire(name);
        if (n < 3)
            cr_assert(wrote(), "%d", n);
        kit_wait(&k, 1000);
    }
    return id;
}

Test(engine_many, a_storm_holds_back_and_is_told_once)
{
    char name[16];
    kit_policy(&k, MANY(STORM, "", SCALE(3)));
    for (int n = 0; n < 6; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name);
        cr_assert_eq(kit_count(&k, FACT_NOTIFY), n == 3, "%d", n);
        cr_assert_eq(wrote(), n < 3, "%d", n);
    }
    kit_refused(&k, "storm", REFUSED_LATER, "4 incidents or more within 2m in environment \"shop\"");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, k.now_ms + 15 * 60000);
}

Test(engine_many, slowly_coming_incidents_are_no_storm)
{
    char name[16];
    kit_policy(&k, MANY(STORM, "", SCALE(3)));
    for (int n = 0; n < 8; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name);
        cr_assert(wrote(), "%d", n);
        kit_wait(&k, 41000);
    }
}

Test(engine_many, several_pods_of_one_workload_are_no_storm)
{
    char labels[100];
    kit_policy(&k, MANY(STORM, "", SCALE(3)));
    fire("web");
    for (int n = 0; n < 8; n++) {
        snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=web,pod=web-%d", n);
        kit_alert(&k, labels, ALERT_FIRING, 0);
        kit_observe(&k, k.g->open->prev->id);
        cr_assert_eq(kit_count(&k, FACT_MERGED), 1);
    }
    fire("api");
    cr_assert(wrote());
}

Test(engine_many, after_a_storm_it_opens_gradually)
{
    char waiting[2][INCIDENT_ID_SIZE];
    memcpy(waiting[0], make_storm(), INCIDENT_ID_SIZE);
    memcpy(waiting[1], fire("late"), INCIDENT_ID_SIZE);
    kit_wait(&k, 15 * 60000);
    aim("w-3");
    look(waiting[0]);
    cr_assert(wrote(), "one in the first window");
    aim("late");
    look(waiting[1]);
    cr_assert_not(wrote(), "and no second one");
    kit_wait(&k, 2 * 60000);
    look(waiting[1]);
    cr_assert(wrote(), "two in the second");
}

Test(engine_many, a_storm_elsewhere_is_none_here)
{
    make_storm();
    kit_policy(&k, "version = 1; environments = ( { name = 'bank'; match = [ 'namespace=bank' ]; mode = "
                   "'act'; " NO_LIMITS STORM
                   " }, { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; " NO_LIMITS STORM
                   " } ); rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = "
                   "'deployment'; }; plan = 'mend'; } );"
                   "plans = { mend = { steps = ( " SCALE(3) " ); }; };");
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "bank");
    aim("x");
    kit_alert(&k, "alertname=Crash,namespace=bank,deployment=x", ALERT_FIRING, 0);
    kit_observe(&k, k.g->open->prev->id);
    cr_assert(wrote());
}

/* ---- breaker ---- */

#define BREAKER "storm = { incidents = 'none'; }; breaker = { failures = 2; open = '30m'; }; "

static void break_it(void)
{
    kit_policy(&k, MANY(BREAKER, "", SCALE(3)));
    fire("a");
    fail("a");
    fire("b");
    fail("b");
}

Test(engine_many, an_action_that_fails_again_and_again_is_left_alone)
{
    break_it();
    const char *id = fire("c");
    kit_refused(&k, "breaker", REFUSED_LATER,
                "\"scale\" did not help 2 times in a row in environment \"shop\"");
    kit_wait(&k, 30 * 60000 - 2000);
    cr_assert_not(kit_asked(&k, id));
}

Test(engine_many, another_action_is_not_concerned)
{
    break_it();
    kit_policy(&k, MANY(BREAKER, "", KIT_RESTART));
    kit_wait(&k, 6 * 60000); /* else the three of them share a cause */
    fire("c");
    cr_assert(wrote());
}

Test(engine_many, half_open_one_tries_it_and_closes_it)
{
    char ids[2][INCIDENT_ID_SIZE];
    break_it();
    memcpy(ids[0], fire("c"), INCIDENT_ID_SIZE);
    memcpy(ids[1], fire("d"), INCIDENT_ID_SIZE);
    kit_wait(&k, 30 * 60000);
    aim("c");
    look(ids[0]);
    cr_assert(wrote(), "one probe");
    aim("d");
    look(ids[1]);
    cr_assert_not(wrote(), "not two");
    count_broken(k.g, "shop", "scale", true, k.now_ms);
    count_broken(k.shadow, "shop", "scale", true, k.now_ms);
    kit_wait(&k, 5000);
    look(ids[1]);
    cr_assert(wrote());
}

Test(engine_many, half_open_a_failure_opens_it_again)
{
    break_it();
    const char *id = fire("c");
    kit_wait(&k, 30 * 60000);
    look(id);
    cr_assert(wrote());
    fail("c");
    fire("d");
    kit_refused(&k, "breaker", REFUSED_LATER, "3 times in a row");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, k.now_ms - 1000 + 30 * 60000);
}

/* ---- shared cause ---- */

Test(engine_many, three_workloads_without_a_change_are_for_a_person)
{
    kit_policy(&k, MANY(QUIET "notify = [ 'sre' ]; ", "", KIT_RESTART));
    fire("a");
    cr_assert(wrote());
    fire("b");
    cr_assert(wrote());
    fire("c");
    kit_closed(&k, OUTCOME_ESCALATED,
               "3 workloads of cluster \"local\" fail within 5m without a change of their own");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "sre");
}

Test(engine_many, three_workloads_over_a_longer_time_are_three_troubles)
{
    fire("a");
    kit_wait(&k, 5 * 60000 + 1);
    fire("b");
    kit_wait(&k, 5 * 60000 + 1);
    fire("c");
    cr_assert(wrote());
}

Test(engine_many, workloads_with_a_change_of_their_own_share_none)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    for (int n = 0; n < 4; n++) {
        aim(names[n]);
        kit_prove(&k, "good");
        fire(names[n]);
        cr_assert(wrote(), "%s", names[n]);
    }
}

Test(engine_many, the_same_workload_again_is_one)
{
    for (int n = 0; n < 4; n++) {
        fire("a");
        cr_assert(wrote(), "%d", n);
        fail("a");
    }
}

/* ---- recurrence ---- */

Test(engine_many, what_comes_back_says_how_often)
{
    for (int n = 0; n < 3; n++) {
        char last[INCIDENT_ID_SIZE];
        memcpy(last, k.g->closed ? k.g->closed->prev->id : "", k.g->closed ? INCIDENT_ID_SIZE : 1);
        fire("a");
        const struct fact *f = kit_fact(&k, FACT_RESOLVED);
        cr_assert_eq(f->u.resolved.times, n ? n + 1 : 0);
        cr_assert_str_eq(f->u.resolved.former, n ? last : "");
        if (n == 2)
            cr_assert_not_null(strstr(kit_only(&k)->history[1], "third time in 6h"), "%s",
                               kit_only(&k)->history[1]);
        fail("a");
        kit_wait(&k, 60000);
    }
    kit_wait(&k, RECURRENCE_MS);
    fire("a");
    cr_assert_eq(kit_fact(&k, FACT_RESOLVED)->u.resolved.times, 0, "that was long ago");
}

/* ---- hold-off, explanations, shadow ---- */

Test(engine_many, it_is_held_off_whether_it_clears_by_itself)
{
    kit_policy(&k, MANY(QUIET, "for = '5m';", KIT_RESTART));
    fire("web");
    kit_refused(&k, "hold_off", REFUSED_LATER, "held off for 5m");
    kit_wait(&k, 5 * 60000);
    look(NULL);
    cr_assert(wrote());
}

Test(engine_many, what_clears_while_it_is_held_off_is_not_touched)
{
    kit_policy(&k, MANY(QUIET, "for = '5m';", KIT_RESTART));
    fire("web");
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web", ALERT_RESOLVED, 0);
    kit_closed(&k, OUTCOME_CLEARED, "before anything was done");
}

#define EXPLAINED "explained_by = ( { match = [ 'alertname=NodeDown' ]; equal = [ 'node' ]; } );"

static void explained_on(const char *node)
{
    char labels[100];
    kit_policy(&k, MANY(QUIET, EXPLAINED, KIT_RESTART));
    snprintf(labels, sizeof labels, "alertname=NodeDown,node=%s", node);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,node=n1", ALERT_FIRING, 0);
    kit_observe(&k, NULL);
}

Test(engine_many, an_alert_that_explains_it_holds_it_off)
{
    explained_on("n1");
    kit_refused(&k, "explained", REFUSED_LATER, "alert \"NodeDown\" fires, which explains this one");
    kit_alert(&k, "alertname=NodeDown,node=n1", ALERT_RESOLVED, 0);
    kit_wait(&k, 5000);
    look(NULL);
    cr_assert(wrote());
}

Test(engine_many, an_alert_with_other_labels_explains_nothing)
{
    explained_on("n2");
    cr_assert(wrote());
}

Test(engine_many, a_rule_may_only_look_while_others_act)
{
    kit_policy(&k, MANY(QUIET, "mode = 'dry_run';", KIT_RESTART));
    fire("web");
    kit_closed(&k, OUTCOME_OBSERVED, "the mode is dry_run: would do restart");
}

Test(engine_many, a_rule_is_no_laxer_than_its_environment)
{
    kit_policy(&k, KIT_POLICY("mode = 'observe'; ", "mode = 'act';", KIT_RESTART));
    fire("web");
    kit_closed(&k, OUTCOME_OBSERVED, "the mode is observe");
}

Test(engine_many, a_rule_that_is_switched_off_stops_its_incidents)
{
    kit_policy(&k, MANY(QUIET, "for = '5m';", KIT_RESTART));
    fire("web");
    kit_policy(&k, MANY(QUIET, "enabled = false;", KIT_RESTART));
    look(NULL);
    kit_closed(&k, OUTCOME_REFUSED, "is not enabled any more");
}

/* ---- turns ---- */

static const char *fire_as(const char *name, const char *severity)
{
    char labels[120];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s,severity=%s", name,
             severity);
    aim(name);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    const char *id = k.g->open->prev->id;
    kit_observe(&k, id);
    return id;
}

#define ONE_AT_A_TIME "running = 1; budget = 'none'; workload_budget = 'none'; " QUIET

Test(engine_many, the_worst_comes_first_when_there_is_room_again)
{
    char info[INCIDENT_ID_SIZE], critical[INCIDENT_ID_SIZE];
    kit_policy(&k, KIT_POLICY(KIT_ACT ONE_AT_A_TIME, EASY_RULE, SCALE(3)));
    const char *first = fire_as("a", "warning");
    cr_assert(wrote());
    memcpy(info, fire_as("b", "info"), sizeof info);
    kit_refused(&k, "running", REFUSED_LATER, "1 disruptive steps are running in environment \"shop\"");
    memcpy(critical, fire_as("c", "critical"), sizeof critical);
    kit_acted(&k, first, ACT_FAILED);
    aim("a");
    kit_observe(&k, first);
    kit_wait(&k, 5000);
    aim("b");
    kit_observe(&k, info);
    cr_assert_not(wrote(), "a worse one waits");
    aim("c");
    kit_observe(&k, critical);
    cr_assert(wrote());
}

Test(engine_many, people_are_told_where_to_look)
{
    kit_policy(
        &k,
        MANY(QUIET "notify = [ 'sre' ]; ",
             "note = 'ask ${labels.team:-ops}'; links = { runbook = 'https://wiki/${labels.deployment}'; };",
             KIT_RESTART));
    fire("a");
    fire("b");
    fire("c");
    const char *text = kit_fact(&k, FACT_NOTIFY)->u.notify.text;
    cr_assert_not_null(strstr(text, "; ask ops; runbook: https://wiki/c"), "%s", text);
}

Test(engine_many, a_rule_says_how_bad_it_is)
{
    char waits[INCIDENT_ID_SIZE];
    kit_policy(&k, "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = "
                   "'act'; " ONE_AT_A_TIME " } );"
                   "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = "
                   "'deployment'; }; plan = 'mend'; },"
                   "{ name = 'down'; match = [ 'alertname=Down' ]; target = { from = 'deployment'; }; plan = "
                   "'mend'; severity = 'critical'; } );"
                   "plans = { mend = { steps = ( " SCALE(3) " ); }; };");
    const char *first = fire("a");
    memcpy(waits, fire("b"), sizeof waits);
    aim("c");
    kit_alert(&k, "alertname=Down,namespace=shop,deployment=c", ALERT_FIRING, 0);
    kit_observe(&k, k.g->open->prev->id);
    kit_acted(&k, first, ACT_FAILED);
    aim("a");
    kit_observe(&k, first);
    kit_wait(&k, 5000);
    aim("b");
    kit_observe(&k, waits);
    cr_assert_not(wrote(), "the worse one waits too");
}

Test(engine_many, who_has_begun_does_not_queue_again)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT ONE_AT_A_TIME, EASY_RULE, SCALE(3) "," KIT_RESTART));
    const char *first = fire_as("a", "info");
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    kit_land(&k, &n);
    kit_acted(&k, first, ACT_DONE);
    fire_as("b", "critical");
    aim("a");
    kit_wait(&k, 30 * 60000);
    kit_observe(&k, first);
    cr_assert_eq(kit_fact(&k, FACT_VERDICT)->u.verdict.verdict, VERDICT_NOT_FIXED);
    kit_observe(&k, first);
    cr_assert(wrote(), "its plan goes on before another one begins");
}

Test(engine_many, a_cluster_has_so_many_at_work_and_no_more)
{
    char name[16];
    kit_policy(&k, MANY(QUIET, "", SCALE(3)));
    for (int n = 0; n <= BULKHEAD_CLUSTER_MAX; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name);
        cr_assert_eq(wrote(), n < BULKHEAD_CLUSTER_MAX, "%d", n);
    }
    kit_refused(&k, "bulkhead", REFUSED_LATER, "20 disruptive steps are running in cluster \"local\"");
}

Test(engine_many, what_does_not_fit_into_the_queue_is_told_to_a_person, .timeout = 60)
{
    char name[16];
    kit_policy(&k, KIT_POLICY(KIT_ACT ONE_AT_A_TIME "notify = [ 'sre' ]; ", EASY_RULE, SCALE(3)));
    for (int n = 0; n <= QUEUE_MAX; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name);
        cr_assert_eq(kit_count(&k, FACT_CLOSED), 0, "%d", n);
    }
    fire("one-more");
    kit_closed(&k, OUTCOME_ESCALATED, "500 incidents wait for their turn in environment \"shop\" already");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "sre");
}

Test(engine_many, a_dry_run_lists_every_guard_that_would_hold_it_up)
{
    k.seen.rollout_complete = false;
    kit_policy(&k, KIT_POLICY("mode = 'dry_run'; ", "for = '5m';", KIT_RESTART));
    fire("web");
    kit_closed(&k, OUTCOME_OBSERVED, "would wait before restart (rollout)");
    cr_assert_not_null(strstr(kit_fact(&k, FACT_CLOSED)->u.closed.reason, "; besides: hold_off"), "%s",
                       kit_fact(&k, FACT_CLOSED)->u.closed.reason);
}

Test(engine_many, who_works_there_is_told_what_was_not_healed)
{
    kit_policy(&k, "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = "
                   "'act'; notify = [ 'sre' ]; } );"
                   "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = "
                   "'deployment'; }; plan = 'mend'; notify = [ 'shop', 'sre' ]; } );"
                   "plans = { mend = { steps = ( " KIT_RESTART " ); }; };");
    kit_write(&k);
    k.seen.new_pods_failed = true;
    k.seen.new_pods_failed_ms = k.wall_ms + 1000;
    kit_wait(&k, 5000);
    kit_observe(&k, NULL);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_NOT_HEALED, "it fails again");
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 2, "each once");
    cr_assert_not_null(strstr(kit_fact(&k, FACT_NOTIFY)->u.notify.text, "not_healed: shop/Deployment/web: "),
                       "");
}

/* The brake is asked before the queue: else a storm would fill it, and each that does not fit would be told.
 */
Test(engine_many, a_storm_does_not_fill_the_queue, .timeout = 60)
{
    char name[16];
    size_t told = 0;
    kit_policy(&k,
               KIT_POLICY(KIT_ACT "running = 1; budget = 'none'; notify = [ 'sre' ]; ", EASY_RULE, SCALE(3)));
    for (int n = 0; n < QUEUE_MAX + 50; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name);
        told += kit_count(&k, FACT_NOTIFY);
    }
    cr_assert_eq(told, 1, "one summary");
    cr_assert_eq(k.g->open_len, QUEUE_MAX + 50);
}
