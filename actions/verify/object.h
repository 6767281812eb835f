/* actions/verify/object.h - what an object that is no workload says of itself: whether it is well, and what
 * is wrong. Pure. Sources: the API references of batch/v1, core/v1 Node and PersistentVolumeClaim,
 * autoscaling/v2, discovery.k8s.io/v1; Argo CD's Application. */
#ifndef ACTIONS_VERIFY_OBJECT_H
#define ACTIONS_VERIFY_OBJECT_H

#include "rules/base/json.h"
#include "rules/model/observation.h"

/* A run of a CronJob that has not succeeded for so long after its begin counts as failed. */
#define OBJECT_RUN_MS 300000

/* What objects of all kinds have: target but its cluster, resourceVersion, conditions, owner, ignored,
 * terminating. ERR_INVALID when it has no uid or resourceVersion, or another name than fits. */
enum err_code object_read(const struct json *object, const char *kind, struct observation *ret,
                          struct err *e);

/* Behind object_read(), of a kind that is no workload: the numbers (1 of 1 while well), the hash of its spec,
 * fault with text, evidence and time. A Service says nothing by itself: see object_count_endpoints().
 * ERR_NOMEM. */
enum err_code object_judge(const struct json *object, int64_t now_ms, struct observation *ret, struct err *e);

/* One EndpointSlice of a Service: *ready and *all grow by its endpoints. */
void object_count_endpoints(const struct json *slice, int32_t *ready, int32_t *all);
/* All were counted: a Service that selects pods, and has none that is ready, is at fault. */
void object_judge_endpoints(const struct json *service, int32_t ready, int32_t all, struct observation *ret);

/* "what: detail", cut to fit. */
void object_say(char ret[OBSERVATION_TEXT_SIZE], const char *what, const char *detail);
/* Reason, message and cause of a condition. */
void object_evidence(struct evidence *ret, const struct json *condition);

#endif
