/* actions/kube/watch.h - what the workloads of a cluster look like right now, and since when: one thread,
 * curl multi.
 *
 * Lists, then watches Deployments, StatefulSets, DaemonSets and Pods (in all namespaces, or in those given),
 * with bookmarks; 410 lists again, a cut connection reconnects from the last version with jittered backoff; a
 * dead peer is noticed by time. Keeps at most a few hundred bytes per object, never the objects. From that it
 * knows, for each workload, whether it is *well* at every event, and since when without a gap:
 *   observedGeneration = generation, rollout complete, replicas > 0, not paused, all pods of one template
 * revision, none unready, restarted since it was seen, or waiting in an error (CrashLoopBackOff,
 * ImagePullBackOff, ...). A list after a gap (410, restart, reconnect that could not resume) begins every
 * well_since anew. */
#ifndef ACTIONS_KUBE_WATCH_H
#define ACTIONS_KUBE_WATCH_H

#include "actions/kube/kube.h"
#include "rules/model/observation.h"

#define WATCH_WORKLOADS_MAX 20000u /* more: counted, logged once, and treated as not watched */
#define WATCH_PODS_MAX 200000u
#define WATCH_LINE_MAX (4u << 20) /* bytes of one watch event */

struct watch;

struct watch_workload {   /* a copy, taken under the watch's lock */
    struct target target; /* with uid */
    bool watched;         /* in the table, and the streams have no gap now */
    char template_hash[HASH_SIZE];
    int64_t template_since_ms; /* wall time at which this template was seen first; 0 when it stood there
                                  when the watch began */
    int64_t well_since_ms;     /* 0: not well */
    char not_well[OBSERVATION_TEXT_SIZE];
};

/* Called on the watch's thread, without its lock held; must not block. */
struct watch_hooks {
    void *ctx;
    /* A workload has been well for `well_for_ms` with one template and this was not reported yet for this
     * template (reported again every minute until watch_proven() is called, since the core may not have taken
     * it). */
    void (*well)(void *ctx, const struct watch_workload *w);
    /* A workload turned well or not well, or has another template. */
    void (*changed)(void *ctx, const struct watch_workload *w);
    void (*log)(void *ctx, bool warning, const char *message); /* one line, lower case */
};

/* namespaces_len 0: all namespaces. *hooks is copied. Nothing is sent before watch_start. */
enum err_code watch_new(struct watch **ret, struct cluster *c, const char *const *namespaces,
                        size_t namespaces_len, const struct watch_hooks *hooks, struct err *e);
enum err_code watch_start(struct watch *w, struct err *e);
/* Stop the thread and free all. */
struct watch *watch_free(struct watch *w);

/* How long well makes a report. Per namespace-independent: the shortest well_for of all environments; the
 * core judges again. Thread-safe. */
void watch_set_well_for(struct watch *w, int64_t well_for_ms);
/* The core took it: do not report this template of this uid again. Thread-safe. */
void watch_proven(struct watch *w, const char *uid, const char *template_hash);

/* Look a workload up. False: not in the table (then ret->watched is false too). Thread-safe, short. */
bool watch_lookup(struct watch *w, const struct target *t, struct watch_workload *ret);
/* The workload that owns this pod now, or owned it lately (the last 4096 deleted pods are remembered).
 * Thread-safe. */
bool watch_pod_owner(struct watch *w, const char *namespace, const char *pod, struct target *ret);
/* Event lag and state for /metrics and /status. Thread-safe. */
struct watch_state {
    bool synced; /* every stream has listed, and is connected or younger than 30 s without */
    uint32_t workloads, pods;
    uint64_t events, relists, errors;
};
void watch_state(struct watch *w, struct watch_state *ret);

#endif
