/* test/cluster/restart_test.c - an API server that is restarted, frozen, or has forgotten old versions, in
 * the middle of things.
 *
 * Uses a world of its own, without a real node, so that nobody else is disturbed: HEALD_ROOT names the
 * checkout. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/cluster/workload_kit.h"

static struct own {
    char state[64];
    struct world world;
} own;

static void command(const struct own *o, bool must, const char *what)
{
    char line[512];
    snprintf(line, sizeof line, "'%s/deploy/local/'%s --state %s >>%s.log 2>&1", HEALD_ROOT, what, o->state,
             o->state);
    int status = system(line); /* NOLINT(cert-env33-c): the test's own command */
    cr_assert(!must || status == 0, "%s failed; its log is %s.log", line, o->state);
}

static void read_env(const struct own *o)
{
    char file[128], line[512];
    snprintf(file, sizeof file, "%s/env", o->state);
    FILE *f = fopen(file, "re");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *value = strchr(line, '=');
        if (value) {
            *value++ = '\0';
            setenv(line, value, 1);
        }
    }
    fclose(f);
}

static void own_open(struct own *o)
{
    if (!getenv("KUBECTL")) {
        puts("SKIPPED KUBECTL is not set: no cluster is wanted");
        cr_skip_test("no cluster");
    }
    snprintf(o->state, sizeof o->state, "/tmp/heald-own-world-XXXXXX");
    cr_assert_not_null(mkdtemp(o->state));
    command(o, true, "up --simulated-node");
    read_env(o);
    world_open(&o->world, true);
    world_apply(&o->world, "Deployment", SLEEP, 2);
    world_rolled_out(&o->world, "Deployment");
}

/* Also after a failure: no world is left behind. */
static void own_close(void)
{
    char line[256];
    if (!own.state[0])
        return;
    http_free(own.world.http);
    cluster_free(own.world.cluster);
    map_release(&own.world.labels);
    command(&own, false, "component thaw kube-apiserver");
    command(&own, true, "down --forget");
    snprintf(line, sizeof line, "rm -rf '%s' '%s.log'", own.state, own.state);
    cr_assert_eq(system(line), 0); /* NOLINT(cert-env33-c) */
}

/* ---- the client ---- */

static enum err_code read_once(struct own *o, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    return kube_get(o->world.cluster, o->world.http, "Deployment", o->world.namespace, "w", &doc, e);
}

static enum err_code write_once(struct own *o, int n, struct kube_reply *r, struct err *e)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    char body[128];
    snprintf(body, sizeof body, "{\"metadata\":{\"annotations\":{\"n\":\"%d\"}}}", n);
    struct kube_call c = { .verb = "patch",
                           .content_type = "application/merge-patch+json",
                           .body = body,
                           .body_len = strlen(body) };
    cr_assert_eq(kube_path(&path, "Deployment", o->world.namespace, "w", NULL, e), ERR_OK);
    c.path = buf_text(&path);
    kube_reply_release(r);
    return kube_call(o->world.cluster, o->world.http, &c, r, e);
}

static int annotation(struct own *o)
{
    return (int)strtol(world_kubectl(&o->world, "get deployment w -o jsonpath='{.metadata.annotations.n}'"),
                       NULL, 10);
}

static void *restart(void *ctx)
{
    command(ctx, true, "component restart kube-apiserver");
    return NULL;
}

/* Reads and writes go on while the server is restarted; none of them lies. */
Test(restart, calls_say_what_is_known_and_recover, .fini = own_close, .timeout = 600)
{
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    pthread_t thread;
    int last_ok = 0, last_maybe = 0, n = 0, failed = 0;
    own_open(&own);
    cr_assert_eq(write_once(&own, ++n, &r, &e), ERR_OK, "%s", e.msg);
    last_ok = n;
    cr_assert_eq(pthread_create(&thread, NULL, restart, &own), 0);
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    for (int fine = 0; fine < 20 && world_now_ms(NULL) < until_ms; fine++) {
        enum err_code code = write_once(&own, ++n, &r, &e);
        cr_assert(code == ERR_OK || code == ERR_UNAVAILABLE || code == ERR_UNKNOWN, "%d: %s", (int)code,
                  e.msg);
        if (code == ERR_OK)
            last_ok = n;
        if (code == ERR_UNKNOWN)
            last_maybe = n;
        if (code != ERR_OK)
            fine = 0, failed++;
        cr_assert(code != ERR_UNKNOWN || r.sent_ms > 0);
        code = read_once(&own, &e);
        cr_assert(code == ERR_OK || code == ERR_UNAVAILABLE, "%d: %s", (int)code, e.msg);
        if (code != ERR_OK)
            fine = 0, failed++;
        world_sleep_ms(20);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(read_once(&own, &e), ERR_OK, "%s", e.msg);
    int there = annotation(&own);
    cr_assert(there == last_ok || (there == last_maybe && last_maybe > last_ok),
              "%d is there, %d was the last done", there, last_ok);
    cr_assert_gt(failed, 0, "the restart was not noticed at all");
}

/* A frozen server takes the request and says nothing; thawed, it carries it out. */
Test(restart, a_write_to_a_frozen_server_is_unknown_and_may_land_later, .fini = own_close, .timeout = 600)
{
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    own_open(&own);
    cr_assert_eq(write_once(&own, 1, &r, &e), ERR_OK, "%s", e.msg);
    command(&own, true, "component freeze kube-apiserver");
    int64_t before_ms = world_now_ms(NULL);
    enum err_code code = write_once(&own, 2, &r, &e);
    int64_t took_ms = world_now_ms(NULL) - before_ms;
    command(&own, true, "component thaw kube-apiserver");
    cr_assert_eq(code, ERR_UNKNOWN, "%s", e.msg);
    cr_assert_geq(r.sent_ms, before_ms);
    cr_assert_geq(took_ms, HTTP_TIMEOUT_MS - 100, "it was waited for");
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (read_once(&own, &e) != ERR_OK && world_now_ms(NULL) < until_ms)
        world_sleep_ms(100);
    int there = annotation(&own);
    cr_assert(there == 1 || there == 2);
}

/* ---- the watch ---- */

static void on_log(void *ctx, bool warning, const char *message)
{
    (void)ctx;
    fprintf(stderr, "%s%s\n", warning ? "warning: " : "", message);
}

static bool well(struct watch *w, const struct target *t, struct watch_workload *ret)
{
    return watch_lookup(w, t, ret) && ret->watched && ret->well_since_ms;
}

static void wait_well(struct watch *w, const struct target *t, int64_t later_than_ms,
                      struct watch_workload *ret)
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (!(well(w, t, ret) && ret->well_since_ms > later_than_ms) && world_now_ms(NULL) < until_ms)
        world_sleep_ms(50);
    cr_assert(well(w, t, ret), "%s", ret->not_well);
}

/* The server's watch cache begins anew: old versions are too old (410), so everything is read again, and well
 * begins anew. */
Test(restart, the_watch_comes_back_and_begins_well_anew, .fini = own_close, .timeout = 600)
{
    struct err e = ERR_INIT;
    struct watch *w = NULL;
    struct watch_state s;
    struct watch_workload first, later;
    struct watch_hooks hooks = { .log = on_log };
    own_open(&own);
    struct target t = { .kind = "Deployment", .name = "w" };
    memcpy(t.namespace, own.world.namespace, sizeof t.namespace);
    cr_assert_eq(watch_new(&w, own.world.cluster, NULL, 0, &hooks, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(watch_start(w, &e), ERR_OK, "%s", e.msg);
    wait_well(w, &t, 0, &first);
    command(&own, true, "component stop kube-apiserver");
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    while (watch_lookup(w, &t, &later) && later.watched && world_now_ms(NULL) < until_ms)
        world_sleep_ms(50);
    cr_assert_not(later.watched, "without a server nothing is under watch");
    int64_t stopped_ms = world_now_ms(NULL);
    command(&own, true, "component start kube-apiserver");
    world_kubectl(&own.world, "scale deployment w --replicas=3");
    world_rolled_out(&own.world, "Deployment");
    wait_well(w, &t, stopped_ms, &later);
    cr_assert_gt(later.well_since_ms, stopped_ms);
    cr_assert_str_eq(later.template_hash, first.template_hash);
    cr_assert_eq(later.template_since_ms, 0, "the template is the same");
    watch_state(w, &s);
    cr_assert(s.synced);
    cr_assert_geq(s.relists, 1);
    watch_free(w);
}

/* Versions that etcd has compacted are gone: 410. */
Test(restart, a_version_that_was_compacted_is_a_conflict, .fini = own_close, .timeout = 600)
{
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    char line[512];
    own_open(&own);
    const char *version =
        world_kubectl(&own.world, "get --raw /api/v1/namespaces | tr ',' '\\n' | grep -m1 -o "
                                  "'resourceVersion\":\"[0-9]*' | tr -dc 0-9");
    snprintf(line, sizeof line,
             "curl -fsS http://127.0.0.1:%s/v3/kv/compaction -d '{\"revision\":\"%s\",\"physical\":true}' "
             ">>%s.log 2>&1",
             getenv("ETCD_PORT"), version, own.state);
    cr_assert_eq(system(line), 0, "%s", line);               /* NOLINT(cert-env33-c) */
    command(&own, true, "component restart kube-apiserver"); /* its cache still knew */
    struct kube_call c = {
        .verb = "list",
        .path = "/apis/apps/v1/deployments?resourceVersion=1&resourceVersionMatch=Exact&limit=1"
    };
    cr_assert_eq(kube_call(own.world.cluster, own.world.http, &c, &r, &e), ERR_CONFLICT, "%s", e.msg);
    cr_assert_eq(r.status, 410);
}
