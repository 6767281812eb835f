/* actions/kube/watch_table.h - internal to actions/kube: what the watch knows of workloads and pods, and
 * since when they are well.
 *
 * Pure of I/O and time: streams put in what they read, with the wall time at which they read it. Thread-safe:
 * every function takes the table's own lock, shortly. Per object a few hundred bytes are kept, never the
 * object.
 *
 * A *scope* is a set of streams that together see whole workloads: one for all namespaces, or one a
 * namespace. */
#ifndef ACTIONS_KUBE_WATCH_TABLE_H
#define ACTIONS_KUBE_WATCH_TABLE_H

#include "actions/kube/watch.h"

#define WATCH_REPLICASETS_MAX 400000u
#define WATCH_GONE_MAX 4096u  /* deleted pods whose owner is remembered */
#define WATCH_BLIND_MS 3000   /* a stream away for longer: its scope is not under watch now */
#define WATCH_AWAY_MS 30000   /* a stream away for longer: the watch is not synced */
#define WATCH_REPORT_MS 60000 /* "well" is said again after this time */

enum watch_kind {
    WATCH_DEPLOYMENT,
    WATCH_STATEFULSET,
    WATCH_DAEMONSET,
    WATCH_REPLICASET, /* metadata only */
    WATCH_POD,
    WATCH_KINDS,
};
const char *watch_kind_name(enum watch_kind kind); /* "Deployment", ... */

struct watch_table;

enum err_code watch_table_new(struct watch_table **ret, const char *cluster, size_t scopes, struct err *e);
struct watch_table *watch_table_free(struct watch_table *t);

/* A list begins (also after a gap), items are put, and the list ends: what it did not hold is gone. Until
 * every stream of a scope has listed, none of its workloads is well; when a stream lists again, all of the
 * scope's well_since begin anew. */
void watch_table_list_begin(struct watch_table *t, size_t scope, enum watch_kind kind);
void watch_table_list_end(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t now_ms);
/* The stream lost its place: it will list again. */
void watch_table_gap(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t now_ms);
/* The stream is connected (since_ms 0), or has no connection since then, but knows its place. */
void watch_table_away(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t since_ms);

/* An object was added or changed. ERR_LIMIT: the table is full, the object is not watched; ERR_INVALID: it is
 * no such object; ERR_NOMEM. After an error its workload is not well: until it comes again itself, or until
 * the stream has listed again, when it was a pod or a ReplicaSet. */
enum err_code watch_table_put(struct watch_table *t, size_t scope, enum watch_kind kind,
                              const struct json *object, int64_t now_ms, struct err *e);
/* An object was deleted; `object` is its last state. */
void watch_table_drop(struct watch_table *t, enum watch_kind kind, const struct json *object, int64_t now_ms);

/* See watch_lookup, watch_pod_owner, watch_proven, watch_state. */
bool watch_table_lookup(struct watch_table *t, const struct target *target, int64_t now_ms,
                        struct watch_workload *ret);
bool watch_table_pod_owner(struct watch_table *t, const char *namespace, const char *pod, struct target *ret);
void watch_table_proven(struct watch_table *t, const char *uid, const char *template_hash);
void watch_table_state(struct watch_table *t, int64_t now_ms, struct watch_state *ret);
void watch_table_count(struct watch_table *t, unsigned events, unsigned relists, unsigned errors);

/* The next workload that turned well or not well, or has another template; false when there is none. */
bool watch_table_take_changed(struct watch_table *t, int64_t now_ms, struct watch_workload *ret);
/* Workloads that are well for well_for_ms with one template, neither proven nor reported within
 * WATCH_REPORT_MS; they count as reported now. Returns how many were stored; `max` of them: ask again. */
size_t watch_table_take_well(struct watch_table *t, int64_t now_ms, int64_t well_for_ms,
                             struct watch_workload *ret, size_t max);

#endif
