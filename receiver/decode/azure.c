/* receiver/decode/azure.c - Azure DevOps service hooks: builds (both generations), release deployments, and
 * runs, stages and jobs of YAML pipelines. Source: MicrosoftDocs/azure-devops-docs
 * docs/service-hooks/events.md. */
#include "receiver/decode/event.h"

enum {
    ID = 1,
    TYPE,
    CREATED,
    MESSAGE,
    PROJECT,
    CONTAINER_PROJECT,
    REPOSITORY,
    REPOSITORY_ID,
    BUILD_ID,
    BUILD_RESULT,
    BUILD_STATUS,
    BUILD_FINISHED,
    BUILD_LINK,
    BUILD_URL,
    DEFINITION,
    BRANCH,
    COMMIT,
    VERSION,
    RELEASE_ENVIRONMENT,
    RELEASE_STATUS,
    RELEASE_ID,
    RELEASE_DEFINITION,
    RELEASE_URL,
    PIPELINE,
    RUN_ID,
    RUN_STATE,
    RUN_RESULT,
    RUN_FINISHED,
    RUN_URL,
    STAGE_NAME,
    STAGE_STATE,
    STAGE_RESULT,
    STAGE_ID,
    JOB_NAME,
    JOB_STATE,
    JOB_RESULT,
    JOB_ID,
    ATTEMPT,
    ACTOR,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [ID] = "id",
    [TYPE] = "eventType",
    [CREATED] = "createdDate",
    [MESSAGE] = "message.text",
    [PROJECT] = "resource.project.name",
    [CONTAINER_PROJECT] = "resourceContainers.project.id",
    [REPOSITORY] = "resource.repository.name",
    [REPOSITORY_ID] = "resource.repository.id",
    [BUILD_ID] = "resource.id",
    [BUILD_RESULT] = "resource.result",
    [BUILD_STATUS] = "resource.status",
    [BUILD_FINISHED] = "resource.finishTime",
    [BUILD_LINK] = "resource._links.web.href",
    [BUILD_URL] = "resource.url",
    [DEFINITION] = "resource.definition.name",
    [BRANCH] = "resource.sourceBranch",
    [COMMIT] = "resource.sourceVersion",
    [VERSION] = "resource.sourceGetVersion",
    [RELEASE_ENVIRONMENT] = "resource.environment.name",
    [RELEASE_STATUS] = "resource.environment.status",
    [RELEASE_ID] = "resource.environment.releaseId",
    [RELEASE_DEFINITION] = "resource.environment.releaseDefinition.name",
    [RELEASE_URL] = "resource.environment.release.url",
    [PIPELINE] = "resource.pipeline.name",
    [RUN_ID] = "resource.run.id",
    [RUN_STATE] = "resource.run.state",
    [RUN_RESULT] = "resource.run.result",
    [RUN_FINISHED] = "resource.run.finishedDate",
    [RUN_URL] = "resource.run.url",
    [STAGE_NAME] = "resource.stage.name",
    [STAGE_STATE] = "resource.stage.state",
    [STAGE_RESULT] = "resource.stage.result",
    [STAGE_ID] = "resource.stage.id",
    [JOB_NAME] = "resource.job.name",
    [JOB_STATE] = "resource.job.state",
    [JOB_RESULT] = "resource.job.result",
    [JOB_ID] = "resource.job.id",
    [ATTEMPT] = "resource.attemptId",
    [ACTOR] = "resource.requestedFor.displayName",
};

static const struct event_label labels[] = {
    { "project", LABEL_SHARED, { PROJECT }, "Name of the project." },
    { "repository", LABEL_SHARED, { REPOSITORY, REPOSITORY_ID }, "Name of the repository, or its id." },
    { "workflow",
      LABEL_SHARED,
      { DEFINITION, RELEASE_DEFINITION, PIPELINE },
      "Name of the build's or release's definition, or of the pipeline." },
    { "stage", LABEL_SHARED, { STAGE_NAME }, "Stage of a YAML pipeline." },
    { "job", LABEL_SHARED, { JOB_NAME }, "Job of a YAML pipeline." },
    { "branch", LABEL_SHARED, { BRANCH, VERSION }, "Branch or tag." },
    { "environment", LABEL_SHARED, { RELEASE_ENVIRONMENT }, "Stage that a release went to." },
    { "commit", LABEL_RUN, { COMMIT, VERSION }, "The commit." },
    { "run", LABEL_RUN, { RUN_ID, RELEASE_ID, BUILD_ID }, "Number of the build, the release or the run." },
    { "attempt", LABEL_RUN, { ATTEMPT }, "Which attempt of a release." },
    { "url",
      LABEL_RUN,
      { BUILD_LINK, RUN_URL, RELEASE_URL, BUILD_URL },
      "Page of the build, release or run." },
    { "project_id", LABEL_NOTE, { CONTAINER_PROJECT }, "Id of the project." },
    { "summary", LABEL_LINE, { MESSAGE }, "What Azure says of it." },
    { "actor", LABEL_NOTE, { ACTOR }, "Who began it." },
    { .name = NULL },
};

#define WELL "succeeded"
#define WRONG "failed|rejected"

static void judge(const struct event *v, struct event_outcome *ret)
{
    static const struct {
        const char *type, *alertname;
        unsigned state; /* 0: the event says that it is over */
        unsigned conclusion[2], ended;
    } events[] = {
        { "build.complete", "PipelineFailed", 0, { BUILD_RESULT, BUILD_STATUS }, BUILD_FINISHED },
        { "ms.vss-release.deployment-completed-event",
          "DeploymentFailed",
          0,
          { RELEASE_STATUS, RELEASE_STATUS },
          CREATED },
        { "ms.vss-pipelines.run-state-changed-event",
          "PipelineFailed",
          RUN_STATE,
          { RUN_RESULT, RUN_RESULT },
          RUN_FINISHED },
        { "ms.vss-pipelines.stage-state-changed-event",
          "StageFailed",
          STAGE_STATE,
          { STAGE_RESULT, STAGE_RESULT },
          CREATED },
        { "ms.vss-pipelines.job-state-changed-event",
          "JobFailed",
          JOB_STATE,
          { JOB_RESULT, JOB_RESULT },
          CREATED },
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (!event_is(v, TYPE, events[i].type) ||
            (events[i].state && !event_is(v, events[i].state, "completed")))
            continue;
        ret->conclusion = event_field(v, events[i].conclusion[0]);
        if (!*ret->conclusion)
            ret->conclusion = event_field(v, events[i].conclusion[1]);
        ret->alertname = events[i].alertname;
        ret->at_ms = event_time(v, events[i].ended);
        if (!ret->at_ms)
            ret->at_ms = event_time(v, CREATED);
        ret->verdict = event_word(ret->conclusion, WELL)    ? EVENT_SUCCEEDED
                       : event_word(ret->conclusion, WRONG) ? EVENT_FAILED
                                                            : EVENT_IGNORED;
    }
}

const struct event_spec event_azure = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .id_field = ID,
    .credential = "`user` and `password_file`.",
    .looks_at = "`build.complete`, release deployments, and runs, stages and jobs of YAML pipelines that are "
                "completed; `succeeded` ends, `failed` and `rejected` fire.",
    .answers = "Azure repeats what was answered 503 with a growing pause, and disables a subscription that "
               "fails for long.",
};
