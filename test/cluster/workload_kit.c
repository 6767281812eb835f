/* test/cluster/workload_kit.c */
#include "test/cluster/workload_kit.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rules/base/timetext.h"
#include "test/kit/tempdir.h"

int64_t world_now_ms(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void world_sleep_ms(int64_t ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

static const char *run(const char *command, bool must, char output[KIT_TEXT_SIZE])
{
    FILE *f = popen(command, "r");
    cr_assert_not_null(f);
    size_t len = fread(output, 1, KIT_TEXT_SIZE - 1, f);
    output[len] = '\0';
    int status = pclose(f);
    if (must)
        cr_assert_eq(status, 0, "%s\n%s", command, output);
    while (len > 0 && isspace((unsigned char)output[len - 1]))
        output[--len] = '\0';
    return status == 0 ? output : NULL;
}

__attribute__((format(printf, 3, 0))) static const char *kubectl(struct world *w, bool must, const char *fmt,
                                                                 va_list args)
{
    static char output[KIT_TEXT_SIZE];
    char arguments[4096], command[5000];
    vsnprintf(arguments, sizeof arguments, fmt, args);
    snprintf(command, sizeof command, "\"$KUBECTL\" --namespace %s %s 2>&1", w->namespace, arguments);
    return run(command, must, output);
}

const char *world_kubectl(struct world *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *output = kubectl(w, true, fmt, args);
    va_end(args);
    return output;
}

const char *world_try_kubectl(struct world *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *output = kubectl(w, false, fmt, args);
    va_end(args);
    return output;
}

void world_open(struct world *w, bool may_write)
{
    struct err e = ERR_INIT;
    memset(w, 0, sizeof *w);
    if (!getenv("KUBECTL") || !getenv("KUBECONFIG") || !getenv("HEALD_KUBECONFIG")) {
        SKIP("KUBECTL, KUBECONFIG and HEALD_KUBECONFIG name no cluster");
    }
    snprintf(w->namespace, sizeof w->namespace, "heald-actions-%d", (int)getpid());
    world_kubectl(w, "create namespace %s", w->namespace);
    if (may_write)
        world_kubectl(w, "create rolebinding heald --clusterrole=heald-write --user=heald");
    struct cluster_options options = { .name = "world", .kubeconfig = getenv("HEALD_KUBECONFIG") };
    cr_assert_eq(cluster_new(&w->cluster, &options, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(http_new(&w->http, &e), ERR_OK, "%s", e.msg);
    w->observer = (struct observer){ .cluster = w->cluster, .now_ms = world_now_ms };
    w->context = (struct action_context){ .cluster = w->cluster, .http = w->http, .now_ms = world_now_ms };
    map_set(&w->labels, "alertname", "Test", NULL);
    map_set(&w->labels, "namespace", w->namespace, NULL);
}

void world_close(struct world *w)
{
    world_kubectl(w, "delete namespace %s --wait=false", w->namespace);
    map_release(&w->labels);
    http_free(w->http);
    cluster_free(w->cluster);
}

void world_apply(struct world *w, const char *kind, const char *arguments, int replicas)
{
    char file[] = "/tmp/heald-workload-XXXXXX", count[32] = "";
    int fd = mkstemp(file);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    cr_assert_not_null(f);
    if (strcmp(kind, "DaemonSet") != 0)
        snprintf(count, sizeof count, "\"replicas\":%d,", replicas);
    fprintf(f,
            "{\"apiVersion\":\"apps/v1\",\"kind\":\"%s\",\"metadata\":{\"name\":\"w\"},\"spec\":{%s"
            "%s\"selector\":{\"matchLabels\":{\"app\":\"w\"}},\"template\":{\"metadata\":{\"labels\":{"
            "\"app\":\"w\"}},"
            "\"spec\":{\"terminationGracePeriodSeconds\":1,\"containers\":[{\"name\":\"app\",\"image\":"
            "\"heald.local/pause:1\","
            "\"imagePullPolicy\":\"Never\",\"command\":[\"/bin/busybox\",%s]}]}}}}",
            kind, count, strcmp(kind, "StatefulSet") == 0 ? "\"serviceName\":\"w\"," : "", arguments);
    fclose(f);
    world_kubectl(w, "apply -f %s", file);
    unlink(file);
}

void world_rolled_out(struct world *w, const char *kind)
{
    world_kubectl(w, "rollout status %s/w --timeout=%ds", kind, KIT_PATIENCE_MS / 1000);
}

enum err_code world_observe_labels(struct world *w, const char *from, const char *owner, unsigned needs,
                                   struct observation *ret, struct err *e)
{
    struct target none;
    memset(&none, 0, sizeof none);
    struct observe_request r = {
        .labels = &w->labels, .from = from, .owner = owner, .target = &none, .needs = needs
    };
    return observe(&w->observer, w->http, &r, ret, e);
}

struct observation world_observe(struct world *w, const char *kind, unsigned needs)
{
    struct observation o;
    struct err e = ERR_INIT;
    char from[KIND_SIZE];
    size_t k = 0;
    for (; kind[k]; k++)
        from[k] = (char)tolower((unsigned char)kind[k]);
    from[k] = '\0';
    cr_assert_eq(map_set(&w->labels, from, "w", NULL), ERR_OK);
    cr_assert_eq(world_observe_labels(w, from, NULL, needs, &o, &e), ERR_OK, "%s", e.msg);
    return o;
}

struct intent world_intent(const struct observation *o, const char *action)
{
    static uint32_t count;
    struct intent i;
    memset(&i, 0, sizeof i);
    snprintf(i.incident, sizeof i.incident, "20260820-%u", ++count);
    snprintf(i.step, sizeof i.step, "steps.0");
    snprintf(i.action, sizeof i.action, "%s", action);
    i.attempt = i.write = 1;
    i.proof = catalogue_find(action)->spec.proof;
    i.target = o->target;
    i.at_ms = world_now_ms(NULL);
    i.expires_ms = i.at_ms + 60000;
    memcpy(i.resource_version, o->resource_version, sizeof i.resource_version);
    memcpy(i.old_template_hash, o->template_hash, sizeof i.old_template_hash);
    i.old_replicas = o->desired;
    time_format_seconds(i.restarted_at, i.at_ms);
    return i;
}

struct act_report world_act(struct world *w, const struct intent *i)
{
    struct act_report r;
    catalogue_find(i->action)->run(&w->context, i, &r);
    return r;
}
