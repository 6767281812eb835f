/* test/unit/probe_test.c - probes against a peer that misbehaves: what is an answer, and what is no data. */
#include "actions/verify/probe.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>

#include "test/kit/http_peer.h"
#include "test/kit/sample.h"
#include "test/kit/tempdir.h"

#define WALL_MS 1787217300000

struct fixture {
    struct tempdir dir;
    struct http_peer *peer;
    struct http *http;
    struct remote *prometheus, *loki, *hosts[2];
    struct probe_systems systems;
    struct probe probe;
    struct probe_answer answer;
};

static void open_fixture(struct fixture *f)
{
    struct err e = ERR_INIT;
    char url[96];
    *f = (struct fixture){ .dir = tempdir_make(), .peer = http_peer_new() };
    cr_assert_eq(http_new(&f->http, &e), ERR_OK);
    cr_assert_eq(remote_new(&f->prometheus, "prometheus", http_peer_url(f->peer), NULL, NULL, NULL, &e),
                 ERR_OK);
    cr_assert_eq(remote_new(&f->loki, "loki", http_peer_url(f->peer), NULL, NULL, "team-a", &e), ERR_OK);
    const char *token = tempdir_file(&f->dir, "token");
    FILE *out = fopen(token, "w");
    fputs("s3cret\n", out);
    fclose(out);
    snprintf(url, sizeof url, "%s/secret/", http_peer_url(f->peer));
    cr_assert_eq(remote_new(&f->hosts[0], "probe host", url, token, NULL, NULL, &e), ERR_OK);
    snprintf(url, sizeof url, "%s/health", http_peer_url(f->peer));
    cr_assert_eq(remote_new(&f->hosts[1], "probe host", url, NULL, NULL, NULL, &e), ERR_OK);
    f->systems = (struct probe_systems){
        .prometheus = f->prometheus, .loki = f->loki, .hosts = f->hosts, .hosts_len = 2
    };
}

static void close_fixture(struct fixture *f)
{
    remote_free(f->prometheus);
    remote_free(f->loki);
    remote_free(f->hosts[0]);
    remote_free(f->hosts[1]);
    http_free(f->http);
    http_peer_free(f->peer);
    tempdir_end(&f->dir);
}

static void ask(struct fixture *f, enum probe_kind kind, const char *text, const char *body)
{
    f->probe = (struct probe){ .kind = kind };
    cr_assert(text_copy(f->probe.text, sizeof f->probe.text, text));
    cr_assert(text_copy(f->probe.body, sizeof f->probe.body, body));
    probes_ask(&f->systems, f->http, &f->probe, 1, WALL_MS, &f->answer);
}

static void ask_path(struct fixture *f, const char *path, const char *body)
{
    char url[512];
    snprintf(url, sizeof url, "%s%s", http_peer_url(f->peer), path);
    ask(f, PROBE_HTTP, url, body);
}

static void script(struct fixture *f, enum peer_way way, int status, const char *body)
{
    http_peer_script(f->peer, &(struct peer_answer){ .way = way, .status = status, .body = body });
}

static void no_data(const struct fixture *f, const char *why)
{
    cr_assert_eq(f->answer.state, PROBE_NO_DATA, "%s", f->answer.text);
    cr_assert_not_null(strstr(f->answer.text, why), "\"%s\" should say \"%s\"", f->answer.text, why);
    cr_assert_eq(f->answer.series, 0);
    cr_assert_eq(f->answer.status, 0);
    cr_assert_not(f->answer.body_matches);
}

/* ---- queries: reading ---- */

struct answer_case {
    char answer[420];
    bool answered;
    uint32_t series;
    double least, most;
    char text[60];
};

#define VECTOR(samples) "{'status':'success','data':{'resultType':'vector','result':[" samples "]}}"
#define SAMPLE(value) "{'metric':{},'value':[1787217310.5,'" value "']}"

ParameterizedTestParameters(probe, reads_what_a_query_answers)
{
    static struct answer_case cases[] = {
        { VECTOR(SAMPLE("0.7")), true, 1, 0.7, 0.7, "0.7" },
        { VECTOR(SAMPLE("3") "," SAMPLE("-1e3") "," SAMPLE("2")), true, 3, -1000, 3,
          "-1000 to 3 in 3 series" },
        { VECTOR(SAMPLE("0") "," SAMPLE("0")), true, 2, 0, 0, "0 in 2 series" },
        { VECTOR(SAMPLE("+Inf")), true, 1, INFINITY, INFINITY, "inf" },
        { VECTOR(), true, 0, 0, 0, "no series" },
        { "{'status':'success','data':{'resultType':'scalar','result':[1787217310,'42']}}", true, 1, 42, 42,
          "42" },
        { "{'status':'success','data':{'resultType':'vector','result':[]},'infos':['not a counter']}", true,
          0, 0, 0, "no series" },
        { VECTOR(SAMPLE("1") "," SAMPLE("NaN")), false, 0, 0, 0, "value is \"NaN\"" },
        { VECTOR(SAMPLE("")), false, 0, 0, 0, "value is \"\"" },
        { VECTOR(SAMPLE("7x")), false, 0, 0, 0, "value is \"7x\"" },
        { VECTOR("{'metric':{},'value':[1787217310.5,7]}"), false, 0, 0, 0, "no string" },
        { VECTOR("{'metric':{},'histogram':[1787217310.5,{}]}"), false, 0, 0, 0, "a histogram" },
        { VECTOR("7"), false, 0, 0, 0, "no single number" },
        { "{'status':'success','data':{'resultType':'matrix','result':[]}}", false, 0, 0, 0, "\"matrix\"" },
        { "{'status':'success','data':{'resultType':'string','result':[1,'x']}}", false, 0, 0, 0,
          "\"string\"" },
        { "{'status':'success','data':{'resultType':'vector','result':{}}}", false, 0, 0, 0,
          "instant vector" },
        { "{'status':'success','data':{'resultType':'streams','result':[]}}", false, 0, 0, 0,
          "count_over_time" },
        { "{'status':'success','warnings':['remote read "
          "failed'],'data':{'resultType':'vector','result':[" SAMPLE("1") "]}}",
          false, 0, 0, 0, "not whole: remote read failed" },
        { "{'status':'error','errorType':'execution','error':'many-to-many'}", false, 0, 0, 0,
          "failed: many-to-many" },
        { "{}", false, 0, 0, 0, "no reason given" },
        { "[]", false, 0, 0, 0, "no reason given" },
        { "{'status':'success'}", false, 0, 0, 0, "must give" },
    };
    return cr_make_param_array(struct answer_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct answer_case *c, probe, reads_what_a_query_answers)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(c->answer);
    struct probe_answer a = { .at_ms = 7 };
    probe_read_query(json_root(doc), &a);
    cr_assert_eq(a.state == PROBE_ANSWERED, c->answered, "%s", a.text);
    cr_assert_eq(a.series, c->series);
    cr_assert(a.least == c->least && a.most == c->most, "%g %g", a.least, a.most);
    cr_assert_not_null(strstr(a.text, c->text), "\"%s\" should say \"%s\"", a.text, c->text);
    cr_assert_eq(a.at_ms, 7);
}

Test(probe, the_documented_sample_is_partial_and_so_no_data)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file("prometheus-query-vector.json");
    struct probe_answer a = { .at_ms = 7 };
    probe_read_query(json_root(doc), &a);
    cr_assert_eq(a.state, PROBE_NO_DATA);
    cr_assert_str_eq(a.text, "the answer is not whole: example warning");
}

Test(probe, log_lines_of_loki_are_no_numbers)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file("loki-query-range-streams.json");
    struct probe_answer a = { .at_ms = 7 };
    probe_read_query(json_root(doc), &a);
    cr_assert_eq(a.state, PROBE_NO_DATA);
    cr_assert_not_null(strstr(a.text, "count_over_time"));
}

/* ---- queries: asking ---- */

#define ONE                                                                                                  \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,"   \
    "\"1\"]}]}}"

Test(probe, asks_prometheus_with_the_query_as_one_value)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 200, ONE);
    ask(&f, PROBE_PROMQL, "up{job=\"a&b\"} > 0.5 # +", "");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED, "%s", f.answer.text);
    cr_assert_eq(f.answer.series, 1);
    cr_assert_eq(f.answer.at_ms, WALL_MS);
    const char *request = http_peer_request(f.peer, 0);
    cr_assert_not_null(
        strstr(request, "GET /api/v1/query?query=up%7Bjob%3D%22a%26b%22%7D%20%3E%200.5%20%23%20%2B HTTP"),
        "%s", request);
    cr_assert_null(strstr(request, "Authorization"));
    close_fixture(&f);
}

Test(probe, asks_loki_as_its_tenant)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 200, ONE);
    ask(&f, PROBE_LOKI, "sum(count_over_time({app=\"x\"}[5m]))", "");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED, "%s", f.answer.text);
    cr_assert_eq(http_peer_count(f.peer, "GET /loki/api/v1/query?query="), 1);
    cr_assert_not_null(strstr(http_peer_request(f.peer, 0), "X-Scope-OrgID: team-a"));
    close_fixture(&f);
}

Test(probe, a_system_that_is_not_configured_is_no_data)
{
    struct fixture f;
    open_fixture(&f);
    f.systems = (struct probe_systems){ .prometheus = NULL };
    ask(&f, PROBE_PROMQL, "up", "");
    no_data(&f, "no prometheus is configured; add prometheus = {");
    ask(&f, PROBE_LOKI, "up", "");
    no_data(&f, "no loki is configured");
    ask_path(&f, "/health", "");
    no_data(&f, "probe_hosts");
    ask(&f, PROBE_NONE, "", "");
    no_data(&f, "nothing was asked");
    cr_assert_eq(http_peer_connections(f.peer), 0);
    close_fixture(&f);
}

struct bad_peer {
    enum peer_way way;
    int status;
    char body[120];
    char why[60];
};

ParameterizedTestParameters(probe, a_query_that_goes_wrong_is_no_data)
{
    static struct bad_peer cases[] = {
        { PEER_ANSWER, 400, "parse error: unexpected\n\033[31mend",
          "it answered 400: parse error: unexpected  [31mend" },
        { PEER_ANSWER, 422, "{\"status\":\"error\"}", "it answered 422" },
        { PEER_ANSWER, 429, "", "it answered 429" },
        { PEER_ANSWER, 503, "Service Unavailable", "it answered 503" },
        { PEER_ANSWER, 302, "", "it answered 302" },
        { PEER_ANSWER, 204, "", "it answered 204" },
        { PEER_ANSWER, 200, "", "its answer" },
        { PEER_ANSWER, 200, "<html>", "its answer" },
        { PEER_ANSWER, 200, "{\"status\":\"succ\xff\"}", "its answer" },
        { PEER_CUT, 200, ONE, "no answer to trust" },
        { PEER_CLOSE_READ, 0, "", "no answer to trust" },
        { PEER_SILENT, 0, "", "no answer to trust" },
    };
    return cr_make_param_array(struct bad_peer, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad_peer *c, probe, a_query_that_goes_wrong_is_no_data)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(
        f.peer, &(struct peer_answer){ .way = c->way, .status = c->status, .body = c->body, .always = true });
    ask(&f, PROBE_PROMQL, "up", "");
    no_data(&f, c->why);
    close_fixture(&f);
}

Test(probe, an_answer_beyond_its_limit_is_no_data)
{
    struct fixture f;
    open_fixture(&f);
    char *big = malloc(PROBE_ANSWER_MAX + 2);
    memset(big, ' ', PROBE_ANSWER_MAX + 1);
    big[PROBE_ANSWER_MAX + 1] = '\0';
    script(&f, PEER_ANSWER, 200, big);
    ask(&f, PROBE_PROMQL, "up", "");
    no_data(&f, "larger than 1048576 bytes");
    free(big);
    close_fixture(&f);
}

Test(probe, slow_ones_leave_no_time_for_the_rest)
{
    struct fixture f;
    struct probe list[PROBES_MAX];
    struct probe_answer answers[PROBES_MAX];
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .way = PEER_SILENT, .always = true });
    for (size_t i = 0; i < PROBES_MAX; i++)
        list[i] = (struct probe){ .kind = PROBE_PROMQL, .text = "up" };
    probes_ask(&f.systems, f.http, list, PROBES_MAX, WALL_MS, answers);
    for (size_t i = 0; i < PROBES_MAX; i++)
        cr_assert_eq(answers[i].state, PROBE_NO_DATA);
    cr_assert_not_null(strstr(answers[PROBES_MAX - 1].text, "took 6000 ms"), "%s",
                       answers[PROBES_MAX - 1].text);
    cr_assert_leq(http_peer_requests(f.peer), 3, "the last one is not sent any more");
    close_fixture(&f);
}

/* ---- HTTP ---- */

Test(probe, a_get_tells_its_status_and_whether_the_body_holds_the_pattern)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 200, "all\nsystems go\n");
    ask_path(&f, "/health/live?deep=1", "systems g.$");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED, "%s", f.answer.text);
    cr_assert_eq(f.answer.status, 200);
    cr_assert_not(f.answer.body_matches, "$ is the end of the text");
    cr_assert_eq(http_peer_count(f.peer, "GET /health/live?deep=1 HTTP"), 1);
    script(&f, PEER_ANSWER, 200, "all\nsystems go\n");
    ask_path(&f, "/health", "systems g.");
    cr_assert(f.answer.body_matches);
    cr_assert_str_eq(f.answer.text, "200");
    close_fixture(&f);
}

Test(probe, any_status_is_an_answer_and_redirects_are_not_followed)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 503, "overloaded");
    ask_path(&f, "/health", "");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED);
    cr_assert_eq(f.answer.status, 503);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 302, .headers = "Location: /secret/x\r\n" });
    ask_path(&f, "/health", "");
    cr_assert_eq(f.answer.status, 302);
    cr_assert_eq(http_peer_requests(f.peer), 2);
    close_fixture(&f);
}

Test(probe, credentials_go_only_where_they_are_configured)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 200, "");
    script(&f, PEER_ANSWER, 200, "");
    ask_path(&f, "/secret/a", "");
    cr_assert_eq(f.answer.status, 200, "%s", f.answer.text);
    ask_path(&f, "/health", "");
    cr_assert_eq(f.answer.status, 200, "%s", f.answer.text);
    cr_assert_not_null(strstr(http_peer_request(f.peer, 0), "Authorization: Bearer s3cret"));
    cr_assert_null(strstr(http_peer_request(f.peer, 1), "Authorization"));
    close_fixture(&f);
}

Test(probe, only_the_first_64_kib_of_a_body_are_looked_at)
{
    struct fixture f;
    open_fixture(&f);
    size_t len = 4 * PROBE_BODY_MAX;
    char *big = malloc(len + 1);
    memset(big, 'x', len);
    big[len] = '\0';
    memcpy(big + PROBE_BODY_MAX - 2, "\xe2\x82\xac", 3); /* a character across the border */
    memcpy(big + 5, "early", 5);
    memcpy(big + len - 5, "later", 5);
    http_peer_script(f.peer, &(struct peer_answer){ .body = big, .always = true });
    ask_path(&f, "/health", "early");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED, "%s", f.answer.text);
    cr_assert(f.answer.body_matches);
    ask_path(&f, "/health", "later");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED, "%s", f.answer.text);
    cr_assert_not(f.answer.body_matches);
    free(big);
    close_fixture(&f);
}

Test(probe, a_body_that_is_no_text_is_no_data_only_when_it_is_asked_for)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, 200, "ok \xff\xfe");
    script(&f, PEER_ANSWER, 200, "ok \xff\xfe");
    ask_path(&f, "/health", "ok");
    no_data(&f, "no UTF-8");
    ask_path(&f, "/health", "");
    cr_assert_eq(f.answer.state, PROBE_ANSWERED);
    script(&f, PEER_ANSWER, 200, "ok");
    ask_path(&f, "/health", "o[k");
    no_data(&f, "missing ]");
    close_fixture(&f);
}

Test(probe, a_host_that_does_not_answer_whole_is_no_data)
{
    struct fixture f;
    open_fixture(&f);
    static const enum peer_way ways[] = { PEER_CUT, PEER_CLOSE_READ, PEER_SILENT };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        http_peer_script(f.peer, &(struct peer_answer){ .way = ways[i], .body = "whole body" });
        ask_path(&f, "/health", "whole");
        no_data(&f, "no answer to trust");
    }
    close_fixture(&f);
}

struct url_case {
    char url[120];
    char path[60]; /* "" refused */
    int host;
};

ParameterizedTestParameters(probe, asks_only_the_hosts_and_paths_that_are_configured)
{
    static struct url_case cases[] = {
        { "https://shop.example.com/health", "", 0 },
        { "https://shop.example.com/health/", "/", 0 },
        { "https://shop.example.com/health/live?x=1#part", "/live?x=1", 0 },
        { "https://SHOP.example.com:443/health/live", "/live", 0 },
        { "https://shop.example.com/a/../health/live", "/live", 0 },
        { "http://10.0.0.5:8080", "/", 1 },
        { "http://10.0.0.5:8080/any?q=a%2Fb", "/any?q=a%2Fb", 1 },
        { "http://shop.example.com/health", "", -1 },
        { "https://shop.example.com:8443/health", "", -1 },
        { "https://shop.example.com.evil.net/health", "", -1 },
        { "https://shop.example.com@evil.net/health", "", -1 },
        { "https://user:pw@shop.example.com/health", "", -1 },
        { "https://shop.example.com/healthy", "", -1 },
        { "https://shop.example.com/", "", -1 },
        { "https://shop.example.com/health/../admin", "", -1 },
        { "https://shop.example.com/health/%2e%2e/admin", "", -1 },
        { "https://shop.example.com/health/.%2E%2fadmin", "", -1 },
        { "https://shop.example.com/health/..%5cadmin", "", -1 },
        { "https://shop.example.com/health\\..\\admin", "", -1 },
        { "ftp://10.0.0.5:8080/x", "", -1 },
        { "file:///etc/passwd", "", -1 },
        { "shop.example.com/health", "", -1 },
        { "https://shop.example.com/health x", "", -1 },
        { "https://shop.example.com/health\r\nX: y", "", -1 },
        { "http://10.0.0.5:8080evil.net/", "", -1 },
        { "", "", -1 },
    };
    return cr_make_param_array(struct url_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct url_case *c, probe, asks_only_the_hosts_and_paths_that_are_configured)
{
    struct remote *hosts[2] = { NULL };
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    cr_assert_eq(remote_new(&hosts[0], "h", "https://shop.example.com/health/", NULL, NULL, NULL, &e),
                 ERR_OK);
    cr_assert_eq(remote_new(&hosts[1], "h", "http://10.0.0.5:8080", NULL, NULL, NULL, &e), ERR_OK);
    struct probe_systems s = { .hosts = hosts, .hosts_len = 2 };
    const struct remote *found = probe_host(&s, c->url, &path, &e);
    cr_assert_eq(found, c->host < 0 ? NULL : hosts[c->host], "%s: %s", c->url, e.msg);
    cr_assert_str_eq(buf_text(&path), c->path, "%s", c->url);
    cr_assert(found || e.msg[0], "a refusal has a reason");
    remote_free(hosts[0]);
    remote_free(hosts[1]);
}
