/* test/unit/change_other_test.c - actions that set any listed field, an image, fields of nodes, CronJobs and
 * claims, or that make a Job. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "test/kit/api_fixture.h"
#include "test/kit/change_kit.h"

/* ---- patch ---- */

Test(patch, sets_one_plain_field)
{
    possible("patch", "{'metadata':{},'spec':{'minReadySeconds':5}}",
             "{'path':'/spec/minReadySeconds','value':'10'}", "{'set':[['/spec/minReadySeconds',5,10]]}",
             "/spec/minReadySeconds from 5 to 10");
    possible("patch", "{'spec':{}}", "{'path':'/spec/minReadySeconds','value':'10'}",
             "{'set':[['/spec/minReadySeconds',null,10]]}", "/spec/minReadySeconds from absent to 10");
}

struct patch_case {
    char path[96], value[24], why[40];
};

ParameterizedTestParameters(patch, refuses_what_is_nobodys_to_list)
{
    static struct patch_case cases[] = {
        { "/metadata/ownerReferences", "1", "not below /spec" },
        { "/metadata/labels/app", "1", "not below /spec" },
        { "/spec/selector", "1", "\"selector\"" },
        { "/spec/selector/matchLabels/app", "1", "\"selector\"" },
        { "/spec/template/spec/serviceAccountName", "1", "\"serviceAccountName\"" },
        { "/spec/template/spec/securityContext/runAsUser", "0", "\"securityContext\"" },
        { "/spec/template/spec/containers/0/securityContext/privileged", "true", "\"securityContext\"" },
        { "/spec/template/spec/volumes/0/hostPath", "1", "\"volumes\"" },
        { "/spec/template/spec/containers/0/command/0", "1", "\"command\"" },
        { "/spec/template/spec/containers/0/args/0", "1", "\"args\"" },
        { "/spec/template/spec/containers/0/image", "1", "\"image\"" },
        { "/spec/template/spec/containers/0/env/0/value", "1", "\"env\"" },
        { "/spec/template/spec/containers/0/livenessProbe/exec/command/0", "1", "\"command\"" },
        { "/spec/template/spec/hostNetwork", "true", "\"hostNetwork\"" },
        { "/spec/sec~0urityContext", "1", "not below /spec" },
        { "/spec/minReadySeconds", "{}", "not one number" },
        { "/spec/minReadySeconds", "[1]", "not one number" },
        { "/spec/minReadySeconds", "null", "not one number" },
        { "/spec/minReadySeconds", "ten", "no JSON" },
        { "/spec/strategy", "1", "more than one value" },
        { "/spec/nothing/here", "1", "nothing above" },
        { "/spec/minReadySeconds", "5", "" },
    };
    return cr_make_param_array(struct patch_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct patch_case *c, patch, refuses_what_is_nobodys_to_list)
{
    char params[256];
    snprintf(params, sizeof params, "{'path':'%s','value':'%s'}", c->path, c->value);
    refused("patch", "{'spec':{'minReadySeconds':5,'strategy':{'type':'Recreate'}}}", params,
            c->why[0] ? c->why : "already");
}

/* ---- nodes ---- */

#define NODE(name, ready, more, version)                                                                     \
    "{'metadata':{'name':'" name "'},'spec':{" more "},'status':{'nodeInfo':{'kubeletVersion':'" version     \
    "'},'conditions':[{'type':'Ready','status':'" ready "'}]}}"
#define NODES "/api/v1/nodes"

static struct observation look_at(struct api_fixture *f, const char *action, const char *kind,
                                  const char *name, const char *object, const char *params)
{
    CLEANUP(json_freep) struct json_doc *o = sample_text(object);
    CLEANUP(json_freep) struct json_doc *p = sample_text(params);
    struct target t = target;
    struct observation seen;
    struct err e = ERR_INIT;
    snprintf(t.kind, sizeof t.kind, "%s", kind);
    snprintf(t.name, sizeof t.name, "%s", name);
    struct change_ask a = { .cluster = f->cluster,
                            .http = f->http,
                            .target = &t,
                            .object = json_root(o),
                            .params = json_root(p),
                            .id = "i-7/steps.0/1" };
    memset(&seen, 0, sizeof seen);
    cr_assert_eq(change_look(&a, catalogue_find(action)->prepare, &seen, &e), ERR_OK, "%s", e.msg);
    return seen;
}

static void cordon_says(const char *nodes, const char *object, const char *left, const char *want)
{
    struct api_fixture f = api_open();
    char list[4096], params[32];
    snprintf(list, sizeof list, "{'metadata':{},'items':[%s]}", nodes);
    snprintf(params, sizeof params, "{'left':%s}", left);
    api_stub_answer(f.stub, "GET", NODES, 200, NULL, list);
    struct observation o = look_at(&f, "cordon", "Node", "n1", object, params);
    cr_assert_not_null(strstr(o.change_say, want), "\"%s\" should say \"%s\"", o.change_say, want);
    cr_assert_eq(o.change == CHANGE_POSSIBLE, strcmp(want, "no new pods") == 0);
    api_close(&f);
}

#define N1 NODE("n1", "True", "", "v1")
#define N2 NODE("n2", "True", "", "v1")

Test(cordon, leaves_enough_nodes_and_keeps_away_from_others_work)
{
    cordon_says(N1 "," N2, N1, "1", "no new pods");
    cordon_says(N1 "," N2, N1, "2", "leave 1 nodes");
    cordon_says(N1, N1, "1", "leave 0 nodes");
    cordon_says(N1 "," NODE("n2", "True", "'unschedulable':true", "v1"), N1, "1", "leave 0 nodes");
    cordon_says(N1 "," NODE("n2", "True", "", "v2"), N1, "1", "versions differ");
    cordon_says(
        NODE("n1", "False", "", "v1") "," NODE("n2", "False", "", "v1") "," NODE("n3", "True", "", "v1"),
        NODE("n1", "False", "", "v1"), "1", "the network is the fault");
    cordon_says(NODE("n1", "False", "", "v1") "," N2, NODE("n1", "False", "", "v1"), "1", "no new pods");
    cordon_says(N1 "," N2, NODE("n1", "True", "'taints':[{'key':'ToBeDeletedByClusterAutoscaler'}]", "v1"),
                "1", "an autoscaler or an upgrade");
    cordon_says(N1 "," N2, NODE("n1", "True", "'unschedulable':true", "v1"), "1", "cordoned already");
}

Test(cordon, is_refused_where_the_nodes_cannot_be_counted)
{
    struct api_fixture f = api_open();
    api_stub_answer(f.stub, "GET", NODES, 403, NULL, "{'kind':'Status','message':'no','code':403}");
    struct observation o = look_at(&f, "cordon", "Node", "n1", N1, "{'left':1}");
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE);
    cr_assert_not_null(strstr(o.change_say, "cannot be counted"), "%s", o.change_say);
    api_close(&f);
}

Test(uncordon, ends_only_its_own_cordon)
{
    possible("uncordon",
             "{'metadata':{'annotations':{'heald.dev/cordoned':'true'}},'spec':{'unschedulable':true}}", "{}",
             "{'notes':true,'set':[['/spec/unschedulable',true,null],"
             "['/metadata/annotations/heald.dev~1cordoned','true',null]]}",
             "new pods on it again");
    refused("uncordon", "{'metadata':{'annotations':{'a':'b'}},'spec':{'unschedulable':true}}", "{}",
            "somebody else");
    refused("uncordon", "{'metadata':{'annotations':{'heald.dev/cordoned':'true'}},'spec':{}}", "{}",
            "not cordoned");
}

#define TAINTED                                                                                              \
    "{'metadata':{},'spec':{'taints':[{'key':'a','effect':'NoSchedule'},{'key':'b','effect':'NoExecute'}]}}"

Test(taint, writes_the_list_as_a_whole)
{
    possible("taint", TAINTED, "{'key':'slow','effect':'PreferNoSchedule','value':'disk','left':1}",
             "{'set':[['/spec/taints',[{'key':'a','effect':'NoSchedule'},{'key':'b','effect':'NoExecute'}],"
             "[{'key':'a','effect':'NoSchedule'},{'key':'b','effect':'NoExecute'},"
             "{'key':'slow','value':'disk','effect':'PreferNoSchedule'}]]]}",
             "taint slow=disk:PreferNoSchedule on it");
    possible("untaint", TAINTED, "{'key':'a','effect':'NoSchedule'}",
             "{'set':[['/spec/taints',[{'key':'a','effect':'NoSchedule'},{'key':'b','effect':'NoExecute'}],"
             "[{'key':'b','effect':'NoExecute'}]]]}",
             "taint a:NoSchedule off it");
    possible("untaint", "{'spec':{'taints':[{'key':'a','effect':'NoSchedule'}]}}",
             "{'key':'a','effect':'NoSchedule'}",
             "{'set':[['/spec/taints',[{'key':'a','effect':'NoSchedule'}],null]]}",
             "taint a:NoSchedule off it");
}

Test(taint, leaves_those_of_others_alone)
{
    const char *own = "{'key':'node.kubernetes.io/not-ready','effect':'NoSchedule','left':1}";
    refused("taint", TAINTED, own, "belongs to Kubernetes");
    refused("untaint", TAINTED, own, "belongs to Kubernetes");
    refused("taint", TAINTED, "{'key':'a','effect':'NoSchedule','left':1}", "that taint already");
    refused("untaint", TAINTED, "{'key':'a','effect':'PreferNoSchedule'}", "no taint");
}

/* ---- CronJobs and Jobs ---- */

Test(suspend_cronjob, and_resume_cronjob_mind_whose_it_is)
{
    possible("suspend_cronjob", "{'metadata':{'annotations':{'a':'b'}},'spec':{'suspend':false}}", "{}",
             "{'notes':true,'set':[['/spec/suspend',false,true],"
             "['/metadata/annotations/heald.dev~1suspended',null,'true']]}",
             "it starts no more jobs; those that run go on");
    refused("suspend_cronjob", "{'spec':{'suspend':true}}", "{}", "suspended already");
    refused("resume_cronjob", "{'spec':{'suspend':true}}", "{'whose':'heald'}", "somebody else");
    refused("resume_cronjob", "{'spec':{'suspend':false}}", "{'whose':'anybody'}", "not suspended");
    possible("resume_cronjob", "{'spec':{'suspend':true}}", "{'whose':'anybody'}",
             "{'set':[['/spec/suspend',true,false]]}", "it starts jobs again");
}

#define MADE "import-heald-"

Test(run_cronjob_now, makes_one_job_named_after_the_attempt)
{
    struct api_fixture f = api_open();
    struct observation o = look_at(&f, "run_cronjob_now", "CronJob", "import", "{'spec':{}}", "{}");
    cr_assert_eq(o.change, CHANGE_POSSIBLE, "%s", o.change_say);
    cr_assert_not_null(strstr(o.change_text, "{\"make\":{\"kind\":\"Job\",\"name\":\"" MADE), "%s",
                       o.change_text);
    struct observation again = look_at(&f, "run_cronjob_now", "CronJob", "import", "{'spec':{}}", "{}");
    cr_assert_str_eq(o.change_text, again.change_text);
    o = look_at(&f, "run_cronjob_now", "CronJob", "import", "{'spec':{'suspend':true}}", "{}");
    cr_assert_not_null(strstr(o.change_say, "suspended"), "%s", o.change_say);
    o = look_at(&f, "run_cronjob_now", "CronJob", "import",
                "{'spec':{'concurrencyPolicy':'Forbid'},'status':{'active':[{'name':'x'}]}}", "{}");
    cr_assert_not_null(strstr(o.change_say, "a run of it is under way"), "%s", o.change_say);
    api_close(&f);
}

#define JOB(condition)                                                                                       \
    "{'metadata':{'name':'import-1','uid':'j-1','resourceVersion':'41','labels':{'job-name':'import-1','"    \
    "team':"                                                                                                 \
    "'x'},'ownerReferences':[{'kind':'CronJob','name':'import','uid':'c-1','controller':true}]},"            \
    "'spec':{'backoffLimit':2,'selector':{'matchLabels':{'controller-uid':'j-1'}},'template':{'metadata':"   \
    "{'creationTimestamp':null,'labels':{'controller-uid':'j-1','batch.kubernetes.io/job-name':'import-1',"  \
    "'app':'import'}},'spec':{'restartPolicy':'Never'}}},"                                                   \
    "'status':{'startTime':'2026-08-20T09:00:00Z','conditions':[{'type':'" condition "','status':'True'}]}}"
#define CRONJOB "/apis/batch/v1/namespaces/shop/cronjobs/import"
#define JOBS "/apis/batch/v1/namespaces/shop/jobs"

static void rerun_says(const char *job, const char *cronjob, const char *want)
{
    struct api_fixture f = api_open();
    api_stub_answer(f.stub, "GET", CRONJOB, 200, NULL, cronjob);
    struct observation o = look_at(&f, "rerun_job", "Job", "import-1", job, "{}");
    cr_assert_not_null(strstr(o.change_say, want), "\"%s\" should say \"%s\"", o.change_say, want);
    cr_assert_eq(o.change == CHANGE_POSSIBLE, strstr(want, "new job") != NULL);
    api_close(&f);
}

Test(rerun_job, is_for_what_failed_and_is_still_wanted)
{
    rerun_says(JOB("Failed"), "{'status':{'lastSuccessfulTime':'2026-08-20T08:00:00Z'}}",
               "a new job is made");
    rerun_says(JOB("Failed"), "{'status':{'lastSuccessfulTime':'2026-08-20T10:00:00Z'}}",
               "a later run went well");
    rerun_says(JOB("Failed"), "{'spec':{'concurrencyPolicy':'Replace'},'status':{'active':[{}]}}",
               "under way");
    rerun_says(JOB("Complete"), "{}", "it went well");
    rerun_says(JOB("Suspended"), "{}", "not failed");
    rerun_says("{'metadata':{'ownerReferences':[{'kind':'Workflow','name':'w','controller':true}]},'status':{"
               "'conditions':[{'type':'Failed','status':'True'}]}}",
               "{}", "belongs to Workflow");
}

static struct intent make_job_intent(const char *action, const char *kind, const char *name, const char *uid)
{
    struct intent i = intent_of("{'make':{'kind':'Job','name':'import-heald-1'}}", false);
    snprintf(i.action, sizeof i.action, "%s", action);
    snprintf(i.target.kind, sizeof i.target.kind, "%s", kind);
    snprintf(i.target.name, sizeof i.target.name, "%s", name);
    snprintf(i.target.uid, sizeof i.target.uid, "%s", uid);
    return i;
}

#define JOB_HINTS(action)                                                                                    \
    "'annotations':{'cronjob.kubernetes.io/instantiate':'manual','heald.dev/incident':'i-7','heald.dev/"     \
    "step':'steps.0','heald.dev/at':'2026-08-20T09:15:10Z','heald.dev/reason':'" action ", attempt 1'},"     \
    "'ownerReferences':[{'apiVersion':'batch/v1','kind':'CronJob','name':'import','uid':'c-1','controller':" \
    "true}]"

Test(rerun_job, copies_what_the_team_wrote_and_nothing_that_was_generated)
{
    struct api_fixture f = api_open();
    struct action_context c = { .cluster = f.cluster, .http = f.http, .now_ms = engine_now };
    struct intent i = make_job_intent("rerun_job", "Job", "import-1", "j-1");
    struct act_report r;
    api_stub_answer(f.stub, "GET", JOBS "/import-1", 200, NULL, JOB("Failed"));
    api_stub_answer(f.stub, "POST", JOBS, 201, NULL, "{}");
    action_make_job(&c, &i, &r);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_eq(api_stub_count(f.stub), 2);
    cr_assert_str_eq(api_stub_request(f.stub, 1)->target, JOBS);
    expect_json(
        api_stub_request(f.stub, 1)->body,
        "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'import-heald-1','labels':{'team':'x'}"
        "," JOB_HINTS("rerun_job") "},'spec':{'backoffLimit':2,'template':{'metadata':{'labels':{'app':"
                                   "'import'}},'spec':{'restartPolicy':'Never'}}}}");
    api_close(&f);
}

Test(run_cronjob_now, makes_the_job_of_its_template_once)
{
    struct api_fixture f = api_open();
    struct action_context c = { .cluster = f.cluster, .http = f.http, .now_ms = engine_now };
    struct intent i = make_job_intent("run_cronjob_now", "CronJob", "import", "c-1");
    struct act_report r;
    api_stub_answer(f.stub, "GET", CRONJOB, 200, NULL,
                    "{'metadata':{'name':'import','uid':'c-1','resourceVersion':'41'},'spec':{'jobTemplate':{"
                    "'metadata':{'labels':{'team':'x'}},'spec':{'template':{'spec':{}}}}}}");
    api_stub_answer(f.stub, "POST", JOBS, 201, NULL, "{}");
    api_stub_answer(f.stub, "POST", JOBS, 409, NULL,
                    "{'kind':'Status','reason':'AlreadyExists','message':'there','code':409}");
    api_stub_answer(f.stub, "GET", JOBS "/import-heald-1", 200, NULL, "{}");
    action_make_job(&c, &i, &r);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    expect_json(
        api_stub_request(f.stub, 1)->body,
        "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'import-heald-1','labels':{'team':'x'}"
        "," JOB_HINTS("run_cronjob_now") "},'spec':{'template':{'spec':{}}}}");
    action_make_job(&c, &i, &r);
    cr_assert_eq(r.result, ACT_DONE, "a second write finds the first: %s", r.reason);
    cr_assert_str_eq(r.reason, "it was made already");
    snprintf(i.resource_version, sizeof i.resource_version, "40");
    action_make_job(&c, &i, &r);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    cr_assert_eq(r.sent_ms, 0);
    api_close(&f);
}

Test(change, that_makes_an_object_is_proven_by_its_name)
{
    struct api_fixture f = api_open();
    CLEANUP(json_freep) struct json_doc *object = sample_text("{}");
    struct change_ask a = {
        .cluster = f.cluster, .http = f.http, .target = &target, .object = json_root(object)
    };
    struct intent i = make_job_intent("rerun_job", "Job", "import-1", "j-1");
    struct observation o;
    struct err e = ERR_INIT;
    memset(&o, 0, sizeof o);
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change_proof, CHANGE_ABSENT);
    api_stub_answer(f.stub, "GET", JOBS "/import-heald-1", 200, NULL, "{}");
    cr_assert_eq(change_prove(&a, &i, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change_proof, CHANGE_THERE);
    api_close(&f);
}

/* ---- expand_pvc ---- */

#define CLAIM(phase, asked, has, more)                                                                       \
    "{'metadata':{},'spec':{'storageClassName':'fast','resources':{'requests':{'storage':'" asked "'}}},"    \
    "'status':{'phase':'" phase "','capacity':{'storage':'" has "'}" more "}}"
#define CLASS "/apis/storage.k8s.io/v1/storageclasses/fast"

static void expand_says(const char *claim, const char *class, const char *want)
{
    struct api_fixture f = api_open();
    if (*class)
        api_stub_answer(f.stub, "GET", CLASS, 200, NULL, class);
    struct observation o = look_at(&f, "expand_pvc", "PersistentVolumeClaim", "data", claim,
                                   "{'factor_percent':150,'ceiling':'20Gi'}");
    cr_assert_not_null(strstr(o.change_say, want), "\"%s\" should say \"%s\"", o.change_say, want);
    cr_assert_eq(o.change == CHANGE_POSSIBLE, strncmp(want, "from", 4) == 0);
    api_close(&f);
}

Test(expand_pvc, grows_up_to_the_ceiling_where_its_class_allows_it)
{
    const char *may = "{'allowVolumeExpansion':true}";
    expand_says(CLAIM("Bound", "10Gi", "10Gi", ""), may, "from 10Gi to 15Gi");
    expand_says(CLAIM("Bound", "15Gi", "15Gi", ""), may, "from 15Gi to 20Gi");
    expand_says(CLAIM("Bound", "20Gi", "20Gi", ""), may, "the ceiling is 20Gi");
    expand_says(CLAIM("Pending", "10Gi", "", ""), may, "not bound");
    expand_says(CLAIM("Bound", "15Gi", "10Gi", ""), may, "being made larger already");
    expand_says(CLAIM("Bound", "10Gi", "10Gi", ",'conditions':[{'type':'FileSystemResizePending'}]"), may,
                "being made larger already");
    expand_says(CLAIM("Bound", "10Gi", "10Gi", ""), "{}", "does not allow volumes to grow");
    expand_says(CLAIM("Bound", "10Gi", "10Gi", ""), "", "cannot be read");
}

/* ---- set_image ---- */

#define REPLICASETS "/apis/apps/v1/namespaces/shop/replicasets"
#define TEMPLATE(image) "{'metadata':{},'spec':{'containers':[{'name':'app','image':'" image "'}]}}"
#define REVISION(uid, image)                                                                                 \
    "{'metadata':{'ownerReferences':[{'uid':'" uid                                                           \
    "','controller':true}]},'spec':{'template':" TEMPLATE(image) "}}"

static void image_says(const char *proven_image, const char *now, const char *want)
{
    struct api_fixture f = api_open();
    CLEANUP(json_freep) struct json_doc *well = NULL;
    CLEANUP(json_freep) struct json_doc *proven = NULL;
    CLEANUP(json_freep) struct json_doc *object = NULL;
    CLEANUP(json_freep) struct json_doc *none = sample_text("{}");
    char text[512], hash[HASH_SIZE];
    struct observation o;
    struct err e = ERR_INIT;
    snprintf(text, sizeof text, TEMPLATE("%s"), proven_image);
    well = sample_text(text);
    kube_template_hash(hash, json_root(well));
    snprintf(text, sizeof text, "['%s']", hash);
    proven = sample_text(text);
    snprintf(text, sizeof text,
             "{'spec':{'selector':{'matchLabels':{'app':'w'}},'template':" TEMPLATE("%s") "}}", now);
    object = sample_text(text);
    api_stub_answer(f.stub, "GET", REPLICASETS, 200, NULL,
                    "{'metadata':{},'items':[" REVISION("u-1", "web@sha256:aa") "," REVISION(
                        "u-1", "web:2") "," REVISION("u-9", "evil@sha256:ee") "]}");
    struct change_ask a = { .cluster = f.cluster,
                            .http = f.http,
                            .target = &target,
                            .object = json_root(object),
                            .params = json_root(none),
                            .proven = json_root(proven) };
    memset(&o, 0, sizeof o);
    cr_assert_eq(change_look(&a, prepare_set_image, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_not_null(strstr(o.change_say, want), "\"%s\" should say \"%s\"", o.change_say, want);
    cr_assert_eq(o.change == CHANGE_POSSIBLE, strncmp(want, "image of", 8) == 0);
    api_close(&f);
}

Test(set_image, goes_only_to_a_digest_that_ran_well)
{
    image_says("web@sha256:aa", "web:broken", "image of container \"app\" from web:broken to web@sha256:aa");
    image_says("web@sha256:aa", "web@sha256:aa", "has the image that was proven well");
    image_says("web:2", "web:broken", "what its tag names may have moved");
    image_says("evil@sha256:ee", "web:broken", "no template that was proven well");
    image_says("web@sha256:cc", "web:broken", "no template that was proven well");
}
