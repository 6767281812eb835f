/* test/unit/source_test.c - what each kind of source sends, and the labels that are made of it. */
#include <criterion/criterion.h>

#include "test/kit/decode_kit.h"
#include "test/kit/sample.h"

/* A sample with some words replaced: pairs of old and new, ends with NULL. */
static char *changed(const char *file, const char *const *words)
{
    size_t len = 0;
    char *text = sample_bytes(file, &len);
    for (; words && *words; words += 2) {
        char *at = strstr(text, words[0]);
        cr_assert_not_null(at, "%s in %s", words[0], file);
        struct buf out = BUF_INIT;
        buf_add(&out, text, (size_t)(at - text));
        buf_addf(&out, "%s%s", words[1], at + strlen(words[0]));
        free(text);
        text = buf_detach(&out);
    }
    return text;
}

static void sample_is(const char *file, enum source_kind kind, const char *headers, const char *wanted)
{
    char *text = changed(file, NULL);
    CLEANUP(seen_end) struct seen whole = decoded(kind, headers, text);
    cr_assert_str_eq(buf_text(&whole.text), wanted, "%s:\n%s", file, buf_text(&whole.text));
    for (size_t piece = 1; piece < 100; piece *= 7) {
        CLEANUP(seen_end) struct seen part = { .alerts = 0 };
        struct err e = ERR_INIT;
        cr_assert_eq(decode(&part, kind, headers, text, strlen(text), piece, &e), ERR_OK, "%s", e.msg);
        cr_assert_str_eq(buf_text(&part.text), wanted, "in pieces of %zu", piece);
    }
    free(text);
}

/* The same, with words replaced. */
static void change_is(const char *file, const char *const *words, enum source_kind kind, const char *headers,
                      const char *wanted)
{
    char *text = changed(file, words);
    CLEANUP(seen_end) struct seen s = decoded(kind, headers, text);
    cr_assert_str_eq(buf_text(&s.text), wanted, "%s:\n%s", file, buf_text(&s.text));
    free(text);
}
#define CHANGE(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(source, grafana_tells_what_fires_with_its_links)
{
    sample_is("grafana-managed-firing.json", SOURCE_GRAFANA, "",
              "firing 2026-08-20T09:40:00.000Z\n"
              "alertname=High error ratio\n"
              "deployment=checkout\n"
              "grafana_folder=Shop\n"
              "namespace=shop\n"
              "severity=critical\n"
              "~dashboard_url=https://grafana.example.com/d/shop-overview?orgId=1\n"
              "~panel_url=https://grafana.example.com/d/shop-overview?orgId=1&viewPanel=4\n"
              "~silence_url=https://grafana.example.com/alerting/silence/"
              "new?alertmanager=grafana&matcher=__alert_rule_uid__%3Dddx2k1v9mq8zka&matcher=namespace%3Dshop&"
              "orgId=1\n"
              "~summary=Error ratio above 5 %\n");
}

Test(source, grafana_tells_what_is_over)
{
    sample_is("grafana-managed-resolved.json", SOURCE_GRAFANA, "",
              "resolved 2026-08-20T09:52:00.000Z\n"
              "alertname=High error ratio\n"
              "deployment=checkout\n"
              "grafana_folder=Shop\n"
              "namespace=shop\n"
              "severity=critical\n"
              "~dashboard_url=https://grafana.example.com/d/shop-overview?orgId=1\n"
              "~panel_url=https://grafana.example.com/d/shop-overview?orgId=1&viewPanel=4\n"
              "~silence_url=https://grafana.example.com/alerting/silence/"
              "new?alertmanager=grafana&matcher=__alert_rule_uid__%3Dddx2k1v9mq8zka&matcher=namespace%3Dshop&"
              "orgId=1\n"
              "~summary=Error ratio above 5 %\n");
}

Test(source, github_a_workflow_fails)
{
    sample_is("github-workflow_run-failure.json", SOURCE_GITHUB, "X-GitHub-Event: workflow_run",
              "firing 2026-08-20T09:06:42.000Z\n"
              "alertname=PipelineFailed\n"
              "attempt=1\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failure\n"
              "repository=example-shop/checkout\n"
              "run=17001234567\n"
              "source=ci\n"
              "url=https://github.com/example-shop/checkout/actions/runs/17001234567\n"
              "workflow=deploy\n"
              "~actor=dev-anna\n"
              "~summary=Raise connection pool size\n");
}

Test(source, github_a_job_fails)
{
    sample_is("github-workflow_job-failure.json", SOURCE_GITHUB, "X-GitHub-Event: workflow_job",
              "firing 2026-08-20T09:06:39.000Z\n"
              "alertname=JobFailed\n"
              "attempt=1\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failure\n"
              "job=rollout\n"
              "repository=example-shop/checkout\n"
              "run=17001234567\n"
              "source=ci\n"
              "url=https://github.com/example-shop/checkout/actions/runs/17001234567/job/48001112223\n"
              "workflow=deploy\n"
              "~actor=dev-anna\n");
}

Test(source, github_a_check_fails)
{
    sample_is("github-check_run-failure.json", SOURCE_GITHUB, "X-GitHub-Event: check_run",
              "firing 2026-08-20T09:06:39.000Z\n"
              "alertname=CheckFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failure\n"
              "job=rollout\n"
              "repository=example-shop/checkout\n"
              "source=ci\n"
              "url=https://github.com/example-shop/checkout/runs/48001112223\n"
              "workflow=GitHub Actions\n"
              "~actor=dev-anna\n");
}

Test(source, github_a_deployment_fails)
{
    sample_is("github-deployment_status-failure.json", SOURCE_GITHUB, "X-GitHub-Event: deployment_status",
              "firing 2026-08-20T09:06:40.000Z\n"
              "alertname=DeploymentFailed\n"
              "attempt=1\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failure\n"
              "environment=production\n"
              "job=deploy\n"
              "namespace=shop\n"
              "repository=example-shop/checkout\n"
              "run=17001234567\n"
              "source=ci\n"
              "url=https://github.com/example-shop/checkout/actions/runs/17001234567/job/48001112223\n"
              "workflow=deploy\n"
              "workload=deployment/checkout\n"
              "~actor=dev-anna\n"
              "~summary=rollout did not finish in 6 minutes\n");
}

Test(source, github_a_ping_is_no_alert)
{
    sample_is("github-ping.json", SOURCE_GITHUB, "X-GitHub-Event: ping", "");
}

Test(source, gitlab_a_pipeline_fails)
{
    sample_is("gitlab-pipeline-failed.json", SOURCE_GITLAB, "X-Gitlab-Event: Pipeline Hook",
              "firing 2026-08-20T09:06:41.000Z\n"
              "alertname=PipelineFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failed\n"
              "repository=shop/checkout\n"
              "run=98765\n"
              "source=ci\n"
              "url=https://gitlab.example.com/shop/checkout/-/pipelines/98765\n"
              "~actor=anna\n"
              "~summary=Raise connection pool size\n");
}

Test(source, gitlab_a_deployment_fails)
{
    sample_is("gitlab-deployment-failed.json", SOURCE_GITLAB, "X-Gitlab-Event: Deployment Hook",
              "firing 2026-08-20T09:06:40.000Z\n"
              "alertname=DeploymentFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e\n"
              "conclusion=failed\n"
              "environment=production\n"
              "repository=shop/checkout\n"
              "run=3321\n"
              "source=ci\n"
              "tier=production\n"
              "url=https://gitlab.example.com/shop/checkout/-/jobs/500102\n"
              "~actor=anna\n"
              "~summary=Raise connection pool size\n");
}

Test(source, jenkins_the_plugin_tells_of_a_build)
{
    sample_is("jenkins-notification-failure.json", SOURCE_JENKINS, "",
              "firing 2026-08-20T09:06:31.327Z\n"
              "alertname=PipelineFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=FAILURE\n"
              "environment=production\n"
              "job=shop/deploy-checkout\n"
              "repository=https://git.example.com/shop/checkout.git\n"
              "run=218\n"
              "service=checkout\n"
              "source=ci\n"
              "url=https://jenkins.example.com/job/shop/job/deploy-checkout/218/\n");
}

Test(source, jenkins_a_pipeline_tells_of_itself)
{
    sample_is("jenkins-generic-failure.json", SOURCE_JENKINS, "",
              "firing 2027-01-15T08:00:00.000Z\n"
              "alertname=PipelineFailed\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=FAILURE\n"
              "environment=production\n"
              "job=shop/deploy-checkout\n"
              "run=218\n"
              "service=checkout\n"
              "source=ci\n"
              "url=https://jenkins.example.com/job/shop/job/deploy-checkout/218/\n");
}

Test(source, azure_a_build_fails)
{
    sample_is("azure-build-complete-failed.json", SOURCE_AZURE, "",
              "firing 2026-08-20T09:06:40.663Z\n"
              "alertname=PipelineFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failed\n"
              "project=Shop\n"
              "repository=d2f1e0c9-8b7a-4695-8f4e-3d2c1b0a9988\n"
              "run=3412\n"
              "source=ci\n"
              "url=https://dev.azure.com/example-shop/Shop/_build/results?buildId=3412\n"
              "workflow=checkout-deploy\n"
              "~actor=Anna Dev\n"
              "~project_id=6d1f0c52-3b8e-4a55-9f1e-0b7a4d2c9e10\n"
              "~summary=Build 20260820.4 failed\n");
}

Test(source, azure_an_old_kind_of_build_goes_well)
{
    sample_is("azure-build-complete-succeeded-v1.json", SOURCE_AZURE, "",
              "resolved 2026-08-20T09:26:10.690Z\n"
              "alertname=PipelineFailed\n"
              "branch=main\n"
              "source=ci\n"
              "workflow=checkout-deploy\n"
              "~project_id=6d1f0c52-3b8e-4a55-9f1e-0b7a4d2c9e10\n"
              "~summary=Build 20260820.5 succeeded\n");
}

Test(source, azure_a_release_is_rejected)
{
    sample_is("azure-release-deployment-failed.json", SOURCE_AZURE, "",
              "firing 2026-08-20T09:07:01.900Z\n"
              "alertname=DeploymentFailed\n"
              "attempt=1\n"
              "conclusion=rejected\n"
              "environment=Production\n"
              "project=Shop\n"
              "run=77\n"
              "source=ci\n"
              "url=https://vsrm.dev.azure.com/example-shop/_apis/Release/releases/77\n"
              "workflow=checkout-cd\n"
              "~project_id=6d1f0c52-3b8e-4a55-9f1e-0b7a4d2c9e10\n"
              "~summary=Deployment of release Release-77 on stage Production failed.\n");
}

Test(source, circleci_a_workflow_fails)
{
    sample_is("circleci-workflow-completed-failed.json", SOURCE_CIRCLECI,
              "circleci-event-type: workflow-completed",
              "firing 2026-08-20T09:06:44.870Z\n"
              "alertname=PipelineFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failed\n"
              "organization=example-shop\n"
              "pipeline=640\n"
              "repository=github/example-shop/checkout\n"
              "run=b8d4e2f0-1a2b-4c3d-9e4f-5a6b7c8d9e0f\n"
              "source=ci\n"
              "url=https://app.circleci.com/pipelines/github/example-shop/checkout/640/workflows/"
              "b8d4e2f0-1a2b-4c3d-9e4f-5a6b7c8d9e0f\n"
              "workflow=build-test-deploy\n"
              "~summary=Raise connection pool size\n");
}

Test(source, circleci_a_job_fails)
{
    sample_is("circleci-job-completed-failed.json", SOURCE_CIRCLECI, "circleci-event-type: job-completed",
              "firing 2026-08-20T09:06:40.120Z\n"
              "alertname=JobFailed\n"
              "branch=main\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=failed\n"
              "job=deploy\n"
              "job_run=2201\n"
              "organization=example-shop\n"
              "pipeline=640\n"
              "repository=github/example-shop/checkout\n"
              "run=b8d4e2f0-1a2b-4c3d-9e4f-5a6b7c8d9e0f\n"
              "source=ci\n"
              "url=https://app.circleci.com/pipelines/github/example-shop/checkout/640/workflows/"
              "b8d4e2f0-1a2b-4c3d-9e4f-5a6b7c8d9e0f\n"
              "workflow=build-test-deploy\n"
              "~summary=Raise connection pool size\n");
}

Test(source, argocd_an_application_is_degraded)
{
    sample_is("argocd-health-degraded.json", SOURCE_ARGOCD, "",
              "firing 2027-01-15T08:00:00.000Z\n"
              "alertname=ApplicationFailed\n"
              "application=checkout\n"
              "commit=9f2c1b7e4d6a8053c1e2f3a4b5c6d7e8f9012345\n"
              "conclusion=Degraded\n"
              "destination=https://kubernetes.default.svc\n"
              "health=Degraded\n"
              "namespace=shop\n"
              "phase=Succeeded\n"
              "project=default\n"
              "repository=https://git.example.com/shop/deploy.git\n"
              "source=ci\n"
              "sync=Synced\n"
              "url=https://argocd.example.com/applications/checkout\n"
              "~finished=2026-08-20T09:00:33Z\n"
              "~summary=Deployment \"checkout\" exceeded its progress deadline\n"
              "~trigger=on-health-degraded\n");
}

/* ---- the same thing goes well ---- */

Test(source, a_success_has_the_labels_that_all_runs_share)
{
    change_is("github-workflow_run-failure.json",
              CHANGE("\"conclusion\":\"failure\"", "\"conclusion\":\"success\"", "T09:06:42Z", "T10:00:00Z"),
              SOURCE_GITHUB, "X-GitHub-Event: workflow_run",
              "resolved 2026-08-20T10:00:00.000Z\nalertname=PipelineFailed\nbranch=main\n"
              "repository=example-shop/checkout\nsource=ci\nworkflow=deploy\n~actor=dev-anna\n"
              "~summary=Raise connection pool size\n");
    change_is(
        "github-deployment_status-failure.json", CHANGE("\"state\": \"failure\"", "\"state\": \"success\""),
        SOURCE_GITHUB, "X-GitHub-Event: deployment_status",
        "resolved 2026-08-20T09:06:40.000Z\nalertname=DeploymentFailed\nbranch=main\nenvironment=production\n"
        "job=deploy\nnamespace=shop\nrepository=example-shop/checkout\nsource=ci\nworkflow=deploy\n"
        "workload=deployment/checkout\n~actor=dev-anna\n~summary=rollout did not finish in 6 minutes\n");
    change_is(
        "gitlab-pipeline-failed.json", CHANGE("\"status\":\"failed\"", "\"status\":\"success\""),
        SOURCE_GITLAB, "",
        "resolved 2026-08-20T09:06:41.000Z\nalertname=PipelineFailed\nbranch=main\nrepository=shop/checkout\n"
        "source=ci\n~actor=anna\n~summary=Raise connection pool size\n");
    change_is(
        "jenkins-notification-failure.json", CHANGE("\"FAILURE\"", "\"SUCCESS\""), SOURCE_JENKINS, "",
        "resolved 2026-08-20T09:06:31.327Z\nalertname=PipelineFailed\nbranch=main\nenvironment=production\n"
        "job=shop/deploy-checkout\nrepository=https://git.example.com/shop/checkout.git\nservice=checkout\n"
        "source=ci\n");
    change_is("circleci-job-completed-failed.json",
              CHANGE("\"status\": \"failed\"", "\"status\": \"success\""), SOURCE_CIRCLECI, "",
              "resolved 2026-08-20T09:06:40.120Z\nalertname=JobFailed\nbranch=main\njob=deploy\n"
              "organization=example-shop\nrepository=github/example-shop/checkout\nsource=ci\n"
              "workflow=build-test-deploy\n~summary=Raise connection pool size\n");
    change_is(
        "argocd-health-degraded.json", CHANGE("\"Degraded\"", "\"Healthy\""), SOURCE_ARGOCD, "",
        "resolved 2027-01-15T08:00:00.000Z\nalertname=ApplicationFailed\napplication=checkout\n"
        "destination=https://kubernetes.default.svc\nnamespace=shop\nproject=default\n"
        "repository=https://git.example.com/shop/deploy.git\nsource=ci\n~finished=2026-08-20T09:00:33Z\n"
        "~summary=Deployment \"checkout\" exceeded its progress deadline\n~trigger=on-health-degraded\n");
}

Test(source, what_is_not_over_or_neither_well_nor_wrong_is_no_alert)
{
    change_is("github-workflow_run-failure.json",
              CHANGE("\"action\":\"completed\"", "\"action\":\"in_progress\""), SOURCE_GITHUB,
              "X-GitHub-Event: workflow_run", "");
    change_is("github-workflow_run-failure.json", CHANGE("\"conclusion\":\"failure\"", "\"conclusion\":null"),
              SOURCE_GITHUB, "X-GitHub-Event: workflow_run", "");
    change_is("github-workflow_run-failure.json",
              CHANGE("\"conclusion\":\"failure\"", "\"conclusion\":\"skipped\""), SOURCE_GITHUB,
              "X-GitHub-Event: workflow_run", "");
    change_is("github-workflow_run-failure.json", NULL, SOURCE_GITHUB, "X-GitHub-Event: push", "");
    change_is("gitlab-pipeline-failed.json", CHANGE("\"status\":\"failed\"", "\"status\":\"canceled\""),
              SOURCE_GITLAB, "", "");
    change_is("gitlab-pipeline-failed.json",
              CHANGE("\"object_kind\":\"pipeline\"", "\"object_kind\":\"push\""), SOURCE_GITLAB, "", "");
    change_is("jenkins-notification-failure.json", CHANGE("\"FINALIZED\"", "\"STARTED\""), SOURCE_JENKINS, "",
              "");
    change_is("jenkins-notification-failure.json", CHANGE("\"FAILURE\"", "\"ABORTED\""), SOURCE_JENKINS, "",
              "");
    change_is("azure-build-complete-failed.json", CHANGE("\"build.complete\"", "\"git.push\""), SOURCE_AZURE,
              "", "");
    change_is("circleci-workflow-completed-failed.json", CHANGE("workflow-completed", "ping"),
              SOURCE_CIRCLECI, "", "");
    change_is("argocd-health-degraded.json", CHANGE("\"Degraded\"", "\"Progressing\""), SOURCE_ARGOCD, "",
              "");
}

Test(source, gitlab_a_job_that_may_fail_is_no_alert)
{
    static const char job[] =
        "{\"object_kind\":\"build\",\"build_id\":7,\"build_name\":\"lint\",\"build_stage\":\"test\","
        "\"build_status\":\"failed\",\"build_finished_at\":\"2026-08-20 09:06:41 UTC\","
        "\"build_failure_reason\":\"script_failure\",\"build_allow_failure\":%s,\"ref\":\"main\","
        "\"environment\":{\"name\":\"production\"},\"pipeline_id\":9,\"project_name\":\"Shop / c\"}";
    char text[600];
    snprintf(text, sizeof text, job, "true");
    CLEANUP(seen_end) struct seen may = decoded(SOURCE_GITLAB, "", text);
    cr_assert_eq(may.alerts, 0u);
    snprintf(text, sizeof text, job, "false");
    CLEANUP(seen_end) struct seen not = decoded(SOURCE_GITLAB, "", text);
    cr_assert_str_eq(
        buf_text(&not .text),
        "firing 2026-08-20T09:06:41.000Z\nalertname=JobFailed\nbranch=main\nconclusion=failed\n"
        "environment=production\njob=lint\njob_run=7\nreason=script_failure\nrepository=Shop / c\nrun=9\n"
        "source=ci\nstage=test\n");
}

/* ---- ids, forms, limits ---- */

Test(source, a_delivery_is_known_by_its_id)
{
    static const struct {
        enum source_kind kind;
        const char *file, *headers, *id;
    } cases[] = {
        { SOURCE_GITHUB, "github-ping.json", "X-GitHub-Event: ping\nX-GitHub-Delivery: 72d3162e-cc78",
          "72d3162e-cc78" },
        { SOURCE_GITLAB, "gitlab-pipeline-failed.json", "Idempotency-Key: f5e5f430", "f5e5f430" },
        { SOURCE_GITLAB, "gitlab-pipeline-failed.json", "Idempotency-Key: f5e5f430\nwebhook-id: signed",
          "signed" },
        { SOURCE_AZURE, "azure-build-complete-failed.json", "", "c1a9d6f2-5b0e-4a3b-9c1d-7e8f90a1b2c3" },
        { SOURCE_CIRCLECI, "circleci-job-completed-failed.json", "", "4b3c2d1e-0f9a-3b8c-9d7e-6f5041322314" },
        { SOURCE_JENKINS, "jenkins-generic-failure.json", "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = changed(cases[i].file, NULL);
        CLEANUP(seen_end) struct seen s = decoded(cases[i].kind, cases[i].headers, text);
        cr_assert_str_eq(s.id, cases[i].id);
        free(text);
    }
}

Test(source, github_may_send_a_form)
{
    static const char headers[] =
        "X-GitHub-Event: workflow_run\nContent-Type: application/x-www-form-urlencoded";
    static const char form[] =
        "a=%7B&payload=%7B%22action%22%3A%22completed%22%2C+%22workflow_run%22%3A%7b%22conclusion%22%3a"
        "%22failure%22%2C%22name%22%3A%22caf%C3%A9%22%2C%22updated_at%22%3A%222026-08-20T09%3A06%3A42Z"
        "%22%7d%7d&b=%7B";
    for (size_t piece = 1; piece < sizeof form; piece++) {
        CLEANUP(seen_end) struct seen s = { .alerts = 0 };
        struct err e = ERR_INIT;
        cr_assert_eq(decode(&s, SOURCE_GITHUB, headers, form, sizeof form - 1, piece, &e), ERR_OK, "%s",
                     e.msg);
        cr_assert_str_eq(buf_text(&s.text), "firing 2026-08-20T09:06:42.000Z\nalertname=PipelineFailed\n"
                                            "conclusion=failure\nsource=ci\nworkflow=caf\u00e9\n");
    }
    CLEANUP(seen_end) struct seen s = { .alerts = 0 };
    cr_assert_eq(decode(&s, SOURCE_GITHUB, headers, "payload=%zz", 11, 11, NULL), ERR_INVALID);
}

Test(source, bodies_that_are_wrong_are_refused)
{
    static const struct {
        const char *body, *blamed;
    } cases[] = {
        { "", "it ends too early" },
        { "{\"action\":", "it ends too early" },
        { "[]x", "not JSON" },
        { "3", "neither an object nor an array" },
        { "{\"action\":\"a\",\"action\":\"b\"}", "a key occurs twice" },
        { "{\"x\":\"\xc0\xaf\"}", "UTF-8" },
        { "{\"x\":\"\\u0000\"}", "U+0000" },
        { "{\"x\":\"\\ud800\"}", "surrogate" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(seen_end) struct seen s = { .alerts = 0 };
        struct err e = ERR_INIT;
        const char *body = cases[i].body;
        cr_assert_eq(decode(&s, SOURCE_GITHUB, "", body, strlen(body), strlen(body) + 1, &e), ERR_INVALID,
                     "%s", body);
        cr_assert_not_null(strstr(e.msg, cases[i].blamed), "%s: %s", body, e.msg);
        cr_assert_eq(s.alerts, 0u);
    }
}

Test(source, labels_are_bounded)
{
    struct buf body = BUF_INIT;
    struct err e = ERR_INIT;
    CLEANUP(seen_end) struct seen s = { .alerts = 0 };
    buf_adds(&body, "{\"job\":\"");
    for (int i = 0; i < 4097; i++)
        buf_addc(&body, 'x');
    buf_adds(&body, "\",\"result\":\"FAILURE\"}");
    cr_assert_eq(decode(&s, SOURCE_JENKINS, "", body.ptr, body.len, body.len, &e), ERR_LIMIT);
    cr_assert_not_null(strstr(e.msg, "limits.label = 4096"), "%s", e.msg);
    buf_release(&body);
    buf_adds(&body, "{\"app\":\"a\",\"health_status\":\"Degraded\",\"message\":\"");
    for (int i = 0; i < 20000; i++)
        buf_adds(&body, "\u00e9");
    buf_adds(&body, "\"}");
    cr_assert_eq(decode(&s, SOURCE_ARGOCD, "", body.ptr, body.len, body.len, &e), ERR_OK, "%s", e.msg);
    cr_assert_lt(s.text.len, 16384u + 200, "what is said is cut, between characters");
    cr_assert_null(json_check_text((const unsigned char *)s.text.ptr, s.text.len));
    buf_release(&body);
}
