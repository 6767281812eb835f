/* test/unit/engine_old_test.c - a journal as release 0.1.0 wrote it is read and gone on with: facts without
 * what came later. */
#include <criterion/criterion.h>

#include "test/kit/catalogue.h"
#include "test/kit/engine_kit.h"

#define VERIFY "'verify':{'rollout':true,'alert':true,'hold_ms':60000,'within_ms':1200000,'every_ms':5000}"
#define OLD_PLAN                                                                                             \
    "{'name':'mend','steps':[{'when':{'changed':'template'},'then':[{'do':'rollback','params':{'to':'last_"  \
    "stable'},'retry':0," VERIFY "}],'otherwise':[]},{'do':'restart','params':{},'retry':1," VERIFY          \
    "}],'otherwise':[{'escalate':{'notify':'sre'}}]}"
#define TARGET "'cluster':'local','namespace':'shop','kind':'Deployment','name':'web','uid':'u-web'"
#define INTENT(attempt)                                                                                      \
    "{'v':1,'step':'steps.1','attempt':" attempt                                                             \
    ",'write':1,'action':'restart','proof':'restarted_at'," TARGET                                           \
    ",'environment':'shop','expires_ms':1800000016000,'resource_version':'100','old_template_hash':'bad','"  \
    "old_replicas':2,"                                                                                       \
    "'restarted_at':'2027-01-15T08:00:01Z'}"

static struct old_fact {
    const char *kind, *incident, *text;
} facts[] = {
    { "installed", "", "{'v':1,'id':'0123'}" },
    { "resumed", "", "{'v':1,'who':'anna','reason':'begin'}" },
    { "policy", "", "{'v':1,'hash':'old'}" },
    { "alert", "0a",
      "{'v':1,'source':'alertmanager','starts_ms':1800000000000,'disposition':'opened','status':'firing','"
      "labels':{'alertname':'Crash',"
      "'namespace':'shop','deployment':'web'},'annotations':{}}" },
    { "incident_opened", "0a",
      "{'v':1,'rule':'crash','source':'alertmanager','starts_ms':1800000000000,'plan':" OLD_PLAN "}" },
    { "resolved", "0a", "{'v':1," TARGET ",'environment':'shop','mode':'act'}" },
    { "refused", "0a",
      "{'v':1,'step':'steps.1','guard':'rollout','reason':'somebody','scope':'later','again_ms':"
      "1800000001000}" },
    { "intent", "0a", INTENT("1") },
    { "written", "0a",
      "{'v':1,'step':'steps.1','action':'restart','attempt':1,'write':1,'state':'done','wall_ms':"
      "1800000001000,'template_hash':'bad+1'}" },
    { "verdict", "0a",
      "{'v':1,'step':'steps.1','action':'restart','attempt':1,'verdict':'not_fixed','reason':'it fails "
      "again'}" },
    { "intent", "0a", INTENT("2") },
    { "written", "0a",
      "{'v':1,'step':'steps.1','action':'restart','attempt':2,'write':1,'state':'done','wall_ms':"
      "1800000001000,'template_hash':'bad+1'}" },
    { "verdict", "0a",
      "{'v':1,'step':'steps.1','action':'restart','attempt':2,'verdict':'not_fixed','reason':'it fails "
      "still'}" },
    { "paused", "", "{'v':1,'who':'anna','reason':'lunch'}" },
    { "resumed", "", "{'v':1,'who':'anna','reason':'back'}" },
};

/* The first `len` of them into the kit's two engines, which hold nothing yet. */
static void replay(struct engine_kit *k, size_t len)
{
    struct engine **engines[] = { &k->g, &k->shadow };
    for (size_t e = 0; e < 2; e++) {
        engine_free(*engines[e]);
        *engines[e] = NULL;
        cr_assert_eq(engine_new(engines[e], kit_actions, KIT_ACTIONS_LEN, NULL), ERR_OK);
        for (size_t n = 0; n < len; n++) {
            struct fact f;
            struct err err = ERR_INIT;
            char text[4096];
            snprintf(text, sizeof text, "%s", facts[n].text);
            for (char *c = text; *c; c++)
                *c = *c == '\'' ? '"' : *c;
            cr_assert_eq(fact_parse(&f, (int64_t)n + 1, KIT_START_MS + (int64_t)n, facts[n].kind,
                                    facts[n].incident, text, strlen(text), NULL, 0, &err),
                         ERR_OK, "%s", err.msg);
            cr_assert_eq(engine_apply(*engines[e], &f, &err), ERR_OK, "%s", err.msg);
            fact_release(&f);
        }
    }
}

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_old, .init = open_kit, .fini = close_kit);

#define ALL (sizeof facts / sizeof facts[0])

Test(engine_old, every_prefix_of_an_old_journal_is_read)
{
    for (size_t len = 1; len <= ALL; len++) {
        replay(&k, len);
        const char *why = engine_unsound(k.g);
        cr_assert_null(why, "after %zu: %s", len, why);
    }
}

Test(engine_old, a_plan_goes_on_where_the_older_release_left_it)
{
    replay(&k, ALL);
    kit_restart(&k);
    cr_assert_eq(kit_only(&k)->writes, 2);
    k.seen.fault = true;
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "bad+1");
    kit_observe(&k, NULL);
    kit_closed(&k, OUTCOME_ESCALATED, "for sre: it fails still");
}

Test(engine_old, a_condition_that_was_passed_is_not_asked_again)
{
    replay(&k, 10); /* to the first verdict */
    kit_restart(&k);
    struct workload *w = know_workload(k.g, "u-web"), *v = know_workload(k.shadow, "u-web");
    snprintf(w->proven[0], HASH_SIZE, "good"); /* by now the template would count as changed */
    snprintf(v->proven[0], HASH_SIZE, "good");
    snprintf(k.seen.template_hash, sizeof k.seen.template_hash, "bad+1");
    kit_observe(&k, NULL);
    const struct intent *n = &kit_effect(&k, EFFECT_ACT)->intent;
    cr_assert_str_eq(n->action, "restart");
    cr_assert_eq(n->attempt, 2);
}

Test(engine_old, a_write_on_its_way_is_asked_for)
{
    replay(&k, 8); /* to the first intent */
    kit_restart(&k);
    cr_assert_eq(kit_only(&k)->state, STATE_ACTING);
    snprintf(k.seen.restarted_at, sizeof k.seen.restarted_at, "2027-01-15T08:00:01Z");
    kit_observe(&k, NULL);
    cr_assert_eq(kit_fact(&k, FACT_WRITTEN)->u.written.state, WRITE_DONE);
}
