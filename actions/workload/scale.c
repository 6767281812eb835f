/* actions/workload/scale.c - set the number of replicas through the scale subresource. */
#include <stdio.h>
#include <string.h>

#include "actions/workload/write.h"

void action_scale(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    char grant[64];
    memset(ret, 0, sizeof *ret);
    if (strcmp(i->target.kind, "DaemonSet") == 0) {
        write_say(ret, ACT_FAILED,
                  "a DaemonSet has no replicas: it runs one pod on each node that it selects");
        return;
    }
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    /* The Scale has uid and resourceVersion of the workload itself: preconditions, 409 on mismatch. It keeps
     * no annotations. */
    jw_object(w);
    jw_key(w, "metadata");
    jw_object(w);
    jw_kstring(w, "uid", i->target.uid);
    jw_kstring(w, "resourceVersion", i->resource_version);
    jw_object_end(w);
    jw_key(w, "spec");
    jw_object(w);
    jw_kint(w, "replicas", i->replicas);
    jw_object_end(w);
    jw_object_end(w);
    snprintf(grant, sizeof grant, "patch %s/scale", write_resource(i->target.kind));
    struct write what = {
        .verb = "patch",
        .kind = i->target.kind,
        .name = i->target.name,
        .subresource = "scale",
        .content_type = "application/merge-patch+json",
        .grant = grant,
    };
    write_send(c, i, &what, w, ret);
}
