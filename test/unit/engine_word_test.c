/* test/unit/engine_word_test.c - what operators say: approve, deny, cancel, retry, heal by hand, pause and
 * resume by scope. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

#define GATE(keys) KIT_POLICY(KIT_ACT, "", "{ gate = { role = 'sre'; " keys " }; }, " KIT_RESTART)

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_word, .init = open_kit, .fini = close_kit);

static struct input word(enum word w, const char *who)
{
    struct input in = { .kind = INPUT_WORD, .word = w, .groups = "dba,sre", .text = "I say so" };
    snprintf(in.who, sizeof in.who, "%s", who);
    if (k.g->open)
        memcpy(in.incident, k.g->open->id, sizeof in.incident);
    return in;
}

static void refused(const struct input *in, enum err_code code, const char *text)
{
    struct err e = ERR_INIT;
    cr_assert_eq(engine_word(k.g, k.p, k.now_ms, in, &e), code, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, text), "\"%s\" lacks \"%s\"", e.msg, text);
    kit_turn(&k, *in);
    cr_assert_eq(k.d.facts_len, 0, "what is refused changes nothing");
}

static void say(const struct input *in)
{
    struct err e = ERR_INIT;
    cr_assert_eq(engine_word(k.g, k.p, k.now_ms, in, &e), ERR_OK, "%s", e.msg);
    kit_turn(&k, *in);
}

static void ask(const char *policy)
{
    kit_policy(&k, policy);
    kit_fire(&k);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_APPROVAL);
}

/* What is due now is asked. */
static void look(void)
{
    kit_wait(&k, 0);
    kit_observe(&k, NULL);
}

/* ---- approve, deny ---- */

Test(engine_word, a_yes_lets_the_plan_go_on)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    const struct fact *f = kit_fact(&k, FACT_WORD);
    cr_assert_str_eq(f->u.word.who, "anna");
    cr_assert_str_eq(f->u.word.reason, "I say so");
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, after_a_yes_every_guard_is_judged_again)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    kit_wait(&k, 0);
    k.seen.ignored = true;
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "heald.dev/ignore");
}

Test(engine_word, a_no_ends_the_list)
{
    ask(GATE(""));
    struct input in = word(WORD_DENY, "anna");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
    kit_closed(&k, OUTCOME_ESCALATED, "denied by anna: I say so");
}

Test(engine_word, two_persons_are_two_persons)
{
    ask(GATE("approvals = 2;"));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    kit_wait(&k, 0);
    cr_assert_eq(kit_only(&k)->state, STATE_APPROVAL);
    refused(&in, ERR_INVALID, "has approved it already; 1 of 2 have");
    in = word(WORD_APPROVE, "berta");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, a_role_that_is_asked_for_is_needed)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    snprintf(in.groups, sizeof in.groups, "dba,sres");
    refused(&in, ERR_REFUSED, "group \"sre\"");
    in.groups[0] = '\0';
    refused(&in, ERR_REFUSED, "group \"sre\"");
}

Test(engine_word, a_yes_for_something_else_does_not_count)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    snprintf(in.hash, sizeof in.hash, "0123");
    refused(&in, ERR_INVALID, "has changed since");
    memcpy(in.hash, kit_only(&k)->approval->hash, sizeof in.hash);
    say(&in);
}

Test(engine_word, a_change_of_the_object_voids_the_yes)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    kit_wait(&k, 0);
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "other");
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_ASKED), 1, "it is asked anew");
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
    cr_assert_eq(kit_only(&k)->approval->given, 0);
}

Test(engine_word, another_policy_voids_the_yes)
{
    ask(GATE(""));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    kit_policy(&k, GATE("expires = '7m';"));
    look();
    cr_assert_eq(kit_count(&k, FACT_ASKED), 1);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0);
}

Test(engine_word, a_yes_survives_a_restart)
{
    ask(GATE("approvals = 2;"));
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    kit_restart(&k);
    in = word(WORD_APPROVE, "berta");
    say(&in);
    kit_restart(&k);
    if (!kit_asked(&k, NULL))
        kit_wait(&k, 0);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, it_may_be_too_late_for_a_yes)
{
    ask(GATE("expires = '1m';"));
    k.now_ms += 60000;
    struct input in = word(WORD_APPROVE, "anna");
    refused(&in, ERR_INVALID, "too late");
    kit_wait(&k, 0);
}

Test(engine_word, nothing_is_approved_that_was_not_asked_for)
{
    kit_fire(&k);
    struct input in = word(WORD_APPROVE, "anna");
    refused(&in, ERR_INVALID, "asks for no approval now; it is resolving");
    in.word = WORD_DENY;
    refused(&in, ERR_INVALID, "asks for no approval now");
    snprintf(in.incident, sizeof in.incident, "nobody");
    refused(&in, ERR_NOT_FOUND, "no incident \"nobody\"");
}

Test(engine_word, a_yes_may_come_after_days_where_the_gate_waits_so_long)
{
    ask(GATE("expires = '5d';"));
    kit_wait(&k, 3 * WAIT_MAX_MS);
    cr_assert_eq(k.g->open_len, 1, "it waits for a person, who has five days");
    struct input in = word(WORD_APPROVE, "anna");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

/* ---- cancel, retry ---- */

Test(engine_word, a_cancelled_incident_ends)
{
    kit_fire(&k);
    struct input in = word(WORD_CANCEL, "anna");
    say(&in);
    kit_closed(&k, OUTCOME_CANCELLED, "by anna: I say so");
    in = word(WORD_CANCEL, "anna");
}

Test(engine_word, a_write_on_its_way_is_waited_for_before_it_is_cancelled)
{
    struct intent n = *kit_begin(&k);
    struct input in = word(WORD_CANCEL, "anna");
    say(&in);
    cr_assert_eq(kit_count(&k, FACT_CLOSED), 0);
    refused(&in, ERR_INVALID, "is cancelled already");
    kit_land(&k, &n);
    kit_acted(&k, NULL, ACT_DONE);
    kit_wait(&k, 5000);
    if (k.g->open_len && kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_CANCELLED, "");
    cr_assert_eq(k.g->closed->writes, 1);
}

Test(engine_word, a_write_that_failed_after_cancel_is_not_tried_again)
{
    kit_begin(&k);
    struct input in = word(WORD_CANCEL, "anna");
    say(&in);
    kit_acted(&k, NULL, ACT_CONFLICT);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_CANCELLED, "by an operator");
}

Test(engine_word, retry_asks_at_once_again)
{
    k.seen.rollout_complete = false;
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "rollout", REFUSED_LATER, "");
    k.seen.rollout_complete = true;
    cr_assert_not(kit_asked(&k, NULL));
    struct input in = word(WORD_RETRY, "anna");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    refused(&in, ERR_INVALID, "is acting: there is nothing to try again");
}

Test(engine_word, retry_of_a_closed_incident_begins_it_anew_by_hand)
{
    kit_fire(&k);
    struct input in = word(WORD_RETRY, "anna");
    kit_observe(&k, NULL);
    kit_acted(&k, NULL, ACT_FAILED);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "");
    struct input cancel = in;
    cancel.word = WORD_CANCEL;
    refused(&cancel, ERR_INVALID, "has ended: escalated");
    say(&in);
    cr_assert_str_eq(kit_fact(&k, FACT_INCIDENT_OPENED)->u.opened.who, "anna");
    cr_assert_str_eq(kit_fact(&k, FACT_INCIDENT_OPENED)->u.opened.target.name, "web");
}

/* ---- by hand ---- */

static struct input by_hand(const char *rule, const char *plan)
{
    struct input in = { .kind = INPUT_HEAL, .who = "anna", .text = "it hangs" };
    in.target = (struct target){ .namespace = "shop", .kind = "Deployment", .name = "web" };
    snprintf(in.name, sizeof in.name, "%s", rule);
    snprintf(in.plan, sizeof in.plan, "%s", plan);
    return in;
}

Test(engine_word, what_is_healed_by_hand_goes_through_the_same_guards)
{
    struct input in = by_hand("crash", "");
    k.seen.ignored = true;
    say(&in);
    kit_wait(&k, 0);
    const struct effect *x = kit_effect(&k, EFFECT_OBSERVE);
    cr_assert_str_eq(x->from, "deployment");
    cr_assert_str_eq(map_get(&x->labels, "deployment"), "web");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_REFUSED, "heald.dev/ignore");
}

Test(engine_word, by_hand_no_alert_is_needed_and_none_is_waited_for)
{
    struct input in = by_hand("", "mend");
    k.p->prometheus = true;
    say(&in);
    kit_wait(&k, 0);
    k.seen.alert = ALERT_STATE_INACTIVE;
    kit_observe(&k, NULL);
    struct intent n = kit_effect(&k, EFFECT_ACT)->intent;
    kit_land(&k, &n);
    kit_acted(&k, NULL, ACT_DONE);
    kit_observe(&k, NULL);
    kit_well(&k, k.wall_ms);
    kit_wait(&k, 61000);
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_HEALED, "restart: well for 1m");
}

Test(engine_word, by_hand_the_rule_or_plan_and_the_target_must_be_known)
{
    struct input in = by_hand("nobody", "");
    refused(&in, ERR_NOT_FOUND, "no rule \"nobody\"");
    in = by_hand("", "nothing");
    refused(&in, ERR_NOT_FOUND, "no plan \"nothing\"");
    in = by_hand("crash", "");
    in.target.name[0] = '\0';
    refused(&in, ERR_INVALID, "say what to heal");
    in = by_hand("crash", "");
    snprintf(in.target.kind, sizeof in.target.kind, "Secret");
    refused(&in, ERR_INVALID, "\"Secret\" cannot be healed by hand");
}

Test(engine_word, who_began_it_cannot_approve_it_alone)
{
    kit_policy(&k, GATE(""));
    struct input in = by_hand("crash", "");
    say(&in);
    look();
    in = word(WORD_APPROVE, "anna");
    refused(&in, ERR_REFUSED, "somebody else has to approve it");
    in = word(WORD_APPROVE, "berta");
    say(&in);
}

/* ---- pause and resume by scope ---- */

static struct input pause_word(enum input_kind kind, enum pause_scope scope, const char *name)
{
    struct input in = { .kind = kind, .scope = scope, .who = "anna", .text = "lunch" };
    snprintf(in.name, sizeof in.name, "%s", name);
    return in;
}

static void paused_and_resumed(enum pause_scope scope, const char *name)
{
    struct input in = pause_word(INPUT_PAUSE, scope, name);
    say(&in);
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_refused(&k, "kill_switch", REFUSED_LATER, "is paused by anna: lunch");
    kit_wait(&k, 3600000);
    cr_assert_eq(k.d.facts_len + k.d.effects_len, 0);
    in = pause_word(INPUT_RESUME, scope, name);
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
    if (scope != PAUSE_EVERYWHERE)
        refused(&in, ERR_NOT_FOUND, "is not paused");
}

Test(engine_word, an_environment_can_be_paused)
{
    paused_and_resumed(PAUSE_ENVIRONMENT, "shop");
}

Test(engine_word, a_rule_can_be_paused)
{
    paused_and_resumed(PAUSE_RULE, "crash");
}

Test(engine_word, a_namespace_can_be_paused)
{
    paused_and_resumed(PAUSE_NAMESPACE, "shop");
}

Test(engine_word, everything_can_be_paused)
{
    paused_and_resumed(PAUSE_EVERYWHERE, "");
}

Test(engine_word, what_is_paused_elsewhere_holds_nothing_up_here)
{
    struct input in = pause_word(INPUT_PAUSE, PAUSE_NAMESPACE, "bank");
    say(&in);
    in = pause_word(INPUT_PAUSE, PAUSE_RULE, "other");
    say(&in);
    kit_begin(&k);
}

Test(engine_word, resuming_one_pause_leaves_the_others)
{
    struct input in = pause_word(INPUT_PAUSE, PAUSE_RULE, "crash");
    say(&in);
    in = pause_word(INPUT_PAUSE, PAUSE_EVERYWHERE, "");
    say(&in);
    kit_fire(&k);
    kit_observe(&k, NULL);
    in = pause_word(INPUT_RESUME, PAUSE_EVERYWHERE, "");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 0, "the rule is paused still");
    in = pause_word(INPUT_RESUME, PAUSE_RULE, "crash");
    say(&in);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, a_pause_ends_at_its_time)
{
    struct input in = pause_word(INPUT_PAUSE, PAUSE_NAMESPACE, "shop");
    in.until_ms = k.now_ms;
    refused(&in, ERR_INVALID, "not in the future");
    in.until_ms = k.now_ms + 3600000;
    say(&in);
    kit_fire(&k);
    kit_observe(&k, NULL);
    kit_restart(&k);
    if (kit_asked(&k, NULL))
        kit_observe(&k, NULL);
    kit_wait(&k, 3599999);
    cr_assert_eq(kit_count(&k, FACT_RESUMED), 0);
    kit_wait(&k, 1);
    cr_assert_eq(kit_count(&k, FACT_RESUMED), 1);
    cr_assert_str_eq(kit_fact(&k, FACT_RESUMED)->u.resumed.reason, "the time that anna gave is over");
    kit_observe(&k, NULL);
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, so_many_pauses_and_no_more)
{
    char name[16];
    struct input in;
    for (int n = 0; n < PAUSES_MAX; n++) {
        snprintf(name, sizeof name, "ns-%d", n);
        in = pause_word(INPUT_PAUSE, PAUSE_NAMESPACE, name);
        say(&in);
    }
    say(&in); /* it is one of them */
    in = pause_word(INPUT_PAUSE, PAUSE_NAMESPACE, "one-more");
    refused(&in, ERR_LIMIT, "the most there may be");
    struct pause_view v[2];
    cr_assert_eq(engine_pauses(k.g, v, 2), PAUSES_MAX);
    cr_assert_eq(v[1].scope, PAUSE_NAMESPACE);
}

/* ---- who may not say yes alone ---- */

#define ONE_YES KIT_POLICY(KIT_ACT "approve = [ 'restart' ];", "", KIT_RESTART)
#define TWO_YES KIT_POLICY(KIT_ACT "approve = [ 'restart' ]; approval = { approvals = 2; };", "", KIT_RESTART)

Test(engine_word, who_changed_the_target_last_cannot_approve_alone)
{
    snprintf(k.seen.changed_by, sizeof k.seen.changed_by, "anna");
    ask(ONE_YES);
    cr_assert_str_eq(kit_fact(&k, FACT_ASKED)->u.asked.changed_by, "anna");
    struct input anna = word(WORD_APPROVE, "anna"), ben = word(WORD_APPROVE, "ben");
    refused(&anna, ERR_REFUSED, "\"anna\" changed the target last, as the object says");
    kit_restart(&k);
    refused(&anna, ERR_REFUSED, "somebody else has to approve it");
    say(&ben);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}

Test(engine_word, who_changed_the_target_last_may_say_no)
{
    snprintf(k.seen.changed_by, sizeof k.seen.changed_by, "anna");
    ask(ONE_YES);
    struct input anna = word(WORD_DENY, "anna");
    say(&anna);
}

Test(engine_word, who_changed_the_target_last_may_be_one_of_two)
{
    snprintf(k.seen.changed_by, sizeof k.seen.changed_by, "anna");
    ask(TWO_YES);
    struct input anna = word(WORD_APPROVE, "anna"), ben = word(WORD_APPROVE, "ben");
    say(&anna);
    cr_assert_eq(kit_only(&k)->state, STATE_APPROVAL, "one is not enough");
    say(&ben);
    look();
    cr_assert_eq(kit_count(&k, FACT_INTENT), 1);
}
