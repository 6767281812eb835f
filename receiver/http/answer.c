/* Answers: plain ones, and problem documents (RFC 9457). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "receiver/http/http_internal.h"
#include "rules/base/utf8.h"

static const char *title(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return status < 400 ? "OK" : "Error";
    }
}

static void count(struct request *r, unsigned status)
{
    char code[8];
    snprintf(code, sizeof code, "%u", status);
    metrics_add(r->server->metrics, METRIC_HTTP_REQUESTS, r->route ? r->route->path : "other", code, 1);
}

/* Nothing but the page's own files, no script in the text, in nobody's frame. */
static void add_page_headers(struct MHD_Response *m)
{
    MHD_add_response_header(
        m, "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
        "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(m, "Referrer-Policy", "same-origin");
    MHD_add_response_header(m, "Cross-Origin-Opener-Policy", "same-origin");
}

static enum MHD_Result queue(struct request *r, unsigned status, const char *content_type, const char *text,
                             size_t len)
{
    struct MHD_Response *m =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!m)
        return MHD_NO;
    if (len)
        MHD_add_response_header(m, "Content-Type", content_type);
    if (status == 401)
        MHD_add_response_header(m, "WWW-Authenticate", "Bearer realm=\"heald\"");
    if (status == 401 && r->route && r->route->scope == SCOPE_INTAKE)
        MHD_add_response_header(m, "WWW-Authenticate", "Basic realm=\"heald\"");
    if (status == 503) {
        char seconds[24] = RETRY_AFTER_SECONDS;
        if (r->retry_ms)
            snprintf(seconds, sizeof seconds, "%lld", (long long)(r->retry_ms + 999) / 1000);
        MHD_add_response_header(m, "Retry-After", seconds);
    }
    if (status == 405)
        MHD_add_response_header(m, "Allow", r->refusal.detail);
    if (r->etag[0] && (status == 200 || status == 304)) {
        MHD_add_response_header(m, "ETag", r->etag);
        MHD_add_response_header(m, "Cache-Control", "private, no-cache");
    }
    if (r->location[0])
        MHD_add_response_header(m, "Location", r->location);
    if (r->cookie[0])
        MHD_add_response_header(m, "Set-Cookie", r->cookie);
    if (strncmp(content_type, "text/html", 9) == 0)
        add_page_headers(m);
    if (atomic_load(&r->server->quiesced))
        MHD_add_response_header(m, "Connection", "close");
    enum MHD_Result ret = MHD_queue_response(r->mhd, status, m);
    MHD_destroy_response(m);
    count(r, status);
    return ret;
}

enum MHD_Result answer_text(struct request *r, unsigned status, const char *content_type, const char *text,
                            size_t len)
{
    return queue(r, status, content_type, text, len);
}

enum MHD_Result answer_accepted(struct request *r)
{
    static const char text[] = "{}\n";
    struct server *s = r->server;
    if (atomic_load(&s->quiesced))
        return queue(r, 200, "application/json", text, sizeof text - 1);
    if (!s->accepted) {
        s->accepted =
            MHD_create_response_from_buffer(sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
        if (!s->accepted)
            return MHD_NO;
        MHD_add_response_header(s->accepted, "Content-Type", "application/json");
    }
    enum MHD_Result ret = MHD_queue_response(r->mhd, 200, s->accepted);
    count(r, 200);
    return ret;
}

/* Details quote what was sent, and are cut to fit: only whole characters go out. */
static void add_clean(struct buf *out, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        uint32_t c;
        size_t n = utf8_next(text, len, &c);
        if (c == UTF8_INVALID)
            buf_addc(out, '?');
        else
            buf_add(out, text, n);
        text += n;
        len -= n;
    }
}

enum MHD_Result answer_problem(struct request *r, unsigned status, const char *detail)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(buf_release) struct buf clean = BUF_INIT;
    size_t len = 0;
    if (r->route && r->route->scope == SCOPE_PAGE && status != 405) {
        page_problem(r, status, detail);
        return queue(r, status, r->type, buf_text(&r->result), r->result.len);
    }
    add_clean(&clean, detail);
    if (json_writer_new(&w, NULL) != ERR_OK)
        return MHD_NO;
    jw_object(w);
    jw_kstring(w, "type", "about:blank");
    jw_kstring(w, "title", title(status));
    jw_kint(w, "status", (int64_t)status);
    jw_kstring(w, "detail", buf_text(&clean));
    jw_object_end(w);
    const char *text = jw_text(w, &len);
    return queue(r, status, "application/problem+json", text ? text : "{}", text ? len : 2);
}

/* Is this tag one of the list, or "*"? Weak ones are the same. */
static bool known_to_client(const struct request *r)
{
    const char *list = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "If-None-Match");
    return r->etag[0] && list && (strcmp(list, "*") == 0 || strstr(list, r->etag));
}

static void tag_result(struct request *r)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    secret_digest(digest, buf_text(&r->result), r->result.len);
    char *out = r->etag;
    *out++ = '"';
    for (size_t i = 0; i < 16; i++)
        out += snprintf(out, 3, "%02x", digest[i]);
    memcpy(out, "\"", 2);
}

enum MHD_Result answer_result(struct request *r)
{
    const char *type = r->type ? r->type : "application/json";
    if (!buf_ok(&r->result))
        return answer_problem(r, 503, "no memory for the answer");
    if (r->location[0])
        return queue(r, 303, type, "", 0);
    if (strcmp(r->route->method, "GET") == 0)
        tag_result(r);
    if (known_to_client(r))
        return queue(r, 304, type, "", 0);
    return queue(r, 200, type, buf_text(&r->result), r->result.len);
}

static void complain(struct request *r)
{
    struct server *s = r->server;
    int64_t now = monotonic_ms();
    if (r->refusal.status == 404 || r->refusal.status == 405 || now < atomic_load(&s->complained_ms) + 1000)
        return;
    atomic_store(&s->complained_ms, now);
    char status[8];
    snprintf(status, sizeof status, "%u", r->refusal.status);
    log_warn("request refused", "status", status, "path", r->route ? r->route->path : "", "reason",
             r->refusal.detail, NULL);
}

void refuse(struct request *r, unsigned status, const char *fmt, ...)
{
    if (r->refusal.status)
        return; /* the first reason counts */
    r->refusal.status = status;
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->refusal.detail, sizeof r->refusal.detail, fmt, args);
    va_end(args);
    complain(r);
}
