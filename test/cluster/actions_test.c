/* test/cluster/actions_test.c - the actions against a real API server, controllers and kubelet. What happened
 * is judged by kubectl, and by a fresh observation where the proof is meant to show. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/cluster/workload_kit.h"

TestSuite(actions, .timeout = 600);

struct kind_case {
    char kind[16];
};

#define EVERY_KIND(name)                                                                                     \
    ParameterizedTestParameters(actions, name)                                                               \
    {                                                                                                        \
        static struct kind_case cases[] = { { "Deployment" }, { "StatefulSet" }, { "DaemonSet" } };          \
        return cr_make_param_array(struct kind_case, cases, sizeof cases / sizeof cases[0]);                 \
    }                                                                                                        \
    ParameterizedTest(struct kind_case *c, actions, name, .timeout = 600)

static const char *annotation(struct world *w, const char *kind, const char *name)
{
    return world_kubectl(w, "get %s/w -o jsonpath='{.metadata.annotations.heald\\.dev/%s}'", kind, name);
}

/* Controllers write status at any time: a conflict is decided anew, as the core does it. */
#define DECIDE_AGAIN(r)                                                                                      \
    (r).result = ACT_CONFLICT;                                                                               \
    for (int tries_ = 0; (r).result == ACT_CONFLICT && tries_ < 5; tries_++)

/* ---- restart ---- */

EVERY_KIND(restart_replaces_the_pods_and_shows_its_proof)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    world_rolled_out(&w, c->kind);
    char old_pod[KIT_TEXT_SIZE];
    snprintf(old_pod, sizeof old_pod, "%s",
             world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[0].metadata.uid}'"));

    struct observation o;
    struct intent i;
    struct act_report r;
    DECIDE_AGAIN(r)
    {
        o = world_observe(&w, c->kind, 0);
        i = world_intent(&o, "restart");
        r = world_act(&w, &i);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_gt(r.sent_ms, 0);
    struct observation after = world_observe(&w, c->kind, 0);
    cr_assert_str_eq(after.restarted_at, i.restarted_at);
    cr_assert_str_neq(after.template_hash, o.template_hash);
    cr_assert_str_eq(annotation(&w, c->kind, "incident"), i.incident);
    cr_assert_str_eq(annotation(&w, c->kind, "step"), "steps.0");
    cr_assert_str_eq(annotation(&w, c->kind, "reason"), "restart, attempt 1");
    world_rolled_out(&w, c->kind);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS; /* the old pod may take a moment to end */
    const char *pods;
    do {
        pods = world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[*].metadata.uid}'");
    } while (strstr(pods, old_pod) && world_now_ms(NULL) < until_ms);
    cr_assert(strlen(pods) > 0 && !strstr(pods, old_pod), "the old pod %s is among %s", old_pod, pods);
    cr_assert(world_observe(&w, c->kind, 0).rollout_complete);
    world_close(&w);
}

Test(actions, a_late_duplicate_of_a_write_is_refused_by_its_precondition)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    struct observation o;
    struct intent restart, scale;
    struct act_report r;
    DECIDE_AGAIN(r)
    {
        o = world_observe(&w, "Deployment", OBSERVE_HISTORY);
        restart = world_intent(&o, "restart");
        scale = world_intent(&o, "scale");
        scale.replicas = 2;
        r = world_act(&w, &restart);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    world_rolled_out(&w, "Deployment");
    struct observation after = world_observe(&w, "Deployment", 0);
    r = world_act(&w, &restart);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    r = world_act(&w, &scale);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    struct observation again = world_observe(&w, "Deployment", 0);
    cr_assert_str_eq(again.template_hash, after.template_hash);
    cr_assert_str_eq(again.restarted_at, after.restarted_at);
    cr_assert_eq(again.desired, 1);
    world_close(&w);
}

Test(actions, an_object_made_anew_is_not_the_one_that_was_meant)
{
    static const char *const names[] = { "restart", "scale" };
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    struct observation o = world_observe(&w, "Deployment", 0);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        struct intent i = world_intent(&o, names[k]);
        snprintf(i.target.uid, sizeof i.target.uid, "00000000-0000-4000-8000-000000000000");
        i.replicas = 2;
        struct act_report r = world_act(&w, &i);
        cr_assert_eq(r.result, ACT_CONFLICT, "%s: %s", names[k], r.reason);
    }
    cr_assert_str_eq(world_observe(&w, "Deployment", 0).restarted_at, "");
    cr_assert_eq(world_observe(&w, "Deployment", 0).desired, 1);

    struct observe_request request = { .labels = &w.labels, .from = "deployment", .target = &o.target };
    struct err e = ERR_INIT;
    world_kubectl(&w, "delete deployment/w --wait");
    cr_assert_eq(observe(&w.observer, w.http, &request, &o, &e), ERR_NOT_FOUND);
    world_apply(&w, "Deployment", SLEEP, 1);
    cr_assert_eq(observe(&w.observer, w.http, &request, &o, &e), ERR_NOT_FOUND, "another uid");
    cr_assert_not_null(strstr(e.msg, "made anew"), "%s", e.msg);
    world_close(&w);
}

Test(actions, what_is_missing_forbidden_or_expired_says_so_and_writes_nothing)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    struct observation o = world_observe(&w, "Deployment", 0);
    struct intent i = world_intent(&o, "restart");
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
    cr_assert_not_null(strstr(r.reason, "grant heald \"patch deployments.apps\""), "%s", r.reason);
    i.expires_ms = world_now_ms(NULL);
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    cr_assert_eq(r.sent_ms, 0);
    cr_assert_str_eq(world_observe(&w, "Deployment", 0).restarted_at, "");
    world_kubectl(&w, "create rolebinding heald --clusterrole=heald-write --user=heald");
    i = world_intent(&o, "restart");
    snprintf(i.target.name, sizeof i.target.name, "nobody");
    int64_t until_ms =
        world_now_ms(NULL) + KIT_PATIENCE_MS; /* the binding is known to the API server a moment later */
    do {
        r = world_act(&w, &i);
        i.expires_ms = world_now_ms(NULL) + 60000;
    } while (r.result == ACT_FAILED && strstr(r.reason, "403") && world_now_ms(NULL) < until_ms);
    cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
    cr_assert_not_null(strstr(r.reason, "404"), "%s", r.reason);
    world_close(&w);
}

Test(actions, a_paused_deployment_is_seen_as_paused)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    world_kubectl(&w, "rollout pause deployment/w");
    cr_assert(world_observe(&w, "Deployment", 0).paused);
    world_kubectl(&w, "rollout resume deployment/w");
    cr_assert_not(world_observe(&w, "Deployment", 0).paused);
    world_close(&w);
}

/* ---- rollback ---- */

static const struct revision *revision_of(const struct observation *o, const char *hash)
{
    for (uint32_t k = 0; k < o->revisions_len; k++)
        if (strcmp(o->revisions[k].template_hash, hash) == 0)
            return &o->revisions[k];
    cr_assert_fail("no revision has the hash %s among %u", hash, o->revisions_len);
    return NULL;
}

static struct intent rollback_to(const struct observation *o, const char *hash)
{
    struct intent i = world_intent(o, "rollback");
    memcpy(i.template_hash, hash, sizeof i.template_hash);
    memcpy(i.revision, revision_of(o, hash)->name, sizeof i.revision);
    return i;
}

EVERY_KIND(rollback_restores_the_very_template)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    world_rolled_out(&w, c->kind);
    struct observation first = world_observe(&w, c->kind, OBSERVE_HISTORY);
    cr_assert_eq(first.revisions_len, 1);
    cr_assert_str_eq(first.revisions[0].template_hash, first.template_hash,
                     "the revision has the object's own hash");
    world_apply(&w, c->kind, SLEEP_LESS, 1);
    world_rolled_out(&w, c->kind);
    world_kubectl(&w, "annotate %s/w added-later=stays", c->kind);

    struct observation second;
    struct intent i;
    struct act_report r;
    DECIDE_AGAIN(r)
    {
        second = world_observe(&w, c->kind, OBSERVE_HISTORY);
        i = rollback_to(&second, first.template_hash);
        r = world_act(&w, &i);
    }
    cr_assert_eq(second.revisions_len, 2);
    cr_assert_str_neq(second.template_hash, first.template_hash);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    struct observation after = world_observe(&w, c->kind, OBSERVE_HISTORY);
    cr_assert_str_eq(after.template_hash, first.template_hash, "the proof");
    cr_assert_str_eq(annotation(&w, c->kind, "incident"), i.incident);
    cr_assert_str_eq(world_kubectl(&w, "get %s/w -o jsonpath='{.metadata.annotations.added-later}'", c->kind),
                     "stays");
    cr_assert_str_eq(world_kubectl(&w, "get %s/w -o jsonpath='{.spec.template.metadata.labels}'", c->kind),
                     "{\"app\":\"w\"}");
    world_rolled_out(&w, c->kind);
    cr_assert_eq(world_observe(&w, c->kind, OBSERVE_HISTORY).revisions_len, 2, "no new template was made");
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    world_close(&w);
}

Test(actions, rollback_works_where_the_object_has_no_annotations)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "StatefulSet", SLEEP, 1);
    world_rolled_out(&w, "StatefulSet");
    struct observation first = world_observe(&w, "StatefulSet", 0);
    world_apply(&w, "StatefulSet", SLEEP_LESS, 1);
    world_rolled_out(&w, "StatefulSet");
    world_kubectl(
        &w, "patch statefulset/w --type=json -p '[{\"op\":\"remove\",\"path\":\"/metadata/annotations\"}]'");
    struct act_report r;
    DECIDE_AGAIN(r)
    {
        struct observation second = world_observe(&w, "StatefulSet", OBSERVE_HISTORY);
        struct intent i = rollback_to(&second, first.template_hash);
        r = world_act(&w, &i);
    }
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    cr_assert_str_eq(world_observe(&w, "StatefulSet", 0).template_hash, first.template_hash);
    cr_assert_str_eq(annotation(&w, "StatefulSet", "step"), "steps.0");
    world_close(&w);
}

Test(actions, rollback_refuses_a_revision_that_is_not_what_was_intended)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    struct observation o = world_observe(&w, "Deployment", OBSERVE_HISTORY);
    struct intent i = rollback_to(&o, o.template_hash);
    i.template_hash[0] = i.template_hash[0] == 'a' ? 'b' : 'a';
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
    cr_assert_not_null(strstr(r.reason, "another template"), "%s", r.reason);
    i = rollback_to(&o, o.template_hash);
    snprintf(i.revision, sizeof i.revision, "w-pushed-out");
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
    cr_assert_not_null(strstr(r.reason, "w-pushed-out"), "%s", r.reason);
    i = rollback_to(&o, o.template_hash);
    snprintf(i.target.uid, sizeof i.target.uid, "00000000-0000-4000-8000-000000000000");
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    cr_assert_eq(r.sent_ms, 0);
    world_close(&w);
}

/* The race that the look before the write cannot see: the patch's own tests have to refuse. */
Test(actions, a_patch_with_a_failed_test_is_a_conflict_and_writes_nothing)
{
    static const char *const tests[] = { "/metadata/resourceVersion", "/metadata/uid" };
    struct world w;
    struct err e = ERR_INIT;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_rolled_out(&w, "Deployment");
    struct observation o = world_observe(&w, "Deployment", 0);
    for (size_t k = 0; k < sizeof tests / sizeof tests[0]; k++) {
        struct kube_reply reply = KUBE_REPLY_INIT;
        CLEANUP(buf_release) struct buf path = BUF_INIT;
        char body[256];
        snprintf(body, sizeof body,
                 "[{\"op\":\"test\",\"path\":\"%s\",\"value\":\"stale\"},{\"op\":\"replace\",\"path\":\"/"
                 "spec/replicas\",\"value\":3}]",
                 tests[k]);
        cr_assert_eq(kube_path(&path, "Deployment", w.namespace, "w", NULL, &e), ERR_OK);
        struct kube_call call = { .verb = "patch",
                                  .path = buf_text(&path),
                                  .content_type = "application/json-patch+json",
                                  .body = body,
                                  .body_len = strlen(body) };
        cr_assert_eq(kube_call(w.cluster, w.http, &call, &reply, &e), ERR_CONFLICT, "%s: %s", tests[k],
                     e.msg);
        cr_assert_eq(reply.status, 422);
        kube_reply_release(&reply);
    }
    cr_assert_eq(world_observe(&w, "Deployment", 0).desired, o.desired);
    world_close(&w);
}

/* ---- scale ---- */

EVERY_KIND(scale_sets_the_number_where_there_is_one)
{
    struct world w;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    world_rolled_out(&w, c->kind);
    struct intent i;
    struct act_report r;
    DECIDE_AGAIN(r)
    {
        struct observation o = world_observe(&w, c->kind, 0);
        i = world_intent(&o, "scale");
        i.replicas = 2;
        r = world_act(&w, &i);
    }
    if (strcmp(c->kind, "DaemonSet") == 0) {
        cr_assert_eq(r.result, ACT_FAILED, "%s", r.reason);
        cr_assert_not_null(strstr(r.reason, "no replicas"), "%s", r.reason);
    } else {
        cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
        cr_assert_eq(world_observe(&w, c->kind, 0).desired, 2);
        world_rolled_out(&w, c->kind);
        r = world_act(&w, &i);
        cr_assert_eq(r.result, ACT_CONFLICT, "%s", r.reason);
    }
    world_close(&w);
}

/* ---- delete_pod ---- */

static struct observation observe_pod(struct world *w, const struct intent *i)
{
    struct observation o;
    struct err e = ERR_INIT;
    struct observe_request r = { .labels = &w->labels,
                                 .from = "pod",
                                 .target = &i->target,
                                 .needs = OBSERVE_POD,
                                 .pod_name = i->pod_name,
                                 .pod_uid = i->pod_uid };
    cr_assert_eq(observe(&w->observer, w->http, &r, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

EVERY_KIND(delete_pod_deletes_that_pod_and_no_other)
{
    struct world w;
    struct observation o;
    struct err e = ERR_INIT;
    world_open(&w, true);
    world_apply(&w, c->kind, SLEEP, 1);
    world_rolled_out(&w, c->kind);
    map_set(&w.labels, "pod", world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[0].metadata.name}'"),
            NULL);
    cr_assert_eq(world_observe_labels(&w, "pod", c->kind, OBSERVE_POD, &o, &e), ERR_OK, "%s", e.msg);
    cr_assert(o.pod_found && !o.pod_terminating);
    cr_assert_str_eq(o.target.name, "w");

    struct intent i = world_intent(&o, "delete_pod");
    memcpy(i.pod_name, o.pod_name, sizeof i.pod_name);
    memcpy(i.pod_uid, o.pod_uid, sizeof i.pod_uid);
    struct act_report r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "%s", r.reason);
    o = observe_pod(&w, &i);
    cr_assert(!o.pod_found || o.pod_terminating, "the proof");
    world_rolled_out(&w, c->kind);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (observe_pod(&w, &i).pod_found && world_now_ms(NULL) < until_ms)
        world_sleep_ms(200);
    cr_assert_not(observe_pod(&w, &i).pod_found, "gone, or another pod has the name");
    char before[KIT_TEXT_SIZE];
    world_rolled_out(&w, c->kind);
    snprintf(before, sizeof before, "%s",
             world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[*].metadata.uid}'"));
    i.expires_ms = world_now_ms(NULL) + 60000;
    r = world_act(&w, &i);
    cr_assert_eq(r.result, ACT_DONE, "a late duplicate: %s", r.reason);
    cr_assert_str_eq(world_kubectl(&w, "get pods -l app=w -o jsonpath='{.items[*].metadata.uid}'"), before,
                     "nothing else was deleted");
    world_close(&w);
}
