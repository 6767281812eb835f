/* test/unit/engine_target_test.c - one alert, several incidents: targets of a rule, rules that go on, alerts
 * that belong together. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define POLICY(rules)                                                                                        \
    "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; mode = 'act'; budget = "   \
    "'none'; } );"                                                                                           \
    "rules = ( " rules " ); plans = { mend = { steps = ( { do = 'scale'; replicas = 3; } ); }; };"
#define RULE(name, keys) "{ name = '" name "'; match = [ 'alertname=Crash' ]; plan = 'mend'; " keys " }"
#define TWO                                                                                                  \
    "targets = ( { from = 'deployment'; }, { kind = 'StatefulSet'; name = '${labels.deployment}-db'; } ); "

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, POLICY(RULE("crash", TWO)));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_target, .init = open_kit, .fini = close_kit);

static const struct incident *nth(size_t n)
{
    const struct incident *i = k.g->open;
    for (; n > 0 && i; n--)
        i = i->next;
    cr_assert_not_null(i);
    return i;
}

static void seen_as(const char *id, const char *kind, const char *name)
{
    snprintf(k.seen.target.kind, sizeof k.seen.target.kind, "%s", kind);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s", name);
    kit_observe(&k, id);
}

Test(engine_target, each_target_is_an_incident_of_its_own)
{
    kit_fire(&k);
    cr_assert_eq(k.g->open_len, 2);
    size_t n = 0;
    for (size_t x = 0; x < k.d.effects_len; x++) {
        const struct effect *f = &k.d.effects[x];
        bool second = strcmp(f->incident, nth(1)->id) == 0;
        n += f->kind == EFFECT_OBSERVE;
        cr_assert_str_eq(f->from, second ? "statefulset" : "deployment");
        cr_assert_str_eq(map_get(&f->labels, f->from), second ? "web-db" : "web");
        cr_assert_str_eq(map_get(&f->labels, "namespace"), "shop");
    }
    cr_assert_eq(n, 2);
    cr_assert_eq(nth(1)->leader, nth(0));
    cr_assert_eq(incident_firing(nth(1)), 1);
}

Test(engine_target, so_many_of_them_are_worked_on_at_one_time)
{
    kit_fire(&k);
    seen_as(nth(0)->id, "Deployment", "web");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    seen_as(nth(1)->id, "StatefulSet", "web-db");
    kit_refused(&k, "running", REFUSED_LATER, "1 disruptive steps are running in the targets of this alert");
}

Test(engine_target, more_of_them_are_worked_on_where_the_rule_says_so)
{
    kit_policy(&k, POLICY(RULE("crash", TWO "targets_at_once = 2; ")));
    kit_fire(&k);
    seen_as(nth(0)->id, "Deployment", "web");
    seen_as(nth(1)->id, "StatefulSet", "web-db");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_target, equal_plans_are_kept_once_for_as_long_as_one_needs_them)
{
    kit_fire(&k);
    cr_assert_eq(nth(0)->plan, nth(1)->plan);
    seen_as(nth(0)->id, "Deployment", "web");
    kit_acted(&k, nth(0)->id, ACT_FAILED);
    kit_observe(&k, nth(0)->id);
    cr_assert_eq(k.g->open_len, 1);
    cr_assert_str_eq(kit_only(&k)->plan->phases[PHASE_STEPS].items[0].action->name, "scale");
    kit_resolve(&k);
    cr_assert_eq(k.g->open_len, 0);
    cr_assert_null(k.g->plans, "nobody needs it");
}

Test(engine_target, the_alerts_end_ends_all_of_them)
{
    kit_fire(&k);
    kit_resolve(&k);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 2);
    cr_assert_eq(k.g->open_len, 0);
}

Test(engine_target, when_one_ends_the_alert_goes_with_the_other)
{
    kit_fire(&k);
    seen_as(nth(0)->id, "Deployment", "web");
    kit_acted(&k, nth(0)->id, ACT_FAILED);
    kit_observe(&k, nth(0)->id);
    kit_closed(&k, OUTCOME_REFUSED, "");
    cr_assert_eq(k.g->open_len, 1);
    cr_assert_null(kit_only(&k)->leader);
    cr_assert_eq(kit_only(&k)->firing, 1);
    kit_fire(&k);
    cr_assert_eq(k.g->open_len, 1, "it is known");
    kit_replayed(&k);
    kit_resolve(&k);
    kit_closed(&k, OUTCOME_CLEARED, "");
    kit_alert(&k, k.labels, ALERT_FIRING, k.wall_ms + 1000);
    cr_assert_eq(k.g->open_len, 2, "it comes again");
}

/* ---- by selector ---- */

#define SELECTED "targets = ( { kind = 'StatefulSet'; selector = 'app=${labels.deployment}'; limit = 3; } ); "

static void found(const char *first, const char *second)
{
    k.seen.found_len = 2;
    snprintf(k.seen.found[0], sizeof k.seen.found[0], "%s", first);
    snprintf(k.seen.found[1], sizeof k.seen.found[1], "%s", second);
}

Test(engine_target, a_selector_is_asked_for_with_its_limit)
{
    kit_policy(&k, POLICY(RULE("crash", SELECTED)));
    kit_fire(&k);
    const struct effect *f = kit_effect(&k, EFFECT_OBSERVE);
    cr_assert_str_eq(f->selector, "app=web");
    cr_assert_str_eq(f->selector_kind, "StatefulSet");
    cr_assert_eq(f->limit, 3);
}

Test(engine_target, each_that_a_selector_finds_is_an_incident_of_its_own)
{
    kit_policy(&k, POLICY(RULE("crash", SELECTED)));
    kit_fire(&k);
    found("db-a", "db-b");
    seen_as(nth(0)->id, "StatefulSet", "db-a");
    cr_assert_eq(k.g->open_len, 2);
    cr_assert_eq(nth(1)->leader, nth(0));
    const struct effect *f = NULL;
    for (size_t x = 0; x < k.d.effects_len; x++)
        if (k.d.effects[x].kind == EFFECT_OBSERVE && strcmp(k.d.effects[x].incident, nth(1)->id) == 0)
            f = &k.d.effects[x];
    cr_assert_not_null(f);
    cr_assert_null(f->selector, "it has its name");
    cr_assert_str_eq(map_get(&f->labels, "statefulset"), "db-b");
    k.seen.found_len = 0;
    seen_as(nth(1)->id, "StatefulSet", "db-b");
    cr_assert_eq(k.g->open_len, 2, "it opens no more");
    cr_assert_str_eq(nth(1)->target.name, "db-b");
    kit_replayed(&k);
}

Test(engine_target, another_kind_than_the_action_is_for_is_refused)
{
    kit_policy(&k, POLICY(RULE("crash", "target = { from = 'node'; };")));
    snprintf(k.labels, sizeof k.labels, "alertname=Crash,node=n1");
    kit_fire(&k);
    cr_assert_str_eq(kit_effect(&k, EFFECT_OBSERVE)->from, "node");
    seen_as(nth(0)->id, "Node", "n1");
    kit_refused(&k, "object", REFUSED_STEP, "scale is not for a Node");
}

Test(engine_target, two_names_of_one_object_are_one_incident)
{
    kit_fire(&k);
    seen_as(nth(0)->id, "Deployment", "web");
    seen_as(nth(1)->id, "Deployment", "web");
    cr_assert_eq(kit_count(&k, FACT_MERGED), 1);
    cr_assert_eq(kit_only(&k)->followers, 0);
    kit_replayed(&k);
    kit_resolve(&k);
}

Test(engine_target, a_name_that_cannot_be_filled_in_is_refused_with_the_reason)
{
    kit_policy(&k, POLICY(RULE("crash", "target = { kind = 'Deployment'; name = '${labels.app}'; }; ")));
    kit_fire(&k);
    kit_closed(&k, OUTCOME_REFUSED, "target: ");
    cr_assert_not_null(strstr(kit_fact(&k, FACT_CLOSED)->u.closed.reason, "app"), "%s",
                       kit_fact(&k, FACT_CLOSED)->u.closed.reason);
}

Test(engine_target, an_alert_may_be_for_several_rules)
{
    kit_policy(
        &k,
        POLICY(RULE("first", "target = { from = 'deployment'; }; continue = true; ") "," RULE(
            "second",
            "target = { from = 'deployment'; }; ") "," RULE("third", "target = { from = 'deployment'; }; ")));
    kit_fire(&k);
    cr_assert_eq(k.g->open_len, 2);
    cr_assert_str_eq(nth(0)->rule, "first");
    cr_assert_str_eq(nth(1)->rule, "second");
    seen_as(nth(0)->id, "Deployment", "web");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    seen_as(nth(1)->id, "Deployment", "web");
    kit_refused(&k, "lock", REFUSED_LATER, "of rule \"first\" is working on the same target");
}

Test(engine_target, alerts_with_equal_labels_belong_together_where_the_rule_says_so)
{
    kit_policy(
        &k, POLICY(RULE("crash",
                        "target = { from = 'deployment'; }; same_incident = [ 'namespace', 'release' ]; ")));
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,release=7", ALERT_FIRING, 0);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=api,release=7", ALERT_FIRING, 0);
    cr_assert_eq(kit_only(&k)->firing, 2);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=api,release=8", ALERT_FIRING, 0);
    cr_assert_eq(k.g->open_len, 2);
}

Test(engine_target, a_restart_of_heald_looks_for_all_of_them)
{
    kit_fire(&k);
    kit_restart(&k);
    cr_assert(kit_asked(&k, nth(0)->id));
    cr_assert(kit_asked(&k, nth(1)->id));
    seen_as(nth(1)->id, "StatefulSet", "web-db");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}
