/* actions/verify/governors.h - what else governs a workload's number of pods: a HorizontalPodAutoscaler that
 * scales it, PodDisruptionBudgets that select its pods. Pure: one object of a list after the other.
 * Sources: autoscaling/v2, policy/v1. */
#ifndef ACTIONS_VERIFY_GOVERNORS_H
#define ACTIONS_VERIFY_GOVERNORS_H

#include "rules/base/json.h"
#include "rules/model/observation.h"

/* Begin: known, and none so far. */
void governors_no_hpa(struct observation *ret);
void governors_no_pdb(struct observation *ret);
/* Take an autoscaler when it scales ret->target. */
void governors_add_hpa(struct observation *ret, const struct json *hpa);
/* Take a budget when it selects pods with these labels (of the workload's template). As in policy/v1 an empty
 * selector selects every pod, an absent one none. Of several the one that allows least counts. */
void governors_add_pdb(struct observation *ret, const struct json *pdb, const struct json *pod_labels);

#endif
