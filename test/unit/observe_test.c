/* test/unit/observe_test.c - observe() against stubs of an API server and of Prometheus: what it asks, and
 * what it makes of it. */
#include "actions/observe.h"

#include <criterion/criterion.h>

#include "test/kit/api_fixture.h"
#include "test/kit/sample.h"

#define NS "/apis/apps/v1/namespaces/shop"
#define WALL_MS 1787217300000 /* 2026-08-20T09:15:00Z */

#define OWNER(kind, name, uid)                                                                               \
    "'ownerReferences':[{'apiVersion':'apps/v1','kind':'" kind "','name':'" name "','uid':'" uid             \
    "','controller':true}]"
#define TEMPLATE(image)                                                                                      \
    "'template':{'metadata':{'labels':{'app':'checkout'}},'spec':{'containers':[{'name':'app','image':"      \
    "'" image "'}]}}"
#define SELECTOR "'selector':{'matchLabels':{'app':'checkout'}}"
#define DEPLOYMENT                                                                                           \
    "{'kind':'Deployment','metadata':{'name':'checkout','namespace':'shop','uid':'d-1','resourceVersion':'"  \
    "41','generation':2},"                                                                                   \
    "'spec':{'replicas':2," SELECTOR                                                                         \
    "," TEMPLATE("v2") "},"                                                                                  \
                       "'status':{'observedGeneration':2,'replicas':3,'updatedReplicas':1,'readyReplicas':"  \
                       "2,'availableReplicas':2}}"
#define REPLICASETS                                                                                          \
    "{'metadata':{},'items':[{'metadata':{'name':'checkout-a','uid':'r-a','annotations':{'deployment."       \
    "kubernetes.io/revision':'1'}," OWNER("Deployment", "checkout", "d-1") "},'spec':{" TEMPLATE(            \
        "v1") "}},"                                                                                          \
              "{'metadata':{'name':'checkout-b','uid':'r-b','annotations':{'deployment.kubernetes.io/"       \
              "revision':'2'}," OWNER("Deployment", "checkout", "d-1") "},'spec':{" TEMPLATE("v2") "}}]}"
#define CRASHED                                                                                              \
    "'status':{'phase':'Running','startTime':'2026-08-20T09:14:00Z','containerStatuses':[{'name':'app','"    \
    "restartCount':2,"                                                                                       \
    "'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{'terminated':{'exitCode':1,'reason':'"   \
    "Error','finishedAt':'2026-08-20T09:14:40Z'}}}]}"
#define POD(name, owner, status)                                                                             \
    "{'metadata':{'name':'" name "','namespace':'shop','uid':'uid-" name                                     \
    "','labels':{'app':'checkout'}," OWNER("ReplicaSet", "checkout-" owner, "r-" owner) "}," status "}"

struct look { /* a fixture with labels */
    struct api_fixture api;
    struct map labels;
    struct observer observer;
    int64_t wall_ms;
    struct remote *prometheus, *alertmanager;
    struct probe probes[PROBES_MAX];
    size_t probes_len;
    struct observation seen;
    struct err e;
};

static int64_t wall(void *ctx)
{
    return *(int64_t *)ctx;
}

static void look_open(struct look *k, const char *labels)
{
    memset(k, 0, sizeof *k);
    k->api = api_open();
    k->wall_ms = WALL_MS;
    k->observer = (struct observer){ .cluster = k->api.cluster, .now_ms = wall, .now_ctx = &k->wall_ms };
    CLEANUP(json_freep) struct json_doc *doc = sample_text(labels);
    for (const struct json *l = json_first(json_root(doc)); l; l = json_next(l))
        cr_assert_eq(map_set(&k->labels, json_name(l), json_string(l, ""), NULL), ERR_OK);
    api_stub_answer(k->api.stub, "GET", "/api/v1/namespaces/shop", 200, NULL, "{'metadata':{'name':'shop'}}");
}

static void look_close(struct look *k)
{
    map_release(&k->labels);
    k->observer.namespaces = namespaces_free(k->observer.namespaces);
    remote_free(k->prometheus);
    remote_free(k->alertmanager);
    api_close(&k->api);
}

static enum err_code look(struct look *k, const char *from, unsigned needs)
{
    struct target none;
    memset(&none, 0, sizeof none);
    struct observe_request r = { .labels = &k->labels,
                                 .from = from,
                                 .target = &none,
                                 .needs = needs,
                                 .probes = k->probes,
                                 .probes_len = k->probes_len };
    k->observer.alertmanager = k->alertmanager;
    k->e = ERR_INIT;
    k->observer.systems.prometheus = k->prometheus;
    return observe(&k->observer, k->api.http, &r, &k->seen, &k->e);
}

static void lay(struct look *k, const char *path, const char *body)
{
    api_stub_answer(k->api.stub, "GET", path, 200, NULL, body);
}

#define BY_NAME "{'alertname':'Down','namespace':'shop','deployment':'checkout'}"
#define BY_POD "{'alertname':'Down','namespace':'shop','pod':'checkout-b-x2x9k'}"

Test(observe, a_workload_that_labels_name_costs_one_get_while_its_namespace_is_known)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    cr_assert_eq(namespaces_new(&k.observer.namespaces, NULL), ERR_OK);
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK, "%s", k.e.msg);
    cr_assert_eq(api_stub_count(k.api.stub), 2);
    k.wall_ms += NAMESPACES_FRESH_MS - 1;
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert_eq(api_stub_count(k.api.stub), 3, "only the workload");
    k.wall_ms += 1;
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert_eq(api_stub_count(k.api.stub), 5, "what was known is too old");
    k.wall_ms -= 60000;
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert_eq(api_stub_count(k.api.stub), 7, "a clock set back makes nothing fresh");
    cr_assert_str_eq(k.seen.target.cluster, "prod-1");
    cr_assert_str_eq(k.seen.target.uid, "d-1");
    cr_assert_str_eq(k.seen.resource_version, "41");
    cr_assert_eq(k.seen.at_ms, k.wall_ms);
    cr_assert(!k.seen.watched && !k.seen.fault && !k.seen.ignored);
    cr_assert_str_eq(k.seen.not_well, "it is not under watch");
    look_close(&k);
}

Test(observe, a_namespace_that_wants_to_be_left_alone_is_remembered_as_such)
{
    struct look k;
    look_open(&k, BY_NAME);
    api_stub_answer(k.api.stub, "GET", "/api/v1/namespaces/shop", 200, NULL,
                    "{'metadata':{'annotations':{'heald.dev/ignore':'true'}}}");
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    cr_assert_eq(namespaces_new(&k.observer.namespaces, NULL), ERR_OK);
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert_not(k.seen.ignored);
    k.wall_ms += NAMESPACES_FRESH_MS;
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert(k.seen.ignored);
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert(k.seen.ignored, "also when it is not read again");
    look_close(&k);
}

Test(observe, from_a_pod_it_climbs_by_uid_and_selector)
{
    struct look k;
    look_open(&k, BY_POD);
    lay(&k, "/api/v1/namespaces/shop/pods/checkout-b-x2x9k", POD("checkout-b-x2x9k", "b", CRASHED));
    lay(&k, NS "/replicasets/checkout-b",
        "{'metadata':{'name':'checkout-b','uid':'r-b','labels':{'app':'checkout'}," OWNER(
            "Deployment", "checkout", "d-1") "},'spec':{" SELECTOR "}}");
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    cr_assert_eq(look(&k, "pod", OBSERVE_POD), ERR_OK, "%s", k.e.msg);
    cr_assert_str_eq(k.seen.target.kind, "Deployment");
    cr_assert_str_eq(k.seen.target.name, "checkout");
    cr_assert(k.seen.pod_found && !k.seen.pod_terminating);
    cr_assert_str_eq(k.seen.pod_uid, "uid-checkout-b-x2x9k");
    cr_assert_eq(api_stub_count(k.api.stub), 4, "pod, ReplicaSet, Deployment, Namespace: each once");
    look_close(&k);
}

Test(observe, pods_of_the_present_template_are_told_from_old_ones)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, NS "/replicasets", REPLICASETS);
    lay(&k, "/api/v1/namespaces/shop/pods",
        "{'metadata':{},'items':[" POD("old", "a", CRASHED) "," POD("strange", "z", CRASHED) "]}");
    lay(&k, "/api/v1/namespaces/shop/pods", "{'metadata':{},'items':[" POD("new", "b", CRASHED) "]}");
    cr_assert_eq(look(&k, "deployment", OBSERVE_PODS | OBSERVE_HISTORY), ERR_OK, "%s", k.e.msg);
    cr_assert(k.seen.fault && !k.seen.new_pods_failed);
    cr_assert_not_null(strstr(k.seen.fault_text, "\"old\""), "%s", k.seen.fault_text);
    cr_assert_eq(k.seen.trouble_ms, WALL_MS - 20000);
    cr_assert_eq(k.seen.revisions_len, 2);
    cr_assert_str_eq(k.seen.revisions[0].name, "checkout-b");
    cr_assert_str_eq(k.seen.revisions[0].template_hash, k.seen.template_hash);
    cr_assert_not_null(strstr(api_stub_request(k.api.stub, 2)->target, "labelSelector=app%3Dcheckout"), "%s",
                       api_stub_request(k.api.stub, 2)->target);
    cr_assert_eq(look(&k, "deployment", OBSERVE_PODS), ERR_OK, "%s", k.e.msg);
    cr_assert(k.seen.new_pods_failed);
    cr_assert_eq(k.seen.revisions_len, 0, "nobody asked for the history");
    look_close(&k);
}

Test(observe, a_resolved_target_is_read_and_nothing_else_decides)
{
    struct look k;
    look_open(&k, "{'alertname':'Down'}");
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    struct target t;
    memset(&t, 0, sizeof t);
    snprintf(t.namespace, sizeof t.namespace, "shop");
    snprintf(t.kind, sizeof t.kind, "Deployment");
    snprintf(t.name, sizeof t.name, "checkout");
    snprintf(t.uid, sizeof t.uid, "d-1");
    struct observe_request r = { .labels = &k.labels, .from = "pod", .target = &t };
    cr_assert_eq(observe(&k.observer, k.api.http, &r, &k.seen, &k.e), ERR_OK, "%s", k.e.msg);
    snprintf(t.uid, sizeof t.uid, "d-0");
    struct observation untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    k.seen = untouched;
    cr_assert_eq(observe(&k.observer, k.api.http, &r, &k.seen, &k.e), ERR_NOT_FOUND);
    cr_assert_eq(memcmp(&k.seen, &untouched, sizeof untouched), 0, "*ret is untouched on failure");
    look_close(&k);
}

Test(observe, the_pod_of_an_intent_is_asked_for_by_uid)
{
    struct look k;
    struct target t;
    look_open(&k, "{'alertname':'Down'}");
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/api/v1/namespaces/shop/pods/p",
        "{'metadata':{'name':'p','uid':'p-1','deletionTimestamp':'2026-08-20T09:15:00Z'}}");
    lay(&k, "/api/v1/namespaces/shop/pods/p", "{'metadata':{'name':'p','uid':'p-2'}}");
    api_stub_answer(k.api.stub, "GET", "/api/v1/namespaces/shop/pods/p", 404, NULL, "{}");
    memset(&t, 0, sizeof t);
    snprintf(t.namespace, sizeof t.namespace, "shop");
    snprintf(t.kind, sizeof t.kind, "Deployment");
    snprintf(t.name, sizeof t.name, "checkout");
    snprintf(t.uid, sizeof t.uid, "d-1");
    struct observe_request r = { .labels = &k.labels,
                                 .from = "pod",
                                 .target = &t,
                                 .needs = OBSERVE_POD,
                                 .pod_name = "p",
                                 .pod_uid = "p-1" };
    cr_assert_eq(observe(&k.observer, k.api.http, &r, &k.seen, &k.e), ERR_OK, "%s", k.e.msg);
    cr_assert(k.seen.pod_found && k.seen.pod_terminating);
    cr_assert_eq(observe(&k.observer, k.api.http, &r, &k.seen, &k.e), ERR_OK);
    cr_assert_not(k.seen.pod_found, "another pod has the name");
    cr_assert_eq(observe(&k.observer, k.api.http, &r, &k.seen, &k.e), ERR_OK);
    cr_assert_not(k.seen.pod_found);
    look_close(&k);
}

Test(observe, a_pod_that_is_not_the_targets_is_refused)
{
    struct look k;
    look_open(&k, "{'alertname':'Down','namespace':'shop','deployment':'checkout','pod':'cart-0'}");
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/api/v1/namespaces/shop/pods/cart-0",
        "{'metadata':{'name':'cart-0','uid':'p'," OWNER("StatefulSet", "cart", "s-1") "}}");
    cr_assert_eq(look(&k, "deployment", OBSERVE_POD), ERR_REFUSED);
    cr_assert_str_eq(k.e.msg, "pod \"cart-0\" does not belong to Deployment \"checkout\"");
    look_close(&k);
}

Test(observe, labels_that_disagree_or_say_too_little_are_errors)
{
    static const struct {
        const char *labels, *from, *word;
        enum err_code code;
    } cases[] = {
        { "{'namespace':'shop'}", "deployment", "\"deployment\"", ERR_INVALID },
        { "{'deployment':'checkout'}", "deployment", "\"namespace\"", ERR_INVALID },
        { "{'namespace':'shop','pod':'p','exported_pod':'q'}", "pod", "honor_labels", ERR_INVALID },
        { "{'namespace':'shop','deployment':'checkout','cluster':'prod-2'}", "deployment",
          "labels say cluster \"prod-2\"", ERR_REFUSED },
        { "{'namespace':'shop','deployment':'..'}", "deployment", "..", ERR_INVALID },
        { "{'namespace':'shop','deployment':'nobody'}", "deployment", "404", ERR_NOT_FOUND },
        { "{'namespace':'shop','pod':'nobody'}", "pod", "gone", ERR_NOT_FOUND },
    };
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        struct look k;
        look_open(&k, cases[n].labels);
        lay(&k, NS "/deployments/checkout", DEPLOYMENT);
        cr_assert_eq(look(&k, cases[n].from, 0), cases[n].code, "%s: %s", cases[n].labels, k.e.msg);
        cr_assert_not_null(strstr(k.e.msg, cases[n].word), "\"%s\" should say \"%s\"", k.e.msg,
                           cases[n].word);
        look_close(&k);
    }
}

Test(observe, what_rbac_forbids_is_refused_and_what_is_away_is_unavailable)
{
    struct look k;
    look_open(&k, BY_NAME);
    api_stub_answer(k.api.stub, "GET", NS "/deployments/checkout", 403, NULL,
                    "{'reason':'Forbidden','message':'no'}");
    cr_assert_eq(look(&k, "deployment", 0), ERR_REFUSED, "%s", k.e.msg);
    k.api.stub = api_stub_free(k.api.stub);
    cr_assert_eq(look(&k, "deployment", 0), ERR_UNAVAILABLE, "%s", k.e.msg);
    cr_assert_eq(k.e.code, ERR_UNAVAILABLE);
    look_close(&k);
}

/* ---- other kinds, and selectors ---- */

#define BATCH "/apis/batch/v1/namespaces/shop"
#define JOB(name)                                                                                            \
    "{'metadata':{'name':'" name "','namespace':'shop','uid':'uid-" name "','resourceVersion':'5'},"         \
    "'spec':{},'status':{'conditions':[{'type':'Failed','status':'True','reason':'DeadlineExceeded'}]}}"

static enum err_code select_jobs(struct look *k, int limit)
{
    struct target none;
    memset(&none, 0, sizeof none);
    struct observe_request r = { .labels = &k->labels,
                                 .from = "job_name",
                                 .selector = "app=report",
                                 .kind = "Job",
                                 .limit = limit,
                                 .target = &none,
                                 .needs = OBSERVE_PODS | OBSERVE_HISTORY | OBSERVE_HPA | OBSERVE_PDB };
    k->e = ERR_INIT;
    return observe(&k->observer, k->api.http, &r, &k->seen, &k->e);
}

Test(observe, a_job_is_read_by_its_label)
{
    struct look k;
    look_open(
        &k,
        "{'alertname':'KubeJobFailed','namespace':'shop','job_name':'report','job':'kube-state-metrics'}");
    lay(&k, BATCH "/jobs/report", JOB("report"));
    cr_assert_eq(look(&k, "job_name", OBSERVE_PODS | OBSERVE_HPA), ERR_OK, "%s", k.e.msg);
    cr_assert_str_eq(k.seen.target.kind, "Job");
    cr_assert(k.seen.fault && k.seen.hpa_known && !k.seen.hpa);
    cr_assert_eq(api_stub_count(k.api.stub), 2, "it has no rollout to look at");
    look_close(&k);
}

Test(observe, a_node_needs_no_namespace)
{
    struct look k;
    look_open(&k, "{'alertname':'KubeNodeNotReady','node':'n1'}");
    lay(&k, "/api/v1/nodes/n1",
        "{'metadata':{'name':'n1','uid':'u','resourceVersion':'5'},'spec':{},'status':{'conditions':[{'type':"
        "'Ready','status':'True'}]}}");
    cr_assert_eq(look(&k, "node", OBSERVE_PODS), ERR_OK, "%s", k.e.msg);
    cr_assert_str_eq(k.seen.target.namespace, "");
    cr_assert(!k.seen.fault && k.seen.ready == 1);
    look_close(&k);
}

Test(observe, a_selector_finds_objects_in_the_order_of_their_names)
{
    struct look k;
    look_open(&k, "{'alertname':'X','namespace':'shop'}");
    lay(&k, BATCH "/jobs", "{'metadata':{},'items':[" JOB("b") "," JOB("a") "]}");
    lay(&k, BATCH "/jobs/a", JOB("a"));
    cr_assert_eq(select_jobs(&k, 2), ERR_OK, "%s", k.e.msg);
    cr_assert_eq(k.seen.found_len, 2);
    cr_assert_str_eq(k.seen.found[0], "a");
    cr_assert_str_eq(k.seen.found[1], "b");
    cr_assert_str_eq(k.seen.target.name, "a");
    cr_assert_eq(select_jobs(&k, 1), ERR_REFUSED);
    cr_assert(strstr(k.e.msg, "finds more than 1 of kind Job"), "%s", k.e.msg);
    lay(&k, BATCH "/jobs", "{'metadata':{},'items':[]}");
    cr_assert_eq(select_jobs(&k, 1), ERR_NOT_FOUND);
    cr_assert(strstr(k.e.msg, "finds no Job"), "%s", k.e.msg);
    look_close(&k);
}

/* pod -> Job -> CronJob, each by uid; a CronJob's Jobs carry its template's labels. */
static void chain_of_cronjob(struct look *k, const char *labels)
{
    char job[512];
    snprintf(
        job, sizeof job,
        "{'metadata':{'name':'report-1','namespace':'shop','uid':'j-1','resourceVersion':'5','labels':{%s},"
        "'ownerReferences':[{'apiVersion':'batch/"
        "v1','kind':'CronJob','name':'report','uid':'c-1','controller':"
        "true}]},'spec':{'selector':{'matchLabels':{'job':'1'}}},'status':{}}",
        labels);
    lay(k, "/api/v1/namespaces/shop/pods/report-1-x",
        "{'metadata':{'name':'report-1-x','namespace':'shop','uid':'p-1','labels':{'job':'1'},'"
        "ownerReferences':[{"
        "'apiVersion':'batch/v1','kind':'Job','name':'report-1','uid':'j-1','controller':true}]}}");
    lay(k, BATCH "/jobs/report-1", job);
    lay(k, BATCH "/cronjobs/report",
        "{'metadata':{'name':'report','namespace':'shop','uid':'c-1','resourceVersion':'6'},'spec':{'"
        "jobTemplate':{"
        "'metadata':{'labels':{'app':'report'}}}},'status':{}}");
}

static enum err_code climb_to(struct look *k, const char *owner)
{
    struct target none;
    memset(&none, 0, sizeof none);
    struct observe_request r = { .labels = &k->labels, .from = "pod", .owner = owner, .target = &none };
    k->e = ERR_INIT;
    return observe(&k->observer, k->api.http, &r, &k->seen, &k->e);
}

Test(observe, a_pod_leads_to_its_job_and_to_its_cronjob)
{
    struct look k;
    look_open(&k, "{'namespace':'shop','pod':'report-1-x'}");
    chain_of_cronjob(&k, "'app':'report'");
    cr_assert_eq(climb_to(&k, "CronJob"), ERR_OK, "%s", k.e.msg);
    cr_assert_str_eq(k.seen.target.name, "report");
    cr_assert_eq(climb_to(&k, "Job"), ERR_OK, "%s", k.e.msg);
    cr_assert_str_eq(k.seen.target.name, "report-1");
    cr_assert_eq(climb_to(&k, "Deployment"), ERR_REFUSED);
    chain_of_cronjob(&k, "'app':'forged'");
    cr_assert_eq(climb_to(&k, "CronJob"), ERR_REFUSED, "labels that its template does not give");
    look_close(&k);
}

/* ---- Prometheus ---- */

#define RULES                                                                                                \
    "{'status':'success','data':{'groups':[{'interval':15,'rules':[{'type':'alerting','name':'Down','query'" \
    ":'x[1m]','health':'ok',"                                                                                \
    "'lastEvaluation':'2026-08-20T09:14:59Z','alerts':[{'state':'firing','activeAt':'2026-08-20T09:10:00Z'," \
    "'labels':{'alertname':'Down','namespace':'shop','pod':'checkout-7c9f8d6b5-x2x9k'}}]}]}]}}"

Test(observe, asks_prometheus_about_anything_that_is_the_targets)
{
    struct look k;
    look_open(&k, BY_NAME);
    const char *token = tempdir_file(&k.api.dir, "token");
    FILE *f = fopen(token, "w");
    fputs("  tok \n", f);
    fclose(f);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/prefix/api/v1/rules", RULES);
    char url[128];
    snprintf(url, sizeof url, "%s/prefix/", api_stub_url(k.api.stub));
    cr_assert_eq(remote_new(&k.prometheus, "prometheus", url, token, NULL, "team-a", &k.e), ERR_OK);
    cr_assert_eq(look(&k, "deployment", OBSERVE_ALERT), ERR_OK, "%s", k.e.msg);
    cr_assert(k.seen.prometheus);
    cr_assert_eq(k.seen.alert, ALERT_STATE_FIRING, "%s", k.seen.alert_text);
    cr_assert_eq(k.seen.alert_settle_ms, 60000 + 30000);
    const struct stub_request *q = api_stub_request(k.api.stub, 2);
    cr_assert_str_eq(q->target, "/prefix/api/v1/rules?type=alert&rule_name%5B%5D=Down");
    cr_assert_str_eq(q->authorization, "Bearer tok");
    cr_assert_str_eq(q->tenant, "team-a");
    f = fopen(token, "w"); /* rotated */
    fputs("tok2", f);
    fclose(f);
    cr_assert_eq(look(&k, "deployment", OBSERVE_ALERT), ERR_OK);
    cr_assert_str_eq(api_stub_request(k.api.stub, 5)->authorization, "Bearer tok2");
    look_close(&k);
}

Test(observe, prometheus_away_or_talking_nonsense_is_unknown_and_no_error)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    cr_assert_eq(look(&k, "deployment", OBSERVE_ALERT), ERR_OK);
    cr_assert_not(k.seen.prometheus);
    cr_assert_str_eq(k.seen.alert_text, "no prometheus is configured");
    cr_assert_eq(k.seen.alert_settle_ms, 0);
    api_stub_answer(k.api.stub, "GET", "/api/v1/rules", 503, NULL, "not ready");
    api_stub_answer(k.api.stub, "GET", "/api/v1/rules", 200, NULL, "<html>");
    api_stub_answer(k.api.stub, "GET", "/api/v1/rules", 200, NULL, RULES);
    cr_assert_eq(remote_new(&k.prometheus, "prometheus", api_stub_url(k.api.stub), NULL, NULL, NULL, &k.e),
                 ERR_OK);
    for (int n = 0; n < 2; n++) {
        cr_assert_eq(look(&k, "deployment", OBSERVE_ALERT), ERR_OK);
        cr_assert_eq(k.seen.alert, ALERT_STATE_UNKNOWN);
        cr_assert_not_null(strstr(k.seen.alert_text, "prometheus cannot be asked"), "%s", k.seen.alert_text);
        cr_assert_eq(k.seen.alert_settle_ms, 0);
    }
    cr_assert_eq(look(&k, "deployment", OBSERVE_ALERT), ERR_OK);
    cr_assert_eq(k.seen.alert, ALERT_STATE_FIRING);
    look_close(&k);
}

/* ---- evidence and cause ---- */

#define QUOTA                                                                                                \
    "{'type':'ReplicaFailure','status':'True','reason':'FailedCreate','message':'exceeded quota: tight'}"
#define DEPLOYMENT_THAT(conditions)                                                                          \
    "{'kind':'Deployment','metadata':{'name':'checkout','namespace':'shop','uid':'d-1','resourceVersion':'"  \
    "41','generation':2},'spec':{'replicas':2," SELECTOR                                                     \
    "," TEMPLATE("v2") "},'status':{'observedGeneration':2,'replicas':2,'updatedReplicas':2,"                \
                       "'readyReplicas':2,'availableReplicas':2,'conditions':[" conditions "]}}"
#define UNREADY_POD                                                                                          \
    POD("slow", "b",                                                                                         \
        "'status':{'phase':'Running','startTime':'2026-08-20T09:00:00Z','conditions':[{'type':'Ready',"      \
        "'status':'False','reason':'ContainersNotReady','lastTransitionTime':'2026-08-20T09:10:00Z'}]}")

static enum cause cause_with(const char *deployment, const char *pods, unsigned needs)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", deployment);
    lay(&k, NS "/replicasets", REPLICASETS);
    lay(&k, "/api/v1/namespaces/shop/pods", pods);
    cr_assert_eq(look(&k, "deployment", needs), ERR_OK, "%s", k.e.msg);
    enum cause cause = k.seen.evidence.cause;
    cr_assert_eq(k.seen.fault, cause != CAUSE_NONE && cause != CAUSE_UNKNOWN);
    look_close(&k);
    return cause;
}

Test(observe, names_the_cause_that_status_points_to)
{
    const char *none = "{'metadata':{},'items':[]}";
    cr_assert_eq(cause_with(DEPLOYMENT_THAT(""), none, OBSERVE_PODS), CAUSE_NONE);
    cr_assert_eq(cause_with(DEPLOYMENT_THAT(QUOTA), none, 0), CAUSE_UNKNOWN, "nobody looked");
    cr_assert_eq(cause_with(DEPLOYMENT_THAT(QUOTA), none, OBSERVE_PODS), CAUSE_QUOTA);
    cr_assert_eq(cause_with(DEPLOYMENT_THAT(""), "{'metadata':{},'items':[" UNREADY_POD "]}", OBSERVE_PODS),
                 CAUSE_NOT_READY);
    cr_assert_eq(
        cause_with(DEPLOYMENT_THAT(QUOTA), "{'metadata':{},'items':[" UNREADY_POD "]}", OBSERVE_PODS),
        CAUSE_QUOTA, "others cannot be made: that says more than one that is not ready");
    cr_assert_eq(cause_with(DEPLOYMENT_THAT(QUOTA), "{'metadata':{},'items':[" POD("c", "b", CRASHED) "]}",
                            OBSERVE_PODS),
                 CAUSE_CRASH, "a pod that crashes says more");
}

/* ---- probes ---- */

Test(observe, carries_the_probes_answers_in_their_order)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/api/v1/query", "{'status':'success','data':{'resultType':'scalar','result':[1,'4']}}");
    cr_assert_eq(remote_new(&k.prometheus, "prometheus", api_stub_url(k.api.stub), NULL, NULL, NULL, &k.e),
                 ERR_OK);
    k.probes[0] = (struct probe){ .kind = PROBE_LOKI, .text = "x" };
    k.probes[1] = (struct probe){ .kind = PROBE_PROMQL, .text = "up" };
    k.probes_len = 2;
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK, "%s", k.e.msg);
    cr_assert_eq(k.seen.probes_len, 2);
    cr_assert_eq(k.seen.probes[0].state, PROBE_NO_DATA);
    cr_assert_eq(k.seen.probes[1].state, PROBE_ANSWERED, "%s", k.seen.probes[1].text);
    cr_assert_eq(k.seen.probes[1].most, 4);
    cr_assert_eq(k.seen.probes[1].at_ms / 60000, WALL_MS / 60000);
    look_close(&k);
}

/* ---- silences, autoscalers, budgets ---- */

Test(observe, asks_alertmanager_only_when_it_is_to_know)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/api/v2/alerts",
        "[{'labels':{'alertname':'Down','namespace':'shop'},'status':{'state':'suppressed',"
        "'silencedBy':['s-1']}}]");
    cr_assert_eq(look(&k, "deployment", OBSERVE_SILENCED), ERR_OK);
    cr_assert_not(k.seen.alertmanager);
    cr_assert_str_eq(k.seen.silenced_text, "no alertmanager is configured");
    cr_assert_eq(
        remote_new(&k.alertmanager, "alertmanager", api_stub_url(k.api.stub), NULL, NULL, NULL, &k.e),
        ERR_OK);
    size_t before = api_stub_count(k.api.stub);
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert(k.seen.alertmanager && k.seen.silenced == ALERTMANAGER_UNKNOWN);
    cr_assert_eq(api_stub_count(k.api.stub), before + 2, "workload and namespace");
    cr_assert_eq(look(&k, "deployment", OBSERVE_SILENCED), ERR_OK);
    cr_assert_eq(k.seen.silenced, ALERTMANAGER_SILENCED, "%s", k.seen.silenced_text);
    cr_assert_str_eq(k.seen.silenced_text, "silenced by s-1");
    look_close(&k);
}

Test(observe, finds_autoscalers_and_budgets_when_asked_and_says_when_it_may_not)
{
    struct look k;
    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    lay(&k, "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
        "{'metadata':{},'items':[{'metadata':{'name':'h'},'spec':{'scaleTargetRef':{'kind':'Deployment','"
        "name':"
        "'checkout'},'maxReplicas':4}}]}");
    lay(&k, "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
        "{'metadata':{},'items':[{'metadata':{'name':'b','generation':1},'spec':{'selector':{'matchLabels':{'"
        "app':"
        "'checkout'}}},'status':{'observedGeneration':1,'disruptionsAllowed':1}}]}");
    cr_assert_eq(look(&k, "deployment", 0), ERR_OK);
    cr_assert(!k.seen.hpa_known && !k.seen.pdb_known);
    cr_assert_eq(look(&k, "deployment", OBSERVE_HPA | OBSERVE_PDB), ERR_OK, "%s", k.e.msg);
    cr_assert(k.seen.hpa_known && k.seen.hpa);
    cr_assert_eq(k.seen.hpa_most, 4);
    cr_assert(k.seen.pdb_known && k.seen.pdb);
    cr_assert_eq(k.seen.pdb_allowed, 1);
    look_close(&k);

    look_open(&k, BY_NAME);
    lay(&k, NS "/deployments/checkout", DEPLOYMENT);
    api_stub_answer(k.api.stub, "GET", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", 403,
                    NULL, "{'kind':'Status','message':'heald cannot list horizontalpodautoscalers'}");
    cr_assert_eq(look(&k, "deployment", OBSERVE_HPA), ERR_OK, "%s", k.e.msg);
    cr_assert_not(k.seen.hpa_known);
    cr_assert_not_null(strstr(k.seen.hpa_text, "cannot list horizontalpodautoscalers"), "%s",
                       k.seen.hpa_text);
    look_close(&k);
}
