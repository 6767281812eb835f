/* receiver/decode/circleci.c - CircleCI's outbound webhooks: workflow-completed and job-completed; ping is
 * answered and ignored. Source: circleci/circleci-docs, outbound-webhooks-reference. */
#include "receiver/decode/event.h"

enum {
    ID = 1,
    TYPE,
    HAPPENED,
    PROJECT,
    SLUG,
    ORGANIZATION,
    WORKFLOW,
    WORKFLOW_ID,
    WORKFLOW_STATUS,
    WORKFLOW_STOPPED,
    WORKFLOW_URL,
    JOB,
    JOB_NUMBER,
    JOB_STATUS,
    JOB_STOPPED,
    PIPELINE,
    VCS_BRANCH,
    VCS_TAG,
    VCS_REVISION,
    VCS_SUBJECT,
    GIT_BRANCH,
    GIT_TAG,
    GIT_SHA,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [ID] = "id",
    [TYPE] = "type",
    [HAPPENED] = "happened_at",
    [PROJECT] = "project.name",
    [SLUG] = "project.slug",
    [ORGANIZATION] = "organization.name",
    [WORKFLOW] = "workflow.name",
    [WORKFLOW_ID] = "workflow.id",
    [WORKFLOW_STATUS] = "workflow.status",
    [WORKFLOW_STOPPED] = "workflow.stopped_at",
    [WORKFLOW_URL] = "workflow.url",
    [JOB] = "job.name",
    [JOB_NUMBER] = "job.number",
    [JOB_STATUS] = "job.status",
    [JOB_STOPPED] = "job.stopped_at",
    [PIPELINE] = "pipeline.number",
    [VCS_BRANCH] = "pipeline.vcs.branch",
    [VCS_TAG] = "pipeline.vcs.tag",
    [VCS_REVISION] = "pipeline.vcs.revision",
    [VCS_SUBJECT] = "pipeline.vcs.commit.subject",
    [GIT_BRANCH] = "pipeline.trigger_parameters.git.branch",
    [GIT_TAG] = "pipeline.trigger_parameters.git.tag",
    [GIT_SHA] = "pipeline.trigger_parameters.git.checkout_sha",
};

static const struct event_label labels[] = {
    { "repository", LABEL_SHARED, { SLUG, PROJECT }, "Slug of the project: `github/shop/checkout`." },
    { "organization", LABEL_SHARED, { ORGANIZATION }, "Name of the organization." },
    { "workflow", LABEL_SHARED, { WORKFLOW }, "Name of the workflow." },
    { "job", LABEL_SHARED, { JOB }, "Name of the job." },
    { "branch", LABEL_SHARED, { VCS_BRANCH, GIT_BRANCH, VCS_TAG, GIT_TAG }, "Branch or tag." },
    { "commit", LABEL_RUN, { VCS_REVISION, GIT_SHA }, "The commit." },
    { "run", LABEL_RUN, { WORKFLOW_ID }, "Id of the workflow's run, as its API takes it." },
    { "job_run", LABEL_RUN, { JOB_NUMBER }, "Number of the job's run." },
    { "pipeline", LABEL_RUN, { PIPELINE }, "Number of the pipeline." },
    { "url", LABEL_RUN, { WORKFLOW_URL }, "Page of the workflow." },
    { "summary", LABEL_LINE, { VCS_SUBJECT }, "Title of the commit." },
    { .name = NULL },
};

static void judge(const struct event *v, struct event_outcome *ret)
{
    bool job = event_is(v, TYPE, "job-completed");
    if (!job && !event_is(v, TYPE, "workflow-completed"))
        return;
    ret->alertname = job ? "JobFailed" : "PipelineFailed";
    ret->conclusion = event_field(v, job ? JOB_STATUS : WORKFLOW_STATUS);
    ret->at_ms = event_time(v, job ? JOB_STOPPED : WORKFLOW_STOPPED);
    if (!ret->at_ms)
        ret->at_ms = event_time(v, HAPPENED);
    ret->verdict = event_word(ret->conclusion, "success")                     ? EVENT_SUCCEEDED
                   : event_word(ret->conclusion, "failed|error|unauthorized") ? EVENT_FAILED
                                                                              : EVENT_IGNORED;
}

const struct event_spec event_circleci = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .id_field = ID,
    .credential = "`secret_file`: the webhook's secret (`circleci-signature`, v1).",
    .looks_at = "`workflow-completed` and `job-completed`; `success` ends, `failed`, `error` and "
                "`unauthorized` fire.",
    .answers = "CircleCI repeats what was not answered 2xx within 10 s.",
};
