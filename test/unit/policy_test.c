/* test/unit/policy_test.c - policies: what is refused, what is read, what matches; plans as JSON:
 * test/unit/plan_test.c. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"
#include "test/kit/fault.h"

#define RULE_HEAD "version = 1; plans = { p = { steps = ( { do = \"restart\"; } ); }; }; rules = ( { "
#define RULE(text) RULE_HEAD text " } );"
#define GOOD_RULE "name = \"r\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; plan = \"p\"; "
#define STEP(text) "version = 1; plans = { p = { steps = ( { " text " } ); }; };"
#define ENVIRONMENT(text)                                                                                    \
    "version = 1; environments = ( { name = \"e\"; match = [ \"cluster=c\" ]; " text " } );"

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

struct bad {
    char text[320];
    char blamed[128];
};

ParameterizedTestParameters(policy, load_refuses_with_a_remedy)
{
    static struct bad cases[] = {
        { "", "key \"version\" is missing" },
        { "version = 2;", "version 2 was written for a newer release" },
        { "version = 1; rule = ( );", "did you mean \"rules\"?" },
        { RULE("match = [ \"a=b\" ]; target = { from = \"deployment\"; }; plan = \"p\";"),
          "key \"name\" is missing" },
        { RULE(GOOD_RULE "cooldwon = \"15m\";"), "unknown key \"cooldwon\"; did you mean \"cooldown\"?" },
        { RULE(GOOD_RULE "cooldown = \"0\";"), "must be from 1s to 30d, or \"none\"" },
        { RULE(GOOD_RULE "attempts = 0;"), "\"attempts\" is 0; it must be from 1 to 1000, or \"none\"" },
        { RULE(GOOD_RULE "attempts_per = \"none\";"), "\"attempts_per\"" },
        { RULE(GOOD_RULE "source = \"alertmanager\";"), "\"source\" must be an array of strings" },
        { RULE(GOOD_RULE "source = [ ];"), "\"source\" has 0 entries" },
        { RULE("name = \"r\"; match = [ ]; target = { from = \"deployment\"; }; plan = \"p\";"),
          "match = [ \"alertname=~\\\".+\\\"\" ]" },
        { RULE("name = \"r\"; match = \"a=b\"; target = { from = \"deployment\"; }; plan = \"p\";"),
          "must be an array of strings" },
        { RULE("name = \"r\"; match = [ \"a\" ]; target = { from = \"deployment\"; }; plan = \"p\";"),
          "no operator" },
        { RULE("name = \"r\"; match = [ \"a=~(\" ]; target = { from = \"deployment\"; }; plan = \"p\";"),
          "missing )" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; plan = \"q\";"),
          "unknown plan \"q\"" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; };"),
          "key \"plan\" is missing" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; plan = \"p\";"), "key \"target\" is missing" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { }; plan = \"p\";"), "key \"from\" is missing" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { from = \"pod\"; }; plan = \"p\";"),
          "from = \"pod\" needs owner = \"Deployment\"" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { from = \"pod\"; owner = \"ReplicaSet\"; }; "
               "plan = \"p\";"),
          "\"owner\" is \"ReplicaSet\"; write \"Deployment\"" },
        { RULE("name = \"r\"; match = [ \"a=b\" ]; target = { from = \"daemonset\"; owner = \"DaemonSet\"; "
               "}; plan = \"p\";"),
          "\"owner\" goes with from = \"pod\" only" },
        { RULE(GOOD_RULE "}, { " GOOD_RULE), "rule \"r\" stands already on line 1; names are unique" },
        { "version = 1; plans = { undo-or-restart = { steps = ( { do = \"restart\"; } ); }; }; rules = ( { "
          "name = \"r\"; match = [ \"a=b\" ]; "
          "target = { from = \"deployment\"; }; plan = \"undo-or-restrat\"; } );",
          "unknown plan \"undo-or-restrat\"; did you mean \"undo-or-restart\"?" },
        { ENVIRONMENT("mode = \"acts\";"), "\"mode\" is \"acts\"; did you mean \"act\"?" },
        { ENVIRONMENT("}, { name = \"e\"; match = [ \"cluster=d\" ];"), "environment \"e\" stands already" },
        { ENVIRONMENT("budget = ( );"), "a list of 1 to 4 limits" },
        { ENVIRONMENT("budget = \"unlimited\";"), "or \"none\"" },
        { ENVIRONMENT("budget = ( { actions = 0; per = \"1h\"; } );"),
          "\"actions\" is 0; it must be from 1 to 1000" },
        { ENVIRONMENT("budget = ( { actions = 1001; per = \"1h\"; } );"), "\"actions\" is 1001" },
        { ENVIRONMENT("budget = ( { actions = 5; } );"), "key \"per\" is missing" },
        { "version = 1; environments = ( { name = \"e\"; } );", "key \"match\" is missing" },
        { "version = 1; environments = ( { name = \"e\"; match = [ ]; } );",
          "match = [ \"cluster=~\\\".+\\\"\" ]" },
        { "version = 1; environments = ( { name = \"e\"; match = [ \"severity=critical\" ]; } );",
          "\"severity\" cannot stand here; write cluster, namespace, kind or name" },
        { "version = 1; ignore = [ \"a=b\" ];", "must be a list of at most 10000 arrays of matchers" },
        { "version = 1; ignore = ( \"a=b\" );", "must be an array of matchers" },
        { "version = 1; ignore = ( [ ] );", "would match every alert" },
        { "version = 1; plans = ( );", "\"plans\" must be a group of named plans" },
        { "version = 1; plans = { p = { }; };", "key \"steps\" is missing" },
        { "version = 1; plans = { p = { steps = ( ); }; };", "with at least one" },
        { "version = 1; plans = { p = { steps = ( { do = \"restart\"; } ); otherwse = ( ); }; };",
          "did you mean \"otherwise\"?" },
        { STEP("do = \"restrat\";"), "unknown action \"restrat\"; did you mean \"restart\"?" },
        { STEP("do = \"escalat\";"), "did you mean \"escalate\"?" },
        { STEP("do = \"reboot_the_world\";"),
          "there are \"escalate\", \"restart\", \"rollback\", \"scale\", \"delete_pod\"" },
        { STEP("do = \"rollback\"; to = \"last_stabel\";"), "did you mean \"last_stable\"?" },
        { STEP("do = \"restart\"; to = \"last_stable\";"), "unknown key \"to\"" },
        { STEP("do = \"scale\";"), "key \"replicas\" is missing" },
        { STEP("plan = \"p\";"), "would call itself for ever" },
        { STEP("plan = \"nowhere\";"), "there is no plan \"nowhere\"" },
        { STEP("wait = 5;"), "\"wait\" must be a time with its unit" },
        { STEP("wait = { within = \"5m\"; };"), "key \"until\" is missing" },
        { STEP("gate = { approvals = 6; };"), "it must be from 1 to 5" },
        { STEP("choose = { };"), "must be a list of 1 to 8 groups with steps" },
        { STEP("choose = ( \"a\" );"), "a group must stand here" },
        { STEP("parallel = ( { steps = ( { wait = \"1m\"; } ); } ); need = 2;"), "a number from 1 to 1" },
        { STEP("stop = \"healed\";"), "write \"not_healed\"" },
        { STEP("notify = \"sre\"; txt = \"a\";"), "did you mean \"text\"?" },
        { STEP("when = { not = 5; }; then = ( { wait = \"1m\"; } );"),
          "\"not\" must be a group of conditions" },
        { STEP("when = { any = ( ); }; then = ( { wait = \"1m\"; } );"), "\"any\" must be a list of 1 to 8" },
        { STEP("when = { not = { not = { not = { not = { not = { attempt = 1; }; }; }; }; }; }; then = ( { "
               "wait = \"1m\"; } );"),
          "more than 4 levels deep" },
        { STEP("when = { evidence = [ \"color=red\" ]; }; then = ( { wait = \"1m\"; } );"),
          "evidence has no \"color\"" },
        { STEP("when = { cause = [ \"oom\", \"aliens\" ]; }; then = ( { wait = \"1m\"; } );"),
          "there is no cause \"aliens\"" },
        { STEP("when = { cause = [ \"unknown\" ]; }; then = ( { wait = \"1m\"; } );"),
          "there is no cause \"unknown\"" },
        { STEP("do = \"restart\"; verify = { promql = { query = \"up\"; is = \"high\"; }; };"),
          "\"high\" is no comparison" },
        { STEP("do = \"restart\"; verify = { http = { url = \"ftp://x\"; }; };"), "must begin with http://" },
        { STEP("do = \"restart\"; verify = { http = { url = \"http://x\"; body = \"(\"; }; };"),
          "missing )" },
        { STEP("do = \"restart\"; verify = { rollout = \"ignore\"; alert = \"ignore\"; };"),
          "nothing is verified here" },
        { STEP("do = \"restart\"; verify = { need = 3; };"), "only 2 checks are asked for" },
        { STEP("do = \"scale\"; replicas = 0;"), "\"replicas\" is 0; it must be from 1 to 1000" },
        { STEP("do = \"restart\"; retry = 6;"), "\"retry\" is 6; it must be from 0 to 5" },
        { STEP("do = \"restart\"; verify = { within = \"1m\"; };"),
          "\"within\" is 1m; it must be longer than \"hold\", which is 1m" },
        { STEP("do = \"restart\"; verify = { alert = \"quite\"; };"), "did you mean \"quiet\"?" },
        { STEP("do = \"escalate\"; retry = 1;"),
          "unknown key \"retry\"; the keys here are \"do\", \"notify\"" },
        { STEP("when = { changed = \"image\"; }; then = ( { do = \"restart\"; } );"),
          "write \"whatever\", \"nothing\" or \"template\"" },
        { STEP("when = { changed = \"template\"; };"), "key \"then\" is missing" },
        { STEP("when = { }; then = ( { do = \"restart\"; } );"), "nothing is asked here" },
        { STEP("when = { changed = \"template\"; }; then = ( { do = \"restart\"; } ); do = \"restart\";"),
          "\"when\" and \"do\" cannot stand in one step; make two of it" },
        { STEP("retry = 1;"), "a step needs do = \"...\" (an action" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, policy, load_refuses_with_a_remedy)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, c->text, &errors), ERR_INVALID, "'%s' should be refused", c->text);
    cr_assert_null(p, "*ret must stay untouched on failure");
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
    cr_assert_eq(strncmp(buf_text(&errors), "policy.cfg:", 11), 0);
}

Test(policy, eight_mistakes_are_reported_at_once_each_with_its_line)
{
    static const char text[] = "version = 1;\n"
                               "environments = ( { name = \"prod\"; match = [ \"cluster=~prod\" ];\n"
                               "  mode = \"akt\";\n"                                      /* 3 */
                               "  budget = ( { actions = 5000; per = \"1h\"; } ); } );\n" /* 4 */
                               "ignore = ( [ \"alertname\" ], );\n" /* 5 a comma, 5 a matcher */
                               "rules = ( {\n"
                               "  name = \"r\"; match = [\n"
                               "    \"a=~(\" ];\n"                 /* 8 */
                               "  target = { from = \"pod\"; };\n" /* 9 */
                               "  plan = \"q\"; } );\n"            /* 10 */
                               "plans = { p = { steps = (\n"
                               "  { do = \"rollback\"; to = \"last\"; } ); }; };\n"; /* 12 */
    static const int lines[] = { 3, 4, 5, 5, 8, 9, 10, 12 };
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, text, &errors), ERR_INVALID);
    const char *at = buf_text(&errors);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "policy.cfg:%d:", lines[i]);
        cr_assert_eq(strncmp(at, expected, strlen(expected)), 0, "error %zu is not '%s': %s", i, expected,
                     at);
        at = strstr(at, "\npolicy.cfg:") ? strstr(at, "\npolicy.cfg:") + 1 : at + strlen(at);
    }
    cr_assert_eq(*at, '\0', "more than expected: %s", at);
}

/* `depth` levels of steps, `wide` restarts in the innermost. */
static enum err_code load_tree(unsigned depth, unsigned wide, struct buf *errors)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_adds(&text, "version = 1; plans = { p = { steps = (");
    for (unsigned i = 1; i < depth; i++)
        buf_adds(&text, "{ when = { changed = \"template\"; }; then = ( ");
    for (unsigned i = 0; i < wide; i++)
        buf_addf(&text, "%s{ do = \"restart\"; }", i ? ", " : "");
    for (unsigned i = 1; i < depth; i++)
        buf_adds(&text, "); }");
    buf_adds(&text, "); }; };");
    enum err_code code = load(&p, buf_text(&text), errors);
    policy_free(p);
    return code;
}

Test(policy, plans_have_limits)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load_tree(POLICY_PLAN_DEPTH_MAX, 1, &errors), ERR_OK, "%s", buf_text(&errors));
    cr_assert_eq(load_tree(1, POLICY_PLAN_NODES_MAX, &errors), ERR_OK, "%s", buf_text(&errors));
    cr_assert_eq(load_tree(POLICY_PLAN_DEPTH_MAX + 1, 1, &errors), ERR_INVALID);
    cr_assert(strstr(buf_text(&errors), "plan \"p\" is deeper than 8 levels of steps"), "%s",
              buf_text(&errors));
    cr_assert_eq(load_tree(1, POLICY_PLAN_NODES_MAX + 1, &errors), ERR_INVALID);
    cr_assert(strstr(buf_text(&errors), "plan \"p\" has more than 64 steps"), "%s", buf_text(&errors));
}

/* The language as a platform team writes it. */
static const char full[] =
    "version = 1;\n"
    "environments = (\n"
    "  { name = \"production\"; match = [ \"cluster=~\\\"prod-.*\\\"\", \"namespace!=\\\"x\\\"\" ]; mode = "
    "\"act\";\n"
    "    budget = ( { actions = 20; per = \"1h\"; }, { actions = 60; per = \"1d\"; } ); own_rollouts = "
    "false; well_for = \"20m\"; },\n"
    "  { name = \"rest\"; match = [ \"cluster=~\\\".+\\\"\", \"kind=Deployment\", \"name!=db\" ]; budget = "
    "\"none\"; }\n"
    ");\n"
    "ignore = ( [ \"alertname=Watchdog\" ], [ \"namespace=~\\\"kube-system|monitoring\\\"\", "
    "\"severity=info\" ] );\n"
    "rules = (\n"
    "  { name = \"crash-looping-deployment\"; match = [ \"alertname=KubePodCrashLooping\" ]; source = [ "
    "\"alertmanager\", \"am-eu\" ];\n"
    "    target = { from = \"pod\"; owner = \"Deployment\"; }; plan = \"undo-or-restart\"; cooldown = "
    "\"10m\"; attempts = 5;\n"
    "    attempts_per = \"5h\"; alert_age = \"2h\"; },\n"
    "  { name = \"any\"; match = [ \"alertname=~\\\".+\\\"\" ]; target = { from = \"statefulset\"; }; plan = "
    "\"undo-or-restart\";\n"
    "    cooldown = \"none\"; attempts = \"none\"; alert_age = \"none\"; }\n"
    ");\n"
    "plans = {\n"
    "  undo-or-restart = {\n"
    "    steps = (\n"
    "      { when = { changed = \"template\"; }; then = ( { do = \"rollback\"; to = \"previous\"; } );\n"
    "        otherwise = ( { do = \"delete_pod\"; } ); },\n"
    "      { do = \"restart\"; retry = 1;\n"
    "        verify = { rollout = \"complete\"; alert = \"ignore\"; hold = \"2m\"; within = \"10m\"; every = "
    "\"3s\"; }; },\n"
    "      { do = \"scale\"; replicas = 3; }\n"
    "    );\n"
    "    otherwise = ( { do = \"escalate\"; notify = \"sre\"; } );\n"
    "  };\n"
    "  unused = { steps = ( { do = \"escalate\"; } ); };\n"
    "};\n";

Test(policy, environments_are_read)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    cr_assert_eq(p->version, 1);
    cr_assert_eq(p->environments_len, 2);
    const struct environment *production = &p->environments[0], *rest = &p->environments[1];
    cr_assert_str_eq(production->name, "production");
    cr_assert_eq(production->mode, MODE_ACT);
    cr_assert_eq(production->budgets_len, 2);
    cr_assert_eq(production->budgets[1].actions, 60);
    cr_assert_eq(production->budgets[1].per_ms, 86400000);
    cr_assert_eq(production->well_for_ms, 1200000);
    cr_assert_eq(production->line, 3);
    cr_assert_eq(rest->mode, MODE_OBSERVE, "the default");
    cr_assert_eq(rest->budgets_len, 0, "\"none\"");
    cr_assert_not(rest->own_rollouts);
    cr_assert_eq(rest->well_for_ms, 900000);
}

Test(policy, budget_that_is_not_given_is_the_default)
{
    CLEANUP(policy_freep) struct policy *p = loaded(ENVIRONMENT(""));
    cr_assert_eq(p->environments[0].budgets_len, 2);
    cr_assert_eq(p->environments[0].budgets[0].actions, 10);
    cr_assert_eq(p->environments[0].budgets[0].per_ms, 3600000);
    cr_assert_eq(p->environments[0].budgets[1].actions, 30);
    cr_assert_eq(p->environments[0].budgets[1].per_ms, 86400000);
}

Test(policy, rules_are_read)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    const struct rule *r = &p->rules[0], *any = &p->rules[1];
    cr_assert_eq(p->rules_len, 2);
    cr_assert_eq(r->targets[0].from, FROM_POD);
    cr_assert_str_eq(r->targets[0].owner, "Deployment");
    cr_assert_eq(r->plan, &p->plans[0]);
    cr_assert_eq(r->cooldown_ms, 600000);
    cr_assert_eq(r->attempts, 5);
    cr_assert_eq(r->attempts_per_ms, 18000000);
    cr_assert_eq(r->alert_age_ms, 7200000);
    cr_assert_eq(r->sources.len, 2);
    cr_assert_eq(any->targets[0].from, FROM_STATEFULSET);
    cr_assert_null(any->targets[0].owner);
    cr_assert_eq(any->cooldown_ms, 0, "\"none\"");
    cr_assert_eq(any->attempts, INT64_MAX);
    cr_assert_eq(any->attempts_per_ms, 21600000, "the default");
    cr_assert_eq(any->alert_age_ms, INT64_MAX);
    cr_assert_eq(policy_rule(p, "any"), any);
    cr_assert_null(policy_rule(p, "vanished"));
}

Test(policy, limits_of_a_rule_that_are_not_given_are_the_defaults)
{
    CLEANUP(policy_freep) struct policy *p = loaded(RULE(GOOD_RULE));
    cr_assert_eq(p->rules[0].cooldown_ms, 900000);
    cr_assert_eq(p->rules[0].attempts, 3);
    cr_assert_eq(p->rules[0].attempts_per_ms, 21600000);
    cr_assert_eq(p->rules[0].alert_age_ms, 3600000);
    cr_assert_eq(p->rules[0].sources.len, 0);
}

Test(policy, plans_are_read)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    const struct plan *plan = &p->plans[0];
    cr_assert_str_eq(plan->name, "undo-or-restart");
    cr_assert_eq(plan->phases[PHASE_STEPS].len, 3);
    cr_assert_eq(plan->phases[PHASE_STEPS].items[0].type, NODE_WHEN);
    cr_assert_eq(plan->phases[PHASE_STEPS].items[0].when.changed, CHANGED_TEMPLATE);
    cr_assert_eq(plan->phases[PHASE_STEPS].items[0].then.items[0].action, &kit_actions[1]);
    cr_assert_eq(plan->phases[PHASE_STEPS].items[0].then.items[0].params[0], 1, "\"previous\"");
    cr_assert_eq(plan->phases[PHASE_STEPS].items[0].otherwise.items[0].action, &kit_actions[3]);
    const struct node *restart = &plan->phases[PHASE_STEPS].items[1],
                      *scale = &plan->phases[PHASE_STEPS].items[2];
    cr_assert_eq(restart->retry, 1);
    cr_assert(restart->verify.rollout);
    cr_assert_not(restart->verify.alert);
    cr_assert_eq(restart->verify.hold_ms, 120000);
    cr_assert_eq(restart->verify.within_ms, 600000);
    cr_assert_eq(restart->verify.every_ms, 3000);
    cr_assert_eq(scale->params[0], 3);
    cr_assert(scale->verify.rollout && scale->verify.alert, "the defaults");
    cr_assert_eq(scale->verify.within_ms, 1200000);
    cr_assert_eq(plan->phases[PHASE_OTHERWISE].items[0].type, NODE_ESCALATE);
    cr_assert_str_eq(plan->phases[PHASE_OTHERWISE].items[0].notify, "sre");
    cr_assert_null(p->plans[1].phases[PHASE_STEPS].items[0].notify);
}

/* ---- matching ---- */

static void label(struct alert *a, const char *name, const char *value)
{
    cr_assert_eq(map_set(&a->labels, name, value, NULL), ERR_OK);
}

static const char *match(const struct policy *p, struct alert *a, const char *source)
{
    snprintf(a->source, sizeof a->source, "%s", source);
    const struct rule *r = policy_match(p, a);
    return r ? r->name : "";
}

Test(policy, rule_listens_to_its_sources_only)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    cr_assert_str_eq(match(p, &a, "alertmanager"), "", "no alertname");
    label(&a, "alertname", "KubePodCrashLooping");
    cr_assert_str_eq(match(p, &a, "alertmanager"), "crash-looping-deployment", "the first of two that match");
    cr_assert_str_eq(match(p, &a, "am-eu"), "crash-looping-deployment");
    cr_assert_str_eq(match(p, &a, "grafana"), "any");
    cr_assert_str_eq(match(p, &a, "github"), "", "a rule without source hears Alertmanager and Grafana only");
    label(&a, "alertname", "Other");
    cr_assert_str_eq(match(p, &a, "alertmanager"), "any");
}

Test(policy, rule_without_source_asks_for_the_kind_of_the_source)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    char eu_name[] = "eu", ci_name[] = "grafana";
    const struct source eu = { .name = eu_name, .kind = SOURCE_ALERTMANAGER };
    const struct source ci = { .name = ci_name, .kind = SOURCE_GITHUB };
    const struct source *sources[] = { &eu, &ci };
    p->sources = sources;
    p->sources_len = 2;
    label(&a, "alertname", "Other");
    cr_assert_str_eq(match(p, &a, "eu"), "any");
    cr_assert_str_eq(match(p, &a, "grafana"), "", "its name does not make it a Grafana");
    cr_assert_eq(policy_source(p, "eu"), &eu);
    cr_assert_null(policy_source(p, "us"));
}

Test(policy, ignore_pattern_wants_all_of_its_matchers)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    label(&a, "namespace", "monitoring");
    cr_assert_eq(policy_ignored(p, &a.labels), -1);
    label(&a, "severity", "info");
    cr_assert_eq(policy_ignored(p, &a.labels), 1);
    label(&a, "alertname", "Watchdog");
    cr_assert_eq(policy_ignored(p, &a.labels), 0);
}

Test(policy, environment_is_judged_on_the_target)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    struct target t = { .cluster = "prod-1", .namespace = "shop", .kind = "Deployment", .name = "checkout" };
    cr_assert_eq(policy_environment(p, &t), &p->environments[0]);
    snprintf(t.namespace, sizeof t.namespace, "x");
    cr_assert_eq(policy_environment(p, &t), &p->environments[1]);
    snprintf(t.name, sizeof t.name, "db");
    cr_assert_null(policy_environment(p, &t));
    snprintf(t.name, sizeof t.name, "web");
    snprintf(t.kind, sizeof t.kind, "DaemonSet");
    cr_assert_null(policy_environment(p, &t));
}

Test(policy, deciding_takes_no_memory)
{
    CLEANUP(policy_freep) struct policy *p = loaded(full);
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    const struct target t = {
        .cluster = "prod-1", .namespace = "shop", .kind = "Deployment", .name = "checkout"
    };
    label(&a, "alertname", "Other");
    snprintf(a.source, sizeof a.source, "alertmanager");
    fault_malloc_at(1);
    const struct rule *r = policy_match(p, &a);
    const struct environment *env = policy_environment(p, &t);
    int ignored = policy_ignored(p, &a.labels);
    cr_assert_not(fault_hit());
    cr_assert(r == &p->rules[1] && env == &p->environments[0] && ignored == -1);
}

Test(policy, reload_shares_nothing_with_the_old)
{
    struct policy *old = loaded(full);
    CLEANUP(policy_freep) struct policy *new = loaded(full);
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    label(&a, "alertname", "KubePodCrashLooping");
    policy_free(old);
    cr_assert_str_eq(match(new, &a, "alertmanager"), "crash-looping-deployment");
    cr_assert_str_eq(policy_rule(new, "any")->plan->name, "undo-or-restart");
}

Test(policy, load_without_memory_says_so)
{
    unsigned n = 0;
    do {
        struct policy *p = NULL;
        CLEANUP(buf_release) struct buf errors = BUF_INIT;
        fault_malloc_at(++n);
        enum err_code code = load(&p, full, &errors);
        cr_assert(code == ERR_OK || code == ERR_NOMEM, "allocation %u: %s", n, buf_text(&errors));
        cr_assert_eq(p != NULL, code == ERR_OK, "allocation %u", n);
        policy_free(p);
    } while (fault_hit());
    cr_assert_gt(n, 50u, "a policy takes memory: %u", n);
}

Test(policy, starter_policy_loads_and_only_observes)
{
    FILE *file = fopen(SOURCE_DIR "/rules/policies/starter.cfg", "r");
    char text[8192] = "";
    cr_assert_not_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    CLEANUP(policy_freep) struct policy *p = loaded(text);
    cr_assert_gt(p->rules_len, 0);
    for (size_t i = 0; i < p->environments_len; i++)
        cr_assert_eq(p->environments[i].mode, MODE_OBSERVE, "environment %zu", i);
}

Test(policy, reference_has_all_levels)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    config_reference(&out, "policy.cfg", policy_keys, 2);
    cr_assert(buf_ok(&out));
    cr_assert(strstr(buf_text(&out), "#### policy.cfg: `environments`: `budget`"), "%s", buf_text(&out));
    cr_assert(strstr(buf_text(&out), "##### policy.cfg: `plans`: `steps`: `verify`"), "%s", buf_text(&out));
    cr_assert(strstr(buf_text(&out), "| `cooldown` | time, 1s to 30d, or `\"none\"` | `\"15m\"` |"), "%s",
              buf_text(&out));
}
