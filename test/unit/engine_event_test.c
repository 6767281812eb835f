/* test/unit/engine_event_test.c - alerts that tell of one run of a pipeline: each is news once, and a later
 * run that goes well ends what earlier ones opened. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define POLICY                                                                                               \
    KIT_POLICY(KIT_ACT, "source = [ 'ci' ]; same_incident = [ 'deployment', 'branch' ];", KIT_RESTART)
#define RUN(branch, run) "alertname=Crash,namespace=shop,deployment=web,branch=" branch ",run=" run
#define MAIN "alertname=Crash,namespace=shop,deployment=web,branch=main"
#define SECOND_MS 1000

static struct engine_kit k;
static const char *from; /* the source that speaks */

static void open_kit(void)
{
    engine_kit_open(&k, POLICY);
    strcpy(k.source_name, "ci");
    k.source.kind = SOURCE_GITHUB;
    from = "ci";
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_event, .init = open_kit, .fini = close_kit);

/* ended_s: seconds after the kit's start */
static void told(const char *labels, enum alert_status status, int64_t ended_s)
{
    CLEANUP(buf_release) struct buf scratch = BUF_INIT;
    int64_t at = KIT_START_MS + ended_s * SECOND_MS;
    struct alert a = kit_make_alert(&k, labels, status, at);
    text_copy(a.source, sizeof a.source, from);
    a.event = true;
    a.ends_ms = status == ALERT_RESOLVED ? at : 0;
    bool repeats = engine_repeats(k.g, &a, &scratch);
    kit_turn(&k, (struct input){ .kind = INPUT_ALERT, .alert = &a });
    cr_assert_eq(repeats, k.d.facts_len == 0, "a repeat is what nothing comes of");
    alert_release(&a);
}

static void failed(const char *labels, int64_t ended_s)
{
    told(labels, ALERT_FIRING, ended_s);
}

static void went_well(const char *labels, int64_t ended_s)
{
    told(labels, ALERT_RESOLVED, ended_s);
}

Test(engine_event, a_run_that_goes_well_ends_what_an_earlier_one_opened)
{
    failed(RUN("main", "1"), 0);
    cr_assert_eq(kit_count(&k, FACT_INCIDENT_OPENED), 1u);
    went_well(MAIN, 60);
    kit_closed(&k, OUTCOME_CLEARED, "");
    const struct fact *f = kit_fact(&k, FACT_ALERT);
    cr_assert_str_eq(map_get(&f->u.alert.alert.labels, "run"), "1",
                     "the run that is over is recorded, whole");
    kit_replayed(&k);
}

Test(engine_event, it_ends_all_runs_of_one_incident_at_once)
{
    failed(RUN("main", "1"), 0);
    failed(RUN("main", "2"), 10);
    cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_ATTACHED);
    went_well(MAIN, 60);
    cr_assert_eq(kit_count(&k, FACT_ALERT), 2u);
    kit_closed(&k, OUTCOME_CLEARED, "");
    kit_replayed(&k);
}

Test(engine_event, other_branches_sources_and_labels_are_left_alone)
{
    failed(RUN("main", "1"), 0);
    went_well("alertname=Crash,namespace=shop,deployment=web,branch=next", 60);
    cr_assert_eq(k.d.facts_len, 0u, "another branch");
    went_well("alertname=Other,namespace=shop,deployment=web,branch=main", 60);
    cr_assert_eq(k.d.facts_len, 0u, "another alert");
    went_well(MAIN ",job=x", 60);
    cr_assert_eq(k.d.facts_len, 0u, "a job that the failure did not name");
    from = "cid";
    went_well(MAIN, 60);
    cr_assert_eq(k.d.facts_len, 0u, "another source");
    kit_only(&k);
}

Test(engine_event, a_run_that_ended_before_the_failure_does_not_end_it)
{
    failed(RUN("main", "2"), 60);
    went_well(MAIN, 0);
    cr_assert_eq(k.d.facts_len, 0u, "it was delivered late");
    kit_only(&k);
}

Test(engine_event, a_failure_that_is_delivered_again_is_no_news)
{
    failed(RUN("main", "1"), 0);
    int64_t seq = engine_last_seq(k.g);
    failed(RUN("main", "1"), 0);
    cr_assert_eq(engine_last_seq(k.g), seq);
    went_well(MAIN, 60);
    seq = engine_last_seq(k.g);
    for (int i = 0; i < 3; i++)
        failed(RUN("main", "1"), 0);
    cr_assert_eq(engine_last_seq(k.g), seq, "not even when it was over in between");
    failed(RUN("main", "2"), 70);
    cr_assert_eq(kit_count(&k, FACT_INCIDENT_OPENED), 1u, "the next run is news");
}

Test(engine_event, while_other_runs_still_fail_the_incident_goes_on)
{
    failed(RUN("main", "1"), 0);
    failed(RUN("main", "3"), 90);
    went_well(MAIN, 60);
    cr_assert_eq(kit_count(&k, FACT_ALERT), 1u);
    cr_assert_eq(incident_firing(kit_only(&k)), 1u);
    kit_replayed(&k);
}

Test(engine_event, prometheus_is_not_asked_about_what_it_does_not_know)
{
    k.p->prometheus = true;
    kit_workload(&k);
    cr_assert(!policy_in_prometheus(k.p, "ci"));
    cr_assert(policy_in_prometheus(k.p, "alertmanager"), "one that heald.cfg does not know");
    failed(RUN("main", "1"), 0);
    kit_wait(&k, 1);
    k.seen.alert = ALERT_STATE_UNKNOWN;
    k.seen.fault = false;
    kit_observe(&k, NULL);
    for (int i = 0; i < 5 && kit_count(&k, FACT_REFUSED) == 0; i++)
        kit_asked(&k, NULL) ? kit_observe(&k, NULL) : kit_wait(&k, SECOND_MS);
    kit_refused(&k, "still_firing", REFUSED_LATER, "shows no fault");
}

Test(engine_event, what_grafana_says_of_itself_opens_nothing)
{
    static const char *const names[] = { "TestAlert", "DatasourceNoData", "DatasourceError" };
    k.source.kind = SOURCE_GRAFANA;
    strcpy(k.source_name, "alertmanager"); /* as the kit's alerts say */
    kit_policy(&k,
               "version = 1; environments = (); rules = ( { name = 'all'; match = [ 'alertname!=None' ]; "
               "target = { from = 'deployment'; }; plan = 'p'; } ); plans = { p = { steps = ( " KIT_RESTART
               " ); }; };");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char labels[100];
        snprintf(labels, sizeof labels, "alertname=%s,namespace=shop,deployment=web", names[i]);
        kit_alert(&k, labels, ALERT_FIRING, 0);
        cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_IGNORED, "%s", names[i]);
    }
    kit_alert(&k, "alertname=Own,namespace=shop,deployment=web", ALERT_FIRING, 0);
    cr_assert_eq(kit_fact(&k, FACT_ALERT)->u.alert.disposition, ALERT_OPENED);
}
