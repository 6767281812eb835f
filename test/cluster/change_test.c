/* test/cluster/change_test.c - actions that set fields, and evictions, against a real API server. What
 * happened is judged by kubectl. Those that need no running pod use a workload that is never scheduled. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "test/cluster/workload_kit.h"

TestSuite(change, .timeout = 600);

struct kind_case {
    char kind[16];
};

#define EVERY_KIND(name)                                                                                     \
    ParameterizedTestParameters(change, name)                                                                \
    {                                                                                                        \
        static struct kind_case cases[] = { { "Deployment" }, { "StatefulSet" }, { "DaemonSet" } };          \
        return cr_make_param_array(struct kind_case, cases, sizeof cases / sizeof cases[0]);                 \
    }                                                                                                        \
    ParameterizedTest(struct kind_case *c, change, name, .timeout = 600)

/* Look at "w", and ask the action what it would change, and what became of the intent's change (may be NULL).
 */
static struct observation ask(struct world *w, const char *kind, const char *action, const char *params,
                              const struct intent *i)
{
    char from[KIND_SIZE], text[512];
    struct target none = { .name = "" };
    struct observation o;
    struct err e = ERR_INIT;
    snprintf(from, sizeof from, "%s", kind);
    for (char *c = from; *c; c++)
        *c = (char)(*c | 0x20);
    snprintf(text, sizeof text, "{\"params\":{%s},\"proven\":[]}", params);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(map_set(&w->labels, from, "w", NULL), ERR_OK);
    struct observe_request r = { .labels = &w->labels,
                                 .from = from,
                                 .target = &none,
                                 .needs = OBSERVE_CHANGE,
                                 .action = action,
                                 .ask = text,
                                 .change_key = 7,
                                 .intent = i };
    cr_assert_eq(observe(&w->observer, w->http, &r, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

static struct intent intent_for(const struct observation *o, const char *action)
{
    struct intent i = world_intent(o, action);
    cr_assert_eq(o->change, CHANGE_POSSIBLE, "%s", o->change_say);
    cr_assert_eq(o->change_key, 7);
    memcpy(i.change, o->change_text, sizeof i.change);
    i.rolls = catalogue_find(action)->spec.rolls;
    return i;
}

/* Controllers write at any time: a conflict is decided anew, as the core does it. */
static struct intent carry_out(struct world *w, const char *kind, const char *action, const char *params)
{
    struct act_report r = { .result = ACT_CONFLICT };
    struct intent i;
    for (int tries = 0; r.result == ACT_CONFLICT && tries < 10; tries++) {
        struct observation o = ask(w, kind, action, params, NULL);
        i = intent_for(&o, action);
        r = world_act(w, &i);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    return i;
}

static void impossible(struct world *w, const char *kind, const char *action, const char *params,
                       const char *why)
{
    struct observation o = ask(w, kind, action, params, NULL);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE, "%s", o.change_text);
    cr_assert_not_null(strstr(o.change_say, why), "\"%s\" should say \"%s\"", o.change_say, why);
}

static enum change_proof proof(struct world *w, const char *kind, const struct intent *i)
{
    return ask(w, kind, "", "", i).change_proof;
}

static void put_back(struct world *w, const char *kind, struct intent i)
{
    struct act_report r = { .result = ACT_CONFLICT };
    i.undo = 1;
    for (int tries = 0; r.result == ACT_CONFLICT && tries < 10; tries++) {
        struct observation o = ask(w, kind, "", "", &i);
        cr_assert_eq(o.change_proof, CHANGE_ABSENT, "the new values stand there");
        memcpy(i.resource_version, o.resource_version, sizeof i.resource_version);
        i.expires_ms = world_now_ms(NULL) + 60000;
        r = world_act(w, &i);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_eq(proof(w, kind, &i), CHANGE_THERE);
}

static const char *field(struct world *w, const char *kind, const char *path)
{
    return world_kubectl(w, "get %s/w -o jsonpath='{%s}'", kind, path);
}

#define FIRST_ENV ".spec.template.spec.containers[0].env[0].value"

/* ---- set_env ---- */

EVERY_KIND(set_env_sets_one_variable_once_and_can_be_put_back)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    struct intent i = carry_out(&w, c->kind, "set_env", "'name':'CACHE','value':'off'");
    cr_assert_str_eq(field(&w, c->kind, FIRST_ENV), "off");
    cr_assert_eq(proof(&w, c->kind, &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    cr_assert_str_eq(field(&w, c->kind, ".spec.template.spec.containers[0].env[*].name"), "CACHE");
    impossible(&w, c->kind, "set_env", "'name':'CACHE','value':'off'", "that value already");

    struct intent second = carry_out(&w, c->kind, "set_env", "'name':'CACHE','value':''");
    cr_assert_eq(proof(&w, c->kind, &second), CHANGE_THERE, "an empty value is left out by the server");
    put_back(&w, c->kind, second);
    cr_assert_str_eq(field(&w, c->kind, FIRST_ENV), "off");
    put_back(&w, c->kind, i);
    cr_assert_str_eq(field(&w, c->kind, ".spec.template.spec.containers[0].env"), "");
    world_close(&w);
}

EVERY_KIND(set_env_gives_way_to_a_concurrent_writer)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    struct observation o = ask(&w, c->kind, "set_env", "'name':'CACHE','value':'off'", NULL);
    struct intent i = intent_for(&o, "set_env");
    world_kubectl(&w, "set env %s/w OTHER=theirs", c->kind);
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    cr_assert_str_eq(field(&w, c->kind, ".spec.template.spec.containers[0].env[*].name"), "OTHER");
    cr_assert_eq(proof(&w, c->kind, &i), CHANGE_OTHER, "somebody else's stands there");
    world_close(&w);
}

/* ---- set_resources ---- */

#define MEMORY ".spec.template.spec.containers[0].resources.limits.memory"

EVERY_KIND(set_resources_raises_up_to_the_ceiling_as_the_server_writes_it)
{
    const char *raise = "'resource':'memory','factor_percent':400,'ceiling':'1Gi'";
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    impossible(&w, c->kind, "set_resources", raise, "no memory limit");
    world_kubectl(&w, "set resources %s/w --limits=memory=128Mi --requests=memory=128Mi", c->kind);
    struct intent i = carry_out(&w, c->kind, "set_resources", raise);
    cr_assert_str_eq(field(&w, c->kind, MEMORY), "512Mi");
    cr_assert_str_eq(field(&w, c->kind, ".spec.template.spec.containers[0].resources.requests.memory"),
                     "512Mi");
    cr_assert_eq(proof(&w, c->kind, &i), CHANGE_THERE);
    i = carry_out(&w, c->kind, "set_resources", raise);
    cr_assert_str_eq(field(&w, c->kind, MEMORY), "1Gi");
    cr_assert_eq(proof(&w, c->kind, &i), CHANGE_THERE);
    impossible(&w, c->kind, "set_resources", raise, "the ceiling is 1Gi");
    put_back(&w, c->kind, i);
    cr_assert_str_eq(field(&w, c->kind, MEMORY), "512Mi");
    world_close(&w);
}

Test(change, set_resources_mends_a_workload_that_is_killed_for_its_memory)
{
    struct world w;
    world_open(&w, true);
    if (strcmp(world_kubectl(&w, "get nodes -o jsonpath='{.items[*].metadata.name}'"), "") == 0) {
        world_close(&w);
        printf("SKIPPED no node runs pods here\n");
        return;
    }
    world_apply(&w, "Deployment", "\"sh\",\"-c\",\"x=a; while true; do x=$x$x; done\"", 1);
    world_kubectl(&w, "set resources deployment/w --limits=memory=32Mi --requests=memory=32Mi");
    world_kubectl(
        &w, "patch deployment/w --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/template/spec/"
            "containers/0/command\",\"value\":[\"/bin/busybox\",\"sh\",\"-c\",\"x=$(/bin/busybox head -c "
            "60000000 /dev/zero | /bin/busybox tr \\\\\\\\0 a); /bin/busybox sleep 2147483647\"]}]'");
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    const char *reason = "";
    while (!strstr(reason, "OOMKilled") && world_now_ms(NULL) < until_ms) {
        reason = world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[*].status.containerStatuses[*]"
                                   "..terminated.reason}'");
        world_sleep_ms(500);
    }
    cr_assert_not_null(strstr(reason, "OOMKilled"), "%s", reason);
    carry_out(&w, "Deployment", "set_resources",
              "'resource':'memory','factor_percent':400,'ceiling':'512Mi'");
    carry_out(&w, "Deployment", "set_resources",
              "'resource':'memory','factor_percent':400,'ceiling':'512Mi'");
    world_rolled_out(&w, "Deployment");
    cr_assert_str_eq(field(&w, "deployment", ".status.readyReplicas"), "1");
    world_close(&w);
}

/* ---- pause_rollout, resume_rollout ---- */

Test(change, pause_rollout_holds_it_and_resume_rollout_lets_only_the_own_pause_go_on)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_kubectl(
        &w,
        "patch deployment/w -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"no\":\"where\"}}}}}'");
    struct intent i = carry_out(&w, "Deployment", "pause_rollout", "");
    cr_assert_str_eq(field(&w, "deployment", ".spec.paused"), "true");
    cr_assert_eq(proof(&w, "Deployment", &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    impossible(&w, "Deployment", "pause_rollout", "", "paused already");
    struct intent resume = carry_out(&w, "Deployment", "resume_rollout", "'whose':'heald'");
    cr_assert_str_eq(field(&w, "deployment", ".spec.paused"), "");
    cr_assert_str_eq(field(&w, "deployment", ".metadata.annotations.heald\\.dev/paused"), "");
    cr_assert_eq(proof(&w, "Deployment", &resume), CHANGE_THERE);
    world_kubectl(&w, "rollout pause deployment/w");
    impossible(&w, "Deployment", "resume_rollout", "'whose':'heald'", "somebody else paused");
    carry_out(&w, "Deployment", "resume_rollout", "'whose':'anybody'");
    cr_assert_str_eq(field(&w, "deployment", ".spec.paused"), "");
    world_close(&w);
}

/* Fields beside the template are tested by themselves: who writes elsewhere is in nobody's way. */
Test(change, pause_rollout_is_not_hindered_by_who_writes_elsewhere)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_kubectl(
        &w,
        "patch deployment/w -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"no\":\"where\"}}}}}'");
    struct observation o = ask(&w, "Deployment", "pause_rollout", "", NULL);
    struct intent i = intent_for(&o, "pause_rollout");
    world_kubectl(&w, "label deployment/w their=label");
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_str_eq(field(&w, "deployment", ".metadata.labels.their"), "label");
    put_back(&w, "Deployment", i);
    world_kubectl(&w, "rollout pause deployment/w");
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "they paused it before us");
    world_close(&w);
}

/* ---- set_hpa ---- */

#define BOUNDS "get hpa/w -o jsonpath='{.spec.minReplicas}..{.spec.maxReplicas}'"

Test(change, set_hpa_sets_the_bounds_of_the_autoscaler_of_the_workload)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    impossible(&w, "Deployment", "set_hpa", "'min':0,'max':9", "0 HorizontalPodAutoscalers");
    world_kubectl(&w, "autoscale deployment/w --min=1 --max=4");
    struct intent i = carry_out(&w, "Deployment", "set_hpa", "'min':2,'max':8");
    cr_assert_str_eq(world_kubectl(&w, BOUNDS), "2..8");
    cr_assert_eq(proof(&w, "Deployment", &i), CHANGE_THERE);
    cr_assert_eq(world_act(&w, &i).result, ACT_CONFLICT, "a late duplicate");
    impossible(&w, "Deployment", "set_hpa", "'min':2,'max':8", "2 and 8 already");
    struct observation o = ask(&w, "Deployment", "set_hpa", "'min':0,'max':12", NULL);
    struct intent late = intent_for(&o, "set_hpa");
    world_kubectl(&w, "patch hpa/w -p '{\"spec\":{\"maxReplicas\":9}}'");
    cr_assert_eq(world_act(&w, &late).result, ACT_CONFLICT, "somebody else changed it");
    cr_assert_str_eq(world_kubectl(&w, BOUNDS), "2..9");
    cr_assert_eq(proof(&w, "Deployment", &i), CHANGE_OTHER, "and it is not put back");
    world_kubectl(&w, "patch hpa/w -p '{\"spec\":{\"maxReplicas\":8}}'");
    put_back(&w, "Deployment", i);
    cr_assert_str_eq(world_kubectl(&w, BOUNDS), "1..4");
    world_close(&w);
}

/* ---- what must not happen ---- */

Test(change, without_the_right_to_write_nothing_is_changed_and_the_right_is_named)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    struct observation o = ask(&w, "Deployment", "set_env", "'name':'CACHE','value':'off'", NULL);
    struct intent i = intent_for(&o, "set_env");
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
    cr_assert_not_null(strstr(r.reason, "grant heald \"patch deployments.apps\""), "%s", r.reason);
    cr_assert_str_eq(field(&w, "deployment", ".spec.template.spec.containers[0].env"), "");
    world_close(&w);
}

Test(change, an_object_made_anew_is_not_the_one_that_was_meant)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    struct observation o = ask(&w, "Deployment", "set_env", "'name':'CACHE','value':'off'", NULL);
    struct intent i = intent_for(&o, "set_env");
    i.rolls = 0; /* by the uid alone */
    world_kubectl(&w, "delete deployment/w --wait");
    world_apply(&w, "Deployment", SLEEP, 1);
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    cr_assert_str_eq(field(&w, "deployment", ".spec.template.spec.containers[0].env"), "");
    world_close(&w);
}

/* ---- evict_pod ---- */

Test(change, evict_pod_asks_the_budget_and_takes_only_that_pod)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, true);
    if (strcmp(world_kubectl(&w, "get nodes -o jsonpath='{.items[*].metadata.name}'"), "") == 0) {
        world_close(&w);
        printf("SKIPPED no node runs pods here\n");
        return;
    }
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    world_kubectl(&w, "create poddisruptionbudget w --selector=app=w --min-available=1");
    map_set(&w.labels, "pod", world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[0].metadata.name}'"),
            NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", "Deployment", OBSERVE_POD, &o, &e), ERR_OK, "%s", e.msg);
    struct intent i = world_intent(&o, "evict_pod");
    memcpy(i.pod_name, o.pod_name, sizeof i.pod_name);
    memcpy(i.pod_uid, o.pod_uid, sizeof i.pod_uid);
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_RETRY, "the budget forbids it: %s", r.reason);
    cr_assert_gt(r.retry_ms, 0);
    cr_assert_str_eq(world_kubectl(&w, "get pod/%s -o jsonpath='{.metadata.uid}'", i.pod_name), i.pod_uid);
    world_kubectl(&w, "delete poddisruptionbudget w");
    char uid[UID_SIZE];
    memcpy(uid, i.pod_uid, sizeof uid);
    snprintf(i.pod_uid, sizeof i.pod_uid, "00000000-0000-4000-8000-000000000000");
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "another pod has the name: %s", r.reason);
    cr_assert_str_eq(world_kubectl(&w, "get pod/%s -o jsonpath='{.metadata.deletionTimestamp}'", i.pod_name),
                     "");
    memcpy(i.pod_uid, uid, sizeof uid);
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (world_try_kubectl(&w, "get pod/%s", i.pod_name) && world_now_ms(NULL) < until_ms)
        world_sleep_ms(300);
    world_rolled_out(&w, "Deployment");
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "a late duplicate: %s", r.reason);
    cr_assert_str_eq(field(&w, "deployment", ".status.readyReplicas"), "1");
    world_close(&w);
}
