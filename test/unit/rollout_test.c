/* test/unit/rollout_test.c - what a workload's own object says: rollout, owner, trouble. */
#include "actions/verify/rollout.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/verify/status.h"
#include "test/kit/sample.h"

#define NOW_MS 1787217300000 /* 2026-08-20T09:15:00Z */

static enum err_code read_as(const char *kind, const char *text, struct observation *ret, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    memset(ret, 0, sizeof *ret);
    return rollout_read(json_root(doc), kind, ret, e);
}

/* A workload with these members of spec and status. */
static struct observation workload(const char *kind, const char *spec, const char *status)
{
    struct observation o;
    struct err e = ERR_INIT;
    char text[2048];
    snprintf(text, sizeof text,
             "{'metadata':{'name':'w','namespace':'shop','uid':'u1','resourceVersion':'7','generation':3},"
             "'spec':{%s%s'template':{'spec':{'containers':[]}}},'status':{%s}}",
             spec, *spec ? "," : "", status);
    cr_assert_eq(read_as(kind, text, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

struct complete_case {
    char kind[16], spec[128], status[256];
    int complete;
};

ParameterizedTestParameters(rollout, is_complete_as_kubectl_says)
{
    static struct complete_case cases[] = {
        /* Deployment: in kubectl's order */
        { "Deployment", "'replicas':3",
          "'observedGeneration':3,'replicas':3,'updatedReplicas':3,'availableReplicas':3", 1 },
        { "Deployment", "'replicas':3",
          "'observedGeneration':2,'replicas':3,'updatedReplicas':3,'availableReplicas':3", 0 },
        { "Deployment", "'replicas':3",
          "'observedGeneration':3,'replicas':2,'updatedReplicas':2,'availableReplicas':2", 0 },
        { "Deployment", "'replicas':3",
          "'observedGeneration':3,'replicas':4,'updatedReplicas':3,'availableReplicas':3", 0 },
        { "Deployment", "'replicas':3",
          "'observedGeneration':3,'replicas':3,'updatedReplicas':3,'availableReplicas':2", 0 },
        { "Deployment", "", "'observedGeneration':3,'replicas':1,'updatedReplicas':1,'availableReplicas':1",
          1 },
        { "Deployment", "", "'observedGeneration':3", 0 },
        { "Deployment", "'replicas':0", "'observedGeneration':3", 1 },
        { "Deployment", "'replicas':1",
          "'observedGeneration':3,'replicas':1,'updatedReplicas':1,'availableReplicas':1,"
          "'conditions':[{'type':'Progressing','status':'False','reason':'ProgressDeadlineExceeded'}]",
          0 },
        /* StatefulSet */
        { "StatefulSet",
          "'replicas':2,'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':0}}",
          "'observedGeneration':3,'readyReplicas':2,'updatedReplicas':2", 1 },
        { "StatefulSet",
          "'replicas':2,'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':0}}",
          "'observedGeneration':3,'readyReplicas':2,'updatedReplicas':1", 0 },
        { "StatefulSet",
          "'replicas':2,'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':1}}",
          "'observedGeneration':3,'readyReplicas':2,'updatedReplicas':1", 1 },
        { "StatefulSet", "'replicas':2,'updateStrategy':{'type':'RollingUpdate'}",
          "'observedGeneration':3,'readyReplicas':2,'updateRevision':'a','currentRevision':'b'", 0 },
        { "StatefulSet", "'replicas':2,'updateStrategy':{'type':'RollingUpdate'}",
          "'observedGeneration':3,'readyReplicas':2,'updateRevision':'a','currentRevision':'a'", 1 },
        { "StatefulSet", "'replicas':2", "'observedGeneration':3,'readyReplicas':1", 0 },
        { "StatefulSet", "'replicas':0", "", 0 },
        { "StatefulSet", "'replicas':2,'updateStrategy':{'type':'OnDelete'}",
          "'observedGeneration':3,'readyReplicas':2,'updatedReplicas':1", 0 },
        /* DaemonSet */
        { "DaemonSet", "",
          "'observedGeneration':3,'desiredNumberScheduled':2,'updatedNumberScheduled':2,'numberAvailable':2",
          1 },
        { "DaemonSet", "",
          "'observedGeneration':3,'desiredNumberScheduled':2,'updatedNumberScheduled':1,'numberAvailable':2",
          0 },
        { "DaemonSet", "",
          "'observedGeneration':3,'desiredNumberScheduled':2,'updatedNumberScheduled':2,'numberAvailable':1",
          0 },
        { "DaemonSet", "",
          "'observedGeneration':2,'desiredNumberScheduled':2,'updatedNumberScheduled':2,'numberAvailable':2",
          0 },
    };
    return cr_make_param_array(struct complete_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct complete_case *c, rollout, is_complete_as_kubectl_says)
{
    struct observation o = workload(c->kind, c->spec, c->status);
    cr_assert_eq(o.rollout_complete, c->complete, "%s spec %s status %s", c->kind, c->spec, c->status);
}

Test(rollout, reads_identity_numbers_and_strategy)
{
    struct observation o = workload(
        "Deployment", "'replicas':5,'paused':true,'progressDeadlineSeconds':90",
        "'observedGeneration':3,'replicas':7,'updatedReplicas':3,'readyReplicas':4,'availableReplicas':2");
    cr_assert_str_eq(o.target.namespace, "shop");
    cr_assert_str_eq(o.target.kind, "Deployment");
    cr_assert_str_eq(o.target.name, "w");
    cr_assert_str_eq(o.target.uid, "u1");
    cr_assert_str_eq(o.resource_version, "7");
    cr_assert_eq(o.desired, 5);
    cr_assert_eq(o.total, 7);
    cr_assert_eq(o.updated, 3);
    cr_assert_eq(o.ready, 4);
    cr_assert_eq(o.available, 2);
    cr_assert_eq(o.progress_deadline_seconds, 90);
    cr_assert(o.paused && o.observed_generation_current && !o.terminating && !o.ignored && !o.on_delete);
    cr_assert_eq(strlen(o.template_hash), 64);
    o = workload("DaemonSet", "'updateStrategy':{'type':'OnDelete'}",
                 "'desiredNumberScheduled':4,'numberReady':1");
    cr_assert(o.on_delete && !o.observed_generation_current);
    cr_assert_eq(o.desired, 4);
    cr_assert_eq(o.ready, 1);
    cr_assert_eq(o.progress_deadline_seconds, ROLLOUT_DEADLINE_DEFAULT_SECONDS);
}

Test(rollout, refuses_an_object_without_identity_or_template)
{
    struct observation o;
    struct err e = ERR_INIT;
    cr_assert_eq(read_as("Deployment",
                         "{'metadata':{'name':'w','resourceVersion':'1'},'spec':{'template':{}}}", &o, &e),
                 ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "uid"), "%s", e.msg);
    cr_assert_eq(read_as("Deployment", "{'metadata':{'name':'w','uid':'u','resourceVersion':'1'}}", &o, &e),
                 ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "template"), "%s", e.msg);
    cr_assert_eq(read_as("Job",
                         "{'metadata':{'name':'w','uid':'u','resourceVersion':'1'},'spec':{'template':{}}}",
                         &o, &e),
                 ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "\"Job\""), "%s", e.msg);
}

Test(rollout, sees_the_restart_annotation_the_deletion_and_the_wish_to_be_left_alone)
{
    struct observation o;
    cr_assert_eq(
        read_as("Deployment",
                "{'metadata':{'name':'w','uid':'u','resourceVersion':'1','deletionTimestamp':'2026-08-20T09:"
                "00:00Z',"
                "'annotations':{'heald.dev/ignore':'true'}},'spec':{'template':{'metadata':{'annotations':"
                "{'kubectl.kubernetes.io/restartedAt':'2026-08-20T09:15:10Z'}}}}}",
                &o, NULL),
        ERR_OK);
    cr_assert_str_eq(o.restarted_at, "2026-08-20T09:15:10Z");
    cr_assert(o.terminating && o.ignored);
}

Test(rollout, ignores_by_any_value_but_false)
{
    static const struct {
        const char *value;
        bool ignored;
    } cases[] = { { "true", true }, { "True", true }, { "yes", true }, { "false", false }, { "", false } };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        char text[128];
        snprintf(text, sizeof text, "{'metadata':{'annotations':{'heald.dev/ignore':'%s'}}}", cases[k].value);
        CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
        cr_assert_eq(status_ignored(json_root(doc)), cases[k].ignored, "\"%s\"", cases[k].value);
    }
}

/* ---- trouble of the workload itself ---- */

Test(rollout, a_passed_deadline_is_trouble_whose_beginning_is_not_known)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file("k8s-deployment-progress-deadline.json");
    struct observation o;
    char text[OBSERVATION_TEXT_SIZE] = "";
    int64_t since_ms = 1;
    memset(&o, 0, sizeof o);
    cr_assert_eq(rollout_read(json_root(doc), "Deployment", &o, NULL), ERR_OK);
    cr_assert(o.deadline_exceeded && !o.rollout_complete);
    struct evidence v;
    cr_assert(rollout_fault(json_root(doc), NOW_MS, text, &v, &since_ms));
    cr_assert_not_null(strstr(text, "progress deadline"), "%s", text);
    cr_assert_eq(v.cause, CAUSE_NOT_READY);
    cr_assert_str_eq(v.reason, "ProgressDeadlineExceeded");
    cr_assert_str_eq(v.message, "no progress by ReplicaSet checkout-5b6d7f8c9");
    cr_assert_eq(v.exit_code, -1);
    cr_assert_eq(since_ms, 0);
}

static bool condition_fault(const char *condition, char text[OBSERVATION_TEXT_SIZE], int64_t *ret_ms)
{
    char object[512];
    snprintf(object, sizeof object, "{'status':{'conditions':[%s]}}", condition);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(object);
    struct evidence v;
    return rollout_fault(json_root(doc), NOW_MS, text, &v, ret_ms);
}

Test(rollout, pods_that_cannot_be_made_are_trouble_and_a_short_gap_is_not)
{
    char text[OBSERVATION_TEXT_SIZE] = "";
    int64_t since_ms = 0;
    cr_assert(condition_fault("{'type':'ReplicaFailure','status':'True','message':'exceeded "
                              "quota','lastTransitionTime':'2026-08-20T09:14:00Z'}",
                              text, &since_ms));
    cr_assert_str_eq(text, "pods cannot be made: exceeded quota");
    cr_assert_eq(since_ms, NOW_MS - 60000);
    cr_assert_not(
        condition_fault("{'type':'Available','status':'False','lastTransitionTime':'2026-08-20T09:14:01Z'}",
                        text, &since_ms));
    cr_assert(
        condition_fault("{'type':'Available','status':'False','lastTransitionTime':'2026-08-20T09:14:00Z'}",
                        text, &since_ms));
    cr_assert_not(condition_fault(
        "{'type':'Available','status':'True','lastTransitionTime':'2026-08-20T09:00:00Z'}", text, &since_ms));
    cr_assert_not(condition_fault("{'type':'Progressing','status':'True','reason':'NewReplicaSetAvailable'}",
                                  text, &since_ms));
}

/* ---- who else manages it ---- */

struct owner_case {
    char metadata[320], owner[96];
};

ParameterizedTestParameters(rollout, names_who_else_manages_the_object)
{
    static struct owner_case cases[] = {
        { "", "" },
        { "'ownerReferences':[{'kind':'Rollout','name':'z','uid':'r','controller':true}],'labels':{'helm."
          "toolkit.fluxcd.io/name':'x'}",
          "controller Rollout/z" },
        { "'ownerReferences':[{'kind':'Rollout','name':'z','uid':'r'}]", "" },
        { "'annotations':{'argocd.argoproj.io/tracking-id':'checkout-app:apps/Deployment:shop/w'}",
          "Argo CD application \"checkout-app\"" },
        { "'annotations':{'argocd.argoproj.io/tracking-id':'app:apps/Deployment:shop/other'}", "" },
        { "'annotations':{'argocd.argoproj.io/tracking-id':'app:apps/StatefulSet:shop/w'}", "" },
        { "'annotations':{'argocd.argoproj.io/tracking-id':'nonsense'}", "" },
        { "'labels':{'argocd.argoproj.io/instance':'a'}", "Argo CD application \"a\"" },
        { "'labels':{'app.kubernetes.io/instance':'a'}", "" },
        { "'labels':{'kustomize.toolkit.fluxcd.io/name':'apps','kustomize.toolkit.fluxcd.io/"
          "namespace':'flux'}",
          "Flux Kustomization \"apps\"" },
        { "'labels':{'helm.toolkit.fluxcd.io/name':'rel','app.kubernetes.io/"
          "managed-by':'Helm'},'annotations':{'meta.helm.sh/release-name':'rel'}",
          "Flux HelmRelease \"rel\"" },
        { "'labels':{'app.kubernetes.io/managed-by':'Helm'},'annotations':{'meta.helm.sh/"
          "release-name':'shop-checkout'}",
          "Helm release \"shop-checkout\"" },
        { "'labels':{'app.kubernetes.io/managed-by':'Helm'}", "" },
        { "'annotations':{'meta.helm.sh/release-name':'shop-checkout'}", "" },
    };
    return cr_make_param_array(struct owner_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct owner_case *c, rollout, names_who_else_manages_the_object)
{
    char text[512], owner[OBSERVATION_TEXT_SIZE] = "left";
    snprintf(text, sizeof text, "{'kind':'Deployment','metadata':{'name':'w','namespace':'shop'%s%s}}",
             c->metadata[0] ? "," : "", c->metadata);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    rollout_owner(owner, json_root(doc));
    cr_assert_str_eq(owner, c->owner, "\"%s\" for %s", owner, text);
}

/* ---- who changed it last ---- */

static void changed_by(const char *annotation, const char *fields, const char *want)
{
    char text[2048], by[64] = "left";
    snprintf(text, sizeof text,
             "{'kind':'Deployment','metadata':{'name':'w','annotations':{%s},'managedFields':[%s]}}",
             annotation, fields);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    rollout_changed_by(by, sizeof by, json_root(doc));
    cr_assert_str_eq(by, want, "\"%s\" for %s", by, text);
}

#define EDIT "{'manager':'kubectl-edit','time':'2026-08-20T09:20:00Z','fieldsV1':{'f:spec':{}}}"
#define HELM "{'manager':'helm','time':'2026-08-20T09:10:00Z','fieldsV1':{'f:spec':{}}}"
#define OWN "{'manager':'heald','time':'2026-08-20T09:30:00Z','fieldsV1':{'f:spec':{}}}"
#define STATUS "{'manager':'k','time':'2026-08-20T09:31:00Z','fieldsV1':{'f:spec':{}},'subresource':'status'}"
#define SCALE "{'manager':'h','time':'2026-08-20T09:32:00Z','fieldsV1':{'f:spec':{}},'subresource':'scale'}"
#define LABELS "{'manager':'l','time':'2026-08-20T09:33:00Z','fieldsV1':{'f:metadata':{}}}"

Test(rollout, says_who_changed_the_object_last)
{
    changed_by("", EDIT "," HELM, "kubectl-edit");
    changed_by("'heald.dev/changed-by':'anna'", EDIT "," HELM, "anna");
}

Test(rollout, neither_heald_nor_a_status_nor_a_scale_is_a_change)
{
    changed_by("", HELM "," OWN "," STATUS "," SCALE "," LABELS, "helm");
    changed_by("", "", "");
}

/* ---- selectors ---- */

struct selector_case {
    char selector[160], labels[80];
    int selects;
};

ParameterizedTestParameters(status, selects_as_kubernetes_does)
{
    static struct selector_case cases[] = {
        { "{}", "{'a':'b'}", 0 },
        { "null", "{'a':'b'}", 0 },
        { "{'matchLabels':{'a':'b'}}", "{'a':'b','c':'d'}", 1 },
        { "{'matchLabels':{'a':'b'}}", "{'a':'x'}", 0 },
        { "{'matchLabels':{'a':'b','c':'d'}}", "{'a':'b'}", 0 },
        { "{'matchExpressions':[{'key':'a','operator':'In','values':['x','b']}]}", "{'a':'b'}", 1 },
        { "{'matchExpressions':[{'key':'a','operator':'In','values':['x']}]}", "{'a':'b'}", 0 },
        { "{'matchExpressions':[{'key':'a','operator':'NotIn','values':['x']}]}", "{'a':'b'}", 1 },
        { "{'matchExpressions':[{'key':'q','operator':'NotIn','values':['x']}]}", "{'a':'b'}", 1 },
        { "{'matchExpressions':[{'key':'a','operator':'Exists'}]}", "{'a':''}", 1 },
        { "{'matchExpressions':[{'key':'q','operator':'Exists'}]}", "{'a':''}", 0 },
        { "{'matchExpressions':[{'key':'q','operator':'DoesNotExist'}]}", "{'a':''}", 1 },
        { "{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{'a':''}", 0 },
        { "{'matchExpressions':[{'key':'a','operator':'Gt','values':['1']}]}", "{'a':'2'}", 0 },
        { "{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'q','operator':'Exists'}]}", "{'a':'b'}", 0 },
    };
    return cr_make_param_array(struct selector_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct selector_case *c, status, selects_as_kubernetes_does)
{
    CLEANUP(json_freep) struct json_doc *selector = sample_text(c->selector);
    CLEANUP(json_freep) struct json_doc *labels = sample_text(c->labels);
    cr_assert_eq(status_selects(json_root(selector), json_root(labels)), c->selects, "%s on %s", c->selector,
                 c->labels);
}

struct refused_case {
    char message[120];
    enum cause cause;
};

ParameterizedTestParameters(rollout, pods_that_are_refused_tell_quota_from_other_reasons)
{
    static struct refused_case cases[] = {
        { "pods 'x' is forbidden: exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2",
          CAUSE_QUOTA },
        { "pods 'x' is forbidden: violates PodSecurity 'restricted:latest'", CAUSE_FORBIDDEN },
        { "admission webhook 'w' denied the request", CAUSE_FORBIDDEN },
    };
    return cr_make_param_array(struct refused_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct refused_case *c, rollout, pods_that_are_refused_tell_quota_from_other_reasons)
{
    char object[512], text[OBSERVATION_TEXT_SIZE];
    struct evidence v;
    int64_t since_ms;
    for (char *p = c->message; *p; p++)
        *p = *p == '\'' ? '`' : *p;
    snprintf(object, sizeof object,
             "{'status':{'conditions':[{'type':'ReplicaFailure','status':'True','reason':'FailedCreate','"
             "message':'%s'}]}}",
             c->message);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(object);
    cr_assert(rollout_fault(json_root(doc), NOW_MS, text, &v, &since_ms));
    cr_assert_eq(v.cause, c->cause, "%s", cause_name(v.cause));
    cr_assert_str_eq(v.message, c->message);
}
