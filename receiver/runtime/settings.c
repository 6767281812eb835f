/* receiver/runtime/settings.c - loading, and the checks of the whole. */
#include "receiver/runtime/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/http/address.h"
#include "receiver/http/secret.h"
#include "receiver/http/tls.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings_internal.h"

static void settings_release_source(struct source_settings *s)
{
    source_release(&s->scope);
    map_release(&s->map.labels);
    map_release(&s->map.annotations);
}

struct settings *settings_free(struct settings *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->sources_len; i++)
        settings_release_source(&s->sources[i]);
    config_release(settings_keys, s);
    config_release(settings_tls_keys, s);
    free(s->file);
    free(s);
    return NULL;
}

static enum err_code read_into(struct settings *s, const char *file, struct buf *ret_errors, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    CLEANUP(buf_release) struct buf folder = BUF_INIT;
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (slash)
        buf_add(&folder, file, (size_t)(slash + 1 - file));
    s->file = strdup(file ? file : "heald.cfg");
    if (!s->file || !buf_ok(&folder))
        return err_set(e, ERR_NOMEM, "no memory for the settings");
    struct err why = ERR_INIT;
    enum err_code code = file ? file_read(&text, file, CONFIG_TEXT_MAX, &why) : ERR_OK;
    if (code && ret_errors)
        buf_addf(ret_errors, "%s\n", why.msg);
    if (code)
        return err_set(e, code, "%s", why.msg);
    struct settings_context context = { .settings = s, .folder = buf_text(&folder) };
    return config_parse_checked(s->file, buf_text(&text), text.len, settings_keys, s, &context,
                                settings_complete, ret_errors, e);
}

enum err_code settings_load(struct settings **ret, const char *file, struct buf *ret_errors, struct err *e)
{
    struct settings *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for the settings");
    enum err_code code = read_into(s, file, ret_errors, e);
    if (code)
        settings_free(s);
    else
        *ret = s;
    return code;
}

static bool replace(char **field, const char *value)
{
    char *copy = value ? strdup(value) : NULL;
    if (!value)
        return true;
    if (!copy)
        return false;
    free(*field);
    *field = copy;
    return true;
}

enum err_code settings_override(struct settings *s, const char *policy, const char *journal,
                                const char *listen, struct err *e)
{
    if (!replace(&s->policy, policy) || !replace(&s->journal, journal) || !replace(&s->listen, listen))
        return err_set(e, ERR_NOMEM, "no memory for the command line's settings");
    return ERR_OK;
}

/* ---- checks of the whole ---- */

struct findings {
    const struct settings *settings;
    struct buf *ret_errors;
    struct err *e;
    bool any;
};

static void found(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void found(struct findings *f, const char *fmt, ...)
{
    struct err why = ERR_INIT;
    va_list args;
    va_start(args, fmt);
    vsnprintf(why.msg, sizeof why.msg, fmt, args);
    va_end(args);
    if (!f->any)
        err_set(f->e, ERR_INVALID, "%s: %s", f->settings->file, why.msg);
    if (f->ret_errors)
        buf_addf(f->ret_errors, "%s: %s\n", f->settings->file, why.msg);
    f->any = true;
}

static void check_open_listener(struct findings *f)
{
    const struct settings *s = f->settings;
    for (size_t i = 0; i < s->sources_len; i++)
        if (!s->sources[i].token_file && !s->sources[i].user && !s->sources[i].secret_file)
            found(f,
                  "listen = \"%s\" can be reached from outside, and source \"%s\" has no credential; write "
                  "token_file, secret_file, or user and password_file, into sources, or listen on \"%s\"",
                  s->listen, s->sources[i].scope.name, SETTINGS_LISTEN_DEFAULT);
    if (s->operators_len == 0)
        found(f,
              "listen = \"%s\" can be reached from outside, and there is no operator; write operators = ( "
              "... )",
              s->listen);
    if (s->tls == TLS_OFF)
        found(f,
              "listen = \"%s\" can be reached from outside, and credentials would be sent in the clear; "
              "write tls = "
              "{ certificate = \"...\"; key = \"...\"; }, or tls = \"terminated\" with tls_proxies",
              s->listen);
}

struct holder {
    const char *kind, *name;
    unsigned char digest[SECRET_DIGEST_SIZE];
};

static size_t collect(struct holder *list, size_t len, const char *kind, const char *name, const char *file,
                      const char *user)
{
    if (!file || secret_read(list[len].digest, file, user, NULL) != ERR_OK)
        return len;
    list[len].kind = kind;
    list[len].name = name;
    return len + 1;
}

/* The credential decides who is speaking, so it must be one's own. */
static void check_shared(struct findings *f)
{
    const struct settings *s = f->settings;
    struct holder *list = calloc(3 * s->sources_len + s->operators_len + 1, sizeof *list);
    size_t len = 0;
    if (!list) {
        found(f, "no memory to compare credentials");
        return;
    }
    for (size_t i = 0; i < s->sources_len; i++) {
        const struct source_settings *source = &s->sources[i];
        len = collect(list, len, "source", source->scope.name, source->token_file, NULL);
        len = collect(list, len, "source", source->scope.name, source->user ? source->password_file : NULL,
                      source->user);
        len = collect(list, len, "source", source->scope.name, source->secret_file, "");
    }
    for (size_t i = 0; i < s->operators_len; i++)
        len = collect(list, len, "operator", s->operators[i].name, s->operators[i].token_file, NULL);
    for (size_t i = 0; i < len; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(list[i].digest, list[k].digest, SECRET_DIGEST_SIZE) == 0)
                found(f, "%s \"%s\" and %s \"%s\" have the same credential; give each its own", list[k].kind,
                      list[k].name, list[i].kind, list[i].name);
    free(list);
}

enum err_code settings_check(const struct settings *s, struct buf *ret_errors, struct err *e)
{
    struct findings f = { .settings = s, .ret_errors = ret_errors, .e = e };
    struct address at;
    struct err why = ERR_INIT;
    if (address_parse(&at, s->listen, &why) != ERR_OK)
        found(&f, "listen: %s", why.msg);
    else if (!address_is_loopback(&at))
        check_open_listener(&f);
    if (s->tls == TLS_FILES && tls_check(s->tls_certificate, s->tls_key, &why) != ERR_OK)
        found(&f, "tls: %s", why.msg);
    check_shared(&f);
    return f.any ? ERR_INVALID : ERR_OK;
}
