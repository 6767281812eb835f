/* actions/workload/set_hpa.c - set the least and the most that a workload's HorizontalPodAutoscaler may make
 * of it. */
#include <string.h>

#include "actions/change.h"

struct search {
    const struct target *target;
    char name[OBJECT_NAME_SIZE];
    unsigned found;
};

static bool take(void *ctx, const struct json *hpa)
{
    struct search *s = ctx;
    const struct json *ref = json_path(hpa, "spec.scaleTargetRef");
    if (strcmp(json_string(json_get(ref, "kind"), ""), s->target->kind) == 0 &&
        strcmp(json_string(json_get(ref, "name"), ""), s->target->name) == 0 &&
        text_copy(s->name, sizeof s->name, json_string(json_path(hpa, "metadata.name"), "")))
        s->found++;
    return true;
}

static void decide(const struct change_ask *a, struct change_draft *d, const struct json *hpa)
{
    int64_t least = json_int(json_path(hpa, "spec.minReplicas"), 1),
            most = json_int(json_path(hpa, "spec.maxReplicas"), 0),
            now = json_int(json_path(hpa, "status.currentReplicas"), 0);
    int64_t to_least = change_int(a, "min") ? change_int(a, "min") : least,
            to_most = change_int(a, "max") ? change_int(a, "max") : most;
    if (to_least > to_most)
        draft_refuse(d, "the least would be %lld and the most %lld", (long long)to_least, (long long)to_most);
    else if (to_most < now)
        draft_refuse(d, "it has %lld replicas now: a most of %lld would take away some of them",
                     (long long)now, (long long)to_most);
    else if (to_least == least && to_most == most)
        draft_refuse(d, "its bounds are %lld and %lld already", (long long)least, (long long)most);
    if (to_least != least)
        draft_set_int(d, "/spec/minReplicas", to_least);
    if (to_most != most)
        draft_set_int(d, "/spec/maxReplicas", to_most);
    draft_say(d, "HorizontalPodAutoscaler \"%s\" from %lld..%lld to %lld..%lld replicas",
              json_string(json_path(hpa, "metadata.name"), ""), (long long)least, (long long)most,
              (long long)to_least, (long long)to_most);
}

void prepare_set_hpa(const struct change_ask *a, struct change_draft *d)
{
    CLEANUP(json_freep) struct json_doc *hpa = NULL;
    struct search s = { .target = a->target };
    struct err e = ERR_INIT;
    enum err_code code = kube_list(a->cluster, a->http, "HorizontalPodAutoscaler", a->target->namespace, NULL,
                                   take, &s, NULL, &e);
    if (!code && s.found == 1)
        code =
            kube_get(a->cluster, a->http, "HorizontalPodAutoscaler", a->target->namespace, s.name, &hpa, &e);
    if (code == ERR_REFUSED)
        draft_refuse(d, "its HorizontalPodAutoscaler cannot be read: %s", e.msg);
    else if (code)
        draft_unread(d, code, &e);
    else if (s.found != 1)
        draft_refuse(d, "%u HorizontalPodAutoscalers scale it, not one", s.found);
    else {
        const struct json *object = json_root(hpa);
        draft_on(d, "HorizontalPodAutoscaler", TAKE(hpa));
        decide(a, d, object);
    }
}
