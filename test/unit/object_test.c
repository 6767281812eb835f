/* test/unit/object_test.c - what objects that are no workloads say of themselves, and the table of kinds. */
#include "actions/verify/object.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/kube/kube.h"
#include "rules/model/kind.h"
#include "test/kit/sample.h"

#define NOW_MS 1787217300000 /* 2026-08-20T09:15:00Z */

struct object_case {
    char kind[32], spec[96], status[256];
    int well;
    char says[64], condition[32];
};

ParameterizedTestParameters(object, says_whether_it_is_well)
{
#define COND(type, status, rest)                                                                             \
    "'conditions':[{'type':'" type "','status':'" status "'," rest                                           \
    "'lastTransitionTime':'2026-08-20T09:00:00Z'}]"
    static struct object_case cases[] = {
        { "Job", "", COND("Complete", "True", ""), 1, "", " Complete=True " },
        { "Job", "", "'active':1", 1, "", "" },
        { "Job", "", COND("Failed", "True", "'reason':'BackoffLimitExceeded',"), 0,
          "the job failed: BackoffLimitExceeded", " Failed=True " },
        { "Job", "", COND("Failed", "False", ""), 1, "", " Failed=False " },
        { "CronJob", "",
          "'lastScheduleTime':'2026-08-20T09:00:00Z','lastSuccessfulTime':'2026-08-20T09:01:00Z'", 1, "",
          "" },
        { "CronJob", "", "'lastScheduleTime':'2026-08-20T09:00:00Z'", 0, "did not succeed", "" },
        { "CronJob", "", "'lastScheduleTime':'2026-08-20T09:00:00Z','active':[{'name':'x'}]", 0,
          "its run has not ended", "" },
        { "CronJob", "", "'lastScheduleTime':'2026-08-20T09:14:00Z','active':[{'name':'x'}]", 1, "", "" },
        { "CronJob", "", "", 1, "", "" },
        { "Node", "", COND("Ready", "True", ""), 1, "", " Ready=True " },
        { "Node", "", COND("Ready", "Unknown", "'message':'Kubelet stopped',"), 0,
          "the node is not ready: Kubelet stopped", " Ready=Unknown " },
        { "Node", "'unschedulable':true", COND("Ready", "True", ""), 1, "", " Unschedulable=True " },
        { "Node", "", "", 0, "the node is not ready", "" },
        { "HorizontalPodAutoscaler", "", COND("ScalingLimited", "True", "'reason':'TooManyReplicas',"), 0,
          "more than its maximum", "" },
        { "HorizontalPodAutoscaler", "", COND("ScalingLimited", "True", "'reason':'TooFewReplicas',"), 1, "",
          "" },
        { "HorizontalPodAutoscaler", "", COND("ScalingActive", "False", "'reason':'FailedGetScale',"), 0,
          "no metrics", "" },
        { "HorizontalPodAutoscaler", "", COND("ScalingActive", "False", "'reason':'ScalingDisabled',"), 1, "",
          "" },
        { "HorizontalPodAutoscaler", "", COND("AbleToScale", "False", ""), 0, "cannot scale", "" },
        { "PersistentVolumeClaim", "", "'phase':'Bound'", 1, "", " Phase=Bound " },
        { "PersistentVolumeClaim", "", "'phase':'Pending'", 0, "not bound", " Phase=Pending " },
        { "PersistentVolumeClaim", "", "'phase':'Lost'", 0, "lost", "" },
        { "Application", "", "'health':{'status':'Healthy'},'sync':{'status':'OutOfSync'}", 1, "",
          " Sync=OutOfSync " },
        { "Application", "", "'health':{'status':'Degraded'}", 0, "degraded", " Health=Degraded " },
        { "Application", "", "'health':{'status':'Missing'}", 0, "missing", "" },
        { "Service", "", "", 1, "", "" },
    };
    return cr_make_param_array(struct object_case, cases, sizeof cases / sizeof cases[0]);
}

static void read_object(struct observation *ret, const char *kind, const char *spec, const char *status)
{
    char text[1024];
    struct err e = ERR_INIT;
    snprintf(text, sizeof text,
             "{'metadata':{'name':'o','namespace':'shop','uid':'u1','resourceVersion':'7',"
             "'creationTimestamp':'2026-08-20T08:00:00Z'},'spec':{%s},'status':{%s}}",
             spec, status);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    memset(ret, 0, sizeof *ret);
    cr_assert_eq(object_read(json_root(doc), kind, ret, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(object_judge(json_root(doc), NOW_MS, ret, &e), ERR_OK, "%s", e.msg);
}

ParameterizedTest(struct object_case *c, object, says_whether_it_is_well)
{
    struct observation o;
    read_object(&o, c->kind, c->spec, c->status);
    cr_assert_eq(!o.fault, c->well, "%s {%s}: %s", c->kind, c->status, o.fault_text);
    cr_assert(strstr(o.fault_text, c->says), "'%s' should say '%s'", o.fault_text, c->says);
    cr_assert(strstr(o.conditions, c->condition), "'%s' should have '%s'", o.conditions, c->condition);
    cr_assert(o.desired == 1 && o.ready == c->well && o.rollout_complete && o.template_hash[0]);
    cr_assert_eq(o.evidence.cause == CAUSE_NONE, c->well);
}

Test(object, another_spec_is_another_hash)
{
    struct observation a, b;
    read_object(&a, "Node", "", "");
    read_object(&b, "Node", "'unschedulable':true", "");
    cr_assert_str_neq(a.template_hash, b.template_hash);
    cr_assert(b.paused && !a.paused);
}

Test(object, a_service_is_well_while_an_endpoint_is_ready)
{
    struct observation o;
    int32_t ready = 0, all = 0;
    CLEANUP(json_freep)
    struct json_doc *slice = sample_text("{'endpoints':[{'conditions':{'ready':false}},{'conditions':{}}]}");
    CLEANUP(json_freep) struct json_doc *service = sample_text("{'spec':{'selector':{'app':'x'}}}");
    CLEANUP(json_freep) struct json_doc *headless = sample_text("{'spec':{}}");
    object_count_endpoints(json_root(slice), &ready, &all);
    cr_assert(ready == 1 && all == 2);
    read_object(&o, "Service", "", "");
    object_judge_endpoints(json_root(service), ready, all, &o);
    cr_assert_not(o.fault);
    object_judge_endpoints(json_root(headless), 0, 0, &o);
    cr_assert_not(o.fault, "without a selector its endpoints are somebody else's");
    object_judge_endpoints(json_root(service), 0, 0, &o);
    cr_assert(o.fault && o.ready == 0);
    cr_assert_str_eq(o.fault_text, "it selects no pod");
    read_object(&o, "Service", "", "");
    object_judge_endpoints(json_root(service), 0, 2, &o);
    cr_assert_str_eq(o.fault_text, "none of its 2 endpoints is ready");
}

Test(kind, is_found_by_each_of_its_names_and_has_a_path)
{
    struct buf path = BUF_INIT;
    for (size_t k = 0; k < kinds_len; k++) {
        cr_assert_eq(kind_find(kinds[k].name), &kinds[k]);
        cr_assert_eq(kind_by_word(kinds[k].word), &kinds[k]);
        cr_assert_eq(kind_by_word(kinds[k].brief), &kinds[k]);
        cr_assert_eq(kind_by_label(kinds[k].label), &kinds[k]);
        cr_assert(kind_among(KIND_NAMES, kinds[k].name));
        cr_assert_eq(kind_among(KIND_WORKLOADS, kinds[k].name), kinds[k].workload);
        cr_assert_eq(kind_among(KIND_OWNERS, kinds[k].name), kinds[k].owner);
        cr_assert_eq(kube_path(&path, kinds[k].name, "shop", "o", NULL, NULL), ERR_OK, "%s", kinds[k].name);
        cr_assert_eq(strstr(buf_text(&path), "namespaces/shop") != NULL, kinds[k].namespaced);
        buf_clear(&path);
    }
    buf_release(&path);
    cr_assert_null(kind_find("Secret"));
    cr_assert_null(kind_by_word("pod"));
    cr_assert_null(kind_by_label("pod"));
    cr_assert_not(kind_among(KIND_WORKLOADS, "Deploy"));
    cr_assert_not(kind_is_workload("Node"));
    cr_assert(!kind_is_namespaced("Node") && kind_is_namespaced("Deployment"));
}
