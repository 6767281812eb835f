/* test/kit/api_stub.c */
#include "test/kit/api_stub.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    char method[16], path[512], retry_after[32];
    unsigned status;
    char *body;
    bool used;
};

struct api_stub {
    struct MHD_Daemon *daemon;
    char url[64];
    pthread_mutex_t lock;
    struct answer answers[STUB_ANSWERS_MAX];
    size_t answers_len;
    struct stub_request *requests[STUB_REQUESTS_MAX];
    size_t requests_len;
};

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

/* The first unused answer that fits, else the last used one. */
static struct answer *find(struct api_stub *s, const char *method, const char *path)
{
    struct answer *last = NULL;
    for (size_t k = 0; k < s->answers_len; k++) {
        struct answer *a = &s->answers[k];
        if (strcmp(a->method, method) != 0 || strcmp(a->path, path) != 0)
            continue;
        last = a;
        if (!a->used)
            break;
    }
    if (last)
        last->used = true;
    return last;
}

static enum MHD_Result reply(struct api_stub *s, struct MHD_Connection *c, const char *method,
                             const char *path)
{
    static char missing[] =
        "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"not laid down\",\"code\":404}";
    pthread_mutex_lock(&s->lock);
    const struct answer *a = find(s, method, path);
    const char *body = a ? a->body : missing;
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(body), (void *)(size_t)body, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(r, "Content-Type", "application/json");
    if (a && a->retry_after[0])
        MHD_add_response_header(r, "Retry-After", a->retry_after);
    enum MHD_Result result = MHD_queue_response(c, a ? a->status : 404, r);
    pthread_mutex_unlock(&s->lock);
    MHD_destroy_response(r);
    return result;
}

static void *target_of(void *ctx, const char *uri, struct MHD_Connection *c)
{
    struct stub_request *q = calloc(1, sizeof *q);
    (void)ctx;
    (void)c;
    if (q)
        copy(q->target, sizeof q->target, uri);
    return q;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **request)
{
    struct api_stub *s = ctx;
    struct stub_request *q = *request;
    (void)version;
    if (!q)
        return MHD_NO;
    if (!q->method[0]) {
        copy(q->method, sizeof q->method, method);
        copy(q->content_type, sizeof q->content_type,
             MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type"));
        copy(q->authorization, sizeof q->authorization,
             MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"));
        copy(q->tenant, sizeof q->tenant, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Scope-OrgID"));
        return MHD_YES;
    }
    if (*upload_len) {
        size_t used = strlen(q->body), room = sizeof q->body - 1 - used;
        memcpy(q->body + used, upload, *upload_len < room ? *upload_len : room);
        *upload_len = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&s->lock);
    if (s->requests_len < STUB_REQUESTS_MAX) {
        s->requests[s->requests_len++] = q;
        *request = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return reply(s, c, method, path);
}

static void on_end(void *ctx, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)c;
    (void)why;
    free(*request);
    *request = NULL;
}

struct api_stub *api_stub_new(void)
{
    struct api_stub *s = calloc(1, sizeof *s);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    cr_assert_not_null(s);
    pthread_mutex_init(&s->lock, NULL);
    s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, s,
                                 MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_URI_LOG_CALLBACK, target_of, s,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_END);
    cr_assert_not_null(s->daemon);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", (unsigned)info->port);
    return s;
}

struct api_stub *api_stub_free(struct api_stub *s)
{
    if (s) {
        MHD_stop_daemon(s->daemon);
        for (size_t k = 0; k < s->answers_len; k++)
            free(s->answers[k].body);
        for (size_t k = 0; k < s->requests_len; k++)
            free(s->requests[k]);
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
    return NULL;
}

const char *api_stub_url(const struct api_stub *s)
{
    return s->url;
}

void api_stub_answer(struct api_stub *s, const char *method, const char *path, unsigned status,
                     const char *retry_after, const char *body)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->answers_len < STUB_ANSWERS_MAX;
    if (room) {
        struct answer *a = &s->answers[s->answers_len++];
        copy(a->method, sizeof a->method, method);
        copy(a->path, sizeof a->path, path);
        copy(a->retry_after, sizeof a->retry_after, retry_after);
        a->status = status;
        a->body = strdup(body);
        for (char *p = a->body; p && *p; p++)
            if (*p == '\'')
                *p = '"';
    }
    pthread_mutex_unlock(&s->lock);
    cr_assert(room, "more than %d answers", STUB_ANSWERS_MAX);
}

size_t api_stub_count(struct api_stub *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->requests_len;
    pthread_mutex_unlock(&s->lock);
    return n;
}

const struct stub_request *api_stub_request(struct api_stub *s, size_t n)
{
    cr_assert_lt(n, api_stub_count(s), "request %zu never came", n);
    return s->requests[n];
}
