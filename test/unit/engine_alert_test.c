/* test/unit/engine_alert_test.c - alerts: new, repeated, recurring, ended; whether a rule wants them, and
 * whose they are. */
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

TestSuite(engine_alert, .init = open_kit, .fini = close_kit);

static void came_to(enum alert_disposition d, const char *reason)
{
    const struct fact *f = kit_fact(&k, FACT_ALERT);
    cr_assert_eq(f->u.alert.disposition, d, "%s: %s", disposition_name(f->u.alert.disposition),
                 f->u.alert.reason);
    cr_assert_not_null(strstr(f->u.alert.reason, reason), "\"%s\" lacks \"%s\"", f->u.alert.reason, reason);
}

/* The incident ends without a write, the alert goes on. */
static void end_incident(void)
{
    kit_blind(&k, NULL, ERR_NOT_FOUND, "it is gone");
    kit_closed(&k, OUTCOME_REFUSED, "it is gone");
}

Test(engine_alert, opens_an_incident_that_keeps_its_plan)
{
    kit_fire(&k);
    came_to(ALERT_OPENED, "");
    const struct fact *f = kit_fact(&k, FACT_INCIDENT_OPENED);
    cr_assert_str_eq(f->u.opened.rule, "crash");
    cr_assert_not_null(strstr(f->u.opened.plan, "restart"), "%s", f->u.opened.plan);
    cr_assert_eq(kit_only(&k)->state, STATE_RESOLVING);
    cr_assert(kit_asked(&k, NULL), "which object it is, is asked at once");
    cr_assert_str_eq(kit_effect(&k, EFFECT_OBSERVE)->from, "deployment");
}

Test(engine_alert, a_repeat_writes_nothing)
{
    kit_fire(&k);
    int64_t seq = engine_last_seq(k.g);
    for (int i = 0; i < 5; i++)
        kit_fire(&k);
    cr_assert_eq(engine_last_seq(k.g), seq);
    kit_resolve(&k);
    seq = engine_last_seq(k.g);
    kit_resolve(&k);
    cr_assert_eq(engine_last_seq(k.g), seq);
}

static bool repeats(const char *labels, enum alert_status status)
{
    CLEANUP(buf_release) struct buf scratch = BUF_INIT;
    struct alert a = kit_make_alert(&k, labels, status, KIT_START_MS);
    bool yes = engine_repeats(k.g, &a, &scratch);
    alert_release(&a);
    return yes;
}

Test(engine_alert, a_repeat_is_known_without_deciding_it)
{
    cr_assert_not(repeats(k.labels, ALERT_FIRING), "never seen");
    kit_fire(&k);
    cr_assert(repeats(k.labels, ALERT_FIRING));
    cr_assert_not(repeats(k.labels, ALERT_RESOLVED), "it ended");
    cr_assert_not(repeats("alertname=Crash,namespace=shop,deployment=api", ALERT_FIRING));
    kit_resolve(&k);
    cr_assert(repeats(k.labels, ALERT_RESOLVED));
    cr_assert_not(repeats(k.labels, ALERT_FIRING), "it fires again");
    kit_fire(&k);
    came_to(ALERT_HELD, "");
    cr_assert_not(repeats(k.labels, ALERT_FIRING), "a second delivery confirms it");
}

Test(engine_alert, what_was_turned_away_is_no_repeat_under_another_policy)
{
    kit_policy(&k, "version = 1; environments = (); rules = (); plans = {};");
    kit_fire(&k);
    came_to(ALERT_NO_RULE, "");
    cr_assert(repeats(k.labels, ALERT_FIRING));
    kit_policy(&k, POLICY);
    cr_assert_not(repeats(k.labels, ALERT_FIRING));
}

Test(engine_alert, other_labels_or_another_source_make_another_alert)
{
    kit_fire(&k);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=api", ALERT_FIRING, KIT_START_MS);
    cr_assert_eq(k.g->open_len, 2);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,pod=web-1", ALERT_FIRING, KIT_START_MS);
    cr_assert_eq(k.g->open_len, 3);
}

Test(engine_alert, resolved_never_starts_anything)
{
    kit_resolve(&k);
    came_to(ALERT_CLEARED, "");
    cr_assert_eq(k.g->open_len, 0);
}

Test(engine_alert, resolved_before_anything_was_done_clears_the_incident)
{
    kit_fire(&k);
    kit_resolve(&k);
    kit_closed(&k, OUTCOME_CLEARED, "before anything was done");
    cr_assert_eq(k.g->open_len, 0);
}

Test(engine_alert, an_incident_goes_on_while_one_of_its_alerts_fires)
{
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_acted(&k, NULL, ACT_CONFLICT);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,pod=web-1", ALERT_FIRING, KIT_START_MS);
    kit_observe(&k, k.g->open->next->id);
    cr_assert_eq(kit_count(&k, FACT_MERGED), 1);
    cr_assert_eq(kit_only(&k)->firing, 2);
    kit_resolve(&k);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    cr_assert_eq(kit_only(&k)->firing, 1);
}

Test(engine_alert, firing_again_with_the_same_start_is_held_until_a_second_delivery)
{
    kit_fire(&k);
    kit_resolve(&k);
    kit_fire(&k);
    came_to(ALERT_HELD, "second delivery");
    cr_assert_eq(k.g->open_len, 0);
    kit_fire(&k);
    came_to(ALERT_OPENED, "");
    cr_assert_eq(k.g->open_len, 1);
}

Test(engine_alert, a_held_alert_that_resolves_was_nothing)
{
    kit_fire(&k);
    kit_resolve(&k);
    kit_fire(&k);
    kit_resolve(&k);
    came_to(ALERT_CLEARED, "");
    kit_fire(&k);
    came_to(ALERT_HELD, "");
}

Test(engine_alert, firing_again_with_a_later_start_is_new_trouble)
{
    kit_fire(&k);
    kit_resolve(&k);
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    came_to(ALERT_OPENED, "");
}

Test(engine_alert, another_start_without_an_end_is_the_same_alert)
{
    kit_fire(&k);
    int64_t seq = engine_last_seq(k.g);
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    cr_assert_eq(engine_last_seq(k.g), seq);
    cr_assert_eq(k.g->open_len, 1);
}

Test(engine_alert, a_start_after_its_incident_ended_is_new_trouble)
{
    kit_fire(&k);
    end_incident();
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, KIT_START_MS - 5000);
    cr_assert_eq(k.d.facts_len, 0, "it began before the incident ended");
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    came_to(ALERT_OPENED, "");
}

/* Nobody remembers the incident any more, but when it ended is known still. */
Test(engine_alert, a_start_after_a_told_incident_is_new_trouble)
{
    kit_fire(&k);
    struct input told = { .kind = INPUT_TOLD, .revision = 100, .annotation_id = 7 };
    memcpy(told.incident, kit_only(&k)->id, sizeof told.incident);
    kit_wait(&k, 60000);
    end_incident();
    kit_turn(&k, told);
    cr_assert_eq(k.g->closed_len, 0);
    kit_alert(&k, k.labels, ALERT_FIRING, KIT_START_MS + 30000);
    cr_assert_eq(k.d.facts_len, 0, "it began before the incident ended");
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    came_to(ALERT_OPENED, "");
}

Test(engine_alert, fires_again_while_its_incident_is_open)
{
    kit_write(&k);
    kit_resolve(&k);
    cr_assert_eq(kit_only(&k)->firing, 0);
    kit_wait(&k, 1000);
    kit_alert(&k, k.labels, ALERT_FIRING, 0);
    came_to(ALERT_ATTACHED, "");
    cr_assert_eq(kit_only(&k)->firing, 1);
    cr_assert_eq(kit_only(&k)->alerts, 1);
}

Test(engine_alert, no_rule_wants_it)
{
    kit_alert(&k, "alertname=Other,namespace=shop", ALERT_FIRING, 0);
    came_to(ALERT_NO_RULE, "");
    kit_alert(&k, "alertname=Other,namespace=shop", ALERT_FIRING, KIT_START_MS);
    cr_assert_eq(k.d.facts_len, 0);
}

Test(engine_alert, a_rule_that_comes_later_wants_it_at_the_next_delivery)
{
    kit_policy(&k, "version = 1; environments = (); rules = (); plans = {};");
    kit_fire(&k);
    came_to(ALERT_NO_RULE, "");
    kit_policy(&k, "version = 1; environments = (); rules = (); plans = {}; # still");
    kit_fire(&k);
    cr_assert_eq(k.d.facts_len, 0, "it would come to the same again");
    kit_policy(&k, POLICY);
    kit_fire(&k);
    came_to(ALERT_OPENED, "");
}

Test(engine_alert, an_ignored_alert_says_by_which_pattern)
{
    kit_policy(&k, "ignore = ( [ 'a=b' ], [ 'namespace=shop' ] );" POLICY);
    kit_fire(&k);
    came_to(ALERT_IGNORED, "ignore pattern 2");
    cr_assert_eq(k.g->open_len, 0);
}

Test(engine_alert, an_old_alert_starts_nothing)
{
    kit_alert(&k, k.labels, ALERT_FIRING, KIT_START_MS - 3600001);
    came_to(ALERT_REFUSED_, "more than 1h ago (alert_age)");
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=api", ALERT_FIRING, KIT_START_MS - 3600000);
    came_to(ALERT_OPENED, "");
}

Test(engine_alert, an_alert_from_the_future_starts_nothing_until_then)
{
    kit_alert(&k, k.labels, ALERT_FIRING, KIT_START_MS + 300001);
    came_to(ALERT_REFUSED_, "in the future");
    kit_wait(&k, 60000);
    kit_alert(&k, k.labels, ALERT_FIRING, KIT_START_MS + 300001);
    came_to(ALERT_OPENED, "");
}

Test(engine_alert, an_unknown_source_is_refused)
{
    snprintf(k.source_name, sizeof k.source_name, "grafana");
    kit_fire(&k);
    came_to(ALERT_REFUSED_, "source \"alertmanager\" is not configured");
}

Test(engine_alert, a_source_keeps_to_what_it_may_claim)
{
    struct matcher only = { .op = MATCH_EQUAL };
    cr_assert_eq(matcher_parse(&only, "team=\"blue\"", NULL), ERR_OK);
    k.source.only = (struct matchers){ .list = &only, .len = 1 };
    kit_fire(&k);
    came_to(ALERT_REFUSED_, "outside what the source may claim: only team=\"blue\"");
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,team=blue", ALERT_FIRING, 0);
    came_to(ALERT_OPENED, "");
    k.source.only = (struct matchers){ .len = 0 };
    matcher_release(&only);
}

Test(engine_alert, a_source_may_not_name_every_target)
{
    struct matcher may = { .op = MATCH_REGEX };
    cr_assert_eq(matcher_parse(&may, "namespace=~\"bank\"", NULL), ERR_OK);
    k.source.may_namespaces = (struct matchers){ .list = &may, .len = 1 };
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "source: ");
    k.source.may_namespaces = (struct matchers){ .len = 0 };
    matcher_release(&may);
}

/* Its alert would change what the other incident knows: that it fires, and since when. */
Test(engine_alert, a_source_that_may_not_name_the_target_joins_no_incident)
{
    struct matcher may = { .op = MATCH_REGEX };
    kit_write(&k);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,forged=1", ALERT_FIRING,
              KIT_START_MS - 3000000);
    cr_assert_eq(matcher_parse(&may, "namespace=~\"bank\"", NULL), ERR_OK);
    k.source.may_namespaces = (struct matchers){ .list = &may, .len = 1 };
    kit_observe(&k, k.g->open->next->id);
    kit_closed(&k, OUTCOME_REFUSED, "source: ");
    cr_assert_eq(kit_only(&k)->firing, 1);
    cr_assert_eq(kit_only(&k)->starts_ms, KIT_START_MS);
    k.source.may_namespaces = (struct matchers){ .len = 0 };
    matcher_release(&may);
}

Test(engine_alert, same_rule_and_target_are_one_incident)
{
    kit_write(&k);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,pod=web-1", ALERT_FIRING,
              KIT_START_MS - 5000);
    kit_observe(&k, k.g->open->next->id);
    cr_assert_eq(kit_count(&k, FACT_RESOLVED), 1);
    cr_assert_str_eq(kit_fact(&k, FACT_MERGED)->u.merged.into, kit_only(&k)->id);
    cr_assert_eq(kit_only(&k)->alerts, 2);
    cr_assert_eq(kit_only(&k)->firing, 2);
    cr_assert_eq(kit_only(&k)->starts_ms, KIT_START_MS - 5000, "the earlier start counts");
}

Test(engine_alert, two_incidents_in_the_same_millisecond_have_different_names)
{
    char labels[80];
    struct alert a = ALERT_INIT;
    snprintf(a.source, sizeof a.source, "alertmanager");
    for (int i = 0; i < 100; i++) {
        snprintf(labels, sizeof labels, "web-%d", i);
        map_set(&a.labels, "alertname", "Crash", NULL);
        map_set_len(&a.labels, "deployment", 10, labels, strlen(labels), true, NULL);
        a.starts_ms = k.wall_ms;
        struct input in = { .kind = INPUT_ALERT, .alert = &a, .random = 7, .wall_ms = k.wall_ms };
        cr_assert_eq(engine_turn(k.g, k.p, k.now_ms, &in, &k.d, NULL), ERR_OK);
    }
    alert_release(&a);
    cr_assert_eq(k.g->open_len, 100);
    for (size_t f = 0; f < k.d.facts_len; f++)
        if (k.d.facts[f].seq > engine_last_seq(k.shadow))
            cr_assert_eq(engine_apply(k.shadow, &k.d.facts[f], NULL), ERR_OK);
}
