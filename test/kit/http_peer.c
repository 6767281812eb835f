#include "test/kit/http_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rules/base/buf.h"

struct connection {
    int fd; /* -1: free */
    struct buf in;
    bool answering, streaming;
    int64_t due_ms;
    struct peer_answer answer;
    char *line; /* first line of the request that is being answered */
};

struct http_peer {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener, wake;
    bool stop;
    char url[64];
    struct connection connections[PEER_CONNECTIONS_MAX];
    struct peer_answer answers[PEER_ANSWERS_MAX];
    bool used[PEER_ANSWERS_MAX];
    size_t answers_len, accepted, requests_len;
    char *requests[PEER_REQUESTS_MAX];
};

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "http_peer: %s: %s\n", what, strerror(errno));
    abort();
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static char *copy(const char *text)
{
    char *c = strdup(text ? text : "");
    need(c != NULL, "no memory");
    return c;
}

static void wake(struct http_peer *p)
{
    uint64_t one = 1;
    need(write(p->wake, &one, sizeof one) == sizeof one, "wake");
}

/* ---- connections ---- */

static void hang_up(struct connection *c)
{
    if (c->fd >= 0) {
        shutdown(c->fd, SHUT_RDWR); /* the thread's poll would keep it open */
        close(c->fd);
    }
    buf_release(&c->in);
    free(c->line);
    *c = (struct connection){ .fd = -1 };
}

static void send_all(struct connection *c, const char *bytes, size_t len)
{
    while (len > 0 && c->fd >= 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            hang_up(c); /* the client left */
            return;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void send_chunk(struct connection *c, const char *text)
{
    struct buf b = BUF_INIT;
    if (!text[0])
        return;
    buf_addf(&b, "%zx\r\n%s\r\n", strlen(text), text);
    send_all(c, buf_text(&b), b.len);
    buf_release(&b);
}

static void answer(struct connection *c)
{
    const struct peer_answer a = c->answer;
    size_t len = strlen(a.body);
    struct buf b = BUF_INIT;
    c->answering = false;
    if (a.way == PEER_SILENT)
        return;
    if (a.way == PEER_CLOSE_READ) {
        hang_up(c);
        return;
    }
    buf_addf(&b, "HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\n%s", a.status ? a.status : 200,
             a.headers);
    if (a.way == PEER_STREAM)
        buf_adds(&b, "Transfer-Encoding: chunked\r\n\r\n");
    else
        buf_addf(&b, "Content-Length: %zu\r\n\r\n", len);
    if (a.way != PEER_STREAM)
        buf_add(&b, a.body, a.way == PEER_CUT ? len / 2 : len);
    send_all(c, buf_text(&b), b.len);
    buf_release(&b);
    c->streaming = a.way == PEER_STREAM && c->fd >= 0;
    if (c->streaming)
        send_chunk(c, a.body);
    if (a.way == PEER_CUT || a.way == PEER_ANSWER_CLOSE)
        hang_up(c);
}

/* ---- requests ---- */

static bool fits(const struct peer_answer *a, const char *line)
{
    return !a->match[0] || strstr(line, a->match);
}

static struct peer_answer choose(struct http_peer *p, const char *line)
{
    for (size_t i = 0; i < p->answers_len; i++) {
        if (p->used[i] || p->answers[i].way == PEER_CLOSE_UNREAD || !fits(&p->answers[i], line))
            continue;
        p->used[i] = !p->answers[i].always;
        return p->answers[i];
    }
    return (struct peer_answer){ .status = 500, .match = "", .headers = "", .body = "nothing is scripted" };
}

static size_t body_len(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");
    return field ? strtoul(field + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* Take one whole request out of what was read, if there is one. */
static void take_request(struct http_peer *p, struct connection *c)
{
    const char *text = buf_text(&c->in);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end || c->answering || c->streaming)
        return;
    size_t len = (size_t)(end - text) + 4;
    len += body_len(text);
    if (c->in.len < len)
        return;
    char *request = strndup(text, len);
    need(request && p->requests_len < PEER_REQUESTS_MAX, "too many requests");
    p->requests[p->requests_len++] = request;
    free(c->line);
    c->line = strndup(request, strcspn(request, "\r"));
    need(c->line != NULL, "no memory");
    memmove(c->in.ptr, c->in.ptr + len, c->in.len - len + 1);
    c->in.len -= len;
    c->answer = choose(p, c->line);
    c->answering = true;
    c->due_ms = now_ms() + c->answer.delay_ms;
}

static void accept_one(struct http_peer *p)
{
    int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    p->accepted++;
    for (size_t i = 0; i < p->answers_len; i++)
        if (!p->used[i] && p->answers[i].way == PEER_CLOSE_UNREAD) {
            p->used[i] = !p->answers[i].always;
            close(fd);
            return;
        }
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
        if (p->connections[i].fd < 0) {
            p->connections[i].fd = fd;
            return;
        }
    errno = 0;
    need(false, "too many connections");
}

static void read_some(struct http_peer *p, struct connection *c)
{
    char bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(c);
        return;
    }
    buf_add(&c->in, bytes, (size_t)n);
    take_request(p, c);
    if (c->answering && c->answer.delay_ms == 0)
        answer(c); /* before anybody can count the request */
}

/* ---- the thread ---- */

static int serve_due(struct http_peer *p)
{
    int64_t least_ms = 60000;
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections[i];
        if (c->fd >= 0 && c->answering && now_ms() >= c->due_ms)
            answer(c);
        if (c->fd >= 0 && !c->answering)
            take_request(p, c);
        if (c->fd >= 0 && c->answering && c->due_ms - now_ms() < least_ms)
            least_ms = c->due_ms - now_ms();
    }
    return least_ms > 0 ? (int)least_ms : 0;
}

static void *run(void *ctx)
{
    struct http_peer *p = ctx;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct pollfd fds[PEER_CONNECTIONS_MAX + 2] = { { .fd = p->listener, .events = POLLIN },
                                                        { .fd = p->wake, .events = POLLIN } };
        for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
            fds[i + 2] = (struct pollfd){ .fd = p->connections[i].fd, .events = POLLIN };
        int timeout_ms = serve_due(p);
        pthread_mutex_unlock(&p->lock);
        poll(fds, PEER_CONNECTIONS_MAX + 2, timeout_ms);
        pthread_mutex_lock(&p->lock);
        uint64_t count;
        if (fds[1].revents && read(p->wake, &count, sizeof count) < 0)
            continue;
        for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
            if (fds[i + 2].revents && p->connections[i].fd == fds[i + 2].fd)
                read_some(p, &p->connections[i]);
        if (fds[0].revents)
            accept_one(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- for tests ---- */

struct http_peer *http_peer_new(void)
{
    struct http_peer *p = calloc(1, sizeof *p);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    need(p != NULL, "no memory");
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
        p->connections[i].fd = -1;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    need(p->listener >= 0 && p->wake >= 0, "socket");
    need(bind(p->listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(p->listener, 64) == 0, "listen");
    need(getsockname(p->listener, (struct sockaddr *)&at, &len) == 0, "getsockname");
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    pthread_mutex_init(&p->lock, NULL);
    need(pthread_create(&p->thread, NULL, run, p) == 0, "thread");
    return p;
}

static void free_answer(struct peer_answer *a)
{
    free((char *)(uintptr_t)a->match);
    free((char *)(uintptr_t)a->headers);
    free((char *)(uintptr_t)a->body);
}

struct http_peer *http_peer_free(struct http_peer *p)
{
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    wake(p);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
        hang_up(&p->connections[i]);
    for (size_t i = 0; i < p->answers_len; i++)
        free_answer(&p->answers[i]);
    for (size_t i = 0; i < p->requests_len; i++)
        free(p->requests[i]);
    close(p->listener);
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

const char *http_peer_url(const struct http_peer *p)
{
    return p->url;
}

void http_peer_script(struct http_peer *p, const struct peer_answer *a)
{
    pthread_mutex_lock(&p->lock);
    need(p->answers_len < PEER_ANSWERS_MAX, "too many answers");
    struct peer_answer *own = &p->answers[p->answers_len++];
    *own = *a;
    own->match = copy(a->match);
    own->headers = copy(a->headers);
    own->body = copy(a->body);
    pthread_mutex_unlock(&p->lock);
}

size_t http_peer_requests(struct http_peer *p)
{
    return http_peer_count(p, "");
}

const char *http_peer_request(struct http_peer *p, size_t i)
{
    pthread_mutex_lock(&p->lock);
    const char *text = i < p->requests_len ? p->requests[i] : "";
    pthread_mutex_unlock(&p->lock);
    return text;
}

size_t http_peer_connections(struct http_peer *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->accepted;
    pthread_mutex_unlock(&p->lock);
    return n;
}

size_t http_peer_count(struct http_peer *p, const char *match)
{
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->requests_len; i++) {
        const char *found = strstr(p->requests[i], match);
        n += found && found <= p->requests[i] + strcspn(p->requests[i], "\r");
    }
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool http_peer_wait(struct http_peer *p, const char *match, size_t n)
{
    int64_t until_ms = now_ms() + PEER_PATIENCE_MS;
    while (http_peer_count(p, match) < n) {
        if (now_ms() > until_ms)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
    return true;
}

void http_peer_feed(struct http_peer *p, const char *match, const char *text)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections[i];
        if (c->streaming && strstr(c->line, match))
            send_chunk(c, text);
    }
    pthread_mutex_unlock(&p->lock);
}

void http_peer_end_streams(struct http_peer *p, const char *match, bool orderly)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections[i];
        if (!c->streaming || !strstr(c->line, match))
            continue;
        c->streaming = false;
        if (orderly)
            send_all(c, "0\r\n\r\n", 5);
        else
            hang_up(c);
    }
    pthread_mutex_unlock(&p->lock);
}
