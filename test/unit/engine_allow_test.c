/* test/unit/engine_allow_test.c - what an environment allows: approval, allow-list, protection, budgets of
 * rules, blast radius, availability. */
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

TestSuite(engine_allow, .init = open_kit, .fini = close_kit);

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

/* ---- approval ---- */

#define APPROVE "approve = [ 'restart' ]; approval = { role = 'sre'; expires = '10m'; }; notify = [ 'sre' ]; "

static struct input word(enum word w)
{
    struct input in = { .kind = INPUT_WORD, .word = w, .who = "anna", .groups = "sre", .text = "I say so" };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    return in;
}

Test(engine_allow, what_needs_approval_is_asked_for_with_the_exact_change)
{
    kit_policy(&k, MANY(QUIET APPROVE, "", KIT_RESTART));
    fire("web");
    cr_assert_not(wrote());
    const struct fact *f = kit_fact(&k, FACT_ASKED);
    cr_assert_str_eq(f->u.asked.guard, "approval");
    cr_assert_str_eq(f->u.asked.role, "sre");
    cr_assert_eq(f->u.asked.until_ms, k.now_ms + 600000);
    cr_assert_not_null(strstr(f->u.asked.reason, "restart shop/Deployment/web: \"restart\" needs approval"),
                       "%s", f->u.asked.reason);
    cr_assert_eq(kit_count(&k, FACT_NOTIFY), 1);
    kit_turn(&k, word(WORD_APPROVE));
    look(NULL);
    cr_assert(wrote());
}

Test(engine_allow, an_approved_write_that_conflicts_needs_no_second_yes)
{
    kit_policy(&k, MANY(QUIET APPROVE, "", KIT_RESTART));
    fire("web");
    kit_turn(&k, word(WORD_APPROVE));
    look(NULL);
    kit_acted(&k, NULL, ACT_CONFLICT);
    snprintf(k.seen.resource_version, sizeof k.seen.resource_version, "777");
    kit_observe(&k, NULL);
    cr_assert(wrote());
    kit_acted(&k, NULL, ACT_CONFLICT);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "new");
    kit_observe(&k, NULL);
    cr_assert_not(wrote(), "that is another change");
    cr_assert_eq(kit_count(&k, FACT_ASKED), 1);
}

Test(engine_allow, without_an_approval_the_step_is_left_out)
{
    kit_policy(&k, MANY(QUIET APPROVE, "", KIT_RESTART "," SCALE(3)));
    fire("web");
    kit_wait(&k, 600000);
    kit_observe(&k, NULL);
    kit_refused(&k, "approval", REFUSED_STEP, "nobody approved it in time");
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.action, "scale");
}

Test(engine_allow, a_denied_step_is_left_out)
{
    kit_policy(&k, MANY(QUIET APPROVE, "", KIT_RESTART));
    fire("web");
    kit_turn(&k, word(WORD_DENY));
    look(NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "denied by anna: I say so");
}

Test(engine_allow, a_dry_run_says_that_it_would_ask)
{
    kit_policy(&k, KIT_POLICY("mode = 'dry_run'; " APPROVE, "", KIT_RESTART));
    fire("web");
    kit_closed(&k, OUTCOME_OBSERVED, "would wait before restart (approval)");
    cr_assert_eq(kit_count(&k, FACT_ASKED) + kit_count(&k, FACT_NOTIFY), 0);
}

#define WITH(before, environment)                                                                            \
    before KIT_POLICY(KIT_ACT NO_LIMITS QUIET environment, EASY_RULE, KIT_RESTART)

Test(engine_allow, auto_patterns_need_no_approval_and_critical_ones_always_do)
{
    kit_policy(&k, WITH("auto = ( [ 'alertname=Crash' ] ); ", APPROVE));
    fire("web");
    cr_assert(wrote());
    fail("web");
    kit_policy(&k, WITH("critical = ( [ 'alertname=Crash' ] ); ", "notify = [ 'sre' ]; "));
    fire("web");
    cr_assert_eq(kit_count(&k, FACT_ASKED), 1);
    cr_assert_not_null(strstr(kit_fact(&k, FACT_NOTIFY)->u.notify.text, "critical: rule \"crash\""), "");
}

Test(engine_allow, a_protected_target_needs_approval)
{
    kit_policy(&k, WITH("auto = ( [ 'alertname=Crash' ] ); ", "protect = ( [ 'name=~web.*' ] ); "));
    fire("web");
    cr_assert_eq(kit_count(&k, FACT_ASKED), 1);
    fire("api");
    cr_assert(wrote());
}

/* ---- what an environment allows ---- */

Test(engine_allow, only_what_is_allowed_is_done)
{
    kit_policy(&k, MANY(QUIET "allow = [ 'scale' ]; ", "", KIT_RESTART "," SCALE(3)));
    fire("web");
    kit_refused(&k, "allow", REFUSED_STEP, "\"restart\" is not in `allow` of environment \"shop\"");
    cr_assert_str_eq(kit_effect(&k, EFFECT_ACT)->intent.action, "scale");
}

Test(engine_allow, no_step_takes_away_more_than_the_blast_radius)
{
    k.seen.desired = k.seen.ready = 10;
    kit_policy(&k, MANY(QUIET "blast_radius = '30%'; ", "", SCALE(6) "," SCALE(7)));
    fire("web");
    kit_refused(&k, "blast_radius", REFUSED_STEP, "take away 4 of 10 pods at once, more than 3");
    cr_assert_eq(kit_effect(&k, EFFECT_ACT)->intent.replicas, 7);
}

Test(engine_allow, a_rule_has_its_own_budget)
{
    kit_policy(&k, MANY(QUIET, "budget = ( { actions = 1; per = '1h'; } );", SCALE(3)));
    fire("web");
    cr_assert(wrote());
    fire("api");
    kit_refused(&k, "budget", REFUSED_LATER, "1 actions per 1h for rule \"crash\"");
}

Test(engine_allow, a_rule_has_its_own_number_of_incidents_at_work)
{
    kit_policy(&k, MANY(QUIET, "running = 1;", SCALE(3)));
    fire("web");
    fire("api");
    kit_refused(&k, "running", REFUSED_LATER, "1 disruptive steps are running in rule \"crash\"");
}

Test(engine_allow, nothing_is_left_without_a_running_pod)
{
    k.seen.desired = 1;
    k.seen.ready = k.seen.available = 1;
    snprintf(k.seen.target.kind, sizeof k.seen.target.kind, "StatefulSet");
    fire("web");
    kit_refused(&k, "availability", REFUSED_LATER, "would leave nothing running, of 1 ready pods");
    kit_policy(&k, MANY(QUIET "downtime = true; ", "", KIT_RESTART));
    look(NULL);
    cr_assert(wrote());
}

Test(engine_allow, what_is_not_ready_anyway_may_be_restarted)
{
    k.seen.desired = 1;
    k.seen.ready = 0;
    snprintf(k.seen.target.kind, sizeof k.seen.target.kind, "StatefulSet");
    fire("web");
    cr_assert(wrote());
}

Test(engine_allow, so_many_stay_ready)
{
    k.seen.desired = k.seen.ready = 4;
    kit_policy(&k, MANY(QUIET "min_available = '90%'; blast_radius = '100%'; ", "", SCALE(3)));
    fire("web");
    kit_refused(&k, "availability", REFUSED_STEP, "would leave 3 of 4 pods ready, fewer than 4");
}
