#include "actions/kube/kubeconfig.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yaml.h>

#define KUBECONFIG_BYTES_MAX (4u << 20)
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

enum err_code kube_read_file(struct buf *ret, const char *file, struct err *e)
{
    FILE *f = fopen(file, "re");
    if (!f)
        return err_set(e, ERR_IO, "%s: %s", file, strerror(errno));
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && ret->len <= KUBECONFIG_BYTES_MAX)
        buf_add(ret, chunk, n);
    fclose(f);
    if (ret->len > KUBECONFIG_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "%s: larger than %u bytes", file, KUBECONFIG_BYTES_MAX);
    while (ret->len && strchr(" \t\r\n", ret->ptr[ret->len - 1]))
        ret->ptr[--ret->len] = '\0';
    if (!buf_ok(ret) || !ret->len)
        return err_set(e, ERR_INVALID, "%s: the file is empty", file);
    return ERR_OK;
}

/* ---- a YAML document as a tree ---- */

static const yaml_node_t *member(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(d, p->key);
        if (k && k->type == YAML_SCALAR_NODE && strcmp((const char *)k->data.scalar.value, key) == 0)
            return yaml_document_get_node(d, p->value);
    }
    return NULL;
}

static const char *scalar(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *n = member(d, map, key);
    const char *text = n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
    return text && text[0] ? text : NULL;
}

/* The entry of clusters, users or contexts with this name: its inner mapping. */
static const yaml_node_t *named(yaml_document_t *d, const yaml_node_t *root, const char *list,
                                const char *inner, const char *name)
{
    const yaml_node_t *l = member(d, root, list);
    if (!l || l->type != YAML_SEQUENCE_NODE)
        return NULL;
    for (const yaml_node_item_t *i = l->data.sequence.items.start; i < l->data.sequence.items.top; i++) {
        const yaml_node_t *entry = yaml_document_get_node(d, *i);
        const char *n = scalar(d, entry, "name");
        if (n && strcmp(n, name) == 0)
            return member(d, entry, inner);
    }
    return NULL;
}

/* ---- values ---- */

struct reading {
    yaml_document_t doc;
    const char *file;
    struct kubeconfig *k;
};

/* Relative paths are relative to the file that names them. */
static char *path_beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    struct buf b = BUF_INIT;
    if (path[0] != '/' && slash)
        buf_add(&b, file, (size_t)(slash - file) + 1);
    buf_adds(&b, path);
    return buf_detach(&b);
}

static enum err_code memory_file(char **ret, int *ret_fd, const char *what, const char *base64, struct err *e)
{
    gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)base64, .size = (unsigned)strlen(base64) },
                   out = { 0 };
    if (gnutls_base64_decode2(&in, &out) < 0)
        return err_set(e, ERR_INVALID, "\"%s\" is not base64", what);
    int fd = memfd_create(what, MFD_CLOEXEC);
    bool ok = fd >= 0 && write(fd, out.data, out.size) == (ssize_t)out.size;
    gnutls_memset(out.data, 0, out.size);
    gnutls_free(out.data);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    char *copy = ok ? strdup(name) : NULL;
    if (!copy) {
        if (fd >= 0)
            close(fd);
        return err_set(e, ERR_IO, "\"%s\" could not be kept in memory", what);
    }
    *ret = copy;
    *ret_fd = fd;
    return ERR_OK;
}

/* KEY-data wins over KEY. */
static enum err_code pem(struct reading *r, const yaml_node_t *map, const char *key, char **ret, int *ret_fd,
                         struct err *e)
{
    char data_key[64];
    snprintf(data_key, sizeof data_key, "%s-data", key);
    const char *data = scalar(&r->doc, map, data_key);
    const char *file = scalar(&r->doc, map, key);
    if (data)
        return memory_file(ret, ret_fd, data_key, data, e);
    if (file && !(*ret = path_beside(r->file, file)))
        return err_set(e, ERR_NOMEM, "no memory for a kubeconfig");
    return ERR_OK;
}

static enum err_code read_cluster(struct reading *r, const yaml_node_t *cluster, struct err *e)
{
    const char *server = scalar(&r->doc, cluster, "server");
    const char *insecure = scalar(&r->doc, cluster, "insecure-skip-tls-verify");
    const char *name = scalar(&r->doc, cluster, "tls-server-name");
    const char *proxy = scalar(&r->doc, cluster, "proxy-url");
    if (!server)
        return err_set(e, ERR_INVALID, "the cluster has no server");
    if (proxy)
        return err_set(e, ERR_INVALID,
                       "proxy-url is not supported: give heald a direct way to the API server");
    enum err_code code = pem(r, cluster, "certificate-authority", &r->k->ca_file, &r->k->fds[0], e);
    if (code)
        return code;
    r->k->insecure = insecure && strcmp(insecure, "true") == 0;
    if (r->k->insecure && r->k->ca_file)
        return err_set(e, ERR_INVALID,
                       "insecure-skip-tls-verify and a certificate-authority exclude each other");
    r->k->server = strdup(server);
    r->k->server_name = name ? strdup(name) : NULL;
    return r->k->server && (!name || r->k->server_name) ? ERR_OK
                                                        : err_set(e, ERR_NOMEM, "no memory for a kubeconfig");
}

static enum err_code read_secrets(struct reading *r, const yaml_node_t *user, struct err *e)
{
    const char *token = scalar(&r->doc, user, "token"), *token_file = scalar(&r->doc, user, "tokenFile");
    const char *name = scalar(&r->doc, user, "username"), *password = scalar(&r->doc, user, "password");
    struct kubeconfig *k = r->k;
    k->token_file = token_file ? path_beside(r->file, token_file) : NULL;
    k->token = token && !token_file ? strdup(token) : NULL; /* the file wins */
    if (name) {
        struct buf b = BUF_INIT;
        buf_addf(&b, "%s:%s", name, password ? password : "");
        k->user_password = buf_detach(&b);
    }
    bool lost =
        (token_file && !k->token_file) || (token && !token_file && !k->token) || (name && !k->user_password);
    return lost ? err_set(e, ERR_NOMEM, "no memory for a kubeconfig") : ERR_OK;
}

static enum err_code read_user(struct reading *r, const yaml_node_t *user, struct err *e)
{
    static const char *const refused[] = { "exec", "auth-provider", "as", "as-uid", "as-groups", NULL };
    for (size_t i = 0; refused[i]; i++)
        if (member(&r->doc, user, refused[i]))
            return err_set(
                e, ERR_REFUSED, "the user has \"%s\": %s", refused[i],
                i < 2
                    ? "heald starts no programs; use a token file (tokenFile) or a client certificate instead"
                    : "impersonation is not supported; use credentials of heald's own user");
    enum err_code code = pem(r, user, "client-certificate", &r->k->cert_file, &r->k->fds[1], e);
    if (!code)
        code = pem(r, user, "client-key", &r->k->key_file, &r->k->fds[2], e);
    if (code)
        return code;
    if (!r->k->cert_file != !r->k->key_file)
        return err_set(e, ERR_INVALID, "the user has only one of client-certificate and client-key");
    return read_secrets(r, user, e);
}

static enum err_code read_document(struct reading *r, const char *context, struct err *e)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->doc);
    const char *name = context ? context : scalar(&r->doc, root, "current-context");
    if (!name)
        return err_set(e, ERR_INVALID, "there is no current-context; name one by context in heald.cfg");
    const yaml_node_t *c = named(&r->doc, root, "contexts", "context", name);
    const char *cluster_name = scalar(&r->doc, c, "cluster"), *user_name = scalar(&r->doc, c, "user");
    if (!c || !cluster_name)
        return err_set(e, ERR_INVALID, "there is no context \"%s\"", name);
    const yaml_node_t *cluster = named(&r->doc, root, "clusters", "cluster", cluster_name);
    const yaml_node_t *user = user_name ? named(&r->doc, root, "users", "user", user_name) : NULL;
    if (!cluster)
        return err_set(e, ERR_INVALID, "context \"%s\" names cluster \"%s\", which is not there", name,
                       cluster_name);
    if (user_name && !user)
        return err_set(e, ERR_INVALID, "context \"%s\" names user \"%s\", which is not there", name,
                       user_name);
    enum err_code code = read_cluster(r, cluster, e);
    return code || !user ? code : read_user(r, user, e);
}

enum err_code kubeconfig_read(struct kubeconfig *ret, const char *file, const char *context, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct kubeconfig k = { .fds = { -1, -1, -1 } };
    struct reading r = { .file = file, .k = &k };
    yaml_parser_t parser;
    enum err_code code = kube_read_file(&text, file, e);
    if (code)
        return err_wrap(e, code, "kubeconfig");
    if (!yaml_parser_initialize(&parser))
        return err_set(e, ERR_NOMEM, "no memory for a kubeconfig");
    yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(&text), text.len);
    if (!yaml_parser_load(&parser, &r.doc)) {
        code = err_set(e, ERR_INVALID, "%s:%zu: not YAML: %s", file, parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "?");
    } else {
        code = read_document(&r, context, e);
        yaml_document_delete(&r.doc);
        if (code)
            err_wrap(e, code, "%s", file);
    }
    yaml_parser_delete(&parser);
    if (code) {
        kubeconfig_release(&k);
        return code;
    }
    *ret = k;
    return ERR_OK;
}

enum err_code kubeconfig_in_cluster(struct kubeconfig *ret, struct err *e)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !port)
        return err_set(e, ERR_INVALID,
                       "not in a cluster (KUBERNETES_SERVICE_HOST and _PORT are not set); name a kubeconfig "
                       "in heald.cfg");
    struct kubeconfig k = { .fds = { -1, -1, -1 } };
    struct buf b = BUF_INIT;
    buf_addf(&b, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    k.server = buf_detach(&b);
    k.ca_file = strdup(SERVICE_ACCOUNT "/ca.crt");
    k.token_file = strdup(SERVICE_ACCOUNT "/token");
    if (!k.server || !k.ca_file || !k.token_file) {
        kubeconfig_release(&k);
        return err_set(e, ERR_NOMEM, "no memory for credentials");
    }
    *ret = k;
    return ERR_OK;
}

void kubeconfig_release(struct kubeconfig *k)
{
    if (k->token)
        gnutls_memset(k->token, 0, strlen(k->token));
    free(k->server);
    free(k->server_name);
    free(k->ca_file);
    free(k->cert_file);
    free(k->key_file);
    free(k->token);
    free(k->token_file);
    free(k->user_password);
    for (size_t i = 0; i < 3; i++)
        if (k->fds[i] > 2)
            close(k->fds[i]);
    memset(k, 0, sizeof *k);
}
