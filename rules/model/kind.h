/* rules/model/kind.h - the kinds of objects that can be a target: how policies, labels and people call them.
 * Pure. */
#ifndef RULES_MODEL_KIND_H
#define RULES_MODEL_KIND_H

#include <stdbool.h>
#include <stddef.h>

struct kind {
    const char *name;  /* as Kubernetes has it: "Deployment" */
    const char *word;  /* in `from` of a policy: "deployment" */
    const char *brief; /* beside the word, for people: "deploy" */
    const char *label; /* of alerts that name it, as kube-state-metrics and others have it: "job_name" */
    bool namespaced;
    bool workload; /* it has a pod template that is rolled out: what is proven, restarted, rolled back */
    bool owner;    /* pods may belong to it: `owner` of a policy */
};

#define KIND_WORKLOADS "Deployment|StatefulSet|DaemonSet"
#define KIND_OWNERS KIND_WORKLOADS "|Job|CronJob"
#define KIND_NAMES KIND_OWNERS "|Node|HorizontalPodAutoscaler|PersistentVolumeClaim|Service|Application"

extern const struct kind kinds[];
extern const size_t kinds_len;

const struct kind *kind_find(const char *name);      /* NULL: no target is of that kind */
const struct kind *kind_by_word(const char *word);   /* its word or its brief one; NULL */
const struct kind *kind_by_label(const char *label); /* NULL */
bool kind_is_workload(const char *name);
bool kind_is_namespaced(const char *name); /* also of a kind that is not known */
/* Is it one of "Deployment|StatefulSet"? */
bool kind_among(const char *names, const char *name);

#endif
