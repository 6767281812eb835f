/* test/cluster/watch_test.c - the watch on a real cluster. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/cluster/workload_kit.h"

struct scene {
    struct world world;
    struct watch *watch;
    struct target target;
    struct watch_workload seen;
    pthread_mutex_t lock;
    unsigned changed;
    char reported[HASH_SIZE]; /* last template reported well */
};

static void on_changed(void *ctx, const struct watch_workload *w)
{
    struct scene *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->changed += strcmp(w->target.namespace, s->world.namespace) == 0;
    pthread_mutex_unlock(&s->lock);
}

static void on_well(void *ctx, const struct watch_workload *w)
{
    struct scene *s = ctx;
    pthread_mutex_lock(&s->lock);
    if (strcmp(w->target.namespace, s->world.namespace) == 0)
        memcpy(s->reported, w->template_hash, sizeof s->reported);
    pthread_mutex_unlock(&s->lock);
}

static void on_log(void *ctx, bool warning, const char *message)
{
    (void)ctx;
    fprintf(stderr, "%s%s\n", warning ? "warning: " : "", message);
}

static void scene_open(struct scene *s, const char *kind, bool own_namespace_only)
{
    struct err e = ERR_INIT;
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    world_open(&s->world, false);
    struct watch_hooks hooks = { .ctx = s, .changed = on_changed, .well = on_well, .log = on_log };
    const char *namespaces[] = { s->world.namespace };
    cr_assert_eq(watch_new(&s->watch, s->world.cluster, namespaces, own_namespace_only, &hooks, &e), ERR_OK,
                 "%s", e.msg);
    cr_assert_eq(watch_start(s->watch, &e), ERR_OK, "%s", e.msg);
    snprintf(s->target.kind, sizeof s->target.kind, "%s", kind);
    memcpy(s->target.namespace, s->world.namespace, sizeof s->target.namespace);
    snprintf(s->target.name, sizeof s->target.name, "w");
}

static void scene_close(struct scene *s)
{
    watch_free(s->watch);
    world_close(&s->world);
}

static bool look(struct scene *s)
{
    return watch_lookup(s->watch, &s->target, &s->seen);
}

static bool is_well(struct scene *s)
{
    return look(s) && s->seen.watched && s->seen.well_since_ms != 0;
}

static bool is_not_well(struct scene *s)
{
    return look(s) && s->seen.watched && s->seen.well_since_ms == 0;
}

static bool is_gone(struct scene *s)
{
    return !look(s);
}

static bool is_looping(struct scene *s)
{
    return look(s) && strstr(s->seen.not_well, "waits in CrashLoopBackOff");
}

static bool is_pulling_in_vain(struct scene *s)
{
    return look(s) && strstr(s->seen.not_well, "waits in Err");
}

static bool is_paused(struct scene *s)
{
    return look(s) && strstr(s->seen.not_well, "paused");
}

static bool is_reported(struct scene *s)
{
    pthread_mutex_lock(&s->lock);
    bool yes = look(s) && strcmp(s->reported, s->seen.template_hash) == 0;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

static bool is_synced(struct scene *s)
{
    struct watch_state state;
    watch_state(s->watch, &state);
    return state.synced;
}

static void wait_until(struct scene *s, bool (*done)(struct scene *), const char *what)
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (!done(s) && world_now_ms(NULL) < until_ms)
        world_sleep_ms(50);
    cr_assert(done(s), "still not %s; not well because: %s", what, s->seen.not_well);
}

static void rollout_is_seen(const char *kind, bool own_namespace_only)
{
    struct scene s;
    scene_open(&s, kind, own_namespace_only);
    wait_until(&s, is_synced, "synced");
    int64_t made_ms = world_now_ms(NULL);
    world_apply(&s.world, kind, SLEEP, 2);
    wait_until(&s, is_well, "well");
    cr_assert_geq(s.seen.template_since_ms, made_ms, "the watch saw it being made");
    struct watch_workload first = s.seen;
    int64_t before_ms = world_now_ms(NULL);
    world_apply(&s.world, kind, SLEEP_LESS, 2);
    wait_until(&s, is_not_well, "not well while it rolls");
    wait_until(&s, is_well, "well again");
    cr_assert_str_neq(s.seen.template_hash, first.template_hash);
    cr_assert_geq(s.seen.template_since_ms, before_ms);
    cr_assert_geq(s.seen.well_since_ms, s.seen.template_since_ms);
    watch_set_well_for(s.watch, 500);
    wait_until(&s, is_reported, "reported well");
    watch_proven(s.watch, s.seen.target.uid, s.seen.template_hash);
    cr_assert_geq(s.changed, 3);
    world_kubectl(&s.world, "delete %s w", kind);
    wait_until(&s, is_gone, "gone");
    scene_close(&s);
}

Test(watch, sees_a_deployments_rollout, .timeout = 600)
{
    rollout_is_seen("Deployment", false);
}

Test(watch, sees_a_statefulsets_rollout, .timeout = 600)
{
    rollout_is_seen("StatefulSet", true);
}

Test(watch, sees_a_daemonsets_rollout, .timeout = 600)
{
    rollout_is_seen("DaemonSet", false);
}

/* Of a partitioned rollout kubectl says that it is complete, while no pod may have the new template. */
Test(watch, a_rollout_held_by_a_partition_is_not_well, .timeout = 600)
{
    struct scene s;
    scene_open(&s, "StatefulSet", true);
    world_apply(&s.world, "StatefulSet", SLEEP, 2);
    wait_until(&s, is_well, "well");
    world_kubectl(
        &s.world,
        "patch statefulset w -p '{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":2}}}}'");
    wait_until(&s, is_well, "well");
    world_kubectl(&s.world, "rollout restart statefulset/w");
    world_kubectl(&s.world, "rollout status statefulset/w --timeout=%ds", KIT_PATIENCE_MS / 1000);
    wait_until(&s, is_not_well, "not well");
    world_sleep_ms(2000);
    cr_assert(is_not_well(&s), "it stays so");
    scene_close(&s);
}

Test(watch, a_deleted_pod_begins_well_anew_and_is_remembered, .timeout = 600)
{
    struct scene s;
    struct target owner;
    char pod[256];
    scene_open(&s, "Deployment", true);
    world_apply(&s.world, "Deployment", SLEEP, 2);
    wait_until(&s, is_well, "well");
    snprintf(pod, sizeof pod, "%s",
             world_kubectl(&s.world, "get pods -o jsonpath='{.items[0].metadata.name}'"));
    cr_assert(watch_pod_owner(s.watch, s.world.namespace, pod, &owner));
    int64_t before_ms = world_now_ms(NULL);
    world_kubectl(&s.world, "delete pod %s", pod);
    wait_until(&s, is_well, "well again");
    cr_assert_geq(s.seen.well_since_ms, before_ms);
    memset(&owner, 0, sizeof owner);
    cr_assert(watch_pod_owner(s.watch, s.world.namespace, pod, &owner), "it is gone, but remembered");
    cr_assert_str_eq(owner.name, "w");
    cr_assert_str_eq(owner.kind, "Deployment");
    cr_assert_str_eq(owner.uid, s.seen.target.uid);
    scene_close(&s);
}

Test(watch, a_paused_deployment_is_not_well, .timeout = 600)
{
    struct scene s;
    scene_open(&s, "Deployment", true);
    world_apply(&s.world, "Deployment", SLEEP, 1);
    wait_until(&s, is_well, "well");
    world_kubectl(&s.world, "rollout pause deployment/w");
    wait_until(&s, is_paused, "paused");
    world_kubectl(&s.world, "rollout resume deployment/w");
    wait_until(&s, is_well, "well again");
    scene_close(&s);
}

static bool real_node(void)
{
    const char *kind = getenv("NODE_KIND");
    if (!kind || strcmp(kind, "simulated") != 0)
        return true;
    puts("SKIPPED the node is simulated: nothing runs, so nothing crashes");
    return false;
}

Test(watch, a_crash_loop_is_not_well_and_says_so, .timeout = 600)
{
    struct scene s;
    if (!real_node())
        cr_skip_test("simulated node");
    scene_open(&s, "Deployment", true);
    world_apply(&s.world, "Deployment", SLEEP, 1);
    wait_until(&s, is_well, "well");
    char good[HASH_SIZE];
    memcpy(good, s.seen.template_hash, sizeof good);
    world_apply(&s.world, "Deployment", CRASH, 1);
    wait_until(&s, is_looping, "crash-looping");
    cr_assert_eq(s.seen.well_since_ms, 0);
    world_kubectl(&s.world, "rollout undo deployment/w");
    wait_until(&s, is_well, "well again");
    cr_assert_str_eq(s.seen.template_hash, good);
    cr_assert_gt(s.seen.template_since_ms, 0);
    scene_close(&s);
}

Test(watch, an_image_that_cannot_be_had_is_not_well, .timeout = 600)
{
    struct scene s;
    if (!real_node())
        cr_skip_test("simulated node");
    scene_open(&s, "Deployment", true);
    world_apply(&s.world, "Deployment", SLEEP, 1);
    world_kubectl(&s.world, "set image deployment/w app=heald.local/nothing:1");
    wait_until(&s, is_pulling_in_vain, "waiting for its image");
    scene_close(&s);
}

/* A container that ends well after a few seconds is started again at once: Kubernetes calls the pod ready all
 * the while but moments. */
Test(watch, a_restarted_container_begins_well_anew, .timeout = 600)
{
    struct scene s;
    if (!real_node())
        cr_skip_test("simulated node");
    scene_open(&s, "Deployment", true);
    world_apply(&s.world, "Deployment", "\"sleep\",\"4\"", 1);
    wait_until(&s, is_well, "well");
    int64_t first_ms = s.seen.well_since_ms;
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while ((!is_well(&s) || s.seen.well_since_ms == first_ms) && world_now_ms(NULL) < until_ms)
        world_sleep_ms(20);
    cr_assert_gt(s.seen.well_since_ms, first_ms);
    scene_close(&s);
}
