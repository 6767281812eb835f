/* What others ask the watch's table. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "actions/kube/watch_internal.h"

static void copy_out(const struct watch_table *t, const struct workload *w, int64_t now_ms,
                     struct watch_workload *ret)
{
    const struct scope *s = &t->scopes[w->node->scope];
    memset(ret, 0, sizeof *ret);
    watch_workload_target(t, w, &ret->target);
    ret->watched = watch_scope_listed(s) && !watch_scope_away(s, now_ms, WATCH_BLIND_MS);
    memcpy(ret->template_hash, w->template_hash, sizeof ret->template_hash);
    ret->template_since_ms = w->template_since_ms;
    ret->well_since_ms = w->well_since_ms;
    if (!w->well_since_ms)
        text_copy(ret->not_well, sizeof ret->not_well,
                  w->not_well ? w->not_well : "there was no memory to tell why");
}

bool watch_table_lookup(struct watch_table *t, const struct target *target, int64_t now_ms,
                        struct watch_workload *ret)
{
    pthread_mutex_lock(&t->lock);
    const struct workload *w = watch_workload_find(t, target->kind, target->namespace, target->name);
    if (w)
        copy_out(t, w, now_ms, ret);
    else
        ret->watched = false;
    pthread_mutex_unlock(&t->lock);
    return w != NULL;
}

bool watch_table_pod_owner(struct watch_table *t, const char *namespace, const char *pod, struct target *ret)
{
    pthread_mutex_lock(&t->lock);
    const struct pod *p = watch_pod_find(t, namespace, pod);
    const struct workload *w = p ? watch_workload_of(p->owner) : NULL;
    if (w)
        watch_workload_target(t, w, ret);
    bool found = w || (!p && watch_gone_owner(t, namespace, pod, ret));
    pthread_mutex_unlock(&t->lock);
    return found;
}

void watch_table_proven(struct watch_table *t, const char *uid, const char *template_hash)
{
    pthread_mutex_lock(&t->lock);
    for (struct workload *w = t->workloads; w; w = w->hh.next)
        if (strcmp(watch_node_uid(w->node), uid) == 0 && strcmp(w->template_hash, template_hash) == 0)
            w->proven = true;
    pthread_mutex_unlock(&t->lock);
}

void watch_table_state(struct watch_table *t, int64_t now_ms, struct watch_state *ret)
{
    struct watch_state s = { .synced = true };
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->scopes_len; i++)
        s.synced = s.synced && watch_scope_listed(&t->scopes[i]) &&
                   !watch_scope_away(&t->scopes[i], now_ms, WATCH_AWAY_MS);
    s.workloads = HASH_COUNT(t->workloads);
    s.pods = HASH_COUNT(t->pods);
    s.events = t->events;
    s.relists = t->relists;
    s.errors = t->errors;
    pthread_mutex_unlock(&t->lock);
    *ret = s;
}

void watch_table_count(struct watch_table *t, unsigned events, unsigned relists, unsigned errors)
{
    pthread_mutex_lock(&t->lock);
    t->events += events;
    t->relists += relists;
    t->errors += errors;
    pthread_mutex_unlock(&t->lock);
}

bool watch_table_take_changed(struct watch_table *t, int64_t now_ms, struct watch_workload *ret)
{
    pthread_mutex_lock(&t->lock);
    struct workload *w = t->changed;
    if (w) {
        DL_DELETE2(t->changed, w, changed_prev, changed_next);
        w->changed = false;
        copy_out(t, w, now_ms, ret);
    }
    pthread_mutex_unlock(&t->lock);
    return w != NULL;
}

static bool due(const struct workload *w, int64_t now_ms, int64_t well_for_ms)
{
    if (!w->well_since_ms || w->proven || now_ms - w->well_since_ms < well_for_ms)
        return false;
    return !w->reported_ms || now_ms - w->reported_ms >= WATCH_REPORT_MS || now_ms < w->reported_ms;
}

size_t watch_table_take_well(struct watch_table *t, int64_t now_ms, int64_t well_for_ms,
                             struct watch_workload *ret, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (struct workload *w = t->workloads; w && n < max; w = w->hh.next) {
        if (!due(w, now_ms, well_for_ms))
            continue;
        copy_out(t, w, now_ms, &ret[n]);
        if (ret[n].watched) {
            w->reported_ms = now_ms;
            n++;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}
