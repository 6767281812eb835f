/* heald rbac: the least roles that the loaded policy needs, and the policy of admission that bounds heald's
 * user.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/bounds.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings.h"

#define CONFIG_DEFAULT "heald.cfg"
#define USER_DEFAULT "system:serviceaccount:heald:heald"

struct asked {
    const char *config, *policy, *cluster, *user, *name;
    const char **act_in;
    size_t act_in_len;
    bool roles, admission; /* neither: both */
};

static bool read_options(struct asked *a, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "policy", required_argument, NULL, 'p' },
                                             { "cluster", required_argument, NULL, 'k' },
                                             { "user", required_argument, NULL, 'u' },
                                             { "name", required_argument, NULL, 'm' },
                                             { "namespace", required_argument, NULL, 'n' },
                                             { "roles", no_argument, NULL, 'r' },
                                             { "admission", no_argument, NULL, 'a' },
                                             { NULL, 0, NULL, 0 } };
    const struct {
        int option;
        const char **ret;
    } texts[] = {
        { 'c', &a->config }, { 'p', &a->policy }, { 'k', &a->cluster }, { 'u', &a->user }, { 'm', &a->name }
    };
    int o;
    opterr = 0;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == '?')
            return false;
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            if (texts[k].option == o)
                *texts[k].ret = optarg;
        if (o == 'n')
            a->act_in[a->act_in_len++] = optarg;
        a->roles = a->roles || o == 'r';
        a->admission = a->admission || o == 'a';
    }
    return optind == argc;
}

/* Names stand in YAML and in expressions: only what Kubernetes allows in them. */
static bool is_name(const char *text, const char *more)
{
    for (const char *c = text; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-' && !strchr(more, *c))
            return false;
    return *text != '\0';
}

static const char *wrong_name(const struct asked *a)
{
    if (!is_name(a->name, "."))
        return "--name takes lower-case letters, digits, \"-\" and \".\"";
    if (!is_name(a->user, ".:@_/ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        return "--user takes letters, digits and \"-.:@_/\"";
    for (size_t i = 0; i < a->act_in_len; i++)
        if (!is_name(a->act_in[i], ""))
            return "--namespace takes lower-case letters, digits and \"-\"";
    return NULL;
}

static const struct cluster_settings *find_cluster(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->clusters_len; i++)
        if (name ? strcmp(s->clusters[i].name, name) == 0 : s->clusters_len == 1)
            return &s->clusters[i];
    return NULL;
}

static int print(const struct asked *a, const struct policy *p, const struct cluster_settings *c)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct rights *rights = calloc(1, sizeof *rights);
    struct err e = ERR_INIT;
    enum err_code code = rights ? rights_of_policy(rights, p, &e) : err_set(&e, ERR_NOMEM, "no memory");
    const struct bounds b = { .name = a->name,
                              .user = a->user,
                              .cluster = c            ? c->name
                                         : a->cluster ? a->cluster
                                                      : "",
                              .namespaces = c ? (const char *const *)c->namespaces.list : NULL,
                              .namespaces_len = c ? c->namespaces.len : 0,
                              .act_in = a->act_in,
                              .act_in_len = a->act_in_len,
                              .policy = p,
                              .rights = rights };
    if (!code && (a->roles || !a->admission))
        code = bounds_roles(&text, &b, &e);
    if (!code && (a->admission || !a->roles))
        code = bounds_admission(&text, &b, &e);
    free(rights);
    if (code)
        fprintf(stderr, "heald: rbac: %s\n", e.msg);
    else
        fputs(buf_text(&text), stdout);
    return code ? EXIT_NO : EXIT_YES;
}

static int load_and_print(const struct asked *a)
{
    CLEANUP(settings_freep) struct settings *s = NULL;
    CLEANUP(policy_freep) struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    enum err_code code = a->config ? settings_load(&s, a->config, &errors, &e) : ERR_OK;
    const struct cluster_settings *c = s ? find_cluster(s, a->cluster) : NULL;
    if (!code && s && s->clusters_len && !c)
        return usage_error("rbac", a->cluster ? "--cluster names none of clusters in heald.cfg"
                                              : "several clusters are configured: say which by --cluster");
    if (!code)
        code = policy_file_load(&p, a->policy || !s ? a->policy : s->policy, NULL, &errors, &e);
    if (!code)
        return print(a, p, c);
    fputs(buf_text(&errors), stderr);
    fprintf(stderr, "heald: rbac: %s\n", e.msg);
    return EXIT_NO;
}

int command_rbac(int argc, char **argv)
{
    struct asked a = { .user = USER_DEFAULT, .name = "heald" };
    a.act_in = calloc((size_t)argc, sizeof *a.act_in);
    if (!a.act_in)
        return EXIT_NO;
    int status;
    if (!read_options(&a, argc, argv)) {
        status = usage_error("rbac", "unknown option, one without its value, or an argument");
    } else if (wrong_name(&a)) {
        status = usage_error("rbac", wrong_name(&a));
    } else {
        if (!a.config && (!a.policy || access(CONFIG_DEFAULT, R_OK) == 0))
            a.config = CONFIG_DEFAULT;
        status = load_and_print(&a);
    }
    free(a.act_in);
    return status;
}
