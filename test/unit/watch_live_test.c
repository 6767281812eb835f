/* test/unit/watch_live_test.c - the watch's thread against a peer: connections, resuming, credentials, its
 * end. */
#include "test/kit/watch_kit.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "test/kit/http_peer.h"

struct live {
    struct http_peer *peer;
    struct cluster *cluster;
    struct watch *watch;
    pthread_mutex_t lock;
    unsigned changed, well;
    struct watch_workload last;
    char log[4096];
    char folder[64], config[96], token[96];
};

static void on_changed(void *ctx, const struct watch_workload *w)
{
    struct live *l = ctx;
    pthread_mutex_lock(&l->lock);
    l->changed++;
    l->last = *w;
    pthread_mutex_unlock(&l->lock);
}

static void on_well(void *ctx, const struct watch_workload *w)
{
    struct live *l = ctx;
    (void)w;
    pthread_mutex_lock(&l->lock);
    l->well++;
    pthread_mutex_unlock(&l->lock);
}

static void on_log(void *ctx, bool warning, const char *message)
{
    struct live *l = ctx;
    (void)warning;
    pthread_mutex_lock(&l->lock);
    size_t len = strlen(l->log);
    snprintf(l->log + len, sizeof l->log - len, "%s\n", message);
    pthread_mutex_unlock(&l->lock);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static void open_live(struct live *l)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    memset(l, 0, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    l->peer = http_peer_new();
    snprintf(l->folder, sizeof l->folder, "/tmp/watch-XXXXXX");
    cr_assert_not_null(mkdtemp(l->folder));
    snprintf(l->config, sizeof l->config, "%s/config", l->folder);
    snprintf(l->token, sizeof l->token, "%s/token", l->folder);
    write_file(l->token, "token-1");
    buf_addf(&text,
             "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: u}}]\n"
             "clusters: [{name: b, cluster: {server: '%s'}}]\nusers: [{name: u, user: {tokenFile: token}}]\n",
             http_peer_url(l->peer));
    write_file(l->config, buf_text(&text));
    cr_assert_eq(http_global_init(&e), ERR_OK);
    struct cluster_options o = { .name = "prod", .kubeconfig = l->config };
    cr_assert_eq(cluster_new(&l->cluster, &o, &e), ERR_OK, "%s", e.msg);
    struct watch_hooks hooks = { .ctx = l, .changed = on_changed, .well = on_well, .log = on_log };
    cr_assert_eq(watch_new(&l->watch, l->cluster, NULL, 0, &hooks, &e), ERR_OK, "%s", e.msg);
}

static void start(struct live *l)
{
    struct err e = ERR_INIT;
    cr_assert_eq(watch_start(l->watch, &e), ERR_OK, "%s", e.msg);
}

static void close_live(struct live *l)
{
    watch_free(l->watch);
    cluster_free(l->cluster);
    http_peer_free(l->peer);
    unlink(l->config);
    unlink(l->token);
    rmdir(l->folder);
    pthread_mutex_destroy(&l->lock);
}

/* Lists with these items, and streams that stay open. */
static void script(struct live *l, const char *resource, const char *items)
{
    char match[64];
    CLEANUP(buf_release) struct buf page = BUF_INIT;
    snprintf(match, sizeof match, "/%s?watch=true", resource);
    http_peer_script(l->peer, &(struct peer_answer){ .match = match, .way = PEER_STREAM, .always = true });
    buf_addf(&page, "{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[%s]}", items);
    snprintf(match, sizeof match, "/%s?limit", resource);
    http_peer_script(l->peer,
                     &(struct peer_answer){ .match = match, .body = buf_text(&page), .always = true });
}

static void script_web(struct live *l)
{
    CLEANUP(buf_release) struct buf pods = BUF_INIT;
    struct deployment web = WEB;
    struct pod_text a = pod_of("a", "rs1"), b = pod_of("b", "rs1");
    buf_adds(&pods, pod(&a));
    buf_addc(&pods, ',');
    buf_adds(&pods, pod(&b));
    script(l, "pods", buf_text(&pods));
    script(l, "deployments", deployment(&web));
    script(l, "replicasets", replicaset("rs1", "d1"));
    script(l, "statefulsets", "");
    script(l, "daemonsets", "");
}

static const struct target web_target = { .namespace = "shop", .kind = "Deployment", .name = "web" };

static bool is_well(struct live *l)
{
    struct watch_workload w;
    return watch_lookup(l->watch, &web_target, &w) && w.watched && w.well_since_ms;
}

static bool is_synced(struct live *l)
{
    struct watch_state s;
    watch_state(l->watch, &s);
    return s.synced;
}

static bool is_not_well(struct live *l)
{
    return !is_well(l);
}

static void wait_until(struct live *l, bool (*done)(struct live *), const char *what)
{
    for (int i = 0; i < PEER_PATIENCE_MS / 5 && !done(l); i++)
        usleep(5000);
    cr_assert(done(l), "still not %s; log:\n%s", what, l->log);
}

static void feed_pod(struct live *l, struct pod_text p, const char *version)
{
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    const char *text = pod(&p);
    const char *at = strstr(text, "\"resourceVersion\":\"6\"");
    buf_adds(&line, "{\"type\":\"MODIFIED\",\"object\":");
    buf_add(&line, text, (size_t)(at - text));
    buf_addf(&line, "\"resourceVersion\":\"%s\"%s}\n", version, at + strlen("\"resourceVersion\":\"6\""));
    http_peer_feed(l->peer, "/pods", buf_text(&line));
}

Test(watch_live, a_server_that_is_not_there_is_told_and_asked_again)
{
    struct live l;
    open_live(&l);
    http_peer_script(l.peer, &(struct peer_answer){ .way = PEER_CLOSE_UNREAD });
    http_peer_script(l.peer, &(struct peer_answer){ .match = "/pods?limit", .status = 503 });
    script_web(&l);
    start(&l);
    wait_until(&l, is_well, "well");
    cr_assert_not_null(strstr(l.log, "watch of Pod: list: 503"), "%s", l.log);
    cr_assert_not_null(strstr(l.log, "watch of Pod: goes on"), "%s", l.log);
    close_live(&l);
}

Test(watch_live, events_turn_the_workload_and_are_told)
{
    struct live l;
    struct pod_text a = pod_of("a", "rs1");
    open_live(&l);
    script_web(&l);
    watch_set_well_for(l.watch, 1);
    start(&l);
    wait_until(&l, is_well, "well");
    cr_assert(http_peer_wait(l.peer, "/pods?watch=true", 1));
    a.waiting = "CrashLoopBackOff";
    feed_pod(&l, a, "101");
    wait_until(&l, is_not_well, "not well");
    feed_pod(&l, pod_of("a", "rs1"), "102");
    wait_until(&l, is_well, "well again");
    for (int i = 0; i < 400 && l.well == 0; i++)
        usleep(10000);
    close_live(&l);
    cr_assert_geq(l.changed, 3);
    cr_assert_geq(l.well, 1);
    cr_assert_str_eq(l.last.target.name, "web");
}

Test(watch_live, a_cut_stream_goes_on_from_its_last_version)
{
    struct live l;
    struct watch_workload before, after;
    open_live(&l);
    script_web(&l);
    start(&l);
    wait_until(&l, is_well, "well");
    cr_assert(http_peer_wait(l.peer, "/pods?watch=true&allowWatchBookmarks=true&resourceVersion=100", 1));
    cr_assert(watch_lookup(l.watch, &web_target, &before));
    feed_pod(&l, pod_of("a", "rs1"), "101");
    http_peer_feed(l.peer, "/pods",
                   "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"150\"}}}\n");
    http_peer_end_streams(l.peer, "/pods", false);
    cr_assert(http_peer_wait(l.peer, "/pods?watch=true&allowWatchBookmarks=true&resourceVersion=150", 1));
    wait_until(&l, is_well, "well");
    cr_assert(watch_lookup(l.watch, &web_target, &after));
    cr_assert_eq(after.well_since_ms, before.well_since_ms, "no gap");
    cr_assert_eq(http_peer_count(l.peer, "/pods?limit"), 1, "listed once");
    close_live(&l);
}

Test(watch_live, a_version_too_old_lists_again_by_status_or_by_event)
{
    for (int by_event = 0; by_event < 2; by_event++) {
        struct live l;
        struct watch_workload w;
        struct watch_state s;
        open_live(&l);
        http_peer_script(
            l.peer, &(struct peer_answer){
                        .match = "/pods?watch",
                        .way = by_event ? PEER_ANSWER : PEER_ANSWER_CLOSE,
                        .status = by_event ? 200 : 410,
                        .body = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n" });
        script_web(&l);
        start(&l);
        cr_assert(http_peer_wait(l.peer, "/pods?limit", 2));
        wait_until(&l, is_well, "well");
        cr_assert(watch_lookup(l.watch, &web_target, &w));
        watch_state(l.watch, &s);
        cr_assert_eq(s.relists, 1);
        close_live(&l);
    }
}

Test(watch_live, a_401_reads_the_token_again)
{
    struct live l;
    open_live(&l);
    http_peer_script(l.peer,
                     &(struct peer_answer){ .match = "/daemonsets?watch", .status = 401, .delay_ms = 300 });
    script_web(&l);
    start(&l);
    cr_assert(http_peer_wait(l.peer, "/daemonsets?watch", 1));
    write_file(l.token, "token-2");
    cr_assert(http_peer_wait(l.peer, "/daemonsets?watch", 2));
    const char *last = "";
    for (size_t i = 0; i < http_peer_requests(l.peer); i++)
        if (strstr(http_peer_request(l.peer, i), "/daemonsets?watch"))
            last = http_peer_request(l.peer, i);
    cr_assert_not_null(strstr(last, "Bearer token-2"), "%s", last);
    wait_until(&l, is_synced, "synced");
    close_live(&l);
}

Test(watch_live, ends_at_once_whatever_is_under_way)
{
    for (int started = 0; started < 2; started++) {
        struct live l;
        struct timespec begin, end;
        open_live(&l);
        http_peer_script(l.peer, &(struct peer_answer){ .way = PEER_SILENT, .always = true });
        if (started) {
            start(&l);
            cr_assert(http_peer_wait(l.peer, "GET", 1));
        }
        clock_gettime(CLOCK_MONOTONIC, &begin);
        close_live(&l);
        clock_gettime(CLOCK_MONOTONIC, &end);
        cr_assert_lt(end.tv_sec - begin.tv_sec, PEER_PATIENCE_MS / 1000);
    }
}
