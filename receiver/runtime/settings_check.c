/* receiver/runtime/settings_check.c - checks of single entries of heald.cfg, with the files that they name.
 */
#include "receiver/runtime/settings_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receiver/decode/mapped.h"
#include "receiver/http/address.h"
#include "receiver/http/secret.h"
#include "receiver/http/signature.h"
#include "receiver/runtime/settings_internal.h"

#define EVENTS_PER_SECOND 100 /* of a source of events: a busy organisation sends a few */

void settings_resolve(struct config_text *text, char **path, const struct settings_context *c)
{
    if (!*path || **path == '/' || !*c->folder)
        return;
    char *whole = NULL;
    if (asprintf(&whole, "%s%s", c->folder, *path) < 0) {
        config_out_of_memory(text);
        return;
    }
    free(*path);
    *path = whole;
}

/* The key's line, or its group's. */
static const config_setting_t *at_key(const config_setting_t *group, const char *key)
{
    const config_setting_t *member = config_setting_get_member(group, key);
    return member ? member : group;
}

static void check_readable(struct config_text *text, const config_setting_t *at, const char *file)
{
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (file && fd < 0)
        config_error(text, at, "file \"%s\" cannot be read: %s", file, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void check_secret(struct config_text *text, const config_setting_t *at, const char *file,
                         const char *user)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    struct err e = ERR_INIT;
    if (file && secret_read(digest, file, user, &e) != ERR_OK)
        config_error(text, at, "%s", e.msg);
}

static void check_name(struct config_text *text, const config_setting_t *group, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name && name[strspn(name, allowed)])
        config_error(text, at_key(group, "name"),
                     "name \"%s\" may hold letters, digits, \".\", \"_\" and \"-\" only", name);
}

static void taken(struct config_text *text, const config_setting_t *group, const char *what, const char *name,
                  int line)
{
    config_error(text, at_key(group, "name"), "%s \"%s\" stands already on line %d; names are unique", what,
                 name, line);
}

static void check_credential(struct config_text *text, const config_setting_t *group,
                             const struct source_settings *s)
{
    if (!s->user != !s->password_file)
        config_error(text, group, "\"user\" and \"password_file\" go together; write both, or neither");
    if ((s->token_file != NULL) + (s->user != NULL) + (s->secret_file != NULL) > 1)
        config_error(
            text, at_key(group, s->user ? "user" : "secret_file"),
            "a source has one credential; write \"token_file\", or \"user\" and \"password_file\", or "
            "\"secret_file\"");
    if (s->user && strchr(s->user, ':'))
        config_error(text, at_key(group, "user"), "a user of basic authentication has no colon");
    if (s->header && !s->token_file)
        config_error(text, at_key(group, "header"), "\"header\" goes with \"token_file\"; write that too");
    check_secret(text, at_key(group, "token_file"), s->token_file, NULL);
    check_secret(text, at_key(group, "password_file"), s->password_file, s->user ? s->user : "");
}

static void check_signature(struct config_text *text, const config_setting_t *group,
                            const struct source_settings *s)
{
    struct signing_key key = { .file = s->secret_file };
    struct err e = ERR_INIT;
    if (s->secret_file && !signature_of_kind(s->scope.kind))
        config_error(text, at_key(group, "secret_file"),
                     "this type of source does not sign; write \"token_file\", or \"user\" and "
                     "\"password_file\"");
    else if (s->secret_file && signing_key_refresh(&key, &e) != ERR_OK)
        config_error(text, at_key(group, "secret_file"), "%s", e.msg);
    signing_key_clear(&key);
    if ((s->signature_header || s->timestamp_header) && (!s->secret_file || s->scope.kind != SOURCE_GRAFANA))
        config_error(text, at_key(group, s->signature_header ? "signature_header" : "timestamp_header"),
                     "\"signature_header\" and \"timestamp_header\" are for Grafana with \"secret_file\"");
}

/* { label = "path"; } */
void settings_parse_paths(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg)
{
    (void)arg;
    if (!config_setting_is_group(setting)) {
        config_error(text, setting, "\"%s\" must be a group of paths, { alertname = \"check.name\"; }",
                     config_setting_name(setting));
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *path = config_get_text(text, element), *name = config_setting_name(element);
        struct err e = ERR_INIT;
        if (path && field_path_check(path, &e) != ERR_OK)
            config_error(text, element, "%s", e.msg);
        else if (path && map_set(field, name, path, &e) != ERR_OK)
            config_out_of_memory(text);
    }
}

static void check_path(struct config_text *text, const config_setting_t *group, const char *key,
                       const char *path)
{
    struct err e = ERR_INIT;
    if (path && field_path_check(path, &e) != ERR_OK)
        config_error(text, at_key(group, key), "%s", e.msg);
}

static void check_map(struct config_text *text, const config_setting_t *group,
                      const struct source_settings *s)
{
    const struct mapping_settings *map = &s->map;
    const config_setting_t *own = config_setting_get_member(group, "map");
    bool generic = s->scope.kind == SOURCE_GENERIC;
    if (own && !generic && s->scope.kind != SOURCE_CLOUDEVENTS)
        config_error(text, own, "\"map\" is for the types \"generic\" and \"cloudevents\"");
    if (generic && !map->labels.len)
        config_error(
            text, group,
            "a generic source needs map = { labels = { alertname = \"path\"; }; }: what its bodies mean");
    if (map->labels.len && !map_get(&map->labels, "alertname") && !map_get(&s->scope.force, "alertname"))
        config_error(text, own,
                     "no label is \"alertname\"; map it, or write force = { alertname = \"...\"; }");
    if (map->labels.len + map->annotations.len > MAPPED_LABELS_MAX)
        config_error(text, own, "%u labels and annotations; there may be %u",
                     map->labels.len + map->annotations.len, MAPPED_LABELS_MAX);
    for (size_t i = 0; i < map->run.len; i++)
        if (!map_get(&map->labels, map->run.list[i]))
            config_error(text, own, "\"run\" names \"%s\", which is none of the labels", map->run.list[i]);
    if (own) {
        check_path(text, own, "status", map->status);
        check_path(text, own, "starts", map->starts);
        check_path(text, own, "id", map->id);
    }
}

void settings_check_source(struct config_text *text, const config_setting_t *group, void *target,
                           const void *arg)
{
    const struct settings_context *c = arg;
    struct source_settings *s = target;
    check_name(text, group, s->scope.name);
    for (const struct source_settings *other = c->settings->sources; s->scope.name && other < s; other++)
        if (other->scope.name && strcmp(other->scope.name, s->scope.name) == 0)
            taken(text, group, "source", s->scope.name, other->line);
    settings_resolve(text, &s->token_file, c);
    settings_resolve(text, &s->password_file, c);
    settings_resolve(text, &s->secret_file, c);
    check_credential(text, group, s);
    check_signature(text, group, s);
    check_map(text, group, s);
}

void settings_check_operator(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg)
{
    const struct settings_context *c = arg;
    struct operator_settings *o = target;
    check_name(text, group, o->name);
    for (const struct operator_settings *other = c->settings->operators; o->name && other < o; other++)
        if (other->name && strcmp(other->name, o->name) == 0)
            taken(text, group, "operator", o->name, other->line);
    settings_resolve(text, &o->token_file, c);
    check_secret(text, at_key(group, "token_file"), o->token_file, NULL);
}

void settings_check_cluster(struct config_text *text, const config_setting_t *group, void *target,
                            const void *arg)
{
    const struct settings_context *c = arg;
    struct cluster_settings *k = target;
    check_name(text, group, k->name);
    for (const struct cluster_settings *other = c->settings->clusters; k->name && other < k; other++)
        if (other->name && strcmp(other->name, k->name) == 0)
            taken(text, group, "cluster", k->name, other->line);
    settings_resolve(text, &k->kubeconfig, c);
    check_readable(text, at_key(group, "kubeconfig"), k->kubeconfig);
    if (k->context && !k->kubeconfig)
        config_error(
            text, at_key(group, "context"),
            "\"context\" names a context of a kubeconfig; write \"kubeconfig\" too, or leave it out");
}

void settings_check_endpoint(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg)
{
    struct endpoint_settings *p = target;
    const char *host = !p->url                               ? NULL
                       : strncmp(p->url, "https://", 8) == 0 ? p->url + 8
                       : strncmp(p->url, "http://", 7) == 0  ? p->url + 7
                                                             : "";
    if (host && (!*host || *host == '/' || *host == ':'))
        config_error(text, at_key(group, "url"), "url \"%s\" must be like \"https://host:port\"", p->url);
    else if (host && strpbrk(host, "@?# \t"))
        config_error(text, at_key(group, "url"),
                     "a url has no user, query or fragment here; write credentials into \"token_file\"");
    settings_resolve(text, &p->token_file, arg);
    settings_resolve(text, &p->ca_file, arg);
    check_secret(text, at_key(group, "token_file"), p->token_file, NULL);
    check_readable(text, at_key(group, "ca_file"), p->ca_file);
}

void settings_parse_roles(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg)
{
    static const char *const words[] = { "read", "approve", "act", "admin", NULL };
    unsigned *ret = field;
    (void)arg;
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        config_error(text, setting, "\"roles\" must be an array of strings, [ \"read\", \"act\" ]");
        return;
    }
    if (config_setting_length(setting) == 0)
        config_error(text, setting,
                     "\"roles\" is empty; write at least [ \"read\" ], or remove the operator");
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *word = config_get_text(text, element);
        unsigned n = 0;
        while (word && words[n] && strcmp(word, words[n]) != 0)
            n++;
        if (word && words[n])
            *ret |= 1u << n;
        else if (word)
            config_error(text, element,
                         "unknown role \"%s\"; the roles are \"read\", \"approve\", \"act\", \"admin\"",
                         word);
    }
}

void settings_parse_tls(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    const struct settings_context *c = arg;
    struct settings *s = field;
    if (config_setting_is_group(setting)) {
        s->tls = TLS_FILES;
        config_parse_group(text, setting, settings_tls_keys, s, arg);
        settings_resolve(text, &s->tls_certificate, c);
        settings_resolve(text, &s->tls_key, c);
        check_readable(text, at_key(setting, "certificate"), s->tls_certificate);
        check_readable(text, at_key(setting, "key"), s->tls_key);
        return;
    }
    const char *word =
        config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : "";
    if (strcmp(word, "terminated") == 0)
        s->tls = TLS_TERMINATED;
    else if (strcmp(word, "off") != 0)
        config_error(text, setting,
                     "\"tls\" must be { certificate = \"...\"; key = \"...\"; }, \"terminated\", or \"off\"");
}

static void check_proxies(struct config_text *text, const config_setting_t *root, const struct settings *s)
{
    const config_setting_t *list = config_setting_get_member(root, "tls_proxies");
    for (unsigned i = 0; i < s->tls_proxies.len; i++) {
        struct address_range range;
        struct err e = ERR_INIT;
        if (address_range_parse(&range, s->tls_proxies.list[i], &e) != ERR_OK)
            config_error(text, config_setting_get_elem(list, i), "%s", e.msg);
    }
    if (s->tls == TLS_TERMINATED && s->tls_proxies.len == 0)
        config_error(
            text, config_setting_get_member(root, "tls"),
            "tls = \"terminated\" needs tls_proxies = [ \"10.0.0.7\" ]: the proxies that may connect");
    if (s->tls != TLS_TERMINATED && s->tls_proxies.len > 0)
        config_error(text, list,
                     "\"tls_proxies\" goes with tls = \"terminated\" only; remove it, or write that");
}

/* What follows from its type, and from there being others. */
static void default_limits(struct settings *s)
{
    for (size_t i = 0; i < s->sources_len; i++) {
        struct source_limits *l = &s->sources[i].limits;
        bool alerts = s->sources[i].scope.kind <= SOURCE_GRAFANA;
        if (!l->rate)
            l->rate = alerts ? INT64_MAX : EVENTS_PER_SECOND;
        if (!l->burst)
            l->burst = l->rate == INT64_MAX ? INT64_MAX : 10 * l->rate;
        if (!l->share)
            l->share = s->sources_len > 1 ? 50 : 100;
    }
}

void settings_complete(struct config_text *text, const config_setting_t *root, void *target, const void *arg)
{
    struct settings *s = target;
    settings_resolve(text, &s->journal, arg);
    settings_resolve(text, &s->policy, arg);
    check_proxies(text, root, s);
    default_limits(s);
    if (config_setting_get_member(root, "sources"))
        return;
    s->sources = calloc(1, sizeof *s->sources);
    char *name = strdup("alertmanager");
    if (!s->sources || !name) {
        free(name);
        config_out_of_memory(text);
        return;
    }
    s->sources_len = 1;
    s->sources[0].scope.name = name;
    default_limits(s);
}
