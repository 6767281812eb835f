/* test/cluster/asked_test.c - what is asked beside the workload, of the real ones: autoscalers, budgets and
 * causes of an API server with its controllers (no node is needed), Prometheus, Alertmanager.
 *
 * Environment beside workload_kit.h's: PROMETHEUS_URL, ALERTMANAGER_URL; without them those tests skip. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/verify/alertmanager.h"
#include "test/cluster/workload_kit.h"

#define NEEDS (OBSERVE_PODS | OBSERVE_HISTORY)

/* ---- causes that need no kubelet ---- */

static struct observation wait_for_cause(struct world *w, enum cause cause)
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    struct observation o = world_observe(w, "Deployment", NEEDS);
    while (o.evidence.cause != cause && world_now_ms(NULL) < until_ms) {
        world_sleep_ms(200);
        o = world_observe(w, "Deployment", NEEDS);
    }
    cr_assert_eq(o.evidence.cause, cause, "%s: %s", cause_name(o.evidence.cause), o.fault_text);
    cr_assert(o.fault);
    return o;
}

Test(cause, of_a_quota_that_is_used_up, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_kubectl(&w, "create quota tight --hard=pods=0");
    world_apply(&w, "Deployment", SLEEP, 1);
    struct observation o = wait_for_cause(&w, CAUSE_QUOTA);
    cr_assert_str_eq(o.evidence.reason, "FailedCreate");
    cr_assert_not_null(strstr(o.evidence.message, "exceeded quota: tight"), "%s", o.evidence.message);
    world_close(&w);
}

Test(cause, of_pods_that_admission_refuses, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_kubectl(&w, "label namespace %s pod-security.kubernetes.io/enforce=restricted", w.namespace);
    world_apply(&w, "Deployment", SLEEP, 1);
    struct observation o = wait_for_cause(&w, CAUSE_FORBIDDEN);
    cr_assert_not_null(strstr(o.evidence.message, "PodSecurity"), "%s", o.evidence.message);
    world_close(&w);
}

Test(cause, of_pods_that_no_node_takes, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    world_kubectl(&w, "patch deployment w --type=merge -p "
                      "'{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"heald.dev/none\":\"x\"}}}}}'");
    struct observation o = wait_for_cause(&w, CAUSE_UNSCHEDULABLE);
    cr_assert_str_eq(o.evidence.reason, "Unschedulable");
    cr_assert_not_null(strstr(o.evidence.message, "node"), "%s", o.evidence.message);
    cr_assert(strncmp(o.evidence.pod, "w-", 2) == 0, "%s", o.evidence.pod);
    cr_assert_str_eq(o.evidence.node, "");
    world_close(&w);
}

/* ---- autoscalers and budgets ---- */

Test(governors, are_found_for_their_own_workload_alone, .timeout = 600)
{
    struct world w;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 1);
    struct observation o = world_observe(&w, "Deployment", OBSERVE_HPA | OBSERVE_PDB);
    cr_assert(o.hpa_known && !o.hpa, "%s", o.hpa_text);
    cr_assert(o.pdb_known && !o.pdb, "%s", o.pdb_text);

    world_kubectl(&w, "create pdb other --selector=app=other --min-available=1");
    world_kubectl(&w, "create deployment other --image=heald.local/pause:1 --replicas=0");
    world_kubectl(&w, "autoscale deployment other --min=1 --max=3 --cpu-percent=50");
    o = world_observe(&w, "Deployment", OBSERVE_HPA | OBSERVE_PDB);
    cr_assert(!o.hpa && !o.pdb, "%s; %s", o.hpa_text, o.pdb_text);

    world_kubectl(&w, "create pdb all --selector=app=w --min-available=1");
    world_kubectl(&w, "autoscale deployment w --min=2 --max=7 --cpu-percent=50");
    o = world_observe(&w, "Deployment", OBSERVE_HPA | OBSERVE_PDB);
    cr_assert(o.hpa && o.hpa_least == 2 && o.hpa_most == 7, "%s", o.hpa_text);
    cr_assert(o.pdb, "%s", o.pdb_text);
    cr_assert_eq(o.pdb_allowed, 0, "its only pod is not healthy, or its numbers are not there yet");
    world_close(&w);
}

/* ---- Prometheus ---- */

static const char *url_of(const char *variable)
{
    const char *url = getenv(variable);
    if (!url || !*url) {
        printf("SKIPPED %s names no server\n", variable);
        cr_skip_test("no server");
    }
    return url;
}

struct query_case {
    char query[80];
    int answered;
    uint32_t series;
    double least, most;
    char text[60];
};

ParameterizedTestParameters(probe, prometheus_answers)
{
    static struct query_case cases[] = {
        { "vector(0.7)", 1, 1, 0.7, 0.7, "0.7" },
        { "vector(1) or label_replace(vector(3), 'a', 'b', '', '')", 1, 2, 1, 3, "1 to 3 in 2 series" },
        { "1 + 1", 1, 1, 2, 2, "2" },
        { "heald_never_heard_of", 1, 0, 0, 0, "no series" },
        { "vector(0) / 0", 0, 0, 0, 0, "NaN" },
        { "vector(1) / 0 > 5", 1, 1, 0, 0, "inf" },
        { "up[5m]", 0, 0, 0, 0, "matrix" },
        { "'text'", 0, 0, 0, 0, "string" },
        { "sum(", 0, 0, 0, 0, "400" },
        { "up + on(job) up{a!~'('}", 0, 0, 0, 0, "400" },
    };
    return cr_make_param_array(struct query_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct query_case *c, probe, prometheus_answers, .timeout = 120)
{
    struct http *http = NULL;
    struct remote *at = NULL;
    struct probe probe = { .kind = PROBE_PROMQL };
    struct probe_answer answer;
    const char *url = url_of("PROMETHEUS_URL");
    cr_assert_eq(remote_new(&at, "prometheus", url, NULL, NULL, NULL, NULL), ERR_OK);
    cr_assert_eq(http_new(&http, NULL), ERR_OK);
    text_copy(probe.text, sizeof probe.text, c->query);
    struct probe_systems systems = { .prometheus = at };
    probes_ask(&systems, http, &probe, 1, 1, &answer);
    cr_assert_eq(answer.state == PROBE_ANSWERED, c->answered, "%s: %s", c->query, answer.text);
    cr_assert_eq(answer.series, c->series, "%s", answer.text);
    if (strcmp(c->text, "inf") != 0)
        cr_assert(answer.least == c->least && answer.most == c->most, "%s", answer.text);
    cr_assert_not_null(strstr(answer.text, c->text), "\"%s\" should say \"%s\"", answer.text, c->text);
    http_free(http);
    remote_free(at);
}

Test(probe, a_real_servers_health_is_one_get, .timeout = 120)
{
    struct http *http = NULL;
    struct remote *host = NULL;
    struct probe probe = { .kind = PROBE_HTTP, .body = "Server is (Healthy|healthy)" };
    struct probe_answer answer;
    const char *url = url_of("PROMETHEUS_URL");
    snprintf(probe.text, sizeof probe.text, "%s/-/healthy", url);
    cr_assert_eq(remote_new(&host, "probe host", url, NULL, NULL, NULL, NULL), ERR_OK);
    cr_assert_eq(http_new(&http, NULL), ERR_OK);
    struct probe_systems systems = { .hosts = &host, .hosts_len = 1 };
    probes_ask(&systems, http, &probe, 1, 1, &answer);
    cr_assert_eq(answer.state, PROBE_ANSWERED, "%s", answer.text);
    cr_assert_eq(answer.status, 200);
    cr_assert(answer.body_matches);
    http_free(http);
    remote_free(host);
}

/* ---- Alertmanager ---- */

static bool of_this_test(void *ctx, const struct map *labels)
{
    const char *test = map_get(labels, "test");
    return test && strcmp(test, ctx) == 0;
}

/* POST, as Prometheus and amtool do; the answer is returned. */
static const char *post(const char *url, const char *path, const char *body)
{
    static char answer[4096];
    char command[8192];
    snprintf(command, sizeof command, "curl -fsS -H 'Content-Type: application/json' -d '%s' '%s%s' 2>&1",
             body, url, path);
    FILE *f = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own command */
    cr_assert_not_null(f);
    answer[fread(answer, 1, sizeof answer - 1, f)] = '\0';
    cr_assert_eq(pclose(f), 0, "%s", answer);
    return answer;
}

static struct observation known(const struct remote *at, struct http *http, const char *test)
{
    struct observation o;
    char name[64];
    memset(&o, 0, sizeof o);
    snprintf(name, sizeof name, "%s", test);
    alertmanager_ask(at, http, "Odd \"name\\, {really}", of_this_test, name, &o);
    return o;
}

static struct observation wait_for_state(const struct remote *at, struct http *http, const char *test,
                                         enum alertmanager_state state)
{
    int64_t until_ms = world_now_ms(NULL) + KIT_PATIENCE_MS;
    struct observation o = known(at, http, test);
    while (o.silenced != state && world_now_ms(NULL) < until_ms) {
        world_sleep_ms(100);
        o = known(at, http, test);
    }
    cr_assert_eq(o.silenced, state, "%s", o.silenced_text);
    return o;
}

#define ALERT_BODY                                                                                           \
    "[{\"labels\":{\"alertname\":\"Odd \\\"name\\\\, {really}\",\"test\":\"%s\"},\"annotations\":{}}]"
#define SILENCE_BODY                                                                                         \
    "{\"matchers\":[{\"name\":\"test\",\"value\":\"%s\",\"isRegex\":false,\"isEqual\":true}],"               \
    "\"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2199-01-01T00:00:00Z\",\"createdBy\":\"test\","      \
    "\"comment\":\"test\"}"

Test(alertmanager, says_active_then_silenced_and_absent_for_another, .timeout = 300)
{
    struct http *http = NULL;
    struct remote *at = NULL;
    char test[32], body[1024];
    const char *url = url_of("ALERTMANAGER_URL");
    snprintf(test, sizeof test, "t%d", (int)getpid());
    cr_assert_eq(remote_new(&at, "alertmanager", url, NULL, NULL, NULL, NULL), ERR_OK);
    cr_assert_eq(http_new(&http, NULL), ERR_OK);
    cr_assert_eq(known(at, http, test).silenced, ALERTMANAGER_ABSENT);
    snprintf(body, sizeof body, ALERT_BODY, test);
    post(url, "/api/v2/alerts", body);
    wait_for_state(at, http, test, ALERTMANAGER_ACTIVE);
    snprintf(body, sizeof body, SILENCE_BODY, test);
    const char *answer = post(url, "/api/v2/silences", body);
    struct observation o = wait_for_state(at, http, test, ALERTMANAGER_SILENCED);
    const char *id = o.silenced_text + strlen("silenced by ");
    cr_assert(strncmp(o.silenced_text, "silenced by ", 12) == 0 && strstr(answer, id), "%s not in %s", id,
              answer);
    cr_assert_eq(known(at, http, "other").silenced, ALERTMANAGER_ABSENT);
    http_free(http);
    remote_free(at);
}
