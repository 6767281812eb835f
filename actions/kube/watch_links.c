/* The structure behind the watch: what points to what, and what goes when nothing points to it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "actions/kube/watch_internal.h"

#define KEY_SIZE (KIND_SIZE + NAMESPACE_SIZE + OBJECT_NAME_SIZE + UID_SIZE)
#define GONE_FIRST 64u

/* "a/b" or "a/b/c" */
static size_t make_key(char ret[KEY_SIZE], const char *a, const char *b, const char *c)
{
    struct buf key = BUF_INIT;
    buf_addf(&key, c ? "%s/%s/%s" : "%s/%s", a, b, c);
    text_copy(ret, KEY_SIZE, buf_text(&key));
    buf_release(&key);
    return strlen(ret);
}

/* ---- nodes ---- */

struct node *watch_node_find(struct watch_table *t, const char *namespace, const char *uid)
{
    char key[KEY_SIZE];
    struct node *n = NULL;
    size_t len = make_key(key, namespace, uid, NULL);
    HASH_FIND(hh, t->nodes, key, len, n);
    return n;
}

struct node *watch_node_make(struct watch_table *t, const char *namespace, const char *uid)
{
    char key[KEY_SIZE];
    struct node *n = watch_node_find(t, namespace, uid);
    if (n)
        return n;
    size_t len = make_key(key, namespace, uid, NULL);
    n = calloc(1, sizeof *n + len + 1);
    if (!n)
        return NULL;
    memcpy(n->key, key, len + 1);
    HASH_ADD_KEYPTR(hh, t->nodes, n->key, len, n);
    if (!n->hh.tbl) {
        free(n);
        return NULL;
    }
    return n;
}

void watch_node_tidy(struct watch_table *t, struct node *n)
{
    while (n && !n->workload && !n->replicaset && !n->pods && !n->children) {
        struct node *parent = n->parent;
        if (parent)
            DL_DELETE(parent->children, n);
        HASH_DEL(t->nodes, n); /* NOLINT(clang-analyzer-core.NullDereference): n is in it */
        free(n);
        n = parent;
    }
}

void watch_node_parent(struct watch_table *t, struct node *n, struct node *parent)
{
    struct node *old = n->parent;
    if (old == parent)
        return;
    if (old)
        DL_DELETE(old->children, n);
    n->parent = parent;
    if (parent)
        DL_APPEND(parent->children, n);
    watch_node_tidy(t, old);
}

void watch_node_forget_replicaset(struct watch_table *t, struct node *n)
{
    if (!n->replicaset)
        return;
    n->replicaset = false; /* its parent stays known while pods are left */
    t->replicasets--;
    watch_node_tidy(t, n);
}

const char *watch_node_uid(const struct node *n)
{
    return strchr(n->key, '/') + 1;
}

struct workload *watch_workload_of(const struct node *n)
{
    if (!n)
        return NULL;
    return n->workload ? n->workload : n->parent ? n->parent->workload : NULL;
}

/* ---- deleted pods ---- */

static void gone_clear(struct gone *g)
{
    free(g->pod);
    free(g->owner);
    g->pod = g->owner = NULL;
}

static bool gone_room(struct watch_table *t)
{
    if (t->gone_len < t->gone_cap || t->gone_cap == WATCH_GONE_MAX)
        return true;
    size_t cap = t->gone_cap ? 2 * t->gone_cap : GONE_FIRST;
    cap = cap < WATCH_GONE_MAX ? cap : WATCH_GONE_MAX;
    struct gone *longer = realloc(t->gone, cap * sizeof *longer);
    if (!longer)
        return false;
    memset(longer + t->gone_cap, 0, (cap - t->gone_cap) * sizeof *longer);
    t->gone = longer;
    t->gone_cap = cap;
    return true;
}

static void remember(struct watch_table *t, const struct pod *p)
{
    const struct workload *w = watch_workload_of(p->owner);
    struct buf owner = BUF_INIT;
    if (!w || !gone_room(t))
        return;
    buf_addf(&owner, "%s/%s", w->key, watch_node_uid(w->node));
    struct gone g = { .pod = strdup(p->key), .owner = buf_detach(&owner) };
    if (!g.pod || !g.owner) {
        gone_clear(&g);
        buf_release(&owner);
        return;
    }
    gone_clear(&t->gone[t->gone_at]);
    t->gone[t->gone_at] = g;
    t->gone_at = (t->gone_at + 1) % WATCH_GONE_MAX;
    t->gone_len += t->gone_len < WATCH_GONE_MAX;
}

/* Take "kind/namespace/name" or ".../uid" apart: none of them can hold a slash. */
static void split_key(const char *key, const char *cluster, struct target *ret)
{
    char part[KEY_SIZE];
    text_copy(part, sizeof part, key);
    char *rest = part;
    const char *kind = strsep(&rest, "/"), *namespace = strsep(&rest, "/"), *name = strsep(&rest, "/");
    text_copy(ret->cluster, sizeof ret->cluster, cluster);
    text_copy(ret->kind, sizeof ret->kind, kind);
    text_copy(ret->namespace, sizeof ret->namespace, namespace ? namespace : "");
    text_copy(ret->name, sizeof ret->name, name ? name : "");
    text_copy(ret->uid, sizeof ret->uid, rest ? rest : "");
}

bool watch_gone_owner(const struct watch_table *t, const char *namespace, const char *pod, struct target *ret)
{
    char key[KEY_SIZE];
    make_key(key, namespace, pod, NULL);
    for (size_t back = 1; back <= t->gone_len; back++) { /* newest first */
        const struct gone *g = &t->gone[(t->gone_at + WATCH_GONE_MAX - back) % WATCH_GONE_MAX];
        if (strcmp(g->pod, key) != 0)
            continue;
        split_key(g->owner, t->cluster, ret);
        return true;
    }
    return false;
}

/* ---- pods ---- */

struct pod *watch_pod_find(struct watch_table *t, const char *namespace, const char *name)
{
    char key[KEY_SIZE];
    struct pod *p = NULL;
    size_t len = make_key(key, namespace, name, NULL);
    HASH_FIND(hh, t->pods, key, len, p);
    return p;
}

struct pod *watch_pod_make(struct watch_table *t, const char *namespace, const char *name)
{
    char key[KEY_SIZE];
    size_t len = make_key(key, namespace, name, NULL);
    struct pod *p = calloc(1, sizeof *p + len + 1);
    if (!p)
        return NULL;
    memcpy(p->key, key, len + 1);
    HASH_ADD_KEYPTR(hh, t->pods, p->key, len, p);
    if (!p->hh.tbl) {
        free(p);
        return NULL;
    }
    return p;
}

void watch_pod_own(struct watch_table *t, struct pod *p, struct node *owner)
{
    struct node *old = p->owner;
    if (old == owner)
        return;
    if (old)
        DL_DELETE(old->pods, p);
    p->owner = owner;
    if (owner)
        DL_APPEND(owner->pods, p);
    watch_node_tidy(t, old);
}

void watch_pod_remove(struct watch_table *t, struct pod *p)
{
    remember(t, p);
    watch_pod_own(t, p, NULL);
    HASH_DEL(t->pods, p);
    free(p->problem);
    free(p);
}

/* ---- workloads ---- */

struct workload *watch_workload_find(struct watch_table *t, const char *kind, const char *namespace,
                                     const char *name)
{
    char key[KEY_SIZE];
    struct workload *w = NULL;
    size_t len = make_key(key, kind, namespace, name);
    HASH_FIND(hh, t->workloads, key, len, w);
    return w;
}

struct workload *watch_workload_make(struct watch_table *t, const struct target *target)
{
    char key[KEY_SIZE];
    size_t len = make_key(key, target->kind, target->namespace, target->name);
    struct node *n = watch_node_make(t, target->namespace, target->uid);
    struct workload *w = n && !n->workload ? calloc(1, sizeof *w + len + 1) : NULL;
    if (w) {
        memcpy(w->key, key, len + 1);
        HASH_ADD_KEYPTR(hh, t->workloads, w->key, len, w);
    }
    if (!w || !w->hh.tbl) {
        free(w);
        watch_node_tidy(t, n);
        return NULL;
    }
    w->node = n;
    n->workload = w;
    return w;
}

void watch_workload_remove(struct watch_table *t, struct workload *w)
{
    if (w->changed)
        DL_DELETE2(t->changed, w, changed_prev, changed_next);
    w->node->workload = NULL;
    watch_node_tidy(t, w->node);
    HASH_DEL(t->workloads, w);
    free(w->own_problem);
    free(w->not_well);
    free(w);
}

void watch_workload_target(const struct watch_table *t, const struct workload *w, struct target *ret)
{
    split_key(w->key, t->cluster, ret);
    text_copy(ret->uid, sizeof ret->uid, watch_node_uid(w->node));
}

void watch_workload_changed(struct watch_table *t, struct workload *w)
{
    if (w->changed)
        return;
    w->changed = true;
    DL_APPEND2(t->changed, w, changed_prev, changed_next);
}

void watch_links_free(struct watch_table *t)
{
    struct pod *p, *p_next;
    struct workload *w, *w_next;
    HASH_ITER (hh, t->pods, p, p_next) {
        watch_pod_remove(t, p);
    }
    HASH_ITER (hh, t->workloads, w, w_next) {
        watch_workload_remove(t, w);
    }
    while (t->nodes) { /* what is left are ReplicaSets without pods, and who they belong to */
        struct node *n = t->nodes;
        HASH_DEL(t->nodes, n); /* NOLINT(clang-analyzer-unix.Malloc): it moves t->nodes on */
        free(n);
    }
    for (size_t i = 0; i < t->gone_cap; i++)
        gone_clear(&t->gone[i]);
    free(t->gone);
}
