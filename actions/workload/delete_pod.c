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
    struct write what = { .verb = "delete", .grant = "delete pods" };
    write_take_pod(c, i, &what, delete_body, ret);
}
