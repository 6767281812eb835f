/* test/unit/kubeconfig_test.c - who heald is, out of a kubeconfig. */
#include "actions/kube/kubeconfig.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *place(const char *name)
{
    static char path[128];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/kubeconfig-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *put(const char *name, const char *text)
{
    const char *path = place(name);
    FILE *f = fopen(path, "we");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void tidy(void)
{
    if (!folder[0])
        return;
    unlink(place("config"));
    unlink(place("token"));
    rmdir(folder);
}

#define HEAD                                                                                                 \
    "apiVersion: v1\nkind: Config\ncurrent-context: here\n"                                                  \
    "contexts: [{name: here, context: {cluster: c, user: u}}, {name: there, context: {cluster: d}}]\n"
#define CLUSTERS                                                                                             \
    "clusters: [{name: c, cluster: {server: 'https://10.0.0.1:6443'}}, {name: d, cluster: {server: "         \
    "'http://d'}}]\n"
#define USER(what) "users: [{name: other, user: {token: wrong}}, {name: u, user: {" what "}}]\n"

struct bad {
    char text[512], blamed[80];
    int code;
};

ParameterizedTestParameters(kubeconfig, what_heald_cannot_use_is_refused_by_name)
{
    static struct bad cases[] = {
        { "", "empty", ERR_INVALID },
        { "a: [", "not YAML", ERR_INVALID },
        { "- a list", "current-context", ERR_INVALID },
        { "current-context: gone\n", "\"gone\"", ERR_INVALID },
        { HEAD, "names cluster \"c\"", ERR_INVALID },
        { HEAD CLUSTERS, "names user \"u\"", ERR_INVALID },
        { HEAD "clusters: [{name: c, cluster: {}}]\n" USER(""), "no server", ERR_INVALID },
        { HEAD CLUSTERS USER("exec: {command: aws}"), "tokenFile", ERR_REFUSED },
        { HEAD CLUSTERS USER("auth-provider: {name: oidc}"), "starts no programs", ERR_REFUSED },
        { HEAD CLUSTERS USER("as: root"), "impersonation", ERR_REFUSED },
        { HEAD CLUSTERS USER("client-certificate: a.crt"), "client-key", ERR_INVALID },
        { HEAD CLUSTERS USER("client-key-data: '%%%', client-certificate: a"), "client-key-data",
          ERR_INVALID },
        { HEAD "clusters: [{name: c, cluster: {server: x, proxy-url: 'http://p'}}]\n" USER(""), "proxy-url",
          ERR_INVALID },
        { HEAD "clusters: [{name: c, cluster: {server: x, insecure-skip-tls-verify: true, "
               "certificate-authority: ca}}]\n" USER(""),
          "exclude", ERR_INVALID },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, kubeconfig, what_heald_cannot_use_is_refused_by_name)
{
    struct kubeconfig k = { .server = NULL, .insecure = true };
    struct err e = ERR_INIT;
    const char *file = put("config", c->text);
    cr_assert_eq((int)kubeconfig_read(&k, file, NULL, &e), c->code, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, c->blamed), "'%s' should name '%s'", e.msg, c->blamed);
    cr_assert_not_null(strstr(e.msg, file), "'%s' should name the file", e.msg);
    cr_assert(k.insecure && !k.server, "*ret is untouched");
    tidy();
}

Test(kubeconfig, a_file_that_is_not_there_is_named)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    cr_assert_eq(kubeconfig_read(&k, "/nowhere/config", NULL, &e), ERR_IO);
    cr_assert_not_null(strstr(e.msg, "/nowhere/config"), "%s", e.msg);
}

Test(kubeconfig, syntax_errors_say_the_line)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    cr_assert_eq(kubeconfig_read(&k, put("config", "a: 1\nb: 2\n\tc: 3\n"), NULL, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "config:3:"), "%s", e.msg);
    tidy();
}

Test(kubeconfig, an_unknown_context_is_named)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    cr_assert_eq(kubeconfig_read(&k, put("config", HEAD CLUSTERS USER("")), "elsewhere", &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "\"elsewhere\""), "%s", e.msg);
    tidy();
}

Test(kubeconfig, the_context_chooses_cluster_and_user)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    const char *file = put("config", HEAD CLUSTERS USER("token: t0ken, username: n, password: 'p:w'"));
    cr_assert_eq(kubeconfig_read(&k, file, NULL, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(k.server, "https://10.0.0.1:6443");
    cr_assert_str_eq(k.token, "t0ken");
    cr_assert_str_eq(k.user_password, "n:p:w");
    cr_assert_null(k.ca_file);
    cr_assert_not(k.insecure);
    kubeconfig_release(&k);
    cr_assert_eq(kubeconfig_read(&k, file, "there", &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(k.server, "http://d");
    cr_assert_null(k.token, "that context has no user");
    kubeconfig_release(&k);
    tidy();
}

Test(kubeconfig, files_stand_beside_the_file_that_names_them)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    char wanted[128];
    const char *file = put("config", HEAD "clusters: [{name: c, cluster: {server: x, certificate-authority: "
                                          "pki/ca.crt, tls-server-name: api.example}}]\n" USER(
                                              "client-certificate: /abs/a.crt, client-key: a.key, token: "
                                              "loses, tokenFile: ../token"));
    cr_assert_eq(kubeconfig_read(&k, file, NULL, &e), ERR_OK, "%s", e.msg);
    snprintf(wanted, sizeof wanted, "%s/pki/ca.crt", folder);
    cr_assert_str_eq(k.ca_file, wanted);
    cr_assert_str_eq(k.cert_file, "/abs/a.crt");
    snprintf(wanted, sizeof wanted, "%s/a.key", folder);
    cr_assert_str_eq(k.key_file, wanted);
    snprintf(wanted, sizeof wanted, "%s/../token", folder);
    cr_assert_str_eq(k.token_file, wanted);
    cr_assert_null(k.token, "the file wins over the text");
    cr_assert_str_eq(k.server_name, "api.example");
    kubeconfig_release(&k);
    tidy();
}

/* base64 over several lines, as YAML writers fold it */
Test(kubeconfig, data_wins_over_files_and_is_kept_in_memory_only)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    const char *file = put(
        "config", HEAD "clusters:\n- name: c\n  cluster:\n    server: x\n    certificate-authority: nowhere\n"
                       "    certificate-authority-data: |\n      LS0tLS1C\n      RUdJTg==\n" USER(""));
    cr_assert_eq(kubeconfig_read(&k, file, NULL, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(strncmp(k.ca_file, "/proc/self/fd/", 14), 0, "%s", k.ca_file);
    for (int i = 0; i < 2; i++) { /* every connection reads it again */
        buf_clear(&text);
        cr_assert_eq(kube_read_file(&text, k.ca_file, &e), ERR_OK, "%s", e.msg);
        cr_assert_str_eq(buf_text(&text), "-----BEGIN");
    }
    int fd = k.fds[0];
    kubeconfig_release(&k);
    cr_assert_neq(close(fd), 0, "it was closed");
    tidy();
}

Test(kubeconfig, json_is_read_too)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    const char *file = put("config", "{\"current-context\":\"a\",\"contexts\":[{\"name\":\"a\",\"context\":{"
                                     "\"cluster\":\"b\"}}],\"clusters\":[{\"name\":\"b\",\"cluster\":{"
                                     "\"server\":\"https://x\",\"insecure-skip-tls-verify\":true}}]}");
    cr_assert_eq(kubeconfig_read(&k, file, NULL, &e), ERR_OK, "%s", e.msg);
    cr_assert(k.insecure);
    kubeconfig_release(&k);
    tidy();
}

/* ---- in a cluster ---- */

Test(kubeconfig, outside_a_cluster_says_what_to_do)
{
    struct kubeconfig k;
    struct err e = ERR_INIT;
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    cr_assert_eq(kubeconfig_in_cluster(&k, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "KUBERNETES_SERVICE_HOST"), "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, "kubeconfig"), "%s", e.msg);
}

Test(kubeconfig, in_a_cluster_addresses_are_bracketed_and_the_token_is_a_file)
{
    static const char *const hosts[][2] = { { "10.96.0.1", "https://10.96.0.1:443" },
                                            { "fd00::1", "https://[fd00::1]:443" } };
    for (size_t i = 0; i < 2; i++) {
        struct kubeconfig k;
        setenv("KUBERNETES_SERVICE_HOST", hosts[i][0], 1);
        setenv("KUBERNETES_SERVICE_PORT", "443", 1);
        cr_assert_eq(kubeconfig_in_cluster(&k, NULL), ERR_OK);
        cr_assert_str_eq(k.server, hosts[i][1]);
        cr_assert_str_eq(k.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
        cr_assert_str_eq(k.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
        cr_assert_null(k.token);
        kubeconfig_release(&k);
    }
}

/* ---- small files ---- */

Test(kubeconfig, an_empty_token_file_is_an_error)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    cr_assert_eq(kube_read_file(&text, put("token", " \n\n"), &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "token"), "%s", e.msg);
    tidy();
}

Test(kubeconfig, white_space_around_a_token_is_cut)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    cr_assert_eq(kube_read_file(&text, put("token", "abc.def \r\n\n"), NULL), ERR_OK);
    cr_assert_str_eq(buf_text(&text), "abc.def");
    tidy();
}
