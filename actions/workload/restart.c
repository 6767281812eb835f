/* actions/workload/restart.c - replace all pods the way kubectl rollout restart does: a new annotation in the
 * pod template. */
#include <stdio.h>

#include "actions/workload/write.h"

/* Strategic merge, so that only what is named changes; uid and resourceVersion in it are preconditions (409).
 */
static void restart_body(struct json_writer *w, const struct intent *i)
{
    jw_object(w);
    jw_key(w, "metadata");
    jw_object(w);
    jw_kstring(w, "uid", i->target.uid);
    jw_kstring(w, "resourceVersion", i->resource_version);
    jw_key(w, "annotations");
    jw_object(w);
    write_hints(w, i);
    jw_object_end(w);
    jw_object_end(w);
    jw_key(w, "spec");
    jw_object(w);
    jw_key(w, "template");
    jw_object(w);
    jw_key(w, "metadata");
    jw_object(w);
    jw_key(w, "annotations");
    jw_object(w);
    jw_kstring(w, "kubectl.kubernetes.io/restartedAt", i->restarted_at);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
}

void action_restart(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    char grant[64];
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    restart_body(w, i);
    snprintf(grant, sizeof grant, "patch %s", write_resource(i->target.kind));
    struct write what = {
        .verb = "patch",
        .kind = i->target.kind,
        .name = i->target.name,
        .content_type = "application/strategic-merge-patch+json",
        .grant = grant,
    };
    write_send(c, i, &what, w, ret);
}
