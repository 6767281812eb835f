#include "receiver/commands/check_systems.h"

#include <stdlib.h>
#include <string.h>

#include "actions/verify/probe.h"

struct check {
    struct buf *ret;
    const char *file;
    const struct settings *settings;
    struct remote **hosts, **origins; /* as they stand in heald.cfg; without their paths */
    size_t hosts_len, found;
};

/* ---- hosts ---- */

/* Up to the path. */
static size_t origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : strlen(url);
}

static void add_host(struct check *c, const char *url)
{
    char *origin = strndup(url, origin_len(url));
    if (origin && remote_new(&c->hosts[c->hosts_len], "host", url, NULL, NULL, NULL, NULL) == ERR_OK) {
        if (remote_new(&c->origins[c->hosts_len], "host", origin, NULL, NULL, NULL, NULL) == ERR_OK)
            c->hosts_len++;
        else
            c->hosts[c->hosts_len] = remote_free(c->hosts[c->hosts_len]);
    }
    free(origin);
}

static bool may_ask(const struct check *c, const char *url)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    bool filled_in = strstr(url, "${") != NULL;
    struct probe_systems s = { .hosts = filled_in ? c->origins : c->hosts, .hosts_len = c->hosts_len };
    char *known = strndup(url, filled_in ? origin_len(url) : strlen(url));
    bool yes = known && probe_host(&s, known, &path, NULL) != NULL;
    free(known);
    return yes;
}

/* ---- what is asked ---- */

static void found(struct check *c, int line, const char *what, const char *remedy)
{
    buf_addf(c->ret, "%s:%d: %s, so it never has data; %s\n", c->file, config_line_number(line), what,
             remedy);
    c->found++;
}

static void check_asked(struct check *c, int line, const struct query *promql, const struct query *loki,
                        const struct http_probe *http)
{
    if (promql->query && !c->settings->prometheus.url)
        found(c, line, "\"promql\" asks Prometheus, and heald.cfg names none",
              "add prometheus = { url = \"...\"; }");
    if (loki->query && !c->settings->loki.url)
        found(c, line, "\"loki\" asks Loki, and heald.cfg names none", "add loki = { url = \"...\"; }");
    if (http->url && !may_ask(c, http->url))
        found(c, line, "\"http\" asks a URL that is not below one of probe_hosts in heald.cfg",
              "add its host to probe_hosts");
}

static void check_conditions(struct check *c, int line, const struct conditions *when)
{
    check_asked(c, when->line ? when->line : line, &when->promql, &when->loki, &when->http);
    for (size_t i = 0; i < when->not_all_len; i++)
        check_conditions(c, line, &when->not_all[i]);
    for (size_t i = 0; i < when->any_len; i++)
        check_conditions(c, line, &when->any[i]);
}

/* Steps of a called plan are looked at where they stand. */
static void check_list(struct check *c, const struct node_list *l)
{
    for (size_t i = 0; i < l->len; i++) {
        const struct node *n = &l->items[i];
        check_conditions(c, n->line, &n->when);
        check_asked(c, n->line, &n->verify.promql, &n->verify.loki, &n->verify.http);
        if (n->type != NODE_CALL)
            check_list(c, &n->then);
        check_list(c, &n->otherwise);
        for (size_t b = 0; b < n->branches_len; b++)
            check_list(c, &n->branches[b].steps);
    }
}

static void check_brakes(struct check *c, const struct environment *env)
{
    const struct query none = { .query = NULL };
    const struct http_probe no_url = { .url = NULL };
    for (size_t i = 0; i < env->brakes_len; i++)
        check_asked(c, env->line, &env->brakes[i], &none, &no_url);
}

size_t check_systems(struct buf *ret, const char *policy_file, const struct policy *p,
                     const struct settings *s)
{
    struct check c = { .ret = ret, .file = policy_file, .settings = s };
    c.hosts = calloc(s->probe_hosts_len + 1, sizeof(struct remote *));
    c.origins = calloc(s->probe_hosts_len + 1, sizeof(struct remote *));
    for (size_t i = 0; c.hosts && c.origins && i < s->probe_hosts_len; i++)
        add_host(&c, s->probe_hosts[i].url);
    for (size_t i = 0; i < p->environments_len; i++)
        check_brakes(&c, &p->environments[i]);
    for (size_t i = 0; i < p->plans_len; i++)
        for (int phase = 0; phase < PHASE_END_; phase++)
            check_list(&c, &p->plans[i].phases[phase]);
    for (size_t i = 0; i < c.hosts_len; i++) {
        remote_free(c.hosts[i]);
        remote_free(c.origins[i]);
    }
    free(c.hosts);
    free(c.origins);
    return c.found;
}
