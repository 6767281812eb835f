/* receiver/commands/check_cluster.h - do the clusters of heald.cfg let heald do what the policy wants? */
#ifndef RECEIVER_COMMANDS_CHECK_CLUSTER_H
#define RECEIVER_COMMANDS_CHECK_CLUSTER_H

#include "receiver/runtime/settings.h"
#include "rules/policy/policy.h"

/* Ask each cluster's API server as heald's own user. Named findings, at the cluster's line of heald.cfg:
 *   right-missing       which right, in which namespaces, and what needs it
 *   kind-not-served     a resource that the cluster has not
 *   credentials-refused the server does not take heald's credentials (401)
 *   cluster-unreachable no answer, or a server that is not ready
 * Looking is asked for wherever nothing is ignored, writing where an environment acts. ERR_UNAVAILABLE: some
 * cluster could not be reached (the others were asked). */
enum err_code check_cluster(struct config_problems *ret, const struct settings *s, const struct policy *p,
                            struct err *e);

#endif
