#include "actions/http/easy.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HTTP_BUFFER_BYTES 16384L
#define HTTP_CONNECTIONS_KEPT 4L
#define HTTP_IDLE_SECONDS_MAX 60L /* an idle connection older than this is not used again */
#define HTTP_ALIVE_SECONDS 15L    /* TCP asks a silent peer this often */

enum err_code http_easy_init(struct http_easy *x, struct err *e)
{
    memset(x, 0, sizeof *x);
    x->curl = curl_easy_init();
    return x->curl ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for an HTTP handle");
}

static void drop_lists(struct http_easy *x)
{
    curl_slist_free_all(x->headers);
    curl_slist_free_all(x->connect_to);
    x->headers = x->connect_to = NULL;
}

void http_easy_release(struct http_easy *x)
{
    if (x->curl)
        curl_easy_cleanup(x->curl);
    drop_lists(x);
    buf_release(&x->url);
    memset(x, 0, sizeof *x);
}

static void set_common(CURL *c, const struct http_request *r)
{
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, HTTP_ALIVE_SECONDS);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, HTTP_ALIVE_SECONDS);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, HTTP_BUFFER_BYTES);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, HTTP_BUFFER_BYTES);
    curl_easy_setopt(c, CURLOPT_MAXCONNECTS, HTTP_CONNECTIONS_KEPT);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, HTTP_IDLE_SECONDS_MAX);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(r->timeout_ms ? r->timeout_ms : HTTP_TIMEOUT_MS));
    curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_endpoint(CURL *c, const struct http_endpoint *at)
{
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* the default costs 4 MiB a handle */
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

/* A NULL value is no header. *code is kept when it is an error already. */
static void add_header(struct http_easy *x, enum err_code *code, const char *name, const char *value,
                       struct err *e)
{
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    if (!value || *code)
        return;
    if (strpbrk(value, "\r\n")) { /* would be headers of its own */
        *code = err_set(e, ERR_INVALID, "the value of the header \"%s\" has a line break in it", name);
        return;
    }
    buf_addf(&line, "%s%s%s", name, value[0] ? " " : "", value);
    struct curl_slist *longer = buf_ok(&line) ? curl_slist_append(x->headers, buf_text(&line)) : NULL;
    if (longer)
        x->headers = longer;
    else
        *code = err_set(e, ERR_NOMEM, "no memory for the headers of a request");
}

static enum err_code add_headers(struct http_easy *x, const struct http_endpoint *at,
                                 const struct http_request *r, struct err *e)
{
    enum err_code code = ERR_OK;
    CLEANUP(buf_release) struct buf bearer = BUF_INIT;
    if (at->bearer)
        buf_addf(&bearer, "Bearer %s", at->bearer);
    if (!buf_ok(&bearer))
        return err_set(e, ERR_NOMEM, "no memory for the headers of a request");
    add_header(x, &code, "Expect:", "", e);
    add_header(x, &code, "User-Agent:", "heald/" HEALD_VERSION, e);
    add_header(x, &code, "Accept:", r->accept ? r->accept : "application/json", e);
    add_header(x, &code, "Content-Type:", r->content_type, e);
    add_header(x, &code, "X-Scope-OrgID:", at->tenant, e);
    add_header(x, &code, "Authorization:", at->bearer ? buf_text(&bearer) : NULL, e);
    return code;
}

/* The server's name may differ from the host: connect there, but say and verify this one. */
static enum err_code rename_host(struct http_easy *x, const char *server_name, struct err *e)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *whole = NULL;
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    enum err_code code = ERR_OK;
    if (!u || curl_url_set(u, CURLUPART_URL, buf_text(&x->url), 0) ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        curl_url_set(u, CURLUPART_HOST, server_name, 0) || curl_url_get(u, CURLUPART_URL, &whole, 0))
        code = err_set(e, ERR_INVALID, "the server's name \"%s\" does not fit into its address", server_name);
    if (!code && whole) {
        buf_addf(&line, "%s:%s:%s:%s", server_name, port, host, port);
        x->connect_to = buf_ok(&line) ? curl_slist_append(NULL, buf_text(&line)) : NULL;
        buf_clear(&x->url);
        buf_adds(&x->url, whole);
        if (!x->connect_to || !buf_ok(&x->url))
            code = err_set(e, ERR_NOMEM, "no memory for a URL");
    }
    curl_free(host);
    curl_free(port);
    curl_free(whole);
    curl_url_cleanup(u);
    return code;
}

/* libcurl does not say which file it could not read. */
static enum err_code check_files(const struct http_endpoint *at, struct err *e)
{
    const char *const files[] = { at->ca_file, at->cert_file, at->key_file };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] && access(files[i], R_OK) != 0)
            return err_set(e, ERR_UNAVAILABLE, "%s: file \"%s\": %s", at->base_url, files[i],
                           strerror(errno));
    return ERR_OK;
}

enum err_code http_easy_prepare(struct http_easy *x, const struct http_endpoint *at,
                                const struct http_request *r, struct err *e)
{
    curl_easy_reset(x->curl);
    drop_lists(x);
    x->error[0] = '\0';
    curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->error);
    size_t base_len = strlen(at->base_url);
    while (base_len && at->base_url[base_len - 1] == '/')
        base_len--;
    buf_clear(&x->url);
    buf_add(&x->url, at->base_url, base_len);
    buf_adds(&x->url, r->path);
    if (!buf_ok(&x->url)) {
        buf_release(&x->url);
        return err_set(e, ERR_NOMEM, "no memory for a URL");
    }
    set_common(x->curl, r);
    set_endpoint(x->curl, at);
    enum err_code code = check_files(at, e);
    if (!code && at->server_name)
        code = rename_host(x, at->server_name, e);
    if (!code)
        code = add_headers(x, at, r, e);
    if (code)
        return code;
    curl_easy_setopt(x->curl, CURLOPT_URL, buf_text(&x->url));
    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(x->curl, CURLOPT_CONNECT_TO, x->connect_to);
    return ERR_OK;
}

const char *http_easy_why(const struct http_easy *x, CURLcode rc)
{
    return x->error[0] ? x->error : curl_easy_strerror(rc);
}

int64_t http_easy_retry_after_ms(const struct http_easy *x)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(x->curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return -1;
    return (int64_t)seconds * 1000;
}
