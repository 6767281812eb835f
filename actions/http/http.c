#include "actions/http/http.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actions/http/easy.h"

struct http {
    struct http_easy easy;
    atomic_bool aborted;
};

struct transfer {
    struct http_answer *answer;
    size_t max;
    bool too_large, once, cut;
    const char *body;
    size_t body_len;
};

enum err_code http_global_init(struct err *e)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? ERR_OK
               : err_set(e, ERR_IO, "libcurl could not be initialised");
}

void http_global_cleanup(void)
{
    curl_global_cleanup();
}

enum err_code http_new(struct http **ret, struct err *e)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(e, ERR_NOMEM, "no memory for an HTTP handle");
    enum err_code code = http_easy_init(&h->easy, e);
    if (code) {
        free(h);
        return code;
    }
    *ret = h;
    return ERR_OK;
}

struct http *http_free(struct http *h)
{
    if (h)
        http_easy_release(&h->easy);
    free(h);
    return NULL;
}

void http_abort(struct http *h)
{
    atomic_store(&h->aborted, true);
}

static int on_progress(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct http *h = ctx;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return atomic_load(&h->aborted);
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    if (t->answer->body.len + size * n > t->max) {
        t->too_large = true;
        if (t->cut)
            buf_add(&t->answer->body, bytes, t->max - t->answer->body.len);
        return 0;
    }
    buf_add(&t->answer->body, bytes, size * n);
    return buf_ok(&t->answer->body) ? size * n : 0;
}

/* Connected, about to send: from here on the other side may have seen it. libcurl comes here once more when
 * it wants to repeat the request because a kept-alive connection died: the first may have arrived all the
 * same, so a write stops here. */
static int on_send(void *ctx, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct transfer *t = ctx;
    (void)to_ip, (void)from_ip, (void)to_port, (void)from_port;
    if (t->once && t->answer->sent_ms)
        return CURL_PREREQFUNC_ABORT;
    if (!t->answer->sent_ms)
        t->answer->sent_ms = wall_ms();
    return CURL_PREREQFUNC_OK;
}

static void set_transfer(CURL *c, struct transfer *t)
{
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    if (!t->body)
        return;
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)t->body_len); /* in one piece with the headers */
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->body);
}

static enum err_code outcome(struct http *h, const struct http_endpoint *at, const struct transfer *t,
                             CURLcode rc, struct err *e)
{
    if (rc == CURLE_OK || (t->cut && t->too_large && buf_ok(&t->answer->body)))
        return ERR_OK;
    const char *why = http_easy_why(&h->easy, rc);
    if (t->too_large)
        return err_set(e, ERR_LIMIT, "%s: the answer is larger than %zu bytes", at->base_url, t->max);
    if (!t->answer->sent_ms)
        return err_set(e, ERR_UNAVAILABLE, "%s: %s", at->base_url, why);
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        why = atomic_load(&h->aborted) ? "heald is shutting down" : "the connection died before the answer";
    return err_set(e, ERR_UNKNOWN, "%s: sent, but no answer to trust came: %s", at->base_url, why);
}

enum err_code http_send(struct http *h, const struct http_endpoint *at, const struct http_request *r,
                        struct http_answer *ret, struct err *e)
{
    struct transfer t = {
        .answer = ret,
        .max = r->answer_max ? r->answer_max : HTTP_ANSWER_MAX,
        .once = r->no_retry_on_reuse,
        .cut = r->cut,
        .body = r->body,
        .body_len = r->body_len,
    };
    buf_clear(&ret->body);
    ret->status = 0;
    ret->retry_after_ms = -1;
    ret->sent_ms = 0;
    if (atomic_load(&h->aborted))
        return err_set(e, ERR_REFUSED, "%s: heald is shutting down", at->base_url);
    enum err_code code = http_easy_prepare(&h->easy, at, r, e);
    if (code)
        return code;
    set_transfer(h->easy.curl, &t);
    curl_easy_setopt(h->easy.curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h->easy.curl, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(h->easy.curl, CURLOPT_NOPROGRESS, 0L);
    CURLcode rc = curl_easy_perform(h->easy.curl);
    code = outcome(h, at, &t, rc, e);
    if (code)
        return code;
    curl_easy_getinfo(h->easy.curl, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->retry_after_ms = http_easy_retry_after_ms(&h->easy);
    return ERR_OK;
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
}

/* ---- paths ---- */

static void encode(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("-._~", *p))
            buf_addc(out, (char)*p);
        else
            buf_addf(out, "%%%02X", *p);
    }
}

enum err_code http_path(struct buf *path, const char *segment, struct err *e)
{
    if (!segment[0] || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return err_set(e, ERR_INVALID, "\"%s\" cannot be a path segment", segment);
    buf_addc(path, '/');
    encode(path, segment);
    return ERR_OK;
}

void http_query(struct buf *path, const char *name, const char *value)
{
    buf_addc(path, strchr(buf_text(path), '?') ? '&' : '?');
    encode(path, name);
    buf_addc(path, '=');
    encode(path, value);
}
