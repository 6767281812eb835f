/* test/kit/watch_kit.h - a watch's table fed through its streams, with objects as an API server sends them.
 */
#ifndef TEST_KIT_WATCH_KIT_H
#define TEST_KIT_WATCH_KIT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/kube/watch_stream.h"

struct fixture {
    struct watch_table *table;
    struct watch_hooks hooks;
    struct stream streams[WATCH_KINDS];
    char log[2048];
    int64_t now_ms;
};

static inline void keep_log(void *ctx, bool warning, const char *message)
{
    struct fixture *f = ctx;
    size_t len = strlen(f->log);
    snprintf(f->log + len, sizeof f->log - len, "%s%s\n", warning ? "WARN " : "", message);
}

static inline void open_fixture(struct fixture *f)
{
    struct err e = ERR_INIT;
    *f = (struct fixture){ .now_ms = 1000000 };
    f->hooks = (struct watch_hooks){ .ctx = f, .log = keep_log };
    cr_assert_eq(watch_table_new(&f->table, "prod", 1, &e), ERR_OK);
    for (size_t k = 0; k < WATCH_KINDS; k++)
        stream_init(&f->streams[k], f->table, &f->hooks, NULL, 0, (enum watch_kind)k);
}

static inline void close_fixture(struct fixture *f)
{
    for (size_t k = 0; k < WATCH_KINDS; k++)
        stream_release(&f->streams[k]);
    watch_table_free(f->table);
}

/* ---- objects ---- */

struct deployment {
    const char *name, *uid, *image;
    int generation, observed, desired, updated, ready;
    bool paused, deleted;
};
#define WEB                                                                                                  \
    (struct deployment)                                                                                      \
    {                                                                                                        \
        .name = "web", .uid = "d1", .image = "web:1", .generation = 1, .observed = 1, .desired = 2,          \
        .updated = 2, .ready = 2                                                                             \
    }

static inline const char *deployment(const struct deployment *d)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"shop\",\"uid\":\"%s\",\"resourceVersion\":\"5\","
             "\"generation\":%d%s},"
             "\"spec\":{\"replicas\":%d,%s\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":"
             "{\"containers\":["
             "{\"name\":\"app\",\"image\":\"%s\"}]}}},\"status\":{\"observedGeneration\":%d,\"replicas\":%d,"
             "\"updatedReplicas\":%d,\"readyReplicas\":%d,\"availableReplicas\":%d}}",
             d->name, d->uid, d->generation,
             d->deleted ? ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"" : "", d->desired,
             d->paused ? "\"paused\":true," : "", d->image, d->observed, d->desired, d->updated, d->ready,
             d->ready);
    return text;
}

static inline const char *replicaset(const char *uid, const char *owner_uid)
{
    static char text[512];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"web-%s\",\"namespace\":\"shop\",\"uid\":\"%s\",\"resourceVersion\":"
             "\"5\",\"ownerReferences\":[{"
             "\"apiVersion\":\"apps/"
             "v1\",\"kind\":\"Deployment\",\"name\":\"web\",\"uid\":\"%s\",\"controller\":true}]}}",
             uid, uid, owner_uid);
    return text;
}

struct pod_text {
    const char *name, *uid, *owner_kind, *owner_uid, *revision, *namespace, *waiting, *phase;
    int restarts;
    bool unready, deleted;
};
/* A pod that is well; its uid is its name, its revision its owner's uid. */
static inline struct pod_text pod_of(const char *name, const char *owner_uid)
{
    return (struct pod_text){ .name = name, .uid = name, .owner_uid = owner_uid, .revision = owner_uid };
}

static inline const char *pod(const struct pod_text *p)
{
    static char text[2048];
    char state[128] = "\"running\":{}";
    if (p->waiting)
        snprintf(state, sizeof state, "\"waiting\":{\"reason\":\"%s\"}", p->waiting);
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"6\",%"
             "s\"labels\":{"
             "\"pod-template-hash\":\"%s\"},\"ownerReferences\":[{\"apiVersion\":\"apps/"
             "v1\",\"kind\":\"%s\",\"name\":\"x\","
             "\"uid\":\"%s\",\"controller\":true}]},\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":"
             "\"Ready\",\"status\":\"%s\"}],"
             "\"containerStatuses\":[{\"name\":\"app\",\"restartCount\":%d,\"state\":{%s}}]}}",
             p->name, p->namespace ? p->namespace : "shop", p->uid,
             p->deleted ? "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"," : "", p->revision,
             p->owner_kind ? p->owner_kind : "ReplicaSet", p->owner_uid, p->phase ? p->phase : "Running",
             p->unready ? "False" : "True", p->restarts, state);
    return text;
}

/* ---- what streams see ---- */

static inline void list(struct fixture *f, enum watch_kind kind, const char *items)
{
    CLEANUP(buf_release) struct buf page = BUF_INIT;
    buf_addf(&page, "{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[%s]}", items);
    cr_assert(stream_bytes(&f->streams[kind], 200, buf_text(&page), page.len, f->now_ms));
    cr_assert_eq(
        stream_ended(&f->streams[kind], &(struct stream_end){ .whole = true, .status = 200 }, 7, f->now_ms),
        0);
    stream_head(&f->streams[kind], 200, f->now_ms);
}

static inline bool event(struct fixture *f, enum watch_kind kind, const char *type, const char *object)
{
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    buf_addf(&line, "{\"type\":\"%s\",\"object\":%s}\n", type, object);
    return stream_bytes(&f->streams[kind], 200, buf_text(&line), line.len, f->now_ms);
}

static inline void put(struct fixture *f, enum watch_kind kind, const char *object)
{
    cr_assert(event(f, kind, "MODIFIED", object));
}

static inline void put_web(struct fixture *f, struct deployment d)
{
    put(f, WATCH_DEPLOYMENT, deployment(&d));
}

static inline void put_pod(struct fixture *f, struct pod_text p)
{
    put(f, WATCH_POD, pod(&p));
}

static inline void list_nothing(struct fixture *f)
{
    for (size_t k = 0; k < WATCH_KINDS; k++)
        list(f, (enum watch_kind)k, "");
}

static inline void lists_again(struct fixture *f, enum watch_kind kind)
{
    const struct stream_end gone = { .whole = true, .status = 410, .retry_after_ms = -1 };
    (void)stream_ended(&f->streams[kind], &gone, 7, f->now_ms);
}

/* A Deployment of two pods, all well. */
static inline void list_web(struct fixture *f)
{
    CLEANUP(buf_release) struct buf pods = BUF_INIT;
    struct deployment web = WEB;
    struct pod_text a = pod_of("a", "rs1"), b = pod_of("b", "rs1");
    buf_adds(&pods, pod(&a));
    buf_addc(&pods, ',');
    buf_adds(&pods, pod(&b));
    list(f, WATCH_POD, buf_text(&pods));
    list(f, WATCH_STATEFULSET, "");
    list(f, WATCH_DAEMONSET, "");
    list(f, WATCH_DEPLOYMENT, deployment(&web));
    list(f, WATCH_REPLICASET, replicaset("rs1", "d1"));
}

static inline bool look(struct fixture *f, struct watch_workload *ret)
{
    struct target t = { .cluster = "prod", .namespace = "shop", .kind = "Deployment", .name = "web" };
    memset(ret, 0, sizeof *ret);
    return watch_table_lookup(f->table, &t, f->now_ms, ret);
}

static inline int64_t well_since(struct fixture *f)
{
    struct watch_workload w;
    return look(f, &w) ? w.well_since_ms : -1;
}

static inline void assert_not_well(struct fixture *f, const char *why)
{
    struct watch_workload w;
    cr_assert(look(f, &w));
    cr_assert_eq(w.well_since_ms, 0, "not well because: %s", why);
    cr_assert_not_null(strstr(w.not_well, why), "'%s' should say '%s'", w.not_well, why);
}

#endif
