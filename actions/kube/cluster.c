/* A cluster: server and credentials, shared by all threads; token files are read again when they change. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "actions/kube/cluster_internal.h"
#include "actions/kube/kubeconfig.h"

#define TOKEN_AGE_MAX_S 60 /* read again at least that often, as client-go does */

struct kube_access { /* one version of the credentials; freed with its last user */
    struct cluster *cluster;
    int users;
    struct buf token;
    struct http_endpoint at;
};

struct cluster {
    char name[CLUSTER_NAME_SIZE];
    struct kubeconfig config;
    pthread_mutex_t lock;
    struct kube_access *current;
    bool stale;
    struct stat token_stat;
    time_t token_read_s;
    kube_observer *observer;
    void *observer_ctx;
};

enum err_code cluster_new(struct cluster **ret, const struct cluster_options *o, struct err *e)
{
    struct cluster *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for a cluster");
    text_copy(c->name, sizeof c->name, o->name);
    enum err_code code = o->kubeconfig ? kubeconfig_read(&c->config, o->kubeconfig, o->context, e)
                                       : kubeconfig_in_cluster(&c->config, e);
    if (code) {
        free(c);
        return code;
    }
    pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return ERR_OK;
}

static void access_unref(struct kube_access *a)
{
    if (a && --a->users == 0) {
        buf_release(&a->token);
        free(a);
    }
}

struct cluster *cluster_free(struct cluster *c)
{
    if (!c)
        return NULL;
    access_unref(c->current);
    kubeconfig_release(&c->config);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

const char *cluster_name(const struct cluster *c)
{
    return c->name;
}

const char *cluster_token_file(const struct cluster *c)
{
    return c->config.token_file ? c->config.token_file : "";
}

void cluster_set_observer(struct cluster *c, kube_observer *observer, void *ctx)
{
    c->observer = observer;
    c->observer_ctx = ctx;
}

void cluster_observe(struct cluster *c, const char *verb, long code)
{
    if (c->observer)
        c->observer(c->observer_ctx, verb, code);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool must_read(struct cluster *c, time_t now_s)
{
    struct stat s;
    if (!c->current || c->stale)
        return true;
    if (!c->config.token_file)
        return false;
    if (now_s - c->token_read_s >= TOKEN_AGE_MAX_S)
        return true;
    return stat(c->config.token_file, &s) == 0 && !same_file(&s, &c->token_stat);
}

static struct kube_access *read_access(struct cluster *c, time_t now_s)
{
    struct kube_access *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->cluster = c;
    a->users = 1;
    if (c->config.token_file) {
        struct stat s = { 0 };
        stat(c->config.token_file, &s);
        if (kube_read_file(&a->token, c->config.token_file, NULL) != ERR_OK) {
            access_unref(a);
            return NULL; /* between two versions of the file: the one before is tried once more */
        }
        c->token_stat = s;
        c->token_read_s = now_s;
    } else if (c->config.token) {
        buf_adds(&a->token, c->config.token);
    }
    a->at = (struct http_endpoint){
        .base_url = c->config.server,
        .ca_file = c->config.ca_file,
        .cert_file = c->config.cert_file,
        .key_file = c->config.key_file,
        .server_name = c->config.server_name,
        .insecure = c->config.insecure,
        .bearer = a->token.len ? buf_text(&a->token) : NULL,
        .user_password = c->config.user_password,
    };
    return a;
}

const struct http_endpoint *cluster_access(struct cluster *c, struct kube_access **ret_access)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&c->lock);
    struct kube_access *fresh = must_read(c, now.tv_sec) ? read_access(c, now.tv_sec) : NULL;
    if (fresh) {
        access_unref(c->current);
        c->current = fresh;
        c->stale = false;
    }
    struct kube_access *a = c->current;
    if (a)
        a->users++;
    pthread_mutex_unlock(&c->lock);
    *ret_access = a;
    return a ? &a->at : NULL;
}

void cluster_access_release(struct kube_access *a)
{
    if (!a)
        return;
    struct cluster *c = a->cluster;
    pthread_mutex_lock(&c->lock);
    access_unref(a);
    pthread_mutex_unlock(&c->lock);
}

void cluster_access_stale(struct cluster *c)
{
    pthread_mutex_lock(&c->lock);
    c->stale = true;
    pthread_mutex_unlock(&c->lock);
}
