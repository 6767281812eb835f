/* actions/observe.h - from an alert's labels to the Kubernetes object, and what it looks like: the only
 * reading the core asks for.
 *
 * Resolution follows only controller references inside the namespace through ReplicaSet, Deployment,
 * StatefulSet, DaemonSet, Job and CronJob, each with equal uid and a selector that matches the child (a pod
 * can name anything as its owner; a CronJob has no selector: its template's labels are on the Job). What the
 * labels do not say is an error that shows the labels, never a guess. */
#ifndef ACTIONS_OBSERVE_H
#define ACTIONS_OBSERVE_H

#include "actions/kube/kube.h"
#include "actions/kube/watch.h"
#include "actions/verify/probe.h"
#include "actions/verify/prometheus.h"
#include "rules/base/map.h"
#include "rules/model/observation.h"

/* How to find the target. When target->uid is set it is resolved already: read that object and nothing else;
 * another uid there is ERR_NOT_FOUND. */
struct observe_request {
    const struct map *labels;    /* of the alert; always given (pod name, alertname) */
    const char *from;            /* which label names the object: "pod", "deployment", "job_name", ... */
    const char *owner;           /* kind to climb to from a pod, or NULL */
    const char *selector;        /* labels of the objects, in place of a name; NULL: none */
    const char *kind;            /* of those */
    int limit;                   /* more of them are ERR_REFUSED; at most OBSERVATION_FOUND_MAX */
    const struct target *target; /* cluster set, uid maybe */
    unsigned needs;              /* enum observe_need */
    const char *pod_uid; /* OBSERVE_POD when asking for a proof: the pod of the intent, else NULL or "" */
    const char *pod_name;
    const char *action;          /* OBSERVE_CHANGE: what would it change? NULL or "": not asked */
    const char *ask;             /* its parameters and what else it may know, as the core wrote it (JSON) */
    uint64_t change_key;         /* comes back in the observation */
    const struct intent *intent; /* OBSERVE_CHANGE: what became of its change? NULL: not asked */
    const struct probe *probes;  /* asked last, when the rest could be read */
    size_t probes_len;           /* at most PROBES_MAX */
};

/* Whether namespaces are ignored, as read lately: guards want nothing older than 10 s, so an answer is used
 * for that long. Bounded, thread-safe, shared by all workers of all clusters. With it, a workload that labels
 * name costs one GET while its namespace is known. */
#define NAMESPACES_FRESH_MS 10000
#define NAMESPACES_SLOTS 256u /* two namespaces on one slot take turns: an extra GET */
struct namespaces;
enum err_code namespaces_new(struct namespaces **ret, struct err *e);
struct namespaces *namespaces_free(struct namespaces *n);

struct observer { /* what a worker reads with; nothing owned */
    struct cluster *cluster;
    struct namespaces *namespaces;     /* NULL: the namespace is read each time */
    struct watch *watch;               /* NULL: not watched */
    struct probe_systems systems;      /* prometheus: also asked about alerts */
    const struct remote *alertmanager; /* NULL: none configured */
    int64_t (*now_ms)(void *ctx);      /* wall clock */
    void *now_ctx;
};

/* Fill *ret. What it costs: one GET for the workload (from a pod: also the pod and what is between), one for
 * the namespace unless it is known, OBSERVE_PODS one list (two for Deployments and DaemonSets: whose template
 * a pod has is said by their history), OBSERVE_HISTORY one list unless read already, OBSERVE_POD one GET
 * unless read already, OBSERVE_HPA and OBSERVE_PDB a list each, OBSERVE_ALERT and OBSERVE_SILENCED a GET each
 * where the system is configured. Without a watch `watched` is false. pod_found only when the pod belongs to
 * the target and, where one is given, has pod_uid. Errors: ERR_NOT_FOUND    the object (or the pod that the
 * label names, with no trace in the watch) does not exist, or has another uid ERR_REFUSED      labels and
 * object disagree, the owner chain leaves what is allowed, or RBAC forbids reading it ERR_INVALID      the
 * labels do not say enough, or name what no object can be called; an object is not what it should be
 * ERR_NOMEM ERR_UNAVAILABLE the API server cannot be asked now A part that could not be read (pods, history)
 * is an error too; Prometheus, Alertmanager, autoscalers, budgets and probes are not: what cannot be read of
 * them is not known, and a text says why. */
enum err_code observe(const struct observer *o, struct http *h, const struct observe_request *r,
                      struct observation *ret, struct err *e);

#endif
