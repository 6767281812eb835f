/* receiver/decode/argocd.c - Argo CD notifications. Their body is whatever the template says; this is the one
 * of deploy's example: app, namespace, project, cluster, revision, sync_status, health_status,
 * operation_phase, message, repo, url, trigger. Source: argoproj/argo-cd docs/operator-manual/notifications.
 */
#include "receiver/decode/event.h"

enum {
    APP = 1,
    TRIGGER,
    NAMESPACE,
    PROJECT,
    CLUSTER,
    REVISION,
    SYNC,
    HEALTH,
    PHASE,
    MESSAGE,
    REPOSITORY,
    URL,
    FINISHED,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [APP] = "app",
    [TRIGGER] = "trigger",
    [NAMESPACE] = "namespace",
    [PROJECT] = "project",
    [CLUSTER] = "cluster",
    [REVISION] = "revision",
    [SYNC] = "sync_status",
    [HEALTH] = "health_status",
    [PHASE] = "operation_phase",
    [MESSAGE] = "message",
    [REPOSITORY] = "repo",
    [URL] = "url",
    [FINISHED] = "finished_at",
};

static const struct event_label labels[] = {
    { "application", LABEL_SHARED, { APP }, "Name of the application." },
    { "namespace", LABEL_SHARED, { NAMESPACE }, "Namespace that the application deploys to." },
    { "project", LABEL_SHARED, { PROJECT }, "The application's project." },
    { "destination", LABEL_SHARED, { CLUSTER }, "Address of the cluster as Argo CD calls it." },
    { "repository", LABEL_SHARED, { REPOSITORY }, "Address of the repository." },
    { "commit", LABEL_RUN, { REVISION }, "The revision." },
    { "sync", LABEL_RUN, { SYNC }, "`Synced`, `OutOfSync`, `Unknown`." },
    { "health", LABEL_RUN, { HEALTH }, "`Healthy`, `Degraded`, `Missing`, ..." },
    { "phase", LABEL_RUN, { PHASE }, "Phase of the last operation." },
    { "url", LABEL_RUN, { URL }, "Page of the application." },
    { "summary", LABEL_LINE, { MESSAGE }, "What Argo CD says of it." },
    { "trigger", LABEL_NOTE, { TRIGGER }, "Trigger of the notification." },
    { "finished", LABEL_NOTE, { FINISHED }, "When the last operation ended." },
    { .name = NULL },
};

/* An application is a state, and gets worse without an operation: it counts from when it was told. */
static void judge(const struct event *v, struct event_outcome *ret)
{
    const char *health = event_field(v, HEALTH), *phase = event_field(v, PHASE);
    bool failed = event_word(phase, "Failed|Error"), degraded = event_word(health, "Degraded|Missing");
    if (!*event_field(v, APP))
        return;
    ret->alertname = "ApplicationFailed";
    ret->conclusion = failed ? phase : health;
    if (failed || degraded)
        ret->verdict = EVENT_FAILED;
    else if (event_word(health, "Healthy") && (!*phase || event_word(phase, "Succeeded")))
        ret->verdict = EVENT_SUCCEEDED;
}

const struct event_spec event_argocd = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .credential = "`token_file`: a header of the webhook service, `Authorization: Bearer ...`.",
    .looks_at =
        "A body `{ app, namespace, project, cluster, revision, sync_status, health_status, operation_phase, "
        "message, repo, url, trigger }`, which the template of any trigger sends: `Degraded`, `Missing`, "
        "`Failed` and `Error` fire; `Healthy` after an operation that succeeded ends.",
    .answers = "Argo CD repeats what was answered 5xx, three times.",
};
