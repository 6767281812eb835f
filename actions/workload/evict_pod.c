/* actions/workload/evict_pod.c - take one pod away through the eviction API, which honours
 * PodDisruptionBudgets.
 *
 * 429 is the budget's answer: nothing was done, and it is tried again. */
#include "actions/workload/write.h"

static void evict_body(struct json_writer *w, const struct intent *i)
{
    jw_object(w);
    jw_kstring(w, "apiVersion", "policy/v1");
    jw_kstring(w, "kind", "Eviction");
    jw_key(w, "metadata");
    jw_object(w);
    jw_kstring(w, "name", i->pod_name);
    jw_kstring(w, "namespace", i->target.namespace);
    jw_object_end(w);
    jw_key(w, "deleteOptions");
    jw_object(w);
    jw_key(w, "preconditions");
    jw_object(w);
    jw_kstring(w, "uid", i->pod_uid);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
}

void action_evict_pod(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    struct write what = { .verb = "create", .subresource = "eviction", .grant = "create pods/eviction" };
    write_take_pod(c, i, &what, evict_body, ret);
}
