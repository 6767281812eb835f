/* test/unit/pods_test.c - what is wrong with a pod, and what many pods say together. */
#include "actions/verify/pods.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "test/kit/sample.h"

#define NOW_MS 1787217300000                                                   /* 2026-08-20T09:15:00Z */
#define AT(minute, second) (1787216400000 + 1000 * (60 * (minute) + (second))) /* 09:minute:second */

static struct pod_look look_at(const char *text)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    struct pod_look look;
    pod_look(&look, json_root(doc), NOW_MS);
    return look;
}

static struct pod_look look_at_file(const char *file)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file(file);
    struct pod_look look;
    pod_look(&look, json_root(doc), NOW_MS);
    return look;
}

Test(pods, a_crash_loop_after_oom_says_so)
{
    struct pod_look look = look_at_file("k8s-pod-crashloop-oom.json");
    cr_assert_eq(look.trouble, POD_ERROR);
    cr_assert(look.failed && !look.gone);
    cr_assert_not_null(strstr(look.text, "CrashLoopBackOff after OOMKilled (exit code 137), 5 restarts"),
                       "%s", look.text);
    cr_assert_not_null(strstr(look.text, "\"checkout-7c9f8d6b5-x2x9k\""), "%s", look.text);
    cr_assert_eq(look.since_ms, AT(14, 39), "the container's finish is earlier than the unready condition");
}

Test(pods, an_image_that_cannot_be_pulled_failed_from_the_start)
{
    struct pod_look look = look_at_file("k8s-pod-imagepull.json");
    cr_assert_eq(look.trouble, POD_ERROR);
    cr_assert(look.failed);
    cr_assert_not_null(strstr(look.text, "ImagePullBackOff"), "%s", look.text);
    cr_assert_eq(look.since_ms, AT(1, 2), "the pod was made then");
}

Test(pods, an_unschedulable_pod_is_stuck_but_did_not_fail)
{
    struct pod_look look = look_at_file("k8s-pod-unschedulable.json");
    cr_assert_eq(look.trouble, POD_STUCK);
    cr_assert_not(look.failed);
    cr_assert_not_null(strstr(look.text, "not scheduled (Unschedulable): 0/9 nodes"), "%s", look.text);
    cr_assert_eq(look.since_ms, AT(2, 0));
}

Test(pods, an_evicted_pod_is_gone_and_says_why)
{
    struct pod_look look = look_at_file("k8s-pod-evicted.json");
    cr_assert_eq(look.trouble, POD_FAILED);
    cr_assert(look.gone && !look.failed);
    cr_assert_not_null(strstr(look.text, "failed (Evicted): node low on memory"), "%s", look.text);
}

/* Every case: status of a pod that was made and started at 09:00:00; the container is called app. */
struct pod_case {
    char status[420];
    enum pod_trouble trouble;
    int failed;
    int64_t since_ms;
};

#define RUNNING "'phase':'Running','startTime':'2026-08-20T09:00:00Z'"
#define READY "'conditions':[{'type':'Ready','status':'True','lastTransitionTime':'2026-08-20T09:00:09Z'}]"
#define UNREADY(time) "'conditions':[{'type':'Ready','status':'False','lastTransitionTime':'" time "'}]"

ParameterizedTestParameters(pods, are_judged_by_their_containers)
{
    static struct pod_case cases[] = {
        { RUNNING
          "," READY
          ",'containerStatuses':[{'name':'app','state':{'running':{}},'lastState':{},'restartCount':0}]",
          POD_WELL, 0, 0 },
        /* hung: it was ready, and is not */
        { RUNNING
          "," UNREADY("2026-08-20T09:14:58Z") ",'containerStatuses':[{'name':'app','state':{'running':{}}}]",
          POD_UNREADY, 0, AT(14, 58) },
        /* never ready: patience first */
        { "'phase':'Running','startTime':'2026-08-20T09:14:30Z'," UNREADY("2026-08-20T09:14:30Z"), POD_WELL,
          0, 0 },
        { "'phase':'Running','startTime':'2026-08-20T09:13:30Z'," UNREADY("2026-08-20T09:13:31Z"),
          POD_UNREADY, 0, AT(13, 31) },
        /* restarted lately; long ago it no more is a trouble, but the pod has failed once */
        { RUNNING
          "," READY ",'containerStatuses':[{'name':'app','state':{'running':{}},'restartCount':1,"
          "'lastState':{'terminated':{'exitCode':1,'reason':'Error','finishedAt':'2026-08-20T09:10:00Z'}}}]",
          POD_RESTARTED, 1, AT(10, 0) },
        { RUNNING
          "," READY ",'containerStatuses':[{'name':'app','state':{'running':{}},'restartCount':1,"
          "'lastState':{'terminated':{'exitCode':1,'reason':'Error','finishedAt':'2026-08-20T09:05:00Z'}}}]",
          POD_WELL, 1, 0 },
        /* a container that ended well and is started again still was restarted */
        { RUNNING "," READY ",'containerStatuses':[{'name':'app','state':{'running':{}},'restartCount':1,"
                  "'lastState':{'terminated':{'exitCode':0,'reason':'Completed','finishedAt':'2026-08-20T09:"
                  "14:00Z'}}}]",
          POD_RESTARTED, 1, AT(14, 0) },
        /* ended, not yet started again */
        { RUNNING ",'containerStatuses':[{'name':'app','state':{'terminated':{'exitCode':3,'reason':'Error','"
                  "finishedAt':'2026-08-20T09:14:50Z'}}}]",
          POD_ERROR, 1, AT(14, 50) },
        /* any waiting reason that is no start */
        { RUNNING ",'containerStatuses':[{'name':'app','state':{'waiting':{'reason':'NeverHeardOf'}}}]",
          POD_ERROR, 1, AT(0, 0) },
        { RUNNING
          ",'containerStatuses':[{'name':'app','state':{'waiting':{'reason':'CreateContainerConfigError'}}}]",
          POD_ERROR, 1, AT(0, 0) },
        { RUNNING ",'containerStatuses':[{'name':'app','state':{'waiting':{'reason':'ContainerCreating'}}}]",
          POD_STUCK, 0, AT(0, 0) },
        { RUNNING ",'containerStatuses':[{'name':'app','state':{'waiting':{}}}]", POD_WELL, 0, 0 },
        /* init containers */
        { "'phase':'Pending','initContainerStatuses':[{'name':'init','state':{'waiting':{'reason':'"
          "CrashLoopBackOff'}},'restartCount':2,"
          "'lastState':{'terminated':{'exitCode':1,'finishedAt':'2026-08-20T09:12:00Z'}}}]",
          POD_ERROR, 1, AT(12, 0) },
        { RUNNING "," READY ",'initContainerStatuses':[{'name':'init','state':{'terminated':{'exitCode':0,'"
                  "finishedAt':'2026-08-20T09:00:05Z'}}}]",
          POD_WELL, 0, 0 },
        { "'phase':'Running','conditions':[{'type':'PodScheduled','status':'False','reason':'SchedulingGated'"
          ",'lastTransitionTime':'2026-08-20T09:00:00Z'}]",
          POD_WELL, 0, 0 },
        { "'phase':'Succeeded'", POD_WELL, 0, 0 },
        { "", POD_WELL, 0, 0 },
    };
    return cr_make_param_array(struct pod_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct pod_case *c, pods, are_judged_by_their_containers)
{
    char text[700];
    snprintf(text, sizeof text,
             "{'metadata':{'name':'p','creationTimestamp':'2026-08-20T09:00:00Z'},'status':{%s}}", c->status);
    struct pod_look look = look_at(text);
    cr_assert_eq(look.trouble, c->trouble, "trouble %d \"%s\" for %s", (int)look.trouble, look.text,
                 c->status);
    cr_assert_eq(look.failed, c->failed, "failed for %s", c->status);
    cr_assert_eq(look.since_ms, c->since_ms, "since %lld for %s", (long long)look.since_ms, c->status);
}

Test(pods, a_hung_pod_says_since_when)
{
    struct pod_look look =
        look_at("{'metadata':{'name':'p'},'status':{" RUNNING "," UNREADY("2026-08-20T09:14:00Z") "}}");
    cr_assert_str_eq(look.text, "pod \"p\": not ready since 2026-08-20T09:14:00Z");
}

Test(pods, one_that_is_being_deleted_counts_for_nothing_until_it_hangs)
{
    struct pod_look look =
        look_at("{'metadata':{'name':'p','deletionTimestamp':'2026-08-20T09:14:30Z'},'status':{" RUNNING
                ",'containerStatuses':[{'name':'app','state':{'terminated':{'exitCode':137}}}]}}");
    cr_assert(look.gone && !look.failed);
    cr_assert_eq(look.trouble, POD_WELL);
    look = look_at("{'metadata':{'name':'p','deletionTimestamp':'2026-08-20T09:10:00Z'},'status':{" RUNNING
                   "}}");
    cr_assert_eq(look.trouble, POD_ENDING);
}

Test(pods, texts_of_any_length_are_cut_not_overrun)
{
    char text[8192], name[1024];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(
        text, sizeof text,
        "{'metadata':{'name':'%s'},'status':{'containerStatuses':[{'name':'%s','restartCount':99999999999,"
        "'state':{'waiting':{'reason':'%s'}},'lastState':{'terminated':{'reason':'%s'}}}]}}",
        name, name, name, name);
    struct pod_look look = look_at(text);
    cr_assert_eq(look.trouble, POD_ERROR);
    cr_assert_eq(strlen(look.text), OBSERVATION_TEXT_SIZE - 1);
}

/* ---- many pods ---- */

static struct pod_look make_look(enum pod_trouble trouble, int64_t since_ms, const char *text)
{
    struct pod_look look = { .trouble = trouble, .since_ms = since_ms };
    snprintf(look.text, sizeof look.text, "%s", text);
    return look;
}

Test(pods, the_worst_speaks_and_the_earliest_sign_counts)
{
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    memset(&o, 0, sizeof o);
    struct pod_look unready = make_look(POD_UNREADY, 100, "unready"),
                    error = make_look(POD_ERROR, 300, "error");
    struct pod_look well = make_look(POD_WELL, 0, ""), unknown_since = make_look(POD_STUCK, 0, "stuck");
    pod_count(&o, &worst, &well, true);
    cr_assert_not(o.fault);
    pod_count(&o, &worst, &unready, true);
    pod_count(&o, &worst, &error, false);
    pod_count(&o, &worst, &unknown_since, false);
    cr_assert(o.fault);
    cr_assert_str_eq(o.fault_text, "error");
    cr_assert_eq(o.trouble_ms, 100);
}

Test(pods, only_a_live_pod_of_the_present_template_makes_new_pods_failed)
{
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    memset(&o, 0, sizeof o);
    struct pod_look failed = make_look(POD_ERROR, 1, "x");
    failed.failed = true;
    pod_count(&o, &worst, &failed, false);
    cr_assert_not(o.new_pods_failed, "an old pod");
    failed.gone = true;
    pod_count(&o, &worst, &failed, true);
    cr_assert_not(o.new_pods_failed, "a pod that is gone");
    failed.gone = false;
    pod_count(&o, &worst, &failed, true);
    cr_assert(o.new_pods_failed);
}

Test(pods, a_failed_one_is_a_fault_only_while_ready_pods_are_lacking)
{
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    struct pod_look evicted = make_look(POD_FAILED, 5, "evicted");
    memset(&o, 0, sizeof o);
    o.desired = o.ready = 2;
    pod_count(&o, &worst, &evicted, true);
    cr_assert_not(o.fault);
    o.ready = 1;
    pod_count(&o, &worst, &evicted, true);
    cr_assert(o.fault);
}

/* ---- evidence ---- */

struct sample_case {
    char file[64], cause[16], reason[32], ended[16], container[16], node[16], message[60];
    int32_t exit_code, restarts;
};

ParameterizedTestParameters(pods, of_the_documented_samples_give_their_evidence)
{
    static struct sample_case cases[] = {
        { "k8s-pod-crashloop-oom.json", "oom", "CrashLoopBackOff", "OOMKilled", "app", "worker-07",
          "back-off 2m40s, container=app", 137, 5 },
        { "k8s-pod-imagepull.json", "image", "ImagePullBackOff", "", "app", "worker-07", "back-off, image",
          -1, 0 },
        { "k8s-pod-unschedulable.json", "unschedulable", "Unschedulable", "", "", "worker-07",
          "0/9 nodes are available: 9 Insufficient memory.", -1, -1 },
        { "k8s-pod-evicted.json", "node", "Evicted", "", "", "worker-07", "node low on memory", -1, -1 },
    };
    return cr_make_param_array(struct sample_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct sample_case *c, pods, of_the_documented_samples_give_their_evidence)
{
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    memset(&o, 0, sizeof o);
    o.desired = 1;
    struct pod_look look = look_at_file(c->file);
    pod_count(&o, &worst, &look, true);
    const struct evidence *v = &o.evidence;
    cr_assert_str_eq(cause_name(v->cause), c->cause);
    cr_assert_str_eq(v->reason, c->reason);
    cr_assert_str_eq(v->ended, c->ended);
    cr_assert_str_eq(v->container, c->container);
    cr_assert_str_eq(v->node, c->node);
    cr_assert_not_null(strstr(v->message, c->message), "%s", v->message);
    cr_assert_eq(v->exit_code, c->exit_code);
    cr_assert_eq(v->restarts, c->restarts);
    cr_assert(strncmp(v->pod, "checkout-", 9) == 0, "%s", v->pod);
}

struct cause_case {
    char status[420], cause[16], reason[32];
};

#define CONTAINER(state) "'containerStatuses':[{'name':'app','restartCount':3," state "}]"
#define ENDED(code, reason)                                                                                  \
    "'lastState':{'terminated':{'exitCode':" #code ",'reason':'" reason                                      \
    "','finishedAt':'2026-08-20T09:14:50Z'}}"
#define BACKOFF "'state':{'waiting':{'reason':'CrashLoopBackOff','message':'back-off'}},"

ParameterizedTestParameters(pods, point_to_a_cause)
{
    static struct cause_case cases[] = {
        { RUNNING "," CONTAINER(BACKOFF ENDED(1, "Error")), "crash", "CrashLoopBackOff" },
        { RUNNING "," CONTAINER(BACKOFF ENDED(137, "Error")), "probe", "CrashLoopBackOff" },
        { RUNNING "," READY "," CONTAINER("'state':{'running':{}}," ENDED(143, "Error")), "probe", "" },
        { RUNNING "," READY "," CONTAINER("'state':{'running':{}}," ENDED(137, "OOMKilled")), "oom", "" },
        { RUNNING
          "," CONTAINER("'state':{'waiting':{'reason':'CreateContainerConfigError','message':'configmap "
                        "not found'}}"),
          "config", "CreateContainerConfigError" },
        { "'phase':'Pending'," CONTAINER("'state':{'waiting':{'reason':'ContainerCreating'}}"), "creating",
          "ContainerCreating" },
        { RUNNING
          ",'conditions':[{'type':'Ready','status':'False','reason':'ContainersNotReady','message':'unready',"
          "'lastTransitionTime':'2026-08-20T09:10:00Z'}]",
          "not_ready", "ContainersNotReady" },
        { RUNNING ",'conditions':[{'type':'Ready','status':'False','reason':'ReadinessGatesNotReady','"
                  "message':'gate',"
                  "'lastTransitionTime':'2026-08-20T09:10:00Z'},{'type':'ContainersReady','status':'True'}]",
          "not_ready", "ReadinessGatesNotReady" },
        { RUNNING
          ",'conditions':[{'type':'Ready','status':'False','lastTransitionTime':'2026-08-20T09:10:00Z'},"
          "{'type':'ContainersReady','status':'True'}]",
          "node", "NodeNotReady" },
        { RUNNING "," CONTAINER("'state':{'waiting':{'reason':'NeverHeardOf'}}"), "unknown", "NeverHeardOf" },
    };
    return cr_make_param_array(struct cause_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct cause_case *c, pods, point_to_a_cause)
{
    char pod[1200];
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    memset(&o, 0, sizeof o);
    snprintf(pod, sizeof pod,
             "{'metadata':{'name':'p','creationTimestamp':'2026-08-20T09:00:00Z'},'spec':{'nodeName':'n1','"
             "containers':"
             "[{'name':'app','livenessProbe':{'httpGet':{'port':80}}}]},'status':{%s}}",
             c->status);
    struct pod_look look = look_at(pod);
    pod_count(&o, &worst, &look, true);
    cr_assert_str_eq(cause_name(o.evidence.cause), c->cause);
    cr_assert_str_eq(o.evidence.reason, c->reason);
    cr_assert_str_eq(o.evidence.node, "n1");
}

Test(pods, the_worst_ones_evidence_speaks_and_texts_are_cleaned)
{
    struct observation o;
    enum pod_trouble worst = POD_WELL;
    memset(&o, 0, sizeof o);
    struct pod_look image = look_at_file("k8s-pod-imagepull.json"),
                    stuck = look_at_file("k8s-pod-unschedulable.json");
    pod_count(&o, &worst, &stuck, true);
    cr_assert_eq(o.evidence.cause, CAUSE_UNSCHEDULABLE);
    pod_count(&o, &worst, &image, true);
    cr_assert_eq(o.evidence.cause, CAUSE_IMAGE);
    pod_count(&o, &worst, &stuck, true);
    cr_assert_eq(o.evidence.cause, CAUSE_IMAGE, "what is less bad does not take over");
    struct pod_look look = look_at("{'metadata':{'name':'p'},'status':{'phase':'Running','containerStatuses':"
                                   "[{'name':'app','restartCount':1,"
                                   "'state':{'terminated':{'exitCode':2,'reason':'Error','message':'panic:"
                                   "\\n\\u001b[31mred\\u202e'}}}]}}");
    cr_assert_str_eq(look.evidence.message, "panic:  [31mred");
    cr_assert_eq(look.evidence.exit_code, 2);
}
