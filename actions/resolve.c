/* actions/resolve.c */
#include "actions/resolve.h"

#include <stdio.h>
#include <string.h>

#include "actions/verify/status.h"
#include "rules/model/kind.h"

#define CHAIN_MAX 4 /* pod, ReplicaSet, Deployment; pod, Job, CronJob: more never is */

static const char *label(const struct map *labels, const char *name)
{
    const char *value = map_get(labels, name);
    return value ? value : "";
}

void resolved_release(struct resolved *r)
{
    r->workload = json_free(r->workload);
    r->pod = json_free(r->pod);
}

const char *resolve_labels_text(char ret[LABELS_TEXT_SIZE], const struct map *labels)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_addc(&text, '{');
    for (size_t k = 0; k < labels->len && text.len < LABELS_TEXT_SIZE; k++)
        buf_addf(&text, "%s%s=\"%s\"", k ? ", " : "", map_name_at(labels, k), map_value_at(labels, k));
    buf_addc(&text, '}');
    text_copy(ret, LABELS_TEXT_SIZE, buf_text(&text));
    return ret;
}

enum err_code resolve_read_error(struct err *e, enum err_code code)
{
    if (code == ERR_OK || code == ERR_NOT_FOUND || code == ERR_REFUSED || code == ERR_INVALID ||
        code == ERR_NOMEM)
        return code;
    if (e)
        e->code = ERR_UNAVAILABLE;
    return ERR_UNAVAILABLE;
}

static enum err_code read_object(const struct observer *o, struct http *h, const char *kind,
                                 const char *namespace, const char *name, struct json_doc **ret,
                                 struct err *e)
{
    return resolve_read_error(e, kube_get(o->cluster, h, kind, namespace, name, ret, e));
}

/* ---- the owner chain ---- */

static bool followed(const struct json *reference)
{
    const char *kind = status_text(reference, "kind"), *version = status_text(reference, "apiVersion");
    bool batch = strcmp(kind, "Job") == 0 || strcmp(kind, "CronJob") == 0;
    if (batch)
        return strncmp(version, "batch/", 6) == 0;
    return strncmp(version, "apps/", 5) == 0 && (kind_is_workload(kind) || strcmp(kind, "ReplicaSet") == 0);
}

/* A CronJob has no selector: its Jobs carry its template's labels. */
static bool selects(const struct json *parent, const struct json *child)
{
    const struct json *labels = json_path(child, "metadata.labels"),
                      *template = json_path(parent, "spec.jobTemplate");
    if (!template)
        return status_selects(json_path(parent, "spec.selector"), labels);
    const struct json *wanted = json_path(template, "metadata.labels");
    for (const struct json *l = json_first(wanted); l; l = json_next(l))
        if (strcmp(json_string(l, ""), json_string(json_get(labels, json_name(l)), "")) != 0)
            return false;
    return true;
}

enum err_code resolve_link(const struct json *child, const struct json *parent, struct err *e)
{
    const struct json *reference = kube_controller_of(child);
    const char *name = status_text(child, "metadata.name");
    const char *uid = status_text(parent, "metadata.uid");
    if (*uid == '\0' || strcmp(status_text(reference, "uid"), uid) != 0)
        return err_set(e, ERR_REFUSED,
                       "the controller of \"%s\" is another %s than the one that is called \"%s\" now", name,
                       status_text(reference, "kind"), status_text(reference, "name"));
    if (!selects(parent, child))
        return err_set(e, ERR_REFUSED,
                       "\"%s\" names %s \"%s\" as its controller, but that one's selector does not match it",
                       name, status_text(reference, "kind"), status_text(reference, "name"));
    return ERR_OK;
}

struct climb {
    const struct observer *o;
    struct http *h;
    const char *namespace;
    const char *pod;
    const char *owner; /* kind to stop at, or NULL */
};

/* One step up from `child`. ERR_NOT_FOUND: there is nothing above that heald follows. */
static enum err_code parent_of(const struct climb *c, const struct json *child, char ret_kind[KIND_SIZE],
                               struct json_doc **ret, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    const struct json *reference = kube_controller_of(child);
    const char *kind = status_text(reference, "kind");
    enum err_code code = read_object(c->o, c->h, kind, c->namespace, status_text(reference, "name"), &doc, e);
    if (code == ERR_OK)
        code = resolve_link(child, json_root(doc), e);
    if (code != ERR_OK)
        return err_wrap(e, code, "owner of pod \"%s\"", c->pod);
    if (!text_copy(ret_kind, KIND_SIZE, kind))
        return err_set(e, ERR_REFUSED, "kind \"%s\" is too long", kind);
    *ret = TAKE(doc);
    return ERR_OK;
}

static enum err_code chain_ends(const struct climb *c, const struct json *last, const char *kind,
                                struct err *e)
{
    const struct json *reference = kube_controller_of(last);
    if (!reference)
        return err_set(e, ERR_REFUSED,
                       "%s \"%s\" of pod \"%s\" has no Deployment, StatefulSet, DaemonSet or Job above it: "
                       "nothing would make it anew",
                       kind, status_text(last, "metadata.name"), c->pod);
    return err_set(e, ERR_REFUSED,
                   "%s \"%s\" of pod \"%s\" is controlled by %s \"%s\", which heald does not follow", kind,
                   status_text(last, "metadata.name"), c->pod, status_text(reference, "kind"),
                   status_text(reference, "name"));
}

static enum err_code climb_from_pod(const struct climb *c, const struct json *pod, struct resolved *ret,
                                    struct err *e)
{
    const struct json *child = pod;
    char kind[KIND_SIZE] = "Pod";
    for (int step = 0; step < CHAIN_MAX && followed(kube_controller_of(child)); step++) {
        struct json_doc *parent = NULL;
        if (c->owner && strcmp(kind, c->owner) == 0)
            break;
        enum err_code code = parent_of(c, child, kind, &parent, e);
        if (code != ERR_OK)
            return code;
        json_free(ret->workload);
        ret->workload = parent;
        child = json_root(parent);
    }
    if (!kind_among(KIND_OWNERS, kind))
        return chain_ends(c, child, kind, e);
    text_copy(ret->kind, sizeof ret->kind, kind);
    return ERR_OK;
}

enum err_code resolve_pod_of(const struct observer *o, struct http *h, const struct json *pod,
                             const struct target *t, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *between = NULL;
    const char *name = status_text(pod, "metadata.name");
    const struct json *reference = kube_controller_of(pod);
    if (reference && strcmp(status_text(reference, "uid"), t->uid) == 0)
        return ERR_OK;
    if (reference && followed(reference) && strcmp(status_text(reference, "kind"), "ReplicaSet") == 0) {
        enum err_code code =
            read_object(o, h, "ReplicaSet", t->namespace, status_text(reference, "name"), &between, e);
        if (code == ERR_OK)
            code = resolve_link(pod, json_root(between), e);
        if (code != ERR_OK)
            return code;
        if (strcmp(status_text(kube_controller_of(json_root(between)), "uid"), t->uid) == 0)
            return ERR_OK;
    }
    return err_set(e, ERR_REFUSED, "pod \"%s\" does not belong to %s \"%s\"", name, t->kind, t->name);
}

/* ---- where the labels point ---- */

static enum err_code check_labels(const struct observer *o, const struct observe_request *r, struct err *e)
{
    char text[LABELS_TEXT_SIZE], exported[64];
    const char *cluster = label(r->labels, "cluster");
    if (*cluster != '\0' && strcmp(cluster, cluster_name(o->cluster)) != 0)
        return err_set(e, ERR_REFUSED, "labels say cluster \"%s\", the connection is \"%s\"", cluster,
                       cluster_name(o->cluster));
    const struct kind *kind = r->selector ? kind_find(r->kind) : kind_by_label(r->from);
    bool cluster_wide = kind && !kind->namespaced;
    if (*label(r->labels, "namespace") == '\0' && !cluster_wide)
        return err_set(e, ERR_INVALID,
                       "labels %s do not say both \"namespace\" and \"%s\"; give the alerting rule's "
                       "expression these labels",
                       resolve_labels_text(text, r->labels), r->from);
    if (r->selector)
        return ERR_OK;
    if (*label(r->labels, r->from) == '\0')
        return err_set(e, ERR_INVALID,
                       cluster_wide
                           ? "labels %s do not say \"%s\"; give the alerting rule's expression that label"
                           : "labels %s do not say both \"namespace\" and \"%s\"; give the alerting "
                             "rule's expression these labels",
                       resolve_labels_text(text, r->labels), r->from);
    snprintf(exported, sizeof exported, "exported_%s", r->from);
    if (map_get(r->labels, exported))
        return err_set(e, ERR_INVALID,
                       "labels have both \"%s\" and \"%s\": the first is the exporter's own; scrape it with "
                       "honor_labels: true",
                       r->from, exported);
    return ERR_OK;
}

/* The labels may name the workload beside the pod: then they have to agree. */
static enum err_code check_agreement(const struct observe_request *r, const struct resolved *found,
                                     struct err *e)
{
    const struct kind *kind = kind_find(found->kind);
    const char *said = kind ? label(r->labels, kind->label) : "";
    const struct json *object = json_root(found->workload);
    const char *name = status_text(object, "metadata.name");
    if (r->owner && strcmp(found->kind, r->owner) != 0)
        return err_set(e, ERR_REFUSED, "the owner is %s \"%s\", the rule wants a %s", found->kind, name,
                       r->owner);
    if (*said != '\0' && strcmp(said, name) != 0 && !r->selector)
        return err_set(e, ERR_REFUSED, "labels say %s \"%s\", the pod's owner is \"%s\"", kind->label, said,
                       name);
    return ERR_OK;
}

/* Read an object that is named, and hold it against the uid where one is known. */
static enum err_code read_named(const struct observer *o, struct http *h, const struct target *t,
                                struct resolved *ret, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    if (!kind_find(t->kind))
        return err_set(e, ERR_INVALID, "a %s is no target; one of " KIND_NAMES " is", t->kind);
    enum err_code code =
        read_object(o, h, t->kind, kind_is_namespaced(t->kind) ? t->namespace : NULL, t->name, &doc, e);
    if (code != ERR_OK)
        return code;
    const char *uid = status_text(json_root(doc), "metadata.uid");
    if (*t->uid != '\0' && strcmp(uid, t->uid) != 0)
        return err_set(e, ERR_NOT_FOUND, "%s \"%s\" is another one by now: it was deleted and made anew",
                       t->kind, t->name);
    text_copy(ret->kind, sizeof ret->kind, t->kind);
    ret->workload = TAKE(doc);
    return ERR_OK;
}

static enum err_code resolve_pod(const struct observer *o, struct http *h, const struct observe_request *r,
                                 struct resolved *ret, struct err *e)
{
    struct climb c = {
        .o = o,
        .h = h,
        .namespace = label(r->labels, "namespace"),
        .pod = label(r->labels, "pod"),
        .owner = r->owner,
    };
    struct target owner;
    enum err_code code = read_object(o, h, "Pod", c.namespace, c.pod, &ret->pod, e);
    if (code == ERR_OK)
        return climb_from_pod(&c, json_root(ret->pod), ret, e);
    if (code != ERR_NOT_FOUND)
        return code;
    memset(&owner, 0, sizeof owner);
    if (!o->watch || !watch_pod_owner(o->watch, c.namespace, c.pod, &owner))
        return err_set(e, ERR_NOT_FOUND,
                       "pod \"%s\" in namespace \"%s\" is gone, and whose it was is not remembered", c.pod,
                       c.namespace);
    return read_named(o, h, &owner, ret, e);
}

/* ---- by selector ---- */

struct finding {
    struct resolved *found;
    int limit;
    bool more;
};

/* Names stand in order. */
static bool take_found(void *ctx, const struct json *object)
{
    struct finding *f = ctx;
    struct resolved *r = f->found;
    const char *name = status_text(object, "metadata.name");
    if ((int)r->names_len == f->limit) {
        f->more = true;
        return false;
    }
    size_t at = r->names_len++;
    for (; at > 0 && strcmp(r->names[at - 1], name) > 0; at--)
        memcpy(r->names[at], r->names[at - 1], sizeof r->names[at]);
    text_copy(r->names[at], sizeof r->names[at], name);
    return true;
}

static enum err_code resolve_by_selector(const struct observer *o, struct http *h,
                                         const struct observe_request *r, struct resolved *ret, struct err *e)
{
    struct target t;
    struct finding f = { .found = ret,
                         .limit =
                             r->limit < (int)OBSERVATION_FOUND_MAX ? r->limit : (int)OBSERVATION_FOUND_MAX };
    const char *namespace = kind_is_namespaced(r->kind) ? label(r->labels, "namespace") : NULL;
    memset(&t, 0, sizeof t);
    enum err_code code = resolve_read_error(
        e, kube_list(o->cluster, h, r->kind, namespace, r->selector, take_found, &f, NULL, e));
    if (code != ERR_OK)
        return code;
    if (f.more)
        return err_set(e, ERR_REFUSED, "the selector \"%s\" finds more than %d of kind %s (target.limit)",
                       r->selector, f.limit, r->kind);
    if (ret->names_len == 0)
        return err_set(e, ERR_NOT_FOUND, "the selector \"%s\" finds no %s", r->selector, r->kind);
    text_copy(t.kind, sizeof t.kind, r->kind);
    text_copy(t.namespace, sizeof t.namespace, namespace ? namespace : "");
    memcpy(t.name, ret->names[0], sizeof t.name);
    return read_named(o, h, &t, ret, e);
}

static enum err_code resolve_by_labels(const struct observer *o, struct http *h,
                                       const struct observe_request *r, struct resolved *ret, struct err *e)
{
    struct target t;
    memset(&t, 0, sizeof t);
    const struct kind *kind = kind_by_label(r->from);
    enum err_code code = check_labels(o, r, e);
    if (code != ERR_OK)
        return code;
    if (r->selector) {
        code = resolve_by_selector(o, h, r, ret, e);
    } else if (strcmp(r->from, "pod") == 0) {
        code = resolve_pod(o, h, r, ret, e);
    } else {
        if (!text_copy(t.namespace, sizeof t.namespace, label(r->labels, "namespace")) ||
            !text_copy(t.name, sizeof t.name, label(r->labels, r->from)))
            return err_set(e, ERR_INVALID, "a label is longer than a name in Kubernetes can be");
        text_copy(t.kind, sizeof t.kind, kind ? kind->name : "");
        code = read_named(o, h, &t, ret, e);
    }
    return code == ERR_OK ? check_agreement(r, ret, e) : code;
}

enum err_code resolve(const struct observer *o, struct http *h, const struct observe_request *r,
                      struct resolved *ret, struct err *e)
{
    struct resolved found = RESOLVED_INIT;
    enum err_code code = r->target && *r->target->name != '\0' ? read_named(o, h, r->target, &found, e)
                                                               : resolve_by_labels(o, h, r, &found, e);
    if (code != ERR_OK) {
        resolved_release(&found);
        return code;
    }
    *ret = found;
    return ERR_OK;
}
