/* receiver/decode/github.c - GitHub's webhooks: workflow_run, workflow_job, check_run, deployment_status;
 * ping and every other event are answered and ignored. Source: octokit/webhooks, payload-schemas. */
#include <string.h>

#include "receiver/decode/event.h"

enum {
    ACTION = 1,
    REPOSITORY,
    RUN_WORKFLOW,
    RUN_ID,
    RUN_ATTEMPT,
    RUN_CONCLUSION,
    RUN_BRANCH,
    RUN_SHA,
    RUN_UPDATED,
    RUN_URL,
    RUN_TITLE,
    RUN_ACTOR,
    JOB_WORKFLOW,
    JOB_NAME,
    JOB_RUN,
    JOB_ATTEMPT,
    JOB_CONCLUSION,
    JOB_BRANCH,
    JOB_SHA,
    JOB_COMPLETED,
    JOB_URL,
    CHECK_NAME,
    CHECK_APP,
    CHECK_CONCLUSION,
    CHECK_BRANCH,
    CHECK_SHA,
    CHECK_COMPLETED,
    CHECK_URL,
    CHECK_TITLE,
    STATUS_STATE,
    STATUS_ENVIRONMENT,
    STATUS_CREATED,
    STATUS_URL,
    STATUS_LOG,
    STATUS_DESCRIPTION,
    DEPLOYMENT_REF,
    DEPLOYMENT_SHA,
    DEPLOYMENT_TASK,
    DEPLOYMENT_NAMESPACE,
    DEPLOYMENT_WORKLOAD,
    WORKFLOW_NAME,
    SENDER,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [ACTION] = "action",
    [REPOSITORY] = "repository.full_name",
    [RUN_WORKFLOW] = "workflow_run.name",
    [RUN_ID] = "workflow_run.id",
    [RUN_ATTEMPT] = "workflow_run.run_attempt",
    [RUN_CONCLUSION] = "workflow_run.conclusion",
    [RUN_BRANCH] = "workflow_run.head_branch",
    [RUN_SHA] = "workflow_run.head_sha",
    [RUN_UPDATED] = "workflow_run.updated_at",
    [RUN_URL] = "workflow_run.html_url",
    [RUN_TITLE] = "workflow_run.display_title",
    [RUN_ACTOR] = "workflow_run.actor.login",
    [JOB_WORKFLOW] = "workflow_job.workflow_name",
    [JOB_NAME] = "workflow_job.name",
    [JOB_RUN] = "workflow_job.run_id",
    [JOB_ATTEMPT] = "workflow_job.run_attempt",
    [JOB_CONCLUSION] = "workflow_job.conclusion",
    [JOB_BRANCH] = "workflow_job.head_branch",
    [JOB_SHA] = "workflow_job.head_sha",
    [JOB_COMPLETED] = "workflow_job.completed_at",
    [JOB_URL] = "workflow_job.html_url",
    [CHECK_NAME] = "check_run.name",
    [CHECK_APP] = "check_run.app.name",
    [CHECK_CONCLUSION] = "check_run.conclusion",
    [CHECK_BRANCH] = "check_run.check_suite.head_branch",
    [CHECK_SHA] = "check_run.head_sha",
    [CHECK_COMPLETED] = "check_run.completed_at",
    [CHECK_URL] = "check_run.html_url",
    [CHECK_TITLE] = "check_run.output.title",
    [STATUS_STATE] = "deployment_status.state",
    [STATUS_ENVIRONMENT] = "deployment_status.environment",
    [STATUS_CREATED] = "deployment_status.created_at",
    [STATUS_URL] = "deployment_status.target_url",
    [STATUS_LOG] = "deployment_status.log_url",
    [STATUS_DESCRIPTION] = "deployment_status.description",
    [DEPLOYMENT_REF] = "deployment.ref",
    [DEPLOYMENT_SHA] = "deployment.sha",
    [DEPLOYMENT_TASK] = "deployment.task",
    [DEPLOYMENT_NAMESPACE] = "deployment.payload.namespace",
    [DEPLOYMENT_WORKLOAD] = "deployment.payload.workload",
    [WORKFLOW_NAME] = "workflow.name",
    [SENDER] = "sender.login",
};

static const struct event_label labels[] = {
    { "repository", LABEL_SHARED, { REPOSITORY }, "Owner and name: `shop/checkout`." },
    { "workflow",
      LABEL_SHARED,
      { RUN_WORKFLOW, JOB_WORKFLOW, WORKFLOW_NAME, CHECK_APP },
      "Name of the workflow; of a check, the app that made it." },
    { "job",
      LABEL_SHARED,
      { JOB_NAME, CHECK_NAME, DEPLOYMENT_TASK },
      "Name of the job, the check or the task." },
    { "branch", LABEL_SHARED, { DEPLOYMENT_REF, RUN_BRANCH, JOB_BRANCH, CHECK_BRANCH }, "Branch or tag." },
    { "environment", LABEL_SHARED, { STATUS_ENVIRONMENT }, "Where a deployment went." },
    { "namespace", LABEL_SHARED, { DEPLOYMENT_NAMESPACE }, "`namespace` of the deployment's payload." },
    { "workload", LABEL_SHARED, { DEPLOYMENT_WORKLOAD }, "`workload` of the deployment's payload." },
    { "commit", LABEL_RUN, { DEPLOYMENT_SHA, RUN_SHA, JOB_SHA, CHECK_SHA }, "The commit, whole." },
    { "run", LABEL_RUN, { RUN_ID, JOB_RUN }, "Number of the workflow's run, as its API takes it." },
    { "attempt", LABEL_RUN, { RUN_ATTEMPT, JOB_ATTEMPT }, "Which attempt of the run, from 1." },
    { "url",
      LABEL_RUN,
      { STATUS_LOG, STATUS_URL, JOB_URL, CHECK_URL, RUN_URL },
      "Page of the run, the job or the check." },
    { "summary",
      LABEL_LINE,
      { STATUS_DESCRIPTION, CHECK_TITLE, RUN_TITLE },
      "What GitHub shows as its title." },
    { "actor", LABEL_NOTE, { RUN_ACTOR, SENDER }, "Who began it." },
    { .name = NULL },
};

#define WELL "success"
#define WRONG "failure|timed_out|startup_failure|error"

static enum event_verdict verdict_of(const char *word)
{
    return event_word(word, WELL) ? EVENT_SUCCEEDED : event_word(word, WRONG) ? EVENT_FAILED : EVENT_IGNORED;
}

/* The event's name is a header, and has to fit what the body holds. */
static void judge(const struct event *v, struct event_outcome *ret)
{
    static const struct {
        const char *event, *alertname;
        unsigned conclusion, ended;
    } events[] = {
        { "deployment_status", "DeploymentFailed", STATUS_STATE, STATUS_CREATED },
        { "workflow_job", "JobFailed", JOB_CONCLUSION, JOB_COMPLETED },
        { "check_run", "CheckFailed", CHECK_CONCLUSION, CHECK_COMPLETED },
        { "workflow_run", "PipelineFailed", RUN_CONCLUSION, RUN_UPDATED },
    };
    const char *name = event_header(v, "X-GitHub-Event");
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (*name ? strcmp(name, events[i].event) != 0 : !*event_field(v, events[i].conclusion))
            continue;
        bool over = i == 0 || event_is(v, ACTION, "completed");
        ret->conclusion = event_field(v, events[i].conclusion);
        ret->verdict = over ? verdict_of(ret->conclusion) : EVENT_IGNORED;
        ret->alertname = events[i].alertname;
        ret->at_ms = event_time(v, events[i].ended);
        return;
    }
}

const struct event_spec event_github = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .id_headers = { "X-GitHub-Delivery" },
    .credential =
        "`secret_file`: the webhook's secret (`X-Hub-Signature-256`). JSON, or a form with `payload`.",
    .looks_at = "`workflow_run`, `workflow_job`, `check_run` when they are completed, `deployment_status`; "
                "success ends, `failure`, `timed_out`, `startup_failure` and `error` fire.",
    .answers = "GitHub gives it 10 s and repeats nothing by itself: what was answered 503 has to be "
               "redelivered from its settings.",
};
