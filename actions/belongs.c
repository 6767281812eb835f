/* actions/belongs.c */
#include "actions/belongs.h"

#include <string.h>

#include "rules/model/kind.h"

#define GENERATED "bcdfghjklmnpqrstvwxz2456789" /* what Kubernetes makes suffixes and template hashes of */
#define SUFFIX_LEN 5
#define HASH_LEN_MAX 10
#define GENERATED_BASE_MAX 58 /* a generated name's base, with its dash, is cut to this */

/* Does `text` begin with "<name>-"? Returns what follows, or NULL. */
static const char *after_name(const char *text, const char *name)
{
    size_t len = strlen(name);
    return strncmp(text, name, len) == 0 && text[len] == '-' ? text + len + 1 : NULL;
}

static bool cut_base_fits(const char *base, size_t len, const char *name)
{
    if (len != GENERATED_BASE_MAX)
        return false;
    size_t name_len = strlen(name);
    if (name_len >= len)
        return strncmp(base, name, len) == 0;
    return strncmp(base, name, name_len) == 0 && base[name_len] == '-';
}

static bool deployment_pod_name(const char *name, const char *pod)
{
    size_t len = strlen(pod);
    if (len <= SUFFIX_LEN || strspn(pod + len - SUFFIX_LEN, GENERATED) != SUFFIX_LEN)
        return false;
    size_t base_len = len - SUFFIX_LEN;
    const char *hash = after_name(pod, name);
    size_t hash_len = hash ? strspn(hash, GENERATED) : 0;
    if (hash_len > 0 && hash_len <= HASH_LEN_MAX && hash[hash_len] == '-' &&
        hash + hash_len + 1 == pod + base_len)
        return true;
    return cut_base_fits(pod, base_len, name);
}

bool belongs_pod_name(const struct target *t, const char *pod)
{
    if (strcmp(t->kind, "Deployment") == 0)
        return deployment_pod_name(t->name, pod);
    const char *rest = after_name(pod, t->name);
    if (strcmp(t->kind, "StatefulSet") == 0)
        return rest && *rest != '\0' && rest[strspn(rest, "0123456789")] == '\0';
    if (strcmp(t->kind, "DaemonSet") != 0)
        return false;
    size_t len = strlen(pod);
    if (rest)
        return strlen(rest) == SUFFIX_LEN && strspn(rest, GENERATED) == SUFFIX_LEN;
    return len > SUFFIX_LEN && strspn(pod + len - SUFFIX_LEN, GENERATED) == SUFFIX_LEN &&
           cut_base_fits(pod, len - SUFFIX_LEN, t->name);
}

static bool all_among(const struct map *some, const struct map *all)
{
    if (!all || !map_get(some, "alertname"))
        return false;
    for (size_t k = 0; k < some->len; k++) {
        const char *value = map_get(all, map_name_at(some, k));
        if (!value || strcmp(value, map_value_at(some, k)) != 0)
            return false;
    }
    return true;
}

static bool pod_belongs(const struct belonging *b, const char *pod)
{
    struct target owner;
    memset(&owner, 0, sizeof owner);
    if (b->watch && watch_pod_owner(b->watch, b->target->namespace, pod, &owner))
        return strcmp(owner.kind, b->target->kind) == 0 && strcmp(owner.name, b->target->name) == 0;
    return belongs_pod_name(b->target, pod);
}

bool belongs_to_target(void *ctx, const struct map *labels)
{
    const struct belonging *b = ctx;
    const char *namespace = map_get(labels, "namespace");
    const struct kind *kind = kind_find(b->target->kind);
    const char *named = kind ? map_get(labels, kind->label) : NULL;
    const char *pod = map_get(labels, "pod");
    const char *cluster = map_get(labels, "cluster");
    if (cluster && *cluster != '\0' && strcmp(cluster, b->target->cluster) != 0)
        return false; /* one Prometheus for several clusters */
    if (all_among(labels, b->labels))
        return true;
    if (kind && kind->namespaced && (!namespace || strcmp(namespace, b->target->namespace) != 0))
        return false;
    if (named && *named != '\0')
        return strcmp(named, b->target->name) == 0;
    return pod && *pod != '\0' && pod_belongs(b, pod);
}
