/* test/cluster/change_other_test.c - actions on nodes, CronJobs, Jobs and claims, and those of listed fields
 * and images, against a real API server and its controllers; no pod has to run. What happened is judged by
 * kubectl. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/cluster/workload_kit.h"

TestSuite(change_other, .timeout = 600);

/* What is looked at, and as which target. */
struct thing {
    struct world *w;
    struct json_doc *doc;
    struct target target;
    const char *proven; /* JSON */
};

static void thing_read(struct thing *t, struct world *w, const char *kind, const char *name)
{
    struct err e = ERR_INIT;
    *t = (struct thing){ .w = w, .proven = "[]" };
    cr_assert_eq(kube_get(w->cluster, w->http, kind, w->namespace, name, &t->doc, &e), ERR_OK, "%s", e.msg);
    snprintf(t->target.namespace, sizeof t->target.namespace, "%s", w->namespace);
    snprintf(t->target.kind, sizeof t->target.kind, "%s", kind);
    snprintf(t->target.name, sizeof t->target.name, "%s", name);
    snprintf(t->target.uid, sizeof t->target.uid, "%s",
             json_string(json_path(json_root(t->doc), "metadata.uid"), ""));
}

static struct observation thing_ask(const struct thing *t, const char *action, const char *params,
                                    const struct intent *i)
{
    CLEANUP(json_freep) struct json_doc *p = NULL;
    CLEANUP(json_freep) struct json_doc *proven = NULL;
    struct observation o;
    struct err e = ERR_INIT;
    char text[512];
    memset(&o, 0, sizeof o);
    snprintf(text, sizeof text, "{%s}", params);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(json_parse(&p, text, strlen(text), &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(json_parse(&proven, t->proven, strlen(t->proven), &e), ERR_OK, "%s", e.msg);
    struct change_ask a = { .cluster = t->w->cluster,
                            .http = t->w->http,
                            .target = &t->target,
                            .object = json_root(t->doc),
                            .params = json_root(p),
                            .proven = json_root(proven),
                            .id = t->w->namespace };
    o.target = t->target;
    snprintf(o.resource_version, sizeof o.resource_version, "%s",
             json_string(json_path(json_root(t->doc), "metadata.resourceVersion"), ""));
    if (i)
        cr_assert_eq(change_prove(&a, i, &o, &e), ERR_OK, "%s", e.msg);
    else
        cr_assert_eq(change_look(&a, catalogue_find(action)->prepare, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

static struct intent intent_for(const struct observation *o, const char *action)
{
    struct intent i = world_intent(o, action);
    cr_assert_eq(o->change, CHANGE_POSSIBLE, "%s", o->change_say);
    memcpy(i.change, o->change_text, sizeof i.change);
    i.rolls = catalogue_find(action)->spec.rolls;
    return i;
}

static struct intent carry_out_proven(struct world *w, const char *kind, const char *name, const char *action,
                                      const char *params, const char *proven)
{
    struct act_report r = { .result = ACT_CONFLICT };
    struct intent i;
    for (int tries = 0; r.result == ACT_CONFLICT && tries < 10; tries++) {
        struct thing t;
        thing_read(&t, w, kind, name);
        t.proven = proven;
        struct observation o = thing_ask(&t, action, params, NULL);
        i = intent_for(&o, action);
        r = world_act(w, &i);
        json_free(t.doc);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    return i;
}

static struct intent carry_out(struct world *w, const char *kind, const char *name, const char *action,
                               const char *params)
{
    return carry_out_proven(w, kind, name, action, params, "[]");
}

static void impossible(struct world *w, const char *kind, const char *name, const char *action,
                       const char *params, const char *why)
{
    struct thing t;
    thing_read(&t, w, kind, name);
    struct observation o = thing_ask(&t, action, params, NULL);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE, "%s", o.change_text);
    cr_assert_not_null(strstr(o.change_say, why), "\"%s\" should say \"%s\"", o.change_say, why);
    json_free(t.doc);
}

static enum change_proof proof(struct world *w, const char *kind, const char *name, const struct intent *i)
{
    struct thing t;
    thing_read(&t, w, kind, name);
    enum change_proof p = thing_ask(&t, "", "", i).change_proof;
    json_free(t.doc);
    return p;
}

static void put_back(struct world *w, const char *kind, const char *name, struct intent i)
{
    i.undo = 1;
    i.expires_ms = world_now_ms(NULL) + 60000;
    struct act_report r = world_act(w, &i);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_eq(proof(w, kind, name, &i), CHANGE_THERE);
}

/* Apply a manifest in JSON; single quotes stand for double ones. */
static void apply(struct world *w, const char *manifest)
{
    char file[] = "/tmp/heald-manifest-XXXXXX";
    int fd = mkstemp(file);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    cr_assert_not_null(f);
    for (const char *c = manifest; *c; c++)
        fputc(*c == '\'' ? '"' : *c, f);
    fclose(f);
    world_kubectl(w, "apply -f %s", file);
    unlink(file);
}

/* ---- nodes ---- */

/* A node that no kubelet runs, ready all the same, of the version of those that are there. */
static void make_node(struct world *w, const char *name, const char *version)
{
    char manifest[256];
    snprintf(manifest, sizeof manifest, "{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'}}", name);
    apply(w, manifest);
    world_kubectl(
        w,
        "patch node/%s --subresource=status -p '{\"status\":{\"nodeInfo\":{\"kubeletVersion\":\"%s\"},"
        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Test\","
        "\"lastHeartbeatTime\":\"2099-01-01T00:00:00Z\"}]}}'",
        name, version);
}

Test(change_other, cordon_and_uncordon_and_taints_of_a_node)
{
    struct world w;
    char a[80], b[80], role[96], version[64], left[32], others[64], slow[128];
    world_open(&w, true);
    snprintf(a, sizeof a, "%s-a", w.namespace);
    snprintf(b, sizeof b, "%s-b", w.namespace);
    snprintf(role, sizeof role, "heald-nodes-%s", w.namespace);
    snprintf(version, sizeof version, "%s",
             world_kubectl(&w, "get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'"));
    int own = version[0] != '\0'; /* a world has one node or none */
    snprintf(left, sizeof left, "'left':%d", own + 1);
    snprintf(others, sizeof others, "it would leave %d nodes", own);
    snprintf(slow, sizeof slow, "'key':'example.com/slow','effect':'NoSchedule','value':'disk',%s", left);
    world_kubectl(&w, "create clusterrolebinding %s --clusterrole=heald-nodes --user=heald", role);
    make_node(&w, a, version);
    impossible(&w, "Node", a, "cordon", left, others);
    make_node(&w, b, version);

    struct intent i = carry_out(&w, "Node", a, "cordon", left);
    cr_assert_str_eq(world_kubectl(&w, "get node/%s -o jsonpath='{.spec.unschedulable}'", a), "true");
    cr_assert_eq(proof(&w, "Node", a, &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    impossible(&w, "Node", a, "cordon", left, "cordoned already");
    impossible(&w, "Node", b, "cordon", left, others);
    struct intent back = carry_out(&w, "Node", a, "uncordon", "");
    cr_assert_str_eq(world_kubectl(&w, "get node/%s -o jsonpath='{.spec.unschedulable}'", a), "");
    cr_assert_eq(proof(&w, "Node", a, &back), CHANGE_THERE);
    world_kubectl(&w, "cordon %s", a);
    impossible(&w, "Node", a, "uncordon", "", "somebody else cordoned it");
    world_kubectl(&w, "uncordon %s", a);

    i = carry_out(&w, "Node", a, "taint", slow);
    cr_assert_not_null(
        strstr(world_kubectl(&w, "get node/%s -o jsonpath='{.spec.taints[*].key}'", a), "example.com/slow"));
    cr_assert_eq(proof(&w, "Node", a, &i), CHANGE_THERE);
    impossible(&w, "Node", a, "taint", slow, "that taint already");
    struct thing t;
    thing_read(&t, &w, "Node", a);
    struct observation o = thing_ask(&t, "untaint", slow, NULL);
    struct intent late = intent_for(&o, "untaint");
    json_free(t.doc);
    world_kubectl(&w, "taint node %s their=taint:NoSchedule", a);
    cr_assert_eq(world_act(&w, &late).result, ACT_CONFLICT, "somebody else changed the list");
    carry_out(&w, "Node", a, "untaint", slow);
    const char *keys = world_kubectl(&w, "get node/%s -o jsonpath='{.spec.taints[*].key}'", a);
    cr_assert(strstr(keys, "their") && !strstr(keys, "example.com/slow"), "%s", keys);
    world_kubectl(&w, "delete node %s %s", a, b);
    world_kubectl(&w, "delete clusterrolebinding %s", role);
    world_close(&w);
}

/* ---- CronJobs and Jobs ---- */

#define CRONJOB(policy, deadline)                                                                            \
    "{'apiVersion':'batch/v1','kind':'CronJob','metadata':{'name':'import'},'spec':{'schedule':'0 0 1 1 *'," \
    "'concurrencyPolicy':'" policy                                                                           \
    "','jobTemplate':{'metadata':{'labels':{'team':'x'}},'spec':{'backoffLimit':0,"                          \
    "'activeDeadlineSeconds':" deadline ",'template':{'metadata':{'labels':{'app':'import'}},'spec':{"       \
    "'restartPolicy':'Never','containers':[{'name':'app','image':'heald.local/pause:1'}]}}}}}}"

/* The whole look, as the core asks for it: the alert's label names the object. */
Test(change_other, a_look_at_a_target_of_another_kind_says_what_would_change)
{
    struct world w;
    struct target none = { .name = "" };
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, true);
    apply(&w, CRONJOB("Forbid", "60"));
    cr_assert_eq(map_set(&w.labels, "cronjob", "import", NULL), ERR_OK);
    struct observe_request r = { .labels = &w.labels,
                                 .from = "cronjob",
                                 .target = &none,
                                 .needs = OBSERVE_CHANGE,
                                 .action = "suspend_cronjob",
                                 .ask = "{\"params\":{},\"proven\":[],\"id\":\"i-1/steps.0/1\"}",
                                 .change_key = 7 };
    cr_assert_eq(observe(&w.observer, w.http, &r, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change, CHANGE_POSSIBLE, "%s", o.change_say);
    cr_assert_str_eq(o.target.kind, "CronJob");
    struct intent i = intent_for(&o, "suspend_cronjob");
    struct act_report done = world_act(&w, &i);
    cr_assert_eq(done.result, ACT_DONE, "%s", done.reason);
    cr_assert_str_eq(world_kubectl(&w, "get cronjob/import -o jsonpath='{.spec.suspend}'"), "true");
    r.intent = &i;
    cr_assert_eq(observe(&w.observer, w.http, &r, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(o.change_proof, CHANGE_THERE);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE, "%s", o.change_say);
    world_close(&w);
}

Test(change_other, suspend_cronjob_and_resume_cronjob)
{
    struct world w;
    world_open(&w, true);
    apply(&w, CRONJOB("Forbid", "60"));
    struct intent i = carry_out(&w, "CronJob", "import", "suspend_cronjob", "");
    cr_assert_str_eq(world_kubectl(&w, "get cronjob/import -o jsonpath='{.spec.suspend}'"), "true");
    cr_assert_eq(proof(&w, "CronJob", "import", &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    impossible(&w, "CronJob", "import", "run_cronjob_now", "", "it is suspended");
    put_back(&w, "CronJob", "import", i);
    cr_assert_str_eq(world_kubectl(&w, "get cronjob/import -o jsonpath='{.spec.suspend}'"), "false");
    carry_out(&w, "CronJob", "import", "suspend_cronjob", "");
    i = carry_out(&w, "CronJob", "import", "resume_cronjob", "'whose':'heald'");
    cr_assert_str_eq(world_kubectl(&w, "get cronjob/import -o jsonpath='{.spec.suspend}'"), "false");
    cr_assert_eq(proof(&w, "CronJob", "import", &i), CHANGE_THERE);
    world_kubectl(&w, "patch cronjob/import -p '{\"spec\":{\"suspend\":true}}'");
    impossible(&w, "CronJob", "import", "resume_cronjob", "'whose':'heald'", "somebody else");
    world_close(&w);
}

#define RUNS "get jobs -o jsonpath='{.items[*].metadata.name}'"

static void until_failed(struct world *w, const char *job)
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (
        !strstr(world_kubectl(w, "get job/%s -o jsonpath='{.status.conditions[*].type}'", job), "Failed") &&
        world_now_ms(NULL) < until_ms)
        world_sleep_ms(300);
}

/* A job whose pods never run fails by its deadline. */
Test(change_other, run_cronjob_now_and_rerun_job_make_one_job_each)
{
    struct world w;
    world_open(&w, true);
    apply(&w, CRONJOB("Forbid", "3"));
    struct intent i = carry_out(&w, "CronJob", "import", "run_cronjob_now", "");
    char first[256];
    snprintf(first, sizeof first, "%s", world_kubectl(&w, RUNS));
    cr_assert_not_null(strstr(first, "import-heald-"), "%s", first);
    cr_assert_null(strchr(first, ' '), "one job: %s", first);
    cr_assert_eq(proof(&w, "CronJob", "import", &i), CHANGE_THERE);
    struct act_report r = { .result = ACT_CONFLICT };
    for (int tries = 0; r.result == ACT_CONFLICT && tries < 10; tries++) {
        struct thing t;
        thing_read(&t, &w, "CronJob", "import");
        snprintf(i.resource_version, sizeof i.resource_version, "%s",
                 json_string(json_path(json_root(t.doc), "metadata.resourceVersion"), ""));
        json_free(t.doc);
        r = world_act(&w, &i);
    }
    cr_assert_str_eq(r.reason, "it was made already");
    cr_assert_str_eq(world_kubectl(&w, RUNS), first, "a second write of the attempt makes nothing");
    cr_assert_str_eq(world_kubectl(&w, "get job/%s -o jsonpath='{.metadata.ownerReferences[0].name}'", first),
                     "import");
    until_failed(&w, first);

    struct intent again = carry_out(&w, "Job", first, "rerun_job", "");
    cr_assert_eq(proof(&w, "Job", first, &again), CHANGE_THERE);
    const char *both = world_kubectl(&w, RUNS);
    cr_assert_not_null(strchr(both, ' '), "two jobs: %s", both);
    cr_assert_str_eq(
        world_kubectl(&w, "get jobs -o jsonpath='{.items[*].spec.template.metadata.labels.app}'"),
        "import import");
    world_close(&w);
}

Test(change_other, rerun_job_leaves_alone_what_has_not_failed)
{
    struct world w;
    world_open(&w, true);
    apply(&w, "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'once'},'spec':{'template':{'spec':{"
              "'restartPolicy':'Never','containers':[{'name':'app','image':'heald.local/pause:1'}]}}}}");
    impossible(&w, "Job", "once", "rerun_job", "", "it has not failed");
    world_close(&w);
}

/* ---- claims ---- */

Test(change_other, expand_pvc_asks_for_more_once_and_where_the_class_allows_it)
{
    struct world w;
    char manifest[1024];
    const char *grow = "'factor_percent':150,'ceiling':'2Gi'";
    world_open(&w, true);
    snprintf(
        manifest, sizeof manifest,
        "{'apiVersion':'v1','kind':'List','items':[{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass',"
        "'metadata':{'name':'%1$s'},'provisioner':'example.com/none','allowVolumeExpansion':false},"
        "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'%1$s'},'spec':{'storageClassName':"
        "'%1$s','capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/none'}}},"
        "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data'},'spec':{"
        "'storageClassName':'%1$s','accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'"
        "}}}}]}",
        w.namespace);
    apply(&w, manifest);
    /* the world may run no controller of volumes: then this is what it would say */
    world_kubectl(&w,
                  "patch pvc/data --subresource=status -p '{\"status\":{\"phase\":\"Bound\",\"capacity\":{"
                  "\"storage\":\"1Gi\"}}}'");
    impossible(&w, "PersistentVolumeClaim", "data", "expand_pvc", grow, "does not allow volumes to grow");
    world_kubectl(&w, "patch storageclass/%s -p '{\"allowVolumeExpansion\":true}'", w.namespace);
    struct intent i = carry_out(&w, "PersistentVolumeClaim", "data", "expand_pvc", grow);
    cr_assert_str_eq(world_kubectl(&w, "get pvc/data -o jsonpath='{.spec.resources.requests.storage}'"),
                     "1536Mi");
    cr_assert_eq(proof(&w, "PersistentVolumeClaim", "data", &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    impossible(&w, "PersistentVolumeClaim", "data", "expand_pvc", grow, "being made larger already");
    world_kubectl(&w, "delete pvc/data --wait=false");
    world_kubectl(&w, "delete pv/%s storageclass/%s --wait=false", w.namespace, w.namespace);
    world_close(&w);
}

/* ---- images and listed fields ---- */

#define GOOD "heald.local/pause@sha256:0000000000000000000000000000000000000000000000000000000000000001"

Test(change_other, set_image_gives_back_the_digest_that_was_proven_and_leaves_the_rest)
{
    struct world w;
    struct thing t;
    char proven[HASH_SIZE + 8], hash[HASH_SIZE];
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_kubectl(&w, "set image deployment/w app=" GOOD);
    thing_read(&t, &w, "Deployment", "w");
    kube_template_hash(hash, json_path(json_root(t.doc), "spec.template"));
    snprintf(proven, sizeof proven, "[\"%s\"]", hash);
    json_free(t.doc);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (
        !strstr(world_kubectl(&w, "get replicasets -o jsonpath='{.items[*].spec.template.spec.containers[0]"
                                  ".image}'"),
                "@sha256:") &&
        world_now_ms(NULL) < until_ms)
        world_sleep_ms(200);
    world_kubectl(&w, "set env deployment/w CACHE=on");
    world_kubectl(&w, "set image deployment/w app=heald.local/pause:broken");
    struct intent i = carry_out_proven(&w, "Deployment", "w", "set_image", "", proven);
    cr_assert_str_eq(
        world_kubectl(&w, "get deployment/w -o jsonpath='{.spec.template.spec.containers[0].image}'"), GOOD);
    cr_assert_str_eq(
        world_kubectl(&w, "get deployment/w -o jsonpath='{.spec.template.spec.containers[0].env[0].value}'"),
        "on");
    cr_assert_eq(proof(&w, "Deployment", "w", &i), CHANGE_THERE);
    world_kubectl(&w, "set image deployment/w app=heald.local/pause:broken");
    impossible(&w, "Deployment", "w", "set_image", "", "no template that was proven well");
    world_close(&w);
}

Test(change_other, patch_sets_one_field_and_gives_way)
{
    const char *wait = "'path':'/spec/minReadySeconds','value':'10'";
    struct world w;
    struct thing t;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    struct intent i = carry_out(&w, "Deployment", "w", "patch", wait);
    cr_assert_str_eq(world_kubectl(&w, "get deployment/w -o jsonpath='{.spec.minReadySeconds}'"), "10");
    cr_assert_eq(proof(&w, "Deployment", "w", &i), CHANGE_THERE);
    impossible(&w, "Deployment", "w", "patch", wait, "already");
    impossible(&w, "Deployment", "w", "patch", "'path':'/spec/template/spec/serviceAccountName','value':'1'",
               "never patched");
    thing_read(&t, &w, "Deployment", "w");
    struct observation o = thing_ask(&t, "patch", "'path':'/spec/minReadySeconds','value':'20'", NULL);
    struct intent late = intent_for(&o, "patch");
    late.rolls = 0;
    json_free(t.doc);
    world_kubectl(&w, "patch deployment/w -p '{\"spec\":{\"minReadySeconds\":15}}'");
    cr_assert_eq(world_act(&w, &late).result, ACT_CONFLICT, "somebody else changed it");
    cr_assert_str_eq(world_kubectl(&w, "get deployment/w -o jsonpath='{.spec.minReadySeconds}'"), "15");
    world_close(&w);
}
