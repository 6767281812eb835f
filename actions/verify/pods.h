/* actions/verify/pods.h - what is wrong with a pod, read from its status. Pure.
 *
 * Waiting reasons are open-ended strings: any but ContainerCreating and PodInitializing is an error. Init
 * containers (also sidecars) count as containers. Times are the API's, in whole seconds. */
#ifndef ACTIONS_VERIFY_PODS_H
#define ACTIONS_VERIFY_PODS_H

#include "rules/base/json.h"
#include "rules/model/observation.h"

#define POD_RESTART_RECENT_MS 600000  /* the kubelet forgets its crash backoff after running for this long */
#define POD_START_PATIENCE_MS 60000   /* a pod that never was ready is given this long */
#define POD_CREATE_PATIENCE_MS 120000 /* ContainerCreating and PodInitializing are given this long */
#define POD_READY_FLIP_MS 5000        /* unready later than this after the start: it was ready before */

enum pod_trouble { /* worse is greater */
                   POD_WELL,
                   POD_ENDING, /* being deleted for longer than its grace period and a minute */
                   POD_FAILED, /* phase Failed: evicted, node shut down, ...; only the rest of a pod where
                                  others run in its place */
                   POD_UNREADY,
                   POD_STUCK,     /* unschedulable, or its containers are not made */
                   POD_RESTARTED, /* a container ended lately and was started again */
                   POD_ERROR,     /* a container waits in an error, or ended with one */
};

struct pod_look {
    enum pod_trouble trouble;
    bool gone;        /* finished or being deleted: counts for nothing */
    int64_t since_ms; /* earliest known sign of the trouble; 0 when not known */
    bool failed;      /* a container was restarted (even long ago), ended with an error, or waits in one */
    int64_t
        failed_ms; /* when that was the last time; now_ms while one waits in an error without having ended */
    struct evidence evidence;         /* of the worst trouble; its cause is set by pod_count */
    char text[OBSERVATION_TEXT_SIZE]; /* pod "checkout-x": container "app" waits in CrashLoopBackOff after
                                         OOMKilled (exit code 137), 5 restarts */
};

void pod_look(struct pod_look *ret, const struct json *pod, int64_t now_ms);

/* Add one pod's look to the observation: the worst trouble speaks in fault_text, the earliest sign counts.
 * `present`: the pod is of the workload's present template. *worst is carried from pod to pod and starts as
 * POD_WELL. A pod in phase Failed is a fault only while the workload lacks ready pods. The worst one's
 * evidence, with its cause, is the observation's. */
void pod_count(struct observation *ret, enum pod_trouble *worst, const struct pod_look *look, bool present);

#endif
