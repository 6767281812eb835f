/* test/unit/engine_budget_test.c - how often heald may act: budgets, cooldown, attempts; over crashes,
 * conflicts and renamed environments. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define ENVIRONMENT(name, budget)                                                                            \
    "version = 1; environments = ( { name = '" name                                                          \
    "'; match = [ 'namespace=shop' ]; mode = 'act'; storm = { incidents = 'none'; }; breaker = { failures "  \
    "= 'none'; }; budget = " budget "; } );"
#define RULE                                                                                                 \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; plan = "  \
    "'mend'; cooldown = 'none'; attempts = 'none'; } );"
#define PLAN "plans = { mend = { steps = ( " KIT_RESTART " ); }; };"
#define ONE_AN_HOUR "( { actions = 1; per = '1h'; } )"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, ENVIRONMENT("shop", ONE_AN_HOUR) RULE PLAN);
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_budget, .init = open_kit, .fini = close_kit);

/* An alert for deployment NAME comes and its target is seen; returns the incident's id. */
static const char *fire(const char *name)
{
    char labels[100];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s", name);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s", name);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    const char *id = k.g->open->prev->id;
    kit_observe(&k, id);
    return id;
}

/* The incident ends without success, and its alert too. */
static void end(const char *name)
{
    char labels[100];
    const struct incident *i = k.g->open->prev;
    kit_acted(&k, i->id, ACT_FAILED);
    kit_observe(&k, i->id);
    kit_closed(&k, OUTCOME_REFUSED, "");
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s", name);
    kit_alert(&k, labels, ALERT_RESOLVED, 0);
}

Test(engine_budget, two_alerts_of_one_turn_compete_for_the_last_slot)
{
    struct decision d = DECISION_INIT;
    struct alert a = ALERT_INIT;
    snprintf(a.source, sizeof a.source, "alertmanager");
    map_set(&a.labels, "alertname", "Crash", NULL);
    a.starts_ms = k.wall_ms;
    for (int i = 0; i < 2; i++) { /* both are asked for, nothing is committed in between */
        map_set(&a.labels, i ? "x" : "y", "1", NULL);
        struct input in = { .kind = INPUT_ALERT, .alert = &a, .random = (uint64_t)i, .wall_ms = k.wall_ms };
        cr_assert_eq(engine_turn(k.g, k.p, k.now_ms, &in, &d, NULL), ERR_OK);
    }
    struct input timer = { .kind = INPUT_TIMER, .random = 77, .wall_ms = k.wall_ms };
    cr_assert_eq(engine_turn(k.g, k.p, k.now_ms, &timer, &d, NULL), ERR_OK);
    for (struct incident *i = k.g->open; i; i = i->next) {
        struct input in = {
            .kind = INPUT_OBSERVATION, .observation = &k.seen, .token = i->token, .wall_ms = k.wall_ms
        };
        snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", i == k.g->open ? "web" : "api");
        memcpy(in.incident, i->id, sizeof in.incident);
        cr_assert_eq(engine_turn(k.g, k.p, k.now_ms, &in, &d, NULL), ERR_OK);
    }
    size_t intents = 0, refused = 0;
    for (size_t f = 0; f < d.facts_len; f++) {
        intents += d.facts[f].kind == FACT_INTENT;
        refused += d.facts[f].kind == FACT_REFUSED && strcmp(d.facts[f].u.refused.guard, "budget") == 0;
        cr_assert_eq(engine_apply(k.shadow, &d.facts[f], NULL), ERR_OK);
    }
    cr_assert(intents == 1 && refused == 1, "%zu intents, %zu refusals", intents, refused);
    alert_release(&a);
    decision_release(&d);
}

Test(engine_budget, a_used_up_budget_says_its_numbers_and_when_there_is_room)
{
    fire("web");
    int64_t taken = k.now_ms;
    kit_wait(&k, 60000);
    const char *second = fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "1 actions per 1h for environment \"shop\" are used up");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, taken + 3600000);
    kit_wait(&k, taken + 3600000 - k.now_ms - 1);
    cr_assert_not(kit_asked(&k, second));
    kit_wait(&k, 1);
    kit_observe(&k, second);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_budget, what_waits_for_a_budget_is_judged_again_by_a_new_policy)
{
    fire("web");
    const char *second = fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "");
    kit_policy(&k, ENVIRONMENT("shop", "'none'") RULE PLAN);
    kit_wait(&k, 0);
    kit_observe(&k, second);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_budget, a_failed_write_has_taken_its_slot)
{
    fire("web");
    end("web");
    fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "");
}

Test(engine_budget, a_conflict_decides_again_within_its_own_slot)
{
    const char *id = fire("web");
    kit_acted(&k, id, ACT_CONFLICT);
    kit_observe(&k, id);
    cr_assert_eq(kit_fact(&k, FACT_INTENT)->u.intent.write, 2);
    cr_assert_eq(k.g->spends_len, 1);
}

/* The slot counts from the write that happened, not from the first try. */
Test(engine_budget, a_slot_moves_with_the_write)
{
    kit_policy(&k, ENVIRONMENT("shop", "( { actions = 2; per = '1h'; } )") RULE PLAN);
    const char *id = fire("web");
    kit_acted(&k, id, ACT_CONFLICT);
    kit_blind(&k, id, ERR_UNAVAILABLE, "away");
    for (int i = 0; i < 50; i++) {
        kit_wait(&k, 60000);
        kit_blind(&k, id, ERR_UNAVAILABLE, "away");
    }
    kit_wait(&k, 60000);
    kit_observe(&k, id);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    int64_t written = k.now_ms;
    kit_wait(&k, 60000);
    fire("api");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    kit_wait(&k, 15 * 60000); /* more than an hour after the first try */
    fire("db");
    kit_refused(&k, "budget", REFUSED_LATER, "2 actions");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, written + 3600000);
}

Test(engine_budget, three_an_hour_for_one_workload)
{
    kit_policy(&k, ENVIRONMENT("shop", "'none'") RULE PLAN);
    for (int i = 0; i < 3; i++) {
        fire("web");
        cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "%d", i);
        end("web");
        kit_wait(&k, 60000);
    }
    fire("web");
    kit_refused(&k, "budget", REFUSED_LATER, "3 actions per 1h for one workload");
    fire("api");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "another workload");
}

Test(engine_budget, the_longer_window_counts_too)
{
    kit_policy(&k, ENVIRONMENT("shop", "( { actions = 5; per = '1h'; }, { actions = 2; per = '30d'; } )")
                       RULE PLAN);
    fire("a");
    end("a");
    kit_wait(&k, 86400000ll * 20);
    fire("b");
    end("b");
    fire("c");
    kit_refused(&k, "budget", REFUSED_LATER, "2 actions per 30d");
}

/* A write is counted for the environment in whose name it was decided. */
Test(engine_budget, an_environment_keeps_its_budget_under_a_new_policy)
{
    kit_fire(&k);
    kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
    kit_policy(&k, ENVIRONMENT("mall", ONE_AN_HOUR) RULE PLAN);
    kit_wait(&k, 2000);
    kit_observe(&k, NULL);
    cr_assert_str_eq(kit_fact(&k, FACT_INTENT)->u.intent.environment, "mall");
    fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "environment \"mall\"");
    kit_policy(&k, ENVIRONMENT("shop", ONE_AN_HOUR) RULE PLAN);
    kit_wait(&k, 6 * 60000);
    fire("db");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "shop's own is not used up");
}

Test(engine_budget, an_incident_that_changes_its_environment_pays_there)
{
    kit_policy(&k, ENVIRONMENT("shop", "'none'") RULE "plans = { mend = { steps = ( " KIT_RESTART
                                                      "," KIT_RESTART " ); }; };");
    const char *id = fire("web");
    kit_policy(&k, ENVIRONMENT("mall", ONE_AN_HOUR) RULE PLAN);
    kit_acted(&k, id, ACT_FAILED);
    kit_observe(&k, id);
    cr_assert_str_eq(kit_fact(&k, FACT_INTENT)->u.intent.environment, "mall");
    fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "environment \"mall\"");
}

Test(engine_budget, budgets_survive_a_crash)
{
    fire("web");
    kit_replayed(&k);
    kit_restart(&k);
    fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "");
}

/* ---- cooldown and attempts ---- */

#define COOL_RULE                                                                                            \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; }; plan = "  \
    "'mend'; attempts = 2; } );"

Test(engine_budget, a_target_has_its_rest_after_a_write)
{
    kit_policy(&k, ENVIRONMENT("shop", "'none'") COOL_RULE PLAN);
    fire("web");
    int64_t written = k.now_ms;
    end("web");
    kit_wait(&k, 60000);
    const char *id = fire("web");
    kit_refused(&k, "cooldown", REFUSED_LATER, "less than 15m ago");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.again_ms, written + 15 * 60000);
    fire("api");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "another target needs no rest");
    kit_wait(&k, 14 * 60000);
    kit_observe(&k, id);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_budget, what_comes_back_too_often_is_left_to_a_person)
{
    kit_policy(&k, ENVIRONMENT("shop", "'none'") COOL_RULE PLAN);
    for (int i = 0; i < 2; i++) {
        fire("web");
        cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
        end("web");
        kit_wait(&k, 30 * 60000);
    }
    fire("web");
    kit_closed(&k, OUTCOME_ESCALATED,
               "attempts: 2 incidents of this rule were acted on for the target within 6h, and it came back");
    kit_wait(&k, 6 * 3600000);
    fire("web");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1, "that was long ago");
}

/* ---- whose ---- */

#define OPEN_RULE(name, alert)                                                                               \
    "{ name = '" name "'; match = [ 'alertname=" alert "' ]; target = { from = 'deployment'; }; plan = "     \
    "'mend'; cooldown = 'none'; attempts = 'none'; }"
#define WIDE(keys)                                                                                           \
    "version = 1; environments = ( { name = 'all'; match = [ 'namespace=~shop|bank' ]; mode = 'act'; storm " \
    "= { incidents = 'none'; }; breaker = { failures = 'none'; }; shared_cause = 'none'; running = 'none'; " \
    "budget = 'none'; workload_budget = 'none'; " keys " } ); rules = ( " OPEN_RULE(                         \
        "pay.crash", "Crash") "," OPEN_RULE("pay.slow", "Slow") "," OPEN_RULE("own", "Own") " ); "

static void fire_as(const char *alert, const char *namespace, const char *name)
{
    char labels[160];
    snprintf(labels, sizeof labels, "alertname=%s,namespace=%s,deployment=%s", alert, namespace, name);
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "%s", namespace);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s-%s", namespace, name);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    kit_observe(&k, k.g->open->prev->id);
}

static bool wrote(void)
{
    return kit_count(&k, FACT_INTENT) == 1;
}

Test(engine_budget, a_namespace_has_one_of_its_own)
{
    kit_policy(&k, WIDE("namespace_budget = '2 per 1h';") PLAN);
    fire_as("Crash", "shop", "a");
    cr_assert(wrote());
    fire_as("Crash", "shop", "b");
    cr_assert(wrote());
    fire_as("Crash", "shop", "c");
    kit_refused(&k, "budget", REFUSED_LATER,
                "budget: 2 actions per 1h for namespace \"shop\" are used up: 2 were begun");
    fire_as("Crash", "bank", "a");
    cr_assert(wrote(), "another namespace has its own");
}

Test(engine_budget, an_action_has_one_of_its_own)
{
    kit_policy(&k, WIDE("action_budget = '1 per 1h';") "plans = { mend = { steps = ( { when = { match = [ "
                                                       "'alertname=Slow' ]; }; then = ( { do = 'scale'; "
                                                       "replicas = 3; } ); otherwise = ( " KIT_RESTART
                                                       " ); } ); }; };");
    fire_as("Crash", "shop", "a");
    cr_assert(wrote());
    fire_as("Crash", "shop", "b");
    kit_refused(&k, "budget", REFUSED_LATER, "1 actions per 1h for action \"restart\" are used up");
    fire_as("Slow", "shop", "c");
    cr_assert(wrote(), "another action has its own");
}

Test(engine_budget, a_team_has_one_for_all_its_rules)
{
    char *namespaces[] = { (char *)"shop" }, *may[] = { (char *)"all" };
    struct budget_limit one = { .actions = 1, .per_ms = 3600000 };
    struct team pay = { .name = (char *)"pay",
                        .namespaces = { namespaces, 1 },
                        .may = { may, 1 },
                        .mode = MODE_ACT,
                        .team_budgets = &one,
                        .team_budgets_len = 1 };
    kit_policy(&k, WIDE("") PLAN);
    k.p->rules[0].team = k.p->rules[1].team = &pay;
    fire_as("Crash", "shop", "a");
    cr_assert(wrote());
    fire_as("Slow", "shop", "b");
    kit_refused(&k, "budget", REFUSED_LATER, "1 actions per 1h for team \"pay\" are used up");
    fire_as("Own", "shop", "c");
    cr_assert(wrote(), "whose rules are the platform's have no part in it");
    kit_wait(&k, 3600000);
    kit_observe(&k, k.g->open->next->id);
    k.p->rules[0].team = k.p->rules[1].team = NULL;
}

Test(engine_budget, an_explanation_says_what_is_used_of_each)
{
    struct explanation x;
    kit_policy(&k, WIDE("namespace_budget = '2 per 1h'; action_budget = '9 per 1d';") PLAN);
    fire_as("Crash", "shop", "a");
    fire_as("Crash", "shop", "b");
    kit_acted(&k, k.g->open->prev->id, ACT_CONFLICT);
    fire_as("Own", "bank", "c");
    const char *id = k.g->open->prev->prev->id;
    snprintf(k.seen.target.namespace, sizeof k.seen.target.namespace, "shop");
    cr_assert_eq(engine_explain(k.g, k.p, k.now_ms, k.wall_ms, id, &k.seen, &x, NULL), ERR_OK);
    size_t at = 0;
    while (at < x.guards_len && strcmp(x.guards[at].guard, "budget") != 0)
        at++;
    cr_assert_lt(at, x.guards_len);
    cr_assert_eq(x.guards[at].answer, GUARD_PASS, "%s", x.guards[at].reason);
    cr_assert_str_eq(x.guards[at].reason,
                     "1 of 2 per 1h for namespace \"shop\", 2 of 9 per 1d for action \"restart\"");
}
