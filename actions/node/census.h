/* actions/node/census.h - internal to actions/node: all nodes of the cluster, counted before one of them is
 * taken out of service. */
#ifndef ACTIONS_NODE_CENSUS_H
#define ACTIONS_NODE_CENSUS_H

#include "actions/change.h"

#define CORDONED_BY "heald.dev/cordoned"
#define NOT_READY_PERCENT_MAX 10 /* more of them at once: then the network is the fault, not a node */

/* May this node be taken out of service? At least `left` others stay ready and schedulable; no upgrade and no
 * autoscaler is at work on it; not too many nodes fail at once. False: refused, or not read. */
bool census_allows(const struct change_ask *a, struct change_draft *d, int64_t left);

#endif
