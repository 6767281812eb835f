#include "receiver/commands/check_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "actions/kube/access.h"

#define NAMED_MAX 5u         /* namespaces that a finding names; of the others it says how many */
#define NAMESPACES_MAX 5000u /* of one cluster that are asked about */

struct check {
    struct config_problems *ret;
    const struct settings *settings;
    const struct policy *policy;
    const struct cluster_settings *at;
    struct cluster *cluster;
    struct http *http;
    char user[KUBE_USER_SIZE];
    struct rights rights;
    struct config_strings namespaces; /* that there are, or that are watched; texts owned */
    bool all_known;                   /* namespaces is complete */
};

static void check_release(struct check *c)
{
    for (size_t i = 0; i < c->namespaces.len; i++)
        free(c->namespaces.list[i]);
    free(c->namespaces.list);
    cluster_free(c->cluster);
    http_free(c->http);
}

static void found(struct check *c, const char *name, const char *text)
{
    CLEANUP(buf_release) struct buf whole = BUF_INIT;
    buf_addf(&whole, "cluster \"%s\": %s", c->at->name, text);
    config_problems_add(c->ret, c->settings->file, config_line_number(c->at->line), false, name,
                        buf_text(&whole));
}

/* ---- which namespaces ---- */

static bool add_namespace(struct check *c, const char *name)
{
    if (c->namespaces.len == NAMESPACES_MAX)
        return false;
    char **list = realloc(c->namespaces.list, (c->namespaces.len + 1) * sizeof *list);
    char *copy = strdup(name);
    if (list)
        c->namespaces.list = list;
    if (!list || !copy) {
        free(copy);
        return false;
    }
    list[c->namespaces.len++] = copy;
    return true;
}

static bool take_namespace(void *ctx, const struct json *item)
{
    struct check *c = ctx;
    c->all_known = add_namespace(c, json_string(json_path(item, "metadata.name"), ""));
    return c->all_known;
}

/* Those that are watched; all are watched: those that there are, as far as they may be listed. */
static enum err_code collect_namespaces(struct check *c, struct err *e)
{
    c->all_known = true;
    for (size_t i = 0; c->all_known && i < c->at->namespaces.len; i++)
        c->all_known = add_namespace(c, c->at->namespaces.list[i]);
    if (c->at->namespaces.len)
        return c->all_known ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for the namespaces");
    enum err_code code = kube_list(c->cluster, c->http, "Namespace", NULL, NULL, take_namespace, c, NULL, e);
    if (code == ERR_REFUSED)
        c->all_known = false;
    return code == ERR_REFUSED ? ERR_OK : code;
}

/* ---- one right ---- */

struct missing {
    struct buf names;
    size_t len;
};

static void report_missing(struct check *c, const struct right *r, const char *where)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    char right[RIGHT_TEXT_SIZE];
    buf_addf(&text, "user \"%s\" may not \"%s\" %s; ", c->user[0] ? c->user : "of heald",
             right_format(right, r), where);
    if (r->why[0])
        buf_addf(&text, "action \"%s\" needs it", r->why);
    else
        buf_adds(&text, "looking at targets needs it");
    buf_adds(&text, "; \"heald rbac\" prints what to grant");
    found(c, "right-missing", buf_text(&text));
}

static enum err_code ask_each(struct check *c, const struct right *r, struct missing *m, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < c->namespaces.len; i++) {
        const char *name = c->namespaces.list[i];
        bool yes = true, wanted = right_reads(r) ? policy_may_look(c->policy, c->at->name, name)
                                                 : policy_may_act(c->policy, c->at->name, name);
        if (wanted)
            code = kube_may(c->cluster, c->http, r, name, &yes, e);
        if (!code && !yes && m->len++ < NAMED_MAX)
            buf_addf(&m->names, "%s\"%s\"", m->names.len ? ", " : "", name);
    }
    return code;
}

/* Is it part of watching? */
static bool is_watching(const struct check *c, const struct right *r)
{
    struct right watch = *r;
    text_copy(watch.verb, sizeof watch.verb, "watch");
    for (size_t i = 0; i < c->rights.len; i++)
        if (right_equal(&c->rights.list[i], &watch))
            return strcmp(r->verb, "get") != 0;
    return false;
}

/* With all namespaces watched, lists and watches go over all of them in one request. */
static enum err_code ask_right(struct check *c, const struct right *r, struct err *e)
{
    CLEANUP(buf_release) struct buf where = BUF_INIT;
    struct missing m = { .names = BUF_INIT };
    bool yes = false, everywhere = !c->at->namespaces.len;
    bool streams = everywhere && is_watching(c, r);
    enum err_code code = ERR_OK;
    if (!right_has_namespace(r) && !right_reads(r) && !policy_may_act(c->policy, c->at->name, ""))
        return ERR_OK; /* nothing acts on what is in no namespace */
    if (everywhere || !right_has_namespace(r))
        code = kube_may(c->cluster, c->http, r, "", &yes, e);
    if (code || yes)
        return code;
    if (streams || !right_has_namespace(r) || !c->all_known) {
        report_missing(c, r, right_has_namespace(r) ? "in all namespaces" : "in the cluster");
        return ERR_OK;
    }
    code = ask_each(c, r, &m, e);
    buf_addf(&where, "in namespace%s %s", m.len == 1 ? "" : "s", buf_text(&m.names));
    if (m.len > NAMED_MAX)
        buf_addf(&where, " and %zu more", m.len - NAMED_MAX);
    if (!code && m.len)
        report_missing(c, r, buf_text(&where));
    buf_release(&m.names);
    return code;
}

static enum err_code check_right(struct check *c, const struct right *r, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    char right[RIGHT_TEXT_SIZE];
    bool served = false;
    enum err_code code = kube_serves(c->cluster, c->http, r, &served, e);
    if (code)
        return code;
    if (served)
        return ask_right(c, r, e);
    buf_addf(&text, "it does not serve what \"%s\" is about%s%s%s", right_format(right, r),
             r->why[0] ? ", which action \"" : "", r->why, r->why[0] ? "\" needs" : "");
    found(c, "kind-not-served", buf_text(&text));
    return ERR_OK;
}

/* ---- one cluster ---- */

static enum err_code check_one(struct check *c, struct err *e)
{
    struct cluster_options o = { .name = c->at->name,
                                 .kubeconfig = c->at->kubeconfig,
                                 .context = c->at->context };
    enum err_code code = cluster_new(&c->cluster, &o, e);
    if (!code)
        code = http_new(&c->http, e);
    if (!code)
        code = kube_who(c->cluster, c->http, c->user, e);
    if (!code)
        code = collect_namespaces(c, e);
    if (!code)
        code = rights_of_policy(&c->rights, c->policy, e);
    for (size_t i = 0; !code && i < c->rights.len; i++)
        code = check_right(c, &c->rights.list[i], e);
    return code;
}

enum err_code check_cluster(struct config_problems *ret, const struct settings *s, const struct policy *p,
                            struct err *e)
{
    enum err_code worst = ERR_OK;
    struct check *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory to ask the clusters");
    for (size_t i = 0; i < s->clusters_len; i++) {
        struct err why = ERR_INIT;
        *c = (struct check){ .ret = ret, .settings = s, .policy = p, .at = &s->clusters[i] };
        enum err_code code = check_one(c, &why);
        bool refused = code == ERR_REFUSED || code == ERR_INVALID;
        if (code)
            found(c, refused ? "credentials-refused" : "cluster-unreachable", why.msg);
        if (code && !refused)
            worst = err_set(e, ERR_UNAVAILABLE, "%s", why.msg);
        check_release(c);
    }
    free(c);
    return worst;
}
