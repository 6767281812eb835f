/* actions/workload/delete_pod.c - delete one pod, so that its controller makes another. */
#include "actions/workload/write.h"

/* No gracePeriodSeconds: the pod's own counts. */
static void delete_body(struct json_writer *w, const struct intent *i)
{
    jw_object(w);
    jw_kstring(w, "apiVersion", "v1");
    jw_kstring(w, "kind", "DeleteOptions");
    jw_key(w, "preconditions");
    jw_object(w);
    jw_kstring(w, "uid", i->pod_uid);
    jw_object_end(w);
    jw_kstring(w, "propagationPolicy", "Background");
    jw_object_end(w);
}

void action_delete_pod(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    delete_body(w, i);
    struct write what = {
        .verb = "delete",
        .kind = "Pod",
        .name = i->pod_name,
        .content_type = "application/json",
        .grant = "delete pods",
    };
    long status = write_send(c, i, &what, w, ret);
    if (status == 404)
        write_say(ret, ACT_DONE, "the pod was gone already");
    else if (status == 409)
        write_gone_after_conflict(c, i, ret);
}
