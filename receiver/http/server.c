#include "receiver/http/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "receiver/http/http_internal.h"

#define INTAKE_STACK_BYTES ((size_t)256 * 1024)
#define HELPER_STACK_BYTES ((size_t)128 * 1024)
#define TLS_KEEP_MS 60000             /* a replaced certificate lives that long, for handshakes under way */
#define CONNECTION_MEMORY_BYTES 16384 /* headers and read buffer of one connection */

/* ---- one request ---- */

static struct request *request_new(struct server *s, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = s->spare;
    if (r) {
        LL_DELETE(s->spare, r);
        s->spare_len--;
        *r = (struct request){ .decoder = r->decoder, .alerts = r->alerts, .alerts_cap = r->alerts_cap };
    } else if (!(r = calloc(1, sizeof *r))) {
        return NULL;
    }
    r->server = s;
    r->mhd = mhd;
    r->connection = info ? info->socket_context : NULL;
    r->body.max = OPERATOR_BODY_MAX;
    return r;
}

static void request_free(struct server *s, struct request *r)
{
    buf_release(&r->body);
    buf_release(&r->result);
    if (s->spare_len < SPARE_REQUESTS_MAX) {
        intake_clear(r);
        LL_PREPEND(s->spare, r);
        s->spare_len++;
    } else {
        intake_release(r);
        free(r);
    }
}

static void drop_spare(struct server *s)
{
    struct request *r, *next;
    LL_FOREACH_SAFE(s->spare, r, next)
    {
        intake_release(r);
        free(r);
    }
}

static int64_t body_limit(const struct request *r)
{
    const struct limits *l = &r->server->settings->limits;
    if (!r->route || r->route->scope != SCOPE_INTAKE)
        return (int64_t)OPERATOR_BODY_MAX;
    return r->is_signed ? l->signed_bytes : l->body_bytes;
}

static void too_large(struct request *r)
{
    const char *limit = r->is_signed ? "signed_body" : "body";
    metrics_add(r->server->metrics, METRIC_LIMITS, limit, NULL, 1);
    if (r->route->scope == SCOPE_INTAKE)
        intake_refuse(r, "body", 413, "the body is larger than %lld bytes (limits.%s)",
                      (long long)body_limit(r), limit);
    else
        refuse(r, 413, "the body is larger than %lld bytes", (long long)body_limit(r));
}

/* A client that waits for "100 Continue" has not sent its body yet: it need not. */
static bool waits_for_continue(const struct request *r)
{
    const char *expect = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Expect");
    return expect && strcasecmp(expect, "100-continue") == 0;
}

/* Headers are there. False: the body is so large that reading it to its end makes no sense; answer at once
 * and close. */
static bool request_begin(struct request *r, const char *method, const char *path)
{
    const char *length = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Content-Length");
    int64_t bytes = length ? strtoll(length, NULL, 10) : 0;
    route_find(r, method, path);
    if (!r->refusal.status && r->route->scope == SCOPE_INTAKE)
        auth_intake(r);
    else if (!r->refusal.status && r->route->scope != SCOPE_OPEN)
        auth_operator(r);
    if (!r->refusal.status && bytes > body_limit(r))
        too_large(r);
    if (!r->refusal.status && r->route->scope == SCOPE_INTAKE)
        intake_begin(r);
    else if (!r->refusal.status)
        query_take(r);
    return !r->refusal.status || (bytes <= 2 * body_limit(r) && !waits_for_continue(r));
}

static enum MHD_Result request_bytes(struct request *r, const char *bytes, size_t *len)
{
    r->body_bytes += (int64_t)*len;
    if (!r->refusal.status &&
        r->body_bytes > body_limit(r)) /* without a Content-Length this shows only now */
        too_large(r);
    if (r->body_bytes > 2 * body_limit(r) + (int64_t)OPERATOR_BODY_MAX)
        return MHD_NO;
    size_t n = *len;
    *len = 0;
    if (r->decoding)
        intake_bytes(r, bytes, n);
    else if (!r->refusal.status && r->route->scope != SCOPE_INTAKE)
        buf_add(&r->body, bytes, n);
    return MHD_YES;
}

static enum MHD_Result request_end(struct request *r)
{
    if (r->decoding)
        return intake_answer(r);
    if (r->refusal.status)
        return answer_problem(r, r->refusal.status, r->refusal.detail);
    return r->route->answer(r);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *len, void **state)
{
    struct request *r = *state;
    (void)version;
    if (!r) {
        r = *state = request_new(ctx, mhd);
        if (!r)
            return MHD_NO;
        connection_phase(r->server, r->connection, PHASE_BODY);
        if (!request_begin(r, method, url))
            return answer_problem(r, r->refusal.status, r->refusal.detail);
        return MHD_YES;
    }
    return *len ? request_bytes(r, bytes, len) : request_end(r);
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct request *r = *state;
    (void)mhd, (void)code;
    if (!r)
        return;
    connection_phase(ctx, r->connection, PHASE_IDLE);
    request_free(ctx, r);
    *state = NULL;
}

/* The request line is there: from here on the headers have their time. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    (void)uri;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info ? info->socket_context : NULL;
    connection_headers(ctx, c);
    return NULL;
}

/* tls = "terminated": only the listed proxies may connect. */
static enum MHD_Result on_accept(void *ctx, const struct sockaddr *peer, socklen_t len)
{
    const struct server *s = ctx;
    (void)len;
    for (size_t i = 0; i < s->proxies_len; i++)
        if (address_range_holds(&s->proxies[i], peer))
            return MHD_YES;
    return s->proxies_len ? MHD_NO : MHD_YES;
}

/* ---- TLS: the pair in force is looked up at each handshake, so that a changed file is taken over ---- */

static int on_handshake(gnutls_session_t session, const gnutls_datum_t *req_ca, int req_ca_len,
                        const gnutls_pk_algorithm_t *algorithms, int algorithms_len, gnutls_pcert_st **chain,
                        unsigned *chain_len, gnutls_privkey_t *key)
{
    (void)req_ca, (void)req_ca_len, (void)algorithms, (void)algorithms_len;
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *info =
        mhd ? MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
    struct connection *c = info ? info->socket_context : NULL;
    struct err e = ERR_INIT;
    bool changed = false;
    if (!c)
        return -1;
    if (tls_refresh(c->server->tls, monotonic_ms(), TLS_KEEP_MS, &changed, &e) != ERR_OK)
        log_error("certificate cannot be used: the one before stays in force", "error", e.msg, NULL);
    else if (changed)
        log_info("certificate taken over", "file", c->server->settings->tls_certificate, NULL);
    tls_current(c->server->tls, chain, chain_len, key);
    return 0;
}

/* ---- life ---- */

static enum err_code read_proxies(struct server *s, struct err *e)
{
    const struct config_strings *list = &s->settings->tls_proxies;
    if (s->settings->tls != TLS_TERMINATED || !list->len)
        return ERR_OK;
    s->proxies = calloc(list->len, sizeof *s->proxies);
    if (!s->proxies)
        return err_set(e, ERR_NOMEM, "no memory for the proxies");
    enum err_code code = ERR_OK;
    for (; !code && s->proxies_len < list->len; s->proxies_len++)
        code = address_range_parse(&s->proxies[s->proxies_len], list->list[s->proxies_len], e);
    return code;
}

static enum err_code listen_on(struct server *s, const struct address *at, struct err *e)
{
    bool tls = s->settings->tls == TLS_FILES;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     (tls ? MHD_USE_TLS : 0) | (at->at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    struct MHD_OptionItem tls_options[] = {
        { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)on_handshake },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
        { MHD_OPTION_END, 0, NULL },
    };
    if (!tls)
        tls_options[0].option = MHD_OPTION_END;
    errno = 0;
    s->daemon = MHD_start_daemon(
        flags, 0, on_accept, s, on_request, s, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&at->at,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, s,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->settings->limits.connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(IDLE_MS / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        INTAKE_STACK_BYTES, MHD_OPTION_ARRAY, tls_options, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(
            e, ERR_IO,
            "\"%s\" cannot be listened on: %s; end what is there, or set `listen` in heald.cfg or --listen",
            s->settings->listen, errno ? strerror(errno) : "libmicrohttpd gives no reason");
    s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return ERR_OK;
}

static bool start_thread(pthread_t *ret, void *(*run)(void *), struct server *s)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, HELPER_STACK_BYTES);
    bool ok = pthread_create(ret, &small, run, s) == 0;
    pthread_attr_destroy(&small);
    return ok;
}

static enum err_code start(struct server *s, struct err *e)
{
    struct address at;
    enum err_code code = address_parse(&at, s->settings->listen, e);
    if (code)
        return code;
    s->loopback = address_is_loopback(&at);
    code = auth_new(s, e);
    if (!code)
        code = read_proxies(s, e);
    if (!code && s->settings->tls == TLS_FILES)
        code = tls_new(&s->tls, s->settings->tls_certificate, s->settings->tls_key, e);
    if (!code)
        code = listen_on(s, &at, e);
    if (code)
        return code;
    s->sweeper_started = start_thread(&s->sweeper, sweeper_main, s);
    s->idempotency = idempotency_new();
    s->sessions = sessions_new();
    if (!s->idempotency || !s->sessions)
        return err_set(e, ERR_NOMEM, "no memory for the listener");
    code = s->sweeper_started ? lanes_start(s, e)
                              : err_set(e, ERR_IO, "the listener's helper threads could not be started");
    return code ? code : streams_start(s, e);
}

enum err_code server_new(struct server **ret, const struct settings *settings, struct loop *l,
                         struct metrics *m, struct err *e)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for the listener");
    s->settings = settings;
    s->loop = l;
    s->metrics = m;
    s->listener = MHD_INVALID_SOCKET;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    enum err_code code = start(s, e);
    if (code) {
        server_free(s);
        return code;
    }
    *ret = s;
    return ERR_OK;
}

int server_port(const struct server *s)
{
    return s->port;
}

void server_quiesce(struct server *s)
{
    atomic_store(&s->quiesced, true);
    s->listener = MHD_quiesce_daemon(s->daemon);
    if (s->listener != MHD_INVALID_SOCKET)
        shutdown(s->listener, SHUT_RDWR); /* newcomers are refused at once; libmicrohttpd's thread may still
                                             look at the number */
}

static bool answers_under_way(struct server *s)
{
    struct connection *c;
    bool any = false;
    pthread_mutex_lock(&s->lock);
    DL_FOREACH(s->connections, c)
    {
        any |= c->phase == PHASE_BODY || c->phase == PHASE_BUSY;
    }
    pthread_mutex_unlock(&s->lock);
    return any;
}

/* What was resumed is to be answered: libmicrohttpd's end would cut it off. */
static void say_farewell(struct server *s)
{
    for (int64_t until = monotonic_ms() + FAREWELL_MS; answers_under_way(s) && monotonic_ms() < until;)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

struct server *server_free(struct server *s)
{
    if (!s)
        return NULL;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    lanes_stop(s);
    streams_stop(s);
    if (s->daemon) {
        say_farewell(s);
        MHD_stop_daemon(s->daemon);
    }
    if (s->sweeper_started)
        pthread_join(s->sweeper, NULL);
    if (s->listener != MHD_INVALID_SOCKET)
        close(s->listener);
    drop_spare(s);
    streams_free(s);
    free(s->idempotency);
    free(s->sessions);
    if (s->accepted)
        MHD_destroy_response(s->accepted);
    tls_free(s->tls);
    auth_free(s);
    free(s->proxies);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}
