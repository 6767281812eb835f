#include "receiver/runtime/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void count_request(void *ctx, const char *verb, long code)
{
    char text[16];
    snprintf(text, sizeof text, "%ld", code);
    metrics_add(ctx, METRIC_KUBE_REQUESTS, verb, text, 1);
}

static enum err_code add_member(struct fleet *f, const struct cluster_settings *s,
                                const struct watch_hooks *hooks, struct err *e)
{
    struct member *m = &f->members[f->len];
    struct cluster_options o = { .name = s->name, .kubeconfig = s->kubeconfig, .context = s->context };
    enum err_code code = cluster_new(&m->cluster, &o, e);
    if (code)
        return err_wrap(e, code, "cluster \"%s\"", s->name);
    f->len++;
    cluster_set_observer(m->cluster, count_request, f->metrics);
    return watch_new(&m->watch, m->cluster, (const char *const *)s->namespaces.list, s->namespaces.len, hooks,
                     e);
}

static enum err_code add_system(struct remote **ret, const char *what, const struct endpoint_settings *s,
                                struct err *e)
{
    return s->url ? remote_new(ret, what, s->url, s->token_file, s->ca_file, s->tenant, e) : ERR_OK;
}

static enum err_code add_systems(struct fleet *f, const struct settings *s, struct err *e)
{
    enum err_code code = add_system(&f->prometheus, "prometheus", &s->prometheus, e);
    if (!code)
        code = add_system(&f->loki, "loki", &s->loki, e);
    if (!code)
        code = add_system(&f->alertmanager, "alertmanager", &s->alertmanager, e);
    f->probe_hosts = calloc(s->probe_hosts_len + 1, sizeof(struct remote *));
    if (!code && !f->probe_hosts)
        code = err_set(e, ERR_NOMEM, "no memory for the hosts of probes");
    for (size_t i = 0; !code && i < s->probe_hosts_len; i++) {
        code = add_system(&f->probe_hosts[i], "probe host", &s->probe_hosts[i], e);
        f->probe_hosts_len++;
    }
    return code;
}

enum err_code fleet_new(struct fleet **ret, const struct settings *s, struct clock *clock, struct metrics *m,
                        const struct watch_hooks *hooks, struct err *e)
{
    struct fleet *f = calloc(1, sizeof *f);
    if (!f || !(f->members = calloc(s->clusters_len + 1, sizeof *f->members))) {
        free(f);
        return err_set(e, ERR_NOMEM, "no memory for the clusters");
    }
    f->clock = clock;
    f->metrics = m;
    enum err_code code = namespaces_new(&f->namespaces, e);
    for (size_t i = 0; !code && i < s->clusters_len; i++)
        code = add_member(f, &s->clusters[i], hooks, e);
    if (!code)
        code = add_systems(f, s, e);
    if (code) {
        fleet_free(f);
        return code;
    }
    *ret = f;
    return ERR_OK;
}

enum err_code fleet_start(struct fleet *f, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < f->len; i++)
        code = watch_start(f->members[i].watch, e);
    return code;
}

struct fleet *fleet_free(struct fleet *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->len; i++) {
        watch_free(f->members[i].watch);
        cluster_free(f->members[i].cluster);
    }
    remote_free(f->prometheus);
    remote_free(f->loki);
    remote_free(f->alertmanager);
    for (size_t i = 0; i < f->probe_hosts_len; i++)
        remote_free(f->probe_hosts[i]);
    free(f->probe_hosts);
    namespaces_free(f->namespaces);
    free(f->members);
    free(f);
    return NULL;
}

enum err_code fleet_member(const struct fleet *f, const char *name, const struct map *labels,
                           struct member **ret, struct err *e)
{
    const char *label = labels ? map_get(labels, "cluster") : NULL;
    const char *wanted = name && name[0] ? name : label;
    for (size_t i = 0; i < f->len; i++)
        if (wanted ? strcmp(cluster_name(f->members[i].cluster), wanted) == 0 : f->len == 1) {
            *ret = &f->members[i];
            return ERR_OK;
        }
    if (f->len == 0)
        return err_set(e, ERR_INVALID, "no cluster is configured; add one to clusters in heald.cfg");
    if (wanted)
        return err_set(e, ERR_REFUSED, "cluster \"%s\" is not one of clusters in heald.cfg", wanted);
    return err_set(e, ERR_INVALID,
                   "the labels name no cluster and %zu are configured; set force = { cluster = \"...\"; } "
                   "for the source",
                   f->len);
}
