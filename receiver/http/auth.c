/* Who asks: credentials of sources and operators, compared in constant time against files that are read again
 * when they change. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "receiver/http/http_internal.h"

static void source_secret(struct secret *ret, const struct source_settings *s)
{
    ret->file = s->token_file ? s->token_file : s->password_file;
    ret->user = s->token_file ? NULL : s->user;
}

enum err_code auth_new(struct server *s, struct err *e)
{
    const struct settings *c = s->settings;
    s->source_secrets = calloc(c->sources_len + 1, sizeof *s->source_secrets);
    s->operator_secrets = calloc(c->operators_len + 1, sizeof *s->operator_secrets);
    if (!s->source_secrets || !s->operator_secrets)
        return err_set(e, ERR_NOMEM, "no memory for credentials");
    for (size_t i = 0; i < c->sources_len; i++)
        source_secret(&s->source_secrets[i], &c->sources[i]);
    for (size_t i = 0; i < c->operators_len; i++)
        s->operator_secrets[i].file = c->operators[i].token_file;
    return ERR_OK;
}

void auth_free(struct server *s)
{
    free(s->source_secrets);
    free(s->operator_secrets);
}

/* "Bearer x" or "Basic x": the digest of x; false without either. */
static bool given(const struct request *r, unsigned char digest[SECRET_DIGEST_SIZE], bool *ret_basic)
{
    const char *value = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Authorization");
    if (!value)
        return false;
    bool basic = strncasecmp(value, "Basic ", 6) == 0;
    if (!basic && strncasecmp(value, "Bearer ", 7) != 0)
        return false;
    const char *text = value + (basic ? 6 : 7);
    text += strspn(text, " ");
    secret_digest(digest, text, strlen(text));
    *ret_basic = basic;
    return true;
}

static bool matches(struct secret *s, const unsigned char *digest, bool basic)
{
    struct err e = ERR_INIT;
    if (!s->file)
        return false;
    int64_t now = monotonic_ms();
    if (now >= s->look_ms || !secret_matches(s, digest)) { /* a new credential counts at once */
        s->look_ms = now + SECRET_LOOK_MS;
        if (secret_refresh(s, &e) != ERR_OK)
            log_error("credential cannot be read", "error", e.msg, NULL);
    }
    return secret_matches(s, digest) && basic == (s->user != NULL);
}

void auth_intake(struct request *r)
{
    struct server *s = r->server;
    const struct settings *c = s->settings;
    unsigned char digest[SECRET_DIGEST_SIZE];
    bool basic = false, has = given(r, digest, &basic);
    struct source_settings *open = NULL;
    for (size_t i = 0; i < c->sources_len; i++) {
        bool good = has && matches(&s->source_secrets[i], digest, basic);
        if (good && !r->source)
            r->source = &c->sources[i];
        if (!s->source_secrets[i].file)
            open = &c->sources[i];
    }
    if (!r->source && s->loopback && !has)
        r->source = open; /* settings_check allows sources without credentials on loopback only */
    connection_known(s, r->connection, r->source != NULL && has);
    if (!r->source)
        refuse(r, 401,
               has ? "the credential is not one of a source in heald.cfg"
                   : "a source's credential is needed: Authorization: Bearer or Basic, as sources in "
                     "heald.cfg say");
}

void auth_operator(struct request *r)
{
    struct server *s = r->server;
    const struct settings *c = s->settings;
    unsigned char digest[SECRET_DIGEST_SIZE];
    bool basic = false, has = given(r, digest, &basic);
    const struct operator_settings *found = NULL;
    for (size_t i = 0; i < c->operators_len; i++)
        if (has && matches(&s->operator_secrets[i], digest, basic) && !found)
            found = &c->operators[i];
    connection_known(s, r->connection, found != NULL);
    if (found && (found->roles & r->route->role) == r->route->role) {
        r->who = found->name;
        r->operator= found;
        return;
    }
    if (found)
        refuse(r, 403, "operator \"%s\" does not have the role that this needs", found->name);
    else if (!has && r->route->role == ROLE_READ && s->loopback && c->operators_len == 0)
        r->who = "anybody on this machine";
    else if (c->operators_len == 0)
        refuse(r, 401, "no operator is configured; add one to operators in heald.cfg, with a token_file");
    else
        refuse(r, 401, "an operator's token is needed: Authorization: Bearer");
}
