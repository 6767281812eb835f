/* receiver/decode/jenkins.c - Jenkins: the notification plugin's body, and the flat one that a pipeline's own
 * step sends ({ job, build_number, result, url, ... }). Source: jenkinsci/notification-plugin. */
#include <stdlib.h>

#include "receiver/decode/event.h"

enum {
    NAME = 1,
    PATH, /* "job/shop/job/checkout/" */
    BUILD_NUMBER,
    BUILD_PHASE,
    BUILD_STATUS,
    BUILD_URL,
    BUILD_BEGAN,
    BUILD_TOOK,
    SCM_URL,
    SCM_BRANCH,
    SCM_COMMIT,
    PARAM_ENVIRONMENT,
    PARAM_environment,
    PARAM_SERVICE,
    PARAM_service,
    PARAM_NAMESPACE,
    JOB,
    NUMBER,
    RESULT,
    ENVIRONMENT,
    SERVICE,
    NAMESPACE,
    COMMIT,
    BRANCH,
    REPOSITORY,
    FIELDS_END
};

static const char *const paths[FIELDS_END] = {
    [NAME] = "name",
    [PATH] = "url",
    [BUILD_NUMBER] = "build.number",
    [BUILD_PHASE] = "build.phase",
    [BUILD_STATUS] = "build.status",
    [BUILD_URL] = "build.full_url",
    [BUILD_BEGAN] = "build.timestamp",
    [BUILD_TOOK] = "build.duration",
    [SCM_URL] = "build.scm.url",
    [SCM_BRANCH] = "build.scm.branch",
    [SCM_COMMIT] = "build.scm.commit",
    [PARAM_ENVIRONMENT] = "build.parameters.ENVIRONMENT",
    [PARAM_environment] = "build.parameters.environment",
    [PARAM_SERVICE] = "build.parameters.SERVICE",
    [PARAM_service] = "build.parameters.service",
    [PARAM_NAMESPACE] = "build.parameters.NAMESPACE",
    [JOB] = "job",
    [NUMBER] = "build_number",
    [RESULT] = "result",
    [ENVIRONMENT] = "environment",
    [SERVICE] = "service",
    [NAMESPACE] = "namespace",
    [COMMIT] = "commit",
    [BRANCH] = "branch",
    [REPOSITORY] = "repository",
};

static const struct event_label labels[] = {
    { "repository", LABEL_SHARED, { SCM_URL, REPOSITORY }, "Address of the repository." },
    { "job",
      LABEL_SHARED,
      { JOB, PATH, NAME },
      "Path of the job through its folders: `shop/deploy-checkout`." },
    { "branch", LABEL_SHARED, { SCM_BRANCH, BRANCH }, "Branch or tag." },
    { "environment",
      LABEL_SHARED,
      { PARAM_ENVIRONMENT, PARAM_environment, ENVIRONMENT },
      "The build's parameter `ENVIRONMENT`, or the body's `environment`." },
    { "service",
      LABEL_SHARED,
      { PARAM_SERVICE, PARAM_service, SERVICE },
      "The build's parameter `SERVICE`, or the body's `service`." },
    { "namespace",
      LABEL_SHARED,
      { PARAM_NAMESPACE, NAMESPACE },
      "The build's parameter `NAMESPACE`, or the body's `namespace`." },
    { "commit", LABEL_RUN, { SCM_COMMIT, COMMIT }, "The commit." },
    { "run", LABEL_RUN, { BUILD_NUMBER, NUMBER }, "Number of the build." },
    { "url", LABEL_RUN, { BUILD_URL, PATH }, "Page of the build." },
    { .name = NULL },
};

static int64_t number(const struct event *v, unsigned field)
{
    char *end = NULL;
    const char *text = event_field(v, field);
    long long n = strtoll(text, &end, 10);
    return *text && !*end && n > 0 && n < (1ll << 53) ? n : 0;
}

/* COMPLETED and FINALIZED come for one build, with equal labels. */
static void judge(const struct event *v, struct event_outcome *ret)
{
    bool plugin = *event_field(v, BUILD_PHASE);
    const char *word = event_field(v, plugin ? BUILD_STATUS : RESULT);
    if (plugin && !event_word(event_field(v, BUILD_PHASE), "COMPLETED|FINALIZED"))
        return;
    int64_t began = number(v, BUILD_BEGAN);
    ret->alertname = "PipelineFailed";
    ret->conclusion = word;
    ret->at_ms = began ? began + number(v, BUILD_TOOK) : 0;
    ret->verdict = event_word(word, "SUCCESS")            ? EVENT_SUCCEEDED
                   : event_word(word, "FAILURE|UNSTABLE") ? EVENT_FAILED
                                                          : EVENT_IGNORED;
}

const struct event_spec event_jenkins = {
    .paths = paths,
    .paths_len = FIELDS_END,
    .labels = labels,
    .judge = judge,
    .credential = "`user` and `password_file`, as the notification plugin takes them from its URL; or "
                  "`token_file`, with `header` where it is not `Authorization`.",
    .looks_at =
        "The notification plugin's `COMPLETED` and `FINALIZED`, or a body `{ job, build_number, result, url, "
        "environment, service, commit }`; `SUCCESS` ends, `FAILURE` and `UNSTABLE` fire.",
    .answers = "The plugin takes any answer for delivered, and sends again only when there was none.",
};
