/* test/kit/http_client.h - a client that sends exactly the bytes it is told, over plain sockets on loopback.
 */
#ifndef TEST_KIT_HTTP_CLIENT_H
#define TEST_KIT_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "rules/base/buf.h"

#define CLIENT_PATIENCE_SECONDS 20 /* then the other side counts as silent */

struct reply {
    int status; /* 0: closed, or silent */
    char head[4096];
    struct buf body;
};

static inline void reply_release(struct reply *r)
{
    buf_release(&r->body);
}

static inline int client_connect(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = CLIENT_PATIENCE_SECONDS };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* False when the other side does not take it. */
static inline bool client_send_bytes(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Value of a header in reply->head, "" when absent; in a buffer that the next call uses again. */
static inline const char *reply_header(const struct reply *r, const char *name)
{
    static char value[512];
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *at = line + 3 + len + strspn(line + 3 + len, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
            break;
        }
    }
    return value;
}

/* One answer, and no byte of the next. `head_only`: of HEAD. */
static inline struct reply client_read(int fd, bool head_only)
{
    struct reply r = { .status = 0 };
    size_t len = 0;
    while (len + 1 < sizeof r.head && !strstr(r.head, "\r\n\r\n")) {
        if (recv(fd, r.head + len, 1, 0) != 1)
            return r;
        len++;
    }
    sscanf(r.head, "HTTP/1.%*c %d", &r.status);
    size_t left = head_only || r.status == 100 ? 0 : strtoul(reply_header(&r, "Content-Length"), NULL, 10);
    while (left > 0) {
        char chunk[4096];
        ssize_t n = recv(fd, chunk, left < sizeof chunk ? left : sizeof chunk, 0);
        if (n <= 0)
            break;
        buf_add(&r.body, chunk, (size_t)n);
        left -= (size_t)n;
    }
    return r;
}

/* Did the other side close, within the patience? */
static inline bool client_is_closed(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) <= 0;
}

/* One request with a body, kept alive. extra: further headers, each with its line end. */
static inline struct reply client_ask(int fd, const char *method, const char *path, const char *extra,
                                      const char *body, size_t len)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: h\r\n%s", method, path, extra);
    if (body)
        buf_addf(&text, "Content-Length: %zu\r\n", len);
    buf_adds(&text, "\r\n");
    if (body)
        buf_add(&text, body, len);
    client_send_bytes(fd, text.ptr, text.len);
    buf_release(&text);
    return client_read(fd, strcmp(method, "HEAD") == 0);
}

#endif
