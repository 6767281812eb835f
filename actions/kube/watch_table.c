#include "actions/kube/watch_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "actions/kube/watch_internal.h"
#include "actions/verify/rollout.h"
#include "actions/verify/status.h"

#define NOT_LISTED "the watch has not read everything yet"
#define NOT_TAKEN_IN "the watch could not take in what it saw last"

static const char *const kind_names[WATCH_KINDS] = {
    [WATCH_DEPLOYMENT] = "Deployment",
    [WATCH_STATEFULSET] = "StatefulSet",
    [WATCH_DAEMONSET] = "DaemonSet",
    [WATCH_REPLICASET] = "ReplicaSet",
    [WATCH_POD] = "Pod",
};

const char *watch_kind_name(enum watch_kind kind)
{
    return kind_names[kind];
}

enum err_code watch_table_new(struct watch_table **ret, const char *cluster, size_t scopes, struct err *e)
{
    struct watch_table *t = calloc(1, sizeof *t + scopes * sizeof t->scopes[0]);
    if (!t)
        return err_set(e, ERR_NOMEM, "no memory for a watch");
    text_copy(t->cluster, sizeof t->cluster, cluster);
    t->scopes_len = scopes;
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return ERR_OK;
}

struct watch_table *watch_table_free(struct watch_table *t)
{
    if (!t)
        return NULL;
    watch_links_free(t);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

/* ---- judging ---- */

/* Look at a workload again after something about it changed. */
static void weigh(struct watch_table *t, struct workload *w, int64_t now_ms)
{
    CLEANUP(buf_release) struct buf why = BUF_INIT;
    int64_t since_ms = 0;
    if (!watch_scope_listed(&t->scopes[w->node->scope]))
        buf_adds(&why, NOT_LISTED);
    else if (w->unread)
        buf_adds(&why, NOT_TAKEN_IN);
    else
        watch_judge(&why, w);
    if (buf_ok(&why) && !why.len) {
        since_ms = w->well_since_ms ? w->well_since_ms : now_ms;
        if (w->disturbed_ms > since_ms)
            since_ms = w->disturbed_ms;
    }
    if (!w->not_well || strcmp(w->not_well, buf_text(&why)) != 0) {
        free(w->not_well);
        w->not_well = why.len ? buf_detach(&why) : NULL;
    }
    if (since_ms != w->well_since_ms)
        watch_workload_changed(t, w);
    w->well_since_ms = since_ms;
}

static void weigh_owner(struct watch_table *t, const struct node *owner, int64_t now_ms)
{
    struct workload *w = watch_workload_of(owner);
    if (w)
        weigh(t, w, now_ms);
}

/* After a gap nobody knows what happened in it: well begins anew. */
static void weigh_scope(struct watch_table *t, size_t scope, bool gap, int64_t now_ms)
{
    for (struct workload *w = t->workloads; w; w = w->hh.next) {
        if (w->node->scope != scope)
            continue;
        if (gap)
            w->disturbed_ms = now_ms;
        weigh(t, w, now_ms);
    }
}

/* ---- lists ---- */

void watch_table_list_begin(struct watch_table *t, size_t scope, enum watch_kind kind)
{
    assert(scope < t->scopes_len);
    pthread_mutex_lock(&t->lock);
    t->scopes[scope].round[kind]++;
    for (struct workload *w = t->workloads; w; w = w->hh.next)
        if (w->node->scope == scope)
            w->unread &= ~(1u << kind); /* all of it is read again */
    pthread_mutex_unlock(&t->lock);
}

static void sweep_pods(struct watch_table *t, uint32_t scope, uint32_t round)
{
    struct pod *p, *next;
    HASH_ITER (hh, t->pods, p, next) {
        if (p->scope == scope && p->round != round)
            watch_pod_remove(t, p);
    }
}

static void sweep_workloads(struct watch_table *t, uint32_t scope, uint32_t round, enum watch_kind kind)
{
    struct workload *w, *next;
    HASH_ITER (hh, t->workloads, w, next) {
        if (w->kind == kind && w->node->scope == scope && w->node->round != round)
            watch_workload_remove(t, w);
    }
}

/* Forgetting one may free it and its parent, which may be the next one: begin again behind each. Parents are
 * no ReplicaSets, so the marks that are left stay good. */
static void sweep_replicasets(struct watch_table *t, uint32_t scope, uint32_t round)
{
    struct node *n, *next;
    for (n = t->nodes; n; n = next) {
        next = n->hh.next;
        if (!n->replicaset || n->scope != scope || n->round == round)
            continue;
        struct node *parent = n->parent;
        if (next == parent && next)
            next = next->hh.next;
        watch_node_forget_replicaset(t, n);
    }
}

void watch_table_list_end(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t now_ms)
{
    assert(scope < t->scopes_len);
    pthread_mutex_lock(&t->lock);
    struct scope *s = &t->scopes[scope];
    if (kind == WATCH_POD)
        sweep_pods(t, (uint32_t)scope, s->round[kind]);
    else if (kind == WATCH_REPLICASET)
        sweep_replicasets(t, (uint32_t)scope, s->round[kind]);
    else
        sweep_workloads(t, (uint32_t)scope, s->round[kind], kind);
    bool again = s->listed_before[kind];
    s->listed[kind] = s->listed_before[kind] = true;
    weigh_scope(t, scope, again, now_ms);
    pthread_mutex_unlock(&t->lock);
}

void watch_table_gap(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t now_ms)
{
    assert(scope < t->scopes_len);
    pthread_mutex_lock(&t->lock);
    struct scope *s = &t->scopes[scope];
    if (s->listed[kind]) {
        s->listed[kind] = false;
        weigh_scope(t, scope, true, now_ms);
    }
    pthread_mutex_unlock(&t->lock);
}

void watch_table_away(struct watch_table *t, size_t scope, enum watch_kind kind, int64_t since_ms)
{
    assert(scope < t->scopes_len);
    pthread_mutex_lock(&t->lock);
    t->scopes[scope].away_ms[kind] = since_ms;
    pthread_mutex_unlock(&t->lock);
}

/* ---- objects ---- */

static enum err_code no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for what the watch sees");
}

static void new_template(struct watch_table *t, struct workload *w, const char *hash, int64_t now_ms)
{
    memcpy(w->template_hash, hash, sizeof w->template_hash);
    w->template_since_ms = w->disturbed_ms = now_ms;
    w->reported_ms = 0;
    w->proven = false;
    watch_workload_changed(t, w);
}

static enum err_code put_workload(struct watch_table *t, uint32_t scope, enum watch_kind kind,
                                  const struct observation *o, int64_t now_ms, struct err *e)
{
    const struct target *target = &o->target;
    struct workload *w = watch_workload_find(t, target->kind, target->namespace, target->name);
    if (w && strcmp(watch_node_uid(w->node), target->uid) != 0) { /* made anew under the old name */
        watch_workload_remove(t, w);
        w = NULL;
    }
    if (!w) {
        if (HASH_COUNT(t->workloads) >= WATCH_WORKLOADS_MAX)
            return err_set(e, ERR_LIMIT,
                           "more than %u workloads: the others are not watched; name namespaces in heald.cfg",
                           WATCH_WORKLOADS_MAX);
        w = watch_workload_make(t, target);
        if (!w)
            return no_memory(e);
        w->kind = kind;
        memcpy(w->template_hash, o->template_hash, sizeof w->template_hash);
        if (t->scopes[scope].listed_before[kind] && !t->scopes[scope].missed[kind])
            w->template_since_ms = now_ms; /* made since the watch began */
    } else if (strcmp(w->template_hash, o->template_hash) != 0) {
        new_template(t, w, o->template_hash, now_ms);
    }
    bool ok;
    free(w->own_problem);
    w->own_problem = watch_own_problem(o, &ok);
    w->desired = ok ? o->desired : INT32_MAX; /* without memory for the reason: not well, by number */
    w->node->scope = scope;
    w->node->round = t->scopes[scope].round[kind];
    w->unread &= ~(1u << kind);
    weigh(t, w, now_ms);
    return ok ? ERR_OK : no_memory(e);
}

/* The node of a ReplicaSet's Deployment. Claims that no controller makes are not believed, so that chains
 * stay two nodes long. */
static enum err_code parent_of(struct watch_table *t, struct node **ret, const struct node *n,
                               const char *namespace, const struct json *controller, struct err *e)
{
    *ret = NULL;
    if (strcmp(status_text(controller, "kind"), "Deployment") != 0 || n->children)
        return ERR_OK;
    struct node *parent = watch_node_make(t, namespace, status_text(controller, "uid"));
    if (!parent)
        return no_memory(e);
    if (parent != n && !parent->parent && !parent->replicaset)
        *ret = parent;
    return ERR_OK;
}

static enum err_code put_replicaset(struct watch_table *t, uint32_t scope, const struct json *object,
                                    int64_t now_ms, struct err *e)
{
    const char *namespace = status_text(object, "metadata.namespace");
    const char *uid = status_text(object, "metadata.uid");
    struct node *n = watch_node_find(t, namespace, uid), *parent;
    if (!(n && n->replicaset) && t->replicasets >= WATCH_REPLICASETS_MAX)
        return err_set(e, ERR_LIMIT,
                       "more than %u ReplicaSets: the others are not watched; name namespaces in heald.cfg",
                       WATCH_REPLICASETS_MAX);
    n = watch_node_make(t, namespace, uid);
    if (!n)
        return no_memory(e);
    enum err_code code = parent_of(t, &parent, n, namespace, kube_controller_of(object), e);
    if (code) {
        watch_node_tidy(t, n);
        return code;
    }
    t->replicasets += !n->replicaset;
    n->replicaset = true;
    n->scope = scope;
    n->round = t->scopes[scope].round[WATCH_REPLICASET];
    struct workload *before = watch_workload_of(n);
    watch_node_parent(t, n, parent);
    if (before && before != watch_workload_of(n))
        weigh(t, before, now_ms);
    if (n->pods)
        weigh_owner(t, n, now_ms);
    return ERR_OK;
}

/* Only pods that such a workload can own. */
static bool owned(const struct json *controller)
{
    const char *kind = status_text(controller, "kind");
    return strncmp(status_text(controller, "apiVersion"), "apps/", 5) == 0 &&
           (strcmp(kind, "ReplicaSet") == 0 || strcmp(kind, "StatefulSet") == 0 ||
            strcmp(kind, "DaemonSet") == 0);
}

static void remove_pod(struct watch_table *t, struct pod *p, int64_t now_ms)
{
    struct workload *w = watch_workload_of(p->owner);
    watch_pod_remove(t, p);
    if (w)
        weigh(t, w, now_ms);
}

static enum err_code fill_pod(struct watch_table *t, struct pod *p, const struct json *object,
                              struct node *owner, int64_t now_ms, struct err *e)
{
    uint64_t uid = watch_hash(status_text(object, "metadata.uid"));
    bool known = p->uid == uid;
    int32_t restarts = p->restarts;
    struct workload *before = watch_workload_of(p->owner);
    p->uid = uid;
    watch_pod_own(t, p, owner);
    struct workload *w = watch_workload_of(owner);
    if (!watch_read_pod(p, object)) {
        p->live = false; /* its workload lacks a pod now: not well */
        if (w)
            weigh(t, w, now_ms);
        return no_memory(e);
    }
    if (w && known && p->restarts > restarts)
        w->disturbed_ms = now_ms;
    if (before && before != w)
        weigh(t, before, now_ms);
    if (w)
        weigh(t, w, now_ms);
    return ERR_OK;
}

static enum err_code put_pod(struct watch_table *t, uint32_t scope, const struct json *object, int64_t now_ms,
                             struct err *e)
{
    const char *namespace = status_text(object, "metadata.namespace"),
               *name = status_text(object, "metadata.name");
    const struct json *controller = kube_controller_of(object);
    struct pod *p = watch_pod_find(t, namespace, name);
    if (p && (!owned(controller) || p->uid != watch_hash(status_text(object, "metadata.uid")))) {
        remove_pod(t, p, now_ms);
        p = NULL;
    }
    if (!owned(controller))
        return ERR_OK;
    if (!p && HASH_COUNT(t->pods) >= WATCH_PODS_MAX)
        return err_set(e, ERR_LIMIT,
                       "more than %u pods: the others are not watched; name namespaces in heald.cfg",
                       WATCH_PODS_MAX);
    struct node *owner = watch_node_make(t, namespace, status_text(controller, "uid"));
    if (owner && !p)
        p = watch_pod_make(t, namespace, name);
    if (!p || !owner) {
        watch_node_tidy(t, owner);
        return no_memory(e);
    }
    p->scope = scope;
    p->round = t->scopes[scope].round[WATCH_POD];
    return fill_pod(t, p, object, owner, now_ms, e);
}

/* What could not be taken in makes what was known of its workload old: not well, until it was read again. */
static void not_taken_in(struct watch_table *t, size_t scope, enum watch_kind kind, const struct json *object,
                         int64_t now_ms)
{
    const char *namespace = status_text(object, "metadata.namespace"),
               *name = status_text(object, "metadata.name");
    const struct node *owner =
        kind < WATCH_REPLICASET
            ? NULL
            : watch_node_find(t, namespace, status_text(kube_controller_of(object), "uid"));
    struct workload *w = kind < WATCH_REPLICASET ? watch_workload_find(t, kind_names[kind], namespace, name)
                         : owner                 ? watch_workload_of(owner)
                                                 : NULL;
    t->scopes[scope].missed[kind] = true;
    if (!w)
        return;
    w->unread |= 1u << kind;
    w->disturbed_ms = now_ms;
    weigh(t, w, now_ms);
}

enum err_code watch_table_put(struct watch_table *t, size_t scope, enum watch_kind kind,
                              const struct json *object, int64_t now_ms, struct err *e)
{
    assert(scope < t->scopes_len);
    struct observation o = { .at_ms = now_ms };
    enum err_code code = ERR_OK;
    if (kind < WATCH_REPLICASET)
        code = rollout_read(object, kind_names[kind], &o, e);
    else if (!status_text(object, "metadata.uid")[0] || !status_text(object, "metadata.name")[0])
        code = err_set(e, ERR_INVALID, "a %s came without name or uid", kind_names[kind]);
    pthread_mutex_lock(&t->lock);
    if (code)
        ; /* nothing to put */
    else if (kind == WATCH_POD)
        code = put_pod(t, (uint32_t)scope, object, now_ms, e);
    else if (kind == WATCH_REPLICASET)
        code = put_replicaset(t, (uint32_t)scope, object, now_ms, e);
    else
        code = put_workload(t, (uint32_t)scope, kind, &o, now_ms, e);
    if (code)
        not_taken_in(t, scope, kind, object, now_ms);
    pthread_mutex_unlock(&t->lock);
    return code;
}

void watch_table_drop(struct watch_table *t, enum watch_kind kind, const struct json *object, int64_t now_ms)
{
    const char *namespace = status_text(object, "metadata.namespace"),
               *name = status_text(object, "metadata.name");
    const char *uid = status_text(object, "metadata.uid");
    pthread_mutex_lock(&t->lock);
    if (kind == WATCH_POD) {
        struct pod *p = watch_pod_find(t, namespace, name);
        if (p && p->uid == watch_hash(uid))
            remove_pod(t, p, now_ms);
    } else if (kind == WATCH_REPLICASET) {
        struct node *n = watch_node_find(t, namespace, uid);
        if (n)
            watch_node_forget_replicaset(t, n);
    } else {
        struct workload *w = watch_workload_find(t, kind_names[kind], namespace, name);
        if (w && strcmp(watch_node_uid(w->node), uid) == 0)
            watch_workload_remove(t, w);
    }
    pthread_mutex_unlock(&t->lock);
}
