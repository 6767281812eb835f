/* Time limits: libmicrohttpd's own counts idleness only, so a sender that drips a byte now and then would
 * live for ever. Every connection's phase is known here, and one that takes too long has its socket shut
 * down. */
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

#include "receiver/http/http_internal.h"

int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void connection_phase(struct server *s, struct connection *c, enum connection_phase phase)
{
    if (!c)
        return;
    int64_t now = monotonic_ms();
    pthread_mutex_lock(&s->lock);
    if (c->phase == PHASE_BODY)
        c->spent_ms += now - c->since_ms;
    if (phase == PHASE_IDLE || phase == PHASE_HEADERS)
        c->spent_ms = 0;
    c->phase = phase;
    c->since_ms = now;
    pthread_mutex_unlock(&s->lock);
}

void connection_headers(struct server *s, struct connection *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&s->lock);
    if (c->phase == PHASE_IDLE) {
        c->phase = PHASE_HEADERS;
        c->since_ms = monotonic_ms();
    }
    pthread_mutex_unlock(&s->lock);
}

void connection_known(struct server *s, struct connection *c, bool known)
{
    if (!c || !known)
        return;
    pthread_mutex_lock(&s->lock);
    c->known = true;
    pthread_mutex_unlock(&s->lock);
}

void connection_notify(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    struct server *s = ctx;
    struct connection *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        c = calloc(1, sizeof *c);
        if (!c || !info) {
            free(c);
            return; /* swept by libmicrohttpd's idle time alone */
        }
        *c = (struct connection){
            .server = s, .fd = info->connect_fd, .phase = PHASE_HEADERS, .since_ms = monotonic_ms()
        };
        *socket_context = c;
        pthread_mutex_lock(&s->lock);
        DL_APPEND(s->connections, c);
        s->connections_len++;
        bool full = s->connections_len >= (size_t)s->settings->limits.connections;
        pthread_mutex_unlock(&s->lock);
        if (full)
            metrics_add(s->metrics, METRIC_LIMITS, "connections", NULL, 1);
    } else if (c) {
        pthread_mutex_lock(&s->lock);
        DL_DELETE(s->connections, c);
        s->connections_len--;
        pthread_mutex_unlock(&s->lock);
        free(c);
        *socket_context = NULL;
    }
    metrics_set(s->metrics, METRIC_CONNECTIONS, NULL, NULL, (double)s->connections_len);
}

/* The limit's name when the connection has taken too long, else NULL. */
static const char *overdue(const struct server *s, const struct connection *c, int64_t now)
{
    int64_t took = now - c->since_ms;
    switch (c->phase) {
    case PHASE_IDLE:
        return took > (c->known ? IDLE_MS : IDLE_STRANGER_MS) ? "idle" : NULL;
    case PHASE_HEADERS:
        return took > s->settings->limits.header_ms ? "header_time" : NULL;
    case PHASE_BODY:
        return c->spent_ms + took > s->settings->limits.body_ms ? "body_time" : NULL;
    case PHASE_BUSY:
        break;
    }
    return NULL;
}

/* All connections are in use: the one that has been idle for longest makes room. */
static void make_room(struct server *s, int64_t now)
{
    struct connection *c, *oldest = NULL;
    if (s->connections_len < (size_t)s->settings->limits.connections)
        return;
    DL_FOREACH(s->connections, c)
    {
        if (c->phase == PHASE_IDLE && now - c->since_ms > SWEEP_MS &&
            (!oldest || c->since_ms < oldest->since_ms))
            oldest = c;
    }
    if (!oldest)
        return;
    shutdown(oldest->fd, SHUT_RDWR);
    oldest->phase = PHASE_BUSY;
}

static void sweep(struct server *s)
{
    int64_t now = monotonic_ms();
    struct connection *c;
    make_room(s, now);
    DL_FOREACH(s->connections, c)
    {
        const char *limit = overdue(s, c, now);
        if (!limit)
            continue;
        metrics_add(s->metrics, METRIC_LIMITS, limit, NULL, 1);
        shutdown(c->fd, SHUT_RDWR);
        c->phase = PHASE_BUSY; /* once is enough */
    }
}

void *sweeper_main(void *arg)
{
    struct server *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        sweep(s);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SWEEP_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
