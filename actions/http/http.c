#include "actions/http/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HTTP_BUFFER_BYTES 16384L
#define HTTP_CONNECTIONS_KEPT 4L
#define HTTP_IDLE_SECONDS_MAX 60L /* an idle connection older than this is not used again */

struct http {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    struct buf url, credentials;
};

struct transfer {
    struct http_answer *answer;
    size_t max;
    bool too_large;
    const char *body;
    size_t body_len, body_at;
};

enum err_code http_global_init(struct err *e)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : err_set(e, ERR_IO, "libcurl could not be initialised");
}

void http_global_cleanup(void)
{
    curl_global_cleanup();
}

enum err_code http_new(struct http **ret, struct err *e)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h || !(h->curl = curl_easy_init())) {
        free(h);
        return err_set(e, ERR_NOMEM, "no memory for an HTTP handle");
    }
    *ret = h;
    return ERR_OK;
}

struct http *http_free(struct http *h)
{
    if (!h)
        return NULL;
    curl_easy_cleanup(h->curl);
    buf_release(&h->url);
    buf_release(&h->credentials);
    free(h);
    return NULL;
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
        return 0;
    }
    buf_add(&t->answer->body, bytes, size * n);
    return buf_ok(&t->answer->body) ? size * n : 0;
}

/* A body that cannot be rewound: libcurl then never sends a write a second time when a kept-alive connection turns out dead. */
static size_t on_body(char *into, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t left = t->body_len - t->body_at;
    size_t len = left < size * n ? left : size * n;
    memcpy(into, t->body + t->body_at, len);
    t->body_at += len;
    return len;
}

/* Connected, about to send: from here on the other side may have seen it. */
static int on_send(void *ctx, char *to_ip, char *from_ip, int to_port, int from_port)
{
    (void)to_ip, (void)from_ip, (void)to_port, (void)from_port;
    ((struct transfer *)ctx)->answer->sent_ms = wall_ms();
    return CURL_PREREQFUNC_OK;
}

static void set_endpoint(struct http *h, const struct http_endpoint *at)
{
    CURL *c = h->curl;
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (at->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, at->ca_file);
    if (at->insecure) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (at->cert_file)
        curl_easy_setopt(c, CURLOPT_SSLCERT, at->cert_file);
    if (at->key_file)
        curl_easy_setopt(c, CURLOPT_SSLKEY, at->key_file);
    if (at->user_password) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERPWD, at->user_password);
    }
}

static void set_common(struct http *h, const struct http_request *r, struct transfer *t)
{
    CURL *c = h->curl;
    curl_easy_reset(c);
    h->error[0] = '\0';
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, HTTP_BUFFER_BYTES);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, HTTP_BUFFER_BYTES);
    curl_easy_setopt(c, CURLOPT_MAXCONNECTS, HTTP_CONNECTIONS_KEPT);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, HTTP_IDLE_SECONDS_MAX);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(r->timeout_ms ? r->timeout_ms : HTTP_TIMEOUT_MS));
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    if (r->body) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_body);
        curl_easy_setopt(c, CURLOPT_READDATA, t);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_len);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static struct curl_slist *header(struct curl_slist *list, struct buf *scratch, const char *name, const char *value)
{
    buf_clear(scratch);
    buf_addf(scratch, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(list, buf_text(scratch));
    return more ? more : list;
}

static struct curl_slist *headers(struct http *h, const struct http_endpoint *at, const struct http_request *r)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    list = header(list, &h->credentials, "User-Agent", "heald/" HEALD_VERSION);
    list = header(list, &h->credentials, "Accept", r->accept ? r->accept : "application/json");
    if (r->content_type)
        list = header(list, &h->credentials, "Content-Type", r->content_type);
    if (at->tenant)
        list = header(list, &h->credentials, "X-Scope-OrgID", at->tenant);
    if (at->bearer) {
        buf_clear(&h->credentials);
        buf_addf(&h->credentials, "Authorization: Bearer %s", at->bearer);
        struct curl_slist *more = curl_slist_append(list, buf_text(&h->credentials));
        list = more ? more : list;
    }
    return list;
}

/* The server's name may differ from the host: connect there, but say and verify this one. */
static struct curl_slist *connect_to(const struct http_endpoint *at, struct buf *url)
{
    if (!at->server_name)
        return NULL;
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *whole = NULL;
    struct curl_slist *list = NULL;
    if (u && !curl_url_set(u, CURLUPART_URL, buf_text(url), 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) && !curl_url_set(u, CURLUPART_HOST, at->server_name, 0) &&
        !curl_url_get(u, CURLUPART_URL, &whole, 0)) {
        struct buf line = BUF_INIT;
        buf_addf(&line, "%s:%s:%s:%s", at->server_name, port, host, port);
        list = curl_slist_append(NULL, buf_text(&line));
        buf_release(&line);
        buf_clear(url);
        buf_adds(url, whole);
    }
    curl_free(host);
    curl_free(port);
    curl_free(whole);
    curl_url_cleanup(u);
    return list;
}

static enum err_code outcome(struct http *h, const struct http_endpoint *at, const struct transfer *t, CURLcode rc, struct err *e)
{
    if (rc == CURLE_OK)
        return ERR_OK;
    const char *why = h->error[0] ? h->error : curl_easy_strerror(rc);
    if (t->too_large)
        return err_set(e, ERR_LIMIT, "%s: the answer is larger than %zu bytes", at->base_url, t->max);
    if (!t->answer->sent_ms)
        return err_set(e, ERR_UNAVAILABLE, "%s: %s", at->base_url, why);
    return err_set(e, ERR_UNKNOWN, "%s: sent, but no answer to trust came: %s", at->base_url, why);
}

enum err_code http_send(struct http *h, const struct http_endpoint *at, const struct http_request *r, struct http_answer *ret, struct err *e)
{
    struct transfer t = { .answer = ret, .max = r->answer_max ? r->answer_max : HTTP_ANSWER_MAX, .body = r->body, .body_len = r->body_len };
    buf_clear(&ret->body);
    ret->status = 0;
    ret->retry_after_ms = -1;
    ret->sent_ms = 0;
    buf_clear(&h->url);
    buf_adds(&h->url, at->base_url);
    while (h->url.len && h->url.ptr[h->url.len - 1] == '/')
        h->url.ptr[--h->url.len] = '\0';
    buf_adds(&h->url, r->path);
    if (!buf_ok(&h->url))
        return err_set(e, ERR_NOMEM, "no memory for a URL");
    set_common(h, r, &t);
    set_endpoint(h, at);
    struct curl_slist *to = connect_to(at, &h->url);
    struct curl_slist *list = headers(h, at, r);
    curl_easy_setopt(h->curl, CURLOPT_URL, buf_text(&h->url));
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(h->curl, CURLOPT_CONNECT_TO, to);
    CURLcode rc = curl_easy_perform(h->curl);
    curl_off_t retry_after = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->retry_after_ms = retry_after > 0 ? (int64_t)retry_after * 1000 : -1;
    curl_slist_free_all(list);
    curl_slist_free_all(to);
    enum err_code code = outcome(h, at, &t, rc, e);
    if (code)
        ret->status = 0;
    return code;
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
}

/* ---- paths ---- */

static void encode(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~", *p))
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
