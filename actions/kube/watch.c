/* The watch's thread: it carries bytes between the API server and the streams, and tells what changed. */
#include "actions/kube/watch.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "actions/http/easy.h"
#include "actions/kube/cluster_internal.h"
#include "actions/kube/watch_stream.h"

#define LIST_TIMEOUT_MS 30000
#define WATCH_TIMEOUT_MS ((STREAM_SECONDS_MAX + 60) * 1000)
#define SILENT_MS                                                                                            \
    90000 /* bookmarks come every minute: a watch silent for longer has a dead peer, or nothing to lose */
#define TICK_MS 1000
#define REPORTS_AT_ONCE 16
#define STACK_BYTES (256u << 10)

struct lane { /* a stream and its transfer */
    struct watch *watch;
    struct stream stream;
    struct http_easy easy;
    struct kube_access *access; /* while flying */
    bool flying;
    int64_t next_ms, heard_ms; /* monotonic: the next request may begin; a byte came */
};

struct watch {
    struct cluster *cluster;
    struct watch_hooks hooks;
    struct watch_table *table;
    CURLM *multi;
    pthread_t thread;
    bool started, synced;
    atomic_bool stop;
    _Atomic int64_t well_for_ms;
    struct lane *listing; /* one at a time, to keep the peak of memory small */
    int64_t tick_ms;
    uint64_t random;
    char **namespaces;
    size_t scopes, lanes_len;
    struct lane *lanes;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static int64_t wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* xorshift64: spreads reconnections, no secret depends on it */
static uint64_t next_random(struct watch *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* ---- one transfer ---- */

static long status_of(const struct lane *l)
{
    long status = 0;
    curl_easy_getinfo(l->easy.curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct lane *l = ctx;
    l->heard_ms = monotonic_ms();
    if (size * n == 2 && memcmp(line, "\r\n", 2) == 0)
        stream_head(&l->stream, status_of(l), wall_ms());
    return size * n;
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
    struct lane *l = ctx;
    l->heard_ms = monotonic_ms();
    return stream_bytes(&l->stream, status_of(l), bytes, size * n, wall_ms()) ? size * n : 0;
}

static void land(struct lane *l, const struct stream_end *end)
{
    struct watch *w = l->watch;
    if (end->status == 401)
        cluster_access_stale(w->cluster);
    cluster_observe(w->cluster, stream_verb(&l->stream), end->status);
    l->next_ms = monotonic_ms() + stream_ended(&l->stream, end, next_random(w), wall_ms());
    cluster_access_release(l->access);
    l->access = NULL;
    l->flying = false;
    if (w->listing == l)
        w->listing = NULL;
}

static void fail(struct lane *l, const char *why)
{
    land(l, &(struct stream_end){ .whole = false, .retry_after_ms = -1, .why = why });
}

static enum err_code prepare(struct lane *l, const struct http_endpoint *at, struct err *e)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct stream *s = &l->stream;
    enum err_code code = stream_path(s, &path, next_random(l->watch), e);
    if (code)
        return code;
    struct http_request r = {
        .method = "GET",
        .path = buf_text(&path),
        .accept = stream_accept(s),
        .timeout_ms = s->watching ? WATCH_TIMEOUT_MS : LIST_TIMEOUT_MS,
    };
    code = http_easy_prepare(&l->easy, at, &r, e);
    if (code)
        return code;
    CURL *c = l->easy.curl;
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, l);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, l);
    curl_easy_setopt(c, CURLOPT_PRIVATE, l);
    return ERR_OK;
}

static void take_off(struct lane *l)
{
    struct watch *w = l->watch;
    struct err e = ERR_INIT;
    if (!l->stream.watching)
        w->listing = l;
    l->heard_ms = monotonic_ms();
    l->flying = true;
    const struct http_endpoint *at = cluster_access(w->cluster, &l->access);
    if (!at)
        fail(l, "the token file cannot be read");
    else if (prepare(l, at, &e) != ERR_OK)
        fail(l, e.msg);
    else if (curl_multi_add_handle(w->multi, l->easy.curl) != CURLM_OK)
        fail(l, "libcurl could not begin the transfer");
}

static void finish(struct lane *l, CURLcode rc)
{
    struct stream_end end = {
        .whole = rc == CURLE_OK,
        .status = status_of(l),
        .retry_after_ms = http_easy_retry_after_ms(&l->easy),
        .why = http_easy_why(&l->easy, rc),
    };
    curl_multi_remove_handle(l->watch->multi, l->easy.curl);
    land(l, &end);
}

/* ---- the loop ---- */

static void take_off_all(struct watch *w)
{
    int64_t now_ms = monotonic_ms();
    for (size_t i = 0; i < w->lanes_len; i++) {
        struct lane *l = &w->lanes[i];
        if (!l->flying && now_ms >= l->next_ms && (l->stream.watching || !w->listing))
            take_off(l);
    }
}

static void finish_all(struct watch *w)
{
    int left;
    for (CURLMsg *m = curl_multi_info_read(w->multi, &left); m; m = curl_multi_info_read(w->multi, &left)) {
        char *l = NULL;
        CURLcode rc = m->data.result;
        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &l) == CURLE_OK)
            finish((struct lane *)(void *)l, rc);
    }
}

static void end_silent(struct watch *w)
{
    int64_t now_ms = monotonic_ms();
    for (size_t i = 0; i < w->lanes_len; i++) {
        struct lane *l = &w->lanes[i];
        if (l->flying && l->stream.watching && now_ms - l->heard_ms > SILENT_MS)
            finish(l, CURLE_OPERATION_TIMEDOUT);
    }
}

static void tell_changed(struct watch *w)
{
    struct watch_workload seen;
    while (watch_table_take_changed(w->table, wall_ms(), &seen))
        if (w->hooks.changed)
            w->hooks.changed(w->hooks.ctx, &seen);
}

static void tell_well(struct watch *w)
{
    struct watch_workload seen[REPORTS_AT_ONCE];
    size_t n;
    int64_t well_for_ms = atomic_load(&w->well_for_ms);
    do {
        n = watch_table_take_well(w->table, wall_ms(), well_for_ms, seen, REPORTS_AT_ONCE);
        for (size_t i = 0; i < n && w->hooks.well; i++)
            w->hooks.well(w->hooks.ctx, &seen[i]);
    } while (n == REPORTS_AT_ONCE);
}

static void tick(struct watch *w)
{
    struct watch_state state;
    int64_t now_ms = monotonic_ms();
    if (now_ms < w->tick_ms)
        return;
    w->tick_ms = now_ms + TICK_MS;
    end_silent(w);
    tell_well(w);
    watch_table_state(w->table, wall_ms(), &state);
    if (state.synced && !w->synced)
        malloc_trim(0); /* lists are much larger than what is kept of them */
    w->synced = state.synced;
}

static int until_next(const struct watch *w)
{
    int64_t now_ms = monotonic_ms(), least_ms = w->tick_ms - now_ms;
    for (size_t i = 0; i < w->lanes_len; i++) {
        const struct lane *l = &w->lanes[i];
        bool waits = !l->flying && (l->stream.watching || !w->listing);
        if (waits && l->next_ms - now_ms < least_ms)
            least_ms = l->next_ms - now_ms;
    }
    return least_ms > 0 ? (int)least_ms : 0;
}

static void *run(void *ctx)
{
    struct watch *w = ctx;
    int running;
    while (!atomic_load(&w->stop)) {
        take_off_all(w);
        curl_multi_perform(w->multi, &running);
        finish_all(w);
        tick(w);
        tell_changed(w);
        curl_multi_poll(w->multi, NULL, 0, until_next(w), NULL);
    }
    return NULL;
}

/* ---- making and ending ---- */

static enum err_code copy_namespaces(struct watch *w, const char *const *namespaces, size_t len,
                                     struct err *e)
{
    w->namespaces = calloc(len + 1, sizeof *w->namespaces);
    for (size_t i = 0; w->namespaces && i < len; i++) {
        w->namespaces[i] = strdup(namespaces[i]);
        if (!w->namespaces[i])
            return err_set(e, ERR_NOMEM, "no memory for a watch");
    }
    w->scopes = len ? len : 1;
    return w->namespaces ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a watch");
}

static enum err_code make_lanes(struct watch *w, struct err *e)
{
    w->lanes = calloc(w->scopes * WATCH_KINDS, sizeof *w->lanes);
    if (!w->lanes)
        return err_set(e, ERR_NOMEM, "no memory for a watch");
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < w->scopes * WATCH_KINDS; i++) {
        struct lane *l = &w->lanes[i];
        size_t scope = i / WATCH_KINDS;
        l->watch = w;
        stream_init(&l->stream, w->table, &w->hooks, w->namespaces[scope], scope,
                    (enum watch_kind)(i % WATCH_KINDS));
        code = http_easy_init(&l->easy, e);
        w->lanes_len++;
    }
    return code;
}

enum err_code watch_new(struct watch **ret, struct cluster *c, const char *const *namespaces,
                        size_t namespaces_len, const struct watch_hooks *hooks, struct err *e)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a watch");
    w->cluster = c;
    w->hooks = *hooks;
    atomic_store(&w->well_for_ms, INT64_MAX);
    if (getrandom(&w->random, sizeof w->random, GRND_NONBLOCK) != sizeof w->random || !w->random)
        w->random = (uint64_t)monotonic_ms() | 1;
    enum err_code code = copy_namespaces(w, namespaces, namespaces_len, e);
    if (!code)
        code = watch_table_new(&w->table, cluster_name(c), w->scopes, e);
    if (!code && !(w->multi = curl_multi_init()))
        code = err_set(e, ERR_NOMEM, "no memory for a watch");
    if (!code)
        code = make_lanes(w, e);
    if (code) {
        watch_free(w);
        return code;
    }
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)w->lanes_len);
    *ret = w;
    return ERR_OK;
}

enum err_code watch_start(struct watch *w, struct err *e)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, &attributes, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (rc)
        return err_set(e, ERR_IO, "the watch's thread could not be started: %s", strerror(rc));
    w->started = true;
    return ERR_OK;
}

struct watch *watch_free(struct watch *w)
{
    if (!w)
        return NULL;
    if (w->started) {
        atomic_store(&w->stop, true);
        curl_multi_wakeup(w->multi);
        pthread_join(w->thread, NULL);
    }
    for (size_t i = 0; i < w->lanes_len; i++) {
        struct lane *l = &w->lanes[i];
        if (l->flying)
            curl_multi_remove_handle(w->multi, l->easy.curl);
        cluster_access_release(l->access);
        http_easy_release(&l->easy);
        stream_release(&l->stream);
    }
    if (w->multi)
        curl_multi_cleanup(w->multi);
    free(w->lanes);
    watch_table_free(w->table);
    for (size_t i = 0; w->namespaces && i < w->scopes; i++)
        free(w->namespaces[i]);
    free(w->namespaces);
    free(w);
    return NULL;
}

/* ---- for others ---- */

void watch_set_well_for(struct watch *w, int64_t well_for_ms)
{
    atomic_store(&w->well_for_ms, well_for_ms);
}

void watch_proven(struct watch *w, const char *uid, const char *template_hash)
{
    watch_table_proven(w->table, uid, template_hash);
}

bool watch_lookup(struct watch *w, const struct target *t, struct watch_workload *ret)
{
    return watch_table_lookup(w->table, t, wall_ms(), ret);
}

bool watch_pod_owner(struct watch *w, const char *namespace, const char *pod, struct target *ret)
{
    return watch_table_pod_owner(w->table, namespace, pod, ret);
}

void watch_state(struct watch *w, struct watch_state *ret)
{
    watch_table_state(w->table, wall_ms(), ret);
}
