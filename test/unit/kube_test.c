/* test/unit/kube_test.c - calls to an API server: what answers mean, what is tried again, which credentials
 * go out. */
#include "actions/kube/kube.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "test/kit/http_peer.h"

struct fixture {
    struct http_peer *peer;
    struct cluster *cluster;
    struct http *http;
    struct kube_reply reply;
    struct err e;
    char folder[64], token_file[96];
    unsigned calls;
    char seen[256]; /* " verb code" of each request */
};

static void write_token(struct fixture *f, const char *token)
{
    char draft[128];
    snprintf(draft, sizeof draft, "%s.new", f->token_file);
    FILE *file = fopen(draft, "we");
    cr_assert_not_null(file);
    fputs(token, file);
    fclose(file);
    cr_assert_eq(rename(draft, f->token_file), 0); /* as the kubelet does */
}

static void count(void *ctx, const char *verb, long code)
{
    struct fixture *f = ctx;
    char one[32];
    snprintf(one, sizeof one, " %s %ld", verb, code);
    strncat(f->seen, one, sizeof f->seen - strlen(f->seen) - 1);
    f->calls++;
}

/* `readiness`: the status of /readyz */
static void open_with(struct fixture *f, int readiness)
{
    char config[96];
    *f = (struct fixture){ .peer = http_peer_new(), .reply = KUBE_REPLY_INIT, .e = ERR_INIT };
    snprintf(f->folder, sizeof f->folder, "/tmp/kube-XXXXXX");
    cr_assert_not_null(mkdtemp(f->folder));
    snprintf(f->token_file, sizeof f->token_file, "%s/token", f->folder);
    snprintf(config, sizeof config, "%s/config", f->folder);
    write_token(f, "token-1\n");
    FILE *file = fopen(config, "we");
    cr_assert_not_null(file);
    fprintf(file,
            "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: u}}]\n"
            "clusters: [{name: b, cluster: {server: '%s'}}]\nusers: [{name: u, user: {tokenFile: token}}]\n",
            http_peer_url(f->peer));
    fclose(file);
    struct cluster_options o = { .name = "prod", .kubeconfig = config };
    cr_assert_eq(cluster_new(&f->cluster, &o, &f->e), ERR_OK, "%s", f->e.msg);
    cr_assert_eq(http_new(&f->http, &f->e), ERR_OK);
    cluster_set_observer(f->cluster, count, f);
    http_peer_script(f->peer,
                     &(struct peer_answer){ .match = "GET /readyz", .status = readiness, .always = true });
}

static void open_fixture(struct fixture *f)
{
    open_with(f, 200);
}

static void close_fixture(struct fixture *f)
{
    char config[96];
    snprintf(config, sizeof config, "%s/config", f->folder);
    kube_reply_release(&f->reply);
    http_free(f->http);
    cluster_free(f->cluster);
    http_peer_free(f->peer);
    unlink(config);
    unlink(f->token_file);
    rmdir(f->folder);
}

static enum err_code call(struct fixture *f, const char *verb)
{
    bool write = strcmp(verb, "get") != 0 && strcmp(verb, "list") != 0;
    struct kube_call c = { .verb = verb,
                           .path = "/x",
                           .body = write ? "{}" : NULL,
                           .body_len = write ? 2 : 0,
                           .content_type = write ? "application/merge-patch+json" : NULL };
    kube_reply_release(&f->reply);
    return kube_call(f->cluster, f->http, &c, &f->reply, &f->e);
}

static bool bears(struct fixture *f, size_t request, const char *token)
{
    char line[64];
    snprintf(line, sizeof line, "\r\nAuthorization: Bearer %s\r\n", token);
    return strstr(http_peer_request(f->peer, request), line) != NULL;
}

/* ---- what answers mean ---- */

struct meaning {
    char verb[8];
    int status;
    char headers[24], body[200];
    int code;
};

#define CAUSE(field) "{\"kind\":\"Status\",\"details\":{\"causes\":[{\"field\":\"" field "\"}]}}"

ParameterizedTestParameters(kube, statuses_become_codes)
{
    static struct meaning cases[] = {
        { "patch", 200, "", "{}", ERR_OK },
        { "create", 201, "", "{}", ERR_OK },
        { "patch", 400, "", "{\"message\":\"bad\"}", ERR_INVALID },
        { "patch", 403, "", "{}", ERR_REFUSED },
        { "patch", 404, "", "{}", ERR_NOT_FOUND },
        { "patch", 405, "", "", ERR_INVALID },
        { "patch", 409, "", "{\"reason\":\"Conflict\"}", ERR_CONFLICT },
        { "create", 409, "", "{\"reason\":\"AlreadyExists\"}", ERR_INVALID },
        { "patch", 413, "", "", ERR_INVALID },
        { "patch", 415, "", "", ERR_INVALID },
        { "patch", 422, "", "{\"reason\":\"Invalid\",\"details\":{}}", ERR_CONFLICT },
        { "patch", 422, "", CAUSE("metadata.uid"), ERR_CONFLICT },
        { "patch", 422, "", CAUSE("spec.replicas"), ERR_INVALID },
        { "patch", 429, "Retry-After: 1\r\n", "overload", ERR_UNAVAILABLE },
        { "patch", 429, "", "{}", ERR_UNAVAILABLE },
        { "patch", 500, "", "{}", ERR_UNKNOWN },
        { "patch", 500, "Retry-After: 1\r\n", "{}", ERR_UNAVAILABLE },
        { "patch", 502, "", "<html>", ERR_UNKNOWN },
        { "patch", 503, "Retry-After: 1\r\n", "{}", ERR_UNAVAILABLE },
        { "patch", 504, "Retry-After: 1\r\n", "{}", ERR_UNKNOWN },
        { "get", 404, "", "{}", ERR_NOT_FOUND },
        { "get", 503, "Retry-After: 9\r\n", "", ERR_UNAVAILABLE },
        { "patch", 302, "Location: /y\r\n", "", ERR_INVALID },
    };
    return cr_make_param_array(struct meaning, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct meaning *m, kube, statuses_become_codes)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = m->status,
                                                    .headers = m->headers,
                                                    .body = m->body,
                                                    .always = m->status == 403 });
    cr_assert_eq((int)call(&f, m->verb), m->code, "%s %d: %s", m->verb, m->status, f.e.msg);
    cr_assert_eq(f.reply.status, m->status);
    cr_assert_eq(http_peer_count(f.peer, "/x"), m->status == 403 ? 2 : 1,
                 "a refusal is asked about once more");
    cr_assert_eq(f.reply.doc != NULL, m->code == ERR_OK);
    close_fixture(&f);
}

Test(kube, messages_quote_the_server_and_the_path_without_its_query)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 403,
                                                    .body = "{\"message\":\"pods is forbidden\"}",
                                                    .always = true });
    struct kube_call c = { .verb = "get", .path = "/api/v1/pods?fieldSelector=a" };
    cr_assert_eq(kube_call(f.cluster, f.http, &c, &f.reply, &f.e), ERR_REFUSED);
    cr_assert_str_eq(f.e.msg, "get /api/v1/pods: 403: pods is forbidden");
    close_fixture(&f);
}

Test(kube, a_write_without_an_answer_is_unknown_and_sent_once)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .way = PEER_CLOSE_READ });
    http_peer_script(f.peer, &(struct peer_answer){ .body = "{}" });
    cr_assert_eq(call(&f, "patch"), ERR_UNKNOWN);
    cr_assert_gt(f.reply.sent_ms, 0);
    cr_assert_eq(http_peer_requests(f.peer), 1);
    cr_assert_str_eq(f.seen, " patch 0");
    close_fixture(&f);
}

/* ---- what is tried again ---- */

Test(kube, reads_are_tried_again_writes_never)
{
    static const struct peer_answer troubles[] = {
        { .status = 500, .body = "{}" },
        { .status = 503 },
        { .status = 429, .headers = "Retry-After: 1\r\n" },
        { .way = PEER_CLOSE_READ },
        { .way = PEER_CUT, .body = "{\"a\":1}" },
    };
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        struct fixture f;
        open_fixture(&f);
        http_peer_script(f.peer, &troubles[i]);
        http_peer_script(f.peer, &(struct peer_answer){ .body = "{\"a\":2}" });
        cr_assert_eq(call(&f, "get"), ERR_OK, "trouble %zu: %s", i, f.e.msg);
        cr_assert_eq(json_int(json_get(json_root(f.reply.doc), "a"), 0), 2);
        cr_assert_eq(http_peer_requests(f.peer), 2);
        http_peer_script(f.peer, &troubles[i]);
        cr_assert_neq(call(&f, "patch"), ERR_OK);
        cr_assert_eq(http_peer_requests(f.peer), 3, "trouble %zu", i);
        close_fixture(&f);
    }
}

Test(kube, reading_gives_up_after_its_patience)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 503, .always = true });
    cr_assert_eq(call(&f, "get"), ERR_UNAVAILABLE);
    cr_assert_geq(http_peer_requests(f.peer), 2);
    cr_assert_leq(http_peer_requests(f.peer), 8, "pauses grow");
    close_fixture(&f);
}

Test(kube, a_server_that_asks_for_more_patience_than_there_is_is_left_alone)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(
        f.peer, &(struct peer_answer){ .status = 429, .headers = "Retry-After: 60\r\n", .always = true });
    cr_assert_eq(call(&f, "get"), ERR_UNAVAILABLE);
    cr_assert_eq(f.reply.retry_after_ms, 60000);
    cr_assert_eq(http_peer_requests(f.peer), 1);
    close_fixture(&f);
}

/* ---- credentials ---- */

Test(kube, a_rotated_token_is_used_from_the_next_call_on)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .body = "{}", .always = true });
    cr_assert_eq(call(&f, "get"), ERR_OK);
    write_token(&f, "token-2\n");
    cr_assert_eq(call(&f, "get"), ERR_OK);
    cr_assert(bears(&f, 0, "token-1"));
    cr_assert(bears(&f, 1, "token-2"));
    close_fixture(&f);
}

Test(kube, a_token_file_that_is_gone_leaves_the_last_token)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .body = "{}", .always = true });
    cr_assert_eq(call(&f, "get"), ERR_OK);
    unlink(f.token_file);
    cr_assert_eq(call(&f, "get"), ERR_OK);
    cr_assert(bears(&f, 1, "token-1"));
    close_fixture(&f);
}

Test(kube, no_token_at_all_is_told_by_the_files_name)
{
    struct fixture f;
    open_fixture(&f);
    unlink(f.token_file);
    cr_assert_eq(call(&f, "patch"), ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(f.e.msg, f.token_file), "%s", f.e.msg);
    cr_assert_eq(http_peer_connections(f.peer), 0);
    close_fixture(&f);
}

Test(kube, one_401_reads_the_credentials_again_two_refuse)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 401 });
    http_peer_script(f.peer, &(struct peer_answer){ .body = "{}" });
    cr_assert_eq(call(&f, "patch"), ERR_OK, "401 was not processed: also a write may go again: %s", f.e.msg);
    cr_assert_str_eq(f.seen, " patch 401 patch 200");
    http_peer_script(f.peer, &(struct peer_answer){ .status = 401, .always = true });
    f.seen[0] = '\0';
    cr_assert_eq(call(&f, "patch"), ERR_REFUSED);
    cr_assert_str_eq(f.seen, " patch 401 patch 401 get 200", "the server was ready");
    close_fixture(&f);
}

/* A server that has just begun refuses everybody, until it has read its roles. */
struct readiness {
    int refusal, readiness, code;
};

ParameterizedTestParameters(kube, a_refusal_counts_unless_the_server_is_not_ready)
{
    static struct readiness cases[] = {
        { 403, 200, ERR_REFUSED },     { 403, 404, ERR_REFUSED },     { 403, 500, ERR_UNAVAILABLE },
        { 403, 403, ERR_UNAVAILABLE }, { 401, 200, ERR_REFUSED },     { 401, 404, ERR_REFUSED },
        { 401, 401, ERR_REFUSED },     { 401, 500, ERR_UNAVAILABLE },
    };
    return cr_make_param_array(struct readiness, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct readiness *c, kube, a_refusal_counts_unless_the_server_is_not_ready)
{
    struct fixture f;
    open_with(&f, c->readiness);
    http_peer_script(f.peer, &(struct peer_answer){ .match = "/x", .status = c->refusal, .always = true });
    cr_assert_eq((int)call(&f, "patch"), c->code, "%d: %s", c->refusal, f.e.msg);
    cr_assert_eq(strstr(f.e.msg, "not ready") != NULL, c->code == ERR_UNAVAILABLE, "%s", f.e.msg);
    for (size_t i = 0; c->refusal == 401 && i < http_peer_requests(f.peer); i++)
        if (strncmp(http_peer_request(f.peer, i), "GET /readyz", 11) == 0)
            cr_assert_null(strstr(http_peer_request(f.peer, i), "Authorization"),
                           "those are what it refuses");
    close_fixture(&f);
}

Test(kube, a_server_that_becomes_ready_is_asked_again)
{
    struct fixture f;
    open_with(&f, 200);
    http_peer_script(f.peer, &(struct peer_answer){ .match = "/x", .status = 403 });
    http_peer_script(f.peer, &(struct peer_answer){ .match = "/x", .body = "{}" });
    cr_assert_eq(call(&f, "patch"), ERR_OK, "%s", f.e.msg);
    cr_assert_str_eq(f.seen, " patch 403 get 200 patch 200");
    close_fixture(&f);
}

/* ---- bodies ---- */

Test(kube, nul_in_a_string_is_read_as_a_replacement_character)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){
                                 .body = "{\"a\":\"x\\u0000y\",\"b\":\"\\\\u0000\",\"c\":\"\\\\\\u0000\"}" });
    cr_assert_eq(call(&f, "get"), ERR_OK);
    const struct json *root = json_root(f.reply.doc);
    cr_assert_str_eq(json_string(json_get(root, "a"), ""), "x\xef\xbf\xbdy");
    cr_assert_str_eq(json_string(json_get(root, "b"), ""), "\\u0000",
                     "an escaped backslash begins no escape");
    cr_assert_str_eq(json_string(json_get(root, "c"), ""), "\\\xef\xbf\xbd");
    close_fixture(&f);
}

Test(kube, an_object_that_is_no_json_is_unavailable)
{
    static const char *const bodies[] = { "", "ok", "[1]", "{\"a\":" };
    for (size_t i = 0; i < 4; i++) {
        struct fixture f;
        struct json_doc *doc = NULL;
        open_fixture(&f);
        http_peer_script(f.peer, &(struct peer_answer){ .body = bodies[i] });
        cr_assert_eq(kube_get(f.cluster, f.http, "Pod", "shop", "x", &doc, &f.e), ERR_UNAVAILABLE, "%s",
                     bodies[i]);
        cr_assert_null(doc);
        close_fixture(&f);
    }
}

/* ---- lists ---- */

struct listed {
    char names[64];
    size_t stop_at, n;
};

static bool take(void *ctx, const struct json *item)
{
    struct listed *l = ctx;
    strncat(l->names, json_string(json_path(item, "metadata.name"), "?"),
            sizeof l->names - strlen(l->names) - 1);
    return ++l->n != l->stop_at;
}

#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define PAGE(version, next, items)                                                                           \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" next "\"},\"items\":[" items "]}"

Test(kube, lists_are_read_page_by_page)
{
    struct fixture f;
    struct listed l = { .n = 0 };
    char version[RESOURCE_VERSION_SIZE];
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .body = PAGE("7", "a+/=", ITEM("a") "," ITEM("b")) });
    http_peer_script(
        f.peer, &(struct peer_answer){ .match = "continue=a%2B%2F%3D", .body = PAGE("7", "", ITEM("c")) });
    cr_assert_eq(kube_list(f.cluster, f.http, "Pod", "shop", "app in (x,y)", take, &l, version, &f.e), ERR_OK,
                 "%s", f.e.msg);
    cr_assert_str_eq(l.names, "abc");
    cr_assert_str_eq(version, "7");
    cr_assert_eq(http_peer_count(
                     f.peer, "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28x%2Cy%29&limit=200"),
                 2);
    close_fixture(&f);
}

Test(kube, a_list_stops_when_its_taker_has_enough)
{
    struct fixture f;
    struct listed l = { .stop_at = 2 };
    open_fixture(&f);
    http_peer_script(
        f.peer, &(struct peer_answer){ .body = PAGE("7", "more", ITEM("a") "," ITEM("b") "," ITEM("c")) });
    cr_assert_eq(kube_list(f.cluster, f.http, "Deployment", NULL, NULL, take, &l, NULL, &f.e), ERR_OK);
    cr_assert_str_eq(l.names, "ab");
    cr_assert_eq(http_peer_count(f.peer, "GET /apis/apps/v1/deployments?limit=200 "), 1);
    close_fixture(&f);
}

Test(kube, a_token_too_old_begins_the_list_again_once)
{
    struct fixture f;
    struct listed l = { .n = 0 };
    open_fixture(&f);
    http_peer_script(
        f.peer, &(struct peer_answer){ .match = "continue", .status = 410, .body = "{}", .always = true });
    http_peer_script(f.peer, &(struct peer_answer){ .body = PAGE("7", "old", ITEM("a")), .always = true });
    cr_assert_eq(kube_list(f.cluster, f.http, "Pod", NULL, NULL, take, &l, NULL, &f.e), ERR_CONFLICT);
    cr_assert_str_eq(l.names, "aa");
    cr_assert_eq(http_peer_requests(f.peer), 4);
    close_fixture(&f);
}

/* ---- paths and selectors ---- */

struct path {
    char kind[24], namespace[16], name[16], subresource[8], wanted[96];
};

ParameterizedTestParameters(kube, paths)
{
    static struct path cases[] = {
        { "Deployment", "shop", "web", "", "/apis/apps/v1/namespaces/shop/deployments/web" },
        { "StatefulSet", "shop", "web", "scale", "/apis/apps/v1/namespaces/shop/statefulsets/web/scale" },
        { "ControllerRevision", "shop", "", "", "/apis/apps/v1/namespaces/shop/controllerrevisions" },
        { "Pod", "", "", "", "/api/v1/pods" },
        { "Namespace", "", "shop", "", "/api/v1/namespaces/shop" },
        { "Pod", "shop", "../../secrets", "", "" },
        { "Pod", "a/b", "c", "", "" },
        { "Pod", "a", "b/log", "", "" },
        { "Pod", "a", "%62", "", "" },
        { "Pod", "a b", "c?d", "", "/api/v1/namespaces/a%20b/pods/c%3Fd" },
        { "Pod", "shop", "..", "", "" },
        { "Secret", "shop", "x", "", "" },
    };
    return cr_make_param_array(struct path, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct path *c, kube, paths)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    enum err_code code =
        kube_path(&path, c->kind, c->namespace[0] ? c->namespace : NULL, c->name[0] ? c->name : NULL,
                  c->subresource[0] ? c->subresource : NULL, &e);
    cr_assert_eq((int)code, c->wanted[0] ? ERR_OK : ERR_INVALID, "%s", e.msg);
    if (!code)
        cr_assert_str_eq(buf_text(&path), c->wanted);
}

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(json_parse(&doc, text, strlen(text), &e), ERR_OK, "%s", e.msg);
    return doc;
}

Test(kube, a_selector_that_selects_everything_or_is_not_understood_is_refused)
{
    static const char *const bad[] = { "{}", "{\"matchLabels\":{}}",
                                       "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Gt\"}]}" };
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        CLEANUP(json_freep) struct json_doc *doc = parse(bad[i]);
        cr_assert_eq(kube_selector(&text, json_root(doc), NULL), ERR_INVALID, "%s", bad[i]);
    }
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    cr_assert_eq(kube_selector(&text, NULL, NULL), ERR_INVALID);
}

Test(kube, selectors_are_written_as_the_api_reads_them)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    CLEANUP(json_freep)
    struct json_doc *doc =
        parse("{\"matchLabels\":{\"app\":\"x\",\"tier\":\"y\"},\"matchExpressions\":["
              "{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"b\",\"c\"]},{\"key\":\"d\",\"operator\":"
              "\"NotIn\",\"values\":[\"e\"]},"
              "{\"key\":\"f\",\"operator\":\"Exists\"},{\"key\":\"g\",\"operator\":\"DoesNotExist\"}]}");
    cr_assert_eq(kube_selector(&text, json_root(doc), NULL), ERR_OK);
    cr_assert_str_eq(buf_text(&text), "app=x,tier=y,a in (b,c),d notin (e),f,!g");
}

/* ---- template hashes ---- */

static const char *hash_of(const char *template)
{
    static char hashes[8][HASH_SIZE];
    static size_t next;
    char *hash = hashes[next++ % 8];
    CLEANUP(json_freep) struct json_doc *doc = parse(template);
    kube_template_hash(hash, json_root(doc));
    cr_assert_eq(strlen(hash), 64);
    return hash;
}

#define CONTAINERS(image) "\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"" image "\"}]}"
#define TEMPLATE(metadata, rest) "{\"metadata\":{" metadata "}," rest "}"
#define APP(name) "\"app\":\"" name "\""
#define LABELS(labels) "\"labels\":{" labels "}"

Test(kube, templates_that_differ_have_other_hashes)
{
    const char *plain = hash_of(TEMPLATE(LABELS(APP("x")), CONTAINERS("b:1")));
    cr_assert_str_neq(hash_of(TEMPLATE(LABELS(APP("y")), CONTAINERS("b:1"))), plain);
    cr_assert_str_neq(hash_of(TEMPLATE(LABELS(APP("x")), CONTAINERS("b:2"))), plain);
    cr_assert_str_neq(
        hash_of(TEMPLATE(LABELS(APP("x")) ",\"annotations\":{\"restartedAt\":\"now\"}", CONTAINERS("b:1"))),
        plain);
}

Test(kube, what_controllers_add_does_not_change_the_hash)
{
    const char *plain = hash_of(TEMPLATE(LABELS(APP("x")), CONTAINERS("b:1")));
    cr_assert_str_eq(
        hash_of(TEMPLATE("\"creationTimestamp\":null," LABELS("\"pod-template-hash\":\"7c9\"," APP("x")),
                         CONTAINERS("b:1"))),
        plain);
    cr_assert_str_eq(
        hash_of(TEMPLATE("\"annotations\":{}," LABELS(APP("x") ",\"controller-revision-hash\":\"w-1\""),
                         "\"$patch\":\"replace\"," CONTAINERS("b:1"))),
        plain);
    cr_assert_str_eq(hash_of("{" CONTAINERS("b:1") ",\"metadata\":{" LABELS(
                         "\"controller.kubernetes.io/hash\":\"1\"," APP("x")) "}}"),
                     plain, "the order of keys does not count");
}
