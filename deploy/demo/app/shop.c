/* shop - the demo's sample application: a tiny shop that can be told to break.
 *
 *   GET  /         greeting with version and pod name
 *   GET  /healthz  200 while the process answers at all
 *   GET  /ready    200 once started
 *   GET  /metrics  Prometheus text
 *   POST /fault?kind=hang|error|memory|exit|none
 *
 * Faults: hang = connections are accepted and never answered, until restarted; error = "/" answers 500;
 * memory = 4 MiB more every tenth of a second; exit = ends with status 1; none = back to well (not from
 * hang). Environment: PORT (8080), VERSION, FAULT (crash-at-start, or any of the above from the start on).
 * One thread, no library but libc, linked statically: its image holds this one file. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 4096   /* bytes of a request's head that are read */
#define BODY_MAX 2048      /* bytes of an answer's body */
#define HELD_MAX 128       /* connections that a hanging shop keeps open; then the oldest is dropped */
#define TICK_MS 100        /* how often memory grows */
#define GROWTH (4u << 20)  /* bytes a tick */
#define CLIENT_TIMEOUT_S 2 /* a client that dawdles longer is dropped */

enum fault {
    FAULT_NONE,
    FAULT_HANG,
    FAULT_ERROR,
    FAULT_MEMORY,
    FAULT_EXIT,
    FAULT_CRASH_AT_START,
    FAULT_MAX_
};

static const char *const fault_names[FAULT_MAX_] = { "none",   "hang", "error",
                                                     "memory", "exit", "crash-at-start" };

struct shop {
    const char *version;
    enum fault fault;
    int listener;
    time_t started;
    unsigned long ok, failed; /* answers by kind */
    size_t grown;             /* bytes taken by the memory fault */
    int held[HELD_MAX];       /* connections left without an answer: a ring */
    size_t held_next;
};

static void on_signal(int number)
{
    (void)number;
    _exit(0); /* PID 1 of its container: without this a hanging shop would take the whole grace period */
}

static enum fault fault_named(const char *name, size_t length)
{
    for (int f = 0; f < FAULT_MAX_; f++)
        if (strlen(fault_names[f]) == length && strncmp(fault_names[f], name, length) == 0)
            return (enum fault)f;
    return FAULT_MAX_;
}

static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_ANY) };
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        fprintf(stderr, "shop: port %u: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

/* Reads up to the end of the head. False when the client left, dawdled, or sent too much. */
static bool read_head(int fd, char *head, size_t size)
{
    size_t used = 0;
    while (used + 1 < size) {
        ssize_t n = read(fd, head + used, size - used - 1);
        if (n <= 0)
            return false;
        used += (size_t)n;
        head[used] = '\0';
        if (strstr(head, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void answer(struct shop *shop, int fd, int status, const char *type, const char *body)
{
    const char *reason = status == 200   ? "OK"
                         : status == 404 ? "Not Found"
                         : status == 400 ? "Bad Request"
                                         : "Internal Server Error";
    char text[BODY_MAX + 256];
    int length =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 status, reason, type, strlen(body), body);
    if (status < 500)
        shop->ok++;
    else
        shop->failed++;
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) < 0)
        fprintf(stderr, "shop: answer not sent: %s\n", strerror(errno));
}

static void answer_metrics(struct shop *shop, int fd)
{
    char body[BODY_MAX];
    snprintf(
        body, sizeof body,
        "# HELP shop_build_info Always 1; the label says which version runs.\n# TYPE shop_build_info gauge\n"
        "shop_build_info{version=\"%s\"} 1\n"
        "# HELP shop_requests_total Answers by result.\n# TYPE shop_requests_total counter\n"
        "shop_requests_total{result=\"ok\"} %lu\nshop_requests_total{result=\"error\"} %lu\n"
        "# HELP shop_fault_active 1 while a fault is switched on.\n# TYPE shop_fault_active gauge\n"
        "shop_fault_active{kind=\"%s\"} %d\n"
        "# HELP shop_grown_bytes Memory taken by the memory fault.\n# TYPE shop_grown_bytes gauge\n"
        "shop_grown_bytes %zu\n"
        "# HELP shop_start_time_seconds When this process began.\n# TYPE shop_start_time_seconds gauge\n"
        "shop_start_time_seconds %lld\n",
        shop->version, shop->ok, shop->failed, fault_names[shop->fault], shop->fault != FAULT_NONE,
        shop->grown, (long long)shop->started);
    answer(shop, fd, 200, "text/plain; version=0.0.4; charset=utf-8", body);
}

static void answer_fault(struct shop *shop, int fd, const char *path)
{
    const char *kind = strstr(path, "?kind=");
    enum fault fault = kind ? fault_named(kind + 6, strcspn(kind + 6, " &")) : FAULT_MAX_;
    if (fault == FAULT_MAX_ || fault == FAULT_CRASH_AT_START) {
        answer(shop, fd, 400, "text/plain", "which kind? hang, error, memory, exit or none\n");
        return;
    }
    fprintf(stderr, "shop: fault \"%s\" switched on\n", fault_names[fault]);
    answer(shop, fd, 200, "text/plain", "so be it\n");
    if (fault == FAULT_EXIT) {
        fprintf(stderr, "shop: exiting as told\n");
        exit(1);
    }
    shop->fault = fault;
}

static void answer_front(struct shop *shop, int fd)
{
    char body[BODY_MAX], host[256] = "";
    gethostname(host, sizeof host - 1);
    if (shop->fault == FAULT_ERROR) {
        answer(shop, fd, 500, "text/plain", "the till is broken\n");
        return;
    }
    snprintf(body, sizeof body, "shop %s, open (%s)\n", shop->version, host);
    answer(shop, fd, 200, "text/plain", body);
}

static bool asks_for(const char *head, const char *method_and_path)
{
    size_t length = strlen(method_and_path);
    return strncmp(head, method_and_path, length) == 0 && (head[length] == ' ' || head[length] == '?');
}

static void serve(struct shop *shop, int fd)
{
    char head[REQUEST_MAX];
    struct timeval limit = { .tv_sec = CLIENT_TIMEOUT_S };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!read_head(fd, head, sizeof head))
        return;
    if (asks_for(head, "GET /"))
        answer_front(shop, fd);
    else if (asks_for(head, "GET /healthz") || asks_for(head, "GET /ready"))
        answer(shop, fd, 200, "text/plain", "ok\n");
    else if (asks_for(head, "GET /metrics"))
        answer_metrics(shop, fd);
    else if (asks_for(head, "POST /fault"))
        answer_fault(shop, fd, head);
    else
        answer(shop, fd, 404, "text/plain",
               "there are /, /healthz, /ready, /metrics and POST /fault?kind=\n");
}

/* A hanging shop still accepts, as a program with all its workers stuck does. */
static void hold(struct shop *shop, int fd)
{
    int *slot = &shop->held[shop->held_next++ % HELD_MAX];
    if (*slot >= 0)
        close(*slot);
    *slot = fd;
}

static void grow(struct shop *shop)
{
    void *more = malloc(GROWTH); /* kept for ever: that is the fault */
    if (!more)
        return;
    memset(more, 0xAA, GROWTH);
    shop->grown += GROWTH;
}

static void run(struct shop *shop)
{
    for (;;) {
        struct pollfd ready = { .fd = shop->listener, .events = POLLIN };
        int n = poll(&ready, 1, TICK_MS);
        if (shop->fault == FAULT_MEMORY)
            grow(shop);
        if (n <= 0)
            continue;
        int fd = accept(shop->listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (shop->fault == FAULT_HANG) {
            hold(shop, fd);
        } else {
            serve(shop, fd);
            close(fd);
        }
    }
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

int main(void)
{
    struct shop shop = { .version = setting("VERSION", "0"), .started = time(NULL) };
    const char *fault = setting("FAULT", "none"), *port_text = setting("PORT", "8080");
    char *end = NULL;
    long port = strtol(port_text, &end, 10);
    if (*end || port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "shop: PORT \"%s\" is not a port number from 1 to 65535\n", port_text);
        return 2;
    }
    shop.fault = fault_named(fault, strlen(fault));
    if (shop.fault == FAULT_MAX_) {
        fprintf(stderr, "shop: FAULT \"%s\" is none of none, hang, error, memory, exit, crash-at-start\n",
                fault);
        return 2;
    }
    if (shop.fault == FAULT_CRASH_AT_START || shop.fault == FAULT_EXIT) {
        fprintf(stderr, "shop %s: cannot read the price list, giving up\n", shop.version);
        return 1;
    }
    for (size_t i = 0; i < HELD_MAX; i++)
        shop.held[i] = -1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    shop.listener = listen_on((uint16_t)port);
    fprintf(stderr, "shop %s: listening on port %ld\n", shop.version, port);
    run(&shop);
}
