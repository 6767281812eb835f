#include "actions/http/remote.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"

#define TOKEN_MAX 65536
#define SAID_SIZE 161 /* bytes of an error's body that are quoted */

struct remote {
    char *what, *url, *token_file, *ca_file, *tenant;
};

static bool copy(char **ret, const char *text)
{
    *ret = text ? strdup(text) : NULL;
    return !text || *ret;
}

enum err_code remote_new(struct remote **ret, const char *what, const char *url, const char *token_file,
                         const char *ca_file, const char *tenant, struct err *e)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_set(e, ERR_INVALID, "%s url \"%s\" begins with neither http:// nor https://", what, url);
    struct remote *r = calloc(1, sizeof *r);
    if (!r || !copy(&r->what, what) || !copy(&r->url, url) || !copy(&r->token_file, token_file) ||
        !copy(&r->ca_file, ca_file) || !copy(&r->tenant, tenant)) {
        remote_free(r);
        return err_set(e, ERR_NOMEM, "no memory for the address of %s", what);
    }
    *ret = r;
    return ERR_OK;
}

struct remote *remote_free(struct remote *r)
{
    if (r) {
        free(r->what);
        free(r->url);
        free(r->token_file);
        free(r->ca_file);
        free(r->tenant);
        free(r);
    }
    return NULL;
}

const char *remote_what(const struct remote *r)
{
    return r->what;
}

const char *remote_url(const struct remote *r)
{
    return r->url;
}

/* The token without surrounding white space. */
static enum err_code read_token(struct buf *bytes, const char *file, const char **ret, struct err *e)
{
    char chunk[4096];
    FILE *f = fopen(file, "re");
    if (!f)
        return err_set(e, ERR_IO, "token file \"%s\": %s", file, strerror(errno));
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(bytes, chunk, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad || !buf_ok(bytes))
        return err_set(e, ERR_IO, "token file \"%s\" cannot be read, or is larger than %d bytes", file,
                       TOKEN_MAX);
    while (bytes->len > 0 && isspace((unsigned char)bytes->ptr[bytes->len - 1]))
        bytes->ptr[--bytes->len] = '\0';
    if (bytes->len == 0)
        return err_set(e, ERR_INVALID, "token file \"%s\" is empty", file);
    *ret = buf_text(bytes) + strspn(buf_text(bytes), " \t\r\n");
    return ERR_OK;
}

enum err_code remote_get(const struct remote *r, struct http *h, const struct http_request *request,
                         struct http_answer *ret, struct err *e)
{
    CLEANUP(buf_release) struct buf bytes = BUF_INIT_MAX(TOKEN_MAX);
    const char *token = NULL;
    if (r->token_file) {
        enum err_code code = read_token(&bytes, r->token_file, &token, e);
        if (code != ERR_OK)
            return code;
    }
    struct http_endpoint at = {
        .base_url = r->url,
        .ca_file = r->ca_file,
        .bearer = token,
        .tenant = r->tenant,
    };
    struct http_request get = *request;
    get.method = "GET";
    return http_send(h, &at, &get, ret, e);
}

enum err_code remote_get_json(const struct remote *r, struct http *h, const struct http_request *request,
                              struct json_doc **ret, struct err *e)
{
    struct http_answer a = HTTP_ANSWER_INIT;
    enum err_code code = remote_get(r, h, request, &a, e);
    if (code == ERR_OK && a.status != 200) {
        char said[SAID_SIZE];
        text_clean(said, sizeof said, buf_text(&a.body), a.body.len);
        code = err_set(e, ERR_UNAVAILABLE, "it answered %ld%s%s", a.status, said[0] ? ": " : "", said);
    } else if (code == ERR_OK) {
        code = json_parse(ret, buf_text(&a.body), a.body.len, e);
        code = code == ERR_INVALID || code == ERR_LIMIT ? err_wrap(e, ERR_UNAVAILABLE, "its answer") : code;
    }
    http_answer_release(&a);
    return code;
}
