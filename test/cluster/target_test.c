/* test/cluster/target_test.c - targets that are no workloads, and selectors, on a real cluster: what its
 * controllers and the kubelet make of jobs, nodes, claims, services and autoscalers, and what heald reads in
 * it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "test/cluster/workload_kit.h"

static void apply(struct world *w, const char *text)
{
    char file[] = "/tmp/heald-object-XXXXXX";
    int fd = mkstemp(file);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    cr_assert_not_null(f);
    for (const char *p = text; *p; p++)
        fputc(*p == '\'' ? '"' : *p, f);
    fclose(f);
    world_kubectl(w, "apply -f %s", file);
    unlink(file);
}

static struct observation seen(struct world *w, const char *label, const char *name)
{
    struct observation o;
    struct err e = ERR_INIT;
    cr_assert_eq(map_set(&w->labels, label, name, NULL), ERR_OK);
    cr_assert_eq(world_observe_labels(w, label, NULL, OBSERVE_PODS, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

/* Until what is seen is at fault, or is not. */
static struct observation seen_at_fault(struct world *w, const char *label, const char *name, bool fault)
{
    int64_t until = world_now_ms(NULL) + KIT_PATIENCE_MS;
    struct observation o = seen(w, label, name);
    while (o.fault != fault && world_now_ms(NULL) < until) {
        world_sleep_ms(500);
        o = seen(w, label, name);
    }
    cr_assert_eq(o.fault, fault, "%s: '%s' %s", name, o.fault_text, o.conditions);
    return o;
}

#define JOB_SPEC(arguments)                                                                                  \
    "'backoffLimit':0,'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'app','image':"      \
    "'heald.local/pause:1','imagePullPolicy':'Never','command':['/bin/busybox'," arguments "]}]}}"

Test(target, a_job_that_failed_and_one_that_went_well)
{
    struct world w;
    world_open(&w, false);
    apply(&w, "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'bad'},'spec':{" JOB_SPEC(
                  "'false'") "}}");
    apply(&w, "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'good'},'spec':{" JOB_SPEC(
                  "'true'") "}}");
    struct observation o = seen_at_fault(&w, "job_name", "bad", true);
    cr_assert_str_eq(o.target.kind, "Job");
    cr_assert_str_eq(o.evidence.reason, "BackoffLimitExceeded");
    cr_assert(o.trouble_ms > 0 && strstr(o.conditions, " Failed=True "), "%s", o.conditions);
    world_kubectl(&w, "wait job/good --for=condition=Complete --timeout=%ds", KIT_PATIENCE_MS / 1000);
    o = seen(&w, "job_name", "good");
    cr_assert(!o.fault && strstr(o.conditions, " Complete=True "), "%s", o.conditions);
    world_close(&w);
}

Test(target, a_pod_leads_to_the_job_and_the_cronjob_that_made_it)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, false);
    apply(&w, "{'apiVersion':'batch/v1','kind':'CronJob','metadata':{'name':'report'},'spec':{'schedule':'0 "
              "0 1 1 *',"
              "'jobTemplate':{'metadata':{'labels':{'app':'report'}},'spec':{" JOB_SPEC(
                  "'sleep','2147483647'") "}}}}");
    world_kubectl(&w, "create job report-now --from=cronjob/report");
    world_kubectl(&w, "wait pod -l job-name=report-now --for=condition=Ready --timeout=%ds",
                  KIT_PATIENCE_MS / 1000);
    const char *pod =
        world_kubectl(&w, "get pod -l job-name=report-now -o jsonpath={.items[0].metadata.name}");
    cr_assert_eq(map_set(&w.labels, "pod", pod, NULL), ERR_OK);
    cr_assert_eq(world_observe_labels(&w, "pod", "CronJob", 0, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(o.target.name, "report");
    cr_assert_eq(world_observe_labels(&w, "pod", "Job", 0, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(o.target.name, "report-now");
    cr_assert_eq(world_observe_labels(&w, "pod", "Deployment", 0, &o, &e), ERR_REFUSED);
    world_close(&w);
}

Test(target, a_node_by_its_name_alone)
{
    struct world w;
    world_open(&w, false);
    char name[OBJECT_NAME_SIZE];
    snprintf(name, sizeof name, "%s", world_kubectl(&w, "get nodes -o jsonpath={.items[0].metadata.name}"));
    struct observation o = seen(&w, "node", name);
    cr_assert_str_eq(o.target.namespace, "");
    cr_assert(!o.fault && strstr(o.conditions, " Ready=True "), "%s", o.conditions);
    cr_assert(strstr(o.conditions, " Unschedulable=False "), "%s", o.conditions);
    world_close(&w);
}

Test(target, a_claim_without_a_volume_a_service_without_pods_an_autoscaler_without_metrics)
{
    struct world w;
    world_open(&w, false);
    apply(
        &w,
        "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data'},'spec':{'accessModes':["
        "'ReadWriteOnce'],'storageClassName':'none','resources':{'requests':{'storage':'1Mi'}}}}");
    apply(&w, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'w'},'spec':{'selector':{'app':'w'},'"
              "ports':[{'port':80}]}}");
    apply(&w, "{'apiVersion':'autoscaling/"
              "v2','kind':'HorizontalPodAutoscaler','metadata':{'name':'w'},'spec':{'scaleTargetRef':{"
              "'apiVersion':'apps/"
              "v1','kind':'Deployment','name':'w'},'maxReplicas':3,'metrics':[{'type':'Resource','resource':{"
              "'name':'cpu','target':{'type':'Utilization','averageUtilization':50}}}]}}");
    struct observation o = seen(&w, "persistentvolumeclaim", "data");
    cr_assert(o.fault && strstr(o.conditions, " Phase=Pending "), "%s", o.conditions);
    o = seen(&w, "service", "w");
    cr_assert_str_eq(o.fault_text, "it selects no pod");
    world_apply(&w, "Deployment", SLEEP, 1);
    seen_at_fault(&w, "service", "w", false);
    o = seen_at_fault(&w, "horizontalpodautoscaler", "w", true);
    cr_assert(strstr(o.fault_text, "metrics") || strstr(o.fault_text, "cannot scale"), "%s", o.fault_text);
    world_close(&w);
}

Test(target, what_a_selector_finds)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    struct target none = { .cluster = "" };
    world_open(&w, false);
    for (const char *name = "ba"; *name; name++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{'apiVersion':'batch/"
                 "v1','kind':'Job','metadata':{'name':'%c','labels':{'app':'report'}},'spec':{'suspend':"
                 "true," JOB_SPEC("'true'") "}}",
                 *name);
        apply(&w, text);
    }
    struct observe_request r = { .labels = &w.labels,
                                 .from = "job_name",
                                 .selector = "app=report",
                                 .kind = "Job",
                                 .limit = 2,
                                 .target = &none };
    cr_assert_eq(observe(&w.observer, w.http, &r, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.found_len, 2);
    cr_assert_str_eq(o.target.name, "a");
    cr_assert_str_eq(o.found[1], "b");
    r.limit = 1;
    cr_assert_eq(observe(&w.observer, w.http, &r, &o, &e), ERR_REFUSED);
    r.selector = "app=nobody";
    cr_assert_eq(observe(&w.observer, w.http, &r, &o, &e), ERR_NOT_FOUND);
    world_close(&w);
}
