/* actions/workload/evict_pod.c - take one pod away through the eviction API, which honours
 * PodDisruptionBudgets.
 *
 * 429 is the budget's answer: nothing was done, and it is tried again. */
#include <string.h>

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
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    evict_body(w, i);
    struct write what = {
        .verb = "create",
        .kind = "Pod",
        .name = i->pod_name,
        .subresource = "eviction",
        .content_type = "application/json",
        .grant = "create pods/eviction",
    };
    long status = write_send(c, i, &what, w, ret);
    if (status == 404)
        write_say(ret, ACT_DONE, "the pod was gone already");
    else if (status == 409)
        write_gone_after_conflict(c, i, ret);
}
