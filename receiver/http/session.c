/* Browsers that are logged in: an operator's token once, then a cookie. Kept in memory: after a restart
 * people log in again. A session ends with the token that it began with. libmicrohttpd's thread's own. */
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/http/http_internal.h"

#define SESSIONS_MAX 256 /* the one that was used longest ago goes */
#define SESSION_MS (12ll * 60 * 60 * 1000)
#define SESSION_BYTES 24

struct session {
    bool used;
    unsigned char id[SECRET_DIGEST_SIZE];     /* digest of the cookie */
    unsigned char secret[SECRET_DIGEST_SIZE]; /* of the operator's token when it began */
    size_t operator_index;
    char csrf[SESSION_CSRF_SIZE];
    int64_t began_ms, last_ms; /* monotonic */
};
struct sessions {
    struct session list[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
    return calloc(1, sizeof(struct sessions));
}

static bool random_hex(char *ret, size_t size)
{
    unsigned char bytes[SESSION_BYTES];
    if (gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof bytes) < 0)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret + 2 * i, size - 2 * i, "%02x", bytes[i]);
    return true;
}

static bool valid(const struct server *s, const struct session *x, int64_t now)
{
    const struct secret *secret = &s->operator_secrets[x->operator_index];
    return x->used && now - x->began_ms < SESSION_MS && secret_matches(secret, x->secret);
}

static struct session *find(struct request *r)
{
    struct sessions *all = r->server->sessions;
    const char *cookie = MHD_lookup_connection_value(r->mhd, MHD_COOKIE_KIND, SESSION_COOKIE);
    unsigned char id[SECRET_DIGEST_SIZE];
    if (!cookie || strlen(cookie) != (size_t)2 * SESSION_BYTES)
        return NULL;
    secret_digest(id, cookie, strlen(cookie));
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (all->list[i].used && memcmp(all->list[i].id, id, sizeof id) == 0)
            return &all->list[i];
    return NULL;
}

const struct operator_settings *session_operator(struct request *r)
{
    int64_t now = monotonic_ms();
    struct session *x = find(r);
    if (!x)
        return NULL;
    secret_look(&r->server->operator_secrets[x->operator_index]);
    if (!valid(r->server, x, now)) {
        x->used = false;
        return NULL;
    }
    x->last_ms = now;
    memcpy(r->csrf, x->csrf, sizeof r->csrf);
    return &r->server->settings->operators[x->operator_index];
}

bool session_begin(struct request *r, size_t operator_index)
{
    struct sessions *all = r->server->sessions;
    struct session *x = &all->list[0];
    char id[2 * SESSION_BYTES + 1] = "";
    for (size_t i = 0; i < SESSIONS_MAX && x->used; i++)
        if (!all->list[i].used || all->list[i].last_ms < x->last_ms)
            x = &all->list[i];
    *x = (struct session){ .used = true, .operator_index = operator_index, .began_ms = monotonic_ms() };
    x->last_ms = x->began_ms;
    memcpy(x->secret, r->server->operator_secrets[operator_index].digest, sizeof x->secret);
    if (!random_hex(id, sizeof id) || !random_hex(x->csrf, sizeof x->csrf)) {
        x->used = false;
        return false;
    }
    secret_digest(x->id, id, strlen(id));
    snprintf(r->cookie, sizeof r->cookie,
             SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%lld%s", id, SESSION_MS / 1000,
             r->server->settings->tls == TLS_OFF ? "" : "; Secure");
    return true;
}

void session_end(struct request *r)
{
    struct session *x = find(r);
    if (x)
        x->used = false;
    snprintf(r->cookie, sizeof r->cookie, SESSION_COOKIE "=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
}
