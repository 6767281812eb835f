/* load - a load generator: one thread, epoll, kept-alive connections, one request at a time on each.
 *     load PORT PATH TOKEN CONNECTIONS SECONDS BODY-BYTES distinct|repeat
 * Posts Alertmanager bodies of one alert and about that size. Prints "2xx other seconds". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define ANSWER_MAX 8192
#define CONNECTIONS_MAX 512

struct connection {
    int fd;
    char out[REQUEST_MAX];
    size_t out_len, out_at;
    char in[ANSWER_MAX];
    size_t in_len;
};

struct load {
    const char *path, *token;
    size_t body_bytes;
    bool distinct;
    uint64_t next, good, bad;
    char starts[40];
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int body(char *into, size_t size, const struct load *l, uint64_t n, size_t padding)
{
    return snprintf(
        into, size,
        "{\"receiver\":\"heald\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\",\"labels\":{"
        "\"alertname\":\"Bench\","
        "\"cluster\":\"bench\",\"instance\":\"10.42.0.17:%012llu\",\"job\":\"kube-state-metrics\","
        "\"namespace\":\"shop\",\"severity\":"
        "\"warning\"},\"annotations\":{\"summary\":\"%0*d\"},\"startsAt\":\"%s\",\"endsAt\":\"0001-01-01T00:"
        "00:00Z\",\"generatorURL\":"
        "\"http://p/"
        "graph\",\"fingerprint\":\"1c10d32aa056773c\"}],\"groupLabels\":{},\"commonLabels\":{},"
        "\"commonAnnotations\":{},"
        "\"externalURL\":\"http://a\",\"version\":\"4\",\"groupKey\":\"{}:{}\",\"truncatedAlerts\":0}\n",
        (unsigned long long)n, (int)padding, 0, l->starts);
}

static void request(struct load *l, struct connection *c)
{
    char text[REQUEST_MAX];
    uint64_t n = l->distinct ? l->next++ : 1;
    int bare = body(text, sizeof text, l, n, 1);
    size_t padding = l->body_bytes > (size_t)bare ? l->body_bytes - (size_t)bare + 1 : 1;
    int len = body(text, sizeof text, l, n, padding);
    int head = snprintf(c->out, sizeof c->out,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: "
                        "application/json\r\nContent-Length: %d\r\n\r\n",
                        l->path, l->token, len);
    memcpy(c->out + head, text, (size_t)len);
    c->out_len = (size_t)(head + len);
    c->out_at = 0;
    c->in_len = 0;
}

static void send_some(struct connection *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("write");
        c->out_at += (size_t)n;
    }
}

/* A whole answer is there: its status, else 0. */
static int answered(const struct connection *c)
{
    const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = memmem(c->in, c->in_len, "Content-Length: ", 16);
    size_t body_len = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return c->in_len >= (size_t)(end - c->in) + 4 + body_len ? atoi(c->in + 9) : 0;
}

static void receive(struct load *l, struct connection *c)
{
    ssize_t n;
    while ((n = read(c->fd, c->in + c->in_len, sizeof c->in - c->in_len)) > 0) {
        c->in_len += (size_t)n;
        int status = answered(c);
        if (!status)
            continue;
        l->good += status >= 200 && status < 300;
        l->bad += status < 200 || status >= 300;
        request(l, c);
        send_some(c);
    }
    if (n == 0)
        die("closed by the server");
}

static int connect_to(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int main(int argc, char **argv)
{
    static struct connection list[CONNECTIONS_MAX];
    if (argc != 8) {
        fprintf(stderr, "usage: load PORT PATH TOKEN CONNECTIONS SECONDS BODY-BYTES distinct|repeat\n");
        return 2;
    }
    struct load l = { .path = argv[2],
                      .token = argv[3],
                      .body_bytes = strtoul(argv[6], NULL, 10),
                      .distinct = argv[7][0] == 'd' };
    int connections = atoi(argv[4]);
    double seconds = atof(argv[5]);
    time_t now = time(NULL);
    l.next = (uint64_t)now * 10000 % 100000000000ull;
    strftime(l.starts, sizeof l.starts, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    int poll = epoll_create1(0);
    for (int i = 0; i < connections && i < CONNECTIONS_MAX; i++) {
        list[i].fd = connect_to(atoi(argv[1]));
        epoll_ctl(poll, EPOLL_CTL_ADD, list[i].fd,
                  &(struct epoll_event){ .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &list[i] });
        request(&l, &list[i]);
        send_some(&list[i]);
    }
    double begin = now_s();
    while (now_s() - begin < seconds) {
        struct epoll_event events[64];
        int n = epoll_wait(poll, events, 64, 100);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            send_some(c);
            receive(&l, c);
        }
    }
    printf("%llu %llu %.3f\n", (unsigned long long)l.good, (unsigned long long)l.bad, now_s() - begin);
    return 0;
}
