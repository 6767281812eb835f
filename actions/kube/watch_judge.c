/* Is it well? What the status of a workload and of its pods says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/kube/watch_internal.h"
#include "actions/verify/rollout.h"
#include "actions/verify/status.h"

uint64_t watch_hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        h = (h ^ *p) * 1099511628211u;
    return h;
}

static bool starting(const char *waiting)
{
    return !waiting[0] || strcmp(waiting, "ContainerCreating") == 0 ||
           strcmp(waiting, "PodInitializing") == 0;
}

/* Restarts, and the first container that waits in an error. Reasons are open-ended: any that is not known to
 * be harmless is one. */
static void read_containers(struct pod *p, const struct json *object, const char *path, struct buf *problem)
{
    const struct json *statuses = json_path(object, path);
    for (const struct json *s = json_first(statuses); s; s = json_next(s)) {
        const char *waiting = status_text(s, "state.waiting.reason");
        int32_t restarts = status_number(s, "restartCount", 0);
        p->restarts = restarts > INT32_MAX - p->restarts ? INT32_MAX : p->restarts + restarts;
        if (!starting(waiting) && !problem->len)
            buf_addf(problem, "pod \"%.100s\": container \"%.40s\" waits in %.40s",
                     status_text(object, "metadata.name"), status_text(s, "name"), waiting);
    }
}

bool watch_read_pod(struct pod *p, const struct json *object)
{
    struct buf problem = BUF_INIT;
    const char *phase = status_text(object, "status.phase");
    const char *revision = status_label(object, "pod-template-hash");
    if (!revision[0])
        revision = status_label(object, "controller-revision-hash");
    p->revision = watch_hash(revision);
    p->live = !status_text(object, "metadata.deletionTimestamp")[0] && strcmp(phase, "Succeeded") != 0 &&
              strcmp(phase, "Failed") != 0;
    p->restarts = 0;
    read_containers(p, object, "status.initContainerStatuses", &problem);
    read_containers(p, object, "status.containerStatuses", &problem);
    if (!problem.len && !status_is(status_condition(object, "Ready"), "True"))
        buf_addf(&problem, "pod \"%.100s\" is not ready", status_text(object, "metadata.name"));
    free(p->problem);
    p->problem = NULL;
    bool ok = buf_ok(&problem);
    if (ok && problem.len)
        ok = (p->problem = buf_detach(&problem)) != NULL;
    buf_release(&problem);
    return ok;
}

char *watch_own_problem(const struct observation *o, bool *ret_ok)
{
    struct buf b = BUF_INIT;
    *ret_ok = true;
    if (o->terminating)
        buf_adds(&b, "it is being deleted");
    else if (!o->observed_generation_current)
        buf_adds(&b, "its controller has not seen the present spec yet");
    else if (o->paused)
        buf_adds(&b, "it is paused");
    else if (o->desired <= 0)
        buf_adds(&b, "it wants no replicas");
    else if (o->deadline_exceeded)
        buf_adds(&b, "the rollout exceeded its progress deadline");
    else if (o->updated < o->desired)
        buf_addf(&b, "%d of %d pods have the present template", (int)o->updated, (int)o->desired);
    else if (o->ready < o->desired)
        buf_addf(&b, "%d of %d pods are ready", (int)o->ready, (int)o->desired);
    else if (!o->rollout_complete)
        buf_addf(&b, "the rollout is not complete: %d pods, %d with the present template, %d available",
                 (int)o->total, (int)o->updated, (int)o->available);
    if (!b.len && !b.failed)
        return NULL;
    char *text = buf_detach(&b);
    *ret_ok = text != NULL;
    return text;
}

struct count {
    int32_t live;
    uint64_t revision;
    bool mixed;
    const struct pod *bad;
};

static void count_pods(struct count *c, const struct node *n)
{
    for (const struct pod *p = n->pods; p; p = p->next) {
        if (!p->live)
            continue;
        if (c->live == 0)
            c->revision = p->revision;
        c->mixed = c->mixed || p->revision != c->revision;
        c->live++;
        if (p->problem && !c->bad)
            c->bad = p;
    }
}

void watch_judge(struct buf *ret, const struct workload *w)
{
    struct count c = { .live = 0 };
    count_pods(&c, w->node);
    for (const struct node *child = w->node->children; child; child = child->next)
        count_pods(&c, child);
    if (w->own_problem)
        buf_adds(ret, w->own_problem);
    if (c.bad)
        buf_addf(ret, "%s%s", ret->len ? "; " : "", c.bad->problem);
    if (ret->len || ret->failed)
        return;
    if (c.live < w->desired)
        buf_addf(ret, "%d of its %d pods are to be seen", (int)c.live, (int)w->desired);
    else if (c.mixed)
        buf_adds(ret, "its pods are of more than one template revision");
}

bool watch_scope_listed(const struct scope *s)
{
    for (size_t k = 0; k < WATCH_KINDS; k++)
        if (!s->listed[k])
            return false;
    return true;
}

bool watch_scope_away(const struct scope *s, int64_t now_ms, int64_t patience_ms)
{
    for (size_t k = 0; k < WATCH_KINDS; k++)
        if (s->away_ms[k] && now_ms - s->away_ms[k] > patience_ms)
            return true;
    return false;
}
