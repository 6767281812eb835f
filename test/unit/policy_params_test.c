/* test/unit/policy_params_test.c - plans that rules and calls fill in. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

#define RULE(text)                                                                                           \
    "version = 1; rules = ( { name = \"r\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; " text \
    " } ); "
#define PLAN(text) "plans = { p = { " text " }; };"
#define PATTERN                                                                                              \
    PLAN(                                                                                                    \
        "params = { pause = \"2m\"; }; steps = ( { do = \"scale\"; replicas = \"${params.n}\"; retry = "     \
        "\"${params.retry:-2}\"; verify = { promql = { query = \"up{app=\\\"${params.app}\\\"}\"; is = \"> " \
        "${params.least}\"; }; }; }, "                                                                       \
        "{ wait = \"${params.pause}\"; } );")

static enum err_code load(struct policy **ret, const char *text, struct buf *errors)
{
    return policy_load(ret, "policy.cfg", text, strlen(text), kit_actions, KIT_ACTIONS_LEN, errors, NULL);
}

static struct policy *loaded(const char *text)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, text, &errors), ERR_OK, "%s", buf_text(&errors));
    return p;
}

Test(policy_params, a_rule_fills_its_plan_in)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded(
        RULE("plan = \"p\"; params = { app = \"${labels.app|lower}\"; n = 3; least = \"0.5\"; };") PATTERN);
    const struct node *scale = &p->rules[0].plan->phases[PHASE_STEPS].items[0], *wait = scale + 1;
    cr_assert_eq(scale->params[0], 3);
    cr_assert_eq(scale->retry, 2);
    cr_assert_str_eq(scale->verify.promql.query, "up{app=\"${labels.app|lower}\"}");
    cr_assert_eq(scale->verify.promql.comparison, COMPARE_GT);
    cr_assert_float_eq(scale->verify.promql.value, 0.5, 1e-9);
    cr_assert_eq(wait->wait.for_ms, 120000);
    cr_assert_str_eq(p->rules[0].plan->name, "p");
    cr_assert_eq(p->plans[0].needs.len, 3, "the pattern itself is not to be run");
}

Test(policy_params, a_profile_is_overridden_by_the_rule)
{
    CLEANUP(policy_freep)
    struct policy *p =
        loaded(RULE("plan = \"p\"; profile = \"small\"; params = { n = \"4\"; };") PATTERN
               "profiles = { small = { app = \"x\"; n = \"1\"; least = \"1\"; pause = \"9s\"; other = "
               "\"unused is fine\"; }; };");
    const struct node *scale = &p->rules[0].plan->phases[PHASE_STEPS].items[0];
    cr_assert_eq(scale->params[0], 4);
    cr_assert_eq(scale[1].wait.for_ms, 9000);
}

Test(policy_params, rules_share_one_plan_each_in_its_own_way)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded("version = 1; rules = ( { name = \"a\"; match = [ \"a=b\" ]; target = { from = "
                              "\"deployment\"; }; plan "
                              "= \"p\"; params = { n = 1; app = \"a\"; least = 0; }; }, "
                              "{ name = \"b\"; match = [ \"a=c\" ]; target = { from = \"deployment\"; }; "
                              "plan = \"p\"; params = { n = "
                              "2; app = \"b\"; least = 0; }; } ); " PATTERN);
    cr_assert_eq(p->rules[0].plan->phases[PHASE_STEPS].items[0].params[0], 1);
    cr_assert_eq(p->rules[1].plan->phases[PHASE_STEPS].items[0].params[0], 2);
}

Test(policy_params, a_call_passes_on_what_the_rule_gives)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded(RULE(
        "plan = \"outer\"; params = { app = \"${labels.app}\"; };") "plans = { outer = { steps = ( { plan = "
                                                                    "\"inner\"; with = { who = "
                                                                    "\"${params.app}\"; t = \"7s\"; }; } ); "
                                                                    "}; "
                                                                    "inner = { params = { t = \"1s\"; who = "
                                                                    "\"nobody\"; }; steps = ( { notify = "
                                                                    "\"sre\"; "
                                                                    "text = \"${params.who|lower}\"; }, { "
                                                                    "wait = "
                                                                    "\"${params.t}\"; } ); }; };");
    const struct node *call = &p->rules[0].plan->phases[PHASE_STEPS].items[0];
    cr_assert_eq(call->type, NODE_CALL);
    cr_assert_str_eq(call->then.items[0].text, "${labels.app|lower}");
    cr_assert_eq(call->then.items[1].wait.for_ms, 7000);
    cr_assert_str_eq(p->plans[0].phases[PHASE_STEPS].items[0].then.items[0].text, "${params.app|lower}");
}

struct bad {
    char text[512], blamed[160];
};

ParameterizedTestParameters(policy_params, load_refuses_with_a_remedy)
{
    static struct bad cases[] = {
        { RULE("plan = \"p\";") PATTERN,
          "plan \"p\" needs parameters; write params = { app = \"...\"; least = \"...\"; n = \"...\"; }" },
        { RULE("plan = \"p\"; params = { n = 1; };") PATTERN,
          "plan \"p\" needs the parameter \"app\", which nobody gives here; in rule \"r\" of line 1" },
        { RULE("plan = \"p\"; params = { n = 1; app = \"x\"; color = \"red\"; };") PATTERN,
          "plan \"p\" has no ${params.color}; remove the parameter" },
        { RULE("plan = \"p\"; params = { n = 0; app = \"x\"; };") PATTERN,
          "\"replicas\" is 0; it must be from 1 to 1000; in rule \"r\"" },
        { RULE("plan = \"p\"; params = { n = \"many\"; app = \"x\"; };") PATTERN,
          "\"replicas\" must be a whole number" },
        { RULE("plan = \"p\"; params = { n = 1; app = \"x\"; pause = \"${labels.x}\"; };") PATTERN,
          "\"wait\": " },
        { RULE("plan = \"p\"; profile = \"big\";") PATTERN, "unknown profile \"big\"" },
        { RULE("plan = \"p\"; params = ( );") PATTERN, "\"params\" must be a group of at most 16 texts" },
        { RULE("plan = \"p\"; params = { n = \"${label.x}\"; app = \"x\"; };") PATTERN, "names nothing" },
        { "version = 1; profiles = ( );", "\"profiles\" must be a group of named groups" },
        { "version = 1; " PLAN("params = { x = \"1\"; }; steps = ( { wait = \"1s\"; } );"),
          "plan \"p\" has no ${params.x}" },
        { "version = 1; plans = { p = { steps = ( { plan = \"q\"; } ); }; q = { steps = ( { wait = "
          "\"${params.t}\"; } ); "
          "}; };",
          "plan \"q\" needs the parameter \"t\"" },
        { "version = 1; plans = { p = { steps = ( { plan = \"q\"; with = { t = \"1s\"; u = \"2\"; }; } ); }; "
          "q = { steps "
          "= ( { wait = \"${params.t}\"; } ); }; };",
          "plan \"q\" has no ${params.u}" },
        { "version = 1; " PLAN("steps = ( { do = \"${params.a}\"; } );"), "cannot be a parameter" },
        { "version = 1; " PLAN("steps = ( { notify = \"${labels.team}\"; } );"), "is taken as it is" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, policy_params, load_refuses_with_a_remedy)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, c->text, &errors), ERR_INVALID, "'%s' should be refused", c->text);
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
}

Test(policy_params, a_mistake_in_a_shared_plan_is_said_once)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p,
                      RULE("plan = \"p\"; params = { t = \"1s\"; };")
                          PLAN("steps = ( { wait = \"${params.t}\"; }, { do = \"restrat\"; } );"),
                      &errors),
                 ERR_INVALID);
    const char *first = strstr(buf_text(&errors), "unknown action");
    cr_assert_not_null(first);
    cr_assert_null(strstr(first + 1, "unknown action"), "%s", buf_text(&errors));
}
