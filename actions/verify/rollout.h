/* actions/verify/rollout.h - a workload's own part of an observation, read from its object. Pure.
 * Source of what "complete" means: kubectl rollout status. */
#ifndef ACTIONS_VERIFY_ROLLOUT_H
#define ACTIONS_VERIFY_ROLLOUT_H

#include "rules/base/json.h"
#include "rules/model/observation.h"

#define ROLLOUT_DEADLINE_DEFAULT_SECONDS 600 /* Kubernetes' default; also for kinds that have none */

/* Fill the workload part of *ret (target but its cluster, template, numbers, rollout, owner) from a
 * Deployment, StatefulSet or DaemonSet. ERR_INVALID when it has no uid, resourceVersion or template, or
 * another name than fits. *ret is then half filled. */
enum err_code rollout_read(const struct json *object, const char *kind, struct observation *ret,
                           struct err *e);

/* Is the workload itself in trouble, whatever its pods: progress deadline, ReplicaFailure, unavailable for
 * longer than ROLLOUT_UNAVAILABLE_MS? Fills text, evidence with its cause, and the time at which it began (0:
 * not known), and returns true. */
#define ROLLOUT_UNAVAILABLE_MS 60000
bool rollout_fault(const struct json *object, int64_t now_ms, char ret_text[OBSERVATION_TEXT_SIZE],
                   struct evidence *ret_evidence, int64_t *ret_ms);

/* Who else manages the object: "" or "Argo CD application \"x\"", "Helm release \"y\"", "controller
 * Rollout/z". In the order controller, Argo CD, Flux, Helm; an Argo CD tracking id that names another object
 * was copied and is ignored. */
void rollout_owner(char ret[OBSERVATION_TEXT_SIZE], const struct json *object);

/* Who changed it last: the annotation heald.dev/changed-by, else the manager of its newest change of the spec
 * (managedFields) that is not heald's. A claim, that whoever may write the object can make; "" without one.
 */
void rollout_changed_by(char *ret, size_t size, const struct json *object);

#endif
