/* latency - from the first byte of a webhook to the PATCH that it leads to, against what cannot be avoided:
 * one fdatasync and two kept-alive HTTP round trips, measured in turn with it. Times are CLOCK_MONOTONIC in
 * microseconds, comparable between processes of one machine.
 *
 *   latency stub             prints a port; a stand-in for an API server that knows every Deployment; prints
 * the time of each PATCH latency floor PORT FILE  for each line read: one fdatasync of 4 KiB and two GETs by
 * libcurl to the stub; prints how long they took latency post PORT TOKEN  for each line read, a cluster's and
 * a Deployment's name: posts one alert; prints the time of its first byte */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 65536

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- stub ---- */

static const char list[] =
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}";

static int object(char *into, size_t size, const char *path)
{
    char namespace[64] = "x", name[64] = "x";
    sscanf(path, "/apis/apps/v1/namespaces/%63[^/]/deployments/%63[^?/ ]", namespace, name);
    return snprintf(into, size,
                    "{\"apiVersion\":\"apps/"
                    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":"
                    "\"uid-%s-%s\","
                    "\"resourceVersion\":\"7\",\"generation\":1},\"spec\":{\"replicas\":2,\"selector\":{"
                    "\"matchLabels\":{\"app\":\"a\"}},\"template\":"
                    "{\"metadata\":{\"labels\":{\"app\":\"a\"}},\"spec\":{\"containers\":[{\"name\":\"a\","
                    "\"image\":\"a:1\"}]}}},\"status\":"
                    "{\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":2,\"readyReplicas\":1,"
                    "\"availableReplicas\":1}}",
                    name, namespace, namespace, name);
}

static void answer(int fd, const char *body, int len)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len);
    char all[8192];
    memcpy(all, head, (size_t)n);
    memcpy(all + n, body, (size_t)len);
    if (write(fd, all, (size_t)(n + len)) < 0)
        perror("write");
}

static void serve_request(int fd, const char *request)
{
    char path[2048] = "", body[4096];
    bool patch = strncmp(request, "PATCH ", 6) == 0;
    if (patch) {
        printf("%lld\n", (long long)now_us());
        fflush(stdout);
    }
    sscanf(request, "%*s %2047s", path);
    if (strstr(path, "watch=")) {
        static const char head[] =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        if (write(fd, head, sizeof head - 1) < 0)
            perror("write");
    } else if (strstr(path, "/namespaces/") && strstr(path, "/deployments/")) {
        answer(fd, body, object(body, sizeof body, path));
    } else if (strncmp(path, "/api/v1/namespaces/", 19) == 0 && !strchr(path + 19, '/')) {
        int len = snprintf(body, sizeof body,
                           "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
                           "\"resourceVersion\":\"1\",\"uid\":\"u\"}}");
        answer(fd, body, len);
    } else {
        answer(fd, list, (int)sizeof list - 1);
    }
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char *in = malloc(REQUEST_MAX);
    size_t len = 0;
    ssize_t n;
    while (in && (n = read(fd, in + len, REQUEST_MAX - 1 - len)) > 0) {
        len += (size_t)n;
        in[len] = '\0';
        char *end = strstr(in, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(in, "content-length:");
        size_t whole = (size_t)(end - in) + 4 + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
        if (len < whole)
            continue;
        serve_request(fd, in);
        memmove(in, in + whole, len - whole);
        len -= whole;
    }
    free(in);
    close(fd);
    return NULL;
}

static int stub(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (bind(fd, (struct sockaddr *)&a, size) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        return 1;
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        int c = accept(fd, NULL, NULL);
        pthread_t t;
        if (c < 0)
            continue;
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&t, NULL, serve, (void *)(intptr_t)c) == 0)
            pthread_detach(t);
    }
}

/* ---- floor ---- */

static size_t drop(char *bytes, size_t size, size_t n, void *ctx)
{
    (void)bytes, (void)ctx;
    return size * n;
}

/* Each line from standard input is one round: its microseconds are printed. */
static int floor_of(const char *port, const char *file)
{
    static char block[4096];
    char url[256], line[256];
    int fd = open(file, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CURL *c = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%s/apis/apps/v1/namespaces/a/deployments/a", port);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_perform(c);
    while (fgets(line, sizeof line, stdin)) {
        int64_t begin = now_us();
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
            return 1;
        curl_easy_perform(c);
        curl_easy_perform(c);
        printf("%lld\n", (long long)(now_us() - begin));
        fflush(stdout);
    }
    curl_easy_cleanup(c);
    close(fd);
    return 0;
}

/* ---- post ---- */

static int say(int fd, const char *token, const char *cluster, const char *deployment)
{
    char body[2048], request[4096], starts[40], in[4096];
    time_t now = time(NULL);
    strftime(starts, sizeof starts, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    int len =
        snprintf(body, sizeof body,
                 "{\"receiver\":\"heald\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\","
                 "\"labels\":{\"alertname\":\"Latency\",\"cluster\":\"%s\",\"namespace\":"
                 "\"bench\",\"deployment\":\"%s\"},\"annotations\":{},\"startsAt\":\"%s\",\"endsAt\":\"0001-"
                 "01-01T00:00:00Z\",\"generatorURL\":\"\","
                 "\"fingerprint\":\"0\"}],\"version\":\"4\",\"groupKey\":\"k\",\"truncatedAlerts\":0}\n",
                 cluster, deployment, starts);
    int n = snprintf(request, sizeof request,
                     "POST /webhook/alertmanager HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                     "%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                     token, len, body);
    printf("%lld\n", (long long)now_us());
    fflush(stdout);
    return write(fd, request, (size_t)n) == n && read(fd, in, sizeof in) > 0 ? 0 : 1;
}

/* Each line from standard input names a cluster and a Deployment; one connection, kept alive as Alertmanager
 * does. */
static int post(const char *port, const char *token)
{
    char line[256];
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *deployment = strchr(line, ' ');
        if (!deployment)
            return 1;
        *deployment++ = '\0';
        if (say(fd, token, line, deployment) != 0)
            return 1;
    }
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "stub") == 0)
        return stub();
    if (argc == 4 && strcmp(argv[1], "floor") == 0)
        return floor_of(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "post") == 0)
        return post(argv[2], argv[3]);
    fprintf(stderr, "usage: latency stub | floor PORT FILE | post PORT TOKEN\n");
    return 2;
}
