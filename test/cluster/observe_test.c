/* test/cluster/observe_test.c - resolution and observation on a real cluster with real pods. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/cluster/workload_kit.h"

struct kind_case {
    char kind[16];
};

ParameterizedTestParameters(observe, climbs_from_a_pod_to_its_workload)
{
    static struct kind_case cases[] = { { "Deployment" }, { "StatefulSet" }, { "DaemonSet" } };
    return cr_make_param_array(struct kind_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct kind_case *c, observe, climbs_from_a_pod_to_its_workload, .timeout = 600)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, false);
    world_apply(&w, c->kind, SLEEP, 1);
    world_rolled_out(&w, c->kind);
    map_set(&w.labels, "pod", world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[0].metadata.name}'"),
            NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, OBSERVE_PODS | OBSERVE_HISTORY | OBSERVE_POD, &o, &e),
                 ERR_OK, "%s", e.msg);
    cr_assert_str_eq(o.target.cluster, "world");
    cr_assert_str_eq(o.target.kind, c->kind);
    cr_assert_str_eq(o.target.name, "w");
    cr_assert(o.rollout_complete && !o.fault && !o.new_pods_failed, "%s", o.fault_text);
    cr_assert_eq(o.desired, 1);
    cr_assert_eq(o.ready, 1);
    cr_assert_eq(o.revisions_len, 1);
    cr_assert_str_eq(o.revisions[0].template_hash, o.template_hash);
    cr_assert(o.pod_found);

    const char *other = strcmp(c->kind, "Deployment") == 0 ? "StatefulSet" : "Deployment";
    cr_assert_eq(world_observe_labels(&w, "pod", other, 0, &o, &e), ERR_REFUSED);
    cr_assert_not_null(strstr(e.msg, other), "%s", e.msg);
    world_close(&w);
}

/* Wait until the observation shows what has to come. */
static struct observation wait_for(struct world *w, const char *kind,
                                   bool (*shown)(const struct observation *))
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    struct observation o = world_observe(w, kind, OBSERVE_PODS | OBSERVE_HISTORY);
    while (!shown(&o) && world_now_ms(NULL) < until_ms) {
        world_sleep_ms(300);
        o = world_observe(w, kind, OBSERVE_PODS | OBSERVE_HISTORY);
    }
    return o;
}

static bool new_pods_failed(const struct observation *o)
{
    return o->new_pods_failed;
}

static bool looping(const struct observation *o)
{
    return strstr(o->fault_text, "CrashLoopBackOff") != NULL;
}

Test(observe, sees_a_crash_loop_as_a_failure_of_the_new_template, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    int64_t changed_ms = world_now_ms(NULL);
    world_apply(&w, "Deployment", CRASH, 1);
    struct observation o = wait_for(&w, "Deployment", new_pods_failed);
    cr_assert(o.fault && o.new_pods_failed, "%s", o.fault_text);
    cr_assert_geq(o.trouble_ms, changed_ms / 1000 * 1000 - 1000, "the old pod is well");
    o = wait_for(&w, "Deployment", looping);
    cr_assert_not_null(strstr(o.fault_text, "CrashLoopBackOff after Error (exit code 1)"), "%s",
                       o.fault_text);
    world_kubectl(&w, "rollout undo deployment/w");
    world_rolled_out(&w, "Deployment");
    o = world_observe(&w, "Deployment", OBSERVE_PODS);
    cr_assert_not(o.new_pods_failed, "the failed pods were of another template: %s", o.fault_text);
    world_close(&w);
}

Test(observe, keeps_to_what_labels_and_owners_allow, .timeout = 600)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, false);
    cr_assert_eq(world_observe_labels(&w, "deployment", NULL, 0, &o, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "alertname=\"Test\""), "the labels are shown: %s", e.msg);
    map_set(&w.labels, "deployment", "nobody", NULL);
    cr_assert_eq(world_observe_labels(&w, "deployment", NULL, 0, &o, &e), ERR_NOT_FOUND);
    world_kubectl(&w, "run alone --image=heald.local/pause:1 --image-pull-policy=Never --labels=app=w "
                      "--command -- /bin/busybox sleep 1000");
    map_set(&w.labels, "pod", "alone", NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, 0, &o, &e), ERR_REFUSED);
    cr_assert_not_null(strstr(e.msg, "nothing would make it anew"), "%s", e.msg);
    world_kubectl(&w, "patch pod/alone -p "
                      "'{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\","
                      "\"name\":\"n\",\"uid\":\"u\",\"controller\":true}]}}'");
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, 0, &o, &e), ERR_REFUSED);
    cr_assert_not_null(strstr(e.msg, "Node \"n\", which heald does not follow"), "%s", e.msg);

    world_apply(&w, "Deployment", SLEEP, 1);
    char uid[KIT_TEXT_SIZE];
    snprintf(uid, sizeof uid, "%s", world_kubectl(&w, "get deployment/w -o jsonpath='{.metadata.uid}'"));
    world_kubectl(&w, "label pod/alone app=another --overwrite");
    world_kubectl(
        &w,
        "patch pod/alone --type=json -p "
        "'[{\"op\":\"replace\",\"path\":\"/metadata/ownerReferences\",\"value\":[{\"apiVersion\":\"apps/v1\","
        "\"kind\":\"Deployment\",\"name\":\"w\",\"uid\":\"%s\",\"controller\":true}]}]'",
        uid);
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, 0, &o, &e), ERR_REFUSED);
    cr_assert_not_null(strstr(e.msg, "selector"), "%s", e.msg);
    map_set(&w.labels, "pod", "never-there", NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, 0, &o, &e), ERR_NOT_FOUND);
    map_set(&w.labels, "cluster", "another", NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", NULL, 0, &o, &e), ERR_REFUSED);
    cr_assert_str_eq(e.msg, "labels say cluster \"another\", the connection is \"world\"");
    world_close(&w);
}

Test(observe, sees_that_a_namespace_or_a_workload_wants_to_be_left_alone, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    cr_assert_not(world_observe(&w, "Deployment", 0).ignored);
    world_kubectl(&w, "annotate deployment/w heald.dev/ignore=true");
    cr_assert(world_observe(&w, "Deployment", 0).ignored);
    world_kubectl(&w, "annotate deployment/w heald.dev/ignore-");
    world_kubectl(&w, "annotate namespace %s heald.dev/ignore=true", w.namespace);
    cr_assert(world_observe(&w, "Deployment", 0).ignored);
    world_close(&w);
}

Test(observe, sees_a_missing_image_and_a_quota_that_lets_no_pod_be_made, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_kubectl(&w, "create deployment w --image=heald.local/never-built:1");
    world_kubectl(&w, "patch deployment/w -p "
                      "'{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"never-built\","
                      "\"imagePullPolicy\":\"Never\"}]}}}}'");
    struct observation o = wait_for(&w, "Deployment", new_pods_failed);
    cr_assert_not_null(strstr(o.fault_text, "ErrImage"), "%s", o.fault_text);
    world_kubectl(&w, "create quota none --hard=pods=0");
    world_kubectl(&w, "delete pods --all");
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    do {
        o = world_observe(&w, "Deployment", OBSERVE_PODS);
    } while (!strstr(o.fault_text, "pods cannot be made") && world_now_ms(NULL) < until_ms);
    cr_assert_not_null(strstr(o.fault_text, "exceeded quota"), "%s", o.fault_text);
    world_close(&w);
}

static void nothing(void *ctx, const struct watch_workload *w)
{
    (void)ctx, (void)w;
}

static void quiet(void *ctx, bool warning, const char *message)
{
    (void)ctx, (void)warning, (void)message;
}

/* A watch on the test's namespace that has listed everything. */
static void watch_namespace(struct world *w)
{
    struct watch_hooks hooks = { .well = nothing, .changed = nothing, .log = quiet };
    const char *namespaces[] = { w->namespace };
    struct watch_state state = { .synced = false };
    struct err e = ERR_INIT;
    cr_assert_eq(watch_new(&w->observer.watch, w->cluster, namespaces, 1, &hooks, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(watch_start(w->observer.watch, &e), ERR_OK, "%s", e.msg);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (!state.synced && world_now_ms(NULL) < until_ms) {
        world_sleep_ms(50);
        watch_state(w->observer.watch, &state);
    }
    cr_assert(state.synced);
}

static bool well(const struct observation *o)
{
    return o->well_since_ms > 0;
}

static bool template_seen_late(const struct observation *o)
{
    return o->watched && o->template_since_ms > 0;
}

Test(observe, with_a_watch_knows_since_when_and_whose_a_pod_was_that_is_gone, .timeout = 600)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    watch_namespace(&w);
    o = wait_for(&w, "Deployment", well);
    cr_assert(o.watched && o.well_since_ms > 0, "%s", o.not_well);
    cr_assert_eq(o.template_since_ms, 0, "it stood there at first sight");

    map_set(&w.labels, "pod", world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[0].metadata.name}'"),
            NULL);
    int64_t changed_ms = world_now_ms(NULL);
    world_kubectl(&w, "rollout restart deployment/w");
    o = wait_for(&w, "Deployment", template_seen_late);
    cr_assert_geq(o.template_since_ms, changed_ms);
    world_rolled_out(&w, "Deployment");
    world_kubectl(&w, "wait --for=delete pod/%s --timeout=%ds", map_get(&w.labels, "pod"),
                  KIT_PATIENCE_MS / 1000);
    cr_assert_eq(world_observe_labels(&w, "pod", "Deployment", OBSERVE_POD, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(o.target.name, "w");
    cr_assert_not(o.pod_found);
    o = wait_for(&w, "Deployment", well);
    cr_assert_geq(o.well_since_ms, changed_ms);
    watch_free(w.observer.watch);
    world_close(&w);
}

/* ---- causes that a kubelet writes ---- */

struct broken_case {
    char op[8], field[16], value[160]; /* of the container */
    char cause[16], reason[32];
};

ParameterizedTestParameters(observe, names_the_cause_of_what_a_kubelet_reports)
{
    static struct broken_case cases[] = {
        { "replace", "command", "[\"/bin/busybox\",\"false\"]", "crash", "CrashLoopBackOff" },
        { "replace", "image", "\"heald.local/none:1\"", "image", "ErrImageNeverPull" },
        { "add", "envFrom", "[{\"configMapRef\":{\"name\":\"none\"}}]", "config",
          "CreateContainerConfigError" },
        { "replace", "command", "[\"/bin/nothing\"]", "config", "" },
        { "add", "livenessProbe",
          "{\"exec\":{\"command\":[\"/bin/busybox\",\"false\"]},\"periodSeconds\":1,\"failureThreshold\":1}",
          "probe", "" },
    };
    return cr_make_param_array(struct broken_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct broken_case *c, observe, names_the_cause_of_what_a_kubelet_reports, .timeout = 600)
{
    struct world w;
    const char *kind = getenv("NODE_KIND");
    if (kind && strcmp(kind, "simulated") == 0) {
        puts("SKIPPED the node is simulated: nothing runs, so nothing breaks");
        cr_skip_test("simulated node");
    }
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    world_kubectl(&w,
                  "patch deployment w --type=json -p "
                  "'[{\"op\":\"%s\",\"path\":\"/spec/template/spec/containers/0/%s\",\"value\":%s}]'",
                  c->op, c->field, c->value);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    struct observation o = world_observe(&w, "Deployment", OBSERVE_PODS | OBSERVE_HISTORY);
    while ((strcmp(cause_name(o.evidence.cause), c->cause) != 0 ||
            (c->reason[0] && strcmp(o.evidence.reason, c->reason) != 0)) &&
           world_now_ms(NULL) < until_ms) {
        world_sleep_ms(300);
        o = world_observe(&w, "Deployment", OBSERVE_PODS | OBSERVE_HISTORY);
    }
    cr_assert_str_eq(cause_name(o.evidence.cause), c->cause, "%s, %s, %s", o.evidence.reason,
                     o.evidence.ended, o.fault_text);
    if (c->reason[0])
        cr_assert_str_eq(o.evidence.reason, c->reason);
    cr_assert_str_eq(o.evidence.container, "app");
    cr_assert(*o.evidence.node, "it was on a node");
    world_close(&w);
}
