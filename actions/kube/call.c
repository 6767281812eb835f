/* One call to the API server: credentials, retries of reads, and the one place where status codes become err
 * codes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actions/kube/cluster_internal.h"

#define PATIENCE_MS 3000 /* with a server that is away, overloaded, or not ready */
#define READ_PAUSE_MIN_MS 100
#define READY_TIMEOUT_MS 2000
#define LEAST_CALL_MS 1000
#define REFUSED_PAUSE_MS 300
#define PAGE_LIMIT "200"
#define MESSAGE_MAX 200

void kube_reply_release(struct kube_reply *r)
{
    r->doc = json_free(r->doc);
}

static const char *method_of(const char *verb)
{
    static const char *const table[][2] = { { "get", "GET" },     { "list", "GET" },
                                            { "patch", "PATCH" }, { "delete", "DELETE" },
                                            { "create", "POST" }, { "update", "PUT" } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i][0], verb) == 0)
            return table[i][1];
    return "GET";
}

static bool reads(const char *verb)
{
    return strcmp(verb, "get") == 0 || strcmp(verb, "list") == 0;
}

/* A failed JSON-patch `test` is 422 Invalid without causes; another uid in a merge patch is one that blames
 * only metadata.uid. */
static bool failed_test(const struct json *status)
{
    const struct json *causes = json_path(status, "details.causes");
    for (const struct json *c = json_first(causes); c; c = json_next(c))
        if (strcmp(json_string(json_get(c, "field"), ""), "metadata.uid") != 0)
            return false;
    return true;
}

static enum err_code code_of(long status, bool read, bool retry_after, const struct json *body)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_REFUSED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return strcmp(json_string(json_get(body, "reason"), ""), "AlreadyExists") == 0 ? ERR_INVALID
                                                                                       : ERR_CONFLICT;
    case 410:
        return ERR_CONFLICT;
    case 422:
        return failed_test(body) ? ERR_CONFLICT : ERR_INVALID;
    case 429:
        return ERR_UNAVAILABLE;
    default:
        if (status >= 500)
            return read || (retry_after && status != 504) ? ERR_UNAVAILABLE : ERR_UNKNOWN;
        return ERR_INVALID;
    }
}

static enum err_code status_error(const struct kube_call *call, const struct http_answer *a,
                                  const struct json *body, struct err *e)
{
    const char *message = json_string(json_get(body, "message"), "");
    enum err_code code = code_of(a->status, reads(call->verb), a->retry_after_ms >= 0, body);
    return err_set(e, code, "%s %.*s: %ld%s%.*s", call->verb, (int)strcspn(call->path, "?"), call->path,
                   a->status, message[0] ? ": " : "", MESSAGE_MAX, message);
}

void kube_mend_text(char *text, size_t len)
{
    char *end = text + len;
    for (char *p = len ? memchr(text, '\\', len) : NULL; p && end - p >= 6;
         p = memchr(p, '\\', (size_t)(end - p))) {
        if (memcmp(p, "\\u0000", 6) == 0)
            memcpy(p, "\\ufffd", 6);
        p += 2; /* also over an escaped backslash */
    }
}

static enum err_code once(struct cluster *c, struct http *h, const struct kube_call *call, int64_t timeout_ms,
                          struct kube_reply *ret, struct err *e)
{
    struct kube_access *access = NULL;
    const struct http_endpoint *at = cluster_access(c, &access);
    if (!at)
        return err_set(e, ERR_UNAVAILABLE, "cluster \"%s\": token file \"%s\" cannot be read, or is empty",
                       cluster_name(c), cluster_token_file(c));
    struct http_answer a = HTTP_ANSWER_INIT;
    struct http_request r = { .method = method_of(call->verb),
                              .path = call->path,
                              .content_type = call->content_type,
                              .body = call->body,
                              .body_len = call->body_len,
                              .timeout_ms = timeout_ms,
                              .no_retry_on_reuse = !reads(call->verb) };
    enum err_code code = http_send(h, at, &r, &a, e);
    cluster_access_release(access);
    cluster_observe(c, call->verb, a.status);
    ret->status = a.status;
    ret->retry_after_ms = a.retry_after_ms;
    ret->sent_ms = a.sent_ms;
    if (code) {
        http_answer_release(&a);
        return reads(call->verb) && code == ERR_UNKNOWN
                   ? err_wrap(e, ERR_UNAVAILABLE, "cluster \"%s\"", cluster_name(c))
                   : code;
    }
    struct json_doc *doc = NULL;
    if (a.body.len && a.body.ptr[0] == '{') {
        kube_mend_text(a.body.ptr, a.body.len);
        if (json_parse(&doc, buf_text(&a.body), a.body.len, NULL) != ERR_OK)
            doc = NULL; /* an answer that is not JSON is told by its status alone */
    }
    if (a.status < 200 || a.status > 299) {
        code = status_error(call, &a, doc ? json_root(doc) : NULL, e);
        json_free(doc);
    } else {
        code = ERR_OK;
        ret->doc = doc;
    }
    http_answer_release(&a);
    return code;
}

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* The status of /readyz, which every account may ask, by default strangers too; 0: no answer. */
static long readiness(struct cluster *c, struct http *h, bool as_stranger)
{
    struct kube_access *access = NULL;
    struct http_answer a = HTTP_ANSWER_INIT;
    const struct http_endpoint *at = cluster_access(c, &access);
    struct http_request r = { .method = "GET", .path = "/readyz", .timeout_ms = READY_TIMEOUT_MS };
    struct http_endpoint who = at ? *at : (struct http_endpoint){ .base_url = "" };
    if (as_stranger)
        who.bearer = who.user_password = NULL;
    long status = at && http_send(h, &who, &r, &a, NULL) == ERR_OK ? a.status : 0;
    cluster_access_release(access);
    cluster_observe(c, "get", status);
    http_answer_release(&a);
    return status;
}

struct doubt {
    bool refreshed; /* the credentials were read again */
    bool confirmed; /* the server was ready: what it says now counts */
    int64_t until;  /* monotonic ms */
};

/* What to do about 401 and 403: true: ask again. Neither was processed, so writes may go again too. Until it
 * has read its own roles a server that has just begun answers 403 to everybody and everything: who may not
 * even ask for /readyz was not judged. */
static bool ask_again(struct cluster *c, struct http *h, long status, struct doubt *d, enum err_code *code,
                      struct err *e)
{
    if ((status != 401 && status != 403) || d->confirmed)
        return false;
    if (status == 401 && !d->refreshed) { /* the token may have been rotated */
        cluster_access_stale(c);
        return d->refreshed = true;
    }
    long ready = readiness(c, h, status == 401);
    if (ready == 200 || ready == 404) { /* 404: a proxy that has no such path */
        d->confirmed = true;
        return status == 403; /* it may have become ready in between */
    }
    if (monotonic_ms() + REFUSED_PAUSE_MS < d->until) {
        pause_ms(REFUSED_PAUSE_MS);
        return true;
    }
    if (status == 403 || ready == 0 || ready >= 500)
        *code = err_wrap(e, ERR_UNAVAILABLE, "the API server is not ready (/readyz: %ld)", ready);
    return false;
}

enum err_code kube_call(struct cluster *c, struct http *h, const struct kube_call *call,
                        struct kube_reply *ret, struct err *e)
{
    int64_t timeout = call->timeout_ms ? call->timeout_ms : HTTP_TIMEOUT_MS;
    int64_t until = monotonic_ms() + PATIENCE_MS, pause = READ_PAUSE_MIN_MS;
    int64_t end = monotonic_ms() + timeout; /* what is asked again has to end by then too */
    struct doubt doubt = { .until = until };
    for (;;) {
        enum err_code code = once(c, h, call, timeout, ret, e);
        bool time_left = end - monotonic_ms() > READY_TIMEOUT_MS + LEAST_CALL_MS;
        if (time_left && ask_again(c, h, ret->status, &doubt, &code, e)) {
            timeout = end - monotonic_ms();
            continue;
        }
        if (code != ERR_UNAVAILABLE || !reads(call->verb))
            return code;
        int64_t wait = ret->retry_after_ms > pause ? ret->retry_after_ms : pause;
        wait += (int64_t)((uint64_t)monotonic_ms() * 2654435761u % (uint64_t)(wait / 2 + 1)); /* jitter */
        if (monotonic_ms() + wait > until)
            return code;
        pause_ms(wait);
        pause *= 2;
    }
}

enum err_code kube_get(struct cluster *c, struct http *h, const char *kind, const char *namespace,
                       const char *name, struct json_doc **ret_doc, struct err *e)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct kube_reply r = KUBE_REPLY_INIT;
    enum err_code code = kube_path(&path, kind, namespace, name, NULL, e);
    if (!code)
        code = kube_call(c, h, &(struct kube_call){ .verb = "get", .path = buf_text(&path) }, &r, e);
    if (!code && !r.doc)
        code = err_set(e, ERR_UNAVAILABLE, "get %s: the answer is no JSON object", buf_text(&path));
    if (!code)
        *ret_doc = TAKE(r.doc);
    kube_reply_release(&r);
    return code;
}

/* One page; *stop is set when `each` wants no more. The continue token replaces the one before. */
static enum err_code page(struct cluster *c, struct http *h, const char *base, struct buf *token,
                          bool (*each)(void *, const struct json *), void *ctx,
                          char ret_version[RESOURCE_VERSION_SIZE], bool *stop, struct err *e)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct kube_reply r = KUBE_REPLY_INIT;
    buf_adds(&path, base);
    http_query(&path, "limit", PAGE_LIMIT);
    if (token->len)
        http_query(&path, "continue", buf_text(token));
    enum err_code code =
        kube_call(c, h, &(struct kube_call){ .verb = "list", .path = buf_text(&path) }, &r, e);
    if (!code && !r.doc)
        code = err_set(e, ERR_UNAVAILABLE, "list %s: the answer is no JSON object", base);
    if (code)
        return code;
    const struct json *root = json_root(r.doc);
    buf_clear(token);
    buf_adds(token, json_string(json_path(root, "metadata.continue"), ""));
    if (ret_version)
        text_copy(ret_version, RESOURCE_VERSION_SIZE,
                  json_string(json_path(root, "metadata.resourceVersion"), ""));
    for (const struct json *item = json_first(json_get(root, "items")); item && !*stop;
         item = json_next(item))
        *stop = !each(ctx, item);
    kube_reply_release(&r);
    return ERR_OK;
}

enum err_code kube_list(struct cluster *c, struct http *h, const char *kind, const char *namespace,
                        const char *label_selector, bool (*each)(void *ctx, const struct json *item),
                        void *ctx, char ret_version[RESOURCE_VERSION_SIZE], struct err *e)
{
    CLEANUP(buf_release) struct buf base = BUF_INIT;
    CLEANUP(buf_release) struct buf token = BUF_INIT;
    bool stop = false, again = false;
    enum err_code code = kube_path(&base, kind, namespace, NULL, NULL, e);
    if (code)
        return code;
    if (label_selector)
        http_query(&base, "labelSelector", label_selector);
    for (;;) {
        bool later_page = token.len > 0;
        code = page(c, h, buf_text(&base), &token, each, ctx, ret_version, &stop, e);
        if (code == ERR_CONFLICT && later_page && !again) { /* 410: the token is too old */
            again = true;
            buf_clear(&token);
            continue;
        }
        if (code || stop || !token.len)
            return code;
    }
}
