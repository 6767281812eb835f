/* receiver/decode/gitlab.c - GitLab's webhooks: pipeline, job and deployment events; every other one is
 * answered and ignored. Source: gitlabhq/gitlabhq doc/user/project/integrations/webhook_events.md. */
#include "receiver/decode/event.h"

enum {
    KIND = 1,
    PROJECT,
    PROJECT_NAME,
    PIPELINE_ID,
    PIPELINE_NAME,
    PIPELINE_REF,
    PIPELINE_SHA,
    PIPELINE_STATUS,
    PIPELINE_FINISHED,
    PIPELINE_URL,
    BUILD_ID,
    BUILD_NAME,
    BUILD_STAGE,
    BUILD_STATUS,
    BUILD_REASON,
    BUILD_MAY_FAIL,
    BUILD_PIPELINE,
    BUILD_FINISHED,
    BUILD_ENVIRONMENT,
    BUILD_URL,
    STATUS,
    STATUS_CHANGED,
    DEPLOYMENT,
    DEPLOYMENT_URL,
    DEPLOYMENT_TITLE,
    ENVIRONMENT,
    TIER,
    SHORT_SHA,
    REF,
    SHA,
    COMMIT_TITLE,
    USER,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [KIND] = "object_kind",
    [PROJECT] = "project.path_with_namespace",
    [PROJECT_NAME] = "project_name",
    [PIPELINE_ID] = "object_attributes.id",
    [PIPELINE_NAME] = "object_attributes.name",
    [PIPELINE_REF] = "object_attributes.ref",
    [PIPELINE_SHA] = "object_attributes.sha",
    [PIPELINE_STATUS] = "object_attributes.status",
    [PIPELINE_FINISHED] = "object_attributes.finished_at",
    [PIPELINE_URL] = "object_attributes.url",
    [BUILD_ID] = "build_id",
    [BUILD_NAME] = "build_name",
    [BUILD_STAGE] = "build_stage",
    [BUILD_STATUS] = "build_status",
    [BUILD_REASON] = "build_failure_reason",
    [BUILD_MAY_FAIL] = "build_allow_failure",
    [BUILD_PIPELINE] = "pipeline_id",
    [BUILD_FINISHED] = "build_finished_at",
    [BUILD_ENVIRONMENT] = "environment.name",
    [BUILD_URL] = "build_url",
    [STATUS] = "status",
    [STATUS_CHANGED] = "status_changed_at",
    [DEPLOYMENT] = "deployment_id",
    [DEPLOYMENT_URL] = "deployable_url",
    [DEPLOYMENT_TITLE] = "commit_title",
    [ENVIRONMENT] = "environment",
    [TIER] = "environment_tier",
    [SHORT_SHA] = "short_sha",
    [REF] = "ref",
    [SHA] = "sha",
    [COMMIT_TITLE] = "commit.title",
    [USER] = "user.username",
};

static const struct event_label labels[] = {
    { "repository", LABEL_SHARED, { PROJECT, PROJECT_NAME }, "Path of the project: `shop/checkout`." },
    { "workflow", LABEL_SHARED, { PIPELINE_NAME }, "Name of the pipeline, where it has one." },
    { "stage", LABEL_SHARED, { BUILD_STAGE }, "Stage of the job." },
    { "job", LABEL_SHARED, { BUILD_NAME }, "Name of the job." },
    { "branch", LABEL_SHARED, { PIPELINE_REF, REF }, "Branch or tag." },
    { "environment", LABEL_SHARED, { ENVIRONMENT, BUILD_ENVIRONMENT }, "Where a deployment or a job went." },
    { "tier", LABEL_SHARED, { TIER }, "Tier of the environment: `production`." },
    { "commit",
      LABEL_RUN,
      { PIPELINE_SHA, SHA, SHORT_SHA },
      "The commit; of a deployment its first digits." },
    { "run",
      LABEL_RUN,
      { PIPELINE_ID, BUILD_PIPELINE, DEPLOYMENT },
      "Number of the pipeline, or the deployment." },
    { "job_run", LABEL_RUN, { BUILD_ID }, "Number of the job's run." },
    { "reason",
      LABEL_RUN,
      { BUILD_REASON },
      "Why the job failed: `script_failure`, `runner_system_failure`." },
    { "url", LABEL_RUN, { PIPELINE_URL, DEPLOYMENT_URL, BUILD_URL }, "Page of the pipeline or the job." },
    { "summary", LABEL_LINE, { COMMIT_TITLE, DEPLOYMENT_TITLE }, "Title of the commit." },
    { "actor", LABEL_NOTE, { USER }, "Who began it." },
    { .name = NULL },
};

static void judge(const struct event *v, struct event_outcome *ret)
{
    static const struct {
        const char *kind, *alertname;
        unsigned conclusion, ended;
    } events[] = {
        { "pipeline", "PipelineFailed", PIPELINE_STATUS, PIPELINE_FINISHED },
        { "build", "JobFailed", BUILD_STATUS, BUILD_FINISHED },
        { "deployment", "DeploymentFailed", STATUS, STATUS_CHANGED },
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (!event_is(v, KIND, events[i].kind))
            continue;
        ret->conclusion = event_field(v, events[i].conclusion);
        ret->alertname = events[i].alertname;
        ret->at_ms = event_time(v, events[i].ended);
        if (event_word(ret->conclusion, "success"))
            ret->verdict = EVENT_SUCCEEDED;
        else if (event_word(ret->conclusion, "failed") && !event_is(v, BUILD_MAY_FAIL, "true"))
            ret->verdict = EVENT_FAILED;
    }
}

const struct event_spec event_gitlab = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .id_headers = { "webhook-id", "Idempotency-Key" },
    .credential = "`token_file`: the secret token (`X-Gitlab-Token`); or `secret_file`: the signing token "
                  "(`webhook-signature`), refused when it is older than 5m.",
    .looks_at =
        "Pipeline, job and deployment events; `success` ends, `failed` fires, unless the job may fail.",
    .answers = "GitLab disables a webhook for good after four answers of 4xx, and for a while after 5xx: "
               "events that are not looked at are answered 200.",
};
