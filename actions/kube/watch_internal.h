/* actions/kube/watch_internal.h - internal to watch_table.c, watch_links.c and watch_judge.c: nodes, pods,
 * workloads.
 *
 *     pod --owner--> node of a ReplicaSet --parent--> node of a Deployment --> workload
 *     pod --owner--> node of a StatefulSet or DaemonSet ----------------------> workload
 *
 * A node stands for an object by namespace and uid, and is made as soon as somebody points to it: streams do
 * not wait for each other, so a pod may come before its owner. A node goes when its object is not known and
 * nothing points to it. The namespace in the key keeps a reference from reaching into another namespace. */
#ifndef ACTIONS_KUBE_WATCH_INTERNAL_H
#define ACTIONS_KUBE_WATCH_INTERNAL_H

#include <pthread.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl NULL */
#include <uthash.h>

#include "actions/kube/watch_table.h"

struct pod {
    UT_hash_handle hh;
    struct node *owner;
    struct pod *prev, *next; /* of the same owner */
    uint64_t uid, revision;  /* hashes of uid and of the revision label */
    char *problem;           /* why it is not well; NULL when it is */
    int32_t restarts;        /* of all its containers */
    uint32_t round;
    uint32_t scope;
    bool live;  /* neither finished nor being deleted */
    char key[]; /* namespace/name */
};

struct workload {
    UT_hash_handle hh;
    struct node *node;
    struct workload *changed_prev, *changed_next; /* in the queue of changed ones */
    int64_t template_since_ms, well_since_ms;
    int64_t disturbed_ms; /* latest restart of a container, gap, or change of the template: well since then at
                             most */
    int64_t reported_ms;
    char *own_problem; /* what its own status says; NULL: nothing */
    char *not_well;    /* NULL: well */
    int32_t desired;
    enum watch_kind kind;
    unsigned unread; /* a bit a kind of stream: something of it could not be taken in, so nothing is well */
    bool changed, proven;
    char template_hash[HASH_SIZE];
    char key[]; /* kind/namespace/name */
};

struct node {
    UT_hash_handle hh;
    struct node *parent, *children;
    struct node *prev, *next; /* children of one parent */
    struct pod *pods;
    struct workload *workload; /* of a Deployment, StatefulSet, DaemonSet that is known */
    uint32_t round;
    uint32_t scope;
    bool replicaset; /* known as one */
    char key[];      /* namespace/uid */
};

struct scope {
    bool listed[WATCH_KINDS], listed_before[WATCH_KINDS];
    bool missed[WATCH_KINDS]; /* an object was not taken in: one that is new to the table may be an old one */
    int64_t away_ms[WATCH_KINDS];
    uint32_t round[WATCH_KINDS];
};

struct gone {    /* a deleted pod, and whose it was */
    char *pod;   /* namespace/name */
    char *owner; /* kind/namespace/name/uid */
};

struct watch_table {
    pthread_mutex_t lock;
    char cluster[CLUSTER_NAME_SIZE];
    struct node *nodes;         /* by namespace/uid */
    struct pod *pods;           /* by namespace/name */
    struct workload *workloads; /* by kind/namespace/name */
    struct workload *changed;   /* a queue */
    struct gone *gone;          /* a ring, made to grow up to WATCH_GONE_MAX */
    size_t gone_len, gone_cap, gone_at;
    uint32_t replicasets;
    uint64_t events, relists, errors;
    size_t scopes_len;
    struct scope scopes[];
};

/* ---- watch_links.c: the structure; everything is called with the lock held ---- */

struct node *watch_node_find(struct watch_table *t, const char *namespace, const char *uid);
struct node *watch_node_make(struct watch_table *t, const char *namespace,
                             const char *uid); /* found or made; NULL: no memory */
void watch_node_parent(struct watch_table *t, struct node *n, struct node *parent); /* NULL: none */
void watch_node_tidy(struct watch_table *t, struct node *n);              /* free it if nothing needs it */
void watch_node_forget_replicaset(struct watch_table *t, struct node *n); /* n may be freed */
const char *watch_node_uid(const struct node *n);
/* The workload that a pod's owner belongs to, or NULL. */
struct workload *watch_workload_of(const struct node *n);

struct pod *watch_pod_find(struct watch_table *t, const char *namespace, const char *name);
struct pod *watch_pod_make(struct watch_table *t, const char *namespace, const char *name);
void watch_pod_own(struct watch_table *t, struct pod *p, struct node *owner); /* NULL: nobody */
void watch_pod_remove(struct watch_table *t, struct pod *p);                  /* remembers whose it was */

struct workload *watch_workload_find(struct watch_table *t, const char *kind, const char *namespace,
                                     const char *name);
struct workload *watch_workload_make(struct watch_table *t, const struct target *target);
void watch_workload_remove(struct watch_table *t, struct workload *w);
void watch_workload_target(const struct watch_table *t, const struct workload *w, struct target *ret);
void watch_workload_changed(struct watch_table *t, struct workload *w); /* put it into the queue, once */

bool watch_gone_owner(const struct watch_table *t, const char *namespace, const char *pod,
                      struct target *ret);
void watch_links_free(struct watch_table *t);

/* ---- watch_judge.c ---- */

/* 64-bit FNV-1a: tells values apart that controllers made. */
uint64_t watch_hash(const char *text);
/* Fill live, restarts, revision and problem from a pod's status. False: no memory. */
bool watch_read_pod(struct pod *p, const struct json *object);
/* What a workload's own status says against it: NULL or a text that the caller frees. `o` comes from
 * rollout_read. *ret_ok false: no memory. */
char *watch_own_problem(const struct observation *o, bool *ret_ok);
/* Why the workload is not well, into `ret` (empty: it is well): its status, its pods, their number and their
 * revisions. */
void watch_judge(struct buf *ret, const struct workload *w);
bool watch_scope_listed(const struct scope *s);
bool watch_scope_away(const struct scope *s, int64_t now_ms, int64_t patience_ms);

#endif
