/* test/unit/plan_test.c - plans as JSON, as incidents keep them; and what sources may claim. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"
#include "test/kit/fault.h"

#define VERIFY                                                                                               \
    "\"verify\":{\"rollout\":true,\"alert\":true,\"hold_ms\":60000,\"within_ms\":1200000,\"every_ms\":5000}"
#define RESTART "{\"do\":\"restart\",\"params\":{},\"retry\":0," VERIFY "}"
#define PLAN(steps) "{\"name\":\"p\",\"steps\":[" steps "],\"otherwise\":[]}"

static enum err_code parse(struct plan **ret, const char *text, struct err *e)
{
    struct json_doc *doc = NULL;
    enum err_code code = json_parse(&doc, text, strlen(text), e);
    cr_assert_eq(code, ERR_OK, "%s: %s", text, e->msg);
    code = plan_parse(ret, json_root(doc), kit_actions, KIT_ACTIONS_LEN, e);
    json_free(doc);
    return code;
}

struct bad {
    char text[320];
    enum err_code code;
    char blamed[48];
};

ParameterizedTestParameters(plan, parse_refuses_what_a_newer_release_may_have_written)
{
    static struct bad cases[] = {
        { "[]", ERR_INVALID, "object with \"name\"" },
        { "{\"name\":\"p\",\"steps\":5,\"otherwise\":[]}", ERR_INVALID, "list" },
        { "{\"name\":\"p\",\"steps\":[]}", ERR_INVALID, "list" },
        { "{\"name\":\"p\",\"steps\":[],\"otherwise\":[],\"later\":[]}", ERR_VERSION, "\"later\"" },
        { PLAN("{\"gate\":{}}"), ERR_INVALID, "\"approvals\"" },
        { PLAN("{\"page\":{}}"), ERR_VERSION, "\"page\"" },
        { PLAN("{\"choose\":{}}"), ERR_INVALID, "branches" },
        { PLAN("{\"stop\":{\"outcome\":\"healed\"}}"), ERR_VERSION, "\"healed\"" },
        { PLAN("{}"), ERR_VERSION, "kind of step" },
        { PLAN("5"), ERR_VERSION, "kind of step" },
        { PLAN("{\"do\":\"drain\",\"params\":{},\"retry\":0," VERIFY "}"), ERR_VERSION, "action \"drain\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{},\"retry\":0,\"pause\":1," VERIFY "}"), ERR_VERSION,
          "\"pause\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{\"to\":\"x\"},\"retry\":0," VERIFY "}"), ERR_VERSION,
          "parameter \"to\"" },
        { PLAN("{\"do\":\"restart\",\"retry\":0," VERIFY "}"), ERR_INVALID, "\"params\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{}," VERIFY "}"), ERR_INVALID, "\"retry\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{},\"retry\":0}"), ERR_INVALID, "\"verify\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{},\"retry\":0,\"verify\":{\"rollout\":1}}"), ERR_INVALID,
          "\"rollout\"" },
        { PLAN("{\"do\":\"restart\",\"params\":{},\"retry\":0,\"verify\":{\"traces\":1}}"), ERR_VERSION,
          "\"traces\"" },
        { PLAN("{\"do\":\"rollback\",\"params\":{\"to\":\"moon\"},\"retry\":0," VERIFY "}"), ERR_VERSION,
          "\"moon\"" },
        { PLAN("{\"do\":\"scale\",\"params\":{\"replicas\":-1},\"retry\":0," VERIFY "}"), ERR_VERSION,
          "\"replicas\"" },
        { PLAN("{\"when\":{\"changed\":\"ConfigMap\"},\"then\":[],\"otherwise\":[]}"), ERR_VERSION,
          "\"ConfigMap\"" },
        { PLAN("{\"when\":{\"query\":\"up\"},\"then\":[],\"otherwise\":[]}"), ERR_VERSION, "\"query\"" },
        { PLAN("{\"when\":{\"changed\":\"nothing\"},\"then\":[]}"), ERR_INVALID, "list" },
        { PLAN("{\"escalate\":{\"page\":\"x\"}}"), ERR_VERSION, "\"page\"" },
        { PLAN("{\"escalate\":{},\"then\":[]}"), ERR_VERSION, "\"then\"" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, plan, parse_refuses_what_a_newer_release_may_have_written)
{
    struct plan *p = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(parse(&p, c->text, &e), c->code, "%s: %s", c->text, e.msg);
    cr_assert_null(p, "*ret must stay untouched on failure");
    cr_assert(strstr(e.msg, c->blamed), "'%s' should say '%s'", e.msg, c->blamed);
}

/* A tree of `depth` levels with `wide` steps in the innermost. */
static enum err_code parse_tree(unsigned depth, unsigned wide, struct err *e)
{
    struct plan *p = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_adds(&text, "{\"name\":\"p\",\"steps\":[");
    for (unsigned i = 1; i < depth; i++)
        buf_adds(&text, "{\"when\":{\"changed\":\"nothing\"},\"otherwise\":[],\"then\":[");
    for (unsigned i = 0; i < wide; i++)
        buf_addf(&text, "%s" RESTART, i ? "," : "");
    for (unsigned i = 1; i < depth; i++)
        buf_adds(&text, "]}");
    buf_adds(&text, "],\"otherwise\":[]}");
    enum err_code code = parse(&p, buf_text(&text), e);
    plan_free(p);
    return code;
}

Test(plan, parse_has_the_limits_of_the_policy)
{
    struct err e = ERR_INIT;
    cr_assert_eq(parse_tree(POLICY_PLAN_DEPTH_MAX, POLICY_PLAN_NODES_MAX - POLICY_PLAN_DEPTH_MAX + 1, &e),
                 ERR_OK, "%s", e.msg);
    cr_assert_eq(parse_tree(POLICY_PLAN_DEPTH_MAX + 1, 1, &e), ERR_LIMIT);
    cr_assert_eq(parse_tree(1, POLICY_PLAN_NODES_MAX + 1, &e), ERR_LIMIT);
}

static const char every_kind[] =
    "version = 1; windows = ( { name = \"night\"; from = \"22:00\"; to = \"06:00\"; }, { name = \"day\"; } "
    ");\n"
    "environments = ( { name = \"prod\"; match = [ \"cluster=c\" ]; } );\n"
    "plans = { p = { steps = (\n"
    "  { when = { changed = \"template\"; }; then = ( { do = \"rollback\"; to = \"previous\"; } ); },\n"
    "  { when = { changed = \"nothing\"; }; then = ( { do = \"delete_pod\"; } ); otherwise = ( { do = "
    "\"escalate\"; } ); },\n"
    "  { do = \"restart\"; retry = 2; verify = { alert = \"ignore\"; hold = \"2m\"; within = \"10m\"; every "
    "= \"3s\"; }; },\n"
    "  { do = \"scale\"; replicas = 3; name = \"more\"; backoff = \"10s\"; timeout = \"1h\"; undo = true;\n"
    "    verify = { promql = { query = \"up\"; is = \">= 0.5\"; }; loki = { query = \"{a=\\\"b\\\"}\"; is = "
    "\"empty\"; };\n"
    "      http = { url = \"https://shop/\"; status = 204; body = \"ok\"; }; condition = \"Available\"; need "
    "= 2;\n"
    "      on_unknown = \"next\"; }; },\n"
    "  { when = { match = [ \"a=b\", \"c=~d\" ]; annotations = [ \"x!=y\" ]; evidence = [ "
    "\"reason=OOMKilled\" ];\n"
    "      cause = [ \"oom\" ]; environment = [ \"prod\" ]; during = \"night\"; attempt = 2;\n"
    "      step = { name = \"more\"; result = \"not_fixed\"; }; promql = { query = \"up\"; };\n"
    "      not = { during = \"day\"; }; any = ( { attempt = 3; }, { changed = \"nothing\"; } ); };\n"
    "    then = ( { gate = { role = \"sre\"; approvals = 2; expires = \"1h\"; notify = \"sre\"; text = \"may "
    "I?\"; }; } ); },\n"
    "  { wait = \"2m\"; }, { wait = { until = { attempt = 1; }; within = \"5m\"; every = \"1s\"; }; name = "
    "\"w\"; },\n"
    "  { choose = ( { name = \"a\"; steps = ( { do = \"restart\"; } ); }, { steps = ( { do = \"scale\"; "
    "replicas = 1; } ); } );\n"
    "    by = \"success\"; },\n"
    "  { parallel = ( { steps = ( { do = \"restart\"; } ); }, { steps = ( { do = \"scale\"; replicas = 1; } "
    "); } ); need = \"any\"; },\n"
    "  { plan = \"q\"; name = \"called\"; }, { notify = \"sre\"; text = \"hm\"; }, { stop = \"escalated\"; "
    "}\n"
    "); prepare = ( { notify = \"sre\"; } ); stabilise = ( { wait = \"1m\"; } ); validate = ( { wait = "
    "\"2m\"; } );\n"
    "  optimise = ( { wait = \"3m\"; } ); cleanup = ( { wait = \"4m\"; } ); report = ( { notify = \"all\"; } "
    "); otherwise = ( { do = \"escalate\"; notify = \"sre \\\"a\\\"\"; } ); };\n"
    "  q = { steps = ( { do = \"delete_pod\"; } ); }; };\n";

static char *written(struct json_writer *w, const struct plan *p)
{
    size_t len;
    jw_reset(w);
    plan_write(w, p);
    const char *text = jw_text(w, &len);
    cr_assert_not_null(text);
    return strdup(text);
}

Test(plan, parse_of_write_writes_equal_bytes)
{
    CLEANUP(policy_freep) struct policy *policy = NULL;
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct plan *again = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(policy_load(&policy, "policy.cfg", every_kind, strlen(every_kind), kit_actions,
                             KIT_ACTIONS_LEN, NULL, &e),
                 ERR_OK, "%s", e.msg);
    cr_assert_eq(json_writer_new(&w, &e), ERR_OK);
    char *first = written(w, &policy->plans[0]);
    cr_assert_eq(parse(&again, first, &e), ERR_OK, "%s: %s", first, e.msg);
    char *second = written(w, again);
    cr_assert_str_eq(second, first);
    cr_assert_eq(again->phases[PHASE_STEPS].items[0].then.items[0].params[0], 1);
    cr_assert_eq(again->phases[PHASE_STEPS].items[2].verify.every_ms, 3000);
    const struct node *steps = again->phases[PHASE_STEPS].items;
    cr_assert_eq(again->phases[PHASE_STEPS].len, 12);
    cr_assert_eq(steps[3].verify.promql.comparison, COMPARE_GE);
    cr_assert(steps[3].verify.promql.value > 0.49 && steps[3].verify.promql.value < 0.51);
    cr_assert_eq(steps[3].verify.loki.comparison, COMPARE_EMPTY);
    cr_assert_eq(steps[3].verify.on_unknown, UNKNOWN_MOVES_ON);
    cr_assert_eq(steps[4].when.any_len, 2);
    cr_assert_eq(steps[4].when.step.result, RESULT_NOT_FIXED);
    cr_assert_eq(steps[4].then.items[0].gate.approvals, 2);
    cr_assert_eq(steps[5].wait.for_ms, 120000);
    cr_assert_eq(steps[6].when.attempt, 1);
    cr_assert_eq(steps[8].need, 1);
    cr_assert_str_eq(steps[9].then.items[0].action->name, "delete_pod");
    cr_assert_eq(again->phases[PHASE_CLEANUP].items[0].wait.for_ms, 240000);
    cr_assert_str_eq(again->phases[PHASE_OTHERWISE].items[0].notify, "sre \"a\"");
    cr_assert_null(again->phases[PHASE_STEPS].items[1].otherwise.items[0].notify);
    free(first);
    free(second);
    plan_free(again);
}

Test(plan, parameter_that_an_older_release_did_not_know_has_its_default)
{
    struct plan *p = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(parse(&p, PLAN("{\"do\":\"rollback\",\"params\":{},\"retry\":0," VERIFY "}"), &e), ERR_OK,
                 "%s", e.msg);
    cr_assert_eq(p->phases[PHASE_STEPS].items[0].params[0], 0, "\"last_stable\"");
    plan_free(p);
}

Test(plan, parse_without_memory_says_so)
{
    static const char text[] = PLAN("{\"when\":{\"changed\":\"nothing\"},\"then\":[" RESTART
                                    "],\"otherwise\":[{\"escalate\":{\"notify\":\"x\"}}]}");
    struct json_doc *doc = NULL;
    cr_assert_eq(json_parse(&doc, text, strlen(text), NULL), ERR_OK);
    unsigned n = 0;
    do {
        struct plan *p = NULL;
        fault_malloc_at(++n);
        enum err_code code = plan_parse(&p, json_root(doc), kit_actions, KIT_ACTIONS_LEN, NULL);
        cr_assert(code == ERR_OK || (code == ERR_NOMEM && !p), "allocation %u", n);
        plan_free(p);
    } while (fault_hit());
    cr_assert_gt(n, 4u);
    json_free(doc);
}

struct comparison_case {
    char is[16];
    uint32_t series;
    double least, most;
    int holds; /* -1: no comparison */
};

ParameterizedTestParameters(plan, comparison_is_of_every_series)
{
    static struct comparison_case cases[] = {
        { "> 0.5", 2, 0.6, 0.9, 1 },  { "> 0.5", 2, 0.5, 0.9, 0 }, { ">= 0.5", 1, 0.5, 0.5, 1 },
        { "<1", 2, 0, 0.9, 1 },       { "< 1", 2, 0, 1, 0 },       { "<= 1", 1, 1, 1, 1 },
        { "== 0", 2, 0, 0, 1 },       { "== 0", 2, 0, 1, 0 },      { "!= 0", 2, -2, -1, 1 },
        { "!= 0", 2, -1, 1, 0 },      { "> 0", 0, 0, 0, 0 },       { "empty", 0, 0, 0, 1 },
        { "empty", 1, 0, 0, 0 },      { "any", 1, 0, 0, 1 },       { "any", 0, 0, 0, 0 },
        { "> -1e3", 1, -10, -10, 1 }, { "0.5", 1, 0, 0, -1 },      { "> x", 1, 0, 0, -1 },
        { "empty 1", 1, 0, 0, -1 },   { "", 1, 0, 0, -1 },         { "> 1 2", 1, 0, 0, -1 },
        { "=> 1", 1, 0, 0, -1 },      { "> inf", 1, 0, 0, -1 },    { "any any", 1, 0, 0, -1 },
    };
    return cr_make_param_array(struct comparison_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct comparison_case *c, plan, comparison_is_of_every_series)
{
    struct query q = { .comparison = COMPARE_ANY };
    struct err e = ERR_INIT;
    enum err_code code = comparison_parse(&q, c->is, &e);
    cr_assert_eq(code, c->holds < 0 ? ERR_INVALID : ERR_OK, "'%s': %s", c->is, e.msg);
    if (c->holds >= 0)
        cr_assert_eq(comparison_holds(&q, c->series, c->least, c->most), c->holds == 1, "'%s'", c->is);
}

/* ---- sources ---- */

static enum err_code read_source(struct source *ret, const char *text, struct buf *errors)
{
    return config_parse("heald.cfg", text, strlen(text), source_scope_keys, ret, NULL, errors, NULL);
}

ParameterizedTestParameters(source, scope_refuses_with_a_remedy)
{
    static struct bad cases[] = {
        { "force = \"cluster=a\";", ERR_INVALID, "{ cluster = \"prod-1\"; }" },
        { "force = { cluster = 5; };", ERR_INVALID, "a string in quotes" },
        { "force = [ \"cluster!=a\" ];", ERR_INVALID, "name=\"value\"" },
        { "force = [ \"a=b\", \"a=c\" ];", ERR_INVALID, "\"a\" is forced twice" },
        { "only = [ \"a\" ];", ERR_INVALID, "no operator" },
        { "may = { cluster = [ \"a\" ]; };", ERR_INVALID, "did you mean \"clusters\"?" },
        { "may = { namespaces = [ \"(\" ]; };", ERR_INVALID, "missing )" },
        { "may = { kinds = \"Deployment\"; };", ERR_INVALID, "\"kinds\" must be an array of strings" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, source, scope_refuses_with_a_remedy)
{
    struct source s = { .name = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(read_source(&s, c->text, &errors), c->code);
    source_release(&s);
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
}

Test(source, without_a_scope_may_everything)
{
    struct source s = { .name = NULL };
    struct alert a = ALERT_INIT;
    char why[128] = "";
    cr_assert_eq(read_source(&s, "", NULL), ERR_OK);
    cr_assert_null(source_violated(&s, &a));
    cr_assert(source_may(&s, &(struct target){ .namespace = "shop" }, why, sizeof why));
    cr_assert_eq(source_force(&s, &a.labels, NULL), ERR_OK);
    cr_assert_eq(a.labels.len, 0);
    source_release(&s);
}

Test(source, scope_is_applied)
{
    struct source s = { .name = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    char why[128] = "";
    cr_assert_eq(read_source(&s,
                             "force = { cluster = \"prod-1\"; team = \"shop\"; }; only = [ "
                             "\"severity=critical\", \"team=shop\" ];\n"
                             "may = { clusters = [ \"prod-1\" ]; namespaces = [ \"shop\", \"cart-.*\" ]; };",
                             &errors),
                 ERR_OK, "%s", buf_text(&errors));
    cr_assert_eq(map_set(&a.labels, "cluster", "forged", NULL), ERR_OK);
    cr_assert_eq(map_set(&a.labels, "severity", "critical", NULL), ERR_OK);
    cr_assert_eq(source_violated(&s, &a), &s.only.list[1], "the team is not forced yet");
    cr_assert_eq(source_force(&s, &a.labels, NULL), ERR_OK);
    cr_assert_str_eq(alert_label(&a, "cluster"), "prod-1");
    cr_assert_null(source_violated(&s, &a));

    struct target t = { .cluster = "prod-1", .namespace = "cart-eu", .kind = "Deployment" };
    cr_assert(source_may(&s, &t, why, sizeof why));
    snprintf(t.namespace, sizeof t.namespace, "my-cart-eu");
    cr_assert_not(source_may(&s, &t, why, sizeof why), "anchored at both ends");
    cr_assert(strstr(why, "\"my-cart-eu\"") && strstr(why, "may.namespaces"), "%s", why);
    snprintf(t.cluster, sizeof t.cluster, "prod-2");
    cr_assert_not(source_may(&s, &t, why, sizeof why));
    cr_assert(strstr(why, "may.clusters"), "%s", why);
    source_release(&s);
}

Test(source, label_names_that_are_no_keys_are_forced_by_matchers)
{
    struct source s = { .name = NULL };
    cr_assert_eq(read_source(&s, "force = [ \"k8s.cluster=a\", \"\\\"x y\\\"=\\\"z\\\"\" ];", NULL), ERR_OK);
    cr_assert_str_eq(map_get(&s.force, "k8s.cluster"), "a");
    cr_assert_str_eq(map_get(&s.force, "x y"), "z");
    source_release(&s);
}
