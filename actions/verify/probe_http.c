/* actions/verify/probe_http.c - one GET at a host that heald.cfg names; declared in probe.h. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "actions/verify/probe.h"
#include "rules/base/re.h"

/* ---- which host ---- */

struct address { /* strings are curl's */
    char *scheme, *host, *port, *path, *query;
};

static void address_release(struct address *a)
{
    curl_free(a->scheme);
    curl_free(a->host);
    curl_free(a->port);
    curl_free(a->path);
    curl_free(a->query);
}

/* Taken apart by the same parser that will send it, so that both read it alike. It takes dot segments out. */
static enum err_code take_apart(struct address *ret, const char *url, struct err *e)
{
    CURLU *u = curl_url();
    char *user = NULL, *password = NULL;
    enum err_code code = ERR_OK;
    if (!u)
        return err_set(e, ERR_NOMEM, "no memory for a URL");
    if (curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_SCHEME, &ret->scheme, 0) ||
        curl_url_get(u, CURLUPART_HOST, &ret->host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) ||
        curl_url_get(u, CURLUPART_PATH, &ret->path, 0))
        code = err_set(e, ERR_INVALID, "\"%.200s\" is no URL like \"https://host/path\"", url);
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
             curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
        code = err_set(e, ERR_INVALID, "a URL with a user or password in it is not asked");
    else
        curl_url_get(u, CURLUPART_QUERY, &ret->query, 0);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(u);
    return code;
}

/* Does a path hold a segment ".." in any spelling? curl leaves "%2e%2e" as it is, a server may not. */
static bool climbs(const char *path)
{
    for (const char *p = path; (p = strchr(p, '/')) != NULL;) {
        p++;
        int dots = 0;
        while (*p == '.' || strncasecmp(p, "%2e", 3) == 0) {
            dots++;
            p += *p == '.' ? 1 : 3;
        }
        if (dots == 2 && (*p == '\0' || *p == '/' || *p == '\\' || strncasecmp(p, "%2f", 3) == 0 ||
                          strncasecmp(p, "%5c", 3) == 0))
            return true;
    }
    return strcasestr(path, "%2f") || strcasestr(path, "%5c") || strchr(path, '\\');
}

static size_t prefix_len(const char *path)
{
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    return len;
}

static bool below(const char *path, const char *prefix)
{
    size_t len = prefix_len(prefix);
    if (len == 0)
        return true;
    return strncmp(path, prefix, len) == 0 && (path[len] == '/' || path[len] == '\0') && !climbs(path);
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

static bool allows(const struct remote *host, const struct address *a, size_t *ret_prefix)
{
    struct address own = { .scheme = NULL };
    bool yes = take_apart(&own, remote_url(host), NULL) == ERR_OK && same_text(own.scheme, a->scheme) &&
               same_text(own.host, a->host) && same_text(own.port, a->port) && below(a->path, own.path);
    if (yes)
        *ret_prefix = prefix_len(own.path);
    address_release(&own);
    return yes;
}

const struct remote *probe_host(const struct probe_systems *s, const char *url, struct buf *ret_path,
                                struct err *e)
{
    struct address a = { .scheme = NULL };
    const struct remote *found = NULL;
    size_t prefix = 0;
    if (take_apart(&a, url, e) == ERR_OK) {
        for (size_t i = 0; i < s->hosts_len && !found; i++)
            if (allows(s->hosts[i], &a, &prefix))
                found = s->hosts[i];
        if (found)
            buf_addf(ret_path, "%s%s%s", a.path + prefix, a.query ? "?" : "", a.query ? a.query : "");
        else
            err_set(e, ERR_REFUSED,
                    "%s://%.100s:%s is not one of probe_hosts in heald.cfg, or the path is not below its url",
                    a.scheme, a.host, a.port);
    }
    address_release(&a);
    return found;
}

/* ---- asking ---- */

static bool is_text(const struct http_answer *a, size_t len)
{
    return json_check_text((const unsigned char *)buf_text(&a->body), len) == NULL;
}

static void search_body(const struct http_answer *a, const char *pattern, struct probe_answer *ret)
{
    struct re *re = NULL;
    struct err e = ERR_INIT;
    size_t len = a->body.len,
           spare = len == PROBE_BODY_MAX ? 3 : 0; /* a cut body may end inside a character */
    while (spare-- > 0 && !is_text(a, len))
        len--;
    if (!is_text(a, len)) {
        probe_no_data(ret, "%ld, and a body that is no UTF-8 text", a->status);
        return;
    }
    if (re_new(&re, pattern, RE_DOT_ALL, &e) != ERR_OK) {
        probe_no_data(ret, "%s", e.msg);
        return;
    }
    ret->body_matches = re_found(re, buf_text(&a->body), len);
    re_free(re);
}

void probe_http(const struct probe_systems *s, struct http *h, const struct probe *p, int64_t timeout_ms,
                struct probe_answer *ret)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct http_answer a = HTTP_ANSWER_INIT;
    struct err e = ERR_INIT;
    const struct remote *host = probe_host(s, p->text, &path, &e);
    if (!host) {
        probe_no_data(ret, "%s", e.msg);
        return;
    }
    struct http_request request = {
        .path = buf_text(&path),
        .accept = "*/*",
        .timeout_ms = timeout_ms,
        .answer_max = PROBE_BODY_MAX,
        .cut = true,
    };
    if (!buf_ok(&path)) {
        probe_no_data(ret, "no memory for a URL");
    } else if (remote_get(host, h, &request, &a, &e) != ERR_OK) {
        probe_no_data(ret, "%s", e.msg);
    } else {
        ret->state = PROBE_ANSWERED;
        ret->status = (int32_t)a.status;
        snprintf(ret->text, sizeof ret->text, "%ld", a.status);
        if (p->body[0])
            search_body(&a, p->body, ret);
    }
    http_answer_release(&a);
}
