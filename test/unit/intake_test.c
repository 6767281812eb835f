/* test/unit/intake_test.c - deliveries of all kinds of sources over real sockets: whose they are, what is
 * answered, what is counted. */
#include <criterion/criterion.h>
#include <gnutls/crypto.h>

#include "receiver/http/sources.h"
#include "rules/base/json.h"
#include "test/kit/listener.h"
#include "test/kit/sample.h"

#define SOURCES                                                                                              \
    "sources = ( { name = \"am\"; token_file = \"am.token\"; },"                                             \
    " { name = \"graf\"; type = \"grafana\"; secret_file = \"graf.secret\"; timestamp_header = \"X-Time\"; " \
    "},"                                                                                                     \
    " { name = \"gh\"; type = \"github\"; secret_file = \"gh.secret\"; force = { team = \"shop\"; }; },"     \
    " { name = \"gh2\"; type = \"github\"; secret_file = \"gh2.secret\"; },"                                 \
    " { name = \"gl\"; type = \"gitlab\"; token_file = \"gl.token\"; },"                                     \
    " { name = \"jenkins\"; type = \"jenkins\"; token_file = \"j.token\"; header = \"X-Jenkins\"; },"        \
    " { name = \"az\"; type = \"azure\"; user = \"heald\"; password_file = \"am.password\"; },"              \
    " { name = \"cci\"; type = \"circleci\"; secret_file = \"cci.secret\"; },"                               \
    " { name = \"argo\"; type = \"argocd\"; token_file = \"argo.token\"; } );\n"                             \
    "limits = { signed_body = \"64KiB\"; };\n"

static struct listener make(const char *more)
{
    struct buf text = BUF_INIT;
    struct listener w = listener_folder();
    listener_write(&w, "graf.secret", "graf-secret-1\n");
    listener_write(&w, "gh.secret", "gh-secret-1\n");
    listener_write(&w, "gh2.secret", "gh-secret-2");
    listener_write(&w, "gl.token", "gl-token");
    listener_write(&w, "j.token", "j-token");
    listener_write(&w, "cci.secret", "cci-secret-1");
    listener_write(&w, "argo.token", "argo-token");
    buf_addf(&text, LISTENER_OPERATORS "%s", more);
    listener_start(&w, buf_text(&text));
    buf_release(&text);
    return w;
}

static int ask(struct listener *w, const char *path, const char *headers, const char *body)
{
    char extra[600];
    snprintf(extra, sizeof extra, JSON_TYPE "%s", headers);
    return ask_status(w->port, "POST", path, extra, body);
}

static int ask_sample(struct listener *w, const char *path, const char *headers, const char *file)
{
    size_t len = 0;
    char *body = sample_bytes(file, &len);
    int status = ask(w, path, headers, body);
    free(body);
    return status;
}

static double refused(struct listener *w, const char *source, const char *reason)
{
    return metrics_value(w->metrics, METRIC_INTAKE_REFUSALS, source, reason);
}

static void label_is(struct listener *w, size_t alert, const char *name, const char *wanted)
{
    char *value = double_label(w->loop, alert, name);
    cr_assert_str_eq(value, wanted, "%s of alert %zu", name, alert);
    free(value);
}

#define RUN "github-workflow_run-failure.json"
#define RUN_SIGNED                                                                                           \
    "X-GitHub-Event: workflow_run\r\nX-Hub-Signature-256: "                                                  \
    "sha256=5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d1\r\n"

Test(intake, each_kind_of_source_is_known_by_its_own_credential)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED, RUN), 200);
    cr_assert_eq(
        ask_sample(&w, "/webhook/gitlab", "X-Gitlab-Token: gl-token\r\n", "gitlab-pipeline-failed.json"),
        200);
    cr_assert_eq(ask_sample(&w, "/webhook/jenkins", "X-Jenkins: j-token\r\n", "jenkins-generic-failure.json"),
                 200);
    cr_assert_eq(ask_sample(&w, "/webhook/azure", "Authorization: Basic aGVhbGQ6cGFzcyB3b3Jk\r\n",
                            "azure-build-complete-failed.json"),
                 200);
    cr_assert_eq(ask_sample(&w, "/webhook/circleci",
                            "circleci-signature: "
                            "v1=631f595da630e8952da90992d332630c94381ecd1ecccfa4e51d0f3d0da56544\r\n",
                            "circleci-job-completed-failed.json"),
                 200);
    cr_assert_eq(ask_sample(&w, "/webhook/argocd", "Authorization: Bearer argo-token\r\n",
                            "argocd-health-degraded.json"),
                 200);
    static const char *const sources[] = { "gh", "gl", "jenkins", "az", "cci", "argo" };
    cr_assert_eq(double_committed(w.loop), 6u);
    for (size_t i = 0; i < 6; i++) {
        label_is(&w, i, "source", sources[i]);
        cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, sources[i], "accepted"), 1);
        cr_assert_gt(metrics_value(w.metrics, METRIC_SOURCE_LAST, sources[i], NULL), 0);
    }
    label_is(&w, 0, "team", "shop");
    label_is(&w, 0, "repository", "example-shop/checkout");
}

Test(intake, a_credential_counts_on_its_own_path_only)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    static const char *const wrong[][2] = {
        { "/webhook/github", "" },
        { "/webhook/github", "Authorization: Bearer am-secret\r\n" },
        { "/webhook/github", "Authorization: Bearer gh-secret-1\r\n" },
        { "/webhook/github", "X-Hub-Signature: sha1=aa\r\n" },
        { "/webhook/gitlab", RUN_SIGNED },
        { "/webhook/gitlab", "Authorization: Bearer gl-token\r\n" },
        { "/webhook/gitlab", "X-Gitlab-Token: gl-toke\r\n" },
        { "/webhook/gitlab", "X-Gitlab-Token: \r\n" },
        { "/webhook/jenkins", "Authorization: Bearer j-token\r\n" },
        { "/webhook/jenkins", "X-Jenkins: gl-token\r\n" },
        { "/webhook/argocd", "Authorization: Bearer am-secret\r\n" },
        { "/webhook/alertmanager", "Authorization: Bearer argo-token\r\n" },
        { "/webhook/azure", "Authorization: Basic aGVhbGQ6cGFzcyB3b3Jl\r\n" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(ask_sample(&w, wrong[i][0], wrong[i][1], RUN), 401, "%s %s", wrong[i][0], wrong[i][1]);
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(refused(&w, "unknown", "credential"), sizeof wrong / sizeof wrong[0]);
}

Test(intake, a_wrong_signature_is_refused_without_a_hint)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    size_t len = 0;
    char *body = sample_bytes(RUN, &len);
    int fd = client_connect(w.port);
    body[len / 2]++;
    CLEANUP(reply_release)
    struct reply changed = client_ask(fd, "POST", "/webhook/github", JSON_TYPE RUN_SIGNED, body, len);
    CLEANUP(reply_release)
    struct reply unsigned_ = client_ask(fd, "POST", "/webhook/github", JSON_TYPE, body, len);
    cr_assert_eq(changed.status, 401);
    cr_assert_str_eq(buf_text(&changed.body), buf_text(&unsigned_.body), "nothing tells how near it was");
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(refused(&w, "unknown", "signature"), 1);
    free(body);
    close(fd);
}

/* As a contact point of Grafana's signs it. */
static void sign(char ret[200], int64_t seconds, const char *body)
{
    unsigned char mac[32];
    struct buf text = BUF_INIT;
    buf_addf(&text, "%lld:%s", (long long)seconds, body);
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, "graf-secret-1", strlen("graf-secret-1"), text.ptr, text.len, mac);
    int at = snprintf(ret, 200, "X-Time: %lld\r\nX-Grafana-Alerting-Signature: ", (long long)seconds);
    for (int i = 0; i < 32; i++)
        at += snprintf(ret + at, 200 - (size_t)at, "%02x", mac[i]);
    snprintf(ret + at, 200 - (size_t)at, "\r\n");
    buf_release(&text);
}

Test(intake, what_was_signed_long_ago_is_refused_and_what_was_told_already_comes_to_nothing)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    size_t len = 0;
    char *body = sample_bytes("grafana-managed-firing.json", &len), headers[200];
    sign(headers, time(NULL) - 3600, body);
    cr_assert_eq(ask(&w, "/webhook/grafana", headers, body), 403);
    cr_assert_eq(refused(&w, "unknown", "replay"), 1);
    sign(headers, time(NULL), body);
    cr_assert_eq(ask(&w, "/webhook/grafana", headers, body), 200);
    cr_assert_eq(ask(&w, "/webhook/grafana", headers, body), 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, "graf", "repeat"), 1);
    label_is(&w, 0, "alertname", "High error ratio");
    free(body);
}

Test(intake, a_delivery_with_a_known_id_is_accepted_again_and_comes_to_nothing)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED "X-GitHub-Delivery: 7\r\n", RUN), 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, "gh", "accepted"), 1);
    cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, "gh", "repeat"), 2);
    cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED "X-GitHub-Delivery: 8\r\n", RUN), 200);
    cr_assert_eq(double_committed(w.loop), 2u, "the core knows what it did");
}

Test(intake, an_id_counts_only_once_its_delivery_is_durable)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    double_mode(w.loop, DOUBLE_FAILS);
    cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED "X-GitHub-Delivery: 7\r\n", RUN), 503);
    cr_assert_eq(refused(&w, "gh", "journal"), 1);
    double_mode(w.loop, DOUBLE_COMMITS);
    cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED "X-GitHub-Delivery: 7\r\n", RUN), 200);
    cr_assert_eq(double_committed(w.loop), 1u);
}

Test(intake, events_that_are_none_of_healds_are_accepted)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    cr_assert_eq(ask_sample(&w, "/webhook/github",
                            "X-GitHub-Event: ping\r\nX-Hub-Signature-256: "
                            "sha256=2612845c31a290c79766c9dc7b72d0be6ca4157c5cdc3c64e0d7690c0f07718d\r\n",
                            "github-ping.json"),
                 200);
    cr_assert_eq(ask(&w, "/webhook/gitlab", "X-Gitlab-Token: gl-token\r\n", "{\"object_kind\":\"push\"}"),
                 200);
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(ask(&w, "/webhook/gitlab", "X-Gitlab-Token: gl-token\r\n", "{\"object_kind\":"), 400);
    cr_assert_eq(refused(&w, "gl", "content"), 1);
}

Test(intake, a_signed_body_is_kept_whole_up_to_its_limit)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    struct buf body = BUF_INIT;
    buf_adds(&body, "{\"x\":\"");
    while (body.len < 66000)
        buf_adds(&body, "0123456789");
    buf_adds(&body, "\"}");
    cr_assert_eq(ask(&w, "/webhook/github", RUN_SIGNED, buf_text(&body)), 413);
    cr_assert_eq(metrics_value(w.metrics, METRIC_LIMITS, "signed_body", NULL), 1);
    cr_assert_eq(refused(&w, "unknown", "body"), 1);
    cr_assert_eq(ask(&w, "/webhook/gitlab", "X-Gitlab-Token: gl-token\r\n", buf_text(&body)), 200,
                 "a body that need not be kept may be larger");
    buf_release(&body);
}

Test(intake, a_form_is_taken_only_when_it_is_signed)
{
    CLEANUP(listener_end) struct listener w = make("sources = ( { name = \"gh\"; type = \"github\"; } );");
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    cr_assert_eq(ask_status(w.port, "POST", "/webhook/github", form, "payload=%7B%7D"), 415);
    cr_assert_eq(ask_status(w.port, "POST", "/webhook/github", JSON_TYPE, "{}"), 200);
    cr_assert_eq(refused(&w, "gh", "content_type"), 1);
}

/* ---- how much a source may send ---- */

Test(intake, a_noisy_source_is_held_back_and_others_are_not)
{
    CLEANUP(listener_end)
    struct listener w =
        make("sources = ( { name = \"gl\"; type = \"gitlab\"; token_file = \"gl.token\"; limit = { rate = "
             "1; burst = 3; }; }, { name = \"am\"; token_file = \"am.token\"; } );");
    int accepted = 0, late = 0;
    for (int i = 0; i < 20; i++) {
        int fd = client_connect(w.port);
        CLEANUP(reply_release)
        struct reply r =
            client_ask(fd, "POST", "/webhook/gitlab", JSON_TYPE "X-Gitlab-Token: gl-token\r\n", "{}", 2);
        accepted += r.status == 200;
        late += r.status == 503;
        if (r.status == 503)
            cr_assert_str_eq(reply_header(&r, "Retry-After"), "1");
        close(fd);
    }
    cr_assert_geq(accepted, 3);
    cr_assert_gt(late, 0);
    cr_assert_eq(refused(&w, "gl", "rate"), late);
    cr_assert_eq(ask(&w, "/webhook/alertmanager", "Authorization: Bearer am-secret\r\n", DELIVERY), 200);
}

Test(intake, a_source_fills_its_share_of_the_bytes_in_flight_and_no_more)
{
    CLEANUP(listener_end)
    struct listener w = make(
        "sources = ( { name = \"am\"; token_file = \"am.token\"; limit = { share = \"1%\"; }; }, { name = "
        "\"two\"; token_file = \"gl.token\"; } );\nlimits = { in_flight = \"1MiB\"; };");
    struct buf body = BUF_INIT;
    double_mode(w.loop, DOUBLE_HOLDS);
    buf_adds(
        &body,
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"X\"},\"startsAt\":"
        "\"2026-08-20T09:15:00Z\",\"annotations\":{\"x\":\"");
    while (body.len < 15000)
        buf_addc(&body, 'x');
    buf_adds(&body, "\"}}]}");
    int fd = client_connect(w.port);
    struct buf text = BUF_INIT;
    buf_addf(&text,
             "POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
             body.len, buf_text(&body));
    client_send_bytes(fd, text.ptr, text.len);
    cr_assert(EVENTUALLY(double_held(w.loop) == 1));
    cr_assert_eq(ask(&w, "/webhook/alertmanager", "Authorization: Bearer am-secret\r\n", DELIVERY), 503);
    cr_assert_eq(refused(&w, "am", "share"), 1);
    int other = client_connect(w.port);
    client_send_bytes(
        other,
        "POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer gl-token\r\n" JSON_TYPE,
        strlen("POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
               "gl-token\r\n" JSON_TYPE));
    char length[300];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n" DELIVERY, strlen(DELIVERY));
    client_send_bytes(other, length, strlen(length));
    cr_assert(EVENTUALLY(double_held(w.loop) == 2), "there is room for the other source");
    double_release(w.loop);
    CLEANUP(reply_release) struct reply first = client_read(fd, false), second = client_read(other, false);
    cr_assert_eq(first.status, 200);
    cr_assert_eq(second.status, 200);
    double_mode(w.loop, DOUBLE_COMMITS);
    cr_assert_eq(ask(&w, "/webhook/alertmanager", "Authorization: Bearer am-secret\r\n", DELIVERY), 200,
                 "what is committed takes no room");
    buf_release(&body);
    buf_release(&text);
    close(fd);
    close(other);
}

Test(intake, a_rate_gives_so_many_and_says_when_there_is_the_next)
{
    struct rate r = { .begun = false };
    for (int i = 0; i < 5; i++)
        cr_assert_eq(rate_take(&r, 2, 5, 1000), 0, "a burst of 5");
    cr_assert_eq(rate_take(&r, 2, 5, 1000), 500);
    cr_assert_eq(rate_take(&r, 2, 5, 1499), 1);
    cr_assert_eq(rate_take(&r, 2, 5, 1500), 0);
    cr_assert_eq(rate_take(&r, 2, 5, 1500), 500);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(rate_take(&r, 2, 5, INT64_MAX / 4), 0, "never more than the burst, however long it was");
    cr_assert_gt(rate_take(&r, 2, 5, INT64_MAX / 4), 0);
    cr_assert_eq(rate_take(&r, INT64_MAX, INT64_MAX, 0), 0);
}

Test(intake, ids_are_remembered_by_source_until_there_are_too_many)
{
    static struct seen s;
    char id[20];
    cr_assert_not(seen_has(&s, "a", "1"));
    seen_add(&s, "a", "1");
    cr_assert(seen_has(&s, "a", "1"));
    cr_assert_not(seen_has(&s, "b", "1"));
    cr_assert_not(seen_has(&s, "a1", ""));
    for (unsigned i = 0; i < SEEN_MAX; i++) {
        cr_assert(i == 0 || seen_has(&s, "a", id));
        snprintf(id, sizeof id, "x%u", i);
        seen_add(&s, "a", id);
    }
    cr_assert_not(seen_has(&s, "a", "1"), "the oldest goes");
}

Test(intake, status_shows_when_each_source_was_heard_last)
{
    CLEANUP(listener_end) struct listener w = make(SOURCES);
    cr_assert_eq(ask_sample(&w, "/webhook/github", RUN_SIGNED, RUN), 200);
    cr_assert_eq(ask(&w, "/webhook/gitlab", "X-Gitlab-Token: gl-token\r\n", "x"), 400);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = client_ask(fd, "GET", "/status", AS_READER, NULL, 0);
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    cr_assert_eq(json_parse(&doc, buf_text(&r.body), r.body.len, NULL), ERR_OK, "%s", buf_text(&r.body));
    const struct json *sources = json_get(json_root(doc), "sources");
    cr_assert_eq(json_len(sources), 9u);
    const struct json *gh = json_at(sources, 2), *gl = json_at(sources, 4);
    cr_assert_str_eq(json_string(json_get(gh, "type"), ""), "github");
    cr_assert_str_eq(json_string(json_get(gh, "last_result"), ""), "accepted");
    cr_assert_eq(json_string_len(json_get(gh, "last_delivery")), 24u);
    cr_assert_str_eq(json_string(json_get(gl, "last_result"), ""), "refused");
    cr_assert_null(json_get(gl, "last_delivery"));
    close(fd);
}

/* ---- sources of any shape ---- */

#define ANY_SHAPE                                                                                            \
    "sources = ( { name = \"up.time\"; type = \"generic\"; secret_file = \"gh.secret\"; map = { labels = { " \
    "alertname "                                                                                             \
    "= \"check\"; }; status = \"state\"; }; }, { name = \"other\"; type = \"generic\"; token_file = "        \
    "\"gl.token\"; "                                                                                         \
    "map = { labels = { alertname = \"x\"; }; }; }, { name = \"ce\"; type = \"cloudevents\"; token_file = "  \
    "\"j.token\"; } );"

Test(intake, a_generic_source_has_its_own_path)
{
    CLEANUP(listener_end) struct listener w = make(ANY_SHAPE);
    static const char body[] = "{\"check\":\"SiteDown\",\"state\":\"down\"}";
    unsigned char mac[32];
    char headers[200];
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, "gh-secret-1", strlen("gh-secret-1"), body, strlen(body), mac);
    int at = snprintf(headers, sizeof headers, "X-Signature-256: sha256=");
    for (int i = 0; i < 32; i++)
        at += snprintf(headers + at, sizeof headers - (size_t)at, "%02x", mac[i]);
    snprintf(headers + at, sizeof headers - (size_t)at, "\r\n");
    cr_assert_eq(ask(&w, "/webhook/generic/up.time", headers, body), 200);
    label_is(&w, 0, "alertname", "SiteDown");
    label_is(&w, 0, "source", "up.time");
    cr_assert_eq(ask(&w, "/webhook/generic/other", headers, body), 401, "the path says who speaks");
    cr_assert_eq(ask(&w, "/webhook/generic/up.time", "Authorization: Bearer gl-token\r\n", body), 401);
    cr_assert_eq(ask(&w, "/webhook/generic/nobody", "Authorization: Bearer gl-token\r\n", body), 401,
                 "no hint which names there are");
    cr_assert_eq(ask(&w, "/webhook/generic/", "Authorization: Bearer gl-token\r\n", body), 404);
    cr_assert_eq(ask(&w, "/webhook/generic/other", "Authorization: Bearer gl-token\r\n", "{\"x\":\"Y\"}"),
                 200);
    label_is(&w, 1, "alertname", "Y");
}

Test(intake, cloud_events_come_binary_and_structured)
{
    CLEANUP(listener_end) struct listener w = make(ANY_SHAPE);
    cr_assert_eq(
        ask_status(
            w.port, "POST", "/webhook/cloudevents",
            "Authorization: Bearer j-token\r\nContent-Type: application/json\r\nce-specversion: 1.0\r\n"
            "ce-id: 1\r\nce-source: /s%20t\r\nce-type: disk.full\r\n",
            "{\"status\":\"failed\"}"),
        200);
    label_is(&w, 0, "alertname", "disk.full");
    label_is(&w, 0, "origin", "/s t");
    static const char structured[] =
        "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"disk.low\"}";
    for (int i = 0; i < 2; i++)
        cr_assert_eq(
            ask_status(w.port, "POST", "/webhook/cloudevents",
                       "Authorization: Bearer j-token\r\nContent-Type: application/cloudevents+json\r\n",
                       structured),
            200);
    cr_assert_eq(double_committed(w.loop), 2u, "an event is known by its source and id");
    cr_assert_eq(
        ask_status(w.port, "POST", "/webhook/cloudevents",
                   "Authorization: Bearer j-token\r\nContent-Type: application/cloudevents-batch+json\r\n",
                   "[]"),
        415);
}
