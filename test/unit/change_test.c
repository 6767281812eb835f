/* test/unit/change_test.c - actions that set fields of workloads: what they make of an object, the patch that
 * is sent, and the proof that is looked for. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "test/kit/api_fixture.h"
#include "test/kit/change_kit.h"

#define CONTAINERS(list)                                                                                     \
    "{'metadata':{'annotations':{'a':'b'}},'spec':{'template':{'spec':{'containers':[" list "]}}}}"
#define NAME_TEST "'notes':true,'tests':[['/spec/template/spec/containers/0/name','app']"

/* ---- set_env ---- */

Test(set_env, replaces_the_value_of_a_variable)
{
    possible("set_env",
             CONTAINERS("{'name':'app','env':[{'name':'A','value':'1'},{'name':'B','value':'2'}]}"),
             "{'name':'B','value':'3'}",
             "{" NAME_TEST ",['/spec/template/spec/containers/0/env/1/name','B']],"
             "'set':[['/spec/template/spec/containers/0/env/1/value','2','3']]}",
             "B from \"2\" to \"3\"");
}

Test(set_env, adds_what_is_not_there)
{
    possible(
        "set_env", CONTAINERS("{'name':'app','env':[{'name':'A','value':'1'}]}"), "{'name':'B','value':'3'}",
        "{" NAME_TEST "],'set':[['/spec/template/spec/containers/0/env/1',null,{'name':'B','value':'3'}]]}",
        "B is to be \"3\"; it was not set");
    possible("set_env", CONTAINERS("{'name':'app'}"), "{'name':'B','value':'3'}",
             "{" NAME_TEST
             "],'set':[['/spec/template/spec/containers/0/env',null,[{'name':'B','value':'3'}]]]}",
             "B is to be \"3\"; it was not set");
}

Test(set_env, refuses_what_it_must_not_change)
{
    const char *two = CONTAINERS("{'name':'app'},{'name':'proxy'}");
    const char *from = CONTAINERS("{'name':'app','env':[{'name':'B','valueFrom':{}}]}");
    refused("set_env", two, "{'name':'B','value':'3'}", "2 containers");
    refused("set_env", two, "{'name':'B','value':'3','container':'db'}", "no container \"db\"");
    refused("set_env", from, "{'name':'B','value':'3'}", "comes from a ConfigMap");
    refused("set_env", CONTAINERS("{'name':'app','env':[{'name':'B','value':'3'}]}"),
            "{'name':'B','value':'3'}", "that value already");
    refused("set_env", CONTAINERS("{'name':'app'}"), "{'name':'DB_PASSWORD','value':'x'}", "like a secret");
    refused("set_env", CONTAINERS("{'name':'app'}"), "{'name':'api_key','value':'x'}", "like a secret");
}

Test(set_env, takes_the_container_that_is_named)
{
    struct observation o = look("set_env", CONTAINERS("{'name':'app'},{'name':'proxy'}"),
                                "{'name':'B','value':'3','container':'proxy'}");
    cr_assert_not_null(strstr(o.change_text, "containers/1/env"), "%s", o.change_text);
}

/* ---- set_resources ---- */

#define LIMITS(limits, requests)                                                                             \
    CONTAINERS("{'name':'app','resources':{'limits':{" limits "},'requests':{" requests "}}}")
#define RAISE "{'resource':'memory','factor_percent':150,'ceiling':'2Gi'}"

Test(set_resources, raises_the_limit_and_an_equal_request)
{
    possible("set_resources", LIMITS("'memory':'256Mi'", "'memory':'128Mi'"), RAISE,
             "{" NAME_TEST "],'set':[['/spec/template/spec/containers/0/resources/limits/memory','256Mi',"
             "'384Mi']]}",
             "memory limit of container \"app\" from 256Mi to 384Mi");
    possible("set_resources", LIMITS("'memory':'256Mi'", "'memory':'256Mi'"), RAISE,
             "{" NAME_TEST "],'set':[['/spec/template/spec/containers/0/resources/limits/memory','256Mi',"
             "'384Mi'],['/spec/template/spec/containers/0/resources/requests/memory','256Mi','384Mi']]}",
             "memory limit of container \"app\" from 256Mi to 384Mi, its request too");
}

Test(set_resources, stops_at_the_ceiling)
{
    struct observation o = look("set_resources", LIMITS("'memory':'1536Mi'", ""), RAISE);
    cr_assert_not_null(strstr(o.change_text, "\"2Gi\""), "%s", o.change_text);
    refused("set_resources", LIMITS("'memory':'2Gi'", ""), RAISE, "the ceiling is 2Gi");
    refused("set_resources", LIMITS("'memory':'3Gi'", ""), RAISE, "the ceiling is 2Gi");
}

Test(set_resources, refuses_what_has_no_limit_or_no_meaning)
{
    refused("set_resources", LIMITS("'cpu':'1'", ""), RAISE, "no memory limit");
    refused("set_resources", LIMITS("'memory':'256Mi'", ""),
            "{'resource':'memory','factor_percent':150,'ceiling':'lots'}", "no quantity");
}

Test(set_resources, knows_cpu_in_thousandths)
{
    struct observation o = look("set_resources", LIMITS("'cpu':'750m'", ""),
                                "{'resource':'cpu','factor_percent':200,'ceiling':'4'}");
    cr_assert_not_null(strstr(o.change_text, "\"750m\",\"1500m\""), "%s", o.change_text);
}

struct quantity_case {
    char text[24], back[24];
    bool bytes, good;
};

ParameterizedTestParameters(quantity, is_read_and_written_as_kubernetes_does)
{
    static struct quantity_case cases[] = {
        { "128Mi", "128Mi", true, true },   { "1024Mi", "1Gi", true, true },
        { "0.5Gi", "512Mi", true, true },   { "1000", "1000", true, true },
        { "1G", "1000000000", true, true }, { "100m", "100m", false, true },
        { "1500m", "1500m", false, true },  { "2000m", "2", false, true },
        { "2", "2", false, true },          { "1e3", "", false, false },
        { "", "", false, false },           { "-1", "", false, false },
        { "1Xi", "", false, false },        { "0x10", "", false, false },
        { "99999999Ti", "", true, false },  { "nan", "", false, false },
    };
    return cr_make_param_array(struct quantity_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct quantity_case *c, quantity, is_read_and_written_as_kubernetes_does)
{
    char text[QUANTITY_SIZE];
    int64_t milli = -7;
    cr_assert_eq(quantity_parse(c->text, &milli), c->good, "%s", c->text);
    if (c->good)
        cr_assert_str_eq(quantity_format(text, milli, c->bytes), c->back);
    else
        cr_assert_eq(milli, -7, "untouched");
}

/* ---- pause_rollout, resume_rollout ---- */

#define ROLLING(more)                                                                                        \
    "{'metadata':{'generation':3},'spec':{'replicas':2" more "},'status':{'observedGeneration':3,"           \
    "'updatedReplicas':1,'replicas':3,'availableReplicas':2}}"
#define ROLLED                                                                                               \
    "{'metadata':{'generation':3},'spec':{'replicas':2},'status':{'observedGeneration':3,"                   \
    "'updatedReplicas':2,'replicas':2,'availableReplicas':2}}"

Test(pause_rollout, holds_only_a_rollout_that_is_under_way)
{
    possible("pause_rollout", ROLLING(""), "{}",
             "{'notes':true,'set':[['/spec/paused',null,true],"
             "['/metadata/annotations',null,{'heald.dev/paused':'true'}]]}",
             "the rollout is held");
    refused("pause_rollout", ROLLED, "{}", "no rollout is under way");
    refused("pause_rollout", ROLLING(",'paused':true"), "{}", "paused already");
}

Test(resume_rollout, lets_go_on_what_heald_held)
{
    const char *own = "{'metadata':{'annotations':{'heald.dev/paused':'true'}},'spec':{'paused':true}}";
    const char *foreign = "{'metadata':{'annotations':{'x':'y'}},'spec':{'paused':true}}";
    possible("resume_rollout", own, "{'whose':'heald'}",
             "{'notes':true,'set':[['/spec/paused',true,null],"
             "['/metadata/annotations/heald.dev~1paused','true',null]]}",
             "the rollout goes on");
    refused("resume_rollout", foreign, "{'whose':'heald'}", "somebody else paused");
    possible("resume_rollout", foreign, "{'whose':'anybody'}",
             "{'notes':true,'set':[['/spec/paused',true,null]]}", "the rollout goes on");
    refused("resume_rollout", ROLLING(""), "{'whose':'anybody'}", "not paused");
}

/* ---- set_hpa ---- */

#define HPAS "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
#define HPA(name, of)                                                                                        \
    "{'metadata':{'name':'" name "','uid':'h-1','annotations':{'a':'b'}},'spec':{'minReplicas':2,"           \
    "'maxReplicas':10,'scaleTargetRef':{'kind':'Deployment','name':'" of                                     \
    "'}},'status':{'currentReplicas':6}}"

static struct observation look_hpa(struct api_fixture *f, const char *params, enum err_code want)
{
    CLEANUP(json_freep) struct json_doc *p = sample_text(params);
    CLEANUP(json_freep) struct json_doc *o = sample_text("{}");
    struct observation seen;
    struct err e = ERR_INIT;
    struct change_ask a = { .cluster = f->cluster,
                            .http = f->http,
                            .target = &target,
                            .object = json_root(o),
                            .params = json_root(p) };
    memset(&seen, 0, sizeof seen);
    cr_assert_eq(change_look(&a, prepare_set_hpa, &seen, &e), want, "%s", e.msg);
    return seen;
}

Test(set_hpa, changes_the_bounds_of_the_one_that_scales_the_target)
{
    struct api_fixture f = api_open();
    api_stub_answer(f.stub, "GET", HPAS, 200, NULL,
                    "{'metadata':{},'items':[" HPA("api", "api") "," HPA("web", "web") "]}");
    api_stub_answer(f.stub, "GET", HPAS "/web", 200, NULL, HPA("web", "web"));
    struct observation o = look_hpa(&f, "{'min':0,'max':20}", ERR_OK);
    cr_assert_eq(o.change, CHANGE_POSSIBLE, "%s", o.change_say);
    expect_json(o.change_text, "{'on':{'kind':'HorizontalPodAutoscaler','name':'web','uid':'h-1'},"
                               "'notes':true,'set':[['/spec/maxReplicas',10,20]]}");
    cr_assert_str_eq(o.change_say, "HorizontalPodAutoscaler \"web\" from 2..10 to 2..20 replicas");
    o = look_hpa(&f, "{'min':0,'max':5}", ERR_OK);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE);
    cr_assert_not_null(strstr(o.change_say, "6 replicas now"), "%s", o.change_say);
    o = look_hpa(&f, "{'min':12,'max':0}", ERR_OK);
    cr_assert_not_null(strstr(o.change_say, "least would be 12"), "%s", o.change_say);
    o = look_hpa(&f, "{'min':2,'max':10}", ERR_OK);
    cr_assert_not_null(strstr(o.change_say, "already"), "%s", o.change_say);
    api_close(&f);
}

Test(set_hpa, needs_exactly_one_that_may_be_read)
{
    struct api_fixture f = api_open();
    api_stub_answer(f.stub, "GET", HPAS, 200, NULL, "{'metadata':{},'items':[" HPA("api", "api") "]}");
    api_stub_answer(f.stub, "GET", HPAS, 403, NULL, "{'kind':'Status','message':'no','code':403}");
    struct observation o = look_hpa(&f, "{'min':0,'max':20}", ERR_OK);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE);
    cr_assert_not_null(strstr(o.change_say, "0 HorizontalPodAutoscalers"), "%s", o.change_say);
    api_close(&f);
}

/* ---- the write ---- */

#define DEPLOYMENT "/apis/apps/v1/namespaces/shop/deployments/web"
#define HINT(op, name, value)                                                                                \
    "{'op':'add','path':'/metadata/annotations/heald.dev~1" name "','value':'" value "'}"
#define HINTS                                                                                                \
    HINT("add", "incident", "i-7")                                                                           \
    "," HINT("add", "step", "steps.0") "," HINT("add", "at", "2026-08-20T09:15:10Z") "," HINT(               \
        "add", "reason", "set_env, attempt 1")

static void sends(const struct intent *i, const char *path, const char *want)
{
    struct api_fixture f = api_open();
    struct action_context c = { .cluster = f.cluster, .http = f.http, .now_ms = engine_now };
    struct act_report r;
    char asked[512];
    api_stub_answer(f.stub, "PATCH", path, 200, NULL, "{}");
    action_change(&c, i, &r);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_eq(api_stub_count(f.stub), 1);
    const struct stub_request *q = api_stub_request(f.stub, 0);
    snprintf(asked, sizeof asked, "%s?fieldManager=heald", path);
    cr_assert_str_eq(q->target, asked);
    cr_assert_str_eq(q->content_type, "application/json-patch+json");
    expect_json(q->body, want);
    api_close(&f);
}

Test(change, of_a_template_tests_the_whole_object)
{
    struct intent i =
        intent_of("{'notes':true,'tests':[['/c/0/name','app']],'set':[['/c/0/env/1',null,{'name':"
                  "'B'}],['/c/0/x','1','2']]}",
                  true);
    sends(&i, DEPLOYMENT,
          "[{'op':'test','path':'/metadata/uid','value':'u-1'},"
          "{'op':'test','path':'/metadata/resourceVersion','value':'41'},"
          "{'op':'test','path':'/c/0/name','value':'app'},"
          "{'op':'add','path':'/c/0/env/1','value':{'name':'B'}},"
          "{'op':'test','path':'/c/0/x','value':'1'},{'op':'replace','path':'/c/0/x','value':'2'}," HINTS
          "]");
}

Test(change, of_other_fields_tests_those_alone)
{
    struct intent i = intent_of("{'set':[['/spec/paused',null,true]]}", false);
    sends(
        &i, DEPLOYMENT,
        "[{'op':'test','path':'/metadata/uid','value':'u-1'},"
        "{'op':'test','path':'/spec/paused','value':null},{'op':'add','path':'/spec/paused','value':true}]");
}

Test(change, of_another_object_names_it)
{
    struct intent i = intent_of("{'on':{'kind':'HorizontalPodAutoscaler','name':'web','uid':'h-1'},"
                                "'set':[['/spec/maxReplicas',10,20]]}",
                                false);
    sends(&i, HPAS "/web",
          "[{'op':'test','path':'/metadata/uid','value':'h-1'},"
          "{'op':'test','path':'/spec/maxReplicas','value':10},"
          "{'op':'replace','path':'/spec/maxReplicas','value':20}]");
}

Test(change, is_put_back_the_other_way_round)
{
    struct intent i = intent_of("{'set':[['/spec/paused',null,true],['/spec/x',1,2]]}", false);
    i.undo = 1;
    sends(&i, DEPLOYMENT,
          "[{'op':'test','path':'/metadata/uid','value':'u-1'},"
          "{'op':'test','path':'/spec/paused','value':true},{'op':'remove','path':'/spec/paused'},"
          "{'op':'test','path':'/spec/x','value':2},{'op':'replace','path':'/spec/x','value':1}]");
}

/* ---- the proof ---- */

struct proof_case {
    char object[96];
    int forward, back; /* enum change_proof */
};

ParameterizedTestParameters(change, is_there_absent_or_somebody_elses)
{
    static struct proof_case cases[] = {
        { "{'n':'app','x':2,'y':'new'}", CHANGE_THERE, CHANGE_ABSENT },
        { "{'n':'app','x':1}", CHANGE_ABSENT, CHANGE_THERE },
        { "{'n':'app','x':1,'y':'new'}", CHANGE_OTHER, CHANGE_OTHER },
        { "{'n':'app','x':3,'y':'new'}", CHANGE_OTHER, CHANGE_OTHER },
        { "{'n':'app','x':2,'y':'other'}", CHANGE_OTHER, CHANGE_OTHER },
        { "{'n':'db','x':2,'y':'new'}", CHANGE_OTHER, CHANGE_OTHER },
        { "{}", CHANGE_OTHER, CHANGE_OTHER },
    };
    return cr_make_param_array(struct proof_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct proof_case *c, change, is_there_absent_or_somebody_elses)
{
    CLEANUP(json_freep) struct json_doc *object = sample_text(c->object);
    struct change_ask a = { .target = &target, .object = json_root(object) };
    struct intent i = intent_of("{'tests':[['/n','app']],'set':[['/x',1,2],['/y',null,'new']]}", false);
    struct observation o;
    struct err e = ERR_INIT;
    memset(&o, 0, sizeof o);
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK);
    cr_assert_eq((int)o.change_proof, c->forward, "%s", c->object);
    i.undo = 1;
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK);
    cr_assert_eq((int)o.change_proof, c->back, "%s, undone", c->object);
}

Test(change, on_an_object_that_is_gone_or_made_anew_is_somebody_elses)
{
    struct api_fixture f = api_open();
    CLEANUP(json_freep) struct json_doc *object = sample_text("{}");
    struct change_ask a = {
        .cluster = f.cluster, .http = f.http, .target = &target, .object = json_root(object)
    };
    struct intent i = intent_of("{'on':{'kind':'HorizontalPodAutoscaler','name':'web','uid':'h-2'},"
                                "'set':[['/spec/maxReplicas',10,20]]}",
                                false);
    struct observation o;
    struct err e = ERR_INIT;
    memset(&o, 0, sizeof o);
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change_proof, CHANGE_OTHER, "gone");
    api_stub_answer(f.stub, "GET", HPAS "/web", 200, NULL, HPA("web", "web"));
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change_proof, CHANGE_OTHER, "another uid");
    api_close(&f);
}

Test(change, that_is_too_long_for_an_intent_is_refused)
{
    char params[1200] = "{'name':'B','value':'";
    size_t len = strlen(params);
    memset(params + len, 'x', 900);
    snprintf(params + len + 900, 4, "'}");
    refused("set_env", CONTAINERS("{'name':'app'}"), params, "longer than 511 bytes");
}

Test(change, follows_json_pointers)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text("{'a':[{'b/c':1,'d~e':2}],'':3}");
    cr_assert_eq(json_int(json_pointer(json_root(doc), "/a/0/b~1c"), 0), 1);
    cr_assert_eq(json_int(json_pointer(json_root(doc), "/a/0/d~0e"), 0), 2);
    cr_assert_eq(json_pointer(json_root(doc), ""), json_root(doc));
    cr_assert_null(json_pointer(json_root(doc), "/a/1"));
    cr_assert_null(json_pointer(json_root(doc), "/a/x"));
    cr_assert_null(json_pointer(json_root(doc), "/a/0/b~1c/z"));
}

/* ---- evict_pod ---- */

Test(evict_pod, names_the_uid_and_takes_429_as_not_now)
{
    struct api_fixture f = api_open();
    struct action_context c = { .cluster = f.cluster, .http = f.http, .now_ms = engine_now };
    struct intent i = intent_of("{}", false);
    struct act_report r;
    const char *path = "/api/v1/namespaces/shop/pods/web-1/eviction";
    snprintf(i.pod_name, sizeof i.pod_name, "web-1");
    snprintf(i.pod_uid, sizeof i.pod_uid, "p-1");
    api_stub_answer(f.stub, "POST", path, 429, "10", "{'kind':'Status','message':'budget','code':429}");
    api_stub_answer(f.stub, "POST", path, 201, NULL, "{'kind':'Status','status':'Success'}");
    action_evict_pod(&c, &i, &r);
    cr_assert_eq(r.result, ACT_RETRY, "%s", r.reason);
    cr_assert_eq(r.retry_ms, 10000);
    expect_json(api_stub_request(f.stub, 0)->body,
                "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':'web-1','namespace':'shop'},"
                "'deleteOptions':{'preconditions':{'uid':'p-1'}}}");
    action_evict_pod(&c, &i, &r);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    snprintf(i.pod_name, sizeof i.pod_name, "web-2");
    action_evict_pod(&c, &i, &r);
    cr_assert_eq(r.result, ACT_DONE, "404: %s", r.reason);
    api_close(&f);
}
