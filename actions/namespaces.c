/* actions/namespaces.c - which namespaces are ignored, for a few seconds; declared in observe.h. */
#include "actions/namespaces.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "actions/verify/status.h"

struct slot {
    char cluster[CLUSTER_NAME_SIZE], namespace[NAMESPACE_SIZE];
    bool ignored;
    int64_t read_ms;
};

struct namespaces {
    pthread_mutex_t lock;
    struct slot slots[NAMESPACES_SLOTS];
};

enum err_code namespaces_new(struct namespaces **ret, struct err *e)
{
    struct namespaces *n = calloc(1, sizeof *n);
    if (!n)
        return err_set(e, ERR_NOMEM, "no memory for what is known of namespaces");
    pthread_mutex_init(&n->lock, NULL);
    *ret = n;
    return ERR_OK;
}

struct namespaces *namespaces_free(struct namespaces *n)
{
    if (n) {
        pthread_mutex_destroy(&n->lock);
        free(n);
    }
    return NULL;
}

/* FNV-1a over both names. */
static struct slot *slot_of(struct namespaces *n, const char *cluster, const char *namespace)
{
    uint32_t hash = 2166136261u;
    for (const char *p = cluster; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    for (const char *p = namespace; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return &n->slots[hash % NAMESPACES_SLOTS];
}

static bool known(struct namespaces *n, const char *cluster, const char *namespace, int64_t now_ms, bool *ret)
{
    if (!n)
        return false;
    pthread_mutex_lock(&n->lock);
    const struct slot *s = slot_of(n, cluster, namespace);
    bool hit = s->read_ms != 0 && strcmp(s->cluster, cluster) == 0 && strcmp(s->namespace, namespace) == 0 &&
               now_ms >= s->read_ms && now_ms - s->read_ms < NAMESPACES_FRESH_MS;
    if (hit)
        *ret = s->ignored;
    pthread_mutex_unlock(&n->lock);
    return hit;
}

static void remember(struct namespaces *n, const char *cluster, const char *namespace, int64_t now_ms,
                     bool ignored)
{
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    struct slot *s = slot_of(n, cluster, namespace);
    if (text_copy(s->cluster, sizeof s->cluster, cluster) &&
        text_copy(s->namespace, sizeof s->namespace, namespace))
        s->read_ms = now_ms;
    else
        s->read_ms = 0;
    s->ignored = ignored;
    pthread_mutex_unlock(&n->lock);
}

enum err_code namespaces_ignored(const struct observer *o, struct http *h, const char *namespace,
                                 int64_t now_ms, bool *ret, struct err *e)
{
    const char *cluster = cluster_name(o->cluster);
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    bool ignored = false;
    if (known(o->namespaces, cluster, namespace, now_ms, ret))
        return ERR_OK;
    enum err_code code = kube_get(o->cluster, h, "Namespace", NULL, namespace, &doc, e);
    if (code != ERR_OK)
        return code;
    ignored = status_ignored(json_root(doc));
    remember(o->namespaces, cluster, namespace, now_ms, ignored);
    *ret = ignored;
    return ERR_OK;
}
