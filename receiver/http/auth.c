/* Who asks: credentials of sources and operators, compared in constant time against files that are read again
 * when they change. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "receiver/http/http_internal.h"

enum err_code auth_new(struct server *s, struct err *e)
{
    const struct settings *c = s->settings;
    s->sources = sources_new(c->sources, c->sources_len);
    s->operator_secrets = calloc(c->operators_len + 1, sizeof *s->operator_secrets);
    if (!s->sources || !s->operator_secrets)
        return err_set(e, ERR_NOMEM, "no memory for credentials");
    for (size_t i = 0; i < c->operators_len; i++)
        s->operator_secrets[i].file = c->operators[i].token_file;
    return ERR_OK;
}

void auth_free(struct server *s)
{
    sources_free(s->sources, s->settings->sources_len);
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

void secret_look(struct secret *s)
{
    struct err e = ERR_INIT;
    s->look_ms = monotonic_ms() + SECRET_LOOK_MS;
    if (secret_refresh(s, &e) != ERR_OK)
        log_error("credential cannot be read", "error", e.msg, NULL);
}

static bool matches(struct secret *s, const unsigned char *digest, bool basic)
{
    if (!s->file)
        return false;
    if (monotonic_ms() >= s->look_ms || !secret_matches(s, digest)) /* a new credential counts at once */
        secret_look(s);
    return secret_matches(s, digest) && basic == (s->user != NULL);
}

/* ---- sources ---- */

static const char *header_value(void *ctx, const char *name)
{
    return MHD_lookup_connection_value(ctx, MHD_HEADER_KIND, name);
}

struct headers request_headers(struct request *r)
{
    return (struct headers){ .get = header_value, .ctx = r->mhd };
}

int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The header in which this source's token comes, instead of Authorization; NULL: none. */
static const char *token_header(const struct source_settings *s)
{
    return s->header ? s->header : s->scope.kind == SOURCE_GITLAB && s->token_file ? "X-Gitlab-Token" : NULL;
}

static bool token_matches(const struct request *r, struct source_state *s, bool *ret_given)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    bool basic = false;
    const char *header = token_header(s->settings), *value = NULL;
    if (!header)
        *ret_given = given(r, digest, &basic);
    else if ((value = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, header)))
        secret_digest(digest, value, strlen(value));
    *ret_given |= value != NULL;
    return *ret_given && matches(&s->secret, digest, basic);
}

static void refresh_key(struct signing_key *k)
{
    struct err e = ERR_INIT;
    int64_t now = monotonic_ms();
    if (!k->file || now < k->look_ms)
        return;
    k->look_ms = now + SECRET_LOOK_MS;
    if (signing_key_refresh(k, &e) != ERR_OK)
        log_error("secret cannot be read", "error", e.msg, NULL);
}

static bool speaks_here(const struct request *r, const struct source_state *s)
{
    return s->settings->scope.kind == r->kind &&
           (!r->source_name[0] || strcmp(r->source_name, s->settings->scope.name) == 0);
}

/* Is there a signature that could be of one of these sources? The body will tell. */
static bool may_be_signed(struct request *r)
{
    struct server *s = r->server;
    struct headers headers = request_headers(r);
    const struct signed_body none = { .headers = &headers, .bytes = "", .now_ms = wall_ms() };
    for (size_t i = 0; i < s->settings->sources_len; i++)
        if (s->sources[i].key.file && speaks_here(r, &s->sources[i]) &&
            signature_check(s->sources[i].settings, &s->sources[i].key, &none) != SIGNATURE_ABSENT)
            return true;
    return false;
}

void auth_intake(struct request *r)
{
    struct server *s = r->server;
    struct source_state *open = NULL;
    bool any = false;
    for (size_t i = 0; i < s->settings->sources_len; i++) {
        struct source_state *state = &s->sources[i];
        bool has = false;
        if (!speaks_here(r, state))
            continue;
        if (state->secret.file && token_matches(r, state, &has) && !r->source)
            r->source = state;
        any |= has || MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Authorization");
        if (!state->secret.file && !state->key.file)
            open = state;
    }
    connection_known(s, r->connection, r->source != NULL);
    if (!r->source)
        r->is_signed = may_be_signed(r);
    if (!r->source && !r->is_signed && s->loopback && !any)
        r->source = open; /* settings_check allows sources without credentials on loopback only */
    if (r->source)
        auth_limits(r);
    else if (!r->is_signed)
        intake_refuse(r, "credential", 401, "a credential of a source is needed");
}

void auth_signed(struct request *r)
{
    struct server *s = r->server;
    struct headers headers = request_headers(r);
    const struct signed_body body = {
        .headers = &headers, .bytes = buf_text(&r->raw), .len = r->raw.len, .now_ms = wall_ms()
    };
    bool old = false;
    for (size_t i = 0; i < s->settings->sources_len; i++) {
        struct source_state *state = &s->sources[i];
        if (!state->key.file || !speaks_here(r, state))
            continue;
        refresh_key(&state->key);
        enum signature_result result = signature_check(state->settings, &state->key, &body);
        old |= result == SIGNATURE_OLD;
        if (result == SIGNATURE_GOOD && !r->source)
            r->source = state;
    }
    if (r->source && r->source->settings->timestamp_header) /* it is told once: the time is in it */
        text_copy(r->id, sizeof r->id, signature_text(r->source->settings, &headers));
    connection_known(s, r->connection, r->source != NULL);
    if (r->source)
        auth_limits(r);
    else if (old)
        intake_refuse(r, "replay", 403, "refused");
    else
        intake_refuse(r, "signature", 401, "a credential of a source is needed");
}

void auth_limits(struct request *r)
{
    struct source_state *s = r->source;
    const struct source_limits *l = &s->settings->limits;
    int64_t room = r->server->settings->limits.in_flight_bytes / 100 * l->share;
    r->retry_ms = rate_take(&s->rate, l->rate, l->burst, monotonic_ms());
    if (r->retry_ms) {
        metrics_add(r->server->metrics, METRIC_LIMITS, "rate", NULL, 1);
        intake_refuse(r, "rate", 503, "more deliveries than limit.rate of source \"%s\" allows",
                      s->settings->scope.name);
    } else if (l->share < 100 && s->held_bytes > room) {
        metrics_add(r->server->metrics, METRIC_LIMITS, "share", NULL, 1);
        intake_refuse(r, "share", 503,
                      "more bytes of deliveries at once than limit.share of source \"%s\" allows",
                      s->settings->scope.name);
    }
}

/* ---- operators ---- */

/* Every operator is compared, whoever it is. */
static int operator_of(struct server *s, const unsigned char *digest)
{
    int found = -1;
    for (size_t i = 0; i < s->settings->operators_len; i++)
        if (matches(&s->operator_secrets[i], digest, false) && found < 0)
            found = (int)i;
    return found;
}

int auth_token(struct request *r, const char *token)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    size_t len = strlen(token), before = strspn(token, " \t\r\n");
    while (len > before && strchr(" \t\r\n", token[len - 1]))
        len--;
    secret_digest(digest, token + before, len - before);
    return len > before ? operator_of(r->server, digest) : -1;
}

/* By a token; a browser also by its session, when it only looks or when the form proves where it comes from.
 */
static const struct operator_settings *who_asks(struct request *r, bool *ret_given)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    bool basic = false, looks = strcmp(r->route->method, "GET") == 0;
    *ret_given = given(r, digest, &basic);
    int found = *ret_given && !basic ? operator_of(r->server, digest) : -1;
    if (found >= 0)
        return &r->server->settings->operators[found];
    return !*ret_given && (looks || r->route->scope == SCOPE_PAGE) ? session_operator(r) : NULL;
}

void auth_operator(struct request *r)
{
    struct server *s = r->server;
    bool has = false;
    const struct operator_settings *found = who_asks(r, &has);
    connection_known(s, r->connection, found != NULL);
    if (found)
        r->who = found->name;
    if (found && (found->roles & r->route->role) == r->route->role) {
        r->operator= found;
        return;
    }
    if (found)
        refuse(r, 403, "operator \"%s\" does not have the role that this needs", found->name);
    else if (!has && r->route->role == ROLE_READ && s->loopback && s->settings->operators_len == 0)
        r->who = "anybody on this machine";
    else if (s->settings->operators_len == 0)
        refuse(r, 401, "no operator is configured; add one to operators in heald.cfg, with a token_file");
    else
        refuse(r, 401, "an operator's token is needed: Authorization: Bearer");
}
