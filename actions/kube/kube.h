/* actions/kube/kube.h - a client of one Kubernetes cluster's API.
 *
 * `struct cluster` holds server and credentials; it is shared by all threads and locks itself. `struct http`
 * handles are per thread. Errors of the API become err codes in one place (kube_status): 404 NOT_FOUND, 409
 * and a failed JSON-patch test CONFLICT, 429 / 5xx with Retry-After UNAVAILABLE, 504 and no answer to a write
 * UNKNOWN, 401 re-reads the credentials and tries once more; 401 and 403 of a server that is not ready (it
 * refuses everybody until it has read its roles) UNAVAILABLE, of a ready one REFUSED, 410 ERR_VERSION never
 * (watch.c handles it), everything else INVALID. Messages quote the Status' own message, cut. */
#ifndef ACTIONS_KUBE_KUBE_H
#define ACTIONS_KUBE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/http/http.h"
#include "rules/base/json.h"
#include "rules/model/target.h"

struct cluster;

struct cluster_options {
    const char *name;       /* how policy and alerts call it */
    const char *kubeconfig; /* file; NULL: in-cluster credentials */
    const char *context;    /* NULL: current-context */
};

/* Read the credentials. exec and auth-provider plugins are refused: heald starts no programs; the message
 * says to use a token file or a client certificate instead. Nothing is sent. */
enum err_code cluster_new(struct cluster **ret, const struct cluster_options *o, struct err *e);
struct cluster *cluster_free(struct cluster *c);
static inline void cluster_freep(struct cluster **c)
{
    *c = cluster_free(*c);
}
const char *cluster_name(const struct cluster *c);

/* Counters for /metrics: called once per answered or failed request; verb is "get", "list", "patch", ...;
 * code 0: no answer. */
typedef void kube_observer(void *ctx, const char *verb, long code);
void cluster_set_observer(struct cluster *c, kube_observer *observer, void *ctx);

/* ---- paths ---- every segment encoded. */
#define KUBE_PATH_MAX 2048
/* Path of an object: kind is "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision",
 * "Pod", "Namespace", "Event", "HorizontalPodAutoscaler", "PodDisruptionBudget"; name NULL: the collection.
 * subresource NULL or "scale", ... ERR_INVALID for an unknown kind, and for names that Kubernetes itself
 * refuses: empty, ".", "..", with "/" or "%" in them (the API server decodes %2F before it takes a path
 * apart: an encoded "w/scale" would reach the subresource). */
enum err_code kube_path(struct buf *ret, const char *kind, const char *namespace, const char *name,
                        const char *subresource, struct err *e);

/* How RBAC calls objects of that kind: "apps/deployments", "pods"; "" for an unknown kind. */
const char *kube_resource(const char *kind);
/* Where the version of a group stands that heald speaks: "/apis/apps/v1", "/api/v1"; "" when heald knows no
 * such resource. */
const char *kube_group_path(const char *group, const char *resource);

struct kube_call {
    const char *verb; /* "get", "list", "patch", "delete", "create": for method and metrics */
    const char *path;
    const char *content_type; /* PATCH: "application/merge-patch+json", "application/json-patch+json",
                                 "application/strategic-merge-patch+json" */
    const char *body;
    size_t body_len;
    int64_t timeout_ms; /* 0: HTTP_TIMEOUT_MS */
};
struct kube_reply {
    long status;
    int64_t retry_after_ms; /* -1: not said */
    int64_t sent_ms;        /* see http_answer */
    struct json_doc *doc;   /* the parsed body of a 2xx; NULL for non-JSON */
};
#define KUBE_REPLY_INIT ((struct kube_reply){ .retry_after_ms = -1 })
void kube_reply_release(struct kube_reply *r);

/* One call. After a 401 the credentials are read again; after a 401 or 403 that may come from a server that
 * is not ready yet, it is asked again for up to 3 s. Reads (get, list) are also repeated with jittered
 * backoff on 429/5xx/no connection within 3 s in all; writes never. */
enum err_code kube_call(struct cluster *c, struct http *h, const struct kube_call *call,
                        struct kube_reply *ret, struct err *e);
/* GET one object; *ret_doc is the caller's. */
enum err_code kube_get(struct cluster *c, struct http *h, const char *kind, const char *namespace,
                       const char *name, struct json_doc **ret_doc, struct err *e);
/* List, page by page (limit 200): `each` is called for every item; it returns false to stop. A 410 during
 * paging starts again once: items may then come twice. *ret_version (may be NULL) gets the list's
 * resourceVersion. */
enum err_code kube_list(struct cluster *c, struct http *h, const char *kind, const char *namespace,
                        const char *label_selector, bool (*each)(void *ctx, const struct json *item),
                        void *ctx, char ret_version[RESOURCE_VERSION_SIZE], struct err *e);

/* SHA-256 (hex) of the canonical JSON of a pod template without labels pod-template-hash,
 * controller-revision-hash, controller.kubernetes.io/hash, and without a "$patch" key: equal for a
 * Deployment, its ReplicaSet, a ControllerRevision of the same template. */
void kube_template_hash(char ret[HASH_SIZE], const struct json *pod_template);
/* The same without the annotation kubectl.kubernetes.io/restartedAt: a restart leaves it as it was. */
void kube_template_plain_hash(char ret[HASH_SIZE], const struct json *pod_template);
/* "app=x,tier in (a,b)" from a LabelSelector object; ERR_INVALID when it is empty (would select everything).
 */
enum err_code kube_selector(struct buf *ret, const struct json *selector, struct err *e);
/* The controller ownerReference (controller: true), or NULL. */
const struct json *kube_controller_of(const struct json *object);

/* Internal to actions/kube: credentials in force, for the watch's own connections. The endpoint's strings
 * stay valid until the matching release. */
struct kube_access;
const struct http_endpoint *cluster_access(struct cluster *c, struct kube_access **ret_access);
void cluster_access_release(struct kube_access *a);
/* Tell that the server said 401: the credentials are read again before the next access. */
void cluster_access_stale(struct cluster *c);

#endif
