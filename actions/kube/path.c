/* Paths of objects; every segment is encoded. */
#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"

static const struct {
    const char *kind, *prefix, *resource;
    bool namespaced;
    const char *rbac;
} kinds[] = {
    { "Deployment", "/apis/apps/v1", "deployments", true, "apps/deployments" },
    { "StatefulSet", "/apis/apps/v1", "statefulsets", true, "apps/statefulsets" },
    { "DaemonSet", "/apis/apps/v1", "daemonsets", true, "apps/daemonsets" },
    { "ReplicaSet", "/apis/apps/v1", "replicasets", true, "apps/replicasets" },
    { "ControllerRevision", "/apis/apps/v1", "controllerrevisions", true, "apps/controllerrevisions" },
    { "Pod", "/api/v1", "pods", true, "pods" },
    { "Event", "/api/v1", "events", true, "events" },
    { "Namespace", "/api/v1", "namespaces", false, "namespaces" },
    { "HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers", true,
      "autoscaling/horizontalpodautoscalers" },
    { "Job", "/apis/batch/v1", "jobs", true, "batch/jobs" },
    { "CronJob", "/apis/batch/v1", "cronjobs", true, "batch/cronjobs" },
    { "Node", "/api/v1", "nodes", false, "nodes" },
    { "PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims", true, "persistentvolumeclaims" },
    { "Service", "/api/v1", "services", true, "services" },
    { "EndpointSlice", "/apis/discovery.k8s.io/v1", "endpointslices", true,
      "discovery.k8s.io/endpointslices" },
    { "Application", "/apis/argoproj.io/v1alpha1", "applications", true, "argoproj.io/applications" },
    { "StorageClass", "/apis/storage.k8s.io/v1", "storageclasses", false, "storage.k8s.io/storageclasses" },
    { "PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets", true, "policy/poddisruptionbudgets" },
};

/* As Kubernetes itself: it decodes %2F before it takes a path apart, so encoding does not keep a name one
 * segment. */
static enum err_code add_name(struct buf *path, const char *name, struct err *e)
{
    if (strpbrk(name, "/%"))
        return err_set(e, ERR_INVALID, "\"%.100s\" is no name in Kubernetes: it has \"/\" or \"%%\" in it",
                       name);
    return http_path(path, name, e);
}

enum err_code kube_path(struct buf *ret, const char *kind, const char *namespace, const char *name,
                        const char *subresource, struct err *e)
{
    size_t k = 0;
    while (k < sizeof kinds / sizeof kinds[0] && strcmp(kinds[k].kind, kind) != 0)
        k++;
    if (k == sizeof kinds / sizeof kinds[0])
        return err_set(e, ERR_INVALID, "kind \"%s\" has no known path", kind);
    enum err_code code = ERR_OK;
    buf_adds(ret, kinds[k].prefix);
    if (kinds[k].namespaced && namespace) {
        buf_adds(ret, "/namespaces");
        code = add_name(ret, namespace, e);
    }
    if (code)
        return code;
    buf_addc(ret, '/');
    buf_adds(ret, kinds[k].resource);
    if (name)
        code = add_name(ret, name, e);
    if (!code && subresource)
        code = http_path(ret, subresource, e);
    if (!code && (!buf_ok(ret) || ret->len > KUBE_PATH_MAX))
        code = err_set(e, ERR_LIMIT, "the path of %s \"%.100s\" is longer than %d bytes", kind,
                       name ? name : "", KUBE_PATH_MAX);
    return code;
}

/* ---- label selectors ---- */

static enum err_code add_expression(struct buf *ret, const struct json *x, struct err *e)
{
    const char *key = json_string(json_get(x, "key"), ""), *op = json_string(json_get(x, "operator"), "");
    const struct json *values = json_get(x, "values");
    if (ret->len)
        buf_addc(ret, ',');
    if (strcmp(op, "Exists") == 0) {
        buf_adds(ret, key);
    } else if (strcmp(op, "DoesNotExist") == 0) {
        buf_addf(ret, "!%s", key);
    } else if (strcmp(op, "In") == 0 || strcmp(op, "NotIn") == 0) {
        buf_addf(ret, "%s %s (", key, op[0] == 'I' ? "in" : "notin");
        for (const struct json *v = json_first(values); v; v = json_next(v))
            buf_addf(ret, "%s%s", v == json_first(values) ? "" : ",", json_string(v, ""));
        buf_addc(ret, ')');
    } else {
        return err_set(e, ERR_INVALID, "the selector has the operator \"%s\", which is not known", op);
    }
    return ERR_OK;
}

enum err_code kube_selector(struct buf *ret, const struct json *selector, struct err *e)
{
    const struct json *labels = json_get(selector, "matchLabels"),
                      *more = json_get(selector, "matchExpressions");
    if (json_len(labels) + json_len(more) == 0)
        return err_set(e, ERR_INVALID, "the selector is empty: it would select everything");
    for (const struct json *l = json_first(labels); l; l = json_next(l))
        buf_addf(ret, "%s%s=%s", ret->len ? "," : "", json_name(l), json_string(l, ""));
    enum err_code code = ERR_OK;
    for (const struct json *x = json_first(more); !code && x; x = json_next(x))
        code = add_expression(ret, x, e);
    if (!code && !buf_ok(ret))
        code = err_set(e, ERR_NOMEM, "no memory for a selector");
    return code;
}

const struct json *kube_controller_of(const struct json *object)
{
    const struct json *owners = json_path(object, "metadata.ownerReferences");
    for (const struct json *o = json_first(owners); o; o = json_next(o))
        if (json_bool(json_get(o, "controller"), false))
            return o;
    return NULL;
}

const char *kube_resource(const char *kind)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(kinds[k].kind, kind) == 0)
            return kinds[k].rbac;
    return "";
}

const char *kube_group_path(const char *group, const char *resource)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const char *slash = strchr(kinds[k].rbac, '/');
        size_t len = slash ? (size_t)(slash - kinds[k].rbac) : 0;
        if (strcmp(kinds[k].resource, resource) == 0 && strlen(group) == len &&
            memcmp(kinds[k].rbac, group, len) == 0)
            return kinds[k].prefix;
    }
    return "";
}
