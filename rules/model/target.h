/* rules/model/target.h - the Kubernetes object to heal. Plain data, compared by value. */
#ifndef RULES_MODEL_TARGET_H
#define RULES_MODEL_TARGET_H

#include <stdbool.h>

#define CLUSTER_NAME_SIZE 64
#define NAMESPACE_SIZE 64 /* DNS label */
#define KIND_SIZE 32
#define OBJECT_NAME_SIZE 254 /* DNS subdomain */
#define UID_SIZE 64
#define RESOURCE_VERSION_SIZE 32
#define HASH_SIZE 65 /* SHA-256 in lower-case hex */

struct target {
    char cluster[CLUSTER_NAME_SIZE]; /* the connection's name */
    char namespace[NAMESPACE_SIZE];
    char kind[KIND_SIZE]; /* "Deployment", "StatefulSet", "DaemonSet" */
    char name[OBJECT_NAME_SIZE];
    char uid[UID_SIZE]; /* "" while not resolved */
};

/* Same cluster, namespace, kind and name (uid not looked at). */
bool target_same(const struct target *a, const struct target *b);
#define TARGET_TEXT_SIZE (NAMESPACE_SIZE + KIND_SIZE + OBJECT_NAME_SIZE)
/* "shop/Deployment/checkout" */
const char *target_format(char ret[TARGET_TEXT_SIZE], const struct target *t);

#endif
