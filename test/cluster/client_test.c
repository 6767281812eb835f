/* test/cluster/client_test.c - the client against a real API server. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/cluster/workload_kit.h"

static enum err_code patch(struct world *w, const char *path, const char *body, struct kube_reply *ret,
                           struct err *e)
{
    struct kube_call call = { .verb = "patch",
                              .path = path,
                              .content_type = "application/merge-patch+json",
                              .body = body,
                              .body_len = strlen(body) };
    return kube_call(w->cluster, w->http, &call, ret, e);
}

static const char *path_of(struct world *w, const char *kind, const char *name, const char *subresource)
{
    static struct buf path = { .ptr = NULL };
    struct err e = ERR_INIT;
    buf_clear(&path);
    cr_assert_eq(kube_path(&path, kind, w->namespace, name, subresource, &e), ERR_OK, "%s", e.msg);
    return buf_text(&path);
}

static struct json_doc *get(struct world *w, const char *kind, const char *name)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(kube_get(w->cluster, w->http, kind, w->namespace, name, &doc, &e), ERR_OK, "%s", e.msg);
    return doc;
}

/* ---- refusals ---- */

Test(client, what_is_not_there_is_not_found, .timeout = 300)
{
    struct world w;
    struct err e = ERR_INIT;
    struct json_doc *doc = NULL;
    world_open(&w, false);
    cr_assert_eq(kube_get(w.cluster, w.http, "Deployment", w.namespace, "nobody", &doc, &e), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(e.msg, "\"nobody\" not found"), "%s", e.msg);
    cr_assert_eq(kube_get(w.cluster, w.http, "Pod", "heald-no-such-namespace", "nobody", &doc, &e),
                 ERR_NOT_FOUND);
    cr_assert_null(doc);
    world_close(&w);
}

Test(client, what_heald_may_not_do_is_refused_with_the_servers_reason, .timeout = 300)
{
    struct world w;
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    world_open(&w, false); /* no binding: heald may only read here */
    world_apply(&w, "Deployment", SLEEP, 0);
    cr_assert_eq(patch(&w, path_of(&w, "Deployment", "w", NULL),
                       "{\"metadata\":{\"annotations\":{\"a\":\"b\"}}}", &r, &e),
                 ERR_REFUSED);
    cr_assert_eq(r.status, 403);
    cr_assert_not_null(strstr(e.msg, "cannot patch resource"), "%s", e.msg);
    struct kube_call secrets = { .verb = "list", .path = "/api/v1/secrets" };
    cr_assert_eq(kube_call(w.cluster, w.http, &secrets, &r, &e), ERR_REFUSED);
    cr_assert_eq(r.status, 403);
    world_close(&w);
}

Test(client, a_stale_resource_version_is_a_conflict_and_changes_nothing, .timeout = 300)
{
    struct world w;
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 0);
    CLEANUP(json_freep) struct json_doc *doc = get(&w, "Deployment", "w");
    world_kubectl(&w, "annotate deployment/w by=another");
    buf_addf(&body, "{\"metadata\":{\"resourceVersion\":\"%s\",\"annotations\":{\"by\":\"heald\"}}}",
             json_string(json_path(json_root(doc), "metadata.resourceVersion"), ""));
    cr_assert_eq(patch(&w, path_of(&w, "Deployment", "w", NULL), buf_text(&body), &r, &e), ERR_CONFLICT);
    cr_assert_eq(r.status, 409);
    cr_assert_str_eq(world_kubectl(&w, "get deployment w -o jsonpath='{.metadata.annotations.by}'"),
                     "another");
    world_close(&w);
}

Test(client, a_paused_or_invalid_value_is_told_by_the_server, .timeout = 300)
{
    struct world w;
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    world_open(&w, true);
    world_apply(&w, "Deployment", SLEEP, 0);
    cr_assert_eq(patch(&w, path_of(&w, "Deployment", "w", NULL), "{\"spec\":{\"replicas\":-1}}", &r, &e),
                 ERR_INVALID);
    cr_assert_eq(r.status, 422);
    cr_assert_not_null(strstr(e.msg, "spec.replicas"), "%s", e.msg);
    cr_assert_eq(patch(&w, path_of(&w, "Deployment", "w", NULL), "{\"spec\":", &r, &e), ERR_INVALID);
    cr_assert_eq(r.status, 400);
    world_close(&w);
}

/* ---- names ---- */

struct odd_name {
    char text[64];
};

ParameterizedTestParameters(client, an_odd_name_reaches_no_other_object)
{
    static struct odd_name cases[] = {
        { "../deployments/w" },
        { "w/status" },
        { "w/../w" },
        { "w?dryRun=All" },
        { "w#x" },
        { "%77" },
        { "w%00" },
        { "w\n" },
        { " w" },
        { "w;x" },
        { "\xc3\xa9" },
        { "w&x=y" },
        { "w\\..\\w" },
    };
    return cr_make_param_array(struct odd_name, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct odd_name *c, client, an_odd_name_reaches_no_other_object, .timeout = 300)
{
    struct world w;
    struct err e = ERR_INIT;
    struct json_doc *doc = NULL;
    world_open(&w, false);
    world_apply(&w, "Deployment", SLEEP, 0);
    enum err_code code = kube_get(w.cluster, w.http, "Deployment", w.namespace, c->text, &doc, &e);
    cr_assert(code == ERR_NOT_FOUND || code == ERR_INVALID, "%d: %s", (int)code, e.msg);
    cr_assert_null(doc);
    world_close(&w);
}

/* ---- credentials ---- */

struct account { /* a kubeconfig of its own, with a token file beside it */
    char folder[64], config[96], token[96], ca[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static void account_open(struct account *a, struct world *w, const char *cluster_extra, const char *token)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    snprintf(a->folder, sizeof a->folder, "/tmp/heald-account-XXXXXX");
    cr_assert_not_null(mkdtemp(a->folder));
    snprintf(a->config, sizeof a->config, "%s/config", a->folder);
    snprintf(a->token, sizeof a->token, "%s/token", a->folder);
    snprintf(a->ca, sizeof a->ca, "%s/ca", a->folder);
    write_file(a->ca, world_kubectl(
                          w, "config view --raw --flatten --minify --kubeconfig=\"$HEALD_KUBECONFIG\" "
                             "-o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d"));
    buf_addf(
        &text,
        "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: u}}]\n"
        "clusters: [{name: b, cluster: {server: '%s', %s}}]\nusers: [{name: u, user: {tokenFile: token}}]\n",
        world_kubectl(w, "config view --minify --kubeconfig=\"$HEALD_KUBECONFIG\" -o "
                         "jsonpath='{.clusters[0].cluster.server}'"),
        cluster_extra);
    write_file(a->config, buf_text(&text));
    write_file(a->token, token);
}

static void account_use(const struct account *a, struct world *w)
{
    struct err e = ERR_INIT;
    struct cluster_options o = { .name = "world", .kubeconfig = a->config };
    cluster_free(w->cluster);
    w->cluster = NULL;
    cr_assert_eq(cluster_new(&w->cluster, &o, &e), ERR_OK, "%s", e.msg);
}

static void account_close(struct account *a)
{
    unlink(a->config);
    unlink(a->token);
    unlink(a->ca);
    rmdir(a->folder);
}

static enum err_code read_namespace(struct world *w, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    return kube_get(w->cluster, w->http, "Namespace", NULL, w->namespace, &doc, e);
}

#define RIGHT_CA "certificate-authority: ca"

Test(client, a_token_is_refused_or_taken_as_its_file_changes, .timeout = 300)
{
    struct world w;
    struct account a;
    struct err e = ERR_INIT;
    world_open(&w, false);
    world_kubectl(&w, "create serviceaccount reader");
    world_kubectl(&w, "create clusterrolebinding %s --clusterrole=heald-read --serviceaccount=%s:reader",
                  w.namespace, w.namespace);
    account_open(&a, &w, RIGHT_CA, "not.a.token\n");
    account_use(&a, &w);
    cr_assert_eq(read_namespace(&w, &e), ERR_REFUSED);
    cr_assert_not_null(strstr(e.msg, "401"), "%s", e.msg);
    for (int i = 0; i < 2; i++) { /* two tokens of one account, one after the other */
        write_file(a.token, world_kubectl(&w, "create token reader --duration=%dm", 10 + i));
        cr_assert_eq(read_namespace(&w, &e), ERR_OK, "token %d: %s", i, e.msg);
    }
    write_file(a.token, "not.a.token.either\n");
    cr_assert_eq(read_namespace(&w, &e), ERR_REFUSED);
    world_kubectl(&w, "delete clusterrolebinding %s", w.namespace);
    account_close(&a);
    world_close(&w);
}

static void server_is_not_trusted(const char *cluster_extra, const char *ca, const char *blamed)
{
    struct world w;
    struct account a;
    struct err e = ERR_INIT;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    world_open(&w, true);
    account_open(&a, &w, cluster_extra, "secret");
    if (ca)
        write_file(a.ca, ca);
    account_use(&a, &w);
    cr_assert_eq(patch(&w, path_of(&w, "Deployment", "w", NULL), "{}", &r, &e), ERR_UNAVAILABLE, "%s", e.msg);
    cr_assert_eq(r.sent_ms, 0, "no token went to a server that is not trusted");
    cr_assert_not_null(strstr(e.msg, blamed), "'%s' should say '%s'", e.msg, blamed);
    account_close(&a);
    world_close(&w);
}

/* A certificate of somebody else. */
static const char *other_ca(void)
{
    static char text[4096];
    const char *make =
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=other 2>/dev/null";
    FILE *f = popen(make, "r"); /* NOLINT(cert-env33-c): the test's own command */
    cr_assert_not_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    pclose(f);
    return strstr(text, "BEGIN CERTIFICATE") ? text : NULL;
}

Test(client, a_server_of_another_authority_is_not_trusted, .timeout = 300)
{
    const char *ca = other_ca();
    if (!ca) {
        puts("SKIPPED openssl is not installed: no certificate of another authority");
        cr_skip_test("no openssl");
    }
    server_is_not_trusted(RIGHT_CA, ca, "certificate");
}

Test(client, a_server_of_another_name_is_not_trusted, .timeout = 300)
{
    server_is_not_trusted(RIGHT_CA ", tls-server-name: elsewhere.example", NULL, "elsewhere.example");
}

Test(client, a_missing_authority_file_is_named, .timeout = 300)
{
    server_is_not_trusted("certificate-authority: nowhere.crt", NULL, "nowhere.crt");
}

/* ---- lists ---- */

struct counted {
    size_t n, distinct;
    bool seen[1000];
};

static bool count(void *ctx, const struct json *item)
{
    struct counted *c = ctx;
    const char *name = json_string(json_path(item, "metadata.name"), "");
    unsigned long number = strtoul(name[0] == 'r' ? name + 1 : "999", NULL, 10);
    c->n++;
    c->distinct += !c->seen[number];
    c->seen[number] = true;
    return true;
}

#define REVISIONS 250

static void make_revisions(struct world *w)
{
    char file[] = "/tmp/heald-revisions-XXXXXX";
    int fd = mkstemp(file);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    cr_assert_not_null(f);
    fputs("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[", f);
    for (int i = 0; i < REVISIONS; i++)
        fprintf(f,
                "%s{\"apiVersion\":\"apps/"
                "v1\",\"kind\":\"ControllerRevision\",\"metadata\":{\"name\":\"r%d\",\"labels\":{"
                "\"half\":\"%s\"}},\"data\":{},\"revision\":%d}",
                i ? "," : "", i, i % 2 ? "odd" : "even", i + 1);
    fputs("]}", f);
    fclose(f);
    world_kubectl(w, "create -f %s | tail -n 1", file);
    unlink(file);
}

Test(client, long_lists_come_whole_and_selected, .timeout = 600)
{
    struct world w;
    struct err e = ERR_INIT;
    char version[RESOURCE_VERSION_SIZE] = "";
    CLEANUP(buf_release) struct buf selector = BUF_INIT;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    static struct counted all, half;
    world_open(&w, false);
    make_revisions(&w);
    cr_assert_eq(
        kube_list(w.cluster, w.http, "ControllerRevision", w.namespace, NULL, count, &all, version, &e),
        ERR_OK, "%s", e.msg);
    cr_assert_eq(all.n, REVISIONS);
    cr_assert_eq(all.distinct, REVISIONS);
    cr_assert(version[0] != '\0');
    const char *text =
        "{\"matchExpressions\":[{\"key\":\"half\",\"operator\":\"In\",\"values\":[\"odd\",\"x\"]},"
        "{\"key\":\"half\",\"operator\":\"NotIn\",\"values\":[\"even\"]},"
        "{\"key\":\"half\",\"operator\":\"Exists\"},{\"key\":\"none\",\"operator\":\"DoesNotExist\"}]}";
    cr_assert_eq(json_parse(&doc, text, strlen(text), &e), ERR_OK);
    cr_assert_eq(kube_selector(&selector, json_root(doc), &e), ERR_OK);
    cr_assert_eq(kube_list(w.cluster, w.http, "ControllerRevision", w.namespace, buf_text(&selector), count,
                           &half, NULL, &e),
                 ERR_OK, "%s", e.msg);
    cr_assert_eq(half.n, REVISIONS / 2);
    world_close(&w);
}

/* ---- templates ---- */

struct found {
    char hashes[4][HASH_SIZE];
    size_t n;
    const char *path;
};

static bool hash_template(void *ctx, const struct json *item)
{
    struct found *f = ctx;
    cr_assert_lt(f->n, 4);
    kube_template_hash(f->hashes[f->n++], json_path(item, f->path));
    return true;
}

static void one_hash_in_both(const char *kind, const char *revision_kind, const char *path)
{
    struct world w;
    struct err e = ERR_INIT;
    struct found f = { .path = path };
    char live[HASH_SIZE];
    world_open(&w, false);
    world_apply(&w, kind, SLEEP, 1);
    for (int i = 0; i < 600 && f.n == 0; i++) { /* its controller makes the revision */
        world_sleep_ms(100);
        cr_assert_eq(
            kube_list(w.cluster, w.http, revision_kind, w.namespace, "app=w", hash_template, &f, NULL, &e),
            ERR_OK, "%s", e.msg);
    }
    CLEANUP(json_freep) struct json_doc *doc = get(&w, kind, "w");
    kube_template_hash(live, json_path(json_root(doc), "spec.template"));
    cr_assert_eq(f.n, 1);
    cr_assert_str_eq(f.hashes[0], live);
    world_close(&w);
}

Test(client, a_deployments_template_and_its_replicasets_have_one_hash, .timeout = 300)
{
    one_hash_in_both("Deployment", "ReplicaSet", "spec.template");
}

Test(client, a_statefulsets_template_and_its_revisions_have_one_hash, .timeout = 300)
{
    one_hash_in_both("StatefulSet", "ControllerRevision", "data.spec.template");
}

Test(client, a_daemonsets_template_and_its_revisions_have_one_hash, .timeout = 300)
{
    one_hash_in_both("DaemonSet", "ControllerRevision", "data.spec.template");
}
