/* actions/kube/cluster_internal.h - internal to actions/kube: counting requests. */
#ifndef ACTIONS_KUBE_CLUSTER_INTERNAL_H
#define ACTIONS_KUBE_CLUSTER_INTERNAL_H

#include "actions/kube/kube.h"

void cluster_observe(struct cluster *c, const char *verb, long code); /* code 0: no answer */

#endif
