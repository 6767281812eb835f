/* actions/belongs.h - internal to observe(): does an alert, by its labels, speak of the target? */
#ifndef ACTIONS_BELONGS_H
#define ACTIONS_BELONGS_H

#include "actions/observe.h"

struct belonging {
    const struct target *target;
    const struct map *labels; /* of the alert that was resolved to the target, or NULL */
    struct watch *watch;      /* NULL: pods are judged by their names */
};

/* A prometheus_belongs; ctx is a struct belonging. Labels that are all among those of the resolved alert
 * belong (Prometheus shows alerts before external labels). Else cluster (where it is said) and
 * namespace have to be the target's, and the workload label or the pod's owner, too. Nothing that tells: does
 * not belong. */
bool belongs_to_target(void *ctx, const struct map *labels);

/* Could a controller have given this name to a pod of that workload? "<name>-<hash>-<5>", "<name>-<ordinal>",
 * "<name>-<5>"; a Deployment's pod whose long name Kubernetes cut counts when what is left of it fits. Pure.
 */
bool belongs_pod_name(const struct target *t, const char *pod);

#endif
