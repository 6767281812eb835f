/* test/unit/engine_depends_test.c - while what a target depends on is in trouble, the target is left alone.
 */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define POLICY(environment, rule)                                                                            \
    "version = 1; environments = ( { name = 'all'; match = [ 'namespace=~shop|db' ]; mode = 'act'; "         \
    "shared_cause = 'none'; " environment " } ); rules = ( { name = 'crash'; match = [ 'alertname=Crash' "   \
    "]; target = { from = 'deployment'; }; plan = 'mend'; " rule                                             \
    " } ); plans = { mend = { steps = ( " KIT_RESTART " ); }; };"
#define WEB_ON_DB "depends_on = ( { match = [ 'namespace=shop', 'name=web' ]; on = [ 'namespace=db' ]; } );"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, POLICY(WEB_ON_DB, ""));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_depends, .init = open_kit, .fini = close_kit);

static void see(const char *cluster, const char *namespace, const char *name)
{
    snprintf(k.seen.target.cluster, sizeof k.seen.target.cluster, "%s", cluster);
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "%s", namespace);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s", name);
}

static const char *fire(const char *cluster, const char *namespace, const char *name)
{
    char labels[160];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=%s,deployment=%s", namespace, name);
    kit_workload(&k);
    see(cluster, namespace, name);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    const char *id = k.g->open->prev->id;
    kit_observe(&k, id);
    return id;
}

static bool wrote(void)
{
    return kit_count(&k, FACT_INTENT) == 1;
}

Test(engine_depends, what_depends_on_something_in_trouble_waits)
{
    char db[INCIDENT_ID_SIZE], want[100];
    memcpy(db, fire("local", "db", "postgres"), sizeof db);
    cr_assert(wrote());
    fire("local", "shop", "web");
    snprintf(want, sizeof want,
             "it depends on db/Deployment/postgres, of which incident %s of rule \"crash\"", db);
    kit_refused(&k, "dependency", REFUSED_LATER, want);
}

Test(engine_depends, it_goes_on_once_that_is_over)
{
    char web[INCIDENT_ID_SIZE];
    const char *db = fire("local", "db", "postgres");
    memcpy(web, fire("local", "shop", "web"), sizeof web);
    kit_acted(&k, db, ACT_FAILED);
    see("local", "db", "postgres");
    kit_observe(&k, db);
    cr_assert_eq(k.g->open_len, 1);
    kit_wait(&k, 5000);
    see("local", "shop", "web");
    kit_observe(&k, web);
    cr_assert(wrote());
}

Test(engine_depends, nothing_else_waits)
{
    fire("local", "db", "postgres");
    fire("local", "shop", "api");
    cr_assert(wrote(), "it does not depend on it");
    fire("local", "db", "redis");
    cr_assert(wrote(), "nor what it depends on");
}

Test(engine_depends, another_clusters_trouble_is_none_of_its_own)
{
    fire("other", "db", "postgres");
    fire("local", "shop", "web");
    cr_assert(wrote());
}

Test(engine_depends, a_matcher_may_name_the_cluster)
{
    kit_policy(
        &k,
        POLICY("depends_on = ( { match = [ 'name=web' ]; on = [ 'cluster=central', 'name=postgres' ]; } );",
               ""));
    fire("central", "db", "postgres");
    fire("local", "shop", "web");
    kit_refused(&k, "dependency", REFUSED_LATER, "depends on");
}

Test(engine_depends, a_rule_may_say_what_its_targets_depend_on)
{
    kit_policy(&k, POLICY("", "depends_on = ( [ 'name=cache' ], [ 'kind=Deployment', 'name=postgres' ] );"));
    fire("local", "db", "postgres");
    cr_assert(wrote(), "not on itself");
    fire("local", "shop", "web");
    kit_refused(&k, "dependency", REFUSED_LATER, "db/Deployment/postgres");
}

Test(engine_depends, of_two_that_depend_on_each_other_the_older_one_goes_first)
{
    kit_policy(&k, POLICY("depends_on = ( { match = [ 'name=web' ]; on = [ 'name=postgres' ]; }, { match = [ "
                          "'name=postgres' ]; on = [ 'name=web' ]; } );",
                          "for = '1m';"));
    char db[INCIDENT_ID_SIZE], web[INCIDENT_ID_SIZE];
    memcpy(db, fire("local", "db", "postgres"), sizeof db);
    k.now_ms += 1;
    memcpy(web, fire("local", "shop", "web"), sizeof web);
    kit_wait(&k, 60001);
    kit_observe(&k, web);
    kit_refused(&k, "dependency", REFUSED_LATER, "");
    see("local", "db", "postgres");
    kit_observe(&k, db);
    cr_assert(wrote());
}
